//! The very node of the program under a model checker: one payment over a mediator, in every order of messages, blocks and absences,
//! against a payer or a mediator that cheats: Mallory runs the same node, says what it says in any order, late or never. The payee is
//! paid for every secret that it shows.
//!
//! The chain is a registry and a clock: a lock whose secret is registered in time is its payee's, as the contract has it (what a close
//! does with it is `tests/the_honest_never_get_less.rs` and `tests/a_closed_channel_pays_what_was_promised.rs`). Liveness is a bound:
//! once faults stop, everything has ended so many blocks later.
//!
//! `cargo test -p photon-channel --test model -- --nocapture` prints the states of every exploration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod setup;
mod world;

use photon_channel::{Guard, Outcome};
use setup::{Setup, Who::*};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::time::Instant;
use world::{AMOUNT, Move, World};

const THREADS: usize = 2;

const NO_LOSS: &str = "no honest party loses";
const ENDS: &str = "everything ends";
const ONE_WORD: &str = "no two updates have one nonce";
const CAN_PAY: &str = "the payment can be made";
const CAN_FAIL: &str = "the payment can fail";

struct Payment(Setup);

impl Model for Payment {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.0)]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Move>) {
        if !state.is_over(&self.0) {
            state.moves(&self.0, actions);
        }
    }

    fn next_state(&self, state: &World, action: Move) -> Option<World> {
        Some(state.next(&self.0, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_LOSS, |model: &Self, state: &World| {
                !state.is_over(&model.0) || nobody_loses(&model.0, &state.settled(&model.0))
            }),
            Property::always(ENDS, |model: &Self, state: &World| {
                !state.is_over(&model.0) || all_ends(&model.0, &state.settled(&model.0))
            }),
            Property::always(ONE_WORD, |_: &Self, state: &World| !state.is_torn),
            Property::sometimes(CAN_PAY, |_: &Self, state: &World| matches!(state.outcome(), Some(Outcome::Paid(_)))),
            Property::sometimes(CAN_FAIL, |model: &Self, state: &World| {
                state.is_over(&model.0) && matches!(state.settled(&model.0).outcome(), Some(Outcome::Failed(_)))
            }),
        ]
    }
}

fn nobody_loses(setup: &Setup, world: &World) -> bool {
    let amount = i128::from(AMOUNT);
    let payer = match world.outcome() {
        Some(Outcome::Paid(_)) => world.gain(0) >= -amount - 10,
        Some(Outcome::Failed(_)) | None => world.gain(0) >= 0,
    };
    // Who has shown its secret has the money for it.
    let payee = world.gain(2) >= if world.has_shown() || world.is_lost() { amount } else { 0 };
    let fine = [payer, world.gain(1) >= 0, payee];
    (0..3).all(|own| setup.who(own) != Honest || fine[own])
}

/// Between honest parties nothing is left pending, and the payer knows what became of its payment.
fn all_ends(setup: &Setup, world: &World) -> bool {
    let is_alone = (0..3).all(|own| setup.who(own) == Honest);
    !is_alone || world.outcome().is_some() && (0..3).all(|own| world.pending(own) == 0)
}

fn explore(setup: Setup, until: HasDiscoveries) -> Vec<&'static str> {
    let started = Instant::now();
    let checker = Payment(setup).checker().threads(THREADS).finish_when(until).spawn_bfs().join();
    println!("{} states in {} ms: {setup:?}", checker.unique_state_count(), started.elapsed().as_millis());
    let found = checker.discoveries();
    if std::env::var_os("PHOTON_MODEL_PATHS").is_some() {
        for (name, path) in &found {
            println!("{name}: {:?}", path.clone().into_actions());
        }
    }
    found.into_keys().collect()
}

#[track_caller]
fn assert_safe(setup: Setup) {
    let found = explore(setup, HasDiscoveries::AnyFailures);
    let broken: Vec<_> = [NO_LOSS, ENDS, ONE_WORD].into_iter().filter(|name| found.contains(name)).collect();
    assert!(broken.is_empty(), "{broken:?} in {setup:?}; PHOTON_MODEL_PATHS=1 shows how");
    assert!(found.contains(&CAN_PAY), "never paid in {setup:?}");
}

/// Safe as it is, and not without that check.
#[track_caller]
fn assert_needed(guard: Guard, setup: Setup) {
    assert_safe(setup);
    let found = explore(Setup { broken: Some(guard), ..setup }, HasDiscoveries::AnyFailures);
    let is_found = [NO_LOSS, ENDS, ONE_WORD].iter().any(|name| found.contains(name));
    assert!(is_found, "nothing goes wrong without {guard:?} in {setup:?}");
}

#[test]
fn a_payee_whose_payer_cheats_is_paid_for_every_secret_that_it_shows() {
    for linked in [true, false] {
        assert_safe(Setup { linked, ..Setup::of([Mallory, Honest, Honest]) });
        assert_safe(Setup { linked, ..Setup::of([Honest, Mallory, Honest]) });
    }
}

/// The payee's own node, with Mallory at its wires: she shows her secret late or never, and registers it when she likes.
#[test]
fn a_mediator_and_a_payer_lose_nothing_to_a_payee_that_cheats() {
    for linked in [true, false] {
        assert_safe(Setup { linked, ..Setup::there([Honest, Honest, Mallory]) });
    }
}

/// Each in its turn is killed once, between any two messages or blocks, and started again from its disk. Blocks come only where
/// nothing is on its way: every order of both at once is more than can be tried in seconds.
#[test]
fn whoever_is_killed_once_loses_nothing_and_all_ends() {
    for dies in 0..3 {
        assert_safe(Setup { crashes: 1, dies: Some(dies), is_prompt: true, ..Setup::there([Honest; 3]) });
    }
}

/// The counterexamples: each setting is safe with the whole node, and not without the one check.
#[test]
fn a_secret_that_is_not_registered_in_time_loses() {
    assert_needed(Guard::RegisterInTime, Setup::of([Honest, Mallory, Honest]));
}

#[test]
fn a_lock_taken_too_near_its_end_loses() {
    assert_needed(Guard::TakeInTime, Setup { crashes: 0, ..Setup::of([Honest, Mallory, Honest]) });
}
