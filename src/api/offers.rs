//! `/v1/offers`, and peers' offers.

use super::body::{Json, NoBody, check_asset};
use super::once::once;
use super::params::{Asked, Id, IdempotencyKey, PeerName};
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{NewOffer, OfferPair, OfferView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Offers, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferList {
    /// The offers.
    pub offers: Vec<OfferView>,
}

/// Whose offers, and of what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    of: Option<Whose>,
    give: Option<String>,
    want: Option<String>,
}

/// Of what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfWhat {
    give: Option<String>,
    want: Option<String>,
}

/// Whose offers are asked for.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Whose {
    Us,
    Network,
}

fn pair(give: Option<String>, want: Option<String>) -> Result<OfferPair, Problem> {
    for (field, asset) in [("give", &give), ("want", &want)] {
        if let Some(asset) = asset {
            check_asset(field, asset).map_err(|detail| Problem::new(Kind::Malformed, detail))?;
        }
    }
    Ok(OfferPair { give, want })
}

/// Our own offers, or those of other makers that connected nodes told of; newest first, at most 200 of ours and 2,000 of others. Those of
/// others are what their makers signed some minutes ago: taking one asks its maker.
#[utoipa::path(get, path = "/v1/offers", operation_id = "listOffers", tag = "offers",
    params(
        ("of" = Option<String>, Query, description = "`us` (the default) or `network`"),
        ("give" = Option<String>, Query, description = "only what gives this asset: `BTC`, a token's symbol, or `ethereum:0x…`"),
        ("want" = Option<String>, Query, description = "only what wants this asset")
    ),
    responses((status = 200, body = OfferList)))]
pub(super) async fn list(State(app): State<App>, query: Asked<Of>) -> Result<axum::Json<OfferList>, Problem> {
    let Of { of, give, want } = query.0;
    let pair = pair(give, want)?;
    let offers = match of {
        None | Some(Whose::Us) => app.service.offers(&pair).await?,
        Some(Whose::Network) => app.service.heard_offers(&pair).await?,
    };
    Ok(axum::Json(OfferList { offers }))
}

/// Publishes an offer: so much of one asset for so much of another, taken whole.
#[utoipa::path(post, path = "/v1/offers", operation_id = "createOffer", tag = "offers", request_body = NewOffer,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = OfferView)))]
pub(super) async fn create(State(app): State<App>, key: IdempotencyKey, body: Json<NewOffer>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.create_offer(value).await).await
}

/// Takes an open offer back.
#[utoipa::path(delete, path = "/v1/offers/{id}", operation_id = "cancelOffer", tag = "offers",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = OfferView)))]
pub(super) async fn cancel(State(app): State<App>, id: Id, _: NoBody) -> Result<axum::Json<OfferView>, Problem> {
    Ok(axum::Json(app.service.cancel_offer(&id.0).await?))
}

/// A peer's open offers, asked of the peer now.
#[utoipa::path(get, path = "/v1/peers/{peer}/offers", operation_id = "listPeerOffers", tag = "offers",
    params(
        ("peer" = String, Path, description = "an alias, an identity, or 0x…@host:port"),
        ("give" = Option<String>, Query, description = "only what gives this asset: `BTC`, a token's symbol, or `ethereum:0x…`"),
        ("want" = Option<String>, Query, description = "only what wants this asset")
    ),
    responses((status = 200, body = OfferList)))]
pub(super) async fn of_peer(
    State(app): State<App>,
    peer: PeerName,
    query: Asked<OfWhat>,
) -> Result<axum::Json<OfferList>, Problem> {
    let OfWhat { give, want } = query.0;
    Ok(axum::Json(OfferList { offers: app.service.peer_offers(&peer.0, &pair(give, want)?).await? }))
}
