//! What the facts about one lock mean. Pure.

use crate::node::{View, block_ref};
use crate::tracker::{Ending, Reads, Spot, Waiting};
use photon_chains::{Fault, LockStatus, Sighting, Spend, SpendKind, TxId};

/// In the place of a funding that the node does not tell of.
const NOT_TOLD: TxId = TxId::from_bytes([0; 32]);

/// All that was seen of one lock.
#[derive(Copy, Clone)]
pub(crate) struct Facts<'a> {
    /// Fundings with exactly its terms, earliest first.
    pub(crate) lockups: &'a [Spot],
    /// Fundings by the same parties under the same hash with another amount.
    pub(crate) wrong_amounts: &'a [Spot],
    /// What may be its end, earliest first.
    pub(crate) endings: &'a [Ending],
    /// Waiting transactions.
    pub(crate) waiting: &'a [Waiting],
    /// Its slot.
    pub(crate) reads: Reads,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// None: nothing new can be said, what was said before stays.
    pub(crate) sighting: Option<Sighting>,
    /// It has ended for good, as the chain up to this block shows.
    pub(crate) over: Option<u64>,
    /// The slot shows something that no event explains.
    pub(crate) events_are_missing: bool,
}

/// Judges.
pub(crate) fn judge(facts: &Facts<'_>, view: &View) -> Verdict {
    let mut sighting = Sighting { faults: faults(facts.lockups, facts.wrong_amounts), ..Sighting::absent() };
    if facts.reads.code_is_right == Some(false) {
        // Nothing that stands at this address means what was agreed.
        sighting.faults.push(Fault::WrongCode);
        return Verdict { sighting: Some(sighting), over: None, events_are_missing: false };
    }
    let Some(first) = facts.lockups.first() else {
        if facts.reads.tip == Some(true) {
            // It stands, and no event says since when: the node has not told it yet, or has thrown old events away. Duties go by
            // the slot; relied on is nothing that nobody saw being funded.
            sighting.status = LockStatus::Pending { txid: NOT_TOLD, depth: 1 };
            return Verdict { sighting: Some(sighting), over: None, events_are_missing: true };
        }
        if let Some(waiting) = facts.waiting.iter().find(|waiting| waiting.spends.is_none()) {
            sighting.status = LockStatus::Pending { txid: txid(waiting.tx), depth: 0 };
        }
        return Verdict { sighting: Some(sighting), over: None, events_are_missing: false };
    };
    standing(facts, view, first, sighting)
}

/// What does not belong here. The same terms can be locked again only after the first lock has ended.
pub(crate) fn faults(lockups: &[Spot], wrong_amounts: &[Spot]) -> Vec<Fault> {
    let wrong_amount = (!wrong_amounts.is_empty()).then_some(Fault::WrongAmount);
    let again = (lockups.len() > 1).then_some(Fault::LockedAgain);
    wrong_amount.into_iter().chain(again).collect()
}

/// Judges a lock that was funded.
fn standing(facts: &Facts<'_>, view: &View, first: &Spot, mut sighting: Sighting) -> Verdict {
    let Some(stands) = facts.reads.tip else { return Verdict { sighting: None, over: None, events_are_missing: false } };
    let ending = if stands && facts.lockups.len() == 1 { None } else { ending(facts, first) };
    // The same terms can be locked again only after the first lock has ended, so the slot speaks of the last one.
    let locked_again = facts.lockups.get(1);
    if let Some(ending) = ending {
        let empty = facts.reads.settled == Some(false) || locked_again.is_some_and(|again| view.is_final(again.block));
        if view.is_final(ending.spot.block) && empty {
            let (txid, at) = (txid(ending.spot.tx), block_ref(ending.spot.block, ending.spot.hash));
            sighting.status = match ending.kind {
                SpendKind::Redeem => LockStatus::Redeemed { txid, at },
                SpendKind::Refund => LockStatus::Refunded { txid, at },
            };
            return Verdict { sighting: Some(sighting), over: view.settled, events_are_missing: false };
        }
    }
    let depth = view.depth(first.block);
    let txid_of_first = txid(first.tx);
    let relied = view.relied.is_some_and(|relied| first.block <= relied);
    let seen_deep = facts.reads.relied == Some(true) || ending.is_some();
    sighting.status = if relied && seen_deep {
        LockStatus::Funded { txid: txid_of_first, at: block_ref(first.block, first.hash), depth }
    } else {
        LockStatus::Pending { txid: txid_of_first, depth }
    };
    let waiting = || facts.waiting.iter().find_map(|waiting| Some((waiting.spends?, waiting.tx)));
    sighting.spend = match ending {
        Some(Ending { kind, spot, .. }) => Some(Spend { kind, txid: txid(spot.tx), depth: view.depth(spot.block) }),
        None => waiting().map(|(kind, tx)| Spend { kind, txid: txid(tx), depth: 0 }),
    };
    let unexplained = ending.is_none() && (!stands || locked_again.is_some());
    Verdict { sighting: Some(sighting), over: None, events_are_missing: unexplained }
}

/// The event that ended the first lock: one whose calldata names it, else one that fits, before it was locked again.
fn ending(facts: &Facts<'_>, first: &Spot) -> Option<Ending> {
    let again = facts.lockups.get(1);
    let fits = |ending: &&Ending| ending.spot > *first && again.is_none_or(|again| ending.spot < *again);
    let mut fitting = facts.endings.iter().filter(fits);
    let sure = fitting.clone().find(|ending| ending.sure);
    sure.or_else(|| fitting.next()).copied()
}

fn txid(hash: alloy::primitives::B256) -> TxId {
    TxId::from_bytes(hash.0)
}
