//! Answers to creating calls, by the key the client chose: a repeated call gets the first answer again.

use super::rows::{change, first_row};
use super::{Store, StoreError};
use crate::service::StoredAnswer;

/// How long a key is remembered, in seconds.
pub(super) const KEPT_SECS: u64 = 24 * 3600;
/// Keys remembered at most; the oldest go first.
pub(super) const KEPT: u32 = 10_000;

impl Store {
    /// The answer under a key; its status is zero while the call is only begun.
    pub async fn stored_answer(&self, key: String) -> Result<Option<StoredAnswer>, StoreError> {
        self.read(move |read| {
            let sql = "SELECT request, status, body FROM answers WHERE key = ?1";
            first_row!(read.conn, sql, [&key], |row| {
                Ok::<_, StoreError>(StoredAnswer {
                    request_hash: row.get("request")?,
                    status: row.get::<_, Option<u16>>("status")?.unwrap_or(0),
                    body: row.get::<_, Option<String>>("body")?.unwrap_or_default(),
                })
            })
        })
        .await
    }

    /// Writes an answer down, over an earlier one of that key; status zero says that the call is begun. Old keys are forgotten.
    pub async fn store_answer(&self, key: String, answer: StoredAnswer) -> Result<(), StoreError> {
        self.write(move |write| {
            let now = write.now.secs();
            change!(write.conn, "DELETE FROM answers WHERE created_at < ?1", [now.saturating_sub(KEPT_SECS)])?;
            let done = (answer.status != 0).then_some(answer.status);
            let body = done.map(|_| &answer.body);
            let sql = "INSERT INTO answers(key, request, status, body, created_at) VALUES(?1, ?2, ?3, ?4, ?5) \
                       ON CONFLICT(key) DO UPDATE SET request = excluded.request, status = excluded.status, body = excluded.body";
            change!(write.conn, sql, (&key, answer.request_hash, done, body, now))?;
            let sql = "DELETE FROM answers WHERE n <= (SELECT n FROM answers ORDER BY n DESC LIMIT 1 OFFSET ?1)";
            change!(write.conn, sql, [KEPT])?;
            Ok(())
        })
        .await
    }
}
