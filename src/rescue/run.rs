//! The loop: look, decide, do, show, until nothing is left.

use super::search::{Finds, Rescued, listening_post};
use crate::assets::Assets;
use crate::clock;
use crate::keys::{KeyUse, Wallet};
use crate::ledgers::Ledgers;
use crate::service::AssetAmount;
use crate::store::{Store, StoreError};
use crate::wire::Connector;
use photon_chains::{Act, Ledger, LockId, PortError, Progress, Secret, SecretHash, UnixTime};
use photon_swap::{Fate, LegView, Orphan, Side};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// One lock that was found, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Its ledger.
    pub ledger: &'static str,
    /// What is in it.
    pub amount: AssetAmount,
    /// `own`: ours, to be taken back. `peer`: the counterparty's, to be redeemed.
    pub side: &'static str,
    /// What is being done, or how it ended.
    pub state: &'static str,
    /// Nothing is left to do about it.
    pub settled: bool,
    /// From when on its refund is open.
    pub opens: UnixTime,
    /// By what it and the other lock of its swap are locked.
    pub secret_hash: SecretHash,
    /// What went wrong last, while it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Everything that was found, and whether that is all.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Whose: the identity that the words give.
    pub identity: photon_chains::Address,
    /// Every lock that may hold, or held, money of ours.
    pub locks: Vec<Line>,
    /// Every ledger that is configured was searched, and nothing is left to do.
    pub done: bool,
    /// Ledgers that could not be searched yet, and why.
    pub unsearched: BTreeMap<Ledger, String>,
    /// Running swaps of this folder's own database: `photon node` carries them.
    pub left_to_node: usize,
}

/// A rescue under way.
pub struct Rescue {
    wallet: Arc<Wallet>,
    store: Store,
    ledgers: Ledgers,
    connector: Connector,
    assets: Assets,
    since: UnixTime,
    finds: Finds,
    families: BTreeMap<SecretHash, Vec<Rescued>>,
    secrets: HashMap<SecretHash, Secret>,
    posts: HashMap<(SecretHash, Ledger), LockId>,
    watched: HashSet<LockId>,
    swept: HashSet<LockId>,
    tried: HashMap<LockId, Instant>,
    troubles: HashMap<LockId, String>,
    unsearched: BTreeMap<Ledger, String>,
    /// Every listening post that is wanted stands.
    posted: bool,
}

/// Between two attempts at the same lock.
const REST: Duration = Duration::from_secs(2);

impl Rescue {
    /// Puts the parts together. The ledgers are connected, as far as they can be.
    pub async fn begin(
        wallet: Arc<Wallet>,
        store: Store,
        ledgers: Ledgers,
        connector: Connector,
        assets: Assets,
        since: UnixTime,
    ) -> anyhow::Result<Self> {
        let finds = Finds::begin(&store, since).await?;
        Ok(Self {
            wallet,
            store,
            ledgers,
            connector,
            assets,
            since,
            finds,
            families: BTreeMap::new(),
            secrets: HashMap::new(),
            posts: HashMap::new(),
            watched: HashSet::new(),
            swept: HashSet::new(),
            tried: HashMap::new(),
            troubles: HashMap::new(),
            unsearched: BTreeMap::new(),
            posted: true,
        })
    }

    /// Goes on until nothing is left, or, if `once`, until everything has been looked at and tried once. `show` is told whenever
    /// something has changed; `progress` how far the search of a ledger is.
    pub async fn run(
        mut self,
        once: bool,
        progress: &(dyn Fn(Ledger, u64, u64) + Send + Sync),
        mut show: impl FnMut(&Report),
    ) -> anyhow::Result<Report> {
        let mut tasks = JoinSet::new();
        let (looked, mut looks) = mpsc::channel(64);
        self.ledgers.watch(&self.connector, &mut tasks, looked);
        let mut last: Option<Report> = None;
        loop {
            tokio::select! {
                _ = looks.recv() => {}
                error = self.store.failed() => return Err(error.into()),
                Some(ended) = tasks.join_next() => anyhow::bail!("a part of the rescue ended: {ended:?}"),
            }
            // What else has been looked at meanwhile is in this round too.
            while looks.try_recv().is_ok() {}
            self.search(progress).await?;
            self.listen();
            let attempted = self.round().await?;
            let report = self.report();
            if last.as_ref() != Some(&report) {
                show(&report);
                last = Some(report.clone());
            }
            if report.done || (once && self.is_tried(&report, attempted)) {
                tasks.shutdown().await;
                return Ok(report);
            }
        }
    }

    /// Everything was searched and looked at, and what could be done now was tried.
    fn is_tried(&self, report: &Report, attempted: bool) -> bool {
        let is_seen =
            self.has_listened() && self.families.values().flatten().all(|rescued| self.view(rescued).sighting.is_some());
        report.unsearched.is_empty() && is_seen && !attempted
    }

    /// Searches the ledgers that are connected and have not been searched.
    async fn search(&mut self, progress: &(dyn Fn(Ledger, u64, u64) + Send + Sync)) -> anyhow::Result<()> {
        let mut is_new = false;
        for ledger in self.ledgers.all().collect::<Vec<_>>() {
            let Some(port) = self.ledgers.port(ledger).cloned() else { continue };
            if self.finds.has_searched(ledger) {
                continue;
            }
            let progressed = |done, all| progress(ledger, done, all);
            match self.finds.search(&self.wallet, &port, self.since, &progressed).await {
                Ok(()) => {
                    self.unsearched.remove(&ledger);
                    is_new = true;
                }
                Err(error) => {
                    self.unsearched.insert(ledger, error.to_string());
                }
            }
        }
        if is_new {
            self.families = self.finds.families();
            self.remember_hashes().await?;
            for rescued in self.families.values().flatten() {
                if self.watched.insert(rescued.lock.id()) {
                    self.ledgers.watch_lock(&rescued.lock, rescued.since);
                }
            }
        }
        Ok(())
    }

    /// No swap to come may be locked by a hash that was found here. One that the recovery file knows stays unknown to the database, so
    /// that a node that is started here later takes the whole swap back.
    async fn remember_hashes(&self) -> anyhow::Result<()> {
        let lost: HashSet<SecretHash> = self.store.lost_swaps().await?.into_iter().map(|lost| lost.secret_hash).collect();
        for hash in self.families.keys().filter(|hash| !lost.contains(hash)) {
            match self.store.reserve_hash(*hash).await {
                Ok(_) | Err(StoreError::HashUsed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Where the counterparty's lock stands and ours is not known, the other ledgers are watched for the secret.
    fn listen(&mut self) {
        self.posted = true;
        for (hash, family) in &self.families {
            let Some(of) = family.iter().find(|rescued| rescued.side == Side::Peer && rescued.stands) else { continue };
            if family.iter().any(|rescued| rescued.side == Side::Own) {
                continue;
            }
            for ledger in self.ledgers.all().filter(|ledger| *ledger != of.lock.asset.ledger()) {
                if self.posts.contains_key(&(*hash, ledger)) {
                    continue;
                }
                match listening_post(&self.ledgers, &self.wallet, of, ledger) {
                    Some((lock, since)) => {
                        self.ledgers.watch_lock(&lock, since);
                        self.posts.insert((*hash, ledger), lock.id());
                    }
                    None => self.posted = false,
                }
            }
        }
    }

    fn view(&self, rescued: &Rescued) -> LegView {
        let ledger = rescued.lock.asset.ledger();
        let id = rescued.lock.id();
        LegView {
            tip: self.ledgers.outlook(ledger).tip,
            healthy: true,
            sighting: self.ledgers.sighting(ledger, id),
            cancelled: false,
            swept: self.swept.contains(&id),
        }
    }

    fn fates(&self, hash: &SecretHash, family: &[Rescued]) -> Vec<Fate> {
        let views: Vec<LegView> = family.iter().map(|rescued| self.view(rescued)).collect();
        let orphans: Vec<Orphan<'_>> =
            family.iter().zip(&views).map(|(rescued, view)| Orphan { side: rescued.side, lock: &rescued.lock, view }).collect();
        photon_swap::rescue(&orphans, self.secrets.get(hash))
    }

    /// Learns secrets, and does what can be done. True if something was tried.
    async fn round(&mut self) -> anyhow::Result<bool> {
        self.learn();
        let mut wanted = Vec::new();
        for (hash, family) in &self.families {
            for (rescued, fate) in family.iter().zip(self.fates(hash, family)) {
                let rested = self.tried.get(&rescued.lock.id()).is_none_or(|at| at.elapsed() >= REST);
                if let Some(act) = self.act(rescued, fate).filter(|_| rested) {
                    wanted.push((*rescued, act));
                }
            }
        }
        let mut attempted = false;
        for (rescued, act) in wanted {
            let Some(port) = self.ledgers.port(rescued.lock.asset.ledger()).cloned() else { continue };
            let id = rescued.lock.id();
            attempted |= self.tried.insert(id, Instant::now()).is_none();
            match port.ensure(&act).await {
                Ok(progress) => {
                    self.troubles.remove(&id);
                    if progress == Progress::Done && matches!(act, Act::Refund { .. }) {
                        self.swept.insert(id);
                    }
                }
                Err(PortError::Journal(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(lock = %id, %error, "not done yet");
                    self.troubles.insert(id, error.to_string());
                }
            }
        }
        Ok(attempted)
    }

    fn learn(&mut self) {
        let found = self
            .families
            .values()
            .flatten()
            .map(|rescued| (rescued.lock.secret_hash, rescued.lock.asset.ledger(), rescued.lock.id()));
        let posts = self.posts.iter().map(|((hash, ledger), id)| (*hash, *ledger, *id));
        for (hash, ledger, id) in found.chain(posts).collect::<BTreeSet<_>>() {
            let seen = self.ledgers.sighting(ledger, id).and_then(|seen| seen.secret);
            if let Some(secret) = seen.filter(|secret| secret.hash() == hash) {
                self.secrets.entry(hash).or_insert(secret);
            }
        }
    }

    fn act(&self, rescued: &Rescued, fate: Fate) -> Option<Act> {
        let lock = rescued.lock;
        let key = |key_use| self.wallet.lock_key(rescued.salt.as_bytes(), lock.asset.ledger(), key_use);
        match fate {
            Fate::Refund => Some(Act::Refund { lock, key: key(KeyUse::Refund) }),
            Fate::Redeem => {
                let secret = self.secrets.get(&lock.secret_hash)?.clone();
                Some(Act::Redeem { lock, secret, key: key(KeyUse::Redeem) })
            }
            Fate::Unknown
            | Fate::WaitsForExpiry
            | Fate::WaitsForSecret
            | Fate::Redeemed
            | Fate::Refunded
            | Fate::NotOurs
            | Fate::Nothing => None,
        }
    }

    fn report(&self) -> Report {
        let mut locks = Vec::new();
        for (hash, family) in &self.families {
            for (rescued, fate) in family.iter().zip(self.fates(hash, family)) {
                locks.push(Line {
                    ledger: rescued.lock.asset.ledger().name(),
                    amount: self.assets.show(rescued.lock.asset, rescued.lock.amount),
                    side: match rescued.side {
                        Side::Own => "own",
                        Side::Peer => "peer",
                    },
                    state: fate.word(),
                    settled: fate.is_settled(),
                    opens: rescued.lock.expiry.opens_time,
                    secret_hash: *hash,
                    trouble: self.troubles.get(&rescued.lock.id()).filter(|_| !fate.is_settled()).cloned(),
                });
            }
        }
        let unsearched: BTreeMap<Ledger, String> = self
            .ledgers
            .all()
            .filter(|ledger| !self.finds.has_searched(*ledger))
            .map(|ledger| {
                let why = self.unsearched.get(&ledger).cloned().or_else(|| self.ledgers.unhealthy(ledger, clock::now()));
                (ledger, why.unwrap_or_else(|| "not yet".to_owned()))
            })
            .collect();
        let done = unsearched.is_empty() && locks.iter().all(|line| line.settled) && self.has_listened();
        let left_to_node = self.finds.running();
        Report { identity: self.wallet.identity_address(), locks, done, unsearched, left_to_node }
    }

    /// Every listening post that still matters has heard what was said before it stood there.
    fn has_listened(&self) -> bool {
        let mut open = self.posts.iter().filter(|((hash, _), _)| !self.secrets.contains_key(hash));
        self.posted && open.all(|((_, ledger), id)| self.ledgers.sighting(*ledger, *id).is_some())
    }
}
