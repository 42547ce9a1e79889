//! Payments of an old copy that may have been made since it was taken.
//!
//! One that waited for its turn when the copy was made may have gone out after it. Tried anew, it would be paid twice; and failed,
//! its owner would try it anew. So it stays where it is until the counterparty of the channel has shown what it holds of the
//! holder's: a lock that is pending is that payment's, and what can have been paid counts as paid. What is in no word that is
//! shown was not made, and goes another way. Where a channel ends before anything is shown, it counts as paid too.

use crate::flow::Link;
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::lock::LockNo;
use crate::node::pay::secret_of;
use crate::node::words::{Outcome, Tie};
use crate::node::{Node, Place, Progress, Queued};
use crate::units::{Nonce, Units};
use crate::update::PaymentId;
use photon_chains::SecretHash;
use std::collections::{BTreeMap, BTreeSet};

/// What may have been made, and what is known of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt {
    /// Payments that waited for their turn when this node was taken up from its rows.
    old: BTreeSet<PaymentId>,
    /// The last update of the holder's that each counterparty has, as it says.
    heard: BTreeMap<ChannelId, Nonce>,
}

impl Doubt {
    pub(super) fn begin(&mut self, payment: PaymentId) {
        self.old.insert(payment);
    }

    pub(super) fn end(&mut self, payment: &PaymentId) {
        self.old.remove(payment);
    }

    /// A counterparty greets.
    pub(super) fn hear(&mut self, id: ChannelId, received: Nonce) {
        self.heard.insert(id, received);
    }

    pub(super) fn forget(&mut self, id: &ChannelId) {
        self.heard.remove(id);
    }
}

impl Node {
    /// Whether a payment that waits for this channel may have gone out over it.
    pub(super) fn is_in_doubt(&self, payment: &PaymentId, id: &ChannelId) -> bool {
        let Some(channel) = self.channels.get(id).filter(|channel| channel.is_behind()) else { return false };
        let is_shown = channel.in_step && self.doubt.heard.get(id).is_some_and(|heard| *heard <= channel.outgoing.nonce);
        Guard::MadeOnce.refuses(self.doubt.old.contains(payment) && !is_shown)
    }

    /// The same, wherever it waits.
    pub(super) fn waits_in_doubt(&self, payment: &PaymentId) -> bool {
        let way = self.payments.get(payment).and_then(|payment| payment.order.ways.first());
        way.is_some_and(|way| self.is_in_doubt(payment, &way.channel))
    }

    /// What was shown of the holder's own: which of the old payments are in it.
    pub(super) fn recognise(&mut self, id: ChannelId, added: &[LockNo], paid: Units) {
        for payment in self.doubt.old.clone() {
            if let Some((number, at)) = self.pending_of(&payment, &id, added) {
                self.is_pending_again(payment, id, number, at);
            } else if self.ways_over(&payment, &id).iter().any(|(.., amount)| paid >= *amount) {
                self.end(payment, Outcome::Paid(None));
            }
        }
    }

    /// An old payment's lock is gone, and another one of it may be pending.
    pub(super) fn find_again(&mut self, payment: PaymentId) {
        let ways =
            self.payments.get(&payment).map(|payment| payment.order.ways.iter().map(|way| way.channel).collect::<Vec<_>>());
        for id in ways.unwrap_or_default() {
            let added =
                self.channels.get(&id).map(|channel| channel.outgoing.locks.iter().map(|held| held.lock.number).collect());
            let added: Vec<LockNo> = added.unwrap_or_default();
            if let Some((number, at)) = self.pending_of(&payment, &id, &added) {
                return self.is_pending_again(payment, id, number, at);
            }
        }
    }

    /// Which of these locks is an old payment's that waits, and at which place of its order the way is.
    fn pending_of(&self, payment: &PaymentId, id: &ChannelId, among: &[LockNo]) -> Option<(LockNo, usize)> {
        let (channel, ways) = (self.channels.get(id)?, self.ways_over(payment, id));
        among.iter().find_map(|number| {
            let hash = channel.outgoing.lock(*number)?.lock.secret_hash;
            let (at, ..) = ways.iter().find(|(_, other, _)| *other == Some(hash))?;
            Some((*number, *at))
        })
    }

    /// The ways of an old payment that waits which begin with this channel: each with the hash that its lock would have, and what it
    /// takes.
    fn ways_over(&self, id: &PaymentId, channel: &ChannelId) -> Vec<(usize, Option<SecretHash>, Units)> {
        let Some(payment) = self.payments.get(id).filter(|payment| payment.progress == Progress::Queued) else {
            return Vec::new();
        };
        let ways = payment.order.ways.iter().enumerate().filter(|(_, way)| way.channel == *channel);
        ways.map(|(at, way)| {
            let attempt = payment.attempt.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
            let hash = match &payment.order.tie {
                Tie::Direct => None,
                Tie::Hash(hash) => Some(*hash),
                Tie::Sealed(seed) => Some(secret_of(seed, id, attempt).hash()),
            };
            (at, hash, way.amount)
        })
        .collect()
    }

    /// An old payment's lock is pending: the way at that place of its order is being tried.
    fn is_pending_again(&mut self, payment: PaymentId, id: ChannelId, number: LockNo, at: usize) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let of = channel.of;
        if let Some(held) = channel.outgoing.lock_mut(number) {
            held.link = Link::Payment(payment);
        }
        if let Some(waiting) = self.payments.get_mut(&payment) {
            waiting.order.ways.drain(..at);
            waiting.attempt = waiting.attempt.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
            waiting.progress = Progress::Locked(of, number);
        }
        self.leave_queues(payment);
        self.touch_lock(&Place { channel: id, incoming: false, number });
        self.touch_payment(payment);
    }

    /// It waits for no channel any more.
    pub(super) fn leave_queues(&mut self, payment: PaymentId) {
        for queue in self.queues.values_mut() {
            queue.quick.retain(|queued| *queued != Queued::Own(payment));
            queue.locks.retain(|queued| *queued != payment);
        }
    }

    /// A channel is gone, and what it was is not known whole.
    pub(super) fn gone_in_doubt(&mut self, id: &ChannelId) {
        let waiting = self.queues.get(id).map(|queue| {
            let quick = queue.quick.iter().filter_map(|queued| match queued {
                Queued::Own(payment) => Some(*payment),
                Queued::Forward(..) => None,
            });
            quick.chain(queue.locks.iter().copied()).collect::<Vec<_>>()
        });
        for payment in waiting.unwrap_or_default() {
            if self.is_in_doubt(&payment, id) {
                self.end(payment, Outcome::Paid(None));
            }
        }
    }
}
