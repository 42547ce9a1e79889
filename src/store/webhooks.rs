//! Where events are posted to. The event log is the outbox; each hook has its own place in it, which moves only when what lies before
//! was taken. So a crash may post something twice, and never forgets anything.

use super::rows::{all_rows, change, first_row, time};
use super::seal::Seals;
use super::{Store, StoreError};
use photon_chains::{Hash32, UnixTime};
use rusqlite::{Connection, Row};
use zeroize::Zeroizing;

/// The most hooks there are.
pub const MOST_WEBHOOKS: usize = 16;

/// A hook to be written.
#[derive(Clone)]
pub struct NewWebhook {
    /// 32 random bytes.
    pub id: Hash32,
    /// Where to.
    pub url: String,
    /// Which kinds of events, separated by commas; empty for all.
    pub kinds: String,
    /// What signs them.
    pub secret: Zeroizing<String>,
}

/// A hook as it is stored, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: Hash32,
    /// Where to.
    pub url: String,
    /// Which kinds of events, separated by commas; empty for all.
    pub kinds: String,
    /// Everything up to that event was taken.
    pub delivered: u64,
    /// How often in a row the next ones were not taken.
    pub failures: u32,
    /// Why, the last time.
    pub trouble: Option<String>,
    /// When it was made.
    pub created_at: UnixTime,
}

impl Store {
    /// Writes a hook, which is told what happens from now on. Refused where there are too many.
    pub async fn insert_webhook(&self, hook: NewWebhook) -> Result<(), StoreError> {
        self.write(move |write| {
            let count: usize = write.conn.query_row("SELECT count(*) FROM webhooks", [], |row| row.get(0))?;
            if count >= MOST_WEBHOOKS {
                return Err(StoreError::Conflict("number of webhooks"));
            }
            let newest = super::events::newest(write.conn)?;
            let secret = write.seals.seal(&place(hook.id), hook.secret.as_bytes())?;
            let sql = "INSERT INTO webhooks(id, url, kinds, secret, delivered, created_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
            change!(write.conn, sql, (hook.id.as_bytes(), &hook.url, &hook.kinds, secret, newest, write.now.secs()))?;
            Ok(())
        })
        .await
    }

    /// Every hook, oldest first.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError> {
        self.read(|read| all_rows!(read.conn, "SELECT * FROM webhooks ORDER BY n", [], webhook_row)).await
    }

    /// One hook, with the secret that signs.
    pub async fn webhook(&self, id: Hash32) -> Result<Option<(WebhookRow, Zeroizing<String>)>, StoreError> {
        self.read(move |read| {
            let Some(row) = find(read.conn, id)? else { return Ok(None) };
            let sql = "SELECT secret FROM webhooks WHERE id = ?1";
            let sealed: Vec<u8> = read.conn.query_row(sql, [id.as_bytes()], |row| row.get(0))?;
            Ok(Some((row, open(read.seals, id, &sealed)?)))
        })
        .await
    }

    /// Forgets a hook.
    pub async fn remove_webhook(&self, id: Hash32) -> Result<(), StoreError> {
        self.write(move |write| {
            let gone = change!(write.conn, "DELETE FROM webhooks WHERE id = ?1", [id.as_bytes()])?;
            if gone == 1 { Ok(()) } else { Err(StoreError::NoSuch("webhook")) }
        })
        .await
    }

    /// Everything up to that event was taken. `from` is where the hook stood when it was posted: one that was set back meanwhile stays.
    pub async fn webhook_took(&self, id: Hash32, from: u64, to: u64) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "UPDATE webhooks SET delivered = ?3, failures = 0, trouble = NULL WHERE id = ?1 AND delivered = ?2";
            change!(write.conn, sql, (id.as_bytes(), from, to))?;
            Ok(())
        })
        .await
    }

    /// The next events were not taken.
    pub async fn webhook_failed(&self, id: Hash32, trouble: String) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "UPDATE webhooks SET failures = failures + 1, trouble = ?2 WHERE id = ?1";
            change!(write.conn, sql, (id.as_bytes(), trouble.chars().take(120).collect::<String>()))?;
            Ok(())
        })
        .await
    }

    /// Sets a hook back, or forward, to that event: what comes after it is posted (again).
    pub async fn set_webhook(&self, id: Hash32, after: u64) -> Result<(), StoreError> {
        self.write(move |write| {
            let after = after.min(super::events::newest(write.conn)?);
            let sql = "UPDATE webhooks SET delivered = ?2, failures = 0, trouble = NULL WHERE id = ?1";
            if change!(write.conn, sql, (id.as_bytes(), after))? == 1 { Ok(()) } else { Err(StoreError::NoSuch("webhook")) }
        })
        .await
    }
}

/// Events after that one may not be forgotten yet, because a hook has not taken them. None without hooks.
pub(super) fn slowest(conn: &Connection) -> Result<Option<u64>, StoreError> {
    let mut query = conn.prepare_cached("SELECT min(delivered) FROM webhooks")?;
    let slowest: Option<u64> = query.query_row([], |row| row.get(0))?;
    Ok(slowest)
}

fn place(id: Hash32) -> Vec<u8> {
    [b"webhooks/", &id.as_bytes()[..]].concat()
}

fn open(seals: &Seals, id: Hash32, sealed: &[u8]) -> Result<Zeroizing<String>, StoreError> {
    let plain = Zeroizing::new(seals.open(&place(id), sealed, "webhook")?);
    let text = std::str::from_utf8(&plain).map_err(|_| StoreError::Unreadable("webhook"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn find(conn: &Connection, id: Hash32) -> Result<Option<WebhookRow>, StoreError> {
    first_row!(conn, "SELECT * FROM webhooks WHERE id = ?1", [id.as_bytes()], webhook_row)
}

fn webhook_row(row: &Row<'_>) -> Result<WebhookRow, StoreError> {
    Ok(WebhookRow {
        id: Hash32::from_bytes(row.get("id")?),
        url: row.get("url")?,
        kinds: row.get("kinds")?,
        delivered: row.get("delivered")?,
        failures: row.get("failures")?,
        trouble: row.get("trouble")?,
        created_at: time(row, "created_at")?,
    })
}
