//! Three to five nodes that pay each other over channels, from a seed: with messages lost, doubled and overtaken, crashes at
//! every commit and between any two sends, outages, and Mallory in every position. The same code runs in the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod party;
mod rng;
mod story;
mod world;

use party::Vice;
use std::collections::BTreeMap;
use story::Story;
use world::Faults;

const BAD: Faults = Faults { lost: 3, doubled: 5, reordered: 5, crash: 2, away: 1, cut: 3, close: 0 };

const CLOSING: Faults = Faults { close: 2, ..BAD };

/// Says which story failed.
struct Teller(u64);

impl Drop for Teller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let count = std::env::var("PHOTON_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let first = std::env::var("PHOTON_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    first..first + count
}

#[test]
fn with_good_wires_every_payment_that_can_be_made_is_made() {
    for seed in seeds(60) {
        let _teller = Teller(seed);
        Story::play(seed, Faults::NONE, None).judge(true);
    }
}

// F8, invariants 1 to 3, 5, 6, 9 to 12 of a channel.
#[test]
fn whatever_fails_nobody_loses_and_every_channel_stays_usable() {
    let mut tally = BTreeMap::new();
    for seed in seeds(200) {
        let _teller = Teller(seed);
        let story = Story::play(seed, BAD, None);
        story.judge(false);
        story.tally(&mut tally);
    }
    if std::env::var_os("PHOTON_SEEDS").is_some() {
        return;
    }
    for (what, least) in [
        ("paid at once", 300),
        ("paid sealed, mediated", 200),
        ("paid requested, mediated", 200),
        ("lock gone: waiting", 20),
        ("lock gone: disposed", 500),
        ("registered", 10),
        ("crash", 500),
    ] {
        assert!(tally.get(what).is_some_and(|count| *count >= least), "{what} was hardly played: {tally:?}");
    }
}

// E12, invariant 5 of a channel.
#[test]
fn whichever_channel_is_closed_and_when_nobody_loses() {
    let mut tally = BTreeMap::new();
    for seed in seeds(150) {
        let _teller = Teller(seed);
        let story = Story::play(seed, CLOSING, None);
        story.judge(false);
        story.tally(&mut tally);
    }
    let is_whole = std::env::var_os("PHOTON_SEEDS").is_none();
    assert!(!is_whole || tally.get("registered").is_some_and(|count| *count > 50), "{tally:?}");
}

// E1, E2, E16.
#[test]
fn whoever_cheats_no_honest_party_loses() {
    for vice in [Vice::NeverUnlocks, Vice::RevealsLate, Vice::RegistersLast, Vice::GoesSilent] {
        for seed in seeds(40) {
            let _teller = Teller(seed);
            Story::play(seed, BAD, Some(vice)).judge_honest();
        }
    }
}
