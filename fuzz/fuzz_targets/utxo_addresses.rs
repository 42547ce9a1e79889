//! Addresses: on every chain and network, one that is read pays to the script that its own writing pays to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_chains::{Ledger, Network};
use photon_utxo::Params;
use photon_utxo::bare::{decode_address, encode_address};

fuzz_target!(|text: &str| {
    for ledger in [Ledger::Bitcoin, Ledger::Litecoin] {
        for network in [Network::Mainnet, Network::Testnet, Network::Regtest] {
            let Some(params) = Params::of(ledger, network) else { continue };
            let Ok(script) = decode_address(&params, text) else { continue };
            if let Some(again) = encode_address(&params, &script) {
                assert_eq!(decode_address(&params, &again), Ok(script));
            }
        }
    }
});
