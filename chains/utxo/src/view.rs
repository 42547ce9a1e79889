//! From what pays a lock's script to the ledger's word on the lock. Pure.

use crate::tracker::{Paid, Place, SpentBy};
use crate::tx::shown_id;
use bitcoin::hashes::Hash;
use photon_chains::{Amount, BlockHeight, BlockRef, Fault, Hash32, LockStatus, Secret, Sighting, Spend, SpendKind, Timing};

/// The same block in the words of the port.
pub fn block_ref(place: Place) -> BlockRef {
    let mut hash = place.hash.to_byte_array();
    hash.reverse();
    BlockRef { height: BlockHeight::new(place.height), hash: Hash32::from_bytes(hash) }
}

/// Confirmations of something in that block, or none of it in the mempool.
pub fn depth(block: Option<Place>, tip: u64) -> u32 {
    block.map_or(0, |block| BlockHeight::new(block.height).depth_at(BlockHeight::new(tip)))
}

/// The output that is the lock: the first in a block that pays exactly the amount; in the mempool only where none is in a
/// block. `paid` is in the order of [`crate::tracker::Tracker::paid`].
pub fn credited(paid: &[Paid], amount: Amount) -> Option<&Paid> {
    paid.iter().find(|paid| Amount::from_units(u128::from(paid.locked.value)) == amount)
}

/// The ledger's word on a lock of that amount.
pub fn sighting(paid: &[Paid], amount: Amount, secret: Option<Secret>, tip: u64, timing: &Timing) -> Sighting {
    let exact = paid.iter().filter(|paid| Amount::from_units(u128::from(paid.locked.value)) == amount).count();
    let mut faults = Vec::new();
    if exact < paid.len() {
        faults.push(Fault::WrongAmount);
    }
    if exact > 1 {
        faults.push(Fault::FundedTwice);
    }
    let Some(lock) = credited(paid, amount) else {
        return Sighting { status: LockStatus::Absent, spend: None, secret, faults };
    };
    let (status, spend) = match lock.spent {
        Some(SpentBy { txid, kind, block: Some(block) }) if depth(Some(block), tip) >= timing.final_confirmations => {
            let (txid, at) = (shown_id(txid), block_ref(block));
            let status = match kind {
                SpendKind::Redeem => LockStatus::Redeemed { txid, at },
                SpendKind::Refund => LockStatus::Refunded { txid, at },
            };
            (status, None)
        }
        shallow => {
            let spend = shallow.map(|by| Spend { kind: by.kind, txid: shown_id(by.txid), depth: depth(by.block, tip) });
            (standing(lock, tip, timing), spend)
        }
    };
    Sighting { status, spend, secret, faults }
}

fn standing(lock: &Paid, tip: u64, timing: &Timing) -> LockStatus {
    let txid = shown_id(lock.locked.outpoint.txid);
    match (lock.block, depth(lock.block, tip)) {
        (Some(block), depth) if depth >= timing.confirmations => LockStatus::Funded { txid, at: block_ref(block), depth },
        (_, depth) => LockStatus::Pending { txid, depth },
    }
}
