//! `photon peer`.

use super::KeyArgs;
use super::client::Client;
use super::error::CliError;
use super::table::{self, Cell, Tone, clean};
use super::ui::Ui;
use crate::service::{NewPeer, PeerView};
use clap::{Args, Subcommand};

/// The peers we know.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Examples:
  photon health                                        shows our own address for others
  photon peer add 0x5aae…eaed@bob.example:7707 --alias bob
  photon peer list")]
pub enum PeerCommand {
    /// Remember a peer, and a name for it
    Add(AddArgs),
    /// List the peers we know and those that swapped with us, and how swaps with each ended
    List,
}

/// Arguments of `peer add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Its identity and where it listens: 0x…@host:port
    address: String,
    /// A name for it: 1 to 32 letters, digits, - or _
    #[arg(long)]
    alias: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, command: PeerCommand) -> Result<(), CliError> {
    match command {
        PeerCommand::Add(args) => {
            let peer = NewPeer { address: args.address, alias: args.alias };
            let made = client.add_peer(&peer, &args.key.get()?).await?;
            ui.answer(&made, |_| {
                let name = made.alias.as_deref().map(|alias| format!("{alias} is ")).unwrap_or_default();
                clean(&format!("{name}{}@{}", made.identity, made.endpoint))
            })
        }
        PeerCommand::List => {
            let peers = client.peers().await?;
            ui.answer(&peers, |ui| {
                if peers.is_empty() {
                    return "no peers yet: photon peer add 0x…@host:port".to_owned();
                }
                table::render(
                    &["alias", "identity", "listens at", "connected", "completed", "walked", "failed"],
                    peers.iter().map(row).collect(),
                    ui.style,
                )
            })
        }
    }
}

fn row(peer: &PeerView) -> Vec<Cell> {
    vec![
        peer.alias.as_deref().unwrap_or("-").into(),
        peer.identity.to_string().into(),
        if peer.endpoint.is_empty() { Cell::new("-", Tone::Dim) } else { (&peer.endpoint).into() },
        if peer.connected { Cell::new("yes", Tone::Good) } else { Cell::new("no", Tone::Dim) },
        peer.score.completed.to_string().into(),
        // It left after we had locked money.
        Cell::new(peer.score.walked.to_string(), if peer.score.walked > 0 { Tone::Bad } else { Tone::Dim }),
        peer.score.failed.to_string().into(),
    ]
}
