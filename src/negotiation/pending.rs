//! Terms that were proposed and not yet accepted. They bind nothing and reserve nothing, so that a stranger can't tie up money by
//! asking; they are forgotten at their funding deadline, and there is a cap for each taker and for all.

use photon_chains::{Address, UnixTime};
use photon_swap::{SwapId, Terms};
use std::collections::{HashMap, VecDeque};

/// The most proposals kept, in all and for one taker.
const MOST: usize = 16_384;
const MOST_EACH: usize = 64;

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub(super) terms: Terms,
    pub(super) taker: Address,
    /// It comes from a quote in memory, not from an offer in the store.
    pub(super) is_quote: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Pendings {
    of_swap: HashMap<SwapId, Pending>,
    of_taker: HashMap<Address, usize>,
    /// When each is forgotten; those that were accepted meanwhile are still named.
    ends: VecDeque<(UnixTime, SwapId)>,
}

impl Pendings {
    /// Keeps one, if there is room for it.
    pub(super) fn add(&mut self, pending: Pending, now: UnixTime) -> bool {
        while let Some((_, id)) = self.ends.front().copied().filter(|(until, _)| *until < now) {
            self.remove(id);
            self.ends.pop_front();
        }
        let of_taker = self.of_taker.entry(pending.taker).or_default();
        if self.ends.len() >= MOST || *of_taker >= MOST_EACH {
            return false;
        }
        let id = pending.terms.id();
        if self.of_swap.insert(id, pending).is_none() {
            *of_taker += 1;
            self.ends.push_back((pending.terms.deadlines.fund_alpha_by, id));
        }
        true
    }

    /// One of them.
    pub(super) fn get(&self, swap: SwapId) -> Option<Pending> {
        self.of_swap.get(&swap).copied()
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, swap: SwapId) {
        let Some(gone) = self.of_swap.remove(&swap) else { return };
        if let Some(count) = self.of_taker.get_mut(&gone.taker) {
            *count -= 1;
            if *count == 0 {
                self.of_taker.remove(&gone.taker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::commands::bench::agreed;

    // G4, H6
    #[test]
    fn proposals_are_capped_for_each_taker_and_forgotten_in_time() {
        let mut pendings = Pendings::default();
        let now = crate::clock::now();
        let pending = |number: u64, taker: u8| Pending {
            terms: agreed(number, Address::from_bytes([9; 20])).unwrap(),
            taker: Address::from_bytes([taker; 20]),
            is_quote: true,
        };
        for number in 0..MOST_EACH as u64 {
            assert!(pendings.add(pending(number, 1), now));
        }
        assert!(!pendings.add(pending(1000, 1), now), "one taker has its share");
        assert!(pendings.add(pending(1001, 2), now), "another one has its own");
        let first = pending(0, 1).terms;
        pendings.remove(first.id());
        assert!(pendings.get(first.id()).is_none() && pendings.add(pending(1002, 1), now));
        let later = first.deadlines.fund_alpha_by.plus_secs(60);
        assert!(pendings.add(pending(1003, 1), later));
        assert_eq!(pendings.of_swap.len(), 1, "what nobody accepted in time is gone");
    }
}
