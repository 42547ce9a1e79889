//! What the store promises, tried out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod channel_log;
mod channel_rows;
mod crash;
mod disk;
mod every_write;
mod opening;
mod others;
mod poison;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod power;
mod recovery;
mod requests_and_fees;
mod secrets;
mod shape;
mod steps;
mod transactions;

use super::*;
use photon_chains::{Address, BlockHeight, SecretHash, UnixTime};
use photon_swap::{Role, Salt, SwapId};

const KEY: [u8; 32] = [7; 32];

/// A store in a folder of its own.
struct World {
    folder: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
        Self { folder, store }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("photon.db")
    }

    /// Closes the store and opens it again.
    async fn reopened(self) -> Self {
        self.store.close().await.unwrap();
        let store = Store::open(&self.path(), KEY).unwrap();
        Self { folder: self.folder, store }
    }

    async fn add_swap(&self, number: u32) -> SwapId {
        add_swap(&self.store, number).await
    }
}

/// 32 bytes that no other number has.
fn bytes(number: u32) -> [u8; 32] {
    let mut bytes = [0xa5; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn swap_id(number: u32) -> SwapId {
    SwapId::from_bytes(bytes(number))
}

fn new_swap(number: u32) -> NewSwap {
    NewSwap {
        id: swap_id(number),
        role: Role::Participant,
        peer: Address::from_bytes([9; 20]),
        peer_endpoint: "127.0.0.1:9000".to_owned(),
        terms: format!(r#"{{"number":{number}}}"#),
        own_signature: vec![1; 65],
        peer_signature: None,
        salt: Salt::from_bytes([3; 16]),
        alpha_since: BlockHeight::new(100),
        beta_since: BlockHeight::new(200),
        offer: None,
    }
}

async fn add_swap(store: &Store, number: u32) -> SwapId {
    let reserved = store.reserve_hash(SecretHash::from_bytes(bytes(number))).await.unwrap();
    store.insert_swap(reserved, new_swap(number)).await.unwrap();
    swap_id(number)
}

fn fact(kind: &str, body: &str) -> FactRow {
    FactRow { kind: kind.to_owned(), body: body.to_owned(), is_secret: false }
}

fn effect(key: &str) -> EffectRow {
    EffectRow { key: key.to_owned(), body: "{}".to_owned() }
}

fn facts_step(facts: Vec<FactRow>) -> StepRows {
    StepRows { facts, ..StepRows::default() }
}

fn ending(outcome: &str) -> StepRows {
    StepRows { end: Some(outcome.to_owned()), ..StepRows::default() }
}

fn event(kind: &str) -> NewEvent {
    NewEvent { kind: kind.to_owned(), swap: None, body: "{}".to_owned() }
}
