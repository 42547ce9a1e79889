//! Opening the file: one process, the right file, the right key, undamaged.

use super::StoreError;
use super::schema::{MIGRATIONS, migrate};
use super::seal::Seals;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Readers and the checkpointer may make the writer wait a moment; longer means that something is wrong.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(20);
const STATEMENTS_KEPT: usize = 64;
/// Bytes the write-ahead log keeps on disk after it was begun again: more than it ever gets long. To write over bytes that are there
/// already takes half as long as to make a file longer, which syncs its size and its place on the disk besides.
const LOG_KEPT_BYTES: u32 = 64 << 20;
/// KiB of pages that the writer keeps in memory: what it folds of the channels' log is there when it is read again.
const WRITER_CACHE_KIB: u32 = 8 << 10;

/// The file next to the database whose advisory lock (flock) says that a process has it open. The system frees the lock
/// when the process ends, however it ends; the file itself stays and means nothing.
#[derive(Debug)]
pub(super) struct ProcessLock {
    _held: File,
}

/// `photon.db` → `photon.db<suffix>`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn unopenable(path: &Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unopenable { path: path.display().to_string(), reason: reason.to_string() }
}

/// Opens a file for its owner alone, whatever the umask and whoever made it.
pub(super) fn open_private(path: &Path, append: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).create(true).truncate(false);
    let options = if append { options.append(true) } else { options.write(true) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Makes a new file's name in its folder durable.
pub(super) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

pub(super) fn lock_for_this_process(path: &Path) -> Result<ProcessLock, StoreError> {
    let lock_path = beside(path, ".lock");
    let file = open_private(&lock_path, false).map_err(|error| unopenable(&lock_path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(ProcessLock { _held: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(unopenable(&lock_path, &error)),
    }
}

/// The writing connection of a database that was checked, migrated, and belongs to this key.
pub(super) fn open_checked(path: &Path, seals: &Seals) -> Result<Connection, StoreError> {
    settle(path).map_err(|error| unopenable(path, &error))?;
    let mut conn = connect(path).map_err(|error| opening(path, error))?;
    conn.execute_batch(&format!("PRAGMA cache_size = -{WRITER_CACHE_KIB}"))?;
    check_pages(&conn).map_err(|error| opening(path, error))?;
    migrate(&mut conn, &path.display().to_string(), MIGRATIONS)?;
    check_owner(&conn, seals)?;
    Ok(conn)
}

/// Makes the file where there is none, and brings to the disk what a process that was killed left in the system's memory alone:
/// from here on it is read, and acted on, so it must outlive a power cut, too.
///
/// All is closed again before SQLite opens it. Closing a file frees every lock that this process holds on it, and without
/// SQLite's a backup by another process takes itself for the last user, and takes the write-ahead log away.
fn settle(path: &Path) -> std::io::Result<()> {
    open_private(path, false)?.sync_all()?;
    for suffix in ["-wal", "-journal"] {
        match File::open(beside(path, suffix)) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    sync_folder_of(path)
}

fn opening(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Failed { reason } if reason.contains("not a database") => {
            StoreError::NotOurs { path: path.display().to_string() }
        }
        StoreError::Failed { reason } => unopenable(path, &reason),
        other => other,
    }
}

/// One more connection to a database that is open already.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(unopenable(path, &"its file system has no shared memory for SQLite's write-ahead log"));
    }
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;",
    )?;
    // Checkpoints are another thread's work: a commit must not wait for one.
    conn.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    conn.query_row(&format!("PRAGMA journal_size_limit = {LOG_KEPT_BYTES}"), [], |_| Ok(()))?;
    Ok(conn)
}

/// One more connection, which can't write.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path)?;
    conn.execute_batch("PRAGMA query_only = ON")?;
    Ok(conn)
}

fn check_pages(conn: &Connection) -> Result<(), StoreError> {
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Failed { reason: format!("the file is damaged: {verdict}") }) }
}

fn check_owner(conn: &Connection, seals: &Seals) -> Result<(), StoreError> {
    let ours = hex::encode(seals.fingerprint());
    let stored: Option<String> =
        conn.query_row("SELECT value FROM meta WHERE key = 'storage_key'", [], |row| row.get(0)).optional()?;
    match stored {
        Some(theirs) if theirs == ours => Ok(()),
        Some(_) => Err(StoreError::OtherSeed),
        None => {
            conn.execute("INSERT INTO meta(key, value) VALUES('storage_key', ?1)", [ours])?;
            Ok(())
        }
    }
}
