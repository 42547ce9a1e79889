//! `photon demo`: the main job, seen. Four real nodes, three daemons as real processes, sixteen swaps at once, two faults; then
//! payments over channels between three of them, and swaps whose legs are in channels.
//!
//! ```mermaid
//! flowchart LR
//!   demo --> nodes[bitcoind, litecoind, anvil, anvil as SMT]
//!   demo --> alice[photon node: Alice] & bob[photon node: Bob] & carol[photon node: Carol]
//!   alice <-->|Noise| bob
//!   alice <-->|Noise| carol
//!   alice & bob & carol --> nodes
//! ```
//!
//! Only the HTTP APIs of the daemons are used to drive them. Everything ends with this process, whatever ends it.

mod cast;
pub mod legs;
pub mod party;
pub mod payments;
mod plan;
mod report;
mod run;
mod show;
pub mod stage;

use crate::clock;
use anyhow::Context;
use cast::Cast;
use report::Report;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What `photon demo` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Leave the world running afterwards, and print what to try next
    #[arg(long)]
    pub keep: bool,
    /// Where to write the report
    #[arg(long, default_value = "target/demo/report.json")]
    pub report: PathBuf,
}

/// Longer than this means that something is wrong.
const LIMIT: Duration = Duration::from_secs(360);

/// Runs it. Succeeds only if every swap ended as it should.
pub fn run(args: &DemoArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error)),
    };
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = tokio::time::timeout(LIMIT + if args.keep { Duration::MAX / 4 } else { Duration::ZERO }, whole(args)) => {
                ended.unwrap_or_else(|_| Err(anyhow::anyhow!("the demo took longer than {} s", LIMIT.as_secs())))
            }
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; everything that was started has been stopped")),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("demo: {error:#}");
    ExitCode::FAILURE
}

async fn whole(args: &DemoArgs) -> anyhow::Result<bool> {
    let began = Instant::now();
    let started_at = clock::now();
    let terminal = std::io::stdout().is_terminal();
    let folder = scratch(&args.report)?;
    let mut cast = Cast::start(&folder, terminal).await?;
    let before = cast.balances().await?;
    let swaps = run::all(&mut cast, terminal).await?;
    let after = cast.settled_balances().await?;
    let report = Report::new(started_at, began.elapsed(), &cast, swaps, before, after).await?;
    print!("{}", report.sheet());
    println!("\nNow payments over channels, which need no transaction each:\n");
    let (payments, before) = cast.pay().await.context("the payments")?;
    println!("\nNow swaps with legs in channels:\n");
    let legs = cast.swap_over_channels().await.context("the swaps over channels")?;
    if !args.keep {
        cast.close(&before).await.context("the close alone")?;
    }
    report.write(&args.report, &payments, &legs)?;
    println!("{}", payments.closing_line());
    println!("{}", legs.closing_line());
    println!("\nreport: {}", args.report.display());
    println!("{}", report.closing_line());
    if args.keep {
        print!("{}", cast.what_next());
        println!("\nThe world runs until you press Ctrl-C.");
        std::future::pending::<()>().await;
    }
    Ok(report.is_good() && payments.lost() == 0 && legs.is_good())
}

/// The folder of this run, beside the report, emptied.
fn scratch(report: &Path) -> anyhow::Result<PathBuf> {
    let parent = report.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(|| format!("can't create {}", parent.display()))?;
    let folder = parent.canonicalize()?.join("parties");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("can't empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    Ok(folder)
}
