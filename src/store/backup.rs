//! A copy of the database, taken while it is in use.
//!
//! `VACUUM INTO` reads one state of the database, as any reader does: the node goes on writing beside it, and the copy is whole
//! and without gaps. Copying the files by hand would take the file and its write-ahead log at two moments.
//!
//! A copy is old from the moment it is taken. So it carries a mark: a node that starts on it believes of no running swap that it was not
//! funded or not revealed since, funds and reveals nothing of them any more, and takes back what it does not know from the
//! recovery file.

use super::connect::{BUSY_WAIT, beside, open_private, sync_folder_of, unopenable};
use super::schema::APPLICATION_ID;
use super::{Store, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::Path;

/// The key of the mark. Its value is when the copy was taken; empty once a node has taken note.
const MARK: &str = "copied_at";

/// What a backup holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Bytes of the file.
    pub bytes: u64,
    /// Swaps in it.
    pub swaps: u64,
}

/// Copies the database into a new file, readable by its owner alone, checked and on the disk when this returns. What is there
/// already is never overwritten. Needs no key: what is secret in it stays sealed.
pub fn back_up(database: &Path, to: &Path) -> Result<Backup, StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(unopenable(to, &"something is there already, and nothing is overwritten: name another file"));
    }
    if !database.exists() {
        return Err(unopenable(database, &"there is no database"));
    }
    let part = beside(to, ".part");
    // From a backup that was killed.
    let _ = std::fs::remove_file(&part);
    let done = copy(database, &part).and_then(|backup| {
        put_in_place(&part, to).map_err(|error| unopenable(to, &error))?;
        Ok(backup)
    });
    for leftover in [part.clone(), beside(&part, "-wal"), beside(&part, "-shm"), beside(&part, "-journal")] {
        let _ = std::fs::remove_file(leftover);
    }
    done
}

fn copy(database: &Path, part: &Path) -> Result<Backup, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(database, flags)?;
    source.busy_timeout(BUSY_WAIT)?;
    let application: i32 = source.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: database.display().to_string() });
    }
    // Made by us, empty, so that nobody else can read it at any moment: SQLite writes into an empty file as into none.
    drop(open_private(part, false).map_err(|error| unopenable(part, &error))?);
    source.execute("VACUUM INTO ?1", [part.to_str().ok_or_else(|| unopenable(part, &"its name is no text"))?])?;
    let copy = Connection::open_with_flags(part, flags)?;
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Failed { reason: format!("the copy is damaged, and so may be the database: {verdict}") });
    }
    let mark = "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value";
    copy.execute(mark, (MARK, super::now().to_string()))?;
    // One file, with nothing beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let swaps = copy.query_row("SELECT count(*) FROM swaps", [], |row| row.get(0))?;
    copy.close().map_err(|(_, error)| error)?;
    let bytes = File::open(part).and_then(|file| file.sync_all().and_then(|()| file.metadata())).map(|data| data.len());
    Ok(Backup { bytes: bytes.map_err(|error| unopenable(part, &error))?, swaps })
}

/// Gives the finished file its name, unless somebody took that name meanwhile.
fn put_in_place(part: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(part, to) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
        // A file system without links.
        Err(_) => std::fs::rename(part, to)?,
    }
    sync_folder_of(to)
}

impl Store {
    /// True if this database is a copy that was put back, and nobody has taken note of that.
    pub async fn is_put_back(&self) -> Result<bool, StoreError> {
        Ok(self.meta(MARK).await?.is_some_and(|at| !at.is_empty()))
    }

    /// Takes note: what was running in the copy is distrusted from now on.
    pub async fn note_put_back(&self) -> Result<(), StoreError> {
        self.set_meta(MARK, String::new()).await
    }
}
