//! Reading beside the writer: a few connections, used off the async runtime.

use super::StoreError;
use super::connect::connect_reader;
use super::seal::Seals;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads that may run at once. They are short; more would only fight for the same disk.
const READERS: usize = 3;

/// What a read sees: the last committed state, and the key to sealed rows.
pub(super) struct Read<'a> {
    pub(super) conn: &'a Connection,
    pub(super) seals: &'a Seals,
}

/// Idle connections, and as many permits.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let idle = (0..READERS).map(|_| connect_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { path: path.to_owned(), idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(READERS)) })
    }

    /// Waits for a turn.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)
    }

    /// Runs `work` in one read transaction, so that all its queries see the same state.
    pub(super) fn run<T>(
        &self,
        _permit: OwnedSemaphorePermit,
        seals: &Seals,
        work: impl FnOnce(&Read<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A read that panicked took its connection with it.
        let mut conn = idle.map_or_else(|| connect_reader(&self.path), Ok)?;
        let result = in_transaction(&mut conn, seals, work);
        self.give_back(conn);
        result
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.permits.is_closed() {
            idle.push(conn);
        }
    }

    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn in_transaction<T>(
    conn: &mut Connection,
    seals: &Seals,
    work: impl FnOnce(&Read<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = conn.transaction()?;
    let result = work(&Read { conn: &tx, seals })?;
    tx.commit()?;
    Ok(result)
}
