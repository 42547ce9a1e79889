//! Ids for people: shown short, and found again by any beginning that means only one.

use super::client::Client;
use super::error::CliError;
use crate::service::{ChannelAt, ChannelQuery, PaymentQuery, SwapQuery};
use photon_chains::Ledger;

const LEAST_CHARS: usize = 4;
const PAGE: u32 = 200;
const MAX_PAGES: u32 = 100;

/// The first digits of an id, enough to tell one's own swaps apart.
pub(super) fn short(id: &str) -> String {
    id.chars().take(10).collect()
}

/// A typed id, or the beginning of one. Clap shows why it is none.
pub(super) fn typed(text: &str) -> Result<String, String> {
    let hex = text.bytes().all(|c| c.is_ascii_hexdigit());
    if hex && (LEAST_CHARS..=64).contains(&text.len()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("an id is 64 hex digits, or the first {LEAST_CHARS} or more of them"))
}

/// The one id that begins so.
pub(super) fn pick(beginning: &str, what: &str, ids: impl Iterator<Item = String>) -> Result<String, CliError> {
    let mut found: Vec<String> = ids.filter(|id| id.starts_with(beginning)).collect();
    found.sort();
    found.dedup();
    match (found.pop(), found.as_slice()) {
        (Some(id), []) => Ok(id),
        (Some(_), more) => {
            Err(CliError::Usage(format!("{} {what}s begin with {beginning}: write more of the id", more.len() + 1)))
        }
        (None, _) => Err(CliError::Failed(format!("there is no {what} whose id begins with {beginning}"))),
    }
}

/// A swap's whole id.
pub(super) async fn swap(client: &Client, beginning: &str) -> Result<String, CliError> {
    if beginning.len() == 64 {
        return Ok(beginning.to_owned());
    }
    let mut ids = Vec::new();
    let mut query = SwapQuery { limit: Some(PAGE), ..SwapQuery::default() };
    for _ in 0..MAX_PAGES {
        let page = client.swaps(&query).await?;
        ids.extend(page.swaps.into_iter().map(|swap| swap.id));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    pick(beginning, "swap", ids.into_iter())
}

/// A typed channel: the beginning of its id, and where that means two, the ledger before it: `smt:3fa9`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypedChannel {
    ledger: Option<Ledger>,
    beginning: String,
}

impl std::str::FromStr for TypedChannel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (ledger, id) = match text.split_once(':') {
            Some((ledger, id)) => (Some(super::parse::ledger(ledger).map_err(|error| error.to_string())?), id),
            None => (None, text),
        };
        Ok(Self { ledger, beginning: typed(id)? })
    }
}

/// A channel's whole name.
pub(super) async fn channel(client: &Client, typed: &TypedChannel) -> Result<ChannelAt, CliError> {
    if let (Some(ledger), 64) = (typed.ledger, typed.beginning.len()) {
        return Ok(ChannelAt { ledger, id: typed.beginning.clone() });
    }
    let mut names = Vec::new();
    let mut query = ChannelQuery { state: Some("all".to_owned()), limit: Some(PAGE), ..ChannelQuery::default() };
    for _ in 0..MAX_PAGES {
        let page = client.channels(&query).await?;
        names.extend(page.channels.into_iter().map(|channel| ChannelAt { ledger: channel.ledger, id: channel.id }));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    names.retain(|name| typed.ledger.is_none_or(|ledger| ledger == name.ledger));
    let id = pick(&typed.beginning, "channel", names.iter().map(|name| name.id.clone()))?;
    let mut found = names.into_iter().filter(|name| name.id == id);
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name),
        (_, _) => Err(CliError::Usage(format!("two ledgers have a channel {id}: write ethereum:{id} or smt:{id}"))),
    }
}

/// A payment's whole id.
pub(super) async fn payment(client: &Client, beginning: &str) -> Result<String, CliError> {
    if beginning.len() == 32 {
        return Ok(beginning.to_owned());
    }
    if beginning.len() > 32 {
        return Err(CliError::Usage("a payment's id is 32 hex digits, or the first of them".to_owned()));
    }
    let mut ids = Vec::new();
    let mut query = PaymentQuery { limit: Some(PAGE), ..PaymentQuery::default() };
    for _ in 0..MAX_PAGES {
        let page = client.payments(&query).await?;
        ids.extend(page.payments.into_iter().map(|payment| payment.id));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    pick(beginning, "payment", ids.into_iter())
}

/// A request's whole hash.
pub(super) async fn request(client: &Client, beginning: &str) -> Result<String, CliError> {
    if beginning.len() == 64 {
        return Ok(beginning.to_owned());
    }
    let requests = client.payment_requests().await?;
    pick(beginning, "request", requests.into_iter().map(|request| request.secret_hash.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_beginning_must_mean_one() {
        let ids = || ["abcd1".to_owned(), "abcd2".to_owned(), "ffff0".to_owned()].into_iter();
        assert_eq!(pick("ffff", "swap", ids()).unwrap(), "ffff0");
        assert_eq!(pick("ffff", "swap", ids().chain(ids())).unwrap(), "ffff0");
        assert_eq!(pick("abcd", "swap", ids()).unwrap_err().exit_code(), 2);
        assert_eq!(pick("1234", "swap", ids()).unwrap_err().exit_code(), 1);
        for bad in ["", "abc", "xyzw", "0xab", &"a".repeat(65)] {
            assert!(typed(bad).is_err(), "{bad}");
        }
        assert_eq!(typed("3FA9").unwrap(), "3fa9");
    }
}
