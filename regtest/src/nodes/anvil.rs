//! anvil, in two settings: a current Ethereum, and the rules of SMT.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::slot::Slot;
use super::{NodeError, PORT_ATTEMPTS, STOP_GRACE, private_folder};
use crate::clock::unix_now;
use crate::fetch::Program;
use crate::ports;
use crate::process::Launch;
use crate::rpc::{Rpc, RpcError};

const NODE: &str = "anvil";
/// Ten thousand for each developer account is little for a long test.
const DEV_BALANCE_ETHER: &str = "1000000";

/// How to start one.
#[derive(Debug, Clone)]
pub struct AnvilConfig {
    /// The program.
    pub program: Program,
    /// Its folder.
    pub dir: PathBuf,
    /// The chain id it answers to and signs for.
    pub chain_id: u64,
    /// The rules, by anvil's name for them; its newest where none is named.
    pub hardfork: Option<&'static str>,
    /// The gas price it suggests, in wei, where that is fixed.
    pub gas_price_wei: Option<u64>,
    /// Whole seconds between blocks that anvil itself makes; `None`: only on demand.
    pub block_time_secs: Option<u64>,
}

/// A running, or stopped, anvil.
#[derive(Debug)]
pub struct Anvil {
    config: AnvilConfig,
    port: u16,
    rpc: Rpc,
    /// The same at each start: a chain with another first block is another chain.
    genesis_unix_secs: u64,
    ready: AtomicBool,
    slot: Slot,
}

impl Anvil {
    /// Starts one and waits until it answers.
    pub async fn start(config: AnvilConfig) -> Result<Self, NodeError> {
        private_folder(NODE, &config.dir)?;
        let genesis_unix_secs = genesis_time(&config.dir)?;
        let mut attempt = 1;
        loop {
            let port = ports::free().ok_or(NodeError::NoPort { node: NODE })?;
            let rpc = Rpc::new(format!("http://127.0.0.1:{port}"), None);
            let (config, ready, slot) = (config.clone(), AtomicBool::new(false), Slot::new(NODE));
            let anvil = Self { config, port, rpc, genesis_unix_secs, ready, slot };
            match anvil.run().await {
                Ok(()) => return Ok(anvil),
                Err(error) if error.is_port_clash() && attempt < PORT_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts it again on the same port, with the chain it had when it ended.
    pub async fn run(&self) -> Result<(), NodeError> {
        let log = self.config.dir.join("output.log");
        let _ = std::fs::remove_file(&log);
        let launch = self.launch(&log);
        self.slot.start(&launch)?;
        let rpc = self.rpc.with_timeout(Duration::from_secs(5));
        let listening = format!("Listening on 127.0.0.1:{}", self.port);
        // Without a password anybody's anvil on this port would answer: it is ours only once ours says that it listens.
        let ready = || async {
            std::fs::read_to_string(&log).is_ok_and(|log| log.contains(&listening))
                && rpc.call("eth_chainId", json!([])).await.is_ok()
        };
        self.slot.wait(ready, || launch.tail()).await?;
        self.set_clock(self.tip_time().await?).await?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The tip's time, unix seconds.
    pub(crate) async fn tip_time(&self) -> Result<u64, NodeError> {
        let tip = self.rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
        let time = tip.get("timestamp").and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
        let time = time.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        Ok(time.ok_or_else(|| RpcError::malformed("eth_getBlockByNumber", "no timestamp"))?)
    }

    /// Lets its clock go on at the present, or where the chain is already ahead of that, there. By itself it goes on at the first block's
    /// time after a start, and at the ancestor's after a reorg.
    pub(crate) async fn set_clock(&self, tip_time: u64) -> Result<(), NodeError> {
        self.rpc.call("evm_setTime", json!([tip_time.max(unix_now())])).await?;
        Ok(())
    }

    /// Whether it runs and its clock is set; a block made earlier would have a wrong time.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn launch(&self, log: &Path) -> Launch {
        let config = &self.config;
        let mut launch = config
            .program
            .launch(log)
            .args(["--host", "127.0.0.1", "--order", "fees", "--balance", DEV_BALANCE_ETHER, "--port"])
            .arg(self.port.to_string())
            .arg("--chain-id")
            .arg(config.chain_id.to_string())
            .arg("--timestamp")
            .arg(self.genesis_unix_secs.to_string())
            // Without its history a chain that was saved can't be asked about older blocks, nor be reorganised.
            .arg("--preserve-historical-states")
            .arg("--state")
            .arg(config.dir.join("state.json"))
            .arg("--cache-path")
            .arg(config.dir.join("cache"));
        if let Some(hardfork) = config.hardfork {
            launch = launch.args(["--hardfork", hardfork]);
        }
        if let Some(price) = config.gas_price_wei {
            launch = launch.arg("--gas-price").arg(price.to_string());
        }
        match config.block_time_secs {
            // With only one of the two, anvil would mine at once whatever comes in, or nothing at all.
            Some(secs) => launch.arg("--block-time").arg(secs.to_string()),
            None => launch.arg("--no-mining"),
        }
    }

    /// Ends it. anvil keeps its chain in memory and writes it down only when asked to end, so there is no harder way that a chain would
    /// survive; as with a crash of a real node, what was not in a block is lost.
    pub async fn stop(&self) -> Result<(), NodeError> {
        self.ready.store(false, Ordering::Release);
        self.slot.end(|process| process.stop(STOP_GRACE)).await
    }

    /// Kills it, for good: its data are not wanted any more.
    pub(crate) fn kill_now(&self) {
        self.slot.kill_now();
    }

    /// Its process id while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.slot.id()
    }

    /// Calls to the node itself.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// How it was started.
    pub fn config(&self) -> &AnvilConfig {
        &self.config
    }
}

/// When this folder's chain began: now, if it is new.
fn genesis_time(dir: &Path) -> Result<u64, NodeError> {
    let path = dir.join("genesis-time");
    match std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
        Some(time) => Ok(time),
        None => {
            let now = unix_now();
            std::fs::write(&path, now.to_string()).map_err(NodeError::system(NODE, "could not write into its folder"))?;
            Ok(now)
        }
    }
}
