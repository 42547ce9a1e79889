//! Amounts, assets, keys, and expiry words: what is read is written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_chains::{Address, Amount, Asset, Expiry, Hash32, IntentKey, Ledger, PublicKey, Secret, SecretHash, TxId};
use std::fmt::Display;
use std::str::FromStr;

fn again<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let written = read.to_string();
        assert_eq!(written.parse::<T>().ok().map(|read| read.to_string()), Some(written));
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(word) = bytes.first_chunk::<32>() {
        if let Ok(expiry) = Expiry::from_word(word) {
            assert_eq!(expiry.word().ok().as_ref(), Some(word));
        }
        let hash = Secret::from_bytes(*word).hash();
        assert!(hash.opened_by(word).is_some());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for decimals in [0, 8, 18, 36, 255] {
        if let Ok(amount) = Amount::parse_coins(text, decimals) {
            assert_eq!(Amount::parse_coins(&amount.coins(decimals), decimals), Ok(amount));
        }
    }
    again::<Asset>(text);
    again::<Ledger>(text);
    again::<Address>(text);
    again::<Hash32>(text);
    again::<TxId>(text);
    again::<PublicKey>(text);
    again::<SecretHash>(text);
    again::<IntentKey>(text);
});
