//! `/v1/webhooks`: where events are posted to.

use super::body::{Json, NoBody};
use super::once::once;
use super::params::{Id, IdempotencyKey};
use super::problem::Problem;
use super::server::App;
use crate::service::{NewWebhook, ReplayFrom, WebhookView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// All of them, oldest first.
    pub webhooks: Vec<WebhookView>,
}

/// Where events are posted to, and how far each has taken them.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "listWebhooks", tag = "webhooks", responses((status = 200, body = WebhookList)))]
pub(super) async fn list(State(app): State<App>) -> Result<axum::Json<WebhookList>, Problem> {
    Ok(axum::Json(WebhookList { webhooks: app.service.webhooks().await? }))
}

/// Has what happens from now on posted there: `{"webhook": id, "events": [EventView, …]}`, at most 100 at a time, in order, until each
/// post is answered with 2xx. An event may come twice (its `seq` says so) and never goes missing. `Photon-Signature: t=<unix>,v1=<hex>`
/// is the HMAC-SHA256 of `<t>.<body>` under the secret.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "createWebhook", tag = "webhooks", request_body = NewWebhook,
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible characters of your choice; for a day, the same key never does it twice")),
    responses((status = 201, body = WebhookView)))]
pub(super) async fn create(State(app): State<App>, key: IdempotencyKey, body: Json<NewWebhook>) -> Response {
    let Json { value, bytes } = body;
    once(&app, key, &bytes, StatusCode::CREATED, async move |service| service.create_webhook(value).await).await
}

/// Forgets a webhook.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", operation_id = "removeWebhook", tag = "webhooks",
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = WebhookView)))]
pub(super) async fn remove(State(app): State<App>, id: Id, _: NoBody) -> Result<axum::Json<WebhookView>, Problem> {
    Ok(axum::Json(app.service.remove_webhook(&id.0).await?))
}

/// Sets a webhook back: everything after that event is posted again, as far as the log still has it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", operation_id = "replayWebhook", tag = "webhooks", request_body = ReplayFrom,
    params(("id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = WebhookView)))]
pub(super) async fn replay(State(app): State<App>, id: Id, body: Json<ReplayFrom>) -> Result<axum::Json<WebhookView>, Problem> {
    Ok(axum::Json(app.service.replay_webhook(&id.0, body.value.after).await?))
}
