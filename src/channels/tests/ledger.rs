//! A ledger in memory: the contract's pure model, mined block by block, and a port on it for each account.
//!
//! It can do what real ledgers do to those who rely on them: take blocks back, forget transactions, and lose those who send
//! them between a signature and its answer.

mod calls;
mod port;

use calls::{Asked, log, read, takes, transferred};
use photon_chains::{
    Address, BlockHeight, BlockRef, ContractPort, Hash32, IntentKey, Ledger, PortError, Said, Stamp, TxId, UnixTime,
};
use photon_channel::contract::{Call, Contract, Slot};
use photon_channel::{ChannelId, ChannelKey, Domain, Moment, Side, keccak};
pub use port::Port;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

pub const LEDGER: Ledger = Ledger::Ethereum;
pub const CHAIN_ID: u64 = 31_337;
pub const BLOCK_SECS: u64 = 15;
/// A block is relied on once so many stand on it, itself among them.
pub const DEPTH: u64 = 3;
pub const CONTRACT: Address = Address::from_bytes([0xcc; 20]);
pub const REGISTRY: Address = Address::from_bytes([0xee; 20]);
/// A token that knows allowances, and calls back where it is asked to; and one that has nothing but calls back (ERC223).
pub const ALLOWED: Address = Address::from_bytes([0x20; 20]);
pub const CALLS_BACK: Address = Address::from_bytes([0x23; 20]);
pub const TOKENS: [Address; 2] = [ALLOWED, CALLS_BACK];

pub fn domain() -> Domain {
    Domain::new(CHAIN_ID, CONTRACT)
}

/// What every account has, by token.
pub type Coins = BTreeMap<(Option<Address>, Address), u128>;

/// What becomes of transactions in blocks that are taken back.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are mined again, elsewhere.
    Again,
    /// Nobody knows of them any more but who sent them.
    Forgotten,
}

/// Where who makes a call is lost, once for each call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stumble {
    Before,
    After,
}

/// A transaction, wanted or mined.
#[derive(Clone)]
struct Tx {
    /// None: sent by a wallet beside the program.
    intent: Option<IntentKey>,
    from: Address,
    to: Address,
    value: u128,
    input: Vec<u8>,
    mined: Option<(u64, bool)>,
}

impl Tx {
    /// Two with the same intent are the same.
    fn id(&self) -> TxId {
        let intent = self.intent.map_or_else(String::new, |intent| intent.to_string());
        TxId::from_bytes(keccak(&[self.from.as_bytes(), intent.as_bytes(), &self.input].concat()))
    }
}

struct Block {
    time: u64,
    hash: Hash32,
    contract: Contract,
    coins: Coins,
}

struct Inner {
    now: u64,
    /// Blocks that were ever mined: each has another hash.
    mined: u64,
    contract: Contract,
    coins: Coins,
    /// The contract and the money after each block.
    blocks: Vec<Block>,
    said: Vec<Said>,
    txs: Vec<Tx>,
    /// Every channel that any transaction was about.
    keys: HashSet<ChannelKey>,
    /// Who does not reach it; it goes on without them.
    blind: HashSet<Address>,
    /// Whose transactions are passed by.
    barred: HashSet<Address>,
    stumble: Option<Stumble>,
    stumbled: HashSet<(Address, IntentKey)>,
    lost: BTreeSet<Address>,
    /// Intents whose blocks were taken back once.
    shaken: HashSet<IntentKey>,
    /// How often each account has asked for the past.
    asked: BTreeMap<Address, usize>,
    ports: Vec<Weak<Port>>,
}

/// Clones are handles on the same.
#[derive(Clone)]
pub struct Chain(Arc<Mutex<Inner>>);

impl Chain {
    pub fn new() -> Self {
        let contract = Contract::new(domain(), BLOCK_SECS);
        let now = crate::clock::now().secs();
        let mut inner = Inner {
            now,
            mined: 0,
            contract,
            coins: Coins::new(),
            blocks: Vec::new(),
            said: Vec::new(),
            txs: Vec::new(),
            keys: HashSet::new(),
            blind: HashSet::new(),
            barred: HashSet::new(),
            stumble: None,
            stumbled: HashSet::new(),
            lost: BTreeSet::new(),
            shaken: HashSet::new(),
            asked: BTreeMap::new(),
            ports: Vec::new(),
        };
        (0..DEPTH + 3).for_each(|_| inner.mine());
        Chain(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn give(&self, account: Address, coins: u128) {
        self.give_in(None, account, coins);
    }

    /// What is given in no block is never taken back.
    pub fn give_in(&self, token: Option<Address>, account: Address, coins: u128) {
        let mut inner = self.lock();
        let Inner { coins: now, blocks, .. } = &mut *inner;
        let all = blocks.iter_mut().map(|block| &mut block.coins).chain([now]);
        all.for_each(|held| *held.entry((token, account)).or_default() += coins);
    }

    pub fn coins(&self, account: &Address) -> u128 {
        self.coins_in(None, account)
    }

    pub fn coins_in(&self, token: Option<Address>, account: &Address) -> u128 {
        self.lock().coins.get(&(token, *account)).copied().unwrap_or_default()
    }

    pub fn slot(&self, id: &ChannelId) -> Option<Slot> {
        self.lock().contract.slot(id).cloned()
    }

    /// The newest block's time.
    pub fn now(&self) -> u64 {
        self.lock().now
    }

    /// From now on they don't reach it, and all others do.
    pub fn cut_off<const N: usize>(&self, accounts: [Address; N]) {
        self.lock().blind = HashSet::from(accounts);
    }

    /// From now on their transactions wait, and those of all others are mined.
    pub fn pass_by<const N: usize>(&self, accounts: [Address; N]) {
        self.lock().barred = HashSet::from(accounts);
    }

    /// A block, with all that waits in it.
    pub fn mine(&self) {
        self.lock().mine();
    }

    /// So many of the newest blocks are replaced by as many others and one more.
    pub fn reorganise(&self, depth: u64, fate: Fate) {
        let mut inner = self.lock();
        inner.take_back(depth, fate);
        (0..=depth).for_each(|_| inner.mine());
    }

    /// Takes the block of each call back, once: at one block's depth, or at two. None was: nothing is to be taken back now.
    pub fn shake(&self, fate: Fate) -> bool {
        let mut inner = self.lock();
        let height = inner.blocks.len() as u64 - 1;
        let depth = |tx: &Tx| match (tx.intent, tx.mined) {
            (Some(intent), Some((block, true))) if !inner.shaken.contains(&intent) => {
                let depth = height + 1 - block;
                (depth == 1 + u64::from(tx.input[0] & 1)).then_some((intent, depth))
            }
            _ => None,
        };
        let Some((intent, depth)) = inner.txs.iter().find_map(depth) else { return false };
        inner.shaken.insert(intent);
        drop(inner);
        self.reorganise(depth, fate);
        true
    }

    /// From now on whoever makes a call is lost there, the first time.
    pub fn stumble(&self, at: Stumble) {
        self.lock().stumble = Some(at);
    }

    /// Who was.
    pub fn lost(&self) -> BTreeSet<Address> {
        std::mem::take(&mut self.lock().lost)
    }

    /// How often an account has asked for what was said in the past.
    pub fn asked(&self, account: &Address) -> usize {
        self.lock().asked.get(account).copied().unwrap_or_default()
    }

    /// How many calls were lost, or taken back.
    pub fn troubles(&self) -> usize {
        let inner = self.lock();
        inner.stumbled.len() + inner.shaken.len()
    }

    /// How often an account's calls of this function were mined, and did something.
    pub fn made(&self, account: &Address, function: &str) -> usize {
        let selector = keccak(function.as_bytes());
        let inner = self.lock();
        let is_it = |tx: &&Tx| tx.from == *account && tx.input.starts_with(&selector[..4]);
        inner.txs.iter().filter(is_it).filter(|tx| matches!(tx.mined, Some((_, true)))).count()
    }

    /// A transaction of a wallet beside the program.
    pub fn send(&self, from: Address, to: Address, input: Vec<u8>) {
        self.lock().txs.push(Tx { intent: None, from, to, value: 0, input, mined: None });
    }

    /// Whether all who reach it have looked since the newest block.
    pub fn is_seen(&self) -> bool {
        let inner = self.lock();
        let tip = inner.blocks.last().unwrap().hash;
        let ports: Vec<Arc<Port>> = inner.ports.iter().filter_map(Weak::upgrade).collect();
        ports.iter().all(|port| inner.blind.contains(&port.account()) || port.looked() == Some(tip))
    }

    fn reached(&self, by: &Address) -> Result<MutexGuard<'_, Inner>, PortError> {
        let inner = self.lock();
        if inner.blind.contains(by) {
            return Err(PortError::Unreachable { ledger: LEDGER, reason: "cut off".to_owned() });
        }
        Ok(inner)
    }

    pub fn port(&self, account: Address) -> Arc<Port> {
        let port = Arc::new(Port::new(self, account));
        let mut inner = self.lock();
        inner.ports.retain(|port| port.strong_count() > 0);
        inner.ports.push(Arc::downgrade(&port));
        port
    }
}

impl Inner {
    fn moment(&self) -> Moment {
        Moment { time: UnixTime::from_secs(self.now), block: BlockHeight::new(self.blocks.len() as u64 - 1) }
    }

    fn next(&self) -> Moment {
        Moment { time: UnixTime::from_secs(self.now + BLOCK_SECS), block: BlockHeight::new(self.blocks.len() as u64) }
    }

    fn stamp(&self, height: u64) -> Stamp {
        let Block { time, hash, .. } = self.blocks[height as usize];
        Stamp { block: BlockRef { height: BlockHeight::new(height), hash }, time: UnixTime::from_secs(time) }
    }

    fn mine(&mut self) {
        self.now += BLOCK_SECS;
        self.mined += 1;
        let hash = Hash32::from_bytes(keccak(&self.mined.to_be_bytes()));
        self.blocks.push(Block { time: self.now, hash, contract: self.contract.clone(), coins: Coins::new() });
        let at = self.moment();
        for place in 0..self.txs.len() {
            let tx = self.txs[place].clone();
            if tx.mined.is_none() && !self.barred.contains(&tx.from) {
                self.txs[place].mined = Some((at.block.get(), self.run(&tx)));
            }
        }
        let (contract, coins) = (self.contract.clone(), self.coins.clone());
        let newest = self.blocks.last_mut().unwrap();
        (newest.contract, newest.coins) = (contract, coins);
    }

    fn take_back(&mut self, depth: u64, fate: Fate) {
        let height = self.blocks.len() as u64 - depth;
        self.blocks.truncate(height as usize);
        let last = self.blocks.last().unwrap();
        (self.now, self.contract, self.coins) = (last.time, last.contract.clone(), last.coins.clone());
        self.said.retain(|said| said.at.block.height.get() < height);
        let is_gone = |tx: &Tx| tx.mined.is_some_and(|(block, _)| block >= height);
        if fate == Fate::Forgotten {
            self.shaken.extend(self.txs.iter().filter(|tx| is_gone(tx)).filter_map(|tx| tx.intent));
            self.txs.retain(|tx| !is_gone(tx));
        }
        self.txs.iter_mut().filter(|tx| is_gone(tx)).for_each(|tx| tx.mined = None);
    }

    /// Whether a transaction would be taken in the next block; None for a registration, which always is.
    fn judge(&self, tx: &Tx, at: Moment) -> Result<(Asked, Option<photon_channel::contract::Done>), String> {
        let asked = read(&self.contract, &tx.from, &tx.to, tx.value, &tx.input)?;
        let Asked::Channel(key, call) = &asked else { return Ok((asked, None)) };
        if let Call::Deposit { amount, .. } = &**call
            && !takes(&mut self.coins.clone(), key.token(), tx.from, *amount)
        {
            return Err("not so many coins".to_owned());
        }
        let done = self.contract.call(at, tx.from, key, call).map_err(|revert| revert.to_string())?;
        Ok((asked, Some(done)))
    }

    fn run(&mut self, tx: &Tx) -> bool {
        let at = self.moment();
        let Ok((asked, done)) = self.judge(tx, at) else { return false };
        match (asked, done) {
            (Asked::Register(secret), _) => {
                let hash = secret.hash();
                if self.contract.registered(&hash).is_none() {
                    self.contract.register(hash, at);
                    self.say(tx.id(), REGISTRY, Hash32::from_bytes(*hash.as_bytes()), secret.expose().to_vec());
                }
            }
            (Asked::Channel(key, call), Some(done)) => {
                self.keys.insert(key);
                if let Call::Deposit { amount, .. } = *call {
                    takes(&mut self.coins, key.token(), tx.from, amount);
                    if let Some(token) = key.token() {
                        self.say(tx.id(), token, paid_to(&CONTRACT), transferred(&tx.from, amount));
                    }
                }
                self.contract.apply(&key, &done);
                for side in Side::BOTH {
                    *self.coins.entry((key.token(), *key.parties().of(side))).or_default() += done.pays.of(side).get();
                }
                if let Some(said) = &done.said {
                    self.say(tx.id(), CONTRACT, Hash32::from_bytes(*key.id().as_bytes()), log(said));
                }
            }
            (Asked::Channel(..), None) => return false,
        }
        true
    }

    fn say(&mut self, txid: TxId, by: Address, name: Hash32, data: Vec<u8>) {
        let at = self.stamp(self.blocks.len() as u64 - 1);
        let index = self.said.len() as u64;
        self.said.push(Said { by, name, data, at, index, txid });
    }

    /// Whether who makes this call is lost now.
    fn loses(&mut self, account: Address, intent: IntentKey, at: Stumble) -> bool {
        let is_lost = self.stumble == Some(at) && self.stumbled.insert((account, intent));
        if is_lost {
            self.lost.insert(account);
        }
        is_lost
    }
}

/// The name under which a token says what was paid to an account.
fn paid_to(account: &Address) -> Hash32 {
    let mut name = [0; 32];
    name[12..].copy_from_slice(account.as_bytes());
    Hash32::from_bytes(name)
}
