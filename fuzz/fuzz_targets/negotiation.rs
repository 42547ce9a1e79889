//! What a stranger says in a negotiation: what is read is written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::negotiation::bare::bodies;

fuzz_target!(|bytes: &[u8]| {
    for again in bodies(bytes) {
        assert!(bodies(&again).contains(&again));
    }
});
