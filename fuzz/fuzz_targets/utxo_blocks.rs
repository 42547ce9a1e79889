//! Blocks and transactions, read and looked through for a lock that is watched.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_chains::{Amount, BlockHeight, LockId, Secret};
use photon_utxo::bare::{Place, Tracker, block, secret_candidates, transaction};

fuzz_target!(|bytes: &[u8]| {
    let pooled = transaction(bytes).ok().flatten();
    let Ok((header, txs)) = block(bytes) else {
        if let Some(tx) = pooled {
            assert!(secret_candidates(&tx).count() <= bytes.len());
        }
        return;
    };
    let mut tracker = Tracker::default();
    let id = LockId::from_bytes([1; 32]);
    if let Some(output) = txs.iter().flat_map(|tx| &tx.output).next() {
        let hash = Secret::from_bytes([7; 32]).hash();
        tracker.watch(id, &output.script_pubkey, hash, Amount::from_units(1), BlockHeight::new(0));
    }
    tracker.apply_block(Place { height: 1, hash: header.block_hash() }, &txs);
    assert!(tracker.paid(id).len() <= bytes.len());
    tracker.rewind_to(0);
    assert!(tracker.paid(id).is_empty());
    pooled.iter().for_each(|tx| tracker.apply_pooled(tx));
});
