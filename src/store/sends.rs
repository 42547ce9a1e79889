//! Payments from the wallet that were asked for through the API.

use super::rows::{all_rows, change, first_row, page_limit, parsed, time};
use super::swaps::Page;
use super::{Store, StoreError};
use photon_chains::{Amount, Asset, LockId, UnixTime};
use rusqlite::{Connection, Row};
use std::str::FromStr;

/// How far a payment has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum SendState {
    /// Written down, maybe sent.
    Pending,
    /// Our node has it.
    Sent,
    /// Final on its ledger.
    Done,
    /// It will never be sent.
    Refused,
}

impl SendState {
    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            SendState::Pending => "pending",
            SendState::Sent => "sent",
            SendState::Done => "done",
            SendState::Refused => "refused",
        }
    }

    const fn is_over(self) -> bool {
        match self {
            SendState::Done | SendState::Refused => true,
            SendState::Pending | SendState::Sent => false,
        }
    }
}

impl FromStr for SendState {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let all = [SendState::Pending, SendState::Sent, SendState::Done, SendState::Refused];
        all.into_iter().find(|state| state.word() == text).ok_or(StoreError::Unreadable("payment state"))
    }
}

/// A payment to be written down before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSend {
    /// Its id: 32 random bytes, the subject of its intent.
    pub id: LockId,
    /// What.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// To which address, as the ledger writes it.
    pub to: String,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRow {
    /// Its place in the order in which payments were asked for: the cursor of [`Store::list_sends`].
    pub number: u64,
    /// What was asked for.
    pub send: NewSend,
    /// How far it has come.
    pub state: SendState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: UnixTime,
    /// When its state changed last.
    pub updated_at: UnixTime,
}

impl Store {
    /// Writes a payment down, pending. The same payment twice is harmless; it is one payment.
    pub async fn insert_send(&self, send: NewSend) -> Result<(), StoreError> {
        self.write(move |write| {
            if let Some(known) = find(write.conn, send.id)? {
                return if known.send == send { Ok(()) } else { Err(StoreError::Conflict("payment")) };
            }
            let sql = "INSERT INTO sends(id, asset, amount, recipient, state, created_at, updated_at) \
                       VALUES(?1, ?2, ?3, ?4, 'pending', ?5, ?5)";
            let params = (send.id.as_bytes(), send.asset.to_string(), send.amount.to_string(), &send.to, write.now.secs());
            change!(write.conn, sql, params)?;
            Ok(())
        })
        .await
    }

    /// Writes down how far a payment has come. What is over stays as it is.
    pub async fn set_send_state(&self, id: LockId, state: SendState, reason: Option<String>) -> Result<(), StoreError> {
        self.write(move |write| {
            let known = find(write.conn, id)?.ok_or(StoreError::NoSuch("payment"))?;
            if known.state == state {
                return Ok(());
            }
            if known.state.is_over() {
                return Err(StoreError::Conflict("payment"));
            }
            let sql = "UPDATE sends SET state = ?2, reason = ?3, updated_at = ?4 WHERE n = ?1";
            change!(write.conn, sql, (known.number, state.word(), reason, write.now.secs()))?;
            Ok(())
        })
        .await
    }

    /// One payment.
    pub async fn send(&self, id: LockId) -> Result<Option<SendRow>, StoreError> {
        self.read(move |read| find(read.conn, id)).await
    }

    /// Every payment that is neither final nor refused, oldest first: what a start has to take up again.
    pub async fn unfinished_sends(&self) -> Result<Vec<SendRow>, StoreError> {
        self.read(|read| all_rows!(read.conn, UNFINISHED, [], send_row)).await
    }

    /// Payments, newest first; `before` is the `next` of the page before.
    pub async fn list_sends(&self, before: Option<u64>, limit: u32) -> Result<Page<SendRow>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
            let sql = "SELECT * FROM sends WHERE n < ?1 ORDER BY n DESC LIMIT ?2";
            Ok(Page::cut(all_rows!(read.conn, sql, (before, limit + 1), send_row)?, limit, |send| send.number))
        })
        .await
    }
}

pub(super) const UNFINISHED: &str =
    "SELECT * FROM sends INDEXED BY sends_unfinished WHERE state IN ('pending', 'sent') ORDER BY n";

fn find(conn: &Connection, id: LockId) -> Result<Option<SendRow>, StoreError> {
    first_row!(conn, "SELECT * FROM sends WHERE id = ?1", [id.as_bytes()], send_row)
}

fn send_row(row: &Row<'_>) -> Result<SendRow, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.get(column)?) };
    Ok(SendRow {
        number: row.get("n")?,
        send: NewSend {
            id: LockId::from_bytes(row.get("id")?),
            asset: parsed(&text("asset")?, "asset")?,
            amount: parsed(&text("amount")?, "amount")?,
            to: text("recipient")?,
        },
        state: parsed(&text("state")?, "payment state")?,
        reason: row.get("reason")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
