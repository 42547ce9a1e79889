//! The seed file opens for its passphrase alone, stays private, and is never overwritten.

use super::*;
use crate::keys::seed_file::{Cost, create_at};
use crate::keys::{PrivateFileError, SeedFileError, create, open};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Cheap, for the tests that open a file many times.
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed");
    (folder, path)
}

fn shown(words: &SeedWords) -> Vec<&'static str> {
    words.words().collect()
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[test]
fn it_opens_with_its_passphrase_and_the_advertised_cost() {
    let (_folder, path) = place();
    let words = SeedWords::generate().unwrap();
    create(&path, &words, &passphrase("correct horse battery")).unwrap();
    assert_eq!(shown(&open(&path, &passphrase("correct horse battery")).unwrap()), shown(&words));
    let refused = open(&path, &passphrase("correct horse batterz")).unwrap_err();
    assert!(matches!(refused, SeedFileError::WrongPassphrase));

    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 110);
    assert_eq!(bytes[9..21], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1], "64 MiB, 3 passes, 1 lane");
}

#[test]
fn every_length_of_words_survives_and_none_shows_in_the_file() {
    let mut sizes = Vec::new();
    for bytes in [16, 20, 24, 28, 32] {
        let (_folder, path) = place();
        let entropy = vec![0xa5; bytes];
        let words = SeedWords::from_entropy(&entropy).unwrap();
        create_at(&path, &words, &passphrase("correct horse battery"), CHEAP).unwrap();
        assert_eq!(shown(&open(&path, &passphrase("correct horse battery")).unwrap()), shown(&words));
        let file = fs::read(&path).unwrap();
        assert!(!file.windows(8).any(|window| window == &entropy[..8]));
        sizes.push(file.len());
    }
    assert_eq!(sizes, [110; 5], "the size says nothing about the words");
}

#[test]
fn two_files_of_one_seed_share_neither_salt_nor_ciphertext() {
    let (folder, path) = place();
    let other = folder.path().join("other");
    for path in [&path, &other] {
        create_at(path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    }
    let (one, two) = (fs::read(&path).unwrap(), fs::read(&other).unwrap());
    for part in [21..37, 37..61, 61..110] {
        assert_ne!(one[part.clone()], two[part]);
    }
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let (_folder, path) = place();
    create_at(&path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    let good = fs::read(&path).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        rewrite(&path, &bad);
        assert!(open(&path, &passphrase("correct horse battery")).is_err(), "byte {index}");
    }
    for length in [0, 7, 8, 9, 60, 61, 109] {
        rewrite(&path, &good[..length]);
        assert!(open(&path, &passphrase("correct horse battery")).is_err(), "first {length} bytes");
    }
    rewrite(&path, &[&good[..], &[0]].concat());
    assert!(open(&path, &passphrase("correct horse battery")).is_err(), "one byte more");
    rewrite(&path, &good);
    assert!(open(&path, &passphrase("correct horse battery")).is_ok());
}

#[test]
fn a_file_can_not_ask_for_all_our_memory() {
    let (_folder, path) = place();
    create_at(&path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    let good = fs::read(&path).unwrap();
    for field in [9, 13, 17] {
        let mut greedy = good.clone();
        greedy[field..field + 4].fill(0xff);
        rewrite(&path, &greedy);
        assert!(matches!(open(&path, &passphrase("correct horse battery")), Err(SeedFileError::NotASeedFile)));
    }
}

#[test]
fn a_later_version_is_named() {
    let (_folder, path) = place();
    create_at(&path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    rewrite(&path, &bytes);
    assert!(matches!(open(&path, &passphrase("correct horse battery")), Err(SeedFileError::Version { found: 2 })));
}

#[test]
fn it_is_private_when_written_and_refused_when_it_no_longer_is() {
    let (_folder, path) = place();
    create_at(&path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = open(&path, &passphrase("correct horse battery")).unwrap_err();
        assert!(matches!(refused, SeedFileError::File(PrivateFileError::NotPrivate { .. })), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(open(&path, &passphrase("correct horse battery")).is_ok());
}

#[test]
fn an_existing_file_is_never_overwritten_and_nothing_is_left_beside_it() {
    let (folder, path) = place();
    create_at(&path, &abandon(), &passphrase("correct horse battery"), CHEAP).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = create_at(&path, &SeedWords::generate().unwrap(), &passphrase("another passphrase"), CHEAP).unwrap_err();
    assert!(matches!(refused, SeedFileError::File(PrivateFileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let dangling = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert!(create_at(&dangling, &abandon(), &passphrase("correct horse battery"), CHEAP).is_err());
}

#[test]
fn of_many_writers_at_once_one_wins() {
    let (folder, path) = place();
    let winners: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let words = SeedWords::generate().unwrap();
                    create_at(&path, &words, &passphrase("correct horse battery"), CHEAP).is_ok()
                })
            })
            .collect();
        tries.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!(winners, 1);
    assert!(open(&path, &passphrase("correct horse battery")).is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_or_a_missing_file_is_no_seed() {
    let (folder, path) = place();
    assert!(matches!(open(folder.path(), &passphrase("correct horse battery")), Err(SeedFileError::File(_))));
    assert!(matches!(open(&path, &passphrase("correct horse battery")), Err(SeedFileError::File(PrivateFileError::Io { .. }))));
}
