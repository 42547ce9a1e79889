//! What an Ethereum or SMT node answers: headers, blocks, receipts, transactions, events, refusals.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = photon_evm::bare::answers(bytes);
});
