//! Three to five nodes that pay each other over channels, from a seed: with messages lost, doubled and overtaken, crashes at
//! every commit and between any two sends, outages, gas that spikes, the last blocks undone, channels closed by one side with
//! any old word or by both, money taken out and paid in, and Mallory in every position, alone or with another; databases lost, or
//! old copies of them put back, with a backup of the channels and without; the chain out of somebody's sight. The chain is the
//! contract's own model, so that what is judged is what a party has in the end, not what it believes. The same code runs in the
//! program.
//!
//! `PHOTON_SIM_SEEDS=1000000` plays more stories; a seed that fails is printed and is played alone with `PHOTON_SIM_SEED=<seed>`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod chain;
mod faults;
mod forget;
mod hear;
mod judge;
mod lies;
mod mallory;
mod mutations;
mod party;
mod rng;
mod sight;
mod story;
mod waits;
mod world;

use faults::Faults;
use judge::{INVARIANTS, Report};
use party::{TO_THE_BLIND, TO_THE_FORGETFUL, VICES, Vice};
use photon_channel::with_toys;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use story::{Setting, run};
use world::Wrong;

/// Seeds that a thread takes at a time.
const BATCH: u64 = 64;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[derive(Default)]
struct Tally {
    report: Report,
    wrongs: Vec<String>,
}

impl Tally {
    fn take_in(&mut self, seed: u64, result: Result<Report, Wrong>) {
        match result {
            Ok(report) => report.into_iter().for_each(|(what, count)| *self.report.entry(what).or_default() += count),
            Err(Wrong::Invariant(number, why)) => {
                self.wrongs.push(format!("seed {seed}: invariant {number} ({}): {why}", INVARIANTS[number - 1]));
            }
            Err(wrong) => self.wrongs.push(format!("seed {seed}: {wrong:?}")),
        }
    }

    fn merge(&mut self, other: Tally) {
        self.wrongs.extend(other.wrongs);
        other.report.into_iter().for_each(|(what, count)| *self.report.entry(what).or_default() += count);
    }

    /// A test that hardly reaches a case does not test it.
    fn assert_reached(&self, least: &[(&str, u64)]) {
        if number("PHOTON_SIM_SEED").is_some() || number("PHOTON_SIM_SEEDS").is_some() {
            return;
        }
        for (what, least) in least {
            let count = self.report.get(*what).copied().unwrap_or_default();
            assert!(count >= *least, "{what} was played {count} times only: {:?}", self.report);
        }
    }
}

/// Plays every seed on every processor. All that went wrong is shown before the test fails.
fn play(name: &str, default: u64, setting: impl Fn(u64) -> Setting + Sync) -> Tally {
    let (first, last) = match number("PHOTON_SIM_SEED") {
        Some(seed) => (seed, seed),
        None => (0, number("PHOTON_SIM_SEEDS").unwrap_or(default).max(1) - 1),
    };
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let worker = || {
        let mut tally = Tally::default();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from > last {
                return tally;
            }
            for seed in from..=last.min(from + BATCH - 1) {
                tally.take_in(seed, with_toys(|| run(seed, &setting(seed))));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tally = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = Tally::default();
        running.into_iter().for_each(|thread| all.merge(thread.join().expect("no story panics")));
        all
    });
    println!("{name}: {} stories in {:.1} s: {:?}", last - first + 1, began.elapsed().as_secs_f64(), tally.report);
    let shown: Vec<_> = tally.wrongs.iter().take(20).collect();
    assert!(shown.is_empty(), "{} stories went wrong; play one alone with PHOTON_SIM_SEED=…: {shown:#?}", tally.wrongs.len());
    tally
}

#[test]
fn with_good_wires_every_payment_that_can_be_made_is_made() {
    let tally = play("good wires", 500, |_| Setting { faults: Faults::NONE, vice: None });
    tally.assert_reached(&[("paid at once", 300), ("paid sealed, mediated", 300), ("paid requested, mediated", 200)]);
    assert!(!tally.report.contains_key("not begun"), "an order without an answer");
}

/// A few stories are signed with real signatures: the toys of the others change nothing but the time it takes.
#[test]
fn real_signatures_and_toys_tell_the_same_story() {
    let setting = Setting { faults: Faults::BAD, vice: None };
    for seed in 0..40 {
        assert_eq!(run(seed, &setting), with_toys(|| run(seed, &setting)), "seed {seed}");
    }
}

// The 14 invariants; F8, E9, E12, E13, E19.
#[test]
fn whatever_fails_nobody_loses_and_every_channel_stays_usable() {
    let tally = play("all honest", 2_000, |_| Setting { faults: Faults::BAD, vice: None });
    tally.assert_reached(&[
        ("paid at once", 500),
        ("paid sealed, mediated", 500),
        ("paid requested, mediated", 500),
        ("signed away", 1_000),
        ("closed together", 200),
        ("closed alone", 500),
        ("registered or shown", 50),
        ("reorganised", 500),
        ("crash", 2_000),
    ]);
}

// E1, E2, E7, E10, E11, E12, E14, E16, E20.
#[test]
fn whoever_cheats_no_honest_party_loses() {
    let vice = |seed: u64| VICES[(seed % VICES.len() as u64) as usize];
    let tally = play("Mallory", 2_000, |seed| Setting { faults: Faults::BAD, vice: Some(vice(seed)) });
    tally.assert_reached(&[("closed alone", 1_000), ("registered or shown", 200), ("signed away", 500)]);
}

/// Every other story is among honest parties.
fn every_other(vices: &[Vice], seed: u64) -> Option<Vice> {
    (seed % 2 == 1).then(|| vices[(seed / 2 % vices.len() as u64) as usize])
}

// E14, E17.
#[test]
fn whoever_forgets_signs_nothing_more_and_costs_nobody_else_anything() {
    let vice = |seed: u64| every_other(&TO_THE_FORGETFUL, seed);
    let tally = play("forgetful", 1_000, |seed| Setting { faults: Faults::FORGETFUL, vice: vice(seed) });
    tally.assert_reached(&[
        ("forgot, All", 300),
        ("forgot, Copy", 200),
        ("forgot, Unnoticed", 200),
        ("behind, closed together", 500),
        ("behind, closed alone", 100),
    ]);
}

// E11, E12.
#[test]
fn out_of_sight_of_the_chain_nobody_takes_more_than_its_owner_allows_and_nobody_loses() {
    let vice = |seed: u64| every_other(&TO_THE_BLIND, seed);
    let tally = play("blind", 1_000, |seed| Setting { faults: Faults::BLIND, vice: vice(seed) });
    tally.assert_reached(&[("paid unseen", 60), ("failed OutOfSight", 200)]);
}
