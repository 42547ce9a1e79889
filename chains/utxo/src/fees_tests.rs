#![allow(clippy::unwrap_used)]
use super::*;
use crate::params::CHAINS;
use proptest::prelude::*;

const BTC: &FeePolicy = &crate::btc::CHAIN.fees;
const LTC: &FeePolicy = &crate::ltc::CHAIN.fees;
const VSIZE: u64 = 143;
const DAY: u64 = 24 * 3600;

fn market(estimate: u64) -> Market {
    Market { estimate, floor: 1_000, increment: 1_000 }
}

fn haste(left: u64) -> Haste {
    Haste { now: 1_000_000, deadline: 1_000_000 + left, window: 1_000 }
}

fn share(left: u64, held: u64) -> Limit {
    Limit::Share { haste: haste(left), held }
}

#[test]
fn the_ceiling_is_a_tenth_with_time_to_spare_and_half_at_the_deadline() {
    for (left, percent) in [(DAY, 10), (1_001, 10), (1_000, 10), (900, 14), (500, 30), (1, 49), (0, 50)] {
        assert_eq!(haste(left).ceiling(1_000_000, 0), percent * 10_000, "{left} s left");
        assert_eq!(haste(left).is_urgent(), left < 1_000, "{left} s left");
    }
    let late = Haste { now: 2_000_000, ..haste(0) };
    assert_eq!(late.ceiling(1_000_000, 0), 500_000, "after it");
    let sudden = Haste { window: 0, ..haste(5) };
    assert_eq!(sudden.ceiling(1_000_000, 0), 500_000, "a chain that knows no window");
    assert_eq!(haste(DAY).ceiling(10_000, 4_000), 4_000, "what is relayed at all may be paid");
    assert_eq!(haste(DAY).ceiling(10_000, 400_000), 5_000, "but never more than half");
    assert_eq!(haste(DAY).ceiling(u64::MAX, 0), u64::MAX / 10);
}

#[test]
fn a_first_claim_pays_half_more_than_the_estimate_or_five_times_it() {
    assert_eq!(share(DAY, 10_000_000).first_fee(VSIZE, &market(10_000), BTC), 2_145);
    assert_eq!(share(DAY, 10_000_000).first_fee(VSIZE, &market(10_000), LTC), 7_150);
    // C7: fees at fifty times the ordinary are followed, past what a payment would pay, as far as the money is worth it.
    let spike = market(1_000_000);
    assert_eq!(share(DAY, 10_000_000).first_fee(VSIZE, &spike, BTC), 143_000);
    assert_eq!(Limit::Cap.first_fee(VSIZE, &spike, BTC), fee_at(VSIZE, BTC.cap));
    assert_eq!(share(DAY, 1_000_000).first_fee(VSIZE, &spike, BTC), 100_000, "a tenth");
    assert_eq!(share(0, 1_000_000).first_fee(VSIZE, &spike, BTC), 143_000);
    assert_eq!(share(0, 1_000_000).first_fee(VSIZE, &market(200_000), LTC), fee_at(VSIZE, LTC.cap), "no five times of that");
}

#[test]
fn a_floor_above_our_bid_is_followed() {
    let flooded = Market { floor: 90_000, ..market(5_000) };
    assert_eq!(share(DAY, 1_000_000).first_fee(VSIZE, &flooded, BTC), fee_at(VSIZE, 90_000));
    let next = share(DAY, 1_000_000).replacing_fee(VSIZE, 1_073, &flooded, BTC).unwrap();
    assert_eq!(next, fee_at(VSIZE, 90_000));
    // Where a tenth of the money is not enough to be taken at all, more is paid, up to half.
    assert_eq!(share(DAY, 40_000).first_fee(VSIZE, &flooded, BTC), fee_at(VSIZE, 90_000));
    assert_eq!(share(DAY, 20_000).first_fee(VSIZE, &flooded, BTC), 10_000);
}

#[test]
fn rungs_rise_by_a_quarter_at_least_by_bip125_and_stop_at_the_ceiling() {
    let calm = share(DAY, 100_000);
    let next = |last| calm.replacing_fee(VSIZE, last, &market(1_000), BTC);
    assert_eq!(next(1_000), Some(1_250));
    assert_eq!(next(200), Some(344), "its own size at the relay rate on top");
    assert_eq!(next(8_500), Some(10_000), "the last rung is the ceiling itself");
    assert_eq!(next(9_856), Some(10_000));
    assert_eq!(next(9_857), None, "the ceiling is below what a replacement must pay");
    assert_eq!(share(0, 100_000).replacing_fee(VSIZE, 9_857, &market(1_000), BTC), Some(12_322), "until time runs out");
    assert_eq!(calm.replacing_fee(VSIZE, 1_000, &market(20_000), BTC), Some(4_290), "the market has risen");
}

/// C7: in any market the ladder comes to its ceiling, in steps that can be counted, and ends there.
#[test]
fn the_ladder_ends_at_its_ceiling() {
    for estimate in [1_000, 10_000, 100_000] {
        let limit = share(0, 10_000_000);
        let mut fee = limit.first_fee(VSIZE, &market(estimate), BTC);
        let mut rungs = 0;
        while let Some(next) = limit.replacing_fee(VSIZE, fee, &market(estimate), BTC) {
            fee = next;
            rungs += 1;
        }
        assert!(fee > 4_999_000 && rungs < 48, "{rungs} rungs to {fee}");
    }
}

#[test]
fn a_child_lifts_the_whole_by_half_or_to_the_market() {
    let carried = Carried { vsize: 143, fee: 1_430 };
    let limit = share(DAY, 10_000_000);
    let fee = limit.child_fee(110, carried, &market(1_000), LTC).unwrap();
    assert_eq!((1_430 + fee) * 1000 / (143 + 110), 15_000, "from ten to fifteen");
    let fee = limit.child_fee(110, carried, &market(20_000), LTC).unwrap();
    assert_eq!((1_430 + fee) * 1000 / (143 + 110), 100_000, "to five times the estimate");
    assert_eq!(share(DAY, 50_000).child_fee(110, carried, &market(20_000), LTC), Some(5_000 - 1_430), "to the ceiling");
    assert_eq!(share(DAY, 25_000).child_fee(110, carried, &market(20_000), LTC), None, "which is too low to lift anything");
    assert_eq!(share(DAY, 1_000).child_fee(110, carried, &market(20_000), LTC), None, "all of it is spent already");
}

fn markets() -> impl Strategy<Value = Market> {
    (0u64..10_000_000, 0u64..2_000_000, 0u64..100_000).prop_map(|(estimate, floor, increment)| Market {
        estimate,
        floor,
        increment,
    })
}

proptest! {
    /// Whatever a node says of fees (it may lie, or be flooded), a claim never costs more than half of what it takes, all that
    /// carries it included, but for the least that any node relays; and every rung is a rung.
    #[test]
    fn no_market_makes_a_claim_cost_more_than_half(
        first in markets(), then in prop::collection::vec(markets(), 1..30),
        held in 0u64..1_000_000_000_000, left in 0u64..5_000, chain in 0usize..2,
    ) {
        let fees = &CHAINS[chain].fees;
        let limit = share(left, held);
        let least = fee_at(VSIZE, fees.floor);
        let bound = (held / 2).max(least);
        let mut bid = limit.first_fee(VSIZE, &first, fees);
        prop_assert!(bid <= bound && bid >= least);
        let mut carried = Carried { vsize: VSIZE, fee: bid };
        for market in &then {
            if let Some(next) = limit.replacing_fee(VSIZE, bid, market, fees) {
                prop_assert!(next > bid + fee_at(VSIZE, market.increment) && next <= held / 2);
                bid = next;
            }
            if let Some(fee) = limit.child_fee(110, carried, market, fees) {
                let lifted = Carried { vsize: carried.vsize + 110, fee: carried.fee + fee };
                prop_assert!(lifted.fee <= held / 2 && fee >= fee_at(110, market.floor.max(fees.floor)));
                prop_assert!(lifted.fee * carried.vsize > carried.fee * lifted.vsize, "the whole pays a higher rate");
                carried = lifted;
            }
        }
    }

    /// A payment never pays more than the chain's cap.
    #[test]
    fn no_market_makes_a_payment_cost_more_than_the_cap(market in markets(), last in 0u64..200_000, chain in 0usize..2) {
        let fees = &CHAINS[chain].fees;
        prop_assert!(Limit::Cap.first_fee(VSIZE, &market, fees) <= fee_at(VSIZE, fees.cap));
        let next = Limit::Cap.replacing_fee(VSIZE, last, &market, fees);
        prop_assert!(next.is_none_or(|next| next > last && next <= fee_at(VSIZE, fees.cap)));
    }
}

/// C13: what a claim costs where nobody else bids is so near to dust that twenty times as much, the least that is worth a swap, is
/// well above it.
#[test]
fn twenty_of_the_cheapest_claims_are_well_above_dust() {
    for chain in crate::params::CHAINS {
        let lowest = Market { estimate: chain.fees.floor, floor: chain.fees.floor, increment: 0 };
        let claim = fee_at(134, lowest.claim_rate(&chain.fees));
        let params = crate::params::Params::of(chain.ledger, crate::params::Network::Mainnet).unwrap();
        let script = bitcoin::ScriptBuf::new_p2wsh(&bitcoin::hashes::Hash::all_zeros());
        assert!(20 * claim > 4 * params.dust_limit(&script), "{}", chain.ledger);
    }
}
