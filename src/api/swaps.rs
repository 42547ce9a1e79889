//! `/v1/swaps`.

use super::body::Json;
use super::once::once;
use super::params::{Asked, Id, IdempotencyKey, plain_cursor};
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{
    DraftView, NewApproval, NewDraft, NewSwap, PaymentView, RelayedView, SignedPayment, SwapPage, SwapQuery, SwapView,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Swaps, newest first, a page at a time.
#[utoipa::path(get, path = "/v1/swaps", operation_id = "listSwaps", tag = "swaps",
    params(
        ("state" = Option<String>, Query, description = "`live`, `ended` or `all` (the default)"),
        ("limit" = Option<u32>, Query, description = "at most so many, 1 to 200; 50 if not said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before"),
        ("peer" = Option<String>, Query, description = "only those with this identity, 0x and 40 hex digits")),
    responses((status = 200, body = SwapPage)))]
pub(super) async fn list(State(app): State<App>, query: Asked<SwapQuery>) -> Result<axum::Json<SwapPage>, Problem> {
    let query = query.0;
    if !matches!(query.state.as_deref(), None | Some("live" | "ended" | "all")) {
        return Err(Problem::new(Kind::Malformed, "state is live, ended or all"));
    }
    plain_cursor(query.limit, query.after.as_deref())?;
    Ok(axum::Json(app.service.swaps(query).await?))
}

/// Takes a peer's offer. Answers once both signatures are durable here; what follows is seen in the swap and its events.
#[utoipa::path(post, path = "/v1/swaps", operation_id = "startSwap", tag = "swaps", request_body = NewSwap,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = SwapView)))]
pub(super) async fn start(State(app): State<App>, key: IdempotencyKey, body: Json<NewSwap>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.start_swap(value).await).await
}

/// What any wallet may pay, so that a swap begins: an address with its BIP-21 link, QR code and PSBT, or a call with its EIP-681 link. For takers
/// that hold keys of their own, and for swaps of ours that are funded from `outside`.
#[utoipa::path(get, path = "/v1/swaps/{id}/payment", operation_id = "showPayment", tag = "swaps",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = PaymentView)))]
pub(super) async fn payment(State(app): State<App>, id: Id) -> Result<axum::Json<PaymentView>, Problem> {
    Ok(axum::Json(app.service.payment(&id.0).await?))
}

/// Draws up what the payment says as a transaction out of coins of your wallet, for it to sign. Bitcoin and Litecoin only. It binds nobody:
/// no Idempotency-Key is needed.
#[utoipa::path(post, path = "/v1/swaps/{id}/payment/psbt", operation_id = "draftPayment", tag = "swaps", request_body = NewDraft,
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = DraftView)))]
pub(super) async fn draft(State(app): State<App>, id: Id, body: Json<NewDraft>) -> Result<axum::Json<DraftView>, Problem> {
    Ok(axum::Json(app.service.draft_payment(&id.0, body.value).await?))
}

/// Hands a signed payment to our node, which sends it on: the drawn-up one, or one that your wallet made itself. Refused is one that does not
/// pay the lock exactly, once. The same twice is harmless.
#[utoipa::path(post, path = "/v1/swaps/{id}/payment", operation_id = "relayPayment", tag = "swaps", request_body = SignedPayment,
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = RelayedView)))]
pub(super) async fn relay(State(app): State<App>, id: Id, body: Json<SignedPayment>) -> Result<axum::Json<RelayedView>, Problem> {
    Ok(axum::Json(app.service.relay_payment(&id.0, body.value).await?))
}

/// Answers a swap that asks before our own lock (`ask_before_lock` in the configuration). The answer is durable; the same twice is
/// harmless.
#[utoipa::path(post, path = "/v1/swaps/{id}/approval", operation_id = "approveSwap", tag = "swaps", request_body = NewApproval,
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = SwapView)))]
pub(super) async fn approve(State(app): State<App>, id: Id, body: Json<NewApproval>) -> Result<axum::Json<SwapView>, Problem> {
    Ok(axum::Json(app.service.approve(&id.0, body.value).await?))
}

/// One swap.
#[utoipa::path(get, path = "/v1/swaps/{id}", operation_id = "showSwap", tag = "swaps",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = SwapView)))]
pub(super) async fn show(State(app): State<App>, id: Id) -> Result<axum::Json<SwapView>, Problem> {
    Ok(axum::Json(app.service.swap(&id.0).await?))
}
