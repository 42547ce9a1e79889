//! JSON-RPC over HTTP with every answer bounded: a node that sends too much, too late, or something else is an error of its
//! own kind, and an error is never a fact about the chain.

use crate::wire::{Data, clean};
use photon_chains::{Ledger, PortError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An answer longer than this is refused. A full block of mainnet is about 1 MiB of JSON.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// So many calls travel together.
const BATCH: usize = 40;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RpcError {
    /// No connection, no answer in time, or half of one.
    #[error("{0}")]
    Unreachable(String),
    /// The answer is longer than we read.
    #[error("the answer is too long")]
    TooLong,
    /// The node understood, and said no.
    #[error("code {code}: {message}")]
    Refused {
        /// JSON-RPC's code; 3 for a revert on most nodes.
        code: i64,
        /// Cleaned of anything long.
        message: String,
        /// What a revert returned.
        data: Option<Vec<u8>>,
    },
    /// The answer does not parse as what it should be.
    #[error("{0}")]
    Nonsense(String),
}

impl RpcError {
    /// As the port tells it.
    pub(crate) fn at(self, ledger: Ledger) -> PortError {
        match self {
            RpcError::Unreachable(reason) => PortError::Unreachable { ledger, reason },
            RpcError::TooLong | RpcError::Nonsense(_) => PortError::BadAnswer { ledger, reason: self.to_string() },
            RpcError::Refused { .. } => PortError::Unreachable { ledger, reason: format!("it refused a question: {self}") },
        }
    }
}

/// One question.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static str,
    params: Value,
}

impl Call {
    pub(crate) fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// One node.
pub(crate) struct Rpc {
    http: reqwest::Client,
    url: reqwest::Url,
    /// False once the node has shown that it takes no batches.
    batches: AtomicBool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

impl Answer {
    fn into_result(self) -> Result<Value, RpcError> {
        let Some(refusal) = self.error else { return Ok(self.result) };
        let data = match &refusal.data {
            Value::String(text) => Data::parse(text).map(|data| data.0),
            _ => None,
        };
        Err(RpcError::Refused { code: refusal.code, message: clean(&refusal.message), data })
    }
}

impl Rpc {
    pub(crate) fn new(url: &str) -> Result<Self, RpcError> {
        let url = reqwest::Url::parse(url).map_err(|_| RpcError::Nonsense("the node's address is no URL".into()))?;
        if url.scheme() != "http" {
            return Err(RpcError::Nonsense("the node's address must begin with http://".into()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| RpcError::Unreachable(clean(&error.without_url().to_string())))?;
        Ok(Self { http, url, batches: AtomicBool::new(true) })
    }

    /// Asks one question.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, RpcError> {
        read(self.ask_raw(&Call::new(method, params)).await?, method)
    }

    async fn ask_raw(&self, call: &Call) -> Result<Value, RpcError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": call.method, "params": call.params });
        let answer = serde_json::from_slice::<Answer>(&self.post(&body).await?);
        answer.map_err(|_| RpcError::Nonsense(format!("the answer to {} is no JSON-RPC", call.method)))?.into_result()
    }

    /// Asks many questions; the answers come in the order of the questions.
    pub(crate) async fn ask_all(&self, calls: &[Call]) -> Result<Vec<Result<Value, RpcError>>, RpcError> {
        let mut answers = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(BATCH) {
            if self.batches.load(Ordering::Relaxed) && chunk.len() > 1 {
                if let Some(batch) = self.batch(chunk).await? {
                    answers.extend(batch);
                    continue;
                }
                tracing::debug!("the node takes no batches: asking one by one");
                self.batches.store(false, Ordering::Relaxed);
            }
            for call in chunk {
                match self.ask_raw(call).await {
                    Err(error @ (RpcError::Unreachable(_) | RpcError::TooLong)) => return Err(error),
                    answer => answers.push(answer),
                }
            }
        }
        Ok(answers)
    }

    /// None if the node answers batches with something that is no batch.
    async fn batch(&self, calls: &[Call]) -> Result<Option<Vec<Result<Value, RpcError>>>, RpcError> {
        let body: Vec<Value> = calls
            .iter()
            .enumerate()
            .map(|(id, call)| json!({ "jsonrpc": "2.0", "id": id, "method": call.method, "params": call.params }))
            .collect();
        let Ok(answers) = serde_json::from_slice::<Vec<Answer>>(&self.post(&Value::Array(body)).await?) else { return Ok(None) };
        let missing = || Err(RpcError::Nonsense("an answer of a batch is missing".into()));
        let mut results: Vec<_> = calls.iter().map(|_| missing()).collect();
        for answer in answers {
            let place = answer.id.as_u64().and_then(|id| usize::try_from(id).ok()).and_then(|id| results.get_mut(id));
            if let Some(place) = place {
                *place = answer.into_result();
            }
        }
        Ok(Some(results))
    }

    async fn post(&self, body: &Value) -> Result<Vec<u8>, RpcError> {
        let failed = |error: reqwest::Error| RpcError::Unreachable(clean(&error.without_url().to_string()));
        let mut response = self.http.post(self.url.clone()).json(body).send().await.map_err(failed)?;
        if response.content_length().is_some_and(|length| length > MAX_ANSWER_BYTES as u64) {
            return Err(RpcError::TooLong);
        }
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(RpcError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        // Some nodes answer a refused question with 400 or 500 and a proper JSON-RPC body.
        if !status.is_success() && serde_json::from_slice::<Answer>(&bytes).map_or(true, |answer| answer.error.is_none()) {
            return Err(RpcError::Unreachable(format!("HTTP status {}", status.as_u16())));
        }
        Ok(bytes)
    }
}

/// One answer, or the first of a batch, for fuzzing.
#[cfg(feature = "bare")]
pub(crate) fn answered(bytes: &[u8]) -> Option<Result<Value, RpcError>> {
    let batch = serde_json::from_slice::<Vec<Answer>>(bytes).ok().and_then(|batch| batch.into_iter().next());
    batch.or_else(|| serde_json::from_slice(bytes).ok()).map(Answer::into_result)
}

/// Parses an answer.
pub(crate) fn read<T: DeserializeOwned>(answer: Value, what: &str) -> Result<T, RpcError> {
    serde_json::from_value(answer).map_err(|_| RpcError::Nonsense(format!("the answer to {what} is of another form")))
}

#[cfg(test)]
#[path = "rpc_tests.rs"]
mod tests;
