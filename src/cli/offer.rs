//! `photon offer`.

use super::KeyArgs;
use super::client::Client;
use super::error::CliError;
use super::parse::{Typed, duration_secs};
use super::table::{self, Cell, Tone};
use super::times::relative;
use super::ui::Ui;
use super::{ids, ids::short};
use crate::service::{NewOffer, OfferPair, OfferView};
use clap::{Args, Subcommand};

/// Make, list and take back offers.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Examples:
  photon offer create --give 0.1BTC --want 2ETH
  photon offer create --give \"500 USDX\" --want 5LTC --valid 30min
  photon offer create --give 0.3ETH@channel --want 0.01BTC   paid in a payment channel
  photon offer list                        ours, and those that connected nodes told of
  photon offer list --give BTC --want ETH  of those, the ones that give BTC for ETH
  photon offer list --peer bob             bob's, asked of him now
  photon offer cancel 3fa9")]
pub enum OfferCommand {
    /// Publish an offer; whoever takes it takes it whole
    Create(CreateArgs),
    /// List our own offers and those that connected nodes told of, or ask a peer for its open ones
    List(ListArgs),
    /// Take an open offer back
    Cancel(CancelArgs),
}

/// Arguments of `offer create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// What we give, in whole coins: 0.1BTC
    #[arg(long, value_name = "AMOUNT")]
    give: Typed,
    /// What we want for it: 2ETH
    #[arg(long, value_name = "AMOUNT")]
    want: Typed,
    /// For how long it stands: 10s to 1w
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration_secs)]
    valid: u64,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `offer list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Ask this peer: an alias, an identity, or 0x…@host:port [default: our own offers, and those of the network]
    #[arg(long)]
    peer: Option<String>,
    /// Only offers that give this asset: BTC, a token's symbol, or ethereum:0x…
    #[arg(long, value_name = "ASSET")]
    give: Option<String>,
    /// Only offers that want this asset
    #[arg(long, value_name = "ASSET")]
    want: Option<String>,
}

/// Arguments of `offer cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// The offer's id, or the beginning of it
    #[arg(value_parser = ids::typed)]
    id: String,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, command: OfferCommand) -> Result<(), CliError> {
    match command {
        OfferCommand::Create(args) => create(client, ui, args).await,
        OfferCommand::List(args) => list(client, ui, args).await,
        OfferCommand::Cancel(args) => cancel(client, ui, args).await,
    }
}

async fn create(client: &Client, ui: &mut Ui, args: CreateArgs) -> Result<(), CliError> {
    let known = client.balances().await?;
    let offer = NewOffer { give: args.give.resolve(&known)?, want: args.want.resolve(&known)?, valid_secs: args.valid };
    let made = client.create_offer(&offer, &args.key.get()?).await?;
    // Only to tell people what comes next: the offer stands whatever comes of it.
    let address = if ui.json { None } else { client.health().await.ok().and_then(|health| health.peer_address) };
    ui.answer(&made, |ui| {
        let taken = match address {
            Some(address) => {
                format!("others take it with: photon swap start --peer {} --offer {}", table::clean(&address), made.id)
            }
            None => "nobody can take it yet: this node does not listen for peers ([peer] listen in its config.toml)".to_owned(),
        };
        let until = relative(made.valid_until, (ui.now)());
        format!("offer {}\n{}, ends {until}\n{taken}", made.id, terms(&made))
    })
}

fn terms(offer: &OfferView) -> String {
    table::clean(&format!("gives {} for {}", table::amount(&offer.give), table::amount(&offer.want)))
}

async fn list(client: &Client, ui: &mut Ui, args: ListArgs) -> Result<(), CliError> {
    let pair = OfferPair { give: args.give, want: args.want };
    let offers = match &args.peer {
        Some(peer) => client.peer_offers(peer, &pair).await?,
        None => [client.offers(&pair).await?, client.network_offers(&pair).await?].concat(),
    };
    ui.answer(&offers, |ui| {
        let (heard, listed): (Vec<_>, Vec<_>) = offers.iter().partition(|offer| offer.peer.is_some());
        let mut parts = Vec::new();
        if !listed.is_empty() {
            let rows = listed.into_iter().map(|offer| row(offer, ui)).collect();
            parts.push(table::render(&["offer", "gives", "wants", "state", "ends"], rows, ui.style));
        }
        if !heard.is_empty() {
            let rows = heard.into_iter().map(|offer| heard_row(offer, ui)).collect();
            let title = "of the network (take one with: photon swap start --offer ID):";
            parts.push(format!("{title}\n{}", table::render(&["offer", "gives", "wants", "maker", "ends"], rows, ui.style)));
        }
        if parts.is_empty() { "no offers".to_owned() } else { parts.join("\n\n") }
    })
}

fn heard_row(offer: &OfferView, ui: &Ui) -> Vec<Cell> {
    vec![
        short(&offer.id).into(),
        table::amount(&offer.give).into(),
        table::amount(&offer.want).into(),
        offer.peer.as_deref().unwrap_or("-").into(),
        relative(offer.valid_until, (ui.now)()).into(),
    ]
}

fn row(offer: &OfferView, ui: &Ui) -> Vec<Cell> {
    let open = offer.state == "open";
    vec![
        short(&offer.id).into(),
        table::amount(&offer.give).into(),
        table::amount(&offer.want).into(),
        Cell::new(&offer.state, if open { Tone::Good } else { Tone::Dim }),
        if open { relative(offer.valid_until, (ui.now)()).into() } else { Cell::new("-", Tone::Dim) },
    ]
}

async fn cancel(client: &Client, ui: &mut Ui, args: CancelArgs) -> Result<(), CliError> {
    let id = match args.id.len() {
        64 => args.id,
        _ => ids::pick(&args.id, "offer", client.offers(&OfferPair::default()).await?.into_iter().map(|offer| offer.id))?,
    };
    let offer = client.cancel_offer(&id).await?;
    ui.answer(&offer, |_| format!("offer {} is {}", offer.id, table::clean(&offer.state)))
}
