//! The socket: accepts, bounds and drains connections.

use super::guard::Hosts;
use super::once::Keys;
use super::patient::Patient;
use super::rate::Rates;
use super::routes;
use super::tokens::Tokens;
use crate::service::Service;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The largest head and read-ahead of one connection.
const CONNECTION_BUFFER_BYTES: usize = 32 * 1024;

/// What one caller, or all together, can make grow.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections that stand at once; the next waits to be accepted.
    pub connections: usize,
    /// Requests that run at once; the next is told to try again.
    pub running: usize,
    /// Requests of one token in a second; twice as many at once after a rest.
    pub per_second: u32,
    /// Creating requests that run at once, also after their callers left.
    pub creating: u32,
    /// Listeners to events at once.
    pub listeners: usize,
    /// For a request's head to arrive.
    pub head_within: Duration,
    /// For an answer to begin.
    pub answer_within: Duration,
    /// Between two signs of life on a silent event stream, and two pings of a socket.
    pub heartbeat: Duration,
    /// For a listener to take what was written to its socket.
    pub taken_within: Duration,
    /// For a caller to take anything at all of what is written to it. Longer than [`Limits::taken_within`]: a socket says goodbye.
    pub stalled_within: Duration,
    /// For what runs to end at a shutdown.
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            running: 64,
            per_second: 500,
            creating: 32,
            listeners: 32,
            head_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            taken_within: Duration::from_secs(10),
            stalled_within: Duration::from_secs(30),
            drain_within: Duration::from_secs(10),
        }
    }
}

/// Who may call, from where, and how much.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tokens that are accepted.
    pub tokens: Tokens,
    /// Names by which we may be called beside loopback: `name`, or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call; usually none.
    pub allowed_origins: Vec<String>,
    /// The bounds.
    pub limits: Limits,
}

impl From<Tokens> for Settings {
    /// Loopback names only, no pages, usual bounds.
    fn from(tokens: Tokens) -> Self {
        Self { tokens, allowed_hosts: Vec::new(), allowed_origins: Vec::new(), limits: Limits::default() }
    }
}

/// Why serving ended otherwise than by the shutdown.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What was still being created did not end in time.
    #[error("{0} requests that create something had not ended when the node was stopped")]
    Undrained(usize),
}

/// What handlers share.
#[derive(Clone)]
pub(super) struct App {
    pub service: Arc<dyn Service>,
    pub tokens: Arc<Tokens>,
    pub hosts: Arc<Hosts>,
    pub origins: Arc<Vec<String>>,
    pub limits: Arc<Limits>,
    pub rates: Arc<Rates>,
    pub running: Arc<Semaphore>,
    pub creating: Arc<Semaphore>,
    pub listeners: Arc<Semaphore>,
    pub keys: Arc<Keys>,
    /// Becomes true when the node stops: event streams end then.
    pub stopping: watch::Receiver<bool>,
}

impl App {
    pub(super) fn new(service: Arc<dyn Service>, settings: Settings, stopping: watch::Receiver<bool>) -> Self {
        let limits = settings.limits;
        Self {
            service,
            rates: Arc::new(Rates::new(limits.per_second, settings.tokens.count())),
            tokens: Arc::new(settings.tokens),
            hosts: Arc::new(Hosts::new(settings.allowed_hosts)),
            origins: Arc::new(settings.allowed_origins),
            running: Arc::new(Semaphore::new(limits.running)),
            creating: Arc::new(Semaphore::new(limits.creating as usize)),
            listeners: Arc::new(Semaphore::new(limits.listeners)),
            limits: Arc::new(limits),
            keys: Arc::default(),
            stopping,
        }
    }
}

/// Serves the API on `listener` until `shutdown` completes; then takes no more requests, ends event streams, and waits for
/// what is being created. `settings` may be just the [`Tokens`].
pub async fn serve(
    listener: TcpListener,
    service: Arc<dyn Service>,
    settings: impl Into<Settings>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, stopping) = watch::channel(false);
    serve_app(listener, App::new(service, settings.into(), stopping), stop, shutdown).await
}

pub(super) async fn serve_app(
    listener: TcpListener,
    app: App,
    stop: watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let slots = Arc::new(Semaphore::new(app.limits.connections));
    let router = TowerToHyperService::new(routes::router(app.clone()));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(app.limits.head_within).max_buf_size(CONNECTION_BUFFER_BYTES);
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, slot) = tokio::select! {
            next = accept(&listener, &slots) => next,
            () = &mut shutdown => break,
        };
        // A request may ask to become a socket.
        let stream = Patient::new(stream, app.limits.stalled_within);
        let connection = server.serve_connection(TokioIo::new(stream), router.clone()).with_upgrades();
        let mut stopping = app.stopping.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(target: "photon::api", %error, "connection ended");
            }
        });
    }
    drop(listener);
    stop.send_replace(true);
    drain(&app, &slots).await
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there is always a permit in the end.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers go out at once; where that can't be set, they only come later.
                let _ = stream.set_nodelay(true);
                return (stream, slot);
            }
            Err(error) => {
                // Out of file descriptors, say: what stands goes on, and room comes back.
                tracing::warn!(target: "photon::api", %error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn many(slots: usize) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}

async fn drain(app: &App, slots: &Semaphore) -> Result<(), ServeError> {
    let all = app.limits.creating;
    let ended = async {
        // Every connection holds one of its slots until it has ended.
        let connections = slots.acquire_many(many(app.limits.connections)).await.is_ok();
        // Whoever was creating holds a permit until it has ended, also when its caller has gone.
        let created = app.creating.acquire_many(all).await.is_ok();
        // Sockets of events are no requests any more: each says goodbye.
        connections && created && app.listeners.acquire_many(many(app.limits.listeners)).await.is_ok()
    };
    match tokio::time::timeout(app.limits.drain_within, ended).await {
        Ok(_) => Ok(()),
        Err(_) => match (all as usize).saturating_sub(app.creating.available_permits()) {
            0 => Ok(()),
            left => Err(ServeError::Undrained(left)),
        },
    }
}
