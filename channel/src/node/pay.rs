//! The holder's own payments.

use crate::eip712::keccak;
use crate::flow::LockState;
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::message::{Message, Reason};
use crate::node::rows::{Key, Payment, Progress};
use crate::node::words::{Effect, Notice, Order, Outcome, Refused, Tie, Way};
use crate::node::{MOST_WAYS, Node, Queued};
use crate::update::{MOST_HOPS, PaymentId};
use photon_chains::Secret;

/// The secret of one attempt: a fresh one each time, since a hash that was signed away is never used again.
pub(super) fn secret_of(seed: &Secret, payment: &PaymentId, attempt: u16) -> Secret {
    let mut bytes = b"photon/attempt/1".to_vec();
    bytes.extend(seed.expose());
    bytes.extend(payment.as_bytes());
    bytes.extend(attempt.to_be_bytes());
    let secret = Secret::from_bytes(keccak(&bytes));
    zeroize::Zeroize::zeroize(&mut bytes);
    secret
}

impl Node {
    /// Begins a payment. The caller has made sure that none with this id has ended before ([`Key::Outcome`]).
    pub(super) fn pay(&mut self, order: Order) {
        let id = order.id;
        if self.payments.contains_key(&id) {
            return self.tell(Notice::Refused(Refused::SamePayment(id)));
        }
        let is_good = (1..=MOST_WAYS).contains(&order.ways.len()) && order.ways.iter().all(|way| self.is_sound(&order, way));
        let hash_is_good = match &order.tie {
            Tie::Direct => order.ways.len() == 1,
            Tie::Sealed(_) => true,
            Tie::Hash(hash) => !hash.is_degenerate(),
        };
        if !is_good || !hash_is_good || order.payee.address() == self.address() {
            return self.tell(Notice::Refused(Refused::Order(id)));
        }
        self.payments.insert(id, Payment { order, attempt: 0, progress: Progress::Queued, recalled: false });
        self.enqueue(id);
    }

    /// Whether a way leads to the payee, brings what was asked, and costs no more than allowed.
    fn is_sound(&self, order: &Order, way: &Way) -> bool {
        let Some(channel) = self.channels.get(&way.channel) else { return false };
        let (to, arrives) = match way.onward.last() {
            Some(hop) => (hop.to, hop.amount),
            None => (channel.peer.address(), way.amount),
        };
        let is_direct = order.tie == Tie::Direct;
        let fee = way.amount.checked_sub(order.amount);
        to == order.payee.address()
            && arrives == order.amount
            && !order.amount.is_zero()
            && fee.is_some_and(|fee| Guard::MostFee.demands(fee <= order.most_fee))
            && way.onward.len() <= MOST_HOPS
            && (!is_direct || way.onward.is_empty())
    }

    fn enqueue(&mut self, id: PaymentId) {
        self.dirty.insert(Key::Payment(id));
        let Some(way) = self.payments.get(&id).and_then(|payment| payment.order.ways.first()) else { return };
        self.queues.entry(way.channel).or_default().push_back(Queued::Own(id));
        self.stirred.insert(way.channel);
    }

    /// The way that was being tried is dead, and nothing of it is pending: the next one, if there is one.
    pub(super) fn next_way(&mut self, id: PaymentId, reason: Reason) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        if payment.recalled {
            return self.end(id, Outcome::Failed(Reason::GivenUp));
        }
        if !payment.order.ways.is_empty() {
            payment.order.ways.remove(0);
        }
        payment.attempt = payment.attempt.saturating_add(1);
        payment.progress = Progress::Queued;
        if payment.order.ways.is_empty() {
            return self.end(id, Outcome::Failed(reason));
        }
        self.enqueue(id);
    }

    /// The owner wants a payment back. What is not locked yet ends at once; of a lock its payee is asked.
    pub(super) fn recall(&mut self, id: PaymentId) {
        let Some(payment) = self.payments.get_mut(&id) else {
            return self.tell(Notice::Refused(Refused::Recall(id)));
        };
        match payment.progress {
            Progress::Queued => self.end(id, Outcome::Failed(Reason::GivenUp)),
            Progress::Paid(..) => self.tell(Notice::Refused(Refused::Recall(id))),
            Progress::Locked(of, number) => {
                let lock = self.channels.get(&of.channel).and_then(|channel| channel.outgoing.lock(number));
                if lock.is_none_or(|held| held.state != LockState::Waiting) {
                    return self.tell(Notice::Refused(Refused::Recall(id)));
                }
                payment.recalled = true;
                self.dirty.insert(Key::Payment(id));
                self.say_recall(of.channel, number);
            }
        }
    }

    /// After a connection: the recalls that a neighbour may have missed.
    pub(super) fn recall_again(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        let again = channel.outgoing.locks.iter().filter(|held| match held.link {
            crate::flow::Link::Payment(payment) => {
                self.payments.get(&payment).is_some_and(|payment| payment.recalled) && held.state == LockState::Waiting
            }
            _ => false,
        });
        let messages: Vec<Message> = again.map(|held| Message::Recall { of, number: held.lock.number }).collect();
        self.effects.extend(messages.into_iter().map(|message| Effect::Send(peer, message)));
    }
}
