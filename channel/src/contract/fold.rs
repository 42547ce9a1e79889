//! A closed channel's state, found again from what the contract said.
//!
//! The contract keeps one hash of it. Its logs say what was done; what they leave out are the lists of locks, which either party
//! has. A log names the locks that were taken by their hashes alone, and nothing but custom keeps a payer from using a hash
//! twice, so there may be more than one state that the logs allow: the slot's word tells which it is.

use super::decode::records_in;
use super::list::{Record, chained};
use super::state::{Closed, Income, List, Open};
use super::word::Word;
use crate::chain::Moment;
use crate::dispute::Unlocking;
use crate::eip712::keccak;
use crate::key::{Both, ChannelKey, Side};
use crate::lock::{ENTRY_BYTES, Pending};
use crate::units::{Nonce, Units};
use photon_chains::{Secret, SecretHash};
use std::collections::{BTreeMap, BTreeSet};

/// States that are kept as possible at most.
const MOST_STATES: usize = 256;

/// A closed channel, with what its slot only keeps hashes of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Its state.
    pub state: Closed,
    /// The pending entries of each side's income, in order. Empty too where its list is not known.
    pub pending: Both<Vec<Pending>>,
    /// Every call that unlocked some of a side's income since its proof was shown.
    pub unlocked: Both<Vec<Unlocking>>,
}

/// Why a state is not found.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// No close was said, or what was said is none of the contract's logs.
    #[error("the logs do not say how the channel was closed")]
    Unreadable,
    /// Something was done to a list that is not known.
    #[error("a list of locks is not known")]
    NoList,
    /// What the logs say is not what the slot holds: some are missing, or come from another chain.
    #[error("the logs do not lead to what the slot holds")]
    OtherState,
}

/// What a log says about a closed channel.
struct Log<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Log<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        data.split_first().map(|(kind, rest)| Self { kind: *kind, rest })
    }

    fn word(&mut self) -> Result<[u8; 32], FoldError> {
        let (word, rest) = self.rest.split_first_chunk::<32>().ok_or(FoldError::Unreadable)?;
        self.rest = rest;
        Ok(*word)
    }

    /// A word, or zeros where the log ends.
    fn word_or_none(&mut self) -> Result<[u8; 32], FoldError> {
        if self.rest.is_empty() { Ok([0; 32]) } else { self.word() }
    }

    /// The words that are left, each the hash of a lock, or its secret.
    fn hashes(&mut self, are_secrets: bool) -> Result<Vec<Named>, FoldError> {
        let mut hashes = Vec::new();
        while !self.rest.is_empty() {
            let word = self.word()?;
            hashes.push(Named {
                hash: SecretHash::from_bytes(word),
                hash_of_secret: are_secrets.then(|| Secret::from_bytes(word).hash()),
            });
        }
        Ok(hashes)
    }
}

/// A lock as a log names it.
struct Named {
    hash: SecretHash,
    hash_of_secret: Option<SecretHash>,
}

impl Named {
    fn is(&self, lock: &Pending) -> bool {
        lock.secret_hash == self.hash || Some(lock.secret_hash) == self.hash_of_secret
    }
}

/// The lists that [`fold`] will ask for: whose income, and by which proof.
pub fn lists_of(logs: &[(Moment, &[u8])]) -> Vec<(Side, Nonce)> {
    let (mut lists, mut closer) = (Vec::new(), Side::A);
    for (_, data) in logs {
        let (side, figures) = match data.split_first() {
            Some((kind @ (5 | 6), rest)) => {
                closer = if *kind == 5 { Side::A } else { Side::B };
                (closer, rest.get(32..64))
            }
            Some((7, rest)) => (closer.other(), rest.get(..32)),
            Some(_) | None => continue,
        };
        let figures = figures.and_then(|figures| figures.first_chunk::<32>());
        if let Some(income) = figures.and_then(|figures| income(figures, [0; 32]).ok()) {
            lists.push((side, income.nonce));
        }
    }
    lists
}

/// The lists that whoever called the contract has shown to it, for one who has forgotten them: whose income, and by which proof.
/// `calls` are the calls that led to the logs, one for each, where they are known. They prove nothing; [`fold`] finds out whether
/// they are right.
pub fn lists_shown(logs: &[(Moment, &[u8])], calls: &[Option<&[u8]>]) -> BTreeMap<(Side, Nonce), Vec<Pending>> {
    let (mut lists, mut closer, mut nonces) = (BTreeMap::new(), Side::A, Both::default());
    let nonce = |figures: Option<&[u8]>| {
        let figures = figures.and_then(|figures| figures.first_chunk::<32>());
        figures.and_then(|figures| income(figures, [0; 32]).ok()).map_or(Nonce::NONE, |income| income.nonce)
    };
    for ((_, data), call) in logs.iter().zip(calls) {
        let side = match data.split_first() {
            Some((kind @ (5 | 6), rest)) => {
                closer = if *kind == 5 { Side::A } else { Side::B };
                (lists, nonces) = (BTreeMap::new(), Both::default());
                *nonces.of_mut(closer) = nonce(rest.get(32..64));
                closer
            }
            Some((7, rest)) => {
                *nonces.of_mut(closer.other()) = nonce(rest.get(..32));
                continue;
            }
            Some((8 | 10, _)) => Side::A,
            Some((9 | 11, _)) => Side::B,
            Some(_) | None => continue,
        };
        // The first call that does something to a list shows all of it.
        if let Some(records) = call.and_then(records_in).filter(|records| !records.is_empty()) {
            let shown = || records.iter().map(Record::shown_lock).collect();
            lists.entry((side, *nonces.of(side))).or_insert_with(shown);
        }
    }
    lists
}

/// The state that the slot's word stands for. `logs` are all that was said under the channel's key, in order, each with its
/// block; `list` is asked for the locks that a side's income holds by the proof of that nonce.
pub fn fold(
    key: &ChannelKey,
    slot: &[u8; 32],
    logs: &[(Moment, &[u8])],
    mut list: impl FnMut(Side, Nonce) -> Option<Vec<Pending>>,
) -> Result<Folded, FoldError> {
    let is_close = |data: &[u8]| matches!(data.first(), Some(5 | 6));
    // Of several lives the last one is closed now.
    let at = logs.iter().rposition(|(_, data)| is_close(data)).ok_or(FoldError::Unreadable)?;
    let (_, rest) = logs.split_at(at);
    let mut states: Vec<Folded> = Vec::new();
    for (moment, data) in rest {
        let log = Log::of(data).ok_or(FoldError::Unreadable)?;
        states = match log.kind {
            5 | 6 => closed(*moment, log, &mut list)?,
            7 => updated(states, log, &mut list)?,
            8 | 9 => unlocked(&states, *moment, log)?,
            10 | 11 => released(&states, log)?,
            12 => settled(states, log)?,
            _ => return Err(FoldError::Unreadable),
        };
        states.truncate(MOST_STATES);
    }
    states.into_iter().find(|folded| folded.state.word(key) == *slot).ok_or(FoldError::OtherState)
}

/// Figures: locked 96 | transferred 96 | nonce 64.
fn income(figures: &[u8; 32], locks: [u8; 32]) -> Result<Income, FoldError> {
    let number = |bytes: &[u8]| bytes.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    let (nonce, rest) = figures.split_at(8);
    let (transferred, locked) = rest.split_at(12);
    let units = |bytes| Units::new(number(bytes)).ok_or(FoldError::Unreadable);
    let nonce = Nonce(u64::try_from(number(nonce)).map_err(|_| FoldError::Unreadable)?);
    let list = List { locks, ..List::default() };
    Ok(Income { nonce, locked: units(locked)?, transferred: units(transferred)?, list })
}

/// The hash of entries. Unlike a commitment it says nothing of their sum, which a cheat may have signed too large.
fn hash_of(list: &[Pending]) -> Option<[u8; 32]> {
    let mut packed = Vec::with_capacity(list.len() * ENTRY_BYTES);
    for lock in list {
        packed.extend(lock.entry().ok()?);
    }
    Some(if packed.is_empty() { [0; 32] } else { keccak(&packed) })
}

/// A list, if it is the one that was committed to; none is no list at all.
fn known(list: Option<Vec<Pending>>, locks: &[u8; 32]) -> Vec<Pending> {
    let is_it = |list: &Vec<Pending>| hash_of(list) == Some(*locks);
    list.filter(is_it).unwrap_or_default()
}

fn closed(
    at: Moment,
    mut log: Log<'_>,
    list: &mut impl FnMut(Side, Nonce) -> Option<Vec<Pending>>,
) -> Result<Vec<Folded>, FoldError> {
    let closer = if log.kind == 5 { Side::A } else { Side::B };
    let Word::Open(money) = Word::read(&log.word()?) else { return Err(FoldError::Unreadable) };
    let figures = log.word()?;
    let after = log.word_or_none()?;
    let taken = log.hashes(true)?;
    let mut income = income(&figures, after)?;
    let before = list(closer, income.nonce);
    let start = |income: Income, entries: Vec<Pending>| {
        let (mut incomes, mut pending) = (Both::default(), Both::default());
        *incomes.of_mut(closer) = income;
        *pending.of_mut(closer) = entries;
        let state = Closed { epoch: money.epoch, closer, since: at, money, incomes };
        Folded { state, pending, unlocked: Both::default() }
    };
    if taken.is_empty() {
        return Ok(vec![start(income, known(before, &after))]);
    }
    let before = before.ok_or(FoldError::NoList)?;
    income.list.locks = hash_of(&before).ok_or(FoldError::NoList)?;
    let start = start(income, before);
    let states = take(&start, closer, &taken).into_iter().map(|which| unlock(start.clone(), closer, at, which));
    // The log says what was left.
    let states: Vec<Folded> = states.filter(|state| state.state.incomes.of(closer).list.locks == after).collect();
    if states.is_empty() { Err(FoldError::NoList) } else { Ok(states) }
}

fn updated(
    mut states: Vec<Folded>,
    mut log: Log<'_>,
    list: &mut impl FnMut(Side, Nonce) -> Option<Vec<Pending>>,
) -> Result<Vec<Folded>, FoldError> {
    let figures = log.word()?;
    let locks = log.word_or_none()?;
    let income = income(&figures, locks)?;
    for folded in &mut states {
        let other = folded.state.closer.other();
        *folded.state.incomes.of_mut(other) = income;
        *folded.pending.of_mut(other) = known(list(other, income.nonce), &locks);
        // What was unlocked on the older proof no longer counts.
        folded.unlocked.of_mut(other).clear();
    }
    states.dedup();
    Ok(states)
}

fn unlocked(states: &[Folded], at: Moment, mut log: Log<'_>) -> Result<Vec<Folded>, FoldError> {
    let payee = if log.kind == 8 { Side::A } else { Side::B };
    let taken = log.hashes(true)?;
    let all = states
        .iter()
        .flat_map(|folded| take(folded, payee, &taken).into_iter().map(move |which| unlock(folded.clone(), payee, at, which)));
    some(all.take(MOST_STATES).collect())
}

fn released(states: &[Folded], mut log: Log<'_>) -> Result<Vec<Folded>, FoldError> {
    let payee = if log.kind == 10 { Side::A } else { Side::B };
    let taken = log.hashes(false)?;
    let all = states
        .iter()
        .flat_map(|folded| take(folded, payee, &taken).into_iter().map(move |which| release(folded.clone(), payee, &which)));
    some(all.take(MOST_STATES).collect())
}

fn some(states: Vec<Folded>) -> Result<Vec<Folded>, FoldError> {
    if states.is_empty() { Err(FoldError::NoList) } else { Ok(states) }
}

/// Paid to the closer 96 | to the other 96.
fn settled(mut states: Vec<Folded>, mut log: Log<'_>) -> Result<Vec<Folded>, FoldError> {
    let paid = log.word()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    let (_, rest) = paid.split_at(8);
    let (other, closer) = rest.split_at(12);
    let units = |bytes| Units::new(number(bytes)).ok_or(FoldError::Unreadable);
    let (to_other, to_closer) = (units(other)?, units(closer)?);
    for folded in &mut states {
        let state = &mut folded.state;
        let to_a = if state.closer == Side::A { to_closer } else { to_other };
        let Open { holdings, .. } = &mut state.money;
        holdings.total = holdings.total.saturating_sub(to_closer).saturating_sub(to_other);
        holdings.net_a -= to_a.signed();
    }
    Ok(states)
}

/// Which entries of a list can be those that are named, in this order: each choice as one flag for each entry.
fn take(folded: &Folded, payee: Side, named: &[Named]) -> Vec<Vec<bool>> {
    let list = folded.pending.of(payee);
    let mut choices = vec![(Vec::with_capacity(list.len()), 0usize)];
    for (place, lock) in list.iter().enumerate() {
        let mut next = Vec::new();
        for (flags, done) in choices {
            let left = list.len() - place - 1;
            if let Some(wanted) = named.get(done)
                && wanted.is(lock)
            {
                next.push(([flags.as_slice(), &[true]].concat(), done + 1));
            }
            // It may stay if the rest of the names still fit behind it.
            if named.len() - done <= left {
                next.push(([flags.as_slice(), &[false]].concat(), done));
            }
        }
        next.truncate(MOST_STATES);
        choices = next;
    }
    choices.into_iter().filter(|(_, done)| *done == named.len()).map(|(flags, _)| flags).collect()
}

fn unlock(mut folded: Folded, payee: Side, at: Moment, which: Vec<bool>) -> Folded {
    let entries = std::mem::take(folded.pending.of_mut(payee));
    let call = Unlocking { list: entries.into_iter().zip(which).collect() };
    let income = folded.state.incomes.of_mut(payee);
    let sum: u128 = call.list.iter().filter(|(_, taken)| *taken).map(|(lock, _)| lock.amount.get()).sum();
    let left: Vec<Pending> = call.list.iter().filter(|(_, taken)| !*taken).map(|(lock, _)| *lock).collect();
    let before = income.list.locks;
    let after = hash_of(&left).unwrap_or_default();
    income.list.taken = chained(&income.list.taken, &before, &after);
    income.list.locks = after;
    let touched = &mut income.list.touched;
    touched.unlocked = Units::new(touched.unlocked.get() + sum).unwrap_or(Units::MAX);
    touched.last_unlock = Some(at);
    *folded.pending.of_mut(payee) = left;
    folded.unlocked.of_mut(payee).push(call);
    folded
}

fn release(mut folded: Folded, payee: Side, which: &[bool]) -> Folded {
    let entries = std::mem::take(folded.pending.of_mut(payee));
    let income = folded.state.incomes.of_mut(payee);
    let gone = entries.iter().zip(which).filter(|(_, taken)| **taken).map(|(lock, _)| lock.amount.get());
    let touched = &mut income.list.touched;
    touched.released = Units::new(touched.released.get() + gone.sum::<u128>()).unwrap_or(Units::MAX);
    let left: Vec<Pending> = entries.iter().zip(which).filter(|(_, taken)| !**taken).map(|(lock, _)| *lock).collect();
    income.list.locks = hash_of(&left).unwrap_or_default();
    *folded.pending.of_mut(payee) = left;
    folded
}

/// Hashes whose entries in the registry decide about a closed channel.
pub fn hashes_of(folded: &Folded) -> BTreeSet<SecretHash> {
    Side::BOTH.into_iter().flat_map(|side| folded.pending.of(side)).map(|lock| lock.secret_hash).collect()
}
