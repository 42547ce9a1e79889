//! `photon channel`.

use super::KeyArgs;
use super::client::Client;
use super::error::CliError;
use super::ids::{self, TypedChannel, short};
use super::parse::{Typed, duration_secs};
use super::table::{self, Cell, Tone, clean};
use super::times::{absolute, relative};
use super::ui::Ui;
use crate::service::{ChannelQuery, ChannelView, Closing, EarnedView, NeighbourView, NewChannel, NewClose};
use clap::{Args, Subcommand};
use photon_chains::{Address, Amount, UnixTime};

/// Payment channels.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Examples:
  photon peer add 0x5aae…eaed@bob.example:7707 --alias bob
  photon channel open bob 1.5ETH                 put in 1.5 ETH; bob can put in his part with the same words
  photon channel list                            what can be sent and received in each
  photon channel deposit 3fa9 0.5ETH             put in more
  photon channel withdraw 3fa9 0.2ETH            take out some; the channel stays open
  photon channel close 3fa9 --alone-after 10min  close together; if bob is silent for so long, alone
  photon pay --help                              paying over channels

A channel is named by the beginning of its id, or smt:3fa9 where two ledgers have one that begins so. The money in it is yours all the
time: closed together you have it back in one transaction, closed alone after the channel's window. Your node answers a counterparty
that closes with an old state by itself; it must be online at least once in each window.

While the ledger can't be seen, neighbours still pay each other over open channels, up to [channels] offline_limit in the configuration
(`show` says how much of it is used). Opening, deposits, withdrawals, closing and payments over others have to wait.

A channel that is `behind` was forgotten in part: the database was lost, or an old copy was put back. Nothing is paid over it any more. It
is closed together by itself once the other side is connected (photon peer add); if that never comes: photon channel close 3fa9 --alone.
`backup` in [channels] names a file that keeps the proofs of what is yours.")]
pub enum ChannelCommand {
    /// List channels
    List(ListArgs),
    /// Show one channel: whose the money in it is, and what is under way
    Show(ShowArgs),
    /// Open a channel with a deposit, or put a first deposit into one that the other side has opened
    Open(OpenArgs),
    /// Put more into a channel
    Deposit(AmountArgs),
    /// Take money out of a channel that stays open; the other side has to be online
    Withdraw(AmountArgs),
    /// Close a channel: together with the other side, or alone
    Close(CloseArgs),
    /// Settle a closed channel as soon as its window is over; the node does it by itself as well
    Settle(ShowArgs),
    /// With whom we have channels
    Peers,
    /// What mediating payments of others has earned
    Fees,
}

/// Arguments of `channel list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only those that are settled
    #[arg(long, conflicts_with = "all")]
    settled: bool,
    /// Settled ones too
    #[arg(long)]
    all: bool,
    /// Only those with this identity
    #[arg(long, value_name = "IDENTITY")]
    peer: Option<Address>,
    /// At most so many, 1 to 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// The next page: what the page before ended with
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

/// Arguments of `channel show` and `channel settle`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The channel's id, or the beginning of it
    id: TypedChannel,
}

/// Arguments of `channel open`.
#[derive(Debug, Clone, Args)]
pub struct OpenArgs {
    /// With whom: an alias, an identity, or 0x…@host:port
    peer: String,
    /// How much we put in, in whole coins: 1.5ETH
    amount: Typed,
    /// How long a close alone can be answered, 10min to 30d; part of the channel's name, so both sides must say the same
    /// [default: what the node's profile needs]
    #[arg(long, value_name = "TIME", value_parser = duration_secs)]
    window: Option<u64>,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `channel deposit` and `channel withdraw`.
#[derive(Debug, Clone, Args)]
pub struct AmountArgs {
    /// The channel's id, or the beginning of it
    id: TypedChannel,
    /// How much, in whole coins: 0.5ETH
    amount: Typed,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `channel close`.
#[derive(Debug, Clone, Args)]
pub struct CloseArgs {
    /// The channel's id, or the beginning of it
    id: TypedChannel,
    /// Without the other side: each has its money after the window
    #[arg(long)]
    alone: bool,
    /// Together, but alone if the other side has not signed within this time: 10s to 1w
    #[arg(long, value_name = "TIME", value_parser = duration_secs, conflicts_with = "alone")]
    alone_after: Option<u64>,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, command: ChannelCommand) -> Result<(), CliError> {
    match command {
        ChannelCommand::List(args) => list(client, ui, args).await,
        ChannelCommand::Show(args) => {
            let channel = client.channel(&ids::channel(client, &args.id).await?).await?;
            ui.answer(&channel, |ui| describe(&channel, (ui.now)()))
        }
        ChannelCommand::Open(args) => open(client, ui, args).await,
        ChannelCommand::Deposit(args) => deposit(client, ui, args).await,
        ChannelCommand::Withdraw(args) => withdraw(client, ui, args).await,
        ChannelCommand::Close(args) => close(client, ui, args).await,
        ChannelCommand::Settle(args) => {
            let channel = client.settle_channel(&ids::channel(client, &args.id).await?).await?;
            ui.answer(&channel, |ui| describe(&channel, (ui.now)()))
        }
        ChannelCommand::Peers => peers(client, ui).await,
        ChannelCommand::Fees => fees(client, ui).await,
    }
}

async fn list(client: &Client, ui: &mut Ui, args: ListArgs) -> Result<(), CliError> {
    let state = match (args.settled, args.all) {
        (true, _) => "settled",
        (false, true) => "all",
        (false, false) => "live",
    };
    let query = ChannelQuery { state: Some(state.to_owned()), peer: args.peer, limit: Some(args.limit), after: args.after };
    let page = client.channels(&query).await?;
    ui.answer(&page, |ui| {
        if page.channels.is_empty() {
            return "no channels: photon channel open PEER AMOUNT".to_owned();
        }
        let headings = ["channel", "with", "asset", "can send", "can receive", "pending", "state", "", ""];
        let shown = table::render(&headings, page.channels.iter().map(row).collect(), ui.style);
        let more = page.next.as_ref().map(|next| format!("there are more: --after {}", clean(next)));
        shown + &more.unwrap_or_default()
    })
}

fn row(channel: &ChannelView) -> Vec<Cell> {
    let coins = |amount: Amount| {
        let tone = if amount.is_zero() { Tone::Dim } else { Tone::Plain };
        Cell::new(amount.coins(channel.decimals), tone)
    };
    let tone = match channel.state.as_str() {
        "open" => Tone::Good,
        "settled" => Tone::Dim,
        "behind" => Tone::Bad,
        _ => Tone::Busy,
    };
    let said = channel.trouble.as_deref().or(channel.doing.as_deref()).unwrap_or_default();
    vec![
        short(&channel.id).into(),
        name(channel).into(),
        (&channel.asset).into(),
        coins(channel.can_send),
        coins(channel.can_receive),
        channel.pending.to_string().into(),
        Cell::new(&channel.state, tone),
        if channel.connected { Cell::new("connected", Tone::Good) } else { Cell::new("not connected", Tone::Dim) },
        Cell::new(said, if channel.trouble.is_some() { Tone::Bad } else { Tone::Busy }),
    ]
}

fn name(channel: &ChannelView) -> String {
    channel.alias.clone().unwrap_or_else(|| channel.peer.to_string())
}

async fn open(client: &Client, ui: &mut Ui, args: OpenArgs) -> Result<(), CliError> {
    let deposit = args.amount.resolve(&client.balances().await?)?;
    let minutes = |secs: u64| u16::try_from(secs.div_ceil(60)).ok().filter(|minutes| (10..=43_200).contains(minutes));
    let window_minutes = match args.window {
        Some(secs) => Some(minutes(secs).ok_or_else(|| CliError::Usage("--window: a window is 10min to 30d".to_owned()))?),
        None => None,
    };
    let new = NewChannel { peer: args.peer, deposit, window_minutes };
    let channel = client.open_channel(&new, &args.key.get()?).await?;
    ui.answer(&channel, |ui| {
        let what = clean(&format!("{} go into a channel with {}", table::amount(&new.deposit), name(&channel)));
        let follow = format!("look at it with: photon channel show {}", short(&channel.id));
        format!("{what}\n{}{follow}", describe(&channel, (ui.now)()))
    })
}

/// What was typed, in the channel's own asset.
async fn amount_in(client: &Client, channel: &ChannelView, typed: &Typed) -> Result<Amount, CliError> {
    let amount = typed.resolve(&client.balances().await?)?;
    if amount.asset != channel.asset {
        return Err(CliError::Usage(format!(
            "channel {} is for {}, not for {}",
            short(&channel.id),
            channel.asset,
            amount.asset
        )));
    }
    Ok(amount.amount)
}

async fn deposit(client: &Client, ui: &mut Ui, args: AmountArgs) -> Result<(), CliError> {
    let at = ids::channel(client, &args.id).await?;
    let amount = amount_in(client, &client.channel(&at).await?, &args.amount).await?;
    let channel = client.deposit(&at, amount, &args.key.get()?).await?;
    ui.answer(&channel, |ui| {
        let coins = amount.coins(channel.decimals);
        let what = clean(&format!("{coins} {} go into the channel; they count once they are deep enough", channel.asset));
        format!("{what}\n{}", describe(&channel, (ui.now)()))
    })
}

async fn withdraw(client: &Client, ui: &mut Ui, args: AmountArgs) -> Result<(), CliError> {
    let at = ids::channel(client, &args.id).await?;
    let amount = amount_in(client, &client.channel(&at).await?, &args.amount).await?;
    let channel = client.withdraw(&at, amount, &args.key.get()?).await?;
    ui.answer(&channel, |ui| {
        let coins = amount.coins(channel.decimals);
        let what = clean(&format!("{coins} {} come out of the channel once {} has signed", channel.asset, name(&channel)));
        format!("{what}\n{}", describe(&channel, (ui.now)()))
    })
}

async fn close(client: &Client, ui: &mut Ui, args: CloseArgs) -> Result<(), CliError> {
    let at = ids::channel(client, &args.id).await?;
    let how = if args.alone { Closing::Alone } else { Closing::Together };
    let close = NewClose { how, alone_after_secs: args.alone_after };
    let channel = client.close_channel(&at, &close, &args.key.get()?).await?;
    ui.answer(&channel, |ui| {
        let what = match how {
            Closing::Together => {
                "closing together: both have their money with one transaction, once pending payments have ended".to_owned()
            }
            Closing::Alone => {
                format!("closing alone: {} minutes for the other side to answer, then it is settled", channel.window_minutes)
            }
        };
        format!("{what}\n{}", describe(&channel, (ui.now)()))
    })
}

/// A channel in full.
fn describe(channel: &ChannelView, now: UnixTime) -> String {
    let coins = |amount: Amount| format!("{} {}", amount.coins(channel.decimals), channel.asset);
    let alias = channel.alias.as_deref().map(|alias| format!("{alias}, ")).unwrap_or_default();
    let connected = if channel.connected { "connected" } else { "not connected" };
    let mut lines = vec![
        ("channel", format!("{} on {}", channel.id, channel.ledger)),
        ("with", format!("{alias}{}, {connected}", channel.peer)),
        ("state", channel.state.clone()),
        ("ours", format!("{}, of which {} can be sent now", coins(channel.balance), coins(channel.can_send))),
        ("theirs", format!("{}, of which {} can be received now", coins(channel.peer_balance), coins(channel.can_receive))),
        ("pending", format!("{}: {} out, {} in", channel.pending, coins(channel.pending_out), coins(channel.pending_in))),
        ("window", format!("{} min", channel.window_minutes)),
    ];
    if let Some(at) = channel.settles_at {
        lines.push(("settled", format!("from {} ({}) on, by itself", relative(at, now), absolute(at))));
    }
    if !channel.in_sight || !channel.unseen_limit.is_zero() {
        let (unseen, most) = (coins(channel.unseen), coins(channel.unseen_limit));
        lines.push(("unseen", format!("{unseen} of at most {most} received while {} can't be seen", channel.ledger)));
    }
    lines.extend(channel.doing.clone().map(|doing| ("under way", doing)));
    lines.extend(channel.trouble.clone().map(|trouble| ("trouble", trouble)));
    lines.into_iter().map(|(name, text)| format!("{name:<12}{}\n", clean(&text))).collect()
}

async fn peers(client: &Client, ui: &mut Ui) -> Result<(), CliError> {
    let neighbours = client.neighbours().await?;
    ui.answer(&neighbours, |ui| {
        if neighbours.is_empty() {
            return "no channels with anybody: photon channel open PEER AMOUNT".to_owned();
        }
        let headings = ["alias", "identity", "channels", "can send", "can receive", "connected"];
        table::render(&headings, neighbours.iter().map(neighbour).collect(), ui.style)
    })
}

fn neighbour(of: &NeighbourView) -> Vec<Cell> {
    let all = |amounts: &[crate::service::AssetAmount]| amounts.iter().map(table::amount).collect::<Vec<_>>().join(", ");
    vec![
        of.alias.as_deref().unwrap_or("-").into(),
        of.identity.to_string().into(),
        of.channels.to_string().into(),
        all(&of.can_send).into(),
        all(&of.can_receive).into(),
        if of.connected { Cell::new("yes", Tone::Good) } else { Cell::new("no", Tone::Dim) },
    ]
}

async fn fees(client: &Client, ui: &mut Ui) -> Result<(), CliError> {
    let fees = client.fees_earned().await?;
    ui.answer(&fees, |ui| {
        if fees.is_empty() {
            return "nothing was earned yet: no payment of others went over our channels".to_owned();
        }
        let row = |of: &EarnedView| -> Vec<Cell> {
            vec![(&of.asset).into(), of.earned.coins(of.decimals).into(), of.payments.to_string().into()]
        };
        table::render(&["asset", "earned", "payments"], fees.iter().map(row).collect(), ui.style)
    })
}
