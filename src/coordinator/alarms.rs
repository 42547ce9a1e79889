//! Who is to be woken when: bounds on clocks and heights, in order, so that nobody else is looked at.

use super::Live;
use photon_chains::{ClockRule, Ledger, UnixTime};
use photon_swap::{SwapId, Wake};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something that moves by itself and wakes swaps as it does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dial {
    /// Our own clock, in seconds.
    Ours,
    /// The time stamped on a ledger's tip.
    Stamp(Ledger),
    /// The time by which a ledger judges its locks.
    LockClock(Ledger),
    /// The height of a ledger's tip.
    Height(Ledger),
}

/// Every bound of every swap, by dial.
#[derive(Default)]
pub(super) struct Alarms {
    dials: BTreeMap<Dial, BTreeSet<(u64, SwapId)>>,
    of_swap: HashMap<SwapId, Vec<(Dial, u64)>>,
}

impl Alarms {
    /// Sets a swap's bounds, in the place of those it had.
    pub(super) fn set(&mut self, id: SwapId, bounds: Vec<(Dial, u64)>) {
        self.clear(id);
        for (dial, bound) in &bounds {
            self.dials.entry(*dial).or_default().insert((*bound, id));
        }
        self.of_swap.insert(id, bounds);
    }

    /// Forgets a swap.
    pub(super) fn clear(&mut self, id: SwapId) {
        for (dial, bound) in self.of_swap.remove(&id).unwrap_or_default() {
            if let Some(waiting) = self.dials.get_mut(&dial) {
                waiting.remove(&(bound, id));
            }
        }
    }

    /// The swaps with a bound on that dial at or below its reading. They stay due until they are set anew.
    pub(super) fn due(&self, dial: Dial, reading: u64) -> impl Iterator<Item = SwapId> + '_ {
        let waiting = self.dials.get(&dial).into_iter().flatten();
        waiting.take_while(move |(bound, _)| *bound <= reading).map(|(_, id)| *id)
    }
}

/// A swap's bounds as readings of dials: the inverse of how [`super::Coordinator::view`] reads the clocks.
pub(super) fn bounds(
    live: &Live,
    wake: &Wake,
    skew_secs: u64,
    rule_of: impl Fn(Ledger) -> Option<ClockRule>,
) -> Vec<(Dial, u64)> {
    let terms = &live.swap.terms;
    let mut bounds = Vec::with_capacity(8);
    let mut add = |dial, bound: Option<u64>| bounds.extend(bound.map(|bound| (dial, bound)));
    let hi = wake.now_hi.map(|time| time.minus_secs(skew_secs).secs());
    add(Dial::Ours, wake.now_lo.map(|time| time.plus_secs(skew_secs).secs()));
    add(Dial::Ours, hi);
    for (leg, wake) in [(&terms.alpha, &wake.alpha), (&terms.beta, &wake.beta)] {
        let ledger = leg.lock.asset.ledger();
        // Which rule it has is not known before it is connected; a bound too many does no harm.
        match rule_of(ledger) {
            Some(ClockRule::MedianTimePast { .. }) => {}
            Some(ClockRule::BlockTime { .. }) | None => add(Dial::Stamp(ledger), hi),
        }
        add(Dial::LockClock(ledger), wake.lock_clock.map(UnixTime::secs));
        add(Dial::Height(ledger), wake.height.map(|height| height.get()));
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> SwapId {
        SwapId::from_bytes([n; 32])
    }

    #[test]
    fn who_is_due_stays_due_until_set_anew() {
        let mut alarms = Alarms::default();
        let height = Dial::Height(Ledger::Bitcoin);
        alarms.set(id(1), vec![(Dial::Ours, 10), (height, 5)]);
        alarms.set(id(2), vec![(Dial::Ours, 20)]);
        let due = |alarms: &Alarms, dial, reading| alarms.due(dial, reading).collect::<Vec<_>>();
        assert!(due(&alarms, Dial::Ours, 9).is_empty() && due(&alarms, height, 4).is_empty());
        assert_eq!(due(&alarms, Dial::Ours, 10), [id(1)]);
        assert_eq!(due(&alarms, Dial::Ours, 99), [id(1), id(2)]);
        assert_eq!(due(&alarms, height, 5), [id(1)]);
        assert!(due(&alarms, Dial::Height(Ledger::Litecoin), 99).is_empty(), "each ledger has its own height");
        alarms.set(id(1), vec![(Dial::Ours, 30)]);
        assert_eq!(due(&alarms, Dial::Ours, 20), [id(2)]);
        assert!(due(&alarms, height, 99).is_empty(), "old bounds are gone");
        alarms.clear(id(2));
        assert!(due(&alarms, Dial::Ours, 29).is_empty());
    }
}
