//! What payment channels need of the ledger, filled by the adapter that fills the port: one account, one journal, one row of
//! nonces.

use crate::adapter::EvmAdapter;
use crate::chain::{Ask, At};
use crate::names::Manner;
use crate::slot::account;
use alloy::primitives::B256;
use async_trait::async_trait;
use photon_chains::{
    Address, Asset, BlockHeight, Called, ContractCall, ContractPort, Hash32, IntentKey, News, Past, Port, PortError, Said, Sent,
    TxId,
};

impl EvmAdapter {
    /// The contracts that name things by the first topic.
    fn speakers(&self) -> Vec<Address> {
        self.contracts.channels.into_iter().chain([self.contracts.registry]).collect()
    }

    /// How a contract names things. None for one that we know nothing of.
    fn manner(&self, contract: Address) -> Option<Manner> {
        if self.speakers().contains(&contract) {
            return Some(Manner::FirstTopic);
        }
        self.tokens().iter().any(|token| token.address == contract).then_some(Manner::Payee)
    }
}

#[async_trait]
impl ContractPort for EvmAdapter {
    fn account(&self) -> Address {
        EvmAdapter::account(self)
    }

    fn chain_id(&self) -> u64 {
        self.node.chain_id
    }

    fn channels(&self) -> Option<Address> {
        self.contracts.channels
    }

    fn registry(&self) -> Address {
        self.contracts.registry
    }

    fn block_secs(&self) -> u64 {
        self.node.params.window_block_secs
    }

    fn watch_name(&self, contract: Address, name: Hash32, since: BlockHeight) {
        match self.manner(contract) {
            Some(manner) => {
                self.names.names().watch(account(contract), manner, B256::new(*name.as_bytes()), since.get());
            }
            None => {
                tracing::warn!(chain = %self.node.ledger(), %contract, "neither a contract of ours nor a configured token: not watched")
            }
        }
    }

    fn unwatch_name(&self, name: &Hash32) {
        self.names.names().unwatch(&B256::new(*name.as_bytes()));
    }

    async fn look(&self) -> Result<News, PortError> {
        let speakers: Vec<_> = self.speakers().into_iter().map(account).collect();
        self.names.look(&speakers).await
    }

    fn said(&self, name: &Hash32) -> Vec<Said> {
        self.names.names().said(&B256::new(*name.as_bytes()))
    }

    async fn past(&self, from: BlockHeight, to: BlockHeight) -> Result<(BlockHeight, Vec<Past>), PortError> {
        self.past_in(from.get(), to.get()).await
    }

    async fn sent(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError> {
        self.sent_by(txids).await
    }

    async fn views(&self, asks: &[(Address, Vec<u8>)], at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        let at = at.map_or(At::Latest, |height| At::Number(height.get()));
        let asks: Vec<_> = asks.iter().map(|(to, input)| (Ask::view(account(*to), input.clone()), at)).collect();
        self.node.at(self.node.rpc.views(&asks).await)
    }

    async fn call(&self, call: &ContractCall) -> Result<Called, PortError> {
        if let Some((token, _)) = call.allowance {
            self.check_token(self.token(token)?).await?;
        }
        self.acting().await?.call(call).await
    }

    fn unwant(&self, intent: &IntentKey) {
        self.sender.unwant_call(*intent);
    }

    async fn holds(&self, token: Option<Address>) -> Result<u128, PortError> {
        let ledger = self.node.ledger();
        let asset = token.map_or(Asset::Native(ledger), |token| Asset::Token(ledger, token));
        Ok(self.balance(asset).await?.available.units())
    }
}
