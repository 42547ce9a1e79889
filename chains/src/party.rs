//! Bytes with a meaning: keys, accounts, hashes, transaction ids.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Why a text is not bytes of the wanted length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} hex digits{prefix}")]
pub struct HexError {
    digits: usize,
    prefix: &'static str,
}

impl HexError {
    const fn new(digits: usize, prefix: &str) -> Self {
        Self { digits, prefix: if prefix.is_empty() { "" } else { " after 0x" } }
    }
}

/// Reads exactly `N` bytes from hex digits behind a prefix. For [`crate::fixed_bytes`].
#[doc(hidden)]
pub fn read_hex<const N: usize>(text: &str, prefix: &str) -> Result<[u8; N], HexError> {
    let wrong = || HexError::new(2 * N, prefix);
    let mut bytes = [0; N];
    hex::decode_to_slice(text.strip_prefix(prefix).ok_or_else(wrong)?, &mut bytes).map_err(|_| wrong())?;
    Ok(bytes)
}

/// Writes bytes as hex digits behind a prefix. For [`crate::fixed_bytes`].
#[doc(hidden)]
pub fn show_hex(bytes: &[u8], prefix: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(prefix)?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Makes a type of that many bytes, which is written, read and serialised as hex digits behind a prefix.
#[macro_export]
macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// From raw bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::show_hex(&self.0, $prefix, f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::HexError;
            fn from_str(text: &str) -> Result<Self, $crate::HexError> {
                $crate::read_hex(text, $prefix).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

fixed_bytes!(
    /// An account or contract on an EVM ledger (20 bytes; `0x` and 40 hex digits, either case is read).
    Address, 20, "0x"
);
fixed_bytes!(
    /// A compressed secp256k1 public key (SEC 1, 33 bytes). That it is a point on the curve is checked where it is used.
    PublicKey, 33, ""
);
fixed_bytes!(
    /// A 32-byte hash: of a block, of contract code, of signed terms. Hex, as the ledger's own tools show it.
    Hash32, 32, ""
);
fixed_bytes!(
    /// A transaction's id, in the byte order in which the ledger's own tools show it.
    TxId, 32, ""
);

/// Who may redeem or be refunded, as the ledger knows them.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// On Bitcoin and Litecoin: the holder of this key, made for one swap and never used again.
    Key(PublicKey),
    /// On an EVM ledger: this account. (In a channel: [`Party::Key`], the account's own key.)
    Account(Address),
}

/// A secret signing key for one lock. Never shown, never serialised, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LockKey([u8; 32]);

impl LockKey {
    /// From 32 secret bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret bytes, for the one place that signs.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_another_length_or_without_its_prefix_is_refused() {
        assert!("0xabababababababababababababababababababab".parse::<Address>().is_ok());
        for bad in ["", "0x", "abababababababababababababababababababab", "0xabababababababababababababababababababa", "0xzz"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!("0x".repeat(33).parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_signing_key_shows_nothing() {
        assert_eq!(format!("{:?}", LockKey::from_bytes([0xaa; 32])), "LockKey(hidden)");
    }
}
