//! The decision table: for each state of the two ledgers, of our own facts and of the time, what each party does. Every row
//! is run for scripts and contracts on either leg, since no decision may depend on the kind of ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::Role::{Initiator, Participant};
use photon_swap::*;

const PAIRS: [(Ledger, Ledger); 4] = [
    (Ledger::Bitcoin, Ledger::Litecoin),
    (Ledger::Bitcoin, Ledger::Ethereum),
    (Ledger::Smt, Ledger::Litecoin),
    (Ledger::Ethereum, Ledger::Smt),
];

/// A moment of the schedule. `After` is the second after a deadline.
#[derive(Copy, Clone, Debug)]
enum At {
    Start,
    FundAlphaBy,
    AfterFundAlphaBy,
    FundBetaBy,
    AfterFundBetaBy,
    RevealBy,
    AfterRevealBy,
    BetaOpens,
    AlphaOpens,
    LongAfter,
}

fn moment(terms: &Terms, at: At) -> UnixTime {
    let times = &terms.deadlines;
    match at {
        At::Start => times.agreed_at.plus_secs(1),
        At::FundAlphaBy => times.fund_alpha_by,
        At::AfterFundAlphaBy => times.fund_alpha_by.plus_secs(1),
        At::FundBetaBy => times.fund_beta_by,
        At::AfterFundBetaBy => times.fund_beta_by.plus_secs(1),
        At::RevealBy => times.reveal_by,
        At::AfterRevealBy => times.reveal_by.plus_secs(1),
        At::BetaOpens => terms.beta.lock.expiry.opens_time,
        At::AlphaOpens => terms.alpha.lock.expiry.opens_time.plus_secs(1),
        At::LongAfter => terms.alpha.lock.expiry.opens_time.plus_secs(3_600),
    }
}

/// A decision as one line, so that a row shows all of it.
fn said(decision: &Decision) -> String {
    let word = |action: &Action| match action {
        Action::Fund => "fund".to_owned(),
        Action::Cancel => "cancel".to_owned(),
        Action::Reveal => "reveal".to_owned(),
        Action::Redeem(leg) => format!("redeem {leg}"),
        Action::Refund(leg) => format!("refund {leg}"),
        Action::Record(Fact::Ended { outcome }) => format!("end {}", Phase::from(*outcome)),
        Action::Record(fact) => format!("note {}", fact.word()),
    };
    let actions: Vec<String> = decision.actions.iter().map(word).collect();
    format!("{} | {}", actions.join(", "), decision.phase)
}

struct Row {
    role: Role,
    why: &'static str,
    at: At,
    alpha: Sighting,
    beta: Sighting,
    change: fn(&mut View),
    expect: &'static str,
}

fn row(
    role: Role,
    why: &'static str,
    at: At,
    alpha: Sighting,
    beta: Sighting,
    change: fn(&mut View),
    expect: &'static str,
) -> Row {
    Row { role, why, at, alpha, beta, change, expect }
}

fn check(rows: Vec<Row>) {
    for Row { role, why, at, alpha, beta, change, expect } in rows {
        for (alpha_ledger, beta_ledger) in PAIRS {
            let terms = terms(alpha_ledger, beta_ledger);
            let mut view = view(moment(&terms, at), alpha.clone(), beta.clone());
            change(&mut view);
            let decision = decide(role, &terms, &view);
            assert_eq!(said(&decision), expect, "{role:?}: {why} ({alpha_ledger} to {beta_ledger}, {at:?})");
        }
    }
}

fn same(_: &mut View) {}

fn funding(view: &mut View) {
    view.facts.fund_intent = true;
}

fn cancelling(view: &mut View) {
    view.facts.fund_intent = true;
    view.facts.cancel_intent = true;
}

fn revealed(view: &mut View) {
    view.facts.fund_intent = true;
    view.facts.reveal_intent = true;
}

fn never(view: &mut View) {
    view.facts.fund_intent = true;
    view.facts.never_reveal = true;
}

fn knows(view: &mut View) {
    view.facts.fund_intent = true;
    view.facts.secret = Some(secret());
}

#[test]
fn the_initiator_funds_alpha_in_time_or_not_at_all() {
    let (i, no) = (Initiator, absent);
    check(vec![
        row(i, "nothing without both signatures", At::Start, no(), no(), |v| v.facts.agreed = false, " | proposed"),
        row(i, "agreed: fund", At::Start, no(), no(), same, "fund | agreed"),
        row(i, "the last second counts", At::FundAlphaBy, no(), no(), same, "fund | agreed"),
        row(i, "too late: void", At::AfterFundAlphaBy, no(), no(), same, "end void | void"),
        row(i, "never agreed: void", At::AfterFundAlphaBy, no(), no(), |v| v.facts.agreed = false, "end void | void"),
        row(i, "no new risk", At::Start, no(), no(), |v| v.may_risk = false, " | agreed"),
        row(i, "alpha's node is ill", At::Start, no(), no(), |v| v.alpha.healthy = false, " | agreed"),
        row(i, "beta's node is ill", At::Start, no(), no(), |v| v.beta.healthy = false, " | agreed"),
        row(i, "could not look at alpha", At::Start, no(), no(), |v| v.alpha.sighting = None, " | blind"),
        row(i, "could not look at beta", At::Start, no(), no(), |v| v.beta.sighting = None, " | blind"),
        row(i, "no tip of beta", At::Start, no(), no(), |v| v.beta.tip = None, " | agreed"),
        row(i, "after a rescue nothing is begun", At::Start, no(), no(), |v| v.facts.never_reveal = true, " | agreed"),
        row(i, "something else lies there", At::Start, with_fault(no(), Fault::WrongAmount), no(), same, " | agreed"),
    ]);
}

#[test]
fn the_initiator_waits_for_its_funding_or_cancels_it() {
    let (i, no) = (Initiator, absent);
    check(vec![
        row(i, "repeat until mined", At::Start, no(), no(), funding, "fund | agreed"),
        row(i, "in the mempool", At::Start, pending(0), no(), funding, "fund | alpha_pending"),
        row(i, "mined", At::Start, pending(1), no(), funding, " | alpha_pending"),
        row(i, "deep", At::Start, funded(), no(), funding, " | alpha_funded"),
        row(i, "late, but Bob may still answer", At::AfterFundAlphaBy, no(), no(), funding, " | agreed"),
        row(i, "late, in the mempool", At::FundBetaBy, pending(0), no(), funding, " | alpha_pending"),
        row(i, "nobody can answer it", At::AfterFundBetaBy, no(), no(), funding, "cancel | cancelling"),
        row(i, "nor from the mempool", At::AfterFundBetaBy, pending(0), no(), funding, "cancel | cancelling"),
        row(i, "mined: not cancelled", At::AfterFundBetaBy, pending(1), no(), funding, " | alpha_pending"),
        row(i, "keep cancelling", At::Start, no(), no(), cancelling, "cancel | cancelling"),
        row(i, "cancel what can't be seen", At::Start, no(), no(), blind_cancel, "cancel | blind"),
        row(i, "the cancel lost: go on", At::Start, funded(), no(), cancelling, " | alpha_funded"),
        row(i, "the cancel won: void", At::Start, no(), no(), cancelled_alpha, "end void | void"),
        row(i, "gone in a reorg, in time", At::Start, no(), no(), funding, "fund | agreed"),
        row(i, "gone in a reorg, too late", At::RevealBy, no(), no(), funding, "cancel | cancelling"),
    ]);
}

fn blind_cancel(view: &mut View) {
    cancelling(view);
    view.alpha.sighting = None;
}

fn cancelled_alpha(view: &mut View) {
    cancelling(view);
    view.alpha.cancelled = true;
}

fn cancelled_beta(view: &mut View) {
    cancelling(view);
    view.beta.cancelled = true;
}

#[test]
fn the_initiator_reveals_only_while_everything_stands() {
    let i = Initiator;
    check(vec![
        row(i, "both deep: reveal", At::Start, funded(), funded(), funding, "reveal | redeeming"),
        row(i, "the last second", At::RevealBy, funded(), funded(), funding, "reveal | redeeming"),
        row(i, "beta shallow", At::Start, funded(), pending(1), funding, " | beta_pending"),
        row(i, "beta not as deep as agreed", At::Start, funded(), one_deep(), funding, " | beta_funded"),
        row(i, "alpha shallow again", At::Start, pending(1), funded(), funding, " | beta_funded"),
        row(i, "alpha gone", At::RevealBy, absent(), funded(), funding, "cancel | cancelling"),
        row(i, "alpha being taken", At::Start, with_spend(funded(), SpendKind::Refund, 0), funded(), funding, " | refunding"),
        row(i, "beta being taken", At::Start, funded(), with_spend(funded(), SpendKind::Refund, 0), funding, " | beta_funded"),
        row(i, "other code", At::Start, funded(), with_fault(funded(), Fault::WrongCode), funding, " | beta_funded"),
        row(i, "locked again", At::Start, funded(), with_fault(funded(), Fault::LockedAgain), funding, " | beta_funded"),
        row(
            i,
            "a stranger paid too",
            At::Start,
            funded(),
            with_fault(funded(), Fault::FundedTwice),
            funding,
            "reveal | redeeming",
        ),
        row(i, "dust beside it", At::Start, funded(), with_fault(funded(), Fault::WrongAmount), funding, "reveal | redeeming"),
        row(i, "wrong amount alone", At::Start, funded(), with_fault(absent(), Fault::WrongAmount), funding, " | alpha_funded"),
        row(i, "no new risk", At::Start, funded(), funded(), no_risk, " | beta_funded"),
        row(i, "could not look at alpha", At::Start, funded(), funded(), |v| v.alpha.sighting = None, " | blind"),
        row(i, "could not look at beta", At::Start, funded(), funded(), |v| v.beta.sighting = None, " | blind"),
        row(i, "beta's node ill", At::Start, funded(), funded(), |v| v.beta.healthy = false, " | beta_funded"),
        row(i, "beta's clock ran ahead", At::Start, funded(), funded(), beta_clock_ahead, " | beta_funded"),
        row(i, "after a rescue", At::Start, funded(), funded(), never, " | waiting_for_refund"),
        row(i, "too late", At::AfterRevealBy, funded(), funded(), funding, "note never_reveal | waiting_for_refund"),
        row(i, "noted once", At::AfterRevealBy, funded(), funded(), never, " | waiting_for_refund"),
        row(i, "a cancel that lost", At::Start, funded(), funded(), cancelling, "reveal | redeeming"),
    ]);
}

fn one_deep() -> Sighting {
    seen(LockStatus::Funded { txid: txid(1), at: block(1), depth: 1 })
}

fn no_risk(view: &mut View) {
    funding(view);
    view.may_risk = false;
}

fn beta_clock_ahead(view: &mut View) {
    funding(view);
    let tip = view.beta.tip.as_mut().unwrap();
    tip.lock_clock = tip.lock_clock.plus_secs(10_000);
}

#[test]
fn after_revealing_the_initiator_never_gives_up() {
    let i = Initiator;
    let claimed = |depth| with_spend(funded(), SpendKind::Redeem, depth);
    check(vec![
        row(i, "not seen yet", At::Start, funded(), funded(), revealed, "redeem beta | redeeming"),
        row(i, "past the deadline", At::AfterRevealBy, funded(), funded(), revealed, "redeem beta | redeeming"),
        row(i, "in the mempool", At::Start, funded(), claimed(0), revealed, "note secret, redeem beta | redeeming"),
        row(i, "shallow", At::Start, funded(), claimed(1), revealed, "note secret, redeem beta | redeeming"),
        row(i, "no new risk is no excuse", At::Start, funded(), funded(), revealed_no_risk, "redeem beta | redeeming"),
        row(i, "nor an ill node", At::Start, funded(), funded(), revealed_ill, "redeem beta | redeeming"),
        row(i, "nor one that is silent", At::Start, funded(), funded(), revealed_blind, "redeem beta | blind"),
        row(i, "unmined again", At::Start, funded(), funded(), revealed_and_known, "redeem beta | redeeming"),
        row(i, "final: done", At::Start, funded(), redeemed(), revealed, "end completed | completed"),
        row(i, "done, and Bob too", At::Start, redeemed(), redeemed(), revealed, "end completed | completed"),
        row(i, "beta reorged away", At::Start, funded(), pending(0), revealed, "redeem beta | redeeming"),
        row(i, "beta gone", At::Start, funded(), absent(), revealed, " | redeeming"),
        row(i, "revealed, then rescued", At::Start, funded(), funded(), revealed_never, "redeem beta | redeeming"),
    ]);
}

fn revealed_no_risk(view: &mut View) {
    revealed(view);
    view.may_risk = false;
}

fn revealed_ill(view: &mut View) {
    revealed(view);
    view.alpha.healthy = false;
    view.beta.healthy = false;
}

fn revealed_blind(view: &mut View) {
    revealed(view);
    view.beta = LegView::default();
}

fn revealed_and_known(view: &mut View) {
    revealed(view);
    view.facts.secret = Some(secret());
}

fn revealed_never(view: &mut View) {
    revealed(view);
    view.facts.never_reveal = true;
}

#[test]
fn the_initiator_takes_alpha_back_unless_beta_is_its_own_for_good() {
    let i = Initiator;
    let open = At::AlphaOpens;
    let refunding = |depth| with_spend(funded(), SpendKind::Refund, depth);
    let taken = |depth| with_spend(funded(), SpendKind::Redeem, depth);
    check(vec![
        row(i, "not open yet", At::BetaOpens, funded(), refunded(), never, " | waiting_for_refund"),
        row(i, "open", open, funded(), refunded(), never, "refund alpha | refunding"),
        row(i, "until it is final", open, refunding(2), refunded(), never, "refund alpha | refunding"),
        row(i, "refunded", open, refunded(), absent(), never, "end refunded | refunded"),
        row(i, "whatever beta is", open, refunded(), funded(), never, "end refunded | refunded"),
        row(i, "Bob never came", open, funded(), absent(), never, "refund alpha | refunding"),
        row(i, "no risk is stopped by no stop", open, funded(), absent(), never_no_risk, "refund alpha | refunding"),
        row(i, "shallow money is money", open, pending(1), absent(), never, "refund alpha | refunding"),
        row(i, "beta's node is silent", open, funded(), absent(), never_blind, "refund alpha | blind"),
        row(i, "beta was refunded: race lost", open, funded(), refunded(), revealed, "refund alpha | refunding"),
        row(i, "beta is ours: alpha is Bob's", open, funded(), redeemed(), revealed, "note secret | redeeming"),
        row(i, "and if he never comes", At::LongAfter, funded(), redeemed(), revealed, "end completed | completed"),
        row(i, "a refund in flight", open, refunding(1), redeemed(), revealed, "note secret | redeeming"),
        row(i, "it won too", open, refunded(), redeemed(), revealed, "end took_both | took_both"),
        row(i, "Bob took alpha in a block", open, taken(1), refunded(), knows, "note never_reveal | waiting_for_refund"),
        row(i, "Bob has both", open, redeemed(), refunded(), knows, "end lost | lost"),
        row(i, "Bob has alpha: beta is ours", At::Start, redeemed(), funded(), never, "note secret, redeem beta | redeeming"),
        row(i, "refunded, beta not ours to take", open, refunded(), taken(0), revealed, "note secret | refunding"),
    ]);
}

fn never_no_risk(view: &mut View) {
    never(view);
    view.may_risk = false;
    view.alpha.healthy = false;
}

fn never_blind(view: &mut View) {
    never(view);
    view.beta = LegView::default();
}

/// Both duties at once: the redeem of Beta is not final, Alpha's refund is open.
#[test]
fn safety_first_the_initiator_also_refunds_while_its_redeem_is_not_final() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let mut view = view(moment(&terms, At::AlphaOpens), funded(), with_spend(funded(), SpendKind::Redeem, 1));
        revealed(&mut view);
        let expect = match beta.family() {
            Family::Utxo => "note secret, redeem beta, refund alpha | redeeming",
            // A contract that is closed takes no redeem any more: one that is reorganised away now is lost.
            Family::Evm => "note secret, refund alpha | redeeming",
        };
        assert_eq!(said(&decide(Initiator, &terms, &view)), expect, "{alpha} to {beta}");
    }
}

#[test]
fn the_participant_funds_beta_only_against_a_sound_alpha() {
    let (p, no) = (Participant, absent);
    check(vec![
        row(p, "nothing without both signatures", At::Start, funded(), no(), |v| v.facts.agreed = false, " | proposed"),
        row(p, "alpha not there", At::Start, no(), no(), same, " | agreed"),
        row(p, "alpha shallow", At::Start, pending(1), no(), same, " | alpha_pending"),
        row(p, "alpha not as deep as agreed", At::Start, one_deep(), no(), same, " | alpha_funded"),
        row(p, "alpha deep: fund", At::Start, funded(), no(), same, "fund | alpha_funded"),
        row(p, "the last second", At::FundBetaBy, funded(), no(), same, "fund | alpha_funded"),
        row(p, "too late: void", At::AfterFundBetaBy, funded(), no(), same, "end void | void"),
        row(p, "alpha of the wrong amount", At::Start, with_fault(no(), Fault::WrongAmount), no(), same, " | agreed"),
        row(p, "... void in the end", At::AfterFundBetaBy, with_fault(no(), Fault::WrongAmount), no(), same, "end void | void"),
        row(p, "other code", At::Start, with_fault(funded(), Fault::WrongCode), no(), same, " | alpha_funded"),
        row(p, "locked again", At::Start, with_fault(funded(), Fault::LockedAgain), no(), same, " | alpha_funded"),
        row(p, "a stranger paid too", At::Start, with_fault(funded(), Fault::FundedTwice), no(), same, "fund | alpha_funded"),
        row(p, "alpha being taken back", At::Start, with_spend(funded(), SpendKind::Refund, 0), no(), same, " | alpha_funded"),
        row(p, "the secret is out already", At::Start, funded(), no(), leaked, "note secret | alpha_funded"),
        row(p, "... and so never funded", At::AfterFundBetaBy, funded(), no(), leaked, "end void | void"),
        row(p, "no new risk", At::Start, funded(), no(), |v| v.may_risk = false, " | alpha_funded"),
        row(p, "alpha's node ill", At::Start, funded(), no(), |v| v.alpha.healthy = false, " | alpha_funded"),
        row(p, "beta's node ill", At::Start, funded(), no(), |v| v.beta.healthy = false, " | alpha_funded"),
        row(p, "could not look at alpha", At::Start, funded(), no(), |v| v.alpha.sighting = None, " | blind"),
        row(p, "could not look at beta", At::Start, funded(), no(), |v| v.beta.sighting = None, " | blind"),
        row(p, "alpha's clock ran ahead", At::Start, funded(), no(), alpha_clock_ahead, " | alpha_funded"),
    ]);
}

fn leaked(view: &mut View) {
    view.alpha.sighting.as_mut().unwrap().secret = Some(secret());
}

fn alpha_clock_ahead(view: &mut View) {
    let tip = view.alpha.tip.as_mut().unwrap();
    tip.lock_clock = tip.lock_clock.plus_secs(10_000);
}

#[test]
fn the_participant_lets_no_unmined_beta_linger() {
    let (p, no) = (Participant, absent);
    let alpha_at_risk = || with_spend(funded(), SpendKind::Refund, 0);
    check(vec![
        row(p, "repeat until mined", At::Start, funded(), no(), funding, "fund | alpha_funded"),
        row(p, "in the mempool", At::Start, funded(), pending(0), funding, "fund | beta_pending"),
        row(p, "mined", At::Start, funded(), pending(1), funding, " | beta_pending"),
        row(p, "deep", At::Start, funded(), funded(), funding, " | beta_funded"),
        row(p, "late: not sent again", At::AfterFundBetaBy, funded(), pending(0), funding, " | beta_pending"),
        row(p, "the last second in which it is of use", At::RevealBy, funded(), pending(0), funding, " | beta_pending"),
        row(p, "of no use any more", At::AfterRevealBy, funded(), pending(0), funding, "cancel | cancelling"),
        row(p, "nor if our node forgot it", At::AfterRevealBy, funded(), no(), funding, "cancel | cancelling"),
        row(p, "alpha is being taken back", At::Start, alpha_at_risk(), pending(0), funding, "cancel | cancelling"),
        row(p, "alpha is gone", At::Start, no(), pending(0), funding, "cancel | cancelling"),
        row(p, "alpha is not seen: no reason yet", At::Start, no(), pending(0), blind_to_alpha, " | blind"),
        row(p, "keep cancelling", At::BetaOpens, funded(), no(), cancelling, "cancel | cancelling"),
        row(p, "the cancel lost: go on", At::RevealBy, funded(), pending(1), cancelling, " | beta_pending"),
        row(p, "and wait", At::AfterRevealBy, funded(), funded(), cancelling, " | waiting_for_refund"),
        row(p, "the cancel won: void", At::AfterRevealBy, funded(), no(), cancelled_beta, "end void | void"),
        row(p, "the secret stops it", At::AfterRevealBy, funded(), pending(0), cancelling_leaked, REDEEM_NOW),
        row(p, "reorged out, in time", At::Start, funded(), no(), funding, "fund | alpha_funded"),
        row(p, "reorged out, too late", At::AfterRevealBy, funded(), no(), funding, "cancel | cancelling"),
    ]);
}

const REDEEM_NOW: &str = "note secret, redeem alpha | redeeming";

fn blind_to_alpha(view: &mut View) {
    funding(view);
    view.alpha.sighting = None;
}

fn cancelling_leaked(view: &mut View) {
    cancelling(view);
    view.beta.sighting.as_mut().unwrap().secret = Some(secret());
}

/// From wherever it comes, and however late. // A7, C9, C27, C28
#[test]
fn on_any_secret_the_participant_redeems_alpha_at_once() {
    let p = Participant;
    let claimed = |depth| with_spend(funded(), SpendKind::Redeem, depth);
    let late = At::AfterRevealBy;
    check(vec![
        row(p, "from the mempool", At::Start, funded(), claimed(0), funding, REDEEM_NOW),
        row(p, "from a block", At::Start, funded(), claimed(1), funding, REDEEM_NOW),
        row(p, "at depth", At::Start, funded(), redeemed(), funding, REDEEM_NOW),
        row(p, "however late", late, funded(), claimed(0), funding, REDEEM_NOW),
        row(p, "also when risk is stopped", late, funded(), claimed(0), no_risk, REDEEM_NOW),
        row(p, "also from memory", late, funded(), funded(), knows, "redeem alpha | redeeming"),
        row(p, "beta's redeem vanished", late, funded(), absent(), knows, "redeem alpha | redeeming"),
        row(p, "alpha shallow", late, pending(1), claimed(0), funding, REDEEM_NOW),
        row(p, "alpha not seen", late, funded(), claimed(0), blind_to_alpha, "note secret, redeem alpha | blind"),
        row(p, "alpha gone: nothing to take", late, absent(), claimed(0), funding, "note secret | redeeming"),
        row(p, "ours in the mempool", late, claimed(0), redeemed(), knows, "redeem alpha | redeeming"),
        row(p, "ours shallow", late, claimed(1), redeemed(), knows, "redeem alpha | redeeming"),
        row(p, "ours final: done", late, redeemed(), redeemed(), knows, "end completed | completed"),
        row(p, "done though Alice lags", late, redeemed(), claimed(0), knows, "end completed | completed"),
        row(p, "what does not open is no secret", late, funded(), funded(), wrong_secret, " | waiting_for_refund"),
    ]);
}

fn wrong_secret(view: &mut View) {
    funding(view);
    view.facts.secret = Some(Secret::from_bytes([8; 32]));
    view.beta.sighting.as_mut().unwrap().secret = Some(Secret::from_bytes([9; 32]));
}

#[test]
fn the_participant_takes_beta_back_unless_alpha_is_its_own_for_good() {
    let p = Participant;
    let open = At::BetaOpens;
    let refunding = |depth| with_spend(funded(), SpendKind::Refund, depth);
    let taken = |depth| with_spend(funded(), SpendKind::Redeem, depth);
    check(vec![
        row(p, "not open yet", At::AfterRevealBy, funded(), funded(), funding, " | waiting_for_refund"),
        row(p, "open", open, funded(), funded(), funding, "refund beta | refunding"),
        row(p, "repeat until final", open, funded(), refunding(1), funding, "refund beta | refunding"),
        row(p, "refunded", open, funded(), refunded(), funding, "end refunded | refunded"),
        row(p, "reorged: again", open, funded(), funded(), funding, "refund beta | refunding"),
        row(p, "alpha gone too", open, absent(), funded(), funding, "refund beta | refunding"),
        row(
            p,
            "ill nodes are no excuse",
            open,
            funded(),
            funded(),
            |v| {
                no_risk(v);
                v.beta.healthy = false
            },
            "refund beta | refunding",
        ),
        row(p, "known, unspent, alpha not final: both", open, funded(), funded(), knows, "redeem alpha, refund beta | redeeming"),
        row(p, "also against her mempool", open, taken(1), taken(0), knows, "redeem alpha, refund beta | redeeming"),
        row(p, "not against her block", open, funded(), taken(1), knows, "redeem alpha | redeeming"),
        row(p, "alpha is ours: beta is hers", open, redeemed(), funded(), knows, " | redeeming"),
        row(p, "and if she never comes", At::LongAfter, redeemed(), funded(), knows, "end completed | completed"),
        row(p, "a refund in flight", open, redeemed(), refunding(1), knows, " | redeeming"),
        row(p, "it won too", open, redeemed(), refunded(), knows, "end took_both | took_both"),
        row(p, "beta is back: alpha not ours to take", open, funded(), refunded(), knows, "end refunded | refunded"),
        row(p, "ours was sent before", open, taken(0), refunded(), knows, " | refunding"),
        row(p, "she took both", open, refunded(), redeemed(), knows, "end lost | lost"),
    ]);
}

/// An end absorbs everything. // H10
#[test]
fn an_ended_swap_does_nothing_whatever_comes() {
    for role in [Initiator, Participant] {
        for outcome in [Outcome::Completed, Outcome::Refunded, Outcome::Void, Outcome::Lost, Outcome::TookBoth] {
            for at in [At::Start, At::AfterRevealBy, At::AlphaOpens] {
                let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
                let mut view = view(moment(&terms, at), funded(), with_spend(funded(), SpendKind::Redeem, 0));
                revealed(&mut view);
                view.facts.ended = Some(outcome);
                let decision = decide(role, &terms, &view);
                assert_eq!((decision.actions, decision.phase), (Vec::new(), Phase::from(outcome)));
            }
        }
    }
}

/// A payment of the wrong amount, or a second one, is never credited; it is swept back once the lock opens, and the swap
/// does not end before.
#[test]
fn stray_money_is_swept_back_before_the_swap_ends() {
    fn swept(view: &mut View) {
        funding(view);
        view.alpha.cancelled = true;
        view.alpha.swept = true;
    }
    fn cancelled(view: &mut View) {
        funding(view);
        view.alpha.cancelled = true;
    }
    let (i, open) = (Initiator, At::AlphaOpens);
    let wrong = || with_fault(absent(), Fault::WrongAmount);
    let twice = || with_fault(redeemed(), Fault::FundedTwice);
    check(vec![
        row(i, "not yet open", At::BetaOpens, wrong(), absent(), cancelled, "note never_reveal | waiting_for_refund"),
        row(i, "open", open, wrong(), absent(), cancelled, "note never_reveal, refund alpha | refunding"),
        row(i, "swept", open, wrong(), absent(), swept, "end void | void"),
        row(
            i,
            "the second payment, Bob having the first",
            open,
            twice(),
            redeemed(),
            revealed,
            "note secret, refund alpha | redeeming",
        ),
        row(
            i,
            "not against Bob's own",
            open,
            with_fault(funded(), Fault::FundedTwice),
            redeemed(),
            revealed,
            "note secret | redeeming",
        ),
        row(
            i,
            "both done",
            open,
            twice(),
            redeemed(),
            |v| {
                revealed(v);
                v.alpha.swept = true
            },
            "end completed | completed",
        ),
    ]);
}

/// A reveal that was intended but may never have left this machine is not sent after it can only give the secret away.
#[test]
fn a_closed_beta_is_not_shown_the_secret() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let mut view = view(moment(&terms, At::BetaOpens), funded(), funded());
        revealed(&mut view);
        let redeems = |view: &View| decide(Initiator, &terms, view).actions.contains(&Action::Redeem(LegName::Beta));
        assert_eq!(redeems(&view), beta.family() == Family::Utxo, "{beta}: only a contract closes");
        view.beta = LegView::default();
        assert!(!redeems(&view), "{beta}: nor blindly once the refund may have been taken");
        view.facts.secret = Some(secret());
        assert!(redeems(&view), "{beta}: what is public already can be sent again");
    }
}

/// The refund needs the block as well as the time: a chain that halts while its clock runs on does not open.
/// A halt does not open it. // C18
#[test]
fn alpha_opens_at_its_time_and_its_block() {
    for (alpha, beta) in PAIRS {
        let terms = terms(alpha, beta);
        let mut view = view(moment(&terms, At::AlphaOpens), funded(), absent());
        never(&mut view);
        let refunds = |view: &View| decide(Initiator, &terms, view).actions.contains(&Action::Refund(LegName::Alpha));
        assert!(refunds(&view));
        view.alpha.tip.as_mut().unwrap().lock_clock = terms.alpha.lock.expiry.opens_time.minus_secs(1);
        assert!(!refunds(&view), "{alpha}: our own clock does not open a lock, its ledger's does");
        view.alpha.tip = Some(tip(NOW.plus_secs(9_999), HEIGHT));
        assert_eq!(refunds(&view), alpha.family() == Family::Utxo, "{alpha}: only a contract waits for a block");
    }
}
