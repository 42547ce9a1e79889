//! Secrets and the chain: what is learned, and what becomes due.

use crate::chain::{Moment, OnChain, Registered, Stage, Tip, end_of, is_in_time};
use crate::channel::{Channel, Standing};
use crate::counterparty::Counterparty;
use crate::flow::{Judge, Link, LockState};
use crate::guard::Guard;
use crate::key::{ChannelId, ChannelKey, ChannelRef, Epoch};
use crate::lock::LockNo;
use crate::message::{Message, Reason};
use crate::node::rows::Key;
use crate::node::words::{Effect, Notice, Outcome};
use crate::node::{Node, Place};
use crate::update::PaymentId;
use photon_chains::{Secret, UnixTime};
use std::ops::Bound;

impl Node {
    /// A secret is known, from whatever source: every lock that it opens is paid, or claimed.
    pub(super) fn learn(&mut self, secret: &Secret) {
        for place in self.places.get(&secret.hash()).cloned().unwrap_or_default() {
            if place.incoming {
                self.claim(place, secret);
            } else {
                self.owe(place, secret);
            }
        }
    }

    /// An outgoing lock's secret is known: it is to be paid.
    fn owe(&mut self, place: Place, secret: &Secret) {
        let Some(channel) = self.channels.get_mut(&place.channel) else { return };
        if channel.learn(channel.side, place.number, secret) {
            self.touch_lock(&place);
            self.stirred.insert(place.channel);
        }
    }

    /// An incoming lock's secret is known: it is claimed from its payer. A lock that was not decided to be the holder's, or to go
    /// onward and gone, is not: it is not earned.
    pub(super) fn claim(&mut self, place: Place, secret: &Secret) {
        let Some(channel) = self.channels.get_mut(&place.channel) else { return };
        let is_earned = match channel.incoming.lock(place.number).map(|held| &held.link) {
            Some(Link::Mine(_) | Link::Onto { number: Some(_), .. }) => true,
            Some(Link::Onto { number: None, .. } | Link::Fresh(_) | Link::Unwanted(_) | Link::Forgotten) => false,
            Some(Link::Payment(_) | Link::For { .. }) | None => false,
        };
        if Guard::ClaimEarned.refuses(!is_earned) {
            return;
        }
        // Whoever has forgotten may show a secret all the same: an honest payer knows whether the lock was signed away.
        let is_news = channel.learn(channel.side.other(), place.number, secret);
        if is_news || channel.is_behind() {
            let message = Message::Reveal { of: channel.of, number: place.number, secret: secret.clone() };
            self.effects.push(Effect::Send(channel.peer.address(), message));
        }
        if is_news {
            self.touch_lock(&place);
        }
    }

    /// The payee of an outgoing lock shows its secret.
    pub(super) fn revealed(&mut self, id: ChannelId, number: LockNo, secret: &Secret) {
        let lock = self.channels.get(&id).and_then(|channel| channel.outgoing.lock(number));
        if lock.is_some_and(|held| held.lock.secret_hash == secret.hash()) {
            self.learn(secret);
        }
    }

    pub(super) fn was_registered(&mut self, secret: &Secret, at: Moment, is_deep: bool) {
        let hash = secret.hash();
        let Some(places) = self.places.get(&hash) else { return };
        self.stirred.extend(places.iter().map(|place| place.channel));
        self.registered.insert(hash, Registered { at, is_deep });
        self.learn(secret);
    }

    pub(super) fn opened(&mut self, key: ChannelKey, epoch: Epoch, peer: Counterparty, chain: OnChain, standing: Standing) {
        let of = ChannelRef { channel: key.id(), epoch };
        if self.channels.contains_key(&of.channel) {
            return;
        }
        let Some(channel) = Channel::open(key, of, &self.signer, peer, self.domain, chain) else { return };
        let is_behind = standing == Standing::Behind && Guard::KnownOld.holds();
        self.add_channel(Channel { standing: if is_behind { standing } else { Standing::Active }, ..channel });
        self.touch(&of.channel);
        if is_behind {
            self.fell_behind(of.channel);
        }
        // A counterparty that is there already is greeted now: nobody connects for a channel's sake.
        if self.connected.contains(&peer.address()) {
            self.greeting.insert(of.channel);
            self.greet(&of.channel);
        }
    }

    pub(super) fn chain_changed(&mut self, id: ChannelId, chain: OnChain) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.chain = chain;
        if channel.leaving.is_some_and(|leaving| chain.withdrawals > leaving.number) {
            channel.leaving = None;
        }
        // What the contract was shown of the holder's own is later than what it remembers.
        let has_forgotten = chain.stage == Stage::Closed && chain.counted > channel.outgoing.nonce && !channel.is_behind();
        if has_forgotten {
            channel.standing = Standing::Behind;
            self.fell_behind(id);
        }
        self.touch(&id);
        self.stirred.insert(id);
        match chain.stage {
            Stage::Open => {}
            Stage::Closed => self.closed(id),
            Stage::Gone => {
                self.closed(id);
                self.forget(id);
            }
        }
    }

    /// Nothing is signed in it any more: what waits for it looks elsewhere, what was signed away is dead.
    fn closed(&mut self, id: ChannelId) {
        self.fail_queue(id, Reason::NoWay);
        let Some(channel) = self.channels.get(&id) else { return };
        let dead: Vec<LockNo> = channel
            .outgoing
            .locks
            .iter()
            .filter(|held| matches!(held.state, LockState::Disposed(_)))
            .map(|held| held.lock.number)
            .collect();
        dead.into_iter().for_each(|number| self.dead_on_chain(Place { channel: id, incoming: false, number }));
    }

    /// The channel's slot is empty at depth: its rows go, but for the history.
    fn forget(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, counted, peer) = (channel.of, channel.chain.counted, channel.peer.address());
        let range = (Bound::Included((id, crate::Nonce::NONE)), Bound::Included((id, crate::Nonce(u64::MAX))));
        let carried: Vec<_> = self.carried.range(range).map(|(key, _)| *key).collect();
        for key in carried {
            let outcome = if key.1 <= counted { Outcome::Paid(None) } else { Outcome::Failed(Reason::NoWay) };
            for payment in self.carried.remove(&key).unwrap_or_default() {
                self.end(payment, outcome.clone());
            }
        }
        self.decided(id);
        self.gone_in_doubt(&id);
        let Some(channel) = self.channels.remove(&id) else { return };
        for (incoming, flow) in [(true, &channel.incoming), (false, &channel.outgoing)] {
            for held in &flow.locks {
                let number = held.lock.number;
                self.dirty.insert(Key::Lock(of, incoming, number));
                self.unindex(Place { channel: id, incoming, number }, &held.lock.secret_hash);
            }
        }
        self.dirty.extend(channel.unacked.iter().map(|sent| Key::Unacked(of, sent.nonce)));
        self.dirty.extend(channel.disposed.iter().map(|hash| Key::Disposed(of, *hash)));
        self.dirty.insert(Key::Channel(of));
        self.neighbours.entry(peer).or_default().remove(&id);
        self.away.end(&id);
        if self.watch.forget(&id) {
            self.dirty.insert(Key::Unseen(of));
        }
        self.sent_at.remove(&id);
        self.consents.remove(&id);
        self.asked.remove(&id);
        self.greeting.remove(&id);
        self.doubt.forget(&id);
        // Another way of a payment that has just come back may begin with this channel too.
        self.fail_queue(id, Reason::NoWay);
    }

    /// What became of the locks of a channel that is gone: the contract has paid those whose secret was known, and given the
    /// others back.
    fn decided(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (outgoing, incoming) = (channel.outgoing.locks.clone(), channel.incoming.locks.clone());
        for held in outgoing {
            match &held.state {
                LockState::Known(secret) => self.owed_on_chain(&held.link, secret.clone()),
                LockState::Waiting | LockState::Disposed(_) => self.came_back(id, &held),
            }
        }
        for held in incoming {
            match (&held.state, &held.link) {
                (LockState::Known(_), Link::Mine(payment)) => self.was_paid_by(id, held.lock.number, *payment, &held),
                (_, _) => self.lapsed(&held),
            }
        }
    }

    /// The chain moved: what is due at its new time, and what is asked again at every block.
    pub(super) fn moved(&mut self, tip: Tip) {
        self.tip = tip;
        let latest = self.latest();
        while let Some((at, place)) = self.timers.first().copied().filter(|(at, _)| *at <= latest) {
            self.timers.remove(&(at, place));
            self.due.insert(place);
        }
        for place in self.due.clone() {
            self.look(place);
        }
        let late = |since: &UnixTime| latest.secs_since(*since) >= self.policy.resend_secs;
        let unanswered: Vec<ChannelId> = self.sent_at.iter().filter(|(_, at)| late(at)).map(|(id, _)| *id).collect();
        for id in unanswered {
            if Guard::SayAgain.holds() && self.channels.get(&id).is_some_and(|channel| channel.in_step) {
                self.say_again(id);
            }
        }
        for id in self.greeting.clone() {
            self.greet(&id);
        }
        for id in self.consents.clone() {
            self.consent_over(id);
        }
    }

    /// A pending lock near its end, or past it.
    fn look(&mut self, place: Place) {
        let Some(channel) = self.channels.get(&place.channel) else {
            self.due.remove(&place);
            return;
        };
        let flow = if place.incoming { &channel.incoming } else { &channel.outgoing };
        let Some(held) = flow.lock(place.number) else {
            self.due.remove(&place);
            return;
        };
        let entry = self.registered.get(&held.lock.secret_hash);
        if place.incoming {
            let in_time = entry.filter(|entry| is_in_time(&held.lock.expiry, &entry.at));
            let is_safe = in_time.is_some_and(|entry| Guard::RegisterDeep.demands(entry.is_deep));
            if let (LockState::Known(secret), false) = (&held.state, is_safe) {
                self.effects.push(Effect::Register(secret.clone(), end_of(&held.lock.expiry)));
            }
            // It waited for its channel onward until too late.
            if held.state == LockState::Waiting && matches!(held.link, Link::Onto { number: None, .. }) {
                self.give_back(place, Reason::Time);
            }
            return;
        }
        if channel.chain.stage == Stage::Open {
            self.stirred.insert(place.channel);
            return;
        }
        let judge = Judge {
            is_payer: true,
            tip: &self.tip,
            registered: &self.registered,
            other: &channel.incoming.locks,
            disposed: &channel.disposed,
            most_locks: channel.domain.most_locks(),
            has_forgotten: false,
        };
        if judge.has_ended(&held.lock).is_ok() && held.state == LockState::Waiting {
            self.dead_on_chain(place);
        } else if let LockState::Known(secret) = &held.state {
            let (secret, link) = (secret.clone(), held.link.clone());
            self.owed_on_chain(&link, secret);
        }
    }

    /// An outgoing lock of a closed channel can't be paid any more.
    fn dead_on_chain(&mut self, place: Place) {
        let Some(held) = self.channels.get(&place.channel).and_then(|channel| channel.outgoing.lock(place.number)) else {
            return;
        };
        let held = held.clone();
        self.unindex(place, &held.lock.secret_hash);
        self.came_back(place.channel, &held);
    }

    /// An outgoing lock of a closed channel is the payee's.
    fn owed_on_chain(&mut self, link: &Link, secret: Secret) {
        match link {
            Link::Payment(payment) => self.end(*payment, Outcome::Paid(Some(secret))),
            Link::For { .. } | Link::Mine(_) | Link::Onto { .. } => {}
            Link::Fresh(_) | Link::Unwanted(_) | Link::Forgotten => {}
        }
    }

    /// A payment of the holder's has ended. Its row goes, its outcome stays.
    pub(super) fn end(&mut self, id: PaymentId, outcome: Outcome) {
        if self.payments.remove(&id).is_none() {
            return;
        }
        self.kept.remove(&id);
        self.free_room(&id);
        self.doubt.end(&id);
        self.touch_payment(id);
        let row = Some(crate::node::Row::Outcome(outcome.clone()));
        self.history.push(crate::node::Write { key: Key::Outcome(id), row });
        self.tell(Notice::Ended(id, outcome));
    }

    /// A consent that was neither used nor has died yet is looked at; what was said of it may have been lost.
    fn consent_over(&mut self, id: ChannelId) {
        let deep = if Guard::ConsentDead.holds() { self.tip.deep.time } else { self.tip.latest.time };
        let Some(channel) = self.channels.get_mut(&id) else {
            self.consents.remove(&id);
            return;
        };
        // The chain's word at that depth came before this tip: what is still open there was not mined in time.
        let before = (channel.leaving, channel.standing.clone());
        if channel.leaving.is_some_and(|leaving| deep > leaving.deadline) {
            channel.leaving = None;
        }
        if channel.grant().is_some_and(|grant| deep > grant.deadline) && channel.chain.stage == Stage::Open {
            channel.standing = if channel.is_behind() { Standing::Behind } else { Standing::Active };
        }
        let is_changed = before != (channel.leaving, channel.standing.clone());
        if !channel.wants_consent() {
            self.consents.remove(&id);
        }
        if is_changed {
            self.touch(&id);
        } else if channel.in_step && channel.chain.stage == Stage::Open {
            self.consent_again(id);
        }
        self.stirred.insert(id);
    }
}
