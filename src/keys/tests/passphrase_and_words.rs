//! What an owner types is checked before it is used, and no error repeats it.

use super::*;
use crate::keys::{PassphraseError, PrivateFileError, WordsError};
use std::os::unix::fs::PermissionsExt;

fn try_passphrase(text: &str) -> Result<Passphrase, PassphraseError> {
    Passphrase::new(Zeroizing::new(text.to_owned()))
}

#[test]
fn new_words_are_24_and_read_back() {
    let words = SeedWords::generate().unwrap();
    let list: Vec<_> = words.words().collect();
    assert_eq!(list.len(), 24);
    let again = SeedWords::restore(&list.join("\n  ").to_uppercase()).unwrap();
    assert_eq!(again.words().collect::<Vec<_>>(), list);
}

#[test]
fn every_standard_length_restores() {
    let mut lengths = Vec::new();
    for bytes in [16, 20, 24, 28, 32] {
        let words = SeedWords::from_entropy(&vec![7; bytes]).unwrap();
        let list: Vec<_> = words.words().collect();
        assert_eq!(*SeedWords::restore(&list.join(" ")).unwrap().seed(), *words.seed());
        lengths.push(list.len());
    }
    assert_eq!(lengths, [12, 15, 18, 21, 24]);
}

#[test]
fn a_wrong_word_is_named_by_its_place_only() {
    let wrong = ABANDON.replace("about", "aboutt");
    assert_eq!(SeedWords::restore(&wrong).unwrap_err(), WordsError::UnknownWord { position: 12 });
    let swapped = ABANDON.replace("about", "zoo");
    assert_eq!(SeedWords::restore(&swapped).unwrap_err(), WordsError::Checksum);
    for count in [0, 1, 11, 13, 23, 25, 400] {
        let text = vec!["abandon"; count].join(" ");
        assert_eq!(SeedWords::restore(&text).unwrap_err(), WordsError::Count, "{count}");
    }
}

#[test]
fn weak_or_strange_passphrases_are_refused() {
    assert!(try_passphrase("four words and more").is_ok());
    for weak in ["", "short", "123456789", "aaaaaaaaaaaaaaaa", "ababababababab"] {
        assert!(matches!(try_passphrase(weak), Err(PassphraseError::TooWeak)), "{weak}");
    }
    assert!(matches!(try_passphrase(&"long enough ".repeat(100)), Err(PassphraseError::TooLong)));
    assert!(matches!(try_passphrase("with a\nnew line"), Err(PassphraseError::ControlCharacter)));
}

#[test]
fn an_accent_typed_in_two_ways_is_one_passphrase() {
    let composed = passphrase("caf\u{e9} at the corner");
    let combining = passphrase("cafe\u{301} at the corner");
    assert_eq!(composed.expose(), combining.expose());
    assert_eq!(format!("{composed:?}"), "Passphrase(hidden)");
}

#[test]
fn a_passphrase_file_gives_its_first_line_and_must_be_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    std::fs::write(&path, "correct horse battery\r\nsecond line\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = Passphrase::from_file(&path).unwrap_err();
    assert!(matches!(refused, PassphraseError::File(PrivateFileError::NotPrivate { mode: 0o640, .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Passphrase::from_file(&path).unwrap().expose(), b"correct horse battery");
}
