//! Events, calls, calldata, returned bytes and stored transactions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_evm::bare::{call, calldata, logs, raw_transaction, returned};

fuzz_target!(|bytes: &[u8]| {
    let _ = (logs(bytes, 1), call(bytes, 1), raw_transaction(bytes));
    assert!(calldata(bytes) <= 2 * 4096 + 3);
    assert!(returned(bytes).chars().count() <= 160);
});
