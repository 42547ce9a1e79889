//! Keys equal what other programs derive, and no two uses share one.

use super::*;
use crate::keys::KeyUse;
use photon_chains::{Ledger, LockKey};
use proptest::prelude::*;
use sha2::digest::Digest;
use std::collections::HashSet;

/// HMAC from its definition (RFC 2104), so that the vectors below don't come from the code they judge.
fn hmac<H: Digest>(block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut padded = if key.len() > block { H::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(block, 0);
    let with = |byte: u8| padded.iter().map(|k| k ^ byte).collect::<Vec<u8>>();
    let inner = H::digest([with(0x36), message.to_vec()].concat());
    H::digest([with(0x5c), inner.to_vec()].concat()).to_vec()
}

/// BIP-32's hardened child from its definition: parent key plus the left half, modulo the order.
fn hardened_child(key: [u8; 32], chain: &[u8], index: u32) -> ([u8; 32], Vec<u8>) {
    let data = [vec![0], key.to_vec(), (index | 0x8000_0000).to_be_bytes().to_vec()].concat();
    let out = hmac::<sha2::Sha512>(128, chain, &data);
    let tweak = secp256k1::Scalar::from_be_bytes(out[..32].try_into().unwrap()).unwrap();
    let child = secp256k1::SecretKey::from_slice(&key).unwrap().add_tweak(&tweak).unwrap();
    (child.secret_bytes(), out[32..].to_vec())
}

fn application_key_by_hand() -> Vec<u8> {
    // BIP-39's published seed of these words without a passphrase.
    let seed = hex::decode(
        "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
         9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4",
    )
    .unwrap();
    let master = hmac::<sha2::Sha512>(128, b"Bitcoin seed", &seed);
    let mut node = (master[..32].try_into().unwrap(), master[32..].to_vec());
    for index in [83_696_968, 707_764, 0] {
        node = hardened_child(node.0, &node.1, index);
    }
    hmac::<sha2::Sha512>(128, b"bip-entropy-from-k", &node.0)
}

fn hkdf_by_hand(salt: &[u8], network: &str, ledger: &str, purpose: &str) -> Vec<u8> {
    let mut info = Vec::new();
    for text in ["photon/keys/1", network, ledger, purpose] {
        info.extend((text.len() as u64).to_be_bytes());
        info.extend(text.as_bytes());
    }
    info.push(0);
    let prk = hmac::<sha2::Sha256>(64, salt, &application_key_by_hand());
    info.push(1);
    hmac::<sha2::Sha256>(64, &prk, &info)
}

#[test]
fn the_mainnet_account_is_the_one_every_ethereum_wallet_shows_for_these_words() {
    let wallet = wallet(Network::Mainnet);
    assert_eq!(wallet.identity_address().to_string(), "0x9858effd232b4033e47d90003d41ec34ecaeda94");
    assert_eq!(
        hex::encode(wallet.evm_account_key().expose()),
        "1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727"
    );
}

#[test]
fn the_first_account_of_the_words_that_development_nodes_use() {
    let words = SeedWords::restore("test test test test test test test test test test test junk").unwrap();
    let wallet = Wallet::new(&words, Network::Mainnet).unwrap();
    assert_eq!(wallet.identity_address().to_string(), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

#[test]
fn swap_keys_equal_a_computation_from_the_standards_alone() {
    let salt = [9; 16];
    for network in NETWORKS {
        let wallet = wallet(network);
        let name = network.name();
        assert_eq!(wallet.secret(&salt).expose().to_vec(), hkdf_by_hand(&salt, name, "", "secret"));
        let key = |ledger, key_use| wallet.lock_key(&salt, ledger, key_use).expose().to_vec();
        assert_eq!(key(Ledger::Bitcoin, KeyUse::Redeem), hkdf_by_hand(&salt, name, "bitcoin", "redeem"));
        assert_eq!(key(Ledger::Litecoin, KeyUse::Refund), hkdf_by_hand(&salt, name, "litecoin", "refund"));
        assert_eq!(wallet.storage_key().expose().to_vec(), hkdf_by_hand(&[], name, "", "storage"));
        assert_eq!(wallet.noise_static().expose().to_vec(), hkdf_by_hand(&[], name, "", "noise-x25519"));
        assert_eq!(wallet.recovery_key().expose().to_vec(), hkdf_by_hand(&[], name, "", "recovery"));
    }
}

/// Written down once: a change of any derivation would lock owners of open swaps out of their money.
#[test]
fn derivations_never_change() {
    let wallet = wallet(Network::Mainnet);
    let salt = *b"a salt of 16 by.";
    let shown = [
        hex::encode(wallet.secret(&salt).expose()),
        hex::encode(wallet.lock_key(&salt, Ledger::Bitcoin, KeyUse::Refund).expose()),
        hex::encode(wallet.recovery_key().expose()),
    ];
    assert_eq!(
        shown,
        [
            "f36d135a2691da5268e4ab35995ac811c7cdc13b3f0453255f3a2632463e5b5e",
            "fb504681ce6e0a536ffd2dbaa53e5c08676a8f3b5d86e34aa317eed76203d74c",
            "fd3dbf0256dbc6c3e7cf40aed2878ad5e548a8d5790a74937b544c2b742c7320",
        ]
    );
}

#[test]
fn on_the_evm_the_key_is_the_account_whatever_the_salt() {
    let wallet = wallet(Network::Regtest);
    for ledger in [Ledger::Ethereum, Ledger::Smt] {
        for key_use in [KeyUse::Redeem, KeyUse::Refund] {
            let key = wallet.lock_key(&[3; 16], ledger, key_use);
            assert_eq!(key.expose(), wallet.evm_account_key().expose());
        }
    }
}

fn every_key(wallet: &Wallet, salt: &[u8; 16]) -> Vec<[u8; 32]> {
    let mut keys = vec![*wallet.secret(salt).expose()];
    for ledger in [Ledger::Bitcoin, Ledger::Litecoin] {
        for key_use in [KeyUse::Redeem, KeyUse::Refund] {
            keys.push(*wallet.lock_key(salt, ledger, key_use).expose());
        }
    }
    keys
}

fn own_keys(wallet: &Wallet) -> Vec<[u8; 32]> {
    let sub = [wallet.storage_key(), wallet.noise_static(), wallet.recovery_key()].map(|key| *key.expose());
    sub.into_iter().chain([*LockKey::expose(&wallet.evm_account_key())]).collect()
}

proptest! {
    #[test]
    fn no_two_networks_salts_ledgers_or_uses_share_a_key(salts in prop::collection::hash_set(any::<[u8; 16]>(), 1..6)) {
        let mut all = Vec::new();
        for network in NETWORKS {
            let wallet = wallet(network);
            all.extend(own_keys(&wallet));
            all.extend(salts.iter().flat_map(|salt| every_key(&wallet, salt)));
        }
        let distinct: HashSet<_> = all.iter().collect();
        prop_assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_same_words_give_the_same_keys_again(salt: [u8; 16]) {
        let (one, two) = (wallet(Network::Testnet), wallet(Network::Testnet));
        prop_assert_eq!(every_key(&one, &salt), every_key(&two, &salt));
        prop_assert_eq!(own_keys(&one), own_keys(&two));
    }
}

#[test]
fn other_words_share_nothing() {
    let (one, two) = (SeedWords::generate().unwrap(), SeedWords::generate().unwrap());
    let (one, two) = (Wallet::new(&one, Network::Regtest).unwrap(), Wallet::new(&two, Network::Regtest).unwrap());
    assert_ne!(every_key(&one, &[0; 16]), every_key(&two, &[0; 16]));
    assert_ne!(one.identity_address(), two.identity_address());
}

#[test]
fn debug_shows_no_key() {
    let wallet = wallet(Network::Regtest);
    let shown = format!("{wallet:?} {:?} {:?}", wallet.storage_key(), abandon());
    assert!(shown.contains(&wallet.identity_address().to_string()));
    for key in own_keys(&wallet) {
        assert!(!shown.contains(&hex::encode(key)) && !shown.contains(&format!("{key:?}")));
    }
    assert!(!shown.contains("about"));
}
