//! The balance sheet, the report file, and the closing line.

use super::cast::{Balances, Cast};
use super::legs;
use super::payments::Tally;
use super::plan::{Fault, Planned};
use super::run::Done;
use crate::service::{BalanceView, SwapView};
use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use photon_chains::{Amount, UnixTime};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Everything that came of a run.
pub(super) struct Report {
    started_at: UnixTime,
    took: Duration,
    swaps: Vec<Done>,
    before: Balances,
    after: Balances,
}

impl Report {
    pub(super) async fn new(
        started_at: UnixTime,
        took: Duration,
        cast: &Cast,
        mut swaps: Vec<Done>,
        before: Balances,
        after: Balances,
    ) -> anyhow::Result<Self> {
        // Once more, now that every transaction has settled.
        let (alice, bob) = (cast.alice.swaps().await?, cast.bob.swaps().await?);
        let newer = |views: &[SwapView], id: &str| views.iter().find(|view| view.id == id).cloned();
        for done in &mut swaps {
            done.alice = newer(&alice, &done.alice.id).context("a swap is missing")?;
            done.maker = newer(&bob, &done.alice.id);
        }
        Ok(Self { started_at, took, swaps, before, after })
    }

    /// Completed and refunded swaps, and those in which somebody lost: judged by both sides' own words, and by the coins.
    fn counts(&self) -> (usize, usize, usize) {
        let ended = |done: &Done, outcome: &str| {
            let is = |view: &SwapView| view.outcome.as_deref() == Some(outcome);
            is(&done.alice) && done.maker.as_ref().is_none_or(is)
        };
        let completed = self.swaps.iter().filter(|done| ended(done, "completed")).count();
        let refunded = self.swaps.iter().filter(|done| ended(done, "refunded")).count();
        (completed, refunded, self.swaps.len() - completed - refunded)
    }

    /// True if everything ended as planned, and the coins agree to the unit.
    pub(super) fn is_good(&self) -> bool {
        let planned_refunds = self.swaps.iter().filter(|done| done.planned.fault == Fault::MakerGone).count();
        self.counts() == (self.swaps.len() - planned_refunds, planned_refunds, 0) && self.discrepancies().is_empty()
    }

    /// `16 swaps: 15 completed, 1 refunded, 0 lost`.
    pub(super) fn closing_line(&self) -> String {
        let (completed, refunded, lost) = self.counts();
        format!("{} swaps: {completed} completed, {refunded} refunded, {lost} lost", self.swaps.len())
    }

    /// Where a balance is not what it was, plus what came, minus what went and the fees that the transactions paid.
    fn discrepancies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for ((party, asset), after) in &self.after {
            let Some(before) = self.before.get(&(party.clone(), asset.clone())) else { continue };
            let fees = fees_between(before, after);
            let expected = self.expected(party, asset, total(before)) - signed(fees);
            if expected != signed(total(after)) {
                found.push(format!("{party} should hold {expected} {asset} (smallest units) and holds {}", total(after)));
            }
        }
        found
    }

    /// What a party should hold before fees: every completed swap paid and received.
    fn expected(&self, party: &str, asset: &str, before: Amount) -> i128 {
        let completed = self.swaps.iter().filter(|done| done.alice.outcome.as_deref() == Some("completed"));
        completed.fold(signed(before), |sum, done| {
            let Planned { pay, get, .. } = &done.planned;
            let change = |side: &(String, Amount)| if side.0 == asset { signed(side.1) } else { 0 };
            let alice = change(get) - change(pay);
            if party == "alice" { sum + alice } else { sum - alice }
        })
    }

    /// Each party, each asset: before, after, fees.
    pub(super) fn sheet(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_header(["party", "asset", "before", "after", "change", "fees paid"]);
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for ((party, asset), after) in &self.after {
            let Some(before) = self.before.get(&(party.clone(), asset.clone())) else { continue };
            let coins = |amount: Amount| amount.coins(after.decimals);
            let (was, is) = (total(before), total(after));
            if was.is_zero() && is.is_zero() {
                continue;
            }
            let change = match is.checked_sub(was) {
                Some(more) => format!("+{}", coins(more)),
                None => format!("-{}", coins(was.checked_sub(is).unwrap_or_default())),
            };
            table.add_row([
                party.as_str(),
                asset.as_str(),
                &coins(was),
                &coins(is),
                &change,
                &coins(fees_between(before, after)),
            ]);
        }
        let mut text = format!("\n{table}\n");
        for line in self.discrepancies() {
            text += &format!("NOT RIGHT: {line}\n");
        }
        text
    }

    /// Writes everything as JSON.
    pub(super) fn write(&self, path: &Path, payments: &Tally, legs: &legs::Tally) -> anyhow::Result<()> {
        let (completed, refunded, lost) = self.counts();
        let report = json!({
            "started_at": self.started_at,
            "took_secs": self.took.as_secs_f64(),
            "completed": completed,
            "refunded": refunded,
            "lost": lost,
            "payments": { "sent": payments.sent, "received": payments.received, "lost": payments.lost() },
            "legs": legs,
            "discrepancies": self.discrepancies(),
            "swaps": self.swaps.iter().map(swap).collect::<Vec<_>>(),
            "balances": self.after.iter().map(|((party, asset), after)| {
                let before = self.before.get(&(party.clone(), asset.clone()));
                json!({
                    "party": party,
                    "asset": asset,
                    "before": before.map(total),
                    "after": total(after),
                    "fees_paid": before.map(|before| fees_between(before, after)),
                })
            }).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
    }
}

fn swap(done: &Done) -> Value {
    let side = |(asset, amount): &(String, Amount)| json!({ "asset": asset, "amount": amount });
    json!({
        "id": done.alice.id,
        "pays": side(&done.planned.pay),
        "gets": side(&done.planned.get),
        "fault": match done.planned.fault {
            Fault::None => Value::Null,
            Fault::MakerGone => "the maker is killed for good once Alice has funded".into(),
            Fault::AliceKilled => "Alice is killed with both legs funded, and started again".into(),
        },
        "outcome": done.alice.outcome,
        "took_secs": done.took.as_secs_f64(),
        "alice": done.alice,
        "maker": done.maker,
    })
}

/// All that is a party's: free, coming in, and standing in its own locks.
fn total(balance: &BalanceView) -> Amount {
    let parts = [balance.available, balance.incoming, balance.locked];
    parts.iter().fold(Amount::ZERO, |sum, part| sum.checked_add(*part).unwrap_or(Amount::MAX))
}

fn fees_between(before: &BalanceView, after: &BalanceView) -> Amount {
    after.fees_paid.checked_sub(before.fees_paid).unwrap_or_default()
}

fn signed(amount: Amount) -> i128 {
    i128::try_from(amount.units()).unwrap_or(i128::MAX)
}
