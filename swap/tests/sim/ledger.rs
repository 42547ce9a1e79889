//! A ledger with one lock on it: blocks, a mempool, two kinds of clock, reorganisations, halts.

use crate::rng::Rng;
use photon_chains::*;
use photon_swap::{LegView, Role};

/// Blocks within which an honest transaction is mined.
pub const INCLUSION_BLOCKS: u32 = 2;
/// Confirmations at which a lock is relied on, and no reorganisation is as deep.
pub const CONFIRMATIONS: u32 = 2;
/// Confirmations at which a spend is final.
pub const FINAL_CONFIRMATIONS: u32 = 3;
pub const EARLY_SECS: u64 = 4;
const SLOWEST_SCRIPT_BLOCK_SECS: u64 = 3;
const SLOWEST_ACCOUNT_BLOCK_SECS: u64 = 2;
const HALT_SECS: u64 = 12;
const LATE_STAMP_SECS: u64 = 1;

pub fn timing(family: Family) -> Timing {
    let (confirm_secs, rule) = match family {
        // Six blocks are free by the median rule; a redeem needs two to be mined, loses one to a reorganisation that brings
        // two more, and needs two again.
        Family::Utxo => (
            14,
            ClockRule::MedianTimePast {
                early_secs: EARLY_SECS,
                settle_secs: SLOWEST_SCRIPT_BLOCK_SECS,
                late_secs: (11 + u64::from(INCLUSION_BLOCKS)) * SLOWEST_SCRIPT_BLOCK_SECS,
            },
        ),
        Family::Evm => (
            10,
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
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    pub kind: Kind,
    pub from: Role,
    /// Honest transactions are mined within a bound. Others whenever it hurts most.
    pub honest: bool,
    /// Seen in mempools; else only its miner knows it.
    pub public: bool,
    /// Its fee was too low: it lies around until somebody who likes to mines it.
    pub stuck: bool,
}

/// What the blocks, taken together, did with the lock. Heights of what happened.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub funded: Option<u64>,
    pub wrong: Option<u64>,
    pub cancelled: Option<u64>,
    pub redeemed: Option<u64>,
    pub refunded: Option<u64>,
}

/// What goes wrong on this ledger.
#[derive(Copy, Clone, Debug, Default)]
pub struct Weather {
    /// Reorganisations to come.
    pub reorgs: u32,
    /// Halts to come.
    pub halts: u32,
    /// Fundings get stuck now and then.
    pub stuck_percent: u64,
    /// From then on every block takes as long as it may.
    pub slow_from: u64,
    /// By how much miners date their blocks ahead, as far as other nodes accept it.
    pub ahead_secs: u64,
    /// Halts and reorganisations come when an honest transaction would suffer, and honest transactions are mined at the
    /// last moment.
    pub is_cruel: bool,
}

pub struct SimLedger {
    lock: Lock,
    family: Family,
    secret: Secret,
    stamps: Vec<u64>,
    mined: Vec<(u64, Tx)>,
    mempool: Vec<(Tx, u32)>,
    next_block_at: u64,
    weather: Weather,
}

impl SimLedger {
    pub fn new(lock: Lock, secret: Secret, height: u64, now: u64, weather: Weather) -> Self {
        let family = lock.asset.ledger().family();
        let stamps = (0..=height).map(|block| now + block - height).collect();
        Self { lock, family, secret, stamps, mined: Vec::new(), mempool: Vec::new(), next_block_at: now + 1, weather }
    }

    pub fn height(&self) -> u64 {
        self.stamps.len() as u64 - 1
    }

    fn median(&self) -> u64 {
        let mut last: Vec<u64> = self.stamps.iter().rev().take(11).copied().collect();
        last.sort_unstable();
        last[last.len() / 2]
    }

    fn tip_stamp(&self) -> u64 {
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
            };
            *place = Some(*height);
        }
        state
    }

    /// Whether the next block, stamped so, may hold it.
    fn is_valid(&self, kind: Kind, stamp: u64) -> bool {
        let state = self.state();
        let expiry = &self.lock.expiry;
        let unused = state.funded.is_none() && state.cancelled.is_none() && state.wrong.is_none();
        let stands = state.funded.is_some() && state.redeemed.is_none() && state.refunded.is_none();
        match kind {
            Kind::Fund | Kind::FundWrong => unused && expiry.lock_by.is_none_or(|time| stamp <= time.secs()),
            Kind::Cancel => unused,
            Kind::Redeem => stands && expiry.closes.is_none_or(|time| stamp < time.secs()),
            Kind::Refund => {
                stands
                    && match self.family {
                        Family::Utxo => self.median() > expiry.opens_time.secs(),
                        Family::Evm => stamp >= expiry.opens_time.secs() && self.height() + 1 >= expiry.opens_block.get(),
                    }
            }
        }
    }

    /// Hands a transaction to the network. What is there already is not sent twice.
    pub fn send(&mut self, tx: Tx, rng: &mut Rng) {
        let is_known = |other: &Tx| other.kind == tx.kind && other.from == tx.from;
        let in_block = self.mined.iter().any(|(_, other)| is_known(other));
        if !in_block && !self.mempool.iter().any(|(other, _)| is_known(other)) {
            let stuck = tx.honest && tx.kind == Kind::Fund && rng.percent(self.weather.stuck_percent);
            self.mempool.push((Tx { stuck, ..tx }, 0));
        }
    }

    /// The mempools forget what that party sent.
    pub fn forget(&mut self, from: Role) {
        self.mempool.retain(|(tx, _)| tx.from != from || !tx.public);
    }

    /// Whether that party's spend waits to be mined, and the next block may hold it.
    pub fn is_about_to(&self, kind: Kind, from: Role, now: u64) -> bool {
        self.mempool.iter().any(|(tx, _)| tx.kind == kind && tx.from == from) && self.is_valid(kind, now)
    }

    /// Whether the secret could be read here now.
    pub fn shows_secret(&self) -> bool {
        let shows = |tx: &Tx| tx.kind == Kind::Redeem;
        self.mined.iter().any(|(_, tx)| shows(tx)) || self.mempool.iter().any(|(tx, _)| tx.public && shows(tx))
    }

    pub fn tick(&mut self, now: u64, rng: &mut Rng) {
        let honest_waits = self.mempool.iter().any(|(tx, _)| tx.honest && self.is_valid(tx.kind, now));
        let halt_percent = if self.weather.is_cruel && honest_waits { 30 } else { 1 };
        if self.weather.halts > 0 && rng.percent(halt_percent) {
            self.weather.halts -= 1;
            self.next_block_at = self.next_block_at.max(now + rng.between(1, HALT_SECS));
        }
        if now < self.next_block_at {
            return;
        }
        let tip = self.height();
        let honest_is_in = self.mined.iter().any(|(at, tx)| *at == tip && tx.honest);
        let reorg_percent = if self.weather.is_cruel && honest_is_in { 60 } else { 5 };
        if self.weather.reorgs > 0 && self.mined.iter().any(|(at, _)| *at == tip) && rng.percent(reorg_percent) {
            self.weather.reorgs -= 1;
            self.reorganise(now, rng);
        } else {
            self.mine(now, rng, true);
        }
        let slowest = match self.family {
            Family::Utxo => SLOWEST_SCRIPT_BLOCK_SECS,
            Family::Evm => SLOWEST_ACCOUNT_BLOCK_SECS,
        };
        let is_slow = self.weather.slow_from > 0 && now >= self.weather.slow_from;
        self.next_block_at = now + if is_slow { slowest } else { rng.between(1, slowest) };
    }

    fn stamp(&self, now: u64, rng: &mut Rng) -> u64 {
        match self.family {
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
            let is_wanted = match (tx.honest, tx.stuck) {
                (false, _) => true,
                (true, true) => rng.percent(2),
                (true, false) => is_due || (takes_honest && !self.weather.is_cruel && rng.percent(50)),
            };
            if !self.is_valid(tx.kind, stamp) {
                left.push((tx, waited));
            } else if is_wanted {
                self.mined.push((height, tx));
            } else {
                left.push((tx, waited + 1));
            }
        }
        self.mempool = left;
        self.stamps.push(stamp);
    }

    /// The last block, or none but one more, is replaced by two. What stood in it waits again; what a cheat had in it may be gone.
    fn reorganise(&mut self, now: u64, rng: &mut Rng) {
        for _ in 1..CONFIRMATIONS {
            let height = self.height();
            self.stamps.pop();
            let orphaned: Vec<Tx> = self.mined.extract_if(.., |(at, _)| *at == height).map(|(_, tx)| tx).collect();
            for tx in orphaned {
                if tx.honest || rng.percent(50) {
                    self.mempool.push((Tx { stuck: false, ..tx }, 0));
                } else if tx.kind == Kind::Fund {
                    self.mempool.push((Tx { kind: Kind::Cancel, ..tx }, 0));
                }
            }
        }
        for _ in 0..CONFIRMATIONS {
            self.mine(now, rng, false);
        }
    }

    /// For a person who replays a seed.
    pub fn told(&self) -> String {
        let mined: Vec<String> =
            self.mined.iter().map(|(height, tx)| format!("{:?} by {:?} at {height}", tx.kind, tx.from)).collect();
        let waiting: Vec<String> = self.mempool.iter().map(|(tx, _)| format!("{:?} by {:?}", tx.kind, tx.from)).collect();
        let clock = match self.family {
            Family::Utxo => self.median(),
            Family::Evm => self.tip_stamp(),
        };
        format!("#{} clock {} {mined:?} waiting {waiting:?}", self.height(), clock % 100_000)
    }

    fn depth(&self, height: u64) -> u32 {
        BlockHeight::new(height).depth_at(BlockHeight::new(self.height()))
    }

    fn block(&self, height: u64) -> BlockRef {
        BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes([1; 32]) }
    }

    /// What a node shows of all this.
    pub fn look(&self, cancelled_for_good: bool) -> LegView {
        let tip = Tip {
            block: self.block(self.height()),
            time: UnixTime::from_secs(self.tip_stamp()),
            lock_clock: UnixTime::from_secs(match self.family {
                Family::Utxo => self.median(),
                Family::Evm => self.tip_stamp(),
            }),
        };
        let cancelled = self.state().cancelled.is_some_and(|height| self.depth(height) >= FINAL_CONFIRMATIONS);
        LegView {
            tip: Some(tip),
            healthy: true,
            sighting: Some(self.sighting()),
            cancelled: cancelled || cancelled_for_good,
            swept: false,
        }
    }

    fn sighting(&self) -> Sighting {
        let state = self.state();
        let seen = |kind| self.mempool.iter().any(|(tx, _)| tx.public && tx.kind == kind);
        let txid = TxId::from_bytes([1; 32]);
        let spent = state.redeemed.map(|at| (SpendKind::Redeem, at)).or(state.refunded.map(|at| (SpendKind::Refund, at)));
        let status = match (state.funded, spent) {
            (Some(_), Some((SpendKind::Redeem, at))) if self.depth(at) >= FINAL_CONFIRMATIONS => {
                LockStatus::Redeemed { txid, at: self.block(at) }
            }
            (Some(_), Some((SpendKind::Refund, at))) if self.depth(at) >= FINAL_CONFIRMATIONS => {
                LockStatus::Refunded { txid, at: self.block(at) }
            }
            (Some(at), _) if self.depth(at) >= CONFIRMATIONS => {
                LockStatus::Funded { txid, at: self.block(at), depth: self.depth(at) }
            }
            (Some(at), _) => LockStatus::Pending { txid, depth: self.depth(at) },
            (None, _) if seen(Kind::Fund) && state.cancelled.is_none() => LockStatus::Pending { txid, depth: 0 },
            (None, _) => LockStatus::Absent,
        };
        let spend = match spent {
            Some((kind, at)) if self.depth(at) < FINAL_CONFIRMATIONS => Some(Spend { kind, txid, depth: self.depth(at) }),
            Some(_) => None,
            // What spends nothing that stands is in no mempool.
            None if status == LockStatus::Absent => None,
            None if seen(Kind::Redeem) => Some(Spend { kind: SpendKind::Redeem, txid, depth: 0 }),
            None if seen(Kind::Refund) => Some(Spend { kind: SpendKind::Refund, txid, depth: 0 }),
            None => None,
        };
        let faults = if state.wrong.is_some() { vec![Fault::WrongAmount] } else { Vec::new() };
        Sighting { status, spend, secret: self.shows_secret().then(|| self.secret.clone()), faults }
    }
}
