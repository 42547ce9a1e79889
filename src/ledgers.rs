//! The ledgers that are configured: polled without end, each by a task of its own, and what they last showed.

use crate::clock;
use photon_chains::{Ledger, LockId, Port, PortError, Sighting, Tip, UnixTime};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What is known of a ledger as a whole.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Its best block at the last good look.
    pub tip: Option<Tip>,
    /// When that look was, by our clock.
    pub looked_at: Option<UnixTime>,
    /// What went wrong at the last look, if it did.
    pub trouble: Option<String>,
}

struct Entry {
    port: Arc<dyn Port>,
    outlook: Mutex<Outlook>,
}

/// All configured ledgers.
#[derive(Clone)]
pub struct Ledgers(Arc<BTreeMap<Ledger, Entry>>);

/// How long the last good look may be past before a ledger counts as out of sight, in polls.
const POLLS_OUT_OF_SIGHT: u32 = 20;

impl Ledgers {
    /// From connected adapters.
    pub fn new(ports: Vec<Arc<dyn Port>>) -> Self {
        let entry = |port: Arc<dyn Port>| (port.ledger(), Entry { port, outlook: Mutex::default() });
        Self(Arc::new(ports.into_iter().map(entry).collect()))
    }

    /// The adapter of a ledger, if it is configured.
    pub fn port(&self, ledger: Ledger) -> Option<&Arc<dyn Port>> {
        self.0.get(&ledger).map(|entry| &entry.port)
    }

    /// Every configured ledger.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Port>> {
        self.0.values().map(|entry| &entry.port)
    }

    /// What is known of a ledger.
    pub fn outlook(&self, ledger: Ledger) -> Outlook {
        self.0.get(&ledger).map(|entry| lock(&entry.outlook).clone()).unwrap_or_default()
    }

    /// What the ledger showed of a lock at the last good look, or nothing if there was none since the start. A look that
    /// failed changes nothing here: it only makes the ledger [`Ledgers::unhealthy`].
    pub fn sighting(&self, ledger: Ledger, lock_id: LockId) -> Option<Sighting> {
        self.0.get(&ledger)?.port.look(lock_id)
    }

    /// Why no new risk may be taken on a ledger now; none if it may.
    pub fn unhealthy(&self, ledger: Ledger, now: UnixTime) -> Option<String> {
        let Some(entry) = self.0.get(&ledger) else { return Some("not configured".to_owned()) };
        let outlook = lock(&entry.outlook);
        if let Some(trouble) = &outlook.trouble {
            return Some(trouble.clone());
        }
        let (Some(tip), Some(looked_at)) = (outlook.tip, outlook.looked_at) else {
            return Some("not looked at yet".to_owned());
        };
        let out_of_sight = u64::from(POLLS_OUT_OF_SIGHT) * poll_interval(&entry.port).as_secs().max(1);
        if now.secs_since(looked_at) > out_of_sight {
            return Some(format!("not seen for {} s", now.secs_since(looked_at)));
        }
        let age = now.secs_since(tip.time);
        (age > entry.port.timing().stale_tip_secs).then(|| format!("its newest block is {age} s old"))
    }

    /// Looks once at a ledger.
    pub async fn poll(&self, ledger: Ledger) -> Result<Tip, PortError> {
        let Some(entry) = self.0.get(&ledger) else {
            return Err(PortError::Refused { ledger, reason: "this ledger is not configured".to_owned() });
        };
        let seen = entry.port.poll().await;
        let mut outlook = lock(&entry.outlook);
        match &seen {
            Ok(tip) => *outlook = Outlook { tip: Some(*tip), looked_at: Some(clock::now()), trouble: None },
            Err(error) => outlook.trouble = Some(error.to_string()),
        }
        seen
    }

    /// Polls every ledger without end, each at its own pace, and says after each look which one it was.
    pub fn watch(&self, tasks: &mut JoinSet<anyhow::Result<()>>, looked: mpsc::Sender<Ledger>) {
        for ledger in self.0.keys().copied() {
            let (ledgers, looked) = (self.clone(), looked.clone());
            tasks.spawn(async move {
                loop {
                    match ledgers.poll(ledger).await {
                        Ok(_) => {}
                        Err(PortError::Journal(error)) => return Err(error.into()),
                        Err(error) => tracing::warn!(chain = %ledger, %error, "could not look"),
                    }
                    if looked.send(ledger).await.is_err() {
                        return Ok(());
                    }
                    let pause = ledgers.0.get(&ledger).map_or(Duration::from_secs(1), |entry| poll_interval(&entry.port));
                    tokio::time::sleep(pause).await;
                }
            });
        }
    }
}

/// Often enough that a block is seen within a tenth of a block's time, and a mempool within five seconds.
fn poll_interval(port: &Arc<dyn Port>) -> Duration {
    Duration::from_millis((port.timing().block_secs * 100).clamp(400, 5_000))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
