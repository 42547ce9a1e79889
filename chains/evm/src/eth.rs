//! Ethereum.

use crate::params::{Fees, Finality, GWEI, Network, Params, REGTEST_TIMING};
use photon_chains::{ClockRule, Hash32, Ledger, Timing};

/// The first block of mainnet (go-ethereum, `params.MainnetGenesisHash`).
const MAINNET_GENESIS: Hash32 = Hash32::from_bytes([
    0xd4, 0xe5, 0x67, 0x40, 0xf8, 0x76, 0xae, 0xf8, 0xc0, 0x10, 0xb8, 0x6a, 0x40, 0xd5, 0xf5, 0x67, 0x45, 0xa1, 0x18, 0xd0, 0x90,
    0x6a, 0x34, 0xe6, 0x9a, 0xec, 0x8c, 0x0d, 0xb1, 0xcb, 0x8f, 0xa3,
]);

/// The first block of Sepolia (go-ethereum, `params.SepoliaGenesisHash`).
const SEPOLIA_GENESIS: Hash32 = Hash32::from_bytes([
    0x25, 0xa5, 0xcc, 0x10, 0x6e, 0xea, 0x71, 0x38, 0xac, 0xab, 0x33, 0x23, 0x1d, 0x71, 0x60, 0xd6, 0x9c, 0xb7, 0x77, 0xee, 0x0c,
    0x2c, 0x55, 0x3f, 0xcd, 0xdf, 0x51, 0x38, 0x99, 0x3e, 0x6d, 0xd9,
]);

/// One slot every 12 s, up to a tenth of them missed, hence 13.3 s a block on a bad day. Two epochs to finality: at most 96
/// slots in all but an incident (May 2023 had 25 to 60 minutes, which only delays). Timestamps are slot times, exactly.
const TIMING: Timing = Timing {
    block_secs: 12,
    confirmations: 96,
    final_confirmations: 96,
    confirm_secs: 22 * 60,
    stale_tip_secs: 120,
    rule: ClockRule::BlockTime {
        min_block_secs: 12,
        worst_block_millis: 13_300,
        inclusion_blocks: 25,
        final_blocks: 96,
        halt_secs: 3600,
        late_secs: 60,
    },
};

pub(crate) fn params(network: Network) -> Params {
    let (chain_id, genesis, finality, timing) = match network {
        Network::Mainnet => (Some(1), Some(MAINNET_GENESIS), Finality::Tag, TIMING),
        Network::Testnet => (Some(11_155_111), Some(SEPOLIA_GENESIS), Finality::Tag, TIMING),
        Network::Regtest => (None, None, Finality::Depth, REGTEST_TIMING),
    };
    Params {
        ledger: Ledger::Ethereum,
        chain_id,
        genesis,
        fees: Fees::Eip1559 { least_tip: GWEI, base_fee_factor: 8 },
        ordinary_price: 20 * GWEI,
        highest_price: 500 * GWEI,
        utmost_price: 20_000 * GWEI,
        finality,
        bump_after_blocks: 3,
        window_block_secs: 15,
        timing,
    }
}
