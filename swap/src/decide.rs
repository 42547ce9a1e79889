//! What must be done next.
//!
//! Three obligations, each on its own and each alive until the output it is about is spent at final depth: our funding
//! (fund it, or make it impossible), the counterparty's lock (redeem it), our lock (take it back). A fourth kind of action
//! writes down what was seen. No branch here names a chain or a pair: what differs between ledgers is in the locks.

use crate::guard::Guard;
use crate::phase::{Phase, phase};
use crate::terms::{LegName, Role, Terms};
use crate::view::{Fact, LegView, Outcome, View};
use photon_chains::{Fault, Lock, LockStatus, Secret, Sighting, Spend, SpendKind, UnixTime};

/// Something to do. Every action may be repeated until the ledger shows its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fund our own leg. [`Fact::FundIntent`] must be durable first.
    Fund,
    /// Make our unmined funding impossible. [`Fact::CancelIntent`] must be durable first.
    Cancel,
    /// The Initiator redeems Beta for the first time, which shows the secret. [`Fact::RevealIntent`] must be durable first:
    /// without it one crash makes every margin unsafe.
    Reveal,
    /// Redeem a leg with a secret that is, or may be, public already.
    Redeem(LegName),
    /// Take a leg of ours back.
    Refund(LegName),
    /// Write something down.
    Record(Fact),
}

/// What to do, and what to show people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// At most one per obligation.
    pub actions: Vec<Action>,
    /// Computed from the facts and the ledgers, never stored.
    pub phase: Phase,
}

/// Decides for one party of one swap. The same view always gives the same decision.
pub fn decide(role: Role, terms: &Terms, view: &View) -> Decision {
    let scene = Scene::new(role, terms, view);
    let actions = actions(&scene);
    let phase = phase(&scene, &actions);
    Decision { actions, phase }
}

fn actions(scene: &Scene) -> Vec<Action> {
    if scene.view.facts.ended.is_some() {
        return Vec::new();
    }
    if let Some(outcome) = ending(scene) {
        return vec![Action::Record(Fact::Ended { outcome })];
    }
    if !scene.view.facts.agreed {
        return Vec::new();
    }
    let duties = [funding(scene), redeeming(scene), refunding(scene)];
    records(scene).into_iter().chain(duties.into_iter().flatten()).collect()
}

/// A view, seen by one of the two parties.
pub(crate) struct Scene<'a> {
    pub(crate) role: Role,
    pub(crate) terms: &'a Terms,
    pub(crate) view: &'a View,
    pub(crate) own: &'a LegView,
    pub(crate) peer: &'a LegView,
    /// The secret, if it is public.
    pub(crate) public: Option<&'a Secret>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(role: Role, terms: &'a Terms, view: &'a View) -> Self {
        let (own, peer) = match role {
            Role::Initiator => (&view.alpha, &view.beta),
            Role::Participant => (&view.beta, &view.alpha),
        };
        Self { role, terms, view, own, peer, public: view.public_secret(&terms.secret_hash()) }
    }

    pub(crate) fn own_lock(&self) -> &'a Lock {
        &self.terms.own_leg(self.role).lock
    }

    pub(crate) fn peer_lock(&self) -> &'a Lock {
        &self.terms.peer_leg(self.role).lock
    }

    /// The secret is out, or we may have shown it: nothing can be undone, so redeeming is never abandoned.
    pub(crate) fn is_out(&self) -> bool {
        self.public.is_some() || self.view.facts.reveal_intent
    }

    /// Money of ours is, or was, or may come, in our leg. Without that we have no claim on the other leg.
    pub(crate) fn has_stake(&self) -> bool {
        let seen = self.own.sighting.as_ref().is_some_and(|seen| seen.status != LockStatus::Absent);
        seen || self.view.facts.reveal_intent || (self.view.facts.fund_intent && !self.own.cancelled)
    }

    /// It is, or may be, too late to reveal.
    pub(crate) fn is_past_reveal(&self) -> bool {
        self.view.now_hi > self.terms.deadlines.reveal_by
    }

    /// Both ledgers can be seen and trusted, and neither clock has run so far that the schedule no longer holds.
    fn can_risk(&self) -> bool {
        Guard::Reserves.demands(self.view.may_risk)
            && [self.own, self.peer].into_iter().all(|leg| is_trusted(leg, self.terms.deadlines.reveal_by))
    }

    /// The counterparty's lock stands exactly as agreed, deep enough, with nothing that would spend it in sight.
    pub(crate) fn peer_is_sound(&self) -> bool {
        let depth = match self.role {
            Role::Initiator => Guard::BetaDepth,
            Role::Participant => Guard::AlphaDepth,
        };
        let confirmations = self.terms.peer_leg(self.role).confirmations;
        self.peer.sighting.as_ref().is_some_and(|seen| is_sound(seen, confirmations, depth))
    }

    /// Our own lock stands likewise.
    fn own_is_sound(&self) -> bool {
        let confirmations = self.terms.own_leg(self.role).confirmations;
        self.own.sighting.as_ref().is_some_and(|seen| is_sound(seen, confirmations, Guard::OwnDepth))
    }

    /// We have the counterparty's money for good. From then on our lock is the counterparty's.
    fn has_redeemed(&self) -> bool {
        self.peer.sighting.as_ref().is_some_and(is_redeemed)
    }

    /// We have our own money back for good. From then on the counterparty's lock is not ours to take.
    fn has_refunded(&self) -> bool {
        self.own.sighting.as_ref().is_some_and(is_refunded)
    }
}

fn is_trusted(leg: &LegView, latest: UnixTime) -> bool {
    Guard::NodesWell.demands(leg.healthy)
        && leg.sighting.is_some()
        && leg.tip.is_some_and(|tip| Guard::ChainClock.demands(tip.lock_clock <= latest))
}

fn is_sound(seen: &Sighting, confirmations: u32, guard: Guard) -> bool {
    let is_deep = |depth: u32| u64::from(depth) >= guard.keeps(u64::from(confirmations));
    let stands = match seen.status {
        LockStatus::Funded { depth, .. } => is_deep(depth),
        LockStatus::Pending { depth, .. } => guard.demands(false) && is_deep(depth),
        LockStatus::Absent | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. } => false,
    };
    stands && Guard::NoSpendInSight.demands(seen.spend.is_none()) && Guard::RightCode.demands(!seen.faults.iter().any(spoils))
}

/// Whether a fault spoils a lock that otherwise stands exactly as agreed. A second or a wrong payment beside it does not:
/// anybody can send one.
fn spoils(fault: &Fault) -> bool {
    match fault {
        Fault::WrongCode | Fault::LockedAgain => true,
        Fault::WrongAmount | Fault::FundedTwice => false,
    }
}

/// Whether a fault means that money of ours lies at the lock's place beside the lock itself.
fn is_stray_money(fault: &Fault) -> bool {
    match fault {
        Fault::WrongAmount | Fault::FundedTwice | Fault::LockedAgain => true,
        Fault::WrongCode => false,
    }
}

pub(crate) fn is_redeemed(seen: &Sighting) -> bool {
    match seen.status {
        LockStatus::Redeemed { .. } => true,
        LockStatus::Pending { .. } | LockStatus::Funded { .. } => {
            Guard::RedeemFinal.demands(false) && is_mined(seen.spend, SpendKind::Redeem)
        }
        LockStatus::Absent | LockStatus::Refunded { .. } => false,
    }
}

pub(crate) fn is_refunded(seen: &Sighting) -> bool {
    match seen.status {
        LockStatus::Refunded { .. } => true,
        LockStatus::Pending { .. } | LockStatus::Funded { .. } => {
            Guard::RefundFinal.demands(false) && is_mined(seen.spend, SpendKind::Refund)
        }
        LockStatus::Absent | LockStatus::Redeemed { .. } => false,
    }
}

/// In no block: a funding that could still be made impossible.
pub(crate) fn is_unmined(seen: &Sighting) -> bool {
    match seen.status {
        LockStatus::Absent => true,
        LockStatus::Pending { depth, .. } => depth == 0,
        LockStatus::Funded { .. } | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. } => false,
    }
}

/// By that ledger's own clock, the next block may hold a refund.
pub(crate) fn is_open(leg: &LegView, lock: &Lock) -> bool {
    leg.tip.is_some_and(|tip| tip.lock_clock >= lock.expiry.opens_time && tip.block.height >= lock.expiry.opens_block)
}

/// By that ledger's own clock, no block to come can hold a redeem. Sending one would give the secret away for nothing.
pub(crate) fn is_closed(leg: &LegView, lock: &Lock) -> bool {
    match (leg.tip, lock.expiry.closes) {
        (Some(tip), Some(closes)) => tip.lock_clock >= closes,
        (None, Some(_)) | (Some(_) | None, None) => false,
    }
}

/// Fund our leg, or make a funding impossible that came to nothing.
fn funding(scene: &Scene) -> Option<Action> {
    let facts = &scene.view.facts;
    if scene.is_out() || scene.own.cancelled {
        return None;
    }
    let is_unmined = scene.own.sighting.as_ref().map(is_unmined);
    if facts.cancel_intent {
        // Also while we can't look: a funding that is forgotten in somebody's mempool is the danger.
        return (is_unmined != Some(false)).then_some(Action::Cancel);
    }
    if is_unmined != Some(true) {
        return None;
    }
    if facts.fund_intent && is_useless(scene) {
        return Some(Action::Cancel);
    }
    may_fund(scene).then_some(Action::Fund)
}

/// Our unmined funding can't lead to a swap any more. The Participant must not let it linger: mined after Alpha's refund,
/// it would be the Initiator's to take. For the Initiator it is only money locked in vain.
fn is_useless(scene: &Scene) -> bool {
    match scene.role {
        Role::Initiator => {
            let is_late = scene.view.now_hi > scene.terms.deadlines.fund_beta_by;
            Guard::CancelAlpha.refuses(is_late || scene.view.facts.never_reveal)
        }
        Role::Participant => {
            let alpha_is_gone = scene.peer.healthy && scene.peer.sighting.is_some() && !scene.peer_is_sound();
            Guard::CancelBeta.refuses(scene.is_past_reveal()) || Guard::CancelWithoutAlpha.refuses(alpha_is_gone)
        }
    }
}

fn may_fund(scene: &Scene) -> bool {
    let is_clean = scene.own.sighting.as_ref().is_some_and(|seen| seen.faults.is_empty() && seen.spend.is_none());
    let is_my_turn = match scene.role {
        Role::Initiator => true,
        Role::Participant => Guard::AlphaFirst.demands(scene.peer_is_sound()),
    };
    let in_time = scene.view.now_hi <= scene.terms.own_fund_by(scene.role);
    Guard::FundBy.demands(in_time)
        && Guard::CleanPlace.demands(is_clean)
        && is_my_turn
        && scene.can_risk()
        && Guard::NeverReveal.demands(!scene.view.facts.never_reveal)
}

/// Redeem the counterparty's leg: with a secret that is out, until somebody's spend is final; or, the Initiator, for the
/// first time.
fn redeeming(scene: &Scene) -> Option<Action> {
    if Guard::NeverBoth.refuses(scene.has_refunded()) || scene.has_redeemed() {
        return None;
    }
    if scene.is_out() {
        return must_redeem(scene).then_some(Action::Redeem(scene.role.peer_leg()));
    }
    may_reveal(scene).then_some(Action::Reveal)
}

fn must_redeem(scene: &Scene) -> bool {
    let lock = scene.peer_lock();
    let can_win = match &scene.peer.sighting {
        // Could not look. A secret that is public loses nothing by being sent again; one that may never have left this
        // machine is not sent blindly once the refund may have been taken.
        None => scene.public.is_some() || scene.view.now_hi < lock.expiry.opens_time,
        Some(seen) => seen.stands(),
    };
    scene.has_stake()
        && can_win
        && Guard::NotWhenClosed.demands(!is_closed(scene.peer, lock))
        && (Guard::RedeemAlive.holds() || scene.view.now_hi < lock.expiry.opens_time)
}

/// Nothing is shown unless everything that must follow has its time, and what we get for it stands.
fn may_reveal(scene: &Scene) -> bool {
    match scene.role {
        Role::Participant => false,
        Role::Initiator => {
            Guard::NeverReveal.demands(!scene.view.facts.never_reveal)
                && Guard::RevealBy.demands(!scene.is_past_reveal())
                && scene.can_risk()
                && scene.peer_is_sound()
                && scene.own_is_sound()
                && Guard::OwnClosed.demands(!is_open(scene.own, scene.own_lock()))
        }
    }
}

/// Take our leg back as soon as its ledger lets us, unless the counterparty's is ours for good. Also while a redeem of ours
/// is not final yet: safety first.
fn refunding(scene: &Scene) -> Option<Action> {
    let seen = scene.own.sighting.as_ref()?;
    if !is_open(scene.own, scene.own_lock()) {
        return None;
    }
    let may_be_taken = Guard::NeverBoth.demands(!scene.has_redeemed()) && (Guard::RefundAfterReveal.holds() || !scene.is_out());
    let lock_is_ours = seen.stands() && !is_mined(seen.spend, SpendKind::Redeem) && may_be_taken;
    let has_stray = !seen.stands() && has_stray_money(scene.own, seen);
    (lock_is_ours || has_stray).then_some(Action::Refund(scene.role.own_leg()))
}

pub(crate) fn is_mined(spend: Option<Spend>, kind: SpendKind) -> bool {
    spend.is_some_and(|spend| spend.kind == kind && spend.depth > 0)
}

/// Money of ours lies at the lock's place beside the lock, and has not been swept back.
pub(crate) fn has_stray_money(leg: &LegView, seen: &Sighting) -> bool {
    Guard::StraySwept.refuses(!leg.swept && seen.faults.iter().any(is_stray_money))
}

fn records(scene: &Scene) -> Vec<Action> {
    let facts = &scene.view.facts;
    let seen_first = facts.secret.as_ref().map(Secret::hash) != Some(scene.terms.secret_hash());
    let secret =
        scene.public.filter(|_| seen_first && Guard::SecretKept.holds()).map(|secret| Fact::Secret { secret: secret.clone() });
    // Written down, so that a clock that is set back does not reopen the question.
    let too_late = match scene.role {
        Role::Initiator => Guard::RevealBy.refuses(scene.is_past_reveal()) && !facts.reveal_intent && !facts.never_reveal,
        Role::Participant => false,
    };
    secret.into_iter().chain(too_late.then_some(Fact::NeverReveal)).map(Action::Record).collect()
}

/// How the swap has ended, if it has: nothing that we could still claim, and nothing of ours unspent at final depth.
fn ending(scene: &Scene) -> Option<Outcome> {
    let facts = &scene.view.facts;
    if !facts.agreed && !facts.fund_intent {
        return (scene.view.now_hi > scene.terms.deadlines.fund_alpha_by).then_some(Outcome::Void);
    }
    let own = scene.own.sighting.as_ref()?;
    if has_stray_money(scene.own, own) {
        return None;
    }
    if scene.has_redeemed() {
        return redeemed_ending(scene, own);
    }
    let peer = scene.peer.sighting.as_ref();
    match own.status {
        // Nor is it void while a redeem may be mined that we sent when our funding still stood in a block.
        LockStatus::Absent => {
            let is_quiet = !scene.is_out() || peer.is_some_and(|peer| !is_being_redeemed(peer));
            (is_quiet && is_void(scene, own)).then_some(Outcome::Void)
        }
        // A redeem of ours that was sent before the refund became final may still be mined.
        LockStatus::Pending { .. } | LockStatus::Funded { .. } | LockStatus::Refunded { .. } if is_refunded(own) => {
            peer.is_some_and(|peer| !is_being_redeemed(peer)).then_some(Outcome::Refunded)
        }
        LockStatus::Pending { .. } | LockStatus::Funded { .. } | LockStatus::Refunded { .. } => None,
        LockStatus::Redeemed { .. } => peer.is_some_and(is_refunded).then_some(Outcome::Lost),
    }
}

/// We have the counterparty's money for good; our lock is the counterparty's. Where it has been open meanwhile, a refund of
/// ours may be on its way, sent safety first: the counterparty is given as long again as the swap took before we look away.
fn redeemed_ending(scene: &Scene, own: &Sighting) -> Option<Outcome> {
    match own.status {
        LockStatus::Refunded { .. } => Some(Outcome::TookBoth),
        LockStatus::Redeemed { .. } => Some(Outcome::Completed),
        LockStatus::Absent => Some(Outcome::Completed),
        LockStatus::Pending { .. } | LockStatus::Funded { .. } => {
            let length = scene.terms.alpha.lock.expiry.opens_time.secs_since(scene.terms.deadlines.agreed_at);
            let may_be_refunded = own.spend.is_some_and(|spend| spend.kind == SpendKind::Refund)
                || (is_open(scene.own, scene.own_lock())
                    && scene.view.now_lo < scene.own_lock().expiry.opens_time.plus_secs(length));
            (!may_be_refunded).then_some(Outcome::Completed)
        }
    }
}

pub(crate) fn is_being_redeemed(seen: &Sighting) -> bool {
    seen.spend.is_some_and(|spend| spend.kind == SpendKind::Redeem)
}

/// No money of ours moved, and none can move any more.
fn is_void(scene: &Scene, own: &Sighting) -> bool {
    let facts = &scene.view.facts;
    let never_funded = !facts.fund_intent && scene.view.now_hi > scene.terms.own_fund_by(scene.role);
    let is_impossible = scene.own.cancelled || (facts.cancel_intent && Guard::CancelFinal.demands(false));
    own.spend.is_none() && !facts.reveal_intent && (never_funded || is_impossible)
}
