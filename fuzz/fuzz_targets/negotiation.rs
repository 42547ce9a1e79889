//! What a stranger says in a negotiation, and tells of others' offers: what is read is written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::{gossip, negotiation};

fuzz_target!(|bytes: &[u8]| {
    for bodies in [negotiation::bare::bodies, gossip::bare::bodies] {
        for again in bodies(bytes) {
            assert!(bodies(&again).contains(&again));
        }
    }
});
