//! One chain as all parties see it: the contract by its own model, the registry, a mempool, gas that spikes, and the last blocks
//! undone now and then. What is at the agreed depth is never undone.

use crate::rng::Rng;
use photon_chains::{Address, BlockHeight, Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Contract, Dispute, Record, Said, Slot, Taken};
use photon_channel::*;
use std::collections::BTreeMap;
use std::rc::Rc;

pub const START: u64 = 1_800_000_000;
pub const BLOCK_SECS: u64 = 30;
pub const DEPTH: usize = 4;
/// The most blocks that a transaction waits in a spike.
pub const SPIKE_BLOCKS: u64 = 5;

pub fn domain() -> Domain {
    Domain::new(1, Address::from_bytes([9; 20]))
}

/// What was done to a closed channel, as its logs say.
#[derive(Clone, Default)]
pub struct Fight {
    /// The proof of each side's income that counts.
    pub nonces: Both<Nonce>,
    /// Locks that are not on the list of that proof any more.
    pub off: Both<Vec<LockNo>>,
    /// The calls that unlocked.
    pub unlocked: Both<Vec<Unlocking>>,
    /// Who closed, and what the proof said that it closed with.
    pub closed_by: Option<(Side, Units)>,
}

/// The state after a block.
#[derive(Clone)]
pub struct View {
    pub contract: Contract,
    pub fights: BTreeMap<ChannelRef, Fight>,
    /// Secrets that stand in calls, registered or not.
    pub shown: BTreeMap<SecretHash, Secret>,
    /// What each account was paid, less what it paid in.
    pub wallets: BTreeMap<Address, i128>,
    /// The same by each life of a channel.
    pub flows: BTreeMap<ChannelRef, Both<i128>>,
}

#[derive(Clone, PartialEq)]
pub enum What {
    Call(ChannelKey, Box<Call>),
    Register(Secret),
}

#[derive(Clone)]
pub struct Tx {
    pub from: Address,
    pub what: What,
    due: u64,
}

struct Block {
    view: Rc<View>,
    mined: Vec<Tx>,
}

pub struct Chain {
    blocks: Vec<Block>,
    mempool: Vec<Tx>,
    spike_until: u64,
    rng: Rng,
    pub reorgs: u64,
}

impl Chain {
    pub fn new(seed: u64) -> Self {
        let view = View {
            contract: Contract::new(domain(), BLOCK_SECS),
            fights: BTreeMap::new(),
            shown: BTreeMap::new(),
            wallets: BTreeMap::new(),
            flows: BTreeMap::new(),
        };
        let first = Block { view: Rc::new(view), mined: Vec::new() };
        Self { blocks: vec![first], mempool: Vec::new(), spike_until: 0, rng: Rng::new(seed ^ 0xc4a1), reorgs: 0 }
    }

    fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub fn moment(height: u64) -> Moment {
        Moment { time: UnixTime::from_secs(START + height * BLOCK_SECS), block: BlockHeight::new(height) }
    }

    pub fn tip(&self) -> Tip {
        let height = self.height();
        Tip { latest: Self::moment(height), deep: Self::moment(height.saturating_sub(DEPTH as u64)) }
    }

    /// The block that comes next.
    pub fn next(&self) -> Moment {
        Self::moment(self.height() + 1)
    }

    pub fn latest(&self) -> Rc<View> {
        self.blocks.last().unwrap().view.clone()
    }

    pub fn deep(&self) -> Rc<View> {
        self.blocks[self.blocks.len().saturating_sub(DEPTH + 1)].view.clone()
    }

    /// Somebody pays anything to have its transactions mined first.
    pub fn spike(&mut self) {
        self.spike_until = self.height() + 8;
    }

    pub fn send(&mut self, from: Address, what: What) {
        let most = if self.height() < self.spike_until { SPIKE_BLOCKS } else { 2 };
        let due = self.height() + self.rng.between(1, most);
        self.mempool.push(Tx { from, what, due });
    }

    /// Sends what does not wait already.
    pub fn send_once(&mut self, from: Address, what: What) {
        if !self.mempool.iter().any(|tx| tx.from == from && tx.what == what) {
            self.send(from, what);
        }
    }

    /// Whether a call of that account on that channel waits.
    pub fn waits(&self, from: &Address, id: &ChannelId) -> bool {
        self.mempool.iter().any(|tx| tx.from == *from && matches!(&tx.what, What::Call(key, _) if key.id() == *id))
    }

    pub fn registers(&self, hash: &SecretHash) -> bool {
        self.mempool.iter().any(|tx| matches!(&tx.what, What::Register(secret) if secret.hash() == *hash))
    }

    pub fn is_idle_for(&self, account: &Address) -> bool {
        self.mempool.iter().all(|tx| tx.from != *account)
    }

    pub fn mine(&mut self) {
        let (at, height) = (self.next(), self.height() + 1);
        let mut due: Vec<Tx> = self.mempool.extract_if(.., |tx| tx.due <= height).collect();
        if due.len() > 1 && self.rng.percent(50) {
            due.reverse();
        }
        let mut view = self.latest();
        if !due.is_empty() {
            let changed = Rc::make_mut(&mut view);
            due.iter().for_each(|tx| changed.mine(at, tx));
        }
        self.blocks.push(Block { view, mined: due });
    }

    /// The last blocks are replaced by others, in which what they held is mined at another time. What these accounts sent may be
    /// gone for good.
    pub fn reorg(&mut self, losers: &[Address]) {
        let depth = self.rng.between(1, DEPTH as u64).min(self.height()) as usize;
        self.reorgs += 1;
        let undone = self.blocks.split_off(self.blocks.len() - depth);
        for tx in undone.into_iter().flat_map(|block| block.mined) {
            // Whoever wants a secret registered asks for it at every block, so that it may be forgotten as well.
            let may_vanish = losers.contains(&tx.from) || matches!(tx.what, What::Register(_));
            if !may_vanish || self.rng.percent(50) {
                let due = self.height() + self.rng.between(1, depth as u64 + 2);
                self.mempool.push(Tx { due, ..tx });
            }
        }
        (0..depth).for_each(|_| self.mine());
    }
}

impl View {
    fn mine(&mut self, at: Moment, tx: &Tx) {
        match &tx.what {
            What::Register(secret) => {
                self.contract.register(secret.hash(), at);
                self.shown.insert(secret.hash(), secret.clone());
            }
            What::Call(key, call) => {
                // What is refused costs its sender a fee, and nothing else.
                let Ok(done) = self.contract.call(at, tx.from, key, call) else { return };
                let of = self.life_of(key);
                self.contract.apply(key, &done);
                let of = of.or_else(|| self.life_of(key));
                let paid_in = |side: Side| match &**call {
                    Call::Deposit { of, amount, .. } if *of == side => i128::try_from(*amount).unwrap(),
                    _ => 0,
                };
                for side in Side::BOTH {
                    let flow = done.pays.of(side).signed() - paid_in(side);
                    *self.wallets.entry(*key.parties().of(side)).or_default() += flow;
                    if let Some(of) = of {
                        *self.flows.entry(of).or_default().of_mut(side) += flow;
                    }
                }
                if let (Some(of), Some(side)) = (of, key.side_of(&tx.from)) {
                    self.follow(of, side, call);
                }
                self.read(done.said.as_ref());
            }
        }
    }

    fn life_of(&self, key: &ChannelKey) -> Option<ChannelRef> {
        self.contract.slot(&key.id()).map(|slot| ChannelRef { channel: key.id(), epoch: slot.epoch() })
    }

    /// Secrets in a call are public.
    fn read(&mut self, said: Option<&Said>) {
        if let Some(Said::Close(.., taken) | Said::Unlock(_, taken)) = said {
            for taken in taken {
                if let Taken::Shown(secret) = taken {
                    self.shown.insert(secret.hash(), secret.clone());
                }
            }
        }
    }

    fn follow(&mut self, of: ChannelRef, caller: Side, call: &Call) {
        match call {
            Call::Close { shown, records } => {
                let mut fight = Fight { closed_by: Some((caller, shown.transferred)), ..Fight::default() };
                *fight.nonces.of_mut(caller) = shown.nonce;
                fight.take_off(caller, records, true);
                self.fights.insert(of, fight);
            }
            Call::Dispute(_, what) => {
                let fight = self.fights.entry(of).or_default();
                match what {
                    Dispute::Update { shown, .. } => {
                        *fight.nonces.of_mut(caller) = shown.nonce;
                        fight.off.of_mut(caller).clear();
                        fight.unlocked.of_mut(caller).clear();
                    }
                    Dispute::Unlock { records, .. } | Dispute::UnlockLate { records, .. } => {
                        fight.take_off(caller, records, true);
                    }
                    Dispute::Release { of, records } => fight.take_off(*of, records, false),
                    Dispute::Settle | Dispute::Punish { .. } => {}
                }
            }
            Call::Deposit { .. } | Call::CooperativeClose { .. } | Call::Withdraw { .. } => {}
        }
    }

    /// All that is in the contract and in wallets.
    pub fn sum(&self, keys: impl Iterator<Item = ChannelKey>) -> i128 {
        let held = keys.map(|key| match self.contract.slot(&key.id()) {
            Some(Slot::Open(open)) => open.holdings.total.signed(),
            Some(Slot::Closed(closed)) => closed.money.holdings.total.signed(),
            None => 0,
        });
        held.sum::<i128>() + self.wallets.values().sum::<i128>()
    }
}

impl Fight {
    fn take_off(&mut self, of: Side, records: &[Record], unlocked: bool) {
        let taken: Vec<LockNo> = records.iter().filter(|record| record.take).map(|record| record.lock.number).collect();
        if taken.is_empty() {
            return;
        }
        self.off.of_mut(of).extend(taken);
        if unlocked {
            let list = records.iter().map(|record| (record.lock, record.take)).collect();
            self.unlocked.of_mut(of).push(Unlocking { list });
        }
    }
}
