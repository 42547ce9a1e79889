//! The body shared by bitcoind and litecoind: one parameter record each, nothing else differs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::slot::Slot;
use super::{NodeError, PORT_ATTEMPTS, STOP_GRACE, private_folder};
use crate::fetch::Program;
use crate::ports;
use crate::process::{Launch, Process, tail};
use crate::rpc::Rpc;

/// The kind of wallet a node makes unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletKind {
    /// Keys by descriptors.
    Descriptor,
    /// Keys one by one, in a Berkeley database.
    Legacy,
}

/// What differs between the two programs.
#[derive(Debug, Clone, Copy)]
pub struct Flavour {
    /// The program's name.
    pub node: &'static str,
    /// Options only this one wants.
    pub args: &'static [&'static str],
    /// The kind of its wallets.
    pub wallet: WalletKind,
}

/// How to start one.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Which of the two.
    pub flavour: Flavour,
    /// The program.
    pub program: Program,
    /// Its data folder; made if it is not there, else used as it is.
    pub dir: PathBuf,
    /// Accept connections from other nodes, on loopback.
    pub listen: bool,
    /// More options.
    pub args: Vec<String>,
}

/// A running, or stopped, bitcoind or litecoind on regtest.
#[derive(Debug)]
pub struct Daemon {
    config: DaemonConfig,
    rpc_port: u16,
    p2p_port: Option<u16>,
    rpc: Rpc,
    /// Unix seconds the node believes in, over a restart too; 0 for the real ones.
    mock_time: AtomicU64,
    /// Options of this run, after all others.
    extra: Mutex<Vec<String>>,
    slot: Slot,
}

impl Daemon {
    /// Starts one and waits until it answers.
    pub async fn start(config: DaemonConfig) -> Result<Self, NodeError> {
        let node = config.flavour.node;
        private_folder(node, &config.dir)?;
        let mut attempt = 1;
        loop {
            let rpc_port = ports::free().ok_or(NodeError::NoPort { node })?;
            let p2p_port = match config.listen {
                true => Some(ports::free().ok_or(NodeError::NoPort { node })?),
                false => None,
            };
            let cookie = config.dir.join("regtest/.cookie");
            let daemon = Self {
                config: config.clone(),
                rpc_port,
                p2p_port,
                rpc: Rpc::new(format!("http://127.0.0.1:{rpc_port}"), Some(cookie)),
                mock_time: AtomicU64::new(0),
                extra: Mutex::default(),
                slot: Slot::new(node),
            };
            match daemon.run().await {
                Ok(()) => return Ok(daemon),
                Err(error) if error.is_port_clash() && attempt < PORT_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts it again, with the same data, ports and mock time.
    pub async fn run(&self) -> Result<(), NodeError> {
        // A log of its own for each start, so that the last words are those of this one.
        let log = self.config.dir.join("output.log");
        let _ = std::fs::remove_file(&log);
        // The cookie of a killed predecessor would be taken for the new one's.
        let _ = std::fs::remove_file(self.config.dir.join("regtest/.cookie"));
        let launch = self.launch(&log);
        self.slot.start(&launch)?;
        let rpc = self.rpc.with_timeout(Duration::from_secs(5));
        let ready = || async { rpc.call("getblockchaininfo", json!([])).await.is_ok() };
        self.slot.wait(ready, || format!("{}\n{}", launch.tail(), tail(&self.log_path()))).await
    }

    fn launch(&self, log: &Path) -> Launch {
        let config = &self.config;
        let mut data_dir = std::ffi::OsString::from("-datadir=");
        data_dir.push(&config.dir);
        let listen = match self.p2p_port {
            Some(port) => vec!["-listen=1".to_owned(), format!("-bind=127.0.0.1:{port}")],
            None => vec!["-listen=0".to_owned()],
        };
        config
            .program
            .launch(log)
            .arg(data_dir)
            .args(["-regtest", "-server=1", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-rpcthreads=8", "-rpcworkqueue=256"])
            .arg(format!("-rpcport={}", self.rpc_port))
            .args(listen)
            // Nobody but the nodes we name is ever contacted.
            .args(["-listenonion=0", "-discover=0", "-connect=0", "-dns=0", "-printtoconsole=0"])
            // Wallets pay without an estimate; a pre-mined chain may be days old; standardness as on the main network.
            .args(["-fallbackfee=0.0001", "-maxtipage=315360000", "-acceptnonstdtxn=0", "-dbcache=16", "-checkblocks=1"])
            // The default of Knots is not always this kind (its -walletimplicitsegwit), and sizes are compared for this one.
            .args(["-addresstype=bech32", "-changetype=bech32"])
            .args(config.flavour.args.iter().copied())
            .arg(format!("-mocktime={}", self.mock_time.load(Ordering::Relaxed)))
            .args(config.args.clone())
            .args(self.extra.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Stops it in order and starts it again with more options, or, with none, without those of an earlier call. It forgets its
    /// estimates of fees, which on a small chain are but an echo of what was just paid. Waits until it has read its mempool again.
    pub async fn restart_with(&self, args: &[&str]) -> Result<(), NodeError> {
        self.stop().await?;
        *self.extra.lock().unwrap_or_else(PoisonError::into_inner) = args.iter().map(ToString::to_string).collect();
        let _ = std::fs::remove_file(self.config.dir.join("regtest/fee_estimates.dat"));
        self.run().await?;
        let loaded = |pool: Value| pool.get("loaded").and_then(Value::as_bool).unwrap_or(true);
        let ready = || async { self.rpc.call("getmempoolinfo", json!([])).await.is_ok_and(loaded) };
        self.slot.wait(ready, || tail(&self.log_path())).await
    }

    /// Stops it in order: it writes down everything it knows.
    pub async fn stop(&self) -> Result<(), NodeError> {
        self.slot.end(|process| process.stop(STOP_GRACE)).await
    }

    /// Ends it at once (SIGKILL), as a power cut would. A node writes its chain down about once an hour, and after a crash gets the rest
    /// again from its peers; this one has none, so it is made to write it down first.
    pub async fn kill(&self) -> Result<(), NodeError> {
        // Answers with what is on disk, so it flushes. A node that does not answer is killed all the same.
        let _ = self.rpc.with_timeout(Duration::from_secs(10)).call("gettxoutsetinfo", json!([])).await;
        self.slot.end(Process::kill).await
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

    /// What differs from the other program.
    pub fn flavour(&self) -> &Flavour {
        &self.config.flavour
    }

    /// The cookie file with the name and password of the current run.
    pub fn cookie(&self) -> PathBuf {
        self.config.dir.join("regtest/.cookie")
    }

    /// Its data folder.
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// Its own log.
    pub fn log_path(&self) -> PathBuf {
        self.config.dir.join("regtest/debug.log")
    }

    /// Where other nodes may connect to it, if it listens.
    pub fn p2p_address(&self) -> Option<String> {
        self.p2p_port.map(|port| format!("127.0.0.1:{port}"))
    }

    /// Makes a wallet of this node's kind, which is loaded again at each start.
    pub async fn create_wallet(&self, name: &str) -> Result<(), NodeError> {
        // name, disable_private_keys, blank, passphrase, avoid_reuse, descriptors, load_on_startup
        let descriptors = self.config.flavour.wallet == WalletKind::Descriptor;
        let params = json!([name, false, false, "", false, descriptors, true]);
        self.rpc.with_timeout(Duration::from_secs(120)).call("createwallet", params).await?;
        Ok(())
    }

    /// Connects it to another one that listens.
    pub async fn connect_to(&self, other: &Self) -> Result<(), NodeError> {
        let node = other.config.flavour.node;
        let address = other.p2p_address().ok_or(NodeError::State { node, state: "was started without listening" })?;
        self.rpc.call("addnode", json!([address, "add"])).await?;
        Ok(())
    }

    /// Makes it believe in another time (unix seconds), over restarts too; 0 gives it the real one back.
    pub async fn set_mock_time(&self, unix_secs: u64) -> Result<(), NodeError> {
        self.rpc.call("setmocktime", json!([unix_secs])).await?;
        self.mock_time.store(unix_secs, Ordering::Relaxed);
        Ok(())
    }
}
