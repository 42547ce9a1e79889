//! The API on a real socket, over a service in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod channels;
mod doors;
mod events;
mod idempotency;
mod routes;
mod socket;

use super::fake::{Fake, id};
use super::server::{App, Limits, ServeError, Settings, serve_app};
use super::tokens::{Scope, Tokens};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

/// A server that is stopped when this is dropped.
pub(crate) struct World {
    pub fake: Arc<Fake>,
    pub(in crate::api) app: App,
    pub address: SocketAddr,
    /// A node's folder with its token file.
    pub folder: tempfile::TempDir,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<Result<(), ServeError>>,
}

pub(super) fn token(scope: Scope) -> String {
    format!("{}-token-{}", scope.name(), "x".repeat(32))
}

fn token_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(crate::api::TOKEN_FILE);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    let lines: String = Scope::ALL.map(|scope| format!("{} {}\n", token(scope), scope.name())).concat();
    std::io::Write::write_all(&mut &file, lines.as_bytes()).unwrap();
    (folder, path)
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (folder, token_file) = token_file();
        let mut settings = Settings::from(Tokens::from_file(&token_file).unwrap());
        settings.limits = Limits { heartbeat: std::time::Duration::from_millis(200), ..Limits::default() };
        change(&mut settings);
        let fake = Arc::new(Fake::new());
        let (stopping, stopped) = watch::channel(false);
        let app = App::new(fake.clone(), settings, stopped);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, wait) = oneshot::channel();
        let shutdown = async {
            wait.await.ok();
        };
        let served = tokio::spawn(serve_app(listener, app.clone(), stopping, shutdown));
        let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(20)).build().unwrap();
        Self { fake, app, address, folder, client, stop: Some(stop), served }
    }

    /// A request without anything but its method and path.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub fn ask(&self, scope: Scope, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(token(scope))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.ask(Scope::Read, Method::GET, path).send().await.unwrap()
    }

    pub fn post(&self, scope: Scope, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.ask(scope, Method::POST, path).header("Idempotency-Key", key).json(body)
    }

    pub async fn stop(mut self) -> Result<(), ServeError> {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.served).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// A path with a good name in each of its places.
pub(super) fn filled(path: &str) -> String {
    let places = [("{id}", id(1)), ("{hash}", id(1)), ("{payment}", "01".repeat(16))];
    let named = places.iter().fold(path.to_owned(), |path, (place, name)| path.replace(place, name));
    named.replace("{peer}", "bob").replace("{ledger}", "ethereum")
}

/// The problem in an answer, which must be one of that status.
pub(super) async fn problem(response: Response, status: u16) -> super::Problem {
    assert_eq!(response.status().as_u16(), status, "{response:?}");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: super::Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    assert!(problem.kind.starts_with("urn:photon:problem:") && !problem.title.is_empty() && problem.detail.len() > 5);
    problem
}
