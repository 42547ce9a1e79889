//! What one that has forgotten is told, and what it does about it: see [`crate::Testimony`].

use crate::channel::{Channel, Standing};
use crate::flow::{Held, Link, LockState};
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::message::{Message, Reason};
use crate::node::rows::{Key, Payment, Progress, Row, Write};
use crate::node::words::{Effect, Notice, Outcome};
use crate::node::{Node, Place};
use crate::remind::{Reminded, Replaced, Testimony};
use crate::units::Nonce;
use crate::update::PaymentId;
use std::collections::BTreeMap;

impl Node {
    /// The counterparty's first word shows less than it once had: it is reminded.
    pub(super) fn remind(&mut self, id: &ChannelId, sent: Nonce, received: Nonce) {
        let Some(channel) = self.channels.get(id) else { return };
        let sure = channel.sure();
        if received >= sure && sent >= channel.incoming.nonce {
            return;
        }
        let [own, yours] = [channel.side, channel.side.other()].map(|payer| channel.testimony(payer).map(Box::new));
        self.effects.push(Effect::Send(channel.peer.address(), Message::Remind { of: channel.of, sure, own, yours }));
    }

    /// The holder is told what it may have forgotten.
    pub(super) fn reminded(&mut self, id: ChannelId, sure: Nonce, theirs: Option<&Testimony>, own: Option<&Testimony>) {
        let holder = self.signer.known();
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let Some(reminded) = channel.reminded(sure, theirs, own, &holder, &self.tip, &self.registered) else { return };
        let arrived = match reminded.outgoing {
            Some(_) => channel.acknowledged(channel.outgoing.nonce),
            None => Vec::new(),
        };
        arrived.iter().for_each(|sent| self.arrived(id, sent.nonce));
        self.take_up(id, reminded);
    }

    /// A channel as it was shown, or as a backup has it.
    fn take_up(&mut self, id: ChannelId, reminded: Reminded) {
        if let Some(Replaced { gone, added, paid }) = reminded.incoming {
            gone.iter().for_each(|held| self.ended_unseen(id, true, held));
            gone.iter().for_each(|held| self.was_forgotten_in(id, held, paid));
            self.now_pending(id, true, &added);
        }
        if let Some(Replaced { gone, added, paid }) = reminded.outgoing {
            gone.iter().for_each(|held| self.ended_unseen(id, false, held));
            gone.iter().for_each(|held| self.was_forgotten_out(held, paid));
            self.now_pending(id, false, &added);
            self.recognise(id, &added, paid);
        }
        if reminded.is_news {
            self.fell_behind(id);
        }
        self.touch(&id);
        self.stirred.insert(id);
    }

    /// What a backup is to keep of the channels: with the seed it proves all that was promised to the holder by then.
    pub fn memory(&self) -> Vec<(Key, Row)> {
        let keys = self.channels.values().flat_map(|channel| {
            let of = channel.of;
            let locks = |incoming: bool, flow: &crate::Flow| -> Vec<Key> {
                flow.locks.iter().map(|held| Key::Lock(of, incoming, held.lock.number)).collect()
            };
            let mut keys = vec![Key::Channel(of)];
            keys.extend(locks(true, &channel.incoming));
            keys.extend(locks(false, &channel.outgoing));
            keys.extend(channel.unacked.iter().map(|sent| Key::Unacked(of, sent.nonce)));
            keys.extend(channel.disposed.iter().map(|hash| Key::Disposed(of, *hash)));
            keys
        });
        keys.filter_map(|key| Some((key, self.row(&key)?))).collect()
    }

    /// What a backup has kept: the channels that are not known, and what is later in it than in those that are.
    pub(super) fn remember(&mut self, rows: Vec<(Key, Row)>) {
        let kept = Self::restore(self.signer.clone(), self.domain, self.policy, rows);
        let (mut carried, payments) = (kept.carried, kept.payments);
        for (id, backup) in kept.channels {
            let carried: Vec<_> = carried.extract_if(.., |(other, _), _| *other == id).collect();
            match self.channels.get_mut(&id) {
                Some(channel) => {
                    let before: Vec<Nonce> = channel.unacked.iter().map(|sent| sent.nonce).collect();
                    let Some(reminded) = channel.remember(backup) else { continue };
                    let of = channel.of;
                    let left: Vec<Nonce> = channel.unacked.iter().map(|sent| sent.nonce).collect();
                    self.dirty.extend(before.iter().map(|nonce| Key::Unacked(of, *nonce)));
                    self.under_way(carried, &payments);
                    // What was under way and is not any more has arrived.
                    before.into_iter().filter(|nonce| !left.contains(nonce)).for_each(|nonce| self.arrived(id, nonce));
                    self.take_up(id, reminded);
                }
                None => {
                    let locks =
                        |flow: &crate::Flow| -> Vec<crate::LockNo> { flow.locks.iter().map(|held| held.lock.number).collect() };
                    let (incoming, outgoing) = (locks(&backup.incoming), locks(&backup.outgoing));
                    self.add_channel(Channel { standing: Standing::Behind, ..backup });
                    self.under_way(carried, &payments);
                    self.now_pending(id, true, &incoming);
                    self.now_pending(id, false, &outgoing);
                    self.fell_behind(id);
                }
            }
            self.remembered(&id);
        }
    }

    /// Payments that updates carry which a backup has kept: with those they arrive.
    fn under_way(&mut self, carried: Vec<((ChannelId, Nonce), Vec<PaymentId>)>, payments: &BTreeMap<PaymentId, Payment>) {
        for (update, ids) in carried {
            for id in ids {
                let Some(kept) = payments.get(&id) else { continue };
                match self.payments.get_mut(&id) {
                    None => drop(self.payments.insert(id, kept.clone())),
                    Some(payment) if payment.progress == Progress::Queued => payment.progress = kept.progress.clone(),
                    Some(_) => continue,
                }
                self.carried.entry(update).or_default().push(id);
                self.leave_queues(id);
                self.touch_payment(id);
            }
        }
    }

    /// Its rows are written, whatever was there.
    fn remembered(&mut self, id: &ChannelId) {
        let Some(channel) = self.channels.get(id) else { return };
        let of = channel.of;
        for (incoming, flow) in [(true, &channel.incoming), (false, &channel.outgoing)] {
            self.dirty.extend(flow.locks.iter().map(|held| Key::Lock(of, incoming, held.lock.number)));
        }
        self.dirty.extend(channel.unacked.iter().map(|sent| Key::Unacked(of, sent.nonce)));
        self.dirty.extend(channel.disposed.iter().map(|hash| Key::Disposed(of, *hash)));
        if !channel.unacked.is_empty() {
            self.sent_at.insert(*id, self.now);
        }
    }

    /// Whatever was signed since the copy was taken is forgotten.
    pub(super) fn was_put_back(&mut self) {
        let known: Vec<ChannelId> = self
            .channels
            .values()
            .filter(|channel| !channel.is_behind() && Guard::KnownOld.holds())
            .map(|it| it.of.channel)
            .collect();
        for id in known {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.standing = Standing::Behind;
            }
            self.fell_behind(id);
        }
    }

    /// It has turned out that the holder's memory of a channel is old.
    pub(super) fn fell_behind(&mut self, id: ChannelId) {
        self.consents.insert(id);
        self.touch(&id);
        self.stirred.insert(id);
        self.tell(Notice::Behind(id));
    }

    /// A channel in which no update is signed any more: whoever waits for it looks elsewhere, and it is ended together as soon as
    /// nothing is pending.
    pub(super) fn part(&mut self, id: ChannelId) {
        self.fail_queue(id, Reason::NoWay);
        if !self.channels.get(&id).is_some_and(|channel| channel.in_step) {
            return;
        }
        if self.asked.contains_key(&id) {
            self.grant_close(id);
        } else {
            self.drained(id);
        }
    }

    /// A lock that was remembered as pending is not any more.
    fn ended_unseen(&mut self, id: ChannelId, incoming: bool, held: &Held) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, number) = (channel.of, held.lock.number);
        let flow = if incoming { &channel.incoming } else { &channel.outgoing };
        let row = Row::Gone(Box::new(held.clone()), flow.nonce);
        self.history.push(Write { key: Key::Gone(of, incoming, number), row: Some(row) });
        self.dirty.insert(Key::Lock(of, incoming, number));
        self.unindex(Place { channel: id, incoming, number }, &held.lock.secret_hash);
    }

    /// An incoming lock ended while it was forgotten. What was claimed was paid, if so much was.
    fn was_forgotten_in(&mut self, id: ChannelId, held: &Held, paid: crate::Units) {
        match (&held.state, &held.link) {
            (LockState::Known(_), Link::Mine(payment)) if paid >= held.lock.amount => {
                self.was_paid_by(id, held.lock.number, *payment, held);
            }
            (_, _) => self.lapsed(held),
        }
    }

    /// An outgoing lock ended while it was forgotten. If it can have been paid it counts as paid: tried anew, it would be paid
    /// twice. Else its payment may be on another way by now, and waits for what is shown of that. A lock that a mediator had on its account stays as it is; what becomes of it upstream shows there.
    fn was_forgotten_out(&mut self, held: &Held, paid: crate::Units) {
        let Link::Payment(payment) = held.link else { return };
        let outcome = match &held.state {
            LockState::Known(secret) => Outcome::Paid(Some(secret.clone())),
            LockState::Waiting if paid >= held.lock.amount => Outcome::Paid(None),
            LockState::Waiting | LockState::Disposed(_) => {
                self.doubt.begin(payment);
                self.next_way(payment, Reason::NoWay);
                return self.find_again(payment);
            }
        };
        self.end(payment, outcome);
    }

    fn now_pending(&mut self, id: ChannelId, incoming: bool, added: &[crate::LockNo]) {
        for number in added {
            let place = Place { channel: id, incoming, number: *number };
            let Some(channel) = self.channels.get(&id) else { return };
            let flow = if incoming { &channel.incoming } else { &channel.outgoing };
            let Some(held) = flow.lock(*number).cloned() else { continue };
            self.index(place, &held);
            self.touch_lock(&place);
        }
    }
}
