//! One of two nodes.

use super::UtxoAdapter;
use crate::tracker::Place;
use crate::view;
use async_trait::async_trait;
use photon_chains::{BlockHeight, Hash32, PortError, SignedTx, Witness};

#[async_trait]
impl Witness for UtxoAdapter {
    async fn block_at(&self, height: BlockHeight) -> Result<Option<Hash32>, PortError> {
        let hash = self.hash_at(height.get()).await?;
        Ok(hash.map(|hash| view::block_ref(Place { height: height.get(), hash }).hash))
    }

    async fn relay(&self, tx: &SignedTx) -> Result<(), PortError> {
        self.hand(tx).await.map(drop)
    }
}
