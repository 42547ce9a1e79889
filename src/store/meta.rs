//! Single values: which contracts were deployed, which network each node is on.

use super::rows::change;
use super::{Store, StoreError};
use rusqlite::OptionalExtension;

/// Keys of ours; callers can't reach them.
const OWN_KEY: &str = "storage_key";

impl Store {
    /// The value of a key.
    pub async fn meta(&self, key: &'static str) -> Result<Option<String>, StoreError> {
        self.read(move |read| {
            let mut query = read.conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
            Ok(query.query_row([key], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Sets a value, over an older one.
    pub async fn set_meta(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        if key == OWN_KEY {
            return Err(StoreError::Conflict("key"));
        }
        self.write(move |write| {
            let sql = "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value";
            change!(write.conn, sql, (key, &value))?;
            Ok(())
        })
        .await
    }

    /// Sets a value for good: the first one stays, and another one is refused. For what must never change under a database,
    /// such as the network it is for.
    pub async fn pin_meta(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO NOTHING";
            change!(write.conn, sql, (key, &value))?;
            let mut query = write.conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
            let pinned: String = query.query_row([key], |row| row.get(0))?;
            if pinned == value { Ok(()) } else { Err(StoreError::Conflict("value")) }
        })
        .await
    }
}
