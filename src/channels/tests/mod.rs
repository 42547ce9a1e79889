//! What the channels promise, tried out: engines over real stores and real connections, and a ledger in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod a_channel_that_nobody_tells_of_is_found;
mod a_copy_that_is_put_back_signs_nothing;
mod a_lost_database_costs_nothing;
mod a_reorganisation_loses_nothing;
mod channels_open_pay_and_close;
mod deposits_that_a_token_brings_are_credited;
mod ledger;
mod legs_keep_what_a_ledger_promises;
mod neighbours_find_each_other_nearby;
mod neighbours_pay_out_of_sight;
mod payments_find_their_way;
mod restarts_lose_no_payment;
mod trouble;
mod who_closes_or_is_silent_takes_nothing;

use super::*;
use crate::config::Network;
use crate::keys::{SeedWords, Wallet};
use crate::peer::{Limits, PeerAddress, Silent};
use ledger::{BLOCK_SECS, CHAIN_ID, CONTRACT, Chain, LEDGER, REGISTRY};
use photon_channel::{Outcome, Signer, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Short margins: the ledger's time is no test's.
const POLICY: Policy = Policy {
    fee_base: Units::ZERO,
    fee_ppm: 10_000,
    hop_slack_secs: 900,
    reveal_margin_secs: 600,
    halt_secs: 0,
    longest_lock_secs: 200_000,
    most_locks: 100,
    most_pending: Units::MAX,
    expire_patience_secs: 60,
    consent_secs: 6_000,
    resend_secs: 60,
    return_secs: 20,
};

/// A node: what survives it, and what runs.
struct Party {
    chain: Chain,
    wallet: Arc<Wallet>,
    folder: tempfile::TempDir,
    announces: bool,
    policy: Policy,
    offline_limit: u64,
    /// How often it looks at the chain.
    pace: Duration,
    /// Where it keeps a backup, if it does.
    backup: Option<PathBuf>,
    runs: Option<Running>,
}

struct Running {
    store: Store,
    channels: Channels,
    net: Arc<PeerNet>,
    switch: Arc<Switch>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Party {
    async fn new(chain: &Chain) -> Self {
        Self::with(chain, true, POLICY).await
    }

    async fn with(chain: &Chain, announces: bool, policy: Policy) -> Self {
        let wallet = Arc::new(Wallet::new(&SeedWords::generate().unwrap(), Network::Regtest).unwrap());
        chain.give(wallet.identity_address(), 1_000_000);
        let mut party = Self {
            chain: chain.clone(),
            wallet,
            folder: tempfile::tempdir().unwrap(),
            announces,
            policy,
            offline_limit: 0,
            pace: Duration::from_millis(20),
            backup: None,
            runs: None,
        };
        party.start().await;
        party
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("photon.db")
    }

    /// Its database, once whoever had it last has let go of it.
    async fn store(&self) -> Store {
        loop {
            // Of a process that was killed the lock is free at once; of threads in this one, a moment later.
            match Store::open(&self.database(), *self.wallet.storage_key().expose()) {
                Ok(store) => return store,
                Err(crate::store::StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn start(&mut self) {
        let store = self.store().await;
        let port = self.chain.port(self.wallet.identity_address());
        let parts = EngineParts {
            ledger: LEDGER,
            signer: Signer::new(*self.wallet.evm_account_key().expose()).unwrap(),
            chain_id: CHAIN_ID,
            contract: CONTRACT,
            registry: REGISTRY,
            tokens: BTreeSet::from(ledger::TOKENS),
            policy: self.policy,
            block_secs: BLOCK_SECS,
            most_channels: 100,
            announces: self.announces,
            offline_limits: BTreeMap::from([(None, Units::from(self.offline_limit))]),
            sight: SightRule { silent_secs: 1, stale_tip_secs: 1_000 },
            source: Arc::new(move || Some(port.clone())),
            pace: self.pace,
        };
        let mut tasks = JoinSet::new();
        let (channels, switch) = Channels::start(&store, vec![parts], self.backup.clone(), &mut tasks).await.unwrap();
        let limits =
            Limits { backoff_first: Duration::from_millis(10), backoff_max: Duration::from_millis(50), ..Limits::default() };
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let net = PeerNet::start_hearing(listen, self.wallet.clone(), Arc::new(Silent), switch.clone(), limits).await.unwrap();
        let net = Arc::new(net);
        channels.keep_connected(net.clone(), &mut tasks);
        self.runs = Some(Running { store, channels, net, switch, tasks });
    }

    fn runs(&self) -> &Running {
        self.runs.as_ref().unwrap()
    }

    fn channels(&self) -> &Channels {
        &self.runs().channels
    }

    fn identity(&self) -> Address {
        self.wallet.identity_address()
    }

    /// Dropped as it stands: nothing is finished, nobody is told.
    async fn kill(&mut self) {
        let Some(Running { store, channels, net, switch, mut tasks }) = self.runs.take() else { return };
        tasks.abort_all();
        net.shutdown().await;
        while tasks.join_next().await.is_some() {}
        drop((store, channels, net, switch));
    }

    /// Its disk is broken: nothing of the database is left.
    async fn lose(&self) {
        // Whoever lets go of it late would take what comes into its place along.
        self.store().await.close().await.unwrap();
        for suffix in ["", "-wal", "-shm", ".recovery"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("photon.db{suffix}")));
        }
    }

    async fn restart(&mut self) {
        self.kill().await;
        self.start().await;
    }

    /// Learns where somebody listens now.
    async fn meet(&self, other: &Party) {
        let address = PeerAddress::at(other.identity(), other.runs().net.local_addr().unwrap()).unwrap();
        self.runs().store.saw_peer(other.identity(), format!("{}:{}", address.host(), address.port())).await.unwrap();
    }

    async fn view(&self, id: ChannelId) -> ChannelView {
        self.channels().show(LEDGER, id).await.unwrap().unwrap()
    }

    async fn balances(&self, id: ChannelId) -> (i128, i128) {
        let view = self.view(id).await;
        (view.own, view.peers)
    }

    fn payment(&self, to: &Party, amount: u64) -> NewPayment {
        NewPayment {
            ledger: LEDGER,
            id: None,
            token: None,
            payee: Payee::Account(to.identity()),
            amount: Units::from(amount),
            most_fee: Units::from(1_000),
            by: PayBy::Direct,
            through: Through::Any,
            memo: None,
        }
    }

    async fn pay(&self, to: &Party, amount: u64) -> Outcome {
        self.channels().pay(self.payment(to, amount)).await.unwrap().ended.await.unwrap()
    }
}

/// The channel of two parties, opened by the first, and ready.
async fn opened(chain: &Chain, one: &Party, other: &Party, amount: u64) -> ChannelId {
    one.meet(other).await;
    let deposit =
        NewDeposit { ledger: LEDGER, token: None, peer: other.identity(), window: Window::SHORTEST, amount: Units::from(amount) };
    let id = one.channels().deposit(deposit).await.unwrap();
    until(chain, "the channel is open on both sides", async || {
        let (here, there) = (one.channels().show(LEDGER, id).await.unwrap(), other.channels().show(LEDGER, id).await.unwrap());
        [here, there].iter().all(|view| view.as_ref().is_some_and(|view| view.is_ready && view.stage == StageView::Open))
    })
    .await;
    id
}

/// Mines until something holds, and fails if it never does.
async fn until(chain: &Chain, what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        chain.mine();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still not so: {what}");
}
