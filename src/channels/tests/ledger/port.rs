//! One account's port on the ledger.

use super::{ALLOWED, BLOCK_SECS, CHAIN_ID, CONTRACT, Chain, DEPTH, REGISTRY, Stumble, TOKENS, Tx};
use photon_chains::{
    Address, BlockHeight, Called, ContractCall, ContractPort, Hash32, Heads, IntentKey, News, Past, PortError, Progress, Said,
    Sent, TxId,
};
use photon_channel::ChannelId;
use std::collections::HashMap;
use std::sync::Mutex;

/// So many blocks are answered for at once.
const MOST_BLOCKS: u64 = 7;

/// One account's port.
pub struct Port {
    chain: Chain,
    account: Address,
    /// Watched names, each with what was said under it at the last look; None before the first.
    watched: Mutex<HashMap<Hash32, Option<Vec<Said>>>>,
    /// The newest block at the last look.
    looked: Mutex<Option<Hash32>>,
}

impl Port {
    pub fn new(chain: &Chain, account: Address) -> Self {
        Self { chain: chain.clone(), account, watched: Mutex::default(), looked: Mutex::default() }
    }

    pub fn looked(&self) -> Option<Hash32> {
        *self.looked.lock().unwrap()
    }
}

#[async_trait::async_trait]
impl ContractPort for Port {
    fn account(&self) -> Address {
        self.account
    }
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }
    fn channels(&self) -> Option<Address> {
        Some(CONTRACT)
    }
    fn registry(&self) -> Address {
        REGISTRY
    }
    fn block_secs(&self) -> u64 {
        BLOCK_SECS
    }
    fn watch_name(&self, _contract: Address, name: Hash32, _since: BlockHeight) {
        self.watched.lock().unwrap().entry(name).or_default();
    }
    fn unwatch_name(&self, name: &Hash32) {
        self.watched.lock().unwrap().remove(name);
    }
    async fn look(&self) -> Result<News, PortError> {
        let inner = self.chain.reached(&self.account)?;
        let height = inner.blocks.len() as u64 - 1;
        let heads = Heads { latest: inner.stamp(height), deep: inner.stamp(height + 1 - DEPTH) };
        let mut changed = Vec::new();
        for (name, before) in self.watched.lock().unwrap().iter_mut() {
            let now: Vec<Said> = inner.said.iter().filter(|said| said.name == *name).cloned().collect();
            if before.as_ref() != Some(&now) {
                *before = Some(now);
                changed.push(*name);
            }
        }
        *self.looked.lock().unwrap() = Some(heads.latest.block.hash);
        Ok(News { heads, changed })
    }
    fn said(&self, name: &Hash32) -> Vec<Said> {
        self.chain.lock().said.iter().filter(|said| said.name == *name).cloned().collect()
    }
    async fn past(&self, from: BlockHeight, to: BlockHeight) -> Result<(BlockHeight, Vec<Past>), PortError> {
        let mut inner = self.chain.reached(&self.account)?;
        *inner.asked.entry(self.account).or_default() += 1;
        // No node answers for as much as it is asked.
        let first = BlockHeight::new(from.get().max((to.get() + 1).saturating_sub(MOST_BLOCKS)));
        let is_there = |said: &&Said| (first..=to).contains(&said.at.block.height);
        let is_ours =
            |said: &&Said| said.by == CONTRACT || TOKENS.contains(&said.by) && said.data[12..32] == *self.account.as_bytes();
        let past = |said: &Said| Past { by: said.by, name: said.name, data: said.data.clone(), txid: said.txid };
        Ok((first, inner.said.iter().filter(is_there).filter(is_ours).map(past).collect()))
    }
    async fn sent(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError> {
        let inner = self.chain.reached(&self.account)?;
        let sent =
            |txid: &TxId| inner.txs.iter().find(|tx| tx.id() == *txid).map(|tx| Sent { from: tx.from, input: tx.input.clone() });
        Ok(txids.iter().map(sent).collect())
    }
    async fn views(&self, asks: &[(Address, Vec<u8>)], at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        let inner = self.chain.reached(&self.account)?;
        let height = at.map_or(inner.blocks.len() - 1, |at| at.get() as usize);
        let answer = |(to, input): &(Address, Vec<u8>)| {
            if *to == ALLOWED {
                // So much may be taken as is asked about: nobody but the contract ever takes it.
                return Some(vec![0; 32]);
            }
            let id = ChannelId::from_bytes(input.get(4..36)?.try_into().ok()?);
            let key = inner.keys.iter().find(|key| key.id() == id);
            let slot = inner.blocks.get(height)?.contract.slot(&id).zip(key);
            (*to == CONTRACT).then(|| slot.map_or([0; 32], |(slot, key)| slot.word(key)).to_vec())
        };
        Ok(asks.iter().map(answer).collect())
    }
    async fn call(&self, call: &ContractCall) -> Result<Called, PortError> {
        if self.chain.lock().loses(self.account, call.intent, Stumble::Before) {
            std::future::pending::<()>().await;
        }
        let called = self.made(call)?;
        if matches!(called, Called::Under(Progress::Sent { .. }))
            && self.chain.lock().loses(self.account, call.intent, Stumble::After)
        {
            std::future::pending::<()>().await;
        }
        Ok(called)
    }
    fn unwant(&self, _intent: &IntentKey) {}
    async fn holds(&self, token: Option<Address>) -> Result<u128, PortError> {
        Ok(self.chain.reached(&self.account)?.coins.get(&(token, self.account)).copied().unwrap_or_default())
    }
}

impl Port {
    fn made(&self, call: &ContractCall) -> Result<Called, PortError> {
        let mut inner = self.chain.reached(&self.account)?;
        let height = inner.blocks.len() as u64 - 1;
        let known = inner.txs.iter().find(|tx| tx.intent == Some(call.intent) && tx.from == self.account).cloned();
        let txid = TxId::from_bytes([1; 32]);
        Ok(match known.map(|tx| tx.mined) {
            Some(None) => Called::Under(Progress::Sent { txid }),
            Some(Some((block, false))) if height + 1 - block >= DEPTH => Called::Reverted(txid),
            Some(Some((block, true))) if height + 1 - block >= DEPTH => Called::Under(Progress::Done),
            Some(Some((block, _))) => Called::Under(Progress::Mined { txid, depth: (height + 1 - block) as u32 }),
            None => {
                let (from, to, value) = (self.account, call.to, call.value.units());
                let tx = Tx { intent: Some(call.intent), from, to, value, input: call.input.clone(), mined: None };
                match inner.judge(&tx, inner.next()) {
                    Err(reason) => Called::WouldRevert(reason),
                    Ok(_) => {
                        inner.txs.push(tx);
                        Called::Under(Progress::Sent { txid })
                    }
                }
            }
        })
    }
}
