//! Catching up with the node.

use super::{Seen, State, TipSeen, UtxoAdapter};
use crate::decode;
use crate::rpc::{HeaderFacts, PoolSpend, RpcError, To, code};
use crate::tracker::Place;
use crate::view;
use bitcoin::{BlockHash, OutPoint, Txid};
use photon_chains::{BlockHeight, LockId, PortError, Tip, UnixTime};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Times the chain may move on while we look, before what was seen is taken as it is.
const MAX_ROUNDS: usize = 8;
/// Times mempool transactions are looked at again because of what others of them pay; one is enough but for chains.
const MAX_RECHECKS: usize = 25;
/// The most transactions of the mempool read in one pass. After a start, or in a flood, the rest is read in the next ones.
const MAX_READ: usize = 5_000;
/// The most outputs of which it is asked in one pass what spends them.
const MAX_ASKED: usize = 1_000;

impl UtxoAdapter {
    /// One pass: blocks, mempool, what was seen, what is settled.
    pub(super) async fn pass(&self) -> Result<Tip, PortError> {
        let _one = self.polling.lock().await;
        self.watch_own_inputs().await?;
        for _ in 0..MAX_ROUNDS {
            let tip = self.header(self.best().await?).await?;
            let Some(done) = self.follow(&tip).await? else { continue };
            // At once: a block that comes while the mempool is read must not have all older ones read again.
            self.state().tracker.mark_scanned(&done);
            let still_there = self.read_pool(tip.hash).await?;
            if still_there {
                return self.publish(&tip).await;
            }
        }
        Err(PortError::Unreachable {
            ledger: self.params.chain.ledger,
            reason: "its chain moves faster than we can look".to_owned(),
        })
    }

    async fn publish(&self, tip: &HeaderFacts) -> Result<Tip, PortError> {
        let place = Place { height: tip.height, hash: tip.hash };
        {
            let mut state = self.state();
            let timing = &self.params.timing;
            let State { tracker, seen: before, changed, .. } = &mut *state;
            let look = |(id, amount)| {
                let paid = tracker.paid(id);
                let sighting = view::sighting(&paid, amount, tracker.secret(id), tip.height, timing);
                (id, Seen { sighting, paid })
            };
            let seen: HashMap<LockId, Seen> = tracker.scanned().map(look).collect();
            let differs = |(id, now): &(&LockId, &Seen)| before.get(*id).is_none_or(|old| now.sighting.differs(&old.sighting));
            changed.extend(seen.iter().filter(differs).map(|(id, _)| *id));
            *before = seen;
            state.tip = Some(TipSeen { place, time: tip.time, median_time: tip.mediantime });
        }
        self.settle(place).await?;
        Ok(Tip {
            block: view::block_ref(place),
            time: UnixTime::from_secs(tip.time),
            lock_clock: UnixTime::from_secs(tip.mediantime),
        })
    }

    /// Puts in every block up to that tip. None if the chain moved meanwhile; else the locks that have been looked for.
    async fn follow(&self, tip: &HeaderFacts) -> Result<Option<Vec<(LockId, BlockHeight)>>, PortError> {
        self.leave_dead_branch().await?;
        let (from, unscanned) = {
            let state = self.state();
            (state.tracker.next_height(tip.height), state.tracker.unscanned())
        };
        for height in from..=tip.height {
            let Some(hash) = self.hash_at(height).await? else { return Ok(None) };
            let txs = {
                let (header, txs) = self.block(hash, height).await?;
                let state = self.state();
                let below = height.checked_sub(1).and_then(|below| state.tracker.hash_at(below));
                let moved = below.is_some_and(|below| below != header.prev_blockhash)
                    || state.tracker.hash_at(height).is_some_and(|known| known != hash);
                if moved {
                    return Ok(None);
                }
                txs
            };
            self.state().tracker.apply_block(Place { height, hash }, &txs);
        }
        let reached = self.state().tracker.tip();
        Ok((reached == Some(Place { height: tip.height, hash: tip.hash })).then_some(unscanned))
    }

    /// Walks back to the last block that is still in the node's chain, forgetting what was seen above it.
    async fn leave_dead_branch(&self) -> Result<(), PortError> {
        loop {
            let Some(last) = self.state().tracker.tip() else { return Ok(()) };
            if self.hash_at(last.height).await? == Some(last.hash) {
                return Ok(());
            }
            tracing::info!(chain = %self.params.chain.ledger, height = last.height, "a block is gone: what it showed is undone");
            self.state().tracker.rewind_to(last.height.saturating_sub(1));
        }
    }

    /// Puts the mempool in, if the chain's tip is still that one when it has been read.
    async fn read_pool(&self, tip: BlockHash) -> Result<bool, PortError> {
        let listed: HashSet<Txid> =
            self.rpc.call(To::Node, "getrawmempool", json!([])).await.map_err(|error| self.failed(error))?;
        if self.best().await? != tip {
            return Ok(false);
        }
        let mut new = self.state().tracker.sync_pool(&listed);
        if new.len() > MAX_READ {
            let first = self.spenders().await?;
            tracing::info!(chain = %self.params.chain.ledger, unread = new.len(), "the mempool is read in parts");
            put_first(&mut new, &first);
            new.truncate(MAX_READ);
        }
        self.read_pooled(&new).await?;
        for _ in 0..MAX_RECHECKS {
            let again = self.state().tracker.recheck();
            if again.is_empty() {
                break;
            }
            self.read_pooled(&again).await?;
        }
        Ok(true)
    }

    /// What spends the watched outputs in the mempool, as far as the node can be asked (Bitcoin's can, Litecoin's 0.21 not).
    async fn spenders(&self) -> Result<HashSet<Txid>, PortError> {
        let outputs: Vec<OutPoint> = self.state().tracker.outputs().take(MAX_ASKED).collect();
        let asked: Vec<Value> = outputs.iter().map(|output| json!({ "txid": output.txid, "vout": output.vout })).collect();
        match self.rpc.call::<Vec<PoolSpend>>(To::Node, "gettxspendingprevout", json!([asked])).await {
            Ok(answers) => Ok(answers.into_iter().filter_map(|answer| answer.spendingtxid).collect()),
            Err(RpcError::Node { .. }) => Ok(HashSet::new()),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn read_pooled(&self, txids: &[Txid]) -> Result<(), PortError> {
        let params: Vec<Value> = txids.iter().map(|txid| json!([txid])).collect();
        let answers = self.rpc.call_many::<String>(To::Node, "getrawtransaction", &params).await;
        for (txid, answer) in txids.iter().zip(answers.map_err(|error| self.failed(error))?) {
            // One that left the mempool since it was listed is not an error.
            let Ok(text) = answer else { continue };
            let parsed = hex::decode(text).ok().and_then(|bytes| decode::transaction(&bytes).ok());
            let mut state = self.state();
            match parsed {
                Some(Some(tx)) if tx.compute_txid() == *txid => state.tracker.apply_pooled(&tx),
                Some(None) => state.tracker.ignore_pooled(*txid),
                // Not what was asked for: it shows nothing, and is asked for again.
                Some(Some(_)) | None => {}
            }
        }
        Ok(())
    }

    async fn best(&self) -> Result<BlockHash, PortError> {
        self.rpc.call(To::Node, "getbestblockhash", json!([])).await.map_err(|error| self.failed(error))
    }

    async fn header(&self, hash: BlockHash) -> Result<HeaderFacts, PortError> {
        self.rpc.call(To::Node, "getblockheader", json!([hash])).await.map_err(|error| self.failed(error))
    }

    /// The hash of the block at that height. None above the tip.
    pub(super) async fn hash_at(&self, height: u64) -> Result<Option<BlockHash>, PortError> {
        match self.rpc.call(To::Node, "getblockhash", json!([height])).await {
            Ok(hash) => Ok(Some(hash)),
            Err(RpcError::Node { code: code::OUT_OF_RANGE, .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn block(
        &self,
        hash: BlockHash,
        height: u64,
    ) -> Result<(bitcoin::block::Header, Vec<bitcoin::Transaction>), PortError> {
        let text: String = match self.rpc.call(To::Node, "getblock", json!([hash, 0])).await {
            Ok(text) => text,
            Err(RpcError::Node { message, .. }) if message.contains("pruned") => {
                return Err(self.refused(format!(
                    "the node has thrown block {height} away, and a lock may be in it: use a node that keeps it"
                )));
            }
            Err(error) => return Err(self.failed(error)),
        };
        let bytes = hex::decode(text).map_err(|_| self.bad_answer("a block is not written in hexadecimal"))?;
        let (header, txs) =
            decode::block(&bytes).map_err(|error| self.bad_answer(format!("block {height} can't be read: {error}")))?;
        if header.block_hash() != hash {
            return Err(self.bad_answer(format!("block {height} is not the one that was asked for")));
        }
        Ok((header, txs))
    }
}

/// What spends a watched output comes first, in whatever crowd it hides.
fn put_first(unread: &mut [Txid], first: &HashSet<Txid>) {
    unread.sort_by_key(|txid| !first.contains(txid));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    #[test]
    fn in_a_flood_what_spends_our_outputs_is_read_before_the_rest() {
        let txid = |n: u16| Txid::from_slice(&[[0; 30].as_slice(), &n.to_be_bytes()].concat());
        let mut unread: Vec<Txid> = (0..10_000).filter_map(|n| txid(n).ok()).collect();
        let first: HashSet<Txid> = [9_000, 9_999].into_iter().filter_map(|n| txid(n).ok()).collect();
        put_first(&mut unread, &first);
        assert_eq!(unread.len(), 10_000);
        assert!(unread.iter().take(2).all(|txid| first.contains(txid)));
    }
}
