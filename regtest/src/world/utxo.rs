//! Bitcoin or Litecoin in a world: its node, a rich miner, and what can be done to the chain.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::WorldError;
use super::mine::{Miner, Mining};
use crate::clock::unix_now;
use crate::nodes::{Daemon, NodeError};
use crate::premine::MINER_WALLET;
use crate::rpc::{Rpc, RpcError};

/// Median time past is the median of so many blocks' times (BIP 113).
const MEDIAN_BLOCKS: u64 = 11;
/// Wallets refuse longer chains of unconfirmed payments.
const PAYMENTS_PER_BLOCK: u32 = 20;

/// More than any transaction pays.
const PRIORITY_SAT: i64 = 1_000_000_000_000;

/// What becomes of the transactions in the blocks that a reorg takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmined {
    /// They are mined again, as soon as they are final.
    MinedAgain,
    /// The new blocks are empty; on UTXO chains they wait in the mempool, on EVM chains they are gone.
    LeftOut,
}

/// A chain of the UTXO family. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UtxoChain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Before the node, so that it ends before it.
    miner: Miner,
    daemon: Daemon,
    /// Held by whatever makes or removes blocks, so that a block never comes in the middle of a reorg.
    blocks: Mutex<()>,
}

/// A wallet of the node.
#[derive(Debug, Clone)]
pub struct UtxoWallet {
    /// Its name.
    pub name: String,
    /// Calls to this wallet.
    pub rpc: Rpc,
}

#[derive(Deserialize)]
struct ChainState {
    blocks: u64,
    bestblockhash: String,
    mediantime: u64,
}

#[derive(Deserialize)]
struct RawBlock {
    tx: Vec<RawTransaction>,
}

#[derive(Deserialize)]
struct RawTransaction {
    hex: String,
}

impl UtxoWallet {
    /// A fresh address of the wallet's default kind.
    pub async fn new_address(&self) -> Result<String, WorldError> {
        Ok(self.rpc.get("getnewaddress", json!([])).await?)
    }

    /// Confirmed satoshis.
    pub async fn balance_sat(&self) -> Result<u64, WorldError> {
        to_sat("getbalance", &self.rpc.call("getbalance", json!([])).await?)
    }
}

impl UtxoChain {
    pub(super) fn new(daemon: Daemon) -> Self {
        Self { inner: Arc::new(Inner { miner: Miner::default(), daemon, blocks: Mutex::new(()) }) }
    }

    /// The node: for stopping, killing and starting it, and for its files.
    pub fn node(&self) -> &Daemon {
        &self.inner.daemon
    }

    /// Calls to the node, outside of any wallet.
    pub fn rpc(&self) -> &Rpc {
        self.inner.daemon.rpc()
    }

    /// Calls a method of the node.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.rpc().call(method, params).await
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        self.rpc().url()
    }

    /// The cookie file, which changes at each start of the node.
    pub fn cookie(&self) -> std::path::PathBuf {
        self.inner.daemon.cookie()
    }

    /// The address of one of the node's wallets.
    pub fn wallet_url(&self, wallet: &str) -> String {
        self.rpc().wallet(wallet).url().to_owned()
    }

    /// The miner's wallet.
    pub fn miner_wallet(&self) -> UtxoWallet {
        self.wallet(MINER_WALLET)
    }

    /// A wallet that exists.
    pub fn wallet(&self, name: &str) -> UtxoWallet {
        UtxoWallet { name: name.to_owned(), rpc: self.rpc().wallet(name) }
    }

    /// A new wallet, of the kind its node makes by default ([`crate::nodes::Flavour::wallet`]). It is loaded again after a restart.
    pub async fn create_wallet(&self, name: &str) -> Result<UtxoWallet, WorldError> {
        self.inner.daemon.create_wallet(name).await?;
        Ok(self.wallet(name))
    }

    /// The height of the tip.
    pub async fn height(&self) -> Result<u64, WorldError> {
        Ok(self.state().await?.blocks)
    }

    /// The hash of the tip.
    pub async fn tip(&self) -> Result<String, WorldError> {
        Ok(self.state().await?.bestblockhash)
    }

    /// The hash of the block at a height of the best chain.
    pub async fn block_hash(&self, height: u64) -> Result<String, WorldError> {
        Ok(self.rpc().get("getblockhash", json!([height])).await?)
    }

    /// Median time past at the tip, unix seconds.
    pub async fn median_time_unix_secs(&self) -> Result<u64, WorldError> {
        Ok(self.state().await?.mediantime)
    }

    /// How far median time past is behind the real clock; negative when it is ahead, which makes locks be born expired.
    pub async fn median_time_lag_secs(&self) -> Result<i64, WorldError> {
        let median = i64::try_from(self.median_time_unix_secs().await?);
        let now = i64::try_from(unix_now());
        match (now, median) {
            (Ok(now), Ok(median)) => Ok(now - median),
            (Err(error), _) | (_, Err(error)) => Err(RpcError::malformed("getblockchaininfo", error).into()),
        }
    }

    async fn state(&self) -> Result<ChainState, WorldError> {
        Ok(self.rpc().get("getblockchaininfo", json!([])).await?)
    }

    /// Mines blocks for the miner, with what waits in the mempool; their hashes, lowest first.
    pub async fn mine(&self, blocks: u64) -> Result<Vec<String>, WorldError> {
        let guard = self.inner.blocks.lock().await;
        self.mine_locked(&guard, blocks).await
    }

    async fn mine_locked(&self, _guard: &MutexGuard<'_, ()>, blocks: u64) -> Result<Vec<String>, WorldError> {
        let address = self.miner_wallet().new_address().await?;
        Ok(self.rpc().get("generatetoaddress", json!([blocks, address])).await?)
    }

    /// Mines one block with only these transactions of the mempool, by txid; its hash. One that spends from an unconfirmed one needs that
    /// one named too.
    pub async fn mine_only(&self, txids: &[String]) -> Result<String, WorldError> {
        let guard = self.inner.blocks.lock().await;
        self.mine_only_locked(&guard, txids).await
    }

    /// By making the others pay too little for a moment, for `generateblock` is broken in litecoind where there are extension blocks.
    async fn mine_only_locked(&self, guard: &MutexGuard<'_, ()>, txids: &[String]) -> Result<String, WorldError> {
        let waiting: Vec<String> = self.rpc().get("getrawmempool", json!([])).await?;
        let left_out: Vec<&String> = waiting.iter().filter(|txid| !txids.contains(txid)).collect();
        for txid in &left_out {
            self.prioritise(txid, -PRIORITY_SAT).await?;
        }
        let mined = self.mine_locked(guard, 1).await;
        for txid in &left_out {
            self.prioritise(txid, PRIORITY_SAT).await?;
        }
        mined?.pop().ok_or_else(|| RpcError::malformed("generatetoaddress", "no block").into())
    }

    async fn prioritise(&self, txid: &str, sat: i64) -> Result<(), WorldError> {
        Ok(self.call("prioritisetransaction", json!([txid, 0, sat])).await.map(drop)?)
    }

    /// From now on a block at each interval, also across restarts of the node; or only on demand.
    pub fn auto_mine(&self, mining: Mining) {
        match mining {
            Mining::Manual => self.inner.miner.stop(),
            Mining::Every(interval) => {
                // Weak: the chain owns its miner, not the other way round.
                let chain = Arc::downgrade(&self.inner);
                self.inner.miner.start(interval, move || {
                    let chain = chain.upgrade().map(|inner| Self { inner });
                    async move {
                        match chain {
                            Some(chain) => chain.mine(1).await.map(drop),
                            None => Ok(()),
                        }
                    }
                });
            }
        }
    }

    /// Pays `amount_sat` to the address and mines a block; the transaction's id.
    pub async fn faucet(&self, address: &str, amount_sat: u64) -> Result<String, WorldError> {
        let mut txids = self.faucet_each(&[address.to_owned()], amount_sat).await?;
        txids.pop().ok_or_else(|| RpcError::malformed("sendtoaddress", "no transaction").into())
    }

    /// Pays `amount_sat` in `outputs` equal outputs to fresh addresses of a wallet, so that it can fund as many locks at once without
    /// waiting for its change; confirmed.
    pub async fn faucet_split(&self, wallet: &UtxoWallet, amount_sat: u64, outputs: u32) -> Result<(), WorldError> {
        let outputs = outputs.max(1);
        let mut addresses = Vec::new();
        for _ in 0..outputs {
            addresses.push(wallet.new_address().await?);
        }
        let each = amount_sat / u64::from(outputs);
        let payments: serde_json::Map<String, Value> = addresses.into_iter().map(|to| (to, json!(coins(each)))).collect();
        let guard = self.inner.blocks.lock().await;
        let _txid: String = self.miner_wallet().rpc.get("sendmany", json!(["", payments])).await?;
        self.mine_locked(&guard, 1).await.map(drop)
    }

    /// Pays each address, which may be given several times, in transactions of their own; confirmed. Their ids.
    pub async fn faucet_each(&self, addresses: &[String], amount_sat: u64) -> Result<Vec<String>, WorldError> {
        let guard = self.inner.blocks.lock().await;
        let mut txids = Vec::new();
        for batch in addresses.chunks(PAYMENTS_PER_BLOCK as usize) {
            for address in batch {
                txids.push(self.miner_wallet().rpc.get("sendtoaddress", json!([address, coins(amount_sat)])).await?);
            }
            self.mine_locked(&guard, 1).await?;
        }
        Ok(txids)
    }

    /// Satoshis in the confirmed outputs of an address, whoever it belongs to.
    pub async fn address_balance_sat(&self, address: &str) -> Result<u64, WorldError> {
        let found = self.call("scantxoutset", json!(["start", [format!("addr({address})")]])).await?;
        to_sat("scantxoutset", found.get("total_amount").unwrap_or(&Value::Null))
    }

    /// Takes the last `depth` blocks away and mines one more in their place; the new tip.
    pub async fn reorg(&self, depth: u64, unmined: Unmined) -> Result<String, WorldError> {
        let guard = self.inner.blocks.lock().await;
        let height = self.height().await?;
        let ancestor = height.checked_sub(depth.max(1)).ok_or(WorldError::TooDeep { depth, height })?;
        let transactions = self.transactions_above(ancestor, height).await?;
        let first = self.block_hash(ancestor + 1).await?;
        self.call("invalidateblock", json!([first])).await?;
        for _ in ancestor..=height {
            self.send_again(&transactions).await;
            match unmined {
                Unmined::MinedAgain => self.mine_locked(&guard, 1).await.map(drop)?,
                Unmined::LeftOut => self.mine_only_locked(&guard, &[]).await.map(drop)?,
            }
        }
        self.send_again(&transactions).await;
        self.tip().await
    }

    /// All transactions in these blocks but the rewards, raw.
    async fn transactions_above(&self, ancestor: u64, height: u64) -> Result<Vec<String>, WorldError> {
        let mut transactions = Vec::new();
        for height in ancestor + 1..=height {
            let hash = self.block_hash(height).await?;
            let block: RawBlock = self.rpc().get("getblock", json!([hash, 2])).await?;
            transactions.extend(block.tx.into_iter().skip(1).map(|tx| tx.hex));
        }
        Ok(transactions)
    }

    /// A node forgets those of an unmined block that are not final at the lower height; wallets make all of theirs so (against fee sniping).
    /// Those that are there already, spend a lost reward, or serve Litecoin's extension blocks are refused, rightly.
    async fn send_again(&self, transactions: &[String]) {
        for raw in transactions {
            if let Err(error) = self.call("sendrawtransaction", json!([raw])).await {
                tracing::debug!(%error, "an unmined transaction was not taken again");
            }
        }
    }

    /// Makes the node believe in another time (unix seconds), over restarts too; 0 gives it the real one back. For worlds of one's own.
    pub async fn set_mock_time(&self, unix_secs: u64) -> Result<(), WorldError> {
        Ok(self.inner.daemon.set_mock_time(unix_secs).await?)
    }

    /// Moves the node's clock and median time past to at least `unix_secs`, which must lie ahead of both. For worlds of one's own.
    pub async fn advance_median_time(&self, unix_secs: u64) -> Result<(), WorldError> {
        self.set_mock_time(unix_secs).await?;
        self.mine(MEDIAN_BLOCKS).await.map(drop)
    }

    /// Stops the node in order and starts it again on the same data and ports.
    pub async fn restart(&self) -> Result<(), NodeError> {
        self.inner.daemon.stop().await?;
        self.inner.daemon.run().await
    }
}

/// Satoshis as the decimal string of coins that nodes take.
fn coins(sat: u64) -> String {
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// Nodes answer amounts as decimal numbers of coins; below 90 million coins a double holds each satoshi exactly.
fn to_sat(method: &str, value: &Value) -> Result<u64, WorldError> {
    let coins = value.as_f64().filter(|coins| (0.0..90_000_000.0).contains(coins));
    let coins = coins.ok_or_else(|| RpcError::malformed(method, "no amount"))?;
    Ok((coins * 1e8).round() as u64)
}
