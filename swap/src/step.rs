//! From a decision to rows and effects.
//!
//! The caller commits [`Step::facts`] and [`Step::effects`] in one transaction and only then lets the effects out. A crash
//! before the commit leaves nothing outside; a crash after it leads to the same effects again, which are safe to repeat.

use crate::decide::{Action, decide};
use crate::guard::Guard;
use crate::ids::SwapId;
use crate::phase::Phase;
use crate::terms::{LegName, Role, Terms};
use crate::view::{Fact, Facts, View};
use photon_chains::Purpose;
use serde::{Deserialize, Serialize};

/// One swap as one party remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Its name.
    pub id: SwapId,
    /// Who we are in it.
    pub role: Role,
    /// What was signed.
    pub terms: Terms,
    /// What we did.
    pub facts: Facts,
}

/// What is to be done on a ledger.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectKind {
    /// Fund the lock.
    Fund,
    /// Make an unmined funding impossible.
    Cancel,
    /// Redeem the lock with the secret.
    Redeem,
    /// Take the lock back.
    Refund,
}

impl EffectKind {
    /// The purpose under which the ledger's port knows it.
    pub const fn purpose(self) -> Purpose {
        match self {
            EffectKind::Fund => Purpose::Fund,
            EffectKind::Cancel => Purpose::Cancel,
            EffectKind::Redeem => Purpose::Redeem,
            EffectKind::Refund => Purpose::Refund,
        }
    }
}

/// Something to be made so on a ledger, again and again, until a later step no longer asks for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Which lock.
    pub leg: LegName,
    /// What.
    pub kind: EffectKind,
}

/// What one look leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// To be made durable before any effect is let out.
    pub facts: Vec<Fact>,
    /// All that is wanted now; what is not named here is no longer wanted.
    pub effects: Vec<Effect>,
    /// For people.
    pub phase: Phase,
}

impl Swap {
    /// A swap that is drawn up but not agreed yet.
    pub fn new(role: Role, terms: Terms) -> Self {
        Self { id: terms.id(), role, terms, facts: Facts::default() }
    }

    /// Takes in a fact that is durable. A secret that does not open this swap is not taken.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Secret { secret } if secret.hash() != self.terms.secret_hash() => {}
            Fact::Secret { .. }
            | Fact::Agreed
            | Fact::FundIntent
            | Fact::CancelIntent
            | Fact::RevealIntent
            | Fact::NeverReveal
            | Fact::Ended { .. } => self.facts.apply(fact),
        }
    }
}

/// One look at one swap. The swap's own facts count, whatever facts the view carries.
pub fn step(swap: &Swap, view: &View) -> Step {
    let view = View { facts: swap.facts.clone(), ..view.clone() };
    let decision = decide(swap.role, &swap.terms, &view);
    let mut next = Step { facts: Vec::new(), effects: Vec::new(), phase: decision.phase };
    for action in decision.actions {
        add(&mut next, swap, action);
    }
    next
}

fn add(next: &mut Step, swap: &Swap, action: Action) {
    let own = swap.role.own_leg();
    let peer = swap.role.peer_leg();
    let (intent, effect) = match action {
        Action::Record(fact) => (Some(fact), None),
        Action::Fund => {
            let is_new = Guard::FundIntent.refuses(!swap.facts.fund_intent);
            (is_new.then_some(Fact::FundIntent), Some((own, EffectKind::Fund)))
        }
        Action::Cancel => {
            let is_new = Guard::CancelIntent.refuses(!swap.facts.cancel_intent);
            (is_new.then_some(Fact::CancelIntent), Some((own, EffectKind::Cancel)))
        }
        Action::Reveal => {
            let is_new = Guard::RevealIntent.refuses(!swap.facts.reveal_intent);
            (is_new.then_some(Fact::RevealIntent), Some((peer, EffectKind::Redeem)))
        }
        Action::Redeem(leg) => (None, Some((leg, EffectKind::Redeem))),
        Action::Refund(leg) => (None, Some((leg, EffectKind::Refund))),
    };
    next.facts.extend(intent);
    next.effects.extend(effect.map(|(leg, kind)| Effect { leg, kind }));
}
