//! Incoming locks: for the holder itself, or to go onward, or not wanted.

use crate::chain::{covers, end_of};
use crate::channel::Channel;
use crate::flow::{Change, Held, Link, LockState};
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::lock::LockNo;
use crate::message::{Message, Reason};
use crate::node::rows::{Expected, Key, Row, Write};
use crate::node::words::{Effect, Notice, Refused, Request};
use crate::node::{Blame, Node, Place, Queued};
use crate::update::{Hop, Onward, PaymentId};
use photon_chains::{Secret, SecretHash};

impl Node {
    /// A payer's operation was taken. `at` names its place among all of that payer's operations.
    pub(super) fn took(&mut self, id: ChannelId, at: LockNo, change: Change) {
        match change {
            Change::Paid { payment, amount } => {
                self.count_unseen(&id, amount);
                self.was_paid(id, at, payment, amount, None);
            }
            Change::Added(number) => self.was_offered(id, number),
            Change::Unlocked(held, secret) => {
                self.gone(id, true, &held);
                match held.link {
                    Link::Mine(payment) => self.was_paid_by(id, at, payment, &held),
                    Link::Onto { .. } | Link::Fresh(_) | Link::Unwanted(_) => {}
                    Link::Payment(_) | Link::For { .. } | Link::Forgotten => {}
                }
                self.learn(&secret);
            }
            Change::Expired(held) => {
                self.gone(id, true, &held);
                if matches!(held.state, LockState::Known(_)) {
                    self.tell(Notice::Lost(id, held.lock.number));
                }
                self.lapsed(&held);
            }
            Change::Struck(held) => {
                self.gone(id, true, &held);
                self.lapsed(&held);
            }
        }
    }

    /// A lock for the holder itself was paid, by its payer or by the contract.
    pub(super) fn was_paid_by(&mut self, id: ChannelId, at: LockNo, payment: PaymentId, held: &Held) {
        self.was_paid(id, at, payment, held.lock.amount, Some(held.lock.secret_hash));
        self.expected.remove(&held.lock.secret_hash);
        self.dirty.insert(Key::Request(held.lock.secret_hash));
    }

    fn was_paid(&mut self, id: ChannelId, at: LockNo, payment: PaymentId, amount: crate::Units, secret_hash: Option<SecretHash>) {
        let Some(channel) = self.channels.get(&id) else { return };
        let row = Some(Row::Received(payment, amount, secret_hash));
        self.history.push(Write { key: Key::Received(channel.of, at), row });
        self.tell(Notice::Received { payment, amount, secret_hash });
    }

    /// A pending lock is off the list. Its end is kept: an old proof with it can come back at a close.
    pub(super) fn gone(&mut self, id: ChannelId, incoming: bool, held: &Held) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, number) = (channel.of, held.lock.number);
        let flow = if incoming { &channel.incoming } else { &channel.outgoing };
        // The batch that takes it off is not sealed yet where the holder pays.
        let by = if incoming { Some(flow.nonce) } else { flow.nonce.next() };
        let row = Row::Gone(Box::new(held.clone()), by.unwrap_or(flow.nonce));
        self.history.push(Write { key: Key::Gone(of, incoming, number), row: Some(row) });
        self.dirty.insert(Key::Lock(of, incoming, number));
        self.unindex(Place { channel: id, incoming, number }, &held.lock.secret_hash);
    }

    /// A lock that was to pay a request is gone unpaid. The request stays: it may be paid another way.
    pub(super) fn lapsed(&mut self, held: &Held) {
        let hash = held.lock.secret_hash;
        let Link::Mine(_) = held.link else { return };
        let Some(expected) = self.expected.get_mut(&hash) else { return };
        expected.lock = None;
        self.dirty.insert(Key::Request(hash));
        self.tell(Notice::Lapsed(hash));
    }

    /// A new lock: what becomes of it.
    fn was_offered(&mut self, id: ChannelId, number: LockNo) {
        let Some(channel) = self.channels.get(&id) else { return };
        let Some(held) = channel.incoming.lock(number).cloned() else { return };
        let is_used = is_used(channel, &held);
        let is_active = channel.is_active() && !self.asked.contains_key(&id);
        let (count, pending) = (channel.incoming.locks.len(), channel.incoming.locked);
        let place = Place { channel: id, incoming: true, number };
        self.index(place, &held);
        self.touch_lock(&place);
        let Link::Fresh(onward) = held.link.clone() else { return };
        // What the holder itself has agreed to may last as long as was agreed.
        let is_agreed = self.expected.get(&held.lock.secret_hash).is_some_and(|expected| expected.request.until.is_some());
        let is_long = end_of(&held.lock.expiry) > self.now.plus_secs(self.policy.longest_lock_secs)
            || held.lock.expiry.opens_time > self.now.plus_secs(self.policy.longest_lock_secs);
        let refused = if Guard::HashUsed.refuses(is_used) {
            Some(Reason::HashUsed)
        } else if !is_active {
            Some(Reason::NoWay)
        } else if Guard::UnseenLock.refuses(!self.sees()) {
            Some(Reason::OutOfSight)
        } else if Guard::LongestLock.refuses(is_long && !is_agreed) {
            Some(Reason::Time)
        } else if Guard::LimitLocks.refuses(count > self.policy.most_locks)
            || Guard::LimitPending.refuses(pending > self.policy.most_pending)
        {
            Some(Reason::Limit)
        } else {
            let decided = match onward.route.first() {
                None => self.for_holder(place, &held, &onward),
                Some(hop) => self.forward(place, &held, *hop, onward.clone()),
            };
            decided.err()
        };
        if let Some(reason) = refused {
            self.give_back(place, reason);
        }
    }

    /// The holder is the payee: of a request of its own, or of a payment whose secret came sealed with it.
    fn for_holder(&mut self, place: Place, held: &Held, onward: &Onward) -> Result<(), Reason> {
        let hash = held.lock.secret_hash;
        let (payment, secret, least, until) = match self.expected.get(&hash) {
            Some(expected) => {
                let is_less = Guard::RequestAmount.refuses(held.lock.amount < expected.request.amount);
                if expected.lock.is_some() || is_less {
                    return Err(Reason::Unknown);
                }
                let Request { payment, secret, least_secs, until, .. } = &expected.request;
                (*payment, secret.clone(), *least_secs, *until)
            }
            None => {
                let sealed = onward.sealed.as_ref();
                let secret = sealed.and_then(|sealed| self.seals.open(sealed, &self.signer, &hash, held.lock.amount));
                (onward.payment, Some(secret.ok_or(Reason::Unknown)?), 0, None)
            }
        };
        let least = least.max(self.policy.reveal_margin_secs);
        if self.latest().plus_secs(Guard::TakeInTime.keeps(least)) >= end_of(&held.lock.expiry) {
            return Err(Reason::Time);
        }
        if until.is_some_and(|until| !covers(&held.lock.expiry, &until, 0)) {
            return Err(Reason::Time);
        }
        let Some(channel) = self.channels.get_mut(&place.channel) else { return Err(Reason::NoWay) };
        let of = channel.of;
        if let Some(held) = channel.incoming.lock_mut(place.number) {
            held.link = Link::Mine(payment);
        }
        if let Some(expected) = self.expected.get_mut(&hash) {
            expected.lock = Some((of, place.number));
            self.dirty.insert(Key::Request(hash));
        }
        match secret {
            Some(secret) => self.claim(place, &secret),
            None => {
                let Held { lock, .. } = held;
                self.tell(Notice::Held { secret_hash: hash, amount: lock.amount, expiry: lock.expiry });
            }
        }
        Ok(())
    }

    /// The holder mediates: for its fee, with time to act, into a channel that has the money and keeps it for nobody; of several, into one whose
    /// counterparty is there.
    fn forward(&mut self, place: Place, held: &Held, hop: Hop, onward: Onward) -> Result<(), Reason> {
        let fee = self.policy.fee(hop.amount).ok_or(Reason::Fee)?;
        if Guard::Fee.refuses(hop.amount.checked_add(fee).is_none_or(|least| held.lock.amount < least)) {
            return Err(Reason::Fee);
        }
        let slack = Guard::HopSlack.keeps(self.policy.hop_slack_secs);
        let least = Guard::ForwardInTime.keeps(self.policy.reveal_margin_secs);
        if !covers(&held.lock.expiry, &hop.expiry, slack) || self.latest().plus_secs(least) >= end_of(&hop.expiry) {
            return Err(Reason::Time);
        }
        let token = self.channels.get(&place.channel).and_then(|channel| channel.key.token());
        let mut best: Option<(bool, i128, ChannelId)> = None;
        for id in self.neighbours.get(&hop.to).into_iter().flatten().filter(|id| **id != place.channel) {
            let Some(channel) = self.channels.get(id) else { continue };
            if Guard::SameToken.demands(channel.key.token() == token)
                && channel.is_active()
                && (channel.in_step || self.away.holds(id))
                && !self.asked.contains_key(id)
            {
                best = best.max(Some((channel.in_step, self.room(channel, None), *id)));
            }
        }
        let (_, free, onto) = best.ok_or(Reason::NoWay)?;
        if Guard::ForwardFunds.refuses(free < hop.amount.signed()) {
            return Err(Reason::Funds);
        }
        let channel = self.channels.get_mut(&place.channel).ok_or(Reason::NoWay)?;
        let held = channel.incoming.lock_mut(place.number).ok_or(Reason::NoWay)?;
        held.link = Link::Onto { channel: onto, number: None, onward };
        self.queues.entry(onto).or_default().quick.push_back(Queued::Forward(place.channel, place.number));
        self.stirred.insert(onto);
        Ok(())
    }

    /// Signs an incoming lock away, at once or as soon as no outgoing lock of the holder's hangs on its hash.
    pub(super) fn give_back(&mut self, place: Place, reason: Reason) {
        let Some(channel) = self.channels.get_mut(&place.channel) else { return };
        let Some(held) = channel.incoming.lock_mut(place.number) else { return };
        if held.state != LockState::Waiting {
            return;
        }
        let hash = held.lock.secret_hash;
        held.link = Link::Unwanted(reason);
        self.touch_lock(&place);
        if Guard::DisposeUnhung.refuses(self.hangs(&hash)) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&place.channel) else { return };
        let Some(signature) = channel.dispose(place.number, &self.signer) else { return };
        let Blame { reason, hops } = self.blamed.get(&place).copied().unwrap_or(Blame { reason, hops: 0 });
        let message = Message::Dispose { of: channel.of, number: place.number, reason, hops, signature };
        self.dirty.insert(Key::Disposed(channel.of, hash));
        self.effects.push(Effect::Send(channel.peer.address(), message));
    }

    /// Locks that were kept only because something hung on them.
    pub(super) fn give_back_unwanted(&mut self, id: &ChannelId) {
        let Some(channel) = self.channels.get(id) else { return };
        let unwanted: Vec<(LockNo, Reason)> = channel
            .incoming
            .locks
            .iter()
            .filter_map(|held| match (&held.link, &held.state) {
                (Link::Unwanted(reason), LockState::Waiting) => Some((held.lock.number, *reason)),
                (_, LockState::Waiting | LockState::Known(_) | LockState::Disposed(_)) => None,
            })
            .collect();
        for (number, reason) in unwanted {
            self.give_back(Place { channel: *id, incoming: true, number }, reason);
        }
    }

    pub(super) fn expect_payment(&mut self, request: Request) {
        let hash = request.secret_hash;
        let is_wrong = hash.is_degenerate() || request.secret.as_ref().is_some_and(|secret| secret.hash() != hash);
        // A hash that is pending already belongs to somebody else's payment.
        if is_wrong || self.expected.contains_key(&hash) || self.places.contains_key(&hash) {
            return self.tell(Notice::Refused(Refused::Request(hash)));
        }
        self.expected.insert(hash, Expected { request, lock: None });
        self.dirty.insert(Key::Request(hash));
    }

    pub(super) fn release(&mut self, secret: &Secret) {
        let hash = secret.hash();
        let Some(expected) = self.expected.get_mut(&hash) else {
            return self.tell(Notice::Refused(Refused::Release(hash)));
        };
        let Some((of, number)) = expected.lock else {
            // Not here yet: it is taken as soon as it comes.
            expected.request.secret = Some(secret.clone());
            self.dirty.insert(Key::Request(hash));
            return;
        };
        let lock = self.channels.get(&of.channel).and_then(|channel| channel.incoming.lock(number));
        let is_late =
            lock.is_none_or(|held| self.latest().plus_secs(self.policy.reveal_margin_secs) >= end_of(&held.lock.expiry));
        if is_late {
            return self.tell(Notice::Refused(Refused::Release(hash)));
        }
        self.claim(Place { channel: of.channel, incoming: true, number }, secret);
    }

    pub(super) fn give_up(&mut self, hash: SecretHash) {
        let Some(expected) = self.expected.get(&hash) else {
            return self.tell(Notice::Refused(Refused::Request(hash)));
        };
        if let Some((of, number)) = expected.lock {
            let lock = self.channels.get(&of.channel).and_then(|channel| channel.incoming.lock(number));
            if lock.is_some_and(|held| matches!(held.state, LockState::Known(_))) {
                return self.tell(Notice::Refused(Refused::Request(hash)));
            }
            self.give_back(Place { channel: of.channel, incoming: true, number }, Reason::GivenUp);
        }
        self.expected.remove(&hash);
        self.dirty.insert(Key::Request(hash));
    }
}

/// Whether another lock of the channel has or had the same hash.
fn is_used(channel: &Channel, held: &Held) -> bool {
    let hash = held.lock.secret_hash;
    let same = |other: &&Held| other.lock.secret_hash == hash;
    channel.disposed.contains(&hash)
        || channel.incoming.locks.iter().filter(same).count() > 1
        || channel.outgoing.locks.iter().any(|other| same(&other))
}
