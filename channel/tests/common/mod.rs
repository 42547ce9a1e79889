//! What every channel of these tests is made with.
#![allow(dead_code, clippy::unwrap_used)] // each test program uses its own part

use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::*;

pub const NOW: u64 = 1_800_000_000;

pub const POLICY: Policy = Policy {
    fee_base: Units::ZERO,
    fee_ppm: 0,
    hop_slack_secs: 900,
    reveal_margin_secs: 600,
    halt_secs: 300,
    longest_lock_secs: 20_000,
    most_locks: 100,
    most_pending: Units::MAX,
    expire_patience_secs: 60,
    consent_secs: 600,
    resend_secs: 60,
    return_secs: 20,
};

pub fn domain() -> Domain {
    Domain::new(1, Address::from_bytes([9; 20]))
}

pub fn signer(own: u8) -> Signer {
    Signer::new([own; 32]).unwrap()
}

pub fn moment(secs: u64) -> Moment {
    Moment { time: UnixTime::from_secs(secs), block: BlockHeight::new((secs - NOW) / 15) }
}

pub fn holdings() -> Holdings {
    Holdings { total: Units::from(200), net_a: 100 }
}

pub fn chain(stage: Stage) -> OnChain {
    OnChain { holdings: holdings(), withdrawals: 0, counted: Nonce::NONE, stage }
}
