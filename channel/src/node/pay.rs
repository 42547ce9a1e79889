//! The holder's own payments.

use crate::codec::Wire;
use crate::eip712::keccak;
use crate::flow::LockState;
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::message::{Message, Reason};
use crate::node::rows::{Key, Payment, Progress};
use crate::node::words::{Effect, Notice, Order, Outcome, Refused, Tie, Way};
use crate::node::{Blame, MOST_WAYS, Node, Queue, Queued};
use crate::units::Units;
use crate::update::{MOST_HOPS, Op, PaymentId, Update};
use photon_chains::{Address, Expiry, Secret, UnixTime};

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

impl Queue {
    /// A payment of the holder's waits, too.
    pub(super) fn add(&mut self, id: PaymentId, tie: &Tie) {
        match tie {
            Tie::Direct => self.quick.push_back(Queued::Own(id)),
            Tie::Sealed(_) | Tie::Hash(_) => self.locks.push_back(id),
        }
    }
}

impl Node {
    /// A payment has changed. It has a row of its own unless an update carries it: that update's row names it, and what else
    /// was ordered is of no use any more. So a payment that goes out in the step in which it was ordered costs no row of its own.
    pub(super) fn touch_payment(&mut self, id: PaymentId) {
        let key = Key::Payment(id);
        if self.written.contains(&id) || self.has_row(&id) {
            self.dirty.insert(key);
        } else {
            self.dirty.remove(&key);
        }
    }

    pub(super) fn has_row(&self, id: &PaymentId) -> bool {
        let is_carried = |payment: &Payment| matches!(payment.progress, Progress::Paid(..));
        self.payments.get(id).is_some_and(|payment| !is_carried(payment) || self.kept.contains(id))
    }

    /// After a restart: the payments that an update carries and that have no row of their own.
    pub(super) fn restore_carried(&mut self) {
        for channel in self.channels.values() {
            // To somebody who is only named nothing was ever paid.
            let Some(payee) = channel.peer.key() else { continue };
            let updates = channel.unacked.iter().filter_map(|sent| Update::from_bytes(&sent.bytes).ok());
            for (nonce, op) in updates.flat_map(|update| update.ops.into_iter().map(move |op| (update.nonce, op))) {
                let Op::Transfer { payment: id, amount } = op else { continue };
                let expiry = Expiry::at(UnixTime::default());
                let way = Way { channel: channel.of.channel, amount, expiry, onward: Vec::new() };
                let (token, most_fee) = (channel.key.token(), Units::ZERO);
                let order = Order { id, token, payee, amount, most_fee, tie: Tie::Direct, ways: vec![way], searches: 0 };
                let progress = Progress::Paid(channel.of, nonce);
                self.payments.entry(id).or_insert(Payment { order, attempt: 0, progress, recalled: false });
            }
        }
    }

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
            self.kept.remove(&id);
            return self.tell(Notice::Refused(Refused::Order(id)));
        }
        self.payments.insert(id, Payment { order, attempt: 0, progress: Progress::Queued, recalled: false });
        self.enqueue(id);
    }

    /// Whether a way leads to the payee, brings what was asked in the token that was asked for, and costs no more than allowed.
    fn is_sound(&self, order: &Order, way: &Way) -> bool {
        let Some(channel) = self.channels.get(&way.channel) else { return false };
        let (to, arrives) = match way.onward.last() {
            Some(hop) => (hop.to, hop.amount),
            None => (channel.peer.address(), way.amount),
        };
        let is_direct = order.tie == Tie::Direct;
        let fee = way.amount.checked_sub(order.amount);
        channel.key.token() == order.token
            && to == order.payee.address()
            && arrives == order.amount
            && !order.amount.is_zero()
            && fee.is_some_and(|fee| Guard::MostFee.demands(fee <= order.most_fee))
            && way.onward.len() <= MOST_HOPS
            && (!is_direct || way.onward.is_empty())
    }

    fn enqueue(&mut self, id: PaymentId) {
        self.touch_payment(id);
        let Some(payment) = self.payments.get(&id) else { return };
        let Some(way) = payment.order.ways.first() else { return };
        self.queues.entry(way.channel).or_default().add(id, &payment.order.tie);
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
        if !payment.order.ways.is_empty() {
            return self.enqueue(id);
        }
        if payment.order.searches == 0 {
            return self.end(id, Outcome::Failed(reason));
        }
        payment.order.searches -= 1;
        self.touch_payment(id);
        self.effects.push(Effect::FindWays(id, reason));
    }

    /// The other ways that were asked for. Where there is none, the payment has failed as its last way did.
    pub(super) fn more_ways(&mut self, id: PaymentId, ways: Vec<Way>, reason: Reason) {
        let Some(payment) = self.payments.get(&id) else { return };
        if payment.progress != Progress::Queued || !payment.order.ways.is_empty() {
            return;
        }
        let sound: Vec<Way> = ways.into_iter().filter(|way| self.is_sound(&payment.order, way)).take(MOST_WAYS).collect();
        if sound.is_empty() {
            return self.end(id, Outcome::Failed(reason));
        }
        if let Some(payment) = self.payments.get_mut(&id) {
            payment.order.ways = sound;
        }
        self.enqueue(id);
    }

    /// Who on a payment's present way could not pay whom, and how much, as those on it say. None where its payee itself gave it back.
    pub(super) fn failed_leg(&self, id: &PaymentId, blame: Blame) -> Option<(Address, Address, Units)> {
        let way = self.payments.get(id)?.order.ways.first()?;
        let first = self.channels.get(&way.channel)?.peer.address();
        // Where a crash has made somebody forget how far on it failed, whoever comes next is as good a guess as any.
        let behind = usize::from(blame.hops);
        let from = match behind.checked_sub(1) {
            None => first,
            Some(before) => way.onward.get(before)?.to,
        };
        way.onward.get(behind).map(|hop| (from, hop.to, hop.amount))
    }

    /// The owner wants a payment back. What is not locked yet ends at once; of a lock its payee is asked.
    pub(super) fn recall(&mut self, id: PaymentId) {
        let is_in_doubt = self.waits_in_doubt(&id);
        let Some(payment) = self.payments.get_mut(&id) else {
            return self.tell(Notice::Refused(Refused::Recall(id)));
        };
        match payment.progress {
            Progress::Queued if is_in_doubt => self.tell(Notice::Refused(Refused::Recall(id))),
            Progress::Queued => self.end(id, Outcome::Failed(Reason::GivenUp)),
            Progress::Paid(..) => self.tell(Notice::Refused(Refused::Recall(id))),
            Progress::Locked(of, number) => {
                let lock = self.channels.get(&of.channel).and_then(|channel| channel.outgoing.lock(number));
                if lock.is_none_or(|held| held.state != LockState::Waiting) {
                    return self.tell(Notice::Refused(Refused::Recall(id)));
                }
                payment.recalled = true;
                self.touch_payment(id);
                self.say_recall(of.channel, number);
            }
        }
    }

    /// After a connection: the recalls that a neighbour may have missed. Those of the owner's are found in its payments.
    pub(super) fn recall_again(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        let again = channel.outgoing.locks.iter().filter(|held| {
            let is_own = match held.link {
                crate::flow::Link::Payment(payment) => self.payments.get(&payment).is_some_and(|payment| payment.recalled),
                _ => false,
            };
            held.state == LockState::Waiting && (is_own || self.recalls.contains(&(id, held.lock.number)))
        });
        let messages: Vec<Message> = again.map(|held| Message::Recall { of, number: held.lock.number }).collect();
        self.effects.extend(messages.into_iter().map(|message| Effect::Send(peer, message)));
    }
}
