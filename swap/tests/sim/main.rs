//! Both parties of a swap run their real decisions over simulated ledgers, from a seed: messages are lost and repeated, the
//! parties crash and are away, chains reorganise and halt, fees rise, miners lie about the time, and Mallory cheats. Whatever
//! happens, an honest party ends with what it had, or with what it was promised. So it is where a leg lies in a payment channel,
//! or both, whose counterparty goes silent or closes and whose mediator stalls: see [`channel`].
//!
//! `PHOTON_SIM_SEEDS=1000000` plays more swaps; a seed that fails is printed and is played alone with
//! `PHOTON_SIM_SEED=<seed>`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod channel;
#[path = "../common/mod.rs"]
mod common;
mod judge;
mod ledger;
mod look;
mod mallory;
mod mutations;
mod party;
mod rng;
mod talk;
mod world;

use judge::{Report, Wrong};
use photon_swap::{Outcome, Phase, Role};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use world::{Setting, run};

const DEFAULT_SEEDS: u64 = 100_000;
/// Seeds that a thread takes at a time.
const BATCH: u64 = 256;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn is_replay() -> bool {
    std::env::var_os("PHOTON_SIM_SEED").is_some()
}

#[derive(Default)]
struct Tally {
    ends: BTreeMap<String, u64>,
    wrongs: Vec<String>,
}

impl Tally {
    fn take_in(&mut self, seed: u64, result: Result<Report, Wrong>) {
        match result {
            Ok(report) => {
                self.wrongs.extend(wrong_moves(seed, &report));
                let ended = |outcome: Option<Outcome>| outcome.map_or("no swap".to_owned(), |outcome| format!("{outcome:?}"));
                *self.ends.entry(format!("{}/{}", ended(report.initiator), ended(report.participant))).or_default() += 1;
            }
            Err(wrong) => self.wrongs.push(format!("seed {seed}: {wrong:?}")),
        }
    }

    fn merge(&mut self, other: Tally) {
        self.wrongs.extend(other.wrongs);
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
    }

    /// A test that never reaches a case does not test it.
    fn assert_reached(&self, ends: &[&str]) {
        for end in ends {
            let seen = self.ends.keys().any(|key| key.contains(end));
            assert!(is_replay() || seen, "no swap ended {end}: {:?}", self.ends);
        }
    }
}

/// Plays every seed on every processor, and counts how the swaps ended. All that went wrong is shown before the test fails.
fn play(setting: &Setting, most: u64) -> Tally {
    let (first, last) = match number("PHOTON_SIM_SEED") {
        Some(seed) => (seed, seed),
        None => (0, number("PHOTON_SIM_SEEDS").unwrap_or(DEFAULT_SEEDS).min(most) - 1),
    };
    let setting = Setting { is_told: is_replay(), ..*setting };
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        let mut tally = Tally::default();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from > last {
                return tally;
            }
            for seed in from..=last.min(from + BATCH - 1) {
                tally.take_in(seed, run(seed, &setting));
            }
        }
    };
    let tally = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = Tally::default();
        running.into_iter().for_each(|thread| all.merge(thread.join().expect("no swap panics")));
        all
    });
    let who = match (setting.mallory, setting.is_calm) {
        (Some(Role::Initiator), _) => "Mallory is the initiator",
        (Some(Role::Participant), _) => "Mallory is the participant",
        (None, true) => "nothing goes wrong",
        (None, false) => "both honest",
    };
    println!("{who}: {} swaps in {:.1} s: {:?}", last - first + 1, began.elapsed().as_secs_f64(), tally.ends);
    let shown: Vec<_> = tally.wrongs.iter().take(20).collect();
    assert!(shown.is_empty(), "{} swaps went wrong; play one alone with PHOTON_SIM_SEED=…: {shown:#?}", tally.wrongs.len());
    tally
}

fn wrong_moves(seed: u64, report: &Report) -> Vec<String> {
    let wrong = report.moves.iter().filter(|(from, to)| !Phase::may_follow(*from, *to));
    wrong.map(|(from, to)| format!("seed {seed}: {from} was followed by {to}")).collect()
}

#[test]
fn two_honest_parties_complete_when_nothing_goes_wrong() {
    let tally = play(&Setting { is_calm: true, ..Setting::default() }, 2_000);
    assert_eq!(tally.ends.keys().collect::<Vec<_>>(), ["Completed/Completed"]);
}

#[test]
fn two_honest_parties_end_alike_through_crashes_reorganisations_and_a_bad_wire() {
    let tally = play(&Setting::default(), u64::MAX);
    tally.assert_reached(&[
        "Completed/Completed",
        "Refunded/Refunded",
        "Refunded/Void",
        "Void/Void",
        "Void/no swap",
        "no swap/no swap",
    ]);
}

#[test]
fn an_honest_initiator_never_loses_to_mallory() {
    let tally = play(&Setting { mallory: Some(Role::Participant), ..Setting::default() }, u64::MAX);
    tally.assert_reached(&["Completed", "Refunded", "Void", "no swap"]);
}

#[test]
fn an_honest_participant_never_loses_to_mallory() {
    let tally = play(&Setting { mallory: Some(Role::Initiator), ..Setting::default() }, u64::MAX);
    tally.assert_reached(&["Completed", "Refunded", "Void", "no swap"]);
}

/// Swaps with a leg in channels, straight or over a mediator: fewer, since each takes longer.
const OVER_CHANNELS: u64 = 20_000;

fn over_channels(mallory: Option<Role>) -> Setting {
    Setting { mallory, over_channels: true, ..Setting::default() }
}

#[test]
fn two_honest_parties_complete_over_channels_when_nothing_goes_wrong() {
    let tally = play(&Setting { is_calm: true, ..over_channels(None) }, 2_000);
    assert_eq!(tally.ends.keys().collect::<Vec<_>>(), ["Completed/Completed"]);
}

#[test]
fn two_honest_parties_end_alike_over_channels_that_close_and_mediators_that_stall() {
    let tally = play(&over_channels(None), OVER_CHANNELS);
    tally.assert_reached(&["Completed/Completed", "Refunded/Refunded", "Refunded/Void", "Void/Void"]);
}

#[test]
fn an_honest_initiator_never_loses_to_mallory_in_its_channel() {
    let tally = play(&over_channels(Some(Role::Participant)), OVER_CHANNELS);
    tally.assert_reached(&["Completed", "Refunded", "Void", "no swap"]);
}

#[test]
fn an_honest_participant_never_loses_to_mallory_in_its_channel() {
    let tally = play(&over_channels(Some(Role::Initiator)), OVER_CHANNELS);
    tally.assert_reached(&["Completed", "Refunded", "Void", "no swap"]);
}
