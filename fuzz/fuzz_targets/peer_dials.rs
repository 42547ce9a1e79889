//! Whoever dials and can't prove who it is does not get in, whatever it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::config::Network;
use photon::keys::{SeedWords, Wallet};
use photon::peer::bare::dialed;
use std::sync::{Arc, LazyLock};

static WALLET: LazyLock<Arc<Wallet>> = LazyLock::new(|| {
    let words = SeedWords::generate().expect("words");
    Arc::new(Wallet::new(&words, Network::Regtest).expect("a wallet"))
});

fuzz_target!(|bytes: &[u8]| assert!(!futures::executor::block_on(dialed(WALLET.clone(), bytes))));
