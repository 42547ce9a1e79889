//! Creating exactly once per `Idempotency-Key`.
//!
//! The key is claimed durably before the effect and gets its answer after it. So after a crash in between the key is
//! known to be begun, and the caller is told to look before trying again. The effect runs in a task of its own: a caller
//! that hangs up does not stop it half-way.

use super::params::IdempotencyKey;
use super::problem::{Kind, Problem, json_response};
use super::server::App;
use crate::service::{Service, ServiceError, StoredAnswer};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use photon_chains::Canon;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// The status of a key whose effect has begun and has no answer yet.
const BEGUN: u16 = 0;
/// Said beside an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Does `effect` unless its key has an answer already.
pub(super) async fn once<T, F, Fut>(app: &App, key: IdempotencyKey, body: &[u8], created: StatusCode, effect: F) -> Response
where
    T: Serialize,
    F: FnOnce(Arc<dyn Service>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    let Ok(room) = app.creating.clone().try_acquire_owned() else {
        return Problem::new(Kind::Busy, "too many things are being created at once: try again in a moment").into_response();
    };
    let request_hash = hash(&key, body);
    let app = app.clone();
    let task = tokio::spawn(async move {
        let _room = room;
        let _turn = app.keys.turn(&key.key).await;
        run(app.service, &key.key, request_hash, created, effect).await.unwrap_or_else(IntoResponse::into_response)
    });
    task.await.unwrap_or_else(|error| {
        tracing::error!(target: "photon::api", panicked = error.is_panic(), "a creating request broke off");
        unfinished().into_response()
    })
}

fn hash(key: &IdempotencyKey, body: &[u8]) -> [u8; 32] {
    Sha256::digest(Canon::tagged("photon api request 1").text(&key.method).text(&key.path).bytes(body).finish()).into()
}

fn unfinished() -> Problem {
    Problem::new(
        Kind::Unfinished,
        "this key's request was begun and broke off, so it may or may not have taken effect: list what there is (offers, \
         swaps, balances, peers), and only if it is not there, ask again with a new Idempotency-Key",
    )
}

async fn run<T, F, Fut>(
    service: Arc<dyn Service>,
    key: &str,
    request_hash: [u8; 32],
    created: StatusCode,
    effect: F,
) -> Result<Response, Problem>
where
    T: Serialize,
    F: FnOnce(Arc<dyn Service>) -> Fut,
    Fut: Future<Output = Result<T, ServiceError>>,
{
    if let Some(answer) = service.stored_answer(key).await?
        && let Some(response) = replay(answer, request_hash)?
    {
        return Ok(response);
    }
    service.store_answer(key, StoredAnswer { request_hash, status: BEGUN, body: String::new() }).await?;
    let (status, body) = match effect(service.clone()).await {
        Ok(made) => (created, serde_json::to_string(&made).map_err(|_| unfinished())?),
        Err(error) => {
            let problem = Problem::from(error);
            (StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), problem.json())
        }
    };
    let answer = StoredAnswer { request_hash, status: status.as_u16(), body: body.clone() };
    service.store_answer(key, answer).await.map_err(|error| {
        tracing::error!(target: "photon::api", %error, "an answer could not be kept");
        unfinished()
    })?;
    Ok(json_response(status, body))
}

/// The answer to give again, or nothing where the request may be done (anew).
fn replay(answer: StoredAnswer, request_hash: [u8; 32]) -> Result<Option<Response>, Problem> {
    if answer.request_hash != request_hash {
        let detail = "this Idempotency-Key was used for another request: take a new key for a new wish";
        return Err(Problem::new(Kind::KeyReused, detail));
    }
    if answer.status == BEGUN {
        return Err(unfinished());
    }
    let status = StatusCode::from_u16(answer.status).map_err(|_| unfinished())?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // "Try again" was the answer, and nothing had been done.
        return Ok(None);
    }
    let mut response = json_response(status, answer.body);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Some(response))
}

/// One turn at a time for each key in use.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// A key's turn; the next one gets it when this is dropped.
struct Turn {
    guard: Option<OwnedMutexGuard<()>>,
    key: String,
    keys: Arc<Keys>,
}

impl Keys {
    async fn turn(self: &Arc<Self>, key: &str) -> Turn {
        let lock = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default().clone();
        Turn { guard: Some(lock.lock_owned().await), key: key.to_owned(), keys: self.clone() }
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.guard = None;
        // Only the map holds it: nobody waits, and nobody can begin to while we hold the map.
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}
