//! The seed at rest.
//!
//! ```text
//! "PHOTSEED"  version  memory KiB  passes  lanes  salt  nonce | ciphertext of (length, entropy padded to 32) + tag
//!     8          1         4          4      4     16     24  |    33                                           16
//! ```
//! Integers are big-endian. Argon2id (RFC 9106, version 0x13) stretches the passphrase to the key of XChaCha20-Poly1305,
//! and everything before the bar is authenticated with it, so that neither version nor cost can be changed unseen.

use super::passphrase::Passphrase;
use super::private_file::{self, PrivateFileError};
use super::words::SeedWords;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

const MAGIC: &[u8; 8] = b"PHOTSEED";
const VERSION: u8 = 1;
const HEADER: usize = 61;
const PLAIN: usize = 33;
const TAG: usize = 16;
const FILE: usize = HEADER + PLAIN + TAG;

/// What stretching the passphrase costs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106's second recommended choice: 64 MiB, three passes; one lane, since we have one thread for it.
    pub const NORMAL: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// A file can't make us take more than a gibibyte, or run for minutes.
    fn is_sane(self) -> bool {
        (8..=1024 * 1024).contains(&self.memory_kib)
            && (1..=16).contains(&self.passes)
            && (1..=8).contains(&self.lanes)
            && self.memory_kib >= 8 * self.lanes
    }
}

/// Why there is no seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// It was not written by this program.
    #[error("this is no seed file")]
    NotASeedFile,
    /// It was written by a later version of this program.
    #[error("this seed file has version {found}, and this program reads version {VERSION}")]
    Version {
        /// What it says.
        found: u8,
    },
    /// The two can't be told apart, and no hint is given to a guesser.
    #[error("wrong passphrase, or the seed file is damaged")]
    WrongPassphrase,
    /// The system gave no random bytes, or no memory.
    #[error("the system refused what encryption needs: {0}")]
    System(&'static str),
}

/// Writes the seed to a new file, encrypted. An existing file is never overwritten. Takes a fraction of a second and 64 MiB.
pub fn create(path: &Path, words: &SeedWords, passphrase: &Passphrase) -> Result<(), SeedFileError> {
    create_at(path, words, passphrase, Cost::NORMAL)
}

pub(super) fn create_at(path: &Path, words: &SeedWords, passphrase: &Passphrase, cost: Cost) -> Result<(), SeedFileError> {
    private_file::create(path, &seal(words, passphrase, cost)?).map_err(SeedFileError::from)
}

/// Reads the seed back. Refuses a file that anybody but its owner may read.
pub fn open(path: &Path, passphrase: &Passphrase) -> Result<SeedWords, SeedFileError> {
    let bytes = private_file::read(path, FILE)?;
    unseal(&bytes, passphrase)
}

fn seal(words: &SeedWords, passphrase: &Passphrase, cost: Cost) -> Result<Vec<u8>, SeedFileError> {
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(|_| SeedFileError::System("no randomness"))?;
    let mut file = Vec::with_capacity(FILE);
    file.extend(MAGIC);
    file.push(VERSION);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        file.extend(number.to_be_bytes());
    }
    file.extend(random);

    let (entropy, length) = words.entropy();
    let mut plain = Zeroizing::new([0; PLAIN]);
    let (first, rest) = plain.split_at_mut(1);
    first.fill(length as u8);
    rest.iter_mut().zip(entropy.iter().take(length)).for_each(|(to, from)| *to = *from);

    let header = Header::read(&file).ok_or(SeedFileError::NotASeedFile)?;
    let sealed = header
        .cipher(passphrase)?
        .encrypt(XNonce::from_slice(header.nonce), Payload { msg: &*plain, aad: &file })
        .map_err(|_| SeedFileError::System("encryption failed"))?;
    file.extend(sealed);
    Ok(file)
}

fn unseal(bytes: &[u8], passphrase: &Passphrase) -> Result<SeedWords, SeedFileError> {
    if !bytes.starts_with(MAGIC) {
        return Err(SeedFileError::NotASeedFile);
    }
    match bytes.get(MAGIC.len()) {
        Some(&VERSION) => {}
        Some(&found) => return Err(SeedFileError::Version { found }),
        None => return Err(SeedFileError::NotASeedFile),
    }
    let (head, sealed) = bytes.split_at_checked(HEADER).ok_or(SeedFileError::NotASeedFile)?;
    let header = Header::read(head).ok_or(SeedFileError::NotASeedFile)?;
    let plain = header
        .cipher(passphrase)?
        .decrypt(XNonce::from_slice(header.nonce), Payload { msg: sealed, aad: head })
        .map(Zeroizing::new)
        .map_err(|_| SeedFileError::WrongPassphrase)?;
    let (length, entropy) = plain.split_first().ok_or(SeedFileError::NotASeedFile)?;
    let entropy = entropy.get(..usize::from(*length)).ok_or(SeedFileError::NotASeedFile)?;
    SeedWords::from_entropy(entropy).map_err(|_| SeedFileError::NotASeedFile)
}

struct Header<'a> {
    cost: Cost,
    salt: &'a [u8; 16],
    nonce: &'a [u8; 24],
}

impl<'a> Header<'a> {
    /// Splits what stands before the ciphertext. None if it is shorter, or asks for more than it may.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.get(MAGIC.len() + 1..)?;
        let (memory, rest) = rest.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        let nonce = rest.first_chunk::<24>()?;
        let cost = Cost {
            memory_kib: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
        };
        cost.is_sane().then_some(Self { cost, salt, nonce })
    }

    fn cipher(&self, passphrase: &Passphrase) -> Result<XChaCha20Poly1305, SeedFileError> {
        let params = Params::new(self.cost.memory_kib, self.cost.passes, self.cost.lanes, Some(32))
            .map_err(|_| SeedFileError::NotASeedFile)?;
        let mut key = Key::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose(), self.salt, &mut key)
            .map_err(|_| SeedFileError::System("not enough memory"))?;
        let cipher = XChaCha20Poly1305::new(&key);
        key.as_mut_slice().zeroize();
        Ok(cipher)
    }
}
