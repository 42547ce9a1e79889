//! The lock as a script: which bytes, which output, which witness. Pure.
//!
//! The one template so far is the 97-byte witness script that decred/atomicswap, DCRDEX, comit and BasicSwap share,
//! paid to as P2WSH (BIP-141):
//!
//! ```text
//! OP_IF  OP_SIZE <32> OP_EQUALVERIFY OP_SHA256 <H:32> OP_EQUALVERIFY OP_DUP OP_HASH160 <redeem key hash:20>
//! OP_ELSE  <expiry:4, little-endian unix time> OP_CHECKLOCKTIMEVERIFY OP_DROP OP_DUP OP_HASH160 <refund key hash:20>
//! OP_ENDIF  OP_EQUALVERIFY OP_CHECKSIG
//! ```
//!
//! A counterparty's lock is never parsed: the script is made again from the agreed terms, and either pays there or not.

use bitcoin::hashes::{Hash, hash160};
use bitcoin::opcodes::all as op;
use bitcoin::script::Instruction;
use bitcoin::{Script, ScriptBuf, Transaction, TxIn, WScriptHash, Witness, secp256k1};
use photon_chains::{ExpiryError, Lock, Party, PublicKey, Secret, SecretHash, SpendKind, Template};

/// Bytes of a `p2wsh` witness script.
pub const P2WSH_LEN: usize = 97;
/// Bytes of a low-R DER signature with its sighash byte, the size every fee here is computed with.
pub const SIGNATURE_LEN: usize = 71;
const KEY_LEN: usize = 33;
const SECRET_LEN: usize = 32;

/// Why terms are no script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The template, a party or the asset belongs to another kind of ledger.
    #[error("these terms are not of a script lock")]
    NotAScriptLock,
    /// See [`ExpiryError`].
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// A party's key is not on the curve: nobody could ever sign.
    #[error("a party's public key is no point of the curve")]
    Key,
    /// Anybody knows the secret of this hash.
    #[error("the secret hash is one that anybody can open")]
    Hash,
}

/// A lock's script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockScript {
    hash: SecretHash,
    expiry: u32,
    witness_script: ScriptBuf,
}

impl LockScript {
    /// Makes the script of these terms.
    pub fn of(lock: &Lock) -> Result<Self, ScriptError> {
        let (Template::P2wsh, Party::Key(redeemer), Party::Key(refundee)) = (lock.template, lock.redeemer, lock.refundee) else {
            return Err(ScriptError::NotAScriptLock);
        };
        if lock.secret_hash.is_degenerate() {
            return Err(ScriptError::Hash);
        }
        let expiry = lock.expiry.script_time()?;
        let (redeemer, refundee) = (key_hash(&redeemer)?, key_hash(&refundee)?);
        Ok(Self { hash: lock.secret_hash, expiry, witness_script: p2wsh(&lock.secret_hash, &redeemer, expiry, &refundee) })
    }

    /// The script that a spend must show.
    pub fn witness_script(&self) -> &Script {
        &self.witness_script
    }

    /// The unix time after which the refund is valid.
    pub fn expiry(&self) -> u32 {
        self.expiry
    }

    /// The script of the output that is locked by it.
    pub fn output_script(&self) -> ScriptBuf {
        ScriptBuf::new_p2wsh(&WScriptHash::hash(self.witness_script.as_bytes()))
    }

    /// The witness that takes it with the secret. The branch is chosen by exactly `01` (relay demands the least encoding).
    pub fn redeem_witness(&self, signature: &[u8], key: &[u8; KEY_LEN], secret: &Secret) -> Witness {
        Witness::from_slice(&[signature, key, secret.expose(), &[1], self.witness_script.as_bytes()])
    }

    /// The witness that takes it back. The branch is chosen by exactly nothing.
    pub fn refund_witness(&self, signature: &[u8], key: &[u8; KEY_LEN]) -> Witness {
        Witness::from_slice(&[signature, key, &[], self.witness_script.as_bytes()])
    }

    /// A witness of the size that the real one will have, for computing fees before signing.
    pub fn sized_witness(&self, kind: SpendKind) -> Witness {
        let (signature, key) = ([0; SIGNATURE_LEN], [0; KEY_LEN]);
        match kind {
            SpendKind::Redeem => self.redeem_witness(&signature, &key, &Secret::from_bytes([0; SECRET_LEN])),
            SpendKind::Refund => self.refund_witness(&signature, &key),
        }
    }
}

/// Which way an output locked to that hash was spent. By consensus a spend takes the first branch exactly if it shows the
/// secret, so nothing else in the witness matters, in whatever order and number.
pub fn classify(input: &TxIn, hash: &SecretHash) -> SpendKind {
    let shown = pushes(input).any(|item| hash.opened_by(item).is_some());
    if shown { SpendKind::Redeem } else { SpendKind::Refund }
}

/// Every 32-byte string that a transaction's inputs push: what might be a secret.
pub fn secret_candidates(tx: &Transaction) -> impl Iterator<Item = Secret> + '_ {
    tx.input.iter().flat_map(pushes).filter_map(Secret::from_slice)
}

fn pushes(input: &TxIn) -> impl Iterator<Item = &[u8]> {
    let pushed = input.script_sig.instructions().filter_map(|step| match step {
        Ok(Instruction::PushBytes(bytes)) => Some(bytes.as_bytes()),
        Ok(Instruction::Op(_)) | Err(_) => None,
    });
    input.witness.iter().chain(pushed)
}

fn key_hash(key: &PublicKey) -> Result<[u8; 20], ScriptError> {
    secp256k1::PublicKey::from_slice(key.as_bytes()).map_err(|_| ScriptError::Key)?;
    Ok(hash160::Hash::hash(key.as_bytes()).to_byte_array())
}

fn p2wsh(hash: &SecretHash, redeemer: &[u8; 20], expiry: u32, refundee: &[u8; 20]) -> ScriptBuf {
    let script = ScriptBuf::builder()
        .push_opcode(op::OP_IF)
        .push_opcode(op::OP_SIZE)
        .push_slice([SECRET_LEN as u8])
        .push_opcode(op::OP_EQUALVERIFY)
        .push_opcode(op::OP_SHA256)
        .push_slice(hash.as_bytes())
        .push_opcode(op::OP_EQUALVERIFY)
        .push_opcode(op::OP_DUP)
        .push_opcode(op::OP_HASH160)
        .push_slice(redeemer)
        .push_opcode(op::OP_ELSE)
        .push_slice(expiry.to_le_bytes())
        .push_opcode(op::OP_CLTV)
        .push_opcode(op::OP_DROP)
        .push_opcode(op::OP_DUP)
        .push_opcode(op::OP_HASH160)
        .push_slice(refundee)
        .push_opcode(op::OP_ENDIF)
        .push_opcode(op::OP_EQUALVERIFY)
        .push_opcode(op::OP_CHECKSIG)
        .into_script();
    debug_assert_eq!(script.len(), P2WSH_LEN);
    script
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tx::public_key;
    use bitcoin::{OutPoint, Sequence};
    use photon_chains::{Address, Amount, Asset, Expiry, Ledger, LockKey, UnixTime};
    use proptest::prelude::*;

    fn key(byte: u8) -> PublicKey {
        public_key(&LockKey::from_bytes([byte; 32])).unwrap()
    }

    fn lock() -> Lock {
        Lock {
            asset: Asset::Native(Ledger::Bitcoin),
            amount: Amount::from_units(50_000),
            redeemer: Party::Key(key(1)),
            refundee: Party::Key(key(2)),
            secret_hash: Secret::from_bytes([7; 32]).hash(),
            expiry: Expiry::at(UnixTime::from_secs(1_800_000_000)),
            template: Template::P2wsh,
        }
    }

    #[test]
    fn the_script_is_the_shared_97_bytes() {
        let hash = lock().secret_hash;
        let pkh = |byte| hash160::Hash::hash(key(byte).as_bytes()).to_string();
        // 1,800,000,000 is 0x6b49d200.
        let expected = format!("6382012088a820{hash}8876a914{}670400d2496bb17576a914{}6888ac", pkh(1), pkh(2));
        let script = LockScript::of(&lock()).unwrap();
        assert_eq!(script.witness_script().to_hex_string(), expected);
        assert_eq!(script.witness_script().len(), P2WSH_LEN);
        assert_eq!(script.output_script(), script.witness_script().to_p2wsh());
        assert_eq!((script.output_script().len(), script.expiry()), (34, 1_800_000_000));
    }

    #[test]
    fn every_bit_of_every_term_but_the_amount_makes_another_place() {
        let place = LockScript::of(&lock()).unwrap().output_script();
        let mut others = Vec::new();
        for bit in 0..256 {
            let mut hash = *lock().secret_hash.as_bytes();
            hash[bit / 8] ^= 1 << (bit % 8);
            others.push(Lock { secret_hash: SecretHash::from_bytes(hash), ..lock() });
        }
        for bit in 0..30 {
            let expiry = Expiry::at(UnixTime::from_secs(1_800_000_000 ^ (1 << bit)));
            others.push(Lock { expiry, ..lock() });
        }
        others.push(Lock { redeemer: lock().refundee, refundee: lock().redeemer, ..lock() });
        others.push(Lock { redeemer: Party::Key(key(3)), ..lock() });
        others.push(Lock { refundee: Party::Key(key(3)), ..lock() });
        for other in others {
            assert_ne!(LockScript::of(&other).unwrap().output_script(), place, "{other:?}");
        }
        let amount = Amount::from_units(1);
        assert_eq!(LockScript::of(&Lock { amount, ..lock() }).unwrap().output_script(), place, "a script holds no amount");
    }

    /// B3: whatever else a counterparty pays to, however little it differs, is not the lock.
    #[test]
    fn a_script_that_differs_in_any_byte_is_another_place() {
        let script = LockScript::of(&lock()).unwrap();
        let place = script.output_script();
        let right = script.witness_script().to_bytes();
        let mut others = 0;
        for at in 0..right.len() {
            for flip in 1..=u8::MAX {
                let mut wrong = right.clone();
                wrong[at] ^= flip;
                assert_ne!(ScriptBuf::from_bytes(wrong).to_p2wsh(), place, "byte {at} flipped by {flip:#04x}");
                others += 1;
            }
            let (mut shorter, mut longer) = (right.clone(), right.clone());
            shorter.remove(at);
            longer.insert(at, 0x61);
            assert!(![shorter, longer].map(|wrong| ScriptBuf::from_bytes(wrong).to_p2wsh()).contains(&place), "byte {at}");
        }
        assert_eq!(others, P2WSH_LEN * 255);
    }

    #[test]
    fn terms_that_are_no_script_are_refused() {
        let account = Party::Account(Address::from_bytes([1; 20]));
        let off_curve = Party::Key(PublicKey::from_bytes([2; 33]));
        let zero = Secret::from_bytes([0; 32]).hash();
        let early = Expiry::at(UnixTime::from_secs(499_999_999));
        for (terms, error) in [
            (Lock { redeemer: account, ..lock() }, ScriptError::NotAScriptLock),
            (Lock { refundee: account, ..lock() }, ScriptError::NotAScriptLock),
            (Lock { redeemer: Party::Key(PublicKey::from_bytes([0; 33])), ..lock() }, ScriptError::Key),
            (Lock { secret_hash: zero, ..lock() }, ScriptError::Hash),
            (Lock { expiry: early, ..lock() }, ScriptError::Expiry(ExpiryError::NotAScriptTime)),
        ] {
            assert_eq!(LockScript::of(&terms), Err(error));
        }
        // 0x02 repeated may or may not be a point: whichever it is, it is decided, not assumed.
        let is_point = secp256k1::PublicKey::from_slice(&[2; 33]).is_ok();
        assert_eq!(LockScript::of(&Lock { refundee: off_curve, ..lock() }).is_ok(), is_point);
    }

    fn input(witness: &[Vec<u8>], script_sig: Vec<u8>) -> TxIn {
        TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script_sig),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(witness),
        }
    }

    #[test]
    fn a_spend_is_classified_by_the_secret_wherever_it_stands() {
        let (secret, hash) = (Secret::from_bytes([7; 32]), lock().secret_hash);
        let script = LockScript::of(&lock()).unwrap();
        let redeem = TxIn { witness: script.redeem_witness(&[0; 71], key(1).as_bytes(), &secret), ..input(&[], vec![]) };
        let refund = TxIn { witness: script.refund_witness(&[0; 71], key(2).as_bytes()), ..input(&[], vec![]) };
        assert_eq!((classify(&redeem, &hash), classify(&refund, &hash)), (SpendKind::Redeem, SpendKind::Refund));
        let many: Vec<Vec<u8>> = (0..40).map(|n| vec![n; 32]).collect();
        assert_eq!(classify(&input(&many, vec![]), &hash), SpendKind::Redeem, "among forty others");
        assert_eq!(classify(&input(&[vec![7; 31], vec![7; 33]], vec![]), &hash), SpendKind::Refund);
        let mut pushed = vec![32];
        pushed.extend([7; 32]);
        assert_eq!(classify(&input(&[], pushed), &hash), SpendKind::Redeem, "in a legacy script");
    }

    /// A7: only what hashes to the agreed hash is a secret, whatever the spend looks like.
    #[test]
    fn garbage_in_any_number_and_order_is_no_secret() {
        let (secret, hash) = (Secret::from_bytes([7; 32]), lock().secret_hash);
        let script = LockScript::of(&lock()).unwrap();
        let refund = script.refund_witness(&[0; 71], key(2).as_bytes());
        let mut garbage: Vec<Vec<u8>> = (100..140).map(|n| vec![n; 32]).collect();
        garbage.extend(refund.iter().map(<[u8]>::to_vec));
        assert_eq!(classify(&input(&garbage, vec![]), &hash), SpendKind::Refund, "a refund with forty items on top");
        garbage.reverse();
        assert_eq!(classify(&input(&garbage, vec![]), &hash), SpendKind::Refund, "in another order");
        // One, and a spend by a key alone, which has a single item.
        assert_eq!(classify(&input(&[vec![9; 64]], vec![]), &hash), SpendKind::Refund);
        let mut redeem: Vec<Vec<u8>> =
            script.redeem_witness(&[0; 71], key(1).as_bytes(), &secret).iter().map(<[u8]>::to_vec).collect();
        for _ in 0..redeem.len() {
            redeem.rotate_left(1);
            let all: Vec<Vec<u8>> = garbage.iter().chain(&redeem).cloned().collect();
            assert_eq!(classify(&input(&all, vec![]), &hash), SpendKind::Redeem, "the secret counts wherever it stands");
        }
        // Almost the secret: cut, padded, one bit off, or hashed already.
        let hashed = hash.as_bytes().to_vec();
        for near in [vec![7; 31], vec![7; 33], [vec![7; 31], vec![6]].concat(), hashed, vec![]] {
            assert_eq!(classify(&input(&[near], vec![]), &hash), SpendKind::Refund);
        }
    }

    proptest! {
        #[test]
        fn no_witness_makes_it_panic_or_invent_a_secret(
            witness in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..40),
            script_sig: Vec<u8>,
        ) {
            let hash = lock().secret_hash;
            let input = input(&witness, script_sig);
            let shown = pushes(&input).any(|item| item == [7; 32]);
            prop_assert_eq!(classify(&input, &hash) == SpendKind::Redeem, shown);
        }
    }
}
