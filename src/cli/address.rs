//! `photon address`.

use super::client::Client;
use super::error::CliError;
use super::parse;
use super::table::clean;
use super::ui::Ui;
use crate::api::AddressView;
use clap::Args;
use photon_chains::Ledger;

/// Arguments of `address`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: photon address bitcoin")]
pub struct AddressArgs {
    /// bitcoin, litecoin, ethereum or smt (or the ticker of its coin)
    #[arg(value_parser = parse::ledger)]
    ledger: Ledger,
}

pub(super) async fn run(client: &Client, ui: &mut Ui, args: AddressArgs) -> Result<(), CliError> {
    let view = AddressView { ledger: args.ledger, address: client.new_address(args.ledger).await? };
    ui.answer(&view, |_| clean(&view.address))
}
