//! What is left of channels when a database is lost, or an old copy of it is put back.
//!
//! - **From when on a database knows everything**: the block that was the newest when it first saw the chain. A channel that opened
//!   before may have a history that this database does not hold, so it is taken up as one that was forgotten. So is every channel
//!   of a copy that says of itself that it was put back.
//! - **The backup**: one file, sealed with a key of the seed, with the newest promises of both sides and their pending locks. It
//!   is written anew soon after every change, at a place of the owner's choice: best another disk. It proves what a counterparty
//!   might hide. What is taken up from it is forgotten too, as to signing: something may have been signed after it was written.

use super::engine::{Engine, Input};
use crate::clock;
use crate::store::{LiveRow, Store, StoreError};
use anyhow::Context;
use photon_chains::{BlockHeight, Ledger};
use photon_channel::{ChannelRef, Key, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How soon a change is in the backup. Whatever happened meanwhile is written at once.
const PACE: Duration = Duration::from_secs(1);

/// What a backup keeps, by ledger.
pub(super) type Kept = BTreeMap<Ledger, Vec<(Key, Row)>>;

/// How much a database may have forgotten.
pub(super) struct Memory {
    /// It is a copy that was put back.
    pub(super) is_copy: bool,
    pub(super) known_from: Option<BlockHeight>,
}

impl Memory {
    pub(super) async fn of(store: &Store, ledger: Ledger) -> anyhow::Result<Self> {
        let is_copy = store.is_put_back().await?;
        let known_from = store.meta(known_from(ledger)).await?.filter(|_| !is_copy);
        let known_from = known_from.map(|height| height.parse().map(BlockHeight::new)).transpose();
        Ok(Self { is_copy, known_from: known_from.context("a stored block height can't be read back")? })
    }
}

/// Where it is written.
const fn known_from(ledger: Ledger) -> &'static str {
    match ledger.chain() {
        Ledger::Smt | Ledger::SmtChannel => "channels_known_from/smt",
        Ledger::Bitcoin | Ledger::Litecoin | Ledger::Ethereum | Ledger::EthereumChannel => "channels_known_from/ethereum",
    }
}

/// Says of a database that it is as old as its seed: whatever the chain shows, it has forgotten nothing.
pub async fn is_first_of_its_seed(store: &Store, ledger: Ledger) -> Result<(), StoreError> {
    store.set_meta(known_from(ledger), "0".to_owned()).await
}

impl Engine {
    /// The chain is seen for the first time with this database: from its newest block on nothing is missing.
    pub(super) async fn knows_from(&mut self, latest: BlockHeight) -> anyhow::Result<()> {
        if self.known_from.is_none() {
            self.store.set_meta(known_from(self.ledger), latest.get().to_string()).await?;
            self.known_from = Some(latest);
        }
        Ok(())
    }
}

/// What the backup holds; nothing where there is none yet. One that can't be read is never written over.
pub(super) async fn read(store: &Store, path: &Path) -> anyhow::Result<Kept> {
    let mut kept = Kept::new();
    for (ledger, key, row) in store.kept_channels(path.to_owned()).await.context("the channels' backup")? {
        kept.entry(ledger).or_default().push((key, row));
    }
    Ok(kept)
}

/// What a backup holds, without channels that have ended since it was written: of such a one the database has the history, and
/// nothing live. Taken up once more, its payments would be told a second time.
pub(super) async fn not_ended(
    store: &Store,
    ledger: Ledger,
    kept: Vec<(Key, Row)>,
    live: &[LiveRow],
) -> Result<Vec<(Key, Row)>, StoreError> {
    let known: BTreeSet<ChannelRef> = live.iter().filter_map(|live| live.key.of()).collect();
    let unknown: BTreeSet<ChannelRef> = kept.iter().filter_map(|(key, _)| key.of()).filter(|of| !known.contains(of)).collect();
    if unknown.is_empty() {
        return Ok(kept);
    }
    let ended = store.with_history(ledger, unknown.into_iter().collect()).await?;
    Ok(kept.into_iter().filter(|(key, _)| key.of().is_none_or(|of| !ended.contains(&of))).collect())
}

/// Writes the backup.
pub(super) struct Keeper {
    path: PathBuf,
    store: Store,
    engines: BTreeMap<Ledger, mpsc::Sender<Input>>,
    /// What each engine was at when it was last asked.
    seen: BTreeMap<Ledger, u64>,
    kept: Kept,
    is_written: bool,
}

impl Keeper {
    pub(super) fn new(path: PathBuf, store: Store, engines: BTreeMap<Ledger, mpsc::Sender<Input>>, kept: Kept) -> Self {
        Self { path, store, engines, seen: BTreeMap::new(), kept, is_written: false }
    }

    /// Until an engine has ended. A file that can't be written is said, and tried again.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let asked = clock::now();
            if self.ask().await.is_none() {
                return Ok(());
            }
            if !self.is_written {
                match self.store.keep_channels(self.path.clone(), self.kept.clone()).await {
                    Ok(()) => self.is_written = true,
                    Err(error) => tracing::error!(%error, "the channels' backup is not written: what it holds is getting old"),
                }
            }
            if self.is_written {
                metrics::gauge!("photon_channels_backup_timestamp_seconds").set(asked.secs() as f64);
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Asks each engine for its channels, if they have changed. What it answers is durable.
    async fn ask(&mut self) -> Option<()> {
        for (ledger, engine) in &self.engines {
            let (answer, answered) = oneshot::channel();
            let seen = self.seen.get(ledger).copied();
            let look = move |engine: &Engine| {
                let memory = (seen != Some(engine.revision)).then(|| engine.node.memory());
                // Who asked may be gone.
                let _ = answer.send((engine.revision, memory));
            };
            engine.send(Input::Look(Box::new(look))).await.ok()?;
            if let (revision, Some(memory)) = answered.await.ok()? {
                self.seen.insert(*ledger, revision);
                self.kept.insert(*ledger, memory);
                self.is_written = false;
            }
        }
        Some(())
    }
}
