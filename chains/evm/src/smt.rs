//! Spectrum (SmartMesh), whose coin is SMT: a fork of go-ethereum 1.8 with 17 signers who take turns.

use crate::params::{Fees, Finality, GWEI, Network, Params, REGTEST_TIMING};
use photon_chains::{ClockRule, Ledger, Timing};

/// 14 s between blocks at least, by consensus; 18 to 38 s where a signer is replaced. There is no finality: 34 blocks are two
/// rounds of the signers, which the project advises exchanges to wait for. A signer may back-date the first blocks after a
/// halt, hence ten minutes of lateness. The advised depth takes 13 min 40 s, 99 times in 100.
const TIMING: Timing = Timing {
    block_secs: 14,
    confirmations: 34,
    final_confirmations: 34,
    confirm_secs: 13 * 60 + 40,
    stale_tip_secs: 180,
    rule: ClockRule::BlockTime {
        min_block_secs: 14,
        worst_block_millis: 22_000,
        inclusion_blocks: 34,
        final_blocks: 34,
        halt_secs: 7200,
        late_secs: 600,
    },
};

pub(crate) fn params(network: Network) -> Params {
    let (chain_id, timing) = match network {
        Network::Mainnet => (Some(20_180_430), TIMING),
        Network::Testnet => (Some(2022), TIMING),
        Network::Regtest => (None, REGTEST_TIMING),
    };
    Params {
        ledger: Ledger::Smt,
        chain_id,
        genesis: None,
        fees: Fees::Legacy { least_price: 18 * GWEI },
        ordinary_price: 40 * GWEI,
        highest_price: 500 * GWEI,
        utmost_price: 20_000 * GWEI,
        finality: Finality::Depth,
        bump_after_blocks: 3,
        window_block_secs: 18,
        timing,
    }
}
