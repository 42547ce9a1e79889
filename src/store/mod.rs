//! What must survive a crash: swaps with their facts and outbox, the journal of signed transactions, offers, payments,
//! peers, events.
//!
//! **Save, then act.** A call that writes returns once what it wrote is synced to disk; only then may anybody act on it.
//! SQLite in WAL mode with `synchronous = FULL` (NORMAL may lose the last commits when the power fails). One thread writes:
//! it takes whatever has queued, commits it in *one* transaction with one sync, and answers all of it, so that a thousand
//! swaps at once cost little more than one.
//!
//! ```mermaid
//! flowchart LR
//!   calls[async calls] -->|queue| writer[writer thread: one transaction, one sync]
//!   writer -->|answers| calls
//!   writer --> file[(photon.db, WAL)]
//!   readers[a few read connections] --> file
//!   checkpointer[checkpointer: at most once a second] --> file
//! ```
//!
//! **A failed write, commit or sync poisons the store.** What is on disk is then unknown, so every later call fails and
//! [`Store::failed`] resolves: the process must end, and nothing is sent on top of it. A *refusal* ([`StoreError::HashUsed`] and
//! its like) is not a failure: it undoes its own call and no other call of the batch.
//!
//! **A swap stands in two files.** Before its row is committed, all that the seed needs to free its money is synced into a
//! second file (`photon.db.recovery`): a database that is lost, or an old copy of it, loses no swap ([`Store::lost_swaps`]).
//!
//! **The power may fail, too**, which loses, tears and reorders what was not synced. So a start syncs what it finds before it
//! reads it: a process that was killed may have left it in the system's memory alone. `tests/power` writes down all that the
//! store asks of the disk and rebuilds what may be there after a cut at any place: the store opens it and misses nothing that
//! was answered, and a node's channels go on from it.
//!
//! Rows that hold a secret (facts so marked, the bytes of signed transactions) are sealed with a key derived from the seed.
//! Rejected: a snapshot of the whole state per step (grows with everything that ever happened), a stored phase (it is
//! computed from facts), one transaction per call (one sync each), and `INSERT OR IGNORE` (it would hide broken rules).

mod answers;
mod backup;
#[cfg(feature = "bare")]
pub mod bare;
mod channel_log;
mod channel_steps;
mod channels;
mod checkpoint;
mod connect;
mod error;
mod events;
mod facts;
mod fallbacks;
mod fees;
mod inspect;
mod journal;
mod kept;
mod meta;
mod offers;
mod peers;
mod points;
mod reader;
mod recovery;
mod requests;
mod rows;
mod schema;
mod scores;
mod seal;
mod sends;
mod swaps;
#[cfg(test)]
mod tests;
mod webhooks;
mod writer;

pub use backup::{Backup, back_up};
pub use channels::{ChannelStep, EndedPayment, LiveChannels, LiveRow, NewEnded};
pub use error::StoreError;
pub use events::{EventPage, NewEvent, StoredEvent};
pub use facts::{EffectRow, FactRow, StepRows, StepWritten, StoredEffect, StoredFact, SwapRecord};
pub use fees::EarnedRow;
pub use inspect::{Inspection, inspect};
pub use journal::{TxEnd, TxRow};
pub use offers::{NewOffer, OfferRow, OfferState};
pub use peers::PeerRow;
pub use recovery::LostSwap;
pub use requests::{RequestRow, RequestState};
pub use scores::Score;
pub(crate) use seal::Seals;
pub use sends::{NewSend, SendRow, SendState};
pub use swaps::{Ending, FromOffer, NewSwap, Page, ReservedHash, SwapFilter, SwapRow};
pub use webhooks::{MOST_WEBHOOKS, NewWebhook, WebhookRow};

use crate::clock::now;
use checkpoint::Checkpointer;
use connect::ProcessLock;
use reader::{Read, Readers};
use recovery::RecoveryFile;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Health, Job, Write, Writer};

/// The store. Clones are handles to the same one; it closes when the last is gone, or by [`Store::close`].
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    readers: Arc<Readers>,
    seals: Arc<Seals>,
    health: Arc<Health>,
    ended: watch::Receiver<bool>,
}

/// A write that was queued. It is done even if this is dropped.
pub struct Queued<T> {
    answer: oneshot::Receiver<Result<T, StoreError>>,
    health: Arc<Health>,
}

impl<T> Queued<T> {
    /// Returns once it is durable or refused; to be asked no more after that. Dropped before, it may be asked again.
    pub async fn durable(&mut self) -> Result<T, StoreError> {
        let gone = |_| Err(self.health.failure().unwrap_or(StoreError::Closed));
        (&mut self.answer).await.unwrap_or_else(gone)
    }
}

/// How much the store has done: `writes / commits` is how many shared a sync.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions committed.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
    /// Writes waiting now.
    pub queued: usize,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, or makes it: for this process alone, readable by its owner alone, checked page by page, brought to
    /// the newest schema. It blocks (call it before the runtime has work to do). `storage_key` is derived from the seed; a
    /// database made with another is refused.
    pub fn open(path: &Path, storage_key: [u8; 32]) -> Result<Store, StoreError> {
        let storage_key = zeroize::Zeroizing::new(storage_key);
        let lock = connect::lock_for_this_process(path)?;
        let seals = Arc::new(Seals::new(&storage_key)?);
        let conn = connect::open_checked(path, &seals)?;
        Self::start_on(path, lock, seals, conn)
    }

    /// The rest of opening it, with the connection that will write.
    fn start_on(path: &Path, lock: ProcessLock, seals: Arc<Seals>, conn: rusqlite::Connection) -> Result<Store, StoreError> {
        let newest_event = events::newest(&conn)?;
        events::forget_old(&conn, newest_event)?;
        let health = Arc::new(Health::new(newest_event));
        let readers = Arc::new(Readers::open(path)?);
        let recovery = RecoveryFile::open(path, &conn)?;
        let (committed, wakes) = std::sync::mpsc::sync_channel(1);
        let (lives, writer) = std::sync::mpsc::channel();
        let conn_beside = connect::connect(path)?;
        let checkpointer = Checkpointer { conn: conn_beside, health: Arc::clone(&health), committed: wakes, writer };
        let (queue, jobs) = mpsc::channel(writer::QUEUE_CAP);
        let writer = Writer {
            conn,
            recovery,
            seals: Arc::clone(&seals),
            health: Arc::clone(&health),
            queue: jobs,
            tail: channel_log::Tail::default(),
            committed,
            _lives: lives,
        };
        let ended = start(path, lock, writer, checkpointer)?;
        Ok(Store(Arc::new(Inner { path: path.to_owned(), queue: Mutex::new(Some(queue)), readers, seals, health, ended })))
    }

    /// Finishes what is queued, empties the write-ahead log into the file, and frees it for another process. Every later
    /// call on any handle answers [`StoreError::Closed`]. An error if the store had failed.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.readers.close();
        let mut ended = self.0.ended.clone();
        // An error means that the threads are gone, which is what we wait for.
        let _ = ended.wait_for(|ended| *ended).await;
        self.0.health.failure().map_or(Ok(()), Err)
    }

    /// Resolves when the store has failed, with the reason; never, if it does not. The process must end then.
    pub async fn failed(&self) -> StoreError {
        let mut failure = self.0.health.watch_failure();
        let reason = match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        reason.unwrap_or(StoreError::Closed)
    }

    /// The failure, if there was one.
    pub fn failure(&self) -> Option<StoreError> {
        self.0.health.failure()
    }

    /// For metrics.
    pub fn stats(&self) -> StoreStats {
        let (commits, writes) = self.0.health.counts();
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        StoreStats { commits, writes, queued }
    }

    /// Queues a write and waits until it is durable or refused. Once queued it is done even if the caller goes away.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(work).await?.durable().await
    }

    /// Queues a write. Writes are done in the order in which they were queued.
    async fn queue<T, F>(&self, work: F) -> Result<Queued<T>, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (job, answer) = writer::job(work);
        let is_queued = match queue {
            Some(queue) => queue.send(job).await.is_ok(),
            None => false,
        };
        let health = Arc::clone(&self.0.health);
        if is_queued { Ok(Queued { answer, health }) } else { Err(health.failure().unwrap_or(StoreError::Closed)) }
    }

    /// Runs a read on a thread that may block.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Read<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        if let Some(failure) = self.0.health.failure() {
            return Err(failure);
        }
        let permit = self.0.readers.permit().await?;
        let (readers, seals) = (Arc::clone(&self.0.readers), Arc::clone(&self.0.seals));
        let done = tokio::task::spawn_blocking(move || readers.run(permit, &seals, work)).await;
        let result = done.unwrap_or(Err(StoreError::Closed));
        if let Err(error) = &result
            && error.is_fatal()
            && *error != StoreError::Closed
        {
            // A file that can't be read, or does not say what was written, is no ground to act on.
            self.0.health.fail(error.clone());
        }
        result
    }
}

/// Starts the two threads; the lock on the file is freed after both have ended.
fn start(
    path: &Path,
    lock: ProcessLock,
    writer: Writer,
    checkpointer: Checkpointer,
) -> Result<watch::Receiver<bool>, StoreError> {
    let (end, ended) = watch::channel(false);
    let no_thread = |error: std::io::Error| connect::unopenable(path, &error);
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let checkpoints = thread("store-checkpoint").spawn(move || checkpointer.run()).map_err(no_thread)?;
    thread("store-writer")
        .spawn(move || {
            writer.run();
            // Its panic, if any, was no write of ours.
            let _ = checkpoints.join();
            drop(lock);
            end.send_replace(true);
        })
        .map_err(no_thread)?;
    Ok(ended)
}
