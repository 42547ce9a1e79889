//! A look at a database from outside, also while a node has it open. It writes nothing and needs no key.

use super::StoreError;
use super::connect::{BUSY_WAIT, beside};
use super::schema::{APPLICATION_ID, MIGRATIONS};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What was seen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of its write-ahead log.
    pub log_bytes: u64,
    /// Swaps in it.
    pub swaps: u64,
    /// Those that have not ended.
    pub live: u64,
}

/// Looks at every page and counts. An error if it is damaged, not ours, or of a newer program.
pub fn inspect(database: &Path) -> Result<Inspection, StoreError> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_WAIT)?;
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, u64>(0));
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: database.display().to_string() });
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Failed { reason: format!("the file is damaged: {verdict}") });
    }
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    Ok(Inspection {
        bytes: bytes(database),
        log_bytes: bytes(&beside(database, "-wal")),
        swaps: number("SELECT count(*) FROM swaps")?,
        live: number("SELECT count(*) FROM swaps WHERE ended_at IS NULL")?,
    })
}
