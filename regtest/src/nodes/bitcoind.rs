//! What is Bitcoin's own about its node.

use super::daemon::{Flavour, WalletKind};

/// Bitcoin Core 29 and what derives from it.
pub const BITCOIND: Flavour = Flavour {
    node: "bitcoind",
    // Of what the wallet prefetches, a test uses little.
    args: &["-keypool=50", "-natpmp=0"],
    wallet: WalletKind::Descriptor,
};
