//! What has to be known to reach a chain and to trust what stands on it.

use crate::params::Network;
use photon_chains::{Address, Hash32, Ledger};

/// A node and the chain it must be on.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Ethereum or SMT.
    pub ledger: Ledger,
    /// Which of its chains.
    pub network: Network,
    /// Where the node answers: `http://…`, on this machine or behind a tunnel. May hold credentials, so it is never shown.
    pub rpc_url: String,
    /// The chain id. Checked against the network and against the node.
    pub chain_id: u64,
    /// More confirmations than usual before anything is relied on, or final.
    pub confirmations: Option<u32>,
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ledger, network, chain_id, confirmations: _, rpc_url: _ } = self;
        f.debug_struct("NodeConfig").field("ledger", ledger).field("network", network).field("chain_id", chain_id).finish()
    }
}

/// Where our contracts stand.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// SecretRegistry.
    pub registry: Address,
    /// NativeHtlc.
    pub native_htlc: Address,
    /// TokenHtlc.
    pub token_htlc: Address,
    /// Channels. None: no payment channels on this ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Address>,
}

/// An ERC20 token that may be swapped. Only configured tokens are touched: a stranger's token can lie about everything.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its contract.
    pub address: Address,
    /// What people call it. For display only.
    pub symbol: String,
    /// Digits after the dot, as the contract itself says.
    pub decimals: u8,
    /// keccak256 of its runtime code, as [`crate::code_hash`] tells it.
    pub code_hash: Hash32,
}

/// All an adapter needs beside its key and its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvmConfig {
    /// The node.
    pub node: NodeConfig,
    /// Our contracts there, as [`crate::deploy`] tells them.
    pub contracts: Contracts,
    /// The tokens that may be swapped.
    pub tokens: Vec<Token>,
}
