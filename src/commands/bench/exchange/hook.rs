//! The receiving end of a webhook.

use super::wire::Wire;
use crate::service::EventView;
use axum::body::Bytes;
use axum::http::StatusCode;
use serde::Deserialize;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the last events may take.
const WITHIN: Duration = Duration::from_secs(180);

#[derive(Default)]
struct Taken {
    swaps: HashSet<String>,
    events: u64,
}

#[derive(Deserialize)]
struct Told {
    events: Vec<EventView>,
}

/// Takes everything.
pub struct Receiver {
    at: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Receiver {
    /// On a port of its own.
    pub async fn start() -> anyhow::Result<Self> {
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let takes = taken.clone();
        let handler = move |body: Bytes| async move {
            let Ok(told) = serde_json::from_slice::<Told>(&body) else { return StatusCode::BAD_REQUEST };
            let mut taken = takes.lock().unwrap_or_else(PoisonError::into_inner);
            taken.events += told.events.len() as u64;
            taken.swaps.extend(told.events.into_iter().map(|event| event.subject));
            StatusCode::NO_CONTENT
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let limit = axum::extract::DefaultBodyLimit::max(8 << 20);
        let app = axum::Router::new().route("/hook", axum::routing::post(handler)).layer(limit);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { at, taken })
    }

    /// Asks the node to tell it everything about swaps.
    pub async fn register(&self, node: SocketAddr, token: &str) -> anyhow::Result<()> {
        let hook = serde_json::json!({
            "url": format!("http://{}/hook", self.at), "secret": "a secret of thirty-two characters!", "kinds": ["swap"],
        });
        let answer = Wire::connect(node, token).await?.post("/v1/webhooks", &hook).await?;
        anyhow::ensure!(answer.status == 201, "the webhook was refused: {}", String::from_utf8_lossy(&answer.body));
        Ok(())
    }

    /// Every swap that it was told of, once all of those are among them, or it took too long.
    pub async fn wait_for(&self, wanted: &HashSet<String>) -> HashSet<String> {
        let until = Instant::now() + WITHIN;
        loop {
            let swaps = self.taken.lock().unwrap_or_else(PoisonError::into_inner).swaps.clone();
            if wanted.is_subset(&swaps) || Instant::now() > until {
                return swaps;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// How many events it took.
    pub fn events(&self) -> u64 {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).events
    }
}
