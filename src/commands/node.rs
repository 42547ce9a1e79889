//! `photon node`: run until told to stop.

use super::{LocalArgs, PassphraseArgs, SetArgs, open_wallet};
use crate::datadir::DataDir;
use crate::node;
use anyhow::Context;
use std::io::IsTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Run the node: watch the chains, serve peers and the API, carry every swap through.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// How the seed is opened.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// What goes over the configuration file.
    #[command(flatten)]
    pub set: SetArgs,
    /// Log lines as JSON
    #[arg(long)]
    pub log_json: bool,
}

/// Runs it.
pub fn run(local: &LocalArgs, args: &NodeArgs) -> anyhow::Result<()> {
    start_log(args.log_json);
    #[cfg(feature = "demo")]
    crate::crash::begin();
    let datadir = DataDir::new(local.datadir.clone());
    let config = args.set.load(&datadir)?;
    let wallet = open_wallet(&datadir, config.network, &args.passphrase.get()?)?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().context("metrics")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start threads")?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("can't listen for signals")?;
        let shutdown = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        node::run(config, &datadir, wallet, Some(metrics), shutdown).await
    });
    // Readers of the database may still be on their threads; nothing they do matters any more.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    ended
}

/// Structured logs on standard error: `RUST_LOG` chooses, `info` if it does not say.
fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
