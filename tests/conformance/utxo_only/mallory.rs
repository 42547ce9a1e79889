//! Transactions that no adapter makes: put together and signed by hand.

use crate::bench::{ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::UtxoBench;
use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use photon_chains::{LockKey, LockStatus, TxId};
use photon_regtest::rpc::RpcError;
use photon_regtest::world::UtxoWallet;
use photon_utxo::LockScript;
use serde_json::{Value, json};

/// A coin and its value.
#[derive(Copy, Clone)]
pub struct Coin {
    pub outpoint: OutPoint,
    pub value: u64,
}

/// A spend of a coin that a witness script locks.
pub struct Spend<'a> {
    pub from: Coin,
    /// Taken too; its owner signs.
    pub also: Option<Coin>,
    pub script: ScriptBuf,
    pub key: &'a LockKey,
    /// What stands between the key and the script.
    pub items: Vec<Vec<u8>>,
    pub lock_time: u32,
    pub fee: u64,
}

impl<'a> Spend<'a> {
    /// What redeems the stage's lock.
    pub fn redeem(stage: &'a Stage<'_>, from: Coin, fee: u64) -> Self {
        let items = vec![stage.secret.expose().to_vec(), vec![1]];
        Self { from, also: None, script: witness_script(stage), key: &stage.bob_key, items, lock_time: 0, fee }
    }

    /// What takes it back.
    pub fn refund(stage: &'a Stage<'_>, from: Coin, fee: u64) -> Self {
        let lock_time = stage.lock.expiry.script_time().unwrap();
        Self { from, also: None, script: witness_script(stage), key: &stage.alice_key, items: vec![vec![]], lock_time, fee }
    }

    /// Signed but for `also`.
    pub fn signed(&self) -> Transaction {
        let held = self.from.value + self.also.map_or(0, |coin| coin.value);
        let mut tx = to_nobody(self.from.outpoint, held - self.fee);
        tx.lock_time = LockTime::from_consensus(self.lock_time);
        tx.input.extend(self.also.map(|coin| unsigned(coin.outpoint)));
        let (value, kind) = (Amount::from_sat(self.from.value), EcdsaSighashType::All);
        let hash = SighashCache::new(&tx).p2wsh_signature_hash(0, &self.script, value, kind).unwrap();
        let (secp, key) = (Secp256k1::new(), SecretKey::from_slice(self.key.expose()).unwrap());
        let signature = secp.sign_ecdsa_low_r(&Message::from_digest(hash.to_byte_array()), &key);
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: kind }.to_vec();
        let mut items = vec![signature, key.public_key(&secp).serialize().to_vec()];
        items.extend(self.items.clone());
        items.push(self.script.to_bytes());
        tx.input[0].witness = Witness::from_slice(&items);
        tx
    }
}

fn unsigned(previous_output: OutPoint) -> TxIn {
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::ENABLE_RBF_NO_LOCKTIME, witness: Witness::new() }
}

/// A transaction that takes a coin to nobody in particular.
pub fn to_nobody(from: OutPoint, value: u64) -> Transaction {
    let script_pubkey = ScriptBuf::from_hex(&format!("0014{}", "ab".repeat(20))).unwrap();
    let output = vec![TxOut { value: Amount::from_sat(value), script_pubkey }];
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![unsigned(from)], output }
}

/// The script that the stage's lock commits to.
pub fn witness_script(stage: &Stage<'_>) -> ScriptBuf {
    LockScript::of(&stage.lock).unwrap().witness_script().to_owned()
}

/// The stage's lock, once it is seen.
pub async fn locked_coin(bench: &UtxoBench, stage: &Stage<'_>) -> Coin {
    let (LockStatus::Funded { txid, .. } | LockStatus::Pending { txid, .. }) = stage.bobs_view().status else {
        panic!("{:?}", stage.bobs_view())
    };
    let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
    let raw = rows.iter().find(|(tx, _)| tx.txid == txid).map(|(tx, _)| hex_of(&tx.raw));
    coin_of(&deserialize_hex(&raw.unwrap()).unwrap(), &LockScript::of(&stage.lock).unwrap().output_script())
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The output of a transaction that pays a script.
pub fn coin_of(tx: &Transaction, script: &ScriptBuf) -> Coin {
    let (vout, output) = (0..).zip(&tx.output).find(|(_, output)| output.script_pubkey == *script).unwrap();
    Coin { outpoint: OutPoint::new(tx.compute_txid(), vout), value: output.value.to_sat() }
}

/// Coins of a wallet that are in a block, largest first.
pub async fn coins_of(wallet: &UtxoWallet) -> Vec<Coin> {
    let unspent: Vec<Value> = wallet.rpc.get("listunspent", json!([1])).await.unwrap();
    let mut coins: Vec<Coin> = unspent
        .iter()
        // A coin of Litecoin's extension has no place in a transaction.
        .filter(|coin| coin["txid"].is_string() && coin["vout"].is_u64())
        .map(|coin| Coin {
            outpoint: OutPoint::new(coin["txid"].as_str().unwrap().parse().unwrap(), coin["vout"].as_u64().unwrap() as u32),
            value: (coin["amount"].as_f64().unwrap() * 1e8).round() as u64,
        })
        .collect();
    coins.sort_by_key(|coin| (std::cmp::Reverse(coin.value), coin.outpoint));
    coins
}

/// Has a wallet sign what is its own in a transaction.
pub async fn sign(wallet: &UtxoWallet, tx: &Transaction) -> Transaction {
    let signed: Value = wallet.rpc.get("signrawtransactionwithwallet", json!([serialize_hex(tx)])).await.unwrap();
    let mut full: Transaction = deserialize_hex(signed["hex"].as_str().unwrap()).unwrap();
    // What others have signed stays as it was.
    for (input, before) in full.input.iter_mut().zip(&tx.input) {
        if !before.witness.is_empty() {
            input.witness = before.witness.clone();
        }
    }
    full
}

/// Gives a transaction to the node; its id, or the node's words.
pub async fn push(bench: &UtxoBench, tx: &Transaction) -> Result<TxId, String> {
    match bench.chain.rpc().get::<String>("sendrawtransaction", json!([serialize_hex(tx), 0])).await {
        Ok(txid) => Ok(txid.parse().unwrap()),
        Err(RpcError::Refused { message, .. }) => Err(message),
        Err(error) => panic!("{error}"),
    }
}
