//! What the configuration file may say.
//!
//! `photon init` writes the file with a comment on every key. Over it go environment variables
//! (`PHOTON__BITCOIN__RPC_URL` sets `rpc_url` of `[bitcoin]`) and over those `--set bitcoin.rpc_url=…`. A key that is not
//! known here refuses to start, wherever it came from: a misspelt limit must not be silently ignored.

mod channels;
mod market;
mod peer;
mod template;

pub use channels::ChannelsConfig;
pub use market::{MakerConfig, MarketConfig};
pub use peer::PeerConfig;
pub use photon_chains::Network;
use photon_chains::{Address, Hash32, Ledger};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
pub use template::template;

/// Everything the file may say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which network all ledgers are on.
    pub network: Network,
    /// Money can be lost by young software: mainnet needs this as well.
    #[serde(default)]
    pub allow_mainnet: bool,
    /// How long this node may be offline at worst.
    #[serde(default)]
    pub profile: ProfileName,
    /// Megabytes that must be free on the disk before anything new is begun.
    #[serde(default = "default_min_free_mb")]
    pub min_free_mb: u64,
    /// Ask (by an `approval` event, answered through the API) before each own lock.
    #[serde(default)]
    pub ask_before_lock: bool,
    /// So many swaps with one peer may come to nothing within a day after we paid in; then nothing new is begun with it.
    #[serde(default = "default_failures_per_peer")]
    pub failures_per_peer: u32,
    /// How other nodes reach us.
    #[serde(default)]
    pub peer: PeerConfig,
    /// How programs and the command line reach us.
    #[serde(default)]
    pub api: ApiConfig,
    /// Pairs that we quote.
    #[serde(default)]
    pub market: Vec<MarketConfig>,
    /// How we deal with strangers.
    #[serde(default)]
    pub maker: MakerConfig,
    /// Payment channels.
    #[serde(default)]
    pub channels: ChannelsConfig,
    /// Bitcoin, if we trade it.
    pub bitcoin: Option<UtxoLedger>,
    /// Litecoin, if we trade it.
    pub litecoin: Option<UtxoLedger>,
    /// Ethereum, if we trade it.
    pub ethereum: Option<EvmLedger>,
    /// SMT (Spectrum), if we trade it.
    pub smt: Option<EvmLedger>,
}

/// How long we may be offline: the deadlines of every swap follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// Fifteen minutes: a watched server.
    Hot,
    /// Two hours.
    #[default]
    Standard,
    /// Twelve hours: a desktop that sleeps at night.
    Desktop,
    /// Seconds: only on regtest.
    Regtest,
}

/// `[api]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiConfig {
    /// Where to listen.
    #[serde(default = "default_api")]
    pub listen: SocketAddr,
    /// More names by which the API may be called (the `Host` header), beside loopback.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Webhooks may lead to this machine, without TLS.
    #[serde(default)]
    pub webhooks_on_loopback: bool,
    /// Requests of one token in a second.
    #[serde(default = "default_per_second")]
    pub requests_per_second: u32,
}

const fn default_per_second() -> u32 {
    500
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: default_api(),
            allowed_hosts: Vec::new(),
            webhooks_on_loopback: false,
            requests_per_second: default_per_second(),
        }
    }
}

/// Many times what thousands of swaps write.
const fn default_min_free_mb() -> u64 {
    1024
}

/// More than bad luck; each costs us two fees, and our money a day.
const fn default_failures_per_peer() -> u32 {
    5
}

/// Nobody counts further.
const MOST_FAILURES: u32 = 1_000_000;

fn default_api() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7708))
}

/// `[bitcoin]` and `[litecoin]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UtxoLedger {
    /// The node's RPC, without credentials.
    pub rpc_url: String,
    /// The node's cookie file.
    pub cookie_file: Option<PathBuf>,
    /// Or a user ...
    pub rpc_user: Option<String>,
    /// ... and a file that holds the password.
    pub rpc_password_file: Option<PathBuf>,
    /// The node's wallet that funds our locks and receives.
    pub wallet: Option<String>,
    /// Where redeemed and refunded coins go instead of the wallet.
    pub payout_address: Option<String>,
    /// More confirmations than usual before a lock is relied on. Partners must name the same.
    pub confirmations: Option<u32>,
    /// Another node of the same chain, to be asked beside this one.
    pub second_node: Option<SecondUtxoNode>,
}

/// `[bitcoin.second_node]` and `[litecoin.second_node]`. It needs no wallet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondUtxoNode {
    /// The node's RPC, without credentials.
    pub rpc_url: String,
    /// The node's cookie file.
    pub cookie_file: Option<PathBuf>,
    /// Or a user ...
    pub rpc_user: Option<String>,
    /// ... and a file that holds the password.
    pub rpc_password_file: Option<PathBuf>,
}

/// `[ethereum]` and `[smt]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmLedger {
    /// The node's RPC.
    pub rpc_url: String,
    /// Its chain id.
    pub chain_id: u64,
    /// Our contracts there; `photon deploy` writes them.
    pub contracts: Option<ContractAddresses>,
    /// Tokens that may be traded. No other is ever touched.
    #[serde(default)]
    pub tokens: Vec<TokenConfig>,
    /// More confirmations than usual before a lock is relied on. Partners must name the same.
    pub confirmations: Option<u32>,
    /// Another node of the same chain, to be asked beside this one.
    pub second_node: Option<SecondEvmNode>,
}

/// `[ethereum.second_node]` and `[smt.second_node]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondEvmNode {
    /// The node's RPC.
    pub rpc_url: String,
}

/// Where the contracts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContractAddresses {
    /// SecretRegistry.
    pub registry: Address,
    /// NativeHtlc.
    pub native_htlc: Address,
    /// TokenHtlc.
    pub token_htlc: Address,
    /// Channels; absent: no payment channels on this ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Address>,
}

impl ContractAddresses {
    /// The line of the file that says so.
    pub fn line(&self) -> String {
        let Self { registry, native_htlc, token_htlc, channels } = self;
        let channels = channels.map(|place| format!(", channels = \"{place}\"")).unwrap_or_default();
        format!(
            "contracts = {{ registry = \"{registry}\", native_htlc = \"{native_htlc}\", token_htlc = \"{token_htlc}\"{channels} }}"
        )
    }
}

impl From<ContractAddresses> for photon_evm::Contracts {
    fn from(at: ContractAddresses) -> Self {
        let ContractAddresses { registry, native_htlc, token_htlc, channels } = at;
        Self { registry, native_htlc, token_htlc, channels }
    }
}

impl From<photon_evm::Contracts> for ContractAddresses {
    fn from(at: photon_evm::Contracts) -> Self {
        let photon_evm::Contracts { registry, native_htlc, token_htlc, channels } = at;
        Self { registry, native_htlc, token_htlc, channels }
    }
}

/// A token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Our short name for it.
    pub symbol: String,
    /// Its contract.
    pub address: Address,
    /// Digits after the dot.
    pub decimals: u8,
    /// keccak256 of its runtime code; refused if it changes.
    pub code_hash: Option<Hash32>,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}: {source}; run `photon init` first, or name another folder with --datadir")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or says something it may not.
    #[error("{path}: {reason}")]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// A setting over the file is not `key=value` or names no place.
    #[error("{0}")]
    BadOverride(String),
    /// The parts don't fit each other.
    #[error("{0}")]
    Unfit(String),
}

const ENV_PREFIX: &str = "PHOTON__";

impl Config {
    /// Reads the file, puts the environment and then `--set` over it, and checks the whole.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>, sets: &[String]) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::read(&text, path, env, sets)
    }

    /// The same, of a file that holds this text; its path is for what is said of it.
    pub fn read(
        text: &str,
        path: &Path,
        env: impl Iterator<Item = (String, String)>,
        sets: &[String],
    ) -> Result<Config, ConfigError> {
        let wrong = |reason: String| ConfigError::Wrong { path: path.to_owned(), reason };
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        for (name, value) in env {
            if let Some(key) = name.strip_prefix(ENV_PREFIX) {
                put(&mut table, &key.to_lowercase().split("__").collect::<Vec<_>>(), &value, &name)?;
            }
        }
        for set in sets {
            let (key, value) = set
                .split_once('=')
                .ok_or_else(|| ConfigError::BadOverride(format!("--set {set}: write it as --set section.key=value")))?;
            put(&mut table, &key.split('.').collect::<Vec<_>>(), value, &format!("--set {key}"))?;
        }
        let config: Config = table.try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let unfit = |reason: &str| Err(ConfigError::Unfit(reason.to_owned()));
        if self.network == Network::Mainnet && !self.allow_mainnet {
            return unfit("network = \"mainnet\" moves real money with young software: set allow_mainnet = true if you mean it");
        }
        if (self.profile == ProfileName::Regtest) != (self.network == Network::Regtest) {
            return unfit("profile = \"regtest\" goes with network = \"regtest\", and with no other");
        }
        if !(1..=MOST_FAILURES).contains(&self.failures_per_peer) {
            return unfit(&format!("failures_per_peer is from 1 to {MOST_FAILURES}: at the first one nothing can be forgiven"));
        }
        peer::check(self)?;
        if self.ledgers().is_empty() {
            return unfit("no ledger is configured: add [bitcoin], [litecoin], [ethereum] or [smt]");
        }
        market::check(&self.market)?;
        channels::check(self)?;
        for (ledger, utxo) in [(Ledger::Bitcoin, &self.bitcoin), (Ledger::Litecoin, &self.litecoin)] {
            let Some(utxo) = utxo else { continue };
            check_entry(&ledger.to_string(), &utxo.cookie_file, &utxo.rpc_user, &utxo.rpc_password_file)?;
            if utxo.wallet.is_none() && utxo.payout_address.is_none() {
                return unfit(&format!("[{ledger}] needs wallet, or payout_address to trade from outside wallets"));
            }
            check_url(&ledger.to_string(), &utxo.rpc_url)?;
            check_confirmations(ledger, utxo.confirmations)?;
            if let Some(second) = &utxo.second_node {
                let section = format!("{ledger}.second_node");
                check_entry(&section, &second.cookie_file, &second.rpc_user, &second.rpc_password_file)?;
                check_second(&section, &utxo.rpc_url, &second.rpc_url)?;
            }
        }
        for (ledger, evm) in [(Ledger::Ethereum, &self.ethereum), (Ledger::Smt, &self.smt)] {
            let Some(evm) = evm else { continue };
            check_url(&ledger.to_string(), &evm.rpc_url)?;
            check_confirmations(ledger, evm.confirmations)?;
            if let Some(second) = &evm.second_node {
                check_second(&format!("{ledger}.second_node"), &evm.rpc_url, &second.rpc_url)?;
            }
            for token in &evm.tokens {
                let plain = token.symbol.bytes().all(|c| c.is_ascii_alphanumeric());
                let taken = Ledger::ALL.iter().any(|known| known.ticker() == token.symbol);
                if !plain || taken || token.symbol.is_empty() || token.symbol.len() > 12 || token.decimals > 30 {
                    return unfit(&format!(
                        "[[{ledger}.tokens]] symbol {:?}: 1 to 12 letters and digits, no ticker of ours, at most 30 decimals",
                        token.symbol
                    ));
                }
            }
        }
        Ok(())
    }

    /// The ledgers that are configured.
    pub fn ledgers(&self) -> Vec<Ledger> {
        let present = [self.bitcoin.is_some(), self.litecoin.is_some(), self.ethereum.is_some(), self.smt.is_some()];
        Ledger::ALL.into_iter().zip(present).filter_map(|(ledger, here)| here.then_some(ledger)).collect()
    }

    /// The same, and the channels on those whose section names a contract for them.
    pub fn venues(&self) -> Vec<Ledger> {
        let chains = self.ledgers();
        let channels = [(&self.ethereum, Ledger::EthereumChannel), (&self.smt, Ledger::SmtChannel)].into_iter();
        let there = channels
            .filter(|(section, _)| section.as_ref().is_some_and(|evm| evm.contracts.is_some_and(|at| at.channels.is_some())));
        chains.into_iter().chain(there.map(|(_, ledger)| ledger)).collect()
    }

    /// How many confirmations its section asks for, if it does.
    pub fn confirmations(&self, ledger: Ledger) -> Option<u32> {
        match ledger {
            Ledger::Bitcoin => self.bitcoin.as_ref()?.confirmations,
            Ledger::Litecoin => self.litecoin.as_ref()?.confirmations,
            Ledger::Ethereum => self.ethereum.as_ref()?.confirmations,
            Ledger::Smt => self.smt.as_ref()?.confirmations,
            Ledger::EthereumChannel | Ledger::SmtChannel => None,
        }
    }

    /// True if a ledger is asked at two nodes.
    pub fn has_second_node(&self, ledger: Ledger) -> bool {
        let of_utxo = |section: &Option<UtxoLedger>| section.as_ref().is_some_and(|utxo| utxo.second_node.is_some());
        let of_evm = |section: &Option<EvmLedger>| section.as_ref().is_some_and(|evm| evm.second_node.is_some());
        match ledger {
            Ledger::Bitcoin => of_utxo(&self.bitcoin),
            Ledger::Litecoin => of_utxo(&self.litecoin),
            Ledger::Ethereum | Ledger::EthereumChannel => of_evm(&self.ethereum),
            Ledger::Smt | Ledger::SmtChannel => of_evm(&self.smt),
        }
    }
}

/// One way in, and only one.
fn check_entry(
    section: &str,
    cookie_file: &Option<PathBuf>,
    user: &Option<String>,
    password_file: &Option<PathBuf>,
) -> Result<(), ConfigError> {
    let (by_password, half) = (user.is_some() && password_file.is_some(), user.is_some() != password_file.is_some());
    if half || cookie_file.is_some() == by_password {
        let reason = format!("[{section}] needs either cookie_file, or rpc_user with rpc_password_file");
        return Err(ConfigError::Unfit(reason));
    }
    Ok(())
}

/// More than this would only end every swap before it has begun.
const MOST_CONFIRMATIONS: u32 = 1000;

fn check_confirmations(ledger: Ledger, asked: Option<u32>) -> Result<(), ConfigError> {
    if asked.is_some_and(|asked| !(1..=MOST_CONFIRMATIONS).contains(&asked)) {
        let reason = format!("[{ledger}] confirmations is from 1 to {MOST_CONFIRMATIONS}: leave it out for the usual depth");
        return Err(ConfigError::Unfit(reason));
    }
    Ok(())
}

/// The same node asked twice would only agree with itself.
fn check_second(section: &str, first: &str, second: &str) -> Result<(), ConfigError> {
    check_url(section, second)?;
    if first.trim_end_matches('/') == second.trim_end_matches('/') {
        return Err(ConfigError::Unfit(format!("[{section}] is the first node once more: name another one, or leave it out")));
    }
    Ok(())
}

fn check_url(section: &str, url: &str) -> Result<(), ConfigError> {
    let rest = url.strip_prefix("http://");
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains('@')) {
        return Err(ConfigError::Unfit(format!(
            "[{section}] rpc_url must be http://host:port without user or password; reach a distant node through a tunnel"
        )));
    }
    Ok(())
}

fn put(table: &mut toml::Table, path: &[&str], value: &str, origin: &str) -> Result<(), ConfigError> {
    let Some((last, sections)) = path.split_last().filter(|_| path.iter().all(|part| !part.is_empty())) else {
        return Err(ConfigError::BadOverride(format!("{origin}: names no key")));
    };
    let mut here = table;
    for section in sections {
        here = here
            .entry((*section).to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| ConfigError::BadOverride(format!("{origin}: {section} is no section")))?;
    }
    here.insert((*last).to_owned(), as_toml(value));
    Ok(())
}

/// A value as TOML reads it (`true`, `5`, `["a"]`), else as the plain text it is. What begins with 0x is an address, or a
/// hash, however small the number that TOML would see in it.
fn as_toml(value: &str) -> toml::Value {
    if value.starts_with("0x") {
        return toml::Value::String(value.to_owned());
    }
    let parsed: Option<toml::Table> = format!("value = {value}").parse().ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| toml::Value::String(value.to_owned()))
}

#[cfg(test)]
mod bad_values;

#[cfg(test)]
mod tests;
