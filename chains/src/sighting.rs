//! What a ledger shows of a lock.

use crate::party::{Hash32, TxId};
use crate::secret::Secret;
use crate::time::{BlockHeight, UnixTime};
use serde::{Deserialize, Serialize};

/// A block, by number and hash: a number alone means nothing after a reorganisation.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Its number.
    pub height: BlockHeight,
    /// Its hash.
    pub hash: Hash32,
}

/// The best block of our own node.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The block.
    pub block: BlockRef,
    /// The time its miner stamped on it.
    pub time: UnixTime,
    /// The time by which this ledger judges an expiry in the next block: median-time-past on Bitcoin and Litecoin (BIP-113),
    /// the tip's own timestamp on the EVM. Never the system clock.
    pub lock_clock: UnixTime,
}

/// The ledger's word on a lock, and nothing else: what we meant to send is our own fact and stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockStatus {
    /// Not seen.
    Absent,
    /// Funded exactly as agreed, but not yet deep enough to rely on. Depth 0: in the mempool only.
    Pending {
        /// The funding transaction.
        txid: TxId,
        /// Its confirmations.
        depth: u32,
    },
    /// Funded exactly as agreed, at the depth relied on, and not spent at that depth. A shallow spend stands in [`Sighting::spend`].
    Funded {
        /// The funding transaction.
        txid: TxId,
        /// Its block.
        at: BlockRef,
        /// Its confirmations.
        depth: u32,
    },
    /// Redeemed, at final depth. The secret is in [`Sighting::secret`].
    Redeemed {
        /// The redeeming transaction.
        txid: TxId,
        /// Its block.
        at: BlockRef,
    },
    /// Refunded, at final depth.
    Refunded {
        /// The refunding transaction.
        txid: TxId,
        /// Its block.
        at: BlockRef,
    },
}

/// Which way a lock was, or is being, spent.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpendKind {
    /// With the secret.
    Redeem,
    /// After the expiry.
    Refund,
}

/// A spend that is not final yet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// Which way.
    pub kind: SpendKind,
    /// By which transaction.
    pub txid: TxId,
    /// Its confirmations; 0 in the mempool.
    pub depth: u32,
}

/// Something seen at a lock's place that is not the lock that was agreed. It is never credited.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Paid, but not the agreed amount.
    WrongAmount,
    /// Paid a second time: the second payment is ignored for credit, and swept back by the refund.
    FundedTwice,
    /// The code at the contract's address is not the code that was agreed.
    WrongCode,
    /// The same terms were locked again after the lock had ended.
    LockedAgain,
}

/// Everything a ledger shows of one lock at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The ledger's word, deep enough to rely on.
    pub status: LockStatus,
    /// A spend that is not final yet, in a block or in the mempool.
    pub spend: Option<Spend>,
    /// The secret, from any source however shallow: a mempool transaction, an evicted one, an orphaned block. Once known it
    /// stays known.
    pub secret: Option<Secret>,
    /// What does not belong here.
    pub faults: Vec<Fault>,
}

impl Sighting {
    /// Nothing seen.
    pub const fn absent() -> Self {
        Self { status: LockStatus::Absent, spend: None, secret: None, faults: Vec::new() }
    }

    /// True if this shows something else than `earlier` did. That it lies deeper by now is not something else: a depth counts
    /// only where it passes from the mempool into a block, or where the ledger says so by another status.
    pub fn differs(&self, earlier: &Self) -> bool {
        let status_differs = match (&self.status, &earlier.status) {
            (LockStatus::Pending { txid, depth }, LockStatus::Pending { txid: other, depth: before }) => {
                txid != other || (*depth == 0) != (*before == 0)
            }
            (LockStatus::Funded { txid, at, .. }, LockStatus::Funded { txid: other, at: before, .. }) => {
                (txid, at) != (other, before)
            }
            (now, before) => now != before,
        };
        let seen = |spend: &Option<Spend>| spend.map(|spend| (spend.kind, spend.txid, spend.depth == 0));
        status_differs
            || seen(&self.spend) != seen(&earlier.spend)
            || self.secret != earlier.secret
            || self.faults != earlier.faults
    }

    /// True once nobody can spend the lock any more, at final depth.
    pub const fn is_over(&self) -> bool {
        matches!(self.status, LockStatus::Redeemed { .. } | LockStatus::Refunded { .. })
    }

    /// True if money of that lock stands on the ledger, seen at any depth, not finally spent.
    pub const fn stands(&self) -> bool {
        matches!(self.status, LockStatus::Pending { .. } | LockStatus::Funded { .. })
    }
}
