//! How a step of the channels' engine is written. See [`super::channels`].

use super::StoreError;
use super::channels::{ChannelStep, GoneTogether, NewEnded, SEALED_LIST, receipt_place, row_place};
use super::events::append;
use super::points;
use super::rows::change;
use super::writer::Write;
use photon_chains::{Address, Ledger, SecretHash};
use photon_channel::{ChannelRef, Held, Key, LockNo, Nonce, Reason, Row};
use rusqlite::ToSql;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// What is named so where a process may be stopped, whoever waits for it.
pub(super) fn commit_channels(step: ChannelStep) -> impl FnOnce(&mut Write<'_>) -> Result<(), StoreError> + Send + 'static {
    move |write| write_step(write, &step)
}

fn write_step(write: &mut Write<'_>, step: &ChannelStep) -> Result<(), StoreError> {
    write_rows(write, step)?;
    write_ended(write, step.ledger, &step.ended)?;
    for (key, body) in &step.wishes {
        write_wish(write, step.ledger, key, body.as_deref())?;
    }
    for event in &step.events {
        append(write, event)?;
    }
    for (token, (earned, payments)) in &step.fees {
        super::fees::add(write, step.ledger, *token, *earned, *payments)?;
    }
    if points::ARE_THERE {
        kinds(step).iter().for_each(|kind| points::detail(format_args!("{kind}")));
    }
    Ok(())
}

/// What a step writes, as points of crashes name it.
fn kinds(step: &ChannelStep) -> BTreeSet<&'static str> {
    let is_row = |one: &&photon_channel::Write| !matches!(one.key, Key::Outcome(_) | Key::Received(..));
    let rows = step.writes.iter().filter(is_row).map(|one| word(&one.key, one.row.is_some()));
    let ended = step.ended.iter().map(|ended| if ended.is_incoming { "received" } else { "ended" });
    let wishes = step.wishes.iter().map(|(_, body)| if body.is_some() { "wish" } else { "wish-" });
    rows.chain(ended).chain(wishes).collect()
}

/// A row's kind, as points of crashes name it.
const fn word(key: &Key, is_there: bool) -> &'static str {
    match (key, is_there) {
        (Key::Channel(_), true) => "channel",
        (Key::Channel(_), false) => "channel-",
        (Key::Lock(_, true, _), true) => "lock-in",
        (Key::Lock(_, true, _), false) => "lock-in-",
        (Key::Lock(_, false, _), true) => "lock-out",
        (Key::Lock(_, false, _), false) => "lock-out-",
        (Key::Unacked(..), true) => "update",
        (Key::Unacked(..), false) => "update-",
        (Key::Disposed(..), true) => "disposed",
        (Key::Disposed(..), false) => "disposed-",
        (Key::Payment(_), true) => "payment",
        (Key::Payment(_), false) => "payment-",
        (Key::Request(_), true) => "request",
        (Key::Request(_), false) => "request-",
        (Key::Unseen(_), true) => "unseen",
        (Key::Unseen(_), false) => "unseen-",
        (Key::Sent(..), _) => "sent",
        (Key::Gone(..), _) => "gone",
        (Key::Outcome(_), _) => "outcome",
        (Key::Received(..), _) => "received",
    }
}

/// The core's rows. What is live, and what updates committed to, goes into the log (see [`super::channel_log`]). Rows of what has
/// ended are few and large: locks that go with one update share one.
fn write_rows(write: &mut Write<'_>, step: &ChannelStep) -> Result<(), StoreError> {
    let name = step.ledger.name();
    let mut live = Vec::with_capacity(step.writes.len());
    let mut gone: BTreeMap<(ChannelRef, bool, Nonce), BTreeMap<LockNo, &Held>> = BTreeMap::new();
    for (place, one) in step.writes.iter().enumerate() {
        let photon_channel::Write { key, row } = one;
        match (key, row) {
            (Key::Gone(of, incoming, number), Some(Row::Gone(held, by))) => {
                gone.entry((*of, *incoming, *by)).or_default().insert(*number, &**held);
            }
            // They are told as payments that have ended.
            (Key::Outcome(_) | Key::Received(..), _) => {}
            (_, _) => live.push((one, step.memos.get(&place))),
        }
    }
    super::channel_log::append(write, step.ledger, &live)?;
    for ((of, incoming, by), locks) in gone {
        let locks: Vec<(LockNo, &Held)> = locks.into_iter().collect();
        for some in locks.chunks(GONE_TOGETHER) {
            let Some((first, _)) = some.first() else { continue };
            let key = Key::Gone(of, incoming, *first);
            let mut plain = Zeroizing::new(Vec::with_capacity(some.len() * USUAL_BYTES));
            GoneTogether::put_all(some.iter().map(|(_, held)| *held), &mut plain);
            let bytes = [&[SEALED_LIST], write.seals.seal(&row_place(step.ledger, &key), &plain)?.as_slice()].concat();
            let sql = "INSERT INTO channel_gone(ledger, channel, epoch, incoming, number, gone_by, row) \
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            change!(write.conn, sql, (name, of.channel.as_bytes(), of.epoch.0, incoming, first.0, by.0, bytes))?;
        }
    }
    Ok(())
}

/// Most locks take fewer bytes.
const USUAL_BYTES: usize = 384;

/// Locks of one row at the most: with the longest ways in them they fit.
const GONE_TOGETHER: usize = 32;

/// How many rows one statement inserts, if there are so many: each has its own costs besides those of the rows.
const TOGETHER: [usize; 3] = [16, 4, 1];

/// Values of one row.
const COLUMNS: usize = 15;

fn write_ended(write: &Write<'_>, ledger: Ledger, mut ended: &[NewEnded]) -> Result<(), StoreError> {
    for count in TOGETHER {
        while let Some((some, rest)) = ended.split_at_checked(count) {
            insert_ended(write, ledger, some)?;
            ended = rest;
        }
    }
    Ok(())
}

fn insert_ended(write: &Write<'_>, ledger: Ledger, ended: &[NewEnded]) -> Result<(), StoreError> {
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let sql = format!(
        "INSERT INTO payments(ledger, incoming, id, channel, payee, amount, fee, hash, receipt, failed, memo, created_at, \
         ended_at, token, unasked) VALUES {}",
        vec![row; ended.len()].join(", ")
    );
    let mut insert = write.conn.prepare_cached(&sql)?;
    for (at, one) in ended.iter().enumerate() {
        let receipt = match &one.receipt {
            Some(secret) => Some(write.seals.seal(&receipt_place(ledger, &one.id), secret.expose())?),
            None => None,
        };
        let (amount, fee) = (one.amount.to_string(), one.fee.to_string());
        let values: [&dyn ToSql; COLUMNS] = [
            &ledger.name(),
            &one.is_incoming,
            one.id.as_bytes(),
            one.channel.as_bytes(),
            &one.payee.as_ref().map(Address::as_bytes),
            &amount,
            &fee,
            &one.secret_hash.as_ref().map(SecretHash::as_bytes),
            &receipt,
            &one.failed.map(Reason::word),
            &one.memo,
            &one.created_at.secs(),
            &write.now.secs(),
            &one.token.as_ref().map(Address::as_bytes),
            &one.is_unasked.then_some(true),
        ];
        for (place, value) in values.into_iter().enumerate() {
            insert.raw_bind_parameter(at * COLUMNS + place + 1, value)?;
        }
    }
    insert.raw_execute()?;
    Ok(())
}

fn write_wish(write: &Write<'_>, ledger: Ledger, key: &str, body: Option<&str>) -> Result<(), StoreError> {
    match body {
        Some(body) => {
            let sql = "INSERT INTO channel_wishes(ledger, key, body, at) VALUES(?1, ?2, ?3, ?4) \
                       ON CONFLICT(ledger, key) DO UPDATE SET body = excluded.body";
            change!(write.conn, sql, (ledger.name(), key, body, write.now.secs()))?
        }
        None => change!(write.conn, "DELETE FROM channel_wishes WHERE ledger = ?1 AND key = ?2", (ledger.name(), key))?,
    };
    Ok(())
}
