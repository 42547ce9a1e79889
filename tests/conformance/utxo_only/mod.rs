//! What only Bitcoin and Litecoin have.

mod bids;
mod clocks;
mod crowds;
mod liars;
mod mallory;
mod nodes;
mod rivals;

use crate::bench::{ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::{UtxoBench, bitcoin, litecoin};
use photon_chains::{Port, PortError, Progress, TxId};
use photon_regtest::world::UtxoChain;
use photon_utxo::{UtxoAdapter, UtxoConfig};
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn both() -> Vec<UtxoBench> {
    [bitcoin().await, litecoin().await].into_iter().flatten().collect()
}

pub async fn decoded(chain: &UtxoChain, txid: TxId) -> Value {
    chain.call("getrawtransaction", json!([txid, true])).await.unwrap()
}

/// Its virtual size with signatures of the usual length. One in 128 is a byte shorter by chance, as numbers are written
/// without their leading zeros: that is not what a size is compared for.
pub async fn vsize(chain: &UtxoChain, txid: TxId) -> u64 {
    let tx = decoded(chain, txid).await;
    let missing: u64 = tx["vin"].as_array().unwrap().iter().map(missing_in_signature).sum();
    (tx["weight"].as_u64().unwrap() + missing).div_ceil(4)
}

/// DER of two numbers of 32 bytes, of which neither has its highest bit set (our wallets and nodes sign so), and the hash type.
const USUAL_SIGNATURE: u64 = 71;

fn missing_in_signature(input: &serde_json::Value) -> u64 {
    let first = input["txinwitness"][0].as_str().unwrap_or_default();
    let length = first.len() as u64 / 2;
    // Two bytes less is already one in thousands: what is shorter still is no signature.
    if (USUAL_SIGNATURE - 4..USUAL_SIGNATURE).contains(&length) { USUAL_SIGNATURE - length } else { 0 }
}

pub async fn pool(chain: &UtxoChain) -> Vec<String> {
    chain.rpc().get("getrawmempool", json!([])).await.unwrap()
}

pub fn sent(progress: Result<Progress, PortError>) -> TxId {
    match progress {
        Ok(Progress::Sent { txid }) => txid,
        other => panic!("{other:?}"),
    }
}

/// The address of a script that is in no wallet of the node.
pub async fn address_of(chain: &UtxoChain, script: &str) -> String {
    let decoded = chain.call("decodescript", json!([script])).await.unwrap();
    let address = decoded.get("address").or(decoded.pointer("/addresses/0")).unwrap();
    address.as_str().unwrap().to_owned()
}

/// The stage's people, paying out to that address instead of to their wallets.
pub async fn paying_to(bench: &UtxoBench, stage: &Stage<'_>, who: Who, to: String) -> Arc<dyn Port> {
    let config = UtxoConfig { payout_address: Some(to), ..bench.config(who) };
    let port = UtxoAdapter::connect(config, bench.journal(who)).await.unwrap();
    port.watch(&stage.lock, stage.since);
    port.poll().await.unwrap();
    Arc::new(port)
}
