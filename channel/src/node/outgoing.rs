//! Outgoing operations: what waits for room in a channel, and what a channel's pending locks ask of their payer.

use crate::chain::{Stage, end_of, is_in_time, is_open};
use crate::channel::Stuck;
use crate::flow::{Change, Fault, Held, Link, LockState};
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::lock::LockNo;
use crate::message::{Message, Reason};
use crate::node::rows::{Payment, Progress};
use crate::node::words::{Effect, Notice, Outcome, Tie};
use crate::node::{Blame, Node, Place, Queue, Queued, Sight};
use crate::units::Nonce;
use crate::update::{Onward, Op, PaymentId};

/// Whether more can be done in a channel within this step.
enum Room {
    Left,
    None,
}

impl Node {
    /// Does all that can be done in a channel now: what is owed first, then what is new.
    pub(super) fn pump(&mut self, id: ChannelId) {
        self.give_back_unwanted(&id);
        // A way that was good when the order came may lead over a channel that has gone since.
        let Some(channel) = self.channels.get(&id) else { return self.fail_queue(id, Reason::NoWay) };
        if channel.chain.stage != Stage::Open {
            return self.fail_queue(id, Reason::NoWay);
        }
        if channel.is_behind() {
            return self.part(id);
        }
        if !channel.in_step || !channel.may_sign() {
            return;
        }
        let owed: Vec<Op> = channel.outgoing.locks.iter().filter_map(|held| self.owed(held)).collect();
        for op in owed {
            match self.stage(id, op) {
                Ok(_) => {}
                Err(Stuck::Busy | Stuck::Standing) => return,
                Err(Stuck::Fault(_)) => {}
            }
        }
        if self.asked.contains_key(&id) {
            return self.grant_close(id);
        }
        while let Some(queued) = self.queues.get_mut(&id).and_then(|queue| queue.quick.pop_front()) {
            let room = match queued {
                Queued::Own(payment) => self.start(id, payment),
                Queued::Forward(from, number) => self.pass_on(id, from, number),
            };
            if matches!(room, Room::None) {
                self.queues.entry(id).or_default().quick.push_front(queued);
                return;
            }
        }
        while let Some(payment) = self.queues.get_mut(&id).and_then(|queue| queue.locks.pop_front()) {
            if matches!(self.start(id, payment), Room::None) {
                self.queues.entry(id).or_default().locks.push_front(payment);
                return;
            }
        }
        self.queues.remove(&id);
        self.drained(id);
    }

    /// What a pending lock asks of its payer now.
    fn owed(&self, held: &Held) -> Option<Op> {
        let number = held.lock.number;
        match &held.state {
            LockState::Disposed(_) => Some(Op::Strike { number }),
            LockState::Known(secret) => {
                let entry = self.registered.get(&held.lock.secret_hash);
                let in_time = entry.filter(|entry| is_in_time(&held.lock.expiry, &entry.at));
                let is_safe = in_time.is_some_and(|entry| Guard::PayDeep.demands(entry.is_deep));
                // Near the end the secret may have been shown too late to be claimed further up: then only the chain's word counts.
                let margin = Guard::PayEarly.keeps(self.policy.reveal_margin_secs);
                let is_early = self.latest().plus_secs(margin) < end_of(&held.lock.expiry);
                if is_safe || is_early {
                    return Some(Op::Unlock { number, secret: secret.clone() });
                }
                self.is_past(held).then_some(Op::Expire { number })
            }
            LockState::Waiting => self.is_past(held).then_some(Op::Expire { number }),
        }
    }

    /// Whether a lock ended so long ago that its payee sees it too.
    fn is_past(&self, held: &Held) -> bool {
        let mut deep = self.tip.deep;
        deep.time = deep.time.minus_secs(Guard::ExpirePatience.keeps(self.policy.expire_patience_secs));
        is_open(&held.lock.expiry, &deep)
    }

    /// Makes one operation, and takes in what it changes.
    fn stage(&mut self, id: ChannelId, op: Op) -> Result<Change, Stuck> {
        let Some(channel) = self.channels.get_mut(&id) else { return Err(Stuck::Standing) };
        let change = channel.stage(op, &self.tip, &self.registered)?;
        self.touch(&id);
        match &change {
            Change::Paid { .. } | Change::Added(_) => {}
            Change::Unlocked(held, secret) => {
                self.gone(id, false, held);
                if let Link::Payment(payment) = &held.link {
                    self.end(*payment, Outcome::Paid(Some(secret.clone())));
                }
            }
            Change::Expired(held) | Change::Struck(held) => {
                self.gone(id, false, held);
                self.came_back(id, held);
            }
        }
        Ok(change)
    }

    /// An outgoing lock is dead: what hung on it goes another way, or back. A lock can die twice, once while its channel was
    /// closed and once more after that close was undone; by then its payment is on another way.
    pub(super) fn came_back(&mut self, id: ChannelId, held: &Held) {
        let place = Place { channel: id, incoming: false, number: held.lock.number };
        let blame = self.blame(&place);
        self.blamed.remove(&place);
        match &held.link {
            Link::Payment(payment) => {
                let is_on = |it: &&Payment| matches!(it.progress, Progress::Locked(of, number) if of.channel == id && number == held.lock.number);
                if self.payments.get(payment).filter(is_on).is_some() {
                    self.next_way(*payment, blame.reason);
                }
            }
            Link::For { channel, number } => {
                let place = Place { channel: *channel, incoming: true, number: *number };
                self.blamed.insert(place, Blame { hops: blame.hops.saturating_add(1), ..blame });
                self.give_back(place, Reason::Onward);
            }
            Link::Mine(_) | Link::Onto { .. } | Link::Fresh(_) | Link::Unwanted(_) | Link::Forgotten => {}
        }
    }

    /// Begins a payment of the holder's, as its first way says.
    fn start(&mut self, id: ChannelId, payment_id: PaymentId) -> Room {
        let Some(payment) = self.payments.get(&payment_id).filter(|payment| payment.progress == Progress::Queued) else {
            return Room::Left;
        };
        let order = &payment.order;
        if order.tie == Tie::Direct {
            return self.transfer(id, payment_id, order.amount);
        }
        // It was asked for before the chain went out of sight, and goes on when that is back.
        if Guard::UnseenLock.refuses(!self.sees()) {
            return Room::None;
        }
        let has_another = order.ways.len() > 1;
        let Some(way) = order.ways.first().cloned() else { return Room::Left };
        if self.latest().plus_secs(self.policy.reveal_margin_secs) >= end_of(&way.expiry) {
            self.next_way(payment_id, Reason::Time);
            return Room::Left;
        }
        if self.has_most_locks(&id) {
            if !has_another {
                return Room::None;
            }
            self.next_way(payment_id, Reason::Limit);
            return Room::Left;
        }
        if self.is_kept(&id, Some(&payment_id), way.amount) {
            self.next_way(payment_id, Reason::Funds);
            return Room::Left;
        }
        let (hash, sealed) = match &order.tie {
            Tie::Hash(hash) => (*hash, None),
            Tie::Sealed(seed) => {
                let secret = super::pay::secret_of(seed, &payment_id, payment.attempt);
                let hash = secret.hash();
                (hash, self.seals.seal(&secret, &hash, seed, &order.payee, order.amount))
            }
            Tie::Direct => return Room::Left,
        };
        let onward = Onward { payment: payment_id, route: way.onward, sealed };
        let op = Op::Lock { amount: way.amount, secret_hash: hash, expiry: way.expiry, onward };
        match self.add_lock(id, op, Link::Payment(payment_id)) {
            Ok(number) => {
                self.free_room(&payment_id);
                let of = self.channels.get(&id).map(|channel| channel.of);
                if let (Some(payment), Some(of)) = (self.payments.get_mut(&payment_id), of) {
                    payment.progress = Progress::Locked(of, number);
                    // Of a first lock its own row says whose it is. A later one may not be the only one of its payment: an earlier
                    // one can be pending still, in a channel that was closed.
                    if payment.attempt > 0 {
                        self.touch_payment(payment_id);
                    }
                }
                Room::Left
            }
            Err(stuck) => match reason(stuck) {
                None => Room::None,
                Some(reason) => {
                    self.next_way(payment_id, reason);
                    Room::Left
                }
            },
        }
    }

    /// Whether as many locks are pending as this node itself would take: its counterparty would sign another one away.
    fn has_most_locks(&self, id: &ChannelId) -> bool {
        let locks = self.channels.get(id).map_or(0, |channel| channel.outgoing.locks.len());
        Guard::LimitLocks.refuses(locks >= self.policy.most_locks)
    }

    /// A direct payment.
    fn transfer(&mut self, id: ChannelId, payment_id: PaymentId, amount: crate::Units) -> Room {
        if self.is_above_ceiling(&id, amount) {
            self.next_way(payment_id, Reason::OutOfSight);
            return Room::Left;
        }
        if self.is_kept(&id, Some(&payment_id), amount) {
            self.next_way(payment_id, Reason::Funds);
            return Room::Left;
        }
        match self.stage(id, Op::Transfer { payment: payment_id, amount }) {
            Ok(_) => {
                let Some(channel) = self.channels.get(&id) else { return Room::Left };
                let (of, nonce) = (channel.of, channel.outgoing.nonce.next().unwrap_or(Nonce::LAST));
                if let Some(payment) = self.payments.get_mut(&payment_id) {
                    payment.progress = Progress::Paid(of, nonce);
                }
                self.carried.entry((id, nonce)).or_default().push(payment_id);
                self.touch_payment(payment_id);
                Room::Left
            }
            Err(stuck) => match reason(stuck) {
                None => Room::None,
                Some(reason) => {
                    self.next_way(payment_id, reason);
                    Room::Left
                }
            },
        }
    }

    /// Adds the outgoing lock for an incoming one.
    fn pass_on(&mut self, id: ChannelId, from: ChannelId, number: LockNo) -> Room {
        let place = Place { channel: from, incoming: true, number };
        let Some(held) = self.channels.get(&from).and_then(|channel| channel.incoming.lock(number)).cloned() else {
            return Room::Left;
        };
        let Link::Onto { number: None, onward, .. } = &held.link else { return Room::Left };
        let Some((hop, rest)) = onward.route.split_first() else { return Room::Left };
        if held.state != LockState::Waiting {
            return Room::Left;
        }
        if !self.is_open(&from) {
            self.give_back(place, Reason::NoWay);
            return Room::Left;
        }
        match self.sight() {
            Sight::Live => {}
            // It came in before a start, and in a moment it is known whether it can go on.
            Sight::Awaited => return Room::None,
            Sight::Lost if !Guard::UnseenLock.holds() => {}
            Sight::Lost => {
                self.give_back(place, Reason::OutOfSight);
                return Room::Left;
            }
        }
        if self.latest().plus_secs(self.policy.reveal_margin_secs) >= end_of(&hop.expiry) {
            self.give_back(place, Reason::Time);
            return Room::Left;
        }
        if self.is_kept(&id, None, hop.amount) {
            self.give_back(place, Reason::Funds);
            return Room::Left;
        }
        let onward = Onward { payment: onward.payment, route: rest.to_vec(), sealed: onward.sealed };
        let rest = onward.clone();
        let op = Op::Lock { amount: hop.amount, secret_hash: held.lock.secret_hash, expiry: hop.expiry, onward };
        match self.add_lock(id, op, Link::For { channel: from, number }) {
            Ok(added) => {
                if let Some(held) = self.channels.get_mut(&from).and_then(|channel| channel.incoming.lock_mut(number)) {
                    held.link = Link::Onto { channel: id, number: Some(added), onward: rest };
                }
                self.touch_lock(&place);
                Room::Left
            }
            Err(stuck) => match reason(stuck) {
                None => Room::None,
                Some(reason) => {
                    self.give_back(place, reason);
                    Room::Left
                }
            },
        }
    }

    fn add_lock(&mut self, id: ChannelId, op: Op, link: Link) -> Result<LockNo, Stuck> {
        let Change::Added(number) = self.stage(id, op)? else { return Err(Stuck::Standing) };
        let place = Place { channel: id, incoming: false, number };
        let Some(channel) = self.channels.get_mut(&id) else { return Err(Stuck::Standing) };
        if let Some(held) = channel.outgoing.lock_mut(number) {
            held.link = link;
            let held = held.clone();
            self.index(place, &held);
        }
        self.touch_lock(&place);
        Ok(number)
    }

    /// The payee of an outgoing lock has signed it away.
    pub(super) fn was_disposed(&mut self, id: ChannelId, number: LockNo, blame: Blame) {
        let place = Place { channel: id, incoming: false, number };
        self.touch_lock(&place);
        self.blamed.insert(place, blame);
        let Some(channel) = self.channels.get(&id) else { return };
        let Some(held) = channel.outgoing.lock(number) else { return };
        self.dirty.insert(crate::node::Key::Disposed(channel.of, held.lock.secret_hash));
        if let Link::Payment(payment) = held.link {
            let failed = self.failed_leg(&payment, blame);
            self.tell(Notice::Attempt { payment, reason: blame.reason, failed });
        }
        if self.is_open(&id) {
            // Struck in the holder's next update; then what hung on it goes another way.
            self.stirred.insert(id);
        } else if let Some(held) = self.channels.get(&id).and_then(|channel| channel.outgoing.lock(number)) {
            let held = held.clone();
            self.unindex(place, &held.lock.secret_hash);
            self.came_back(id, &held);
        }
    }

    /// The payer of an incoming lock would rather have it back.
    pub(super) fn recalled(&mut self, id: ChannelId, number: LockNo) {
        let Some(held) = self.channels.get(&id).and_then(|channel| channel.incoming.lock(number)) else { return };
        if held.state != LockState::Waiting {
            return;
        }
        let hash = held.lock.secret_hash;
        match held.link.clone() {
            // What else hangs on this hash only the owner knows.
            Link::Mine(_) => self.tell(Notice::Recalled(hash)),
            Link::Onto { number: None, .. } => self.give_back(Place { channel: id, incoming: true, number }, Reason::GivenUp),
            Link::Onto { channel, number: Some(number), .. } => self.say_recall(channel, number),
            Link::Fresh(_) | Link::Unwanted(_) | Link::Payment(_) | Link::For { .. } | Link::Forgotten => {}
        }
    }

    pub(super) fn say_recall(&mut self, id: ChannelId, number: LockNo) {
        let Some(channel) = self.channels.get(&id) else { return };
        self.effects.push(Effect::Send(channel.peer.address(), Message::Recall { of: channel.of, number }));
        self.recalls.insert((id, number));
    }

    /// Nothing new goes through a channel any more: what waits for it looks elsewhere, unless it may have been made already.
    pub(super) fn fail_queue(&mut self, id: ChannelId, reason: Reason) {
        let Queue { quick, locks } = self.queues.remove(&id).unwrap_or_default();
        let (doubted, locks): (Vec<_>, Vec<_>) = locks.into_iter().partition(|payment| self.is_in_doubt(payment, &id));
        if !doubted.is_empty() {
            self.queues.entry(id).or_default().locks.extend(doubted);
        }
        for queued in quick {
            match queued {
                Queued::Own(payment) if self.is_in_doubt(&payment, &id) => {
                    self.queues.entry(id).or_default().quick.push_back(queued);
                }
                Queued::Own(payment) => self.next_way(payment, reason),
                Queued::Forward(channel, number) => self.give_back(Place { channel, incoming: true, number }, reason),
            }
        }
        locks.into_iter().for_each(|payment| self.next_way(payment, reason));
    }
}

/// Why an operation can't be made for good. None: it can, later.
fn reason(stuck: Stuck) -> Option<Reason> {
    match stuck {
        Stuck::Busy => None,
        Stuck::Standing => Some(Reason::NoWay),
        Stuck::Fault(Fault::HashInUse | Fault::HashDisposed) => Some(Reason::HashUsed),
        Stuck::Fault(Fault::Full) => Some(Reason::Limit),
        Stuck::Fault(Fault::Word | Fault::NotEnded | Fault::InTime) => Some(Reason::Time),
        Stuck::Fault(Fault::Funds | Fault::Nothing) => Some(Reason::Funds),
        Stuck::Fault(Fault::Degenerate | Fault::NoLock | Fault::WrongSecret | Fault::NotDisposed) => Some(Reason::Unknown),
    }
}
