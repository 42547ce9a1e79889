//! Neighbours: connections, and what they say.

use crate::channel::{Breach, Refusal};
use crate::codec::Wire;
use crate::flow::LockState;
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::lock::LockNo;
use crate::message::{Greeting, Message, SignedProof};
use crate::node::words::{Effect, Notice, Outcome};
use crate::node::{Blame, Key, Node, Place, Sight};
use crate::sign::Signature;
use crate::units::Nonce;
use crate::update::Update;
use photon_chains::Address;

impl Node {
    pub(super) fn channels_with(&self, peer: &Address) -> Vec<ChannelId> {
        self.neighbours.get(peer).into_iter().flatten().copied().collect()
    }

    pub(super) fn connected(&mut self, peer: Address) {
        self.disconnected(peer);
        self.connected.insert(peer);
        for id in self.channels_with(&peer) {
            self.greeting.insert(id);
            self.greet(&id);
        }
    }

    pub(super) fn greet(&mut self, id: &ChannelId) {
        // Whoever is greeted begins to pay: that waits until the chain was looked at.
        let Some(channel) = self.channels.get(id).filter(|_| self.sight() != Sight::Awaited) else { return };
        self.effects.push(Effect::Send(channel.peer.address(), channel.hello()));
        self.watch.forget_told(id);
        self.say_ceiling(id);
    }

    pub(super) fn disconnected(&mut self, peer: Address) {
        self.connected.remove(&peer);
        for id in self.channels_with(&peer) {
            self.asked.remove(&id);
            self.greeting.remove(&id);
            self.watch.forget_said(&id);
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            if std::mem::take(&mut channel.in_step) {
                self.wait_for(id);
            }
        }
    }

    /// A message about a channel that the speaker is no party of, or about another life of it, is nothing.
    pub(super) fn said(&mut self, from: Address, message: Message) {
        let of = message.of();
        let id = of.channel;
        if self.channels.get(&id).is_none_or(|channel| channel.of != of || channel.peer.address() != from) {
            return;
        }
        match message {
            Message::Hello { sent, received, waits, held, .. } => {
                let was_greeted = self.channels.get(&id).is_some_and(|channel| channel.in_step);
                self.greeted(id, received, held.as_ref());
                self.remind(&id, sent, received);
                if waits && was_greeted {
                    self.greet(&id);
                }
            }
            Message::Update(update) => self.updated(id, &update),
            Message::Acknowledged { nonce, .. } => self.acknowledged(id, nonce),
            Message::Refused { .. } => self.tell(Notice::Breach(id)),
            Message::Reveal { number, secret, .. } => self.revealed(id, number, &secret),
            Message::Dispose { number, reason, hops, signature, .. } => {
                self.disposed(id, number, Blame { reason, hops }, &signature);
            }
            Message::Recall { number, .. } => self.recalled(id, number),
            Message::Ceiling { most, .. } => self.ceiling_heard(id, most),
            Message::AskClose { sent, .. } => self.close_asked(id, sent),
            Message::GrantClose { sent, received, deadline, signature, .. } => {
                self.close_granted(id, sent, received, deadline, signature);
            }
            Message::AskWithdraw { number, amount, deadline, .. } => self.withdraw_asked(id, number, amount, deadline),
            Message::GrantWithdraw { number, signature, .. } => self.withdraw_granted(id, number, signature),
            Message::Remind { sure, own, yours, .. } => self.reminded(id, sure, own.as_deref(), yours.as_deref()),
        }
    }

    fn greeted(&mut self, id: ChannelId, received: Nonce, held: Option<&SignedProof>) {
        self.watch.forget_heard(&id);
        self.doubt.hear(id, received);
        let Some(channel) = self.channels.get_mut(&id) else { return };
        self.away.end(&id);
        match channel.greeted(received, held, &self.signer) {
            Greeting::Behind => {
                self.greeting.remove(&id);
                self.fell_behind(id);
            }
            Greeting::Resend(arrived) => {
                self.greeting.remove(&id);
                arrived.iter().for_each(|sent| self.arrived(id, sent.nonce));
                self.say_again(id);
                self.stirred.insert(id);
            }
        }
    }

    /// Everything that a neighbour may have missed.
    pub(super) fn say_again(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id).filter(|_| Guard::SayAgain.holds()) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        let mut messages: Vec<Message> =
            channel.unacked.iter().filter_map(|sent| Update::from_bytes(&sent.bytes).ok()).map(Message::Update).collect();
        for held in &channel.incoming.locks {
            let number = held.lock.number;
            match &held.state {
                LockState::Waiting => {}
                LockState::Known(secret) => messages.push(Message::Reveal { of, number, secret: secret.clone() }),
                LockState::Disposed(signature) => {
                    let Blame { reason, hops } = self.blame(&Place { channel: id, incoming: true, number });
                    messages.push(Message::Dispose { of, number, reason, hops, signature: *signature });
                }
            }
        }
        if !channel.unacked.is_empty() {
            self.sent_at.insert(id, self.now);
        }
        self.effects.extend(messages.into_iter().map(|message| Effect::Send(peer, message)));
        self.consent_again(id);
        self.recall_again(id);
    }

    fn updated(&mut self, id: ChannelId, update: &Update) {
        if self.must_wait(&id, update) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        match channel.receive(update, &self.tip, &self.registered) {
            Ok(changes) => {
                self.touch(&id);
                self.acks.insert(id, update.nonce);
                // Whoever goes on paying does not want to close any more.
                self.asked.remove(&id);
                for (place, change) in (0u16..).zip(changes) {
                    self.took(id, LockNo::new(update.nonce, place), change);
                }
                self.stirred.insert(id);
            }
            Err(Refusal::Answer(nonce) | Refusal::Gap(nonce)) => {
                self.acks.insert(id, nonce);
            }
            Err(Refusal::Later(_)) => {}
            Err(Refusal::Breach(_)) => {
                self.effects.push(Effect::Send(peer, Message::Refused { of, nonce: update.nonce }));
                self.tell(Notice::Breach(id));
            }
        }
    }

    fn acknowledged(&mut self, id: ChannelId, nonce: Nonce) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if nonce > channel.outgoing.nonce {
            return;
        }
        for sent in channel.acknowledged(nonce) {
            self.arrived(id, sent.nonce);
        }
        self.stirred.insert(id);
    }

    /// An update is with the counterparty for good: what it paid at once is paid.
    pub(super) fn arrived(&mut self, id: ChannelId, nonce: Nonce) {
        let Some(channel) = self.channels.get(&id) else { return };
        self.dirty.insert(Key::Unacked(channel.of, nonce));
        if channel.unacked.is_empty() {
            self.sent_at.remove(&id);
        } else {
            self.sent_at.insert(id, self.now);
        }
        for payment in self.carried.remove(&(id, nonce)).unwrap_or_default() {
            self.end(payment, Outcome::Paid(None));
        }
    }

    /// The counterparty signs a lock of the holder's away.
    fn disposed(&mut self, id: ChannelId, number: LockNo, blame: Blame, signature: &Signature) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        match channel.take_disposal(number, signature) {
            Ok(true) => self.was_disposed(id, number, blame),
            Ok(false) => {}
            Err(Breach::Address | Breach::Batch | Breach::Signature | Breach::Op(_)) => self.tell(Notice::Breach(id)),
        }
    }
}
