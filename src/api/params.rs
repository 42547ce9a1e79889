//! What stands in a path, a query or a header, parsed before a handler sees it.

use super::body::{bounded, check_peer, parse_id};
use super::problem::{Kind, Problem};
use crate::service::ChannelAt;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use photon_chains::{Ledger, SecretHash};
use serde::de::DeserializeOwned;

async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let found = Path::<String>::from_request_parts(parts, state).await;
    found.map(|path| path.0).map_err(|_| Problem::new(Kind::Malformed, "the path is not plain text"))
}

/// `{id}`: 64 hex digits.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        parse_id(&text).map(Self).ok_or_else(|| Problem::new(Kind::Malformed, "an id is 64 hex digits"))
    }
}

/// `{peer}`: an alias, an identity, or `0x…@host:port`.
pub(super) struct PeerName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PeerName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        check_peer(&text).map_err(|detail| Problem::new(Kind::Malformed, detail))?;
        Ok(Self(text))
    }
}

/// `{ledger}`: its name.
pub(super) struct LedgerName(pub Ledger);

impl<S: Send + Sync> FromRequestParts<S> for LedgerName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        text.parse().map(Self).map_err(|error| Problem::new(Kind::NotFound, format!("{error}")))
    }
}

/// `{ledger}/{id}`: a channel.
pub(super) struct ChannelName(pub ChannelAt);

impl<S: Send + Sync> FromRequestParts<S> for ChannelName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (ledger, id) = found.map_err(|_| Problem::new(Kind::Malformed, "the path is not plain text"))?.0;
        let ledger = ledger.parse().map_err(|error| Problem::new(Kind::NotFound, format!("{error}")))?;
        let id = parse_id(&id).ok_or_else(|| Problem::new(Kind::Malformed, "a channel's id is 64 hex digits"))?;
        Ok(Self(ChannelAt { ledger, id }))
    }
}

/// `{payment}`: 32 hex digits.
pub(super) struct PaymentName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PaymentName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        if !bounded(&text, 32..=32, |c| c.is_ascii_hexdigit()) {
            return Err(Problem::new(Kind::Malformed, "a payment's id is 32 hex digits"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// `{hash}`: 64 hex digits.
pub(super) struct HashName(pub SecretHash);

impl<S: Send + Sync> FromRequestParts<S> for HashName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        let hash = parse_id(&text).and_then(|text| text.parse().ok());
        hash.map(Self).ok_or_else(|| Problem::new(Kind::Malformed, "a request is named by its hash, 64 hex digits"))
    }
}

/// The form of a page that is asked for.
pub(super) fn plain_cursor(limit: Option<u32>, after: Option<&str>) -> Result<(), Problem> {
    if limit.is_some_and(|limit| !(1..=200).contains(&limit)) {
        return Err(Problem::new(Kind::Malformed, "limit is 1 to 200"));
    }
    if !after.is_none_or(|after| bounded(after, 0..=128, |c| c.is_ascii_graphic())) {
        return Err(Problem::new(Kind::Malformed, "after is the `next` of the page before, as it was given"));
    }
    Ok(())
}

/// The query, with no field that is not known.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| Problem::new(Kind::Malformed, error.body_text()))
    }
}

/// `Idempotency-Key`, with the request that it belongs to.
pub(super) struct IdempotencyKey {
    pub key: String,
    pub method: String,
    pub path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all("idempotency-key").iter();
        let key = given.next().and_then(|value| value.to_str().ok());
        let fits = |key: &&str| (1..=128).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic());
        match (key.filter(fits), given.next()) {
            (Some(key), None) => {
                Ok(Self { key: key.to_owned(), method: parts.method.to_string(), path: parts.uri.path().to_owned() })
            }
            (Some(_) | None, _) => Err(Problem::new(
                Kind::Malformed,
                "this request creates something, so it needs one header Idempotency-Key: 1 to 128 visible characters of \
                 your choice (a fresh random one for each wish); sent again with the same key within a day, it is not done twice",
            )),
        }
    }
}
