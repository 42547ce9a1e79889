//! Hearing what contracts say: one pass over what is new, whatever the number of names.
//!
//! A look works on copies and is taken in as a whole when all of it went well: one that fails changes nothing.

use crate::chain::At;
use crate::names::{Behind, Catch, Manner, Names, Place, Reading, Spoken, TRANSFER, read};
use crate::node::{Node, View, block_ref, hash32};
use crate::trail::{REREAD, TRIES, Trail, Trouble};
use crate::wire::{Header, Log};
use alloy::primitives::{Address, B256};
use photon_chains::{Heads, News, PortError, Stamp, UnixTime};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many names are looked for in one question; nodes take a thousand.
const NAMES_PER_QUESTION: usize = 200;

/// The follower of what is said under names.
pub(crate) struct Listener {
    node: Arc<Node>,
    names: Mutex<Names>,
    trail: tokio::sync::Mutex<Trail>,
}

/// Events of a range that are wanted, of contracts that name things so.
struct Question<'a> {
    manner: Manner,
    contracts: &'a [Address],
    /// None: all.
    names: Option<&'a [B256]>,
    from: u64,
}

impl Question<'_> {
    fn topics(&self) -> Value {
        match (self.manner, self.names) {
            (Manner::FirstTopic, None) => Value::Null,
            (Manner::FirstTopic, Some(names)) => json!([names]),
            (Manner::Payee, None) => json!([TRANSFER]),
            (Manner::Payee, Some(names)) => json!([TRANSFER, null, names]),
        }
    }

    /// The name and data of an event that was asked for. None for a stray one.
    fn answered_by(&self, log: &Log) -> Option<(B256, Vec<u8>)> {
        if log.removed || !self.contracts.contains(&log.address) || log.block_number.0 < self.from {
            return None;
        }
        let (name, data) = read(log, self.manner)?;
        self.names.is_none_or(|names| names.contains(&name)).then_some((name, data))
    }
}

impl Listener {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        let trail = tokio::sync::Mutex::new(Trail::new(&node));
        Self { node, names: Mutex::default(), trail }
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Catches up with the node. `contracts` are those that name things by the first topic.
    pub(crate) async fn look(&self, contracts: &[Address]) -> Result<News, PortError> {
        let mut trail = self.trail.lock().await;
        for _ in 0..TRIES {
            match self.try_look(&trail, contracts).await {
                Ok((new, catch, heads)) => {
                    *trail = new;
                    let mut names = self.names();
                    names.take(catch);
                    return Ok(News { heads, changed: names.take_changed().into_iter().map(hash32).collect() });
                }
                Err(Trouble::Moved) => tracing::debug!(chain = %self.node.ledger(), "the chain moved: listening again"),
                Err(Trouble::Port(error)) => {
                    trail.shaken = true;
                    return Err(error);
                }
            }
        }
        trail.shaken = true;
        Err(self.node.unreachable("its chain moves faster than it can be read"))
    }

    async fn try_look(&self, before: &Trail, contracts: &[Address]) -> Result<(Trail, Catch, Heads), Trouble> {
        let view = self.node.view().await?;
        let (tip, mut trail) = (view.tip.number.0, before.clone());
        let undone = trail.retreat(&self.node, &view.tip).await?;
        trail.advance(&self.node, &view.tip).await?;
        let (reading, gap) = {
            let names = self.names();
            let remembers = names.remembered_from(Reading::Nothing).is_some();
            if names.is_empty() { (Reading::Off, None) } else { reading(&mut trail, tip, remembers) }
        };
        let mut spoken = Vec::new();
        if let Reading::On(from) | Reading::Anew(from) = reading {
            let all = Question { manner: Manner::FirstTopic, contracts, names: None, from };
            self.ask(&trail, &all, tip, &mut spoken).await?;
            let (tokens, payees) = self.names().payees();
            if !tokens.is_empty() {
                let paid = Question { manner: Manner::Payee, contracts: &tokens, names: Some(&payees), from };
                self.ask(&trail, &paid, tip, &mut spoken).await?;
            }
        }
        let margin = u64::from(self.node.params.timing.final_confirmations);
        let (behind, remembered) = {
            let names = self.names();
            (names.behind(gap, undone, margin), names.remembered_from(reading))
        };
        for manner in [Manner::FirstTopic, Manner::Payee] {
            let is_remembered =
                |behind: &Behind| manner == Manner::FirstTopic && remembered.is_some_and(|from| behind.from >= from);
            let unknown: Vec<_> = behind.iter().filter(|behind| behind.manner == manner && !is_remembered(behind)).collect();
            self.ask_behind(&trail, manner, &unknown, tip, &mut spoken).await?;
        }
        let heads = self.heads(&trail, &view).await?;
        if matches!(reading, Reading::On(_) | Reading::Anew(_)) || !behind.is_empty() {
            self.node.still_at(&view.tip).await?;
        }
        trail.shaken = false;
        trail.cursor = Some(tip);
        Ok((trail, Catch { undone, reading, spoken, behind }, heads))
    }

    async fn ask_behind(
        &self,
        trail: &Trail,
        manner: Manner,
        behind: &[&Behind],
        tip: u64,
        spoken: &mut Vec<Spoken>,
    ) -> Result<(), Trouble> {
        for part in behind.chunks(NAMES_PER_QUESTION) {
            let contracts: BTreeSet<_> = part.iter().map(|behind| behind.by).collect();
            let names: BTreeSet<_> = part.iter().map(|behind| behind.name).collect();
            let (contracts, names): (Vec<_>, Vec<_>) = (contracts.into_iter().collect(), names.into_iter().collect());
            let from = part.iter().map(|behind| behind.from).min().unwrap_or(tip);
            let question = Question { manner, contracts: &contracts, names: Some(&names), from };
            self.ask(trail, &question, tip, spoken).await?;
        }
        Ok(())
    }

    /// Asks, and believes nothing of the answer that was not asked for or is in a block of another chain.
    async fn ask(&self, trail: &Trail, question: &Question<'_>, tip: u64, spoken: &mut Vec<Spoken>) -> Result<(), Trouble> {
        let logs = self.node.logs(question.contracts, &question.topics(), question.from, tip).await?;
        let mut heard = Vec::new();
        for log in &logs {
            if self.is_too_long(log) {
                return Err(self.node.nonsense("an event under a watched name is longer than any of ours").into());
            }
            let Some((name, data)) = question.answered_by(log) else { continue };
            if !trail.window.agrees(log.block_number.0, log.block_hash) {
                return Err(Trouble::Moved);
            }
            heard.push((log, name, data));
        }
        let below = heard.iter().map(|(log, ..)| log.block_number.0).filter(|number| trail.window.header(*number).is_none());
        let older = self.headers(below.collect()).await?;
        for (log, name, data) in heard {
            let number = log.block_number.0;
            let header = trail.window.header(number).or_else(|| older.get(&number));
            let Some(header) = header.filter(|header| header.hash == log.block_hash) else { return Err(Trouble::Moved) };
            let at = Place { block: number, index: log.log_index.0 };
            let (by, tx) = (log.address, log.transaction_hash);
            spoken.push(Spoken { by, name, data, at, hash: header.hash, time: header.timestamp.0, tx });
        }
        Ok(())
    }

    fn is_too_long(&self, log: &Log) -> bool {
        let watched = |name: &B256| self.names().watches(log.address, name);
        log.data.is_none() && !log.removed && log.topics.first().is_some_and(watched)
    }

    /// Headers of blocks that are below those we remember.
    async fn headers(&self, numbers: BTreeSet<u64>) -> Result<BTreeMap<u64, Header>, Trouble> {
        let numbers: Vec<_> = numbers.into_iter().collect();
        let headers = self.node.at(self.node.rpc.headers_at(&numbers).await)?;
        Ok(headers.into_iter().map(|header| (header.number.0, header)).collect())
    }

    async fn heads(&self, trail: &Trail, view: &View) -> Result<Heads, Trouble> {
        // A chain that is too short to rely on any other block has a first one, which nothing replaces.
        let relied = view.relied.unwrap_or(0);
        let deep = match trail.window.header(relied) {
            Some(header) => *header,
            None => self.node.at(self.node.rpc.header(At::Number(relied)).await)?.ok_or(Trouble::Moved)?,
        };
        Ok(Heads { latest: stamp(&view.tip), deep: stamp(&deep) })
    }
}

fn stamp(header: &Header) -> Stamp {
    Stamp { block: block_ref(header.number.0, header.hash), time: UnixTime::from_secs(header.timestamp.0) }
}

/// What must be read up to this tip, and from which block on blocks were left out that all names must be asked about. Once in a
/// while, after a look that failed, and where nothing is remembered, all that the window holds is read.
fn reading(trail: &mut Trail, tip: u64, remembers: bool) -> (Reading, Option<u64>) {
    let lowest = trail.window.lowest().unwrap_or(tip);
    let from = trail.cursor.map(|cursor| (cursor + 1).saturating_sub(REREAD));
    let gap = from.filter(|from| *from < lowest);
    let is_due = tip >= trail.rechecked.saturating_add(trail.window.keep() / 2);
    match (from, trail.cursor) {
        (Some(from), Some(cursor)) if gap.is_none() && remembers && !is_due && !trail.shaken => {
            (if cursor < tip { Reading::On(from) } else { Reading::Nothing }, None)
        }
        _ => {
            trail.rechecked = tip;
            (if gap.is_none() && remembers { Reading::On(lowest) } else { Reading::Anew(lowest) }, gap)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::window::Window;
    use crate::wire::Number;

    const KEEP: u64 = 40;

    /// A follower that has read up to `cursor`, whose window ends at `tip`.
    fn trail(cursor: Option<u64>, tip: u64) -> Trail {
        let mut window = Window::new(KEEP as usize);
        let hash = |number: u64| B256::from(alloy::primitives::U256::from(number));
        let header = |number: u64| Header {
            number: Number(number),
            hash: hash(number),
            parent_hash: hash(number.wrapping_sub(1)),
            timestamp: Number(number),
            base_fee_per_gas: None,
        };
        window.extend(&((tip + 1).saturating_sub(KEEP)..=tip).map(header).collect::<Vec<_>>()).unwrap();
        Trail { window, cursor, shaken: false, rechecked: tip }
    }

    #[test]
    fn what_is_new_is_read_with_a_few_blocks_before_it_and_nothing_is_left_out() {
        let (tip, lowest) = (1_000, 961);
        assert_eq!(reading(&mut trail(Some(999), tip), tip, true), (Reading::On(992), None));
        assert_eq!(reading(&mut trail(Some(tip), tip), tip, true), (Reading::Nothing, None));
        assert_eq!(reading(&mut trail(None, tip), tip, false), (Reading::Anew(lowest), None), "the first look");
        assert_eq!(reading(&mut trail(Some(999), tip), tip, false), (Reading::Anew(lowest), None), "nothing was watched before");
        assert_eq!(reading(&mut trail(Some(900), tip), tip, true), (Reading::Anew(lowest), Some(893)), "after a long absence");
    }

    #[test]
    fn after_a_failure_and_once_in_a_while_all_that_the_window_holds_is_read_again() {
        let (tip, lowest) = (1_000, 961);
        let mut shaken = Trail { shaken: true, ..trail(Some(999), tip) };
        assert_eq!(reading(&mut shaken, tip, true), (Reading::On(lowest), None));
        let mut due = Trail { rechecked: tip - KEEP / 2, ..trail(Some(999), tip) };
        assert_eq!(reading(&mut due, tip, true), (Reading::On(lowest), None));
        assert_eq!((due.rechecked, reading(&mut due, tip, true).0), (tip, Reading::On(992)));
    }
}
