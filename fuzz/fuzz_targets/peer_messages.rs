//! One message of a peer: read, and written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::peer::bare::{address, message};

fuzz_target!(|bytes: &[u8]| {
    if let Some(again) = message(bytes) {
        assert_eq!(message(&again).as_ref(), Some(&again));
    }
    if let Some(again) = std::str::from_utf8(bytes).ok().and_then(address) {
        assert_eq!(address(&again), Some(again));
    }
});
