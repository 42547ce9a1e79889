//! The command line as a client of a running node's HTTP API.
//!
//! ```mermaid
//! flowchart LR
//!   run --> commands[offer, swap, watch, channel, pay, balance, address, send, peer, health]
//!   commands --> client[client: HTTP, retries with one key] --> node((node's API))
//!   commands --> ui[ui: people or --json] --> table[table: what it looks like]
//! ```
//!
//! People read tables, short ids and times such as `in 3 min`; programs say `--json` and get the API's own objects, and errors
//! as JSON on standard error. Nothing that came from a node reaches a terminal before its control characters are taken out. Exit codes:
//! 0 done, 1 not done, 2 asked wrongly, 3 no node to ask.
//!
//! Choice rejected: a shared session file or a cached state. Each command asks the node, so it never shows what was.

mod address;
mod balance;
#[cfg(feature = "bare")]
pub mod bare;
mod channel;
mod client;
mod error;
mod health;
mod ids;
mod offer;
mod parse;
mod pay;
mod peer;
mod qr;
mod send;
mod sse;
mod swap;
pub mod table;
pub(crate) mod times;
mod ui;
mod watch;
mod watch_payments;

#[cfg(test)]
mod tests;

pub use client::{Client, EventTail, Heard};
pub use error::CliError;
pub use ui::Redraw;

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use ui::Ui;

/// Which node is asked, and how the answer is shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Asking a node")]
pub struct ClientArgs {
    /// The node's API [default: as its config.toml says, else http://127.0.0.1:7708]
    #[arg(long, env = "PHOTON_API", hide_env_values = true, global = true, value_name = "URL")]
    pub api: Option<String>,
    /// The file with the API's tokens [default: api.tokens in the node's folder]
    #[arg(long, env = "PHOTON_TOKEN_FILE", hide_env_values = true, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The node's folder [default: ~/.photon]
    #[arg(long, env = "PHOTON_DATADIR", hide_env_values = true, global = true, value_name = "FOLDER")]
    pub datadir: Option<PathBuf>,
    /// Print JSON for programs, also for errors
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour: auto, always or never; with NO_COLOR in the environment, auto is never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_possible_values = true)]
    pub color: ColorChoice,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a running node can be asked.
#[derive(Debug, Clone, Subcommand)]
pub enum ClientCommand {
    /// Make, list and take back offers
    #[command(subcommand)]
    Offer(offer::OfferCommand),
    /// Take a peer's offer, and follow swaps
    #[command(subcommand)]
    Swap(swap::SwapCommand),
    /// Payment channels: open them, put in and take out, close them
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
    /// Pay and be paid over channels, at once and without a transaction
    #[command(subcommand)]
    Pay(pay::PayCommand),
    /// What we hold of every asset
    Balance,
    /// An address to be paid at
    Address(address::AddressArgs),
    /// Pay from the wallet, on chain
    Send(send::SendArgs),
    /// Look at a payment from the wallet
    Sent(send::SentArgs),
    /// The peers we know
    #[command(subcommand)]
    Peer(peer::PeerCommand),
    /// How the node and its ledgers are doing; fails if it is not well
    Health,
}

/// The key under which something is created at most once.
#[derive(Debug, Clone, Default, Args)]
struct KeyArgs {
    /// Repeat an earlier request under its key: within a day it is not done twice [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Runs one command to its end. Not to be called inside an asynchronous runtime: see [`execute`].
pub fn run(args: ClientArgs, command: ClientCommand) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(execute(args, command)),
        Err(error) => {
            Ui::standard(&args).fail(&CliError::Failed(format!("can't start: {error}")));
            ExitCode::FAILURE
        }
    }
}

/// The same, inside a runtime.
pub async fn execute(args: ClientArgs, command: ClientCommand) -> ExitCode {
    let mut ui = Ui::standard(&args);
    ExitCode::from(execute_with(&args, command, &mut ui).await)
}

async fn execute_with(args: &ClientArgs, command: ClientCommand, ui: &mut Ui) -> u8 {
    let done = match Client::from_args(args) {
        Ok(client) => act(&client, ui, command).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            ui.fail(&error);
            error.exit_code()
        }
    }
}

async fn act(client: &Client, ui: &mut Ui, command: ClientCommand) -> Result<(), CliError> {
    match command {
        ClientCommand::Offer(command) => offer::run(client, ui, command).await,
        ClientCommand::Swap(command) => swap::run(client, ui, command).await,
        ClientCommand::Channel(command) => channel::run(client, ui, command).await,
        ClientCommand::Pay(command) => pay::run(client, ui, command).await,
        ClientCommand::Balance => balance::run(client, ui).await,
        ClientCommand::Address(args) => address::run(client, ui, args).await,
        ClientCommand::Send(args) => send::run(client, ui, args).await,
        ClientCommand::Sent(args) => send::show(client, ui, args).await,
        ClientCommand::Peer(command) => peer::run(client, ui, command).await,
        ClientCommand::Health => health::run(client, ui).await,
    }
}
