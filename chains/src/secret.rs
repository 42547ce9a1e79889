//! The secret of a swap and its hash.

use crate::fixed_bytes;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Exactly 32 secret bytes. Its hash is SHA-256, the one hash that Bitcoin script, the EVM and Lightning share; any other
/// length would open one leg and not the other. It has no `Display` and no `Serialize`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// From 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From bytes of any length: only 32 make a secret.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, for the places that publish or store them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its SHA-256.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0).into())
    }

    /// True if it is all zeros, which no contract accepts.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 32]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

fixed_bytes!(
    /// SHA-256 of a [`Secret`]: what both legs of a swap are locked by.
    SecretHash, 32, ""
);

impl SecretHash {
    /// True for the hashes no honest party picks: all zeros, and the hash of 32 zero bytes. They are refused everywhere.
    pub fn is_degenerate(&self) -> bool {
        self.as_bytes() == &[0; 32] || *self == Secret([0; 32]).hash()
    }

    /// The secret, if these bytes are it.
    pub fn opened_by(&self, candidate: &[u8]) -> Option<Secret> {
        Secret::from_slice(candidate).filter(|secret| secret.hash() == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_bytes_with_the_right_hash_open_it() {
        let secret = Secret::from_bytes([7; 32]);
        let hash = secret.hash();
        assert_eq!(hash.opened_by(&[7; 32]), Some(secret));
        for wrong in [&[7; 31][..], &[7; 33], &[8; 32], &[]] {
            assert_eq!(hash.opened_by(wrong), None);
        }
    }

    #[test]
    fn hashes_that_anyone_can_open_are_degenerate() {
        assert!(SecretHash::from_bytes([0; 32]).is_degenerate());
        assert!(Secret::from_bytes([0; 32]).hash().is_degenerate());
        assert!(!Secret::from_bytes([1; 32]).hash().is_degenerate());
    }

    #[test]
    fn a_secret_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from_bytes([0xaa; 32])), "Secret(hidden)");
    }
}
