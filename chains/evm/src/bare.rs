//! The pure parts, bare, for benches and fuzzing: what reads a stranger's bytes. Not for programs.

use crate::abi;
use crate::slot::{Kind, Slot};
use crate::wallet::Draft;
use crate::wire::{Body, Data, Header, Log, Receipt, Tx, clean, each_that_parses};
use photon_chains::Lock;
use serde::Deserialize;

const KINDS: [Option<Kind>; 3] = [Some(Kind::Native), Some(Kind::Token), None];

#[derive(Deserialize)]
struct Each<T: serde::de::DeserializeOwned>(#[serde(deserialize_with = "each_that_parses")] Vec<T>);

/// Reads `eth_getLogs`' answer and every event in it; says how many were ours.
pub fn logs(json: &[u8], chain_id: u64) -> usize {
    let Ok(logs) = serde_json::from_slice::<Each<Log>>(json) else { return 0 };
    let ours = |log: &Log| KINDS.into_iter().filter(|kind| abi::read_log(log, *kind, chain_id).is_some()).count();
    logs.0.iter().map(ours).sum()
}

/// Reads a transaction's JSON, what it asks of our contracts, and what could be a secret in it.
pub fn call(json: &[u8], chain_id: u64) -> usize {
    let Ok(tx) = serde_json::from_slice::<Tx>(json) else { return 0 };
    let calls = [Kind::Native, Kind::Token].into_iter().filter(|kind| abi::read_call(&tx, *kind, chain_id).is_some()).count();
    calls + calldata(&tx.input.0)
}

/// Reads calldata as everything that it could be.
pub fn calldata(input: &[u8]) -> usize {
    let read = [
        abi::read_approve(input).is_some(),
        abi::read_token_lock(input).is_some(),
        abi::read_deposit(input).is_some(),
        abi::read_transfer(input).is_some(),
    ];
    let words = abi::words(input, true).count() + abi::words(input, false).count();
    read.into_iter().filter(|it| *it).count() + words
}

/// Reads what a contract returned as everything that it could be, and shows it as a reason.
pub fn returned(output: &[u8]) -> String {
    let _ = (abi::read_entry(output), abi::word(output), abi::token_said_yes(output));
    crate::trial::reason(output)
}

/// Reads a transaction of ours from the journal.
pub fn raw_transaction(raw: &[u8]) -> bool {
    Draft::read(raw).is_some()
}

/// Reads an answer of a node as every kind of answer that we ever read; says how many it is.
pub fn answers(bytes: &[u8]) -> usize {
    let is = |read: bool| usize::from(read);
    let Some(Ok(value)) = crate::rpc::answered(bytes) else { return 0 };
    is(Header::deserialize(&value).is_ok())
        + is(Body::deserialize(&value).is_ok())
        + is(Receipt::deserialize(&value).is_ok())
        + is(Tx::deserialize(&value).is_ok())
        + is(Each::<Log>::deserialize(&value).is_ok())
        + is(Data::deserialize(&value).is_ok())
        + is(clean(&value.to_string()).chars().count() <= 160)
}

/// The slot of a lock, and the call that redeems it.
pub fn redeem_call(lock: &Lock, chain_id: u64, secret: &photon_chains::Secret) -> Option<Vec<u8>> {
    Slot::of(lock, lock.asset.ledger(), chain_id).ok().map(|slot| slot.redeem_call(secret))
}
