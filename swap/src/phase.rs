//! Where a swap stands, in a word for people. It is computed at each look and never stored.

use crate::decide::{Action, Scene, has_stray_money, is_being_redeemed, is_open, is_refunded, is_unmined};
use crate::terms::{LegName, Role};
use crate::view::{Outcome, View};
use photon_chains::{LockStatus, SpendKind};
use serde::{Deserialize, Serialize};

/// Where a swap stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not yet signed by both.
    Proposed,
    /// Signed by both; nothing is locked.
    Agreed,
    /// Alpha is on its way.
    AlphaPending,
    /// Alpha is deep enough.
    AlphaFunded,
    /// Beta is on its way.
    BetaPending,
    /// Beta is deep enough.
    BetaFunded,
    /// The secret is out; we are redeeming.
    Redeeming,
    /// Our funding came to nothing and is being made impossible.
    Cancelling,
    /// The swap will not be completed; our lock opens later.
    WaitingForRefund,
    /// We are taking our lock back.
    Refunding,
    /// A ledger can't be seen at the moment.
    Blind,
    /// See [`Outcome::Completed`].
    Completed,
    /// See [`Outcome::Refunded`].
    Refunded,
    /// See [`Outcome::Void`].
    Void,
    /// See [`Outcome::Lost`].
    Lost,
    /// See [`Outcome::TookBoth`].
    TookBoth,
}

impl Phase {
    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Proposed => "proposed",
            Phase::Agreed => "agreed",
            Phase::AlphaPending => "alpha_pending",
            Phase::AlphaFunded => "alpha_funded",
            Phase::BetaPending => "beta_pending",
            Phase::BetaFunded => "beta_funded",
            Phase::Redeeming => "redeeming",
            Phase::Cancelling => "cancelling",
            Phase::WaitingForRefund => "waiting_for_refund",
            Phase::Refunding => "refunding",
            Phase::Blind => "blind",
            Phase::Completed => "completed",
            Phase::Refunded => "refunded",
            Phase::Void => "void",
            Phase::Lost => "lost",
            Phase::TookBoth => "took_both",
        }
    }

    /// Whether a swap seen in one phase may be seen in the other at the next look. A reorganisation may take it back.
    pub fn may_follow(from: Phase, to: Phase) -> bool {
        MOVES.iter().any(|(phase, next)| *phase == from && next.contains(&to))
    }

    /// True if nothing comes after it.
    pub const fn is_terminal(self) -> bool {
        match self {
            Phase::Completed | Phase::Refunded | Phase::Void | Phase::Lost | Phase::TookBoth => true,
            Phase::Proposed
            | Phase::Agreed
            | Phase::AlphaPending
            | Phase::AlphaFunded
            | Phase::BetaPending
            | Phase::BetaFunded
            | Phase::Redeeming
            | Phase::Cancelling
            | Phase::WaitingForRefund
            | Phase::Refunding
            | Phase::Blind => false,
        }
    }
}

/// Every legal move, as seen by either party. Who was away may find that several steps were made meanwhile, and a
/// reorganisation takes some of them back; but once the secret is out, nothing leads back to before.
const MOVES: &[(Phase, &[Phase])] = {
    use Phase::*;
    &[
        (Proposed, &[Agreed, Void]),
        (
            Agreed,
            &[
                AlphaPending,
                AlphaFunded,
                BetaPending,
                BetaFunded,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Blind,
                Void,
                Refunded,
            ],
        ),
        // In channels a payee gives a lock back at once, and one entry of the registry is the end of two linked legs at once.
        (
            AlphaPending,
            &[
                Agreed,
                AlphaFunded,
                BetaPending,
                BetaFunded,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Blind,
                Void,
                Refunded,
            ],
        ),
        (
            AlphaFunded,
            &[
                Agreed,
                AlphaPending,
                BetaPending,
                BetaFunded,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Blind,
                Void,
                Refunded,
                Completed,
            ],
        ),
        (
            BetaPending,
            &[
                Agreed,
                AlphaPending,
                AlphaFunded,
                BetaFunded,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Blind,
                Void,
                Refunded,
                Completed,
            ],
        ),
        (
            BetaFunded,
            &[
                Agreed,
                AlphaPending,
                AlphaFunded,
                BetaPending,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Blind,
                Void,
                Refunded,
                Completed,
            ],
        ),
        (
            Cancelling,
            &[Agreed, AlphaPending, AlphaFunded, BetaPending, BetaFunded, Redeeming, WaitingForRefund, Refunding, Blind, Void],
        ),
        // Back to before only where a clock is set right by a second or two.
        (WaitingForRefund, &[BetaPending, BetaFunded, Cancelling, Redeeming, Refunding, Blind, Completed, Refunded, Lost]),
        // Stray money was taken back, and the funding that never came is made impossible.
        (Refunding, &[WaitingForRefund, Cancelling, Redeeming, Blind, Completed, Refunded, TookBoth, Lost, Void]),
        (Redeeming, &[WaitingForRefund, Refunding, Blind, Completed, TookBoth, Refunded, Void, Lost]),
        (
            Blind,
            &[
                Agreed,
                AlphaPending,
                AlphaFunded,
                BetaPending,
                BetaFunded,
                Redeeming,
                Cancelling,
                WaitingForRefund,
                Refunding,
                Completed,
                Refunded,
                Void,
                Lost,
                TookBoth,
            ],
        ),
    ]
};

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl From<Outcome> for Phase {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed => Phase::Completed,
            Outcome::Refunded => Phase::Refunded,
            Outcome::Void => Phase::Void,
            Outcome::Lost => Phase::Lost,
            Outcome::TookBoth => Phase::TookBoth,
        }
    }
}

pub(crate) fn phase(scene: &Scene, actions: &[Action]) -> Phase {
    let facts = &scene.view.facts;
    if let Some(outcome) = facts.ended.or_else(|| recorded_end(actions)) {
        return outcome.into();
    }
    if !facts.agreed {
        return Phase::Proposed;
    }
    let (Some(own), Some(peer)) = (&scene.own.sighting, &scene.peer.sighting) else {
        return Phase::Blind;
    };
    let has_stake = scene.has_stake();
    // Also where our stake is gone again, and a redeem that we sent before may still be mined.
    let is_claimed = has_stake || is_being_redeemed(peer);
    let is_redeeming = scene.is_out() && is_claimed && !is_refunded(own) && !is_refunded(peer);
    let is_refunding = is_refunded(own)
        || own.spend.is_some_and(|spend| spend.kind == SpendKind::Refund)
        || actions.contains(&Action::Refund(scene.role.own_leg()));
    if is_redeeming || actions.contains(&Action::Reveal) {
        return Phase::Redeeming;
    }
    if is_refunding {
        return Phase::Refunding;
    }
    if is_unmined(own) && (facts.cancel_intent || actions.contains(&Action::Cancel)) {
        return Phase::Cancelling;
    }
    let has_money = own.stands() || has_stray_money(scene.own, own);
    if has_money && (is_stuck(scene) || is_open(scene.own, scene.own_lock())) {
        return Phase::WaitingForRefund;
    }
    funding_phase(scene.view)
}

fn recorded_end(actions: &[Action]) -> Option<Outcome> {
    actions.iter().find_map(|action| match action {
        Action::Record(crate::view::Fact::Ended { outcome }) => Some(*outcome),
        Action::Fund | Action::Cancel | Action::Reveal | Action::Redeem(_) | Action::Refund(_) | Action::Record(_) => None,
    })
}

/// Our lock stands, and the swap can't be completed any more.
fn is_stuck(scene: &Scene) -> bool {
    let never = match scene.role {
        Role::Initiator => scene.view.facts.never_reveal,
        Role::Participant => false,
    };
    never || scene.is_past_reveal()
}

fn funding_phase(view: &View) -> Phase {
    let status = |leg: LegName| {
        let leg = match leg {
            LegName::Alpha => &view.alpha,
            LegName::Beta => &view.beta,
        };
        leg.sighting.as_ref().map_or(LockStatus::Absent, |seen| seen.status.clone())
    };
    match (status(LegName::Beta), status(LegName::Alpha)) {
        (LockStatus::Pending { .. }, _) => Phase::BetaPending,
        (LockStatus::Funded { .. } | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. }, _) => Phase::BetaFunded,
        (LockStatus::Absent, LockStatus::Pending { .. }) => Phase::AlphaPending,
        (LockStatus::Absent, LockStatus::Funded { .. } | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. }) => {
            Phase::AlphaFunded
        }
        (LockStatus::Absent, LockStatus::Absent) => Phase::Agreed,
    }
}
