//! Deadlines hold to the second, by the latest of our clocks, and once more at the moment of sending: what was decided an hour
//! ago is decided again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;

const PAIRS: [(Ledger, Ledger); 3] =
    [(Ledger::Bitcoin, Ledger::Litecoin), (Ledger::Litecoin, Ledger::Ethereum), (Ledger::Ethereum, Ledger::Smt)];

fn swap(role: Role, terms: Terms, facts: &[Fact]) -> Swap {
    let mut swap = Swap::new(role, terms);
    facts.iter().for_each(|fact| swap.apply(fact));
    swap
}

fn wants(step: &Step, kind: EffectKind) -> bool {
    step.effects.iter().any(|effect| effect.kind == kind)
}

fn hour() -> u64 {
    3_600
}

/// One second before, at, and after `reveal_by`. // C6
#[test]
fn the_secret_is_shown_up_to_the_last_second_and_not_after() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let by = terms.deadlines.reveal_by;
        let swap = swap(Role::Initiator, terms, &[Fact::Agreed, Fact::FundIntent]);
        for (at, may) in [(by.minus_secs(1), true), (by, true), (by.plus_secs(1), false)] {
            let step = step(&swap, &view(at, funded(), funded()));
            assert_eq!(wants(&step, EffectKind::Redeem), may, "{alpha} to {beta} at {at}");
            assert_eq!(step.facts.contains(&Fact::RevealIntent), may);
            assert_eq!(step.facts.contains(&Fact::NeverReveal), !may, "the answer is written down");
        }
    }
}

/// The latest that the time may be decides, whatever the earliest says. // C6, F6
#[test]
fn a_clock_that_may_be_slow_counts_as_slow() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let by = terms.deadlines.reveal_by;
        let swap = swap(Role::Initiator, terms, &[Fact::Agreed, Fact::FundIntent]);
        let mut view = view(by, funded(), funded());
        view.now_lo = by.minus_secs(600);
        assert!(wants(&step(&swap, &view), EffectKind::Redeem));
        view.now_hi = by.plus_secs(1);
        assert!(!wants(&step(&swap, &view), EffectKind::Redeem), "{alpha} to {beta}");
    }
}

/// Once it was too late, a clock that is set back reopens nothing. // C6, F6
#[test]
fn a_clock_that_is_set_back_reopens_nothing() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let by = terms.deadlines.reveal_by;
        let mut swap = swap(Role::Initiator, terms, &[Fact::Agreed, Fact::FundIntent]);
        let late = step(&swap, &view(by.plus_secs(1), funded(), funded()));
        late.facts.iter().for_each(|fact| swap.apply(fact));
        let again = step(&swap, &view(by.minus_secs(hour()), funded(), funded()));
        assert!(again.facts.is_empty() && again.effects.is_empty(), "{again:?}");
    }
}

/// An hour lies between the decision, durable by then, and the moment of sending. // H15
#[test]
fn what_was_to_be_funded_an_hour_ago_is_not_funded_now() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        for (role, shown) in [(Role::Initiator, absent()), (Role::Participant, funded())] {
            let mut swap = swap(role, terms, &[Fact::Agreed]);
            let at = terms.own_fund_by(role);
            let decided = step(&swap, &view(at, shown.clone(), absent()));
            assert!(wants(&decided, EffectKind::Fund), "{role:?} {alpha} to {beta}");
            decided.facts.iter().for_each(|fact| swap.apply(fact));
            let later = step(&swap, &view(at.plus_secs(hour()), shown, absent()));
            assert!(!wants(&later, EffectKind::Fund), "{role:?} {alpha} to {beta}");
            assert!(wants(&later, EffectKind::Cancel), "money that may be on its way is made impossible");
        }
    }
}

/// The same with the reveal: where nothing can be redeemed any more, the secret stays at home. // H15, C6
#[test]
fn a_redeem_that_was_never_sent_is_not_sent_when_beta_has_closed_or_gone() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let mut swap = swap(Role::Initiator, terms, &[Fact::Agreed, Fact::FundIntent]);
        let decided = step(&swap, &view(terms.deadlines.reveal_by, funded(), funded()));
        decided.facts.iter().for_each(|fact| swap.apply(fact));
        let late = terms.beta.lock.expiry.opens_time.plus_secs(hour());
        let gone = step(&swap, &view(late, funded(), refunded()));
        assert!(!wants(&gone, EffectKind::Redeem), "{alpha} to {beta}: beta was taken back");
        if terms.beta.lock.expiry.closes.is_some() {
            let closed = step(&swap, &view(late, funded(), funded()));
            assert!(!wants(&closed, EffectKind::Redeem), "{alpha} to {beta}: beta has closed");
        }
        let mut blind = view(late, funded(), absent());
        blind.beta.sighting = None;
        assert!(!wants(&step(&swap, &blind), EffectKind::Redeem), "{alpha} to {beta}: nobody knows");
    }
}

/// The health gate is part of the decision, so it is asked again at the moment of sending. // H15, C18, F2
#[test]
fn what_was_well_when_it_was_decided_must_be_well_when_it_is_sent() {
    type Ill = (&'static str, fn(&mut View));
    let ills: [Ill; 5] = [
        ("alpha's node is stale", |view| view.alpha.healthy = false),
        ("beta's node is stale", |view| view.beta.healthy = false),
        ("reserves are gone", |view| view.may_risk = false),
        ("alpha has no tip", |view| view.alpha.tip = None),
        ("beta can't be seen", |view| view.beta.sighting = None),
    ];
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let at = terms.deadlines.agreed_at.plus_secs(2);
        for (what, make_ill) in ills {
            for (role, shown) in [(Role::Initiator, absent()), (Role::Participant, funded())] {
                let funding = swap(role, terms, &[Fact::Agreed, Fact::FundIntent]);
                let mut view = view(at, shown, absent());
                assert!(wants(&step(&funding, &view), EffectKind::Fund));
                make_ill(&mut view);
                assert!(!wants(&step(&funding, &view), EffectKind::Fund), "{role:?}: {what}");
            }
            let revealing = swap(Role::Initiator, terms, &[Fact::Agreed, Fact::FundIntent]);
            let mut view = view(at, funded(), funded());
            assert!(wants(&step(&revealing, &view), EffectKind::Redeem));
            make_ill(&mut view);
            assert!(!wants(&step(&revealing, &view), EffectKind::Redeem), "reveal: {what}");
        }
    }
}
