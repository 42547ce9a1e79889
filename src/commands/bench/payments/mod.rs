//! `photon bench payments`: how fast payments are over channels, and what one costs.
//!
//! Each node is a process of its own: the real engine, the real database on a real disk (`synchronous = FULL`), real encrypted
//! connections over loopback; only the ledger is simulated, on which every channel has long been open. Each payment has an id
//! and ends as a row of both books; it counts when its payer is told that it is paid, which is after it is durable with the
//! payee and its end is durable with the payer. The orders are given to the engine by payers within the payer's own process, one
//! call for each payment, as `photon pay` does behind the HTTP API; the API itself is not measured.
//!
//! After each run the books are compared: every payment once at both ends, every balance right to the unit. Else the bench fails.

mod chain;
mod measure;
mod party;
mod serve;
mod show;
mod talk;
mod world;

use super::{Folder, meter, runtime};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Line, Run};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What `photon bench payments` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct PaymentsArgs {
    /// Payments of the largest runs; the others make a part of it
    #[arg(long, default_value_t = 100_000)]
    payments: u64,
    /// Channels of the node that does nothing
    #[arg(long, default_value_t = 1_000)]
    idle_channels: u16,
    /// Seconds in which it does nothing, before its memory is looked at
    #[arg(long, default_value_t = 5)]
    idle_secs: u64,
    /// A folder on the disk to be measured; what is written there is removed again
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Where the figures are written, as JSON
    #[arg(long, default_value = "bench-payments.json")]
    out: PathBuf,
    /// Be a node, on the database in that folder
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

/// All figures. Rates are payments in a second, on one channel or one way where nothing else is said.
#[derive(Debug, Serialize)]
struct Figures {
    direct_sequence_per_s: f64,
    direct_8_per_s: f64,
    direct_64_per_s: f64,
    direct_1024_per_s: f64,
    /// After as many payments as the largest runs make, 100,000 where nothing else was asked for.
    direct_1024_after_100k_per_s: f64,
    /// Both directions together.
    direct_both_ways_per_s: f64,
    direct_100_channels_per_s: f64,
    mediated_sequence_per_s: f64,
    mediated_8_per_s: f64,
    mediated_64_per_s: f64,
    mediated_1024_per_s: f64,
    mediated_1024_after_per_s: f64,
    idle_1000_channels_rss_mb: f64,
    /// Channels of that node.
    idle_channels: u16,
    /// Seconds until a node was up again after all those direct payments.
    start_secs: f64,
    /// The same with its idle channels.
    start_with_idle_channels_secs: f64,
    /// The most memory that a node held while it paid directly, in MiB.
    peak_rss_mb: f64,
    /// Payments in the payer's database by then, and its bytes.
    payments: u64,
    database_bytes: u64,
    /// Milliseconds in which the disk makes 4 KiB durable.
    sync_ms: f64,
    build: &'static str,
    runs: Vec<Run>,
}

/// Runs it.
pub fn run(args: &PaymentsArgs, json: bool, began: Instant) -> anyhow::Result<()> {
    if let Some(folder) = &args.serve {
        return runtime()?.block_on(serve::serve(folder, began));
    }
    anyhow::ensure!((50..=10_000_000).contains(&args.payments), "--payments is from 50 to 10000000");
    anyhow::ensure!((1..=10_000).contains(&args.idle_channels), "--idle-channels is from 1 to 10000");
    let folder = Folder::make(&args.folder)?;
    let progress = Progress::start();
    let figures = measure_all(args, &folder.0, &progress)?;
    progress.done();
    let text = serde_json::to_string_pretty(&figures)?;
    std::fs::write(&args.out, format!("{text}\n")).with_context(|| format!("can't write {}", args.out.display()))?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{text}")?;
        return Ok(());
    }
    show::show(&mut out, &figures)
}

fn measure_all(args: &PaymentsArgs, folder: &Path, progress: &Progress) -> anyhow::Result<Figures> {
    let (sync_ms, _) = meter::sync_ms(folder)?;
    let many = args.payments;
    let (few, some, more) = ((many / 50).max(1), (many / 10).max(1), (many / 2).max(1));
    let mut runs = Vec::new();
    let mut note = |run: Run| {
        let per_s = run.per_s;
        runs.push(run);
        per_s
    };

    let mut direct = Line::start(&folder.join("direct"), &["alice", "bob"], progress)?;
    let direct_1024_per_s = note(direct.run("direct, 1024 at a time", many, 1_024, 1)?);
    let direct_1024_after_100k_per_s = note(direct.run("direct, 1024 at a time, after as many", many, 1_024, 1)?);
    let direct_sequence_per_s = note(direct.run("direct, one after the other", few, 1, 1)?);
    let direct_8_per_s = note(direct.run("direct, 8 at a time", some, 8, 1)?);
    let direct_64_per_s = note(direct.run("direct, 64 at a time", more, 64, 1)?);
    let direct_both_ways_per_s = note(direct.run_both_ways("direct, both ways, 1024 at a time each", more, 1_024)?);
    direct.open(100)?;
    let direct_100_channels_per_s = note(direct.run("direct, 100 channels, 1024 at a time", many, 1_024, 100)?);
    let (peak_rss_mb, database_bytes) = direct.size()?;
    let payments = direct.first()?.books(i64::MAX as u64)?.last;
    let (direct, start_secs) = direct.restart()?;
    drop(direct);

    let names = ["alice", "bob", "charlie"];
    let mut mediated = Line::start(&folder.join("mediated"), &names, progress)?;
    let mediated_1024_per_s = note(mediated.run("mediated, 1024 at a time", many, 1_024, 1)?);
    let mediated_1024_after_per_s = note(mediated.run("mediated, 1024 at a time, after as many", many, 1_024, 1)?);
    let mediated_sequence_per_s = note(mediated.run("mediated, one after the other", few / 2 + 1, 1, 1)?);
    let mediated_8_per_s = note(mediated.run("mediated, 8 at a time", some, 8, 1)?);
    let mediated_64_per_s = note(mediated.run("mediated, 64 at a time", some, 64, 1)?);
    drop(mediated);

    let mut idle = Line::start(&folder.join("idle"), &["alice", "bob"], progress)?;
    progress.say("opening channels");
    idle.open(args.idle_channels)?;
    let (mut idle, start_with_idle_channels_secs) = idle.restart()?;
    progress.say("doing nothing");
    let idle_1000_channels_rss_mb = idle.idle_rss(args.idle_channels, Duration::from_secs(args.idle_secs))?;
    Ok(Figures {
        direct_sequence_per_s,
        direct_8_per_s,
        direct_64_per_s,
        direct_1024_per_s,
        direct_1024_after_100k_per_s,
        direct_both_ways_per_s,
        direct_100_channels_per_s,
        mediated_sequence_per_s,
        mediated_8_per_s,
        mediated_64_per_s,
        mediated_1024_per_s,
        mediated_1024_after_per_s,
        idle_1000_channels_rss_mb,
        idle_channels: args.idle_channels,
        start_secs,
        start_with_idle_channels_secs,
        peak_rss_mb,
        payments,
        database_bytes,
        sync_ms,
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        runs,
    })
}

/// How busy the machine is.
struct Load;

impl Load {
    /// Tasks that wanted to run, on average of the last minute; zero where the system does not say.
    fn now() -> f64 {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        text.split_whitespace().next().and_then(|figure| figure.parse().ok()).unwrap_or_default()
    }
}

/// What is being done now, in a terminal; nothing elsewhere.
#[derive(Clone)]
struct Progress(ProgressBar);

impl Progress {
    fn start() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
