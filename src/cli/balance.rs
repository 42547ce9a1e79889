//! `photon balance`.

use super::client::Client;
use super::error::CliError;
use super::table::{self, Cell, Tone};
use super::ui::Ui;
use crate::service::BalanceView;
use photon_chains::Amount;

pub(super) async fn run(client: &Client, ui: &mut Ui) -> Result<(), CliError> {
    let balances = client.balances().await?;
    ui.answer(&balances, |ui| {
        let headings = ["asset", "available", "incoming", "locked", "reserved", "fees paid", ""];
        table::render(&headings, balances.iter().map(row).collect(), ui.style)
    })
}

fn row(balance: &BalanceView) -> Vec<Cell> {
    let coins = |amount: Amount| {
        let tone = if amount.is_zero() { Tone::Dim } else { Tone::Plain };
        Cell::new(amount.coins(balance.decimals), tone)
    };
    vec![
        (&balance.asset).into(),
        coins(balance.available),
        coins(balance.incoming),
        coins(balance.locked),
        coins(balance.reserved),
        coins(balance.fees_paid),
        Cell::new(balance.trouble.as_deref().unwrap_or_default(), Tone::Bad),
    ]
}
