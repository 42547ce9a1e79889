//! What contracts said under each watched name in the present chain. Pure: told of events and of blocks that are gone by
//! [`crate::listen`].
//!
//! What the channels contract and the registry said of late is remembered whoever watches it: a payment watches a new hash at
//! every turn, and must not cost a question to the node each time.

use crate::abi::Erc20;
use crate::node::{block_ref, hash32};
use crate::slot::address;
use crate::wire::Log;
use alloy::primitives::{Address, B256};
use alloy::sol_types::SolEvent;
use photon_chains::{Said, Stamp, TxId, UnixTime};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Of one name at one contract, no more events than this are kept, the newest: anybody may add a crumb to a channel. What can
/// follow a channel's close is far less, for each needs a lock or money of its own.
const KEPT: usize = 1024;
/// What was said of late and is watched by nobody is remembered up to so many bytes.
const REMEMBERED_BYTES: usize = 8 << 20;
/// What an event takes beside its data.
const EVENT_BYTES: usize = 200;

/// How a contract names what it talks about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By the first topic: the channels contract and the registry.
    FirstTopic,
    /// A token's transfers, by the payee.
    Payee,
}

/// Where in the chain something was said.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) block: u64,
    pub(crate) index: u64,
}

/// An event, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) by: Address,
    pub(crate) name: B256,
    pub(crate) data: Vec<u8>,
    pub(crate) at: Place,
    pub(crate) hash: B256,
    pub(crate) time: u64,
    pub(crate) tx: B256,
}

impl Spoken {
    fn said(&self) -> Said {
        Said {
            by: address(self.by),
            name: hash32(self.name),
            data: self.data.clone(),
            at: Stamp { block: block_ref(self.at.block, self.hash), time: UnixTime::from_secs(self.time) },
            index: self.at.index,
            txid: TxId::from_bytes(self.tx.0),
        }
    }

    fn bytes(&self) -> usize {
        self.data.len() + EVENT_BYTES
    }
}

/// The topic of a token's transfers.
pub(crate) const TRANSFER: B256 = Erc20::Transfer::SIGNATURE_HASH;

/// The name and the data of an event. None for one that has no name, or is not what such a contract says; and for one that is
/// longer than anything of ours.
pub(crate) fn read(log: &Log, manner: Manner) -> Option<(B256, Vec<u8>)> {
    let data = &log.data.as_ref()?.0;
    match (manner, log.topics.as_slice()) {
        (Manner::FirstTopic, [name, others @ ..]) => {
            let others = others.iter().flat_map(|topic| topic.0);
            Some((*name, others.chain(data.iter().copied()).collect()))
        }
        (Manner::Payee, [TRANSFER, payer, payee]) if data.len() == 32 => Some((*payee, [payer.as_slice(), data].concat())),
        (Manner::FirstTopic | Manner::Payee, _) => None,
    }
}

/// What one contract says under one name.
#[derive(Clone, Debug)]
struct Heard {
    manner: Manner,
    /// Nothing was said before this block.
    since: u64,
    /// It was looked for from there on.
    caught_up: bool,
    said: Vec<Spoken>,
    /// Older events were let go.
    is_cut: bool,
}

impl Heard {
    /// True if it is new, and kept.
    fn hear(&mut self, spoken: &Spoken) -> bool {
        let at = self.said.partition_point(|other| other.at < spoken.at);
        if self.said.get(at).is_some_and(|other| other.at == spoken.at) {
            return false;
        }
        self.said.insert(at, spoken.clone());
        if self.said.len() <= KEPT {
            return true;
        }
        self.said.remove(0);
        self.is_cut = true;
        at > 0
    }

    /// True if it has anything above that block.
    fn reaches_above(&self, height: u64) -> bool {
        self.said.last().is_some_and(|last| last.at.block > height)
    }
}

/// A name whose earlier events must be looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) manner: Manner,
    pub(crate) by: Address,
    pub(crate) name: B256,
    /// From this block on.
    pub(crate) from: u64,
    /// Watched since then.
    since: u64,
}

/// What was read of all that the contracts said.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Nothing, for no name is watched.
    Off,
    /// Nothing, for there is nothing new.
    Nothing,
    /// All from this block on, which follows on what was read before.
    On(u64),
    /// All from this block on. Between what was read before and it, blocks are unread.
    Anew(u64),
}

/// What one good look brings.
#[derive(Clone, Debug)]
pub(crate) struct Catch {
    /// The blocks above this one are gone.
    pub(crate) undone: Option<u64>,
    pub(crate) reading: Reading,
    /// What was read, and what was looked for under names that were behind.
    pub(crate) spoken: Vec<Spoken>,
    /// Those, which are not behind any more.
    pub(crate) behind: Vec<Behind>,
}

/// Every watched name.
#[derive(Default)]
pub(crate) struct Names {
    heard: HashMap<B256, BTreeMap<Address, Heard>>,
    /// Those that were never looked for.
    fresh: HashSet<(Address, B256)>,
    /// Tokens and payees.
    paid: HashSet<(Address, B256)>,
    recent: BTreeMap<Place, Spoken>,
    recent_bytes: usize,
    /// All that was said in this block and later, under whatever first topic, is among the recent.
    recent_from: Option<u64>,
    /// Watched names under which something else is said than was last told.
    changed: HashSet<B256>,
}

impl Names {
    pub(crate) fn watch(&mut self, by: Address, manner: Manner, name: B256, since: u64) {
        let new = Heard { manner, since: u64::MAX, caught_up: false, said: Vec::new(), is_cut: false };
        let heard = self.heard.entry(name).or_default().entry(by).or_insert(new);
        if since < heard.since {
            (heard.since, heard.caught_up) = (since, false);
            self.fresh.insert((by, name));
        }
        if manner == Manner::Payee {
            self.paid.insert((by, name));
        }
    }

    pub(crate) fn unwatch(&mut self, name: &B256) {
        for by in self.heard.remove(name).unwrap_or_default().into_keys() {
            self.fresh.remove(&(by, *name));
            self.paid.remove(&(by, *name));
        }
        self.changed.remove(name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    /// The tokens of which payees are watched, and those.
    pub(crate) fn payees(&self) -> (Vec<Address>, Vec<B256>) {
        let (mut tokens, mut payees): (Vec<_>, Vec<_>) = self.paid.iter().copied().unzip();
        tokens.sort_unstable();
        tokens.dedup();
        payees.sort_unstable();
        payees.dedup();
        (tokens, payees)
    }

    pub(crate) fn watches(&self, by: Address, name: &B256) -> bool {
        self.heard.get(name).is_some_and(|places| places.contains_key(&by))
    }

    /// What was said under a name, in order. Nothing before it was first looked for.
    pub(crate) fn said(&self, name: &B256) -> Vec<Said> {
        let places = self.heard.get(name).into_iter().flat_map(BTreeMap::values).filter(|heard| heard.caught_up);
        let mut said: Vec<_> = places.flat_map(|heard| &heard.said).collect();
        said.sort_by_key(|spoken| spoken.at);
        said.into_iter().map(Spoken::said).collect()
    }

    /// The names of which earlier events must be looked for, the earliest first: the new ones; where blocks are unread from `gap`
    /// on, all the others; and those of which older events were let go for some that are gone with the blocks above `undone`. A
    /// block may have been replaced by others since a name was given its beginning, hence `margin`.
    pub(crate) fn behind(&self, gap: Option<u64>, undone: Option<u64>, margin: u64) -> Vec<Behind> {
        let behind = |by: &Address, name: &B256, heard: &Heard| {
            let begin = heard.since.saturating_sub(margin);
            let is_short = heard.is_cut && undone.is_some_and(|height| heard.reaches_above(height));
            let from = match gap {
                _ if !heard.caught_up || is_short => begin,
                Some(gap) => gap.max(begin),
                None => return None,
            };
            Some(Behind { manner: heard.manner, by: *by, name: *name, from, since: heard.since })
        };
        let mut all: Vec<_> = if gap.is_some() || undone.is_some() {
            let places = self.heard.iter().flat_map(|(name, places)| places.iter().map(move |(by, heard)| (by, name, heard)));
            places.filter_map(|(by, name, heard)| behind(by, name, heard)).collect()
        } else {
            let fresh = self.fresh.iter().filter_map(|(by, name)| Some((by, name, self.heard.get(name)?.get(by)?)));
            fresh.filter_map(|(by, name, heard)| behind(by, name, heard)).collect()
        };
        all.sort_by_key(|behind| (behind.from, behind.name));
        all
    }

    /// From which block on no name needs to be asked about, after such a reading. None: all need.
    pub(crate) fn remembered_from(&self, reading: Reading) -> Option<u64> {
        match reading {
            Reading::Off => None,
            Reading::Nothing => self.recent_from,
            Reading::On(from) => Some(self.recent_from.map_or(from, |before| before.min(from))),
            Reading::Anew(from) => Some(from),
        }
    }

    /// Takes in what a look brought, all of it.
    pub(crate) fn take(&mut self, catch: Catch) {
        if let Some(height) = catch.undone {
            self.undo_above(height);
        }
        self.recent_from = self.remembered_from(catch.reading);
        if matches!(catch.reading, Reading::Off | Reading::Anew(_)) {
            self.recent.clear();
            self.recent_bytes = 0;
        }
        for spoken in catch.spoken {
            self.hear(&spoken);
            self.remember(spoken);
        }
        self.catch_up(&catch.behind);
        self.forget();
    }

    fn hear(&mut self, spoken: &Spoken) {
        let heard = self.heard.get_mut(&spoken.name).and_then(|places| places.get_mut(&spoken.by));
        if heard.is_some_and(|heard| heard.hear(spoken) && heard.caught_up) {
            self.changed.insert(spoken.name);
        }
    }

    fn remember(&mut self, spoken: Spoken) {
        if self.recent_from.is_none_or(|from| spoken.at.block < from) {
            return;
        }
        self.recent_bytes += spoken.bytes();
        if let Some(before) = self.recent.insert(spoken.at, spoken) {
            self.recent_bytes -= before.bytes();
        }
    }

    /// Gives the names that were behind what was remembered for them.
    fn catch_up(&mut self, behind: &[Behind]) {
        let wanted: HashSet<_> = behind.iter().map(|behind| (behind.by, behind.name)).collect();
        if !wanted.is_empty() {
            let wanted = |spoken: &&Spoken| wanted.contains(&(spoken.by, spoken.name));
            let remembered: Vec<_> = self.recent.values().filter(wanted).cloned().collect();
            remembered.iter().for_each(|spoken| self.hear(spoken));
        }
        for behind in behind {
            let heard = self.heard.get_mut(&behind.name).and_then(|places| places.get_mut(&behind.by));
            // Given an earlier beginning meanwhile: it is behind as before.
            let Some(heard) = heard.filter(|heard| heard.since == behind.since) else { continue };
            self.fresh.remove(&(behind.by, behind.name));
            if !heard.caught_up {
                heard.caught_up = true;
                self.changed.insert(behind.name);
            }
        }
    }

    /// Lets the oldest go of what nobody watches, block by block.
    fn forget(&mut self) {
        while self.recent_bytes > REMEMBERED_BYTES {
            let Some((place, spoken)) = self.recent.pop_first() else { return };
            self.recent_bytes -= spoken.bytes();
            self.recent_from = self.recent_from.map(|from| from.max(place.block + 1));
        }
    }

    fn undo_above(&mut self, height: u64) {
        for (name, places) in &mut self.heard {
            for heard in places.values_mut().filter(|heard| heard.reaches_above(height)) {
                heard.said.retain(|spoken| spoken.at.block <= height);
                // Those that were let go are being looked for again.
                heard.is_cut = false;
                self.changed.insert(*name);
            }
        }
        let gone = self.recent.split_off(&Place { block: height.saturating_add(1), index: 0 });
        self.recent_bytes -= gone.values().map(Spoken::bytes).sum::<usize>();
    }

    /// The names under which something else is said than when this was last asked, in order.
    pub(crate) fn take_changed(&mut self) -> Vec<B256> {
        let mut changed: Vec<_> = self.changed.drain().collect();
        changed.sort_unstable();
        changed
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
