//! `photon swap`.

use super::client::Client;
use super::error::CliError;
use super::table::{self, clean};
use super::times::{absolute, relative};
use super::ui::Ui;
use super::{KeyArgs, ids, watch};
use crate::service::{Funding, LegView, NewSwap, OfferPair, SwapQuery, SwapView};
use clap::{Args, Subcommand};
use photon_chains::UnixTime;

/// Take a peer's offer, and follow swaps.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Examples:
  photon offer list --peer bob                      what bob offers
  photon swap start --peer bob --offer 3fa9c1       take it: the node does the rest
  photon swap start --offer 77b2                    take one that the network tells of (photon offer list)
  photon swap watch                                 follow all that run, to their end
  photon swap list --ended                          what became of the others
  photon swap show 77b2                             one, with its transactions

A swap ends completed, refunded or void. Your node must be online within the time its profile promises (config.toml).")]
pub enum SwapCommand {
    /// Take a peer's offer; returns once both have signed, and the node goes on by itself
    Start(StartArgs),
    /// List swaps, newest first
    List(ListArgs),
    /// Show one swap: legs, deadlines, transactions
    Show(ShowArgs),
    /// Follow one swap, or all that run, until they have ended; succeeds if all completed
    Watch(WatchArgs),
}

/// Arguments of `swap start`.
#[derive(Debug, Clone, Args)]
pub struct StartArgs {
    /// Whose offer: an alias, an identity, or 0x…@host:port [default: whoever made it, if the network tells of it]
    #[arg(long)]
    peer: Option<String>,
    /// The offer's id, or the beginning of it
    #[arg(long, value_name = "ID", value_parser = ids::typed)]
    offer: String,
    /// Fund our leg by hand from any wallet: pay the address that is shown (Bitcoin and Litecoin)
    #[arg(long)]
    outside_funding: bool,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `swap list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only those that run
    #[arg(long, conflicts_with_all = ["ended", "all"])]
    live: bool,
    /// Only those that have ended
    #[arg(long, conflicts_with = "all")]
    ended: bool,
    /// All of them (the default)
    #[arg(long)]
    all: bool,
    /// At most so many, 1 to 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// The next page: what the page before ended with
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

/// Arguments of `swap show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The swap's id, or the beginning of it
    #[arg(value_parser = ids::typed)]
    id: String,
}

/// Arguments of `swap watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// The swap's id, or the beginning of it [default: all that run]
    #[arg(value_parser = ids::typed)]
    id: Option<String>,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, command: SwapCommand) -> Result<(), CliError> {
    match command {
        SwapCommand::Start(args) => start(client, ui, args).await,
        SwapCommand::List(args) => list(client, ui, args).await,
        SwapCommand::Show(args) => {
            let swap = client.swap(&ids::swap(client, &args.id).await?).await?;
            ui.answer(&swap, |ui| describe(&swap, (ui.now)()))
        }
        SwapCommand::Watch(args) => {
            let id = match args.id {
                Some(id) => Some(ids::swap(client, &id).await?),
                None => None,
            };
            watch::run(client, ui, id).await
        }
    }
}

async fn start(client: &Client, ui: &mut Ui, args: StartArgs) -> Result<(), CliError> {
    let (peer, offer) = match args.peer {
        Some(peer) if args.offer.len() == 64 => (peer, args.offer),
        Some(peer) => {
            let offers = client.peer_offers(&peer, &OfferPair::default()).await?;
            let offer = ids::pick(&args.offer, "offer", offers.into_iter().map(|offer| offer.id))?;
            (peer, offer)
        }
        None => heard(client, &args.offer).await?,
    };
    let funding = if args.outside_funding { Funding::Outside } else { Funding::Wallet };
    let swap = client.start_swap(&NewSwap { peer, offer, funding }, &args.key.get()?).await?;
    ui.answer(&swap, |ui| {
        let follow = format!("follow it with: photon swap watch {}", ids::short(&swap.id));
        format!("{}\n{follow}", describe(&swap, (ui.now)()))
    })
}

/// An offer of the network, by its id or the beginning of it: its maker, and its whole id.
async fn heard(client: &Client, beginning: &str) -> Result<(String, String), CliError> {
    let offers = client.network_offers(&OfferPair::default()).await?;
    let id = ids::pick(beginning, "offer of the network", offers.iter().map(|offer| offer.id.clone()))?;
    let peer = offers.into_iter().find(|offer| offer.id == id).and_then(|offer| offer.peer);
    peer.map(|peer| (peer, id)).ok_or_else(|| CliError::Failed("this offer does not say where its maker answers".to_owned()))
}

async fn list(client: &Client, ui: &mut Ui, args: ListArgs) -> Result<(), CliError> {
    let state = match (args.live, args.ended) {
        (true, _) => "live",
        (false, true) => "ended",
        (false, false) => "all",
    };
    let query = SwapQuery { state: Some(state.to_owned()), limit: Some(args.limit), after: args.after, peer: None };
    let page = client.swaps(&query).await?;
    ui.answer(&page, |ui| {
        if page.swaps.is_empty() {
            return "no swaps".to_owned();
        }
        let shown = table::swaps(&page.swaps, (ui.now)(), ui.style);
        let more = page.next.as_ref().map(|next| format!("there are more: --after {}", clean(next)));
        shown + &more.unwrap_or_default()
    })
}

/// A swap in full.
fn describe(swap: &SwapView, now: UnixTime) -> String {
    let at = |time: UnixTime| format!("{} ({})", relative(time, now), absolute(time));
    let mut lines = vec![
        ("swap", swap.id.clone()),
        ("give → get", table::pair(swap)),
        ("role", format!("{}, with {}", swap.role, swap.peer)),
        ("phase", swap.phase.clone()),
        ("agreed", at(swap.agreed_at)),
    ];
    if let (Some(outcome), Some(ended)) = (&swap.outcome, swap.ended_at) {
        lines.push(("ended", format!("{outcome} {}", at(ended))));
    }
    if let Some(deadline) = &swap.deadline {
        lines.push(("next", format!("{} {}", deadline.what, at(deadline.at))));
    }
    if let Some(trouble) = &swap.trouble {
        lines.push(("trouble", trouble.clone()));
    }
    for leg in &swap.legs {
        describe_leg(leg, swap.outcome.is_none(), &at, &mut lines);
    }
    for fact in &swap.facts {
        lines.push(("fact", format!("{} {}", fact.fact, at(fact.at))));
    }
    lines.push(("offer", swap.offer.clone()));
    lines.push(("hash", swap.secret_hash.to_string()));
    lines.into_iter().map(|(name, text)| format!("{name:<12}{}\n", clean(&text))).collect()
}

fn describe_leg<'t>(leg: &'t LegView, is_live: bool, at: &impl Fn(UnixTime) -> String, lines: &mut Vec<(&'t str, String)>) {
    let whose = if leg.ours { "ours" } else { "theirs" };
    let what = table::amount(&leg.asset_amount);
    lines.push((&leg.leg, format!("{what} on {}, {whose}: {}", leg.ledger, table::leg_text(leg))));
    if is_live {
        lines.push(("  refund", format!("possible {}", at(leg.refund_from))));
    }
    for transaction in &leg.transactions {
        let fee = transaction.fee.coins(leg.ledger.decimals());
        let text = format!("{} {}, fee {fee} {}", transaction.txid, transaction.state, leg.ledger.ticker());
        lines.push(("  sent", format!("{}: {text}", transaction.purpose)));
    }
    if let Some(address) = &leg.funding_address {
        lines.push(("  pay", format!("{what} to {address}, in one payment of exactly that")));
    }
    if let Some(uri) = &leg.funding_uri {
        lines.push(("  or open", uri.clone()));
    }
}
