//! Bitcoin and Litecoin as benches.

use crate::bench::{Bench, ChainBench, OpenBench, Who, hold_up};
use crate::journal::MemoryJournal;
use crate::stage::mined_fee;
use async_trait::async_trait;
use photon_chains::{Act, Amount, Asset, Expiry, IntentKey, Journal, Ledger, Lock, Port, UnixTime};
use photon_regtest::world::UtxoChain;
use photon_regtest::{Unmined, World, WorldConfig, own_world};
use photon_utxo::{Auth, Network, UtxoAdapter, UtxoConfig};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

const AMOUNT_SAT: u64 = 1_000_000;
const WALLETS: [&str; 2] = ["conformance-alice", "conformance-bob"];

/// One of the two chains, held by one story at a time.
pub struct UtxoBench {
    pub ledger: Ledger,
    pub chain: UtxoChain,
    journals: [Arc<MemoryJournal>; 2],
    _alone: MutexGuard<'static, bool>,
}

/// A world of this process's own, whose chains are mined by the stories only, and who holds which of them.
struct Site {
    world: OnceCell<Option<World>>,
    bitcoin: Mutex<bool>,
    litecoin: Mutex<bool>,
}

static SHARED: Site = Site::new();
static CALM: Site = Site::new();

impl Site {
    const fn new() -> Self {
        Self { world: OnceCell::const_new(), bitcoin: Mutex::const_new(false), litecoin: Mutex::const_new(false) }
    }

    async fn world(&self) -> Option<&World> {
        self.world.get_or_init(|| own_world(WorldConfig::manual())).await.as_ref()
    }

    async fn bitcoin(&'static self) -> Option<UtxoBench> {
        Some(bench(Ledger::Bitcoin, self.world().await?.bitcoin.clone(), self.bitcoin.lock().await).await)
    }

    async fn litecoin(&'static self) -> Option<UtxoBench> {
        Some(bench(Ledger::Litecoin, self.world().await?.litecoin.clone(), self.litecoin.lock().await).await)
    }
}

pub async fn bitcoin() -> Option<UtxoBench> {
    SHARED.bitcoin().await
}

pub async fn litecoin() -> Option<UtxoBench> {
    SHARED.litecoin().await
}

/// The world that most stories share.
pub async fn world() -> Option<&'static World> {
    SHARED.world().await
}

/// Chains on which nobody but a few stories ever bid. Nodes estimate fees from what was mined, so stories that drive fees up
/// would change what these count on.
pub mod calm {
    use super::{CALM, UtxoBench};

    pub async fn both() -> Vec<UtxoBench> {
        [bitcoin().await, litecoin().await].into_iter().flatten().collect()
    }

    pub async fn bitcoin() -> Option<UtxoBench> {
        CALM.bitcoin().await
    }

    pub async fn litecoin() -> Option<UtxoBench> {
        CALM.litecoin().await
    }
}

/// `alone` holds whether the wallets have been made and filled.
async fn bench(ledger: Ledger, chain: UtxoChain, mut alone: MutexGuard<'static, bool>) -> UtxoBench {
    if !*alone {
        for name in WALLETS {
            let wallet = chain.create_wallet(name).await.unwrap();
            chain.faucet_split(&wallet, 500 * AMOUNT_SAT, 20).await.unwrap();
        }
        *alone = true;
    }
    // What an earlier story left waiting must not be in this one's blocks.
    chain.mine(1).await.unwrap();
    UtxoBench { ledger, chain, journals: Default::default(), _alone: alone }
}

fn index(who: Who) -> usize {
    match who {
        Who::Alice => 0,
        Who::Bob => 1,
    }
}

impl UtxoBench {
    pub fn config(&self, who: Who) -> UtxoConfig {
        UtxoConfig {
            ledger: self.ledger,
            network: Network::Regtest,
            rpc_url: self.chain.url().to_owned(),
            auth: Auth::Cookie(self.chain.cookie()),
            wallet: Some(WALLETS[index(who)].to_owned()),
            payout_address: None,
            confirmations: None,
        }
    }

    async fn connect_with(&self, who: Who, journal: Arc<dyn Journal>) -> Arc<dyn Port> {
        Arc::new(UtxoAdapter::connect(self.config(who), journal).await.unwrap())
    }
}

#[async_trait]
impl Bench for UtxoBench {
    fn asset(&self) -> Asset {
        Asset::Native(self.ledger)
    }

    fn amount(&self) -> Amount {
        Amount::from_units(u128::from(AMOUNT_SAT))
    }

    async fn connect(&self, who: Who) -> Arc<dyn Port> {
        self.connect_with(who, self.journals[index(who)].clone()).await
    }

    fn expiry(&self, opens: UnixTime) -> Expiry {
        Expiry::at(opens)
    }

    async fn mine(&self, blocks: u32) {
        self.chain.mine(u64::from(blocks)).await.unwrap();
    }

    async fn pass_time_until(&self, at: UnixTime) {
        self.chain.advance_median_time(at.secs() + 1).await.unwrap();
    }

    fn closes_at_expiry(&self) -> bool {
        false
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
impl ChainBench for UtxoBench {
    async fn connect_at(&self, url: &str, who: Who) -> Arc<dyn Port> {
        let config = UtxoConfig { rpc_url: url.to_owned(), ..self.config(who) };
        Arc::new(UtxoAdapter::connect(config, self.journals[index(who)].clone()).await.unwrap())
    }

    fn url(&self) -> String {
        self.chain.url().to_owned()
    }

    async fn connect_without_memory(&self, who: Who) -> Arc<dyn Port> {
        self.connect_with(who, Arc::new(MemoryJournal::default())).await
    }

    fn journal(&self, who: Who) -> Arc<MemoryJournal> {
        self.journals[index(who)].clone()
    }

    async fn reorg(&self, depth: u32) {
        self.chain.reorg(u64::from(depth), Unmined::LeftOut).await.unwrap();
    }

    async fn foreign_address(&self) -> String {
        self.chain.miner_wallet().new_address().await.unwrap()
    }

    fn can_replace(&self) -> bool {
        self.ledger == Ledger::Bitcoin
    }
}

#[async_trait]
impl OpenBench for UtxoBench {
    async fn pay_outside(&self, lock: &Lock, amount: Amount) {
        let port = self.connect(Who::Bob).await;
        let to = port.funding_address(lock).unwrap();
        let coins = amount.coins(self.ledger.decimals());
        self.chain.miner_wallet().rpc.call("sendtoaddress", json!([to, coins])).await.unwrap();
    }
}
