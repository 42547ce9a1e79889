//! Signatures as the contract takes them: r, s, v, with s in the lower half of the order and v 27 or 28.

use crate::eip712::{Digest32, keccak};
use photon_chains::{Address, PublicKey};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroize;

/// 65 bytes: r, s, v.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Signature([u8; 65]);

/// Why a signature does not count.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// r or s is no number below the order, s is in the upper half, or v is neither 27 nor 28.
    #[error("the signature is not of the one form that the contract takes")]
    Form,
    /// It is somebody else's, or of something else.
    #[error("the signature is not the signer's, or not of this message")]
    Wrong,
    /// The bytes are no point of the curve.
    #[error("the bytes are no public key")]
    NoKey,
}

impl Signature {
    /// From r, s and v.
    pub const fn from_bytes(bytes: [u8; 65]) -> Self {
        Self(bytes)
    }

    /// r, s and v.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// r and vs (EIP-2098): s with v - 27 in its highest bit, which a lower s leaves free. So the contract's functions take it.
    pub fn compact(&self) -> ([u8; 32], [u8; 32]) {
        let [bytes @ .., v] = self.0;
        let (mut r, mut vs) = ([0; 32], [0; 32]);
        r.copy_from_slice(bytes.split_at(32).0);
        vs.copy_from_slice(bytes.split_at(32).1);
        if let Some(high) = vs.first_mut() {
            *high |= v.wrapping_sub(27) << 7;
        }
        (r, vs)
    }

    fn parts(&self) -> Result<(ecdsa::Signature, [u8; 64], RecoveryId), SignatureError> {
        let [compact @ .., v] = self.0;
        let recovery = match v {
            27 => 0,
            28 => 1,
            _ => return Err(SignatureError::Form),
        };
        let plain = ecdsa::Signature::from_compact(&compact).map_err(|_| SignatureError::Form)?;
        let mut low = plain;
        low.normalize_s();
        if low != plain {
            return Err(SignatureError::Form);
        }
        Ok((plain, compact, RecoveryId::from_i32(recovery).map_err(|_| SignatureError::Form)?))
    }

    /// Whose it is, found as the contract finds it.
    pub fn signer(&self, digest: &Digest32) -> Result<Address, SignatureError> {
        #[cfg(feature = "switches")]
        if crate::toy::plays() {
            return crate::toy::signer(&self.0, digest).ok_or(SignatureError::Wrong);
        }
        self.key(digest).map(|key| key.address())
    }

    /// The key of whoever signed.
    pub fn key(&self, digest: &Digest32) -> Result<KnownKey, SignatureError> {
        let (_, compact, recovery) = self.parts()?;
        let signature = RecoverableSignature::from_compact(&compact, recovery).map_err(|_| SignatureError::Form)?;
        let key = SECP256K1.recover_ecdsa(&message(digest), &signature).map_err(|_| SignatureError::Wrong)?;
        Ok(KnownKey::of(key))
    }

    /// The same signature with the v by which the contract finds this signer.
    ///
    /// [`KnownKey::verify`] can't see which of the two v is right, and a counterparty that sends the wrong one would have given
    /// a proof that holds everywhere but in the contract. So what goes to the contract goes through here.
    pub fn for_contract(&self, digest: &Digest32, signer: &Address) -> Result<Self, SignatureError> {
        let mut mended = *self;
        for v in [27, 28] {
            if let Some(last) = mended.0.last_mut() {
                *last = v;
            }
            if mended.signer(digest).as_ref() == Ok(signer) {
                return Ok(mended);
            }
        }
        Err(SignatureError::Wrong)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        photon_chains::show_hex(&self.0, "0x", f)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        photon_chains::read_hex(&text, "0x").map(Self).map_err(serde::de::Error::custom)
    }
}

fn message(digest: &Digest32) -> Message {
    Message::from_digest(digest.0)
}

/// A counterparty's key with its account, both known: verifying against it is faster than recovering.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    key: secp256k1::PublicKey,
    address: Address,
}

impl KnownKey {
    fn of(key: secp256k1::PublicKey) -> Self {
        let [_, point @ ..] = key.serialize_uncompressed();
        let [_, _, _, _, _, _, _, _, _, _, _, _, address @ ..] = keccak(&point);
        Self { key, address: Address::from_bytes(address) }
    }

    /// From a compressed key.
    pub fn new(key: &PublicKey) -> Result<Self, SignatureError> {
        secp256k1::PublicKey::from_slice(key.as_bytes()).map(Self::of).map_err(|_| SignatureError::NoKey)
    }

    /// The compressed key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.serialize())
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Whether this is a good signature by this key. See [`Signature::for_contract`] for its v.
    pub fn verify(&self, digest: &Digest32, signature: &Signature) -> Result<(), SignatureError> {
        #[cfg(feature = "switches")]
        if crate::toy::plays() {
            let is_good = crate::toy::signer(&signature.0, digest) == Some(self.address);
            return if is_good { Ok(()) } else { Err(SignatureError::Wrong) };
        }
        let (plain, _, _) = signature.parts()?;
        SECP256K1.verify_ecdsa(&message(digest), &plain, &self.key).map_err(|_| SignatureError::Wrong)
    }
}

/// Who signs: the node's account. Signing is a function of key and message (RFC 6979), so the same message has the same
/// signature at every try.
#[derive(Clone)]
pub struct Signer {
    secret: SecretKey,
    known: KnownKey,
}

impl Signer {
    /// From 32 secret bytes, which are wiped; none of 2^256 numbers but a few are no key.
    pub fn new(mut secret: [u8; 32]) -> Result<Self, SignatureError> {
        let key = SecretKey::from_slice(&secret).map_err(|_| SignatureError::NoKey);
        secret.zeroize();
        let key = key?;
        Ok(Self { secret: key, known: KnownKey::of(key.public_key(SECP256K1)) })
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.known.address
    }

    /// What others verify by.
    pub const fn known(&self) -> KnownKey {
        self.known
    }

    /// What this key and another one share, and nobody else knows (ECDH, SHA-256 of the compressed point).
    pub(crate) fn shared_with(&self, other: &KnownKey) -> [u8; 32] {
        #[cfg(feature = "switches")]
        if crate::toy::plays() {
            return crate::toy::shared(&self.known.address, &other.address);
        }
        secp256k1::ecdh::SharedSecret::new(&other.key, &self.secret).secret_bytes()
    }

    /// Signs. libsecp256k1 gives the lower s.
    pub fn sign(&self, digest: &Digest32) -> Signature {
        #[cfg(feature = "switches")]
        if crate::toy::plays() {
            return Signature(crate::toy::sign(&self.known.address, digest));
        }
        let (recovery, compact) = SECP256K1.sign_ecdsa_recoverable(&message(digest), &self.secret).serialize_compact();
        let mut bytes = [0; 65];
        let (r_s, v) = bytes.split_at_mut(64);
        r_s.copy_from_slice(&compact);
        v.copy_from_slice(&[27 + (recovery.to_i32() & 1) as u8]);
        Signature(bytes)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.known.address)
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::new([seed; 32]).unwrap()
    }

    #[test]
    fn a_signature_counts_for_its_signer_and_its_message_alone() {
        let (one, two) = (signer(1), signer(2));
        let (digest, other) = (Digest32([7; 32]), Digest32([8; 32]));
        let signature = one.sign(&digest);
        assert_eq!(one.known().verify(&digest, &signature), Ok(()));
        assert_eq!(signature.signer(&digest), Ok(one.address()));
        assert_eq!(two.known().verify(&digest, &signature), Err(SignatureError::Wrong));
        assert_eq!(one.known().verify(&other, &signature), Err(SignatureError::Wrong));
        assert_eq!(KnownKey::new(&one.known().public_key()), Ok(one.known()));
        assert_eq!(one.sign(&digest), signature, "signing twice gives the same bytes");
    }

    #[test]
    fn a_high_s_or_an_odd_v_is_refused_as_the_contract_refuses_it() {
        let one = signer(1);
        let digest = Digest32([7; 32]);
        let signature = one.sign(&digest);
        let [compact @ .., v] = *signature.as_bytes();
        // The other root: n - s, with the other v, signs the same message.
        let mut s = SecretKey::from_slice(&compact[32..]).unwrap();
        s = s.negate();
        let mut high = *signature.as_bytes();
        high[32..64].copy_from_slice(&s.secret_bytes());
        high[64] = 55 - v;
        assert_eq!(one.known().verify(&digest, &Signature(high)), Err(SignatureError::Form));
        for v in [0, 1, 26, 29] {
            let mut odd = *signature.as_bytes();
            odd[64] = v;
            assert_eq!(one.known().verify(&digest, &Signature(odd)), Err(SignatureError::Form), "v {v}");
        }
    }

    // LND CVE-2020-26895: a signature that is good here and refused there.
    #[test]
    fn a_wrong_v_is_mended_before_the_contract_sees_it() {
        let one = signer(1);
        let digest = Digest32([7; 32]);
        let signature = one.sign(&digest);
        let mut wrong = *signature.as_bytes();
        wrong[64] = 55 - wrong[64];
        let wrong = Signature(wrong);
        assert_ne!(wrong.signer(&digest), Ok(one.address()));
        assert_eq!(one.known().verify(&digest, &wrong), Ok(()));
        assert_eq!(wrong.for_contract(&digest, &one.address()), Ok(signature));
        assert_eq!(wrong.for_contract(&digest, &signer(2).address()), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_signer_shows_nothing() {
        assert!(!format!("{:?}", signer(0xaa)).contains("aaaa"));
    }
}
