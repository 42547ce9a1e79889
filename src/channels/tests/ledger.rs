//! A ledger in memory: the contract's pure model, mined block by block, and a port on it for each account.

use photon_chains::{
    Address, BlockHeight, BlockRef, Called, ContractCall, ContractPort, Hash32, Heads, IntentKey, Ledger, News, PortError,
    Progress, Said, Secret, Stamp, TxId, UnixTime,
};
use photon_channel::contract::{Brought, By, Call, Consent, Contract, Dispute, Shown, Slot};
use photon_channel::{Both, ChannelId, ChannelKey, Commitment, Domain, Moment, Nonce, Side, Signature, Units, Window, keccak};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

pub const CHAIN_ID: u64 = 31_337;
pub const BLOCK_SECS: u64 = 15;
/// A block is relied on once so many stand on it, itself among them.
pub const DEPTH: u64 = 3;
pub const CONTRACT: Address = Address::from_bytes([0xcc; 20]);
pub const REGISTRY: Address = Address::from_bytes([0xee; 20]);

pub fn domain() -> Domain {
    Domain::new(CHAIN_ID, CONTRACT)
}

/// A transaction, wanted or mined.
#[derive(Clone)]
struct Tx {
    intent: IntentKey,
    from: Address,
    value: u128,
    input: Vec<u8>,
    mined: Option<(u64, bool)>,
}

struct Inner {
    now: u64,
    contract: Contract,
    /// The contract after each block.
    blocks: Vec<(u64, Contract)>,
    said: Vec<Said>,
    txs: Vec<Tx>,
    coins: BTreeMap<Address, u128>,
    /// Who does not reach it; it goes on without them.
    blind: HashSet<Address>,
}

/// Clones are handles on the same.
#[derive(Clone)]
pub struct Chain(Arc<Mutex<Inner>>);

impl Chain {
    pub fn new() -> Self {
        let contract = Contract::new(domain(), BLOCK_SECS);
        let now = crate::clock::now().secs();
        let blocks = vec![(now, contract.clone())];
        let inner =
            Inner { now, contract, blocks, said: Vec::new(), txs: Vec::new(), coins: BTreeMap::new(), blind: HashSet::new() };
        let chain = Chain(Arc::new(Mutex::new(inner)));
        (0..DEPTH + 2).for_each(|_| chain.mine());
        chain
    }

    pub fn give(&self, account: Address, coins: u128) {
        *self.0.lock().unwrap().coins.entry(account).or_default() += coins;
    }

    pub fn coins(&self, account: &Address) -> u128 {
        self.0.lock().unwrap().coins.get(account).copied().unwrap_or_default()
    }

    pub fn slot(&self, id: &ChannelId) -> Option<Slot> {
        self.0.lock().unwrap().contract.slot(id).cloned()
    }

    /// The newest block's time.
    pub fn now(&self) -> u64 {
        self.0.lock().unwrap().now
    }

    /// From now on they don't reach it, and all others do.
    pub fn cut_off<const N: usize>(&self, accounts: [Address; N]) {
        self.0.lock().unwrap().blind = HashSet::from(accounts);
    }

    /// A block, with all that waits in it.
    pub fn mine(&self) {
        self.0.lock().unwrap().mine();
    }

    fn reached(&self, by: &Address) -> Result<MutexGuard<'_, Inner>, PortError> {
        let inner = self.0.lock().unwrap();
        if inner.blind.contains(by) {
            return Err(PortError::Unreachable { ledger: LEDGER, reason: "cut off".to_owned() });
        }
        Ok(inner)
    }

    pub fn port(&self, account: Address) -> Arc<Port> {
        Arc::new(Port { chain: self.clone(), account, watched: Mutex::default() })
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
        let time = self.blocks[height as usize].0;
        let hash = Hash32::from_bytes(keccak(&height.to_be_bytes()));
        Stamp { block: BlockRef { height: BlockHeight::new(height), hash }, time: UnixTime::from_secs(time) }
    }

    fn mine(&mut self) {
        let at = self.next();
        self.now = at.time.secs();
        self.blocks.push((self.now, self.contract.clone()));
        let waiting: Vec<usize> = (0..self.txs.len()).filter(|place| self.txs[*place].mined.is_none()).collect();
        for place in waiting {
            let tx = self.txs[place].clone();
            let done = self.run(&tx);
            self.txs[place].mined = Some((at.block.get(), done));
        }
        let contract = self.contract.clone();
        self.blocks.last_mut().unwrap().1 = contract;
    }

    /// Whether a transaction would be taken in the next block; None for a registration, which always is.
    fn judge(&self, tx: &Tx, at: Moment) -> Result<Option<(ChannelKey, photon_channel::contract::Done)>, String> {
        let Some((key, call)) = read(&self.contract, &tx.from, tx.value, &tx.input)? else { return Ok(None) };
        if tx.value > self.coins.get(&tx.from).copied().unwrap_or_default() {
            return Err("not so many coins".to_owned());
        }
        let done = self.contract.call(at, tx.from, &key, &call).map_err(|revert| revert.to_string())?;
        Ok(Some((key, done)))
    }

    fn run(&mut self, tx: &Tx) -> bool {
        let at = self.moment();
        match self.judge(tx, at) {
            Err(_) => false,
            Ok(None) => {
                let secret = Secret::from_bytes(tx.input[4..36].try_into().unwrap());
                let hash = secret.hash();
                if self.contract.registered(&hash).is_none() {
                    self.contract.register(hash, at);
                    self.say(REGISTRY, Hash32::from_bytes(*hash.as_bytes()), secret.expose().to_vec());
                }
                true
            }
            Ok(Some((key, done))) => {
                *self.coins.entry(tx.from).or_default() -= tx.value;
                self.contract.apply(&key, &done);
                for side in Side::BOTH {
                    *self.coins.entry(*key.parties().of(side)).or_default() += done.pays.of(side).get();
                }
                if let Some(said) = &done.said {
                    self.say(CONTRACT, Hash32::from_bytes(*key.id().as_bytes()), log(said));
                }
                true
            }
        }
    }

    fn say(&mut self, by: Address, name: Hash32, data: Vec<u8>) {
        let at = self.stamp(self.blocks.len() as u64 - 1);
        let (index, txid) = (self.said.len() as u64, TxId::from_bytes([1; 32]));
        self.said.push(Said { by, name, data, at, index, txid });
    }
}

/// One account's port.
pub struct Port {
    chain: Chain,
    account: Address,
    /// Watched names, each with how much was said under it at the last look; None before the first.
    watched: Mutex<HashMap<Hash32, Option<usize>>>,
}

#[async_trait::async_trait]
impl ContractPort for Port {
    fn account(&self) -> Address {
        self.account
    }
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }
    fn channels(&self) -> Option<Address> {
        Some(CONTRACT)
    }
    fn registry(&self) -> Address {
        REGISTRY
    }
    fn block_secs(&self) -> u64 {
        BLOCK_SECS
    }
    fn watch_name(&self, _contract: Address, name: Hash32, _since: BlockHeight) {
        self.watched.lock().unwrap().entry(name).or_default();
    }
    fn unwatch_name(&self, name: &Hash32) {
        self.watched.lock().unwrap().remove(name);
    }
    async fn look(&self) -> Result<News, PortError> {
        let inner = self.chain.reached(&self.account)?;
        let height = inner.blocks.len() as u64 - 1;
        let heads = Heads { latest: inner.stamp(height), deep: inner.stamp(height + 1 - DEPTH) };
        let mut changed = Vec::new();
        for (name, count) in self.watched.lock().unwrap().iter_mut() {
            let now = inner.said.iter().filter(|said| said.name == *name).count();
            if *count != Some(now) {
                *count = Some(now);
                changed.push(*name);
            }
        }
        Ok(News { heads, changed })
    }
    fn said(&self, name: &Hash32) -> Vec<Said> {
        self.chain.0.lock().unwrap().said.iter().filter(|said| said.name == *name).cloned().collect()
    }
    async fn views(&self, asks: &[(Address, Vec<u8>)], at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        let inner = self.chain.reached(&self.account)?;
        let height = at.map_or(inner.blocks.len() - 1, |at| at.get() as usize);
        let contract = &inner.blocks[height].1;
        let answer = |(to, input): &(Address, Vec<u8>)| {
            let id = ChannelId::from_bytes(input.get(4..36)?.try_into().ok()?);
            let key = inner.key_of(&id);
            let word = contract.slot(&id).zip(key).map_or([0; 32], |(slot, key)| slot.word(&key));
            (*to == CONTRACT).then(|| word.to_vec())
        };
        Ok(asks.iter().map(answer).collect())
    }
    async fn call(&self, call: &ContractCall) -> Result<Called, PortError> {
        let mut inner = self.chain.reached(&self.account)?;
        let height = inner.blocks.len() as u64 - 1;
        let known = inner.txs.iter().find(|tx| tx.intent == call.intent && tx.from == self.account).cloned();
        let txid = TxId::from_bytes([1; 32]);
        Ok(match known.map(|tx| tx.mined) {
            Some(None) => Called::Under(Progress::Sent { txid }),
            Some(Some((block, false))) if height + 1 - block >= DEPTH => Called::Reverted(txid),
            Some(Some((block, true))) if height + 1 - block >= DEPTH => Called::Under(Progress::Done),
            Some(Some((block, _))) => Called::Under(Progress::Mined { txid, depth: (height + 1 - block) as u32 }),
            None => {
                let tx = Tx {
                    intent: call.intent,
                    from: self.account,
                    value: call.value.units(),
                    input: call.input.clone(),
                    mined: None,
                };
                match inner.judge(&tx, inner.next()) {
                    Err(reason) => Called::WouldRevert(reason),
                    Ok(_) => {
                        inner.txs.push(tx);
                        Called::Under(Progress::Sent { txid })
                    }
                }
            }
        })
    }
    fn unwant(&self, _intent: &IntentKey) {}
    async fn holds(&self, _token: Option<Address>) -> Result<u128, PortError> {
        Ok(self.chain.reached(&self.account)?.coins.get(&self.account).copied().unwrap_or_default())
    }
}

impl Inner {
    /// The key of a channel that any transaction was about.
    fn key_of(&self, id: &ChannelId) -> Option<ChannelKey> {
        let keys: HashSet<ChannelKey> = self
            .txs
            .iter()
            .filter_map(|tx| read(&self.contract, &tx.from, tx.value, &tx.input).ok().flatten().map(|(key, _)| key))
            .collect();
        keys.into_iter().find(|key| key.id() == *id)
    }
}

/// A call's words. What is left off is zero.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn at(&self, place: usize) -> [u8; 32] {
        let mut word = [0; 32];
        let rest = self.0.get(place * 32..).unwrap_or_default();
        word.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        word
    }
    fn address(&self, place: usize) -> Address {
        Address::from_bytes(self.at(place)[12..].try_into().unwrap())
    }
    /// So many bits from that one up, in whole bytes.
    fn number(&self, place: usize, from: usize, bits: usize) -> u128 {
        let word = self.at(place);
        let (start, end) = (32 - (from + bits) / 8, 32 - from / 8);
        word[start..end].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    }
    fn signature(&self, place: usize) -> Signature {
        let mut bytes = [0; 65];
        bytes[..32].copy_from_slice(&self.at(place));
        bytes[32..64].copy_from_slice(&self.at(place + 1));
        bytes[64] = 27 + (bytes[32] >> 7);
        bytes[32] &= 0x7f;
        Signature::from_bytes(bytes)
    }
    fn shown(&self, figures: usize, locks: usize, signature: usize) -> Shown {
        let units = |from| Units::new(self.number(figures, from, 96)).unwrap();
        Shown {
            nonce: Nonce(self.number(figures, 192, 64) as u64),
            transferred: units(96),
            pending: Commitment { locked: units(0), locks: self.at(locks) },
            signature: self.signature(signature),
        }
    }
    fn key(&self, one: &Address, other: &Address) -> Result<ChannelKey, String> {
        let window = Window::from_minutes(self.number(0, 160, 16) as u16).map_err(|error| error.to_string())?;
        let token = Some(self.address(0)).filter(|token| *token != Address::from_bytes([0; 20]));
        ChannelKey::new(token, *one, *other, window).map_err(|error| error.to_string())
    }
}

/// Reads the calls that these tests see, without locks.
fn read(contract: &Contract, from: &Address, value: u128, input: &[u8]) -> Result<Option<(ChannelKey, Call)>, String> {
    let (selector, rest) = input.split_at(4);
    let words = Words(rest);
    let is = |signature: &str| keccak(signature.as_bytes())[..4] == *selector;
    let time = |place, from| UnixTime::from_secs(words.number(place, from, 40) as u64);
    let peer = words.address(1);
    if is("registerSecret(bytes32)") {
        return Ok(None);
    }
    if is("deposit(uint256,uint256)") {
        let key = words.key(from, &peer)?;
        let call = Call::Deposit { of: key.side_of(from).unwrap(), amount: value, brought: Brought::InFull };
        return Ok(Some((key, call)));
    }
    if is("cooperativeClose(uint256,uint256,uint256,bytes32,bytes32)") {
        let magnitude = words.number(2, 0, 96) as i128;
        let paid_to_a = if words.number(2, 96, 8) == 1 { -magnitude } else { magnitude };
        let consent = Consent::Counterparty(words.signature(3));
        return Ok(Some((words.key(from, &peer)?, Call::CooperativeClose { paid_to_a, deadline: time(1, 160), consent })));
    }
    if is("withdraw(uint256,uint256,uint256,bytes32,bytes32)") {
        let amounts = Both { a: words.number(2, 0, 96), b: words.number(2, 96, 96) };
        let consent = Consent::Counterparty(words.signature(3));
        return Ok(Some((words.key(from, &peer)?, Call::Withdraw { amounts, deadline: time(1, 160), consent })));
    }
    if is(CLOSE) {
        return Ok(Some((words.key(from, &peer)?, Call::Close { shown: close_shown(&words), records: Vec::new() })));
    }
    let (what, key): (Dispute, ChannelKey) = if is(UPDATE) {
        (Dispute::Update { shown: update_shown(&words), by: By::Party }, words.key(from, &peer)?)
    } else if is("settle(uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32)") {
        (Dispute::Settle, words.key(&words.address(2), &if peer == Address::from_bytes([0; 20]) { *from } else { peer })?)
    } else {
        return Err("no call that this ledger reads".to_owned());
    };
    match contract.slot(&key.id()) {
        Some(Slot::Closed(state)) => Ok(Some((key, Call::Dispute(state.clone(), what)))),
        Some(Slot::Open(_)) | None => Err("not closed".to_owned()),
    }
}

const CLOSE: &str = "close(uint256,address,uint256,bytes32,bytes32,bytes32)";
const UPDATE: &str = "update(uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32)";

fn close_shown(words: &Words<'_>) -> Shown {
    words.shown(2, 5, 3)
}

fn update_shown(words: &Words<'_>) -> Shown {
    words.shown(3, 6, 4)
}

/// What is said, where somebody reads it.
fn log(said: &photon_channel::contract::Said) -> Vec<u8> {
    use photon_channel::contract::Said;
    let paid = |pays: &Both<Units>, first: Side| {
        let mut word = [0; 32];
        word[20..].copy_from_slice(&pays.of(first).get().to_be_bytes()[4..]);
        word[8..20].copy_from_slice(&pays.of(first.other()).get().to_be_bytes()[4..]);
        word
    };
    match said {
        Said::Deposit(open) => [vec![1], open.word().to_vec()].concat(),
        Said::Withdrawal(pays, _) => [vec![3], paid(pays, Side::A).to_vec()].concat(),
        Said::CooperativeClose(pays) => [vec![4], paid(pays, Side::A).to_vec()].concat(),
        Said::Close(closer, open, income, _) => {
            let mut log = [vec![if closer.is_a() { 5 } else { 6 }], open.word().to_vec(), income.figures().to_vec()].concat();
            if income.list.locks != [0; 32] {
                log.extend(income.list.locks);
            }
            log
        }
        Said::Update(shown) => {
            let mut log = [vec![7], shown.income().figures().to_vec()].concat();
            if shown.pending.locks != [0; 32] {
                log.extend(shown.pending.locks);
            }
            log
        }
        Said::Settle(closer, pays, ..) => [vec![12], paid(pays, *closer).to_vec()].concat(),
        Said::Unlock(..) | Said::Release(..) | Said::Punishment(_) => vec![13],
    }
}

pub const LEDGER: Ledger = Ledger::Ethereum;
