//! Stands before anvil and refuses what SMT's real node would. That node (Spectrum) is a fork of geth 1.8, and anvil, even on old rules,
//! takes much that it does not: a program that works with bare anvil could fail on the real chain.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::rules::{self, Refusal};
use crate::rpc::{Rpc, RpcError};
use crate::runtime;

/// As geth 1.8 has it.
const BODY_LIMIT: usize = 512 * 1024;
const BATCH_LIMIT: usize = 1_000;

/// A listening proxy; it ends when dropped.
#[derive(Debug)]
pub struct SmtProxy {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl SmtProxy {
    /// Listens on a free port of loopback and passes on to `node`.
    pub async fn start(node: &Rpc) -> std::io::Result<Self> {
        let port = crate::ports::free().unwrap_or(0);
        let node = node.with_timeout(Duration::from_secs(60));
        let started = runtime::spawn(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            let routes = Router::new().route("/", post(serve)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(node);
            let server = runtime::spawn(async move {
                // Ends only with its task.
                let _ = axum::serve(listener, routes).await;
            });
            Ok(Self { address, server })
        });
        started.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for SmtProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(node): State<Rpc>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice(&body) {
        Ok(Value::Array(calls)) if calls.len() <= BATCH_LIMIT => {
            let mut answers = Vec::new();
            for call in &calls {
                match one(&node, call).await {
                    Ok(answer) => answers.push(answer),
                    Err(down) => return down.into_response(),
                }
            }
            Ok(Value::Array(answers))
        }
        Ok(call) => one(&node, &call).await,
        Err(error) => Ok(failed(&Value::Null, &Refusal::new(-32_700, error.to_string()))),
    };
    match answer {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(down) => down.into_response(),
    }
}

/// A node that is down looks like one that is down.
struct Down;

impl IntoResponse for Down {
    fn into_response(self) -> Response {
        StatusCode::BAD_GATEWAY.into_response()
    }
}

async fn one(node: &Rpc, call: &Value) -> Result<Value, Down> {
    let id = call.get("id").unwrap_or(&Value::Null);
    let method = call.get("method").and_then(Value::as_str).unwrap_or_default();
    let params = call.get("params").cloned().unwrap_or_else(|| json!([]));
    let params = match rules::request(method, params) {
        Ok(params) => params,
        Err(refusal) => return Ok(failed(id, &refusal)),
    };
    match node.call(method, params).await {
        Ok(result) => Ok(json!({"jsonrpc": "2.0", "id": id, "result": rules::answer(method, result)})),
        Err(RpcError::Refused { code, message, .. }) => Ok(failed(id, &rules::refusal(method, code, message))),
        Err(RpcError::Malformed { reason, .. }) => Ok(failed(id, &Refusal::new(-32_603, reason))),
        Err(RpcError::Transport { .. } | RpcError::Cookie { .. } | RpcError::Abandoned { .. }) => Err(Down),
    }
}

fn failed(id: &Value, refusal: &Refusal) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": refusal.code, "message": refusal.message}})
}
