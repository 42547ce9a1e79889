//! What the engine of the channels changes of its live rows, as a log that is folded into the rows from time to time.
//!
//! A payment by a lock changes a dozen live rows on its way, and most of them are gone again a moment later. Written one by one
//! each would cost a statement and a seal of its own: two thirds of what a mediated payment costs in all. So a step writes one
//! sealed record with everything it has changed, durable as any write is. The rows are brought up to date once the log is long,
//! and before anybody reads them: what has come and gone in between is never written as a row, and a start finds a log of bounded
//! length. What an update committed to is kept for good, and goes through the log too: it is one page less for each step.
//!
//! Rejected: rows that are only rewritten where they differ (each still costs a statement), and a log without rows below it (a
//! start would cost what was ever done, or somebody had to write the whole world down now and then).

use super::StoreError;
use super::channels::{PLAIN, SEALED, row_place};
use super::rows::{all_rows, change, first_row, parsed};
use super::writer::Write;
use photon_chains::Ledger;
use photon_channel::{Key, Malformed, Reader, Wire};
use rusqlite::Row as SqlRow;
use std::collections::{HashMap, HashSet};
use zeroize::Zeroizing;

/// Bytes after which the log is folded: what is folded is then mostly what nobody needs any more.
pub(super) const LONG: u64 = 4 << 20;
/// Bytes after which a record is closed; what else a step has changed goes into the next.
const RECORD: usize = 256 << 10;
/// Most changes take fewer bytes.
const USUAL_BYTES: usize = 256;

const GONE: u8 = 0;
const THERE: u8 = 1;

/// Adds what a step has changed, each change with the owner's note where its row is new and has one.
pub(super) fn append(
    write: &mut Write<'_>,
    ledger: Ledger,
    changes: &[(&photon_channel::Write, Option<&String>)],
) -> Result<(), StoreError> {
    let last = "SELECT n, upto FROM channel_log ORDER BY n DESC LIMIT 1";
    let last =
        first_row!(write.conn, last, [], |row| Ok::<_, StoreError>((row.get::<_, u64>("n")?, row.get::<_, u64>("upto")?)))?;
    let (mut number, mut upto) = last.unwrap_or_default();
    let mut rest = changes;
    while !rest.is_empty() {
        let mut record = Zeroizing::new(Vec::with_capacity((rest.len() * USUAL_BYTES).min(RECORD)));
        while let Some((next, after)) = rest.split_first()
            && record.len() < RECORD
        {
            put_change(&mut record, next.0, next.1);
            rest = after;
        }
        number += 1;
        upto += record.len() as u64;
        let body = write.seals.seal(&place(ledger, number), &record)?;
        let sql = "INSERT INTO channel_log(n, ledger, at, upto, body) VALUES(?1, ?2, ?3, ?4, ?5)";
        change!(write.conn, sql, (number, ledger.name(), write.now.secs(), upto, body))?;
        write.tail.add(Record { ledger, at: write.now.secs(), plain: record });
    }
    if upto >= LONG { fold(write) } else { Ok(()) }
}

fn put_change(out: &mut Vec<u8>, photon_channel::Write { key, row }: &photon_channel::Write, memo: Option<&String>) {
    key.put(out);
    let Some(row) = row else { return out.push(GONE) };
    out.push(THERE);
    memo.map(|memo| memo.clone().into_bytes()).put(out);
    row.is_secret().put(out);
    // Its length is known once it is written.
    let place = out.len();
    0u32.put(out);
    row.put(out);
    let written = out.len() - place - size_of::<u32>();
    if let Some(length) = out.get_mut(place..place + size_of::<u32>()) {
        // A row is far smaller than 4 GiB.
        length.copy_from_slice(&u32::try_from(written).unwrap_or(u32::MAX).to_be_bytes());
    }
}

/// What a sealed record is bound to.
fn place(ledger: Ledger, number: u64) -> Vec<u8> {
    [b"photon/store/channel-log/1".as_slice(), &[0], ledger.name().as_bytes(), &[0], &number.to_be_bytes()].concat()
}

/// A record as it was written.
struct Record {
    ledger: Ledger,
    at: u64,
    plain: Zeroizing<Vec<u8>>,
}

/// The log as this process has written it, for whoever folds it: there is no need to read and open it again.
#[derive(Default)]
pub(super) struct Tail {
    records: Vec<Record>,
    /// Whether these are all there are. Not before the first folding, which finds what an earlier process has left.
    is_all: bool,
}

impl Tail {
    fn add(&mut self, record: Record) {
        if self.is_all {
            self.records.push(record);
        }
    }

    /// A write was undone, and perhaps what it had added: the log is read again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self) -> Option<Vec<Record>> {
        let Self { records, is_all } = std::mem::take(self);
        is_all.then_some(records)
    }
}

/// What the log says of a row in the end.
#[derive(Default)]
struct Last<'a> {
    /// What was there before the log, or at some time during it, was deleted.
    is_anew: bool,
    row: Option<Put<'a>>,
}

/// A row that is there in the end: as it was written last, and when, and with which note, it was written first.
struct Put<'a> {
    at: u64,
    memo: Option<&'a [u8]>,
    is_secret: bool,
    bytes: &'a [u8],
}

/// Brings the rows up to date, and empties the log.
pub(super) fn fold(write: &mut Write<'_>) -> Result<(), StoreError> {
    let records = match write.tail.take() {
        Some(records) => records,
        None => all_rows!(write.conn, "SELECT n, ledger, at, body FROM channel_log ORDER BY n", [], |row| read(write, row))?,
    };
    if !records.is_empty() {
        fold_records(write, &records)?;
    }
    write.tail.is_all = true;
    Ok(())
}

fn fold_records(write: &Write<'_>, records: &[Record]) -> Result<(), StoreError> {
    let mut all: HashMap<(Ledger, Key), Last<'_>> = HashMap::new();
    for record in records {
        take_in(record, &mut all).map_err(|_| StoreError::Unreadable("channel log"))?;
    }
    let put = "INSERT INTO channel_live(ledger, key, row, at, memo) VALUES(?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT(ledger, key) DO UPDATE SET row = excluded.row";
    let mut put = write.conn.prepare_cached(put)?;
    let sent = "INSERT INTO channel_sent(ledger, channel, epoch, nonce, row) VALUES(?1, ?2, ?3, ?4, ?5)";
    let mut sent = write.conn.prepare_cached(sent)?;
    let mut delete = write.conn.prepare_cached("DELETE FROM channel_live WHERE ledger = ?1 AND key = ?2")?;
    let mut rows: HashMap<Ledger, HashSet<Vec<u8>>> = HashMap::new();
    for (ledger, name) in all_rows!(write.conn, "SELECT ledger, key FROM channel_live", [], row_name)? {
        rows.entry(ledger).or_default().insert(name);
    }
    // To delete what was never a row costs as much as if it had been one. Most of what has come is gone again.
    let mut name = Vec::new();
    let mut is_row = |ledger: &Ledger, key: &Key| {
        name.clear();
        key.put(&mut name);
        rows.get(ledger).is_some_and(|names| names.contains(name.as_slice()))
    };
    let mut all: Vec<_> = all
        .into_iter()
        .filter_map(|((ledger, key), Last { is_anew, row })| {
            let is_old = is_anew && is_row(&ledger, &key);
            (is_old || row.is_some()).then_some((ledger, key, is_old, row))
        })
        .collect();
    // As they stand in the tables.
    all.sort_unstable_by_key(|(ledger, key, ..)| (*ledger, *key));
    for (ledger, key, is_old, row) in &all {
        if let (Key::Sent(of, nonce), Some(Put { bytes, .. })) = (key, row) {
            let bytes = [&[PLAIN], *bytes].concat();
            sent.execute((ledger.name(), of.channel.as_bytes(), of.epoch.0, nonce.0, bytes))?;
            continue;
        }
        let name = key.to_bytes();
        if *is_old {
            delete.execute((ledger.name(), &name))?;
        }
        let Some(Put { at, memo, is_secret, bytes }) = row else { continue };
        let bytes = match is_secret {
            true => [&[SEALED], write.seals.seal(&row_place(*ledger, key), bytes)?.as_slice()].concat(),
            false => [&[PLAIN], *bytes].concat(),
        };
        let memo = memo.map(std::str::from_utf8).transpose().map_err(|_| StoreError::Unreadable("channel log"))?;
        put.execute((ledger.name(), &name, bytes, at, memo))?;
    }
    change!(write.conn, "DELETE FROM channel_log", [])?;
    Ok(())
}

fn row_name(row: &SqlRow<'_>) -> Result<(Ledger, Vec<u8>), StoreError> {
    Ok((parsed(&row.get::<_, String>("ledger")?, "ledger")?, row.get("key")?))
}

fn read(write: &Write<'_>, row: &SqlRow<'_>) -> Result<Record, StoreError> {
    let ledger = parsed(&row.get::<_, String>("ledger")?, "ledger")?;
    let body = row.get_ref("body")?.as_blob().map_err(|_| StoreError::Unreadable("channel log"))?;
    let plain = Zeroizing::new(write.seals.open(&place(ledger, row.get("n")?), body, "channel log")?);
    Ok(Record { ledger, at: row.get("at")?, plain })
}

fn take_in<'a>(record: &'a Record, all: &mut HashMap<(Ledger, Key), Last<'a>>) -> Result<(), Malformed> {
    let mut from = Reader::new(&record.plain);
    while !from.is_empty() {
        let last = all.entry((record.ledger, Key::get(&mut from)?)).or_default();
        if u8::get(&mut from)? == GONE {
            *last = Last { is_anew: true, row: None };
            continue;
        }
        let memo = if bool::get(&mut from)? { Some(bytes(&mut from)?) } else { None };
        let (is_secret, bytes) = (bool::get(&mut from)?, bytes(&mut from)?);
        let (at, memo) = last.row.as_ref().map_or((record.at, memo), |put| (put.at, put.memo));
        last.row = Some(Put { at, memo, is_secret, bytes });
    }
    Ok(())
}

/// Bytes with their length in front, where they stand.
fn bytes<'a>(from: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let length = u32::get(from)?;
    from.take(usize::try_from(length).map_err(|_| Malformed)?)
}
