//! One-way messages beside the requests: bytes that the program's other parts send to a peer over the same connection.
//!
//! They are not answered. Whether somebody may send them freely is decided by who takes them in. What waits to be
//! written is bounded: a peer that takes too little is hung up on, since it can say again what it missed, and we can too.

use super::connection::Connection;
use async_trait::async_trait;
use photon_chains::{Address, PublicKey};
use std::fmt;
use std::sync::Arc;

/// The first byte of a one-way message. A request is JSON, which never begins with it.
pub const STREAM: u8 = 1;

/// One connection, for one-way messages. Clones are handles on the same.
#[derive(Clone)]
pub struct Link(Arc<Connection>);

impl Link {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    /// Who is at its other end.
    pub fn peer(&self) -> Address {
        self.0.peer()
    }

    /// The public key of that account.
    pub fn key(&self) -> PublicKey {
        self.0.key()
    }

    /// Tells this connection from all others of this process.
    pub fn id(&self) -> u64 {
        self.0.number()
    }

    /// Queues a message that begins with [`STREAM`]. False if the connection has ended, or ends now because its peer takes too
    /// little.
    pub fn send(&self, message: Vec<u8>) -> bool {
        self.0.stream(message)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer()).field("id", &self.id()).finish()
    }
}

/// Who takes in one-way messages, and hears of connections. While a call waits nothing more is read of that connection.
#[async_trait]
pub trait Streams: Send + Sync + 'static {
    /// A connection is there. Comes before anything that is said over it.
    async fn up(&self, link: Link);

    /// It has ended. Comes after all that was said over it.
    async fn down(&self, peer: Address, link: u64);

    /// A message, its first byte taken off.
    async fn said(&self, peer: Address, message: &[u8]) -> Heard;
}

/// What a one-way message was to whoever took it in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// From somebody who may say such things as fast as they are taken.
    Wanted,
    /// From a stranger: it counts as a request does, and too many end the connection.
    Unwanted,
    /// None of this protocol: the connection ends.
    Nonsense,
}

/// Takes nothing in: a peer that sends one-way messages all the same is hung up on.
pub(super) struct Deaf;

#[async_trait]
impl Streams for Deaf {
    async fn up(&self, _link: Link) {}

    async fn down(&self, _peer: Address, _link: u64) {}

    async fn said(&self, _peer: Address, _message: &[u8]) -> Heard {
        Heard::Nonsense
    }
}
