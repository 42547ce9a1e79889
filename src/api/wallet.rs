//! `/v1/balances`, `/v1/addresses` and `/v1/sends`.

use super::body::{Json, NoBody};
use super::once::once;
use super::params::{Id, IdempotencyKey, LedgerName};
use super::problem::Problem;
use super::server::App;
use crate::service::{BalanceView, NewSend, SendView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use photon_chains::Ledger;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What we hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceList {
    /// One for every configured asset.
    pub balances: Vec<BalanceView>,
}

/// An address to be paid at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressView {
    /// On which ledger.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// The address as that ledger writes it.
    pub address: String,
}

/// What we hold of every configured asset.
#[utoipa::path(get, path = "/v1/balances", operation_id = "listBalances", tag = "wallet", responses((status = 200, body = BalanceList)))]
pub(super) async fn balances(State(app): State<App>) -> Result<axum::Json<BalanceList>, Problem> {
    Ok(axum::Json(BalanceList { balances: app.service.balances().await? }))
}

/// An address to be paid at; a fresh one where the ledger's wallet makes them. Takes no body.
#[utoipa::path(post, path = "/v1/addresses/{ledger}", operation_id = "newAddress", tag = "wallet",
    params(("ledger" = String, Path, description = "`bitcoin`, `litecoin`, `ethereum` or `smt`")),
    responses((status = 200, body = AddressView)))]
pub(super) async fn address(State(app): State<App>, ledger: LedgerName, _: NoBody) -> Result<axum::Json<AddressView>, Problem> {
    let address = app.service.receive_address(ledger.0).await?;
    Ok(axum::Json(AddressView { ledger: ledger.0, address }))
}

/// Pays from the wallet. The payment is accepted here and made in the background: look at it by its id.
#[utoipa::path(post, path = "/v1/sends", operation_id = "send", tag = "wallet", request_body = NewSend,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 202, body = SendView)))]
pub(super) async fn send(State(app): State<App>, key: IdempotencyKey, body: Json<NewSend>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::ACCEPTED, async move |service| service.send(value).await).await
}

/// One payment.
#[utoipa::path(get, path = "/v1/sends/{id}", operation_id = "showSend", tag = "wallet",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = SendView)))]
pub(super) async fn sent(State(app): State<App>, id: Id) -> Result<axum::Json<SendView>, Problem> {
    Ok(axum::Json(app.service.sent(&id.0).await?))
}
