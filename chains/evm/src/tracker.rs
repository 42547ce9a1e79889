//! What the chain showed of each watched lock, and what follows from it. Pure: told of events, slots and blocks by
//! [`crate::watch`].
//!
//! Events are hints. That a lock stands or has ended is read from its slot, at a block of the depth that counts: a lock has
//! ended once its slot, which an event says was funded, reads empty at a block of final depth. A secret counts from any
//! source, and is hashed again.
//!
//! A slot is read when an event, a reorganisation or its lock's depth gives reason to, and besides in turn, a few at each block:
//! what a block costs follows the locks that it concerns, and events that a node failed to tell, or has thrown away, are found
//! out all the same.

use crate::judge::{Facts, faults, judge};
use crate::node::View;
use crate::slot::{Kind, Slot};
use alloy::primitives::{Address, B256};
use photon_chains::{LockId, Secret, SecretHash, Sighting, SpendKind};
use std::collections::{HashMap, HashSet, VecDeque};

/// Of one lock, no more than this many events are kept: with the secret known, anybody can lock and redeem under its hash.
const KEPT: usize = 32;
/// No more locks than this share one secret hash; others are watched, but learn nothing from each other.
const SAME_HASH: usize = 64;

/// Where an event stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) block: u64,
    pub(crate) index: u64,
    pub(crate) hash: B256,
    pub(crate) tx: B256,
}

/// An event that may be the end of a lock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) kind: SpendKind,
    pub(crate) spot: Spot,
    /// The transaction's calldata names this very lock. Else it was made through another contract, and only hash fits.
    pub(crate) sure: bool,
}

/// What a slot read at the blocks that matter. None where nothing is known.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) tip: Option<bool>,
    pub(crate) relied: Option<bool>,
    pub(crate) settled: Option<bool>,
    /// The code at the contract is the agreed one.
    pub(crate) code_is_right: Option<bool>,
}

/// A waiting transaction about a lock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// None: it would fund it.
    pub(crate) spends: Option<SpendKind>,
    pub(crate) tx: B256,
}

/// One watched lock.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) slot: Slot,
    pub(crate) code_hash: B256,
    /// Events before this block don't matter.
    pub(crate) since: u64,
    /// Older events were looked for.
    pub(crate) caught_up: bool,
    pub(crate) lockups: Vec<Spot>,
    pub(crate) wrong_amounts: Vec<Spot>,
    pub(crate) endings: Vec<Ending>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) reads: Reads,
    /// Something happened since the slot was read.
    pub(crate) stale: bool,
    /// It was read at the depth that is relied on, too.
    pub(crate) read_deep: bool,
    pub(crate) secret: Option<Secret>,
    pub(crate) sighting: Option<Sighting>,
    /// It has ended for good, as the chain up to this block shows: nothing is asked about it any more.
    pub(crate) over: Option<u64>,
}

/// Every watched lock.
#[derive(Default)]
pub(crate) struct Tracker {
    locks: HashMap<LockId, Watched>,
    by_key: HashMap<B256, LockId>,
    by_hash: HashMap<B256, Vec<LockId>>,
    /// The contracts of watched locks, and how many there are in each.
    places: HashMap<Address, (Kind, usize)>,
    /// Whose slot is read next without a reason. It may name locks that are gone.
    turn: VecDeque<LockId>,
    /// Locks that show something else since this was last asked.
    changed: HashSet<LockId>,
}

/// What must be read of a slot before its lock can be judged.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) lock: LockId,
    pub(crate) contract: Address,
    pub(crate) key: B256,
    pub(crate) code_hash: B256,
    pub(crate) relied: bool,
    pub(crate) settled: bool,
}

impl Tracker {
    pub(crate) fn watch(&mut self, id: LockId, slot: Slot, code_hash: B256, since: u64) {
        if self.locks.contains_key(&id) {
            return;
        }
        self.by_key.insert(slot.key, id);
        self.places.entry(slot.contract).or_insert((slot.kind(), 0)).1 += 1;
        self.turn.push_back(id);
        let same = self.by_hash.entry(slot.terms.hash).or_default();
        if same.len() < SAME_HASH {
            same.push(id);
        }
        let watched = Watched {
            slot,
            code_hash,
            since,
            caught_up: false,
            lockups: Vec::new(),
            wrong_amounts: Vec::new(),
            endings: Vec::new(),
            waiting: Vec::new(),
            reads: Reads::default(),
            stale: true,
            read_deep: false,
            secret: None,
            sighting: None,
            over: None,
        };
        self.locks.insert(id, watched);
    }

    pub(crate) fn unwatch(&mut self, id: LockId) {
        let Some(watched) = self.locks.remove(&id) else { return };
        self.by_key.remove(&watched.slot.key);
        self.changed.remove(&id);
        if let Some((_, count)) = self.places.get_mut(&watched.slot.contract) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.places.remove(&watched.slot.contract);
            }
        }
        if let Some(same) = self.by_hash.get_mut(&watched.slot.terms.hash) {
            same.retain(|other| *other != id);
            if same.is_empty() {
                self.by_hash.remove(&watched.slot.terms.hash);
            }
        }
    }

    pub(crate) fn look(&self, id: LockId) -> Option<Sighting> {
        self.locks.get(&id)?.sighting.clone()
    }

    /// Locks that have not ended.
    pub(crate) fn live(&self) -> impl Iterator<Item = (LockId, &Watched)> {
        self.locks.iter().filter(|(_, watched)| watched.over.is_none()).map(|(id, watched)| (*id, watched))
    }

    /// The contracts of watched locks.
    pub(crate) fn places(&self) -> HashMap<Address, Kind> {
        self.places.iter().map(|(place, (kind, _))| (*place, *kind)).collect()
    }

    /// The locks that show something else than when this was last asked.
    pub(crate) fn take_changed(&mut self) -> Vec<LockId> {
        self.changed.drain().collect()
    }

    /// The code at a contract is another one than before: all that stands there is looked at again.
    pub(crate) fn distrust(&mut self, contract: Address) {
        self.locks.values_mut().filter(|watched| watched.slot.contract == contract).for_each(|watched| watched.stale = true);
    }

    pub(crate) fn watches_hash(&self, hash: B256) -> bool {
        self.by_hash.contains_key(&hash)
    }

    /// Forgets what was seen in blocks above this one: they are gone. Secrets stay.
    pub(crate) fn undo_above(&mut self, height: u64) {
        for watched in self.locks.values_mut() {
            let known = |watched: &Watched| watched.lockups.len() + watched.wrong_amounts.len() + watched.endings.len();
            let before = known(watched);
            watched.lockups.retain(|spot| spot.block <= height);
            watched.wrong_amounts.retain(|spot| spot.block <= height);
            watched.endings.retain(|ending| ending.spot.block <= height);
            if watched.over.is_some_and(|block| block > height) {
                watched.over = None;
            }
            watched.stale |= known(watched) < before;
        }
    }

    /// A Lockup event.
    pub(crate) fn locked(&mut self, slot: &Slot, spot: Spot) {
        if let Some(watched) = self.by_key.get(&slot.key).and_then(|id| self.locks.get_mut(id)) {
            watched.stale |= keep(&mut watched.lockups, spot);
            return;
        }
        for id in self.by_hash.get(&slot.terms.hash).into_iter().flatten() {
            let Some(watched) = self.locks.get_mut(id) else { continue };
            let agreed = &watched.slot.terms;
            let same_parties = slot.contract == watched.slot.contract
                && slot.terms.refundee == agreed.refundee
                && slot.terms.redeemer == agreed.redeemer
                && slot.terms.token == agreed.token;
            if same_parties && slot.terms.amount != agreed.amount {
                keep(&mut watched.wrong_amounts, spot);
            }
        }
    }

    /// A Claim or Refund event of `contract`. `meant` are the slots that the transaction's calldata names, where it does.
    pub(crate) fn ended(&mut self, contract: Address, hash: B256, kind: SpendKind, meant: Option<&[Slot]>, spot: Spot) {
        for id in self.by_hash.get(&hash).into_iter().flatten() {
            let Some(watched) = self.locks.get_mut(id) else { continue };
            if watched.slot.contract != contract {
                continue;
            }
            let sure = match meant {
                Some(slots) if slots.iter().any(|slot| slot.key == watched.slot.key) => true,
                Some(_) => continue,
                None => false,
            };
            if watched.endings.iter().any(|ending| ending.spot == spot) {
                continue;
            }
            let at = watched.endings.partition_point(|ending| ending.spot < spot);
            watched.endings.insert(at, Ending { kind, spot, sure });
            watched.stale = true;
            let sure_ones = |watched: &Watched| watched.endings.iter().filter(|ending| ending.sure).count();
            if watched.endings.len() > KEPT && sure_ones(watched) < watched.endings.len() {
                // What names the lock itself is worth more than what only fits.
                let last = watched.endings.iter().rposition(|ending| !ending.sure);
                last.map(|last| watched.endings.remove(last));
            }
            watched.endings.truncate(KEPT);
        }
    }

    /// Bytes that may be the secret of watched locks.
    pub(crate) fn candidate(&mut self, bytes: &[u8; 32]) {
        let secret = Secret::from_bytes(*bytes);
        let hash: SecretHash = secret.hash();
        for id in self.by_hash.get(&B256::new(*hash.as_bytes())).into_iter().flatten() {
            if let Some(watched) = self.locks.get_mut(id) {
                watched.secret.get_or_insert_with(|| secret.clone());
            }
        }
    }

    /// Forgets the waiting transactions, before they are told anew.
    pub(crate) fn forget_waiting(&mut self) {
        self.locks.values_mut().for_each(|watched| watched.waiting.clear());
    }

    /// A waiting transaction about a slot.
    pub(crate) fn waits(&mut self, slot: &Slot, waiting: Waiting) {
        let watched = self.by_key.get(&slot.key).and_then(|id| self.locks.get_mut(id));
        if let Some(watched) = watched.filter(|watched| watched.waiting.len() < KEPT) {
            watched.waiting.push(waiting);
        }
    }

    /// Which slots must be read for this view of the chain: where something happened since, where an end is on its way, and
    /// where a lock has just become deep enough. An end that is not final in this view, the chain having become shorter, is open
    /// again.
    pub(crate) fn wishes(&mut self, view: &View) -> Vec<Wish> {
        for watched in self.locks.values_mut() {
            watched.over = watched.over.filter(|block| view.is_final(*block));
        }
        self.live().filter(|(_, watched)| watched.must_be_read(view)).map(|(id, watched)| watched.wish(id, view)).collect()
    }

    /// The slots that are read next without a reason: each of them once in a while.
    pub(crate) fn in_turn(&mut self, view: &View, count: usize) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for _ in 0..self.turn.len() {
            if wishes.len() >= count {
                break;
            }
            let Some(id) = self.turn.pop_front() else { break };
            let Some(watched) = self.locks.get(&id) else { continue };
            self.turn.push_back(id);
            if watched.over.is_none() && !watched.must_be_read(view) {
                wishes.push(watched.wish(id, view));
            }
        }
        wishes
    }

    /// What a slot read.
    pub(crate) fn read(&mut self, id: LockId, reads: Reads) {
        if let Some(watched) = self.locks.get_mut(&id) {
            watched.reads = reads;
            watched.stale = reads.tip.is_none();
            watched.read_deep = reads.relied.is_some();
        }
    }

    /// The locks whose older events were looked for.
    pub(crate) fn caught_up(&mut self, ids: &[LockId]) {
        for id in ids {
            if let Some(watched) = self.locks.get_mut(id) {
                watched.caught_up = true;
            }
        }
    }

    /// What was never seen funded is looked for once more in old events: a node may have kept one back.
    pub(crate) fn recheck_unseen(&mut self) {
        for watched in self.locks.values_mut().filter(|watched| watched.over.is_none() && watched.lockups.is_empty()) {
            watched.caught_up = false;
        }
    }

    /// Draws the conclusions.
    pub(crate) fn judge(&mut self, view: &View) {
        for (id, watched) in self.locks.iter_mut().filter(|(_, watched)| watched.caught_up) {
            if watched.over.is_some() {
                if let Some(sighting) = &mut watched.sighting {
                    let before = sighting.clone();
                    sighting.secret = watched.secret.clone();
                    sighting.faults = faults(&watched.lockups, &watched.wrong_amounts);
                    if sighting.differs(&before) {
                        self.changed.insert(*id);
                    }
                }
                continue;
            }
            let facts = Facts {
                lockups: &watched.lockups,
                wrong_amounts: &watched.wrong_amounts,
                endings: &watched.endings,
                waiting: &watched.waiting,
                reads: watched.reads,
            };
            let verdict = judge(&facts, view);
            // An end or a funding that the events don't show: they are incomplete, so they are read once more.
            watched.caught_up = !verdict.events_are_missing;
            watched.stale |= verdict.events_are_missing;
            let Some(mut sighting) = verdict.sighting else { continue };
            sighting.secret = watched.secret.clone();
            if watched.sighting.as_ref().is_none_or(|before| sighting.differs(before)) {
                self.changed.insert(*id);
            }
            watched.over = verdict.over;
            watched.sighting = Some(sighting);
        }
    }
}

impl Watched {
    /// True if what was read of its slot may not hold any more, or does not say enough.
    fn must_be_read(&self, view: &View) -> bool {
        let ends = !self.endings.is_empty() || self.lockups.len() > 1;
        self.stale || ends || (self.is_below(view.relied) && !self.read_deep)
    }

    /// It was funded in that block or before.
    fn is_below(&self, height: Option<u64>) -> bool {
        let first = self.lockups.first();
        first.is_some_and(|first| height.is_some_and(|height| height >= first.block))
    }

    /// What is asked about it.
    fn wish(&self, lock: LockId, view: &View) -> Wish {
        let (contract, key, code_hash) = (self.slot.contract, self.slot.key, self.code_hash);
        let (relied, settled) = (self.is_below(view.relied), self.is_below(view.settled));
        Wish { lock, contract, key, code_hash, relied, settled }
    }
}

/// Keeps the earliest events, each once. True if it is a new one.
fn keep(spots: &mut Vec<Spot>, spot: Spot) -> bool {
    let Err(at) = spots.binary_search(&spot) else { return false };
    spots.insert(at, spot);
    spots.truncate(KEPT);
    at < KEPT
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
