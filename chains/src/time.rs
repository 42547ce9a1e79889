//! Time: unix seconds, block heights (never compared with each other), and how long a ledger takes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seconds since 1970-01-01 UTC.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// From seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// In seconds.
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// That many seconds later; stays at the last second there is rather than wrapping.
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// That many seconds earlier; stays at zero rather than wrapping.
    pub const fn minus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Seconds from `earlier` until this, zero if it is not later.
    pub const fn secs_since(self, earlier: UnixTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A block's number on its chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct BlockHeight(u64);

impl BlockHeight {
    /// From a number.
    pub const fn new(height: u64) -> Self {
        Self(height)
    }

    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// That many blocks later.
    pub const fn plus(self, blocks: u64) -> Self {
        Self(self.0.saturating_add(blocks))
    }

    /// That many blocks earlier, at least zero.
    pub const fn minus(self, blocks: u64) -> Self {
        Self(self.0.saturating_sub(blocks))
    }

    /// Confirmations of a transaction in a block of this height, judged from `tip`: 1 when it is the tip.
    pub const fn depth_at(self, tip: BlockHeight) -> u32 {
        let depth = tip.0.saturating_add(1).saturating_sub(self.0);
        if depth > u32::MAX as u64 { u32::MAX } else { depth as u32 }
    }
}

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How fast a ledger is, how deep we trust it, and by which clock it judges a lock. Times are seconds; the quantiles and
/// the model behind each figure stand beside the records that hold them, and `swap::schedule` turns them into deadlines.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Mean seconds between blocks: for polling and for showing progress, never for a deadline.
    pub block_secs: u64,
    /// Confirmations at which a counterparty's lock is relied on (1 = in the tip block).
    pub confirmations: u32,
    /// Confirmations at which a spend of ours is final and a swap may be put away.
    pub final_confirmations: u32,
    /// Seconds in which a transaction with a good fee reaches `confirmations`, 99 times in 100.
    pub confirm_secs: u64,
    /// A tip older than this is stale: nothing new is begun on such a ledger.
    pub stale_tip_secs: u64,
    /// The clock that judges locks, with its allowances.
    pub rule: ClockRule,
}

/// What one more block may take where it is waited for near an expiry, in mean intervals.
const LONG_INTERVALS: u64 = 4;

impl Timing {
    /// The same, relied on only at this depth, and final only there, if that is deeper. All that waits for it gets more time:
    /// to get there in proportion, which is more than enough, since the longer a wait the nearer its quantile lies to its mean;
    /// and to settle, four mean intervals for each block that may be lost besides.
    #[must_use]
    pub fn relying_on(self, depth: u32) -> Timing {
        let confirmations = self.confirmations.max(depth);
        let final_confirmations = self.final_confirmations.max(depth);
        let grown = self.confirm_secs.saturating_mul(u64::from(confirmations)).div_ceil(u64::from(self.confirmations.max(1)));
        let deeper = u64::from(final_confirmations - self.final_confirmations);
        let rule = match self.rule {
            ClockRule::MedianTimePast { early_secs, settle_secs, late_secs } => {
                let longer = deeper.saturating_mul(self.block_secs).saturating_mul(LONG_INTERVALS);
                ClockRule::MedianTimePast { early_secs, settle_secs: settle_secs.saturating_add(longer), late_secs }
            }
            ClockRule::BlockTime { min_block_secs, worst_block_millis, inclusion_blocks, final_blocks, halt_secs, late_secs } => {
                let final_blocks = final_blocks.saturating_add(deeper);
                ClockRule::BlockTime { min_block_secs, worst_block_millis, inclusion_blocks, final_blocks, halt_secs, late_secs }
            }
        };
        Timing { confirmations, final_confirmations, confirm_secs: grown, rule, ..self }
    }
}

/// The clock by which a ledger judges a lock's expiry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ClockRule {
    /// Bitcoin and Litecoin: a refund is valid once the median time of the last eleven blocks has passed the expiry (BIP-113).
    MedianTimePast {
        /// How much before the expiry, by the clock on the wall, dishonest miners can make it open.
        early_secs: u64,
        /// What a redeem needs beyond the six blocks that the median rule gives it for free.
        settle_secs: u64,
        /// How long after the expiry a redeem may still win, the opening being late (without the offline allowance).
        late_secs: u64,
    },
    /// EVM ledgers: by the block's own timestamp (and, for a refund that says so, its number).
    BlockTime {
        /// The least seconds between two blocks by consensus: N blocks never take less than N times this.
        min_block_secs: u64,
        /// Thousandths of a second between blocks on a bad day.
        worst_block_millis: u64,
        /// Blocks until a transaction with a top fee is mined.
        inclusion_blocks: u64,
        /// Blocks until it is final.
        final_blocks: u64,
        /// How long the chain may halt while timestamps run on.
        halt_secs: u64,
        /// How much later than its true time a block may be stamped before a bound.
        late_secs: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_confirmations_take_longer_and_fewer_are_not_taken() {
        let rule = ClockRule::MedianTimePast { early_secs: 0, settle_secs: 0, late_secs: 0 };
        let own = Timing { block_secs: 1, confirmations: 3, final_confirmations: 3, confirm_secs: 10, stale_tip_secs: 60, rule };
        let deeper = ClockRule::MedianTimePast { early_secs: 0, settle_secs: 16, late_secs: 0 };
        let at_seven = Timing { confirmations: 7, final_confirmations: 7, confirm_secs: 24, rule: deeper, ..own };
        assert_eq!(own.relying_on(7), at_seven);
        assert_eq!((own.relying_on(0), own.relying_on(2), own.relying_on(3)), (own, own, own));
    }

    #[test]
    fn the_tip_block_is_one_deep_and_a_future_block_none() {
        let tip = BlockHeight::new(100);
        assert_eq!(BlockHeight::new(100).depth_at(tip), 1);
        assert_eq!(BlockHeight::new(91).depth_at(tip), 10);
        assert_eq!(BlockHeight::new(101).depth_at(tip), 0);
        assert_eq!(BlockHeight::new(500).depth_at(tip), 0);
    }
}
