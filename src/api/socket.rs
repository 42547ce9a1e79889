//! `/v1/events/ws`: the same events over a WebSocket.
//!
//! It passes the same guard as every request before it becomes a socket: a page of another site is refused by its `Origin`, and no page
//! can send the token. It only tells: a listener that says more than pings is hung up on, and so is one that takes nothing for a while
//! or does not answer pings. What waits for it is bounded, and it resumes where it left.

use super::params::Asked;
use super::problem::{Kind, Problem};
use super::server::{App, Limits};
use super::tail::{From, Tail};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::Response;
use futures::StreamExt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval_at, timeout};

/// A listener has nothing to say: pongs and pings fit in there.
const MAX_HEARD_BYTES: usize = 256;
/// What may be written ahead; every event is far smaller.
const WRITE_AHEAD_BYTES: usize = 16 * 1024;
const MAX_WRITE_AHEAD_BYTES: usize = 256 * 1024;
/// Pings and pongs that are heard between two of our own pings.
const MAX_PINGS: u32 = 32;
/// For the other side to read why it ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Events as they happen, over a WebSocket (RFC 6455): each text message is an EventView. Begins after `Last-Event-ID`, else after
/// `after` (0: from the beginning), else with what is new from now on; to resume, name the `seq` of the last event that came. It pings;
/// whoever does not answer, sends messages, or takes nothing for ten seconds is hung up on, with the reason in the close frame.
#[utoipa::path(get, path = "/v1/events/ws", operation_id = "listenToEvents", tag = "node",
    params(
        ("after" = Option<u64>, Query, description = "begin after this number; 0 is the beginning"),
        ("kinds" = Option<String>, Query, description = "only these kinds, with commas between: swap,offer,send,channel,payment,alert,approval"),
        ("Last-Event-ID" = Option<u64>, Header, description = "resume after this number; goes over `after`")),
    responses((status = 101, description = "From here on it is a WebSocket")))]
pub(super) async fn listen(
    State(app): State<App>,
    from: Asked<From>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade =
        upgrade.map_err(|_| Problem::new(Kind::Malformed, "here is a WebSocket (version 13): ask for the upgrade to it"))?;
    let tail = Tail::open(&app, from.0, &headers).await?;
    let limits = app.limits;
    let upgrade = upgrade
        .max_message_size(MAX_HEARD_BYTES)
        .max_frame_size(MAX_HEARD_BYTES)
        .write_buffer_size(WRITE_AHEAD_BYTES)
        .max_write_buffer_size(MAX_WRITE_AHEAD_BYTES);
    Ok(upgrade.on_upgrade(move |socket| tell(socket, tail, limits)))
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The listener left, or its connection broke.
    Gone,
    /// The node stops, or its log can't be read.
    Over,
    /// It takes too little.
    Slow,
    /// It does not answer.
    Silent,
    /// It says what nobody asked for.
    Talks,
}

impl End {
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Gone => return None,
            End::Over => (close_code::AWAY, "the node ends this stream: come back, and resume after your last seq"),
            End::Slow => (close_code::POLICY, "you read too slowly: come back, and resume after your last seq"),
            End::Silent => (close_code::POLICY, "you did not answer a ping"),
            End::Talks => (close_code::POLICY, "this socket only tells: send nothing but pings, and few of them"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

async fn tell(mut socket: WebSocket, tail: Tail, limits: Arc<Limits>) {
    let end = talk(&mut socket, tail, &limits).await;
    tracing::debug!(target: "photon::api", ?end, "a socket of events ends");
    let Some(frame) = end.frame() else { return };
    let farewell = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // Until the other side has said goodbye too: hung up on with something unread, it might never see why.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // It had its time: whoever does not read this either is cut off.
    let _ = timeout(FAREWELL, farewell).await;
}

async fn talk(socket: &mut WebSocket, tail: Tail, limits: &Limits) -> End {
    let mut events = pin!(tail.events());
    let mut heartbeat = interval_at(Instant::now() + limits.heartbeat, limits.heartbeat);
    let (mut answered, mut pings) = (true, 0);
    loop {
        let message = tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return End::Over };
                Message::Text(serde_json::to_string(&event).unwrap_or_else(|_| "{}".to_owned()).into())
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) if pings < MAX_PINGS => {
                    (answered, pings) = (true, pings + 1);
                    continue;
                }
                None | Some(Ok(Message::Close(_))) => return End::Gone,
                // A message that is too long comes as an error, and can be answered with a reason.
                Some(Ok(_) | Err(_)) => return End::Talks,
            },
            _ = heartbeat.tick() => {
                if !answered {
                    return End::Silent;
                }
                (answered, pings) = (false, 0);
                Message::Ping(Default::default())
            }
        };
        match timeout(limits.taken_within, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Slow,
        }
    }
}
