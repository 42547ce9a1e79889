//! The ledgers that are configured: connected, polled without end, each by a task of its own, and what they last showed.
//!
//! A node that is down when we start must not keep us from our duties on the other chains. So a ledger may be connected
//! later: until then nothing is known of it, and nothing new is begun on it.

use crate::clock;
use crate::wire::{ConnectError, Connector};
use photon_chains::{BlockHeight, ContractPort, Ledger, Lock, LockId, Port, PortError, Sighting, Tip, UnixTime};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
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

#[derive(Default)]
struct Entry {
    port: OnceLock<Arc<dyn Port>>,
    /// Locks to be watched once it is connected. Held while it is being connected, so that none is missed.
    waiting: Mutex<Vec<(Lock, BlockHeight)>>,
    outlook: Mutex<Outlook>,
}

/// All configured ledgers.
#[derive(Clone)]
pub struct Ledgers(Arc<BTreeMap<Ledger, Entry>>);

/// A handle that keeps no port alive: for ports that stand on others.
#[derive(Clone)]
pub struct WeakLedgers(Weak<BTreeMap<Ledger, Entry>>);

impl WeakLedgers {
    /// The ledgers, while the node runs.
    pub fn get(&self) -> Option<Ledgers> {
        self.0.upgrade().map(Ledgers)
    }
}

/// How long the last good look may be past before a ledger counts as out of sight, in polls.
const POLLS_OUT_OF_SIGHT: u32 = 20;
/// No chain lets a block be dated further ahead of the true time than Bitcoin and Litecoin do: by two hours. If one is, the clock of
/// this machine is slow, and no deadline can be judged by it.
const FURTHEST_AHEAD_SECS: u64 = 2 * 3600;
/// Between two tries to connect.
const RECONNECT: Duration = Duration::from_secs(5);

impl Ledgers {
    /// The configured ledgers, none of them connected yet.
    pub fn new(configured: &[Ledger]) -> Self {
        Self(Arc::new(configured.iter().map(|ledger| (*ledger, Entry::default())).collect()))
    }

    /// A handle that keeps no port alive.
    pub fn weak(&self) -> WeakLedgers {
        WeakLedgers(Arc::downgrade(&self.0))
    }

    /// Connects every ledger that can be reached. Channels are put in by whoever runs them. One of the wrong network, or without our contracts, is an error: better not
    /// to start than to find out later. One that does not answer is tried again by [`Ledgers::watch`].
    pub async fn connect(&self, connector: &Connector) -> anyhow::Result<()> {
        let tries = self
            .0
            .keys()
            .filter(|ledger| !ledger.is_channel())
            .map(|ledger| async { (*ledger, connector.connect(*ledger).await) });
        for (ledger, tried) in futures::future::join_all(tries).await {
            match tried {
                Ok(port) => self.put(ledger, port),
                Err(ConnectError::Unreachable(error)) => {
                    tracing::error!(chain = %ledger, %error, "not connected: it is tried again, and nothing new is begun on it");
                    self.say(ledger, error.to_string());
                }
                Err(ConnectError::Refused(error)) => return Err(error.context(format!("[{ledger}] can't be used"))),
            }
        }
        Ok(())
    }

    /// Connects a ledger by an adapter that is there. The first one stays.
    pub fn put(&self, ledger: Ledger, port: Arc<dyn Port>) {
        let Some(entry) = self.0.get(&ledger) else { return };
        let mut waiting = lock(&entry.waiting);
        let port = entry.port.get_or_init(|| port);
        for (lock, since) in waiting.drain(..) {
            port.watch(&lock, since);
        }
    }

    fn say(&self, ledger: Ledger, trouble: String) {
        if let Some(entry) = self.0.get(&ledger) {
            lock(&entry.outlook).trouble = Some(trouble);
        }
    }

    /// True if the configuration names that ledger, connected or not.
    pub fn is_configured(&self, ledger: Ledger) -> bool {
        self.0.contains_key(&ledger)
    }

    /// Every configured ledger.
    pub fn all(&self) -> impl Iterator<Item = Ledger> {
        self.0.keys().copied()
    }

    /// Every configured chain: those with nodes. Channels are as well as their chain.
    pub fn chains(&self) -> impl Iterator<Item = Ledger> {
        self.all().filter(|ledger| !ledger.is_channel())
    }

    /// The adapter of a ledger, once it is connected.
    pub fn port(&self, ledger: Ledger) -> Option<&Arc<dyn Port>> {
        self.0.get(&ledger)?.port.get()
    }

    /// A ledger's contracts and our account there, once it is connected and if a channels contract is configured.
    pub fn contracts(&self, ledger: Ledger) -> Option<Arc<dyn ContractPort>> {
        self.port(ledger)?.clone().contracts()
    }

    /// Watches a lock, from now on or from when its ledger is connected.
    pub fn watch_lock(&self, held: &Lock, since: BlockHeight) {
        let Some(entry) = self.0.get(&held.asset.ledger()) else { return };
        let mut waiting = lock(&entry.waiting);
        match entry.port.get() {
            Some(port) => port.watch(held, since),
            None => waiting.push((*held, since)),
        }
    }

    /// Watches it no longer.
    pub fn unwatch_lock(&self, held: &Lock) {
        let Some(entry) = self.0.get(&held.asset.ledger()) else { return };
        let mut waiting = lock(&entry.waiting);
        waiting.retain(|(other, _)| other.id() != held.id());
        if let Some(port) = entry.port.get() {
            port.unwatch(held.id());
        }
    }

    /// What is known of a ledger.
    pub fn outlook(&self, ledger: Ledger) -> Outlook {
        self.0.get(&ledger).map(|entry| lock(&entry.outlook).clone()).unwrap_or_default()
    }

    /// What the ledger showed of a lock at the last good look, or nothing if there was none since the start. A look that
    /// failed changes nothing here: it only makes the ledger [`Ledgers::unhealthy`].
    pub fn sighting(&self, ledger: Ledger, lock_id: LockId) -> Option<Sighting> {
        self.port(ledger)?.look(lock_id)
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
        let Some(port) = entry.port.get() else { return Some("not connected yet".to_owned()) };
        if let Some(doubt) = port.doubt() {
            return Some(doubt);
        }
        let out_of_sight = u64::from(POLLS_OUT_OF_SIGHT) * poll_interval(port).as_secs().max(1);
        if now.secs_since(looked_at) > out_of_sight {
            return Some(format!("not seen for {} s", now.secs_since(looked_at)));
        }
        let ahead = tip.time.secs_since(now);
        if ahead > FURTHEST_AHEAD_SECS {
            return Some(format!("its newest block is {ahead} s ahead of this machine's clock, which is slow: set it right"));
        }
        let age = now.secs_since(tip.time);
        (age > port.timing().stale_tip_secs).then(|| format!("its newest block is {age} s old"))
    }

    /// Looks once at a ledger.
    pub async fn poll(&self, ledger: Ledger) -> Result<Tip, PortError> {
        let Some(entry) = self.0.get(&ledger) else {
            return Err(PortError::Refused { ledger, reason: "this ledger is not configured".to_owned() });
        };
        let Some(port) = entry.port.get() else {
            return Err(PortError::Unreachable { ledger, reason: "not connected yet".to_owned() });
        };
        let seen = port.poll().await;
        let mut outlook = lock(&entry.outlook);
        match &seen {
            Ok(tip) => *outlook = Outlook { tip: Some(*tip), looked_at: Some(clock::now()), trouble: None },
            Err(error) => outlook.trouble = Some(error.to_string()),
        }
        seen
    }

    /// Polls every ledger without end, each at its own pace, and says after each look which one it was.
    pub fn watch(&self, connector: &Connector, tasks: &mut JoinSet<anyhow::Result<()>>, looked: mpsc::Sender<Ledger>) {
        for ledger in self.all() {
            let (ledgers, connector, looked) = (self.clone(), connector.clone(), looked.clone());
            tasks.spawn(async move {
                ledgers.connect_late(ledger, &connector).await;
                loop {
                    match ledgers.poll(ledger).await {
                        Ok(_) => {}
                        Err(PortError::Journal(error)) => return Err(error.into()),
                        Err(error) => tracing::warn!(chain = %ledger, %error, "could not look"),
                    }
                    if looked.send(ledger).await.is_err() {
                        return Ok(());
                    }
                    tokio::time::sleep(ledgers.port(ledger).map_or(RECONNECT, poll_interval)).await;
                }
            });
        }
    }

    /// Returns once the ledger is connected.
    async fn connect_late(&self, ledger: Ledger, connector: &Connector) {
        while self.port(ledger).is_none() {
            if ledger.is_channel() {
                tokio::time::sleep(RECONNECT).await;
                continue;
            }
            match connector.connect(ledger).await {
                Ok(port) => {
                    self.put(ledger, port);
                    tracing::info!(chain = %ledger, "connected");
                }
                Err(error) => {
                    // One that answers now but is the wrong one stays unused, and is said so again and again.
                    tracing::warn!(chain = %ledger, %error, "not connected yet");
                    self.say(ledger, error.to_string());
                    tokio::time::sleep(RECONNECT).await;
                }
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pair::tests::FakeNode;

    const BITCOIN: Ledger = Ledger::Bitcoin;

    /// F2, F6, F16: a node that answers and stands still is as little to rely on as one that does not answer, and neither takes
    /// away what was seen.
    #[tokio::test]
    async fn a_stale_tip_and_a_silent_node_stop_new_risk_and_take_back_nothing_seen() {
        let (ledgers, node, now) = (Ledgers::new(&[BITCOIN]), FakeNode::new(0), clock::now());
        let why = |now| ledgers.unhealthy(BITCOIN, now);
        assert!(why(now).is_some_and(|why| why.contains("not looked at yet")));
        ledgers.put(BITCOIN, node.clone());
        let tip = ledgers.poll(BITCOIN).await.unwrap();
        assert_eq!(why(clock::now()), None);
        let lock = LockId::from_bytes([1; 32]);
        assert!(ledgers.sighting(BITCOIN, lock).is_some());

        let stale = node.timing().stale_tip_secs;
        node.freeze(Tip { time: clock::now().minus_secs(stale + 60), ..tip });
        ledgers.poll(BITCOIN).await.unwrap();
        assert!(why(clock::now()).is_some_and(|why| why.contains("newest block is")), "{:?}", why(clock::now()));
        assert!(ledgers.outlook(BITCOIN).tip.is_some(), "duties go on by it");
        node.freeze(Tip { time: clock::now(), ..tip });
        ledgers.poll(BITCOIN).await.unwrap();
        assert_eq!(why(clock::now()), None);
        assert!(why(clock::now().plus_secs(stale + 60)).is_some(), "also when only our clock went on");

        // F6: as far ahead as a miner may date it says nothing, and further says that our clock is slow.
        let slow = |secs| clock::now().minus_secs(FURTHEST_AHEAD_SECS).minus_secs(secs);
        node.freeze(Tip { time: clock::now().plus_secs(60), ..tip });
        ledgers.poll(BITCOIN).await.unwrap();
        assert_eq!(why(slow(0).plus_secs(90)), None);
        assert!(why(slow(60)).is_some_and(|why| why.contains("set it right")), "{:?}", why(slow(60)));

        node.silence();
        assert!(ledgers.poll(BITCOIN).await.is_err());
        assert!(why(clock::now()).is_some_and(|why| why.contains("did not answer")));
        assert!(ledgers.sighting(BITCOIN, lock).is_some(), "an error is no state");
    }
}
