//! Ethereum and SMT as benches: the coin itself, and ERC20 tokens of two manners.

use crate::bench::{Bench, ChainBench, Who, hold_up};
use crate::journal::MemoryJournal;
use crate::stage::mined_fee;
use async_trait::async_trait;
use photon_chains::{Act, Address, Amount, Asset, Expiry, IntentKey, Journal, Ledger, LockKey, Port, UnixTime};
use photon_evm::{Contracts, EvmAdapter, EvmConfig, Network, NodeConfig, Token, deploy, deploy_channels, deploy_raw};
use photon_regtest::world::{DevAccount, EvmChain};
use photon_regtest::{Mining, Unmined};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// A millionth of what an account has would not be enough for this much a million times.
const AMOUNT: u128 = 2_000_000_000_000_000_000;
const TOKEN_SUPPLY: u128 = 1_000_000 * AMOUNT;

/// One chain with one asset, held by one story at a time.
pub struct EvmBench {
    pub chain: EvmChain,
    pub config: EvmConfig,
    asset: Asset,
    journals: [Arc<MemoryJournal>; 2],
    _alone: MutexGuard<'static, Option<Contracts>>,
}

pub async fn ethereum() -> Option<EvmBench> {
    let (chain, alone) = ethereum_alone().await?;
    Some(bench(Ledger::Ethereum, chain, alone, None).await)
}

pub async fn smt() -> Option<EvmBench> {
    let (chain, alone) = smt_alone().await?;
    Some(bench(Ledger::Smt, chain, alone, None).await)
}

/// A token by the book, on SMT's rules.
pub async fn smt_erc20() -> Option<EvmBench> {
    let (chain, alone) = smt_alone().await?;
    Some(bench(Ledger::Smt, chain, alone, Some(PLAIN)).await)
}

async fn smt_alone() -> Option<(EvmChain, MutexGuard<'static, Option<Contracts>>)> {
    static ALONE: Mutex<Option<Contracts>> = Mutex::const_new(None);
    let chain = crate::utxo::world().await?.smt.clone();
    Some((chain, ALONE.lock().await))
}

/// A token by the book.
pub async fn erc20() -> Option<EvmBench> {
    let (chain, alone) = ethereum_alone().await?;
    Some(bench(Ledger::Ethereum, chain, alone, Some(STANDARD)).await)
}

/// A token that keeps a hundredth of each transfer.
pub async fn taxing_erc20() -> Option<EvmBench> {
    let (chain, alone) = ethereum_alone().await?;
    Some(bench(Ledger::Ethereum, chain, alone, Some(TAXING)).await)
}

/// A token whose calls return nothing and whose allowances go through zero, as those of the most used one.
pub async fn silent_erc20() -> Option<EvmBench> {
    let (chain, alone) = ethereum_alone().await?;
    Some(bench(Ledger::Ethereum, chain, alone, Some(SILENT)).await)
}

async fn ethereum_alone() -> Option<(EvmChain, MutexGuard<'static, Option<Contracts>>)> {
    static ALONE: Mutex<Option<Contracts>> = Mutex::const_new(None);
    let chain = crate::utxo::world().await?.ethereum.clone();
    Some((chain, ALONE.lock().await))
}

/// A test token: its artefact, and its constructor's arguments.
#[derive(Copy, Clone)]
struct TestToken {
    name: &'static str,
    artifact: &'static str,
    arguments: fn() -> String,
}

const STANDARD: TestToken = TestToken {
    name: "standard",
    artifact: include_str!("../../contracts/artifacts/test/PermitToken.json"),
    arguments: named_supply,
};

/// The same without permits, whose code the oldest rules can't run.
const PLAIN: TestToken = TestToken {
    name: "plain",
    artifact: include_str!("../../contracts/artifacts/test/PlainToken.json"),
    arguments: named_supply,
};

/// (string name, string symbol, uint256 supply)
fn named_supply() -> String {
    let text = format!("{:064x}{}{}", 1, hex::encode("T"), "0".repeat(62));
    format!("{:064x}{:064x}{:064x}{text}{text}", 0x60, 0xa0, TOKEN_SUPPLY)
}

const SILENT: TestToken = TestToken {
    name: "silent",
    artifact: include_str!("../../contracts/artifacts/test/SilentToken.json"),
    arguments: || format!("{TOKEN_SUPPLY:064x}"),
};

const TAXING: TestToken = TestToken {
    name: "taxing",
    artifact: include_str!("../../contracts/artifacts/test/FeeToken.json"),
    arguments: || format!("{TOKEN_SUPPLY:064x}{:064x}", 10),
};

async fn bench(
    ledger: Ledger,
    chain: EvmChain,
    mut alone: MutexGuard<'static, Option<Contracts>>,
    token: Option<TestToken>,
) -> EvmBench {
    let (rpc_url, chain_id) = (chain.url().to_owned(), chain.chain_id());
    let node = NodeConfig { ledger, network: Network::Regtest, rpc_url, chain_id, confirmations: None };
    let contracts = match *alone {
        Some(contracts) => contracts,
        None => while_mining(&chain, deploy(&node, key(deployer(&chain)), Arc::new(MemoryJournal::default()))).await.unwrap(),
    };
    *alone = Some(contracts);
    let mut config = EvmConfig { node, contracts, tokens: Vec::new() };
    let mut asset = Asset::Native(ledger);
    if let Some(token) = token {
        let token = deploy_token(&chain, &config.node, token).await;
        asset = Asset::Token(ledger, token.address);
        for who in [Who::Alice, Who::Bob] {
            give_token(&chain, token.address, person(&chain, who).address, 400 * AMOUNT).await;
        }
        config.tokens.push(token);
    }
    // What an earlier story left waiting must not be in this one's blocks.
    chain.mine(1).await.unwrap();
    EvmBench { chain, config, asset, journals: Default::default(), _alone: alone }
}

/// Puts a new contract of a test token on the chain.
async fn deploy_token(chain: &EvmChain, node: &NodeConfig, token: TestToken) -> Token {
    let artifact: Value = serde_json::from_str(token.artifact).unwrap();
    let code = artifact["bytecode"].as_str().unwrap().trim_start_matches("0x").to_owned() + &(token.arguments)();
    let code = hex::decode(code).unwrap();
    let journal = Arc::new(MemoryJournal::default());
    let deployed = while_mining(chain, deploy_raw(node, key(deployer(chain)), journal, token.name, code)).await.unwrap();
    let decimals = chain.call("eth_call", json!([{"to": deployed.address.to_string(), "data": "0x313ce567"}, "latest"])).await;
    let decimals = u8::from_str_radix(decimals.unwrap().as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    Token { address: deployed.address, symbol: token.name.to_owned(), decimals, code_hash: deployed.code_hash }
}

/// The supply is the deployer's.
async fn give_token(chain: &EvmChain, token: Address, to: &str, units: u128) {
    let give = format!("0xa9059cbb{:0>64}{units:064x}", &to[2..]);
    assert!(call_from(chain, deployer(chain).address, token, 0, &give).await);
}

async fn while_mining<T>(chain: &EvmChain, work: impl Future<Output = T>) -> T {
    chain.auto_mine(Mining::Every(Duration::from_millis(100)));
    let done = work.await;
    chain.auto_mine(Mining::Manual);
    done
}

/// Calls a contract from an account that the node signs for, and mines it. Whether it succeeded.
pub async fn call_from(chain: &EvmChain, from: &str, to: Address, value: u128, data: &str) -> bool {
    let call = json!({
        "from": from, "to": to.to_string(), "value": format!("{value:#x}"), "data": data, "gas": "0x7a120", "gasPrice": "0x2e90edd000",
    });
    let hash = chain.call("eth_sendTransaction", json!([call])).await.unwrap();
    chain.mine(1).await.unwrap();
    let receipt = chain.call("eth_getTransactionReceipt", json!([hash])).await.unwrap();
    receipt["status"] == json!("0x1")
}

pub fn key(account: DevAccount) -> LockKey {
    let bytes = hex::decode(&account.private_key[2..]).unwrap();
    LockKey::from_bytes(bytes.try_into().unwrap())
}

pub fn person(chain: &EvmChain, who: Who) -> DevAccount {
    chain.dev_accounts()[index(who)]
}

pub fn deployer(chain: &EvmChain) -> DevAccount {
    chain.dev_accounts()[2]
}

/// Somebody who has nothing to do with the swap.
pub fn mallory(chain: &EvmChain) -> DevAccount {
    chain.dev_accounts()[3]
}

fn index(who: Who) -> usize {
    match who {
        Who::Alice => 0,
        Who::Bob => 1,
    }
}

impl EvmBench {
    /// Deploys our contracts, from the deployer's account.
    pub async fn deploy(&self, journal: Arc<MemoryJournal>) -> Contracts {
        let work = deploy(&self.config.node, key(deployer(&self.chain)), journal);
        while_mining(&self.chain, work).await.unwrap()
    }

    /// Deploys the channels contract alone, from the same account.
    pub async fn deploy_channels(&self, journal: Arc<MemoryJournal>, beside: Contracts) -> Contracts {
        let work = deploy_channels(&self.config.node, key(deployer(&self.chain)), journal, beside);
        while_mining(&self.chain, work).await.unwrap()
    }

    /// Gives somebody so much of a token.
    pub async fn give(&self, token: Address, to: Address, units: u128) {
        give_token(&self.chain, token, &to.to_string(), units).await;
    }

    pub async fn adapter(&self, who: Who, journal: Arc<dyn Journal>) -> EvmAdapter {
        EvmAdapter::connect(self.config.clone(), key(person(&self.chain, who)), journal).await.unwrap()
    }
}

#[async_trait]
impl Bench for EvmBench {
    fn asset(&self) -> Asset {
        self.asset
    }

    fn amount(&self) -> Amount {
        Amount::from_units(AMOUNT)
    }

    async fn connect(&self, who: Who) -> Arc<dyn Port> {
        Arc::new(self.adapter(who, self.journals[index(who)].clone()).await)
    }

    fn expiry(&self, opens: UnixTime) -> Expiry {
        Expiry { closes: Some(opens), lock_by: Some(opens.minus_secs(1)), ..Expiry::at(opens) }
    }

    async fn mine(&self, blocks: u32) {
        self.chain.mine(u64::from(blocks)).await.unwrap();
    }

    async fn pass_time_until(&self, at: UnixTime) {
        self.chain.set_next_block_time(at.secs() + 1).await.unwrap();
        self.chain.mine(1).await.unwrap();
    }

    fn closes_at_expiry(&self) -> bool {
        true
    }

    async fn signed(&self, who: Who) -> usize {
        self.journal(who).len()
    }

    async fn paid(&self, who: Who, intent: IntentKey) -> Amount {
        mined_fee(&self.journal(who), intent)
    }

    async fn fund_held_up(&self, alice: &dyn Port, fund: &Act) {
        hold_up(self, alice, fund).await;
    }

    async fn let_through(&self) {}

    fn chain(&self) -> Option<&dyn ChainBench> {
        Some(self)
    }
}

#[async_trait]
impl ChainBench for EvmBench {
    async fn connect_at(&self, url: &str, who: Who) -> Arc<dyn Port> {
        let node = NodeConfig { rpc_url: url.to_owned(), ..self.config.node.clone() };
        let config = EvmConfig { node, ..self.config.clone() };
        Arc::new(EvmAdapter::connect(config, key(person(&self.chain, who)), self.journals[index(who)].clone()).await.unwrap())
    }

    fn url(&self) -> String {
        self.chain.url().to_owned()
    }

    async fn connect_without_memory(&self, who: Who) -> Arc<dyn Port> {
        Arc::new(self.adapter(who, Arc::new(MemoryJournal::default())).await)
    }

    fn journal(&self, who: Who) -> Arc<MemoryJournal> {
        self.journals[index(who)].clone()
    }

    async fn reorg(&self, depth: u32) {
        self.chain.reorg(u64::from(depth), Unmined::LeftOut).await.unwrap();
    }

    async fn foreign_address(&self) -> String {
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".to_owned()
    }

    fn can_replace(&self) -> bool {
        true
    }
}
