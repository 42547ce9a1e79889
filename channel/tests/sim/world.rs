//! Parties, the wires between them, and what each of them hears of the chain and sends to it.

use crate::chain::{BLOCK_SECS, Chain, What};
use crate::mallory::Malice;
use crate::party::{AWAY_SECS, POLICY, Party, Vice};
use crate::rng::Rng;
use photon_chains::{Address, SecretHash, UnixTime};
use photon_channel::contract::{Brought, Call, Consent, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

pub const DEPOSIT: u64 = 1_000_000;

/// How bad it is, in percent.
#[derive(Copy, Clone)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub crash: u64,
    pub away: u64,
    pub cut: u64,
    /// A channel is closed by one side alone, as an honest owner may.
    pub close: u64,
    /// Both are asked to close, or money is taken out or paid in.
    pub wish: u64,
    pub reorg: u64,
    pub spike: u64,
}

impl Faults {
    pub const NONE: Faults =
        Faults { lost: 0, doubled: 0, reordered: 0, crash: 0, away: 0, cut: 0, close: 0, wish: 0, reorg: 0, spike: 0 };
    pub const BAD: Faults =
        Faults { lost: 3, doubled: 5, reordered: 5, crash: 2, away: 2, cut: 3, close: 1, wish: 4, reorg: 6, spike: 4 };
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An honest party has less than it should.
    Loss(String),
    /// An invariant, by its number.
    Invariant(usize, String),
    /// A channel between honest parties can't be used any more, or something never ends.
    Unusable(String),
}

pub struct Link {
    pub one: usize,
    pub other: usize,
    pub key: ChannelKey,
}

pub struct World {
    pub rng: Rng,
    pub chain: Chain,
    pub parties: Vec<Party>,
    pub links: Vec<Link>,
    wires: BTreeMap<(usize, usize), VecDeque<Message>>,
    connected: BTreeMap<(usize, usize), bool>,
    pub faults: Faults,
    pub malice: Malice,
    /// Every update that was ever let out, by channel, payer and nonce.
    said: BTreeMap<(ChannelRef, Side, Nonce), Vec<u8>>,
    pub wrong: Option<Wrong>,
    pub ends_of_channels: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(seed: u64, count: usize, links: &[(usize, usize)], faults: Faults, vices: &[(usize, Vice)]) -> Self {
        let mut parties: Vec<Party> = (0..count).map(|at| Party::new(at as u8 + 1)).collect();
        vices.iter().for_each(|(at, vice)| parties[*at].vice = *vice);
        let mut world = Self {
            rng: Rng::new(seed),
            chain: Chain::new(seed),
            parties,
            links: Vec::new(),
            wires: BTreeMap::new(),
            connected: BTreeMap::new(),
            faults,
            malice: Malice::default(),
            said: BTreeMap::new(),
            wrong: None,
            ends_of_channels: BTreeMap::new(),
        };
        for (one, other) in links {
            let key = ChannelKey::new(None, world.address(*one), world.address(*other), Window::SHORTEST).unwrap();
            world.links.push(Link { one: *one, other: *other, key });
            world.wires.insert((*one, *other), VecDeque::new());
            world.wires.insert((*other, *one), VecDeque::new());
            world.connected.insert((*one.min(other), *one.max(other)), false);
            [*one, *other].into_iter().for_each(|own| world.pay_in(own, key, DEPOSIT));
        }
        world
    }

    pub fn pay_in(&mut self, own: usize, key: ChannelKey, amount: u64) {
        let from = self.address(own);
        let of = key.side_of(&from).unwrap();
        let call = Call::Deposit { of, amount: u128::from(amount), brought: Brought::InFull };
        self.chain.send(from, What::Call(key, Box::new(call)));
    }

    pub fn address(&self, of: usize) -> Address {
        self.parties[of].signer.address()
    }

    pub fn at(&self, address: &Address) -> usize {
        self.parties.iter().position(|party| party.signer.address() == *address).unwrap()
    }

    pub fn now(&self) -> u64 {
        self.chain.tip().latest.time.secs()
    }

    pub fn is_there(&self, own: usize) -> bool {
        self.parties[own].away_until <= self.now()
    }

    pub fn is_honest(&self, link: &Link) -> bool {
        self.parties[link.one].is_honest() && self.parties[link.other].is_honest()
    }

    /// Nothing of an honest party's waits to be mined.
    pub fn is_idle(&self) -> bool {
        let mut honest = self.parties.iter().filter(|party| party.is_honest());
        honest.all(|party| self.chain.is_idle_for(&party.signer.address()))
    }

    /// Whether a channel that somebody dishonest has closed holds nothing of this party's any more. What is left is hers to fetch.
    pub fn is_done_with(&self, channel: &Channel) -> bool {
        let peer = self.at(&channel.peer.address());
        let latest = self.chain.latest();
        let is_hers = !self.parties[peer].is_honest() && channel.chain.stage == Stage::Closed;
        let Some(Slot::Closed(state)) = latest.contract.slot(&channel.of.channel) else { return is_hers };
        let (own, other) = (channel.side, channel.side.other());
        let is_owed = !state.split().paid.of(own).is_zero() || Party::known(channel).next().is_some();
        is_hers && !is_owed && state.incomes.of(other).pending().is_zero()
    }

    pub fn fail(&mut self, wrong: Wrong) {
        self.wrong.get_or_insert(wrong);
    }

    /// An event comes in, and all that follows from it is made durable and let out, unless a crash comes between.
    pub fn give(&mut self, own: usize, event: Event) {
        self.parties[own].node.take(event);
        if self.rng.percent(70) {
            self.step(own);
        }
    }

    pub fn step(&mut self, own: usize) {
        let step = self.parties[own].node.finish();
        if !step.writes.is_empty() && self.rng.percent(self.faults.crash) {
            return self.crash(own);
        }
        let is_checked = self.rng.percent(5);
        self.parties[own].disk.commit(&step.writes, is_checked);
        let crashes_at = self.rng.percent(self.faults.crash).then(|| self.rng.between(0, step.effects.len() as u64) as usize);
        for (at, effect) in step.effects.into_iter().enumerate() {
            if crashes_at == Some(at) {
                return self.crash(own);
            }
            self.let_out(own, effect);
        }
        if self.rng.percent(2) {
            self.parties[own].check_disk();
        }
        if !self.parties[own].is_honest() {
            self.malice.hoard(&self.parties[own]);
        }
    }

    fn let_out(&mut self, own: usize, effect: Effect) {
        let vice = self.parties[own].vice;
        let from = self.address(own);
        match effect {
            Effect::Send(to, message) => {
                let to = self.at(&to);
                if let Message::Update(update) = &message {
                    if vice == Vice::Honest {
                        self.check_update(own, update);
                    }
                    if vice == Vice::NeverUnlocks && update.ops.iter().any(|op| matches!(op, Op::Unlock { .. })) {
                        return;
                    }
                }
                if matches!(message, Message::Reveal { .. }) && vice.keeps_secrets() {
                    return;
                }
                if vice == Vice::GoesSilent && self.chain.tip().latest.block.get() > 30 {
                    return;
                }
                self.push(own, to, message);
            }
            Effect::Watch(hash) => {
                self.parties[own].watched.insert(hash);
            }
            Effect::Unwatch(hash) => {
                self.parties[own].watched.remove(&hash);
                self.parties[own].told.remove(&hash);
            }
            Effect::Register(secret, end) => {
                let is_last = vice != Vice::RegistersLast || end.secs() < self.now() + 4 * BLOCK_SECS;
                let hash = secret.hash();
                if is_last && self.chain.latest().contract.registered(&hash).is_none() && !self.chain.registers(&hash) {
                    self.chain.send(from, What::Register(secret));
                }
            }
            Effect::CloseTogether(close, signature) => {
                let consent = Consent::Counterparty(signature);
                let call = Call::CooperativeClose { paid_to_a: close.paid_to_a, deadline: close.deadline, consent };
                self.send_consent(own, close.of, call);
            }
            Effect::Withdraw(withdraw, signature) => {
                let amounts = Both { a: withdraw.amount_a.get(), b: withdraw.amount_b.get() };
                let consent = Consent::Counterparty(signature);
                self.send_consent(own, withdraw.of, Call::Withdraw { amounts, deadline: withdraw.deadline, consent });
            }
            // Stories name all ways beforehand.
            Effect::FindWays(..) => {}
            Effect::Tell(notice) => {
                if let (Notice::Breach(id), true) = (&notice, vice == Vice::Honest) {
                    let peer = self.parties[own].node.channel(id).map(|channel| channel.peer.address());
                    if peer.is_some_and(|peer| self.parties[self.at(&peer)].is_honest()) {
                        self.fail(Wrong::Invariant(9, "an honest party is taken for a cheat".to_owned()));
                    }
                }
                self.parties[own].notices.push(notice);
            }
        }
    }

    fn send_consent(&mut self, own: usize, of: ChannelRef, call: Call) {
        let key = self.links.iter().map(|link| link.key).find(|key| key.id() == of.channel).unwrap();
        self.chain.send_once(self.parties[own].signer.address(), What::Call(key, Box::new(call)));
    }

    /// What an honest party lets out: never two different updates with one nonce, never less than its fee, never more than it has.
    fn check_update(&mut self, own: usize, update: &Update) {
        let bytes = update.to_bytes();
        let before = self.said.entry((update.of, update.payer, update.nonce)).or_insert_with(|| bytes.clone());
        if *before != bytes {
            self.fail(Wrong::Invariant(3, "two different updates with one nonce".to_owned()));
        }
        let node = &self.parties[own].node;
        let Some(channel) = node.channel(&update.of.channel) else { return };
        let mut under = false;
        for (place, op) in (0u16..).zip(&update.ops) {
            let Op::Lock { amount, .. } = op else { continue };
            let held = channel.outgoing.lock(LockNo::new(update.nonce, place));
            let Some(photon_channel::Link::For { channel: from, number }) = held.map(|held| &held.link) else { continue };
            let incoming = node.channel(from).and_then(|channel| channel.incoming.lock(*number));
            let Some(incoming) = incoming else { continue };
            under |= incoming.lock.amount.signed() < amount.signed() + POLICY.fee(*amount).unwrap().signed();
        }
        let is_over = channel.free(channel.side) < 0 || channel.outgoing.locks.len() > MOST_LOCKS;
        if under {
            self.fail(Wrong::Invariant(12, "a mediator sends on for less than its fee".to_owned()));
        }
        if is_over {
            self.fail(Wrong::Invariant(6, "an honest party promises more than it has".to_owned()));
        }
    }

    pub fn push(&mut self, own: usize, to: usize, message: Message) {
        if self.rng.percent(3) && Message::from_bytes(&message.to_bytes()) != Ok(message.clone()) {
            self.fail(Wrong::Invariant(13, "a message does not come back from its bytes".to_owned()));
        }
        if self.is_connected(own, to) {
            self.wires.get_mut(&(own, to)).unwrap().push_back(message);
        }
    }

    fn is_connected(&self, one: usize, other: usize) -> bool {
        self.connected.get(&(one.min(other), one.max(other))).copied().unwrap_or(false)
    }

    pub fn cut(&mut self, one: usize, other: usize) {
        let is_connected = self.connected.get_mut(&(one.min(other), one.max(other))).unwrap();
        if !std::mem::replace(is_connected, false) {
            return;
        }
        for (own, peer) in [(one, other), (other, one)] {
            self.wires.get_mut(&(own, peer)).unwrap().clear();
            let peer = self.address(peer);
            self.parties[own].node.take(Event::Disconnected(peer));
            self.step(own);
        }
    }

    fn connect(&mut self, one: usize, other: usize) {
        if self.is_connected(one, other) || !self.is_there(one) || !self.is_there(other) {
            return;
        }
        self.connected.insert((one.min(other), one.max(other)), true);
        for (own, peer) in [(one, other), (other, one)] {
            let peer = self.address(peer);
            self.parties[own].node.take(Event::Connected(peer));
            self.step(own);
        }
    }

    pub fn crash(&mut self, own: usize) {
        self.parties[own].restart();
        let peers: Vec<usize> = self.wires.keys().filter(|(from, _)| *from == own).map(|(_, to)| *to).collect();
        peers.into_iter().for_each(|peer| self.cut(own, peer));
        let now = UnixTime::from_secs(self.now());
        self.parties[own].node.take(Event::Clock(now));
        self.step(own);
    }

    /// One message arrives somewhere, or is lost, doubled, or overtaken.
    pub fn deliver(&mut self) {
        let busy: Vec<(usize, usize)> = self.wires.iter().filter(|(_, wire)| !wire.is_empty()).map(|(key, _)| *key).collect();
        if busy.is_empty() {
            return;
        }
        let (from, to) = self.rng.pick(&busy);
        let is_over = self.rng.percent(self.faults.reordered);
        let is_double = self.rng.percent(self.faults.doubled);
        let is_lost = self.rng.percent(self.faults.lost);
        let wire = self.wires.get_mut(&(from, to)).unwrap();
        let at = if is_over { self.rng.between(0, wire.len() as u64 - 1) as usize } else { 0 };
        let mut message = if is_double { wire[at].clone() } else { wire.remove(at).unwrap() };
        if is_lost || !self.is_there(to) {
            return;
        }
        if self.parties[to].vice == Vice::Skims {
            Malice::skim(&mut message);
        }
        let from = self.address(from);
        self.give(to, Event::Message(from, message));
    }

    pub fn is_quiet(&self) -> bool {
        self.wires.values().all(VecDeque::is_empty)
    }

    /// What the chain says of one channel of a party's.
    fn hear_channel(&mut self, own: usize, key: ChannelKey) {
        let (latest, deep) = (self.chain.latest(), self.chain.deep());
        let id = key.id();
        let party = &self.parties[own];
        let Some(channel) = party.node.channel(&id) else {
            let Some(Slot::Open(open)) = deep.contract.slot(&id) else { return };
            let side = key.side_of(&party.signer.address()).unwrap();
            let peer = self.parties[self.at(key.parties().of(side.other()))].signer.known();
            let chain =
                OnChain { holdings: open.holdings, withdrawals: open.withdrawals, counted: Nonce::NONE, stage: Stage::Open };
            self.parties[own].node.take(Event::Opened { key, epoch: open.epoch, peer, chain });
            return self.step(own);
        };
        let (of, side) = (channel.of, channel.side);
        let same = |slot: Option<&Slot>| slot.filter(|slot| slot.epoch() == of.epoch).cloned();
        let is_open = matches!(same(latest.contract.slot(&id)), Some(Slot::Open(_))) && !party.closing.contains(&of);
        let there = same(deep.contract.slot(&id));
        let stage = match &there {
            None => Stage::Gone,
            Some(_) if is_open => Stage::Open,
            Some(_) => Stage::Closed,
        };
        let counted = match deep.fights.get(&of) {
            Some(fight) => *fight.nonces.of(side.other()),
            None if stage == Stage::Gone => Nonce::LAST,
            None => Nonce::NONE,
        };
        let (holdings, withdrawals) = match &there {
            Some(Slot::Open(open)) => (open.holdings, open.withdrawals),
            Some(Slot::Closed(_)) | None => (channel.chain.holdings, channel.chain.withdrawals),
        };
        let chain = OnChain { holdings, withdrawals, counted, stage };
        if chain == channel.chain {
            return;
        }
        self.parties[own].node.take(Event::Chain(id, chain));
        self.step(own);
        if stage == Stage::Gone && self.parties[own].node.channel(&id).is_none() {
            let how = if deep.fights.contains_key(&of) { "closed alone" } else { "closed together" };
            *self.ends_of_channels.entry(how).or_default() += 1;
        }
    }

    fn keys_of(&self, own: usize) -> Vec<ChannelKey> {
        self.links.iter().filter(|link| link.one == own || link.other == own).map(|link| link.key).collect()
    }

    fn hear_chain(&mut self, own: usize) {
        let tip = self.chain.tip();
        self.parties[own].node.take(Event::Clock(tip.latest.time));
        for key in self.keys_of(own) {
            self.hear_channel(own, key);
        }
        let latest = self.chain.latest();
        let watched: Vec<SecretHash> = self.parties[own].watched.iter().copied().collect();
        for hash in watched {
            let entry = latest.contract.registered(&hash).map(|at| (at, at.time <= tip.deep.time));
            let party = &mut self.parties[own];
            let told = party.told.get(&hash).copied();
            if told.is_some() && told.map(|(at, _)| at) != entry.map(|(at, _)| at) {
                party.told.remove(&hash);
                party.node.take(Event::Unregistered(hash));
            }
            let secret = latest.shown.get(&hash).cloned();
            match (entry, secret) {
                (Some((at, is_deep)), Some(secret)) if told != entry => {
                    party.told.insert(hash, (at, is_deep));
                    party.node.take(Event::Registered { secret, at, is_deep });
                }
                (None, Some(secret)) => party.node.take(Event::Secret(secret)),
                (_, _) => {}
            }
        }
        self.parties[own].node.take(Event::Tip(tip));
        self.step(own);
    }

    /// What a party does about channels that are closed, or must be.
    fn fight(&mut self, own: usize) {
        let from = self.address(own);
        let next = self.chain.next();
        let deep = self.chain.tip().deep;
        let latest = self.chain.latest();
        for key in self.keys_of(own) {
            let party = &self.parties[own];
            let Some(channel) = party.node.channel(&key.id()).filter(|_| !self.chain.waits(&from, &key.id())) else { continue };
            let entries: BTreeMap<SecretHash, Moment> =
                latest.shown.keys().filter_map(|hash| Some((*hash, latest.contract.registered(hash)?))).collect();
            let of = channel.of;
            let call = match latest.contract.slot(&of.channel) {
                Some(Slot::Open(open)) if open.epoch == of.epoch => {
                    let is_owed = channel.should_close(deep, &entries, 200);
                    let is_wanted = party.closing.contains(&of) || is_owed;
                    if is_wanted { channel.close_alone(next, &entries) } else { None }
                }
                Some(Slot::Closed(state)) if state.epoch == of.epoch => {
                    let fight = latest.fights.get(&of).cloned().unwrap_or_default();
                    party.next_call(channel, state, &fight, &entries, (next, deep))
                }
                Some(Slot::Open(_) | Slot::Closed(_)) | None => None,
            };
            let Some(call) = call else { continue };
            if matches!(call, Call::Close { .. }) {
                // Told, and durable, before it is sent: what is taken afterwards would be in no proof.
                self.parties[own].closing.insert(of);
                self.hear_channel(own, key);
                let is_told = self.parties[own].node.channel(&of.channel).is_some_and(|it| it.chain.stage == Stage::Closed);
                if !is_told {
                    // Killed over it: it closes at a later block.
                    continue;
                }
            }
            self.chain.send_once(from, What::Call(key, Box::new(call)));
        }
    }

    /// Its owner wants a channel closed.
    pub fn want_closed(&mut self, own: usize, id: &ChannelId) {
        let party = &mut self.parties[own];
        if let Some(of) = party.node.channel(id).filter(|channel| channel.chain.stage == Stage::Open).map(|channel| channel.of) {
            party.closing.insert(of);
        }
    }

    /// A block or several, and what happens with time.
    pub fn block(&mut self, count: u64) {
        (0..count).for_each(|_| self.chain.mine());
        if self.rng.percent(self.faults.reorg) {
            let mallories = self.parties.iter().filter(|party| !party.is_honest()).map(|party| party.signer.address());
            let mallories: Vec<Address> = mallories.collect();
            self.chain.reorg(&mallories);
        }
        if self.rng.percent(self.faults.spike) {
            self.chain.spike();
        }
        for own in 0..self.parties.len() {
            if !self.is_there(own) {
                continue;
            }
            if self.rng.percent(self.faults.away) {
                self.parties[own].away_until = self.now() + self.rng.between(BLOCK_SECS, AWAY_SECS);
                self.crash(own);
                continue;
            }
            self.hear_chain(own);
            if self.parties[own].is_honest() || !self.cheat(own) {
                self.fight(own);
            }
        }
        for at in 0..self.links.len() {
            let (one, other) = (self.links[at].one, self.links[at].other);
            if self.is_connected(one, other) && self.rng.percent(self.faults.cut) {
                self.cut(one, other);
            }
            self.connect(one, other);
        }
    }
}
