//! What a node shows of a ledger.

use crate::ledger::{CONFIRMATIONS, Code, FINAL_CONFIRMATIONS, Kind, SimLedger};
use photon_chains::*;
use photon_swap::{LegView, Role};

impl SimLedger {
    fn depth(&self, height: u64) -> u32 {
        BlockHeight::new(height).depth_at(BlockHeight::new(self.height()))
    }

    fn block(&self, height: u64) -> BlockRef {
        BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes([self.fork_at(height); 32]) }
    }

    fn is_final(&self, height: Option<u64>) -> bool {
        height.is_some_and(|height| self.depth(height) >= FINAL_CONFIRMATIONS)
    }

    /// What a party's node shows of all this.
    pub fn look(&self, role: Role, cancelled_for_good: bool) -> LegView {
        let tip = Tip {
            block: self.block(self.height()),
            time: UnixTime::from_secs(self.tip_stamp()),
            lock_clock: UnixTime::from_secs(match self.family {
                Family::Utxo => self.median(),
                Family::Evm => self.tip_stamp(),
            }),
        };
        let state = self.state();
        LegView {
            tip: Some(tip),
            healthy: true,
            sighting: Some(match &self.channel {
                Some(channel) => self.look_in_channel(channel, role),
                None => self.sighting(),
            }),
            cancelled: cancelled_for_good || self.is_final(state.cancelled),
            swept: self.is_final(state.swept),
        }
    }

    /// What a node shows that Mallory feeds: a lock funded long ago.
    pub fn lie(&self) -> Sighting {
        let status = LockStatus::Funded {
            txid: TxId::from_bytes([1; 32]),
            at: self.block(self.height() - u64::from(CONFIRMATIONS)),
            depth: CONFIRMATIONS + 1,
        };
        Sighting { status, spend: None, secret: None, faults: Vec::new() }
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
        let wrong = state.wrong.map(|_| Fault::WrongAmount);
        let changed = (self.code == Code::Changed).then_some(Fault::WrongCode);
        let faults = wrong.into_iter().chain(changed).collect();
        Sighting { status, spend, secret: self.shown().map(|key| key.secret()), faults }
    }

    /// For a person who replays a seed.
    pub fn told(&self) -> String {
        let mined: Vec<String> =
            self.mined.iter().map(|(height, tx)| format!("{:?} by {:?} at {height}", tx.kind, tx.from)).collect();
        let waiting: Vec<String> = self
            .mempool
            .iter()
            .map(|(tx, waited)| {
                let held = if tx.held { " held" } else { "" };
                let private = if tx.public { "" } else { " unseen" };
                format!("{:?} by {:?}{held}{private} for {waited}", tx.kind, tx.from)
            })
            .collect();
        let clock = match self.family {
            Family::Utxo => self.median(),
            Family::Evm => self.tip_stamp(),
        };
        let channel = self.told_of_channel();
        format!("#{} clock {} {mined:?} waiting {waiting:?}{channel}", self.height(), clock % 100_000)
    }
}
