//! A whole node over simulated chains: real coordinator, market, reserves, database and API; only the chains' nodes are not there.

use crate::api;
use crate::clock;
use crate::commands::bench::chain::{SimChain, timing};
use crate::config::Config;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::node::{LateJournal, Node, Parts, start};
use crate::reserve::DiskGate;
use crate::store::Store;
use crate::wire::Connector;
use anyhow::Context;
use photon_chains::{Amount, Ledger};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What every swap gives, in wei, and wants, in satoshi, at this price.
pub const GIVE_WEI: u128 = 1_000_000_000_000_000;
/// Wei that a simulated ledger asks at worst for each of fund and refund: see `SimChain::worst_fee`.
pub const FEES_WEI: u128 = 2;
/// Much less than a swap gives: fees of swaps that a kill cut off while they were agreed, which hold nothing else.
const SPARE_WEI: u128 = 10_000;

/// A node that is up.
pub struct World {
    /// Its surface.
    pub node: Arc<Node>,
    /// Its database.
    pub store: Store,
    /// What it runs on.
    tasks: JoinSet<anyhow::Result<()>>,
}

/// What differs between worlds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// Somebody is asked before each lock of ours.
    pub asks: bool,
    /// Every taker has paid in long ago.
    pub is_paid_in: bool,
}

fn config(setup: Setup) -> anyhow::Result<Config> {
    let text = format!(
        "network = \"mainnet\"\nallow_mainnet = true\nmin_free_mb = 0\nask_before_lock = {}\n[api]\nwebhooks_on_loopback = true\n[maker]\nstranger_swaps = 1000\nstrangers_unpaid = \
         1000000\n[bitcoin]\nrpc_url = \"http://127.0.0.1:1\"\ncookie_file = \"/none\"\nwallet = \"none\"\n[ethereum]\nrpc_url = \
         \"http://127.0.0.1:1\"\nchain_id = 1\n[[market]]\ngive = \"ETH\"\nwant = \"BTC\"\nprice = \"0.05\"\nmin = \"0.0001\"\nmax = \
         \"10\"\nfee_bps = 10\nttl_secs = 60\n",
        setup.asks
    );
    Ok(Config::read(&text, Path::new("config.toml"), std::iter::empty(), &[])?)
}

/// Starts a node on the database in that folder, with ether for so many swaps.
pub async fn begin(folder: &Path, wallet: Wallet, swaps: u64, setup: Setup) -> anyhow::Result<World> {
    let (config, wallet) = (config(setup)?, Arc::new(wallet));
    let store = Store::open(&folder.join("photon.db"), *wallet.storage_key().expose())?;
    let journal = Arc::new(LateJournal::default());
    journal.open(store.clone());
    let connector = Connector::new(config.clone(), wallet.clone(), journal);
    let ledgers = Ledgers::new(&config.ledgers());
    let mut tasks = JoinSet::new();
    for (ledger, purse) in
        [(Ledger::Bitcoin, u128::MAX), (Ledger::Ethereum, u128::from(swaps) * (GIVE_WEI + FEES_WEI) + SPARE_WEI)]
    {
        let timing = timing(ledger).context("a ledger without a timing")?;
        let chain = Arc::new(match ledger {
            Ledger::Bitcoin if setup.is_paid_in => SimChain::new(ledger, timing, clock::now()),
            _ => SimChain::bare(ledger, timing, clock::now(), Amount::from_units(purse)),
        });
        ledgers.put(ledger, chain.clone());
        ledgers.poll(ledger).await?;
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                chain.tick(clock::now());
            }
        });
    }
    let disk = DiskGate::new(folder.to_owned(), 0);
    let parts = Parts { config, wallet, store: store.clone(), ledgers, disk };
    let node = start(parts, &connector, None, &mut tasks).await?;
    Ok(World { node, store, tasks })
}

impl World {
    /// Serves its API until a part of it fails.
    pub async fn serve(mut self, listener: tokio::net::TcpListener, tokens: api::Tokens) -> anyhow::Result<()> {
        let limits =
            api::Limits { per_second: 1_000_000, connections: 4_096, running: 2_048, creating: 2_048, ..api::Limits::default() };
        let settings = api::Settings { limits, ..api::Settings::from(tokens) };
        let served = api::serve(listener, self.node.clone(), settings, std::future::pending());
        tokio::select! {
            served = served => Ok(served?),
            error = self.store.failed() => Err(error.into()),
            ended = self.tasks.join_next() => anyhow::bail!("a part of the node ended: {ended:?}"),
        }
    }
}
