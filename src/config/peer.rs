//! How other nodes reach us.

use super::{Config, ConfigError};
use crate::peer::PeerAddress;
use photon_chains::Address;
use serde::Deserialize;
use std::net::SocketAddr;

/// `[peer]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Where to listen for other nodes; absent: only dial out.
    pub listen: Option<SocketAddr>,
    /// Ask the nodes we are connected with, and peers with a name, which offers they know of, and tell them of those we know.
    #[serde(default)]
    pub gossip: bool,
    /// Say on the local network that we are here, and connect with neighbours in channels who say so there.
    #[serde(default)]
    pub lan: bool,
    /// Where others reach this node, `host:port`: told to everybody with our own offers. Absent: those are not told of.
    pub announce: Option<String>,
}

impl Config {
    /// Where others reach the node of that identity, if they are to be told.
    pub fn announced(&self, identity: Address) -> Option<PeerAddress> {
        format!("{identity}@{}", self.peer.announce.as_deref()?).parse().ok()
    }
}

pub(super) fn check(whole: &Config) -> Result<(), ConfigError> {
    let unfit = |reason: &str| Err(ConfigError::Unfit(reason.to_owned()));
    let peer = &whole.peer;
    if peer.announce.is_some() && (!peer.gossip || whole.announced(Address::from_bytes([0; 20])).is_none()) {
        return unfit("announce in [peer] is host:port, and goes with gossip = true");
    }
    if peer.lan && peer.listen.is_none() {
        return unfit("lan in [peer] goes with listen: who is found there is to be reached");
    }
    Ok(())
}
