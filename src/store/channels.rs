//! Payment channels: the rows of their engine, what their owner wants of the chain, and the payments that have ended.
//!
//! One call writes everything (how: `channel_steps`) that a step of the engine changed, however many payments it carried. Rows are the engine's own
//! bytes; those that hold a secret are sealed. A start reads what is live and nothing else; what is live is written as a log first
//! (see `channel_log`).

use super::channel_log::fold;
use super::channel_steps::commit_channels;
use super::events::NewEvent;
use super::rows::{all_rows, first_row, page_limit, time};
use super::seal::Seals;
use super::swaps::Page;
use super::writer::Write;
use super::{Queued, Store, StoreError};
use photon_chains::{Address, Ledger, Secret, SecretHash, UnixTime};
use photon_channel::{
    ChannelId, ChannelRef, Commitment, Held, Key, LockNo, Malformed, Nonce, PaymentId, Reader, Reason, Row, Units, Wire,
};
use rusqlite::Row as SqlRow;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that one step of a ledger's channels writes: all of it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStep {
    /// Which ledger.
    pub ledger: Ledger,
    /// Rows of the core. Those that say how a payment ended are not written as they are: [`ChannelStep::ended`] says more.
    pub writes: Vec<photon_channel::Write>,
    /// The owner's notes on rows that are new, by their places among the rows.
    pub memos: BTreeMap<usize, String>,
    /// Payments that ended.
    pub ended: Vec<NewEnded>,
    /// Wishes for the chain: written, or struck out where there is none.
    pub wishes: Vec<(String, Option<String>)>,
    /// What listeners should hear.
    pub events: Vec<NewEvent>,
    /// What mediating has earned, by token, and for how many payments.
    pub fees: BTreeMap<Option<Address>, (Units, u64)>,
}

impl ChannelStep {
    /// A step of that ledger that writes nothing yet.
    pub const fn of(ledger: Ledger) -> Self {
        Self {
            ledger,
            writes: Vec::new(),
            memos: BTreeMap::new(),
            ended: Vec::new(),
            wishes: Vec::new(),
            events: Vec::new(),
            fees: BTreeMap::new(),
        }
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.ended.is_empty()
            && self.wishes.is_empty()
            && self.events.is_empty()
            && self.fees.is_empty()
    }
}

/// A payment that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnded {
    /// Whether it came in.
    pub is_incoming: bool,
    /// It came in without a request: nobody looks for it by its hash.
    pub is_unasked: bool,
    /// Its name.
    pub id: PaymentId,
    /// Over which channel.
    pub channel: ChannelId,
    /// In which token; none for the ledger's own coin.
    pub token: Option<Address>,
    /// Whom it was for; none where it came in.
    pub payee: Option<Address>,
    /// How much arrived.
    pub amount: Units,
    /// What mediators got besides.
    pub fee: Units,
    /// Its hash.
    pub secret_hash: Option<SecretHash>,
    /// The secret, which proves that it was paid.
    pub receipt: Option<Secret>,
    /// Why it was not made; none where it was.
    pub failed: Option<Reason>,
    /// The owner's note.
    pub memo: Option<String>,
    /// When it was asked for.
    pub created_at: UnixTime,
}

/// A payment that has ended, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedPayment {
    /// Its place in the order in which payments ended.
    pub number: u64,
    /// On which ledger.
    pub ledger: Ledger,
    /// The payment. Its receipt is left out.
    pub payment: NewEnded,
    /// When it ended.
    pub ended_at: UnixTime,
}

/// A live row, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRow {
    /// Which.
    pub key: Key,
    /// What.
    pub row: Row,
    /// When it was written first.
    pub at: UnixTime,
    /// The owner's note.
    pub memo: Option<String>,
}

/// What a start takes up of a ledger's channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveChannels {
    /// The core's rows.
    pub rows: Vec<LiveRow>,
    /// What the owner wants of the chain: key, body, and since when.
    pub wishes: Vec<(String, String, UnixTime)>,
}

impl Store {
    /// Writes a step of the channels' engine. Durable when it returns; only then may anything of it leave.
    pub async fn commit_channels(&self, step: ChannelStep) -> Result<(), StoreError> {
        self.write(commit_channels(step)).await
    }

    /// The same, to be waited for by the caller: steps are written in the order in which they were queued.
    pub async fn queue_channels(&self, step: ChannelStep) -> Result<Queued<()>, StoreError> {
        self.queue(commit_channels(step)).await
    }

    /// What is live. Costs nothing for what has ended.
    pub async fn live_channels(&self, ledger: Ledger) -> Result<LiveChannels, StoreError> {
        self.write(move |write| {
            fold(write)?;
            let rows = all_rows!(write.conn, LIVE, [ledger.name()], |row| live_row(write.seals, ledger, row))?;
            let wishes = "SELECT key, body, at FROM channel_wishes WHERE ledger = ?1 ORDER BY at, key";
            let wishes = all_rows!(write.conn, wishes, [ledger.name()], wish)?;
            Ok(LiveChannels { rows, wishes })
        })
        .await
    }

    /// The list that an update committed to: what was pending after it, in order, as it is known now. `incoming` says whose.
    pub async fn channel_list(
        &self,
        ledger: Ledger,
        of: ChannelRef,
        incoming: bool,
        nonce: Nonce,
    ) -> Result<Vec<Held>, StoreError> {
        self.write(move |write| {
            fold(write)?;
            list_at(write, ledger, &of, incoming, nonce)
        })
        .await
    }

    /// What an update of the holder's said: paid in all, and the commitment to what was pending.
    pub async fn channel_sent(
        &self,
        ledger: Ledger,
        of: ChannelRef,
        nonce: Nonce,
    ) -> Result<Option<(Units, Commitment)>, StoreError> {
        self.write(move |write| {
            fold(write)?;
            let key = Key::Sent(of, nonce);
            let sql = "SELECT row FROM channel_sent WHERE ledger = ?1 AND channel = ?2 AND epoch = ?3 AND nonce = ?4";
            let params = (ledger.name(), of.channel.as_bytes(), of.epoch.0, nonce.0);
            let read = |row: &SqlRow<'_>| opened(write.seals, ledger, &key, &row.get::<_, Vec<u8>>("row")?);
            let row = first_row!(write.conn, sql, params, read)?;
            match row {
                Some(Row::Sent(transferred, commitment)) => Ok(Some((transferred, commitment))),
                Some(_) => Err(StoreError::Unreadable("channel row")),
                None => Ok(None),
            }
        })
        .await
    }

    /// Those of these lives of channels of which something was written for good: an update, or the end of a lock.
    pub async fn with_history(&self, ledger: Ledger, of: Vec<ChannelRef>) -> Result<BTreeSet<ChannelRef>, StoreError> {
        self.write(move |write| {
            fold(write)?;
            let sql = "SELECT 1 FROM channel_sent WHERE ledger = ?1 AND channel = ?2 AND epoch = ?3 \
                       UNION ALL SELECT 1 FROM channel_gone WHERE ledger = ?1 AND channel = ?2 AND epoch = ?3 LIMIT 1";
            let mut found = BTreeSet::new();
            for of in of {
                let params = (ledger.name(), of.channel.as_bytes(), of.epoch.0);
                if first_row!(write.conn, sql, params, |_| Ok::<_, StoreError>(()))?.is_some() {
                    found.insert(of);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Payments that have ended, the newest first, at most `limit` of them, before that place.
    pub async fn ended_payments(&self, before: Option<u64>, limit: u32) -> Result<Page<EndedPayment>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
            let mut items = all_rows!(read.conn, ENDED, (before, limit + 1), payment_row)?;
            let next = (items.len() > limit).then(|| items.get(limit - 1).map(|last| last.number)).flatten();
            items.truncate(limit);
            Ok(Page { items, next })
        })
        .await
    }

    /// A payment of the owner's that has ended, by its name.
    pub async fn made_payment(&self, ledger: Ledger, id: PaymentId) -> Result<Option<EndedPayment>, StoreError> {
        self.read(move |read| first_row!(read.conn, MADE, (ledger.name(), id.as_bytes()), payment_row)).await
    }

    /// Whether payments of these names have ended.
    pub async fn have_ended(&self, ledger: Ledger, ids: Vec<PaymentId>) -> Result<BTreeSet<PaymentId>, StoreError> {
        self.read(move |read| {
            let mut found = BTreeSet::new();
            for id in ids {
                if first_row!(read.conn, MADE, (ledger.name(), id.as_bytes()), |_| Ok::<_, StoreError>(()))?.is_some() {
                    found.insert(id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Payments that came in for the hash of a request, the oldest first.
    pub async fn received_for(&self, hash: SecretHash) -> Result<Vec<EndedPayment>, StoreError> {
        self.read(move |read| all_rows!(read.conn, RECEIVED_FOR, [hash.as_bytes()], payment_row)).await
    }

    /// The secret that proves that a payment was made.
    pub async fn receipt_of(&self, ledger: Ledger, id: PaymentId) -> Result<Option<Secret>, StoreError> {
        self.read(move |read| {
            let made = first_row!(read.conn, MADE, (ledger.name(), id.as_bytes()), sealed_receipt)?;
            let Some(sealed) = made.flatten() else { return Ok(None) };
            let plain = read.seals.open(&receipt_place(ledger, &id), &sealed, "receipt")?;
            let secret = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| StoreError::Unreadable("receipt"))?;
            Ok(Some(Secret::from_bytes(secret)))
        })
        .await
    }
}

pub(super) const LIVE: &str = "SELECT key, row, at, memo FROM channel_live WHERE ledger = ?1 ORDER BY key";
pub(super) const ENDED: &str = "SELECT * FROM payments WHERE n < ?1 ORDER BY n DESC LIMIT ?2";
pub(super) const MADE: &str = "SELECT * FROM payments INDEXED BY payments_made WHERE ledger = ?1 AND id = ?2 AND incoming = 0";
pub(super) const RECEIVED_FOR: &str = "SELECT * FROM payments INDEXED BY payments_of_request WHERE hash = ?1 AND incoming = 1 AND unasked IS NULL ORDER BY n LIMIT 100";

pub(super) const PLAIN: u8 = 0;
pub(super) const SEALED: u8 = 1;
/// Of a list: see [`GoneTogether`].
pub(super) const SEALED_LIST: u8 = 2;

/// What a sealed row is bound to.
pub(super) fn row_place(ledger: Ledger, key: &Key) -> Vec<u8> {
    [b"photon/store/channels/1".as_slice(), &[0], ledger.name().as_bytes(), &[0], &key.to_bytes()].concat()
}

pub(super) fn receipt_place(ledger: Ledger, id: &PaymentId) -> Vec<u8> {
    [b"photon/store/receipts/1".as_slice(), &[0], ledger.name().as_bytes(), &[0], id.as_bytes()].concat()
}

fn opened(seals: &Seals, ledger: Ledger, key: &Key, bytes: &[u8]) -> Result<Row, StoreError> {
    let unreadable = StoreError::Unreadable("channel row");
    let row = match bytes.split_first() {
        Some((&PLAIN, plain)) => Row::from_bytes(plain),
        Some((&SEALED, sealed)) => {
            Row::from_bytes(&zeroize::Zeroizing::new(seals.open(&row_place(ledger, key), sealed, "channel row")?))
        }
        Some(_) | None => return Err(unreadable),
    };
    row.map_err(|_| unreadable)
}

fn live_row(seals: &Seals, ledger: Ledger, row: &SqlRow<'_>) -> Result<LiveRow, StoreError> {
    let key = Key::from_bytes(&row.get::<_, Vec<u8>>("key")?).map_err(|_| StoreError::Unreadable("channel row"))?;
    let bytes: Vec<u8> = row.get("row")?;
    Ok(LiveRow { row: opened(seals, ledger, &key, &bytes)?, key, at: time(row, "at")?, memo: row.get("memo")? })
}

fn wish(row: &SqlRow<'_>) -> Result<(String, String, UnixTime), StoreError> {
    Ok((row.get("key")?, row.get("body")?, time(row, "at")?))
}

fn sealed_receipt(row: &SqlRow<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(row.get("receipt")?)
}

/// Locks that one update took off the list, in rising order: one row for all of them.
pub(super) struct GoneTogether(pub(super) Vec<Held>);

impl GoneTogether {
    /// Writes such a row from where its locks are.
    pub(super) fn put_all<'a>(locks: impl ExactSizeIterator<Item = &'a Held>, out: &mut Vec<u8>) {
        // The writer keeps them few: see [`super::channel_steps`].
        u16::try_from(locks.len()).unwrap_or(u16::MAX).put(out);
        locks.for_each(|held| held.put(out));
    }
}

impl Wire for GoneTogether {
    fn put(&self, out: &mut Vec<u8>) {
        Self::put_all(self.0.iter(), out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.list(usize::from(u16::MAX)).map(Self)
    }
}

/// The locks in a row of those that are gone: one, or several.
fn gone_locks(seals: &Seals, ledger: Ledger, key: &Key, bytes: &[u8]) -> Result<Vec<Held>, StoreError> {
    let unreadable = StoreError::Unreadable("channel row");
    if let Some((&SEALED_LIST, sealed)) = bytes.split_first() {
        let plain = zeroize::Zeroizing::new(seals.open(&row_place(ledger, key), sealed, "channel row")?);
        return GoneTogether::from_bytes(&plain).map(|gone| gone.0).map_err(|_| unreadable);
    }
    match opened(seals, ledger, key, bytes)? {
        Row::Gone(held, _) => Ok(vec![*held]),
        _ => Err(unreadable),
    }
}

/// A lock is in an update's list if that update or one before it added it, and one after it took it off, or none did.
fn list_at(write: &Write<'_>, ledger: Ledger, of: &ChannelRef, incoming: bool, nonce: Nonce) -> Result<Vec<Held>, StoreError> {
    let last = LockNo::new(nonce, u16::MAX).0;
    let sql = "SELECT number, row FROM channel_gone WHERE ledger = ?1 AND channel = ?2 AND epoch = ?3 AND incoming = ?4 \
               AND number <= ?5 AND gone_by > ?6 ORDER BY number";
    let params = (ledger.name(), of.channel.as_bytes(), of.epoch.0, incoming, last, nonce.0);
    let gone = all_rows!(write.conn, sql, params, |row| {
        let key = Key::Gone(*of, incoming, LockNo(row.get("number")?));
        gone_locks(write.seals, ledger, &key, &row.get::<_, Vec<u8>>("row")?)
    })?;
    let (first, end) = (Key::Lock(*of, incoming, LockNo(0)).to_bytes(), Key::Lock(*of, incoming, LockNo(last)).to_bytes());
    let sql = "SELECT key, row, at, memo FROM channel_live WHERE ledger = ?1 AND key BETWEEN ?2 AND ?3";
    let live = all_rows!(write.conn, sql, (ledger.name(), first, end), |row| live_row(write.seals, ledger, row))?;
    // Of those that went together some may have been added later.
    let mut list: Vec<Held> = gone.into_iter().flatten().filter(|held| held.lock.number.0 <= last).collect();
    for row in live.into_iter().map(|live| live.row) {
        let Row::Lock(held) = row else { return Err(StoreError::Unreadable("channel row")) };
        list.push(*held);
    }
    list.sort_by_key(|held| held.lock.number);
    Ok(list)
}

fn payment_row(row: &SqlRow<'_>) -> Result<EndedPayment, StoreError> {
    let unreadable = || StoreError::Unreadable("payment");
    let units = |column: &str| -> Result<Units, StoreError> {
        let text: String = row.get(column)?;
        text.parse().ok().and_then(Units::new).ok_or_else(unreadable)
    };
    let failed: Option<String> = row.get("failed")?;
    let failed = failed.map(|word| Reason::named(&word).ok_or_else(unreadable)).transpose()?;
    Ok(EndedPayment {
        number: row.get("n")?,
        ledger: super::rows::parsed(&row.get::<_, String>("ledger")?, "ledger")?,
        ended_at: time(row, "ended_at")?,
        payment: NewEnded {
            is_incoming: row.get("incoming")?,
            is_unasked: row.get::<_, Option<bool>>("unasked")?.unwrap_or_default(),
            id: PaymentId::from_bytes(row.get("id")?),
            channel: ChannelId::from_bytes(row.get("channel")?),
            token: row.get::<_, Option<[u8; 20]>>("token")?.map(Address::from_bytes),
            payee: row.get::<_, Option<[u8; 20]>>("payee")?.map(Address::from_bytes),
            amount: units("amount")?,
            fee: units("fee")?,
            secret_hash: row.get::<_, Option<[u8; 32]>>("hash")?.map(SecretHash::from_bytes),
            receipt: None,
            failed,
            memo: row.get("memo")?,
            created_at: time(row, "created_at")?,
        },
    })
}
