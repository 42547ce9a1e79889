//! Our end of all connections.

use super::address::PeerAddress;
use super::bucket::Buckets;
use super::dial::{self, Dials};
use super::directory::Directory;
use super::error::{PeerError, Unreached};
use super::handler::Handler;
use super::handshake::Ourselves;
use super::limits::Limits;
use super::listener;
use super::stream::{Deaf, Streams};
use crate::keys::Wallet;
use photon_chains::Address;
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Says that a task runs; a shutdown waits until none does.
pub(super) type Task = mpsc::Sender<Infallible>;

/// What all connections share.
pub(super) struct Node {
    pub ourselves: Ourselves,
    pub limits: Limits,
    pub handler: Arc<dyn Handler>,
    pub streams: Arc<dyn Streams>,
    pub directory: Directory,
    pub dials: Dials,
    pub answering: Arc<Semaphore>,
    buckets: Buckets,
    stop: watch::Receiver<bool>,
    tasks: Mutex<Option<Task>>,
}

impl Node {
    /// Returns when the node stops, or its last handle is dropped.
    pub async fn stopped(&self) {
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Leave to start a task. None once the node stops.
    pub fn task(&self) -> Option<Task> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes one of the peer's tokens.
    pub fn may_ask(&self, peer: Address) -> bool {
        self.buckets.take(peer, std::time::Instant::now())
    }
}

/// The peers we talk to. Clones are handles on the same thing; when the last is dropped, everything stops. A handler that keeps
/// one must let it go, or the node be [`shutdown`](PeerNet::shutdown).
#[derive(Clone)]
pub struct PeerNet {
    pub(super) node: Arc<Node>,
    local: Option<SocketAddr>,
    stop: Arc<watch::Sender<bool>>,
    running: Arc<tokio::sync::Mutex<mpsc::Receiver<Infallible>>>,
}

impl PeerNet {
    /// Starts as the identity of `wallet`, on its network. Without `listen` it only dials, and is asked over what it dialled.
    pub async fn start(listen: Option<SocketAddr>, wallet: Arc<Wallet>, handler: Arc<dyn Handler>) -> Result<Self, PeerError> {
        Self::start_with(listen, wallet, handler, Limits::default()).await
    }

    /// The same, with other limits.
    pub async fn start_with(
        listen: Option<SocketAddr>,
        wallet: Arc<Wallet>,
        handler: Arc<dyn Handler>,
        limits: Limits,
    ) -> Result<Self, PeerError> {
        Self::start_hearing(listen, wallet, handler, Arc::new(Deaf), limits).await
    }

    /// The same, with somebody who takes in one-way messages.
    pub async fn start_hearing(
        listen: Option<SocketAddr>,
        wallet: Arc<Wallet>,
        handler: Arc<dyn Handler>,
        streams: Arc<dyn Streams>,
        limits: Limits,
    ) -> Result<Self, PeerError> {
        let listener = match listen {
            None => None,
            Some(address) => Some(bind(address).await?),
        };
        let (tasks, running) = mpsc::channel(1);
        let stop = Arc::new(watch::Sender::new(false));
        let node = Arc::new(Node {
            ourselves: Ourselves::new(wallet),
            handler,
            streams,
            directory: Directory::default(),
            dials: Dials::default(),
            answering: Arc::new(Semaphore::new(limits.handlers)),
            buckets: Buckets::new(limits.requests_per_sec, limits.requests_burst),
            stop: stop.subscribe(),
            tasks: Mutex::new(Some(tasks.clone())),
            limits,
        });
        let local = listener.as_ref().map(|(_, local)| *local);
        if let Some((listener, _)) = listener {
            tokio::spawn(listener::accept_all(listener, Arc::clone(&node), tasks));
        }
        Ok(Self { node, local, stop, running: Arc::new(tokio::sync::Mutex::new(running)) })
    }

    /// Who we are to others.
    pub fn identity(&self) -> Address {
        self.node.ourselves.identity()
    }

    /// Where we listen, with the port the system gave.
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Every peer there is a connection with.
    pub fn connected(&self) -> Vec<Address> {
        self.node.directory.connected()
    }

    /// Asks a peer, and waits for its answer. Uses the connection there is, whoever opened it; else dials, again and again with
    /// growing pauses, until `within` has passed. A request is sent at most once: see [`PeerError::may_have_arrived`].
    pub async fn request(&self, to: &PeerAddress, kind: &str, body: Value, within: Duration) -> Result<Value, PeerError> {
        let deadline = Instant::now() + within;
        loop {
            let connection = tokio::select! {
                biased;
                () = self.node.stopped() => return Err(PeerError::Stopped),
                connection = dial::reach(&self.node, to, deadline) => connection?,
            };
            match timeout_at(deadline, connection.ask(kind, &body)).await {
                Ok(Some(answer)) => return answer,
                // It ended just before: nothing was sent.
                Ok(None) => {}
                Err(_) => return Err(PeerError::TimedOut),
            }
        }
    }

    /// Makes sure that there is a connection: uses the one there is, or dials, again and again with growing pauses, until `within`
    /// has passed.
    pub async fn connect(&self, to: &PeerAddress, within: Duration) -> Result<(), PeerError> {
        tokio::select! {
            biased;
            () = self.node.stopped() => Err(PeerError::Stopped),
            connection = dial::reach(&self.node, to, Instant::now() + within) => connection.map(|_| ()),
        }
    }

    /// Asks a peer that is connected with us now, wherever it is.
    pub async fn request_connected(&self, to: Address, kind: &str, body: Value, within: Duration) -> Result<Value, PeerError> {
        let missing = PeerError::Unreachable(Unreached::NotConnected);
        let connection = self.node.directory.live(to).ok_or(missing.clone())?;
        match timeout(within, connection.ask(kind, &body)).await {
            Ok(answer) => answer.unwrap_or(Err(missing)),
            Err(_) => Err(PeerError::TimedOut),
        }
    }

    /// Hangs up on everybody, frees the port, and waits for requests that are being answered, though not for ever. May be
    /// called more than once.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.node.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut running = self.running.lock().await;
        if timeout(self.node.limits.shutdown, running.recv()).await.is_err() {
            tracing::warn!("a peer's request was still being answered at shutdown");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), PeerError> {
    let failed = |error: std::io::Error| PeerError::Listen { address, kind: error.kind() };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}
