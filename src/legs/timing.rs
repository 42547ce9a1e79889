//! How fast a payment channel is as the ledger of a swap's leg.

use photon_chains::{ClockRule, Timing};
use photon_swap::Profile;

/// Within so many seconds a payment has passed a connected node, 99 times in 100: a few messages, and a sync on each side.
const PASS_SECS: u64 = 10;

/// The timing of a leg over that chain's channels, with so many mediators at most, of parties who are away for no longer than the
/// profile says.
///
/// A payment is locked at once and for good, so nothing is waited for but the messages. Redeeming it needs no transaction where
/// its payer answers; where the payer does not, the secret has to be in the registry at depth before the lock ends. An engine keeps
/// its reveal margin for that ([`crate::channels::policy_for`]): counted here in blocks as the time until it is final, so that
/// the schedule's formulas leave at least the margin. And each mediator may learn the secret as late as its own lock allows, so
/// the payer of the first lock learns it later than agreed by the slack of each.
pub fn timing_of(chain: &Timing, profile: &Profile, reach: u8) -> Timing {
    let confirm_secs = PASS_SECS * (u64::from(reach) + 1);
    let own = Timing { block_secs: 1, confirmations: 1, final_confirmations: 1, confirm_secs, ..*chain };
    let ClockRule::BlockTime { min_block_secs, worst_block_millis, inclusion_blocks, halt_secs, late_secs, .. } = chain.rule
    else {
        return own;
    };
    let margin_secs = crate::channels::reveal_margin_secs(profile, chain);
    let slack_secs = crate::channels::hop_slack_secs(profile, chain);
    let settle_secs = margin_secs.saturating_sub(profile.offline_secs);
    let rule = ClockRule::BlockTime {
        min_block_secs,
        worst_block_millis,
        inclusion_blocks,
        final_blocks: settle_secs.saturating_mul(1000).div_ceil(worst_block_millis.max(1)),
        halt_secs,
        late_secs: late_secs.saturating_add(slack_secs.saturating_mul(u64::from(reach))),
    };
    Timing { rule, ..own }
}
