//! `photon pay`.

use super::KeyArgs;
use super::client::Client;
use super::error::CliError;
use super::ids::{self, short};
use super::parse::{Typed, duration_secs};
use super::table::{self, Cell, Tone, clean};
use super::times::{absolute, relative};
use super::ui::Ui;
use super::{qr, watch_payments};
use crate::service::{
    AssetAmount, BalanceView, NewPayment, NewPaymentRequest, PaymentQuery, PaymentRecord, PaymentRequestView, RouteQuery,
    RouteView, WayView,
};
use clap::{Args, Subcommand};
use photon_chains::{Amount, SecretHash, UnixTime};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::Instant;

/// Pay and be paid over channels.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Examples:
  photon pay request 10USDX --memo \"two coffees\"    shows a text and a QR code for whoever pays
  photon pay send photon1qy…                        pay such a request; asks before it pays
  photon pay send bob 0.5ETH --yes                  pay somebody with whom there is a channel; does not ask
  photon pay routes bob 0.5ETH                      would it find a way, and at what fee?
  photon pay list --received                        what came in
  photon pay watch                                  payments as they come and go
  photon pay cancel 77b2                            take one back that hangs

A payment is made within a moment, needs no transaction, and is paid whole or not at all: what hangs comes back by itself when its time
is over. Sent again with the same --id it is paid once. Channels: photon channel --help")]
pub enum PayCommand {
    /// Pay a request, or somebody with whom there is a channel
    Send(SendArgs),
    /// Ask to be paid: a text and a QR code for the payer
    Request(RequestArgs),
    /// List our requests, newest first
    Requests,
    /// List payments, newest first
    List(ListArgs),
    /// Show one payment, or one request
    Show(ShowArgs),
    /// Follow payments as they come and go, or one to its end
    Watch(WatchArgs),
    /// Take a payment back, as long as its payee has not taken it
    Cancel(IdArgs),
    /// Take a payment that is held, by its secret
    Release(ReleaseArgs),
    /// Give up a request; a payment that is held for it goes back
    GiveUp(HashArgs),
    /// Ask whether a payment would find a way now, and at what fee
    Routes(RouteArgs),
}

/// Arguments of `pay send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// A payment request (photon1…), or whom: an alias, an identity, or a public key
    to: String,
    /// How much arrives, in whole coins: 0.5ETH; may be left out with a request
    amount: Option<Typed>,
    /// The most that mediators may get on top: 0.001ETH [default: a hundredth of the amount]
    #[arg(long, value_name = "AMOUNT")]
    most_fee: Option<Typed>,
    /// A note for our own list
    #[arg(long, value_name = "TEXT")]
    memo: Option<String>,
    /// Repeat an earlier payment under its id: it is not paid twice [default: a fresh one]
    #[arg(long, value_name = "ID", value_parser = payment_id)]
    id: Option<String>,
    /// Pay on the secret of this hash, which the payee named
    #[arg(long, value_name = "HASH")]
    hash: Option<SecretHash>,
    /// How long to wait for its end; the node goes on after that as well
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration_secs)]
    wait: u64,
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
}

/// Arguments of `pay request`.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// At least how much, in whole coins: 10USDX
    amount: Typed,
    /// What it is for: the payer sees it
    #[arg(long, value_name = "TEXT")]
    memo: Option<String>,
    /// For how long it may be paid: 10s to 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration_secs)]
    valid: u64,
    /// Hold the payment on this hash until it is released with the secret, or given up
    #[arg(long, value_name = "HASH")]
    hash: Option<SecretHash>,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `pay list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only those that we sent
    #[arg(long, conflicts_with = "received")]
    sent: bool,
    /// Only those that came in
    #[arg(long)]
    received: bool,
    /// Only those under way
    #[arg(long, conflicts_with = "failed")]
    live: bool,
    /// Only those that failed
    #[arg(long)]
    failed: bool,
    /// At most so many, 1 to 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// The next page: what the page before ended with
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

/// Arguments of `pay show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The payment's id, or the beginning of it; or a request's hash, all 64 digits
    #[arg(value_parser = ids::typed)]
    id: String,
}

/// Arguments of `pay watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// The payment's id, or the beginning of it [default: all]
    #[arg(value_parser = ids::typed)]
    id: Option<String>,
}

/// Arguments of `pay cancel`.
#[derive(Debug, Clone, Args)]
pub struct IdArgs {
    /// The payment's id, or the beginning of it
    #[arg(value_parser = ids::typed)]
    id: String,
}

/// Arguments of `pay release`.
#[derive(Debug, Clone, Args)]
pub struct ReleaseArgs {
    /// The secret, 64 hex digits: whoever brings the payment sees it next
    secret: String,
}

/// Arguments of `pay give-up`.
#[derive(Debug, Clone, Args)]
pub struct HashArgs {
    /// The request's hash, or the beginning of it
    #[arg(value_parser = ids::typed)]
    hash: String,
}

/// Arguments of `pay routes`.
#[derive(Debug, Clone, Args)]
pub struct RouteArgs {
    /// Whom: an alias or an identity
    to: String,
    /// How much is to arrive: 0.5ETH
    amount: Typed,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, command: PayCommand) -> Result<(), CliError> {
    match command {
        PayCommand::Send(args) => send(client, ui, args).await,
        PayCommand::Request(args) => request(client, ui, args).await,
        PayCommand::Requests => requests(client, ui).await,
        PayCommand::List(args) => list(client, ui, args).await,
        PayCommand::Show(args) => show(client, ui, &args.id).await,
        PayCommand::Watch(args) => {
            let id = match args.id {
                Some(id) => Some(ids::payment(client, &id).await?),
                None => None,
            };
            watch_payments::run(client, ui, id).await
        }
        PayCommand::Cancel(args) => {
            let payment = client.cancel_payment(&ids::payment(client, &args.id).await?).await?;
            ui.answer(&payment, |ui| describe(&payment, (ui.now)()))
        }
        PayCommand::Release(args) => {
            let bytes = hex::decode(&args.secret).ok().filter(|bytes| bytes.len() == 32);
            let bytes = bytes.ok_or_else(|| CliError::Usage("a secret is 64 hex digits".to_owned()))?;
            let hash = SecretHash::from_bytes(Sha256::digest(&bytes).into());
            let request = client.release(hash, args.secret).await?;
            ui.answer(&request, |ui| described(&request, (ui.now)()))
        }
        PayCommand::GiveUp(args) => {
            let hash = ids::request(client, &args.hash).await?;
            let request = client.give_up(&hash).await?;
            ui.answer(&request, |ui| described(&request, (ui.now)()))
        }
        PayCommand::Routes(args) => routes(client, ui, args).await,
    }
}

/// A payment's id, whole.
fn payment_id(text: &str) -> Result<String, String> {
    if text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a payment's id is 32 hex digits".to_owned())
}

async fn send(client: &Client, ui: &mut Ui, args: SendArgs) -> Result<(), CliError> {
    if !args.yes && (!ui.terminal || ui.json) {
        return Err(CliError::Usage("there is nobody to ask here: add --yes if it shall be paid".to_owned()));
    }
    let payment = order(client, &args).await?;
    if !args.yes {
        let what = payment.pay.as_ref().map_or_else(|| "what the request asks for".to_owned(), table::amount);
        let whom = if payment.request.is_some() { "on this request" } else { &args.to };
        if !ui.confirm(&clean(&format!("Pay {what} {}{whom}?", if payment.payee.is_some() { "to " } else { "" })))? {
            return Err(CliError::Failed("not paid".to_owned()));
        }
    }
    let name = payment.id.clone().unwrap_or_else(|| hex::encode(Sha256::digest(&args.to)));
    let paid = match client.pay(&payment, &name).await {
        Err(CliError::Unanswered { reason, .. }) => {
            let again = payment.id.map(|id| format!(" with --id {id}")).unwrap_or_default();
            let said = format!(
                "the answer did not come back: {reason}\nIt may have been paid. Ask again in the same words{again}: it is not paid twice"
            );
            return Err(CliError::Failed(said));
        }
        answer => answer?,
    };
    let paid = to_its_end(client, paid, Duration::from_secs(args.wait)).await?;
    ui.answer(&paid, |ui| {
        let follow = paid.ended_at.is_none().then(|| format!("follow it with: photon pay watch {}", short(&paid.id)));
        describe(&paid, (ui.now)()) + &follow.unwrap_or_default()
    })?;
    if paid.state == "failed" { Err(CliError::Failed("not paid".to_owned())) } else { Ok(()) }
}

/// What was typed, as a payment.
async fn order(client: &Client, args: &SendArgs) -> Result<NewPayment, CliError> {
    let is_request = args.to.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("photon1"));
    let known = if args.amount.is_some() || args.most_fee.is_some() { client.balances().await? } else { Vec::new() };
    let pay = args.amount.as_ref().map(|typed| typed.resolve(&known)).transpose()?;
    let most_fee = args.most_fee.as_ref().map(|typed| same_asset(typed, &known, pay.as_ref())).transpose()?;
    let new = NewPayment { id: None, payee: None, request: None, pay, most_fee, memo: args.memo.clone(), secret_hash: args.hash };
    if is_request {
        if args.id.is_some() || args.hash.is_some() {
            return Err(CliError::Usage("a request brings its own id and hash: leave out --id and --hash".to_owned()));
        }
        return Ok(NewPayment { request: Some(args.to.clone()), ..new });
    }
    if new.pay.is_none() {
        return Err(CliError::Usage("say how much: photon pay send bob 0.5ETH".to_owned()));
    }
    let id = match &args.id {
        Some(id) => id.clone(),
        None => fresh_id()?,
    };
    Ok(NewPayment { id: Some(id), payee: Some(args.to.clone()), ..new })
}

fn same_asset(typed: &Typed, known: &[BalanceView], pay: Option<&AssetAmount>) -> Result<Amount, CliError> {
    let fee = typed.resolve(known)?;
    if pay.is_some_and(|pay| pay.asset != fee.asset) {
        return Err(CliError::Usage("--most-fee is paid in the asset of the payment".to_owned()));
    }
    Ok(fee.amount)
}

fn fresh_id() -> Result<String, CliError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| CliError::Failed("the system gave no random bytes".to_owned()))?;
    Ok(hex::encode(bytes))
}

/// The payment once it has ended, or as it is after that time.
async fn to_its_end(client: &Client, mut payment: PaymentRecord, wait: Duration) -> Result<PaymentRecord, CliError> {
    const LOOK: Duration = Duration::from_millis(100);
    let begun = Instant::now();
    while payment.state == "pending" && begun.elapsed() < wait {
        tokio::time::sleep(LOOK).await;
        payment = client.paid(&payment.id).await?;
    }
    Ok(payment)
}

async fn request(client: &Client, ui: &mut Ui, args: RequestArgs) -> Result<(), CliError> {
    let AssetAmount { asset, amount, .. } = args.amount.resolve(&client.balances().await?)?;
    let new = NewPaymentRequest { asset, amount, memo: args.memo, valid_secs: args.valid, secret_hash: args.hash };
    let made = client.request_payment(&new, &args.key.get()?).await?;
    ui.answer(&made, |ui| {
        let picture = if ui.terminal { qr::picture(&made.request).map(|picture| picture + "\n\n") } else { None };
        let follow = format!("the payer types: photon pay send {}", clean(&made.request));
        format!("{}{}{follow}", picture.unwrap_or_default(), described(&made, (ui.now)()))
    })
}

async fn requests(client: &Client, ui: &mut Ui) -> Result<(), CliError> {
    let all = client.payment_requests().await?;
    ui.answer(&all, |ui| {
        if all.is_empty() {
            return "no requests".to_owned();
        }
        let rows = all.iter().map(|request| request_row(request, (ui.now)())).collect();
        table::render(&["request", "asks for", "state", "ends", "for"], rows, ui.style)
    })
}

fn request_row(request: &PaymentRequestView, now: UnixTime) -> Vec<Cell> {
    let tone = match request.state.as_str() {
        "paid" => Tone::Good,
        "open" | "held" => Tone::Busy,
        _ => Tone::Dim,
    };
    vec![
        short(&request.secret_hash.to_string()).into(),
        table::amount(&request.pay).into(),
        Cell::new(&request.state, tone),
        relative(request.release_by.unwrap_or(request.valid_until), now).into(),
        request.memo.as_deref().unwrap_or_default().into(),
    ]
}

async fn list(client: &Client, ui: &mut Ui, args: ListArgs) -> Result<(), CliError> {
    let direction = match (args.sent, args.received) {
        (true, _) => "sent",
        (false, true) => "received",
        (false, false) => "all",
    };
    let state = match (args.live, args.failed) {
        (true, _) => "live",
        (false, true) => "failed",
        (false, false) => "all",
    };
    let query = PaymentQuery {
        direction: Some(direction.to_owned()),
        state: Some(state.to_owned()),
        limit: Some(args.limit),
        after: args.after,
    };
    let page = client.payments(&query).await?;
    ui.answer(&page, |ui| {
        if page.payments.is_empty() {
            return "no payments".to_owned();
        }
        let rows = page.payments.iter().map(|payment| row(payment, (ui.now)())).collect();
        let shown = table::render(&["payment", "", "amount", "fee", "state", "when", "note"], rows, ui.style);
        let more = page.next.as_ref().map(|next| format!("there are more: --after {}", clean(next)));
        shown + &more.unwrap_or_default()
    })
}

fn row(payment: &PaymentRecord, now: UnixTime) -> Vec<Cell> {
    let tone = match payment.state.as_str() {
        "paid" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Busy,
    };
    let note = payment.memo.as_deref().or(payment.reason.as_deref()).unwrap_or_default();
    vec![
        short(&payment.id).into(),
        Cell::new(&payment.direction, Tone::Dim),
        table::amount(&payment.pay).into(),
        payment.fee.as_ref().map_or_else(|| "-".to_owned(), table::amount).into(),
        Cell::new(&payment.state, tone),
        relative(payment.ended_at.unwrap_or(payment.created_at), now).into(),
        note.into(),
    ]
}

async fn show(client: &Client, ui: &mut Ui, id: &str) -> Result<(), CliError> {
    if id.len() > 32 {
        let request = client.payment_request(&ids::request(client, id).await?).await?;
        return ui.answer(&request, |ui| described(&request, (ui.now)()));
    }
    let payment = client.paid(&ids::payment(client, id).await?).await?;
    ui.answer(&payment, |ui| describe(&payment, (ui.now)()))
}

/// A payment in full.
fn describe(payment: &PaymentRecord, now: UnixTime) -> String {
    let at = |time: UnixTime| format!("{} ({})", relative(time, now), absolute(time));
    let lines = [
        ("payment", Some(payment.id.clone())),
        (&payment.direction, Some(table::amount(&payment.pay))),
        ("to", payment.payee.map(|payee| payee.to_string())),
        ("fee", payment.fee.as_ref().map(table::amount)),
        ("state", Some(payment.state.clone())),
        ("because", payment.reason.clone()),
        ("note", payment.memo.clone()),
        ("begun", Some(at(payment.created_at))),
        ("ended", payment.ended_at.map(at)),
        ("hash", payment.secret_hash.map(|hash| hash.to_string())),
    ];
    lines.into_iter().filter_map(|(name, text)| Some(format!("{name:<12}{}\n", clean(&text?)))).collect()
}

/// A request in full.
fn described(request: &PaymentRequestView, now: UnixTime) -> String {
    let at = |time: UnixTime| format!("{} ({})", relative(time, now), absolute(time));
    let lines = [
        ("request", Some(request.secret_hash.to_string())),
        ("asks for", Some(table::amount(&request.pay))),
        ("for", request.memo.clone()),
        ("state", Some(request.state.clone())),
        ("came", request.came.as_ref().map(table::amount)),
        ("release by", request.release_by.map(at)),
        ("ends", Some(at(request.valid_until))),
        ("text", Some(request.request.clone())),
    ];
    lines.into_iter().filter_map(|(name, text)| Some(format!("{name:<12}{}\n", clean(&text?)))).collect()
}

async fn routes(client: &Client, ui: &mut Ui, args: RouteArgs) -> Result<(), CliError> {
    let pay = args.amount.resolve(&client.balances().await?)?;
    let query = RouteQuery { payee: args.to, asset: pay.asset, amount: pay.amount };
    let found = client.routes(&query).await?;
    ui.answer(&found, |ui| ways(&found, ui))
}

fn ways(found: &RouteView, ui: &Ui) -> String {
    if let (true, Some(reason)) = (found.ways.is_empty(), &found.reason) {
        return clean(&format!("no way: {reason}"));
    }
    let row = |way: &WayView| -> Vec<Cell> {
        let through: Vec<String> = way.through.iter().map(ToString::to_string).collect();
        let through = if through.is_empty() { "straight, over our own channel".to_owned() } else { through.join(" → ") };
        vec![table::amount(&way.fee).into(), through.into()]
    };
    table::render(&["fee", "through"], found.ways.iter().map(row).collect(), ui.style)
}
