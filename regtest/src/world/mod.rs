//! A world: four chains on this machine, with real nodes.

mod dir;
mod evm;
mod mine;
pub(crate) mod utxo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use evm::{DevAccount, EvmChain};
pub use mine::Mining;
pub use utxo::{Unmined, UtxoChain, UtxoWallet};

use self::dir::WorldDir;
use crate::fetch::{FetchError, FetchOptions, Program, Programs, Progress, Silent, programs};
use crate::nodes::bitcoind::BITCOIND;
use crate::nodes::litecoind::LITECOIND;
use crate::nodes::{Anvil, AnvilConfig, Daemon, DaemonConfig, Flavour, NodeError};
use crate::premine::{self, PremineError};
use crate::proxy::SmtProxy;
use crate::rpc::RpcError;
use crate::runtime;

/// The chain id of a world's Ethereum; nobody's elsewhere.
pub const ETHEREUM_CHAIN_ID: u64 = 1_337_001;
/// SMT's chain id.
pub const SMT_CHAIN_ID: u64 = 20_180_430;
/// The least gas price SMT's miners take, and what its node suggests, in wei.
pub const SMT_GAS_PRICE_WEI: u64 = 18_000_000_000;

/// How a world is to be.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    /// Bitcoin's blocks.
    pub bitcoin: Mining,
    /// Litecoin's blocks.
    pub litecoin: Mining,
    /// Ethereum's blocks.
    pub ethereum: Mining,
    /// SMT's blocks.
    pub smt: Mining,
    /// More options for bitcoind, e.g. `-minrelaytxfee=0.001`.
    pub bitcoind_args: Vec<String>,
    /// More options for litecoind.
    pub litecoind_args: Vec<String>,
    /// Where to keep it, for good; `None`: a temporary folder that goes with it.
    pub dir: Option<PathBuf>,
}

impl WorldConfig {
    /// Blocks only when asked for.
    pub fn manual() -> Self {
        Self::every(Mining::Manual)
    }

    /// The same on all chains.
    pub fn every(mining: Mining) -> Self {
        let (bitcoind_args, litecoind_args) = (Vec::new(), Vec::new());
        Self { bitcoin: mining, litecoin: mining, ethereum: mining, smt: mining, bitcoind_args, litecoind_args, dir: None }
    }
}

/// Something a world could not do.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A node program could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A chain could not be pre-mined.
    #[error("pre-mining a chain: {0}")]
    Premine(#[from] PremineError),
    /// A node does not do as told.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The world's folder could not be made.
    #[error("the world's folder: {0}")]
    Folder(#[source] std::io::Error),
    /// The proxy before SMT's node could not listen.
    #[error("the proxy before SMT's node: {0}")]
    Proxy(#[source] std::io::Error),
    /// The chain is shorter than the reorg asked for.
    #[error("a reorg of {depth} blocks at height {height}")]
    TooDeep {
        /// Blocks to take away.
        depth: u64,
        /// Blocks there are.
        height: u64,
    },
    /// The reorg made the same blocks again.
    #[error("the reorg left the block at height {height} as it was")]
    SameBlocks {
        /// The first height that should have changed.
        height: u64,
    },
    /// The faucet's payment was mined but failed.
    #[error("the faucet's payment {transaction} failed; does the receiving contract refuse payments?")]
    FaucetFailed {
        /// Its hash.
        transaction: String,
    },
    /// This process is shutting down.
    #[error("the world was abandoned while starting")]
    Abandoned,
}

/// Four chains with a real node each. Dropping it ends the nodes, whoever else has a handle on a chain, and removes the folder, if it is a
/// temporary one.
#[derive(Debug)]
pub struct World {
    /// Bitcoin on regtest.
    pub bitcoin: UtxoChain,
    /// Litecoin on regtest.
    pub litecoin: UtxoChain,
    /// A current Ethereum.
    pub ethereum: EvmChain,
    /// SMT's rules.
    pub smt: EvmChain,
    // Last: the nodes end before their folder goes.
    dir: WorldDir,
}

impl World {
    /// Starts a world, with whatever that needs: fetching the nodes and pre-mining happen once, a start from the cache takes seconds.
    pub async fn start(config: WorldConfig) -> Result<Self, WorldError> {
        Self::start_showing(config, Arc::new(Silent)).await
    }

    /// The same, showing how far it is.
    pub async fn start_showing(config: WorldConfig, progress: Arc<dyn Progress>) -> Result<Self, WorldError> {
        let options = FetchOptions::from_env()?;
        let found = {
            let (options, progress) = (options.clone(), Arc::clone(&progress));
            runtime::blocking(move || programs(&options, progress.as_ref())).await.map_err(|_| WorldError::Abandoned)??
        };
        Self::start_with(config, &found, &options.folder, progress.as_ref()).await
    }

    /// Starts a world with given programs, keeping pre-mined chains in `cache`.
    pub async fn start_with(
        config: WorldConfig,
        programs: &Programs,
        cache: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, WorldError> {
        let mut steps = crate::fetch::Counter::new(progress, 2);
        steps.begin("world", "preparing the chains");
        let dir = WorldDir::new(config.dir.as_deref()).map_err(WorldError::Folder)?;
        let (bitcoin_template, litecoin_template) = tokio::try_join!(
            premine::template(BITCOIND, &programs.bitcoind, premine::BITCOIN, cache),
            premine::template(LITECOIND, &programs.litecoind, premine::LITECOIN, cache),
        )?;
        steps.begin("world", "starting the nodes");
        let bitcoind = daemon(BITCOIND, &programs.bitcoind, dir.path().join("bitcoin"), config.bitcoind_args);
        let litecoind = daemon(LITECOIND, &programs.litecoind, dir.path().join("litecoin"), config.litecoind_args);
        let (bitcoin, litecoin, ethereum, smt) = tokio::try_join!(
            utxo(bitcoind, &bitcoin_template),
            utxo(litecoind, &litecoin_template),
            ethereum(&programs.anvil, dir.path().join("ethereum")),
            smt(&programs.anvil, dir.path().join("smt")),
        )?;
        bitcoin.auto_mine(config.bitcoin);
        litecoin.auto_mine(config.litecoin);
        ethereum.auto_mine(config.ethereum);
        smt.auto_mine(config.smt);
        Ok(Self { bitcoin, litecoin, ethereum, smt, dir })
    }

    /// The folder with all nodes' data and logs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for chain in [&self.bitcoin, &self.litecoin] {
            chain.auto_mine(Mining::Manual);
            chain.node().kill_now();
        }
        for chain in [&self.ethereum, &self.smt] {
            chain.auto_mine(Mining::Manual);
            chain.node().kill_now();
        }
    }
}

fn daemon(flavour: Flavour, program: &Program, dir: PathBuf, args: Vec<String>) -> DaemonConfig {
    DaemonConfig { flavour, program: program.clone(), dir, listen: false, args }
}

async fn utxo(config: DaemonConfig, template: &Path) -> Result<UtxoChain, WorldError> {
    // A folder that is there already is a world the caller goes on with.
    if !config.dir.exists() {
        let (template, dir) = (template.to_owned(), config.dir.clone());
        runtime::blocking(move || premine::copy(&template, &dir)).await.map_err(|_| WorldError::Abandoned)??;
    }
    let daemon = Daemon::start(config).await?;
    premine::bring_to_now(&daemon).await?;
    Ok(UtxoChain::new(daemon))
}

async fn ethereum(program: &Program, dir: PathBuf) -> Result<EvmChain, WorldError> {
    let (chain_id, hardfork) = (ETHEREUM_CHAIN_ID, Some("prague"));
    let config = AnvilConfig { program: program.clone(), dir, chain_id, hardfork, gas_price_wei: None, block_time_secs: None };
    let anvil = Anvil::start(config).await?;
    Ok(EvmChain::new(anvil, None))
}

async fn smt(program: &Program, dir: PathBuf) -> Result<EvmChain, WorldError> {
    let (chain_id, hardfork, gas_price_wei) = (SMT_CHAIN_ID, Some("istanbul"), Some(SMT_GAS_PRICE_WEI));
    let config = AnvilConfig { program: program.clone(), dir, chain_id, hardfork, gas_price_wei, block_time_secs: None };
    let anvil = Anvil::start(config).await?;
    let proxy = SmtProxy::start(anvil.rpc()).await.map_err(WorldError::Proxy)?;
    Ok(EvmChain::new(anvil, Some(proxy)))
}
