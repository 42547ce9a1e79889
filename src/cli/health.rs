//! `photon health`.

use super::client::Client;
use super::error::CliError;
use super::table::{self, Cell, Tone, clean};
use super::times::relative;
use super::ui::Ui;
use crate::service::{HealthView, LedgerHealth};

pub(super) async fn run(client: &Client, ui: &mut Ui) -> Result<(), CliError> {
    let health = client.health().await?;
    ui.answer(&health, |ui| describe(&health, ui))?;
    if health.healthy {
        return Ok(());
    }
    let troubled: Vec<&str> = health.ledgers.iter().filter(|ledger| !ledger.healthy).map(|ledger| ledger.ledger.name()).collect();
    let where_ = if troubled.is_empty() { "the node".to_owned() } else { troubled.join(", ") };
    Err(CliError::Failed(format!("not well: {where_}")))
}

fn describe(health: &HealthView, ui: &Ui) -> String {
    let state = if health.healthy { "healthy" } else { "NOT healthy" };
    let address = health.peer_address.as_deref().unwrap_or("none: it does not listen for peers");
    let lines = [
        ("node", format!("{state}, version {}, {}", health.version, health.network)),
        ("identity", health.identity.to_string()),
        ("for peers", address.to_owned()),
        ("live swaps", health.live_swaps.to_string()),
    ];
    let ready = if health.ready { "for new swaps" } else { "NOT for new swaps; what runs goes on" };
    let told = health.troubles.iter().map(|trouble| ("trouble", trouble.clone()));
    let lines = lines.into_iter().chain([("ready", ready.to_owned())]).chain(told);
    let head: String = lines.map(|(name, text)| format!("{name:<12}{}\n", clean(&text))).collect();
    let rows = health.ledgers.iter().map(|ledger| row(ledger, health)).collect();
    format!("{head}\n{}", table::render(&["ledger", "state", "nodes", "height", "last block", ""], rows, ui.style))
}

fn row(ledger: &LedgerHealth, health: &HealthView) -> Vec<Cell> {
    let (state, tone) = if ledger.healthy { ("healthy", Tone::Good) } else { ("not healthy", Tone::Bad) };
    vec![
        ledger.ledger.name().into(),
        Cell::new(state, tone),
        if ledger.nodes < 2 { "1, no second" } else { "2" }.into(),
        ledger.height.map_or_else(|| "-".to_owned(), |height| height.to_string()).into(),
        ledger.tip_time.map_or_else(|| "-".to_owned(), |time| relative(time, health.now)).into(),
        Cell::new(ledger.trouble.as_deref().unwrap_or_default(), Tone::Bad),
    ]
}
