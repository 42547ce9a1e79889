//! Parties, the wires between them, and one chain with its registry.

use crate::party::{Party, Vice};
use crate::rng::Rng;
use photon_chains::{Address, BlockHeight, Secret, SecretHash, UnixTime};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

pub const START: u64 = 1_800_000_000;
pub const BLOCK_SECS: u64 = 15;
pub const DEPTH: u64 = 6;
pub const DEPOSIT: u64 = 1_000_000;
/// The longest outage that was promised.
pub const AWAY_SECS: u64 = 200;

pub const POLICY: Policy = Policy {
    fee_base: Units::ZERO,
    fee_ppm: 10_000,
    hop_slack_secs: 900,
    // Away, registered in two blocks, at depth.
    reveal_margin_secs: 600,
    longest_lock_secs: 20_000,
    most_locks: 100,
    most_pending: Units::MAX,
    expire_patience_secs: 60,
    consent_secs: 600,
    resend_secs: 60,
};

pub fn domain() -> Domain {
    Domain::new(1, Address::from_bytes([9; 20]))
}

/// How bad the wires are, in percent.
#[derive(Copy, Clone)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub crash: u64,
    pub away: u64,
    pub cut: u64,
    /// A channel is closed on chain, by either side.
    pub close: u64,
}

impl Faults {
    pub const NONE: Faults = Faults { lost: 0, doubled: 0, reordered: 0, crash: 0, away: 0, cut: 0, close: 0 };
}

pub struct World {
    pub rng: Rng,
    pub parties: Vec<Party>,
    pub channels: Vec<(usize, usize, ChannelId)>,
    wires: BTreeMap<(usize, usize), VecDeque<Message>>,
    connected: BTreeMap<(usize, usize), bool>,
    pub now: u64,
    pub registry: BTreeMap<SecretHash, (Secret, Moment)>,
    mempool: Vec<(u64, Secret)>,
    pub faults: Faults,
    /// Channels that were closed on chain.
    pub closed: BTreeMap<ChannelId, OnChain>,
    /// Every update that was ever let out, by channel, payer and nonce.
    said: BTreeMap<(ChannelRef, Side, Nonce), Vec<u8>>,
}

impl World {
    pub fn new(seed: u64, parties: usize, links: &[(usize, usize)], faults: Faults) -> Self {
        let mut world = Self {
            rng: Rng::new(seed),
            parties: (0..parties).map(|at| Party::new(at as u8 + 1, domain(), POLICY)).collect(),
            channels: Vec::new(),
            wires: BTreeMap::new(),
            connected: BTreeMap::new(),
            now: START,
            registry: BTreeMap::new(),
            mempool: Vec::new(),
            faults: Faults::NONE,
            closed: BTreeMap::new(),
            said: BTreeMap::new(),
        };
        for (one, other) in links {
            world.open(*one, *other);
        }
        world.faults = faults;
        world
    }

    fn open(&mut self, one: usize, other: usize) {
        let (a, b) = (self.parties[one].signer.known(), self.parties[other].signer.known());
        let key = ChannelKey::new(None, a.address(), b.address(), Window::SHORTEST).unwrap();
        let holdings = Holdings { total: Units::from(2 * DEPOSIT), net_a: i128::from(DEPOSIT) };
        let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
        for (own, peer) in [(one, b), (other, a)] {
            self.parties[own].node.take(Event::Opened { key, epoch: Epoch(1), peer, chain });
            self.step(own);
        }
        self.channels.push((one, other, key.id()));
        self.wires.insert((one, other), VecDeque::new());
        self.wires.insert((other, one), VecDeque::new());
        self.connected.insert((one.min(other), one.max(other)), false);
    }

    pub fn address(&self, of: usize) -> Address {
        self.parties[of].signer.address()
    }

    fn at(&self, address: &Address) -> usize {
        self.parties.iter().position(|party| party.signer.address() == *address).unwrap()
    }

    pub fn is_there(&self, own: usize) -> bool {
        self.parties[own].away_until <= self.now
    }

    fn moment(time: u64) -> Moment {
        Moment { time: UnixTime::from_secs(time), block: BlockHeight::new((time - START) / BLOCK_SECS) }
    }

    pub fn tip(&self) -> Tip {
        let block = START + (self.now - START) / BLOCK_SECS * BLOCK_SECS;
        Tip { latest: Self::moment(block), deep: Self::moment(block.saturating_sub(DEPTH * BLOCK_SECS).max(START)) }
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
        self.parties[own].disk.commit(&step.writes);
        let crashes_at = self.rng.percent(self.faults.crash).then(|| self.rng.between(0, step.effects.len() as u64) as usize);
        for (at, effect) in step.effects.into_iter().enumerate() {
            if crashes_at == Some(at) {
                return self.crash(own);
            }
            self.let_out(own, effect);
        }
        if self.rng.percent(3) {
            self.parties[own].check_disk(domain(), POLICY);
        }
    }

    fn let_out(&mut self, own: usize, effect: Effect) {
        let vice = self.parties[own].vice;
        match effect {
            Effect::Send(to, message) => {
                let to = self.at(&to);
                if let Message::Update(update) = &message {
                    let key = (update.of, update.payer, update.nonce);
                    let bytes = self.said.entry(key).or_insert_with(|| update.to_bytes());
                    assert_eq!(*bytes, update.to_bytes(), "two different updates with one nonce");
                    let unlocks = update.ops.iter().any(|op| matches!(op, Op::Unlock { .. }));
                    if vice == Vice::NeverUnlocks && unlocks {
                        return;
                    }
                }
                if matches!(message, Message::Reveal { .. }) && matches!(vice, Vice::RevealsLate | Vice::RegistersLast) {
                    return;
                }
                if vice == Vice::GoesSilent && self.now > START + 400 {
                    return;
                }
                assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message.clone()));
                if self.is_connected(own, to) {
                    self.wires.get_mut(&(own, to)).unwrap().push_back(message);
                }
            }
            Effect::Watch(hash) => {
                self.parties[own].watched.insert(hash);
            }
            Effect::Unwatch(hash) => {
                self.parties[own].watched.remove(&hash);
            }
            Effect::Register(secret, end) => {
                let is_last = vice != Vice::RegistersLast || end.secs() < self.now + 4 * BLOCK_SECS;
                if is_last && !self.registry.contains_key(&secret.hash()) {
                    let mined = self.now + self.rng.between(1, 3) * BLOCK_SECS;
                    self.mempool.push((mined, secret));
                }
            }
            Effect::CloseTogether(..) | Effect::Withdraw(..) => {}
            Effect::Tell(notice) => self.parties[own].notices.push(notice),
        }
    }

    fn is_connected(&self, one: usize, other: usize) -> bool {
        self.connected.get(&(one.min(other), one.max(other))).copied().unwrap_or(false)
    }

    fn neighbours(&self, own: usize) -> Vec<usize> {
        self.wires.keys().filter(|(from, _)| *from == own).map(|(_, to)| *to).collect()
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
        self.parties[own].restart(domain(), POLICY);
        for peer in self.neighbours(own) {
            self.cut(own, peer);
        }
        let (now, tip) = (UnixTime::from_secs(self.now), self.tip());
        self.parties[own].node.take(Event::Clock(now));
        self.step(own);
        self.hear_chain(own, tip);
    }

    fn leave(&mut self, own: usize) {
        self.parties[own].away_until = self.now + self.rng.between(BLOCK_SECS, AWAY_SECS);
        self.crash(own);
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
        let message = if is_double { wire[at].clone() } else { wire.remove(at).unwrap() };
        if is_lost || !self.is_there(to) {
            return;
        }
        let from = self.address(from);
        self.give(to, Event::Message(from, message));
    }

    pub fn is_quiet(&self) -> bool {
        self.wires.values().all(VecDeque::is_empty)
    }

    /// The contract is shown the latest word of either side by the other one.
    fn close(&mut self, id: ChannelId, one: usize) {
        let Some(channel) = self.parties[one].node.channel(&id) else { return };
        let chain = OnChain { stage: Stage::Closed, ..channel.chain };
        self.closed.entry(id).or_insert(chain);
    }

    fn hear_chain(&mut self, own: usize, tip: Tip) {
        for (id, chain) in self.closed.clone() {
            if self.parties[own].node.channel(&id).is_some_and(|channel| channel.chain.stage == Stage::Open) {
                self.parties[own].node.take(Event::Chain(id, chain));
            }
        }
        let watched: Vec<SecretHash> = self.parties[own].watched.iter().copied().collect();
        for hash in watched {
            if let Some((secret, at)) = self.registry.get(&hash).cloned().filter(|(_, at)| at.time <= tip.latest.time) {
                let is_deep = at.time <= tip.deep.time;
                self.parties[own].node.take(Event::Registered { secret, at, is_deep });
            }
        }
        self.parties[own].node.take(Event::Tip(tip));
        self.step(own);
    }

    /// A block, and what happens with time.
    pub fn block(&mut self) {
        self.now += BLOCK_SECS;
        let tip = self.tip();
        let now = self.now;
        let mined: Vec<Secret> = self.mempool.extract_if(.., |(at, _)| *at <= now).map(|(_, secret)| secret).collect();
        for secret in mined {
            self.registry.entry(secret.hash()).or_insert((secret, tip.latest));
        }
        for own in 0..self.parties.len() {
            if !self.is_there(own) {
                continue;
            }
            if self.rng.percent(self.faults.away) {
                self.leave(own);
                continue;
            }
            self.parties[own].node.take(Event::Clock(UnixTime::from_secs(now)));
            self.hear_chain(own, tip);
            self.say_late(own);
        }
        for (one, other, id) in self.channels.clone() {
            if self.rng.percent(self.faults.close) {
                self.close(id, one);
            }
            if self.is_connected(one, other) && self.rng.percent(self.faults.cut) {
                self.cut(one, other);
            }
            self.connect(one, other);
        }
    }

    /// Mallory shows what it kept, when it hopes that it is too late for the other one.
    fn say_late(&mut self, own: usize) {
        if self.parties[own].vice != Vice::RevealsLate {
            return;
        }
        let mut late = Vec::new();
        for channel in self.parties[own].node.channels() {
            let to = self.at(&channel.peer.address());
            for held in &channel.incoming.locks {
                if let LockState::Known(secret) = &held.state
                    && end_of(&held.lock.expiry).secs() < self.now + 700
                {
                    late.push((to, Message::Reveal { of: channel.of, number: held.lock.number, secret: secret.clone() }));
                }
            }
        }
        for (to, message) in late {
            if self.is_connected(own, to) {
                self.wires.get_mut(&(own, to)).unwrap().push_back(message);
            }
        }
    }

    /// What a party has, if every channel were closed now with the latest proofs that it holds and has given: by the contract's
    /// rule a lock registered in time is the payee's.
    pub fn worth(&self, own: usize) -> i128 {
        self.parties[own]
            .node
            .channels()
            .map(|channel| {
                let locks = |held: &[Held]| -> i128 {
                    held.iter()
                        .filter(|held| {
                            let entry = self.registry.get(&held.lock.secret_hash);
                            entry.is_some_and(|(_, at)| is_in_time(&held.lock.expiry, at))
                        })
                        .map(|held| held.lock.amount.signed())
                        .sum()
                };
                channel.chain.holdings.net(channel.side) + channel.incoming.transferred.signed()
                    - channel.outgoing.transferred.signed()
                    + locks(&channel.incoming.locks)
                    - locks(&channel.outgoing.locks)
            })
            .sum()
    }
}
