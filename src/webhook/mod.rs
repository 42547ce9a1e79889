//! Webhooks: what happens is posted to whoever asked for it, in order, until it is taken.
//!
//! ```mermaid
//! flowchart LR
//!   log[(event log)] -->|after the hook's place| batch[at most 100 events] -->|signed POST| there[receiver]
//!   there -->|2xx| place[(the hook's place moves)]
//!   there -->|anything else| wait[wait 1, 2, 4 … 300 s] --> batch
//! ```
//!
//! The event log is the outbox: a hook's place in it moves only after a 2xx, in a durable write. So nothing is missing after a crash, and
//! what was posted right before it may come again: receivers drop an event whose `seq` they have seen. Events are kept for a hook that is
//! down as long as the log holds a million of them. A hook can be set back, and gets everything after that place again.
//!
//! Each post carries `Photon-Signature: t=<unix seconds>,v1=<hex>`, the HMAC-SHA256 of `<t>.<body>` under the hook's secret: the receiver
//! compares in constant time, and refuses a `t` that is minutes old.

mod place;
mod post;

pub use place::{Place, PlaceError};

use crate::clock;
use crate::service::EventView;
use crate::store::{Store, StoreError, StoredEvent, WebhookRow};
use hmac::{Hmac, Mac};
use photon_chains::{Hash32, UnixTime};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::AbortHandle;

/// Events in one post.
const BATCH: u32 = 100;
/// A wake-up that was lost costs at most this; also how soon a new hook is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE_SECS: u64 = 300;

/// An event as it is told.
pub(crate) fn view(event: StoredEvent) -> EventView {
    let data: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
    let named = data.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let subject = event.swap.map_or(named, |swap| swap.to_string());
    EventView { seq: event.seq, kind: event.kind, at: event.at, subject, data }
}

/// What a receiver checks.
pub fn signature(secret: &str, at: UnixTime, body: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Posts to every hook until the store fails: each in a task of its own, so that one that is down holds up no other.
pub async fn run(store: Store, on_loopback: bool) -> anyhow::Result<()> {
    let mut running: BTreeMap<Hash32, AbortHandle> = BTreeMap::new();
    loop {
        let hooks: Vec<Hash32> = store.webhooks().await?.into_iter().map(|hook| hook.id).collect();
        running.retain(|id, task| {
            let stays = hooks.contains(id) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for id in hooks {
            let task = || tokio::spawn(follow(store.clone(), id, on_loopback)).abort_handle();
            running.entry(id).or_insert_with(task);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Follows the log for one hook until it is gone, or the store is.
async fn follow(store: Store, id: Hash32, on_loopback: bool) {
    let mut newest = store.watch_events();
    loop {
        let (delivered, failures) = match step(&store, id, on_loopback).await {
            Ok(Some(done)) => done,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(webhook = %id, %error, "webhooks stop: the store can't be read or written");
                return;
            }
        };
        if failures > 0 {
            let pause = 1u64.checked_shl(failures - 1).unwrap_or(LONGEST_PAUSE_SECS).min(LONGEST_PAUSE_SECS);
            tokio::time::sleep(Duration::from_secs(pause)).await;
            continue;
        }
        // An error means that the store is closed: the next step says so.
        let _ = tokio::time::timeout(LOOK_AGAIN, newest.wait_for(|newest| *newest > delivered)).await;
    }
}

/// Posts the next events. Where the hook stands now, and how often it failed in a row; nothing if it is gone.
async fn step(store: &Store, id: Hash32, on_loopback: bool) -> Result<Option<(u64, u32)>, StoreError> {
    let Some((hook, secret)) = store.webhook(id).await? else { return Ok(None) };
    let events = store.events_after(hook.delivered, BATCH).await?.events;
    let Some(last) = events.last().map(|event| event.seq) else { return Ok(Some((hook.delivered, 0))) };
    let wanted: Vec<EventView> = events.into_iter().filter(|event| wants(&hook, &event.kind)).map(view).collect();
    if !wanted.is_empty()
        && let Err(error) = deliver(&hook, &secret, &wanted, on_loopback).await
    {
        tracing::warn!(webhook = %id, %error, failures = hook.failures + 1, "a webhook does not take its events");
        metrics::counter!("photon_webhook_failures_total").increment(1);
        store.webhook_failed(id, error.to_string()).await?;
        return Ok(Some((hook.delivered, hook.failures + 1)));
    }
    store.webhook_took(id, hook.delivered, last).await?;
    metrics::counter!("photon_webhook_events_total").increment(wanted.len() as u64);
    Ok(Some((last, 0)))
}

fn wants(hook: &WebhookRow, kind: &str) -> bool {
    hook.kinds.is_empty() || hook.kinds.split(',').any(|wanted| wanted == kind)
}

async fn deliver(hook: &WebhookRow, secret: &str, events: &[EventView], on_loopback: bool) -> Result<(), post::PostError> {
    let place = Place::parse(&hook.url, on_loopback)?;
    let body = serde_json::json!({ "webhook": hook.id.to_string(), "events": events }).to_string().into_bytes();
    let now = clock::now();
    let headers = [("Photon-Signature", signature(secret, now, &body)), ("Photon-Webhook", hook.id.to_string())];
    post::post(&place, &headers, body).await
}

#[cfg(test)]
mod tests;
