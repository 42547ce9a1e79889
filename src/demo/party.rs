//! One party: a folder, a daemon in a process of its own, and its HTTP API.

use crate::api;
use crate::commands::open_wallet;
use crate::config::{self, Network};
use crate::datadir::DataDir;
use crate::keys::{self, Passphrase, SeedWords};
use crate::service::{BalanceView, HealthView, OfferView, SwapView};
use anyhow::{Context, bail};
use photon_chains::Address;
use photon_regtest::process::{Launch, Process};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// A party of the demo.
pub struct Party {
    pub name: &'static str,
    pub identity: Address,
    pub api: SocketAddr,
    pub peer: SocketAddr,
    pub folder: PathBuf,
    token: Zeroizing<String>,
    http: reqwest::Client,
    process: Option<Process>,
}

const PASSPHRASE: &str = "only for the demo, on regtest";

impl Party {
    /// Makes the folder as `photon init` does: seed, token, and the passphrase in a file, for a restart without a person.
    pub fn prepare(name: &'static str, parent: &Path) -> anyhow::Result<Self> {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder)?;
        let datadir = DataDir::new(Some(folder.clone()));
        let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()))?;
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("passphrase"))?;
        writeln!(file, "{PASSPHRASE}")?;
        keys::create(&datadir.seed(), &SeedWords::generate()?, &passphrase)?;
        let identity = open_wallet(&datadir, Network::Regtest, &passphrase)?.identity_address();
        api::Tokens::create_file(&datadir.api_token())?;
        let token = api::read_token(&datadir.api_token(), api::Scope::Admin)?;
        let port = || photon_regtest::ports::free().context("no free port on this machine");
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (api, peer) = (local(port()?), local(port()?));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { name, identity, api, peer, folder, token, http, process: None })
    }

    /// Writes the configuration: the demo's ledgers.
    pub fn configure(&self, ledgers: &str) -> anyhow::Result<()> {
        let head = format!(
            "network = \"regtest\"\nprofile = \"regtest\"\n[peer]\nlisten = \"{}\"\n[api]\nlisten = \"{}\"\n",
            self.peer, self.api
        );
        let path = DataDir::new(Some(self.folder.clone())).config();
        std::fs::write(&path, format!("{head}{ledgers}"))?;
        config::Config::load(&path, std::iter::empty(), &[])?;
        Ok(())
    }

    /// Starts the daemon from our own executable, and waits until it answers and sees all its ledgers.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("can't find this program")?;
        let launch = Launch::new(program, self.log())
            .args(["node", "--passphrase-file"])
            .arg(self.folder.join("passphrase"))
            .arg("--datadir")
            .arg(&self.folder)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()));
        self.process = Some(launch.start().with_context(|| format!("can't start {}'s daemon", self.name))?);
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Ok(health) = self.get::<HealthView>("/v1/health").await {
                if health.healthy {
                    return Ok(());
                }
            }
            if let Some(process) = &mut self.process {
                if let Some(status) = process.ended()? {
                    bail!("{}'s daemon ended ({status}):\n{}", self.name, launch.tail());
                }
            }
        }
        bail!("{}'s daemon is not healthy after 30 s:\n{}", self.name, launch.tail())
    }

    /// Kills it as a power cut would (SIGKILL).
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// What others dial.
    pub fn address(&self) -> String {
        format!("{}@{}", self.identity, self.peer)
    }

    /// Its daemon's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Asks its API.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let request = self.http.get(self.url(path)).timeout(Duration::from_secs(10));
        self.answer(request, path).await
    }

    /// Creates something through its API.
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> anyhow::Result<T> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let request = self.http.post(self.url(path)).header("Idempotency-Key", hex::encode(key)).json(body);
        self.answer(request, path).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder, path: &str) -> anyhow::Result<T> {
        let response = request.bearer_auth(self.token.as_str()).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("{}: {path}: {status}: {}", self.name, String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("{}: {path}", self.name))
    }

    /// Every swap it knows.
    pub async fn swaps(&self) -> anyhow::Result<Vec<SwapView>> {
        let page: crate::service::SwapPage = self.get("/v1/swaps?limit=200").await?;
        Ok(page.swaps)
    }

    /// What it holds.
    pub async fn balances(&self) -> anyhow::Result<Vec<BalanceView>> {
        let list: api::BalanceList = self.get("/v1/balances").await?;
        Ok(list.balances)
    }

    /// Publishes an offer.
    pub async fn offer(&self, offer: &crate::service::NewOffer) -> anyhow::Result<OfferView> {
        self.post("/v1/offers", offer).await
    }

    /// Takes an offer.
    pub async fn take(&self, swap: &crate::service::NewSwap) -> anyhow::Result<SwapView> {
        self.post("/v1/swaps", swap).await
    }
}
