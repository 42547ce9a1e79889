//! What opens the seed file.

use super::private_file::{self, PrivateFileError};
use bip39::Mnemonic;
use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// A passphrase, wiped when dropped. Its characters are brought to one form (NFKD), so that another keyboard's way of
/// writing an accent opens the file too.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why a text is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Too few characters to withstand guessing.
    #[error("a passphrase needs at least {min} characters, and more than {variety} different ones", min = Passphrase::MIN_CHARS, variety = Passphrase::MIN_VARIETY - 1)]
    TooWeak,
    /// Longer than anybody types.
    #[error("a passphrase has at most {max} bytes", max = Passphrase::MAX_BYTES)]
    TooLong,
    /// A character that no keyboard gives, most likely from a file that is not a passphrase.
    #[error("the passphrase has a control character in it")]
    ControlCharacter,
    /// The file it should come from.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file is not text.
    #[error("the passphrase file is not UTF-8 text")]
    NotText,
}

impl Passphrase {
    /// The fewest characters of a new passphrase.
    pub const MIN_CHARS: usize = 10;
    /// The fewest different characters of a new passphrase: `aaaaaaaaaa` is none.
    pub const MIN_VARIETY: usize = 4;
    /// The most bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Checks a text typed by its owner. Spaces count.
    pub fn new(text: Zeroizing<String>) -> Result<Self, PassphraseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(PassphraseError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PassphraseError::ControlCharacter);
        }
        let mut seen: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
        let length = seen.len();
        seen.sort_unstable();
        seen.dedup();
        if length < Self::MIN_CHARS || seen.len() < Self::MIN_VARIETY {
            return Err(PassphraseError::TooWeak);
        }
        let mut normal = Cow::Borrowed(text.as_str());
        Mnemonic::normalize_utf8_cow(&mut normal);
        Ok(Self(Zeroizing::new(normal.into_owned())))
    }

    /// The first line of a file that only its owner may read, for a restart without a person.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let bytes = private_file::read(path, 2 * Self::MAX_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| PassphraseError::NotText)?;
        let line = text.lines().next().unwrap_or_default();
        Self::new(Zeroizing::new(line.to_owned()))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}
