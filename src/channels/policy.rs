//! What the owner allows, and the margins that follow from how long this node may be away and how fast the ledger is.

use crate::config::ChannelsConfig;
use photon_chains::{ClockRule, Ledger, Timing};
use photon_channel::{MOST_HOPS, Policy, Units, most_locks_in};
use photon_swap::Profile;

/// Hops that a payment with usual margins may have: more would lock money for longer than anybody wants.
const USUAL_HOPS: u64 = 8;

/// The policy on a ledger.
///
/// A secret that is known must be in the registry, at the depth that is relied on, before the lock ends: the time for that,
/// twice the usual one, after the longest time that this node is away. A mediator needs the same again between its two locks,
/// since it may learn the secret at the very end of the outgoing one.
pub fn policy_for(config: &ChannelsConfig, profile: Profile, ledger: Ledger, timing: &Timing) -> Policy {
    let to_depth = to_depth(timing);
    let reveal_margin_secs = reveal_margin_secs(&profile, timing);
    let hop_slack_secs = hop_slack_secs(&profile, timing);
    let most_locks = usize::from(config.most_locks).min(most_locks_in(largest_transaction(ledger)));
    Policy {
        fee_base: Units::from(config.fee_base),
        fee_ppm: config.fee_ppm,
        hop_slack_secs,
        reveal_margin_secs,
        halt_secs: match timing.rule {
            ClockRule::BlockTime { halt_secs, .. } => halt_secs,
            ClockRule::MedianTimePast { .. } => 0,
        },
        longest_lock_secs: reveal_margin_secs * 4 + hop_slack_secs * USUAL_HOPS.min(MOST_HOPS as u64),
        most_locks,
        most_pending: config.most_pending.map_or(Units::MAX, |most| Units::try_from(most).unwrap_or(Units::MAX)),
        expire_patience_secs: profile.skew_secs + timing.block_secs * 2,
        consent_secs: (to_depth + profile.act_secs).max(600),
        resend_secs: 30,
        return_secs: 20,
    }
}

/// Bytes of the largest transaction that a ledger's nodes pass on: go-ethereum's limit, and what it was in the versions that know
/// the rules of SMT.
pub(super) const fn largest_transaction(ledger: Ledger) -> usize {
    match ledger {
        Ledger::Smt | Ledger::SmtChannel => 32 << 10,
        Ledger::Ethereum | Ledger::EthereumChannel | Ledger::Bitcoin | Ledger::Litecoin => 128 << 10,
    }
}

/// Twice what the registry usually takes to have a secret at the depth that is relied on.
fn to_depth(timing: &Timing) -> u64 {
    timing.confirm_secs.max(timing.block_secs * u64::from(timing.confirmations)) * 2
}

/// So long before its end a lock is paid on a registration alone.
pub fn reveal_margin_secs(profile: &Profile, timing: &Timing) -> u64 {
    profile.offline_secs + profile.skew_secs + profile.act_secs + to_depth(timing)
}

/// So much later than its outgoing lock a mediator's incoming one ends.
pub fn hop_slack_secs(profile: &Profile, timing: &Timing) -> u64 {
    reveal_margin_secs(profile, timing) + profile.offline_secs
}
