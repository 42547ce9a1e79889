//! The pure model of the channels contract beside the contract's own bytecode, on random sequences of calls by honest, cheating
//! and strange callers: both take or refuse every call alike, for the same reason, and then agree in every slot, balance,
//! credit and log, on the oldest rules and on today's.
//!
//! A failure names its seed: `PHOTON_CONTRACT_SEED=<seed> cargo test -p photon-channel --test contract` plays that sequence
//! alone, and `PHOTON_CONTRACT_SEQUENCES=<number>` plays more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod book;
mod deposits;
mod draw;
mod encode;
mod evm;
mod reenter;
#[path = "../sim/rng.rs"]
mod rng;
mod seen;
mod stage;
mod tokens;
mod world;

use evm::Rules;
use photon_chains::Address;
use photon_channel::keccak;
use seen::Seen;
use stage::Stage;
use world::World;

/// A number as a word.
fn uint(value: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

/// An account as a word.
fn word_of(account: &Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(account.as_bytes());
    word
}

/// The first four bytes of a function's or an error's hash.
fn selector(signature: &str) -> Vec<u8> {
    keccak(signature.as_bytes())[..4].to_vec()
}

/// How often each outcome must come in a run: fewer would say that the calls that are drawn have lost their aim.
const LEAST: usize = 5;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Plays sequences.
fn play(rules: Rules) {
    let stage = Stage::new(rules);
    let seeds = match number_from("PHOTON_CONTRACT_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number_from("PHOTON_CONTRACT_SEQUENCES").unwrap_or(1000),
    };
    let mut seen = Seen::default();
    let seeds_are_many = seeds.clone().count() >= 1000;
    for seed in seeds {
        World::new(&stage, seed).play(60, &mut seen);
    }
    if seeds_are_many {
        seen.must_be_wide(rules, LEAST);
    }
}

#[test]
fn model_and_bytecode_agree_on_the_oldest_rules() {
    play(Rules::Byzantium);
}

#[test]
fn model_and_bytecode_agree_on_todays_rules() {
    play(Rules::Prague);
}
