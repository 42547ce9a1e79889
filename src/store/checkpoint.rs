//! Moving what was committed from the write-ahead log into the database file, beside the writer.

use super::StoreError;
use super::writer::Health;
use rusqlite::{Connection, ErrorCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// At most one checkpoint in this time: each costs two syncs.
const REST: Duration = Duration::from_secs(1);
/// Who reads an old state may hold a checkpoint up this long; then it is tried again later.
const BUSY_WAIT: Duration = Duration::from_millis(500);
/// A log of this many pages (16 MiB) is begun again from its start even if the writer must wait a moment for that: then it is
/// written over bytes that are there already.
const LONG_LOG_PAGES: i64 = 4_096;

pub(super) struct Checkpointer {
    pub(super) conn: Connection,
    pub(super) health: Arc<Health>,
    /// One token while there is something new; gone when the writer is gone.
    pub(super) committed: Receiver<()>,
    /// Says nothing, and is gone when the writer is gone.
    pub(super) writer: Receiver<Infallible>,
}

impl Checkpointer {
    pub(super) fn run(self) {
        if let Err(error) = self.conn.busy_timeout(BUSY_WAIT) {
            return self.health.fail(error.into());
        }
        while self.committed.recv().is_ok() {
            let writer_lives = self.rest();
            // What was committed meanwhile is taken along.
            let _ = self.committed.try_recv();
            if let Err(error) = self.checkpoint() {
                return self.health.fail(error);
            }
            if !writer_lives {
                break;
            }
        }
        // Nobody writes any more: leave an empty log behind.
        if let Err(error) = self.pragma("TRUNCATE") {
            self.health.fail(error);
        }
    }

    /// False if the writer went away meanwhile. A commit wakes nobody who rests: payments made one after the other would wake this
    /// thread at each of their steps.
    fn rest(&self) -> bool {
        matches!(self.writer.recv_timeout(REST), Err(RecvTimeoutError::Timeout))
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        let log_pages = self.pragma("PASSIVE")?;
        if log_pages > LONG_LOG_PAGES {
            self.pragma("RESTART")?;
        }
        Ok(())
    }

    /// Pages in the log. Being held up by others is no failure: the next turn does it.
    fn pragma(&self, how: &str) -> Result<i64, StoreError> {
        match self.conn.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get(1)) {
            Ok(pages) => Ok(pages),
            Err(rusqlite::Error::SqliteFailure(cause, _))
                if matches!(cause.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) =>
            {
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }
}
