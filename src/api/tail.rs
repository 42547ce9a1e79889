//! Follows the event log for one listener: from where it wants to begin, only the kinds it asked for, a batch in memory at most.

use super::problem::{Kind, Problem};
use super::server::App;
use crate::service::{EventView, Service};
use axum::http::HeaderMap;
use futures::stream::{self, Stream};
use serde::Deserialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Every kind of event that can be asked for by name.
pub(super) const KINDS: [&str; 7] = ["swap", "offer", "send", "channel", "payment", "alert", "approval"];

const BATCH: u32 = 100;
/// A wake-up that was lost costs at most this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A wake-up that brings nothing must not become a busy loop.
const PAUSE: Duration = Duration::from_millis(50);

/// What a listener asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<u64>,
    kinds: Option<String>,
}

/// One listener. Asks for more only when what it has was taken.
pub(super) struct Tail {
    service: Arc<dyn Service>,
    stopping: watch::Receiver<bool>,
    seq: u64,
    /// None: all.
    kinds: Option<BTreeSet<String>>,
    ready: VecDeque<EventView>,
    _room: OwnedSemaphorePermit,
}

impl Tail {
    /// Begins after `Last-Event-ID`, else after `after`, else with what is new. Refused when too many listen already.
    pub(super) async fn open(app: &App, from: From, headers: &HeaderMap) -> Result<Self, Problem> {
        let kinds = from.kinds.as_deref().map(parse_kinds).transpose()?;
        let room = app.listeners.clone().try_acquire_owned();
        let room = room.map_err(|_| Problem::new(Kind::Busy, "too many listen to events already: close one, or try later"))?;
        let last = match headers.get("last-event-id") {
            None => from.after,
            Some(value) => Some(parse_number(value.as_bytes())?),
        };
        let seq = match last {
            Some(seq) => seq,
            None => app.service.last_event().await?,
        };
        let (service, stopping) = (app.service.clone(), app.stopping.clone());
        Ok(Self { service, stopping, seq, kinds, ready: VecDeque::new(), _room: room })
    }

    /// All that comes, until the node stops or its log fails: then the listener comes back, and resumes.
    pub(super) fn events(self) -> impl Stream<Item = EventView> {
        stream::unfold(self, |mut tail| async {
            let event = tail.next().await?;
            Some((event, tail))
        })
    }

    async fn next(&mut self) -> Option<EventView> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.seq = event.seq;
                if self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind)) {
                    return Some(event);
                }
                continue;
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

fn parse_number(value: &[u8]) -> Result<u64, Problem> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Problem::new(Kind::Malformed, "Last-Event-ID is an event's number"))
}

fn parse_kinds(text: &str) -> Result<BTreeSet<String>, Problem> {
    let known: BTreeSet<String> = text.split(',').filter(|kind| KINDS.contains(kind)).map(str::to_owned).collect();
    if known.len() == text.split(',').count() {
        return Ok(known);
    }
    Err(Problem::new(Kind::Malformed, format!("kinds: some of {}, each once, with commas between", KINDS.join(","))))
}
