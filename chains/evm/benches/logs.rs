//! What reading events costs, and making a redeem's call.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy::primitives::keccak256;
use criterion::{Criterion, criterion_group, criterion_main};
use photon_chains::*;
use photon_evm::bare::{answers, logs, redeem_call};
use serde_json::{Value, json};
use std::hint::black_box;

const LOGS: usize = 1_000;

/// Funding events as a node answers them, all for different locks.
fn lockups() -> Vec<u8> {
    let topic = keccak256("Lockup(bytes32,uint256,address,address,uint256)");
    let log = |number: usize| {
        json!({
            "address": format!("0x{}", "cc".repeat(20)),
            "topics": [topic.to_string(), format!("0x{number:064x}"), format!("0x{:064x}", 7)],
            "data": format!("0x{:064x}{:064x}{:064x}", 1_000, 9, 1_800_000_000),
            "blockNumber": "0x10", "blockHash": format!("0x{}", "ab".repeat(32)),
            "transactionHash": format!("0x{}", "cd".repeat(32)), "logIndex": format!("0x{number:x}"), "removed": false,
        })
    };
    serde_json::to_vec(&(0..LOGS).map(log).collect::<Vec<Value>>()).unwrap()
}

fn reading(c: &mut Criterion) {
    let json = lockups();
    assert_eq!(logs(&json, 1), LOGS);
    c.bench_function(&format!("read {LOGS} funding events from JSON"), |b| b.iter(|| logs(black_box(&json), 1)));
    let header = json!({ "jsonrpc": "2.0", "id": 1, "result": {
        "number": "0x10", "hash": format!("0x{}", "ab".repeat(32)), "parentHash": format!("0x{}", "aa".repeat(32)),
        "timestamp": "0x6b49d200", "baseFeePerGas": "0x7",
    }});
    let header = serde_json::to_vec(&header).unwrap();
    c.bench_function("read a header's answer, every way", |b| b.iter(|| answers(black_box(&header))));
}

fn calls(c: &mut Criterion) {
    let secret = Secret::from_bytes([7; 32]);
    let account = |byte: u8| Party::Account(Address::from_bytes([byte; 20]));
    let opens = UnixTime::from_secs(1_800_000_000);
    let lock = Lock {
        asset: Asset::Native(Ledger::Ethereum),
        amount: Amount::from_units(1_000),
        redeemer: account(1),
        refundee: account(2),
        secret_hash: secret.hash(),
        expiry: Expiry { closes: Some(opens), ..Expiry::at(opens) },
        template: Template::Htlc { contract: Address::from_bytes([0xcc; 20]), code_hash: Hash32::from_bytes([1; 32]) },
    };
    assert!(redeem_call(&lock, 1, &secret).is_some());
    c.bench_function("slot and redeem call of a lock", |b| b.iter(|| redeem_call(black_box(&lock), 1, &secret)));
}

criterion_group!(benches, reading, calls);
criterion_main!(benches);
