//! An honest party: what it remembers, and one turn of its loop around the real `step`.

use crate::common::secret;
use crate::ledger::Kind;
use crate::setup::{Broken, Setup};
use photon_swap::*;

/// What is on its disk, and the little that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Party {
    pub fund_intent: bool,
    pub cancel_intent: bool,
    pub reveal_intent: bool,
    pub never_reveal: bool,
    pub secret: bool,
    pub ended: Option<Outcome>,
    /// The port found nothing to cancel: our funding was never signed.
    pub nothing_to_cancel: bool,
    /// Ticks that it has been away. None: it is there.
    pub away: Option<u8>,
    /// Only in memory; a crash loses it.
    pub unsaved_reveal: bool,
    /// It thinks that nothing more is to be done.
    pub gave_up: bool,
}

/// What a party did that it must not do.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Breach {
    /// Something was let out whose intent is not durable.
    pub without_intent: bool,
    /// Something was wanted after the end.
    pub after_the_end: bool,
}

impl Party {
    /// That swap, as the party remembers it.
    pub fn remembers(&self, swap: &Swap) -> Swap {
        let mut swap = swap.clone();
        swap.facts = Facts {
            agreed: true,
            fund_intent: self.fund_intent,
            cancel_intent: self.cancel_intent,
            reveal_intent: self.reveal_intent || self.unsaved_reveal,
            never_reveal: self.never_reveal,
            secret: self.secret.then(secret),
            ended: self.ended,
        };
        swap
    }

    /// Makes durable what a step says must be.
    pub fn save(&mut self, setup: &Setup, swap: &Swap, facts: &[Fact]) {
        let mut swap = self.remembers(swap);
        facts.iter().for_each(|fact| swap.apply(fact));
        let facts = &swap.facts;
        self.fund_intent = facts.fund_intent;
        self.cancel_intent = facts.cancel_intent;
        self.never_reveal = facts.never_reveal;
        self.secret = facts.secret.is_some();
        self.ended = facts.ended;
        if setup.is(Broken::RevealIntentInMemory) {
            self.unsaved_reveal = facts.reveal_intent;
        } else {
            self.reveal_intent = facts.reveal_intent;
        }
    }

    /// Whether what is about to be let out was written down.
    pub fn has_intent(&self, kind: Kind) -> bool {
        match kind {
            Kind::Fund => self.fund_intent,
            Kind::Cancel => self.cancel_intent,
            Kind::Redeem => self.reveal_intent || self.secret,
            Kind::Refund | Kind::Close | Kind::Show => true,
        }
    }
}
