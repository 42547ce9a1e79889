//! The one thread that writes: it takes whatever has queued, commits it in one transaction with one sync, and answers.

use super::StoreError;
use super::channel_log::Tail;
use super::points;
use super::recovery::RecoveryFile;
use super::seal::Seals;
use photon_chains::UnixTime;
use rusqlite::{Connection, TransactionBehavior};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// Writes that may share one sync. More would make the first wait too long for the last.
const BATCH_CAP: usize = 512;
/// Writes that may wait; who comes after them waits in line for a place.
pub(super) const QUEUE_CAP: usize = 4096;

/// What a write sees: the open transaction, and what goes with it.
pub(super) struct Write<'a> {
    pub(super) conn: &'a Connection,
    pub(super) seals: &'a Seals,
    pub(super) now: UnixTime,
    /// The newest event appended, to wake listeners once it is durable.
    pub(super) newest_event: Option<u64>,
    /// Lines for the recovery file, written before the commit.
    pub(super) recovery: Vec<u8>,
    /// The log of the channels, as far as it is in memory.
    pub(super) tail: &'a mut Tail,
}

/// What all handles share with the writer.
pub(super) struct Health {
    failure: watch::Sender<Option<StoreError>>,
    newest_event: watch::Sender<u64>,
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Health {
    pub(super) fn new(newest_event: u64) -> Self {
        Self {
            failure: watch::Sender::new(None),
            newest_event: watch::Sender::new(newest_event),
            commits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        }
    }

    /// The first failure stays: what follows it is only its echo.
    pub(super) fn fail(&self, error: StoreError) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            if is_first {
                tracing::error!(%error, "the store has failed");
                *failure = Some(error);
            }
            is_first
        });
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.borrow().clone()
    }

    pub(super) fn watch_failure(&self) -> watch::Receiver<Option<StoreError>> {
        self.failure.subscribe()
    }

    pub(super) fn watch_events(&self) -> watch::Receiver<u64> {
        self.newest_event.subscribe()
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (self.commits.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

/// One queued write, and where its answer goes.
pub(super) trait Job: Send {
    /// Writes, without committing. False if it is refused, so that what it wrote must be undone; `Err` only if the whole batch must
    /// fail.
    fn run(&mut self, conn: &Connection, around: &mut Around<'_>) -> Result<bool, StoreError>;
    /// Says how it ended, once everything it wrote is durable, or is not.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What the batch lends each of its jobs.
pub(super) struct Around<'a> {
    seals: &'a Seals,
    now: UnixTime,
    newest_event: Option<u64>,
    recovery: Vec<u8>,
    tail: &'a mut Tail,
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// Packs a write: `work` runs on the writer's thread, and a refusal undoes it alone.
pub(super) fn job<T, F>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Task { work: Some(work), result: None, reply }), answer)
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, conn: &Connection, around: &mut Around<'_>) -> Result<bool, StoreError> {
        let Some(work) = self.work.take() else { return Ok(true) };
        let Around { seals, now, newest_event, .. } = *around;
        let mut write = Write { conn, seals, now, newest_event, recovery: Vec::new(), tail: around.tail };
        let result = work(&mut write);
        let Write { newest_event, recovery, .. } = write;
        match &result {
            Ok(_) => {
                points::written::<F>();
                around.newest_event = newest_event;
                around.recovery.extend(recovery);
            }
            Err(error) if error.is_fatal() => return Err(error.clone()),
            Err(_) => around.tail.forget(),
        }
        let stands = result.is_ok();
        self.result = Some(result);
        Ok(stands)
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.result) {
            (Err(failure), _) => Err(failure),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // Who asked may be gone; the write stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// The writer's side of the store. [`Writer::run`] returns when every handle is gone, or something has failed.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) recovery: RecoveryFile,
    pub(super) seals: Arc<Seals>,
    pub(super) health: Arc<Health>,
    pub(super) queue: mpsc::Receiver<Box<dyn Job>>,
    pub(super) tail: Tail,
    /// Wakes the checkpointer, unless it rests.
    pub(super) committed: std::sync::mpsc::SyncSender<()>,
    /// Tells the checkpointer that the writer is gone.
    pub(super) _lives: std::sync::mpsc::Sender<Infallible>,
}

impl Writer {
    pub(super) fn run(mut self) {
        // However this thread ends, a panic included, nobody may take silence for success.
        let _guard = FailOnPanic(Arc::clone(&self.health));
        let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH_CAP);
        while self.queue.blocking_recv_many(&mut batch, BATCH_CAP) > 0 {
            let verdict = self.commit(&mut batch);
            if let Err(error) = &verdict {
                self.health.fail(error.clone());
            }
            self.answer(&mut batch, &verdict);
            if verdict.is_err() {
                self.refuse_the_rest();
                return;
            }
        }
    }

    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let count = batch.len() as u64;
        // A reader or the checkpointer may have found the disk broken.
        self.health.failure().map_or(Ok(()), Err)?;
        let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let (seals, tail) = (&self.seals, &mut self.tail);
        let mut around = Around { seals, now: super::now(), newest_event: None, recovery: Vec::new(), tail };
        match batch {
            // Undone with the transaction, if it is refused. In a savepoint each page that it changes would be copied first.
            [job] => {
                if !job.run(&tx, &mut around)? {
                    return tx.rollback().map_err(failed);
                }
            }
            jobs => {
                for job in jobs {
                    let savepoint = tx.savepoint()?;
                    if job.run(&savepoint, &mut around)? {
                        savepoint.commit()?;
                    } else {
                        savepoint.finish()?;
                    }
                }
            }
        }
        let Around { newest_event, recovery, .. } = around;
        if !recovery.is_empty() {
            points::pass("recovery");
            self.recovery.append(&recovery)?;
        }
        points::pass("before");
        // A commit that fails for whatever reason, even a constraint, leaves it open what is on disk.
        tx.commit().map_err(failed)?;
        points::pass_last("after");
        self.health.commits.fetch_add(1, Ordering::Relaxed);
        self.health.writes.fetch_add(count, Ordering::Relaxed);
        if let Some(seq) = newest_event {
            self.health.newest_event.send_replace(seq);
        }
        let _ = self.committed.try_send(());
        Ok(())
    }

    fn answer(&self, batch: &mut Vec<Box<dyn Job>>, verdict: &Result<(), StoreError>) {
        for job in batch.drain(..) {
            job.answer(verdict.clone());
        }
    }

    fn refuse_the_rest(&mut self) {
        let failure = self.health.failure().unwrap_or(StoreError::Closed);
        self.queue.close();
        while let Some(job) = self.queue.blocking_recv() {
            job.answer(Err(failure.clone()));
        }
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::Failed { reason: error.to_string() }
}

struct FailOnPanic(Arc<Health>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(StoreError::Failed { reason: "the writing thread panicked".to_owned() });
        }
    }
}
