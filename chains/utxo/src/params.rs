//! What differs between chains and networks, as named capabilities. Nothing else in this crate asks which chain it is on.

use crate::{btc, ltc};
use bitcoin::{FeeRate, ScriptBuf};
pub use photon_chains::Network;
use photon_chains::{Hash32, Ledger, Timing};

/// What a node does with a transaction that spends the inputs of one in its mempool, and so how a bid of ours is raised.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Replacements {
    /// Relays it, if it signals (BIP-125) and pays more: a bid is raised by another in its place.
    Relayed,
    /// Refuses it: the first one seen stays. A bid is raised by a child that spends its output to us and pays for both, that
    /// one by a grandchild, and so on; what has no output to us, or was pushed aside, can't be raised.
    Refused,
}

/// Fee rates in satoshi (litoshi) per thousand virtual bytes, and the factors put on the node's estimate.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// Never less.
    pub floor: u64,
    /// Never more.
    pub cap: u64,
    /// Where the node has no estimate.
    pub fallback: u64,
    /// Percent of the estimate that a first bid pays.
    pub first_bid_percent: u64,
    /// Percent of the last bid that the next one pays. Larger where each rung takes a place in a chain of children.
    pub step_percent: u64,
    /// Blocks that may pass a bid by before the next one.
    pub patience_blocks: u64,
    /// The rate below which the chain's nodes call an output dust.
    pub dust: u64,
}

/// One chain.
#[derive(Debug)]
pub struct Chain {
    /// Its ledger.
    pub ledger: Ledger,
    /// What its nodes do with replacements.
    pub replacements: Replacements,
    /// Its fees.
    pub fees: FeePolicy,
    /// Bech32 prefixes of addresses that name no script, with what they are called; they are refused by that name.
    pub unscripted: &'static [(&'static str, &'static str)],
    /// Its networks.
    pub networks: &'static [NetworkParams],
}

/// One network of a chain.
#[derive(Debug)]
pub struct NetworkParams {
    /// Which.
    pub network: Network,
    /// What the node's `getblockchaininfo` calls it.
    pub node_name: &'static str,
    /// The hash of its first block, as the node shows it.
    pub genesis: &'static str,
    /// Bech32 prefix (BIP-173).
    pub hrp: &'static str,
    /// Base58 version byte of an address that pays to a key hash.
    pub p2pkh: u8,
    /// Base58 version bytes of an address that pays to a script hash.
    pub p2sh: &'static [u8],
    /// How fast it is.
    pub timing: Timing,
}

/// Every chain.
pub const CHAINS: [&Chain; 2] = [&btc::CHAIN, &ltc::CHAIN];

/// A chain and the network we are on.
#[derive(Copy, Clone, Debug)]
pub struct Params {
    /// The chain.
    pub chain: &'static Chain,
    /// The network.
    pub net: &'static NetworkParams,
    /// How fast it is, and how deep it is relied on: the network's, or deeper where the owner wants that.
    pub timing: Timing,
}

impl Params {
    /// Finds the record of a ledger's network. None for a ledger that has no scripts.
    pub fn of(ledger: Ledger, network: Network) -> Option<Self> {
        let chain = CHAINS.into_iter().find(|chain| chain.ledger == ledger)?;
        let net = chain.networks.iter().find(|net| net.network == network)?;
        Some(Self { chain, net, timing: net.timing })
    }

    /// The same, relied on only so deep, if that is deeper.
    #[must_use]
    pub fn relying_on(self, confirmations: Option<u32>) -> Self {
        Self { timing: confirmations.map_or(self.timing, |depth| self.timing.relying_on(depth)), ..self }
    }

    /// The hash of the first block.
    pub fn genesis(&self) -> Hash32 {
        self.net.genesis.parse().unwrap_or(Hash32::from_bytes([0; 32]))
    }

    /// The least value of an output to that script which nodes still relay.
    pub fn dust_limit(&self, script: &ScriptBuf) -> u64 {
        script.minimal_non_dust_custom(FeeRate::from_sat_per_kwu(self.chain.fees.dust.div_ceil(4))).to_sat()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bitcoin::constants::genesis_block;
    use bitcoin::hashes::Hash;
    use bitcoin::{WPubkeyHash, WScriptHash};

    #[test]
    fn every_network_has_a_genesis_and_its_own_prefix() {
        let mut seen = std::collections::HashSet::new();
        for chain in CHAINS {
            for net in chain.networks {
                let params = Params::of(chain.ledger, net.network).unwrap();
                assert_ne!(params.genesis(), Hash32::from_bytes([0; 32]), "{} {}", chain.ledger, net.network);
                assert!(seen.insert(params.genesis()) && net.genesis.len() == 64);
                assert!(seen.len() < 10 && chain.networks.iter().filter(|other| other.hrp == net.hrp).count() == 1);
            }
        }
        assert!(Params::of(Ledger::Ethereum, Network::Mainnet).is_none());
    }

    #[test]
    fn bitcoins_first_blocks_are_the_ones_the_library_knows() {
        for (network, library) in [
            (Network::Mainnet, bitcoin::Network::Bitcoin),
            (Network::Testnet, bitcoin::Network::Testnet4),
            (Network::Regtest, bitcoin::Network::Regtest),
        ] {
            let known = genesis_block(library).block_hash().to_string();
            assert_eq!(Params::of(Ledger::Bitcoin, network).unwrap().net.genesis, known);
        }
    }

    /// A funding that can be neither replaced nor cancelled must not linger (C14): it pays at least twice what is asked.
    #[test]
    fn where_nothing_can_be_replaced_a_first_bid_is_at_least_twice_the_estimate() {
        for chain in CHAINS {
            let least = match chain.replacements {
                Replacements::Relayed => 100,
                Replacements::Refused => 200,
            };
            assert!(chain.fees.first_bid_percent >= least && chain.fees.step_percent >= 125, "{}", chain.ledger);
        }
    }

    #[test]
    fn dust_is_what_the_nodes_call_dust() {
        let key = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
        let script = ScriptBuf::new_p2wsh(&WScriptHash::all_zeros());
        let limit = |ledger, to: &ScriptBuf| Params::of(ledger, Network::Mainnet).unwrap().dust_limit(to);
        assert_eq!((limit(Ledger::Bitcoin, &key), limit(Ledger::Bitcoin, &script)), (294, 330));
        assert_eq!((limit(Ledger::Litecoin, &key), limit(Ledger::Litecoin, &script)), (2940, 3300));
    }
}
