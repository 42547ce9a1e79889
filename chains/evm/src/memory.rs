//! What the sender remembers between two looks. It is forgotten at a restart without harm. Pure.

use crate::ladder::Bidding;
use photon_chains::{IntentKey, LockId};
use std::collections::{HashMap, HashSet};

/// What was not asked for during so many blocks is forgotten.
const FORGOTTEN_AFTER: u64 = 1000;

#[derive(Default)]
pub(crate) struct Memory {
    /// For each unmined nonce, the tip when its newest transaction was first seen to wait.
    pub(crate) since: HashMap<u64, u64>,
    /// For each lock or call, the tip when its funding or redeem, or it, was last asked for.
    wanted: HashMap<LockId, u64>,
    /// How the spends and calls bid that were asked for lately, and the tip then.
    biddings: HashMap<IntentKey, (Bidding, u64)>,
    /// Calls that nobody wants any more, and that are not settled.
    unwanted: HashSet<IntentKey>,
}

impl Memory {
    pub(crate) fn want(&mut self, subject: LockId, tip: u64) {
        self.wanted.retain(|_, last| *last + FORGOTTEN_AFTER > tip);
        self.wanted.insert(subject, tip);
    }

    pub(crate) fn unwant(&mut self, subject: LockId) {
        self.wanted.remove(&subject);
    }

    /// True if it was asked for in one of so many last blocks.
    pub(crate) fn is_wanted(&self, subject: LockId, blocks: u64, tip: u64) -> bool {
        self.wanted.get(&subject).is_some_and(|last| last + blocks >= tip)
    }

    pub(crate) fn bid(&mut self, intent: IntentKey, bidding: Bidding, tip: u64) {
        self.biddings.retain(|_, (_, last)| *last + FORGOTTEN_AFTER > tip);
        self.biddings.insert(intent, (bidding, tip));
        self.unwanted.remove(&intent);
    }

    /// A call bids no more than it does already.
    pub(crate) fn rest(&mut self, intent: IntentKey) {
        self.biddings.remove(&intent);
        self.unwanted.insert(intent);
    }

    /// Keeps of the calls that rest only those.
    pub(crate) fn keep_resting(&mut self, is_unsettled: impl Fn(&IntentKey) -> bool) {
        self.unwanted.retain(is_unsettled);
    }

    /// How an intent may bid, as was said last.
    pub(crate) fn bidding(&self, intent: &IntentKey) -> Option<Bidding> {
        let said = self.biddings.get(intent).map(|(bidding, _)| *bidding);
        said.or_else(|| self.unwanted.contains(intent).then_some(Bidding::NOTHING))
    }
}
