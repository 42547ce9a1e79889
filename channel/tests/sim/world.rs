//! Parties, the wires between them, and what each of them hears of the chain and sends to it.

use crate::chain::{BLOCK_SECS, Chain, What};
use crate::faults::Faults;
use crate::forget::{Loss, Memory};
use crate::mallory::Malice;
use crate::party::{AWAY_SECS, POLICY, Party, Vice};
use crate::rng::Rng;
use crate::waits::Waits;
use photon_chains::{Address, UnixTime};
use photon_channel::contract::{Brought, Call, Consent, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

pub const DEPOSIT: u64 = 1_000_000;

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
    /// How often something happened.
    pub met: BTreeMap<&'static str, u64>,
    /// Each channel that has ended, as a party knew it last.
    pub ended: BTreeMap<(usize, ChannelRef), Channel>,
    /// What the other side had paid in all, when a party heard that it is closed: what it hears later comes too late perhaps.
    pub held: BTreeMap<(usize, ChannelRef), Units>,
    pub waits: Waits,
    /// What is forgotten, and what is not seen.
    pub fate: Rng,
}

impl World {
    pub fn new(seed: u64, count: usize, links: &[(usize, usize)], faults: Faults, vices: &[(usize, Vice)]) -> Self {
        let mut parties: Vec<Party> = (0..count).map(|at| Party::new(at as u8 + 1)).collect();
        vices.iter().for_each(|(at, vice)| parties[*at].vice = *vice);
        let mut fate = Rng::new(seed ^ 0xfa7e);
        for party in &mut parties {
            party.memory = if faults.forget > 0 { Memory::of(&mut fate) } else { Memory::default() };
            party.sight.may_fail = faults.dark > 0;
            party.restart();
            party.crashes = 0;
        }
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
            met: BTreeMap::new(),
            ended: BTreeMap::new(),
            held: BTreeMap::new(),
            waits: Waits::default(),
            fate,
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

    /// Whether a closed channel with somebody dishonest holds nothing of this party's any more: what is left is hers to fetch. One who
    /// has forgotten does not claim what it may have signed away, and can't take back what it does not know of: that is held for good.
    pub fn is_done_with(&self, own_at: usize, channel: &Channel) -> bool {
        let peer = self.at(&channel.peer.address());
        let latest = self.chain.latest();
        let is_forgotten = [own_at, peer].iter().any(|own| self.parties[*own].memory.has_forgotten());
        let is_hers = (!self.parties[peer].is_honest() || is_forgotten) && channel.chain.stage == Stage::Closed;
        let Some(Slot::Closed(state)) = latest.contract.slot(&channel.of.channel) else { return is_hers };
        let (own, other) = (channel.side, channel.side.other());
        let fight = latest.fights.get(&channel.of).cloned().unwrap_or_default();
        let is_off = |payee: Side, held: &Held| fight.off.of(payee).contains(&held.lock.number);
        let is_owed = !state.split().paid.of(own).is_zero() || Party::known(channel).any(|(held, _)| !is_off(own, held));
        // By the word that counts, which may be an old one.
        let listed = self.parties[own_at].disk.list_at(channel.of, false, *fight.nonces.of(other));
        let is_earned = listed.iter().filter(|lock| !fight.off.of(other).contains(&lock.number)).all(|lock| {
            let entry = latest.contract.registered(&lock.secret_hash);
            entry.is_some_and(|at| is_in_time(&lock.expiry, &at))
        });
        let is_excused = is_earned || self.parties[own_at].memory.has_forgotten();
        is_hers && !is_owed && (state.incomes.of(other).pending().is_zero() || is_excused)
    }

    /// Whether either side of a channel has ever forgotten something.
    pub fn is_forgotten(&self, link: &Link) -> bool {
        [link.one, link.other].iter().any(|own| self.parties[*own].memory.has_forgotten())
    }

    /// Whether an honest party has a closed channel.
    pub fn is_any_closed(&self) -> bool {
        let mut honest = self.parties.iter().filter(|party| party.is_honest());
        honest.any(|party| party.node.channels().any(|channel| channel.chain.stage == Stage::Closed))
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
        if self.parties[own].is_honest() {
            self.check_unseen(own, &step.writes);
        }
        self.parties[own].disk.commit(&step.writes, is_checked);
        self.parties[own].memory.written();
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
                if vice == Vice::Honest {
                    self.check_signature(own, &message);
                }
                if let Message::Update(update) = &message {
                    if vice == Vice::Honest {
                        self.check_update(own, update);
                    }
                    if vice.keeps_unlocks() && update.ops.iter().any(|op| matches!(op, Op::Unlock { .. })) {
                        return;
                    }
                }
                if matches!(message, Message::Reveal { .. }) && vice.keeps_secrets() {
                    return;
                }
                if vice == Vice::GoesSilent && self.chain.tip().latest.block.get() > 30 {
                    return;
                }
                let Some(message) = self.misremind(own, message) else { return };
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
                let is_last = !self.is_blind(own) && vice != Vice::RegistersLast || end.secs() < self.now() + 4 * BLOCK_SECS;
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
                    // Who has forgotten, and can't know it, may take what it has forgotten for a lie.
                    let is_cheat = |own: usize| !self.parties[own].memory.losses.contains(&Loss::Unnoticed);
                    let is_wronged = |peer: usize| self.parties[peer].is_honest() && is_cheat(peer) && is_cheat(own);
                    if peer.is_some_and(|peer| is_wronged(self.at(&peer))) {
                        self.fail(Wrong::Invariant(9, "an honest party is taken for a cheat".to_owned()));
                    }
                }
                self.parties[own].notices.push(notice);
            }
        }
    }

    fn send_consent(&mut self, own: usize, of: ChannelRef, call: Call) {
        if self.is_blind(own) {
            return;
        }
        let key = self.links.iter().map(|link| link.key).find(|key| key.id() == of.channel).unwrap();
        self.chain.send_once(self.parties[own].signer.address(), What::Call(key, Box::new(call)));
    }

    /// What an honest party lets out: never two different updates with one nonce, never less than its fee, never more than it has.
    fn check_update(&mut self, own: usize, update: &Update) {
        let bytes = update.to_bytes();
        let before = self.said.insert((update.of, update.payer, update.nonce), bytes.clone());
        if before.is_some_and(|before| before != bytes) && !self.is_excused(own, update) {
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
        // Who has forgotten may not have been shown what it was paid, or not remember what it takes out.
        let is_known = !self.parties[own].memory.has_forgotten();
        let is_over = channel.free(channel.side) < 0 && is_known || channel.outgoing.locks.len() > MOST_LOCKS;
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

    pub fn is_connected(&self, one: usize, other: usize) -> bool {
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
        self.waits_anew(own);
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
            let is_away = self.rng.percent(self.faults.away);
            if is_away {
                self.parties[own].away_until = self.now() + self.rng.between(BLOCK_SECS, AWAY_SECS);
                self.stay_within(own);
            }
            let forgets = self.fate.percent(self.faults.forget) && self.parties[own].is_honest();
            if forgets && self.parties[own].memory.losses.len() < 2 {
                self.forget(own);
            } else if is_away {
                self.crash(own);
            }
            if is_away {
                continue;
            }
            if self.fate.percent(self.faults.dark) && self.parties[own].is_honest() {
                self.parties[own].sight.dark_until = self.now() + self.fate.between(BLOCK_SECS, AWAY_SECS);
                self.stay_within(own);
            }
            if self.is_blind(own) {
                self.grope(own);
                self.check_waits(own);
                continue;
            }
            self.hear_chain(own);
            self.check_waits(own);
            if self.faults.forget > 0 {
                self.keep(own);
            }
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
