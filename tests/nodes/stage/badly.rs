//! Nodes behind proxies, and second nodes, for a party that has not started yet.

use super::{Player, Scene};
use photon_chains::Ledger;
use photon_regtest::proxy::FaultProxy;
use std::path::Path;

/// Every ledger's own name in a configuration.
pub const LEDGERS: [Ledger; 4] = [Ledger::Bitcoin, Ledger::Litecoin, Ledger::Ethereum, Ledger::Smt];

impl Scene {
    /// The address of a ledger's node.
    pub fn node_url(&self, ledger: Ledger) -> String {
        let world = self.world();
        let url = match ledger {
            Ledger::Bitcoin => world.bitcoin.url(),
            Ledger::Litecoin => world.litecoin.url(),
            Ledger::Ethereum | Ledger::EthereumChannel => world.ethereum.url(),
            Ledger::Smt | Ledger::SmtChannel => world.smt.url(),
        };
        url.trim_end_matches('/').to_owned()
    }

    /// A proxy before that ledger's node, through which the party will see it.
    pub async fn proxied(&self, party: &Player, ledger: Ledger) -> FaultProxy {
        let proxy = FaultProxy::start(&self.node_url(ledger)).await.unwrap();
        party.rewrite(&format!("\"{}\"", self.node_url(ledger)), &format!("\"{}\"", proxy.url()));
        proxy
    }

    /// A second node for the party: the same one, behind a proxy of its own.
    pub async fn second(&self, party: &Player, ledger: Ledger) -> FaultProxy {
        let proxy = FaultProxy::start(&self.node_url(ledger)).await.unwrap();
        let cookie = match ledger {
            Ledger::Bitcoin => Some(self.world().bitcoin.cookie()),
            Ledger::Litecoin => Some(self.world().litecoin.cookie()),
            Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => None,
        };
        party.add_second(ledger, &proxy.url(), cookie.as_deref());
        proxy
    }
}

impl Player {
    /// Changes its configuration file.
    pub fn rewrite(&self, old: &str, new: &str) {
        let path = self.folder.join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{old} stands in {text}");
        std::fs::write(&path, text.replace(old, new)).unwrap();
    }

    /// Adds a second node to its configuration file.
    pub fn add_second(&self, ledger: Ledger, url: &str, cookie: Option<&Path>) {
        let path = self.folder.join("config.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += &format!("[{ledger}.second_node]\nrpc_url = \"{url}\"\n");
        if let Some(cookie) = cookie {
            text += &format!("cookie_file = \"{}\"\n", cookie.display());
        }
        std::fs::write(&path, text).unwrap();
    }
}
