//! Which nonce comes next, and what must be sent again so that no gap holds up what stands behind it. Pure.
//!
//! The rules, for an account that one signer uses:
//! - A nonce is taken from the moment a transaction with it is in the journal, and it is there before it is sent. So after a
//!   crash between the two, the journal knows what fills the gap.
//! - What the node counts as mined, and everything below, is over.
//! - Between the two, every nonce must be known to the node, or nothing behind it is ever mined. What is missing is sent
//!   again, unchanged. A funding is not: whether it may still happen is for the core to say, by asking for it again. If
//!   nobody asks and something waits behind it, the nonce is used up by a transaction that does nothing. With a
//!   call ([`crate::calls`]), and a redeem that this process has not been asked for, it is the same: it may show a secret that
//!   nobody has seen yet, and the time for that may be over.

use photon_chains::{LockId, Purpose, TxId};
use std::collections::BTreeMap;

/// A journaled transaction that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) nonce: u64,
    pub(crate) txid: TxId,
    pub(crate) purpose: Purpose,
    pub(crate) subject: LockId,
    /// The node has it.
    pub(crate) known: bool,
}

/// A nonce that is not mined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) nonce: u64,
    /// The newest transaction that is no funding: none where there are only those. It may be sent without asking, unless it
    /// may show a secret.
    pub(crate) free: Option<TxId>,
    /// The lock that is funded at this nonce, where nothing else is.
    pub(crate) funding: Option<LockId>,
    /// The node has one of its transactions.
    pub(crate) known: bool,
    /// Something waits behind it.
    pub(crate) blocks: bool,
}

/// The next free nonce: neither mined nor ever written down.
pub(crate) fn next(mined: u64, highest_journaled: Option<u64>) -> u64 {
    mined.max(highest_journaled.map_or(0, |nonce| nonce.saturating_add(1)))
}

/// Every journaled nonce that is not mined, lowest first. `waiting` is oldest first.
pub(crate) fn places(mined: u64, waiting: &[Waiting]) -> Vec<Place> {
    let mut places: BTreeMap<u64, Place> = BTreeMap::new();
    for tx in waiting.iter().filter(|tx| tx.nonce >= mined) {
        let empty = Place { nonce: tx.nonce, free: None, funding: None, known: false, blocks: false };
        let place = places.entry(tx.nonce).or_insert(empty);
        place.known |= tx.known;
        match tx.purpose {
            Purpose::Fund => place.funding = Some(tx.subject),
            Purpose::Cancel | Purpose::Redeem | Purpose::Refund | Purpose::Send | Purpose::Call => place.free = Some(tx.txid),
        }
    }
    let last = places.keys().next_back().copied();
    let mut places: Vec<_> = places.into_values().collect();
    for place in &mut places {
        place.blocks = Some(place.nonce) != last;
        if place.free.is_some() {
            place.funding = None;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting() -> impl Strategy<Value = Vec<Waiting>> {
        let purpose = prop_oneof![
            Just(Purpose::Fund),
            Just(Purpose::Cancel),
            Just(Purpose::Redeem),
            Just(Purpose::Refund),
            Just(Purpose::Send),
            Just(Purpose::Call)
        ];
        let tx = (0u64..12, purpose, any::<[u8; 32]>(), any::<bool>()).prop_map(|(nonce, purpose, id, known)| Waiting {
            nonce,
            txid: TxId::from_bytes(id),
            purpose,
            subject: LockId::from_bytes(id),
            known,
        });
        proptest::collection::vec(tx, 0..24)
    }

    proptest! {
        #[test]
        fn the_next_nonce_was_never_used(mined in 0u64..20, waiting in waiting()) {
            let highest = waiting.iter().map(|tx| tx.nonce).max();
            let next = next(mined, highest);
            prop_assert!(next >= mined);
            prop_assert!(waiting.iter().all(|tx| tx.nonce < next));
            prop_assert!(next == mined || Some(next - 1) == highest, "no gap is left on purpose");
        }

        #[test]
        fn no_funding_is_ever_free_to_be_sent(mined in 0u64..12, waiting in waiting()) {
            for place in places(mined, &waiting) {
                if let Some(free) = place.free {
                    prop_assert!(waiting.iter().any(|tx| tx.txid == free && tx.nonce == place.nonce && tx.purpose != Purpose::Fund));
                    prop_assert_eq!(place.funding, None);
                }
            }
        }

        #[test]
        fn every_unmined_nonce_is_a_place_and_no_mined_one_is(mined in 0u64..12, waiting in waiting()) {
            let places = places(mined, &waiting);
            let mut nonces: Vec<_> = waiting.iter().map(|tx| tx.nonce).filter(|nonce| *nonce >= mined).collect();
            nonces.sort_unstable();
            nonces.dedup();
            prop_assert_eq!(places.iter().map(|place| place.nonce).collect::<Vec<_>>(), nonces);
            for place in &places {
                prop_assert!(place.free.is_some() != place.funding.is_some());
                prop_assert_eq!(place.blocks, places.iter().any(|other| other.nonce > place.nonce));
                prop_assert_eq!(place.known, waiting.iter().any(|tx| tx.nonce == place.nonce && tx.known));
            }
        }

        #[test]
        fn a_cancelled_funding_is_not_what_is_sent_again(lock: [u8; 32], cancel: [u8; 32], later in waiting()) {
            prop_assume!(lock != cancel);
            let tx = |purpose, id| Waiting { nonce: 3, txid: TxId::from_bytes(id), purpose, subject: LockId::from_bytes(lock), known: false };
            let mut all = vec![tx(Purpose::Fund, lock), tx(Purpose::Cancel, cancel)];
            all.extend(later.into_iter().filter(|tx| tx.nonce != 3));
            let place = places(0, &all).into_iter().find(|place| place.nonce == 3);
            prop_assert_eq!(place.and_then(|place| place.free), Some(TxId::from_bytes(cancel)));
        }
    }
}
