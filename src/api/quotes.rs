//! `/v1/pairs`, `/v1/quotes`, and an agreement by its own three messages.

use super::body::Json;
use super::problem::Problem;
use super::server::App;
use crate::service::{AcceptanceView, NewAcceptance, NewProposal, NewQuote, PairView, ProposalView, QuoteView, ServiceError};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The pairs that we quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairList {
    /// One for each pair and direction, in the order of the configuration.
    pub pairs: Vec<PairView>,
}

/// The pairs that we quote, with price, limits and spread as they are now.
#[utoipa::path(get, path = "/v1/pairs", operation_id = "listPairs", tag = "quotes", responses((status = 200, body = PairList)))]
pub(super) async fn pairs(State(app): State<App>) -> Result<axum::Json<PairList>, Problem> {
    Ok(axum::Json(PairList { pairs: app.service.pairs().await? }))
}

/// A fresh quote. It reserves nothing, stands for seconds, and may be taken once. Not durable: no Idempotency-Key is needed.
#[utoipa::path(post, path = "/v1/quotes", operation_id = "createQuote", tag = "quotes", request_body = NewQuote,
    responses((status = 201, body = QuoteView)))]
pub(super) async fn quote(State(app): State<App>, body: Json<NewQuote>) -> Result<(StatusCode, axum::Json<QuoteView>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(app.service.quote(body.value).await?)))
}

/// Terms for a taker that holds keys of its own: the answer to its signed half. Nothing is reserved yet.
#[utoipa::path(post, path = "/v1/proposals", operation_id = "createProposal", tag = "quotes", request_body = NewProposal,
    responses((status = 201, body = ProposalView)))]
pub(super) async fn propose(
    State(app): State<App>,
    body: Json<NewProposal>,
) -> Result<(StatusCode, axum::Json<ProposalView>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(app.service.propose(body.value).await?)))
}

/// Agrees to proposed terms: when this answers, the swap is durable and its reserves are locked. The swap's id is the key: repeated,
/// it is not done twice and gets the same answer.
#[utoipa::path(post, path = "/v1/acceptances", operation_id = "createAcceptance", tag = "quotes", request_body = NewAcceptance,
    responses((status = 201, body = AcceptanceView)))]
pub(super) async fn accept(
    State(app): State<App>,
    body: Json<NewAcceptance>,
) -> Result<(StatusCode, axum::Json<AcceptanceView>), Problem> {
    // A caller that hangs up must not stop it half-way.
    let task = tokio::spawn(async move {
        // Counted, so that a shutdown waits for it.
        let room = app.creating.clone().acquire_owned().await;
        let accepted = app.service.accept(body.value).await;
        drop(room);
        accepted
    });
    let broke_off = |_| ServiceError::Internal("it broke off: send it again".to_owned());
    Ok((StatusCode::CREATED, axum::Json(task.await.map_err(broke_off)??)))
}
