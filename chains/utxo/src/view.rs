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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Network, Params};
    use crate::tx::Locked;
    use bitcoin::{BlockHash, OutPoint, Txid};
    use photon_chains::Ledger;

    const AMOUNT: Amount = Amount::from_units(1_000);
    const TIP: u64 = 100;

    fn place(height: u64) -> Place {
        Place { height, hash: BlockHash::from_byte_array([height as u8; 32]) }
    }

    fn paid(n: u8, value: u64, height: Option<u64>) -> Paid {
        let locked = Locked { outpoint: OutPoint::new(Txid::from_byte_array([n; 32]), 0), value };
        Paid { locked, block: height.map(place), spent: None }
    }

    fn spent(paid: Paid, kind: SpendKind, height: Option<u64>) -> Paid {
        Paid { spent: Some(SpentBy { txid: Txid::from_byte_array([99; 32]), kind, block: height.map(place) }), ..paid }
    }

    fn look(paid: &[Paid]) -> Sighting {
        let timing = Params::of(Ledger::Bitcoin, Network::Mainnet).map(|params| params.net.timing);
        timing.map_or(Sighting::absent(), |timing| sighting(paid, AMOUNT, None, TIP, &timing))
    }

    #[test]
    fn depth_decides_between_pending_and_funded() {
        for (height, depth, funded) in [(None, 0, false), (Some(100), 1, false), (Some(99), 2, false), (Some(98), 3, true)] {
            match look(&[paid(1, 1_000, height)]).status {
                LockStatus::Pending { depth: seen, .. } => assert!(!funded && seen == depth),
                LockStatus::Funded { depth: seen, at, .. } => {
                    assert!(funded && seen == depth && at == block_ref(place(98)));
                }
                other => assert!(matches!(other, LockStatus::Pending { .. }), "{other:?}"),
            }
        }
    }

    #[test]
    fn only_a_final_spend_ends_a_lock() {
        let lock = paid(1, 1_000, Some(50));
        for (kind, height, depth) in
            [(SpendKind::Redeem, None, 0), (SpendKind::Redeem, Some(100), 1), (SpendKind::Refund, Some(99), 2)]
        {
            let view = look(&[spent(lock, kind, height)]);
            assert!(matches!(view.status, LockStatus::Funded { .. }));
            assert_eq!(view.spend.map(|spend| (spend.kind, spend.depth)), Some((kind, depth)));
        }
        let redeemed = look(&[spent(lock, SpendKind::Redeem, Some(98))]);
        let refunded = look(&[spent(lock, SpendKind::Refund, Some(98))]);
        assert!(matches!(redeemed.status, LockStatus::Redeemed { at, .. } if at == block_ref(place(98))));
        assert!(matches!(refunded.status, LockStatus::Refunded { .. }) && refunded.spend.is_none());
    }

    #[test]
    fn the_first_exact_output_is_the_lock_and_all_else_is_a_fault() {
        let first = look(&[paid(2, 999, Some(90)), paid(5, 1_000, Some(91)), paid(1, 1_000, Some(92)), paid(0, 1_000, None)]);
        let funded_by = crate::tx::shown_id(Txid::from_byte_array([5; 32]));
        assert!(matches!(first.status, LockStatus::Funded { txid, .. } if txid == funded_by), "{first:?}");
        assert_eq!(first.faults, [Fault::WrongAmount, Fault::FundedTwice]);
        let wrong = look(&[paid(2, 1_001, Some(90)), paid(3, 999, None)]);
        assert_eq!((wrong.status, wrong.faults), (LockStatus::Absent, vec![Fault::WrongAmount]));
        assert_eq!(look(&[]), Sighting::absent());
        // A spend of what is not the lock says nothing of the lock.
        let other = look(&[paid(5, 1_000, Some(91)), spent(paid(1, 1_000, Some(92)), SpendKind::Redeem, Some(93))]);
        assert!(matches!(other.status, LockStatus::Funded { .. }) && other.spend.is_none());
    }
}
