//! One sequence: the contract and its model, the tokens and their mirror, side by side after every call.

use crate::book::{self, Book, Take};
use crate::encode;
use crate::evm::{Chain, Receipt, Rules};
use crate::rng::Rng;
use crate::tokens::{Answer, Kind, Temper, Token, hook_of};
use crate::{selector, uint, word_of};
use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::contract::*;
use photon_channel::{ChannelId, ChannelKey, Domain, Moment, Side, Signer, Window, keccak};
use std::collections::BTreeMap;

const CHAIN_ID: u64 = 20_180_430;
const BLOCK_SECS: u64 = 15;
const DEPLOYER: Address = Address::from_bytes([0xdd; 20]);
const STRANGER: Address = Address::from_bytes([0x57; 20]);

/// What every sequence begins with: the contracts, deployed, and accounts that have money.
pub struct Stage {
    rules: Rules,
    chain: revm::database::CacheDB<revm::database::EmptyDB>,
    tokens: Vec<Token>,
    pub signers: Vec<Signer>,
    pub domain: Domain,
    contract: Address,
    registry: Address,
}

impl Stage {
    pub fn new(rules: Rules) -> Self {
        let mut chain = Chain::new(rules);
        chain.set_block(1000, 1_800_000_000);
        let registry = chain.deploy(DEPLOYER, "SecretRegistry", &[]);
        let arguments = [uint(u128::from(CHAIN_ID)), word_of(&registry), uint(u128::from(BLOCK_SECS))].concat();
        let contract = chain.deploy(DEPLOYER, "Channels", &arguments);
        let signers: Vec<Signer> = (1..=4).map(|seed| Signer::new([seed; 32]).unwrap()).collect();
        for temper in [Temper::Refuses, Temper::Burns] {
            chain.set_code(hook_of(temper), temper.code());
        }
        let mut accounts: Vec<Address> = signers.iter().map(Signer::address).collect();
        accounts.push(STRANGER);
        let plenty = 1u128 << 100;
        let mut tokens = Vec::new();
        for kind in [Kind::Native, Kind::Silent, Kind::Fee, Kind::False, Kind::Hook] {
            let supply = uint(plenty << 10);
            let address = match kind {
                Kind::Native => None,
                Kind::Silent => Some(chain.deploy(DEPLOYER, "test/SilentToken", &supply)),
                Kind::Fee => Some(chain.deploy(DEPLOYER, "test/FeeToken", &[supply, uint(0)].concat())),
                Kind::False => Some(chain.deploy(DEPLOYER, "test/FalseToken", &supply)),
                Kind::Hook => Some(chain.deploy(DEPLOYER, "test/HookToken", &[supply, uint(0)].concat())),
            };
            let mut token = Token {
                kind,
                address,
                balances: BTreeMap::new(),
                fee_per_mille: 0,
                moves: true,
                answer: Answer::True,
                unwilling: BTreeMap::new(),
                collector: DEPLOYER,
            };
            if kind == Kind::False {
                token.tell(&mut chain, true, Answer::True);
            }
            for account in &accounts {
                match address {
                    None => chain.set_coins(*account, plenty),
                    Some(token) => {
                        let all = [0xff; 32];
                        let approval = [selector("approve(address,uint256)"), [word_of(&contract), all].concat()].concat();
                        assert!(chain.send(*account, token, 0, approval).ok);
                        let words = [word_of(account), uint(plenty)].concat();
                        assert!(chain.send(DEPLOYER, token, 0, [selector("transfer(address,uint256)"), words].concat()).ok);
                    }
                }
                token.balances.insert(*account, plenty);
            }
            token.balances.insert(DEPLOYER, if address.is_some() { (plenty << 10) - 5 * plenty } else { 0 });
            tokens.push(token);
        }
        let domain = Domain::new(CHAIN_ID, contract);
        Stage { rules, chain: chain.keep(), tokens, signers, domain, contract, registry }
    }
}

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

/// How often each call ended in each way.
#[derive(Default)]
pub struct Seen(BTreeMap<(&'static str, Option<Revert>), usize>);

impl Seen {
    fn note(&mut self, name: &'static str, refused: Option<Revert>) {
        *self.0.entry((name, refused)).or_default() += 1;
    }

    /// Every call was taken, and refused for every reason there is: a generator that reaches less tests less.
    pub fn must_be_wide(&self) {
        for ((name, refused), count) in &self.0 {
            println!("{name:18} {refused:?} {count}");
        }
        for (name, reasons) in REASONS {
            for outcome in reasons.iter().copied().map(Some).chain([None]) {
                assert!(self.0.contains_key(&(*name, outcome)), "{name} never came to {outcome:?}");
            }
        }
    }
}

use Revert::*;

/// Why each call can be refused.
const REASONS: &[(&str, &[Revert])] = &[
    ("deposit", &[NotOpen, BadAmount, NotReceivedInFull]),
    ("withdraw", &[NotOpen, DeadlinePassed, BadSignature, BadAmount]),
    ("cooperativeClose", &[NotOpen, DeadlinePassed, BadSignature, BadAmount]),
    ("close", &[NotOpen, NotNewer, BadSignature, BadList, LockClosed]),
    ("update", &[NotThisState, WindowOver, NotNewer, BadSignature]),
    ("updateFor", &[BadRights, DeadlinePassed, BadSignature, NotThisState, WindowOver, NotNewer]),
    ("unlock", &[LockClosed, BadList, NotThisState]),
    ("unlockFor", &[BadRights, BadSignature, LockClosed, BadList]),
    ("unlockLate", &[NotThisState, WindowOpen, BadRights, BadSignature, LockClosed, BadList]),
    ("release", &[NotThisState, WindowOpen, LockStands, BadSignature, BadList]),
    ("punish", &[NotThisState, BadSignature, BadList, NotTaken]),
    ("settle", &[NotThisState, WindowOpen, NothingToPay]),
    ("collect", &[NothingToPay, TransferFailed]),
];

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
        let token = stage.tokens[rng.between(0, 4) as usize].address;
        let other_token = stage.tokens[rng.between(0, 4) as usize].address;
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
        let which = self.rng.between(0, 4) as usize;
        let (account, temper) =
            (self.rng.pick(&self.accounts[..4]), self.rng.pick(&[Temper::Takes, Temper::Refuses, Temper::Burns]));
        let (fee, moves, answer) = (self.rng.pick(&[0, 0, 100]), self.rng.percent(70), self.rng.pick(&Answer::ALL));
        let calm = self.rng.percent(50);
        let token = &mut self.tokens[which];
        match token.kind {
            Kind::Native | Kind::Hook => token.set_temper(&mut self.chain, account, temper),
            Kind::Fee => token.set_fee(&mut self.chain, fee),
            Kind::False if calm => token.tell(&mut self.chain, true, Answer::True),
            Kind::False => token.tell(&mut self.chain, moves, answer),
            Kind::Silent => {}
        }
    }

    fn collect(&mut self, seen: &mut Seen) {
        let owed: Vec<(usize, Address)> = (0..self.tokens.len())
            .flat_map(|token| self.accounts.iter().map(move |account| (token, *account)))
            .filter(|(token, account)| self.model.credit_of(self.tokens[*token].address, *account) > 0)
            .collect();
        let anyone = (self.rng.between(0, 4) as usize, self.rng.pick(&self.accounts));
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
        if let Call::Deposit { amount, brought, .. } = &mut tx.call {
            *brought = self.tokens[token].brings(tx.sender, self.stage.contract, *amount);
            value = if tx.key.token().is_none() { *amount } else { 0 };
        }
        let expected = self.model.call(self.now, tx.sender, &tx.key, &tx.call);
        let style = Style { for_self: self.rng.percent(30), wordy: self.rng.percent(20), short: self.rng.percent(50) };
        let data = tx.call.input_in(&tx.sender, &tx.key, style);
        let receipt = self.chain.send(tx.sender, self.stage.contract, value, data);
        let outcome = expected.as_ref().map(|done| &done.said);
        self.say(format!("{} by {}: {:?}\n  -> {outcome:?}", tx.name(), tx.sender, tx.call));
        self.must_agree(&expected, &receipt);
        seen.note(tx.name(), expected.as_ref().err().copied());
        if let Ok(done) = &expected {
            let logs = self.carry_out(&tx, done, token);
            self.must_have_said(&receipt, &logs);
        }
        self.must_be_equal();
    }

    /// Moves what a call moves, in the model and in the mirror; and says what the contract must have said.
    fn carry_out(&mut self, tx: &Tx, done: &Done, token: usize) -> Vec<(Vec<[u8; 32]>, Vec<u8>)> {
        let contract = self.stage.contract;
        if let Call::Deposit { amount, .. } = &tx.call {
            // It moved, whatever it says.
            self.tokens[token].transfer(tx.sender, contract, *amount);
        }
        let before = self.model.slot(&tx.key.id()).cloned();
        self.model.apply(&tx.key, done);
        self.keep_books(tx, before);
        let said = done.said.iter().map(|said| (self.now, encode::log(said)));
        self.logs.entry(tx.key.id()).or_default().extend(said);
        let mut logs: Vec<_> = done.said.iter().map(|said| (vec![*tx.key.id().as_bytes()], encode::log(said))).collect();
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
            }
        }
        logs
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
