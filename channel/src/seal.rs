//! A secret sealed for one account and one amount, so that it can travel with the lock that it opens.
//!
//! Whoever carries it learns nothing, and whoever knows a hash has no power over a payment: nobody is ever asked for a secret.
//! It opens only for the amount that the payer meant to arrive: a mediator that sends on less would else keep the rest, since
//! the payee, who expects nothing, would take what comes and show the secret for it.
//! The ephemeral key is derived from the secret itself (256 random bits), so sealing needs no randomness; the mask is
//! keccak256 over the shared point and used once, because a secret is. That it was opened right shows in the secret's own hash.

use crate::codec::{Malformed, Reader, Wire};
use crate::eip712::keccak;
use crate::guard::Guard;
use crate::sign::{KnownKey, Signer};
use crate::units::Units;
use crate::wire_struct;
use photon_chains::{PublicKey, Secret, SecretHash};

/// A sealed secret.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sealed {
    ephemeral: PublicKey,
    masked: [u8; 32],
}

impl Wire for PublicKey {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.as_bytes());
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array().map(PublicKey::from_bytes)
    }
}
wire_struct!(Sealed { ephemeral, masked });

fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = tag.as_bytes().to_vec();
    parts.iter().for_each(|part| bytes.extend(*part));
    let hash = keccak(&bytes);
    zeroize::Zeroize::zeroize(&mut bytes);
    hash
}

fn mask(secret: &[u8; 32], shared: &[u8; 32], ephemeral: &PublicKey, amount: Units) -> [u8; 32] {
    let amount = if Guard::SealedAmount.holds() { amount } else { Units::ZERO };
    let pad = tagged("photon/seal/mask/2", &[shared, ephemeral.as_bytes(), &amount.to_bytes()]);
    std::array::from_fn(|at| secret.get(at).copied().unwrap_or(0) ^ pad.get(at).copied().unwrap_or(0))
}

impl Sealed {
    /// Seals a secret for the owner of a key, who is to get so much. None for one in 2^128 secrets, which no generator gives.
    pub fn new(secret: &Secret, payee: &KnownKey, amount: Units) -> Option<Self> {
        let ephemeral = Signer::new(tagged("photon/seal/key/1", &[secret.expose(), payee.address().as_bytes()])).ok()?;
        let shared = ephemeral.shared_with(payee);
        let key = ephemeral.known().public_key();
        Some(Self { ephemeral: key, masked: mask(secret.expose(), &shared, &key, amount) })
    }

    /// The secret, if it was sealed for this account and this amount, and opens that hash.
    pub fn open(&self, payee: &Signer, secret_hash: &SecretHash, amount: Units) -> Option<Secret> {
        let ephemeral = KnownKey::new(&self.ephemeral).ok()?;
        let shared = payee.shared_with(&ephemeral);
        secret_hash.opened_by(&mask(&self.masked, &shared, &self.ephemeral, amount))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const AMOUNT: Units = Units::MAX;

    #[test]
    fn only_the_payee_opens_what_was_sealed_for_it() {
        let (payee, mediator) = (Signer::new([1; 32]).unwrap(), Signer::new([2; 32]).unwrap());
        let secret = Secret::from_bytes([3; 32]);
        let sealed = Sealed::new(&secret, &payee.known(), AMOUNT).unwrap();
        assert_eq!(sealed.open(&payee, &secret.hash(), AMOUNT), Some(secret.clone()));
        assert_eq!(sealed.open(&mediator, &secret.hash(), AMOUNT), None);
        assert_eq!(sealed.open(&payee, &Secret::from_bytes([4; 32]).hash(), AMOUNT), None);
        assert!(!sealed.to_bytes().windows(32).any(|window| window == secret.expose()));
    }

    #[test]
    fn it_opens_for_the_payers_amount_alone() {
        let payee = Signer::new([1; 32]).unwrap();
        let secret = Secret::from_bytes([3; 32]);
        let sealed = Sealed::new(&secret, &payee.known(), Units::from(100)).unwrap();
        assert_eq!(sealed.open(&payee, &secret.hash(), Units::from(100)), Some(secret.clone()));
        for amount in [0, 1, 99, 101] {
            assert_eq!(sealed.open(&payee, &secret.hash(), Units::from(amount)), None);
        }
    }

    #[test]
    fn what_was_changed_on_the_way_opens_nothing() {
        let payee = Signer::new([1; 32]).unwrap();
        let secret = Secret::from_bytes([3; 32]);
        let bytes = Sealed::new(&secret, &payee.known(), AMOUNT).unwrap().to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let opened = Sealed::from_bytes(&changed).unwrap().open(&payee, &secret.hash(), AMOUNT);
            assert!(opened.is_none(), "byte {place}");
        }
    }
}
