//! A thin JSON-RPC client for bitcoind and litecoind: bounded in time and size, and silent about where the node is and how
//! it is entered.

mod answers;
#[cfg(feature = "bare")]
pub mod bare;

pub use answers::*;

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The largest answer read: a block in hexadecimal is 8 MB at most, a crowded mempool's list 25 MB.
const MAX_ANSWER: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls sent as one batch.
const BATCH: usize = 50;
/// Requests in flight: Litecoin's node queues no more than sixteen unless told otherwise, and refuses the rest.
const REQUESTS_AT_ONCE: usize = 8;
/// A node closes idle connections after some seconds; ours go first, so that no request meets a closing one.
const IDLE: Duration = Duration::from_secs(2);

/// How the node lets us in. Never shown.
#[derive(Clone)]
pub enum Auth {
    /// The cookie file that the node writes anew at each start.
    Cookie(PathBuf),
    /// A user and a password from the node's configuration.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::Cookie(_) => "Auth::Cookie(hidden)",
            Auth::Password { .. } => "Auth::Password(hidden)",
        })
    }
}

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The node can't be reached, does not let us in, or is not ready.
    #[error("{0}")]
    Unreachable(&'static str),
    /// The answer is not what this method answers.
    #[error("{0}")]
    BadAnswer(&'static str),
    /// The node refuses, with its own code and words.
    #[error("{message} (code {code})")]
    Node {
        /// The node's error code.
        code: i64,
        /// Its words, shortened and stripped of control characters.
        message: String,
    },
}

/// Codes of `src/rpc/protocol.h` that mean something to us.
pub mod code {
    /// No such transaction, block or address.
    pub const NOT_FOUND: i64 = -5;
    /// A parameter is out of range: a block above the tip.
    pub const OUT_OF_RANGE: i64 = -8;
    /// The wallet must be unlocked first.
    pub const WALLET_LOCKED: i64 = -13;
    /// No such wallet is loaded.
    pub const NO_WALLET: i64 = -18;
    /// Several wallets are loaded and none was named.
    pub const WHICH_WALLET: i64 = -19;
    /// The transaction is in a block already.
    pub const IN_CHAIN: i64 = -27;
    /// The node is starting.
    pub const WARMING_UP: i64 = -28;
}

/// Where a call goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The node.
    Node,
    /// The wallet that was configured.
    Wallet,
}

/// The client.
pub struct Rpc {
    http: Client,
    node_url: String,
    wallet_url: String,
    auth: Auth,
    entry: Mutex<Option<(String, String)>>,
    slots: Semaphore,
    max_answer: usize,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rpc(hidden)")
    }
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Rpc {
    /// A client for the node at that URL (`http://127.0.0.1:8332`) and that wallet; without a name, the only one loaded.
    pub fn new(url: &str, wallet: Option<&str>, auth: Auth) -> Result<Self, RpcError> {
        let http = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| RpcError::Unreachable("the HTTP client could not be made"))?;
        let node_url = url.trim_end_matches('/').to_owned();
        let wallet_url = match wallet {
            Some(name) => format!("{node_url}/wallet/{}", path_segment(name)),
            None => node_url.clone(),
        };
        Ok(Self {
            http,
            node_url,
            wallet_url,
            auth,
            entry: Mutex::new(None),
            slots: Semaphore::new(REQUESTS_AT_ONCE),
            max_answer: MAX_ANSWER,
        })
    }

    /// Calls a method.
    pub async fn call<T: DeserializeOwned>(&self, to: To, method: &'static str, params: Value) -> Result<T, RpcError> {
        let body = json!({ "jsonrpc": "1.0", "id": 0, "method": method, "params": params });
        let reply: Reply = read(&self.post(to, &body).await?)?;
        accept(reply)
    }

    /// Calls one method with many parameters; an answer for each, in their order.
    pub async fn call_many<T: DeserializeOwned>(
        &self,
        to: To,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<Result<T, RpcError>>, RpcError> {
        let mut answers = Vec::with_capacity(params.len());
        for chunk in params.chunks(BATCH) {
            let call = |(id, params): (usize, &Value)| json!({ "jsonrpc": "1.0", "id": id, "method": method, "params": params });
            let body = Value::Array(chunk.iter().enumerate().map(call).collect());
            let mut replies: Vec<Reply> = read(&self.post(to, &body).await?)?;
            replies.sort_by_key(|reply| reply.id.as_u64());
            if replies.len() != chunk.len() {
                return Err(RpcError::BadAnswer("a batch was answered in part"));
            }
            answers.extend(replies.into_iter().map(accept));
        }
        Ok(answers)
    }

    async fn post(&self, to: To, body: &Value) -> Result<Vec<u8>, RpcError> {
        let fresh = self.entry().await?;
        let (status, answer) = self.post_once(to, body, &fresh).await?;
        let (status, answer) = match (status, &self.auth) {
            // The node was started again and wrote a new cookie.
            (StatusCode::UNAUTHORIZED, Auth::Cookie(_)) => {
                *self.entry.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let fresh = self.entry().await?;
                self.post_once(to, body, &fresh).await?
            }
            _ => (status, answer),
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(RpcError::Unreachable("it does not accept our user or cookie, or not this machine"))
            }
            StatusCode::SERVICE_UNAVAILABLE => Err(RpcError::Unreachable("it is overloaded")),
            // Errors of a method come as 404 and 500, with a body that says which.
            _ => Ok(answer),
        }
    }

    async fn entry(&self) -> Result<(String, String), RpcError> {
        if let Some(known) = self.entry.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(known);
        }
        let fresh = match &self.auth {
            Auth::Password { user, password } => (user.clone(), password.clone()),
            Auth::Cookie(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|_| RpcError::Unreachable("its cookie file can't be read: is it running?"))?;
                let (user, password) =
                    text.trim_end().split_once(':').ok_or(RpcError::Unreachable("its cookie file holds no user and password"))?;
                (user.to_owned(), password.to_owned())
            }
        };
        *self.entry.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }

    async fn post_once(
        &self,
        to: To,
        body: &Value,
        (user, password): &(String, String),
    ) -> Result<(StatusCode, Vec<u8>), RpcError> {
        let url = match to {
            To::Node => &self.node_url,
            To::Wallet => &self.wallet_url,
        };
        let _slot = self.slots.acquire().await.map_err(|_| RpcError::Unreachable("this program is ending"))?;
        let sent = self.http.post(url).basic_auth(user, Some(password)).json(body).send().await;
        let mut response = sent.map_err(|error| unreachable_because(&error))?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_because(&error))? {
            if answer.len().saturating_add(chunk.len()) > self.max_answer {
                return Err(RpcError::BadAnswer("the answer is too large"));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok((status, answer))
    }
}

/// The kind of failure only: the library's own words name the address.
fn unreachable_because(error: &reqwest::Error) -> RpcError {
    RpcError::Unreachable(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection: is it running, and is the address right?"
    } else if error.is_builder() {
        "the configured address is no URL"
    } else {
        "the connection broke"
    })
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, RpcError> {
    serde_json::from_slice(answer).map_err(|_| RpcError::BadAnswer("this is no JSON-RPC answer"))
}

fn accept<T: DeserializeOwned>(reply: Reply) -> Result<T, RpcError> {
    match reply.error {
        Some(ReplyError { code: code::WARMING_UP, .. }) => Err(RpcError::Unreachable("it is starting")),
        Some(ReplyError { code, message }) => {
            let message = message.chars().filter(|c| !c.is_control()).take(200).collect();
            Err(RpcError::Node { code, message })
        }
        None => T::deserialize(reply.result).map_err(|_| RpcError::BadAnswer("a field is missing or of the wrong kind")),
    }
}

/// A wallet's name in a URL: everything but letters, digits, `-`, `_` and `.` is escaped.
fn path_segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_shows_how_the_node_is_entered() {
        let auth = Auth::Password { user: "alice".into(), password: "hunter2".into() };
        let rpc = Rpc::new("http://alice:hunter2@10.0.0.9:8332", Some("savings"), auth.clone()).unwrap();
        let shown = format!("{auth:?} {rpc:?}");
        assert!(["alice", "hunter2", "10.0.0.9", "savings"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }

    #[test]
    fn a_wallets_name_can_not_leave_its_place() {
        assert_eq!(path_segment("../x y/ü"), "..%2Fx%20y%2F%C3%BC");
    }

    #[test]
    fn the_nodes_words_are_shortened() {
        let reply = Reply {
            id: json!(0),
            result: Value::Null,
            error: Some(ReplyError { code: -26, message: format!("\u{1b}[2J{}", "x".repeat(9999)) }),
        };
        let RpcError::Node { message, .. } = accept::<Value>(reply).unwrap_err() else { unreachable!() };
        assert!(message.len() <= 200 && !message.contains('\u{1b}'));
    }

    /// Answers each request with the next of these, and gives back what the requests said of who asks.
    async fn node_that_says(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let mut entries = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
                entries.extend(text.lines().find(|line| line.starts_with("authorization")).map(str::to_owned));
                // A client that has read enough hangs up; that is its right.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            entries
        });
        (url, serving)
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_node_that_was_started_again_is_entered_with_its_new_cookie() {
        let (url, serving) =
            node_that_says(vec![http("401 Unauthorized", ""), http("200 OK", r#"{"result":7,"error":null,"id":0}"#)]).await;
        let path = std::env::temp_dir().join(format!("photon-cookie-{}", std::process::id()));
        std::fs::write(&path, "__cookie__:old").unwrap();
        let rpc = Rpc::new(&url, None, Auth::Cookie(path.clone())).unwrap();
        rpc.entry().await.unwrap();
        std::fs::write(&path, "__cookie__:new").unwrap();
        assert_eq!(rpc.call::<u64>(To::Node, "getblockcount", json!([])).await, Ok(7));
        std::fs::remove_file(path).unwrap();
        let entries = serving.await.unwrap();
        assert!(entries.len() == 2 && entries[0] != entries[1], "{entries:?}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_its_end() {
        let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{}", "x".repeat(1 << 20));
        let (url, serving) = node_that_says(vec![endless]).await;
        let auth = Auth::Password { user: "u".into(), password: "p".into() };
        let rpc = Rpc { max_answer: 10_000, ..Rpc::new(&url, None, auth).unwrap() };
        let error = rpc.call::<Value>(To::Node, "getblock", json!([])).await.unwrap_err();
        assert_eq!(error, RpcError::BadAnswer("the answer is too large"));
        serving.abort();
    }

    #[tokio::test]
    async fn an_error_of_the_connection_names_no_address() {
        let auth = Auth::Password { user: "alice".into(), password: "hunter2".into() };
        let rpc = Rpc::new("http://127.0.0.1:1", None, auth).unwrap();
        let error = rpc.call::<Value>(To::Node, "uptime", json!([])).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("127.0.0.1"), "{error:?}");
    }
}
