//! `photon bench`: what this program costs on this machine. No node and no money is touched.
//!
//! The coordinator is the real one, with the real core, over a real database file; only the ledgers are simulated. Each run is a
//! process of its own, so that its memory and its start are its own.

mod adapters;
mod chain;
mod exchange;
mod measure;
mod meter;
mod nodes;
mod payments;
mod swaps;

#[cfg(test)]
pub(crate) use {chain::timing, exchange::Signer, swaps::agreed};

use crate::config::Network;
use crate::keys::{SeedWords, Wallet};
use crate::store::Store;
use adapters::Look;
use anyhow::Context;
use measure::{Measured, measure};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measure what swaps and payments cost on this machine
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Blocks, start and memory with 100, 1,000 and 10,000 live swaps, on a real database and simulated ledgers
    Coordinator(CoordinatorArgs),
    /// Many clients over HTTP against one coordinator with a real database, killed in the middle
    Exchange(exchange::ExchangeArgs),
    /// Payments over channels, direct and through a mediator, between daemons with real databases and connections
    Payments(payments::PaymentsArgs),
}

/// What `photon bench coordinator` takes.
#[derive(Debug, Clone, clap::Args)]
struct CoordinatorArgs {
    /// Live swaps of each run
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    live: Vec<u64>,
    /// Ended swaps in the database, for each live one
    #[arg(long, default_value_t = 10)]
    ended_per_live: u64,
    /// A folder on the disk to be measured; what is written there is removed again
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Where the figures are written, as JSON
    #[arg(long, default_value = "bench-coordinator.json")]
    out: PathBuf,
    /// One run over a database that is there, in a process of its own
    #[arg(long, hide = true)]
    run: Option<PathBuf>,
}

/// All figures. Those at the top are of the largest run.
#[derive(Debug, Serialize)]
struct Figures {
    /// CPU milliseconds of a block in which nothing concerns us, at 10,000 live swaps. None if there was no such run.
    idle_block_ms_at_10000: Option<f64>,
    /// Milliseconds from a block that moves 100 of our swaps until each is durable and acted upon.
    busy_block_ms: f64,
    /// Seconds until every live swap is taken up and was looked at.
    start_secs: f64,
    /// MiB of memory.
    rss_mb: f64,
    /// Questions that a new block makes the dearer one of the real adapters ask of its node.
    rpc_calls_per_block: f64,
    /// Milliseconds in which the disk makes 4 KiB durable.
    sync_ms: f64,
    build: &'static str,
    runs: Vec<Measured>,
}

/// Runs it.
pub fn run(args: &BenchArgs, json: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let args = match &args.what {
        What::Coordinator(args) => args,
        What::Exchange(args) => return exchange::run(args, json),
        What::Payments(args) => return payments::run(args, json, began),
    };
    if let Some(folder) = &args.run {
        let ended = args.live.first().copied().unwrap_or_default() * args.ended_per_live;
        let measured = runtime()?.block_on(measure(folder, wallet()?, ended, began))?;
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?;
        return Ok(());
    }
    anyhow::ensure!(args.live.iter().all(|live| (1..=100_000).contains(live)), "--live is from 1 to 100000");
    anyhow::ensure!(args.ended_per_live <= 100, "--ended-per-live is at most 100");
    let folder = Folder::make(&args.folder)?;
    let mut runs = Vec::new();
    for live in &args.live {
        let place = folder.0.join(live.to_string());
        std::fs::create_dir(&place)?;
        runtime()?.block_on(fill(&place, *live, live * args.ended_per_live))?;
        runs.push(run_apart(&place, *live, args.ended_per_live)?);
        std::fs::remove_dir_all(&place)?;
    }
    let figures = summary(runs).context("--live names no run")?;
    let text = serde_json::to_string_pretty(&figures)?;
    std::fs::write(&args.out, format!("{text}\n")).with_context(|| format!("can't write {}", args.out.display()))?;
    if json {
        writeln!(std::io::stdout(), "{text}")?;
        return Ok(());
    }
    show(&figures)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start threads")
}

/// The same in every run. These words are in every textbook, and hold nothing.
fn wallet() -> anyhow::Result<Wallet> {
    let words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    Ok(Wallet::new(&SeedWords::restore(words)?, Network::Mainnet)?)
}

/// A folder of our own, removed with all that is in it when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn make(on: &Path) -> anyhow::Result<Self> {
        let path = on.join(format!("photon-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A database as years of use leave it: ended swaps first, a restart, then those that live.
async fn fill(place: &Path, live: u64, ended: u64) -> anyhow::Result<()> {
    let wallet = wallet()?;
    for (numbers, completed) in [(swaps::ENDED_FROM..swaps::ENDED_FROM + ended, true), (0..live, false)] {
        let store = Store::open(&place.join("photon.db"), *wallet.storage_key().expose())?;
        swaps::write(&store, wallet.identity_address(), numbers, completed).await?;
        store.close().await?;
    }
    Ok(())
}

fn run_apart(place: &Path, live: u64, ended_per_live: u64) -> anyhow::Result<Measured> {
    let program = std::env::current_exe().context("this program can't find itself")?;
    let run = std::process::Command::new(program)
        .args(["bench", "coordinator", "--run"])
        .arg(place)
        .args(["--live", &live.to_string(), "--ended-per-live", &ended_per_live.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("a run could not be started")?;
    anyhow::ensure!(run.status.success(), "the run with {live} live swaps failed");
    serde_json::from_slice(&run.stdout).context("a run said nothing that makes sense")
}

fn summary(runs: Vec<Measured>) -> Option<Figures> {
    let largest = runs.iter().max_by_key(|run| run.live)?;
    Some(Figures {
        idle_block_ms_at_10000: runs.iter().find(|run| run.live == 10_000).map(|run| run.idle_block_cpu_ms),
        busy_block_ms: largest.busy_block_ms,
        start_secs: largest.start_secs,
        rss_mb: largest.rss_mb,
        rpc_calls_per_block: largest.bitcoin.rpc_calls_per_block.max(largest.ethereum.rpc_calls_per_block),
        sync_ms: largest.sync_ms,
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        runs,
    })
}

type Line = (&'static str, fn(&Measured) -> String);

const LINES: [Line; 10] = [
    ("live swaps (ended swaps)", |run| format!("{} ({})", run.live, run.ended)),
    ("idle block, CPU ms", |run| format!("{:.3}", run.idle_block_cpu_ms)),
    ("busy block, ms (worst)", |run| format!("{:.1} ({:.1})", run.busy_block_ms, run.busy_block_worst_ms)),
    ("  swaps moved", |run| run.busy_block_moves.to_string()),
    ("  CPU ms", |run| format!("{:.1}", run.busy_block_cpu_ms)),
    ("start, s (taken up)", |run| format!("{:.2} ({:.2})", run.start_secs, run.taken_up_secs)),
    ("memory, MiB (peak)", |run| format!("{:.0} ({:.0})", run.rss_mb, run.peak_rss_mb)),
    ("RPC calls per block, Bitcoin", |run| adapter(&run.bitcoin)),
    ("  Ethereum (adapter, CPU ms)", |run| adapter(&run.ethereum)),
    ("disk sync, ms (99 %)", |run| format!("{:.2} ({:.2})", run.sync_ms, run.sync_ms_p99)),
];

fn adapter(look: &Look) -> String {
    format!("{:.0} ({:.2})", look.rpc_calls_per_block, look.cpu_ms)
}

fn show(figures: &Figures) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, cell) in LINES {
        let cells: Vec<String> = figures.runs.iter().map(|run| format!("{:>16}", cell(run))).collect();
        writeln!(out, "{name:<30}{}", cells.concat())?;
    }
    if figures.build == "debug" {
        writeln!(out, "This is a debug build: the figures mean little.")?;
    }
    Ok(())
}
