//! Both parties of a swap run their real decisions over simulated ledgers, from a seed, with crashes, outages,
//! reorganisations, halts and Mallory. Whatever happens, an honest party ends with what it had, or with what it was promised.
//!
//! `PHOTON_SIM_SEEDS=100000` plays more swaps; a seed that fails is printed and is played alone with
//! `PHOTON_SIM_SEED=<seed>`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod ledger;
mod mallory;
mod party;
mod rng;
mod world;

use party::Flaw;
use photon_swap::{Outcome, Phase, Role};
use std::collections::BTreeMap;
use world::{Report, Setting, Wrong, run};

const DEFAULT_SEEDS: u64 = 800;

fn seeds() -> Box<dyn Iterator<Item = u64>> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("PHOTON_SIM_SEED") {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new(0..number("PHOTON_SIM_SEEDS").unwrap_or(DEFAULT_SEEDS)),
    }
}

fn is_replay() -> bool {
    std::env::var_os("PHOTON_SIM_SEED").is_some()
}

/// Plays every seed, and counts how the swaps ended. All that went wrong is shown before the test fails.
fn play(setting: &Setting) -> BTreeMap<String, u64> {
    let setting = Setting { is_told: is_replay(), ..*setting };
    let mut ends = BTreeMap::new();
    let mut wrongs = Vec::new();
    for seed in seeds() {
        match run(seed, &setting) {
            Ok(report) => {
                wrongs.extend(wrong_moves(seed, &report));
                for outcome in [report.initiator, report.participant].into_iter().flatten() {
                    *ends.entry(format!("{outcome:?}")).or_default() += 1;
                }
            }
            Err(wrong) => wrongs.push(format!("seed {seed}: {wrong:?}")),
        }
    }
    println!("{setting:?}: {ends:?}");
    let first: Vec<_> = wrongs.iter().take(20).collect();
    assert!(wrongs.is_empty(), "{} swaps went wrong; play one alone with PHOTON_SIM_SEED=…: {first:#?}", wrongs.len());
    ends
}

fn wrong_moves(seed: u64, report: &Report) -> Vec<String> {
    let wrong = report.moves.iter().filter(|(from, to)| !Phase::may_follow(*from, *to));
    wrong.map(|(from, to)| format!("seed {seed}: {from} was followed by {to}")).collect()
}

/// A test that never reaches a case does not test it.
fn assert_reached(ends: &BTreeMap<String, u64>, outcomes: &[Outcome]) {
    for outcome in outcomes {
        let seen = ends.get(&format!("{outcome:?}")).copied().unwrap_or_default();
        assert!(is_replay() || seen > 0, "no swap ended {outcome:?}: {ends:?}");
    }
}

#[test]
fn two_honest_parties_complete_when_nothing_goes_wrong() {
    let ends = play(&Setting { is_calm: true, ..Setting::default() });
    assert_eq!(ends.keys().collect::<Vec<_>>(), ["Completed"]);
}

#[test]
fn two_honest_parties_end_alike_through_crashes_and_reorganisations() {
    let ends = play(&Setting::default());
    assert_reached(&ends, &[Outcome::Completed, Outcome::Refunded, Outcome::Void]);
}

#[test]
fn an_honest_initiator_never_loses_to_mallory() {
    let ends = play(&Setting { mallory: Some(Role::Participant), ..Setting::default() });
    assert_reached(&ends, &[Outcome::Completed, Outcome::Refunded, Outcome::Void]);
}

#[test]
fn an_honest_participant_never_loses_to_mallory() {
    let ends = play(&Setting { mallory: Some(Role::Initiator), ..Setting::default() });
    assert_reached(&ends, &[Outcome::Completed, Outcome::Refunded, Outcome::Void]);
}

/// The simulator would notice: each of these programs, or schedules, is broken on purpose, and some seed shows it.
fn assert_some_seed_goes_wrong(setting: Setting, expected: Wrong) {
    let found = (0..MOST_SEEDS_TO_BREAK).find(|seed| run(*seed, &setting) == Err(expected.clone()));
    assert!(found.is_some(), "no seed of {MOST_SEEDS_TO_BREAK} led to {expected:?} in {setting:?}");
}

const MOST_SEEDS_TO_BREAK: u64 = 20_000;

fn against(mallory: Role, flaw: Flaw) -> Setting {
    Setting { mallory: Some(mallory), flaw, ..Setting::default() }
}

#[test]
fn a_reveal_whose_intent_is_not_durable_loses() {
    let flaw = Flaw { forgets_reveal_intent: true, ..Flaw::default() };
    assert_some_seed_goes_wrong(against(Role::Participant, flaw), Wrong::Loss(Role::Initiator));
}

#[test]
fn a_forgotten_unmined_beta_loses() {
    let flaw = Flaw { never_cancels: true, ..Flaw::default() };
    assert_some_seed_goes_wrong(against(Role::Initiator, flaw), Wrong::Loss(Role::Participant));
}

#[test]
fn relying_on_a_shallow_lock_loses() {
    let flaw = Flaw { trusts_shallow: true, ..Flaw::default() };
    assert_some_seed_goes_wrong(against(Role::Initiator, flaw), Wrong::Loss(Role::Participant));
}

#[test]
fn a_redeem_that_is_not_repeated_loses() {
    let flaw = Flaw { never_repeats: true, ..Flaw::default() };
    assert_some_seed_goes_wrong(against(Role::Initiator, flaw), Wrong::Loss(Role::Participant));
    assert_some_seed_goes_wrong(against(Role::Participant, flaw), Wrong::Loss(Role::Initiator));
}

#[test]
fn a_shorter_time_to_redeem_beta_loses() {
    let setting = Setting { shorter_reveal_secs: 20, ..against(Role::Participant, Flaw::default()) };
    assert_some_seed_goes_wrong(setting, Wrong::Loss(Role::Initiator));
}

#[test]
fn a_shorter_gap_between_the_expiries_loses() {
    let setting = Setting { shorter_gap_secs: 20, ..against(Role::Initiator, Flaw::default()) };
    assert_some_seed_goes_wrong(setting, Wrong::Loss(Role::Participant));
}
