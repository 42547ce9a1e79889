//! What differs between the EVM ledgers, as a record of named capabilities.

use crate::{eth, smt};
pub use photon_chains::Network;
use photon_chains::{Hash32, Ledger, PortError, Timing};

/// How a ledger's transactions bid for a place in a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fees {
    /// A cap and a tip over a base fee (EIP-1559). An idle chain suggests a tip of 1 wei, hence a floor.
    Eip1559 {
        /// The least tip, in wei per gas.
        least_tip: u128,
        /// The cap is this many times the base fee, plus the tip. The base fee rises by an eighth per block at most, so
        /// eight base fees outlast 17 full blocks.
        base_fee_factor: u128,
    },
    /// One gas price (EIP-155 transactions of type 0).
    Legacy {
        /// What nodes demand at least, in wei per gas; below it a transaction is dropped without a word.
        least_price: u128,
    },
}

/// By what a block counts as final.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Finality {
    /// The consensus itself says so (the `finalized` block of the node), where the node knows it; else the depth.
    Tag,
    /// The depth in [`Timing`].
    Depth,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Its ledger.
    pub ledger: Ledger,
    /// Its chain id; none where the configuration may name any.
    pub chain_id: Option<u64>,
    /// The hash of its first block, where it is known beforehand.
    pub genesis: Option<Hash32>,
    /// How transactions bid.
    pub fees: Fees,
    /// What a spend of a lock may bid whatever is locked, in wei per gas.
    pub ordinary_price: u128,
    /// No more than this many wei per gas are bid where nothing presses.
    pub highest_price: u128,
    /// No more than this many are ever bid, by a redeem of much near its deadline.
    pub utmost_price: u128,
    /// By what a block counts as final.
    pub finality: Finality,
    /// An unmined transaction is replaced by a dearer one after that many blocks.
    pub bump_after_blocks: u64,
    /// The seconds that the channels contract reckons a block as: the mean of a bad day, or more.
    pub window_block_secs: u64,
    /// How fast it is.
    pub timing: Timing,
}

/// One gwei in wei.
pub(crate) const GWEI: u128 = 1_000_000_000;

/// The record of a chain. Bitcoin and Litecoin have none.
pub fn params(ledger: Ledger, network: Network) -> Result<Params, PortError> {
    match ledger {
        Ledger::Ethereum => Ok(eth::params(network)),
        Ledger::Smt => Ok(smt::params(network)),
        Ledger::Bitcoin | Ledger::Litecoin | Ledger::EthereumChannel | Ledger::SmtChannel => {
            Err(PortError::Refused { ledger, reason: "this ledger has no accounts and contracts".into() })
        }
    }
}

/// A chain of our own on this machine: seconds instead of minutes, so that a whole swap is seen in one.
pub(crate) const REGTEST_TIMING: Timing = Timing {
    block_secs: 1,
    confirmations: 2,
    final_confirmations: 3,
    confirm_secs: 8,
    stale_tip_secs: 3600,
    rule: photon_chains::ClockRule::BlockTime {
        min_block_secs: 1,
        worst_block_millis: 2000,
        inclusion_blocks: 2,
        final_blocks: 2,
        halt_secs: 2,
        late_secs: 1,
    },
};
