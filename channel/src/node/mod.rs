//! All channels of one account on one chain: payments over them, and for others.
//!
//! The caller hands over what happens ([`Node::take`]), as much as has gathered, then asks for the step ([`Node::finish`]):
//! rows to be made durable in one transaction, and effects to be let out after it. Everything that one step does in a channel
//! goes under one proof, so that many payments cost one signature and one commit. After a crash [`Node::restore`] takes the live
//! rows and goes on where it was: what was not durable was never seen outside.
//!
//! What a mediator keeps to: an incoming lock is durable before the outgoing one leaves (they are in one step); it is never
//! signed away while an outgoing lock hangs on it; and a secret, however learned, is durable and claimed upstream at once.
//! Nobody is ever asked for a secret: the payee has it from its own request, or sealed with the lock, or from its owner. So a
//! hash that a stranger knows gives no power over a payment.

mod away;
mod doubt;
mod incoming;
mod learn;
mod outgoing;
mod pay;
mod remind;
mod restore;
mod room;
mod rows;
mod sight;
mod store;
mod talk;
mod together;
mod words;

pub use rows::{ChannelRow, Expected, FlowRow, Key, Payment, Progress, Row, Write};
pub use sight::Sight;
pub use words::{Effect, Event, Notice, Order, Outcome, Policy, Refused, Request, Tie, Way};

use crate::chain::{Registered, Stage, Tip, end_of};
use crate::channel::{Channel, Standing};
use crate::eip712::Domain;
use crate::flow::Held;
use crate::guard::Guard;
use crate::key::{ChannelId, ChannelRef};
use crate::lock::LockNo;
use crate::message::{Message, Reason};
use crate::node::away::Away;
use crate::node::doubt::Doubt;
use crate::seal::Seals;
use crate::sign::{KnownKey, Signer};
use crate::units::{Nonce, Units};
use crate::update::PaymentId;
use photon_chains::{Address, SecretHash, UnixTime};
use sight::Watch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most ways of one order.
const MOST_WAYS: usize = 100;

/// Where a pending lock is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    channel: ChannelId,
    incoming: bool,
    number: LockNo,
}

/// Why a lock was given back, and how many nodes further on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Blame {
    reason: Reason,
    hops: u8,
}

/// What waits for room in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Queue {
    /// Payments of the holder's that are made at once, and incoming locks that are to go onward here.
    quick: VecDeque<Queued>,
    /// Payments of the holder's that need a lock: they may wait until another one is gone, and hold nobody else up.
    locks: VecDeque<PaymentId>,
}

/// See [`Queue`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Queued {
    /// A payment of the holder's.
    Own(PaymentId),
    /// An incoming lock that is to go onward here.
    Forward(ChannelId, LockNo),
}

/// A node: see the module.
#[derive(Clone)]
pub struct Node {
    signer: Signer,
    domain: Domain,
    policy: Policy,
    now: UnixTime,
    tip: Tip,
    channels: BTreeMap<ChannelId, Channel>,
    neighbours: BTreeMap<Address, BTreeSet<ChannelId>>,
    registered: BTreeMap<SecretHash, Registered>,
    payments: BTreeMap<PaymentId, Payment>,
    /// Of these the rows are durable, or become so in this step; and of these they stay until the payment ends.
    written: BTreeSet<PaymentId>,
    kept: BTreeSet<PaymentId>,
    expected: BTreeMap<SecretHash, Expected>,
    /// Pending locks by their hash. A lock that ended on chain is not among them any more.
    places: BTreeMap<SecretHash, Vec<Place>>,
    queues: BTreeMap<ChannelId, Queue>,
    /// What is kept in channels for payments to come.
    rooms: BTreeMap<ChannelId, BTreeMap<PaymentId, Units>>,
    seals: Seals,
    /// Why pending locks were given back, for whoever finds ways: only a hint, so it is not kept over a restart.
    blamed: BTreeMap<Place, Blame>,
    /// Direct payments that an update carries, until it is acknowledged.
    carried: BTreeMap<(ChannelId, Nonce), Vec<PaymentId>>,
    /// When a pending lock wants to be looked at, and those that want it at every tip from now on.
    timers: BTreeSet<(UnixTime, Place)>,
    due: BTreeSet<Place>,
    away: Away,
    /// Channels with something under way: not acknowledged (since when), or not yet agreed, signed and mined.
    sent_at: BTreeMap<ChannelId, UnixTime>,
    consents: BTreeSet<ChannelId>,
    /// Neighbours that are there now.
    connected: BTreeSet<Address>,
    /// Channels whose counterparty is connected and has not said its first word yet.
    greeting: BTreeSet<ChannelId>,
    /// Channels that the counterparty wants to close, and its last update as it says.
    asked: BTreeMap<ChannelId, Nonce>,
    /// Locks of which the counterparty was told that their payer wants them back. Where this is forgotten, their payer says it again.
    recalls: BTreeSet<(ChannelId, LockNo)>,
    /// Since the last step.
    stirred: BTreeSet<ChannelId>,
    dirty: BTreeSet<Key>,
    history: Vec<Write>,
    acks: BTreeMap<ChannelId, Nonce>,
    effects: Vec<Effect>,
    /// Whether the chain is seen, and what goes on without it.
    watch: Watch,
    /// What may have been made after this memory ends.
    doubt: Doubt,
}

/// What one step leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be made durable in one transaction, before any effect is let out.
    pub writes: Vec<Write>,
    /// To be let out after that.
    pub effects: Vec<Effect>,
}

impl Node {
    /// A node without channels.
    pub fn new(signer: Signer, domain: Domain, policy: Policy) -> Self {
        Self {
            signer,
            domain,
            policy,
            now: UnixTime::default(),
            tip: Tip::default(),
            channels: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            registered: BTreeMap::new(),
            payments: BTreeMap::new(),
            written: BTreeSet::new(),
            kept: BTreeSet::new(),
            expected: BTreeMap::new(),
            places: BTreeMap::new(),
            queues: BTreeMap::new(),
            rooms: BTreeMap::new(),
            seals: Seals::default(),
            blamed: BTreeMap::new(),
            carried: BTreeMap::new(),
            timers: BTreeSet::new(),
            due: BTreeSet::new(),
            away: Away::default(),
            sent_at: BTreeMap::new(),
            consents: BTreeSet::new(),
            connected: BTreeSet::new(),
            greeting: BTreeSet::new(),
            asked: BTreeMap::new(),
            recalls: BTreeSet::new(),
            stirred: BTreeSet::new(),
            dirty: BTreeSet::new(),
            history: Vec::new(),
            acks: BTreeMap::new(),
            effects: Vec::new(),
            watch: Watch::default(),
            doubt: Doubt::default(),
        }
    }

    fn add_channel(&mut self, channel: Channel) {
        let id = channel.of.channel;
        self.neighbours.entry(channel.peer.address()).or_default().insert(id);
        if channel.wants_consent() {
            self.consents.insert(id);
        }
        self.channels.insert(id, channel);
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// A channel, to be looked at.
    pub fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.channels.get(id)
    }

    /// All channels.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// The channels with a neighbour.
    pub fn channels_with_peer(&self, peer: &Address) -> impl Iterator<Item = &Channel> {
        self.neighbours.get(peer).into_iter().flatten().filter_map(|id| self.channels.get(id))
    }

    /// The key of a neighbour, where it is known.
    pub fn key_of(&self, peer: &Address) -> Option<KnownKey> {
        self.channels_with_peer(peer).find_map(|channel| channel.peer.key())
    }

    /// Where the chain stood when it was last heard of.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// A payment of the holder's that has not ended.
    pub fn payment(&self, id: &PaymentId) -> Option<&Payment> {
        self.payments.get(id)
    }

    /// All of them, with their names.
    pub fn payments(&self) -> impl Iterator<Item = (&PaymentId, &Payment)> {
        self.payments.iter()
    }

    /// A request that has not ended.
    pub fn request(&self, hash: &SecretHash) -> Option<&Expected> {
        self.expected.get(hash)
    }

    /// What the registry has of a hash that something pending hangs on.
    pub fn registered(&self, hash: &SecretHash) -> Option<Registered> {
        self.registered.get(hash).copied()
    }

    /// Takes in what happened. Nothing leaves before [`Node::finish`].
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Clock(now) => self.clock(now),
            Event::Tip(tip) => self.moved(tip),
            Event::Sight(sight) => self.sighted(sight),
            Event::Registered { secret, at, is_deep } => self.was_registered(&secret, at, is_deep),
            Event::Unregistered(hash) => {
                self.registered.remove(&hash);
            }
            Event::Secret(secret) => self.learn(&secret),
            Event::Opened { key, epoch, peer, chain } => self.opened(key, epoch, peer.into(), chain, Standing::Active),
            Event::Found { key, epoch, peer, chain } => self.opened(key, epoch, peer, chain, Standing::Behind),
            Event::Remember(rows) => self.remember(rows),
            Event::PutBack => self.was_put_back(),
            Event::Chain(id, chain) => self.chain_changed(id, chain),
            Event::Connected(peer) => self.connected(peer),
            Event::Disconnected(peer) => self.disconnected(peer),
            Event::Message(from, message) => self.said(from, message),
            Event::Pay(order) => self.pay(order),
            Event::Keep(id) => {
                self.kept.insert(id);
            }
            Event::Ways(id, ways, reason) => self.more_ways(id, ways, reason),
            Event::Recall(id) => self.recall(id),
            Event::Expect(request) => self.expect_payment(request),
            Event::Release(secret) => self.release(&secret),
            Event::GiveUp(hash) => self.give_up(hash),
            Event::AskClose(id) => self.stop(id),
            Event::Resume(id) => self.resume(id),
            Event::AskWithdraw(id, amount) => self.ask_withdraw(id, amount),
        }
    }

    /// Does what has become possible or due, signs it, and says what is to be written and let out.
    pub fn finish(&mut self) -> Step {
        while let Some(id) = self.stirred.pop_first() {
            self.pump(id);
        }
        self.seal_all();
        self.say_ceilings();
        for (id, nonce) in std::mem::take(&mut self.acks) {
            if let Some(channel) = self.channels.get(&id) {
                let message = Message::Acknowledged { of: channel.of, nonce };
                self.effects.push(Effect::Send(channel.peer.address(), message));
            }
        }
        let mut writes = std::mem::take(&mut self.history);
        let dirty = std::mem::take(&mut self.dirty);
        // The next step may well be as large.
        self.history.reserve(writes.len());
        writes.reserve_exact(dirty.len());
        for key in dirty {
            let row = self.row(&key);
            if let Key::Payment(id) = key {
                let _ = if row.is_some() { self.written.insert(id) } else { self.written.remove(&id) };
            }
            writes.push(Write { key, row });
        }
        Step { writes, effects: std::mem::take(&mut self.effects) }
    }

    /// One signature for all that a channel's holder did in it since the last step.
    fn seal_all(&mut self) {
        let gathered: Vec<ChannelId> = self.dirty.iter().filter_map(dirty_channel).collect();
        for id in gathered {
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            let Some((update, commitment)) = channel.seal_committed(&self.signer) else { continue };
            let (of, peer) = (channel.of, channel.peer.address());
            let row = Row::Sent(channel.outgoing.transferred, commitment);
            self.history.push(Write { key: Key::Sent(of, update.nonce), row: Some(row) });
            self.dirty.insert(Key::Unacked(of, update.nonce));
            self.sent_at.entry(id).or_insert(self.now);
            self.effects.push(Effect::Send(peer, Message::Update(update)));
        }
    }

    /// A live row as it is now.
    fn row(&self, key: &Key) -> Option<Row> {
        let channel = |of: &ChannelRef| self.channels.get(&of.channel).filter(|channel| channel.of == *of);
        match key {
            Key::Channel(of) => channel(of).map(|channel| Row::Channel(Box::new(ChannelRow::of(channel)))),
            Key::Lock(of, incoming, number) => {
                let channel = channel(of)?;
                let flow = if *incoming { &channel.incoming } else { &channel.outgoing };
                flow.lock(*number).map(|held| Row::Lock(Box::new(held.clone())))
            }
            Key::Unacked(of, nonce) => {
                let sent = channel(of)?.unacked.iter().find(|sent| sent.nonce == *nonce)?;
                Some(Row::Unacked(sent.bytes.clone()))
            }
            Key::Disposed(of, hash) => channel(of)?.disposed.contains(hash).then_some(Row::Disposed),
            Key::Payment(id) => {
                let payment = self.payments.get(id).filter(|_| self.has_row(id));
                payment.map(|payment| Row::Payment(Box::new(payment.clone())))
            }
            Key::Request(hash) => self.expected.get(hash).map(|expected| Row::Request(Box::new(expected.clone()))),
            Key::Unseen(of) => self.watch.unseen_by(&channel(of)?.of.channel).map(Row::Unseen),
            Key::Sent(..) | Key::Gone(..) | Key::Outcome(_) | Key::Received(..) => None,
        }
    }

    fn tell(&mut self, notice: Notice) {
        self.effects.push(Effect::Tell(notice));
    }

    fn touch(&mut self, id: &ChannelId) {
        if let Some(channel) = self.channels.get(id) {
            self.dirty.insert(Key::Channel(channel.of));
        }
    }

    fn touch_lock(&mut self, place: &Place) {
        if let Some(channel) = self.channels.get(&place.channel) {
            self.dirty.insert(Key::Lock(channel.of, place.incoming, place.number));
        }
    }

    /// A lock is pending from now on, or again after a restart.
    fn index(&mut self, place: Place, held: &Held) {
        let hash = held.lock.secret_hash;
        let places = self.places.entry(hash).or_default();
        if places.is_empty() {
            self.effects.push(Effect::Watch(hash));
        }
        places.push(place);
        let at = if place.incoming {
            // Where the end needs its block too, a halt puts it off.
            let halt_secs = held.lock.expiry.closes.map_or(0, |_| self.policy.halt_secs);
            let early_secs = self.policy.reveal_margin_secs.saturating_add(halt_secs);
            end_of(&held.lock.expiry).minus_secs(Guard::RegisterInTime.keeps(early_secs))
        } else {
            held.lock.expiry.opens_time.plus_secs(self.policy.expire_patience_secs)
        };
        self.timers.insert((at, place));
    }

    /// Why a lock was given back, as far as is remembered.
    fn blame(&self, place: &Place) -> Blame {
        self.blamed.get(place).copied().unwrap_or(Blame { reason: Reason::Onward, hops: 0 })
    }

    /// A lock is not pending any more.
    fn unindex(&mut self, place: Place, hash: &SecretHash) {
        self.due.remove(&place);
        if place.incoming {
            self.blamed.remove(&place);
        } else {
            self.recalls.remove(&(place.channel, place.number));
        }
        let Some(places) = self.places.get_mut(hash) else { return };
        places.retain(|other| *other != place);
        if places.is_empty() {
            self.places.remove(hash);
            self.registered.remove(hash);
            self.effects.push(Effect::Unwatch(*hash));
        } else if !place.incoming {
            // What was kept for its sake may be signed away now.
            let others: Vec<ChannelId> = places.iter().filter(|other| other.incoming).map(|other| other.channel).collect();
            self.stirred.extend(others);
        }
    }

    /// Whether an outgoing lock of the holder's with this hash may still be paid.
    fn hangs(&self, hash: &SecretHash) -> bool {
        self.places.get(hash).is_some_and(|places| places.iter().any(|place| !place.incoming))
    }

    fn is_open(&self, id: &ChannelId) -> bool {
        self.channels.get(id).is_some_and(|channel| channel.chain.stage == Stage::Open)
    }

    /// The latest of all clocks: what must not be done after a time is judged by it.
    fn latest(&self) -> UnixTime {
        self.now.max(self.tip.latest.time)
    }
}

fn dirty_channel(key: &Key) -> Option<ChannelId> {
    match key {
        Key::Channel(of) => Some(of.channel),
        Key::Lock(..)
        | Key::Unacked(..)
        | Key::Disposed(..)
        | Key::Payment(_)
        | Key::Request(_)
        | Key::Unseen(_)
        | Key::Sent(..)
        | Key::Gone(..)
        | Key::Outcome(_)
        | Key::Received(..) => None,
    }
}
