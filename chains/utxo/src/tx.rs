//! The transactions: fund, pay, redeem, refund. Built, sized and (where the key is ours) signed here; nothing is sent. Pure.

use crate::coins::Selection;
use crate::script::LockScript;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use photon_chains::{LockKey, PublicKey, Secret, SpendKind, TxId};

/// Signals that it may be replaced (BIP-125) and leaves the lock time in force.
const SEQUENCE: Sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;

/// What one more input of a refund adds, in virtual bytes, rounded up.
pub const INPUT_VSIZE: u64 = 94;

/// Why a transaction can't be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// What would be left after the fee is dust.
    #[error("the output is not worth the fee of spending it")]
    NotWorthTheFee,
    /// The signing key is no key.
    #[error("the signing key is no key of the curve")]
    Key,
    /// The signature hash could not be computed.
    #[error("the transaction can't be signed")]
    Sighash,
}

/// An output that a lock's script locks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Which.
    pub outpoint: OutPoint,
    /// Its value.
    pub value: u64,
}

/// What a spend of locked outputs needs besides them.
pub struct Spending<'a> {
    /// Their script.
    pub script: &'a LockScript,
    /// Where the money goes.
    pub payout: ScriptBuf,
    /// The fee, in full.
    pub fee: u64,
    /// The least value of the new output.
    pub dust: u64,
    /// Who signs.
    pub key: &'a LockKey,
}

/// The public key of a signing key. None if it is no key.
pub fn public_key(key: &LockKey) -> Option<PublicKey> {
    let mut secret = SecretKey::from_slice(key.expose()).ok()?;
    let public = PublicKey::from_bytes(secret.public_key(&Secp256k1::signing_only()).serialize());
    secret.non_secure_erase();
    Some(public)
}

/// Takes one output with the secret.
pub fn redeem(from: Locked, secret: &Secret, with: &Spending<'_>) -> Result<Transaction, BuildError> {
    spend(&[from], LockTime::ZERO, with, |signature, key| with.script.redeem_witness(signature, key, secret))
}

/// Takes outputs back. Valid only once the median time has passed the script's expiry.
pub fn refund(from: &[Locked], with: &Spending<'_>) -> Result<Transaction, BuildError> {
    let lock_time = LockTime::from_consensus(with.script.expiry());
    spend(from, lock_time, with, |signature, key| with.script.refund_witness(signature, key))
}

/// The virtual size of a spend of that many outputs of the script.
pub fn spend_vsize(script: &LockScript, kind: SpendKind, inputs: usize, payout: &ScriptBuf) -> u64 {
    let input = TxIn { witness: script.sized_witness(kind), ..unsigned(OutPoint::null()) };
    let output = TxOut { value: Amount::ZERO, script_pubkey: payout.clone() };
    let tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input; inputs], output: vec![output] };
    tx.vsize() as u64
}

/// A payment from the wallet, not signed.
pub fn payment(selection: &Selection, to: &ScriptBuf, amount: u64, change: &ScriptBuf) -> Transaction {
    let mut output = vec![TxOut { value: Amount::from_sat(amount), script_pubkey: to.clone() }];
    if let Some(value) = selection.change {
        output.push(TxOut { value: Amount::from_sat(value), script_pubkey: change.clone() });
    }
    let input = selection.coins.iter().map(|coin| unsigned(coin.outpoint)).collect();
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output }
}

/// Everything that these outputs of the wallet hold, less the fee, to one output: what takes them away from an earlier
/// transaction. Not signed.
pub fn sweep(from: &[OutPoint], held: u64, to: &ScriptBuf, fee: u64, dust: u64) -> Result<Transaction, BuildError> {
    let value = held.checked_sub(fee).filter(|value| *value >= dust).ok_or(BuildError::NotWorthTheFee)?;
    let output = vec![TxOut { value: Amount::from_sat(value), script_pubkey: to.clone() }];
    let input = from.iter().copied().map(unsigned).collect();
    Ok(Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output })
}

/// An id in the byte order in which it is shown.
pub fn shown_id(txid: Txid) -> TxId {
    let mut bytes = txid.to_byte_array();
    bytes.reverse();
    TxId::from_bytes(bytes)
}

/// Back again.
pub fn inner_id(txid: TxId) -> Txid {
    let mut bytes = *txid.as_bytes();
    bytes.reverse();
    Txid::from_byte_array(bytes)
}

fn unsigned(previous_output: OutPoint) -> TxIn {
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: SEQUENCE, witness: Witness::new() }
}

fn spend(
    from: &[Locked],
    lock_time: LockTime,
    with: &Spending<'_>,
    witness: impl Fn(&[u8], &[u8; 33]) -> Witness,
) -> Result<Transaction, BuildError> {
    let held: u64 = from.iter().map(|locked| locked.value).sum();
    let value = held.checked_sub(with.fee).filter(|value| *value >= with.dust).ok_or(BuildError::NotWorthTheFee)?;
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time,
        input: from.iter().map(|locked| unsigned(locked.outpoint)).collect(),
        output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: with.payout.clone() }],
    };
    let public = public_key(with.key).ok_or(BuildError::Key)?;
    let mut secret = SecretKey::from_slice(with.key.expose()).map_err(|_| BuildError::Key)?;
    let signatures = sign(&tx, from, with.script, &secret);
    secret.non_secure_erase();
    for (input, signature) in tx.input.iter_mut().zip(signatures?) {
        input.witness = witness(&signature, public.as_bytes());
    }
    Ok(tx)
}

/// One signature for each input, each with an R that needs no padding byte, so that sizes (and fees) don't vary.
fn sign(tx: &Transaction, from: &[Locked], script: &LockScript, key: &SecretKey) -> Result<Vec<Vec<u8>>, BuildError> {
    let secp: Secp256k1<All> = Secp256k1::new();
    let mut cache = SighashCache::new(tx);
    let kind = EcdsaSighashType::All;
    from.iter()
        .enumerate()
        .map(|(index, locked)| {
            let value = Amount::from_sat(locked.value);
            let hash = cache.p2wsh_signature_hash(index, script.witness_script(), value, kind);
            let message = Message::from_digest(hash.map_err(|_| BuildError::Sighash)?.to_byte_array());
            let signature = secp.sign_ecdsa_low_r(&message, key);
            Ok(bitcoin::ecdsa::Signature { signature, sighash_type: kind }.to_vec())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::coins::{Coin, Wanted, select};
    use bitcoin::{PubkeyHash, WPubkeyHash, WScriptHash};
    use photon_chains::{Asset, Expiry, Ledger, Lock, Party, Template, UnixTime};
    use proptest::prelude::*;

    const EXPIRY: u32 = 1_800_000_000;

    fn lock(redeemer: &LockKey, refundee: &LockKey, secret: &Secret) -> Lock {
        Lock {
            asset: Asset::Native(Ledger::Bitcoin),
            amount: photon_chains::Amount::from_units(100_000),
            redeemer: Party::Key(public_key(redeemer).unwrap()),
            refundee: Party::Key(public_key(refundee).unwrap()),
            secret_hash: secret.hash(),
            expiry: Expiry::at(UnixTime::from_secs(u64::from(EXPIRY))),
            template: Template::P2wsh,
        }
    }

    fn wallet_script() -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([3; 20]))
    }

    fn taproot_script() -> ScriptBuf {
        // Any 32 bytes after OP_1 PUSH32 have the size of a taproot output.
        ScriptBuf::from_hex(&format!("5120{}", "11".repeat(32))).unwrap()
    }

    fn locked(n: u32) -> Locked {
        Locked { outpoint: OutPoint::new(Txid::from_byte_array([9; 32]), n), value: 100_000 }
    }

    #[test]
    fn sizes_are_those_of_the_dcrdex_p2wsh_row() {
        let (alice, bob, secret) = (LockKey::from_bytes([1; 32]), LockKey::from_bytes([2; 32]), Secret::from_bytes([7; 32]));
        let script = LockScript::of(&lock(&bob, &alice, &secret)).unwrap();
        for (payout, redeem_vsize, refund_vsize) in [(wallet_script(), 143, 134), (taproot_script(), 155, 146)] {
            let spending = |key| Spending { script: &script, payout: payout.clone(), fee: 1_000, dust: 294, key };
            let redeem = redeem(locked(0), &secret, &spending(&bob)).unwrap();
            let refund = refund(&[locked(0)], &spending(&alice)).unwrap();
            assert_eq!((redeem.vsize(), refund.vsize()), (redeem_vsize, refund_vsize));
            assert_eq!(spend_vsize(&script, SpendKind::Redeem, 1, &payout), redeem_vsize as u64);
            assert_eq!(spend_vsize(&script, SpendKind::Refund, 1, &payout), refund_vsize as u64);
        }
        let (one, three) = (wallet_script(), 3);
        let more = spend_vsize(&script, SpendKind::Refund, three, &one) - spend_vsize(&script, SpendKind::Refund, 1, &one);
        assert!(more <= 2 * INPUT_VSIZE && more > 2 * (INPUT_VSIZE - 2), "{more}");
    }

    #[test]
    fn a_funding_from_one_coin_with_change_has_153_vbytes() {
        let coin = Coin { outpoint: OutPoint::null(), value: 1_000_000, script: wallet_script(), confirmed: true };
        let to = ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array([4; 32]));
        let change = wallet_script();
        let want = Wanted { amount: 100_000, to: &to, change: &change, dust: 294, rate: 2_000 };
        let selection = select(&[coin], &want).unwrap();
        let mut tx = payment(&selection, &to, 100_000, &change);
        tx.input[0].witness = Witness::from_slice(&[vec![0; 71], vec![0; 33]]);
        assert_eq!((tx.vsize(), selection.fee), (153, 306));
        assert_eq!(tx.output.iter().map(|output| output.value.to_sat()).sum::<u64>() + selection.fee, 1_000_000);
    }

    #[test]
    fn a_refund_waits_for_its_expiry_and_a_redeem_for_nothing() {
        let (alice, bob, secret) = (LockKey::from_bytes([1; 32]), LockKey::from_bytes([2; 32]), Secret::from_bytes([7; 32]));
        let script = LockScript::of(&lock(&bob, &alice, &secret)).unwrap();
        let with = Spending { script: &script, payout: wallet_script(), fee: 500, dust: 294, key: &alice };
        let refund = refund(&[locked(0), locked(1)], &with).unwrap();
        assert_eq!(refund.lock_time.to_consensus_u32(), EXPIRY);
        assert!(refund.input.iter().all(|input| input.sequence.0 == 0xffff_fffd && input.witness.len() == 4));
        assert_eq!(refund.output[0].value.to_sat(), 200_000 - 500);
        let with = Spending { key: &bob, payout: wallet_script(), ..with };
        let redeem = redeem(locked(0), &secret, &with).unwrap();
        let witness: Vec<&[u8]> = redeem.input[0].witness.iter().collect();
        assert_eq!((redeem.lock_time, redeem.input[0].sequence.0), (LockTime::ZERO, 0xffff_fffd));
        assert_eq!((witness.len(), witness[2], witness[3]), (5, secret.expose().as_slice(), [1].as_slice()));
    }

    /// C11: whoever wants to pin a transaction needs an output of it to stand on.
    #[test]
    fn a_claim_pays_us_and_nobody_else() {
        let (key, secret) = (LockKey::from_bytes([1; 32]), Secret::from_bytes([7; 32]));
        let script = LockScript::of(&lock(&key, &key, &secret)).unwrap();
        let with = Spending { script: &script, payout: wallet_script(), fee: 500, dust: 294, key: &key };
        for tx in [redeem(locked(0), &secret, &with).unwrap(), refund(&[locked(0), locked(1)], &with).unwrap()] {
            assert!(tx.output.len() == 1 && tx.output[0].script_pubkey == wallet_script());
        }
    }

    #[test]
    fn an_output_that_is_not_worth_its_fee_is_not_spent() {
        let (key, secret) = (LockKey::from_bytes([1; 32]), Secret::from_bytes([7; 32]));
        let script = LockScript::of(&lock(&key, &LockKey::from_bytes([2; 32]), &secret)).unwrap();
        for fee in [99_707, 100_000, u64::MAX] {
            let with = Spending { script: &script, payout: wallet_script(), fee, dust: 294, key: &key };
            assert_eq!(redeem(locked(0), &secret, &with), Err(BuildError::NotWorthTheFee), "{fee}");
        }
        let with = Spending { script: &script, payout: wallet_script(), fee: 99_706, dust: 294, key: &key };
        assert!(redeem(locked(0), &secret, &with).is_ok());
        let to_key_hash = ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([1; 20]));
        let none = Spending { script: &script, payout: to_key_hash, fee: 1, dust: 546, key: &LockKey::from_bytes([0; 32]) };
        assert_eq!(redeem(locked(0), &secret, &none), Err(BuildError::Key));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Low-R signatures never make a spend larger than what its fee was computed for.
        #[test]
        fn no_key_and_no_output_makes_a_spend_larger(key in prop::array::uniform32(1u8..), txid: [u8; 32], value in 10_000u64..1 << 52) {
            let (key, secret) = (LockKey::from_bytes(key), Secret::from_bytes([7; 32]));
            prop_assume!(public_key(&key).is_some());
            let script = LockScript::of(&lock(&key, &key, &secret)).unwrap();
            let from = Locked { outpoint: OutPoint::new(Txid::from_byte_array(txid), 0), value };
            let with = Spending { script: &script, payout: wallet_script(), fee: 1_000, dust: 294, key: &key };
            prop_assert!(redeem(from, &secret, &with).unwrap().vsize() <= 143);
            prop_assert!(refund(&[from], &with).unwrap().vsize() <= 134);
        }

        #[test]
        fn ids_are_shown_in_reverse_and_read_back(bytes: [u8; 32]) {
            let txid = Txid::from_byte_array(bytes);
            prop_assert_eq!(shown_id(txid).to_string(), txid.to_string());
            prop_assert_eq!(inner_id(shown_id(txid)), txid);
        }
    }
}
