//! What can go wrong between nodes.

use photon_chains::Address;
use serde::{Deserialize, Serialize};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Nobody was reached in the time given. The request was not sent.
    #[error("the peer can't be reached: {0}")]
    Unreachable(Unreached),
    /// Somebody else answered at that address. The request was not sent.
    #[error("the node at that address has the identity {found}, not the one asked for")]
    OtherIdentity {
        /// Who answered.
        found: Address,
    },
    /// The node there lives on another network. The request was not sent.
    #[error("the node at that address is on another network")]
    OtherNetwork,
    /// The node there speaks another version. The request was not sent.
    #[error("the node at that address speaks version {found} of the peer protocol, and we speak {}", super::handshake::VERSION)]
    OtherVersion {
        /// Which.
        found: u8,
    },
    /// It is our own node, or another one with our seed. The request was not sent.
    #[error("the node at that address is this node, or one with the same seed")]
    OurselvesThere,
    /// The peer has the request and says no.
    #[error("the peer refused: {reason} ({code})")]
    Refused {
        /// In general.
        code: RefusalCode,
        /// In the peer's own words: bounded, without control characters, and not to be believed.
        reason: String,
    },
    /// The request was sent, and no answer came in time. It may have taken effect.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The connection ended before the answer. The request may have taken effect.
    #[error("the connection ended before the peer answered")]
    Lost,
    /// More than [`super::MAX_MESSAGE`] bytes. The request was not sent.
    #[error("the message is too large")]
    TooLarge,
    /// Too many requests of ours wait for this peer already. The request was not sent.
    #[error("too many requests to this peer are waiting for an answer")]
    Busy,
    /// This node is shutting down. The request was not sent.
    #[error("this node is shutting down")]
    Stopped,
    /// We could not listen at the configured address.
    #[error("can't listen for peers at {address}: {kind}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
}

impl PeerError {
    /// True if the peer may have acted on the request although it gave no usable answer: ask again, with something it knows
    /// again.
    pub const fn may_have_arrived(&self) -> bool {
        matches!(
            self,
            PeerError::TimedOut
                | PeerError::Lost
                | PeerError::Refused { code: RefusalCode::Internal | RefusalCode::TooLarge | RefusalCode::Unknown, .. }
        )
    }

    /// True if the peer understood the request, and its answer is no. Any other error, a refusal because it is busy among
    /// them, may pass by itself.
    pub const fn is_no(&self) -> bool {
        matches!(self, PeerError::Refused { code: RefusalCode::Declined | RefusalCode::UnknownKind, .. })
    }

    /// True if dialling the same address again soon would end in the same way.
    pub(super) const fn is_final(&self) -> bool {
        matches!(
            self,
            PeerError::OtherIdentity { .. }
                | PeerError::OtherNetwork
                | PeerError::OtherVersion { .. }
                | PeerError::OurselvesThere
                | PeerError::Stopped
        )
    }
}

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// No connection to that host and port.
    #[error("{0}")]
    Connect(std::io::ErrorKind),
    /// The other side hung up, or broke the protocol, before it proved who it is.
    #[error("the handshake failed")]
    Handshake,
    /// It took too long.
    #[error("no answer in time")]
    Slow,
    /// It is not connected to us, and we have no address to dial.
    #[error("it is not connected")]
    NotConnected,
}

/// What kind of no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The request was understood, and the answer is no.
    Declined,
    /// There is no such kind of request.
    UnknownKind,
    /// More requests than a peer may make: slow down.
    TooManyRequests,
    /// Busy with other requests: try again.
    Busy,
    /// The answer would be too large.
    TooLarge,
    /// The peer's own fault.
    Internal,
    /// A code that a later version knows.
    #[serde(other)]
    Unknown,
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RefusalCode::Declined => "declined",
            RefusalCode::UnknownKind => "unknown kind",
            RefusalCode::TooManyRequests => "too many requests",
            RefusalCode::Busy => "busy",
            RefusalCode::TooLarge => "too large",
            RefusalCode::Internal => "internal error",
            RefusalCode::Unknown => "unknown code",
        })
    }
}
