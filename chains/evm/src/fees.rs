//! What a transaction bids, and how a bid is raised. Pure.

use crate::params::Fees;

/// A bid, in wei per gas.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Price {
    /// EIP-1559: never more than `cap`, of which `tip` goes to the block's maker.
    Eip1559 { cap: u128, tip: u128 },
    /// EIP-155, type 0.
    Legacy { price: u128 },
}

/// What the node says about prices now.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Market {
    /// The tip's base fee.
    pub(crate) base_fee: u128,
    /// The node's suggested tip.
    pub(crate) tip: u128,
    /// The node's suggested gas price.
    pub(crate) price: u128,
}

impl Market {
    /// What a transaction in the next block pays for its gas, about: not what it bids, which has room for many full blocks.
    pub(crate) fn price_now(self, fees: Fees) -> u128 {
        match fees {
            Fees::Eip1559 { least_tip, .. } => self.base_fee.saturating_add(self.tip.max(least_tip)),
            Fees::Legacy { least_price } => self.price.max(least_price),
        }
    }
}

impl Price {
    /// The most it may cost.
    pub(crate) fn most(self) -> u128 {
        match self {
            Price::Eip1559 { cap, .. } => cap,
            Price::Legacy { price } => price,
        }
    }

    /// True if the next block can't take it, or nodes ask for more: it would wait for the price to fall.
    pub(crate) fn is_below(self, fees: Fees, market: Market) -> bool {
        match (self, fees) {
            (Price::Eip1559 { cap, .. }, _) => cap < market.base_fee.saturating_add(1),
            (Price::Legacy { price }, Fees::Legacy { least_price }) => price < market.price.max(least_price),
            (Price::Legacy { price }, Fees::Eip1559 { .. }) => price < market.base_fee.saturating_add(1),
        }
    }

    /// A bid that should be mined soon, and never above `highest`.
    pub(crate) fn suggest(fees: Fees, market: Market, highest: u128) -> Self {
        match fees {
            Fees::Eip1559 { least_tip, base_fee_factor } => {
                let tip = market.tip.max(least_tip).min(highest);
                let cap = market.base_fee.saturating_mul(base_fee_factor).saturating_add(tip).min(highest);
                Price::Eip1559 { cap: cap.max(tip), tip }
            }
            Fees::Legacy { least_price } => Price::Legacy { price: market.price.max(least_price).min(highest) },
        }
    }

    /// A bid that nodes accept in place of this one: an eighth more in every part, and not below `fresh`. None where that
    /// would be above `highest`, or where the two are of different kinds.
    pub(crate) fn raised(self, fresh: Price, highest: u128) -> Option<Self> {
        let raised = match (self, fresh) {
            (Price::Eip1559 { cap, tip }, Price::Eip1559 { cap: fresh_cap, tip: fresh_tip }) => {
                let tip = eighth_more(tip).max(fresh_tip);
                Price::Eip1559 { cap: eighth_more(cap).max(fresh_cap).max(tip), tip }
            }
            (Price::Legacy { price }, Price::Legacy { price: fresh }) => Price::Legacy { price: eighth_more(price).max(fresh) },
            (Price::Eip1559 { .. }, Price::Legacy { .. }) | (Price::Legacy { .. }, Price::Eip1559 { .. }) => return None,
        };
        (raised.most() <= highest).then_some(raised)
    }
}

/// 12.5 % more, rounded up: what nodes demand is 10 %.
fn eighth_more(wei: u128) -> u128 {
    wei.saturating_add(wei.div_ceil(8)).max(wei.saturating_add(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::params::GWEI;
    use proptest::prelude::*;

    const ETH: Fees = Fees::Eip1559 { least_tip: GWEI, base_fee_factor: 8 };
    const SMT: Fees = Fees::Legacy { least_price: 18 * GWEI };

    #[test]
    fn an_idle_chain_still_gets_a_real_tip_and_room_for_17_full_blocks() {
        let market = Market { base_fee: 7 * GWEI, tip: 1, price: 0 };
        assert_eq!(Price::suggest(ETH, market, 500 * GWEI), Price::Eip1559 { cap: 57 * GWEI, tip: GWEI });
        let mut base = 7.0;
        (0..17).for_each(|_| base *= 1.125);
        assert!(base < 57.0, "17 full blocks end at {base} gwei");
    }

    #[test]
    fn smt_never_bids_below_what_its_nodes_take() {
        assert_eq!(Price::suggest(SMT, Market::default(), 500 * GWEI), Price::Legacy { price: 18 * GWEI });
    }

    proptest! {
        #[test]
        fn a_raised_bid_replaces_the_old_one_and_stays_under_the_ceiling(cap in 1u128..1 << 70, tip in 1u128..1 << 70, fresh: u64, highest in 1u128..1 << 72) {
            let old = Price::Eip1559 { cap: cap.max(tip), tip };
            let market = Market { base_fee: u128::from(fresh), tip: u128::from(fresh), price: 0 };
            if let Some(Price::Eip1559 { cap: new_cap, tip: new_tip }) = old.raised(Price::suggest(ETH, market, highest), highest) {
                prop_assert!(new_cap * 10 >= cap.max(tip) * 11 && new_tip * 10 >= tip * 11);
                prop_assert!(new_tip <= new_cap && new_cap <= highest);
            }
        }

        #[test]
        fn a_suggestion_is_valid_whatever_the_node_says(base_fee: u128, tip: u128, price: u128, highest in 1u128..) {
            let market = Market { base_fee, tip, price };
            for fees in [ETH, SMT] {
                let bid = Price::suggest(fees, market, highest);
                prop_assert!(bid.most() <= highest);
                if let Price::Eip1559 { cap, tip } = bid {
                    prop_assert!(tip <= cap);
                }
            }
        }
    }
}
