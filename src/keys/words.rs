//! The words on paper: the only thing an owner has to keep.

use super::private_file::{self, PrivateFileError};
use bip39::{Language, Mnemonic};
use std::fmt;
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// The longest text that is tried as words: 24 words of at most 8 letters, with room for careless spacing.
const MAX_TEXT: usize = 1024;

/// BIP-39 English words, 12 to 24 of them. Whoever reads them owns the wallet: no `Display`, no `Serialize`, an empty `Debug`,
/// wiped when dropped.
#[derive(Clone)]
pub struct SeedWords(Mnemonic);

/// Why a text is not a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// The system gave no random bytes.
    #[error("the system gives no random bytes, so no seed can be made")]
    NoRandomness,
    /// Not 12, 15, 18, 21 or 24 words.
    #[error("a seed has 12, 15, 18, 21 or 24 words")]
    Count,
    /// One of them is not in the list. Words are counted from 1.
    #[error("word {position} is not one of the 2048 English BIP-39 words")]
    UnknownWord {
        /// Which.
        position: usize,
    },
    /// A word is wrong or in the wrong place.
    #[error("these words don't belong together: one of them is wrong or in the wrong place")]
    Checksum,
}

/// Why a file gives no seed.
#[derive(Debug, thiserror::Error)]
pub enum WordsFileError {
    /// It can't be read, or others can read it.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// What it holds is no seed.
    #[error(transparent)]
    Words(#[from] WordsError),
}

impl SeedWords {
    /// 24 new words, from 256 bits of the system's randomness.
    pub fn generate() -> Result<Self, WordsError> {
        let mut entropy = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *entropy).map_err(|_| WordsError::NoRandomness)?;
        Self::from_entropy(&*entropy)
    }

    /// Reads 12 to 24 words, in any case, with any white space between them. An error names a place, never a word.
    pub fn restore(text: &str) -> Result<Self, WordsError> {
        if text.len() > MAX_TEXT {
            return Err(WordsError::Count);
        }
        let mut tidy = Zeroizing::new(String::with_capacity(MAX_TEXT));
        for word in text.split_whitespace() {
            if !tidy.is_empty() {
                tidy.push(' ');
            }
            tidy.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        }
        Mnemonic::parse_in_normalized(Language::English, &tidy).map(Self).map_err(WordsError::from)
    }

    /// Reads them from a file that is its owner's alone.
    pub fn from_file(path: &Path) -> Result<Self, WordsFileError> {
        let bytes = private_file::read(path, MAX_TEXT)?;
        // What is no text has no words.
        Ok(Self::restore(std::str::from_utf8(&bytes).unwrap_or_default())?)
    }

    pub(super) fn from_entropy(entropy: &[u8]) -> Result<Self, WordsError> {
        Mnemonic::from_entropy(entropy).map(Self).map_err(WordsError::from)
    }

    /// The words, to be shown to their owner once.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// The BIP-39 seed, with an empty passphrase.
    pub(super) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(""))
    }

    /// The entropy behind the words, padded with zeros, and its length: 16 to 32 bytes.
    pub(super) fn entropy(&self) -> (Zeroizing<[u8; 33]>, usize) {
        let (mut bytes, length) = self.0.to_entropy_array();
        let kept = Zeroizing::new(bytes);
        bytes.zeroize();
        (kept, length)
    }
}

impl fmt::Debug for SeedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeedWords(hidden)")
    }
}

impl From<bip39::Error> for WordsError {
    fn from(error: bip39::Error) -> Self {
        match error {
            bip39::Error::UnknownWord(index) => WordsError::UnknownWord { position: index + 1 },
            bip39::Error::InvalidChecksum => WordsError::Checksum,
            bip39::Error::BadWordCount(_) | bip39::Error::BadEntropyBitCount(_) | bip39::Error::AmbiguousLanguages(_) => {
                WordsError::Count
            }
        }
    }
}
