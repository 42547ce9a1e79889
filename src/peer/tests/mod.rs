#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any_bytes;
mod asks_and_answers_both_ways;
mod bad_input_ends_only_its_own_connection;
mod comes_back_after_a_restart;
mod only_the_named_peer_is_trusted;

use super::handshake::{self, Ourselves, Session};
use super::*;
use crate::config::Network;
use crate::keys::{SeedWords, Wallet};
use async_trait::async_trait;
use photon_chains::Address;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

const LOOPBACK: &str = "127.0.0.1:0";
const SOON: Duration = Duration::from_secs(10);

fn wallet(network: Network) -> Arc<Wallet> {
    Arc::new(Wallet::new(&SeedWords::generate().unwrap(), network).unwrap())
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Fast pauses, so that tests of failures don't wait.
fn limits() -> Limits {
    Limits { backoff_first: ms(10), backoff_max: ms(50), ..Limits::default() }
}

/// Answers a few kinds, and remembers what it was asked.
#[derive(Default)]
struct Clerk {
    asked: Mutex<Vec<(Address, PeerRequest)>>,
    finished: AtomicUsize,
}

impl Clerk {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Handler for Clerk {
    fn knows(&self, kind: &str) -> bool {
        ["echo", "who", "slow", "large", "decline", "panic"].contains(&kind)
    }

    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply {
        self.asked.lock().unwrap().push((from, request.clone()));
        let reply = match request.kind.as_str() {
            "echo" => PeerReply::Answer(request.body),
            "who" => PeerReply::Answer(json!(from)),
            "slow" => {
                tokio::time::sleep(ms(request.body.as_u64().unwrap())).await;
                PeerReply::Answer(json!("done"))
            }
            "large" => PeerReply::Answer(json!("x".repeat(request.body.as_u64().unwrap() as usize))),
            "decline" => PeerReply::Declined("no\u{1b}[2J thanks".into()),
            other => panic!("asked to {other}"),
        };
        self.finished.fetch_add(1, Ordering::SeqCst);
        reply
    }
}

/// A node with its clerk.
struct Party {
    net: PeerNet,
    clerk: Arc<Clerk>,
    wallet: Arc<Wallet>,
}

impl Party {
    async fn start(wallet: Arc<Wallet>, listen: Option<SocketAddr>, limits: Limits) -> Self {
        let clerk = Arc::new(Clerk::default());
        let handler: Arc<dyn Handler> = clerk.clone();
        let net = PeerNet::start_with(listen, wallet.clone(), handler, limits).await.unwrap();
        Self { net, clerk, wallet }
    }

    async fn listening(limits: Limits) -> Self {
        Self::start(wallet(Network::Regtest), Some(LOOPBACK.parse().unwrap()), limits).await
    }

    async fn dialling() -> Self {
        Self::start(wallet(Network::Regtest), None, limits()).await
    }

    fn identity(&self) -> Address {
        self.net.identity()
    }

    fn socket(&self) -> SocketAddr {
        self.net.local_addr().unwrap()
    }

    fn address(&self) -> PeerAddress {
        at(self.identity(), self.socket())
    }

    async fn echo(&self, to: &PeerAddress) -> Result<Value, PeerError> {
        self.net.request(to, "echo", json!("hello"), SOON).await
    }
}

fn at(identity: Address, socket: SocketAddr) -> PeerAddress {
    PeerAddress::at(identity, socket).unwrap()
}

/// Mallory's own client: a proper handshake, and then whatever she likes.
async fn raw_session(to: &Party) -> (TcpStream, Session, Address) {
    raw_session_from("127.0.0.1", to).await
}

async fn raw_session_from(ip: &str, to: &Party) -> (TcpStream, Session, Address) {
    let mut stream = raw_socket_from(ip, to).await;
    let mallory = Ourselves::new(wallet(Network::Regtest));
    let session = handshake::dial(&mut stream, &mallory, to.identity()).await.unwrap();
    (stream, session, mallory.identity())
}

async fn raw_socket_from(ip: &str, to: &Party) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
    socket.connect(to.socket()).await.unwrap()
}

/// Waits until something holds, and fails if it doesn't.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(ms(20)).await;
    }
    panic!("still not so: {what}");
}
