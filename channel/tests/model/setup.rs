//! What is explored: who is honest, how much may fail, and which check is broken.

use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::Mutation::Removed;
use photon_channel::*;

pub const START: u64 = 1_800_000_000;
pub const TICK_SECS: u64 = 60;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Honest,
    /// Says what her node says whenever she likes, or never, and registers when she likes.
    Mallory,
}

/// Figures in ticks.
#[derive(Copy, Clone, Debug)]
pub struct Setup {
    pub parties: [Who; 3],
    /// Locks are judged by the registry alone.
    pub linked: bool,
    pub crashes: u8,
    /// Who may be killed; none: whoever is honest.
    pub dies: Option<usize>,
    /// Every message arrives before the next block.
    pub is_prompt: bool,
    /// So many blocks a party may miss.
    pub away: u8,
    pub depth: u64,
    /// The margin before a lock's end.
    pub margin: u64,
    /// Between the ends of both locks.
    pub slack: u64,
    /// A check that the honest are without.
    pub broken: Option<Guard>,
    /// A check that Mallory is without.
    pub breaks: Option<Guard>,
}

impl Setup {
    pub fn of(parties: [Who; 3]) -> Self {
        // To miss a block, to be mined in the next one, and to see it at depth.
        Self {
            parties,
            linked: true,
            crashes: 0,
            dies: None,
            is_prompt: false,
            away: 1,
            depth: 1,
            margin: 3,
            slack: 3,
            broken: None,
            breaks: None,
        }
    }

    /// Nobody misses a block, so that a block less is enough for each margin.
    pub fn there(parties: [Who; 3]) -> Self {
        Self { away: 0, margin: 2, slack: 2, ..Self::of(parties) }
    }

    pub fn who(&self, own: usize) -> Who {
        self.parties[own]
    }

    /// Both locks have ended, and everybody has had the time to see it.
    pub fn last_tick(&self) -> u64 {
        expiry_tick(self) + self.slack
    }

    pub fn as_party<T>(&self, own: usize, work: impl FnOnce() -> T) -> T {
        let weak = match self.who(own) {
            Who::Honest => self.broken,
            Who::Mallory => self.breaks,
        };
        with_toys(|| switched(weak.map(|guard| (guard, Removed)), work))
    }
}

/// When the payee's lock ends: a payment that begins at once has a tick or two for its way there.
pub fn expiry_tick(setup: &Setup) -> u64 {
    setup.margin + 2
}

pub fn moment(tick: u64) -> Moment {
    Moment { time: UnixTime::from_secs(START + tick * TICK_SECS), block: BlockHeight::new(tick) }
}

pub fn domain() -> Domain {
    Domain::new(1, Address::from_bytes([9; 20]))
}

pub fn signer(own: usize) -> Signer {
    Signer::new([own as u8 + 1; 32]).unwrap()
}

pub fn policy(setup: &Setup) -> Policy {
    Policy {
        fee_base: Units::from(10),
        fee_ppm: 0,
        hop_slack_secs: setup.slack * TICK_SECS,
        reveal_margin_secs: setup.margin * TICK_SECS,
        halt_secs: 0,
        longest_lock_secs: 100_000,
        most_locks: 10,
        most_pending: Units::MAX,
        expire_patience_secs: 0,
        consent_secs: 600,
        // By connections alone: a message is never lost while both are there.
        resend_secs: 1_000_000,
        return_secs: 1_000_000,
    }
}
