//! The very `step` of the program under a model checker: every order of blocks, transactions, crashes, lost mempools,
//! reorganisations and lies that a small swap can meet, tried one and all. One party is honest, or both are; everybody else,
//! the miners included, does whatever hurts most: mines in any order, unseen, late; evicts, orphans and replaces; kills the
//! honest party anywhere in its turn, for as long as it may be away, and has mempools forget what it sent.
//!
//! Time is discrete and one clock serves all, so this shows the shape of the margins (how often an absence, an inclusion and
//! a reorganisation must fit), and that one tick less loses; real clocks are `schedule`'s matter, and the simulator's.
//! Liveness is a bound: when time is up, nothing of ours is stuck. Every fault that must lead to a counterexample is below. One
//! leg may lie in a payment channel, as far as a swap can see it; the channels' own rules have a model of their own.
//!
//! `cargo test -p photon-swap --test model -- --nocapture` prints the states of every exploration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod channel;
#[path = "../common/mod.rs"]
mod common;
mod ledger;
mod party;
mod promises;
mod setup;
mod world;

use photon_swap::Guard;
use promises::*;
use setup::{Broken, Honest, InChannel, Setup};
use stateright::{Checker, HasDiscoveries, Model};
use std::time::Instant;
use world::World;

const THREADS: usize = 2;

/// Tries everything; returns the promises that were broken, and those sights that were seen. `PHOTON_MODEL_PATHS=1` shows
/// the moves that led there.
fn explore(setup: Setup, until: HasDiscoveries) -> Vec<&'static str> {
    let started = Instant::now();
    let checker = World::new(setup).checker().threads(THREADS).finish_when(until).spawn_bfs().join();
    let found = checker.discoveries();
    println!("{} states in {} ms: {setup:?}", checker.unique_state_count(), started.elapsed().as_millis());
    if std::env::var_os("PHOTON_MODEL_PATHS").is_some() {
        for (name, path) in &found {
            println!("{name}:");
            for (state, action) in path.clone().into_vec() {
                println!("  {action:?} in {state:?}");
            }
        }
    }
    found.into_keys().collect()
}

fn broken(found: &[&'static str]) -> Vec<&'static str> {
    SAFETY.into_iter().filter(|name| found.contains(name)).collect()
}

#[track_caller]
fn assert_safe(setup: Setup) {
    assert_eq!(setup.terms().check(), Ok(()), "{setup:?}");
    let found = explore(setup, HasDiscoveries::AnyFailures);
    let broken = broken(&found);
    assert!(broken.is_empty(), "{broken:?} in {setup:?}; PHOTON_MODEL_PATHS=1 shows how");
    assert!(found.contains(&CAN_REFUND) || !setup.may_fail(), "no swap was refunded in {setup:?}");
    assert!(found.contains(&CAN_COMPLETE), "no swap completed in {setup:?}");
}

#[track_caller]
fn assert_loses(setup: Setup) {
    let found = explore(setup, HasDiscoveries::AnyOf([NO_LOSS].into()));
    assert!(found.contains(&NO_LOSS), "{:?}, and no loss, in {setup:?}", broken(&found));
}

/// Figures, as small as they can be while they still differ: confirmations, inclusion, away, reorgs, crashes, losses, cycles.
const SEAS: [(u8, u8, u8, u8, u8, u8, bool); 9] = [
    (1, 1, 1, 0, 0, 0, false),
    (1, 2, 1, 0, 0, 0, true),
    (1, 1, 2, 0, 1, 0, true),
    (1, 2, 2, 0, 1, 1, false),
    (1, 1, 1, 0, 2, 1, false),
    (2, 1, 1, 1, 0, 0, false),
    (3, 1, 1, 1, 0, 0, true),
    (2, 2, 1, 1, 0, 0, false),
    (2, 1, 1, 1, 1, 1, true),
];

fn sea(honest: Honest, beta_closes: bool, sea: (u8, u8, u8, u8, u8, u8, bool)) -> Setup {
    let (confirmations, inclusion, away, reorgs, crashes, losses, cycles) = sea;
    let base = Setup { beta_closes, confirmations, inclusion, away, reorgs, crashes, losses, cycles, ..Setup::of(honest) };
    base.with_margins()
}

#[test]
fn an_honest_initiator_never_loses_and_one_tick_less_to_redeem_beta_loses() {
    for beta_closes in [true, false] {
        for figures in SEAS {
            let setup = sea(Honest::Initiator, beta_closes, figures);
            assert_safe(setup);
            assert_loses(Setup { window: setup.window - 1, ..setup });
        }
    }
}

#[test]
fn an_honest_participant_never_loses_and_one_tick_less_between_the_expiries_loses() {
    for beta_closes in [true, false] {
        for figures in SEAS {
            let setup = sea(Honest::Participant, beta_closes, figures);
            assert_safe(setup);
            if let Some(gap) = setup.least_gap().checked_sub(1) {
                assert_loses(Setup { gap, ..setup });
            }
        }
    }
}

#[test]
fn two_honest_parties_end_alike_and_neither_takes_both() {
    for beta_closes in [true, false] {
        for figures in [(1, 1, 1, 0, 0, 0, false), (1, 2, 1, 0, 1, 1, false), (2, 1, 1, 1, 1, 1, false)] {
            assert_safe(sea(Honest::Both, beta_closes, figures));
        }
    }
}

/// A node's "rejected" is no fact: what it took in is there all the same.
#[test]
fn a_rejected_broadcast_changes_nothing_and_believing_it_loses() {
    for honest in [Honest::Initiator, Honest::Participant] {
        let setup = Setup { rejections: 2, ..reorganised(honest) };
        assert_safe(setup);
        assert_loses(Setup { broken: Some(Broken::BelievesRejections), ..setup });
    }
}

/// The counterexamples. Each setting is safe with the whole program, and loses with the one fault.
#[track_caller]
fn assert_needed(fault: Broken, setup: Setup) {
    assert_safe(setup);
    assert_loses(Setup { broken: Some(fault), ..setup });
}

fn crashing(honest: Honest) -> Setup {
    Setup { crashes: 1, losses: 1, ..Setup::of(honest) }.with_margins()
}

fn reorganised(honest: Honest) -> Setup {
    Setup { confirmations: 2, reorgs: 1, losses: 1, ..Setup::of(honest) }.with_margins()
}

#[test]
fn a_reveal_whose_intent_is_not_durable_loses_at_any_margin() {
    for extra in [0, 4] {
        let setup = crashing(Honest::Initiator);
        let setup = Setup { window: setup.window + extra, ..setup };
        assert_needed(Broken::RevealIntentInMemory, setup);
        assert_needed(Broken::Core(Guard::RevealIntent), setup);
        // What the core asks for is not durable before it is done: that alone is seen too.
        let calm = Setup { crashes: 0, losses: 0, broken: Some(Broken::Core(Guard::RevealIntent)), ..setup };
        let found = explore(calm, HasDiscoveries::AnyFailures);
        assert!(found.contains(&INTENT_FIRST), "{found:?}");
    }
}

#[test]
fn a_reveal_after_the_last_moment_loses() {
    for beta_closes in [true, false] {
        let setup = Setup { beta_closes, ..Setup::of(Honest::Initiator) }.with_margins();
        assert_needed(Broken::RevealsOneTickLate, setup);
    }
}

#[test]
fn relying_on_a_shallow_beta_or_alpha_loses() {
    assert_needed(Broken::Core(Guard::BetaDepth), reorganised(Honest::Initiator));
    assert_needed(Broken::Core(Guard::AlphaDepth), reorganised(Honest::Participant));
}

#[test]
fn reading_only_blocks_and_no_mempool_loses_at_any_margin() {
    for extra in [0, 4] {
        let setup = Setup { beta_closes: false, cycles: true, ..Setup::of(Honest::Participant) }.with_margins();
        assert_needed(Broken::ReadsNoMempool, Setup { gap: setup.gap + extra, ..setup });
    }
}

#[test]
fn one_expiry_for_both_legs_loses() {
    for beta_closes in [true, false] {
        let setup = Setup { beta_closes, crashes: 1, ..Setup::of(Honest::Participant) }.with_margins();
        assert_safe(setup);
        assert_loses(Setup { gap: 0, ..setup });
    }
}

#[test]
fn forgetting_that_a_redeem_can_be_unmined_loses() {
    for honest in [Honest::Initiator, Honest::Participant] {
        assert_needed(Broken::Core(Guard::RedeemFinal), reorganised(honest));
    }
}

#[test]
fn an_unmined_beta_that_is_not_cancelled_loses_at_any_margin() {
    for extra in [0, 4] {
        let setup = Setup { beta_closes: false, ..Setup::of(Honest::Participant) }.with_margins();
        let setup = Setup { gap: setup.gap + extra, ..setup };
        assert_needed(Broken::Core(Guard::CancelBeta), setup);
    }
}

/// The store gives a hash to one swap for ever; a program that does not would pay twice and be paid once.
#[test]
fn crediting_one_lock_to_two_swaps_loses() {
    assert_needed(Broken::CreditsALockTwice, Setup::of(Honest::Participant));
}

/// What a channel adds: its payer may go silent, and close it with a word of before the lock. Figures as in [`SEAS`].
const CHANNEL_SEAS: [(u8, u8, u8, u8, u8, u8, bool); 4] =
    [(1, 1, 1, 0, 0, 0, false), (1, 2, 1, 0, 0, 0, false), (1, 1, 2, 0, 1, 1, false), (2, 1, 1, 1, 0, 0, false)];

fn over_a_channel(honest: Honest, in_channel: InChannel, figures: (u8, u8, u8, u8, u8, u8, bool)) -> Setup {
    Setup { in_channel, ..sea(honest, true, figures) }.with_margins()
}

#[test]
fn whoever_is_paid_in_a_channel_never_loses_and_one_tick_less_to_register_or_to_answer_a_close_loses() {
    for (honest, in_channel) in [(Honest::Initiator, InChannel::Beta), (Honest::Participant, InChannel::Alpha)] {
        for figures in CHANNEL_SEAS {
            let setup = over_a_channel(honest, in_channel, figures);
            assert_safe(setup);
            assert_loses(Setup { margin: setup.margin - 1, ..setup });
            assert_loses(Setup { settle: setup.settle - 1, ..setup });
        }
    }
}

#[test]
fn whoever_pays_in_a_channel_never_loses() {
    for (honest, in_channel) in [(Honest::Initiator, InChannel::Alpha), (Honest::Participant, InChannel::Beta)] {
        for figures in CHANNEL_SEAS {
            assert_safe(over_a_channel(honest, in_channel, figures));
        }
    }
    for in_channel in [InChannel::Alpha, InChannel::Beta] {
        assert_safe(over_a_channel(Honest::Both, in_channel, CHANNEL_SEAS[2]));
    }
}
