//! What happened, in order, for whoever listens: server-sent events resume by sequence number.

use super::rows::{all_rows, change, page_limit, time};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::UnixTime;
use photon_swap::SwapId;
use rusqlite::{Connection, Row};
use tokio::sync::watch;

/// Events kept. A listener that stays away for longer than that many reads the state anew.
pub(super) const KEPT: u64 = 20_000;
/// So many are forgotten together, or at a start: to forget one with each that comes would cost as much as to write it.
const FORGOTTEN_TOGETHER: u64 = 64;
/// The most that are kept for a webhook that does not take them.
const KEPT_FOR_HOOKS: u64 = 1_000_000;

/// An event to be written, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind, in a word or two.
    pub kind: String,
    /// The swap it is about.
    pub swap: Option<SwapId>,
    /// The event, as JSON, at most 16 KiB.
    pub body: String,
}

/// An event that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the order; gaps mean nothing.
    pub seq: u64,
    /// When it was written down.
    pub at: UnixTime,
    /// What kind.
    pub kind: String,
    /// The swap it is about.
    pub swap: Option<SwapId>,
    /// The event, as JSON.
    pub body: String,
}

/// Some events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// The oldest event that is still kept; zero if there is none. Who asked for events before it has missed some.
    pub oldest: u64,
}

impl Store {
    /// Writes an event that belongs to no step of a swap. Its sequence number.
    pub async fn append_event(&self, event: NewEvent) -> Result<u64, StoreError> {
        self.write(move |write| append(write, &event)).await
    }

    /// The events after `seq`, at most `limit` of them.
    pub async fn events_after(&self, seq: u64, limit: u32) -> Result<EventPage, StoreError> {
        self.read(move |read| {
            let seq = i64::try_from(seq).unwrap_or(i64::MAX);
            let sql = "SELECT * FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            let events = all_rows!(read.conn, sql, (seq, page_limit(limit)), event_row)?;
            let oldest = read.conn.query_row("SELECT coalesce(min(seq), 0) FROM events", [], |row| row.get(0))?;
            Ok(EventPage { events, oldest })
        })
        .await
    }

    /// Holds the newest sequence number and wakes at each new one, after it is durable.
    pub fn watch_events(&self) -> watch::Receiver<u64> {
        self.0.health.watch_events()
    }
}

pub(super) fn newest(conn: &Connection) -> Result<u64, StoreError> {
    Ok(conn.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))?)
}

pub(super) fn append(write: &mut Write<'_>, event: &NewEvent) -> Result<u64, StoreError> {
    let params = (write.now.secs(), &event.kind, event.swap.as_ref().map(SwapId::as_bytes), &event.body);
    change!(write.conn, "INSERT INTO events(at, kind, swap, body) VALUES(?1, ?2, ?3, ?4)", params)?;
    let seq = u64::try_from(write.conn.last_insert_rowid()).map_err(|_| StoreError::Unreadable("event"))?;
    if seq.is_multiple_of(FORGOTTEN_TOGETHER) {
        forget_old(write.conn, seq)?;
    }
    write.newest_event = Some(seq);
    Ok(seq)
}

/// Forgets what is older than is kept, given the newest.
pub(super) fn forget_old(conn: &Connection, newest: u64) -> Result<(), StoreError> {
    let slowest = super::webhooks::slowest(conn)?.unwrap_or(u64::MAX);
    let last = newest.saturating_sub(KEPT).min(slowest).max(newest.saturating_sub(KEPT_FOR_HOOKS));
    change!(conn, "DELETE FROM events WHERE seq <= ?1", [last])?;
    Ok(())
}

fn event_row(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq: row.get("seq")?,
        at: time(row, "at")?,
        kind: row.get("kind")?,
        swap: row.get::<_, Option<[u8; 32]>>("swap")?.map(SwapId::from_bytes),
        body: row.get("body")?,
    })
}
