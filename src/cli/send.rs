//! `photon send` and `photon sent`.

use super::KeyArgs;
use super::client::Client;
use super::error::CliError;
use super::ids;
use super::parse::Typed;
use super::table::{amount, clean};
use super::ui::Ui;
use crate::service::{NewSend, SendView};
use clap::Args;

/// Arguments of `send`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  photon send 0.1BTC bc1q…           asks before it pays
  photon send \"25 USDX\" 0x… --yes    does not ask, for scripts")]
pub struct SendArgs {
    /// How much of what, in whole coins: 0.1BTC
    amount: Typed,
    /// To which address of that ledger
    address: String,
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `sent`.
#[derive(Debug, Clone, Args)]
pub struct SentArgs {
    /// The payment's id, all 64 digits
    #[arg(value_parser = ids::typed)]
    id: String,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, args: SendArgs) -> Result<(), CliError> {
    if !args.yes && (!ui.terminal || ui.json) {
        return Err(CliError::Usage("there is nobody to ask here: add --yes if it shall be paid".to_owned()));
    }
    let known = client.balances().await?;
    let pay = args.amount.resolve(&known)?;
    if !args.yes {
        let held = known.iter().find(|balance| balance.asset == pay.asset);
        let held = held.map(|balance| balance.available.coins(balance.decimals)).unwrap_or_default();
        let question = format!("Send {} to {}? {held} {} are available.", amount(&pay), clean(&args.address), pay.asset);
        if !ui.confirm(&question)? {
            return Err(CliError::Failed("not sent".to_owned()));
        }
    }
    let sent = client.send(&NewSend { pay, to: args.address }, &args.key.get()?).await?;
    ui.answer(&sent, |_| format!("{}look at it with: photon sent {}", describe(&sent), sent.id))
}

pub(super) async fn show(client: &Client, ui: &mut Ui, args: SentArgs) -> Result<(), CliError> {
    let sent = client.sent(&args.id).await?;
    ui.answer(&sent, |_| describe(&sent))
}

fn describe(sent: &SendView) -> String {
    let txid = sent.txid.map(|txid| txid.to_string());
    let lines = [
        ("payment", Some(sent.id.clone())),
        ("pays", Some(format!("{} to {}", amount(&sent.pay), sent.to))),
        ("state", Some(sent.state.clone())),
        ("transaction", txid),
        ("trouble", sent.trouble.clone()),
    ];
    lines.into_iter().filter_map(|(name, text)| Some(format!("{name:<13}{}\n", clean(&text?)))).collect()
}
