//! Reaches a peer: over a connection that is there, or by dialling, with growing pauses.

use super::address::PeerAddress;
use super::connection::Connection;
use super::error::{PeerError, Unreached};
use super::handshake::{self, Role};
use super::limits::Limits;
use super::listener;
use super::net::Node;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How dialling one address has gone. Whoever dials holds the lock, so that many requests make one dial.
#[derive(Default)]
struct Attempts {
    failed: u32,
    not_before: Option<Instant>,
}

/// The addresses that were dialled.
#[derive(Default)]
pub(super) struct Dials(std::sync::Mutex<HashMap<PeerAddress, Arc<Mutex<Attempts>>>>);

/// The most addresses remembered; beyond them, those that nobody is dialling now are forgotten.
const REMEMBERED: usize = 1024;

impl Dials {
    fn of(&self, address: &PeerAddress) -> Arc<Mutex<Attempts>> {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if dials.len() >= REMEMBERED {
            dials.retain(|_, attempts| Arc::strong_count(attempts) > 1);
        }
        Arc::clone(dials.entry(address.clone()).or_default())
    }
}

impl Attempts {
    fn failed(&mut self, limits: &Limits) {
        let pause = limits.backoff_first.saturating_mul(1 << self.failed.min(16)).min(limits.backoff_max);
        // Up to a quarter more, so that nodes which lost the same peer don't all come back in the same moment.
        let mut dice = [0];
        let _ = getrandom::fill(&mut dice);
        self.not_before = Some(Instant::now() + pause + pause.mul_f64(f64::from(dice[0]) / 1024.0));
        self.failed = self.failed.saturating_add(1);
    }
}

/// A connection with that peer, dialled again and again until `deadline`.
pub(super) async fn reach(node: &Arc<Node>, to: &PeerAddress, deadline: Instant) -> Result<Arc<Connection>, PeerError> {
    if let Some(connection) = node.directory.live(to.identity()) {
        return Ok(connection);
    }
    let slow = PeerError::Unreachable(Unreached::Slow);
    let attempts = node.dials.of(to);
    let mut attempts = timeout_at(deadline, attempts.lock()).await.map_err(|_| slow.clone())?;
    let mut last = slow;
    loop {
        if let Some(connection) = node.directory.live(to.identity()) {
            return Ok(connection);
        }
        if let Some(not_before) = attempts.not_before {
            sleep_until(not_before.min(deadline)).await;
        }
        if Instant::now() >= deadline {
            return Err(last);
        }
        match dial_once(node, to, deadline).await {
            Ok(connection) => {
                *attempts = Attempts::default();
                return Ok(connection);
            }
            Err(error) => {
                attempts.failed(&node.limits);
                if error.is_final() {
                    return Err(error);
                }
                last = error;
            }
        }
    }
}

async fn dial_once(node: &Arc<Node>, to: &PeerAddress, deadline: Instant) -> Result<Arc<Connection>, PeerError> {
    let in_time = |limit: Duration| deadline.min(Instant::now() + limit);
    let slow = |_| PeerError::Unreachable(Unreached::Slow);
    let mut stream = timeout_at(in_time(node.limits.handshake), TcpStream::connect((to.host(), to.port())))
        .await
        .map_err(slow)?
        .map_err(|error| PeerError::Unreachable(Unreached::Connect(error.kind())))?;
    let shaken = handshake::dial(&mut stream, &node.ourselves, to.identity());
    let session = timeout_at(in_time(node.limits.handshake), shaken).await.map_err(slow)??;

    let task = node.task().ok_or(PeerError::Stopped)?;
    let (connection, outgoing) = Connection::new(session.peer, session.key, &node.limits);
    node.directory.add(Role::Dialer, &connection);
    let (served, node) = (Arc::clone(&connection), Arc::clone(node));
    tokio::spawn(async move {
        listener::run(stream, session, Role::Dialer, &served, outgoing, &node).await;
        drop(task);
    });
    Ok(connection)
}
