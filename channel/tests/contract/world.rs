//! One sequence: the contract and its model, the tokens and their mirror, side by side after every call.

use crate::book::{self, Book, Take};
use crate::deposits::Way;
use crate::encode;
use crate::evm::{Chain, Receipt};
use crate::reenter::{self, Reentry};
use crate::rng::Rng;
use crate::seen::Seen;
use crate::stage::{BLOCK_SECS, DEPLOYER, STRANGER, Stage, allow_all};
use crate::tokens::{Answer, Kind, Temper, Token};
use crate::{selector, uint, word_of};
use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::contract::*;
use photon_channel::{Both, ChannelId, ChannelKey, Moment, Side, Signer, Window, keccak};
use std::collections::BTreeMap;

/// A log of the contract: topics, data.
type Log = (Vec<[u8; 32]>, Vec<u8>);

/// A transaction to the contract.
#[derive(Clone, Debug)]
pub struct Tx {
    pub sender: Address,
    pub key: ChannelKey,
    pub call: Call,
}

impl Tx {
    pub fn new(sender: Address, key: ChannelKey, call: Call) -> Self {
        Self { sender, key, call }
    }

    fn name(&self) -> &'static str {
        match &self.call {
            Call::Deposit { .. } => "deposit",
            Call::CooperativeClose { .. } => "cooperativeClose",
            Call::Withdraw { .. } => "withdraw",
            Call::Close { .. } => "close",
            Call::Dispute(_, what) => match what {
                Dispute::Update { by: By::Party, .. } => "update",
                Dispute::Update { by: By::Delegate { .. }, .. } => "updateFor",
                Dispute::Unlock { by: By::Party, .. } => "unlock",
                Dispute::Unlock { by: By::Delegate { .. }, .. } => "unlockFor",
                Dispute::UnlockLate { .. } => "unlockLate",
                Dispute::Release { .. } => "release",
                Dispute::Punish { .. } => "punish",
                Dispute::Settle => "settle",
            },
        }
    }
}

/// One sequence.
pub struct World<'a> {
    pub stage: &'a Stage,
    pub rng: Rng,
    seed: u64,
    chain: Chain,
    pub model: Contract,
    tokens: Vec<Token>,
    pub keys: Vec<ChannelKey>,
    pub accounts: Vec<Address>,
    pub now: Moment,
    pub book: Book,
    said: Vec<String>,
    /// What the contract said of each channel.
    logs: BTreeMap<ChannelId, Vec<(Moment, Vec<u8>)>>,
    /// The slots whose logs were read.
    folded: BTreeMap<ChannelId, [u8; 32]>,
}

impl<'a> World<'a> {
    pub fn new(stage: &'a Stage, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut chain = Chain::new(stage.rules);
        chain.go_back(&stage.chain);
        chain.set_block(1000, 1_800_000_000);
        let mut accounts: Vec<Address> = stage.signers.iter().map(Signer::address).collect();
        accounts.push(STRANGER);
        let last = stage.tokens.len() as u64 - 1;
        let token = stage.tokens[rng.between(0, last) as usize].address;
        let other_token = stage.tokens[rng.between(0, last) as usize].address;
        let key = |token, one: usize, two: usize, minutes| {
            ChannelKey::new(token, accounts[one], accounts[two], Window::from_minutes(minutes).unwrap()).unwrap()
        };
        let keys = vec![key(token, 0, 1, 10), key(other_token, 2, 0, 10), key(token, 0, 1, 11)];
        World {
            stage,
            rng,
            seed,
            chain,
            model: Contract::new(stage.domain, BLOCK_SECS),
            tokens: stage.tokens.clone(),
            keys,
            accounts,
            now: Moment { time: UnixTime::from_secs(1_800_000_000), block: BlockHeight::new(1000) },
            book: Book::default(),
            said: Vec::new(),
            logs: BTreeMap::new(),
            folded: BTreeMap::new(),
        }
    }

    /// Plays so many steps.
    pub fn play(mut self, steps: usize, seen: &mut Seen) {
        for _ in 0..steps {
            match self.rng.between(0, 99) {
                0..=24 => self.wait(),
                25..=36 => {
                    let (key, payer) = (self.rng.pick(&self.keys), self.rng.pick(&Side::BOTH));
                    self.promise(&key, payer);
                }
                37..=40 => self.register(),
                41..=44 => self.change_token(),
                45..=47 => self.collect(seen),
                _ => {
                    let tx = self.draw();
                    self.run(tx, seen);
                }
            }
        }
    }

    /// Time passes: a block, or up to one of the moments that something hangs on, a second or a block before it or after.
    fn wait(&mut self) {
        let mut moments = Vec::new();
        for key in &self.keys {
            let Some(Slot::Closed(state)) = self.model.slot(&key.id()) else { continue };
            let window = key.window().secs();
            let unlocks = Side::BOTH.into_iter().filter_map(|side| state.incomes.of(side).list.touched.last_unlock);
            moments
                .extend(unlocks.chain([state.since]).map(|at| (at.time.secs() + window, at.block.get() + window / BLOCK_SECS)));
            for side in Side::BOTH {
                for lock in self.book.lists.get(&(key.id(), side)).into_iter().flatten() {
                    moments.push((lock.expiry.opens_time.secs(), lock.expiry.opens_block.get()));
                    moments.extend(lock.expiry.closes.map(|at| (at.secs(), lock.expiry.opens_block.get())));
                }
            }
        }
        let (mut time, mut block) = (self.now.time.secs() + self.rng.between(1, 30), self.now.block.get() + 1);
        if !moments.is_empty() && self.rng.percent(75) {
            let to = self.rng.pick(&moments);
            // Both clocks together, or one of them alone.
            let which = self.rng.between(0, 5);
            if which != 0 {
                time = (to.0 + self.rng.between(0, 2)).saturating_sub(1);
            }
            if which != 1 {
                block = (to.1 + self.rng.between(0, 2)).saturating_sub(1);
            }
        }
        self.now.time = self.now.time.max(UnixTime::from_secs(time));
        self.now.block = self.now.block.max(BlockHeight::new(block));
        self.chain.set_block(self.now.block.get(), self.now.time.secs());
    }

    fn register(&mut self) {
        let secret = self.rng.pick(&[0, 1, 2, 3, 4, 5]);
        let secret = book::secrets()[secret].clone();
        let data = [selector("registerSecret(bytes32)"), secret.expose().to_vec()].concat();
        assert!(self.chain.send(STRANGER, self.stage.registry, 0, data).ok);
        self.model.register(secret.hash(), self.now);
    }

    /// A token changes its ways, or an account takes no more money.
    fn change_token(&mut self) {
        let which = self.rng.between(0, self.tokens.len() as u64 - 1) as usize;
        let (account, temper) =
            (self.rng.pick(&self.accounts[..4]), self.rng.pick(&[Temper::Takes, Temper::Refuses, Temper::Burns]));
        let (fee, moves, answer) = (self.rng.pick(&[0, 0, 100]), self.rng.percent(70), self.rng.pick(&Answer::ALL));
        let calm = self.rng.percent(50);
        let token = &mut self.tokens[which];
        match token.kind {
            Kind::Native | Kind::Hook => token.set_temper(&mut self.chain, account, temper),
            Kind::Fee | Kind::Callback => token.set_fee(&mut self.chain, fee),
            Kind::False if calm => token.tell(&mut self.chain, true, Answer::True),
            Kind::False => token.tell(&mut self.chain, moves, answer),
            Kind::Silent | Kind::Permit => {}
        }
    }

    fn collect(&mut self, seen: &mut Seen) {
        let owed: Vec<(usize, Address)> = (0..self.tokens.len())
            .flat_map(|token| self.accounts.iter().map(move |account| (token, *account)))
            .filter(|(token, account)| self.model.credit_of(self.tokens[*token].address, *account) > 0)
            .collect();
        let anyone = (self.rng.between(0, self.tokens.len() as u64 - 1) as usize, self.rng.pick(&self.accounts));
        let (token, account) = if owed.is_empty() || self.rng.percent(10) { anyone } else { self.rng.pick(&owed) };
        let to = self.rng.pick(&self.accounts);
        let asset = self.tokens[token].address;
        let credit = self.model.credit_of(asset, account);
        let mut after = self.tokens[token].clone();
        let good = after.transfer(self.stage.contract, to, credit);
        let expected = self.model.collect(asset, account, good);
        let words = [word_of(&asset.unwrap_or(Address::from_bytes([0; 20]))), word_of(&to)].concat();
        let data = [selector("collect(address,address)"), words].concat();
        let receipt = self.chain.send(account, self.stage.contract, 0, data);
        self.say(format!("{account} collects {credit} of {asset:?} to {to}: {expected:?}"));
        self.must_agree(&expected, &receipt);
        if let Ok(amount) = expected {
            self.tokens[token] = after;
            let topics = vec![keccak(b"Collected(address,address,address,uint256)"), word_of(&account), word_of_token(asset)];
            self.must_have_said(&receipt, &[(topics, [word_of(&to), uint(amount)].concat())]);
        }
        seen.note("collect", expected.err());
        self.must_be_equal();
    }

    /// Runs a call on both, and compares.
    fn run(&mut self, mut tx: Tx, seen: &mut Seen) {
        let token = self.tokens.iter().position(|token| token.address == tx.key.token()).unwrap();
        let mut value = 0;
        let way = Way::draw(&mut self.rng, self.stage, &self.tokens[token], &tx);
        if let Call::Deposit { amount, brought, .. } = &mut tx.call {
            *brought = way.brings(&self.tokens[token], tx.sender, self.stage.contract, *amount);
            value = if tx.key.token().is_none() { *amount } else { 0 };
        }
        let expected = self.model.call(self.now, tx.sender, &tx.key, &tx.call);
        let plain = self.calldata(&tx);
        let (to, data) = way.send(&tx, self.stage.contract, plain);
        let reentry = expected.as_ref().ok().and_then(|done| self.reentry(&tx, done));
        if let Some(reentry) = &reentry {
            let inner = self.calldata(&reentry.tx);
            self.say(format!("{} calls back with {:?}", reentry.tx.sender, reentry.tx.call));
            self.chain.set_code(reentry.tx.sender, &reenter::code(&self.stage.contract, &inner));
        }
        let receipt = self.chain.send(tx.sender, to, value, data);
        if let Some(reentry) = &reentry {
            self.chain.set_code(reentry.tx.sender, &[]);
        }
        let outcome = expected.as_ref().map(|done| &done.said);
        self.say(format!("{} by {}: {:?}\n  -> {outcome:?}", tx.name(), tx.sender, tx.call));
        self.must_agree(&expected, &receipt);
        seen.note(tx.name(), expected.as_ref().err().copied());
        if let Ok(done) = &expected {
            let logs = self.carry_out(&tx, done, token, &way, reentry, seen);
            self.must_have_said(&receipt, &logs);
        }
        self.must_be_equal();
    }

    /// Moves what a call moves, in the model and in the mirror; and says what the contract must have said.
    fn carry_out(
        &mut self,
        tx: &Tx,
        done: &Done,
        token: usize,
        way: &Way,
        reentry: Option<Reentry>,
        seen: &mut Seen,
    ) -> Vec<Log> {
        let contract = self.stage.contract;
        if let Call::Deposit { amount, .. } = &tx.call {
            // It moved, whatever it says.
            self.tokens[token].transfer(tx.sender, contract, *amount);
            seen.note(way.name(), None);
            match way {
                Way::Permit { is_good: true, .. } => *self.tokens[token].permits.entry(tx.sender).or_default() += 1,
                // It allowed this amount in place of all, and it is used up.
                Way::ApproveAndCall => allow_all(&mut self.chain, tx.sender, tx.key.token().unwrap(), contract),
                Way::Permit { .. } | Way::Erc223 | Way::Plain => {}
            }
        }
        let mut logs = self.take_effect(tx, done);
        let closer_first = match &tx.call {
            Call::Dispute(state, _) => state.closer,
            Call::Deposit { .. } | Call::CooperativeClose { .. } | Call::Withdraw { .. } | Call::Close { .. } => Side::A,
        };
        for side in [closer_first, closer_first.other()] {
            let (to, amount) = (*tx.key.parties().of(side), *done.pays.of(side));
            if !amount.is_zero() && !self.tokens[token].transfer(contract, to, amount.get()) {
                self.model.credit(tx.key.token(), to, amount);
                let topics = vec![keccak(b"Credited(address,address,uint256)"), word_of(&to), word_of_token(tx.key.token())];
                logs.push((topics, uint(amount.get()).to_vec()));
            } else if let Some(inner) = reentry.as_ref().filter(|reentry| reentry.payee == side && !amount.is_zero()) {
                logs.extend(self.call_back(&inner.tx, seen));
            }
        }
        logs
    }

    /// What a call does to the books; what the contract says of it.
    fn take_effect(&mut self, tx: &Tx, done: &Done) -> Vec<Log> {
        let before = self.model.slot(&tx.key.id()).cloned();
        self.model.apply(&tx.key, done);
        self.keep_books(tx, before);
        let logs = done.said.iter().map(encode::log);
        let said = logs.clone().map(|log| (self.now, log));
        self.logs.entry(tx.key.id()).or_default().extend(said);
        logs.map(|log| (vec![*tx.key.id().as_bytes()], log)).collect()
    }

    /// A call made while its sender was paid. It finds the books written. One that would pay is refused: a payout's gas is too
    /// little for another.
    fn call_back(&mut self, tx: &Tx, seen: &mut Seen) -> Vec<Log> {
        let outcome = self.model.call(self.now, tx.sender, &tx.key, &tx.call);
        seen.note("reentry", outcome.as_ref().err().copied());
        match outcome {
            Ok(done) if done.pays == Both::default() => self.take_effect(tx, &done),
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// How an account takes coins.
    pub fn temper_for_coins(&self, account: Address) -> Temper {
        self.tokens.iter().find(|token| token.kind == Kind::Native).map_or(Temper::Takes, |token| token.temper(account))
    }

    fn calldata(&mut self, tx: &Tx) -> Vec<u8> {
        let style = Style { for_self: self.rng.percent(30), wordy: self.rng.percent(20), short: self.rng.percent(50) };
        tx.call.input_in(&tx.sender, &tx.key, style)
    }

    /// The parties note what became of their locks.
    fn keep_books(&mut self, tx: &Tx, slot: Option<Slot>) {
        let id = tx.key.id();
        let (payee, records) = match &tx.call {
            Call::Deposit { .. } | Call::CooperativeClose { .. } | Call::Withdraw { .. } => return,
            Call::Close { shown, records } => {
                let side = tx.key.side_of(&tx.sender).unwrap();
                for side in Side::BOTH {
                    self.book.takes.remove(&(id, side));
                    self.book.lists.remove(&(id, side));
                }
                self.note_list(id, side, shown);
                (side, records)
            }
            Call::Dispute(state, what) => match what {
                Dispute::Update { shown, .. } => {
                    self.book.takes.remove(&(id, state.closer.other()));
                    self.note_list(id, state.closer.other(), shown);
                    return;
                }
                Dispute::Unlock { records, .. } => (state.closer.other(), records),
                Dispute::UnlockLate { records, .. } => (state.closer, records),
                Dispute::Release { of, records } => (*of, records),
                Dispute::Punish { .. } | Dispute::Settle => return,
            },
        };
        if records.is_empty() {
            return;
        }
        let kept = records.iter().filter(|record| !record.take).map(|record| record.lock).collect();
        let list = |slot: Option<&Slot>| match slot {
            Some(Slot::Closed(state)) => state.incomes.of(payee).list,
            Some(Slot::Open(_)) | None => List::default(),
        };
        let (before, after) = (list(slot.as_ref()), list(self.model.slot(&id)));
        if before.taken != after.taken {
            let all: Vec<u8> = records.iter().flat_map(|record| record.lock.entry().unwrap()).collect();
            let take = Take { records: records.clone(), taken: before.taken, lists: (keccak(&all), after.locks) };
            self.book.takes.entry((id, payee)).or_default().push(take);
        }
        self.book.lists.insert((id, payee), kept);
    }

    fn note_list(&mut self, id: ChannelId, payee: Side, shown: &Shown) {
        let promises = self.book.promises.iter().filter(|((channel, ..), _)| *channel == id).flat_map(|(_, all)| all);
        let known = promises.clone().find(|promise| promise.shown.pending == shown.pending);
        let locks = known.map_or_else(Vec::new, |promise| promise.locks.clone());
        self.book.shown.insert((id, payee, shown.nonce), locks.clone());
        self.book.lists.insert((id, payee), locks);
    }

    fn say(&mut self, what: String) {
        self.said.push(format!("at {:?} {what}", self.now));
    }

    fn fail(&self, what: &str) -> ! {
        let last = self.said.len().saturating_sub(12);
        for line in &self.said[last..] {
            println!("{line}");
        }
        panic!("{what}\nseed {} on {:?} (PHOTON_CONTRACT_SEED)", self.seed, self.stage.rules);
    }

    fn must_agree<T>(&self, expected: &Result<T, Revert>, receipt: &Receipt) {
        let error = expected.as_ref().err().map(|refused| selector(&format!("{refused:?}()")));
        let wanted = error.unwrap_or_default();
        if expected.is_ok() != receipt.ok || !receipt.ok && receipt.answer[..] != wanted[..] {
            self.fail(&format!("the model says {:?}, the bytecode {receipt:?}", expected.as_ref().err()));
        }
    }

    fn must_have_said(&self, receipt: &Receipt, logs: &[(Vec<[u8; 32]>, Vec<u8>)]) {
        let ours = receipt.logs.iter().filter(|log| log.address.as_slice() == self.stage.contract.as_bytes());
        let said: Vec<(Vec<[u8; 32]>, Vec<u8>)> =
            ours.map(|log| (log.topics().iter().map(|topic| topic.0).collect(), log.data.data.to_vec())).collect();
        if said != logs {
            self.fail(&format!("the model says {logs:x?}, the bytecode said {said:x?}"));
        }
    }

    /// What a closed channel's logs come to is its state.
    fn must_fold(&self, key: &ChannelKey, state: &Closed) {
        let id = key.id();
        let logs: Vec<(Moment, &[u8])> = self.logs[&id].iter().map(|(at, data)| (*at, data.as_slice())).collect();
        let folded = fold(key, &state.word(key), &logs, |side, nonce| self.book.shown.get(&(id, side, nonce)).cloned());
        let folded = match folded {
            Ok(folded) => folded,
            Err(error) => self.fail(&format!("the logs of {id} can't be read: {error}")),
        };
        // The slot's word does not tell how the closer's share came to be what it is.
        let lists = |state: &Closed| Side::BOTH.map(|side| state.incomes.of(side).list);
        if folded.state.split() != state.split() || lists(&folded.state) != lists(state) {
            self.fail(&format!("the logs come to {:?}, the model to {state:?}", folded.state));
        }
        for side in Side::BOTH {
            let known = self.book.lists.get(&(id, side)).cloned().unwrap_or_default();
            let packed: Vec<u8> = known.iter().flat_map(|lock| lock.entry().unwrap()).collect();
            let is_it = !known.is_empty() && keccak(&packed) == state.incomes.of(side).list.locks;
            if is_it && *folded.pending.of(side) != known {
                self.fail(&format!("pending {:?}, and the party has {known:?}", folded.pending.of(side)));
            }
        }
    }

    /// The model's state is the contract's: every slot, every balance, every credit.
    fn must_be_equal(&mut self) {
        let contract = self.stage.contract;
        for key in self.keys.clone() {
            let wanted = self.model.slot(&key.id()).map_or([0; 32], |slot| slot.word(&key));
            let found = self.chain.slot(contract, *key.id().as_bytes());
            if wanted != found {
                self.fail(&format!("slot {wanted:x?}, found {found:x?}"));
            }
            let read = Word::read(&found);
            match self.model.slot(&key.id()).cloned() {
                None => assert_eq!(read, Word::Empty),
                Some(Slot::Open(open)) => assert_eq!(read, Word::Open(open)),
                Some(Slot::Closed(state)) => {
                    assert_eq!(read, Word::Closed(state.epoch));
                    if self.folded.insert(key.id(), found) != Some(found) {
                        self.must_fold(&key, &state);
                    }
                }
            }
        }
        let everyone: Vec<Address> = self.accounts.iter().copied().chain([contract, DEPLOYER]).collect();
        for token in self.tokens.clone() {
            for account in &everyone {
                let (wanted, found) = (token.balance(*account), token.on_chain(&mut self.chain, *account));
                if wanted != found {
                    self.fail(&format!("{:?}: {account} has {found}, the mirror says {wanted}", token.kind));
                }
                let place = keccak(&[word_of_token(token.address), word_of(account)].concat());
                let (wanted, found) = (uint(self.model.credit_of(token.address, *account)), self.chain.slot(contract, place));
                if wanted != found {
                    self.fail(&format!("{:?}: credit of {account} is {found:x?}, the model says {wanted:x?}", token.kind));
                }
            }
        }
    }
}

fn word_of_token(token: Option<Address>) -> [u8; 32] {
    token.map_or([0; 32], |token| word_of(&token))
}
