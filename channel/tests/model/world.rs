//! Three nodes in a line, one payment over them, one clock: small enough to try everything.

use crate::setup::{Setup, Who, domain, expiry_tick, moment, policy, signer};
use photon_chains::{Expiry, Secret};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};

pub const COUNT: usize = 3;
const PAYER: usize = 0;
const MEDIATOR: usize = 1;
const PAYEE: usize = 2;
/// Who speaks to whom.
const WIRES: [(usize, usize); 4] = [(0, 1), (1, 0), (1, 2), (2, 1)];
pub const AMOUNT: u64 = 1_000;
const DEPOSIT: u64 = 10_000;

/// One step of the world.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// A message arrives: the oldest of an honest party's, any of a dishonest one's.
    Deliver(usize, usize),
    /// A block, and these hear of it.
    Tick([bool; COUNT]),
    /// Killed, and started again from its disk.
    Crash(usize),
    /// A secret that a dishonest party knows goes into the next block.
    Register,
}

#[derive(Clone)]
struct Place {
    node: Node,
    disk: BTreeMap<Key, Row>,
    history: BTreeMap<Key, Row>,
    is_there: bool,
    heard: u64,
    told: Option<bool>,
}

/// Everything. Two worlds are the same where their disks, wires, clocks and what each node has heard are.
#[derive(Clone)]
pub struct World {
    places: Vec<Place>,
    wires: [Vec<Message>; 4],
    pub tick: u64,
    crashes: u8,
    away: [u8; COUNT],
    registered: Option<u64>,
    mempool: bool,
    said: BTreeMap<(ChannelRef, Side, Nonce), Vec<u8>>,
    pub is_torn: bool,
    key: Vec<u8>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wires: Vec<usize> = self.wires.iter().map(Vec::len).collect();
        write!(f, "tick {} wires {wires:?} registered {:?} key {:x?}", self.tick, self.registered, keccak(&self.key).first())
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for World {}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

fn key_of(one: usize, other: usize) -> ChannelKey {
    ChannelKey::new(None, signer(one).address(), signer(other).address(), Window::SHORTEST).unwrap()
}

pub fn payment() -> PaymentId {
    PaymentId::from_bytes([7; 16])
}

/// The payee's secret, of its own request.
pub fn secret() -> Secret {
    Secret::from_bytes([5; 32])
}

impl World {
    /// All have greeted each other; the order is given.
    pub fn new(setup: &Setup) -> Self {
        let places = (0..COUNT)
            .map(|own| Place {
                node: Node::new(signer(own), domain(), policy(setup)),
                disk: BTreeMap::new(),
                history: BTreeMap::new(),
                is_there: true,
                heard: 0,
                told: None,
            })
            .collect();
        let mut world = Self {
            places,
            wires: Default::default(),
            tick: 0,
            crashes: 0,
            away: [0; COUNT],
            registered: None,
            mempool: false,
            said: BTreeMap::new(),
            is_torn: false,
            key: Vec::new(),
        };
        for (one, other) in [(PAYER, MEDIATOR), (MEDIATOR, PAYEE)] {
            let holdings = Holdings { total: Units::from(2 * DEPOSIT), net_a: i128::from(DEPOSIT) };
            let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
            for (own, peer) in [(one, other), (other, one)] {
                let peer = signer(peer).known();
                world.give(setup, own, Event::Opened { key: key_of(one, other), epoch: Epoch(1), peer, chain });
            }
        }
        (0..COUNT).for_each(|own| world.hear(setup, own));
        for (own, peer) in WIRES {
            world.give(setup, own, Event::Connected(signer(peer).address()));
        }
        world.deliver_all(setup);
        let hash = secret().hash();
        let request = Request {
            secret_hash: hash,
            amount: Units::from(AMOUNT),
            payment: payment(),
            secret: Some(secret()),
            least_secs: 0,
            until: None,
        };
        world.give(setup, PAYEE, Event::Expect(request));
        let expiry = |tick| Expiry {
            linked: setup.linked,
            closes: (!setup.linked).then_some(moment(tick).time),
            opens_block: moment(tick).block,
            ..Expiry::at(moment(tick).time)
        };
        let (last, first) = (expiry_tick(setup), expiry_tick(setup) + setup.slack);
        let hop = Hop { to: signer(PAYEE).address(), amount: Units::from(AMOUNT), expiry: expiry(last) };
        let amount = Units::from(AMOUNT + 10);
        let way = Way { channel: key_of(PAYER, MEDIATOR).id(), amount, expiry: expiry(first), onward: vec![hop] };
        let (payee, most_fee) = (signer(PAYEE).known(), Units::from(10));
        let order = Order {
            id: payment(),
            token: None,
            payee,
            amount: Units::from(AMOUNT),
            most_fee,
            tie: Tie::Hash(hash),
            ways: vec![way],
            searches: 0,
        };
        world.give(setup, PAYER, Event::Pay(order));
        world.seal();
        world
    }

    fn give(&mut self, setup: &Setup, own: usize, event: Event) {
        setup.as_party(own, || self.places[own].node.take(event));
        self.step(setup, own);
    }

    fn step(&mut self, setup: &Setup, own: usize) {
        let step = setup.as_party(own, || self.places[own].node.finish());
        let place = &mut self.places[own];
        for Write { key, row } in step.writes {
            let rows = if key.is_live() { &mut place.disk } else { &mut place.history };
            match row {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        for effect in step.effects {
            match effect {
                Effect::Send(to, message) => self.send(setup, own, &to, message),
                Effect::Register(..) => self.mempool |= self.registered.is_none(),
                Effect::Watch(_) | Effect::Unwatch(_) | Effect::Tell(_) => {}
                Effect::CloseTogether(..) | Effect::Withdraw(..) | Effect::FindWays(..) => {}
            }
        }
    }

    fn send(&mut self, setup: &Setup, own: usize, to: &photon_chains::Address, message: Message) {
        if let (Message::Update(update), Who::Honest) = (&message, setup.who(own)) {
            let bytes = update.to_bytes();
            let before = self.said.entry((update.of, update.payer, update.nonce)).or_insert_with(|| bytes.clone());
            self.is_torn |= *before != bytes;
        }
        let Some(wire) = WIRES.iter().position(|(from, peer)| *from == own && signer(*peer).address() == *to) else { return };
        let is_up = self.places.iter().all(|place| place.is_there);
        // What Mallory says once more adds nothing to what she may say already.
        let is_new = setup.who(own) == Who::Honest || !self.wires[wire].contains(&message);
        if is_up && is_new {
            self.wires[wire].push(message);
        }
    }

    /// One node hears of the newest block.
    fn hear(&mut self, setup: &Setup, own: usize) {
        let latest = moment(self.tick);
        let deep = moment(self.tick.saturating_sub(setup.depth));
        if let Some(at) = self.registered.filter(|at| *at <= self.tick) {
            let is_deep = moment(at).time <= deep.time;
            if self.places[own].told != Some(is_deep) {
                self.places[own].told = Some(is_deep);
                let event = Event::Registered { secret: secret(), at: moment(at), is_deep };
                setup.as_party(own, || self.places[own].node.take(event));
            }
        }
        self.places[own].heard = self.tick;
        setup.as_party(own, || {
            self.places[own].node.take(Event::Clock(latest.time));
            self.places[own].node.take(Event::Tip(Tip { latest, deep }));
        });
        self.step(setup, own);
    }

    fn crash(&mut self, setup: &Setup, own: usize) {
        let rows = self.places[own].disk.iter().map(|(key, row)| (*key, row.clone()));
        self.places[own].node = setup.as_party(own, || Node::restore(signer(own), domain(), policy(setup), rows));
        self.places[own].told = None;
        for (from, to) in WIRES.into_iter().filter(|(from, to)| *from == own || *to == own) {
            let wire = WIRES.iter().position(|wire| *wire == (from, to)).unwrap();
            self.wires[wire].clear();
        }
        for (from, to) in WIRES.into_iter().filter(|(from, to)| *from == own || *to == own) {
            self.give(setup, from, Event::Connected(signer(to).address()));
        }
        self.hear(setup, own);
    }

    fn deliver(&mut self, setup: &Setup, wire: usize, at: usize) {
        let message = self.wires[wire].remove(at);
        let (from, to) = WIRES[wire];
        self.give(setup, to, Event::Message(signer(from).address(), message));
    }

    fn deliver_all(&mut self, setup: &Setup) {
        while let Some(wire) = (0..4).find(|wire| !self.wires[*wire].is_empty()) {
            self.deliver(setup, wire, 0);
        }
    }

    fn mine(&mut self) {
        self.tick += 1;
        if std::mem::take(&mut self.mempool) && self.registered.is_none() {
            self.registered = Some(self.tick);
        }
    }

    pub fn moves(&self, setup: &Setup, out: &mut Vec<Move>) {
        for (wire, (from, _)) in WIRES.into_iter().enumerate() {
            let count = if setup.who(from) == Who::Honest { self.wires[wire].len().min(1) } else { self.wires[wire].len() };
            out.extend((0..count).map(|at| Move::Deliver(wire, at)));
        }
        let is_quiet = self.wires.iter().all(Vec::is_empty);
        if self.tick < setup.last_tick() && (is_quiet || !setup.is_prompt) {
            out.push(Move::Tick([true; COUNT]));
            for own in (0..COUNT).filter(|own| self.away[*own] < setup.away && setup.who(*own) == Who::Honest) {
                let mut hears = [true; COUNT];
                hears[own] = false;
                out.push(Move::Tick(hears));
            }
        }
        if self.crashes < setup.crashes {
            let dies = |own: &usize| setup.who(*own) == Who::Honest && setup.dies.is_none_or(|dies| dies == *own);
            out.extend((0..COUNT).filter(dies).map(Move::Crash));
        }
        let knows = setup.who(PAYEE) != Who::Honest;
        if knows && self.registered.is_none() && !self.mempool {
            out.push(Move::Register);
        }
    }

    pub fn next(&self, setup: &Setup, step: Move) -> Self {
        let mut next = self.clone();
        match step {
            Move::Deliver(wire, at) => next.deliver(setup, wire, at),
            Move::Tick(hears) => {
                next.mine();
                for (own, hears) in hears.into_iter().enumerate() {
                    if hears {
                        next.hear(setup, own);
                    } else {
                        next.away[own] += 1;
                    }
                }
            }
            Move::Crash(own) => {
                next.crashes += 1;
                next.crash(setup, own);
            }
            Move::Register => next.mempool = true,
        }
        next.seal();
        next
    }

    /// What makes two worlds the same.
    fn seal(&mut self) {
        let mut key = vec![self.tick as u8, self.crashes, u8::from(self.mempool), u8::from(self.is_torn)];
        key.extend(self.away);
        key.extend(self.registered.unwrap_or(u64::MAX).to_be_bytes());
        for place in &self.places {
            key.push(place.heard as u8);
            key.push(place.told.map_or(2, u8::from));
            key.extend(place.node.channels().map(|channel| u8::from(channel.in_step)));
            for row in place.disk.values() {
                row.put(&mut key);
            }
            key.push(place.history.len() as u8);
        }
        for wire in &self.wires {
            key.push(wire.len() as u8);
            wire.iter().for_each(|message| message.put(&mut key));
        }
        self.key = key;
    }

    pub fn is_over(&self, setup: &Setup) -> bool {
        self.tick == setup.last_tick()
    }

    /// Nothing fails any more: messages arrive, and blocks come, until nothing changes.
    pub fn settled(&self, setup: &Setup) -> Self {
        let mut world = self.clone();
        for _ in 0..setup.slack + 6 {
            // What Mallory has not said by now she never says.
            for (wire, (from, _)) in WIRES.into_iter().enumerate() {
                if setup.who(from) != Who::Honest {
                    world.wires[wire].clear();
                }
            }
            let honest =
                |world: &Self| (0..4).find(|wire| setup.who(WIRES[*wire].0) == Who::Honest && !world.wires[*wire].is_empty());
            while let Some(wire) = honest(&world) {
                world.deliver(setup, wire, 0);
            }
            world.mine();
            (0..COUNT).for_each(|own| world.hear(setup, own));
        }
        world
    }

    /// What a party has gained, were every channel closed now: a lock registered in time is the payee's.
    pub fn gain(&self, own: usize) -> i128 {
        let is_taken = |held: &&Held| self.registered.is_some_and(|at| is_in_time(&held.lock.expiry, &moment(at)));
        let locks = |held: &VecDeque<Held>| -> i128 { held.iter().filter(is_taken).map(|held| held.lock.amount.signed()).sum() };
        let channels = self.places[own].node.channels();
        let sum = channels.map(|channel| {
            let (incoming, outgoing) = (&channel.incoming, &channel.outgoing);
            incoming.transferred.signed() - outgoing.transferred.signed() + locks(&incoming.locks) - locks(&outgoing.locks)
        });
        sum.sum()
    }

    pub fn pending(&self, own: usize) -> usize {
        let channels = self.places[own].node.channels();
        channels.map(|channel| channel.incoming.locks.len() + channel.outgoing.locks.len() + channel.unacked.len()).sum()
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match self.places[PAYER].history.get(&Key::Outcome(payment()))? {
            Row::Outcome(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the payee has shown its secret, as its own rows say.
    pub fn has_shown(&self) -> bool {
        let held = self.places[PAYEE].node.channels().flat_map(|channel| &channel.incoming.locks);
        held.into_iter().any(|held| matches!(held.state, LockState::Known(_)))
            || self.places[PAYEE].history.keys().any(|key| matches!(key, Key::Received(..)))
    }

    pub fn is_lost(&self) -> bool {
        let gone = self.places[PAYEE].history.values();
        gone.into_iter().any(|row| {
            matches!(row, Row::Gone(held, _) if matches!(held.state, LockState::Known(_)))
                && !self.places[PAYEE].history.keys().any(|key| matches!(key, Key::Received(..)))
        })
    }
}
