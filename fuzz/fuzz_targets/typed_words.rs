//! What people type: amounts, durations, ledgers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(photon::cli::bare::word(text) <= 2);
});
