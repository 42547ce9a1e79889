//! The schedule of every ordered pair of the four ledgers in all three profiles, as it was worked out before the code.
//! Times are offsets from the signatures, written as hours and minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::too_many_arguments)] // a row of the table has as many cells

use photon_chains::{ClockRule, Timing};
use photon_swap::{Profile, linked_schedule, schedule};
use rstest::rstest;

const fn script(confirm: u64, early: u64, settle: u64, late: u64) -> Timing {
    Timing {
        block_secs: 600,
        confirmations: 3,
        final_confirmations: 3,
        confirm_secs: confirm,
        stale_tip_secs: 5400,
        rule: ClockRule::MedianTimePast { early_secs: early, settle_secs: settle, late_secs: late },
    }
}

const fn account(confirm: u64, rule: ClockRule) -> Timing {
    Timing { block_secs: 12, confirmations: 96, final_confirmations: 96, confirm_secs: confirm, stale_tip_secs: 60, rule }
}

// Quantiles of the time that k blocks take, intervals being exponential with a mean of 600 s (150 s) at nine tenths of the
// hash rate; for lateness, at half of it one week in a hundred. To the second, because the table was rounded only at the
// end: about 1h33, 3h27 and 18h25 on Bitcoin, 1h00, 1h08 and 4h09 on Litecoin.
const BTC: Timing = script(5_604, hm(2, 0), 12_444, 66_275);
const LTC: Timing = script(3_582, hm(3, 10), 4_060, 14_912);
const ETH: Timing = account(
    hm(0, 22),
    ClockRule::BlockTime {
        min_block_secs: 12,
        worst_block_millis: 13_300,
        inclusion_blocks: 25,
        final_blocks: 96,
        halt_secs: 3600,
        late_secs: 60,
    },
);
const SMT: Timing = account(
    13 * 60 + 40,
    ClockRule::BlockTime {
        min_block_secs: 14,
        worst_block_millis: 22_000,
        inclusion_blocks: 34,
        final_blocks: 34,
        halt_secs: 7200,
        late_secs: 600,
    },
);

const fn hm(hours: u64, minutes: u64) -> u64 {
    hours * 3600 + minutes * 60
}

fn secs(text: &str) -> u64 {
    let (hours, minutes) = text.split_once('h').unwrap();
    hm(hours.parse().unwrap(), minutes.parse().unwrap())
}

/// Hours and minutes, rounded to the nearest minute as the table does.
fn shown(secs: u64) -> String {
    let minutes = (secs + 30) / 60;
    format!("{}h{:02}", minutes / 60, minutes % 60)
}

#[rstest]
//    alpha beta     L2      R       T2       late2    gap      T1       blocks   hot T2, T1         desktop T2, T1
#[case(BTC, LTC, "1h53", "3h03", "9h30", "6h09", "15h41", "25h15", 0, ("7h45", "18h15"), ("19h30", "65h15"))]
#[case(BTC, ETH, "1h53", "2h25", "6h05", "0h01", "9h33", "15h40", 0, ("4h20", "10h25"), ("16h05", "45h40"))]
#[case(BTC, SMT, "1h53", "2h17", "7h00", "0h10", "9h42", "16h45", 0, ("5h15", "11h30"), ("17h00", "46h45"))]
#[case(LTC, BTC, "1h20", "3h03", "10h40", "20h25", "28h47", "39h30", 0, ("8h55", "32h30"), ("20h40", "79h30"))]
#[case(LTC, ETH, "1h20", "1h52", "5h30", "0h01", "8h24", "13h55", 0, ("3h45", "8h40"), ("15h30", "43h55"))]
#[case(LTC, SMT, "1h20", "1h43", "6h30", "0h10", "8h33", "15h05", 0, ("4h45", "9h50"), ("16h30", "45h05"))]
#[case(ETH, BTC, "0h42", "2h25", "10h00", "20h25", "25h02", "35h05", 10_525, ("8h15", "28h05"), ("20h00", "75h05"))]
#[case(ETH, LTC, "0h42", "1h52", "8h15", "6h09", "10h46", "19h05", 5_725, ("6h30", "12h05"), ("18h15", "59h05"))]
#[case(ETH, SMT, "0h42", "1h06", "5h50", "0h10", "4h47", "10h40", 3_200, ("4h05", "5h25"), ("15h50", "40h40"))]
#[case(SMT, BTC, "0h34", "2h17", "9h50", "20h25", "25h07", "35h00", 9_000, ("8h05", "28h00"), ("19h50", "75h00"))]
#[case(SMT, LTC, "0h34", "1h43", "8h10", "6h09", "10h51", "19h05", 4_908, ("6h25", "12h05"), ("18h10", "59h05"))]
#[case(SMT, ETH, "0h34", "1h06", "4h45", "0h01", "4h43", "9h30", 2_443, ("3h00", "4h15"), ("14h45", "39h30"))]
fn every_ordered_pair(
    #[case] alpha: Timing,
    #[case] beta: Timing,
    #[case] fund_beta_by: &str,
    #[case] reveal_by: &str,
    #[case] beta_expiry: &str,
    #[case] beta_late: &str,
    #[case] gap: &str,
    #[case] alpha_expiry: &str,
    #[case] alpha_blocks: u64,
    #[case] hot: (&str, &str),
    #[case] desktop: (&str, &str),
) {
    let plan = schedule(&Profile::STANDARD, &alpha, &beta);
    assert_eq!(plan.fund_alpha_by, hm(0, 10));
    assert_eq!(shown(plan.fund_beta_by), fund_beta_by);
    assert_eq!(shown(plan.reveal_by), reveal_by);
    assert_eq!(plan.beta_expiry, secs(beta_expiry));
    assert_eq!(shown(plan.beta_late_secs), beta_late);
    assert_eq!(shown(plan.gap_secs), gap);
    assert_eq!(plan.alpha_expiry, secs(alpha_expiry));
    assert_eq!(plan.alpha_blocks, alpha_blocks);
    let ends = |profile: &Profile| {
        let plan = schedule(profile, &alpha, &beta);
        (plan.beta_expiry, plan.alpha_expiry)
    };
    assert_eq!(ends(&Profile::HOT), (secs(hot.0), secs(hot.1)));
    assert_eq!(ends(&Profile::DESKTOP), (secs(desktop.0), secs(desktop.1)));
}

#[rstest]
fn a_longer_absence_only_widens_every_margin(
    #[values(BTC, LTC, ETH, SMT)] alpha: Timing,
    #[values(BTC, LTC, ETH, SMT)] beta: Timing,
    #[values(60, 3600, 86_400)] more_secs: u64,
) {
    let base = Profile::STANDARD;
    let longer = base.at_least_offline(base.offline_secs + more_secs);
    let (short, long) = (schedule(&base, &alpha, &beta), schedule(&longer, &alpha, &beta));
    assert_eq!(long.reveal_by, short.reveal_by);
    assert_eq!(long.reveal_window_secs, short.reveal_window_secs + more_secs);
    // Twice: the Initiator's absence may delay its redeem of Beta, the Participant's its redeem of Alpha.
    assert!(long.gap_secs >= short.gap_secs + 2 * more_secs);
    assert_eq!(base.at_least_offline(1), base, "a shorter absence changes nothing");
}

#[rstest]
fn legs_that_one_registry_judges_wait_for_no_transaction_between_them(#[values(ETH, SMT)] chain: Timing) {
    for profile in [Profile::HOT, Profile::STANDARD, Profile::DESKTOP] {
        let (apart, linked) = (schedule(&profile, &chain, &chain), linked_schedule(&profile, &chain, &chain));
        assert_eq!((linked.reveal_by, linked.beta_expiry), (apart.reveal_by, apart.beta_expiry));
        assert_eq!(linked.gap_secs, linked.beta_late_secs);
        assert!(linked.beta_expiry < linked.alpha_expiry);
        assert!(apart.gap_secs >= linked.gap_secs + 2 * profile.offline_secs);
    }
}

#[rstest]
fn deadlines_stand_in_their_order_even_where_the_figures_overflow(
    #[values(BTC, LTC, ETH, SMT)] alpha: Timing,
    #[values(BTC, LTC, ETH, SMT)] beta: Timing,
) {
    for profile in Profile::ALL {
        let plan = schedule(&profile, &alpha, &beta);
        let order = [0, plan.fund_alpha_by, plan.fund_beta_by, plan.reveal_by, plan.beta_expiry, plan.alpha_expiry];
        assert!(order.is_sorted_by(|earlier, later| earlier < later), "{order:?}");
        assert!(plan.beta_expiry - plan.reveal_by >= plan.reveal_window_secs);
        assert!(plan.alpha_expiry - plan.beta_expiry >= plan.gap_secs);
        assert_eq!(plan.beta_expiry % profile.round_secs, 0);
    }
    let absurd = Profile { offline_secs: u64::MAX, ..Profile::HOT };
    let plan = schedule(&absurd, &alpha, &beta);
    assert!(plan.alpha_expiry >= plan.reveal_window_secs, "saturates instead of wrapping");
}

#[test]
fn profiles_are_found_by_name() {
    for profile in Profile::ALL {
        assert_eq!(Profile::named(profile.name), Some(profile));
    }
    assert_eq!(Profile::named("Standard"), None);
}
