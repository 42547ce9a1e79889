//! One connection of one client: a request at a time.

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// See the module.
pub struct Wire {
    sender: SendRequest<Full<Bytes>>,
    token: String,
}

/// An answer, and how long it took.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    /// From the request's first byte to the answer's last.
    pub took: Duration,
}

impl Wire {
    /// Connects.
    pub async fn connect(at: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, token: format!("Bearer {token}") })
    }

    /// Posts JSON.
    pub async fn post(&mut self, path: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.ask("POST", path, serde_json::to_vec(body)?).await
    }

    /// Reads.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, Vec::new()).await
    }

    async fn ask(&mut self, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let request =
            Request::builder().method(method).uri(path).header("Host", "localhost").header("Authorization", &self.token);
        let request = if body.is_empty() {
            request
        } else {
            request
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", format!("{:?}", Instant::now()).replace(' ', ""))
        };
        let request = request.body(Full::new(Bytes::from(body))).context("a request that can't be written")?;
        self.sender.ready().await?;
        let began = Instant::now();
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body, took: began.elapsed() })
    }
}
