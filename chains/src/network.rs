//! Which network a node is on.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which networks: all ledgers of a node are on the same kind.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real money.
    Mainnet,
    /// Public test networks: Bitcoin's testnet4 (BIP-94), Litecoin's testnet, Sepolia, SMT's chain 2022.
    Testnet,
    /// Nodes of our own.
    Regtest,
}

/// A text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write mainnet, testnet or regtest")]
pub struct NoSuchNetwork;

impl Network {
    /// Every one.
    pub const ALL: [Network; 3] = [Network::Mainnet, Network::Testnet, Network::Regtest];

    /// Its name in configuration and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Network::Mainnet => "mainnet",
            Network::Testnet => "testnet",
            Network::Regtest => "regtest",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Network {
    type Err = NoSuchNetwork;
    fn from_str(text: &str) -> Result<Self, NoSuchNetwork> {
        Network::ALL.into_iter().find(|network| network.name() == text).ok_or(NoSuchNetwork)
    }
}
