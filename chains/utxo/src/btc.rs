//! Bitcoin.

use crate::params::{Chain, FeePolicy, Network, NetworkParams, Replacements};
use photon_chains::{ClockRule, Ledger, Timing};

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

/// Bitcoin's record.
pub const CHAIN: Chain = Chain {
    ledger: Ledger::Bitcoin,
    replacements: Replacements::Relayed,
    fees: FeePolicy {
        floor: 1_000,
        cap: 500_000,
        fallback: 5_000,
        first_bid_percent: 150,
        step_percent: 125,
        patience_blocks: 1,
        dust: 3_000,
    },
    unscripted: &[],
    networks: &[
        NetworkParams {
            network: Network::Mainnet,
            node_name: "main",
            genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            hrp: "bc",
            p2pkh: 0x00,
            p2sh: &[0x05],
            timing: TIMING,
        },
        NetworkParams {
            network: Network::Testnet,
            node_name: "testnet4",
            genesis: "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            hrp: "tb",
            p2pkh: 0x6f,
            p2sh: &[0xc4],
            timing: TIMING,
        },
        NetworkParams {
            network: Network::Regtest,
            node_name: "regtest",
            genesis: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            hrp: "bcrt",
            p2pkh: 0x6f,
            p2sh: &[0xc4],
            timing: REGTEST_TIMING,
        },
    ],
};

/// Quantiles of the time that k blocks take, the interval being exponential, to the second (about 1h33, 3h27, 18h25);
/// `timing_tests` derives them again.
///
/// * Confirm: three blocks, 99 times in 100, at a mean of 600 s / 0.9. Slower, and the swap ends before it has begun.
/// * Settle: a claim is mined within six blocks, lost in a reorganisation one less deep than final, and mined again, less
///   the six blocks that the median rule gives for free: four, all but once in 100,000, at the same mean. It is needed only
///   if such a reorganisation comes at that very moment.
/// * Late: the median's eleven blocks and six for the claim, all but once in four thousand million, the mean being 600 s / 0.9
///   in 99 weeks of 100 and 600 s / 0.45 in one (as after 27 June 2021).
/// * Early: a block can be stamped at most two hours ahead of the clocks of the nodes that accept it.
const TIMING: Timing = Timing {
    block_secs: 600,
    confirmations: 3,
    final_confirmations: 3,
    confirm_secs: 5_604,
    stale_tip_secs: 90 * MINUTE,
    rule: ClockRule::MedianTimePast { early_secs: 2 * HOUR, settle_secs: 12_444, late_secs: 66_275 },
};

/// Blocks come when somebody makes them, about one a second; nobody forges their times.
pub(crate) const REGTEST_TIMING: Timing = Timing {
    block_secs: 1,
    confirmations: 2,
    final_confirmations: 3,
    confirm_secs: 8,
    stale_tip_secs: HOUR,
    rule: ClockRule::MedianTimePast { early_secs: 2, settle_secs: 6, late_secs: 18 },
};
