//! Litecoin.

use crate::btc::REGTEST_TIMING;
use crate::params::{Chain, FeePolicy, Network, NetworkParams, Replacements};
use photon_chains::{ClockRule, Ledger, Timing};

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

/// Litecoin's record. Its nodes (0.21) refuse every replacement unless told otherwise, so a first bid is generous
/// and a raise is a longer chain of children, of which there is room for two dozen; its wallet calls an output dust below ten times Bitcoin's limit. Base58 `3…` (0x05) and `2…` (0xc4) addresses, which it
/// still reads as its own, are Bitcoin's to every reader of today, so they are refused.
pub const CHAIN: Chain = Chain {
    ledger: Ledger::Litecoin,
    replacements: Replacements::Refused,
    fees: FeePolicy {
        floor: 1_000,
        cap: 500_000,
        fallback: 2_000,
        first_bid_percent: 500,
        step_percent: 150,
        patience_blocks: 2,
        dust: 30_000,
    },
    unscripted: &[("ltcmweb", "MWEB"), ("tmweb", "MWEB"), ("rmweb", "MWEB")],
    networks: &[
        NetworkParams {
            network: Network::Mainnet,
            node_name: "main",
            genesis: "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
            hrp: "ltc",
            p2pkh: 0x30,
            p2sh: &[0x32],
            timing: TIMING,
        },
        NetworkParams {
            network: Network::Testnet,
            node_name: "test",
            genesis: "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
            hrp: "tltc",
            p2pkh: 0x6f,
            p2sh: &[0x3a],
            timing: TIMING,
        },
        NetworkParams {
            network: Network::Regtest,
            node_name: "regtest",
            genesis: "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
            hrp: "rltc",
            p2pkh: 0x6f,
            p2sh: &[0x3a],
            timing: REGTEST_TIMING,
        },
    ],
};

/// As Bitcoin's, with a mean of 150 s / 0.9, and in one week of 100 of 150 s / 0.5: twelve confirmations, seven blocks (a
/// reorganisation of five), seventeen. Nodes of 0.21 take their peers' clocks into account, up to 70 minutes more.
const TIMING: Timing = Timing {
    block_secs: 150,
    confirmations: 12,
    final_confirmations: 6,
    confirm_secs: 3_582,
    stale_tip_secs: 25 * MINUTE,
    rule: ClockRule::MedianTimePast { early_secs: 3 * HOUR + 10 * MINUTE, settle_secs: 4_060, late_secs: 14_912 },
};
