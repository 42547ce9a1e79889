//! A running node: everything wired together, from start to shutdown.

mod channels;
mod engines;
mod gauges;
mod late;
mod legs;
mod look;
mod payment;
mod payments;
mod qr;
mod records;
mod requests;
mod sends;
mod service;
mod views;

use crate::api;
use crate::assets::Assets;
use crate::channels::Channels;
use crate::clock;
use crate::config::{Config, ProfileName};
use crate::coordinator::Coordinator;
use crate::datadir::DataDir;
use crate::gossip::Gossip;
use crate::keys::Wallet;
use crate::lan;
use crate::ledgers::Ledgers;
use crate::legs::Orphans;
use crate::market::Market;
use crate::negotiation::{Desk, Maker, Taker};
use crate::peer::{Handler, Limits, PeerNet, Together};
use crate::reserve::{DiskGate, Reserves, StrangerCaps};
use crate::store::Store;
use crate::wire::Connector;
use anyhow::Context;
pub use late::LateJournal;
use metrics_exporter_prometheus::PrometheusHandle;
use photon_chains::Ledger;
use photon_swap::{LONGEST_LOCK_SECS, Profile};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A node that is up: the surface behind the API.
pub struct Node {
    desk: Desk,
    taker: Taker,
    maker: Arc<Maker>,
    net: Arc<PeerNet>,
    gossip: Option<Gossip>,
    channels: Channels,
    config: Config,
    metrics: Option<PrometheusHandle>,
    sends: mpsc::Sender<()>,
}

impl Node {
    /// The payment channels of this node.
    pub const fn channels(&self) -> &Channels {
        &self.channels
    }
}

#[cfg(test)]
impl Node {
    /// Ether that running swaps hold.
    pub(crate) async fn held_for_test(&self) -> u128 {
        let held = self.desk.coordinator.reserves.held().await.unwrap_or_default();
        held.get(&photon_chains::Asset::Native(Ledger::Ethereum)).map_or(0, |amount| amount.units())
    }

    /// A swap is over.
    pub(crate) fn forget_for_test(&self, swap: &str) {
        self.desk.coordinator.book.with(|swaps| swaps.retain(|id, _| id.to_string() != swap));
    }
}

/// How often offers whose time is over are marked so.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// Runs a node until `shutdown` completes or something fails that nothing may be done on top of.
pub async fn run(
    config: Config,
    datadir: &DataDir,
    wallet: Wallet,
    metrics: Option<PrometheusHandle>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let wallet = Arc::new(wallet);
    // The nodes first: a start that they refuse leaves nothing behind.
    let journal = Arc::new(LateJournal::default());
    let connector = Connector::new(config.clone(), wallet.clone(), journal.clone());
    let ledgers = Ledgers::new(&config.venues());
    tell_of_single_nodes(&config);
    ledgers.connect(&connector).await?;
    let store = Store::open(&datadir.database(), *wallet.storage_key().expose())?;
    journal.open(store.clone());
    let listener = TcpListener::bind(config.api.listen)
        .await
        .with_context(|| format!("the API can't listen on {}: is another node running?", config.api.listen))?;
    let tokens = api::Tokens::from_file(&datadir.api_token())?;
    let mut tasks = JoinSet::new();
    let disk = DiskGate::new(datadir.path().to_owned(), config.min_free_mb);
    let parts = Parts { config, wallet, store: store.clone(), ledgers, disk };
    let node = start(parts, &connector, metrics, &mut tasks).await?;
    tracing::info!(
        identity = %node.net.identity(),
        peers = node.net.local_addr().map(|address| address.to_string()),
        api = %node.config.api.listen,
        network = node.config.network.name(),
        "running"
    );
    let limits = api::Limits { per_second: node.config.api.requests_per_second, ..api::Limits::default() };
    let settings = api::Settings { allowed_hosts: node.config.api.allowed_hosts.clone(), limits, ..api::Settings::from(tokens) };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = node.clone();
    let mut server = tokio::spawn(async move {
        api::serve(listener, service, settings, async {
            let _ = stopped.await;
        })
        .await
    });
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        error = store.failed() => Err(anyhow::Error::from(error)),
        Some(ended) = tasks.join_next() => Err(why(ended)),
        served = &mut server => Err(anyhow::anyhow!("the API stopped: {served:?}")),
    };
    let _ = stop.send(());
    node.net.shutdown().await;
    tasks.shutdown().await;
    let closed = store.close().await;
    ended?;
    closed?;
    tracing::info!("stopped");
    Ok(())
}

/// Said once, at every start, and shown by `photon health`.
fn tell_of_single_nodes(config: &Config) {
    let alone: Vec<String> =
        config.ledgers().into_iter().filter(|ledger| !config.has_second_node(*ledger)).map(|it| it.to_string()).collect();
    if !alone.is_empty() {
        tracing::warn!(
            chains = alone.join(", "),
            "NO SECOND NODE: one node alone is believed here, and if it lies or lags money can be lost; name another one in [….second_node]"
        );
    }
}

fn why(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a part of the node ended by itself"),
        Ok(Err(error)) => error,
        Err(error) => anyhow::Error::from(error).context("a part of the node broke off"),
    }
}

/// What a start has made ready.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) wallet: Arc<Wallet>,
    pub(crate) store: Store,
    pub(crate) ledgers: Ledgers,
    pub(crate) disk: DiskGate,
}

/// Wires a node of those parts, and starts its tasks.
pub(crate) async fn start(
    parts: Parts,
    connector: &Connector,
    metrics: Option<PrometheusHandle>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<Arc<Node>> {
    let Parts { config, wallet, store, ledgers, disk } = parts;
    let profile = profile(config.profile);
    let caps = StrangerCaps { each: config.maker.stranger_swaps, unpaid: config.maker.strangers_unpaid };
    let reserves = Reserves::new(ledgers.clone(), disk).with_caps(caps);
    let assets = Assets::new(&config);
    let market = Market::new(&config, &assets, profile, wallet.identity_address())?;
    let (coordinator, added) =
        Coordinator::new(wallet.clone(), store.clone(), ledgers.clone(), reserves.clone(), profile.skew_secs);
    let coordinator = coordinator.asking(config.ask_before_lock);
    let is_copy = store.is_put_back().await?;
    if is_copy {
        coordinator.distrust_copy().await?;
    }
    coordinator.take_back_lost().await?;
    Coordinator::announce_counters();
    let resumed = coordinator.resume().await?;
    tracing::info!(swaps = resumed, "taken up again");
    let desk = Desk {
        coordinator: coordinator.clone(),
        assets,
        profile,
        max_lock_secs: LONGEST_LOCK_SECS,
        failures_per_peer: config.failures_per_peer,
        chain_ids: chain_ids(&config),
        market: market.clone(),
        draining: Arc::default(),
    };
    let maker = Arc::new(Maker::new(desk.clone()));
    let engines = engines::engines(&config, &wallet, &ledgers, profile)?;
    let (channels, switch) = Channels::start(&store, engines, config.channels.backup.clone(), tasks).await?;
    if is_copy {
        // By now nothing in it is trusted any more.
        store.note_put_back().await?;
    }
    let legs = legs::Legs { config: &config, wallet: &wallet, ledgers: &ledgers, channels: &channels, profile };
    legs.attach(tasks)?;
    let gossip = config.peer.gossip.then(|| Gossip::new(wallet.clone(), config.announced(wallet.identity_address())));
    let mut answering: Vec<Arc<dyn Handler>> = vec![maker.clone()];
    answering.extend(gossip.clone().map(|gossip| Arc::new(gossip) as Arc<dyn Handler>));
    let answering = Arc::new(Together(answering));
    let net = PeerNet::start_hearing(config.peer.listen, wallet, answering, switch, Limits::default()).await?;
    let net = Arc::new(net);
    if let Some(gossip) = &gossip {
        tasks.spawn(gossip.clone().run(net.clone(), store.clone()));
    }
    channels.keep_connected(net.clone(), tasks);
    if let Some(at) = net.local_addr().filter(|_| config.peer.lan) {
        let notes = lan::announce(lan::Spot::usual(net.identity(), at), tasks);
        channels.find_nearby(net.clone(), notes, tasks);
    }
    let (looked, looks) = mpsc::channel(64);
    ledgers.watch(connector, tasks, looked);
    tasks.spawn(coordinator.run(looks, added));
    tasks.spawn(reserves.clone().watch());
    tasks.spawn(market.run());
    let (sends, wakes) = mpsc::channel(1);
    tasks.spawn(sends::run(store.clone(), ledgers, reserves, wakes));
    tasks.spawn(crate::webhook::run(store.clone(), config.api.webhooks_on_loopback));
    tasks.spawn(housekeeping(store, channels.clone()));
    let taker = Taker::new(desk.clone(), net.clone());
    let node = Arc::new(Node { desk, taker, maker, net, gossip, channels, config, metrics, sends });
    tasks.spawn(gauges::watch(node.clone()));
    Ok(node)
}

async fn housekeeping(store: Store, channels: Channels) -> anyhow::Result<()> {
    /// Void swaps are kept for a day, and forgotten a thousand at a time.
    const VOID_KEPT_SECS: u64 = 24 * 3600;
    /// Peers with whom nothing ever came to anything are remembered for a month.
    const SCORE_KEPT_SECS: u64 = 30 * 24 * 3600;
    let mut orphans = Orphans::default();
    loop {
        let now = clock::now();
        orphans.give_up(&store, &channels).await?;
        store.expire_offers(now).await?;
        store.forget_void_swaps(now.minus_secs(VOID_KEPT_SECS), 1000).await?;
        store.forget_scores(now.minus_secs(SCORE_KEPT_SECS), 1000).await?;
        requests::end_overdue(&store, &channels, now).await?;
        channels::fall_back(&store, &channels, now).await?;
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

fn profile(name: ProfileName) -> Profile {
    match name {
        ProfileName::Hot => Profile::HOT,
        ProfileName::Standard => Profile::STANDARD,
        ProfileName::Desktop => Profile::DESKTOP,
        ProfileName::Regtest => Profile::REGTEST,
    }
}

fn chain_ids(config: &Config) -> BTreeMap<Ledger, u64> {
    let of = |ledger: Ledger| match ledger.chain() {
        Ledger::Ethereum => Some(config.ethereum.as_ref()?.chain_id),
        Ledger::Smt => Some(config.smt.as_ref()?.chain_id),
        Ledger::Bitcoin | Ledger::Litecoin | Ledger::EthereumChannel | Ledger::SmtChannel => None,
    };
    config.venues().into_iter().filter_map(|ledger| Some((ledger, of(ledger)?))).collect()
}
