//! Which swaps a moment concerns: those whose locks show something else, those whose bound on a clock or a height is reached,
//! those on a ledger that fell ill or recovered or went back, and, as a net under all that, every swap in its turn.

use super::alarms::{Alarms, Dial, bounds};
use super::{Coordinator, Live};
use photon_chains::{Ledger, LockId, Tip, UnixTime};
use photon_swap::{Leg, SwapId, View, Wake};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Every swap is stepped at least this often, whether anything seems to concern it or not. Nothing should ever come of it:
/// it is the net under a change that nobody reported.
const WHOLE_ROUND: Duration = Duration::from_secs(600);

/// How a ledger was when it was last compared.
#[derive(Copy, Clone, PartialEq, Eq, Default)]
struct Condition {
    tip: Option<Tip>,
    healthy: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Concerns {
    alarms: Alarms,
    of_lock: HashMap<LockId, SwapId>,
    on_ledger: BTreeMap<Ledger, HashSet<SwapId>>,
    conditions: BTreeMap<Ledger, Condition>,
    now: UnixTime,
    may_risk: bool,
    /// Stepped from a state of things that may have been gone again before it was compared with the one before.
    doubtful: BTreeSet<SwapId>,
    /// Whose turn it is next. It may name swaps that have ended.
    turn: VecDeque<SwapId>,
    turned_at: Option<Instant>,
    /// Parts of a turn that were not a whole swap yet.
    owed: f64,
}

impl Concerns {
    /// Takes a swap in. Idempotent.
    pub(super) fn add(&mut self, live: &Live) {
        let (id, terms) = (live.swap.id, &live.swap.terms);
        let mut is_new = false;
        for leg in [&terms.alpha, &terms.beta] {
            self.of_lock.insert(leg.lock.id(), id);
            is_new |= self.on_ledger.entry(leg.lock.asset.ledger()).or_default().insert(id);
        }
        if is_new {
            self.turn.push_back(id);
        }
    }

    /// Forgets a swap that has ended.
    pub(super) fn remove(&mut self, live: &Live) {
        let (id, terms) = (live.swap.id, &live.swap.terms);
        self.alarms.clear(id);
        for leg in [&terms.alpha, &terms.beta] {
            self.of_lock.remove(&leg.lock.id());
            if let Some(swaps) = self.on_ledger.get_mut(&leg.lock.asset.ledger()) {
                swaps.remove(&id);
            }
        }
    }

    /// A swap was stepped: it stands until then.
    pub(super) fn rest_until(&mut self, coordinator: &Coordinator, live: &Live, view: &View, wake: &Wake) {
        let terms = &live.swap.terms;
        let legs = [(&terms.alpha, view.alpha.healthy), (&terms.beta, view.beta.healthy)];
        let healthy = |leg: &Leg| self.conditions.get(&leg.lock.asset.ledger()).is_some_and(|known| known.healthy);
        if view.may_risk != (self.may_risk && live.is_approved()) || legs.iter().any(|(leg, seen)| *seen != healthy(leg)) {
            self.doubtful.insert(live.swap.id);
        }
        let rule_of = |ledger| coordinator.ledgers.port(ledger).map(|port| port.timing().rule);
        self.alarms.set(live.swap.id, bounds(live, wake, coordinator.skew_secs, rule_of));
    }

    /// Whom a look at a ledger concerns.
    pub(super) fn of_look(&mut self, coordinator: &Coordinator, ledger: Ledger) -> BTreeSet<SwapId> {
        // First what changed, then what it looks like: what changes in between is told at the next look.
        let mut concerned = match coordinator.ledgers.port(ledger).map(|port| port.take_changed()) {
            Some(Some(locks)) => locks.iter().filter_map(|lock| self.of_lock.get(lock).copied()).collect(),
            // A ledger that can't say what changed.
            Some(None) => self.all_on(ledger),
            None => BTreeSet::new(),
        };
        concerned.append(&mut self.of_time(coordinator, crate::clock::now()));
        concerned
    }

    /// Whom the time concerns, and the state of things as a whole.
    pub(super) fn of_time(&mut self, coordinator: &Coordinator, now: UnixTime) -> BTreeSet<SwapId> {
        let mut concerned = std::mem::take(&mut self.doubtful);
        concerned.extend(self.alarms.due(Dial::Ours, now.secs()));
        let may_risk = coordinator.may_risk();
        if now < self.now || may_risk != self.may_risk {
            concerned.extend(self.on_ledger.values().flatten());
        }
        (self.now, self.may_risk) = (now, may_risk);
        let ledgers: Vec<Ledger> = self.on_ledger.keys().copied().collect();
        for ledger in ledgers {
            self.add_of_ledger(coordinator, ledger, now, &mut concerned);
        }
        concerned.extend(self.in_turn());
        concerned
    }

    fn add_of_ledger(&mut self, coordinator: &Coordinator, ledger: Ledger, now: UnixTime, concerned: &mut BTreeSet<SwapId>) {
        let tip = coordinator.ledgers.outlook(ledger).tip;
        let condition = Condition { tip, healthy: coordinator.ledgers.unhealthy(ledger, now).is_none() };
        let before = self.conditions.insert(ledger, condition).unwrap_or_default();
        if condition.healthy != before.healthy || went_back(before.tip, tip) {
            concerned.extend(self.all_on(ledger));
        }
        if let Some(tip) = tip {
            concerned.extend(self.alarms.due(Dial::Stamp(ledger), tip.time.secs()));
            concerned.extend(self.alarms.due(Dial::LockClock(ledger), tip.lock_clock.secs()));
            concerned.extend(self.alarms.due(Dial::Height(ledger), tip.block.height.get()));
        }
    }

    fn all_on(&self, ledger: Ledger) -> BTreeSet<SwapId> {
        self.on_ledger.get(&ledger).into_iter().flatten().copied().collect()
    }

    /// As many swaps as have their turn since this was last asked.
    fn in_turn(&mut self) -> Vec<SwapId> {
        let now = Instant::now();
        let rested = self.turned_at.replace(now).map_or(Duration::ZERO, |at| now - at);
        self.owed += self.turn.len() as f64 * rested.as_secs_f64() / WHOLE_ROUND.as_secs_f64();
        let count = (self.owed as usize).min(self.turn.len());
        self.owed -= count as f64;
        let turn: Vec<SwapId> = self.turn.drain(..count).collect();
        let known = |id: &SwapId| self.on_ledger.values().any(|swaps| swaps.contains(id));
        let still: Vec<SwapId> = turn.into_iter().filter(known).collect();
        self.turn.extend(&still);
        still
    }
}

/// A chain became shorter, or its clock earlier, or it was seen for the first time.
fn went_back(before: Option<Tip>, now: Option<Tip>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => {
            now.block.height < before.block.height || now.lock_clock < before.lock_clock || now.time < before.time
        }
        (None, Some(_)) | (Some(_), None) => true,
        (None, None) => false,
    }
}

/// What waits to be stepped: whose money is at stake first, so that no crowd of newcomers holds up a duty.
#[derive(Default)]
pub(super) struct Queue(BTreeSet<(Rank, SwapId)>);

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Money of ours is, or may be, on a ledger.
    AtStake,
    /// Nothing to lose yet.
    New,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, rank: Rank, id: SwapId) {
        self.0.insert((rank, id));
    }

    /// The next ones, at most so many.
    pub(super) fn take(&mut self, count: usize) -> Vec<SwapId> {
        std::iter::from_fn(|| self.0.pop_first()).take(count).map(|(_, id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use photon_chains::{BlockHeight, BlockRef, Hash32};

    fn tip(height: u64, time: u64, lock_clock: u64) -> Option<Tip> {
        let block = BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes([1; 32]) };
        Some(Tip { block, time: UnixTime::from_secs(time), lock_clock: UnixTime::from_secs(lock_clock) })
    }

    #[test]
    fn a_chain_that_becomes_shorter_or_younger_went_back() {
        assert!(!went_back(tip(5, 10, 8), tip(6, 10, 8)) && !went_back(tip(5, 10, 8), tip(5, 10, 8)));
        for back in [tip(4, 10, 8), tip(6, 9, 8), tip(6, 10, 7), None] {
            assert!(went_back(tip(5, 10, 8), back), "{back:?}");
        }
        assert!(went_back(None, tip(1, 1, 1)) && !went_back(None, None));
    }

    // H6
    #[test]
    fn ten_thousand_newcomers_don_t_hold_up_fifty_swaps_with_money_at_stake() {
        let id = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            SwapId::from_bytes(bytes)
        };
        let mut queue = Queue::default();
        (0..10_000).for_each(|n| queue.add(Rank::New, id(n)));
        (20_000..20_050).for_each(|n| queue.add(Rank::AtStake, id(n)));
        let first = queue.take(64);
        assert_eq!(first.len(), 64);
        assert!((20_000..20_050).all(|n| first.contains(&id(n))), "all of them are in the very next batch");
        queue.add(Rank::AtStake, id(30_000));
        assert_eq!(queue.take(1), [id(30_000)]);
        assert_eq!(
            std::iter::from_fn(|| Some(queue.take(500)).filter(|batch| !batch.is_empty()))
                .map(|batch| batch.len())
                .sum::<usize>(),
            9_986
        );
    }
}
