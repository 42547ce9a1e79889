//! What the bench and its nodes say to each other: a line of JSON each way. No payment is ever named in one.

use photon_chains::{Address, PublicKey};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Who a node is, as it says first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Name {
    /// Its account.
    pub account: Address,
    /// Its key.
    pub key: PublicKey,
    /// Where it listens.
    pub at: SocketAddr,
    /// Seconds in which it was up, with all that it has ever done.
    pub start_secs: f64,
}

/// What a node is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Learn where somebody is.
    Meet(Address, SocketAddr),
    /// Have channels with it, so many.
    Open(Address, u16),
    /// Wait until so many channels are ready.
    Ready(usize),
    /// Pay, again and again.
    Pay(Paying),
    /// What was it all for?
    Books(u64),
    /// What has it cost so far?
    Costs,
}

/// Payments to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paying {
    /// Whom.
    pub payee: Name,
    /// Through whom.
    pub through: Option<Address>,
    /// Over so many channels, in turn. Of one the engine chooses it.
    pub channels: u16,
    /// How many.
    pub count: u64,
    /// How many of them at one time.
    pub in_flight: usize,
}

/// Payments that were made, as they were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// All their ids, as numbers, added up: the same for the same payments in any order.
    pub ids: u128,
    /// How much in all.
    pub amount: u128,
    /// For mediators besides.
    pub fees: u128,
}

/// What came of [`Ask::Pay`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paid {
    /// All of them.
    pub sum: Sum,
    /// From the first order to the last answer.
    pub secs: f64,
    /// From its order to its answer: half of the payments took less, ...
    pub p50_ms: f64,
    /// ... and 99 of 100.
    pub p99_ms: f64,
}

/// What is in a node's books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// Rows of payments made since then.
    pub made: Sum,
    /// Rows of payments that came in since then.
    pub received: Sum,
    /// No payment has two rows.
    pub is_single: bool,
    /// The newest row.
    pub last: u64,
    /// What the node has in all its channels.
    pub own: i128,
    /// Pending locks, either way.
    pub pending: usize,
    /// Payments that have not ended.
    pub running: usize,
}

/// What a node has cost so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Costs {
    /// Seconds of CPU.
    pub cpu_secs: f64,
    /// Synced transactions of its database.
    pub syncs: u64,
    /// Bytes handed to the disk.
    pub disk_bytes: u64,
    /// MiB of memory now.
    pub rss_mb: f64,
    /// The most there was.
    pub peak_rss_mb: f64,
    /// Bytes of its database, log included.
    pub database_bytes: u64,
}

impl Costs {
    /// What came to it since then.
    pub fn since(&self, before: &Costs) -> Costs {
        Costs {
            cpu_secs: self.cpu_secs - before.cpu_secs,
            syncs: self.syncs - before.syncs,
            disk_bytes: self.disk_bytes.saturating_sub(before.disk_bytes),
            database_bytes: self.database_bytes.saturating_sub(before.database_bytes),
            ..*self
        }
    }
}

/// What a node answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done,
    Paid(Paid),
    Books(Books),
    Costs(Costs),
}
