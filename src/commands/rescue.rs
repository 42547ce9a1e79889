//! `photon rescue`: the seed words, the nodes, and every open lock of ours comes home.

use super::{LocalArgs, PassphraseArgs, SetArgs, init, open_wallet};
use crate::api::Tokens;
use crate::assets::Assets;
use crate::cli::table::{self, Cell, Style, Tone};
use crate::cli::times::{midnight, relative};
use crate::clock;
use crate::config::{self, Config, Network};
use crate::datadir::DataDir;
use crate::keys::{self, SeedWords, Wallet};
use crate::ledgers::Ledgers;
use crate::node::LateJournal;
use crate::rescue::{Report, Rescue};
use crate::store::Store;
use crate::wire::Connector;
use anyhow::Context;
use photon_chains::{Ledger, UnixTime};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Find every open lock of a seed on all ledgers, and take it back or redeem it: when the database is lost
#[derive(Debug, Clone, clap::Args)]
pub struct RescueArgs {
    /// Read the seed words from this file (mode 0600) rather than asking for them; not needed where the folder has its seed
    #[arg(long)]
    pub words_file: Option<PathBuf>,
    /// Which network, where the folder has no configuration yet
    #[arg(long)]
    pub network: Option<Network>,
    /// Look for what was locked since this date (UTC), such as 2026-05-31 [default: 180 days ago]
    #[arg(long, value_parser = date)]
    pub since: Option<UnixTime>,
    /// Look, do what can be done now, and end
    #[arg(long)]
    pub once: bool,
    /// How the seed is, or will be, encrypted in the folder.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// What goes over the configuration file.
    #[command(flatten)]
    pub set: SetArgs,
}

/// No lock runs longer than 30 days; whoever comes half a year late names a date.
const LOOK_BACK_SECS: u64 = 180 * 24 * 3600;

fn date(text: &str) -> Result<UnixTime, String> {
    midnight(text).ok_or_else(|| "write a date as 2026-05-31".to_owned())
}

/// Runs it.
pub fn run(local: &LocalArgs, args: &RescueArgs, json: bool) -> anyhow::Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let datadir = DataDir::new(local.datadir.clone());
    let (config, wallet) = prepare(&datadir, args)?;
    let since = args.since.unwrap_or_else(|| clock::now().minus_secs(LOOK_BACK_SECS));
    let runtime = tokio::runtime::Runtime::new().context("can't start threads")?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = go(&datadir, config, wallet, since, args.once, json) => ended,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped; run it again to go on: nothing is lost by stopping"),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    ended
}

/// The folder's configuration and wallet. A folder without a seed gets one from the words; nothing that exists is changed.
fn prepare(datadir: &DataDir, args: &RescueArgs) -> anyhow::Result<(Config, Wallet)> {
    let given = match &args.words_file {
        Some(path) => Some(SeedWords::from_file(path).context("the words can't be read")?),
        None if datadir.seed().exists() => None,
        None => Some(init::restore()?),
    };
    if !datadir.config().exists() {
        let network = args.network.context("this folder has no configuration: name the network with --network")?;
        init::make_folder(datadir)?;
        std::fs::write(datadir.config(), config::template(network)).context("can't write config.toml")?;
    }
    let config = args
        .set
        .load(datadir)
        .with_context(|| format!("name your nodes and contracts in {}, and run it again", datadir.config().display()))?;
    anyhow::ensure!(
        args.network.is_none_or(|network| network == config.network),
        "the configuration in {} is for {}",
        datadir.path().display(),
        config.network
    );
    if datadir.seed().exists() {
        let wallet = open_wallet(datadir, config.network, &args.passphrase.get()?)?;
        if let Some(words) = given {
            let same = Wallet::new(&words, config.network)?.identity_address() == wallet.identity_address();
            anyhow::ensure!(same, "{} holds another seed: name another folder with --datadir", datadir.path().display());
        }
        return Ok((config, wallet));
    }
    let words = given.context("no seed words were given")?;
    let wallet = Wallet::new(&words, config.network)?;
    let passphrase = args.passphrase.choose()?;
    if !datadir.api_token().exists() {
        Tokens::create_file(&datadir.api_token())?;
    }
    keys::create(&datadir.seed(), &words, &passphrase)?;
    Ok((config, wallet))
}

async fn go(datadir: &DataDir, config: Config, wallet: Wallet, since: UnixTime, once: bool, json: bool) -> anyhow::Result<()> {
    let wallet = Arc::new(wallet);
    let journal = Arc::new(LateJournal::default());
    let connector = Connector::new(config.clone(), wallet.clone(), journal.clone());
    let ledgers = Ledgers::new(&config.ledgers());
    ledgers.connect(&connector).await?;
    let store = Store::open(&datadir.database(), *wallet.storage_key().expose())?;
    journal.open(store.clone());
    let rescue = Rescue::begin(wallet, store.clone(), ledgers, connector, Assets::new(&config), since).await?;
    let shown = AtomicU64::new(u64::MAX);
    let progress = |ledger: Ledger, done: u64, all: u64| {
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        if !json && shown.swap(percent, Ordering::Relaxed) != percent {
            eprintln!("{ledger}: searched {percent} %");
        }
    };
    let ended = rescue
        .run(once, &progress, |report| {
            if !json {
                show(report)
            }
        })
        .await;
    store.close().await?;
    let report = ended?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", last_word(&report));
    }
    Ok(())
}

fn show(report: &Report) {
    let style = Style { color: std::io::stdout().is_terminal(), width: Style::terminal_width() };
    // A closed pipe ends nothing: the work goes on.
    let _ = writeln!(std::io::stdout(), "{}", table_of(report, clock::now(), style));
}

/// What was found, for people.
pub fn table_of(report: &Report, now: UnixTime, style: Style) -> String {
    let rows = report.locks.iter().map(|line| {
        let tone = match (line.settled, &line.trouble) {
            (true, _) => Tone::Good,
            (false, None) => Tone::Busy,
            (false, Some(_)) => Tone::Bad,
        };
        let whose = if line.side == "own" { "ours, to take back" } else { "the peer's, to redeem" };
        let hash: String = line.secret_hash.to_string().chars().take(8).collect();
        vec![
            Cell::from(line.ledger),
            Cell::from(table::amount(&line.amount)),
            Cell::from(whose),
            Cell::new(line.trouble.as_deref().unwrap_or(line.state), tone),
            Cell::from(relative(line.opens, now)),
            Cell::new(hash, Tone::Dim),
        ]
    });
    let mut text = table::render(&["ledger", "amount", "whose", "state", "refund opens", "hash"], rows.collect(), style);
    for (ledger, why) in &report.unsearched {
        text.push_str(&format!("{ledger} is not searched yet: {}\n", table::clean(why)));
    }
    text
}

fn last_word(report: &Report) -> String {
    let node = match report.left_to_node {
        0 => String::new(),
        swaps => format!(" {swaps} running swap(s) of this folder's database are carried by `photon node`."),
    };
    match (report.done, report.locks.is_empty()) {
        (true, true) => format!("Nothing of {} is locked on any configured ledger.{node}", report.identity),
        (true, false) => format!("Everything that was found is settled.{node}"),
        (false, _) => format!("Not everything is settled yet: run it again, or without --once.{node}"),
    }
}
