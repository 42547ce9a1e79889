//! Ethereum or SMT in a world: its node, its developer accounts, and what can be done to the chain.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::WorldError;
use super::mine::{Miner, Mining};
use super::utxo::Unmined;
use crate::nodes::{Anvil, NodeError};
use crate::proxy::SmtProxy;
use crate::rpc::{Rpc, RpcError};

/// A chain of the EVM family. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EvmChain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Before the node, so that it ends before it.
    miner: Miner,
    public: Rpc,
    /// Listens at the public address, where there is one.
    _proxy: Option<SmtProxy>,
    anvil: Anvil,
    /// Held by whatever makes or removes blocks, so that a block never comes in the middle of a reorg.
    blocks: Mutex<()>,
}

/// An account that has coins from the first block on. Its key is published with every copy of the node program: for tests alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevAccount {
    /// 0x and 40 hex digits.
    pub address: &'static str,
    /// 0x and 64 hex digits.
    pub private_key: &'static str,
}

/// The accounts anvil derives from its well-known mnemonic. The last two are kept for the faucet and for making reorgs.
const DEV_ACCOUNTS: [DevAccount; 8] = [
    DevAccount {
        address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        private_key: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    },
    DevAccount {
        address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        private_key: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    },
    DevAccount {
        address: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        private_key: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    },
    DevAccount {
        address: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        private_key: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    },
    DevAccount {
        address: "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        private_key: "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    },
    DevAccount {
        address: "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        private_key: "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    },
    DevAccount {
        address: "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        private_key: "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    },
    DevAccount {
        address: "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        private_key: "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    },
];
/// Pays the faucet; nobody else uses it, so its nonces never clash.
const FAUCET: &str = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720";
/// What the faucet holds before each payment: 2^120 wei.
const FULL: &str = "0x1000000000000000000000000000000";
/// Puts a transaction into a reorg's first block, so that even an empty block differs from the one it replaces.
const REORG_MARK: &str = "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f";

#[derive(Deserialize)]
struct Block {
    hash: String,
    #[serde(rename = "parentHash")]
    parent_hash: String,
    #[serde(default)]
    transactions: Vec<Value>,
}

impl EvmChain {
    pub(super) fn new(anvil: Anvil, proxy: Option<SmtProxy>) -> Self {
        let public = proxy.as_ref().map_or_else(|| anvil.rpc().clone(), |proxy| Rpc::new(proxy.url(), None));
        Self { inner: Arc::new(Inner { miner: Miner::default(), public, _proxy: proxy, anvil, blocks: Mutex::new(()) }) }
    }

    /// The node: for stopping and starting it.
    pub fn node(&self) -> &Anvil {
        &self.inner.anvil
    }

    /// Where programs under test find this chain. On SMT that is a proxy which refuses what the real node would.
    pub fn url(&self) -> &str {
        self.inner.public.url()
    }

    /// Calls to the public address, as a program under test would make them.
    pub fn rpc(&self) -> &Rpc {
        &self.inner.public
    }

    /// Calls to anvil itself, with the methods that play with the chain.
    pub fn control(&self) -> &Rpc {
        self.inner.anvil.rpc()
    }

    /// Calls a method of anvil itself.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.control().call(method, params).await
    }

    /// The chain's id.
    pub fn chain_id(&self) -> u64 {
        self.inner.anvil.config().chain_id
    }

    /// Accounts with coins, for deploying and for paying.
    pub fn dev_accounts(&self) -> &'static [DevAccount] {
        &DEV_ACCOUNTS
    }

    /// The height of the tip.
    pub async fn height(&self) -> Result<u64, WorldError> {
        quantity("eth_blockNumber", &self.call("eth_blockNumber", json!([])).await?)
    }

    /// The hash of the block at a height of the best chain.
    pub async fn block_hash(&self, height: u64) -> Result<String, WorldError> {
        Ok(self.block(&hex_quantity(height)).await?.hash)
    }

    /// The hash of the tip.
    pub async fn tip(&self) -> Result<String, WorldError> {
        Ok(self.block("latest").await?.hash)
    }

    /// The time of the tip, unix seconds.
    pub async fn time_unix_secs(&self) -> Result<u64, WorldError> {
        Ok(self.inner.anvil.tip_time().await?)
    }

    async fn block(&self, which: &str) -> Result<Block, WorldError> {
        Ok(self.control().get("eth_getBlockByNumber", json!([which, false])).await?)
    }

    /// Mines blocks with what waits in the mempool.
    pub async fn mine(&self, blocks: u64) -> Result<(), WorldError> {
        let guard = self.inner.blocks.lock().await;
        self.mine_locked(&guard, blocks).await
    }

    async fn mine_locked(&self, _guard: &MutexGuard<'_, ()>, blocks: u64) -> Result<(), WorldError> {
        for _ in 0..blocks {
            self.call("evm_mine", json!([])).await?;
        }
        Ok(())
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
                        match chain.filter(|chain| chain.node().is_ready()) {
                            Some(chain) => chain.mine(1).await,
                            None => Ok(()),
                        }
                    }
                });
            }
        }
    }

    /// Pays `amount_wei` to the account and mines a block; the transaction's hash.
    pub async fn faucet(&self, account: &str, amount_wei: u128) -> Result<String, WorldError> {
        let guard = self.inner.blocks.lock().await;
        // However many draw from it: it never runs dry.
        self.control().call("anvil_setBalance", json!([FAUCET, FULL])).await?;
        let price = self.ample_gas_price().await?;
        let value = format!("{amount_wei:#x}");
        let payment = json!({"from": FAUCET, "to": account, "value": value, "gas": "0x186a0", "gasPrice": price});
        let hash: String = self.control().get("eth_sendTransaction", json!([payment])).await?;
        self.mine_locked(&guard, 1).await?;
        let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
        match receipt.get("status").and_then(Value::as_str) {
            Some("0x1") => Ok(hash),
            _ => Err(WorldError::FaucetFailed { transaction: hash }),
        }
    }

    /// More than the base fee of this block, and of the few blocks around it.
    async fn ample_gas_price(&self) -> Result<String, WorldError> {
        let suggested = wide_quantity("eth_gasPrice", &self.call("eth_gasPrice", json!([])).await?)?;
        Ok(format!("{:#x}", suggested.saturating_mul(2).saturating_add(100_000_000_000)))
    }

    /// An account's coins at the tip, in wei.
    pub async fn balance_wei(&self, account: &str) -> Result<u128, WorldError> {
        wide_quantity("eth_getBalance", &self.call("eth_getBalance", json!([account, "latest"])).await?)
    }

    /// Moves the chain's clock ahead and mines a block there. For worlds of one's own.
    pub async fn increase_time(&self, secs: u64) -> Result<(), WorldError> {
        let guard = self.inner.blocks.lock().await;
        self.call("evm_increaseTime", json!([secs])).await?;
        self.mine_locked(&guard, 1).await
    }

    /// The time of the next block, which can't be before the tip's. For worlds of one's own.
    pub async fn set_next_block_time(&self, unix_secs: u64) -> Result<(), WorldError> {
        Ok(self.call("evm_setNextBlockTimestamp", json!([unix_secs])).await.map(drop)?)
    }

    /// The base fee of the next block, in wei. For worlds of one's own; refused on chains without base fees.
    pub async fn set_next_base_fee(&self, wei: u64) -> Result<(), WorldError> {
        Ok(self.call("anvil_setNextBlockBaseFeePerGas", json!([hex_quantity(wei)])).await.map(drop)?)
    }

    /// Forgets a transaction that waits in the mempool; whether it was there.
    pub async fn drop_transaction(&self, hash: &str) -> Result<bool, WorldError> {
        Ok(!self.call("anvil_dropTransaction", json!([hash])).await?.is_null())
    }

    /// Replaces the last `depth` blocks by as many others and mines one more; the new tip.
    pub async fn reorg(&self, depth: u64, unmined: Unmined) -> Result<String, WorldError> {
        let guard = self.inner.blocks.lock().await;
        let height = self.height().await?;
        let ancestor = height.checked_sub(depth.max(1)).ok_or(WorldError::TooDeep { depth, height })?;
        let before = self.block_hash(ancestor + 1).await?;
        let mut transactions = Vec::new();
        if unmined == Unmined::MinedAgain {
            for height in ancestor + 1..=height {
                transactions.extend(self.raw_transactions(height).await?.into_iter().map(|raw| json!([raw, 0])));
            }
        }
        // Without a transaction never seen before, anvil may make the same blocks again.
        let nonce = self.call("eth_getTransactionCount", json!([REORG_MARK, hex_quantity(ancestor)])).await?;
        let price = self.ample_gas_price().await?;
        let value = format!("{:#x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
        let mark =
            json!({"from": REORG_MARK, "to": REORG_MARK, "value": value, "gas": "0x186a0", "nonce": nonce, "gasPrice": price});
        transactions.push(json!([mark, 0]));
        let time = self.inner.anvil.tip_time().await?;
        self.call("anvil_reorg", json!([depth, transactions])).await?;
        self.inner.anvil.set_clock(time).await?;
        self.mine_locked(&guard, 1).await?;
        let after = self.block(&hex_quantity(ancestor + 1)).await?;
        if after.hash == before || after.parent_hash != self.block_hash(ancestor).await? {
            return Err(WorldError::SameBlocks { height: ancestor + 1 });
        }
        self.tip().await
    }

    /// A block's transactions, raw, without the mark of an earlier reorg, whose nonce this one's takes.
    async fn raw_transactions(&self, height: u64) -> Result<Vec<Value>, WorldError> {
        let block: Block = self.control().get("eth_getBlockByNumber", json!([hex_quantity(height), true])).await?;
        let mut raw = Vec::new();
        for transaction in block.transactions {
            let is_mark =
                transaction.get("from").and_then(Value::as_str).is_some_and(|from| from.eq_ignore_ascii_case(REORG_MARK));
            if !is_mark {
                let hash = transaction.get("hash").cloned().unwrap_or_default();
                raw.push(self.call("eth_getRawTransactionByHash", json!([hash])).await?);
            }
        }
        Ok(raw)
    }

    /// Stops the node and starts it again on the same port, with the same chain and an empty mempool.
    pub async fn restart(&self) -> Result<(), NodeError> {
        self.inner.anvil.stop().await?;
        self.inner.anvil.run().await
    }
}

fn hex_quantity(number: u64) -> String {
    format!("{number:#x}")
}

fn quantity(method: &str, value: &Value) -> Result<u64, WorldError> {
    u64::try_from(wide_quantity(method, value)?).map_err(|error| RpcError::malformed(method, error).into())
}

fn wide_quantity(method: &str, value: &Value) -> Result<u128, WorldError> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let digits = digits.ok_or_else(|| RpcError::malformed(method, "no quantity"))?;
    u128::from_str_radix(digits, 16).map_err(|error| RpcError::malformed(method, error).into())
}
