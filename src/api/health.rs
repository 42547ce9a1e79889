//! `/v1/health` and `/metrics`.

use super::problem::Problem;
use super::server::App;
use crate::service::HealthView;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

/// How the node and its ledgers are doing. Answers 200 also when not healthy: `healthy` says it.
#[utoipa::path(get, path = "/v1/health", operation_id = "health", tag = "node", responses((status = 200, body = HealthView)))]
pub(super) async fn health(State(app): State<App>) -> Result<axum::Json<HealthView>, Problem> {
    Ok(axum::Json(app.service.health().await?))
}

/// Counts and sums for Prometheus; no ids, amounts or peers.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "node",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.service.metrics())
}
