//! A secret sealed for one account and one amount, so that it can travel with the lock that it opens.
//!
//! Whoever carries it learns nothing, and whoever knows a hash has no power over a payment: nobody is ever asked for a secret.
//! It opens only for the amount that the payer meant to arrive: a mediator that sends on less would else keep the rest, since
//! the payee, who expects nothing, would take what comes and show the secret for it.
//! The mask is keccak256 over what an ephemeral key and the payee's share, the amount and the secret's hash, so it is used once,
//! because a secret is. That it was opened right shows in the secret's own hash.
//!
//! Making an ephemeral key and multiplying by it costs more than all the rest of a payment. So both sides keep what they share:
//! one key serves [`MOST_SEALED`] secrets for one payee. It is derived from the seed of the first payment, which never leaves its
//! node, and never from a secret, which is shown in the end: whoever knew the key could open all the others. That payments come
//! from one payer is what the key shows to those who carry them, and so it is not kept for ever.

use crate::codec::{Malformed, Reader, Wire};
use crate::eip712::keccak;
use crate::guard::Guard;
use crate::sign::{KnownKey, Signer};
use crate::units::Units;
use crate::wire_struct;
use photon_chains::{Address, PublicKey, Secret, SecretHash};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Secrets that one ephemeral key seals.
const MOST_SEALED: u32 = 1_024;

/// Payees, and payers' ephemeral keys, of which what is shared with them is kept.
const MOST_KEPT: usize = 256;

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

type Shared = Zeroizing<[u8; 32]>;

fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = tag.as_bytes().to_vec();
    parts.iter().for_each(|part| bytes.extend(*part));
    let hash = keccak(&bytes);
    zeroize::Zeroize::zeroize(&mut bytes);
    hash
}

/// With the mask on it, or off it again.
fn masked(secret: &[u8; 32], shared: &Shared, hash: &SecretHash, amount: Units) -> [u8; 32] {
    let amount = if Guard::SealedAmount.holds() { amount } else { Units::ZERO };
    let pad = tagged("photon/seal/mask/3", &[shared.as_slice(), hash.as_bytes(), &amount.to_bytes()]);
    std::array::from_fn(|at| secret.get(at).copied().unwrap_or(0) ^ pad.get(at).copied().unwrap_or(0))
}

/// An ephemeral key for one payee, and what both share.
#[derive(Clone)]
pub struct Sealer {
    ephemeral: PublicKey,
    shared: Shared,
}

impl Sealer {
    /// From a seed that is never shown. None for one in 2^128 seeds, which no generator gives.
    pub fn new(seed: &Secret, payee: &KnownKey) -> Option<Self> {
        let ephemeral = Signer::new(tagged("photon/seal/key/2", &[seed.expose(), payee.address().as_bytes()])).ok()?;
        Some(Self { ephemeral: ephemeral.known().public_key(), shared: Zeroizing::new(ephemeral.shared_with(payee)) })
    }

    /// Seals the secret of that hash for the payee, who is to get so much.
    pub fn seal(&self, secret: &Secret, secret_hash: &SecretHash, amount: Units) -> Sealed {
        Sealed { ephemeral: self.ephemeral, masked: masked(secret.expose(), &self.shared, secret_hash, amount) }
    }
}

/// What a payer's ephemeral key shares with the payee. None for bytes that are no key.
fn shared_with(ephemeral: &PublicKey, payee: &Signer) -> Option<Shared> {
    Some(Zeroizing::new(payee.shared_with(&KnownKey::new(ephemeral).ok()?)))
}

impl Sealed {
    /// The secret, if it was sealed for this account and this amount, and opens that hash.
    pub fn open(&self, payee: &Signer, secret_hash: &SecretHash, amount: Units) -> Option<Secret> {
        self.open_by(&shared_with(&self.ephemeral, payee)?, secret_hash, amount)
    }

    fn open_by(&self, shared: &Shared, secret_hash: &SecretHash, amount: Units) -> Option<Secret> {
        secret_hash.opened_by(&masked(&self.masked, shared, secret_hash, amount))
    }
}

/// What is kept of one node's sealing and opening. Nothing of it is durable: a lost one is made anew.
#[derive(Clone, Default)]
pub(crate) struct Seals {
    /// By payee, with how many secrets each has sealed.
    sealers: BTreeMap<Address, (Sealer, u32)>,
    /// By the payer's ephemeral key.
    shared: BTreeMap<[u8; 33], Shared>,
}

impl Seals {
    /// Seals the secret of a payment; `seed` is that payment's.
    pub(crate) fn seal(
        &mut self,
        secret: &Secret,
        secret_hash: &SecretHash,
        seed: &Secret,
        payee: &KnownKey,
        amount: Units,
    ) -> Option<Sealed> {
        let account = payee.address();
        let is_worn = self.sealers.get(&account).is_none_or(|(_, sealed)| *sealed >= MOST_SEALED);
        if is_worn {
            if self.sealers.len() >= MOST_KEPT {
                self.sealers.clear();
            }
            self.sealers.insert(account, (Sealer::new(seed, payee)?, 0));
        }
        let (sealer, sealed) = self.sealers.get_mut(&account)?;
        *sealed += 1;
        Some(sealer.seal(secret, secret_hash, amount))
    }

    /// See [`Sealed::open`].
    pub(crate) fn open(&mut self, sealed: &Sealed, payee: &Signer, secret_hash: &SecretHash, amount: Units) -> Option<Secret> {
        let ephemeral = sealed.ephemeral;
        if let Some(shared) = self.shared.get(ephemeral.as_bytes()) {
            return sealed.open_by(shared, secret_hash, amount);
        }
        let shared = shared_with(&ephemeral, payee)?;
        let secret = sealed.open_by(&shared, secret_hash, amount)?;
        // Only what has opened something is kept, so that a payer can't fill it for nothing.
        if self.shared.len() >= MOST_KEPT {
            self.shared.clear();
        }
        self.shared.insert(*ephemeral.as_bytes(), shared);
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const AMOUNT: Units = Units::MAX;
    const SEED: Secret = Secret::from_bytes([9; 32]);

    fn sealed(secret: &Secret, payee: &Signer, amount: Units) -> Sealed {
        Sealer::new(&SEED, &payee.known()).unwrap().seal(secret, &secret.hash(), amount)
    }

    #[test]
    fn only_the_payee_opens_what_was_sealed_for_it() {
        let (payee, mediator) = (Signer::new([1; 32]).unwrap(), Signer::new([2; 32]).unwrap());
        let secret = Secret::from_bytes([3; 32]);
        let sealed = sealed(&secret, &payee, AMOUNT);
        assert_eq!(sealed.open(&payee, &secret.hash(), AMOUNT), Some(secret.clone()));
        assert_eq!(sealed.open(&mediator, &secret.hash(), AMOUNT), None);
        assert_eq!(sealed.open(&payee, &Secret::from_bytes([4; 32]).hash(), AMOUNT), None);
        assert!(!sealed.to_bytes().windows(32).any(|window| window == secret.expose()));
    }

    #[test]
    fn it_opens_for_the_payers_amount_alone() {
        let payee = Signer::new([1; 32]).unwrap();
        let secret = Secret::from_bytes([3; 32]);
        let sealed = sealed(&secret, &payee, Units::from(100));
        assert_eq!(sealed.open(&payee, &secret.hash(), Units::from(100)), Some(secret.clone()));
        for amount in [0, 1, 99, 101] {
            assert_eq!(sealed.open(&payee, &secret.hash(), Units::from(amount)), None);
        }
    }

    #[test]
    fn what_was_changed_on_the_way_opens_nothing() {
        let payee = Signer::new([1; 32]).unwrap();
        let secret = Secret::from_bytes([3; 32]);
        let bytes = sealed(&secret, &payee, AMOUNT).to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let opened = Sealed::from_bytes(&changed).unwrap().open(&payee, &secret.hash(), AMOUNT);
            assert!(opened.is_none(), "byte {place}");
        }
    }

    // What is shown of one payment says nothing of the others under the same key.
    #[test]
    fn a_secret_that_was_shown_opens_no_other_under_the_same_key() {
        let payee = Signer::new([1; 32]).unwrap();
        let (shown, hidden) = (Secret::from_bytes([3; 32]), Secret::from_bytes([4; 32]));
        let (one, other) = (sealed(&shown, &payee, AMOUNT), sealed(&hidden, &payee, AMOUNT));
        assert_eq!(one.ephemeral, other.ephemeral);
        let pad: [u8; 32] = std::array::from_fn(|at| one.masked[at] ^ shown.expose()[at]);
        let guess: [u8; 32] = std::array::from_fn(|at| other.masked[at] ^ pad[at]);
        assert_eq!(hidden.hash().opened_by(&guess), None);
        // The key does not come from anything that is shown.
        for known in [&shown, &hidden] {
            let made = Sealer::new(known, &payee.known()).unwrap();
            assert_ne!(made.ephemeral, one.ephemeral);
        }
    }

    #[test]
    fn a_key_that_is_worn_is_replaced_and_all_that_was_sealed_opens() {
        let (payer, payee) = (Secret::from_bytes([5; 32]), Signer::new([1; 32]).unwrap());
        let (mut here, mut there) = (Seals::default(), Seals::default());
        let mut keys = std::collections::BTreeSet::new();
        for number in 0..2 * MOST_SEALED + 1 {
            let mut seed = *payer.expose();
            seed[..4].copy_from_slice(&number.to_be_bytes());
            let (seed, secret) = (Secret::from_bytes(seed), Secret::from_bytes(tagged("secret", &[&number.to_be_bytes()])));
            let hash = secret.hash();
            let sealed = here.seal(&secret, &hash, &seed, &payee.known(), AMOUNT).unwrap();
            assert_eq!(there.open(&sealed, &payee, &hash, AMOUNT), Some(secret), "{number}");
            keys.insert(*sealed.ephemeral.as_bytes());
        }
        assert_eq!(keys.len(), 3);
        assert_eq!(there.shared.len(), 3);
    }
}
