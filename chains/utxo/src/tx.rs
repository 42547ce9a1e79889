//! The transactions: fund, pay, redeem, refund. Built, sized and (where the key is ours) signed here; nothing is sent. Pure.

use crate::coins::{Coin, Selection};
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

/// Everything these coins hold, less the fee, to one output: what takes them away from an earlier transaction. Not signed.
pub fn sweep(coins: &[Coin], to: &ScriptBuf, fee: u64, dust: u64) -> Result<Transaction, BuildError> {
    let held: u64 = coins.iter().map(|coin| coin.value).sum();
    let value = held.checked_sub(fee).filter(|value| *value >= dust).ok_or(BuildError::NotWorthTheFee)?;
    let output = vec![TxOut { value: Amount::from_sat(value), script_pubkey: to.clone() }];
    let input = coins.iter().map(|coin| unsigned(coin.outpoint)).collect();
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
