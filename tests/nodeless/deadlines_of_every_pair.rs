//! The deadlines that a user gets: the schedule's formulas over the very timing records of the adapters, for every ordered
//! pair of ledgers in all three profiles. The core has the same table over figures of its own; this one fails if an adapter's
//! record drifts away from it.

use photon::channels::{hop_slack_secs, reveal_margin_secs};
use photon::legs::timing_of;
use photon_chains::{ClockRule, Ledger, Network, Timing};
use photon_swap::{Profile, Schedule, linked_schedule, schedule};

/// Alpha, beta, and (T2, T1) in the standard, hot and desktop profiles, in hours and minutes after both have signed.
type Row = (Ledger, Ledger, [(&'static str, &'static str); 3]);

const TABLE: [Row; 12] = {
    use Ledger::{Bitcoin as BTC, Ethereum as ETH, Litecoin as LTC, Smt as SMT};
    [
        (BTC, LTC, [("9h30", "25h15"), ("7h45", "18h15"), ("19h30", "65h15")]),
        (BTC, ETH, [("6h05", "15h40"), ("4h20", "10h25"), ("16h05", "45h40")]),
        (BTC, SMT, [("7h00", "16h45"), ("5h15", "11h30"), ("17h00", "46h45")]),
        (LTC, BTC, [("10h40", "39h30"), ("8h55", "32h30"), ("20h40", "79h30")]),
        (LTC, ETH, [("5h30", "13h55"), ("3h45", "8h40"), ("15h30", "43h55")]),
        (LTC, SMT, [("6h30", "15h05"), ("4h45", "9h50"), ("16h30", "45h05")]),
        (ETH, BTC, [("10h00", "35h05"), ("8h15", "28h05"), ("20h00", "75h05")]),
        (ETH, LTC, [("8h15", "19h05"), ("6h30", "12h05"), ("18h15", "59h05")]),
        (ETH, SMT, [("5h50", "10h40"), ("4h05", "5h25"), ("15h50", "40h40")]),
        (SMT, BTC, [("9h50", "35h00"), ("8h05", "28h00"), ("19h50", "75h00")]),
        (SMT, LTC, [("8h10", "19h05"), ("6h25", "12h05"), ("18h10", "59h05")]),
        (SMT, ETH, [("4h45", "9h30"), ("3h00", "4h15"), ("14h45", "39h30")]),
    ]
};

fn timing(ledger: Ledger, network: Network) -> Timing {
    match photon_utxo::Params::of(ledger, network) {
        Some(params) => params.net.timing,
        None => photon_evm::params(ledger, network).unwrap().timing,
    }
}

fn shown(secs: u64) -> String {
    format!("{}h{:02}", secs / 3600, secs % 3600 / 60)
}

#[test]
fn the_records_of_the_adapters_give_the_table() {
    for network in [Network::Mainnet, Network::Testnet] {
        for (alpha, beta, rows) in TABLE {
            for (profile, (t2, t1)) in [Profile::STANDARD, Profile::HOT, Profile::DESKTOP].into_iter().zip(rows) {
                let plan = schedule(&profile, &timing(alpha, network), &timing(beta, network));
                let got = (shown(plan.beta_expiry), shown(plan.alpha_expiry));
                assert_eq!(got, (t2.to_owned(), t1.to_owned()), "{alpha} -> {beta}, {} on {network}", profile.name);
            }
        }
    }
}

#[test]
fn on_regtest_a_swap_of_any_pair_takes_seconds_and_its_refund_less_than_three_minutes() {
    for alpha in Ledger::ALL {
        for beta in Ledger::ALL {
            let plan = schedule(&Profile::REGTEST, &timing(alpha, Network::Regtest), &timing(beta, Network::Regtest));
            assert!(plan.reveal_by < 60 && plan.alpha_expiry < 180, "{alpha} -> {beta}: {plan:?}");
        }
    }
}

/// A leg over channels with so many mediators, or on a chain where there are none to be.
fn leg(ledger: Ledger, profile: &Profile, reach: u8) -> Timing {
    let chain = timing(ledger.chain(), Network::Mainnet);
    if ledger.is_channel() { timing_of(&chain, profile, reach) } else { chain }
}

fn plan(alpha: Ledger, beta: Ledger, profile: &Profile, reach: u8) -> Schedule {
    schedule(profile, &leg(alpha, profile, reach), &leg(beta, profile, reach))
}

/// As README's table has them: T2 and T1 in the standard profile, over a channel of both, and through one mediator.
#[test]
fn legs_in_channels_have_these_deadlines() {
    use Ledger::{Bitcoin as BTC, Ethereum as ETH, EthereumChannel, SmtChannel};
    let table = [
        (BTC, EthereumChannel, ("6h20", "15h55"), ("6h20", "20h55")),
        (EthereumChannel, BTC, ("9h40", "35h20"), ("9h40", "35h20")),
        (ETH, EthereumChannel, ("5h10", "9h50"), ("5h10", "14h50")),
        (EthereumChannel, SmtChannel, ("5h45", "11h15"), ("5h45", "15h55")),
        (SmtChannel, EthereumChannel, ("4h50", "10h05"), ("4h50", "15h05")),
    ];
    let got = |plan: Schedule| (shown(plan.beta_expiry), shown(plan.alpha_expiry));
    let wanted = |(t2, t1): (&str, &str)| (t2.to_owned(), t1.to_owned());
    for (alpha, beta, straight, through) in table {
        let plan = |reach| got(plan(alpha, beta, &Profile::STANDARD, reach));
        assert_eq!((plan(0), plan(1)), (wanted(straight), wanted(through)), "{alpha} -> {beta}");
    }
    // Two tokens on one chain: one registry judges both, and five hours of gap are gone.
    let leg = leg(EthereumChannel, &Profile::STANDARD, 0);
    assert_eq!(got(schedule(&Profile::STANDARD, &leg, &leg)), wanted(("4h50", "10h10")));
    assert_eq!(got(linked_schedule(&Profile::STANDARD, &leg, &leg)), wanted(("4h50", "4h55")));
}

/// E2: whoever redeems in a channel has its engine's margin, and whoever pays through mediators is not asked for the secret when it is
/// too late to use it.
#[test]
fn a_leg_in_a_channel_leaves_its_engine_the_margin_that_it_keeps() {
    let venues = || Ledger::ALL.into_iter().chain(Ledger::CHANNELS);
    for profile in [Profile::HOT, Profile::STANDARD, Profile::DESKTOP] {
        for (alpha, beta) in venues().flat_map(|alpha| venues().map(move |beta| (alpha, beta))) {
            for reach in [0, 1, 3] {
                let plan = plan(alpha, beta, &profile, reach);
                let margin = |ledger: Ledger| reveal_margin_secs(&profile, &timing(ledger.chain(), Network::Mainnet));
                if beta.is_channel() {
                    let ClockRule::BlockTime { late_secs, halt_secs, .. } = leg(beta, &profile, reach).rule else {
                        panic!("no blocks")
                    };
                    // Beta closes by the clock alone, so its engine registers a halt earlier.
                    let early = margin(beta) + halt_secs;
                    assert!(plan.beta_expiry - plan.reveal_by > early, "{alpha} -> {beta}: {plan:?}");
                    let slack = hop_slack_secs(&profile, &timing(beta.chain(), Network::Mainnet)) * u64::from(reach);
                    assert!(late_secs > slack && plan.alpha_expiry - plan.beta_expiry > slack);
                }
                if alpha.is_channel() {
                    let after_the_last_redeem = plan.gap_secs - plan.beta_late_secs;
                    assert!(after_the_last_redeem > margin(alpha), "{alpha} -> {beta}: {plan:?}");
                }
                assert!(plan.alpha_expiry <= photon_swap::LONGEST_LOCK_SECS, "{alpha} -> {beta}");
            }
        }
    }
}
