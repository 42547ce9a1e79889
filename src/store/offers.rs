//! Our own offers: each is taken at most once.

use super::rows::{all_rows, change, first_row, page_limit, parsed, time};
use super::swaps::Page;
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::UnixTime;
use photon_swap::OfferId;
use rusqlite::{Connection, Row};
use std::str::FromStr;

/// What has become of an offer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum OfferState {
    /// May be taken.
    Open,
    /// A swap came of it.
    Taken,
    /// We took it back.
    Cancelled,
    /// Nobody took it in time.
    Expired,
}

impl OfferState {
    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            OfferState::Open => "open",
            OfferState::Taken => "taken",
            OfferState::Cancelled => "cancelled",
            OfferState::Expired => "expired",
        }
    }
}

impl FromStr for OfferState {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let all = [OfferState::Open, OfferState::Taken, OfferState::Cancelled, OfferState::Expired];
        all.into_iter().find(|state| state.word() == text).ok_or(StoreError::Unreadable("offer state"))
    }
}

/// An offer of ours to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffer {
    /// Its id.
    pub id: OfferId,
    /// The offer, as JSON, at most 16 KiB.
    pub body: String,
    /// Until when it may be taken.
    pub valid_until: UnixTime,
}

/// An offer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// Its place in the order in which offers were made: the cursor of [`Store::list_offers`].
    pub number: u64,
    /// Its id.
    pub id: OfferId,
    /// The offer, as JSON.
    pub body: String,
    /// What has become of it.
    pub state: OfferState,
    /// Until when it may be taken.
    pub valid_until: UnixTime,
    /// When it was made.
    pub created_at: UnixTime,
}

impl Store {
    /// Writes an offer of ours down, open. The same offer twice is harmless.
    pub async fn insert_offer(&self, offer: NewOffer) -> Result<(), StoreError> {
        self.write(move |write| {
            if let Some(known) = find(write.conn, offer.id)? {
                let is_same = known.body == offer.body && known.valid_until == offer.valid_until;
                return if is_same { Ok(()) } else { Err(StoreError::Conflict("offer")) };
            }
            let sql = "INSERT INTO offers(id, body, state, valid_until, created_at) VALUES(?1, ?2, 'open', ?3, ?4)";
            change!(write.conn, sql, (offer.id.as_bytes(), &offer.body, offer.valid_until.secs(), write.now.secs()))?;
            Ok(())
        })
        .await
    }

    /// Takes an open offer back.
    pub async fn cancel_offer(&self, id: OfferId) -> Result<(), StoreError> {
        self.write(move |write| step(write, id, OfferState::Open, OfferState::Cancelled)).await
    }

    /// Opens a taken offer again, because nothing came of the swap that took it.
    pub async fn reopen_offer(&self, id: OfferId) -> Result<(), StoreError> {
        self.write(move |write| step(write, id, OfferState::Taken, OfferState::Open)).await
    }

    /// Marks every open offer whose time is over. Their ids.
    pub async fn expire_offers(&self, now: UnixTime) -> Result<Vec<OfferId>, StoreError> {
        self.write(move |write| {
            let sql = "UPDATE offers SET state = 'expired' WHERE state = 'open' AND valid_until < ?1 RETURNING id";
            all_rows!(write.conn, sql, [now.secs()], |row| Ok(OfferId::from_bytes(row.get(0)?)))
        })
        .await
    }

    /// One offer.
    pub async fn offer(&self, id: OfferId) -> Result<Option<OfferRow>, StoreError> {
        self.read(move |read| find(read.conn, id)).await
    }

    /// Every open offer that may still be taken at `now`, soonest to end first.
    pub async fn open_offers(&self, now: UnixTime) -> Result<Vec<OfferRow>, StoreError> {
        self.read(move |read| all_rows!(read.conn, OPEN_OFFERS, [now.secs()], offer_row)).await
    }

    /// Offers of any state, newest first; `before` is the `next` of the page before.
    pub async fn list_offers(&self, before: Option<u64>, limit: u32) -> Result<Page<OfferRow>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
            let sql = "SELECT * FROM offers WHERE n < ?1 ORDER BY n DESC LIMIT ?2";
            Ok(Page::cut(all_rows!(read.conn, sql, (before, limit + 1), offer_row)?, limit, |offer| offer.number))
        })
        .await
    }
}

pub(super) const OPEN_OFFERS: &str =
    "SELECT * FROM offers INDEXED BY offers_open WHERE state = 'open' AND valid_until >= ?1 ORDER BY valid_until";

/// Takes an open offer; part of writing its swap down.
pub(super) fn take(write: &Write<'_>, id: OfferId) -> Result<(), StoreError> {
    step(write, id, OfferState::Open, OfferState::Taken)
}

fn step(write: &Write<'_>, id: OfferId, from: OfferState, to: OfferState) -> Result<(), StoreError> {
    let sql = "UPDATE offers SET state = ?3 WHERE id = ?1 AND state = ?2";
    if change!(write.conn, sql, (id.as_bytes(), from.word(), to.word()))? == 1 {
        return Ok(());
    }
    match find(write.conn, id)? {
        None => Err(StoreError::NoSuch("offer")),
        Some(offer) if offer.state == to => match to {
            // Said twice.
            OfferState::Open | OfferState::Cancelled | OfferState::Expired => Ok(()),
            OfferState::Taken => Err(StoreError::OfferNotOpen),
        },
        Some(_) => Err(StoreError::OfferNotOpen),
    }
}

fn find(conn: &Connection, id: OfferId) -> Result<Option<OfferRow>, StoreError> {
    first_row!(conn, "SELECT * FROM offers WHERE id = ?1", [id.as_bytes()], offer_row)
}

fn offer_row(row: &Row<'_>) -> Result<OfferRow, StoreError> {
    Ok(OfferRow {
        number: row.get("n")?,
        id: OfferId::from_bytes(row.get("id")?),
        body: row.get("body")?,
        state: parsed(&row.get::<_, String>("state")?, "offer state")?,
        valid_until: time(row, "valid_until")?,
        created_at: time(row, "created_at")?,
    })
}
