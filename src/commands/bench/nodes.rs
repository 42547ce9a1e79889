//! Simulated nodes: as much JSON-RPC as the adapters of a chain ask for, over HTTP, every question counted.

use super::chain::FIRST_BLOCK;
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::{Json, Router, routing};
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{
    BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness, consensus,
};
use photon_chains::{Address, Lock, Party};
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers questions.
pub trait Answers: Send + Sync + 'static {
    /// The result of a method.
    fn answer(&self, method: &str, params: &Value) -> Value;
}

/// A node that counts what it is asked.
pub struct Node<A> {
    pub chain: A,
    calls: AtomicU64,
}

impl<A: Answers> Node<A> {
    /// Serves it on this machine. Returns where.
    pub async fn serve(chain: A) -> anyhow::Result<(Arc<Self>, String)> {
        let node = Arc::new(Self { chain, calls: AtomicU64::new(0) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(routing::post(asked::<A>)).with_state(node.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok((node, url))
    }

    /// Questions so far; each one of a batch counts.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn one(&self, call: &Value) -> Value {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = self.chain.answer(call["method"].as_str().unwrap_or_default(), &call["params"]);
        json!({ "jsonrpc": "2.0", "id": call["id"], "result": result })
    }
}

async fn asked<A: Answers>(State(node): State<Arc<Node<A>>>, body: Bytes) -> Json<Value> {
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    Json(match question.as_array() {
        Some(batch) => batch.iter().map(|call| node.one(call)).collect(),
        None => node.one(&question),
    })
}

/// As much of bitcoind as is asked for: blocks one after the other, an empty mempool.
#[derive(Default)]
pub struct Script(Mutex<Vec<(BlockHash, String)>>);

impl Script {
    /// A new block that pays these.
    pub fn mine(&self, outputs: Vec<TxOut>) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let height = FIRST_BLOCK.get() + blocks.len() as u64;
        let nothing = TxOut { value: bitcoin::Amount::ZERO, script_pubkey: ScriptBuf::new() };
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(height.to_le_bytes().to_vec()),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let tx = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![input],
            output: outputs.into_iter().chain([nothing]).collect(),
        };
        let header = Header {
            version: Version::TWO,
            prev_blockhash: blocks.last().map_or(BlockHash::all_zeros(), |(hash, _)| *hash),
            merkle_root: TxMerkleNode::from_byte_array(tx.compute_txid().to_byte_array()),
            time: 1_800_000_000,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let block = bitcoin::Block { header, txdata: vec![tx] };
        blocks.push((header.block_hash(), consensus::encode::serialize_hex(&block)));
    }
}

impl Answers for Script {
    fn answer(&self, method: &str, params: &Value) -> Value {
        let blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = FIRST_BLOCK.get();
        let tip = first + blocks.len() as u64 - 1;
        let of_hash = || params[0].as_str().and_then(|hash| blocks.iter().find(|(known, _)| known.to_string() == hash));
        match method {
            "getblockchaininfo" => json!({ "chain": "regtest" }),
            "getwalletinfo" => json!({ "private_keys_enabled": true }),
            "getbestblockhash" => json!(blocks.last().map(|(hash, _)| hash)),
            "getblockheader" => json!({ "hash": params[0], "height": tip, "time": 1_800_000_000, "mediantime": 1_800_000_000 }),
            "getblockhash" if params[0] == 0 => {
                let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
                json!(genesis.block_hash())
            }
            "getblockhash" => {
                let index = params[0].as_u64().and_then(|height| usize::try_from(height.checked_sub(first)?).ok());
                json!(index.and_then(|index| blocks.get(index)).map(|(hash, _)| hash))
            }
            "getblock" => json!(of_hash().map(|(_, block)| block)),
            "getrawmempool" => json!([]),
            _ => Value::Null,
        }
    }
}

/// As much of an EVM node as is asked for: blocks without transactions, our contracts, locks that stand in them.
pub struct Contracts {
    tip: AtomicU64,
    code: HashMap<Address, Vec<u8>>,
    /// One Lockup event for each lock, in the first block.
    lockups: Vec<Value>,
    chain_id: u64,
}

impl Contracts {
    /// A chain on which that code and those locks stand.
    pub fn new(chain_id: u64, code: HashMap<Address, Vec<u8>>, locks: &[Lock]) -> anyhow::Result<Self> {
        let lockups = locks.iter().enumerate().map(|(index, lock)| lockup(index as u64, lock)).collect::<anyhow::Result<_>>()?;
        Ok(Self { tip: AtomicU64::new(200), code, lockups, chain_id })
    }

    /// A new block.
    pub fn mine(&self) {
        self.tip.fetch_add(1, Ordering::Relaxed);
    }

    fn header(number: u64) -> Value {
        json!({
            "number": quantity(number), "hash": word(number), "parentHash": word(number.wrapping_sub(1)),
            "timestamp": quantity(1_800_000_000 + number), "baseFeePerGas": "0x1", "transactions": [],
        })
    }

    fn code_at(&self, place: &Value) -> String {
        let place = place.as_str().and_then(|text| text.parse::<Address>().ok());
        format!("0x{}", hex::encode(place.and_then(|place| self.code.get(&place)).map_or(&[][..], Vec::as_slice)))
    }

    /// What a view function returns: the key of a lock from its terms, or that its slot is taken.
    fn view(&self, call: &Value) -> Option<String> {
        let data = hex::decode(call["data"].as_str()?.strip_prefix("0x")?).ok()?;
        let words: Vec<&[u8]> = data.get(4..)?.chunks(32).collect();
        let to: Address = call["to"].as_str()?.parse().ok()?;
        let domain = [&[0; 12][..], to.as_bytes(), &[0; 24], &self.chain_id.to_be_bytes()].concat();
        let in_key = match words.as_slice() {
            [hash, amount, redeemer, refundee, time] => [*hash, amount, redeemer, time, refundee].concat(),
            [hash, amount, token, redeemer, refundee, time] => [*hash, amount, token, redeemer, time, refundee].concat(),
            _ => return Some(format!("0x{:064x}", 1)),
        };
        Some(format!("0x{}", hex::encode(Keccak256::digest([in_key, domain].concat()))))
    }
}

fn lockup(index: u64, lock: &Lock) -> anyhow::Result<Value> {
    let (Party::Account(redeemer), Party::Account(refundee)) = (lock.redeemer, lock.refundee) else {
        anyhow::bail!("a lock without accounts")
    };
    let photon_chains::Template::Htlc { contract, .. } = lock.template else { anyhow::bail!("a lock without a contract") };
    let padded = |address: Address| [&[0; 12][..], address.as_bytes()].concat();
    let amount = [&[0; 16][..], &lock.amount.units().to_be_bytes()].concat();
    let expiry = lock.expiry.word().context("no such expiry")?;
    let topic = Keccak256::digest("Lockup(bytes32,uint256,address,address,uint256)");
    let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
    Ok(json!({
        "address": contract, "topics": [hex(&topic), hex(lock.secret_hash.as_bytes()), hex(&padded(refundee))],
        "data": hex(&[amount, padded(redeemer), expiry.to_vec()].concat()),
        "blockNumber": quantity(1), "blockHash": word(1), "transactionHash": word(1_000_000 + index), "logIndex": quantity(index),
    }))
}

fn quantity(number: u64) -> String {
    format!("0x{number:x}")
}

fn word(number: u64) -> String {
    format!("0x{number:064x}")
}

impl Answers for Contracts {
    fn answer(&self, method: &str, params: &Value) -> Value {
        let tip = self.tip.load(Ordering::Relaxed);
        let number = |tag: &Value| {
            let text = tag.as_str().unwrap_or("latest");
            text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(tip)
        };
        match method {
            "eth_chainId" => json!(quantity(self.chain_id)),
            "eth_getBlockByNumber" => Self::header(number(&params[0])),
            "eth_getBlockByHash" => json!({ "transactions": [] }),
            "eth_getCode" => json!(self.code_at(&params[0])),
            "eth_call" => json!(self.view(&params[0])),
            "eth_getLogs" if number(&params[0]["fromBlock"]) <= 1 => json!(self.lockups),
            "eth_getLogs" => json!([]),
            "eth_getTransactionCount" => json!("0x0"),
            _ => Value::Null,
        }
    }
}
