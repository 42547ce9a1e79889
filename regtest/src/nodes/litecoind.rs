//! What is Litecoin's own about its node.

use super::daemon::{Flavour, WalletKind};

/// Litecoin Core 0.21.2, which derives from Bitcoin Core 0.21.
pub const LITECOIND: Flavour = Flavour {
    node: "litecoind",
    // Blocks without the MWEB part, so that every Bitcoin library can read them; wallets' first keys in moments instead of seconds; and idle
    // connections closed early, for asked to stop, this old server waits until its clients' have timed out.
    args: &["-rpcserialversion=1", "-keypool=50", "-rpcservertimeout=5", "-upnp=0"],
    wallet: WalletKind::Legacy,
};
