//! A swap's facts and its outbox: the step that saves both at once, and what is loaded at start.

use super::events::{NewEvent, append};
use super::points;
use super::reader::Read;
use super::rows::{all_rows, change, first_row, time};
use super::scores;
use super::seal::Seals;
use super::swaps::{SwapRow, find, swap_row};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::{Canon, UnixTime};
use photon_swap::{Effect, Fact, SwapId};
use rusqlite::{Connection, Row};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A fact to be written. Two facts of one swap with the same kind and body are one fact.
#[derive(Clone, PartialEq, Eq)]
pub struct FactRow {
    /// What kind, in a word or two.
    pub kind: String,
    /// The fact, as JSON, at most 64 KiB.
    pub body: String,
    /// It holds a secret: sealed at rest, never shown by `Debug`.
    pub is_secret: bool,
}

impl fmt::Debug for FactRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_fact(f, "FactRow", &self.kind, &self.body, self.is_secret)
    }
}

/// Something to be done outside, kept until it is done. A swap has at most one effect of a key: a newer body replaces an older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRow {
    /// Names the duty within its swap.
    pub key: String,
    /// The effect, as JSON, at most 64 KiB, without secrets.
    pub body: String,
}

/// Everything that one step of a swap writes: all of it, or nothing.
#[derive(Clone, Debug, Default)]
pub struct StepRows {
    /// What became known.
    pub facts: Vec<FactRow>,
    /// What must be done now.
    pub effects: Vec<EffectRow>,
    /// Those effects are all that is wanted: what else stands in the swap's outbox is struck out.
    pub is_all_wanted: bool,
    /// Effects that are done, by [`StoredEffect::number`].
    pub done: Vec<u64>,
    /// What listeners should hear.
    pub events: Vec<NewEvent>,
    /// The swap ends, with this outcome: `completed`, `refunded`, `void`, ... Its outbox is emptied and it is live no more.
    pub end: Option<String>,
}

impl FactRow {
    /// The row of a fact of the swap core. The secret is sealed although it is public by then: it may have been seen on one
    /// ledger only.
    pub fn of(fact: &Fact) -> Result<Self, StoreError> {
        let is_secret = match fact {
            Fact::Secret { .. } => true,
            Fact::Agreed
            | Fact::FundIntent
            | Fact::CancelIntent
            | Fact::RevealIntent
            | Fact::NeverReveal
            | Fact::Ended { .. } => false,
        };
        let body = serde_json::to_string(fact).map_err(|_| StoreError::Unreadable("fact"))?;
        Ok(Self { kind: fact.word().to_owned(), body, is_secret })
    }
}

impl StoredFact {
    /// The fact of the swap core.
    pub fn fact(&self) -> Result<Fact, StoreError> {
        // The parser's own message is dropped: it may quote the text.
        serde_json::from_str(&self.body).map_err(|_| StoreError::Unreadable("fact"))
    }
}

impl EffectRow {
    /// The row of an effect of the swap core, named by leg and kind.
    pub fn of(effect: &Effect) -> Result<Self, StoreError> {
        let body = serde_json::to_string(effect).map_err(|_| StoreError::Unreadable("effect"))?;
        Ok(Self { key: format!("{}/{}", effect.leg, effect.kind.purpose().word()), body })
    }
}

impl StoredEffect {
    /// The effect of the swap core.
    pub fn effect(&self) -> Result<Effect, StoreError> {
        serde_json::from_str(&self.body).map_err(|_| StoreError::Unreadable("effect"))
    }
}

/// What a step changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWritten {
    /// Facts that were new.
    pub new_facts: usize,
    /// The step's effects as they stand in the outbox, to be done now.
    pub effects: Vec<StoredEffect>,
}

/// A fact that was written.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// When it was written down.
    pub at: UnixTime,
    /// What kind.
    pub kind: String,
    /// The fact, as JSON.
    pub body: String,
    /// It holds a secret.
    pub is_secret: bool,
}

impl fmt::Debug for StoredFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_fact(f, "StoredFact", &self.kind, &self.body, self.is_secret)
    }
}

fn debug_fact(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, body: &str, is_secret: bool) -> fmt::Result {
    f.debug_struct(name).field("kind", &kind).field("body", &if is_secret { "hidden" } else { body }).finish_non_exhaustive()
}

/// An effect that is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEffect {
    /// Names this very row: an effect of the same key that is asked for again later has another number.
    pub number: u64,
    /// When it was first asked for.
    pub at: UnixTime,
    /// Names the duty within its swap.
    pub key: String,
    /// The effect, as JSON.
    pub body: String,
}

/// A swap with all that is known of it and all that must still be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapRecord {
    /// What was agreed.
    pub swap: SwapRow,
    /// What is known, oldest first.
    pub facts: Vec<StoredFact>,
    /// What must be done, oldest first.
    pub outbox: Vec<StoredEffect>,
}

impl Store {
    /// How many effects of live swaps wait to be done, and when the oldest of them was first asked for.
    pub async fn outbox_age(&self) -> Result<(u64, Option<UnixTime>), StoreError> {
        self.read(|read| {
            let mut query = read.conn.prepare_cached("SELECT count(*), min(at) FROM outbox")?;
            let (waiting, oldest): (u64, Option<u64>) = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((waiting, oldest.map(UnixTime::from_secs)))
        })
        .await
    }

    /// Writes one step of a swap: facts, effects and events together. Durable when it returns; only then may an effect be done.
    /// Writing the same step twice is harmless. A swap that has ended takes nothing new ([`StoreError::SwapEnded`]).
    pub async fn commit_step(&self, id: SwapId, step: StepRows) -> Result<StepWritten, StoreError> {
        self.write(move |write| write_step(write, id, &step)).await
    }

    /// Takes an effect out of the outbox. False if it was not there any more.
    pub async fn effect_done(&self, number: u64) -> Result<bool, StoreError> {
        self.write(move |write| Ok(change!(write.conn, "DELETE FROM outbox WHERE n = ?1", [number])? == 1)).await
    }

    /// Every swap that has not ended, oldest first: what a start has to take up again. Costs nothing for ended ones.
    pub async fn live_swaps(&self) -> Result<Vec<SwapRecord>, StoreError> {
        self.read(load_live).await
    }
}

fn write_step(write: &mut Write<'_>, id: SwapId, step: &StepRows) -> Result<StepWritten, StoreError> {
    let swap = find(write.conn, id)?.ok_or(StoreError::NoSuch("swap"))?;
    step.facts.iter().for_each(|fact| points::detail(format_args!("{}", fact.kind)));
    step.effects.iter().for_each(|effect| points::detail(format_args!("{}", effect.key)));
    let new_facts = write_facts(write, &swap, &step.facts)?;
    if swap.ended.is_some() {
        // The very step that ended it may come twice; anything new comes too late.
        return if new_facts == 0 { Ok(StepWritten { new_facts, effects: Vec::new() }) } else { Err(StoreError::SwapEnded) };
    }
    for number in &step.done {
        change!(write.conn, "DELETE FROM outbox WHERE n = ?1 AND swap = ?2", (number, swap.number))?;
    }
    let mut effects = Vec::with_capacity(step.effects.len());
    for effect in &step.effects {
        effects.push(write_effect(write, swap.number, effect)?);
    }
    if step.is_all_wanted {
        strike_out_others(write.conn, swap.number, &effects)?;
    }
    for event in &step.events {
        append(write, event)?;
    }
    if let Some(outcome) = &step.end {
        end(write, swap.number, outcome)?;
        effects.clear();
    }
    Ok(StepWritten { new_facts, effects })
}

/// How many were new.
pub(super) fn write_facts(write: &Write<'_>, swap: &SwapRow, facts: &[FactRow]) -> Result<usize, StoreError> {
    let mut new_facts = 0;
    for fact in facts {
        new_facts += usize::from(write_fact(write, swap, fact)?);
    }
    Ok(new_facts)
}

fn write_fact(write: &Write<'_>, swap: &SwapRow, fact: &FactRow) -> Result<bool, StoreError> {
    let digest = write.seals.digest(&identity(swap.id, &fact.kind).text(&fact.body).finish());
    let place = identity(swap.id, &fact.kind).bytes(&digest).finish();
    let sealed = if fact.is_secret { Some(write.seals.seal(&place, fact.body.as_bytes())?) } else { None };
    let body = if fact.is_secret { None } else { Some(&fact.body) };
    let sql = "INSERT INTO facts(swap, at, kind, digest, body, sealed) VALUES(?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT(swap, kind, digest) DO NOTHING";
    Ok(change!(write.conn, sql, (swap.number, write.now.secs(), &fact.kind, digest, body, sealed))? == 1)
}

fn identity(swap: SwapId, kind: &str) -> Canon {
    Canon::tagged("photon/store/facts/1").bytes(swap.as_bytes()).text(kind)
}

fn write_effect(write: &Write<'_>, swap: u64, effect: &EffectRow) -> Result<StoredEffect, StoreError> {
    let sql = "SELECT * FROM outbox WHERE swap = ?1 AND key = ?2";
    let standing = first_row!(write.conn, sql, (swap, &effect.key), effect_row)?;
    match standing {
        Some(standing) if standing.body == effect.body => return Ok(standing),
        // Another row, with a number of its own: whoever is doing the old one must not strike out the new one.
        Some(standing) => change!(write.conn, "DELETE FROM outbox WHERE n = ?1", [standing.number])?,
        None => 0,
    };
    let sql = "INSERT INTO outbox(swap, at, key, body) VALUES(?1, ?2, ?3, ?4) RETURNING *";
    first_row!(write.conn, sql, (swap, write.now.secs(), &effect.key, &effect.body), effect_row)?
        .ok_or(StoreError::Unreadable("effect"))
}

fn strike_out_others(conn: &Connection, swap: u64, wanted: &[StoredEffect]) -> Result<(), StoreError> {
    let wanted: HashSet<u64> = wanted.iter().map(|effect| effect.number).collect();
    for standing in load_outbox(conn, swap)?.into_iter().filter(|standing| !wanted.contains(&standing.number)) {
        change!(conn, "DELETE FROM outbox WHERE n = ?1", [standing.number])?;
    }
    Ok(())
}

fn end(write: &Write<'_>, swap: u64, outcome: &str) -> Result<(), StoreError> {
    change!(write.conn, "UPDATE swaps SET ended_at = ?2, outcome = ?3 WHERE n = ?1", (swap, write.now.secs(), outcome))?;
    change!(write.conn, "DELETE FROM outbox WHERE swap = ?1", [swap])?;
    scores::count(write, swap, outcome)
}

pub(super) const LIVE_SWAPS: &str = "SELECT * FROM swaps INDEXED BY swaps_live WHERE ended_at IS NULL ORDER BY n";
// CROSS JOIN tells SQLite to walk the live swaps and look up the facts of each, never the other way round.
pub(super) const LIVE_FACTS: &str = "SELECT f.* FROM swaps s INDEXED BY swaps_live CROSS JOIN facts f ON f.swap = s.n \
                                     WHERE s.ended_at IS NULL ORDER BY s.n, f.n";
const LIVE_FACTS_COUNT: &str = "SELECT count(*) FROM swaps s INDEXED BY swaps_live CROSS JOIN facts f INDEXED BY sqlite_autoindex_facts_1 \
                                ON f.swap = s.n WHERE s.ended_at IS NULL";
// Only live swaps have rows here.
pub(super) const LIVE_OUTBOX: &str = "SELECT * FROM outbox ORDER BY n";

fn load_live(read: &Read<'_>) -> Result<Vec<SwapRecord>, StoreError> {
    let swaps = all_rows!(read.conn, LIVE_SWAPS, [], swap_row)?;
    let places: HashMap<u64, usize> = swaps.iter().enumerate().map(|(place, swap)| (swap.number, place)).collect();
    let record = |swap| SwapRecord { swap, facts: Vec::new(), outbox: Vec::new() };
    let mut records: Vec<SwapRecord> = swaps.into_iter().map(record).collect();
    let mut facts = read.conn.prepare_cached(LIVE_FACTS)?;
    let mut rows = facts.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(record) = places.get(&row.get("swap")?).and_then(|place| records.get_mut(*place)) {
            let fact = fact_row(read.seals, record.swap.id, row)?;
            record.facts.push(fact);
        }
    }
    // A damaged index finds fewer facts, and another swap; another index has the same number of entries.
    let loaded: usize = records.iter().map(|record| record.facts.len()).sum();
    let counted: usize = read.conn.prepare_cached(LIVE_FACTS_COUNT)?.query_row([], |row| row.get(0))?;
    if loaded != counted || places.len() != records.len() || records.iter().any(|record| record.swap.ended.is_some()) {
        return Err(StoreError::Unreadable("swap"));
    }
    for (swap, effect) in all_rows!(read.conn, LIVE_OUTBOX, [], |row| Ok((row.get("swap")?, effect_row(row)?)))? {
        let record = places.get(&swap).and_then(|place| records.get_mut(*place));
        record.ok_or(StoreError::Unreadable("effect"))?.outbox.push(effect);
    }
    Ok(records)
}

pub(super) fn load_facts(read: &Read<'_>, swap: &SwapRow) -> Result<Vec<StoredFact>, StoreError> {
    let sql = "SELECT * FROM facts WHERE swap = ?1 ORDER BY n";
    all_rows!(read.conn, sql, [swap.number], |row| fact_row(read.seals, swap.id, row))
}

pub(super) fn load_outbox(conn: &Connection, swap: u64) -> Result<Vec<StoredEffect>, StoreError> {
    all_rows!(conn, "SELECT * FROM outbox WHERE swap = ?1 ORDER BY n", [swap], effect_row)
}

fn fact_row(seals: &Seals, swap: SwapId, row: &Row<'_>) -> Result<StoredFact, StoreError> {
    let kind: String = row.get("kind")?;
    let sealed: Option<Vec<u8>> = row.get("sealed")?;
    let is_secret = sealed.is_some();
    let body = match sealed {
        Some(sealed) => {
            let digest: [u8; 32] = row.get("digest")?;
            let plain = seals.open(&identity(swap, &kind).bytes(&digest).finish(), &sealed, "fact")?;
            String::from_utf8(plain).map_err(|_| StoreError::Unreadable("fact"))?
        }
        None => row.get("body")?,
    };
    // A sealed body proves itself; a plain one is compared with what was written.
    let digest: [u8; 32] = row.get("digest")?;
    if seals.digest(&identity(swap, &kind).text(&body).finish()) != digest {
        return Err(StoreError::Unreadable("fact"));
    }
    Ok(StoredFact { at: time(row, "at")?, kind, body, is_secret })
}

fn effect_row(row: &Row<'_>) -> Result<StoredEffect, StoreError> {
    Ok(StoredEffect { number: row.get("n")?, at: time(row, "at")?, key: row.get("key")?, body: row.get("body")? })
}
