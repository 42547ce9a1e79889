//! What a transaction bids for being mined, and how the bid rises while blocks pass it by. Pure.
//!
//! A payment of ours (a funding, say) is bounded by a rate: it can be given up. A claim (redeem or refund) is bounded by a
//! share of what it takes: a tenth of it as long as there is time, half of it near the deadline. Above that the money is
//! no longer worth the race. Rates are units per thousand virtual bytes, fees are units.

use crate::params::FeePolicy;

/// What the node says of fees now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Its estimate for the next blocks, or the chain's fallback.
    pub estimate: u64,
    /// Below this rate it takes nothing now. A flood raises it.
    pub floor: u64,
    /// How much more, by its own size, a replacement must pay than all it replaces (BIP-125, rule 4).
    pub increment: u64,
}

impl Market {
    /// The rate of a payment's first bid: held to the chain's cap.
    pub fn payment_rate(&self, fees: &FeePolicy) -> u64 {
        self.wanted(fees).clamp(self.floor.clamp(fees.floor, fees.cap), fees.cap)
    }

    /// The rate of a claim's first bid: what the market asks, whatever that is, for the share bounds it. Only what is put on
    /// top of the market is held to the cap: else a small market's estimates would be driven up by our own bids.
    pub fn claim_rate(&self, fees: &FeePolicy) -> u64 {
        self.wanted(fees).min(fees.cap).max(self.estimate).max(self.floor).max(fees.floor)
    }

    fn wanted(&self, fees: &FeePolicy) -> u64 {
        self.estimate.saturating_mul(fees.first_bid_percent) / 100
    }
}

/// The fee of that many virtual bytes at that rate, rounded up.
pub fn fee_at(vsize: u64, rate: u64) -> u64 {
    vsize.saturating_mul(rate).div_ceil(1000)
}

/// How much time a claim has: all in seconds of the chain's own clock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Haste {
    /// Now.
    pub now: u64,
    /// From here on the ceiling is at its highest.
    pub deadline: u64,
    /// Before the deadline, how long it rises.
    pub window: u64,
}

/// The share of its money that a claim may pay, in percent: with time to spare, and at the deadline.
const CALM_PERCENT: u64 = 10;
const LAST_PERCENT: u64 = 50;

impl Haste {
    /// True once the ceiling has begun to rise.
    pub fn is_urgent(&self) -> bool {
        self.now.saturating_add(self.window) > self.deadline
    }

    /// The share of its money that a claim may pay now, in percent.
    fn share_percent(&self) -> u64 {
        let left = self.deadline.saturating_sub(self.now).min(self.window);
        let gone = self.window.saturating_sub(left);
        let rise = LAST_PERCENT.saturating_sub(CALM_PERCENT).saturating_mul(gone);
        CALM_PERCENT.saturating_add(rise.checked_div(self.window).unwrap_or(LAST_PERCENT - CALM_PERCENT))
    }

    /// The most that all transactions together may cost that carry a claim to `held`. What is relayed at all may always be
    /// paid, up to the highest share: a claim that no node takes is worse than a dear one.
    pub fn ceiling(&self, held: u64, relayed_from: u64) -> u64 {
        let share = |percent: u64| u64::try_from(u128::from(held) * u128::from(percent) / 100).unwrap_or(held);
        share(self.share_percent()).max(relayed_from.min(share(LAST_PERCENT)))
    }
}

/// What bounds the cost of a transaction, with all that carries it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A payment's: the chain's highest rate.
    Cap,
    /// A claim's: a share of what it takes.
    Share {
        /// Its time.
        haste: Haste,
        /// What it takes.
        held: u64,
    },
}

impl Limit {
    /// The rate that the market asks, as far as this kind of transaction follows it.
    pub fn rate(&self, market: &Market, fees: &FeePolicy) -> u64 {
        match self {
            Limit::Cap => market.payment_rate(fees),
            Limit::Share { .. } => market.claim_rate(fees),
        }
    }

    /// The most that so many virtual bytes may cost.
    pub fn most(&self, vsize: u64, market: &Market, fees: &FeePolicy) -> u64 {
        match self {
            Limit::Cap => fee_at(vsize, fees.cap),
            Limit::Share { haste, held } => haste.ceiling(*held, fee_at(vsize, market.floor.max(fees.floor))),
        }
    }

    /// The fee of a first bid.
    pub fn first_fee(&self, vsize: u64, market: &Market, fees: &FeePolicy) -> u64 {
        fee_at(vsize, self.rate(market, fees)).min(self.most(vsize, market, fees)).max(fee_at(vsize, fees.floor))
    }

    /// The fee of a bid in the place of one of that fee: the next rung, or what the market has risen to; at least what
    /// BIP-125 demands. None where that is above the limit.
    pub fn replacing_fee(&self, vsize: u64, last_fee: u64, market: &Market, fees: &FeePolicy) -> Option<u64> {
        let most = self.most(vsize, market, fees);
        let least = last_fee.saturating_add(fee_at(vsize, market.increment)).saturating_add(1);
        let rung = up(last_fee, fees.step_percent);
        (least <= most).then(|| fee_at(vsize, self.rate(market, fees)).max(rung).max(least).min(most))
    }

    /// The fee of a child that lifts all of `carried`, itself included, to the next rung or to what the market has risen
    /// to. None where a child of that size can't lift it within the limit.
    pub fn child_fee(&self, child_vsize: u64, carried: Carried, market: &Market, fees: &FeePolicy) -> Option<u64> {
        let whole = carried.vsize.saturating_add(child_vsize);
        let now_at = carried.fee.saturating_mul(1000).checked_div(carried.vsize).unwrap_or(0);
        let target = self.rate(market, fees).max(up(now_at, fees.step_percent));
        // A child below the rate it is to lift would drag it down instead.
        let least = fee_at(child_vsize, now_at.max(market.floor).max(fees.floor)).saturating_add(1);
        let left = self.most(whole, market, fees).checked_sub(carried.fee).filter(|left| *left >= least)?;
        Some(fee_at(whole, target).saturating_sub(carried.fee).max(least).min(left))
    }
}

/// What is there already of a chain that is to be carried by one more child.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The virtual bytes of all of it.
    pub vsize: u64,
    /// The fees of all of it.
    pub fee: u64,
}

fn up(value: u64, percent: u64) -> u64 {
    let raised = (u128::from(value) * u128::from(percent)).div_ceil(100);
    u64::try_from(raised).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "fees_tests.rs"]
mod tests;
