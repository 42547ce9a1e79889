//! What a Bitcoin or Litecoin node answers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = photon_utxo::bare::answers(bytes);
});
