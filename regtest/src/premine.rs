//! Chains that are mined once per node version, kept in the cache, and copied for each world.
//!
//! They are mined under a mock clock that walks up to the present: blocks mined in a burst with the real one would push median time past
//! into the future, and every time lock would be born expired. Since a copy is used hours or days later, [`bring_to_now`] adds a few
//! blocks of the present.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::clock::unix_now;
use crate::fetch::cache::{CacheLock, file_name_part};
use crate::fetch::{FetchError, Program};
use crate::nodes::{Daemon, DaemonConfig, Flavour, NodeError};
use crate::rpc::RpcError;
use crate::runtime;

/// The wallet that gets the blocks' rewards and pays the faucet.
pub(crate) const MINER_WALLET: &str = "miner";
/// Counts what is done here; another recipe makes other folders.
const RECIPE: u32 = 1;
/// Seconds between the blocks of a pre-mined chain.
const SPACING_SECS: u64 = 60;
/// Blocks mined at one mock time. Median time past stays behind as long as it is fewer than half of the eleven it looks at.
const BURST: u64 = 5;

/// How a chain is pre-mined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    /// Blocks in all.
    blocks: u64,
    /// Litecoin's extension blocks begin here: from this height on a block must have one, and needs a payment into it first.
    mweb_height: Option<u64>,
}

/// Enough for a hundred matured rewards.
pub(crate) const BITCOIN: Recipe = Recipe { blocks: 201, mweb_height: None };
/// Litecoin's regtest enforces time locks (BIP 65) from height 1,351 on.
pub(crate) const LITECOIN: Recipe = Recipe { blocks: 1_440, mweb_height: Some(432) };

/// A chain that could not be pre-mined.
#[derive(Debug, thiserror::Error)]
pub enum PremineError {
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] FetchError),
    /// The node did not do it.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// The pre-mined data folder for this node, made now if it isn't there.
pub(crate) async fn template(flavour: Flavour, program: &Program, recipe: Recipe, cache: &Path) -> Result<PathBuf, PremineError> {
    let name = format!("{}-{}-{RECIPE}", flavour.node, file_name_part(&program.version));
    let target = cache.join("premined").join(&name);
    if target.is_dir() {
        return Ok(target);
    }
    let folder = cache.join("premined").join(flavour.node);
    let lock = runtime::blocking(move || CacheLock::take(&folder, || ())).await;
    let _lock = lock.map_err(|_| RpcError::Abandoned { method: "premine".to_owned() })??;
    if target.is_dir() {
        return Ok(target);
    }
    let staging = cache.join("premined").join(format!("staging-{name}"));
    if staging.exists() {
        std::fs::remove_dir_all(&staging).map_err(FetchError::disk("could not remove", &staging))?;
    }
    let config = DaemonConfig { flavour, program: program.clone(), dir: staging.clone(), listen: false, args: Vec::new() };
    let daemon = Daemon::start(config).await?;
    mine(&daemon, recipe).await?;
    daemon.stop().await?;
    std::fs::rename(&staging, &target).map_err(FetchError::disk("could not rename to", &target))?;
    Ok(target)
}

async fn mine(daemon: &Daemon, recipe: Recipe) -> Result<(), PremineError> {
    daemon.create_wallet(MINER_WALLET).await?;
    let wallet = daemon.rpc().wallet(MINER_WALLET);
    let address: String = wallet.get("getnewaddress", json!([])).await?;
    let start = unix_now() - recipe.blocks * SPACING_SECS;
    let mut height = 0;
    while height < recipe.blocks {
        let stop = recipe.mweb_height.filter(|mweb| height < mweb - 1).map_or(recipe.blocks, |mweb| mweb - 1);
        let burst = BURST.min(stop - height);
        daemon.rpc().call("setmocktime", json!([start + (height + burst) * SPACING_SECS])).await?;
        daemon.rpc().call("generatetoaddress", json!([burst, address])).await?;
        height += burst;
        if recipe.mweb_height == Some(height + 1) {
            let mweb: String = wallet.get("getnewaddress", json!(["", "mweb"])).await?;
            wallet.call("sendtoaddress", json!([mweb, "1.0"])).await?;
        }
    }
    Ok(())
}

/// Copies a pre-mined folder. The node that made it has ended, so its files are at rest. Half a copy never has the target's name.
pub(crate) fn copy(template: &Path, target: &Path) -> Result<(), FetchError> {
    let half = target.with_extension("half");
    copy_folder(template, &half)?;
    std::fs::rename(&half, target).map_err(FetchError::disk("could not rename to", target))
}

fn copy_folder(template: &Path, target: &Path) -> Result<(), FetchError> {
    std::fs::create_dir_all(target).map_err(FetchError::disk("could not create", target))?;
    for entry in std::fs::read_dir(template).map_err(FetchError::disk("could not read", template))? {
        let entry = entry.map_err(FetchError::disk("could not read", template))?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else if !matches!(entry.file_name().to_str(), Some("debug.log" | "output.log" | ".lock")) {
            std::fs::copy(&from, &to).map_err(FetchError::disk("could not copy", &from))?;
        }
    }
    Ok(())
}

/// Mines as many blocks with the real clock as it takes for median time past to be a present time.
pub(crate) async fn bring_to_now(daemon: &Daemon) -> Result<(), RpcError> {
    let address: String = daemon.rpc().wallet(MINER_WALLET).get("getnewaddress", json!([])).await?;
    daemon.rpc().call("generatetoaddress", json!([11, address])).await.map(drop)
}
