//! Stands before a node, and answers in its place as badly as told: late, not at all although it was done, twice, half, wrong.
//!
//! A program must not take any of that for a fact about the chain. Faults are switched while it runs, for one method or for all;
//! or left to chance, from a seed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::runtime;

/// Larger than any request of a program under test.
const BODY_LIMIT: usize = 64 << 20;
/// More than a program may be willing to read.
const ENDLESS: usize = 512 << 20;
const CHUNK: usize = 1 << 20;
/// As long as an honest node may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Changes one result: of this method, with these arguments, the node's own result.
pub type Lie = Arc<dyn Fn(&str, &Value, Value) -> Value + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub enum Fault {
    /// It is passed on after this long.
    Delay(Duration),
    /// The connection breaks, and the node never hears of it.
    BreakBefore,
    /// The node does it, and the connection breaks before the answer.
    BreakAfter,
    /// The node is asked twice; the second answer is given.
    Twice,
    /// Half of the answer.
    Truncate,
    /// Bytes that mean nothing.
    Garble,
    /// An answer that goes on and on.
    Endless,
    /// This HTTP status without a JSON-RPC answer. The node does not hear of it.
    Status(u16),
    /// This error, in the node's name.
    Refuse {
        /// JSON-RPC's error code.
        code: i64,
        /// The words.
        message: &'static str,
        /// True if the node was asked, and its answer thrown away.
        done: bool,
    },
    /// This result, in the node's name, which does not hear of the call.
    Say(Value),
    /// The node's result, changed.
    Lie(Lie),
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Delay(by) => write!(f, "Delay({by:?})"),
            Fault::BreakBefore => f.write_str("BreakBefore"),
            Fault::BreakAfter => f.write_str("BreakAfter"),
            Fault::Twice => f.write_str("Twice"),
            Fault::Truncate => f.write_str("Truncate"),
            Fault::Garble => f.write_str("Garble"),
            Fault::Endless => f.write_str("Endless"),
            Fault::Status(status) => write!(f, "Status({status})"),
            Fault::Refuse { code, message, done } => write!(f, "Refuse({code}, {message:?}, done: {done})"),
            Fault::Say(value) => write!(f, "Say({value})"),
            Fault::Lie(_) => f.write_str("Lie"),
        }
    }
}

/// A fault now and then, by a seed.
#[derive(Debug)]
struct Chaos {
    state: u64,
    percent: u64,
    faults: Vec<Fault>,
}

impl Chaos {
    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick(&mut self) -> Option<Fault> {
        if self.next() % 100 >= self.percent {
            return None;
        }
        let place = self.next() % self.faults.len().max(1) as u64;
        usize::try_from(place).ok().and_then(|place| self.faults.get(place)).cloned()
    }
}

#[derive(Debug, Default)]
struct Plan {
    by_method: BTreeMap<String, Fault>,
    every: Option<Fault>,
    chaos: Option<Chaos>,
    bitten: u64,
}

struct Shared {
    node: String,
    client: reqwest::Client,
    plan: Mutex<Plan>,
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to happen to a request in which these methods are called.
    fn fault(&self, methods: &[&str]) -> Option<Fault> {
        let mut plan = self.plan();
        let named = methods.iter().find_map(|method| plan.by_method.get(*method)).cloned();
        let fault = named.or_else(|| plan.every.clone()).or_else(|| plan.chaos.as_mut().and_then(Chaos::pick));
        plan.bitten += u64::from(fault.is_some());
        fault
    }
}

/// A listening proxy; it ends when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Listens on a free port of loopback and passes on to the node at that URL, whatever the path and the password.
    pub async fn start(node: &str) -> std::io::Result<Self> {
        let port = crate::ports::free().unwrap_or(0);
        let node = node.trim_end_matches('/').to_owned();
        let started = runtime::spawn(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).pool_max_idle_per_host(0).build();
            let client = client.map_err(std::io::Error::other)?;
            let shared = Arc::new(Shared { node, client, plan: Mutex::default() });
            let routes = Router::new().fallback(serve).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(Arc::clone(&shared));
            let server = runtime::spawn(async move {
                // Ends only with its task.
                let _ = axum::serve(listener, routes).await;
            });
            Ok(Self { address, shared, server })
        });
        started.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, this happens to every request in which that method is called.
    pub fn set(&self, method: &str, fault: Fault) {
        self.shared.plan().by_method.insert(method.to_owned(), fault);
    }

    /// From now on, this happens to every request that has no fault of its own.
    pub fn set_every(&self, fault: Fault) {
        self.shared.plan().every = Some(fault);
    }

    /// From now on one of these happens to that part of all requests that have no other fault, always the same for one seed and
    /// one order of requests.
    pub fn set_chaos(&self, seed: u64, percent: u64, faults: Vec<Fault>) {
        self.shared.plan().chaos = Some(Chaos { state: seed, percent, faults });
    }

    /// From now on it only passes on.
    pub fn clear(&self) {
        let mut plan = self.shared.plan();
        (plan.by_method, plan.every, plan.chaos) = (BTreeMap::new(), None, None);
    }

    /// How many requests had a fault so far.
    pub fn bitten(&self) -> u64 {
        self.shared.plan().bitten
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let methods: Vec<&str> = calls(&asked).filter_map(|call| call.get("method")?.as_str()).collect();
    let request = Request { shared: &shared, path: uri.path(), entry: headers.get(header::AUTHORIZATION).cloned(), body };
    match shared.fault(&methods) {
        None => request.pass().await.into_response(),
        Some(fault) => spoilt(&request, &asked, fault).await,
    }
}

fn calls(asked: &Value) -> impl Iterator<Item = &Value> {
    let many = asked.as_array().map(Vec::as_slice);
    many.unwrap_or(std::slice::from_ref(asked)).iter()
}

struct Request<'a> {
    shared: &'a Shared,
    path: &'a str,
    entry: Option<header::HeaderValue>,
    body: Bytes,
}

/// What a node answered.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}

impl Request<'_> {
    /// A node that is down looks like one that is down.
    async fn pass(&self) -> Answer {
        let path = if self.path == "/" { "" } else { self.path };
        let mut asking = self.shared.client.post(format!("{}{path}", self.shared.node)).body(self.body.clone());
        asking = asking.header(header::CONTENT_TYPE, "application/json");
        if let Some(entry) = &self.entry {
            asking = asking.header(header::AUTHORIZATION, entry);
        }
        let down = |_| Answer { status: StatusCode::BAD_GATEWAY, body: Vec::new() };
        let answered = async {
            let response = asking.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>(Answer { status, body: response.bytes().await?.to_vec() })
        };
        answered.await.unwrap_or_else(down)
    }
}

async fn spoilt(request: &Request<'_>, asked: &Value, fault: Fault) -> Response {
    match fault {
        Fault::Delay(by) => {
            tokio::time::sleep(by).await;
            request.pass().await.into_response()
        }
        Fault::BreakBefore => broken(Vec::new()),
        Fault::BreakAfter => {
            request.pass().await;
            broken(Vec::new())
        }
        Fault::Twice => {
            request.pass().await;
            request.pass().await.into_response()
        }
        Fault::Truncate => {
            let mut answer = request.pass().await;
            answer.body.truncate(answer.body.len() / 2);
            answer.into_response()
        }
        Fault::Garble => {
            let answer = request.pass().await;
            let body = answer.body.iter().enumerate().map(|(i, byte)| byte.wrapping_mul(31).wrapping_add(i as u8)).collect();
            Answer { body, ..answer }.into_response()
        }
        Fault::Endless => Response::new(Body::from_stream(futures::stream::iter(
            std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; CHUNK]))).take(ENDLESS / CHUNK),
        ))),
        Fault::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response(),
        Fault::Refuse { code, message, done } => {
            if done {
                request.pass().await;
            }
            let error = json!({ "code": code, "message": message });
            let refusal = |call: &Value| json!({ "jsonrpc": "2.0", "id": call.get("id"), "result": null, "error": error });
            answers(asked, refusal).into_response()
        }
        Fault::Say(result) => {
            answers(asked, |call| json!({ "jsonrpc": "2.0", "id": call.get("id"), "result": result, "error": null }))
                .into_response()
        }
        Fault::Lie(lie) => {
            let answer = request.pass().await;
            let body = lied(asked, &answer.body, &lie).unwrap_or(answer.body);
            Answer { status: answer.status, body }.into_response()
        }
    }
}

/// Begins to answer, and breaks off.
fn broken(begun: Vec<u8>) -> Response {
    let parts = [Ok(Bytes::from(begun)), Err(std::io::Error::other("broken off"))];
    Response::new(Body::from_stream(futures::stream::iter(parts)))
}

fn answers(asked: &Value, answer: impl Fn(&Value) -> Value) -> axum::Json<Value> {
    axum::Json(match asked.as_array() {
        Some(many) => many.iter().map(answer).collect(),
        None => answer(asked),
    })
}

fn lied(asked: &Value, answer: &[u8], lie: &Lie) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let given = answer.as_array_mut().map(Vec::as_mut_slice);
    match given {
        Some(many) => many.iter_mut().for_each(|one| lie_in(asked, one, lie)),
        None => lie_in(asked, &mut answer, lie),
    }
    serde_json::to_vec(&answer).ok()
}

fn lie_in(asked: &Value, answer: &mut Value, lie: &Lie) {
    let id = answer.get("id").cloned();
    let Some(call) = calls(asked).find(|call| call.get("id").cloned() == id) else { return };
    let method = call.get("method").and_then(Value::as_str).unwrap_or_default();
    if let Some(result) = answer.get_mut("result") {
        *result = lie(method, call.get("params").unwrap_or(&Value::Null), result.take());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A node that answers everything with how often it was asked.
    async fn counting_node() -> (String, Arc<Mutex<u64>>) {
        let asked = Arc::new(Mutex::new(0_u64));
        let count = Arc::clone(&asked);
        let routes = Router::new().fallback(move |axum::Json(call): axum::Json<Value>| {
            let count = Arc::clone(&count);
            async move {
                let mut count = count.lock().unwrap();
                *count += 1;
                axum::Json(json!({ "id": call["id"], "result": *count, "error": null }))
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (url, asked)
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        let (url, asked) = counting_node().await;
        let proxy = FaultProxy::start(&url).await.unwrap();
        let rpc = crate::rpc::Rpc::new(proxy.url(), None);
        let refuse = |done| Fault::Refuse { code: -5, message: "no", done };
        let cases = [
            (Fault::Delay(Duration::from_millis(1)), 1, true),
            (Fault::BreakBefore, 0, false),
            (Fault::BreakAfter, 1, false),
            (Fault::Twice, 2, true),
            (Fault::Truncate, 1, false),
            (Fault::Garble, 1, false),
            (Fault::Status(503), 0, false),
            (refuse(false), 0, false),
            (refuse(true), 1, false),
            (Fault::Say(json!("yes")), 0, true),
            (Fault::Lie(Arc::new(|_, _, result| json!(result.as_u64().unwrap() + 100))), 1, true),
        ];
        for (fault, heard, answered) in cases {
            *asked.lock().unwrap() = 0;
            proxy.set("do", fault.clone());
            let answer = rpc.call("do", json!([])).await;
            assert_eq!((*asked.lock().unwrap(), answer.is_ok()), (heard, answered), "{fault:?}: {answer:?}");
            assert!(rpc.call("other", json!([])).await.is_ok(), "{fault:?} is for one method");
        }
        assert_eq!(rpc.call("do", json!([])).await.unwrap(), json!(102 + 1));
        proxy.clear();
        assert!(rpc.call("do", json!([])).await.unwrap().as_u64().unwrap() < 100);
    }

    #[test]
    fn chaos_is_the_same_for_the_same_seed() {
        let run = |seed| {
            let mut chaos = Chaos { state: seed, percent: 30, faults: vec![Fault::BreakBefore, Fault::Twice] };
            (0..200).map(|_| format!("{:?}", chaos.pick())).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let bitten = run(7).iter().filter(|pick| *pick != "None").count();
        assert!((30..90).contains(&bitten), "{bitten}");
    }
}
