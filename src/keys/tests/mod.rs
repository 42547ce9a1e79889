#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod derivation;
mod passphrase_and_words;
mod seed_file_at_rest;
mod signatures;

use super::{Passphrase, SeedWords, Wallet};
use crate::config::Network;
use zeroize::Zeroizing;

const NETWORKS: [Network; 3] = [Network::Mainnet, Network::Testnet, Network::Regtest];

/// The words that every BIP-39 implementation is tested with. Nobody keeps money on them for long.
const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn abandon() -> SeedWords {
    SeedWords::restore(ABANDON).unwrap()
}

fn wallet(network: Network) -> Wallet {
    Wallet::new(&abandon(), network).unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}
