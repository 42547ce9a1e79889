//! Peers, and how they behaved, as the API shows them.

use photon_chains::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A peer we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerView {
    /// A name of our own for it.
    pub alias: Option<String>,
    /// Its identity.
    #[schema(value_type = String)]
    pub identity: Address,
    /// Where it listens, `host:port`; empty for one that only called us.
    pub endpoint: String,
    /// True if a connection to it stands now.
    pub connected: bool,
    /// How swaps with it ended.
    pub score: ScoreView,
}

/// How agreed swaps with a peer ended, since ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScoreView {
    /// Both have what they wanted.
    pub completed: u64,
    /// We had locked money, it walked away, and we took ours back.
    pub walked: u64,
    /// Otherwise: nothing of ours was locked, or somebody lost.
    pub failed: u64,
    /// So many live swaps it may have with us as a maker, for what it did so far; absent for a peer with a name: it has no such cap.
    pub most_live: Option<u64>,
}

/// A peer to remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPeer {
    /// `0x…@host:port`.
    pub address: String,
    /// A name for it: 1 to 32 letters, digits, `-` or `_`.
    pub alias: Option<String>,
}
