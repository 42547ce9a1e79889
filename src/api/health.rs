//! `/v1/health` and `/metrics`.

use super::body::Json;
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::Draining;
use crate::service::HealthView;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

/// How the node and its ledgers are doing. Answers 200 also when not healthy: `healthy` says it.
#[utoipa::path(get, path = "/v1/health", operation_id = "health", tag = "node", responses((status = 200, body = HealthView)))]
pub(super) async fn health(State(app): State<App>) -> Result<axum::Json<HealthView>, Problem> {
    Ok(axum::Json(app.service.health().await?))
}

/// For load balancers and supervisors: 200 while a new swap may be begun, 503 with the reasons while none may. What runs goes on
/// in either case.
#[utoipa::path(get, path = "/v1/ready", operation_id = "ready", tag = "node", responses((status = 200, body = HealthView)))]
pub(super) async fn ready(State(app): State<App>) -> Result<axum::Json<HealthView>, Problem> {
    let health = app.service.health().await?;
    if health.ready {
        return Ok(axum::Json(health));
    }
    let of_ledgers = health.ledgers.iter().filter_map(|ledger| Some(format!("{}: {}", ledger.ledger, ledger.trouble.as_ref()?)));
    let draining = health.draining.then(|| "it was asked to drain".to_owned());
    let reasons: Vec<String> = draining.into_iter().chain(health.troubles.iter().cloned()).chain(of_ledgers).collect();
    Err(Problem::new(Kind::Unavailable, format!("nothing new is begun: {}", reasons.join("; "))))
}

/// Begins nothing new from now on (or again, with `false`), until the next start: no quotes, no offers are taken, no swaps started.
/// What runs goes on; when `live_swaps` is 0, the node may be stopped for as long as one likes.
#[utoipa::path(post, path = "/v1/drain", operation_id = "drain", tag = "node", request_body = Draining,
    responses((status = 200, body = HealthView)))]
pub(super) async fn drain(State(app): State<App>, body: Json<Draining>) -> Result<axum::Json<HealthView>, Problem> {
    Ok(axum::Json(app.service.drain(body.value).await?))
}

/// Counts and sums for Prometheus; no ids, amounts or peers.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "node",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.service.metrics().await)
}
