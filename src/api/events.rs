//! `/v1/events`: what happens, as it happens (server-sent events, resumable).

use super::params::Asked;
use super::problem::Problem;
use super::server::App;
use super::tail::{From, Tail};
use crate::service::EventView;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::StreamExt;
use futures::stream::Stream;
use std::convert::Infallible;

/// Events as they happen: `id` is the number, `event` the kind, `data` an EventView. Begins after `Last-Event-ID`, else
/// after `after` (0: from the beginning), else with what is new from now on. A comment comes when it is silent for long.
/// Only the newest thousands are kept: who was away for longer lists anew what it follows.
#[utoipa::path(get, path = "/v1/events", operation_id = "streamEvents", tag = "node",
    params(
        ("after" = Option<u64>, Query, description = "begin after this number; 0 is the beginning"),
        ("kinds" = Option<String>, Query, description = "only these kinds, with commas between: swap,offer,send,channel,payment,alert,approval"),
        ("Last-Event-ID" = Option<u64>, Header, description = "resume after this number; goes over `after`")),
    responses((status = 200, body = EventView, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<App>,
    from: Asked<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let tail = Tail::open(&app, from.0, &headers).await?;
    Ok(Sse::new(tail.events().map(|event| Ok(encode(&event)))).keep_alive(KeepAlive::new().interval(app.limits.heartbeat)))
}

fn encode(event: &EventView) -> Event {
    // Only plain letters: a line break here would forge a field of the stream.
    let kind: String = event.kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let data = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    Event::default().id(event.seq.to_string()).event(kind).data(data)
}
