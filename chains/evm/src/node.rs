//! Our node and the chain it is on.

use crate::chain::At;
use crate::config::NodeConfig;
use crate::fees::{Market, Price};
use crate::params::{Finality, Params, params};
use crate::rpc::{Rpc, RpcError};
use crate::wire::Header;
use alloy::primitives::{B256, U256};
use photon_chains::{Amount, BlockHeight, BlockRef, Hash32, Ledger, PortError, Timing};

/// A node that was seen to be on the configured chain.
pub(crate) struct Node {
    pub(crate) rpc: Rpc,
    pub(crate) params: Params,
    pub(crate) chain_id: u64,
    pub(crate) genesis: B256,
}

/// The tip, and how deep blocks below it are trusted.
#[derive(Copy, Clone, Debug)]
pub(crate) struct View {
    pub(crate) tip: Header,
    /// The highest block that is relied on; none while the chain is too short.
    pub(crate) relied: Option<u64>,
    /// The highest block that is final.
    pub(crate) settled: Option<u64>,
}

impl View {
    /// By the depths of `timing`; or, where the consensus itself says what is final, by that alone, be it shallower or, in a
    /// time without finality, deeper.
    pub(crate) fn of(tip: Header, timing: &Timing, finalized: Option<u64>) -> Self {
        let below = |depth: u32| (tip.number.0 + 1).checked_sub(u64::from(depth));
        match finalized.map(|number| number.min(tip.number.0)) {
            Some(finalized) => Self { tip, relied: Some(finalized), settled: Some(finalized) },
            None => Self { tip, relied: below(timing.confirmations), settled: below(timing.final_confirmations) },
        }
    }

    /// Confirmations of a block.
    pub(crate) fn depth(&self, block: u64) -> u32 {
        BlockHeight::new(block).depth_at(BlockHeight::new(self.tip.number.0))
    }

    pub(crate) fn is_final(&self, block: u64) -> bool {
        self.settled.is_some_and(|settled| block <= settled)
    }
}

impl Node {
    /// Reaches the node and checks that it is on the configured chain.
    pub(crate) async fn connect(config: &NodeConfig) -> Result<Self, PortError> {
        let ledger = config.ledger;
        let mut params = params(ledger, config.network)?;
        params.timing = config.confirmations.map_or(params.timing, |depth| params.timing.relying_on(depth));
        if params.chain_id.is_some_and(|id| id != config.chain_id) {
            let reason = format!("chain id {} is not that of {ledger} {:?}", config.chain_id, config.network);
            return Err(PortError::Refused { ledger, reason });
        }
        let rpc = match Rpc::new(&config.rpc_url) {
            Ok(rpc) => rpc,
            Err(RpcError::Nonsense(reason)) => return Err(PortError::Refused { ledger, reason }),
            Err(error) => return Err(error.at(ledger)),
        };
        let wrong = |reason| Err(PortError::WrongNetwork { ledger, reason });
        let chain_id = rpc.chain_id().await.map_err(|error| error.at(ledger))?;
        if chain_id != config.chain_id {
            return wrong(format!("its chain id is {chain_id}, configured is {}", config.chain_id));
        }
        let first = rpc.header(At::Number(0)).await.map_err(|error| error.at(ledger))?;
        let Some(first) = first else {
            return Err(PortError::BadAnswer { ledger, reason: "it has no first block".into() });
        };
        if params.genesis.is_some_and(|genesis| genesis != hash32(first.hash)) {
            return wrong("its first block is another".into());
        }
        Ok(Self { rpc, params, chain_id, genesis: first.hash })
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.params.ledger
    }

    /// Gives an answer its ledger.
    pub(crate) fn at<T>(&self, answer: Result<T, RpcError>) -> Result<T, PortError> {
        answer.map_err(|error| error.at(self.ledger()))
    }

    pub(crate) fn refused(&self, reason: impl Into<String>) -> PortError {
        PortError::Refused { ledger: self.ledger(), reason: reason.into() }
    }

    pub(crate) fn nonsense(&self, reason: impl Into<String>) -> PortError {
        PortError::BadAnswer { ledger: self.ledger(), reason: reason.into() }
    }

    pub(crate) fn unreachable(&self, reason: impl Into<String>) -> PortError {
        PortError::Unreachable { ledger: self.ledger(), reason: reason.into() }
    }

    /// An amount that the chain tells; what does not fit is no amount of anything.
    pub(crate) fn amount(&self, wei: U256) -> Result<Amount, PortError> {
        u128::try_from(wei).map(Amount::from_units).map_err(|_| self.nonsense("an amount above 2^128"))
    }

    /// The tip now, and what is final below it.
    pub(crate) async fn view(&self) -> Result<View, PortError> {
        let tip = self.at(self.rpc.header(At::Latest).await)?.ok_or_else(|| self.nonsense("it has no tip"))?;
        let finalized = match self.params.finality {
            Finality::Depth => None,
            Finality::Tag => self.at(self.rpc.finalized().await)?.map(|header| header.number.0),
        };
        Ok(View::of(tip, &self.params.timing, finalized))
    }

    /// What the node says about prices now.
    pub(crate) async fn market(&self) -> Result<Market, PortError> {
        match self.params.fees {
            crate::params::Fees::Legacy { .. } => {
                Ok(Market { price: self.gwei(self.at(self.rpc.gas_price().await)?), ..Market::default() })
            }
            crate::params::Fees::Eip1559 { .. } => {
                let tip = self.at(self.rpc.header(At::Latest).await)?;
                let base = tip.and_then(|tip| tip.base_fee_per_gas).ok_or_else(|| self.nonsense("its tip has no base fee"))?;
                let tip = self.at(self.rpc.tip().await)?.unwrap_or_default();
                Ok(Market { base_fee: self.gwei(base), tip: self.gwei(tip), price: 0 })
            }
        }
    }

    /// A bid for the next blocks, of that many wei per gas at most.
    pub(crate) async fn price(&self, highest: u128) -> Result<Price, PortError> {
        Ok(Price::suggest(self.params.fees, self.market().await?, highest))
    }

    fn gwei(&self, wei: U256) -> u128 {
        u128::try_from(wei).unwrap_or(u128::MAX)
    }
}

pub(crate) fn hash32(hash: B256) -> Hash32 {
    Hash32::from_bytes(hash.0)
}

pub(crate) fn block_ref(number: u64, hash: B256) -> BlockRef {
    BlockRef { height: BlockHeight::new(number), hash: hash32(hash) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Network, REGTEST_TIMING};
    use crate::wire::Number;

    fn tip(number: u64) -> Header {
        let (hash, parent_hash) = (B256::ZERO, B256::ZERO);
        Header { number: Number(number), hash, parent_hash, timestamp: Number(0), base_fee_per_gas: None }
    }

    #[test]
    fn a_block_is_relied_on_from_its_depth_on() {
        let view = View::of(tip(10), &REGTEST_TIMING, None);
        assert_eq!((view.relied, view.settled), (Some(9), Some(8)));
        assert_eq!((view.depth(9), view.depth(8)), (REGTEST_TIMING.confirmations, REGTEST_TIMING.final_confirmations));
        let young = View::of(tip(1), &REGTEST_TIMING, None);
        assert_eq!((young.relied, young.settled), (Some(0), None));
        assert!(!young.is_final(0));
    }

    #[test]
    fn where_the_consensus_says_what_is_final_its_word_alone_counts() {
        let timing = params(Ledger::Ethereum, Network::Mainnet).map(|params| params.timing).unwrap_or(REGTEST_TIMING);
        for finalized in [0, 800, 960, 1000] {
            let view = View::of(tip(1000), &timing, Some(finalized));
            assert_eq!((view.relied, view.settled), (Some(finalized), Some(finalized)));
        }
        assert_eq!(View::of(tip(1000), &timing, Some(5000)).settled, Some(1000), "nothing above the tip is final");
    }
}
