//! What only Bitcoin and Litecoin have.

mod bids;
mod nodes;

use crate::bench::{Bench, Who};
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

pub async fn vsize(chain: &UtxoChain, txid: TxId) -> u64 {
    decoded(chain, txid).await["vsize"].as_u64().unwrap()
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
