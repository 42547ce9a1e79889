//! Ledgers and the assets on them.

use crate::party::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The ledgers Photon speaks to: the one list of chains.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ledger {
    /// Bitcoin.
    Bitcoin,
    /// Litecoin.
    Litecoin,
    /// Ethereum.
    Ethereum,
    /// Spectrum (SmartMesh), whose coin is SMT.
    Smt,
}

/// How a ledger's locks are made.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Unspent outputs locked by scripts.
    Utxo,
    /// Accounts and contracts.
    Evm,
}

impl Ledger {
    /// Every ledger.
    pub const ALL: [Ledger; 4] = [Ledger::Bitcoin, Ledger::Litecoin, Ledger::Ethereum, Ledger::Smt];

    /// The name used in configuration, JSON and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Ledger::Bitcoin => "bitcoin",
            Ledger::Litecoin => "litecoin",
            Ledger::Ethereum => "ethereum",
            Ledger::Smt => "smt",
        }
    }

    /// The ticker of its native coin.
    pub const fn ticker(self) -> &'static str {
        match self {
            Ledger::Bitcoin => "BTC",
            Ledger::Litecoin => "LTC",
            Ledger::Ethereum => "ETH",
            Ledger::Smt => "SMT",
        }
    }

    /// Digits after the dot of its native coin.
    pub const fn decimals(self) -> u8 {
        match self.family() {
            Family::Utxo => 8,
            Family::Evm => 18,
        }
    }

    /// Which kind of ledger it is.
    pub const fn family(self) -> Family {
        match self {
            Ledger::Bitcoin | Ledger::Litecoin => Family::Utxo,
            Ledger::Ethereum | Ledger::Smt => Family::Evm,
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Ledger {
    type Err = AssetError;
    fn from_str(text: &str) -> Result<Self, AssetError> {
        Ledger::ALL.into_iter().find(|ledger| ledger.name() == text).ok_or(AssetError::NoSuchLedger)
    }
}

/// Something that can be locked: a ledger's own coin, or an ERC20 token named by its contract, never by its symbol.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// The ledger's own coin, written as its ticker: `BTC`.
    Native(Ledger),
    /// A token, written `ethereum:0x…` with the contract's 20 bytes in lower-case hex.
    Token(Ledger, Address),
}

/// Why a text names no asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// The ledger is not one of ours.
    #[error("no such ledger: write bitcoin, litecoin, ethereum or smt")]
    NoSuchLedger,
    /// Neither a ticker nor `ledger:0x…`.
    #[error("no such asset: write BTC, LTC, ETH, SMT, or a token as ethereum:0x followed by 40 hex digits")]
    NoSuchAsset,
}

impl Asset {
    /// The ledger it lives on.
    pub const fn ledger(self) -> Ledger {
        match self {
            Asset::Native(ledger) | Asset::Token(ledger, _) => ledger,
        }
    }

    /// The token contract, if it is a token.
    pub const fn token(self) -> Option<Address> {
        match self {
            Asset::Native(_) => None,
            Asset::Token(_, address) => Some(address),
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asset::Native(ledger) => f.write_str(ledger.ticker()),
            Asset::Token(ledger, address) => write!(f, "{ledger}:{address}"),
        }
    }
}

impl FromStr for Asset {
    type Err = AssetError;
    fn from_str(text: &str) -> Result<Self, AssetError> {
        if let Some(ledger) = Ledger::ALL.into_iter().find(|ledger| ledger.ticker() == text) {
            return Ok(Asset::Native(ledger));
        }
        let (ledger, address) = text.split_once(':').ok_or(AssetError::NoSuchAsset)?;
        let ledger: Ledger = ledger.parse()?;
        match ledger.family() {
            Family::Evm => Ok(Asset::Token(ledger, address.parse().map_err(|_| AssetError::NoSuchAsset)?)),
            Family::Utxo => Err(AssetError::NoSuchAsset),
        }
    }
}

impl Serialize for Asset {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_reads_back_as_it_is_written() {
        let token = Asset::Token(Ledger::Smt, Address::from_bytes([0xab; 20]));
        for asset in Ledger::ALL.map(Asset::Native).into_iter().chain([token]) {
            assert_eq!(asset.to_string().parse(), Ok(asset));
        }
    }

    #[test]
    fn a_token_on_bitcoin_or_a_symbol_is_no_asset() {
        for bad in ["", "btc", "USDT", "bitcoin:0xabababababababababababababababababababab", "ethereum:0xab", "doge:0x00"] {
            assert!(bad.parse::<Asset>().is_err(), "{bad}");
        }
    }
}
