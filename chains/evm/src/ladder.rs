//! How much a transaction may bid, and how soon it bids more: what hangs on it, and how near its deadline is. Pure.
//!
//! A spend of a lock is worth a tenth of what is locked while there is time, and up to half of it near the deadline. A fee
//! above that would eat what it saves; one far below it loses the lock to a price spike. Whatever the amount, an ordinary
//! price is always allowed, and nothing is bid above the utmost: a node that lies about prices can't empty the account.

use crate::params::Params;
use photon_chains::ClockRule;

/// The limits of a transaction's bid.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bidding {
    /// No more than this, in wei per gas.
    pub(crate) highest: u128,
    /// It bids more when it was not mined for so many blocks.
    pub(crate) patience: u64,
}

/// What hangs on a spend of a lock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stake {
    /// Wei that are locked. None for a token: its worth in wei is not known.
    pub(crate) amount: Option<u128>,
    /// Gas that the spend uses, about.
    pub(crate) gas: u64,
    /// Seconds until somebody else can take the lock, or it can't be redeemed any more. None where nothing is lost by
    /// waiting.
    pub(crate) secs_left: Option<u64>,
}

/// Between these two distances from the deadline, in spans of time that a transaction may need to be mined, the ceiling
/// rises to its fivefold.
const FAR: u64 = 4;
const NEAR: u64 = 1;
/// What the ceiling far from the deadline is multiplied by near it: a tenth of the amount becomes half of it.
const RISE: u64 = 5;

impl Bidding {
    /// No more than was bid before: what is mined now would revert.
    pub(crate) const NOTHING: Self = Self { highest: 0, patience: u64::MAX };

    /// A transaction that nothing presses.
    pub(crate) fn ordinary(params: &Params) -> Self {
        Self { highest: params.highest_price, patience: params.bump_after_blocks }
    }

    /// One that must replace another, however dear that one is: it uses little gas.
    pub(crate) fn replacing(params: &Params) -> Self {
        Self { highest: params.highest_price.saturating_mul(4).min(params.utmost_price), patience: params.bump_after_blocks }
    }

    /// A redeem or a refund.
    pub(crate) fn spend(params: &Params, stake: Stake) -> Self {
        let ClockRule::BlockTime { inclusion_blocks, .. } = params.timing.rule else { return Self::ordinary(params) };
        let span = inclusion_blocks.saturating_mul(params.timing.block_secs).max(1);
        let (near, far) = (span.saturating_mul(NEAR), span.saturating_mul(FAR));
        let left = stake.secs_left.unwrap_or(u64::MAX).clamp(near, far);
        let tenth = match stake.amount {
            Some(wei) => wei / 10 / u128::from(stake.gas.max(1)),
            None => params.highest_price,
        };
        // From 1 to RISE, as a fraction of far - near.
        let whole = u128::from(far - near).max(1);
        let risen = whole + u128::from(RISE - 1) * u128::from(far - left);
        let highest = tenth.saturating_mul(risen) / whole;
        Self {
            highest: highest.clamp(params.ordinary_price, params.utmost_price),
            patience: if left < far { 1 } else { params.bump_after_blocks },
        }
    }

    /// The limits of a nonce on which others wait: it must not be what holds them up.
    pub(crate) fn and(self, other: Bidding) -> Self {
        Self { highest: self.highest.max(other.highest), patience: self.patience.min(other.patience) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fees::{Market, Price};
    use crate::params::{GWEI, Network, params};
    use photon_chains::Ledger;
    use proptest::prelude::*;

    const ETHER: u128 = 1_000_000_000 * GWEI;

    fn chain(ledger: Ledger) -> Params {
        params(ledger, Network::Mainnet).unwrap()
    }

    fn span(params: &Params) -> u64 {
        let ClockRule::BlockTime { inclusion_blocks, .. } = params.timing.rule else { return 0 };
        inclusion_blocks * params.timing.block_secs
    }

    // C7
    #[test]
    fn the_ceiling_is_a_tenth_of_the_amount_and_half_of_it_near_the_deadline() {
        for ledger in [Ledger::Ethereum, Ledger::Smt] {
            let params = chain(ledger);
            let at = |spans: u64| {
                let stake = Stake { amount: Some(ETHER), gas: 40_000, secs_left: Some(spans * span(&params)) };
                Bidding::spend(&params, stake)
            };
            let cost = |bidding: Bidding| bidding.highest * 40_000;
            for far in [4, 5, 100] {
                assert_eq!((cost(at(far)), at(far).patience), (ETHER / 10, params.bump_after_blocks), "{far}");
            }
            for near in [0, 1] {
                assert_eq!((cost(at(near)), at(near).patience), (ETHER / 2, 1), "{near}");
            }
            assert!(cost(at(3)) > cost(at(4)) && cost(at(2)) > cost(at(3)) && cost(at(1)) > cost(at(2)));
        }
    }

    // C7: fifty times the base fee, and the first bid that follows is good for the next 17 full blocks.
    #[test]
    fn fifty_times_the_base_fee_is_bid_while_it_costs_less_than_a_tenth() {
        let params = chain(Ledger::Ethereum);
        let bidding = Bidding::spend(&params, Stake { amount: Some(2 * ETHER), gas: 40_000, secs_left: None });
        let market = |base_fee| Market { base_fee, tip: GWEI, price: 0 };
        let calm = Price::suggest(params.fees, market(10 * GWEI), bidding.highest);
        let spike = market(500 * GWEI);
        let raised = calm.raised(Price::suggest(params.fees, spike, bidding.highest), bidding.highest).unwrap();
        assert!(!raised.is_below(params.fees, spike) && raised.most() >= 8 * 500 * GWEI);
        assert!(raised.raised(raised, raised.most()).is_none(), "nothing above the ceiling");
    }

    #[test]
    fn what_nothing_presses_never_costs_more_than_a_tenth_or_an_ordinary_price() {
        let params = chain(Ledger::Ethereum);
        let waiting = |amount| Bidding::spend(&params, Stake { amount: Some(amount), gas: 40_000, secs_left: None });
        assert_eq!(waiting(ETHER).highest * 40_000, ETHER / 10);
        assert_eq!(waiting(1).highest, params.ordinary_price, "dust may still be spent at an ordinary price");
    }

    proptest! {
        #[test]
        fn a_ceiling_never_falls_as_the_deadline_nears_and_never_leaves_its_bounds(
            amount in proptest::option::of(any::<u128>()), gas: u64, left: u64, later: u64, smt: bool,
        ) {
            let params = chain(if smt { Ledger::Smt } else { Ledger::Ethereum });
            let at = |secs_left| Bidding::spend(&params, Stake { amount, gas, secs_left: Some(secs_left) });
            let (early, late) = (at(left.max(later)), at(left.min(later)));
            prop_assert!(early.highest <= late.highest && late.patience <= early.patience);
            for bidding in [early, late] {
                prop_assert!((params.ordinary_price..=params.utmost_price).contains(&bidding.highest));
            }
        }

        /// A ladder that climbs at each chance ends at the ceiling, in few steps.
        #[test]
        fn a_ladder_reaches_its_ceiling_in_steps_that_nodes_take(start in 1u128..1000, ceiling in 20_000u128..20_000_000) {
            let market = Market { base_fee: 0, tip: 1, price: 1 };
            let params = chain(Ledger::Smt);
            let mut bid = Price::Legacy { price: start * GWEI };
            let ceiling = ceiling * GWEI / 10;
            let mut steps = 0;
            while let Some(next) = bid.raised(Price::suggest(params.fees, market, ceiling), ceiling) {
                prop_assert!(next.most() * 1000 >= bid.most() * 1125 && next.most() >= 18 * GWEI);
                bid = next;
                steps += 1;
            }
            prop_assert!(bid.most() * 9 / 8 + 1 >= ceiling && steps <= 130);
        }
    }
}
