//! Signatures of the identity: secp256k1 ECDSA over a 32-byte digest, as the EVM's `ecrecover` reads them.

use photon_chains::{Address, PublicKey as Compressed};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha3::{Digest, Keccak256};
use std::fmt;
use std::str::FromStr;

/// 65 bytes: r, s, v. In texts: `0x` and 130 hex digits.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Signature([u8; 65]);

/// Why a signature is not that account's over that digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not `0x` and 130 hex digits.
    #[error("a signature is 0x and 130 hex digits")]
    NotHex,
    /// v is neither 27 nor 28, s is in the upper half of its range (anybody can turn such a signature into a second one), or
    /// r or s is no number of the curve.
    #[error("not a signature in its one accepted form")]
    Malformed,
    /// A good signature, by somebody else or over something else.
    #[error("signed by another account, or over something else")]
    OtherSigner,
}

impl Signature {
    /// From r, s, v.
    pub const fn from_bytes(bytes: [u8; 65]) -> Self {
        Self(bytes)
    }

    /// r, s, v.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

/// The account of a key: the last 20 bytes of the Keccak-256 of its public point.
pub(super) fn address_of(key: &PublicKey) -> Address {
    let point = key.serialize_uncompressed();
    let hash: [u8; 32] = Keccak256::digest(point.split_at(1).1).into();
    let mut address = [0; 20];
    address.copy_from_slice(hash.split_at(12).1);
    Address::from_bytes(address)
}

/// Deterministic (RFC 6979) and low-s.
pub(super) fn sign(key: &SecretKey, digest: &[u8; 32]) -> Signature {
    let signature = SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(*digest), key);
    let (recovery, compact) = signature.serialize_compact();
    let mut bytes = [0; 65];
    let (rs, v) = bytes.split_at_mut(64);
    rs.copy_from_slice(&compact);
    // 2 and 3 mean that r overflowed: once in 2^127 signatures. It would be refused below, never taken wrongly.
    v.fill(27 + (recovery.to_i32() as u8 & 1));
    Signature(bytes)
}

/// The account that made this signature over this digest.
pub fn recover(digest: &[u8; 32], signature: &Signature) -> Result<Address, SignatureError> {
    Ok(address_of(&recover_key(digest, signature)?))
}

/// The public key of `address`, which signed `digest`.
pub fn signer_key(address: Address, digest: &[u8; 32], signature: &Signature) -> Result<Compressed, SignatureError> {
    let key = recover_key(digest, signature)?;
    if address_of(&key) == address { Ok(Compressed::from_bytes(key.serialize())) } else { Err(SignatureError::OtherSigner) }
}

fn recover_key(digest: &[u8; 32], signature: &Signature) -> Result<PublicKey, SignatureError> {
    let (compact, v) = signature.0.split_at(64);
    let recovery = match v {
        [27] => 0,
        [28] => 1,
        _ => return Err(SignatureError::Malformed),
    };
    let recovery = RecoveryId::from_i32(recovery).map_err(|_| SignatureError::Malformed)?;
    let signature = RecoverableSignature::from_compact(compact, recovery).map_err(|_| SignatureError::Malformed)?;
    let plain = signature.to_standard();
    let mut low = plain;
    low.normalize_s();
    if low != plain {
        return Err(SignatureError::Malformed);
    }
    SECP256K1.recover_ecdsa(&Message::from_digest(*digest), &signature).map_err(|_| SignatureError::Malformed)
}

/// Checks that `address` signed `digest`.
pub fn verify(address: Address, digest: &[u8; 32], signature: &Signature) -> Result<(), SignatureError> {
    match recover(digest, signature)? {
        signer if signer == address => Ok(()),
        _ => Err(SignatureError::OtherSigner),
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = SignatureError;
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let mut bytes = [0; 65];
        let digits = text.strip_prefix("0x").ok_or(SignatureError::NotHex)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| SignatureError::NotHex)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
