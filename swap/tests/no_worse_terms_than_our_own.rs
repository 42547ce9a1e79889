//! A counterparty that picks the worst depth, the shortest or the longest times, or another unit of time is refused by the
//! name of what is wrong. Ours are the minima, whatever it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;

fn verdict(alpha: Ledger, beta: Ledger, change: impl Fn(&mut Terms)) -> Refusal {
    let (offer, rules) = (offer(alpha, beta), rules(alpha, beta));
    let mut terms = terms(alpha, beta);
    assert_eq!(verify_draft(&take(&offer), &offer, &terms, &rules), Ok(()));
    change(&mut terms);
    verify_draft(&take(&offer), &offer, &terms, &rules).expect_err("worse terms are refused")
}

fn set_alpha(terms: &mut Terms, secs: u64) {
    terms.alpha.lock.expiry.opens_time = UnixTime::from_secs(secs);
}

fn set_beta(terms: &mut Terms, secs: u64) {
    let time = UnixTime::from_secs(secs);
    terms.beta.lock.expiry.opens_time = time;
    terms.beta.lock.expiry.closes = terms.beta.lock.expiry.closes.map(|_| time);
}

/// Milliseconds, a height, a duration, times that are swapped: each is refused by name. // B4
#[test]
fn another_unit_of_time_is_refused_by_its_name() {
    let opens = |terms: &Terms| (terms.alpha.lock.expiry.opens_time.secs(), terms.beta.lock.expiry.opens_time.secs());
    let scripts = (Ledger::Bitcoin, Ledger::Litecoin);
    let contracts = (Ledger::Ethereum, Ledger::Smt);
    let not_a_script_time = |leg| Refusal::Terms(TermsError::Inconsistent(leg));
    let order = Refusal::Terms(TermsError::Order);
    for (what, pair, change, expected) in [
        (
            "alpha in milliseconds",
            scripts,
            (|t, a, _| set_alpha(t, a * 1000)) as fn(&mut Terms, u64, u64),
            not_a_script_time(LegName::Alpha),
        ),
        ("beta in milliseconds", scripts, |t, _, b| set_beta(t, b * 1000), not_a_script_time(LegName::Beta)),
        ("alpha as a height", scripts, |t, _, _| set_alpha(t, 800_000), not_a_script_time(LegName::Alpha)),
        ("beta as a height", scripts, |t, _, _| set_beta(t, 800_000), not_a_script_time(LegName::Beta)),
        ("alpha as a duration", scripts, |t, _, _| set_alpha(t, 86_400), not_a_script_time(LegName::Alpha)),
        ("alpha in milliseconds", contracts, |t, a, _| set_alpha(t, a * 1000), not_a_script_time(LegName::Alpha)),
        ("beta in milliseconds", contracts, |t, _, b| set_beta(t, b * 1000), not_a_script_time(LegName::Beta)),
        ("alpha as a height", contracts, |t, _, _| set_alpha(t, 20_000_000), order),
        ("beta as a height", contracts, |t, _, _| set_beta(t, 20_000_000), order),
        ("beta as a duration", contracts, |t, _, _| set_beta(t, 3_600), order),
        ("swapped", scripts, |t, a, b| (set_alpha(t, b), set_beta(t, a)).0, order),
        ("swapped", contracts, |t, a, b| (set_alpha(t, b), set_beta(t, a)).0, order),
        ("equal", scripts, |t, _, b| set_alpha(t, b), order),
    ] {
        let refusal = verdict(pair.0, pair.1, |terms| {
            let (alpha, beta) = opens(terms);
            change(terms, alpha, beta);
        });
        assert_eq!(refusal, expected, "{what} on {} and {}", pair.0, pair.1);
    }
}

/// T1 in ninety days, a million confirmations, never away: each refused with its reason. // G8
#[test]
fn the_worst_depth_and_the_worst_times_are_refused_by_their_name() {
    let months = 90 * 86_400;
    for (alpha, beta) in [(Ledger::Bitcoin, Ledger::Ethereum), (Ledger::Smt, Ledger::Litecoin)] {
        let far = verdict(alpha, beta, |t| set_alpha(t, NOW.secs() + months));
        assert_eq!(far, Refusal::Terms(TermsError::Length));
        let far = verdict(alpha, beta, |t| set_alpha(t, NOW.secs() + 86_400));
        assert!(matches!(far, Refusal::TooLong { limit: 3_600, .. }), "{far:?}");
        for leg in [LegName::Alpha, LegName::Beta] {
            for depth in [1, 1_000_000] {
                let figures = verdict(alpha, beta, |terms| match leg {
                    LegName::Alpha => terms.alpha.confirmations = depth,
                    LegName::Beta => terms.beta.confirmations = depth,
                });
                assert_eq!(figures, Refusal::OtherFigures(leg), "{depth}");
            }
        }
        assert_eq!(verdict(alpha, beta, |t| t.offline_secs = 0), Refusal::Terms(TermsError::Length));
        assert!(matches!(verdict(alpha, beta, |t| t.offline_secs = 1), Refusal::Offline { offered: 1, needed: 5 }));
        let absurd = verdict(alpha, beta, |t| t.offline_secs = u64::MAX);
        assert!(matches!(absurd, Refusal::TooShort { .. } | Refusal::Terms(_)), "{absurd:?}");
    }
}

/// A taker that wants to be away for ever makes no swap of it: the maker's money would be locked for as long. // G8
#[test]
fn a_taker_that_is_never_there_gets_no_terms() {
    let (alpha, beta) = (Ledger::Bitcoin, Ledger::Ethereum);
    let offer = offer(alpha, beta);
    for offline_secs in [3_600, 86_400, u64::MAX] {
        let take = Take { offline_secs, ..take(&offer) };
        let refusal = build_terms(&offer, &take, &maker_half(&offer), &rules(alpha, beta)).expect_err("too long");
        assert!(matches!(refusal, Refusal::TooLong { .. }), "{refusal:?}");
    }
}

/// Terms that differ from what was signed are another swap, and nobody agreed to it. // B13
#[test]
fn who_changes_its_mind_has_not_changed_the_swap() {
    let (alpha, beta) = (Ledger::Bitcoin, Ledger::Ethereum);
    let (signed, rules) = (terms(alpha, beta), rules(alpha, beta));
    let swap = Swap::new(Role::Participant, signed);
    let mut second = signed;
    second.beta.lock.amount = Amount::from_units(1_999);
    assert_ne!(second.id(), swap.id, "its own name");
    assert_eq!(
        verify_accept(&signed, second.id(), &rules),
        Err(Refusal::OtherTerms),
        "what was proposed is what can be accepted"
    );
    assert_eq!(verify_accept(&second, signed.id(), &rules), Err(Refusal::OtherTerms));
    assert_ne!(signed.digest(Consent::Accept, Role::Initiator), second.digest(Consent::Accept, Role::Initiator));
}
