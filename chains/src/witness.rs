//! A node that is asked beside another one of the same ledger.

use crate::journal::SignedTx;
use crate::party::Hash32;
use crate::port::{Port, PortError};
use crate::time::BlockHeight;
use async_trait::async_trait;

/// What an adapter must be able to do so that two of them, each at a node of its own, can be compared and can stand in for
/// each other.
#[async_trait]
pub trait Witness: Port {
    /// The block of the node's chain at that height, now. None above its tip.
    async fn block_at(&self, height: BlockHeight) -> Result<Option<Hash32>, PortError>;

    /// Hands the node a transaction that is written down. Whether it takes it is no fact about anything, and is not told.
    async fn relay(&self, tx: &SignedTx) -> Result<(), PortError>;
}
