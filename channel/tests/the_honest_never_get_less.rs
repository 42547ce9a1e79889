//! Whatever a cheater shows, and whenever: the honest party of a channel never gets less than its own latest proofs give it.
//!
//! Two parties play a channel off chain, with payments, locks, unlocks, expiries, disposals, deposits and withdrawals. Then one
//! closes. Mallory shows any proof she was ever given, unlocks what she can, also what she has signed away, releases, registers
//! and settles in any order; the honest party sleeps for most of the window, and then does what its latest proofs allow.
//! All of it is played on the pure model of the contract, which another test holds to be the contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sim/rng.rs"]
mod rng;

use photon_chains::{Address, BlockHeight, Expiry, Secret, SecretHash, UnixTime};
use photon_channel::contract::*;
use photon_channel::{
    BalanceProof, Both, ChannelKey, ChannelRef, Claim, Commitment, Disposal, Domain, LockNo, Moment, Nonce, Pending, Side,
    Signature, Signed, Signer, Units, Window, Withdraw, is_in_time, is_open,
};
use rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

const BLOCK_SECS: u64 = 15;

/// A payer's word, and its locks.
#[derive(Clone)]
struct Promise {
    shown: Shown,
    locks: Vec<Pending>,
}

/// A call that unlocked: its records, the hash chain before it, and the list before and after.
type Take = (Vec<Record>, [u8; 32], ([u8; 32], [u8; 32]));

/// What there was to see.
#[derive(Default, Debug)]
struct Seen {
    games: usize,
    punished: usize,
    old_proofs: usize,
    unlocked_by_honest: usize,
    unlocked_by_cheater: usize,
    released: usize,
}

struct Game {
    rng: Rng,
    key: ChannelKey,
    signers: Both<Signer>,
    domain: Domain,
    honest: Side,
    contract: Contract,
    now: Moment,
    /// By payer, oldest first.
    promises: Both<Vec<Promise>>,
    /// Each payee's word that it gives a lock up, by payer.
    disposals: Both<BTreeMap<LockNo, Signature>>,
    secrets: BTreeMap<SecretHash, Secret>,
    known_to_honest: BTreeSet<SecretHash>,
    /// What left the channel since its close.
    paid: Both<i128>,
    /// What came in, less what went out before the close.
    holdings: photon_channel::Holdings,
    /// The locks of the closed channel, by payee, and the calls that unlocked.
    lists: Both<Vec<Pending>>,
    takes: Both<Vec<Take>>,
    unlocked: Both<BTreeSet<LockNo>>,
    seen: Seen,
}

fn at(time: u64, block: u64) -> Moment {
    Moment { time: UnixTime::from_secs(time), block: BlockHeight::new(block) }
}

fn no_promise() -> Promise {
    let (transferred, pending) = (Units::ZERO, Commitment::default());
    let shown = Shown { nonce: Nonce::NONE, transferred, pending, signature: Signature::from_bytes([0; 65]) };
    Promise { shown, locks: Vec::new() }
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let [one, other] = [[1; 32], [2; 32]].map(|seed| Signer::new(seed).unwrap());
        let key = ChannelKey::new(None, one.address(), other.address(), Window::SHORTEST).unwrap();
        let signers = if key.parties().a == one.address() { Both { a: one, b: other } } else { Both { a: other, b: one } };
        let domain = Domain::new(1, Address::from_bytes([9; 20]));
        Game {
            honest: rng.pick(&Side::BOTH),
            rng,
            key,
            signers,
            domain,
            contract: Contract::new(domain, BLOCK_SECS),
            now: at(1_800_000_000, 1000),
            promises: Both { a: vec![no_promise()], b: vec![no_promise()] },
            disposals: Both::default(),
            secrets: BTreeMap::new(),
            known_to_honest: BTreeSet::new(),
            paid: Both::default(),
            holdings: photon_channel::Holdings::default(),
            lists: Both::default(),
            takes: Both::default(),
            unlocked: Both::default(),
            seen: Seen { games: 1, ..Seen::default() },
        }
    }

    fn of(&self) -> ChannelRef {
        let channel = self.key.id();
        ChannelRef { channel, epoch: self.contract.slot(&channel).unwrap().epoch() }
    }

    fn sign<M: Signed>(&self, message: &M, side: Side) -> Signature {
        self.signers.of(side).sign(&message.digest(&self.domain))
    }

    fn last(&self, payer: Side) -> &Promise {
        self.promises.of(payer).last().unwrap()
    }

    /// What a side could still promise or take out.
    fn free(&self, side: Side) -> u64 {
        let claim = |side| Claim { transferred: self.last(side).shown.transferred, locked: self.last(side).shown.pending.locked };
        let free = self.holdings.free(side, &Both { a: claim(Side::A), b: claim(Side::B) });
        u64::try_from(free).unwrap()
    }

    /// A call that both know will be taken.
    fn must(&mut self, sender: Side, call: Call) {
        let done = self.contract.call(self.now, *self.key.parties().of(sender), &self.key, &call).unwrap();
        self.carry_out(&done);
    }

    /// A call that may be refused.
    fn try_call(&mut self, sender: Side, call: &Call) -> Option<Done> {
        let done = self.contract.call(self.now, *self.key.parties().of(sender), &self.key, call).ok()?;
        self.carry_out(&done);
        Some(done)
    }

    fn carry_out(&mut self, done: &Done) {
        self.contract.apply(&self.key, done);
        for side in Side::BOTH {
            *self.paid.of_mut(side) += done.pays.of(side).signed();
        }
        if let Some(Slot::Open(open)) = &done.slot {
            self.holdings = open.holdings;
            self.paid = Both::default();
        }
    }

    // ---- off chain, while both agree

    fn deposit(&mut self, of: Side, amount: u64) {
        self.must(of, Call::Deposit { of, amount: u128::from(amount), brought: Brought::InFull });
    }

    fn withdraw(&mut self) {
        let amounts = Both { a: self.free(Side::A), b: self.free(Side::B) };
        let mut part = |most: u64| u128::from(self.rng.between(0, most));
        let amounts = Both { a: part(amounts.a), b: part(amounts.b) };
        if amounts.a + amounts.b == 0 {
            return;
        }
        let Some(Slot::Open(open)) = self.contract.slot(&self.key.id()) else { return };
        let (number, deadline) = (open.withdrawals, self.now.time);
        let fit = |amount| Units::new(amount).unwrap();
        let message = Withdraw { of: self.of(), number, amount_a: fit(amounts.a), amount_b: fit(amounts.b), deadline };
        let consent = Consent::Both(Both { a: self.sign(&message, Side::A), b: self.sign(&message, Side::B) });
        self.must(Side::A, Call::Withdraw { amounts, deadline, consent });
    }

    /// One update of one direction, such as the other side accepts.
    fn update_off_chain(&mut self) {
        let payer = self.rng.pick(&Side::BOTH);
        let payee = payer.other();
        let Promise { shown, mut locks } = self.last(payer).clone();
        let (mut transferred, mut free) = (shown.transferred, self.free(payer));
        let nonce = Nonce(shown.nonce.0 + 1);
        // What the payee gave up, what it has the secret of, and what ended goes.
        let mut keep = Vec::new();
        for lock in locks.drain(..) {
            let registered = self.contract.registered(&lock.secret_hash).is_some_and(|at| is_in_time(&lock.expiry, &at));
            let known = payee != self.honest || self.known_to_honest.contains(&lock.secret_hash);
            if self.disposals.of(payer).contains_key(&lock.number) || is_open(&lock.expiry, &self.now) && !registered {
                continue;
            }
            match self.rng.between(0, 5) {
                0 | 1 if known => transferred = transferred.checked_add(lock.amount).unwrap(),
                // Nobody gives up what it has the secret of; but Mallory might.
                2 if !known || payee != self.honest => {
                    let (number, secret_hash) = (lock.number, lock.secret_hash);
                    let disposal = Disposal { of: self.of(), payer, number, secret_hash };
                    let signature = self.sign(&disposal, payee);
                    self.disposals.of_mut(payer).insert(number, signature);
                    // The payer drops it now or with a later update.
                    if self.rng.percent(50) {
                        keep.push(lock);
                    }
                }
                _ => keep.push(lock),
            }
        }
        locks = keep;
        let pay = self.rng.between(0, free / 4);
        transferred = transferred.checked_add(Units::from(pay)).unwrap();
        free -= pay;
        for place in 0..self.rng.between(0, 2) as u16 {
            let amount = self.rng.between(0, free / 3);
            if amount == 0 {
                continue;
            }
            free -= amount;
            let secret = Secret::from_bytes(std::array::from_fn(|_| self.rng.next() as u8));
            let secret_hash = secret.hash();
            self.secrets.insert(secret_hash, secret);
            let secs = self.rng.pick(&[60, 200, 500, 900, 2000]);
            let opens_time = self.now.time.plus_secs(secs);
            let expiry = Expiry {
                opens_block: self.now.block.plus(self.rng.between(0, 2) * secs / BLOCK_SECS),
                closes: self.rng.percent(40).then(|| opens_time.minus_secs(self.rng.between(0, 50))),
                linked: self.rng.percent(30),
                ..Expiry::at(opens_time)
            };
            locks.push(Pending { number: LockNo::new(nonce, place), secret_hash, amount: Units::from(amount), expiry });
        }
        let pending = Commitment::of(&locks).unwrap();
        let proof = BalanceProof { of: self.of(), payer, nonce, transferred, pending };
        let signature = self.sign(&proof, payer);
        self.promises.of_mut(payer).push(Promise { shown: Shown { nonce, transferred, pending, signature }, locks });
    }

    /// The honest party learns a secret of a lock that pays it. It never had a use for one that it gave up.
    fn learn(&mut self) {
        let payer = self.honest.other();
        let given_up = self.disposals.of(payer);
        let hashes: Vec<SecretHash> = (self.last(payer).locks.iter())
            .filter(|lock| !given_up.contains_key(&lock.number))
            .map(|lock| lock.secret_hash)
            .collect();
        if !hashes.is_empty() {
            let hash = self.rng.pick(&hashes);
            self.known_to_honest.insert(hash);
        }
    }

    // ---- on chain

    fn state(&self) -> Option<Closed> {
        match self.contract.slot(&self.key.id()) {
            Some(Slot::Closed(state)) => Some((**state).clone()),
            Some(Slot::Open(_)) | None => None,
        }
    }

    fn dispute(&mut self, sender: Side, what: Dispute) -> Option<Done> {
        let state = self.state()?;
        self.try_call(sender, &Call::Dispute(Box::new(state), what))
    }

    /// Records of a list: those that `wanted` says are unlocked, by secret or registry.
    fn records(&self, locks: &[Pending], wanted: &dyn Fn(&Pending) -> bool) -> Vec<Record> {
        let record = |lock: &Pending| {
            let registered = self.contract.registered(&lock.secret_hash).is_some_and(|at| is_in_time(&lock.expiry, &at));
            let shown = !lock.expiry.linked && !registered;
            let take = wanted(lock) && (registered || shown && is_in_time(&lock.expiry, &self.now));
            let secret = self.secrets.get(&lock.secret_hash).cloned().filter(|_| take && shown);
            Record { lock: *lock, take, secret, disposal: None }
        };
        locks.iter().map(record).collect()
    }

    fn close(&mut self, closer: Side, promise: &Promise, wanted: &dyn Fn(&Pending) -> bool) {
        let mut records = self.records(&promise.locks, wanted);
        if !records.iter().any(|record| record.take) {
            records.clear();
        }
        self.paid = Both::default();
        let call = Call::Close { shown: promise.shown, records: records.clone() };
        self.must(closer, call);
        self.lists = Both::default();
        *self.lists.of_mut(closer) = promise.locks.clone();
        self.note(closer, &records, [0; 32]);
    }

    fn note(&mut self, payee: Side, records: &[Record], before: [u8; 32]) {
        if records.is_empty() {
            return;
        }
        let packed: Vec<u8> = records.iter().flat_map(|record| record.lock.entry().unwrap()).collect();
        let after = self.state().unwrap().incomes.of(payee).list.locks;
        self.takes.of_mut(payee).push((records.to_vec(), before, (photon_channel::keccak(&packed), after)));
        let (taken, kept): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.take);
        self.unlocked.of_mut(payee).extend(taken.iter().map(|record| record.lock.number));
        *self.lists.of_mut(payee) = kept.iter().map(|record| record.lock).collect();
        if payee == self.honest { self.seen.unlocked_by_honest += 1 } else { self.seen.unlocked_by_cheater += 1 }
    }

    fn unlock(&mut self, payee: Side, wanted: &dyn Fn(&Pending) -> bool) {
        let Some(state) = self.state() else { return };
        let records = self.records(self.lists.of(payee), wanted);
        if !records.iter().any(|record| record.take) {
            return;
        }
        let by = By::Party;
        let what = if state.closer == payee {
            Dispute::UnlockLate { records: records.clone(), by }
        } else {
            Dispute::Unlock { records: records.clone(), by }
        };
        if self.dispute(payee, what).is_some() {
            self.note(payee, &records, state.incomes.of(payee).list.taken);
        }
    }

    fn update(&mut self, payee: Side, promise: &Promise) {
        if self.dispute(payee, Dispute::Update { shown: promise.shown, by: By::Party }).is_some() {
            *self.lists.of_mut(payee) = promise.locks.clone();
            self.takes.of_mut(payee).clear();
            self.unlocked.of_mut(payee).clear();
        }
    }

    /// A payer takes back what was given up and what ended.
    fn release(&mut self, sender: Side, payee: Side) {
        let given_up = self.disposals.of(payee.other());
        let record = |lock: &Pending| {
            let registered = self.contract.registered(&lock.secret_hash).is_some_and(|at| is_in_time(&lock.expiry, &at));
            let ended = is_open(&lock.expiry, &self.now) && !registered;
            let disposal = given_up.get(&lock.number).copied().filter(|_| !ended);
            Record { lock: *lock, take: ended || disposal.is_some(), secret: None, disposal }
        };
        let records: Vec<Record> = self.lists.of(payee).iter().map(record).collect();
        let kept = records.iter().filter(|record| !record.take).map(|record| record.lock).collect();
        if records.iter().any(|record| record.take) && self.dispute(sender, Dispute::Release { of: payee, records }).is_some() {
            *self.lists.of_mut(payee) = kept;
            self.seen.released += 1;
        }
    }

    fn punish(&mut self) {
        let (honest, cheater) = (self.honest, self.honest.other());
        let given_up = self.disposals.of(honest).clone();
        let takes = self.takes.of(cheater).clone();
        for (place, (records, before, _)) in takes.iter().enumerate() {
            let mut records = records.clone();
            for record in &mut records {
                record.disposal = given_up.get(&record.lock.number).copied().filter(|_| record.take);
            }
            if records.iter().any(|record| record.disposal.is_some()) {
                let later = takes.iter().skip(place + 1).map(|(_, _, lists)| *lists).collect();
                let what = Dispute::Punish { of: cheater, before: *before, records, later };
                self.dispute(honest, what).expect("an unlock of what was given up is punished");
                self.seen.punished += 1;
                return;
            }
        }
    }

    fn register(&mut self, hash: SecretHash) {
        self.contract.register(hash, self.now);
    }

    /// Whatever helps her, or nothing.
    fn mallory(&mut self) {
        let (cheater, honest) = (self.honest.other(), self.honest);
        for _ in 0..self.rng.between(0, 3) {
            match self.rng.between(0, 9) {
                0 => {
                    // Secrets of locks that pay her, hers to publish; in any old list.
                    let all: Vec<SecretHash> =
                        self.promises.of(honest).iter().flat_map(|promise| &promise.locks).map(|lock| lock.secret_hash).collect();
                    if !all.is_empty() {
                        let hash = self.rng.pick(&all);
                        self.register(hash);
                    }
                }
                1..=3 => {
                    let chosen = self.rng.next();
                    let every = self.rng.percent(40);
                    self.unlock(cheater, &|lock| every || chosen >> (lock.number.0 % 61) & 1 == 1);
                }
                4 => {
                    let all = self.promises.of(honest).clone();
                    let promise = &all[self.rng.between(0, all.len() as u64 - 1) as usize];
                    self.update(cheater, promise);
                }
                5 => self.release(cheater, honest),
                6 => self.release(cheater, cheater),
                _ => drop(self.dispute(cheater, Dispute::Settle)),
            }
        }
    }

    /// What an honest party does on chain, whenever it is awake.
    fn act(&mut self) {
        let (honest, cheater) = (self.honest, self.honest.other());
        self.publish();
        let Some(state) = self.state() else { return };
        if state.closer == cheater {
            let promise = self.last(cheater).clone();
            if promise.shown.nonce > state.incomes.of(honest).nonce {
                self.update(honest, &promise);
            }
        }
        self.punish();
        let known = self.known_to_honest.clone();
        let given_up = self.disposals.of(cheater).clone();
        self.unlock(honest, &|lock| known.contains(&lock.secret_hash) && !given_up.contains_key(&lock.number));
        self.release(honest, cheater);
        self.release(honest, honest);
        drop(self.dispute(honest, Dispute::Settle));
    }

    /// Registers what it knows, where a lock pays for it.
    fn publish(&mut self) {
        let cheater = self.honest.other();
        for lock in self.last(cheater).locks.clone() {
            let known = self.known_to_honest.contains(&lock.secret_hash);
            if known && is_in_time(&lock.expiry, &self.now) && !self.disposals.of(cheater).contains_key(&lock.number) {
                self.register(lock.secret_hash);
            }
        }
    }

    /// What the honest party's own latest proofs give it, as things have come out.
    fn due(&self) -> i128 {
        let (honest, cheater) = (self.honest, self.honest.other());
        let (owed, owes) = (self.last(cheater), self.last(honest));
        let given_up = self.disposals.of(cheater);
        let in_time = |lock: &&Pending| {
            let registered = self.contract.registered(&lock.secret_hash).is_some_and(|at| is_in_time(&lock.expiry, &at));
            !given_up.contains_key(&lock.number) && (registered || self.unlocked.of(honest).contains(&lock.number))
        };
        let gained: i128 = owed.locks.iter().filter(in_time).map(|lock| lock.amount.signed()).sum();
        let taken = self.unlocked.of(cheater);
        let lost: i128 = owes.locks.iter().filter(|lock| taken.contains(&lock.number)).map(|lock| lock.amount.signed()).sum();
        self.holdings.net(honest) + owed.shown.transferred.signed() - owes.shown.transferred.signed() + gained - lost
    }

    fn wait(&mut self, most: u64) {
        let secs = self.rng.between(1, most);
        // Blocks come late, or none for a while.
        let blocks = secs * self.rng.between(0, 5) / 4 / BLOCK_SECS;
        self.now = at(self.now.time.secs() + secs, self.now.block.get() + blocks);
    }

    fn play(mut self, seed: u64) -> Seen {
        for side in Side::BOTH {
            let amount = self.rng.between(1, 1000);
            self.deposit(side, amount);
        }
        for _ in 0..self.rng.between(0, 14) {
            match self.rng.between(0, 19) {
                0 => self.withdraw(),
                1 => {
                    let (side, amount) = (self.rng.pick(&Side::BOTH), self.rng.between(1, 500));
                    self.deposit(side, amount);
                }
                2..=4 => self.learn(),
                5..=7 => self.wait(120),
                _ => self.update_off_chain(),
            }
            if self.rng.percent(30) {
                self.publish();
            }
        }
        let (honest, cheater) = (self.honest, self.honest.other());
        let before = self.holdings.total.signed();
        if self.rng.percent(65) {
            let all = self.promises.of(honest).clone();
            let which = self.rng.between(0, all.len() as u64 - 1) as usize;
            self.seen.old_proofs += usize::from(which + 1 < all.len());
            let chosen = self.rng.next();
            self.close(cheater, &all[which], &|lock| chosen >> (lock.number.0 % 61) & 1 == 1);
        } else {
            let (promise, known) = (self.last(cheater).clone(), self.known_to_honest.clone());
            let given_up = self.disposals.of(cheater).clone();
            self.close(honest, &promise, &|lock| known.contains(&lock.secret_hash) && !given_up.contains_key(&lock.number));
        }
        let closed_at = self.now.time.secs();
        let window = self.key.window().secs();
        let asleep = self.rng.between(0, window * 7 / 10);
        let mut turns = 0;
        while self.state().is_some() {
            self.wait(window / 6);
            self.mallory();
            if self.rng.percent(20) {
                self.learn();
            }
            if self.now.time.secs() >= closed_at + asleep {
                self.act();
            }
            turns += 1;
            assert!(turns < 300, "seed {seed}: the money is stuck in {:?}", self.state());
        }
        let (got, due) = (*self.paid.of(honest), self.due());
        assert!(got >= due, "seed {seed}: the honest {honest:?} got {got}, its own proofs give it {due}");
        assert_eq!(self.paid.a + self.paid.b, before, "seed {seed}: what went in came out");
        self.seen
    }
}

// E1, E7, E10, E11, E12, E20; an old proof with many locks (raiden-contracts 127, 188, 114).
#[test]
fn whatever_the_other_shows_and_whenever() {
    let seeds = match std::env::var("PHOTON_CONTRACT_SEED").map(|text| text.parse::<u64>().unwrap()) {
        Ok(seed) => seed..=seed,
        Err(_) => 1..=2500,
    };
    let all = seeds.clone().count();
    let mut sum = Seen::default();
    for seed in seeds {
        let seen = Game::new(seed).play(seed);
        sum.games += seen.games;
        sum.punished += seen.punished;
        sum.old_proofs += seen.old_proofs;
        sum.unlocked_by_honest += seen.unlocked_by_honest;
        sum.unlocked_by_cheater += seen.unlocked_by_cheater;
        sum.released += seen.released;
    }
    println!("{sum:?}");
    if all > 1 {
        // A game in which nobody cheats shows nothing.
        let rare = [sum.punished, sum.old_proofs, sum.unlocked_by_honest, sum.unlocked_by_cheater, sum.released];
        assert!(rare.iter().all(|count| *count > all / 50), "{sum:?}");
    }
}
