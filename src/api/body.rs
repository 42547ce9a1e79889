//! Request bodies: JSON, small, of exactly the expected shape, and checked before anything is begun.

use super::problem::{Kind, Problem};
use super::tail::KINDS;
use crate::service::{
    AssetAmount, Draining, NewAcceptance, NewApproval, NewDraft, NewOffer, NewPeer, NewProposal, NewQuote, NewSend, NewSwap,
    NewWebhook, ReplayFrom, SignedPayment,
};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use photon_chains::IN_CHANNEL;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::collections::BTreeSet;
use std::time::Duration;

/// Nothing that we read is nearly as long, but a batch of payments.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(10);

/// What a body must satisfy beyond its shape.
pub(super) trait Check {
    /// What to change, in plain words.
    fn check(&self) -> Result<(), String>;
}

/// A body that was read and checked, and its bytes as they came.
pub(super) struct Json<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + Check, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Kind::NotJson, "send the body as JSON, with Content-Type: application/json"));
        }
        let bytes = read(request, state).await?;
        let value: T = serde_json::from_slice(&bytes).map_err(|error| misread(&error))?;
        value.check().map_err(|detail| Problem::new(Kind::Invalid, detail))?;
        Ok(Self { value, bytes })
    }
}

/// No body at all.
pub(super) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if read(request, state).await?.is_empty() {
            return Ok(Self);
        }
        Err(Problem::new(Kind::Malformed, "this request takes no body: send none"))
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_WAIT, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let most =
                format!("a body has at most {MAX_BODY_BYTES} bytes, a batch of payments {}", super::payments::MAX_BATCH_BYTES);
            Err(Problem::new(Kind::TooLarge, most))
        }
        Ok(Err(_)) => Err(Problem::new(Kind::Malformed, "the body broke off: send it whole")),
        Err(_) => Err(Problem::new(Kind::RequestTimeout, "the body did not come within 10 seconds: send it at once")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn misread(error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => Problem::new(Kind::Invalid, format!("the body has another shape than expected: {error}")),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(Kind::Malformed, format!("the body is not JSON: {error}"))
        }
    }
}

impl Check for NewOffer {
    fn check(&self) -> Result<(), String> {
        check_amount("give", &self.give)?;
        check_amount("want", &self.want)?;
        if !(10..=604_800).contains(&self.valid_secs) {
            return Err("valid_secs: an offer stands for 10 to 604800 seconds (a week)".to_owned());
        }
        Ok(())
    }
}

impl Check for NewSwap {
    fn check(&self) -> Result<(), String> {
        check_peer(&self.peer)?;
        if parse_id(&self.offer).as_deref() != Some(self.offer.as_str()) {
            return Err("offer: an offer's id is 64 lower-case hex digits".to_owned());
        }
        Ok(())
    }
}

impl Check for NewQuote {
    fn check(&self) -> Result<(), String> {
        for (field, asset) in [("give", &self.give), ("want", &self.want)] {
            check_asset(field, asset)?;
        }
        match (self.give_amount, self.want_amount) {
            (Some(amount), None) | (None, Some(amount)) if !amount.is_zero() => {}
            (Some(_) | None, Some(_) | None) => {
                return Err("name one of give_amount and want_amount, and more than nothing".to_owned());
            }
        }
        self.peer.as_deref().map_or(Ok(()), check_peer)
    }
}

impl Check for NewProposal {
    fn check(&self) -> Result<(), String> {
        check_signature(&self.signature)
    }
}

impl Check for NewAcceptance {
    fn check(&self) -> Result<(), String> {
        if parse_id(&self.swap).as_deref() != Some(self.swap.as_str()) {
            return Err("swap: a swap's id is 64 lower-case hex digits".to_owned());
        }
        check_signature(&self.signature)
    }
}

fn check_signature(text: &str) -> Result<(), String> {
    let fits = bounded(text, 130..=130, |c| c.is_ascii_hexdigit());
    if fits { Ok(()) } else { Err("signature: 130 hex digits".to_owned()) }
}

impl Check for NewWebhook {
    fn check(&self) -> Result<(), String> {
        if !bounded(&self.url, 8..=512, |c| c.is_ascii_graphic()) {
            return Err("url: https:// and at most 512 visible characters".to_owned());
        }
        if !bounded(&self.secret, 32..=128, |c| c.is_ascii_graphic() || c == b' ') {
            return Err("secret: 32 to 128 visible characters".to_owned());
        }
        let named: BTreeSet<&str> = self.kinds.iter().map(String::as_str).filter(|kind| KINDS.contains(kind)).collect();
        if named.len() != self.kinds.len() {
            return Err(format!("kinds: some of {}, each once", KINDS.join(", ")));
        }
        Ok(())
    }
}

impl Check for NewDraft {
    fn check(&self) -> Result<(), String> {
        let named: BTreeSet<_> = self.coins.iter().map(|coin| (coin.txid, coin.vout)).collect();
        if named.len() != self.coins.len() || !(1..=32).contains(&named.len()) {
            return Err("coins: 1 to 32, each once".to_owned());
        }
        if !bounded(&self.change_address, 1..=128, |c| c.is_ascii_alphanumeric()) {
            return Err("change_address: an address is 1 to 128 letters and digits".to_owned());
        }
        Ok(())
    }
}

impl Check for SignedPayment {
    fn check(&self) -> Result<(), String> {
        let is_base64 = bounded(&self.psbt, 8..=MAX_BODY_BYTES, |c| c.is_ascii_alphanumeric() || b"+/=".contains(&c));
        if is_base64 { Ok(()) } else { Err("psbt: a PSBT in base64".to_owned()) }
    }
}

impl Check for Draining {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for NewApproval {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for ReplayFrom {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for NewSend {
    fn check(&self) -> Result<(), String> {
        check_amount("pay", &self.pay)?;
        if !bounded(&self.to, 1..=128, |c| c.is_ascii_alphanumeric()) {
            return Err("to: an address is 1 to 128 letters and digits".to_owned());
        }
        Ok(())
    }
}

impl Check for NewPeer {
    fn check(&self) -> Result<(), String> {
        check_peer(&self.address)?;
        if !self.address.contains('@') {
            return Err("address: write it as 0x…@host:port".to_owned());
        }
        match &self.alias {
            Some(alias) if !bounded(alias, 1..=32, |c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') => {
                Err("alias: 1 to 32 letters, digits, `-` or `_`".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }
}

pub(super) fn check_amount(field: &str, amount: &AssetAmount) -> Result<(), String> {
    if amount.amount.is_zero() {
        return Err(format!("{field}: the amount is nothing"));
    }
    check_asset(field, &amount.asset)
}

/// The form of an asset's name. Which it is, the service knows.
pub(super) fn check_asset(field: &str, asset: &str) -> Result<(), String> {
    let name = asset.strip_suffix(IN_CHANNEL).unwrap_or(asset);
    if !bounded(name, 1..=64, |c| c.is_ascii_alphanumeric() || c == b':') {
        return Err(format!(
            "{field}: no such asset; write a ticker, a configured token's symbol, or ethereum:0x…, with {IN_CHANNEL} behind it for \
             what is in channels"
        ));
    }
    Ok(())
}

/// The form of a peer's name: an alias, an identity, or `0x…@host:port`. Who it is, the service knows.
pub(super) fn check_peer(peer: &str) -> Result<(), String> {
    if bounded(peer, 1..=320, |c| c.is_ascii_alphanumeric() || b"-_.:@[]".contains(&c)) {
        return Ok(());
    }
    Err("a peer is written 0x…@host:port, or as the alias or identity of a peer you know".to_owned())
}

/// An id in its one spelling: 64 lower-case hex digits.
pub(super) fn parse_id(text: &str) -> Option<String> {
    bounded(text, 64..=64, |c| c.is_ascii_hexdigit()).then(|| text.to_ascii_lowercase())
}

/// Whether a text has so many characters, and none but these.
pub(super) fn bounded(text: &str, chars: std::ops::RangeInclusive<usize>, allowed: impl Fn(u8) -> bool) -> bool {
    chars.contains(&text.len()) && text.bytes().all(allowed)
}
