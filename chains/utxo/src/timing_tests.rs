//! The figures in the timing records, derived again.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::params::{Network, Params};
use photon_chains::{ClockRule, Ledger};

/// The chance that `blocks` blocks take longer than `secs`: fewer than that many events of a Poisson process.
fn takes_longer(blocks: u32, secs: f64, mean_secs: f64) -> f64 {
    let x = secs / mean_secs;
    let mut term = (-x).exp();
    let mut sum = 0.0;
    for i in 0..blocks {
        sum += term;
        term *= x / f64::from(i + 1);
    }
    sum
}

/// The time that `blocks` blocks exceed with that chance only, where the hash rate is 0.9, but `crisis` in that share of cases.
fn quantile(blocks: u32, mean_secs: f64, (share, crisis): (f64, f64), chance: f64) -> f64 {
    let tail = |secs: f64| {
        let usual = takes_longer(blocks, secs, mean_secs / 0.9);
        (1.0 - share) * usual + share * takes_longer(blocks, secs, mean_secs / crisis)
    };
    let (mut low, mut high) = (0.0, 1e7);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if tail(middle) > chance { low = middle } else { high = middle }
    }
    high
}

#[test]
fn the_tail_of_one_block_is_the_exponential() {
    assert!((takes_longer(1, 600.0, 600.0) - (-1f64).exp()).abs() < 1e-12);
    assert!((takes_longer(6, 7200.0, 600.0) - 2.0e-2).abs() < 1e-3, "P(6 blocks > 2 h) is known to be 2.0e-2");
}

#[test]
fn the_timing_records_hold_the_quantiles_of_the_block_clock() {
    for (ledger, crisis) in [(Ledger::Bitcoin, 0.45), (Ledger::Litecoin, 0.5)] {
        for network in [Network::Mainnet, Network::Testnet] {
            let timing = Params::of(ledger, network).unwrap().net.timing;
            let mean = timing.block_secs as f64;
            let ClockRule::MedianTimePast { settle_secs, late_secs, .. } = timing.rule else { panic!("wrong clock") };
            // A claim is mined within 6 blocks, reorged once, one less deep than final, mined again (the first 6 are free).
            let settle_blocks = 6 + timing.final_confirmations - 1 + 2 - 6;
            // Bad weeks count only for the tail that nothing else guards.
            for (what, held, derived) in [
                ("confirm", timing.confirm_secs, quantile(timing.confirmations, mean, (0.0, crisis), 1e-2)),
                ("settle", settle_secs, quantile(settle_blocks, mean, (0.0, crisis), 1e-5)),
                ("late", late_secs, quantile(11 + 6, mean, (0.01, crisis), 2.5e-10)),
            ] {
                let off = (held as f64 - derived).abs();
                assert!(off < 0.002 * derived, "{ledger} {what}: the record says {held} s, the model {derived:.0} s");
            }
        }
    }
}
