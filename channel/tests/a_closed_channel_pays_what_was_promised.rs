//! A channel ends in a fight: Mallory closes with any old word of the honest party's, unlocks what she gave up, shows secrets at
//! the last moment, and calls whatever comes to her mind. The honest party does what [`Closing::next_call`] says, and not always
//! at once. It must end with all that the latest words and the secrets known in time give it; the contract is its pure model.
#![allow(clippy::unwrap_used, clippy::panic)]

use photon_chains::{Address, BlockHeight, Expiry, Secret, SecretHash, UnixTime};
use photon_channel::contract::{By, Call, Closed, Contract, Dispute, Open, Record, Shown, Slot};
use photon_channel::*;
use std::collections::BTreeMap;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

const NOW: u64 = 1_800_000_000;
const BLOCK_SECS: u64 = 15;
const DEPOSIT: u64 = 1_000_000;
const HONEST: usize = 0;
const MALLORY: usize = 1;

/// A word once given: the proof, and what it committed to.
type Word = (Shown, Vec<Pending>);

struct Fight {
    rng: Rng,
    keys: [Signer; 2],
    sides: [Channel; 2],
    now: u64,
    made: u64,
    secrets: BTreeMap<SecretHash, Secret>,
    /// The honest party's words, all of which Mallory has kept.
    words: Vec<Word>,
    /// Mallory's latest word.
    latest: Option<Word>,
    disposals: BTreeMap<LockNo, Signature>,
    contract: Contract,
    registered: BTreeMap<SecretHash, Moment>,
    pending: Both<Vec<Pending>>,
    calls: Both<Vec<Unlocking>>,
    /// All that Mallory ever unlocked.
    unlocked: Vec<LockNo>,
    paid: Both<u128>,
    /// What each kind of call of the honest party did.
    made_calls: BTreeMap<&'static str, u64>,
}

impl Fight {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        // Either may be A.
        let (one, two) = if rng.percent(50) { (1, 2) } else { (2, 1) };
        let keys = [Signer::new([one; 32]).unwrap(), Signer::new([two; 32]).unwrap()];
        let key = ChannelKey::new(None, keys[0].address(), keys[1].address(), Window::SHORTEST).unwrap();
        let of = ChannelRef { channel: key.id(), epoch: Epoch(5) };
        let holdings = Holdings { total: Units::from(2 * DEPOSIT), net_a: i128::from(DEPOSIT) };
        let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
        let domain = Domain::new(1, Address::from_bytes([9; 20]));
        let sides = [0, 1].map(|own| {
            let mut channel = Channel::open(key, of, &keys[own], keys[1 - own].known(), domain, chain).unwrap();
            channel.in_step = true;
            channel
        });
        let mut contract = Contract::new(domain, BLOCK_SECS);
        contract.put(key.id(), Some(Slot::Open(Open { epoch: Epoch(5), withdrawals: 0, holdings })));
        Self {
            rng,
            keys,
            sides,
            now: NOW,
            made: 0,
            secrets: BTreeMap::new(),
            words: Vec::new(),
            latest: None,
            disposals: BTreeMap::new(),
            contract,
            registered: BTreeMap::new(),
            pending: Both::default(),
            calls: Both::default(),
            unlocked: Vec::new(),
            paid: Both::default(),
            made_calls: BTreeMap::new(),
        }
    }

    fn moment(&self) -> Moment {
        Moment { time: UnixTime::from_secs(self.now), block: BlockHeight::new((self.now - NOW) / BLOCK_SECS) }
    }

    fn tip(&self) -> Tip {
        Tip { latest: self.moment(), deep: self.moment() }
    }

    fn entries(&self) -> BTreeMap<SecretHash, Registered> {
        self.registered.iter().map(|(hash, at)| (*hash, Registered { at: *at, is_deep: true })).collect()
    }

    /// One of both does a few things off chain, and the other takes them.
    fn pay(&mut self, own: usize) {
        let (tip, entries) = (self.tip(), self.entries());
        for _ in 0..1 + self.rng.below(4) {
            self.made += 1;
            let amount = Units::from(1 + self.rng.below(DEPOSIT / 8));
            let channel = &self.sides[own];
            let any = channel.outgoing.locks.front().map(|held| held.lock.number);
            let op = match self.rng.below(10) {
                0..3 => Op::Transfer { payment: PaymentId::from_bytes([0; 16]), amount },
                3..6 => {
                    let mut bytes = [5; 32];
                    bytes[..8].copy_from_slice(&self.made.to_be_bytes());
                    let secret = Secret::from_bytes(bytes);
                    let hash = secret.hash();
                    self.secrets.insert(hash, secret);
                    let opens = UnixTime::from_secs(self.now + 500 + self.rng.below(2_500));
                    let linked = self.rng.percent(50);
                    let closes = (!linked).then_some(opens);
                    let opens_block = BlockHeight::new(self.rng.below(100));
                    let expiry = Expiry { linked, closes, opens_block, ..Expiry::at(opens) };
                    let onward = Onward { payment: PaymentId::from_bytes([0; 16]), route: vec![], sealed: None };
                    Op::Lock { amount, secret_hash: hash, expiry, onward }
                }
                6 => match any {
                    Some(number) => Op::Expire { number },
                    None => continue,
                },
                _ => {
                    let due = channel.outgoing.locks.iter().find_map(|held| match &held.state {
                        LockState::Known(secret) => Some(Op::Unlock { number: held.lock.number, secret: secret.clone() }),
                        LockState::Disposed(_) => Some(Op::Strike { number: held.lock.number }),
                        LockState::Waiting => None,
                    });
                    let Some(op) = due else { continue };
                    op
                }
            };
            let _ = self.sides[own].stage(op, &tip, &entries);
        }
        let Some(update) = self.sides[own].seal(&self.keys[own]) else { return };
        self.sides[1 - own].receive(&update, &tip, &entries).unwrap();
        self.sides[own].acknowledged(update.nonce);
        let channel = &self.sides[own];
        let word = (channel.shown(channel.side).unwrap(), channel.outgoing.locks.iter().map(|held| held.lock).collect());
        if own == HONEST {
            self.words.push(word);
        } else {
            self.latest = Some(word);
        }
    }

    /// Locks are given up, or their secrets learned, while there is time to use them.
    fn learn(&mut self, own: usize) {
        let side = self.sides[own].side;
        let locks: Vec<Pending> = self.sides[own].incoming.locks.iter().map(|held| held.lock).collect();
        for lock in locks {
            match self.rng.below(8) {
                0 => {
                    let Some(signature) = self.sides[own].dispose(lock.number, &self.keys[own]) else { continue };
                    let is_news = self.sides[1 - own].take_disposal(lock.number, &signature).unwrap();
                    if own == MALLORY && is_news {
                        self.disposals.insert(lock.number, signature);
                    }
                }
                1 | 2 if end_of(&lock.expiry).secs() > self.now + 300 => {
                    let secret = self.secrets[&lock.secret_hash].clone();
                    self.sides[own].learn(side.other(), lock.number, &secret);
                    // It may be shown to the payer, or not.
                    if self.rng.percent(50) {
                        self.sides[1 - own].learn(side.other(), lock.number, &secret);
                    }
                }
                _ => {}
            }
        }
    }

    fn state(&self) -> Option<Closed> {
        match self.contract.slot(&self.sides[HONEST].of.channel) {
            Some(Slot::Closed(closed)) => Some((**closed).clone()),
            Some(Slot::Open(_)) => panic!("it is closed"),
            None => None,
        }
    }

    /// Makes a call, if the contract takes it.
    fn call(&mut self, own: usize, call: &Call) -> bool {
        let key = self.sides[own].key;
        let Ok(done) = self.contract.call(self.moment(), self.keys[own].address(), &key, call) else { return false };
        let before = self.contract.slot(&key.id()).cloned();
        self.contract.apply(&key, &done);
        for side in Side::BOTH {
            *self.paid.of_mut(side) += done.pays.of(side).get();
        }
        let caller = self.sides[own].side;
        match call {
            Call::Close { shown, records } => {
                *self.pending.of_mut(caller) = self.list_of(caller.other(), shown);
                self.take_off(caller, records, true);
            }
            Call::Dispute(_, Dispute::Update { shown, .. }) => {
                *self.pending.of_mut(caller) = self.list_of(caller.other(), shown);
                self.calls.of_mut(caller).clear();
            }
            Call::Dispute(_, Dispute::Unlock { records, .. } | Dispute::UnlockLate { records, .. }) => {
                self.take_off(caller, records, true);
            }
            Call::Dispute(_, Dispute::Release { of, records }) => self.take_off(*of, records, false),
            Call::Dispute(_, Dispute::Settle | Dispute::Punish { .. }) => {}
            other => panic!("not called here: {other:?}"),
        }
        if let Some(state) = self.state() {
            for side in Side::BOTH {
                let commitment = Commitment::of(self.pending.of(side)).unwrap();
                assert_eq!(commitment.locks, state.incomes.of(side).list.locks, "the lists are followed");
            }
        }
        assert_ne!(before, self.contract.slot(&key.id()).cloned(), "a call that is taken changes something");
        true
    }

    fn list_of(&self, payer: Side, shown: &Shown) -> Vec<Pending> {
        let own = if payer == self.sides[HONEST].side { &self.words[..] } else { self.latest.as_slice() };
        own.iter().find(|(word, _)| word == shown).map(|(_, list)| list.clone()).unwrap_or_default()
    }

    fn take_off(&mut self, of: Side, records: &[Record], unlocked: bool) {
        let taken: Vec<LockNo> = records.iter().filter(|record| record.take).map(|record| record.lock.number).collect();
        if taken.is_empty() {
            return;
        }
        self.pending.of_mut(of).retain(|lock| !taken.contains(&lock.number));
        if unlocked {
            let list = records.iter().map(|record| (record.lock, record.take)).collect();
            self.calls.of_mut(of).push(Unlocking { list });
            if of == self.sides[MALLORY].side {
                self.unlocked.extend(taken);
            }
        }
    }

    /// Mallory unlocks any of her income that she knows the secret of, given up or not.
    fn any_records(&mut self, list: &[Pending]) -> Vec<Record> {
        let mut records = Vec::new();
        for lock in list {
            let is_registered = self.registered.contains_key(&lock.secret_hash);
            let take = self.rng.percent(60) && (is_registered || !lock.expiry.linked);
            let secret = self.secrets[&lock.secret_hash].clone();
            records.push(Record { lock: *lock, take, secret: (take && !is_registered).then_some(secret), disposal: None });
        }
        if records.iter().any(|record| record.take) { records } else { Vec::new() }
    }

    fn mallory(&mut self) {
        let Some(state) = self.state() else { return };
        let side = self.sides[MALLORY].side;
        let what = match self.rng.below(6) {
            0 if !self.words.is_empty() => {
                let at = self.rng.below(self.words.len() as u64) as usize;
                Dispute::Update { shown: self.words[at].0, by: By::Party }
            }
            1 | 2 => {
                let list = self.pending.of(side).clone();
                let records = self.any_records(&list);
                if state.closer == side {
                    Dispute::UnlockLate { records, by: By::Party }
                } else {
                    Dispute::Unlock { records, by: By::Party }
                }
            }
            3 => {
                let records = self.pending.of(side.other()).iter();
                let records = records.map(|lock| Record { lock: *lock, take: true, secret: None, disposal: None }).collect();
                Dispute::Release { of: side.other(), records }
            }
            _ => Dispute::Settle,
        };
        self.call(MALLORY, &Call::Dispute(Box::new(state), what));
        if self.rng.percent(20) {
            let at = self.rng.below(self.secrets.len() as u64) as usize;
            let is_hers = |hash: &SecretHash| self.words.iter().flat_map(|(_, list)| list).any(|lock| lock.secret_hash == *hash);
            if let Some(hash) = self.secrets.keys().nth(at).copied().filter(|hash| is_hers(hash)) {
                self.register(hash);
            }
        }
    }

    fn register(&mut self, hash: SecretHash) {
        let at = self.moment();
        self.registered.entry(hash).or_insert(at);
        self.contract.register(hash, at);
    }

    /// What the honest party does, when it is there: registers what it must, and makes the one call that is due.
    fn honest(&mut self) {
        let due: Vec<SecretHash> = self.sides[HONEST]
            .incoming
            .locks
            .iter()
            .filter(|held| matches!(held.state, LockState::Known(_)) && self.now + 250 > end_of(&held.lock.expiry).secs())
            .map(|held| held.lock.secret_hash)
            .collect();
        due.into_iter().for_each(|hash| self.register(hash));
        let Some(state) = self.state() else { return };
        let closing = Closing {
            channel: &self.sides[HONEST],
            state: &state,
            pending: &self.pending,
            unlocked: &self.calls,
            disposals: &self.disposals,
            registered: &self.registered,
            now: self.moment(),
            deep: self.moment(),
            block_secs: BLOCK_SECS,
        };
        let Some(call) = closing.next_call() else { return };
        assert!(self.call(HONEST, &call), "what is named is taken: {call:?}");
        let Call::Dispute(_, what) = call else { return };
        *self
            .made_calls
            .entry(match what {
                Dispute::Update { .. } => "update",
                Dispute::Unlock { .. } => "unlock",
                Dispute::UnlockLate { .. } => "unlock late",
                Dispute::Release { .. } => "release",
                Dispute::Punish { .. } => "punish",
                Dispute::Settle => "settle",
            })
            .or_default() += 1;
    }

    fn close(&mut self) {
        if self.rng.percent(40) {
            let call = self.sides[HONEST].close_alone(self.moment(), &self.registered).unwrap();
            assert!(self.call(HONEST, &call));
            return;
        }
        let none = Shown {
            nonce: Nonce::NONE,
            transferred: Units::ZERO,
            pending: Commitment::default(),
            signature: Signature::from_bytes([0; 65]),
        };
        let at = self.rng.below(self.words.len() as u64 + 1) as usize;
        let (shown, list) = self.words.get(at).cloned().unwrap_or((none, Vec::new()));
        let records = self.any_records(&list);
        if !self.call(MALLORY, &Call::Close { shown, records }) {
            assert!(self.call(MALLORY, &Call::Close { shown, records: Vec::new() }));
        }
    }

    /// The latest words, and the secrets known in time.
    fn promised(&self) -> i128 {
        let channel = &self.sides[HONEST];
        let earned: i128 = channel
            .incoming
            .locks
            .iter()
            .filter(|held| matches!(held.state, LockState::Known(_)))
            .map(|held| held.lock.amount.signed())
            .sum();
        let lost: i128 = channel
            .outgoing
            .locks
            .iter()
            .filter(|held| self.unlocked.contains(&held.lock.number) && !matches!(held.state, LockState::Disposed(_)))
            .map(|held| held.lock.amount.signed())
            .sum();
        channel.chain.holdings.net(channel.side) + channel.incoming.transferred.signed() - channel.outgoing.transferred.signed()
            + earned
            - lost
    }

    fn play(mut self) -> BTreeMap<&'static str, u64> {
        for _ in 0..10 + self.rng.below(40) {
            let own = self.rng.below(2) as usize;
            self.pay(own);
            self.learn(1 - own);
            self.now += BLOCK_SECS * self.rng.below(6);
            // What the honest party knows it registers near the end, channel open or not.
            let due: Vec<SecretHash> = self.sides[HONEST]
                .incoming
                .locks
                .iter()
                .filter(|held| matches!(held.state, LockState::Known(_)) && self.now + 250 > end_of(&held.lock.expiry).secs())
                .map(|held| held.lock.secret_hash)
                .collect();
            due.into_iter().for_each(|hash| self.register(hash));
        }
        self.close();
        let mut away = 0;
        for _ in 0..600 {
            self.now += BLOCK_SECS;
            if self.rng.percent(60) {
                self.mallory();
            }
            away += 1;
            if away > 5 || self.rng.percent(40) {
                away = 0;
                self.honest();
            }
        }
        assert_eq!(self.state(), None, "it is settled");
        let side = self.sides[HONEST].side;
        let paid = *self.paid.of(side) as i128;
        let promised = self.promised();
        assert!(paid >= promised, "paid {paid}, promised {promised}");
        assert_eq!(self.paid.a + self.paid.b, u128::from(2 * DEPOSIT), "all of it, and no more");
        self.made_calls
    }
}

// Invariants 1, 2 and 14 of a channel; E1, E7, E10, E12, E20.
#[test]
fn whatever_mallory_does_the_honest_party_gets_what_the_latest_words_give() {
    let mut calls: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..400 {
        let result = std::panic::catch_unwind(|| Fight::new(seed).play());
        let made = result.unwrap_or_else(|_| panic!("seed {seed}"));
        made.into_iter().for_each(|(what, count)| *calls.entry(what).or_default() += count);
    }
    for what in ["update", "unlock", "unlock late", "release", "punish", "settle"] {
        assert!(calls.get(what).is_some_and(|count| *count > 10), "{what}: {calls:?}");
    }
}
