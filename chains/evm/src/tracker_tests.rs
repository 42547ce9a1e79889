#![allow(clippy::unwrap_used)]
use super::*;
use crate::slot::Terms;
use crate::wire::{Header, Number};
use alloy::primitives::U256;
use photon_chains::{Fault, LockStatus};
use proptest::prelude::*;
use std::collections::BTreeMap;

const RELIED: u64 = 2;
const SETTLED: u64 = 3;
const CONTRACT: Address = Address::repeat_byte(0xcc);

fn id(n: u8) -> LockId {
    LockId::from_bytes([n; 32])
}

fn secret(n: u8) -> Secret {
    Secret::from_bytes([n + 1; 32])
}

/// Lock `n`: 0 and 1 share a secret.
fn slot(n: u8) -> Slot {
    let terms = Terms {
        token: None,
        hash: B256::new(*secret(n / 2).hash().as_bytes()),
        amount: U256::from(1000 + u64::from(n)),
        redeemer: Address::repeat_byte(1),
        refundee: Address::repeat_byte(n + 2),
        word: U256::from(9),
    };
    Slot::new(CONTRACT, 1, terms)
}

fn hash(number: u64, fork: u64) -> B256 {
    B256::from(U256::from(number) << 64 | U256::from(fork))
}

fn view(tip: u64, fork: u64) -> View {
    let header = Header {
        number: Number(tip),
        hash: hash(tip, fork),
        parent_hash: B256::ZERO,
        timestamp: Number(tip),
        base_fee_per_gas: None,
    };
    View { tip: header, relied: (tip + 1).checked_sub(RELIED), settled: (tip + 1).checked_sub(SETTLED) }
}

/// What a block does to lock `lock`.
#[derive(Copy, Clone, Debug)]
enum Deed {
    Lock,
    Redeem {
        direct: bool,
    },
    Refund {
        direct: bool,
    },
    /// Another lock with the same hash, to somebody else, is redeemed.
    Decoy,
}

/// A chain that follows the contract's rules.
#[derive(Clone, Default)]
struct Chain {
    blocks: Vec<(u64, Vec<(u8, Deed)>)>,
}

impl Chain {
    /// Whether lock `n` stands after block `height`.
    fn stands(&self, n: u8, height: u64) -> bool {
        let deeds = self.blocks.iter().take(height as usize + 1).flat_map(|(_, deeds)| deeds);
        deeds.filter(|(lock, _)| *lock == n).fold(false, |stands, (_, deed)| match deed {
            Deed::Lock => true,
            Deed::Redeem { .. } | Deed::Refund { .. } => false,
            Deed::Decoy => stands,
        })
    }

    /// Adds a block with those of the deeds that the contract would take.
    fn push(&mut self, fork: u64, deeds: &[(u8, Deed)]) {
        self.blocks.push((fork, Vec::new()));
        for (n, deed) in deeds {
            let stands = self.stands(*n, self.tip());
            let fits = match deed {
                Deed::Lock => !stands,
                Deed::Redeem { .. } | Deed::Refund { .. } => stands,
                Deed::Decoy => true,
            };
            if let (true, Some((_, taken))) = (fits, self.blocks.last_mut()) {
                taken.push((*n, *deed));
            }
        }
    }

    fn tip(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    fn view(&self) -> View {
        view(self.tip(), self.blocks.last().map_or(0, |(fork, _)| *fork))
    }

    /// Tells a tracker of the blocks from `from` on, and of the slots.
    fn tell(&self, tracker: &mut Tracker, from: u64) {
        for (number, (fork, deeds)) in self.blocks.iter().enumerate().skip(from as usize) {
            for (index, (n, deed)) in deeds.iter().enumerate() {
                let (block, index) = (number as u64, index as u64);
                let tx = B256::from(U256::from(block) << 128 | U256::from(index) << 64 | U256::from(*fork));
                let spot = Spot { block, index, hash: hash(block, *fork), tx };
                let slot = slot(*n);
                let meant = |direct: bool| direct.then(|| std::slice::from_ref(&slot));
                match deed {
                    Deed::Lock => tracker.locked(&slot, spot),
                    Deed::Redeem { direct } => {
                        tracker.candidate(secret(n / 2).expose());
                        tracker.ended(CONTRACT, slot.terms.hash, SpendKind::Redeem, meant(*direct), spot);
                    }
                    Deed::Refund { direct } => {
                        tracker.ended(CONTRACT, slot.terms.hash, SpendKind::Refund, meant(*direct), spot);
                    }
                    Deed::Decoy => {
                        tracker.candidate(secret(n / 2).expose());
                        let mut other = slot.terms.clone();
                        other.amount = U256::from(1);
                        let other = Slot::new(CONTRACT, 1, other);
                        tracker.ended(CONTRACT, slot.terms.hash, SpendKind::Redeem, Some(&[other]), spot);
                    }
                }
            }
        }
        let view = self.view();
        for wish in tracker.wishes(&view) {
            let n = *wish.lock.as_bytes().first().unwrap();
            let at = |height: Option<u64>| height.map(|height| self.stands(n, height));
            let reads = Reads {
                tip: Some(self.stands(n, self.tip())),
                relied: at(view.relied.filter(|_| wish.relied)),
                settled: at(view.settled.filter(|_| wish.settled)),
                code_is_right: Some(true),
            };
            tracker.read(wish.lock, reads);
        }
        tracker.caught_up(&LOCKS.map(id));
        tracker.judge(&view);
    }
}

const LOCKS: [u8; 4] = [0, 1, 2, 3];

fn fresh() -> Tracker {
    let mut tracker = Tracker::default();
    LOCKS.iter().for_each(|n| tracker.watch(id(*n), slot(*n), B256::ZERO, 0));
    tracker
}

fn deeds() -> impl Strategy<Value = Vec<(u8, Deed)>> {
    let deed = prop_oneof![
        4 => Just(Deed::Lock),
        2 => any::<bool>().prop_map(|direct| Deed::Redeem { direct }),
        2 => any::<bool>().prop_map(|direct| Deed::Refund { direct }),
        1 => Just(Deed::Decoy),
    ];
    proptest::collection::vec((0u8..4, deed), 0..3)
}

/// What both trackers must agree on. The secret is not among it: it outlives its block.
fn seen(tracker: &Tracker) -> BTreeMap<LockId, Sighting> {
    let seen = LOCKS.map(|n| (id(n), Sighting { secret: None, ..tracker.look(id(n)).unwrap() }));
    seen.into_iter().collect()
}

proptest! {
    #[test]
    fn after_any_reorgs_a_tracker_sees_what_a_fresh_one_sees(steps in proptest::collection::vec((0usize..5, proptest::collection::vec(deeds(), 1..4)), 1..12)) {
        let (mut chain, mut tracker) = (Chain::default(), fresh());
        chain.push(0, &[]);
        chain.tell(&mut tracker, 0);
        for (fork, (back, blocks)) in steps.into_iter().enumerate() {
            let keep = chain.blocks.len().saturating_sub(back).max(1);
            chain.blocks.truncate(keep);
            tracker.undo_above(chain.tip());
            for deeds in blocks {
                chain.push(fork as u64 + 1, &deeds);
            }
            chain.tell(&mut tracker, keep as u64);
            let mut other = fresh();
            chain.tell(&mut other, 0);
            prop_assert_eq!(seen(&tracker), seen(&other));
        }
    }

    #[test]
    fn what_is_said_agrees_with_the_slots(blocks in proptest::collection::vec(deeds(), 1..14)) {
        let mut chain = Chain::default();
        blocks.iter().for_each(|deeds| chain.push(1, deeds));
        let mut tracker = fresh();
        chain.tell(&mut tracker, 0);
        let view = chain.view();
        for n in LOCKS {
            let sighting = tracker.look(id(n)).unwrap();
            let ever = (0..=chain.tip()).any(|height| chain.stands(n, height))
                || chain.blocks.iter().flat_map(|(_, deeds)| deeds).any(|(lock, deed)| *lock == n && matches!(deed, Deed::Lock));
            match sighting.status {
                LockStatus::Absent => prop_assert!(!ever),
                LockStatus::Pending { depth, .. } => prop_assert!(u64::from(depth) <= RELIED, "{depth}"),
                LockStatus::Funded { at, depth, .. } => {
                    prop_assert!(at.height.get() <= view.relied.unwrap() && u64::from(depth) >= RELIED);
                    let again = sighting.faults.contains(&Fault::LockedAgain);
                    prop_assert!(chain.stands(n, chain.tip()) || sighting.spend.is_some() || again);
                }
                LockStatus::Redeemed { at, .. } | LockStatus::Refunded { at, .. } => {
                    prop_assert!(at.height.get() <= view.settled.unwrap());
                    let again = sighting.faults.contains(&Fault::LockedAgain);
                    prop_assert!(again || !chain.stands(n, view.settled.unwrap()));
                }
            }
        }
    }
}

#[test]
fn a_refund_is_a_refund_although_a_decoy_was_redeemed_beside_it() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock)]);
    chain.push(1, &[(0, Deed::Decoy), (0, Deed::Refund { direct: true })]);
    (0..3).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    let sighting = tracker.look(id(0)).unwrap();
    assert!(matches!(sighting.status, LockStatus::Refunded { .. }), "{sighting:?}");
    assert_eq!(sighting.secret, Some(secret(0)));
    assert_eq!(tracker.look(id(1)).unwrap().secret, Some(secret(0)), "the other lock of that hash learns it too");
    assert_eq!(tracker.look(id(2)).unwrap().secret, None);
}

#[test]
fn an_empty_slot_that_no_event_explains_is_not_relied_on_and_events_are_read_again() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock)]);
    (0..3).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    assert!(matches!(tracker.look(id(0)).unwrap().status, LockStatus::Funded { .. }));
    let view = chain.view();
    let empty = Reads { tip: Some(false), relied: Some(false), settled: Some(false), code_is_right: Some(true) };
    tracker.read(id(0), empty);
    tracker.judge(&view);
    assert!(matches!(tracker.look(id(0)).unwrap().status, LockStatus::Pending { .. }));
    assert!(tracker.live().any(|(lock, watched)| lock == id(0) && !watched.caught_up));
}

/// F3: a node that has thrown old events away, or not told of them.
#[test]
fn a_lock_that_stands_without_an_event_can_be_taken_back_and_is_not_relied_on() {
    let mut chain = Chain::default();
    (0..6).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    assert!(tracker.wishes(&chain.view()).is_empty());
    tracker.read(id(0), Reads { tip: Some(true), code_is_right: Some(true), ..Reads::default() });
    tracker.judge(&chain.view());
    let sighting = tracker.look(id(0)).unwrap();
    assert!(sighting.stands() && matches!(sighting.status, LockStatus::Pending { depth: 1, .. }), "{sighting:?}");
    assert!(tracker.live().any(|(lock, watched)| lock == id(0) && !watched.caught_up), "events are looked for again");
    assert_eq!(tracker.wishes(&chain.view()).len(), 1, "and the slot is read again");
    chain.tell(&mut tracker, chain.tip());
    assert_eq!(tracker.look(id(0)), Some(Sighting::absent()), "its slot is empty now");
}

#[test]
fn another_code_at_the_address_is_a_fault_and_nothing_is_credited() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock)]);
    (0..3).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    let view = chain.view();
    tracker.read(id(0), Reads { tip: Some(true), relied: Some(true), settled: Some(true), code_is_right: Some(false) });
    tracker.judge(&view);
    let sighting = tracker.look(id(0)).unwrap();
    assert_eq!((sighting.status, sighting.faults), (LockStatus::Absent, vec![Fault::WrongCode]));
}

#[test]
fn a_slot_that_could_not_be_read_changes_nothing() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock)]);
    (0..3).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    let before = tracker.look(id(0));
    tracker.read(id(0), Reads { code_is_right: Some(true), ..Reads::default() });
    tracker.judge(&chain.view());
    assert_eq!(tracker.look(id(0)), before);
}

#[test]
fn a_flood_of_events_under_our_hash_neither_grows_nor_hides_the_real_end() {
    let mut tracker = fresh();
    let own = slot(0);
    for block in 1..5_000u64 {
        let spot = Spot { block, index: 0, hash: hash(block, 1), tx: hash(block, 2) };
        tracker.ended(CONTRACT, own.terms.hash, SpendKind::Redeem, None, spot);
    }
    let end = Spot { block: 6_000, index: 0, hash: hash(6_000, 1), tx: hash(6_000, 2) };
    tracker.ended(CONTRACT, own.terms.hash, SpendKind::Refund, Some(std::slice::from_ref(&own)), end);
    let (_, watched) = tracker.live().find(|(lock, _)| *lock == id(0)).unwrap();
    assert!(watched.endings.len() <= KEPT);
    assert!(watched.endings.iter().any(|ending| ending.sure && ending.spot == end));
}

#[test]
fn nothing_is_asked_about_a_lock_that_is_over_or_unwatched() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock), (2, Deed::Lock)]);
    chain.push(1, &[(0, Deed::Redeem { direct: true })]);
    (0..3).for_each(|_| chain.push(1, &[]));
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    assert!(tracker.look(id(0)).unwrap().is_over());
    let asked = |wishes: Vec<Wish>| wishes.iter().map(|wish| wish.lock).collect::<Vec<_>>();
    assert_eq!(asked(tracker.in_turn(&chain.view(), 10)), [id(1), id(2), id(3)]);
    tracker.unwatch(id(2));
    assert_eq!(asked(tracker.in_turn(&chain.view(), 10)), [id(1), id(3)]);
    assert!(tracker.look(id(2)).is_none());
    assert!(!tracker.watches_hash(slot(2).terms.hash) || tracker.look(id(3)).is_some());
}

#[test]
fn a_slot_is_read_for_a_reason_and_each_in_its_turn() {
    let mut chain = Chain::default();
    chain.push(1, &[(0, Deed::Lock), (1, Deed::Lock), (2, Deed::Lock)]);
    let mut tracker = fresh();
    chain.tell(&mut tracker, 0);
    chain.push(1, &[]);
    assert_eq!(tracker.wishes(&chain.view()).len(), 3, "deep enough now");
    chain.tell(&mut tracker, 1);
    for _ in 0..5 {
        chain.push(1, &[]);
        assert!(tracker.wishes(&chain.view()).is_empty(), "a block that says nothing of them asks nothing");
        chain.tell(&mut tracker, chain.tip());
    }
    let turns: Vec<_> = (0..6).map(|_| tracker.in_turn(&chain.view(), 1).first().unwrap().lock).collect();
    assert_eq!(turns, [id(0), id(1), id(2), id(3), id(0), id(1)], "also one that no event was seen of");
    tracker.distrust(CONTRACT);
    assert_eq!(tracker.wishes(&chain.view()).len(), 4, "another code at the contract is a reason");
    chain.tell(&mut tracker, chain.tip());
    chain.push(1, &[(2, Deed::Redeem { direct: true })]);
    tracker.take_changed();
    chain.tell(&mut tracker, chain.tip());
    let mut changed = tracker.take_changed();
    changed.sort_unstable();
    assert_eq!(changed, [id(2), id(3)], "3 waits for the same secret");
    assert!(tracker.take_changed().is_empty());
}
