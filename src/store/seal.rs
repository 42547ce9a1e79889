//! Rows that hold secrets, sealed with a key derived from the seed.

use super::StoreError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;
const DRAWN_BYTES: usize = 16;

/// The keys of one database. XChaCha20-Poly1305 with a 24-byte nonce per row: 16 random bytes of this process, which may be drawn
/// for ever without meeting themselves, and a counter. What the row is (table and key) goes in as associated data, so that a sealed value moved to another row
/// does not open.
pub(crate) struct Seals {
    cipher: XChaCha20Poly1305,
    digest_key: Zeroizing<[u8; 32]>,
    fingerprint: [u8; 16],
    drawn: [u8; DRAWN_BYTES],
    next: AtomicU64,
}

impl Seals {
    pub(crate) fn new(storage_key: &[u8; 32]) -> Result<Self, StoreError> {
        let derived = Hkdf::<Sha256>::new(None, storage_key);
        let mut seal_key = Zeroizing::new([0; 32]);
        let mut digest_key = Zeroizing::new([0; 32]);
        let mut fingerprint = [0; 16];
        let wrong_length = |_| StoreError::Unreadable("storage key");
        derived.expand(b"photon/store/seal/1", &mut *seal_key).map_err(wrong_length)?;
        derived.expand(b"photon/store/digest/1", &mut *digest_key).map_err(wrong_length)?;
        derived.expand(b"photon/store/fingerprint/1", &mut fingerprint).map_err(wrong_length)?;
        let mut drawn = [0; DRAWN_BYTES];
        getrandom::fill(&mut drawn).map_err(|_| broken("the system gives no random bytes"))?;
        let cipher = XChaCha20Poly1305::new((&*seal_key).into());
        Ok(Self { cipher, digest_key, fingerprint, drawn, next: AtomicU64::new(0) })
    }

    /// Tells this key from others without saying anything about it.
    pub(super) const fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        let (drawn, counted) = nonce.split_at_mut(DRAWN_BYTES);
        drawn.copy_from_slice(&self.drawn);
        counted.copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let payload = Payload { msg: plain, aad: place };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| broken("a row can't be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed at that place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8], what: &'static str) -> Result<Vec<u8>, StoreError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(StoreError::Unreadable(what))?;
        let payload = Payload { msg: body, aad: place };
        self.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| StoreError::Unreadable(what))
    }

    /// HMAC-SHA-256 (the extract step of HKDF) of a body: says whether two bodies are the same without showing them.
    pub(super) fn digest(&self, body: &[u8]) -> [u8; 32] {
        Hkdf::<Sha256>::extract(Some(&*self.digest_key), body).0.into()
    }
}

fn broken(what: &str) -> StoreError {
    StoreError::Failed { reason: what.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_at_its_place_with_its_key_and_unchanged() {
        let seals = Seals::new(&[1; 32]).unwrap();
        let sealed = seals.seal(b"facts/1", b"the secret").unwrap();
        assert_eq!(seals.open(b"facts/1", &sealed, "fact").unwrap(), b"the secret");
        let refused = Err(StoreError::Unreadable("fact"));
        assert_eq!(seals.open(b"facts/2", &sealed, "fact"), refused);
        assert_eq!(Seals::new(&[2; 32]).unwrap().open(b"facts/1", &sealed, "fact"), refused);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(seals.open(b"facts/1", &bent, "fact"), refused, "byte {at}");
        }
        assert_eq!(seals.open(b"facts/1", &sealed[..10], "fact"), refused);
    }

    #[test]
    fn no_nonce_comes_twice_neither_here_nor_after_a_restart() {
        let mut nonces = std::collections::HashSet::new();
        for _ in 0..3 {
            let seals = Seals::new(&[1; 32]).unwrap();
            for _ in 0..1_000 {
                assert!(nonces.insert(seals.seal(b"p", b"plain").unwrap()[..NONCE_BYTES].to_vec()));
            }
        }
    }

    #[test]
    fn sealing_twice_shows_nothing_in_common() {
        let seals = Seals::new(&[1; 32]).unwrap();
        let (one, two) = (seals.seal(b"p", &[0; 64]).unwrap(), seals.seal(b"p", &[0; 64]).unwrap());
        assert_ne!(one[..NONCE_BYTES], two[..NONCE_BYTES]);
        assert_ne!(one[NONCE_BYTES..], two[NONCE_BYTES..]);
    }
}
