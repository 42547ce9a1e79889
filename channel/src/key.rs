//! Which channel: its key, its epoch, its two sides.

use crate::eip712::{Abi, keccak};
use photon_chains::{Address, fixed_bytes};
use serde::{Deserialize, Serialize};
use std::fmt;

fixed_bytes!(
    /// Names a channel in its contract: keccak256 of the ABI encoding of (asset, party A, party B).
    ChannelId, 32, "0x"
);

/// One of the two parties. A is the one with the smaller account, read as a number.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The smaller account.
    A,
    /// The larger account.
    B,
}

impl Side {
    /// Both.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// The other one.
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    /// True for A: how the signed messages write it.
    pub const fn is_a(self) -> bool {
        match self {
            Side::A => true,
            Side::B => false,
        }
    }
}

/// Something that each side has one of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Both<T> {
    /// Party A's.
    pub a: T,
    /// Party B's.
    pub b: T,
}

impl<T> Both<T> {
    /// One side's.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// One side's, to be changed.
    pub const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// How long a closed channel can be contested, in minutes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Window(u16);

/// A key that no contract accepts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The window is shorter than ten minutes or longer than thirty days.
    #[error("a settle window is 10 to 43200 minutes")]
    Window,
    /// The two parties are the same.
    #[error("a channel has two different parties")]
    SameParty,
    /// A party is the zero account, which can sign nothing.
    #[error("the zero account is no party")]
    ZeroParty,
}

impl Window {
    /// The shortest the contract accepts.
    pub const SHORTEST: Window = Window(10);
    /// The longest the contract accepts: thirty days.
    pub const LONGEST: Window = Window(43_200);

    /// From minutes.
    pub const fn from_minutes(minutes: u16) -> Result<Self, KeyError> {
        if minutes < Self::SHORTEST.0 || minutes > Self::LONGEST.0 {
            return Err(KeyError::Window);
        }
        Ok(Self(minutes))
    }

    /// In minutes.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// In seconds.
    pub const fn secs(self) -> u64 {
        self.0 as u64 * 60
    }
}

impl TryFrom<u16> for Window {
    type Error = KeyError;
    fn try_from(minutes: u16) -> Result<Self, KeyError> {
        Self::from_minutes(minutes)
    }
}

impl From<Window> for u16 {
    fn from(window: Window) -> u16 {
        window.0
    }
}

/// What a channel is between, in what, and with which window. The window is part of it: whoever opens with another window
/// opens another channel, so a stranger can't choose a party's window, nor stand in the way of a channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelKey {
    token: Option<Address>,
    parties: Both<Address>,
    window: Window,
    /// Of all this. It is asked for at every turn, and costs a hash.
    id: ChannelId,
}

impl ChannelKey {
    /// Of two parties in any order. A token of none is the ledger's own coin.
    pub fn new(token: Option<Address>, one: Address, other: Address, window: Window) -> Result<Self, KeyError> {
        if one == other {
            return Err(KeyError::SameParty);
        }
        let parties = if one < other { Both { a: one, b: other } } else { Both { a: other, b: one } };
        if parties.a == ZERO_ADDRESS {
            return Err(KeyError::ZeroParty);
        }
        let token = token.filter(|token| *token != ZERO_ADDRESS);
        let encoded = Abi::new().word(&asset(token, window)).address(&parties.a).address(&parties.b).finish();
        Ok(Self { token, parties, window, id: ChannelId::from_bytes(keccak(&encoded)) })
    }

    /// The token, or none for the ledger's own coin.
    pub const fn token(&self) -> Option<Address> {
        self.token
    }

    /// Both parties' accounts.
    pub const fn parties(&self) -> &Both<Address> {
        &self.parties
    }

    /// The window.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Which side an account is.
    pub fn side_of(&self, account: &Address) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.parties.of(*side) == account)
    }

    /// Token and window in one word, as the contract's functions take them: the window (in minutes) above the token's 160 bits.
    pub fn asset(&self) -> [u8; 32] {
        asset(self.token, self.window)
    }

    /// The channel's name in its contract.
    pub const fn id(&self) -> ChannelId {
        self.id
    }
}

fn asset(token: Option<Address>, window: Window) -> [u8; 32] {
    let mut word = [0; 32];
    let (minutes, address) = word.split_at_mut(12);
    minutes.iter_mut().rev().zip(window.0.to_le_bytes()).for_each(|(to, byte)| *to = byte);
    address.copy_from_slice(token.unwrap_or(ZERO_ADDRESS).as_bytes());
    word
}

const ZERO_ADDRESS: Address = Address::from_bytes([0; 20]);

/// Which life of a channel: the number of the block that holds its opening. What was signed in one life means nothing in
/// another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One life of one channel: what every signed message names.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelRef {
    /// Which channel.
    pub channel: ChannelId,
    /// Which life of it.
    pub epoch: Epoch,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: Address = Address::from_bytes([1; 20]);
    const TWO: Address = Address::from_bytes([2; 20]);

    #[test]
    fn the_smaller_account_is_a_whoever_is_named_first() {
        let window = Window::from_minutes(60).unwrap();
        let key = ChannelKey::new(None, TWO, ONE, window).unwrap();
        assert_eq!(key, ChannelKey::new(Some(ZERO_ADDRESS), ONE, TWO, window).unwrap());
        assert_eq!((key.side_of(&ONE), key.side_of(&TWO)), (Some(Side::A), Some(Side::B)));
        assert_eq!(key.side_of(&ZERO_ADDRESS), None);
    }

    #[test]
    fn another_window_or_token_is_another_channel() {
        let key = |token, minutes| ChannelKey::new(token, ONE, TWO, Window::from_minutes(minutes).unwrap()).unwrap().id();
        assert_ne!(key(None, 60), key(None, 61));
        assert_ne!(key(None, 60), key(Some(TWO), 60));
    }

    #[test]
    fn keys_that_no_contract_accepts_are_refused() {
        let window = Window::SHORTEST;
        assert_eq!(ChannelKey::new(None, ONE, ONE, window), Err(KeyError::SameParty));
        assert_eq!(ChannelKey::new(None, ONE, ZERO_ADDRESS, window), Err(KeyError::ZeroParty));
        for minutes in [0, 9, 43_201] {
            assert_eq!(Window::from_minutes(minutes), Err(KeyError::Window));
        }
    }
}
