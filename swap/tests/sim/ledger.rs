//! A ledger with one lock on it: blocks, a mempool, two kinds of clock, fees, reorganisations, halts.

use crate::channel::Channel;
use crate::rng::Rng;
use photon_chains::*;
use photon_swap::Role;

/// Blocks within which an honest transaction with the right fee is mined.
pub const INCLUSION_BLOCKS: u32 = 2;
/// Confirmations at which a lock is relied on, and no reorganisation is as deep.
pub const CONFIRMATIONS: u32 = 3;
/// Confirmations at which a spend is final.
pub const FINAL_CONFIRMATIONS: u32 = 4;
pub const EARLY_SECS: u64 = 4;
/// The fee above the usual one that reserves are held for.
pub const HIGHEST_FEE: u32 = 50;
const SLOWEST_SCRIPT_BLOCK_SECS: u64 = 3;
const SLOWEST_ACCOUNT_BLOCK_SECS: u64 = 2;
const HALT_SECS: u64 = 12;
const LATE_STAMP_SECS: u64 = 1;
/// Of the eleven blocks that a median is taken of, as many as a minority may date back.
const HELD_BACK_OF_ELEVEN: usize = 5;

pub fn timing(family: Family) -> Timing {
    let (confirm_secs, rule) = match family {
        // Six blocks are free by the median rule; a redeem needs two to be mined, is lost to a reorganisation that brings one
        // block more than it takes, and needs two again.
        Family::Utxo => (
            12,
            ClockRule::MedianTimePast {
                early_secs: EARLY_SECS,
                settle_secs: u64::from(2 * INCLUSION_BLOCKS + CONFIRMATIONS - 5) * SLOWEST_SCRIPT_BLOCK_SECS,
                late_secs: (11 + u64::from(INCLUSION_BLOCKS)) * SLOWEST_SCRIPT_BLOCK_SECS,
            },
        ),
        Family::Evm => (
            8,
            ClockRule::BlockTime {
                min_block_secs: 1,
                worst_block_millis: SLOWEST_ACCOUNT_BLOCK_SECS * 1000,
                inclusion_blocks: u64::from(INCLUSION_BLOCKS),
                final_blocks: u64::from(CONFIRMATIONS),
                halt_secs: HALT_SECS,
                late_secs: LATE_STAMP_SECS,
            },
        ),
    };
    Timing {
        block_secs: 1,
        confirmations: CONFIRMATIONS,
        final_confirmations: FINAL_CONFIRMATIONS,
        confirm_secs,
        stale_tip_secs: 60,
        rule,
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Fund,
    FundWrong,
    Cancel,
    Redeem,
    Refund,
    /// Takes back what was paid beside the lock.
    Sweep,
    /// Writes the secret into the registry that judges locks in channels.
    Register,
}

/// Whose secret a redeem shows.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The Initiator's.
    Swap,
    /// One that Mallory brought in.
    Mallorys,
}

impl Key {
    pub fn secret(self) -> Secret {
        match self {
            Key::Swap => Secret::from_bytes([7; 32]),
            Key::Mallorys => Secret::from_bytes([9; 32]),
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    pub kind: Kind,
    pub from: Role,
    /// Honest transactions are mined within a bound. Others whenever it hurts most.
    pub honest: bool,
    /// Seen in mempools; else only its miner knows it.
    pub public: bool,
    /// Not mined until somebody who likes to has it mined: its fee is far too low.
    pub held: bool,
    pub fee: u32,
    pub key: Key,
}

/// What the blocks, taken together, did with the lock. Heights of what happened.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub funded: Option<u64>,
    pub wrong: Option<u64>,
    pub cancelled: Option<u64>,
    pub redeemed: Option<u64>,
    pub refunded: Option<u64>,
    pub swept: Option<u64>,
}

/// What stands at the contract's address.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Code {
    Ours,
    /// Mallory's: it never pays the redeemer, and pays Mallory back at any time. Every node can see that.
    Changed,
    /// The same, and the terms name it, so that no node sees anything wrong.
    AsInTheTerms,
}

/// What goes wrong on this ledger.
#[derive(Copy, Clone, Debug, Default)]
pub struct Weather {
    /// Reorganisations to come, and from when on.
    pub reorgs: u32,
    pub reorgs_from: u64,
    /// Halts to come.
    pub halts: u32,
    /// How long a halt lasts, where it is longer than the schedule allows for.
    pub halt_secs: u64,
    /// Fundings get stuck now and then.
    pub stuck_percent: u64,
    /// From then on every block takes as long as it may.
    pub slow_from: u64,
    /// From then on every block comes as soon as it may.
    pub fast_from: u64,
    /// By how much miners date their blocks ahead, as far as other nodes accept it.
    pub ahead_secs: u64,
    /// A minority of miners dates its blocks back as far as it may.
    pub is_held_back: bool,
    /// Halts and reorganisations come when an honest transaction would suffer, and honest transactions are mined at the
    /// last moment.
    pub is_cruel: bool,
}

pub struct SimLedger {
    pub(crate) lock: Lock,
    pub(crate) family: Family,
    pub(crate) code: Code,
    pub(crate) mined: Vec<(u64, Tx)>,
    pub(crate) mempool: Vec<(Tx, u32)>,
    /// The key that opens the lock.
    key: Option<Key>,
    /// The redeemer named is the one of the swap.
    is_right_redeemer: bool,
    stamps: Vec<u64>,
    /// Which reorganisation brought each block.
    forks: Vec<u8>,
    fork: u8,
    held_back: Vec<u64>,
    next_block_at: u64,
    /// Below it nothing is relayed or mined.
    floor: u32,
    floor_until: u64,
    /// The Initiator's secret has left its machine this way, whether or not a block could hold it.
    leaked: bool,
    weather: Weather,
    /// The lock is not on the chain itself.
    pub(crate) channel: Option<Channel>,
    pub(crate) now: u64,
}

impl SimLedger {
    pub fn new(lock: Lock, redeemer: Party, code: Code, height: u64, now: u64, weather: Weather) -> Self {
        let family = lock.asset.ledger().family();
        let stamps = (0..=height).map(|block| now + block - height).collect();
        let key = [Key::Swap, Key::Mallorys].into_iter().find(|key| key.secret().hash() == lock.secret_hash);
        Self {
            lock,
            family,
            code,
            mined: Vec::new(),
            mempool: Vec::new(),
            key,
            is_right_redeemer: lock.redeemer == redeemer,
            stamps,
            forks: vec![0; height as usize + 1],
            fork: 0,
            held_back: Vec::new(),
            next_block_at: now + 1,
            floor: 1,
            floor_until: 0,
            leaked: false,
            weather,
            channel: None,
            now,
        }
    }

    pub fn height(&self) -> u64 {
        self.stamps.len() as u64 - 1
    }

    pub fn fork_at(&self, height: u64) -> u8 {
        self.forks.get(height as usize).copied().unwrap_or_default()
    }

    pub fn stamp_at(&self, height: u64) -> u64 {
        self.stamps.get(height as usize).copied().unwrap_or_default()
    }

    pub fn key(&self) -> Option<Key> {
        self.key
    }

    /// The lock names the redeemer and the hash of the swap.
    pub fn is_right(&self) -> bool {
        self.is_right_redeemer && self.key == Some(Key::Swap)
    }

    /// From now on it shows the same blocks as that one.
    pub fn copy_chain(&mut self, chain: &SimLedger) {
        self.mined.clone_from(&chain.mined);
        self.mempool.clone_from(&chain.mempool);
        self.stamps.clone_from(&chain.stamps);
        self.forks.clone_from(&chain.forks);
        (self.next_block_at, self.floor, self.floor_until) = (chain.next_block_at, chain.floor, chain.floor_until);
    }

    pub fn floor(&self) -> u32 {
        self.floor
    }

    pub fn median(&self) -> u64 {
        let mut last = [0; 11];
        for (slot, stamp) in last.iter_mut().zip(self.stamps.iter().rev()) {
            *slot = *stamp;
        }
        last.sort_unstable();
        last[5]
    }

    pub fn tip_stamp(&self) -> u64 {
        self.stamps.last().copied().unwrap_or_default()
    }

    pub fn state(&self) -> State {
        let mut state = State::default();
        for (height, tx) in &self.mined {
            let place = match tx.kind {
                Kind::Fund => &mut state.funded,
                Kind::FundWrong => &mut state.wrong,
                Kind::Cancel => &mut state.cancelled,
                Kind::Redeem => &mut state.redeemed,
                Kind::Refund => &mut state.refunded,
                Kind::Sweep => &mut state.swept,
                Kind::Register => continue,
            };
            *place = Some(*height);
        }
        state
    }

    /// Whether the next block, stamped so, may hold it.
    pub fn is_valid(&self, tx: &Tx, stamp: u64) -> bool {
        if let Some(channel) = &self.channel {
            return self.can_in_channel(channel, tx);
        }
        let state = self.state();
        let expiry = &self.lock.expiry;
        let unused = state.funded.is_none() && state.cancelled.is_none() && state.wrong.is_none();
        let stands = state.funded.is_some() && state.redeemed.is_none() && state.refunded.is_none();
        let is_open = match self.family {
            Family::Utxo => self.median() > expiry.opens_time.secs(),
            Family::Evm => stamp >= expiry.opens_time.secs() && self.height() + 1 >= expiry.opens_block.get(),
        };
        match tx.kind {
            Kind::Fund | Kind::FundWrong => unused && expiry.lock_by.is_none_or(|time| stamp <= time.secs()),
            Kind::Cancel => unused,
            Kind::Redeem => {
                let opens = self.key == Some(tx.key) && self.is_right_redeemer && self.code == Code::Ours;
                stands && opens && expiry.closes.is_none_or(|time| stamp < time.secs())
            }
            Kind::Refund => stands && (is_open || self.code != Code::Ours),
            Kind::Sweep => state.wrong.is_some() && state.swept.is_none() && is_open,
            Kind::Register => false,
        }
    }

    /// Hands a transaction to the network. What is there already is not sent twice, but its fee is raised.
    pub fn send(&mut self, tx: Tx, rng: &mut Rng) {
        if self.do_in_channel(&tx, rng) {
            return;
        }
        self.leaked |= tx.kind == Kind::Redeem && tx.key == Key::Swap && tx.public && !tx.held;
        if self.mined.iter().any(|(_, other)| other.kind == tx.kind && other.from == tx.from) {
            return;
        }
        if let Some((known, _)) = self.mempool.iter_mut().find(|(other, _)| other.kind == tx.kind && other.from == tx.from) {
            known.public |= tx.public;
            known.fee = known.fee.max(tx.fee);
            known.held &= tx.honest || tx.held;
            return;
        }
        let stuck = tx.honest && tx.kind == Kind::Fund && rng.percent(self.weather.stuck_percent);
        self.mempool.push((Tx { held: tx.held || stuck, ..tx }, 0));
    }

    /// The mempools forget what that party sent. A funding may lie on in one that we don't see.
    pub fn forget(&mut self, from: Role, rng: &mut Rng) {
        for (tx, _) in &mut self.mempool {
            if tx.from == from && tx.kind == Kind::Fund && tx.public && rng.percent(50) {
                *tx = Tx { public: false, held: true, ..*tx };
            }
        }
        self.mempool.retain(|(tx, _)| tx.from != from || !tx.public);
    }

    /// Replaces that party's transaction of that kind by nothing.
    pub fn evict(&mut self, kind: Kind, from: Role) {
        self.mempool.retain(|(tx, _)| tx.from != from || tx.kind != kind);
    }

    /// Has that party's forgotten transaction mined after all.
    pub fn boost(&mut self, kind: Kind, from: Role) {
        for (tx, waited) in &mut self.mempool {
            if tx.kind == kind && tx.from == from && tx.held {
                *tx = Tx { held: false, fee: HIGHEST_FEE, ..*tx };
                *waited = INCLUSION_BLOCKS;
            }
        }
    }

    /// Everybody else suddenly pays more, for that long. Part of what pays less is thrown out of the mempools.
    pub fn spike(&mut self, fee: u32, until: u64, rng: &mut Rng) {
        self.floor = fee;
        self.floor_until = until;
        self.mempool.retain(|(tx, _)| !tx.honest || !tx.public || tx.fee >= fee || rng.percent(50));
    }

    /// Whose honest transaction waits to be mined.
    pub fn waits_for(&self, role: Role) -> bool {
        self.mempool.iter().any(|(tx, _)| tx.honest && tx.from == role)
    }

    /// Whether that party's spend waits in the mempools, and the next block may hold it.
    pub fn is_about_to(&self, kind: Kind, from: Role, now: u64) -> bool {
        if self.channel.is_some() {
            return self.ends_within(3, now);
        }
        self.mempool.iter().any(|(tx, _)| tx.kind == kind && tx.from == from && tx.public && self.is_valid(tx, now))
    }

    /// Whether that spend is to be mined with the next block.
    pub fn is_due(&self, kind: Kind, from: Role, now: u64) -> bool {
        if self.channel.is_some() {
            return self.ends_within(1, now);
        }
        let is_due = |(tx, waited): &(Tx, u32)| tx.kind == kind && tx.from == from && waited + 1 >= INCLUSION_BLOCKS;
        now >= self.next_block_at.saturating_sub(1) && self.mempool.iter().any(|sent| is_due(sent) && self.is_valid(&sent.0, now))
    }

    /// The secret that a redeem shows here now.
    pub fn shown(&self) -> Option<Key> {
        let shows = |tx: &Tx| matches!(tx.kind, Kind::Redeem | Kind::Register);
        let mined = self.mined.iter().find(|(_, tx)| shows(tx)).map(|(_, tx)| tx.key);
        if self.channel.is_some() {
            // The engines read blocks alone.
            return mined;
        }
        mined.or_else(|| self.mempool.iter().find(|(tx, _)| tx.public && tx.kind == Kind::Redeem).map(|(tx, _)| tx.key))
    }

    /// Whether whoever looks hard enough knows the Initiator's secret.
    pub fn has_leaked(&self) -> bool {
        let by_channel = self.channel.as_ref().is_some_and(Channel::has_leaked);
        let waits = |(tx, _): &(Tx, u32)| tx.kind == Kind::Register && tx.key == Key::Swap;
        self.leaked || by_channel || self.shown() == Some(Key::Swap) || self.mempool.iter().any(waits)
    }

    pub fn tick(&mut self, now: u64, rng: &mut Rng) {
        self.now = now;
        if now >= self.floor_until {
            self.floor = 1;
        }
        let honest_waits = self.mempool.iter().any(|(tx, _)| tx.honest && self.is_valid(tx, now));
        let halt_percent = if self.weather.is_cruel && honest_waits { 30 } else { 1 };
        if self.weather.halts > 0 && rng.percent(halt_percent) {
            self.weather.halts -= 1;
            let lasts = if self.weather.is_cruel { HALT_SECS } else { rng.between(1, HALT_SECS) };
            let lasts = lasts.max(self.weather.halt_secs);
            self.next_block_at = self.next_block_at.max(now + lasts);
        }
        if now < self.next_block_at {
            return;
        }
        let tip = self.height();
        let honest_is_in = self.mined.iter().any(|(at, tx)| *at == tip && tx.honest);
        let reorg_percent = if self.weather.is_cruel && honest_is_in { 60 } else { 5 };
        let may_reorganise = self.weather.reorgs > 0 && now >= self.weather.reorgs_from;
        if may_reorganise && self.mined.iter().any(|(at, _)| *at == tip) && rng.percent(reorg_percent) {
            self.weather.reorgs -= 1;
            self.reorganise(now, rng);
        } else {
            self.mine(now, rng, true);
        }
        let slowest = match self.family {
            Family::Utxo => SLOWEST_SCRIPT_BLOCK_SECS,
            Family::Evm => SLOWEST_ACCOUNT_BLOCK_SECS,
        };
        let has_come = |from: u64| from > 0 && now >= from;
        self.next_block_at = now
            + match (has_come(self.weather.slow_from), has_come(self.weather.fast_from)) {
                (true, _) => slowest,
                (false, true) => 1,
                (false, false) => rng.between(1, slowest),
            };
    }

    fn stamp(&mut self, now: u64, rng: &mut Rng) -> u64 {
        let height = self.height() + 1;
        match self.family {
            Family::Utxo if self.weather.is_held_back => {
                let recent = self.held_back.iter().filter(|held| **held + 11 > height).count();
                if recent < HELD_BACK_OF_ELEVEN {
                    self.held_back.push(height);
                    self.median() + 1
                } else {
                    now.max(self.median() + 1)
                }
            }
            Family::Utxo => (now - rng.between(0, EARLY_SECS) + self.weather.ahead_secs).max(self.median() + 1),
            Family::Evm => (now - rng.between(0, LATE_STAMP_SECS)).max(self.tip_stamp() + 1),
        }
    }

    /// One block. Whoever cheats goes first; honest transactions wait for at most so many blocks in which they could stand.
    fn mine(&mut self, now: u64, rng: &mut Rng, takes_honest: bool) {
        let stamp = self.stamp(now, rng);
        let height = self.height() + 1;
        let mut waiting = std::mem::take(&mut self.mempool);
        waiting.sort_by_key(|(tx, _)| tx.honest);
        let mut left = Vec::new();
        for (tx, waited) in waiting {
            let is_due = waited + 1 >= INCLUSION_BLOCKS && takes_honest;
            let is_wanted = match (tx.honest, tx.held) {
                (false, held) => !held,
                (true, true) => tx.public && rng.percent(2),
                (true, false) if tx.fee < self.floor => false,
                (true, false) => is_due || (takes_honest && !self.weather.is_cruel && rng.percent(50)),
            };
            if !self.is_valid(&tx, stamp) {
                left.push((tx, waited));
            } else if is_wanted {
                self.mined.push((height, tx));
            } else {
                left.push((tx, waited + 1));
            }
        }
        self.mempool = left;
        self.stamps.push(stamp);
        self.forks.push(self.fork);
    }

    /// The last blocks, at most one fewer than are relied on, are replaced by one more. What stood in them waits again; what a cheat
    /// had in them may be gone, or paid to itself.
    fn reorganise(&mut self, now: u64, rng: &mut Rng) {
        self.fork += 1;
        let lost = rng.between(1, u64::from(CONFIRMATIONS) - 1);
        for _ in 0..lost {
            let height = self.height();
            self.stamps.pop();
            self.forks.pop();
            self.held_back.retain(|held| *held < height);
            let orphaned: Vec<Tx> = self.mined.extract_if(.., |(at, _)| *at == height).map(|(_, tx)| tx).collect();
            for tx in orphaned {
                if tx.honest || tx.kind == Kind::Register || rng.percent(50) {
                    self.mempool.push((Tx { held: false, ..tx }, 0));
                } else if tx.kind == Kind::Fund {
                    self.mempool.push((Tx { kind: Kind::Cancel, ..tx }, 0));
                }
            }
        }
        for _ in 0..=lost {
            self.mine(now, rng, false);
        }
    }
}
