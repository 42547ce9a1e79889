//! `photon pay watch`: a line for each payment that comes, goes or ends.

use super::client::{Client, Heard};
use super::error::CliError;
use super::ids::short;
use super::table::{self, clean};
use super::times::stamp;
use super::ui::Ui;
use crate::service::{PaymentQuery, PaymentRecord};
use std::collections::HashMap;

/// So many of the newest are looked at after each event; more that change at once are found in the list.
const NEWEST: u32 = 200;
/// So many are remembered; the oldest are forgotten all at once.
const MOST_KNOWN: usize = 10_000;

/// Follows one payment to its end, or all for as long as somebody watches.
pub(super) async fn run(client: &Client, ui: &mut Ui, id: Option<String>) -> Result<(), CliError> {
    // Listening begins first, so that nothing falls between the look and the first event.
    let mut tail = client.events().await?;
    let mut known: HashMap<String, String> = HashMap::new();
    if id.is_none() {
        // What has ended before is no news.
        for payment in look(client, None).await?.into_iter().filter(|payment| payment.ended_at.is_some()) {
            known.insert(payment.id, payment.state);
        }
    }
    loop {
        for payment in look(client, id.as_deref()).await? {
            if known.get(&payment.id) != Some(&payment.state) {
                say(ui, &payment)?;
                known.insert(payment.id.clone(), payment.state.clone());
            }
            if id.is_some() && payment.ended_at.is_some() {
                let paid = payment.state == "paid";
                return if paid { Ok(()) } else { Err(CliError::Failed("it was not paid".to_owned())) };
            }
        }
        if known.len() > MOST_KNOWN {
            known.clear();
            known.extend(look(client, None).await?.into_iter().map(|payment| (payment.id, payment.state)));
        }
        while let Heard::Event(event) = tail.next().await? {
            if event.kind == "payment" {
                break;
            }
        }
    }
}

/// Oldest first.
async fn look(client: &Client, id: Option<&str>) -> Result<Vec<PaymentRecord>, CliError> {
    if let Some(id) = id {
        return Ok(vec![client.paid(id).await?]);
    }
    let query = PaymentQuery { limit: Some(NEWEST), ..PaymentQuery::default() };
    let mut payments = client.payments(&query).await?.payments;
    payments.reverse();
    Ok(payments)
}

fn say(ui: &mut Ui, payment: &PaymentRecord) -> Result<(), CliError> {
    if ui.json {
        let json = serde_json::to_string(payment).map_err(|error| CliError::Failed(error.to_string()))?;
        return ui.line(&json);
    }
    let (now, what) = (stamp((ui.now)()), table::amount(&payment.pay));
    let whom = payment.payee.map(|payee| format!(" to {payee}")).unwrap_or_default();
    let note = payment.memo.as_deref().or(payment.reason.as_deref()).map(|note| format!(": {note}")).unwrap_or_default();
    let line = format!("{now} {} {} {what}{whom} {}{note}", short(&payment.id), payment.direction, payment.state);
    ui.line(&clean(&line))
}
