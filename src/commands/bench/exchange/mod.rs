//! `photon bench exchange`: many clients over HTTP against one coordinator, which is killed in the middle of it.
//!
//! The node is a process of its own: real API, market, reserves, coordinator and database; only the chains' nodes are simulated, and no
//! swap is ever paid in, so that all of them stay alive. Each client holds keys of its own, asks for quotes, and agrees to swaps by the
//! three messages of an agreement. When nine tenths of the swaps are there, the node is killed (-9) and started again on its database.

mod client;
mod fleet;
mod hook;
mod wire;
mod world;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use client::Signer;

use super::{Folder, meter, runtime, wallet};
use crate::api::{self, Scope};
use anyhow::Context;
use fleet::Fleet;
use hook::Receiver;
use serde::Serialize;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What `photon bench exchange` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct ExchangeArgs {
    /// Clients at once, each with a connection and keys of its own
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// Swaps that are alive in the end; the maker has money for exactly so many
    #[arg(long, default_value_t = 10_000)]
    swaps: u64,
    /// Milliseconds from a client's beginning of one swap to its beginning of the next
    #[arg(long, default_value_t = 800)]
    pace_ms: u64,
    /// Seconds in which quotes are asked for as fast as they come
    #[arg(long, default_value_t = 5)]
    quote_secs: u64,
    /// A folder on the disk to be measured; what is written there is removed again
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Where the figures are written, as JSON
    #[arg(long, default_value = "bench-exchange.json")]
    out: PathBuf,
    /// Be the node, on the database in that folder
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

/// All figures.
#[derive(Debug, Serialize)]
struct Figures {
    /// Quotes answered in a second, as fast as they come.
    quotes_per_s: f64,
    /// Swaps made durable in a second, each client beginning one every `pace_ms`; the kill not counted.
    creates_per_s: f64,
    /// Milliseconds of all requests while swaps were made at that pace, until the kill: half of them took less, ...
    p50_ms: f64,
    /// ... and 99 of 100.
    p99_ms: f64,
    /// Milliseconds of a quote while they were asked for as fast as they come, 99 of 100.
    quotes_p99_ms: f64,
    /// Live swaps beyond what there was money for.
    oversold: u64,
    /// Swaps that were answered as agreed and are not there after the kill.
    lost: u64,
    /// Swaps of which the webhook was told nothing.
    missing_events: u64,
    /// Events that the webhook took, repeated ones included.
    events: u64,
    /// Swaps alive in the end.
    live: u64,
    clients: usize,
    pace_ms: u64,
    /// Seconds from the kill until the node answered again.
    restart_secs: f64,
    /// Milliseconds in which the disk makes 4 KiB durable.
    sync_ms: f64,
    build: &'static str,
}

/// Runs it.
pub fn run(args: &ExchangeArgs, json: bool) -> anyhow::Result<()> {
    if let Some(folder) = &args.serve {
        return runtime()?.block_on(serve(folder, args.swaps));
    }
    anyhow::ensure!((1..=2_000).contains(&args.clients), "--clients is from 1 to 2000");
    anyhow::ensure!((10..=100_000).contains(&args.swaps), "--swaps is from 10 to 100000");
    anyhow::ensure!((1..=60_000).contains(&args.pace_ms), "--pace-ms is from 1 to 60000");
    let folder = Folder::make(&args.folder)?;
    let figures = runtime()?.block_on(measure(args, &folder.0))?;
    let text = serde_json::to_string_pretty(&figures)?;
    std::fs::write(&args.out, format!("{text}\n")).with_context(|| format!("can't write {}", args.out.display()))?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{text}")?;
    } else {
        show(&mut out, &figures)?;
    }
    let is_whole = figures.oversold == 0 && figures.lost == 0 && figures.missing_events == 0;
    anyhow::ensure!(is_whole, "a promise was broken: see oversold, lost and missing_events");
    Ok(())
}

fn show(out: &mut impl Write, figures: &Figures) -> anyhow::Result<()> {
    let Figures { clients, live, .. } = figures;
    writeln!(out, "{clients} clients, {live} swaps alive ({} build)", figures.build)?;
    writeln!(out, "quotes             {:>8.0} /s   99 %: {:.1} ms", figures.quotes_per_s, figures.quotes_p99_ms)?;
    writeln!(
        out,
        "durable creates    {:>8.0} /s   median {:.1} ms, 99 %: {:.1} ms",
        figures.creates_per_s, figures.p50_ms, figures.p99_ms
    )?;
    writeln!(out, "events delivered   {:>8}", figures.events)?;
    writeln!(out, "killed, and back in {:.2} s", figures.restart_secs)?;
    writeln!(out, "oversold {}, lost {}, missing events {}", figures.oversold, figures.lost, figures.missing_events)?;
    Ok(())
}

/// The node: says where it listens, and runs until it is killed.
async fn serve(folder: &Path, swaps: u64) -> anyhow::Result<()> {
    let world = world::begin(folder, wallet()?, swaps, world::Setup::default()).await?;
    let tokens = api::Tokens::from_file(&folder.join(api::TOKEN_FILE))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    world.serve(listener, tokens).await
}

/// The node's process, killed when this is dropped.
struct Server {
    child: Child,
    at: SocketAddr,
}

impl Server {
    fn start(folder: &Path, swaps: u64) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program can't find itself")?;
        let mut child = Command::new(program)
            .args(["bench", "exchange", "--swaps", &swaps.to_string(), "--serve"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("the node could not be started")?;
        let mut line = String::new();
        let out = child.stdout.take().context("the node has no output")?;
        let read = BufReader::new(out).read_line(&mut line);
        let server = Self { at: line.trim().parse().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))), child };
        anyhow::ensure!(read.is_ok() && server.at.port() != 0, "the node did not come up");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL: it has no time to tidy up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn measure(args: &ExchangeArgs, folder: &Path) -> anyhow::Result<Figures> {
    let (sync_ms, _) = meter::sync_ms(folder)?;
    let token_file = folder.join(api::TOKEN_FILE);
    api::Tokens::create_file(&token_file)?;
    let token = api::read_token(&token_file, Scope::Admin)?;
    let mut server = Server::start(folder, args.swaps)?;
    let receiver = Receiver::start().await?;
    receiver.register(server.at, token.as_str()).await?;
    let fleet = Fleet::start(args, server.at, token.as_str())?;

    let quotes = fleet.quote(Duration::from_secs(args.quote_secs)).await?;
    let began = Instant::now();
    let making = tokio::spawn(fleet.clone().make());
    let until_kill = args.swaps * 9 / 10;
    while fleet.accepted() < until_kill && !making.is_finished() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (accepted, took) = (fleet.accepted(), began.elapsed());
    let pace = fleet.take_latencies();
    drop(server);
    let killed = Instant::now();
    server = Server::start(folder, args.swaps)?;
    let restart_secs = meter::round(killed.elapsed().as_secs_f64());
    fleet.is_at(server.at);
    making.await??;

    let live = fleet.live().await?;
    let agreed = fleet.agreed();
    let told = receiver.wait_for(&agreed).await;
    Ok(Figures {
        quotes_per_s: meter::round(quotes.len() as f64 / args.quote_secs as f64),
        creates_per_s: meter::round(accepted as f64 / took.as_secs_f64()),
        p50_ms: meter::quantile(&pace, 50),
        p99_ms: meter::quantile(&pace, 99),
        quotes_p99_ms: meter::quantile(&quotes, 99),
        oversold: (live.len() as u64).saturating_sub(args.swaps),
        lost: missing(&agreed, &live),
        missing_events: missing(&agreed, &told),
        events: receiver.events(),
        live: live.len() as u64,
        clients: args.clients,
        pace_ms: args.pace_ms,
        restart_secs,
        sync_ms,
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

fn missing(wanted: &HashSet<String>, there: &HashSet<String>) -> u64 {
    wanted.difference(there).count() as u64
}
