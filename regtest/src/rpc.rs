//! A thin JSON-RPC client for nodes on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::runtime;

/// Far more than any answer of a regtest node.
const ANSWER_LIMIT: usize = 256 << 20;
/// Calls in flight to one node; the rest wait here, not in the node's queue.
const CALLS_AT_ONCE: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A call that brought no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The node's cookie could not be read; it is probably not running.
    #[error("{method}: the node's cookie {} can't be read: {source}", path.display())]
    Cookie {
        /// What was called.
        method: String,
        /// The cookie file.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// No answer came.
    #[error("{method}: the node did not answer: {source}")]
    Transport {
        /// What was called.
        method: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The node said no.
    #[error("{method}: the node refused ({code}): {message}")]
    Refused {
        /// What was called.
        method: String,
        /// JSON-RPC's error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// The answer is not what the method answers.
    #[error("{method}: the node's answer can't be read: {reason}")]
    Malformed {
        /// What was called.
        method: String,
        /// What was wrong with it.
        reason: String,
    },
    /// This process is shutting down.
    #[error("{method}: the call was abandoned")]
    Abandoned {
        /// What was called.
        method: String,
    },
}

impl RpcError {
    /// The node's own error code, if it was the node that refused.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Cookie { .. } | Self::Transport { .. } | Self::Malformed { .. } | Self::Abandoned { .. } => None,
        }
    }

    pub(crate) fn malformed(method: &str, reason: impl ToString) -> Self {
        Self::Malformed { method: method.to_owned(), reason: reason.to_string() }
    }
}

/// Calls methods of one node, or of one wallet of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rpc {
    url: String,
    cookie: Option<PathBuf>,
    client: reqwest::Client,
    timeout: Duration,
    slots: Arc<Semaphore>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

impl Rpc {
    /// A client that asks `url`, with the name and password in the cookie file where there is one. The file is read anew for each call, for a
    /// node writes a new one at each start.
    pub fn new(url: impl Into<String>, cookie: Option<PathBuf>) -> Self {
        // Loopback only: a proxy from the environment must not see it. Building fails only for TLS, which is not compiled in.
        // No connection is kept: litecoind does not end before idle ones have.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default();
        Self { url: url.into(), cookie, client, timeout: TIMEOUT, slots: Arc::new(Semaphore::new(CALLS_AT_ONCE)) }
    }

    /// The same node with another limit on each call.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// The same node at the address of one of its wallets.
    pub fn wallet(&self, name: &str) -> Self {
        Self { url: format!("{}/wallet/{name}", self.url), ..self.clone() }
    }

    /// Where it asks.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The cookie file, for nodes that have one.
    pub fn cookie(&self) -> Option<&Path> {
        self.cookie.as_deref()
    }

    /// Calls a method.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        // On the background runtime: a pooled connection dies with the runtime that opened it.
        let (this, name) = (self.clone(), method.to_owned());
        let abandoned = || RpcError::Abandoned { method: method.to_owned() };
        runtime::spawn(async move { this.exchange(&name, params).await }).await.map_err(|_| abandoned())?
    }

    /// Calls a method and reads its result as `T`.
    pub async fn get<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        let value = self.call(method, params).await?;
        serde_json::from_value(value).map_err(|error| RpcError::malformed(method, error))
    }

    async fn exchange(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let _slot = self.slots.acquire().await.map_err(|_| RpcError::Abandoned { method: method.to_owned() })?;
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = self.client.post(&self.url).timeout(self.timeout).json(&body);
        if let Some(path) = &self.cookie {
            let cookie = std::fs::read_to_string(path).map_err(|source| RpcError::Cookie {
                method: method.to_owned(),
                path: path.clone(),
                source,
            })?;
            let (user, password) = cookie.trim().split_once(':').unwrap_or_default();
            request = request.basic_auth(user, Some(password));
        }
        let failed = |source: reqwest::Error| RpcError::Transport { method: method.to_owned(), source };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if text.len() + chunk.len() > ANSWER_LIMIT {
                return Err(RpcError::malformed(method, "it is too long"));
            }
            text.extend_from_slice(&chunk);
        }
        // Old nodes answer an error with HTTP status 500 and a proper body.
        let answer: Answer =
            serde_json::from_slice(&text).map_err(|error| RpcError::malformed(method, format!("HTTP {status}: {error}")))?;
        match answer.error {
            Some(Refusal { code, message }) => Err(RpcError::Refused { method: method.to_owned(), code, message }),
            None => Ok(answer.result),
        }
    }
}
