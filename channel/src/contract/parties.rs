//! Between whom a deposit may have been, guessed from the call that made it.
//!
//! The contract names a channel by a hash and by nothing else, so one whose counterparty is forgotten can't be read off its logs.
//! Whoever pays into a channel has to write its parties, token and window into the call, in whatever way: the contract's own
//! functions, a token's call-back, or a contract of the payer's in between. So every word of a call is tried as each of these. A
//! guess proves nothing: the hash in the log does, or the slot.

use crate::key::{ChannelKey, Window};
use photon_chains::Address;
use std::collections::BTreeSet;

/// Words of a call that are tried, at each of two places.
const MOST_WORDS: usize = 64;
/// Accounts, and windows, that are tried with each other.
const MOST_PARTIES: usize = 32;
const MOST_WINDOWS: usize = 8;

/// The channels of an account, in this token, that a call may have been about: its sender and its input.
pub fn keys_in(own: &Address, token: Option<Address>, sender: &Address, input: &[u8]) -> Vec<ChannelKey> {
    let asset = token.unwrap_or(Address::from_bytes([0; 20]));
    let (mut parties, mut windows) = (vec![*sender], BTreeSet::new());
    for word in words(input) {
        let (high, low) = word.split_at(12);
        let account = low.try_into().map(Address::from_bytes).unwrap_or(asset);
        // The asset's word; a token that calls back has the window by itself.
        let (zeros, minutes) = high.split_at(10);
        let is_by_itself = token.is_some() && word.iter().take(30).all(|byte| *byte == 0);
        let minutes = match account == asset && zeros.iter().all(|byte| *byte == 0) {
            true => minutes,
            false if is_by_itself => word.split_at(30).1,
            false => &[],
        };
        if let [upper, lower] = minutes
            && let Ok(window) = Window::from_minutes(u16::from_be_bytes([*upper, *lower]))
            && windows.len() < MOST_WINDOWS
        {
            windows.insert(window);
        }
        // Of a number the most is zero, of an account nothing in particular.
        let is_account = low.iter().take(8).any(|byte| *byte != 0);
        if is_account && account != asset && parties.len() < MOST_PARTIES && !parties.contains(&account) {
            parties.push(account);
        }
    }
    let with = |party: Address| windows.iter().filter_map(move |window| ChannelKey::new(token, *own, party, *window).ok());
    parties.iter().filter(|party| *party != own).flat_map(|party| with(*party)).collect()
}

/// The words behind the function's name, and behind that of a call within.
fn words(input: &[u8]) -> impl Iterator<Item = &[u8; 32]> {
    [4, 8].into_iter().flat_map(move |start| {
        let rest = input.get(start..).unwrap_or_default();
        rest.as_chunks::<32>().0.iter().take(MOST_WORDS)
    })
}
