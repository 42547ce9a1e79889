//! Payment channels with two nodes: by the first one, which signs. It signs nothing while the second one does, and what it has
//! sent is handed to the second one too.

use super::Pair;
use async_trait::async_trait;
use photon_chains::{
    Address, BlockHeight, Called, ContractCall, ContractPort, Hash32, IntentKey, News, Past, PortError, Progress, Said, Sent,
    TxId,
};
use std::sync::Arc;

/// The contracts as the first node of a pair has them.
pub(super) struct FirstNode {
    pair: Arc<Pair>,
    contracts: Arc<dyn ContractPort>,
}

impl FirstNode {
    pub(super) fn new(pair: Arc<Pair>, contracts: Arc<dyn ContractPort>) -> Self {
        Self { pair, contracts }
    }
}

#[async_trait]
impl ContractPort for FirstNode {
    fn account(&self) -> Address {
        self.contracts.account()
    }

    fn chain_id(&self) -> u64 {
        self.contracts.chain_id()
    }

    fn channels(&self) -> Option<Address> {
        self.contracts.channels()
    }

    fn registry(&self) -> Address {
        self.contracts.registry()
    }

    fn block_secs(&self) -> u64 {
        self.contracts.block_secs()
    }

    fn watch_name(&self, contract: Address, name: Hash32, since: BlockHeight) {
        self.contracts.watch_name(contract, name, since);
    }

    fn unwatch_name(&self, name: &Hash32) {
        self.contracts.unwatch_name(name);
    }

    async fn look(&self) -> Result<News, PortError> {
        self.contracts.look().await
    }

    fn said(&self, name: &Hash32) -> Vec<Said> {
        self.contracts.said(name)
    }

    async fn past(&self, from: BlockHeight, to: BlockHeight) -> Result<(BlockHeight, Vec<Past>), PortError> {
        self.contracts.past(from, to).await
    }

    async fn sent(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError> {
        self.contracts.sent(txids).await
    }

    async fn views(&self, asks: &[(Address, Vec<u8>)], at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        self.contracts.views(asks, at).await
    }

    async fn call(&self, call: &ContractCall) -> Result<Called, PortError> {
        let called = {
            let _shared = self.pair.signing.read().await;
            self.contracts.call(call).await
        };
        // What was not sent may hold a secret that nobody has seen: the second node is not to see it either.
        if let Ok(Called::Under(Progress::Sent { .. })) = called {
            self.pair.relay(call.intent, &self.pair.second).await?;
        }
        called
    }

    fn unwant(&self, intent: &IntentKey) {
        self.contracts.unwant(intent);
    }

    async fn holds(&self, token: Option<Address>) -> Result<u128, PortError> {
        self.contracts.holds(token).await
    }
}
