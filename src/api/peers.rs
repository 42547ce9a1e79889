//! `/v1/peers`.

use super::body::Json;
use super::once::once;
use super::params::IdempotencyKey;
use super::problem::Problem;
use super::server::App;
use crate::service::{NewPeer, PeerView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerList {
    /// The peers we know.
    pub peers: Vec<PeerView>,
}

/// Peers we know, and strangers that swapped with us last, at most 200.
#[utoipa::path(get, path = "/v1/peers", operation_id = "listPeers", tag = "peers", responses((status = 200, body = PeerList)))]
pub(super) async fn list(State(app): State<App>) -> Result<axum::Json<PeerList>, Problem> {
    Ok(axum::Json(PeerList { peers: app.service.peers().await? }))
}

/// Remembers a peer, and a name of our own for it. Needs `admin`: whoever sets a name chooses with whom others trade.
#[utoipa::path(post, path = "/v1/peers", operation_id = "addPeer", tag = "peers", request_body = NewPeer,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = PeerView)))]
pub(super) async fn add(State(app): State<App>, key: IdempotencyKey, body: Json<NewPeer>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.add_peer(value).await).await
}
