//! Payment requests: the texts that payers were given. What they ask for stands in the text, signed.

use super::rows::{all_rows, change, first_row, page_limit, parsed, time};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::{Ledger, SecretHash, UnixTime};
use rusqlite::Row;
use std::str::FromStr;

/// What its owner, or its time, has made of a request. Whether it was paid, the payments say.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It may be paid, or was.
    Open,
    /// The owner took it back.
    GivenUp,
    /// Nobody paid it in time.
    Expired,
}

impl RequestState {
    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            RequestState::Open => "open",
            RequestState::GivenUp => "given_up",
            RequestState::Expired => "expired",
        }
    }
}

impl FromStr for RequestState {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let all = [RequestState::Open, RequestState::GivenUp, RequestState::Expired];
        all.into_iter().find(|state| state.word() == text).ok_or(StoreError::Unreadable("request state"))
    }
}

/// A request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Its hash: how it is named.
    pub hash: SecretHash,
    /// On which ledger it is paid.
    pub ledger: Ledger,
    /// The text, at most 1,024 characters.
    pub text: String,
    /// What became of it.
    pub state: RequestState,
    /// Until when it may be paid.
    pub valid_until: UnixTime,
}

impl Store {
    /// Writes a request down, open. The same twice is harmless.
    pub async fn insert_request(
        &self,
        ledger: Ledger,
        hash: SecretHash,
        text: String,
        valid_until: UnixTime,
    ) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "INSERT INTO payment_requests(hash, ledger, text, state, valid_until, created_at) \
                       VALUES(?1, ?2, ?3, 'open', ?4, ?5) ON CONFLICT(hash) DO NOTHING";
            change!(write.conn, sql, (hash.as_bytes(), ledger.name(), text, valid_until.secs(), write.now.secs()))?;
            Ok(())
        })
        .await
    }

    /// Ends an open request. One that has ended stays as it is.
    pub async fn end_request(&self, hash: SecretHash, state: RequestState) -> Result<(), StoreError> {
        self.write(move |write| ended(write, hash, state)).await
    }

    /// One request.
    pub async fn request(&self, hash: SecretHash) -> Result<Option<RequestRow>, StoreError> {
        self.read(move |read| {
            first_row!(read.conn, "SELECT * FROM payment_requests WHERE hash = ?1", [hash.as_bytes()], request_row)
        })
        .await
    }

    /// The newest requests, newest first.
    pub async fn requests(&self, limit: u32) -> Result<Vec<RequestRow>, StoreError> {
        self.read(move |read| {
            all_rows!(read.conn, "SELECT * FROM payment_requests ORDER BY n DESC LIMIT ?1", [page_limit(limit)], request_row)
        })
        .await
    }

    /// Open requests whose time is over, at most `limit`.
    pub async fn overdue_requests(&self, now: UnixTime, limit: u32) -> Result<Vec<RequestRow>, StoreError> {
        self.read(move |read| all_rows!(read.conn, OVERDUE, (now.secs(), page_limit(limit)), request_row)).await
    }
}

pub(super) const OVERDUE: &str = "SELECT * FROM payment_requests INDEXED BY payment_requests_open \
                                  WHERE state = 'open' AND valid_until < ?1 ORDER BY valid_until LIMIT ?2";

fn ended(write: &Write<'_>, hash: SecretHash, state: RequestState) -> Result<(), StoreError> {
    let sql = "UPDATE payment_requests SET state = ?2 WHERE hash = ?1 AND state = 'open'";
    change!(write.conn, sql, (hash.as_bytes(), state.word()))?;
    Ok(())
}

fn request_row(row: &Row<'_>) -> Result<RequestRow, StoreError> {
    Ok(RequestRow {
        hash: SecretHash::from_bytes(row.get("hash")?),
        ledger: parsed(&row.get::<_, String>("ledger")?, "ledger")?,
        text: row.get("text")?,
        state: parsed(&row.get::<_, String>("state")?, "request state")?,
        valid_until: time(row, "valid_until")?,
    })
}
