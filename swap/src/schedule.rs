//! When what must be done at the latest, from how fast the two ledgers are and how long the parties may be away.

use crate::guard::Guard;
use photon_chains::{ClockRule, Timing};

/// What an owner promises about being online, and the allowances that go with it. All in seconds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The longest time between two moments at which the program runs and acts. The larger one of both parties counts.
    pub offline_secs: u64,
    /// How far clocks may differ.
    pub skew_secs: u64,
    /// The time given to a party to act when all it needs is there.
    pub act_secs: u64,
    /// Expiries are rounded up to a multiple of this.
    pub round_secs: u64,
}

impl Profile {
    /// An exchange with two hosts and people on call.
    pub const HOT: Profile = Profile { name: "hot", offline_secs: 15 * 60, skew_secs: 300, act_secs: 600, round_secs: 300 };
    /// A server: the default.
    pub const STANDARD: Profile = Profile { name: "standard", offline_secs: 2 * 3600, ..Profile::HOT };
    /// A computer that is switched off at night.
    pub const DESKTOP: Profile = Profile { name: "desktop", offline_secs: 12 * 3600, ..Profile::HOT };
    /// Test chains that make a block every second or so; never for money.
    pub const REGTEST: Profile = Profile { name: "regtest", offline_secs: 5, skew_secs: 1, act_secs: 10, round_secs: 1 };
    /// Every profile.
    pub const ALL: [Profile; 4] = [Profile::HOT, Profile::STANDARD, Profile::DESKTOP, Profile::REGTEST];

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The same, with the longer of its own and that time away.
    #[must_use]
    pub const fn at_least_offline(self, offline_secs: u64) -> Profile {
        if offline_secs > self.offline_secs { Profile { offline_secs, ..self } } else { self }
    }
}

/// The deadlines of a swap in seconds after both parties signed, and what they rest on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The Initiator does not fund Alpha later.
    pub fund_alpha_by: u64,
    /// The Participant does not fund Beta later.
    pub fund_beta_by: u64,
    /// The Initiator does not reveal the secret later.
    pub reveal_by: u64,
    /// Beta's refund opens.
    pub beta_expiry: u64,
    /// Alpha's refund opens.
    pub alpha_expiry: u64,
    /// Blocks that can't pass before `alpha_expiry`: Alpha's refund needs them too, so that a chain that halts while its
    /// clock runs on does not rob the Participant. Zero where the ledger judges by time alone.
    pub alpha_blocks: u64,
    /// The least time from `reveal_by` to `beta_expiry`: what the Initiator needs to redeem Beta, once reorganised.
    pub reveal_window_secs: u64,
    /// The least time from `beta_expiry` to `alpha_expiry`: the latest redeem of Beta, and what the Participant then needs.
    pub gap_secs: u64,
    /// How long after `beta_expiry` Beta may still be redeemed.
    pub beta_late_secs: u64,
    /// How long after `alpha_expiry` Alpha may still be redeemed.
    pub alpha_late_secs: u64,
}

/// The deadlines of a swap whose Alpha and Beta lie on ledgers of these timings.
///
/// Waiting for a lock uses the 99 % quantile, because a slow chain there only ends the swap before anything is at risk.
/// What could lose money is: the Initiator's redeem of Beta before its expiry, the lateness of that redeem, and the
/// Participant's redeem of Alpha before its refund; each of these carries the outage, the clock skew, and a transaction
/// that is mined, reorganised away once, and mined again.
pub fn schedule(profile: &Profile, alpha: &Timing, beta: &Timing) -> Schedule {
    planned(profile, alpha, beta, sum(&[offline(profile), claim_window(profile, &alpha.rule)]))
}

/// The same where one fact judges both legs: the entry of one registry on one chain. Whatever is in time for Beta is in time for
/// Alpha as soon as Alpha ends no earlier, so nothing of the Participant's has to fit between them, and the gap is only how much
/// later than agreed Beta's own payer may have to pay.
pub fn linked_schedule(profile: &Profile, alpha: &Timing, beta: &Timing) -> Schedule {
    planned(profile, alpha, beta, 0)
}

/// With so many seconds for the Participant to redeem Alpha, after Beta's last redeem.
fn planned(profile: &Profile, alpha: &Timing, beta: &Timing, redeem_secs: u64) -> Schedule {
    let fund_alpha_by = profile.act_secs;
    let fund_beta_by = sum(&[fund_alpha_by, alpha.confirm_secs, profile.act_secs]);
    let reveal_by = sum(&[fund_beta_by, beta.confirm_secs, profile.act_secs]);
    let reveal_window_secs = Guard::RevealWindow.keeps(reveal_window(profile, &beta.rule));
    let beta_expiry = round_up(sum(&[reveal_by, reveal_window_secs]), profile.round_secs);
    let beta_late_secs = late(profile, &beta.rule);
    let gap_secs = Guard::Gap.keeps(sum(&[beta_late_secs, redeem_secs]));
    let alpha_expiry = round_up(sum(&[beta_expiry, gap_secs]), profile.round_secs);
    Schedule {
        fund_alpha_by,
        fund_beta_by,
        reveal_by,
        beta_expiry,
        alpha_expiry,
        alpha_blocks: Guard::RefundBlock.keeps(blocks_within(&alpha.rule, alpha_expiry)),
        reveal_window_secs,
        gap_secs,
        beta_late_secs,
        alpha_late_secs: late(profile, &alpha.rule),
    }
}

/// What the Initiator needs between revealing and Beta's expiry. A halt is counted in full where a block's own time ends
/// the redeem, since that time runs on while the chain stands still.
fn reveal_window(profile: &Profile, rule: &ClockRule) -> u64 {
    let halt = match rule {
        ClockRule::MedianTimePast { .. } => 0,
        ClockRule::BlockTime { halt_secs, .. } => Guard::AllowHalt.keeps(*halt_secs),
    };
    sum(&[claim_window(profile, rule), halt])
}

/// What the Participant needs between learning the secret and Alpha's refund. A halt costs nothing here: the refund needs
/// its block as well as its time, or a median of block times.
fn claim_window(profile: &Profile, rule: &ClockRule) -> u64 {
    let settle = match rule {
        ClockRule::MedianTimePast { early_secs, settle_secs, .. } => {
            sum(&[Guard::AllowEarly.keeps(*early_secs), Guard::AllowSettle.keeps(*settle_secs)])
        }
        ClockRule::BlockTime { worst_block_millis, inclusion_blocks, final_blocks, .. } => {
            let blocks = inclusion_blocks.saturating_mul(2).saturating_add(*final_blocks);
            Guard::AllowSettle.keeps(blocks.saturating_mul(*worst_block_millis).div_ceil(1000))
        }
    };
    sum(&[Guard::AllowSkew.keeps(profile.skew_secs), offline(profile), settle])
}

fn offline(profile: &Profile) -> u64 {
    Guard::AllowOffline.keeps(profile.offline_secs)
}

/// How long after an expiry the lock may still be redeemed: no cut-off on Bitcoin and Litecoin, where the refunder may
/// moreover be away when it opens; on the EVM Beta closes, so only a misdated block counts.
fn late(profile: &Profile, rule: &ClockRule) -> u64 {
    match rule {
        ClockRule::MedianTimePast { late_secs, .. } => sum(&[Guard::AllowLate.keeps(*late_secs), offline(profile)]),
        ClockRule::BlockTime { late_secs, .. } => Guard::AllowLate.keeps(*late_secs),
    }
}

/// The fewest blocks that take at least that long.
pub(crate) fn blocks_within(rule: &ClockRule, secs: u64) -> u64 {
    match rule {
        ClockRule::MedianTimePast { .. } => 0,
        ClockRule::BlockTime { min_block_secs, .. } => secs.div_ceil((*min_block_secs).max(1)),
    }
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

fn round_up(secs: u64, step: u64) -> u64 {
    let step = step.max(1);
    secs.div_ceil(step).saturating_mul(step)
}
