//! One of the two nodes: connected when it answers, looked at without waiting for it longer than the other can bear.

use super::agree::Place;
use crate::wire::ConnectError;
use futures::future::BoxFuture;
use photon_chains::{PortError, Tip, Witness};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

/// Connects to a node. It is given the other one, if that is connected.
pub type Dial = Box<dyn Fn(Option<Arc<dyn Witness>>) -> BoxFuture<'static, Result<Arc<dyn Witness>, ConnectError>> + Send + Sync>;

/// Between two tries to connect.
const REDIAL: Duration = Duration::from_secs(5);

/// What the last look came to.
#[derive(Clone, Debug)]
pub(super) enum Looked {
    /// It answered.
    Seen(Tip),
    /// It did not, or not yet, or is not connected.
    Unseen(PortError),
}

pub(super) struct Node {
    pub(super) place: Place,
    dial: Dial,
    port: OnceLock<Arc<dyn Witness>>,
    looked: Mutex<Option<Looked>>,
    dialled: Mutex<Option<Instant>>,
    /// A look that is under way. It is never broken off: it would only have to begin again.
    looking: tokio::sync::Mutex<Option<JoinHandle<Result<Tip, PortError>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    pub(super) fn new(place: Place, dial: Dial) -> Self {
        let (looked, dialled, looking) = (Mutex::default(), Mutex::default(), tokio::sync::Mutex::default());
        Self { place, dial, port: OnceLock::new(), looked, dialled, looking }
    }

    pub(super) fn port(&self) -> Option<&Arc<dyn Witness>> {
        self.port.get()
    }

    /// True if the last look at it was good: what it shows counts.
    pub(super) fn is_in_sight(&self) -> bool {
        matches!(&*lock(&self.looked), Some(Looked::Seen(_)))
    }

    pub(super) fn put(&self, port: Arc<dyn Witness>) {
        let _ = self.port.set(port);
    }

    pub(super) fn note(&self, looked: Looked) {
        *lock(&self.looked) = Some(looked);
    }

    /// Tries to connect, if it is not and was not tried just now.
    pub(super) async fn dial(&self, other: Option<&Arc<dyn Witness>>) -> Option<Result<Arc<dyn Witness>, ConnectError>> {
        {
            let mut dialled = lock(&self.dialled);
            if self.port.get().is_some() || dialled.is_some_and(|at| at.elapsed() < REDIAL) {
                return None;
            }
            *dialled = Some(Instant::now());
        }
        Some((self.dial)(other.cloned()).await)
    }

    /// Looks, waiting so long at most; a look that takes longer goes on, and is asked about next time. `signing` is shared while
    /// it lasts: a look at a ledger with accounts may send what was sent before once more.
    pub(super) async fn look(&self, limit: Duration, signing: &Arc<RwLock<()>>) -> Option<Looked> {
        let port = self.port.get()?;
        let mut looking = self.looking.lock().await;
        let under_way = looking.get_or_insert_with(|| {
            let (port, signing) = (port.clone(), signing.clone());
            tokio::spawn(async move {
                let _shared = signing.read().await;
                port.poll().await
            })
        });
        let unseen = |reason: &str| PortError::Unreachable { ledger: port.ledger(), reason: reason.to_owned() };
        let ended = match tokio::time::timeout(limit, under_way).await {
            Err(_) => return Some(Looked::Unseen(unseen("it takes long to answer"))),
            Ok(ended) => ended,
        };
        *looking = None;
        Some(match ended {
            Ok(Ok(tip)) => Looked::Seen(tip),
            Ok(Err(error)) => Looked::Unseen(error),
            Err(_) => Looked::Unseen(unseen("the look at it broke off")),
        })
    }
}
