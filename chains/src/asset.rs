//! Ledgers and the assets on them.

use crate::party::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The ledgers Photon speaks to: the one list of chains, and the payment channels on them.
///
/// A channel is a ledger of its own, not another way of locking on its chain: it has its own purse, clock allowances and port, so
/// whatever finds a port, holds reserves or draws up deadlines by the ledger needs no second name beside it, and a coin on chain
/// and the same coin in a channel are two assets that can be swapped for each other.
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
    /// Payment channels on Ethereum.
    #[serde(rename = "ethereum@channel")]
    EthereumChannel,
    /// Payment channels on SMT.
    #[serde(rename = "smt@channel")]
    SmtChannel,
}

/// Follows the name of what lies in a channel.
pub const IN_CHANNEL: &str = "@channel";

/// How a ledger's locks are made.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Unspent outputs locked by scripts.
    Utxo,
    /// Accounts and contracts.
    Evm,
}

impl Ledger {
    /// Every chain.
    pub const ALL: [Ledger; 4] = [Ledger::Bitcoin, Ledger::Litecoin, Ledger::Ethereum, Ledger::Smt];
    /// Every ledger that is payment channels on a chain.
    pub const CHANNELS: [Ledger; 2] = [Ledger::EthereumChannel, Ledger::SmtChannel];

    /// The name used in configuration, JSON and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Ledger::Bitcoin => "bitcoin",
            Ledger::Litecoin => "litecoin",
            Ledger::Ethereum => "ethereum",
            Ledger::Smt => "smt",
            Ledger::EthereumChannel => "ethereum@channel",
            Ledger::SmtChannel => "smt@channel",
        }
    }

    /// The chain on which everything of it is judged in the end: itself, but for channels.
    #[must_use]
    pub const fn chain(self) -> Ledger {
        match self {
            Ledger::Bitcoin | Ledger::Litecoin | Ledger::Ethereum | Ledger::Smt => self,
            Ledger::EthereumChannel => Ledger::Ethereum,
            Ledger::SmtChannel => Ledger::Smt,
        }
    }

    /// The payment channels on that chain, where there can be any.
    pub const fn channel(self) -> Option<Ledger> {
        match self {
            Ledger::Ethereum | Ledger::EthereumChannel => Some(Ledger::EthereumChannel),
            Ledger::Smt | Ledger::SmtChannel => Some(Ledger::SmtChannel),
            Ledger::Bitcoin | Ledger::Litecoin => None,
        }
    }

    /// Whether it is payment channels.
    pub const fn is_channel(self) -> bool {
        matches!(self, Ledger::EthereumChannel | Ledger::SmtChannel)
    }

    /// The ticker of its native coin.
    pub const fn ticker(self) -> &'static str {
        match self.chain() {
            Ledger::Bitcoin => "BTC",
            Ledger::Litecoin => "LTC",
            Ledger::Ethereum | Ledger::EthereumChannel => "ETH",
            Ledger::Smt | Ledger::SmtChannel => "SMT",
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
            Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => Family::Evm,
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
        let mut all = Ledger::ALL.into_iter().chain(Ledger::CHANNELS);
        all.find(|ledger| ledger.name() == text).ok_or(AssetError::NoSuchLedger)
    }
}

/// Something that can be locked: a ledger's own coin, or an ERC20 token named by its contract, never by its symbol. What lies in a
/// channel is named like what it is on chain, with `@channel` behind it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// The ledger's own coin, written as its ticker: `BTC`, `ETH@channel`.
    Native(Ledger),
    /// A token, written `ethereum:0x…` or `ethereum:0x…@channel` with the contract's 20 bytes in lower-case hex.
    Token(Ledger, Address),
}

/// Why a text names no asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// The ledger is not one of ours.
    #[error("no such ledger: write bitcoin, litecoin, ethereum or smt")]
    NoSuchLedger,
    /// Neither a ticker nor `ledger:0x…`.
    #[error(
        "no such asset: write BTC, LTC, ETH, SMT, or a token as ethereum:0x followed by 40 hex digits; what is in a channel has \
         @channel behind its name"
    )]
    NoSuchAsset,
}

impl Asset {
    /// The ledger it lives on.
    pub const fn ledger(self) -> Ledger {
        match self {
            Asset::Native(ledger) | Asset::Token(ledger, _) => ledger,
        }
    }

    /// The same thing on its chain, outside of any channel.
    #[must_use]
    pub const fn on_chain(self) -> Asset {
        match self {
            Asset::Native(ledger) => Asset::Native(ledger.chain()),
            Asset::Token(ledger, address) => Asset::Token(ledger.chain(), address),
        }
    }

    /// The same thing in a channel, where there can be any.
    pub fn in_channel(self) -> Option<Asset> {
        let ledger = self.ledger().channel()?;
        Some(match self {
            Asset::Native(_) => Asset::Native(ledger),
            Asset::Token(_, address) => Asset::Token(ledger, address),
        })
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
            Asset::Native(ledger) => f.write_str(ledger.ticker())?,
            Asset::Token(ledger, address) => write!(f, "{}:{address}", ledger.chain())?,
        }
        if self.ledger().is_channel() { f.write_str(IN_CHANNEL) } else { Ok(()) }
    }
}

impl FromStr for Asset {
    type Err = AssetError;
    fn from_str(text: &str) -> Result<Self, AssetError> {
        if let Some(text) = text.strip_suffix(IN_CHANNEL) {
            let on_chain = text.parse::<Asset>().ok().filter(|asset| !asset.ledger().is_channel());
            return on_chain.and_then(Asset::in_channel).ok_or(AssetError::NoSuchAsset);
        }
        if let Some(ledger) = Ledger::ALL.into_iter().find(|ledger| ledger.ticker() == text) {
            return Ok(Asset::Native(ledger));
        }
        let (ledger, address) = text.split_once(':').ok_or(AssetError::NoSuchAsset)?;
        let ledger: Ledger = ledger.parse()?;
        match ledger.family() {
            Family::Evm if ledger.is_channel() => Err(AssetError::NoSuchAsset),
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
            let Some(channelled) = asset.in_channel() else { continue };
            assert_eq!(channelled.to_string(), format!("{asset}@channel"));
            assert_eq!(channelled.to_string().parse(), Ok(channelled));
            assert_eq!((channelled.on_chain(), channelled.in_channel()), (asset, Some(channelled)));
        }
        for ledger in Ledger::ALL.into_iter().chain(Ledger::CHANNELS) {
            assert_eq!(ledger.name().parse(), Ok(ledger));
            assert_eq!(serde_json::to_value(ledger).ok(), Some(ledger.name().into()));
        }
    }

    #[test]
    fn a_token_on_bitcoin_or_a_symbol_is_no_asset() {
        for bad in [
            "",
            "btc",
            "USDT",
            "bitcoin:0xabababababababababababababababababababab",
            "ethereum:0xab",
            "doge:0x00",
            "BTC@channel",
            "ETH@channel@channel",
            "ethereum@channel",
            "ethereum@channel:0xabababababababababababababababababababab",
        ] {
            assert!(bad.parse::<Asset>().is_err(), "{bad}");
        }
    }
}
