//! Idempotency keys: a creating call that is repeated gets the first answer again, and creates nothing.

use super::rows::{change, first_row};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::Hash32;
use rusqlite::Row;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a key is remembered.
pub(super) const KEPT_SECS: u64 = 24 * 3600;
/// Keys remembered at most; the oldest go first.
pub(super) const KEPT: u32 = 10_000;

/// Keys whose call is running in this process.
#[derive(Default)]
pub(super) struct KeysInUse(Mutex<HashSet<String>>);

/// What to do with a call that carries a key.
#[derive(Debug)]
pub enum Idempotent {
    /// Do it, for the resource the guard names, and then say [`Store::finish_key`].
    Go(KeyGuard),
    /// The same call is running at this moment.
    Running,
    /// It was done: answer this again.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The key was used for another request.
    OtherRequest,
}

/// The right to run the call of one key. While it lives, the same key is [`Idempotent::Running`].
pub struct KeyGuard {
    key: String,
    resource: Hash32,
    in_use: Arc<KeysInUse>,
}

impl KeyGuard {
    /// The id under which to create. A call that was cut off before it was answered, by a crash even, gets the same id when it
    /// is repeated: what exists under that id by then was created by it.
    pub const fn resource(&self) -> Hash32 {
        self.resource
    }
}

impl std::fmt::Debug for KeyGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyGuard").field("resource", &self.resource).finish_non_exhaustive()
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.in_use.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

enum Found {
    Unanswered { resource: Hash32 },
    Answered { status: u16, body: String },
    OtherRequest,
}

impl Store {
    /// Begins a call. `request` is a hash of what is asked for; `resource` the id to create under if this key is new.
    pub async fn begin_key(&self, key: String, request: Hash32, resource: Hash32) -> Result<Idempotent, StoreError> {
        let in_use = Arc::clone(&self.0.keys_in_use);
        if !in_use.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return Ok(Idempotent::Running);
        }
        // From here on dropping the guard frees the key, whatever happens.
        let mut guard = KeyGuard { key: key.clone(), resource, in_use };
        Ok(match self.write(move |write| begin(write, &key, request, resource)).await? {
            Found::Unanswered { resource } => {
                guard.resource = resource;
                Idempotent::Go(guard)
            }
            Found::Answered { status, body } => Idempotent::Answered { status, body },
            Found::OtherRequest => Idempotent::OtherRequest,
        })
    }

    /// Writes down what was answered, and lets the key go.
    pub async fn finish_key(&self, guard: KeyGuard, status: u16, body: String) -> Result<(), StoreError> {
        let key = guard.key.clone();
        self.write(move |write| {
            let sql = "UPDATE idempotency SET status = ?2, body = ?3 WHERE key = ?1 AND status IS NULL";
            change!(write.conn, sql, (&key, status, &body))?;
            Ok(())
        })
        .await
    }

    /// Forgets a call that created nothing and may be tried again with the same key, such as one that was refused.
    pub async fn forget_key(&self, guard: KeyGuard) -> Result<(), StoreError> {
        let key = guard.key.clone();
        self.write(move |write| {
            change!(write.conn, "DELETE FROM idempotency WHERE key = ?1 AND status IS NULL", [&key])?;
            Ok(())
        })
        .await
    }
}

fn begin(write: &Write<'_>, key: &str, request: Hash32, resource: Hash32) -> Result<Found, StoreError> {
    let now = write.now.secs();
    change!(write.conn, "DELETE FROM idempotency WHERE created_at < ?1", [now.saturating_sub(KEPT_SECS)])?;
    let sql = "SELECT request, resource, status, body FROM idempotency WHERE key = ?1";
    let known = first_row!(write.conn, sql, [key], |row| found(row, request))?;
    if let Some(known) = known {
        return Ok(known);
    }
    let sql = "INSERT INTO idempotency(key, request, resource, created_at) VALUES(?1, ?2, ?3, ?4)";
    change!(write.conn, sql, (key, request.as_bytes(), resource.as_bytes(), now))?;
    let sql = "DELETE FROM idempotency WHERE n <= (SELECT n FROM idempotency ORDER BY n DESC LIMIT 1 OFFSET ?1)";
    change!(write.conn, sql, [KEPT])?;
    Ok(Found::Unanswered { resource })
}

fn found(row: &Row<'_>, request: Hash32) -> Result<Found, StoreError> {
    if Hash32::from_bytes(row.get("request")?) != request {
        return Ok(Found::OtherRequest);
    }
    Ok(match row.get("status")? {
        Some(status) => Found::Answered { status, body: row.get("body")? },
        None => Found::Unanswered { resource: Hash32::from_bytes(row.get("resource")?) },
    })
}
