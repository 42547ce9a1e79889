//! What was said long ago under names that nobody knows any more, and the calls by which it was asked for: after a database was lost.

use crate::adapter::EvmAdapter;
use crate::names::{Manner, TRANSFER, read};
use crate::node::hash32;
use crate::rpc::RpcError;
use crate::slot::{account, address};
use crate::wire::Log;
use alloy::primitives::{Address, B256};
use photon_chains::{BlockHeight, Past, PortError, Sent, TxId};
use serde_json::{Value, json};

impl EvmAdapter {
    /// A range that the node does not answer is halved, so that its end is answered.
    pub(crate) async fn past_in(&self, from: u64, to: u64) -> Result<(BlockHeight, Vec<Past>), PortError> {
        let Some(channels) = self.contracts.channels.map(account) else { return Ok((BlockHeight::new(from), Vec::new())) };
        let mut first = from;
        loop {
            match self.all_said(channels, first, to).await {
                Ok(said) => return Ok((BlockHeight::new(first), said)),
                Err(RpcError::TooLong | RpcError::Refused { .. }) if first < to => first += (to - first).div_ceil(2),
                Err(error) => return Err(error.at(self.node.ledger())),
            }
        }
    }

    async fn all_said(&self, channels: Address, from: u64, to: u64) -> Result<Vec<Past>, RpcError> {
        let mut all = self.said_by(&[channels], &Value::Null, Manner::FirstTopic, from, to).await?;
        let tokens: Vec<Address> = self.tokens().iter().map(|token| account(token.address)).collect();
        if !tokens.is_empty() {
            let by_us = json!([TRANSFER, account(EvmAdapter::account(self)).into_word(), channels.into_word()]);
            all.extend(self.said_by(&tokens, &by_us, Manner::Payee, from, to).await?);
        }
        Ok(all)
    }

    async fn said_by(
        &self,
        contracts: &[Address],
        topics: &Value,
        manner: Manner,
        from: u64,
        to: u64,
    ) -> Result<Vec<Past>, RpcError> {
        let logs = self.node.rpc.logs(contracts, topics, from, to).await?;
        let past = |log: &Log| {
            let (name, data) = read(log, manner)?;
            let is_asked = !log.removed && contracts.contains(&log.address);
            let txid = TxId::from_bytes(log.transaction_hash.0);
            is_asked.then(|| Past { by: address(log.address), name: hash32(name), data, txid })
        };
        Ok(logs.iter().filter_map(past).collect())
    }

    pub(crate) async fn sent_by(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError> {
        let hashes: Vec<B256> = txids.iter().map(|txid| B256::new(*txid.as_bytes())).collect();
        let found = self.node.at(self.node.rpc.transactions(&hashes).await)?;
        let sent = found.into_iter().zip(&hashes).map(|(tx, hash)| {
            let tx = tx.filter(|tx| tx.hash == *hash)?;
            Some(Sent { from: address(tx.from), input: tx.input.0 })
        });
        Ok(sent.collect())
    }
}
