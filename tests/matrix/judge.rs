//! Whether a run was right: both ended alike, the books agree to the unit, and no lock was spent or paid twice.

use crate::seat::Seat;
use crate::time::Time;
use photon::service::{BalanceView, SwapView, TransactionView};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Redeems become final within this, in the world's seconds.
const SETTLED_WITHIN_SECS: u64 = 60;
const LOOK: Duration = Duration::from_millis(400);

/// How a swap ended, for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Each has what the other paid.
    Completed,
    /// Whoever had paid in has it back.
    Refunded,
    /// Nobody paid in, or nothing was agreed.
    Void,
}

pub type Held = BTreeMap<String, BalanceView>;

/// How it ended, if that is alike for both. A party that never paid in says `void` where the other took its own back.
pub fn outcome(views: &(Option<SwapView>, Option<SwapView>)) -> Result<Ended, String> {
    let word = |view: &Option<SwapView>| view.as_ref().map_or("void".to_owned(), |view| view.outcome.clone().unwrap_or_default());
    let words = (word(&views.0), word(&views.1));
    match (words.0.as_str(), words.1.as_str()) {
        ("completed", "completed") => Ok(Ended::Completed),
        ("void", "void") => Ok(Ended::Void),
        ("refunded", "refunded" | "void") | ("void", "refunded") => Ok(Ended::Refunded),
        (alice, bob) => Err(format!("not alike: Alice says {alice}, Bob says {bob}: {views:#?}")),
    }
}

/// What a party holds, once nothing of it is on its way.
pub async fn settled(seat: &Seat, time: &Time) -> Result<Held, String> {
    let until = time.now() + SETTLED_WITHIN_SECS;
    let mut last = String::new();
    while time.now() <= until {
        match seat.held().await {
            Ok(held) if held.values().all(|one| one.incoming.is_zero() && one.locked.is_zero()) => return Ok(held),
            Ok(held) => last = format!("{held:?}"),
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(format!("{} does not come to rest: {last}", seat.party.name))
}

/// Waits until a party holds what it held, less what it gave and its fees, and with what it got. To the unit.
pub async fn balanced(seat: &Seat, time: &Time, before: Held, gave: &[(&str, u128)], got: &[(&str, u128)]) -> Result<(), String> {
    let until = time.now() + SETTLED_WITHIN_SECS;
    loop {
        match is_balanced(seat, &before, gave, got).await {
            Ok(()) => return Ok(()),
            Err(why) if time.now() > until => return Err(why),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Whether a party holds that now.
pub async fn is_balanced(seat: &Seat, before: &Held, gave: &[(&str, u128)], got: &[(&str, u128)]) -> Result<(), String> {
    let wrong = match seat.held().await {
        Ok(after) => wrong(before, &after, gave, got),
        Err(error) => vec![format!("{error:#}")],
    };
    if wrong.is_empty() { Ok(()) } else { Err(format!("the books of {} don't balance: {wrong:#?}", seat.party.name)) }
}

fn wrong(before: &Held, after: &Held, gave: &[(&str, u128)], got: &[(&str, u128)]) -> Vec<String> {
    let units = |amount: photon_chains::Amount| i128::try_from(amount.units()).unwrap();
    let total = |held: &BalanceView| units(held.available) + units(held.incoming) + units(held.locked);
    let sum = |of: &[(&str, u128)], asset: &str| -> i128 {
        of.iter().filter(|(what, _)| *what == asset).map(|(_, units)| i128::try_from(*units).unwrap()).sum()
    };
    let mut wrong = Vec::new();
    // What else is in channels has books of its own, which both sides of each must agree to.
    let is_named = |asset: &str| gave.iter().chain(got).any(|(named, _)| *named == asset);
    for (asset, after) in after.iter().filter(|(asset, held)| !held.ledger.is_channel() || is_named(asset)) {
        let before = &before[asset];
        let due = total(before) - (units(after.fees_paid) - units(before.fees_paid)) + sum(got, asset) - sum(gave, asset);
        if due != total(after) || !after.incoming.is_zero() || !after.locked.is_zero() {
            wrong.push(format!("{asset}: {due} is due, and there is {after:?}"));
        }
    }
    wrong
}

/// Of each lock at most one funding, one redeem and one refund is mined, never a redeem and a refund, never a funding that was
/// cancelled. Those that only carry another one into a block do not count.
pub fn each_meaning_once(views: &(Option<SwapView>, Option<SwapView>), carriers: &BTreeSet<String>) -> Result<(), String> {
    for leg in 0..2 {
        let legs = [&views.0, &views.1].into_iter().flatten().map(|view| &view.legs[leg]);
        let counts = |tx: &&TransactionView| tx.state == "mined" && !carriers.contains(&tx.txid.to_string());
        let mined: Vec<&str> = legs.flat_map(|leg| &leg.transactions).filter(counts).map(|tx| tx.purpose.as_str()).collect();
        let count = |purpose: &str| mined.iter().filter(|other| **other == purpose).count();
        // A token's funding has its allowance beside it, under the same name.
        let fundings = [&views.0, &views.1].into_iter().flatten().map(|view| &view.legs[leg].asset_amount.asset);
        let most_fundings = if fundings.into_iter().any(|asset| asset == "USDX") { 2 } else { 1 };
        let twice = count("fund") > most_fundings || count("redeem") > 1 || count("refund") > 1;
        let against = (count("redeem") > 0 && count("refund") > 0) || (count("fund") > 0 && count("cancel") > 0);
        if twice || against {
            return Err(format!("leg {leg}: mined were {mined:?}: {views:#?}"));
        }
    }
    Ok(())
}

/// Whether all that a party has sent to chains is counted: mined for good, or passed over. Until then what it holds has lost a fee
/// that it has not noted as paid, and what it holds of two assets may be of two blocks.
pub fn is_counted(database: &Path) -> Result<bool, String> {
    let conn = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(words)?;
    conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM transactions WHERE settled_at IS NULL)", [], |row| row.get(0)).map_err(words)
}

/// The transactions in a party's journal that stand on another one of the same meaning, to carry it into a block.
pub fn carriers(database: &Path) -> Result<BTreeSet<String>, String> {
    let conn = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(words)?;
    let carried = "SELECT 1 FROM transactions parent, json_each(child.inputs) input \
                   WHERE parent.intent = child.intent AND input.value LIKE lower(hex(parent.txid)) || ':%'";
    let query = format!("SELECT lower(hex(txid)) FROM transactions child WHERE EXISTS ({carried})");
    let mut query = conn.prepare(&query).map_err(words)?;
    let txids = query.query_map([], |row| row.get(0)).map_err(words)?;
    txids.collect::<Result<_, _>>().map_err(words)
}

/// What a party's journal says in the end: no nonce and no coin of its own was ever signed away to two meanings, save a
/// funding's to its cancel.
pub fn journal_is_sound(database: &Path) -> Result<usize, String> {
    let conn = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(words)?;
    let mut query = conn
        .prepare("SELECT ledger, intent, account, nonce, inputs, ending IS NOT 'replaced' FROM transactions")
        .map_err(words)?;
    let mut meanings: BTreeMap<String, BTreeSet<(String, bool)>> = BTreeMap::new();
    let mut rows = query.query([]).map_err(words)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(words)? {
        count += 1;
        let text = |column: usize| row.get::<_, String>(column).map_err(words);
        let (ledger, intent) = (text(0)?, text(1)?);
        let alive: bool = row.get(5).map_err(words)?;
        let nonce: Option<u64> = row.get(3).map_err(words)?;
        let inputs: Vec<String> = serde_json::from_str(&text(4)?).map_err(words)?;
        let spent = inputs.into_iter().chain(nonce.map(|nonce| format!("nonce {nonce}")));
        for spent in spent {
            meanings.entry(format!("{ledger} {spent}")).or_default().insert((intent.clone(), alive));
        }
    }
    for (spent, intents) in meanings {
        let is_cancel = intents.iter().any(|(intent, _)| intent.starts_with("cancel"));
        let alive: BTreeSet<_> = intents.iter().filter(|(_, alive)| *alive).map(|(intent, _)| intent).collect();
        if alive.len() > 1 && !is_cancel {
            return Err(format!("{spent} was given to {intents:?}"));
        }
    }
    Ok(count)
}

/// Whether a party's owner was told of something that is named so.
pub fn has_heard(database: &Path, what: &str, name: &str) -> Result<bool, String> {
    let conn = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(words)?;
    let query = "SELECT EXISTS (SELECT 1 FROM events WHERE body ->> 'what' = ?1 AND body ->> 'id' = ?2)";
    conn.query_row(query, (what, name), |row| row.get(0)).map_err(words)
}

/// The end of a log.
pub fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
