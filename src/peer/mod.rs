//! Messages to and from other nodes, over one encrypted connection for each pair.
//!
//! ```mermaid
//! sequenceDiagram
//!   participant A as dialer
//!   participant B as listener
//!   A->>B: preamble (version, network), Noise XX: e
//!   B->>A: preamble, e, ee, s, es, proof that B's identity owns this static key
//!   Note over A: another identity than the one dialled: hang up, still unnamed
//!   A->>B: s, se, proof that A's identity owns this static key
//!   A->>B: ask 1 "offers"
//!   B->>A: ask 1 "terms"
//!   B->>A: answer 1
//!   A->>B: refusal 1
//!   B->>A: one-way message of a channel
//! ```
//!
//! Noise (`Noise_XX_25519_ChaChaPoly_BLAKE2s`) keeps what is said secret and whole, also from those who steal a key later. A
//! node is known by its EVM account, so each side's account signs its Noise key, together with this handshake's transcript,
//! its role and the network. Nothing of an application is read or sent before both proofs hold.
//!
//! An authenticated peer is still a stranger who may want to harm us. Whatever one can make grow has an end: see
//! [`Limits`]. What it says is never a fact about a chain.
//!
//! Choices rejected: Noise XK (one message shorter for whoever knows the other's Noise key, but people know each other's
//! accounts, and a second key in every address is one more to get wrong), TLS (certificates that certify nobody), signing
//! each message here (those that move money are signed one level up, where they are also stored).

mod address;
#[cfg(feature = "bare")]
pub mod bare;
mod bucket;
mod connection;
mod dial;
mod directory;
mod error;
mod frame;
mod handler;
mod handshake;
mod limits;
mod listener;
mod message;
mod net;
mod proof;
mod slots;
mod stream;

#[cfg(test)]
mod tests;

pub use address::{PeerAddress, PeerAddressError};
pub use error::{PeerError, RefusalCode};
pub use handler::{Handler, PeerReply, PeerRequest, Silent, Together};
pub use limits::{Limits, MAX_MESSAGE, MAX_STREAM_MESSAGE};
pub use net::PeerNet;
pub use stream::{Heard, Link, STREAM, Streams};
