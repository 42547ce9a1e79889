//! One party: a folder, a daemon in a process of its own, and its HTTP API.

use crate::api;
use crate::commands::open_wallet;
use crate::config::{self, Network};
use crate::datadir::DataDir;
use crate::keys::{self, Passphrase, SeedWords};
use crate::service::{BalanceView, HealthView, NewOffer, NewSwap, OfferView, SwapPage, SwapView};
use anyhow::{Context, bail};
use photon_chains::Address;
use photon_regtest::process::{Launch, Process};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// A party on regtest.
pub struct Party {
    /// What it is called, and its wallets at the nodes.
    pub name: String,
    /// Its account on every EVM ledger, and its name between nodes.
    pub identity: Address,
    /// Where its API listens.
    pub api: SocketAddr,
    /// Where it listens for peers.
    pub peer: SocketAddr,
    /// Its folder, as `photon init` makes it; its daemon's log is in there too.
    pub folder: PathBuf,
    /// What its daemon logs, as `RUST_LOG` says it.
    pub verbosity: String,
    /// More for the environment of its daemon.
    pub env: Vec<(String, String)>,
    program: PathBuf,
    token: Zeroizing<String>,
    http: reqwest::Client,
    process: Option<Process>,
}

/// The passphrase of every party's seed.
pub const PASSPHRASE: &str = "only for the demo, on regtest";

/// How long a daemon may take until it answers and sees all its ledgers.
const START_WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

impl Party {
    /// Makes the folder as `photon init` does: seed, token, and the passphrase in a file, for a restart without a person.
    /// `program` is the photon that its daemon will be.
    pub fn prepare(name: &str, parent: &Path, program: &Path) -> anyhow::Result<Self> {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder)?;
        let datadir = DataDir::new(Some(folder.clone()));
        let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()))?;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("passphrase"))?;
        writeln!(file, "{PASSPHRASE}")?;
        keys::create(&datadir.seed(), &SeedWords::generate()?, &passphrase)?;
        let identity = open_wallet(&datadir, Network::Regtest, &passphrase)?.identity_address();
        api::Tokens::create_file(&datadir.api_token())?;
        let token = api::read_token(&datadir.api_token(), api::Scope::Admin)?;
        let port = || photon_regtest::ports::free().context("no free port on this machine");
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (api, peer) = (local(port()?), local(port()?));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let (name, program) = (name.to_owned(), program.to_owned());
        let verbosity = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
        Ok(Self { name, identity, api, peer, folder, verbosity, env: Vec::new(), program, token, http, process: None })
    }

    /// Writes the configuration: where to listen, and these ledgers.
    pub fn configure(&self, ledgers: &str) -> anyhow::Result<()> {
        let head = format!(
            "network = \"regtest\"\nprofile = \"regtest\"\nfailures_per_peer = 1000\n\
             [peer]\nlisten = \"{}\"\n[api]\nlisten = \"{}\"\n[channels]\nfee_ppm = 0\n[maker]\nstranger_swaps = 64\n",
            self.peer, self.api
        );
        let path = DataDir::new(Some(self.folder.clone())).config();
        std::fs::write(&path, format!("{head}{ledgers}"))?;
        config::Config::load(&path, std::iter::empty(), &[])?;
        Ok(())
    }

    /// Starts the daemon, and waits until it answers and sees all its ledgers.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.start_until(|health| health.healthy).await
    }

    /// Starts the daemon, and waits until its health is as wanted.
    pub async fn start_until(&mut self, is_well: impl Fn(&HealthView) -> bool) -> anyhow::Result<()> {
        let mut launch = Launch::new(&self.program, self.log())
            .args(["node", "--passphrase-file"])
            .arg(self.folder.join("passphrase"))
            .arg("--datadir")
            .arg(&self.folder)
            .env("RUST_LOG", &self.verbosity);
        for (key, value) in &self.env {
            launch = launch.env(key, value);
        }
        self.process = Some(launch.start().with_context(|| format!("can't start {}'s daemon", self.name))?);
        let began = std::time::Instant::now();
        while began.elapsed() < START_WITHIN {
            tokio::time::sleep(LOOK).await;
            if self.get::<HealthView>("/v1/health").await.is_ok_and(|health| is_well(&health)) {
                return Ok(());
            }
            if let Some(process) = &mut self.process
                && let Some(status) = process.ended()?
            {
                bail!("{}'s daemon ended ({status}):\n{}", self.name, launch.tail());
            }
        }
        bail!("{}'s daemon is not healthy after {} s:\n{}", self.name, START_WITHIN.as_secs(), launch.tail())
    }

    /// True if its daemon was started and has ended by itself.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.ended()?.is_some(),
            None => false,
        })
    }

    /// Kills it as a power cut would (SIGKILL).
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Asks it to end, as a service manager would (SIGTERM).
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop(Duration::from_secs(20))?;
        }
        Ok(())
    }

    /// The process of its daemon, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// What others dial.
    pub fn address(&self) -> String {
        format!("{}@{}", self.identity, self.peer)
    }

    /// Its daemon's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The token of its API, which allows everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request to its API, with its token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.api)).bearer_auth(self.token.as_str())
    }

    /// Asks its API.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.answer(self.request(Method::GET, path).timeout(Duration::from_secs(10)), path).await
    }

    /// Creates something through its API.
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> anyhow::Result<T> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let request = self.request(Method::POST, path).header("Idempotency-Key", hex::encode(key)).json(body);
        self.answer(request, path).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder, path: &str) -> anyhow::Result<T> {
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("{}: {path}: {status}: {}", self.name, String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("{}: {path}", self.name))
    }

    /// Every swap it knows.
    pub async fn swaps(&self) -> anyhow::Result<Vec<SwapView>> {
        let page: SwapPage = self.get("/v1/swaps?limit=200").await?;
        Ok(page.swaps)
    }

    /// One swap.
    pub async fn swap(&self, id: &str) -> anyhow::Result<SwapView> {
        self.get(&format!("/v1/swaps/{id}")).await
    }

    /// What it holds.
    pub async fn balances(&self) -> anyhow::Result<Vec<BalanceView>> {
        let list: api::BalanceList = self.get("/v1/balances").await?;
        Ok(list.balances)
    }

    /// Publishes an offer.
    pub async fn offer(&self, offer: &NewOffer) -> anyhow::Result<OfferView> {
        self.post("/v1/offers", offer).await
    }

    /// Takes an offer.
    pub async fn take(&self, swap: &NewSwap) -> anyhow::Result<SwapView> {
        self.post("/v1/swaps", swap).await
    }
}
