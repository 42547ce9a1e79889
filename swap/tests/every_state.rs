//! Every combination of what the two ledgers may show, of our own facts, of health and of the time: a few million states, in
//! each of which the promises below hold for both parties. They are written here a second time, apart from the code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;

fn sightings() -> Vec<Option<Sighting>> {
    let shallow = seen(LockStatus::Funded { txid: txid(1), at: block(1), depth: 1 });
    let shown = [
        absent(),
        with_fault(absent(), Fault::WrongAmount),
        pending(0),
        pending(1),
        shallow,
        funded(),
        with_fault(funded(), Fault::WrongCode),
        with_fault(funded(), Fault::FundedTwice),
        with_spend(funded(), SpendKind::Redeem, 0),
        with_spend(funded(), SpendKind::Redeem, 1),
        with_spend(funded(), SpendKind::Refund, 0),
        with_spend(funded(), SpendKind::Refund, 1),
        redeemed(),
        refunded(),
    ];
    std::iter::once(None).chain(shown.into_iter().map(Some)).collect()
}

/// Every set of facts; without those in which we cancel a funding that we never meant, which no step leads to.
fn facts() -> Vec<Facts> {
    (0u8..32)
        .filter(|bits| bits & 3 != 2)
        .map(|bits| Facts {
            agreed: true,
            fund_intent: bits & 1 != 0,
            cancel_intent: bits & 2 != 0,
            reveal_intent: bits & 4 != 0,
            never_reveal: bits & 8 != 0,
            secret: (bits & 16 != 0).then(secret),
            ended: None,
        })
        .collect()
}

fn moments(terms: &Terms) -> Vec<UnixTime> {
    let times = &terms.deadlines;
    let bounds = [times.fund_alpha_by, times.fund_beta_by, times.reveal_by];
    let after = bounds.map(|time| time.plus_secs(1));
    let opens = [terms.beta.lock.expiry.opens_time, terms.alpha.lock.expiry.opens_time.plus_secs(1)];
    bounds.into_iter().chain(after).chain(opens).collect()
}

#[derive(Copy, Clone, PartialEq)]
enum Health {
    Well,
    NoRisk,
    AlphaIll,
    BetaIll,
}

fn every_view(terms: &Terms, cancelled: Option<LegName>, mut visit: impl FnMut(&View)) {
    let facts = facts();
    let sightings = sightings();
    for at in moments(terms) {
        let mut view = view(at, absent(), absent());
        view.alpha.cancelled = cancelled == Some(LegName::Alpha);
        view.beta.cancelled = cancelled == Some(LegName::Beta);
        for alpha in &sightings {
            view.alpha.sighting.clone_from(alpha);
            for beta in &sightings {
                view.beta.sighting.clone_from(beta);
                for fact in &facts {
                    view.facts.clone_from(fact);
                    for health in [Health::Well, Health::NoRisk, Health::AlphaIll, Health::BetaIll] {
                        view.may_risk = health != Health::NoRisk;
                        view.alpha.healthy = health != Health::AlphaIll;
                        view.beta.healthy = health != Health::BetaIll;
                        visit(&view);
                    }
                }
            }
        }
    }
}

/// One party's look at a view, in words of its own.
struct Look<'a> {
    role: Role,
    terms: &'a Terms,
    view: &'a View,
    own: &'a LegView,
    peer: &'a LegView,
}

impl Look<'_> {
    fn status(leg: &LegView) -> Option<&LockStatus> {
        leg.sighting.as_ref().map(|seen| &seen.status)
    }

    fn is_deep_and_clear(leg: &LegView) -> bool {
        let Some(seen) = &leg.sighting else { return false };
        matches!(seen.status, LockStatus::Funded { depth: 2.., .. })
            && seen.spend.is_none()
            && !seen.faults.contains(&Fault::WrongCode)
    }

    fn secret_is_public(&self) -> bool {
        let shown = |leg: &LegView| leg.sighting.as_ref().is_some_and(|seen| seen.secret.is_some());
        self.view.facts.secret.is_some() || shown(self.own) || shown(self.peer)
    }

    fn all_is_well(&self) -> bool {
        let seen = self.own.sighting.is_some() && self.peer.sighting.is_some();
        seen && self.own.healthy && self.peer.healthy && self.view.may_risk
    }

    fn own_is_open(&self) -> bool {
        self.view.now_hi >= self.terms.own_leg(self.role).lock.expiry.opens_time
    }

    fn beta_has_closed(&self) -> bool {
        self.terms.beta.lock.expiry.closes.is_some_and(|closes| self.view.now_hi >= closes)
    }

    fn check_risks(&self, decision: &Decision) {
        let has = |action: Action| decision.actions.contains(&action);
        if has(Action::Fund) {
            assert!(self.all_is_well(), "no risk while anything is ill or unseen");
            assert!(self.view.now_hi <= self.terms.own_fund_by(self.role), "never late");
            assert!(matches!(Self::status(self.own), Some(LockStatus::Absent | LockStatus::Pending { depth: 0, .. })));
            assert!(!self.secret_is_public() && !self.view.facts.cancel_intent && !self.view.facts.reveal_intent);
            assert!(self.role == Role::Initiator || Self::is_deep_and_clear(self.peer), "never before a sound Alpha");
        }
        if has(Action::Reveal) {
            assert_eq!(self.role, Role::Initiator);
            assert!(self.all_is_well() && !self.view.facts.never_reveal);
            assert!(self.view.now_hi <= self.terms.deadlines.reveal_by, "never late");
            assert!(Self::is_deep_and_clear(self.own) && Self::is_deep_and_clear(self.peer));
        }
        if has(Action::Cancel) {
            assert!(!self.secret_is_public() && !self.view.facts.reveal_intent, "a revealed swap is not undone");
        }
    }

    fn check_duties(&self, decision: &Decision) {
        let (own, peer) = (Self::status(self.own), Self::status(self.peer));
        let is_redeemed = |status: Option<&LockStatus>| matches!(status, Some(LockStatus::Redeemed { .. }));
        let is_refunded = |status: Option<&LockStatus>| matches!(status, Some(LockStatus::Refunded { .. }));
        let stands = |leg: &LegView| leg.sighting.as_ref().is_some_and(Sighting::stands);
        let redeems = decision.actions.contains(&Action::Redeem(self.role.peer_leg()));
        let refunds = decision.actions.contains(&Action::Refund(self.role.own_leg()));

        let out = self.secret_is_public() || self.view.facts.reveal_intent;
        let closed = self.role == Role::Initiator && self.beta_has_closed();
        let facts = &self.view.facts;
        let stake = facts.reveal_intent || (facts.fund_intent && !self.own.cancelled);
        if out && stake && stands(self.peer) && !is_refunded(own) && !closed {
            assert!(redeems, "after the secret is out redeeming is never abandoned");
        }
        if redeems {
            assert!(out, "nothing is redeemed with a secret that is not out: that would be a reveal");
            assert!(!is_refunded(own), "never both");
        }
        let taken = self.own.sighting.as_ref().and_then(|seen| seen.spend);
        let taken = matches!(taken, Some(Spend { kind: SpendKind::Redeem, depth: 1.., .. }));
        if stands(self.own) && self.own_is_open() && !taken && !is_redeemed(peer) {
            assert!(refunds, "an open lock of ours is taken back");
        }
        if refunds {
            assert!(self.own_is_open(), "never early");
            assert!(!(is_redeemed(peer) && stands(self.own)), "never both");
        }
    }

    fn check_end(&self, decision: &Decision) {
        let end = decision.actions.iter().find_map(|action| match action {
            Action::Record(Fact::Ended { outcome }) => Some(*outcome),
            _ => None,
        });
        let (own, peer) = (Self::status(self.own), Self::status(self.peer));
        let own_stands = matches!(own, Some(LockStatus::Pending { .. } | LockStatus::Funded { .. }));
        match end {
            None => return,
            Some(Outcome::Completed) => assert!(matches!(peer, Some(LockStatus::Redeemed { .. }))),
            Some(Outcome::Refunded) => assert!(matches!(own, Some(LockStatus::Refunded { .. }))),
            Some(Outcome::Void) => {
                assert!(matches!(own, Some(LockStatus::Absent)) && !own_stands);
                assert!(!self.view.facts.reveal_intent);
                assert!(self.own.cancelled || !self.view.facts.fund_intent, "money that may be on its way is not forgotten");
            }
            Some(Outcome::Lost) => {
                assert!(matches!((own, peer), (Some(LockStatus::Redeemed { .. }), Some(LockStatus::Refunded { .. }))));
            }
            Some(Outcome::TookBoth) => {
                assert!(matches!((own, peer), (Some(LockStatus::Refunded { .. }), Some(LockStatus::Redeemed { .. }))));
            }
        }
        assert_eq!(decision.actions.len(), 1, "an end leaves nothing to do");
    }
}

/// Funding, the counterparty's lock, our lock: never two actions for one of them, and never somebody else's part.
fn check_obligations(role: Role, decision: &Decision) {
    let mut count = [0; 3];
    for action in &decision.actions {
        match action {
            Action::Fund | Action::Cancel => count[0] += 1,
            Action::Reveal => count[1] += 1,
            Action::Redeem(leg) => {
                assert_eq!(*leg, role.peer_leg());
                count[1] += 1;
            }
            Action::Refund(leg) => {
                assert_eq!(*leg, role.own_leg());
                count[2] += 1;
            }
            Action::Record(_) => {}
        }
    }
    assert!(count.iter().all(|count| *count <= 1), "{:?}", decision.actions);
}

/// What a step writes down comes first, and stepping again with it leads to the same effects and writes nothing new.
fn check_step(role: Role, terms: &Terms, view: &View) {
    let mut swap = Swap { id: SwapId::from_bytes([0; 32]), role, terms: *terms, facts: view.facts.clone() };
    let first = step(&swap, view);
    first.facts.iter().for_each(|fact| swap.apply(fact));
    for effect in &first.effects {
        match effect.kind {
            EffectKind::Fund => assert!(swap.facts.fund_intent, "a funding without its intent"),
            EffectKind::Cancel => assert!(swap.facts.cancel_intent, "a cancel without its intent"),
            EffectKind::Redeem => assert!(swap.facts.reveal_intent || swap.facts.secret.is_some(), "a secret shown unintended"),
            EffectKind::Refund => {}
        }
    }
    let second = step(&swap, view);
    assert_eq!(second.effects, first.effects);
    assert_eq!(second.facts, Vec::new());
    assert_eq!(second.phase, first.phase);
}

fn check_every_state(alpha: Ledger, beta: Ledger, own_cancelled: bool) {
    let terms = terms(alpha, beta);
    for role in [Role::Initiator, Role::Participant] {
        let mut states = 0u64;
        let cancelled = own_cancelled.then_some(role.own_leg());
        every_view(&terms, cancelled, |view| {
            states += 1;
            let (own, peer) = match role {
                Role::Initiator => (&view.alpha, &view.beta),
                Role::Participant => (&view.beta, &view.alpha),
            };
            let look = Look { role, terms: &terms, view, own, peer };
            let decision = decide(role, &terms, view);
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                check_obligations(role, &decision);
                look.check_risks(&decision);
                look.check_duties(&decision);
                look.check_end(&decision);
                if !decision.actions.is_empty() {
                    check_step(role, &terms, view);
                }
            }));
            if checked.is_err() {
                panic!("{role:?} in {view:#?} decided {decision:?}");
            }
        });
        let kinds = sightings().len() as u64;
        assert_eq!(states, 8 * kinds * kinds * 24 * 4, "no state was left out");
    }
}

/// Whatever the ledgers show and the clock says, an ended swap stays as it ended. // H10
#[test]
fn every_state_after_an_end_is_that_end() {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    for outcome in [Outcome::Completed, Outcome::Refunded, Outcome::Void, Outcome::Lost, Outcome::TookBoth] {
        every_view(&terms, None, |view| {
            if view.facts.secret.is_some() && view.facts.reveal_intent {
                let mut view = view.clone();
                view.facts.ended = Some(outcome);
                for role in [Role::Initiator, Role::Participant] {
                    assert_eq!(decide(role, &terms, &view), Decision { actions: Vec::new(), phase: outcome.into() });
                }
            }
        });
    }
}

#[test]
fn every_state_of_scripts_then_contracts() {
    check_every_state(Ledger::Bitcoin, Ledger::Ethereum, false);
}

#[test]
fn every_state_of_contracts_then_scripts() {
    check_every_state(Ledger::Smt, Ledger::Litecoin, false);
}

#[test]
fn every_state_after_a_cancel_that_is_final() {
    check_every_state(Ledger::Ethereum, Ledger::Bitcoin, true);
}
