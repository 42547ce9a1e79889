//! Finding every lock that names our account, knowing nothing else: after the database was lost.
//!
//! A `Lockup` event carries all terms of a lock. Who refunds is indexed, who redeems is not, so every lockup of our two contracts
//! is read and those that name us are kept. Events are hints here too: whether a lock stands, its slot says.

use crate::abi::{self, Erc20Htlc, Event, Native};
use crate::chain::{Ask, At};
use crate::node::{Node, View};
use crate::rpc::RpcError;
use crate::slot::{Kind, Slot, account, address};
use crate::wire::Log;
use alloy::primitives::{Address, U256};
use alloy::sol_types::SolEvent;
use photon_chains::{
    Amount, Asset, BlockHeight, Expiry, Found, FoundLock, Hash32, Lock, Party, PortError, Progressed, SecretHash, Template,
    UnixTime,
};
use serde_json::json;
use std::collections::HashMap;

/// Events are asked for in ranges of so many blocks; a node that refuses gets half.
const LOG_RANGE: u64 = 2000;
/// No more locks that name us are kept: anybody may name us as the redeemer of dust.
const MOST_LOCKS: usize = 100_000;

/// What to look for.
pub(crate) struct Search<'a> {
    pub(crate) node: &'a Node,
    /// Our account.
    pub(crate) us: Address,
    /// The HTLC contracts, each with the hash of its code.
    pub(crate) native: (photon_chains::Address, Hash32),
    pub(crate) token: (photon_chains::Address, Hash32),
}

impl Search<'_> {
    pub(crate) async fn run(&self, since: UnixTime, progressed: Progressed<'_>) -> Result<Found, PortError> {
        let view = self.node.view().await?;
        let tip = view.tip.number.0;
        let first = self.first_block_after(since, tip).await?;
        let mut named = HashMap::new();
        let (mut start, mut range) = (first, LOG_RANGE);
        while start <= tip {
            progressed(start - first, tip - first);
            let end = tip.min(start.saturating_add(range - 1));
            match self.lockups(start, end).await {
                Ok(logs) => {
                    logs.iter().filter_map(|log| self.ours(log)).for_each(|(slot, block)| {
                        let earliest = named.entry(slot.key).or_insert((slot, block));
                        earliest.1 = earliest.1.min(block);
                    });
                    start = end + 1;
                }
                Err(RpcError::TooLong | RpcError::Refused { .. }) if range > 1 => range /= 2,
                Err(error) => return Err(error.at(self.node.ledger())),
            }
            if named.len() > MOST_LOCKS {
                return Err(self.node.refused("too many locks name our account: look from a later date on"));
            }
        }
        progressed(tip - first, tip - first);
        let named: Vec<(Slot, u64)> = named.into_values().collect();
        let standing = self.standing(&named, &view).await?;
        let found = named.iter().zip(standing).filter_map(|((slot, block), stands)| {
            let lock = self.lock(slot)?;
            Some(FoundLock { lock, since: BlockHeight::new(*block).minus(1), stands })
        });
        Ok(Found { locks: found.collect(), notes: Vec::new() })
    }

    /// The first block that is not older than that, by bisection: block times only grow.
    async fn first_block_after(&self, since: UnixTime, tip: u64) -> Result<u64, PortError> {
        let (mut low, mut high) = (0, tip);
        while low < high {
            let middle = low + (high - low) / 2;
            let header = self.node.at(self.node.rpc.header(At::Number(middle)).await)?;
            let header = header.ok_or_else(|| self.node.nonsense("a block below its tip is missing"))?;
            if header.timestamp.0 < since.secs() { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    async fn lockups(&self, from: u64, to: u64) -> Result<Vec<Log>, RpcError> {
        let contracts = [account(self.native.0), account(self.token.0)];
        let topics = json!([[Native::Lockup::SIGNATURE_HASH, Erc20Htlc::Lockup::SIGNATURE_HASH]]);
        self.node.rpc.logs(&contracts, &topics, from, to).await
    }

    fn ours(&self, log: &Log) -> Option<(Slot, u64)> {
        let kind = if log.address == account(self.native.0) { Kind::Native } else { Kind::Token };
        match abi::read_log(log, Some(kind), self.node.chain_id)? {
            Event::Lockup(slot) if !log.removed && [slot.terms.redeemer, slot.terms.refundee].contains(&self.us) => {
                Some((slot, log.block_number.0))
            }
            Event::Lockup(_) | Event::Claim(_) | Event::Refund(_) | Event::Revealed(_) => None,
        }
    }

    /// Whether each slot holds money, at the tip or at the last block that is final: an end that is not final may be undone.
    async fn standing(&self, named: &[(Slot, u64)], view: &View) -> Result<Vec<bool>, PortError> {
        let at_tip = self.slots(named, view.tip.number.0).await?;
        let at_final = match view.settled {
            Some(settled) => self.slots(named, settled).await?,
            None => vec![None; named.len()],
        };
        // A slot that can't be read may hold money: it is watched, and then its own events decide.
        Ok(at_tip.iter().zip(at_final).map(|(tip, settled)| tip.unwrap_or(true) || settled.unwrap_or(false)).collect())
    }

    async fn slots(&self, named: &[(Slot, u64)], block: u64) -> Result<Vec<Option<bool>>, PortError> {
        let ask = |(slot, _): &(Slot, u64)| (Ask::view(slot.contract, abi::swaps(slot.key)), At::Number(block));
        let asks: Vec<_> = named.iter().map(ask).collect();
        let answers = self.node.at(self.node.rpc.views(&asks).await)?;
        Ok(answers.into_iter().map(|answer| answer.as_deref().and_then(abi::word).map(|word| word != U256::ZERO)).collect())
    }

    /// None for a lock that no program of ours would have agreed to.
    fn lock(&self, slot: &Slot) -> Option<Lock> {
        let terms = &slot.terms;
        let ledger = self.node.ledger();
        let (contract, code_hash) = if terms.token.is_some() { self.token } else { self.native };
        Some(Lock {
            asset: terms.token.map_or(Asset::Native(ledger), |token| Asset::Token(ledger, address(token))),
            amount: Amount::from_units(u128::try_from(terms.amount).ok()?),
            redeemer: Party::Account(address(terms.redeemer)),
            refundee: Party::Account(address(terms.refundee)),
            secret_hash: SecretHash::from_bytes(terms.hash.0),
            expiry: Expiry::from_word(&terms.word.to_be_bytes()).ok()?,
            template: Template::Htlc { contract, code_hash },
        })
    }
}
