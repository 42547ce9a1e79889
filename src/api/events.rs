//! `/v1/events`: what happens, as it happens (server-sent events, resumable).

use super::params::Asked;
use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{EventView, Service};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

const BATCH: u32 = 100;
/// A wake-up that was lost costs at most this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A wake-up that brings nothing must not become a busy loop.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<u64>,
}

/// Events as they happen: `id` is the number, `event` the kind, `data` an EventView. Begins after `Last-Event-ID`, else
/// after `after` (0: from the beginning), else with what is new from now on. A comment comes when it is silent for long.
/// Only the newest thousands are kept: who was away for longer lists anew what it follows.
#[utoipa::path(get, path = "/v1/events", operation_id = "streamEvents", tag = "node",
    params(
        ("after" = Option<u64>, Query, description = "begin after this number; 0 is the beginning"),
        ("Last-Event-ID" = Option<u64>, Header, description = "resume after this number; goes over `after`")),
    responses((status = 200, body = EventView, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<App>,
    from: Asked<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let room = app.listeners.clone().try_acquire_owned();
    let room = room.map_err(|_| Problem::new(Kind::Busy, "too many listen to events already: close one, or try later"))?;
    let last = match headers.get("last-event-id") {
        None => from.0.after,
        Some(value) => Some(parse_number(value.as_bytes())?),
    };
    let seq = match last {
        Some(seq) => seq,
        None => app.service.last_event().await?,
    };
    let tail = Tail { service: app.service, stopping: app.stopping, seq, ready: VecDeque::new(), _room: room };
    let events = stream::unfold(tail, |mut tail| async {
        let event = tail.next().await?;
        Some((Ok(encode(&event)), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(app.limits.heartbeat)))
}

fn parse_number(value: &[u8]) -> Result<u64, Problem> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Problem::new(Kind::Malformed, "Last-Event-ID is an event's number"))
}

fn encode(event: &EventView) -> Event {
    // Only plain letters: a line break here would forge a field of the stream.
    let kind: String = event.kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let data = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    Event::default().id(event.seq.to_string()).event(kind).data(data)
}

/// Follows the log. Holds one batch at most, and asks for more only when that is written out.
struct Tail {
    service: Arc<dyn Service>,
    stopping: watch::Receiver<bool>,
    seq: u64,
    ready: VecDeque<EventView>,
    _room: OwnedSemaphorePermit,
}

impl Tail {
    /// The next event, or nothing when the stream ends: the node stops or fails, and the listener comes back.
    async fn next(&mut self) -> Option<EventView> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.seq = event.seq;
                return Some(event);
            }
            match self.service.events_after(self.seq, BATCH).await {
                Ok(events) => self.ready = events.into(),
                Err(error) => {
                    tracing::warn!(target: "photon::api", %error, "an event stream ends: the log can't be read");
                    return None;
                }
            }
            if self.ready.is_empty() && !self.wait().await {
                return None;
            }
        }
    }

    /// True when it is worth looking again.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => false,
            () = async {
                tokio::time::sleep(PAUSE).await;
                let _ = tokio::time::timeout(LOOK_AGAIN, self.service.event_arrives(self.seq)).await;
            } => true,
        }
    }
}
