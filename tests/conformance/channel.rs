//! Payment channels on Ethereum and SMT as benches: two nodes' engines with a channel between them, each over a database, connections
//! and an adapter of its own, on a real chain.
//!
//! They are wired as a node wires them, but for the coordinator: here the stories are what wants locks.

use crate::bench::{Bench, ChainBench, Who};
use crate::evm::EvmBench;
use crate::journal::MemoryJournal;
use crate::stage::Patience;
use async_trait::async_trait;
use photon::channels::{ChannelView, Channels, EngineParts, NewDeposit, SightRule, StageView, policy_for};
use photon::config::{ChannelsConfig, Network};
use photon::keys::{SeedWords, Wallet};
use photon::ledgers::Ledgers;
use photon::legs::{LegParts, LegPort};
use photon::peer::{Limits, PeerAddress, PeerNet, Silent};
use photon::store::{Store, StoreError};
use photon_chains::{Act, Amount, Asset, Expiry, IntentKey, Ledger, Port, Progress, UnixTime};
use photon_channel::{ChannelId, Signer, Units, Window};
use photon_evm::EvmAdapter;
use photon_swap::Profile;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

const AMOUNT: u128 = 1_000_000_000_000_000;
const DEPOSIT: u128 = 100 * AMOUNT;
/// Enough for Alice's deposit, and for the gas of both.
const PURSE: u128 = 10_000 * AMOUNT;
/// Between two looks at the chain.
const PACE: Duration = Duration::from_millis(20);

pub async fn ethereum() -> Option<ChannelBench> {
    Some(ChannelBench::over(crate::evm::ethereum().await?, Ledger::EthereumChannel).await)
}

pub async fn smt() -> Option<ChannelBench> {
    Some(ChannelBench::over(crate::evm::smt().await?, Ledger::SmtChannel).await)
}

/// A token by the book.
pub async fn erc20() -> Option<ChannelBench> {
    Some(ChannelBench::over(crate::evm::erc20().await?, Ledger::EthereumChannel).await)
}

/// A channel of two parties that are new to the chain, for one story.
pub struct ChannelBench {
    chain: EvmBench,
    asset: Asset,
    parties: [Mutex<Party>; 2],
    id: ChannelId,
    /// Transactions that each had signed when the channel stood.
    to_open: [usize; 2],
}

/// A node: what survives it, and what runs.
struct Party {
    ledger: Ledger,
    wallet: Arc<Wallet>,
    folder: tempfile::TempDir,
    journal: Arc<MemoryJournal>,
    runs: Option<Running>,
}

struct Running {
    store: Store,
    ledgers: Ledgers,
    channels: Channels,
    net: PeerNet,
    tasks: JoinSet<anyhow::Result<()>>,
    /// A port over it has been given out: the next one is of another process.
    is_met: bool,
}

impl Party {
    async fn new(chain: &EvmBench, ledger: Ledger) -> Self {
        let wallet = Arc::new(Wallet::new(&SeedWords::generate().unwrap(), Network::Regtest).unwrap());
        chain.chain.faucet(&wallet.identity_address().to_string(), PURSE).await.unwrap();
        if let Some(token) = chain.asset().token() {
            chain.give(token, wallet.identity_address(), PURSE).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut party = Self { ledger, wallet, folder, journal: Arc::default(), runs: None };
        party.start(chain).await;
        party
    }

    async fn start(&mut self, chain: &EvmBench) {
        let (home, config) = (self.ledger.chain(), &chain.config);
        let path = self.folder.path().join("photon.db");
        let store = loop {
            // Of a process that was killed the lock is free at once; of threads in this one, a moment later.
            match Store::open(&path, *self.wallet.storage_key().expose()) {
                Ok(store) => break store,
                Err(StoreError::InUse { .. }) => tokio::time::sleep(PACE).await,
                Err(error) => panic!("{error}"),
            }
        };
        let ledgers = Ledgers::new(&[home]);
        let adapter = EvmAdapter::connect(config.clone(), self.wallet.evm_account_key(), self.journal.clone()).await.unwrap();
        ledgers.put(home, Arc::new(adapter));
        ledgers.poll(home).await.unwrap();
        let timing = photon_evm::params(home, Network::Regtest).unwrap().timing;
        let (allowed, found) = (ChannelsConfig::default(), ledgers.clone());
        let parts = EngineParts {
            ledger: home,
            signer: Signer::new(*self.wallet.evm_account_key().expose()).unwrap(),
            chain_id: config.node.chain_id,
            contract: config.contracts.channels.unwrap(),
            registry: config.contracts.registry,
            tokens: config.tokens.iter().map(|token| token.address).collect(),
            policy: policy_for(&allowed, Profile::REGTEST, home, &timing),
            block_secs: timing.block_secs,
            most_channels: 1,
            announces: false,
            offline_limits: BTreeMap::new(),
            sight: SightRule::of(&timing),
            source: Arc::new(move || found.contracts(home)),
            pace: PACE,
        };
        let mut tasks = JoinSet::new();
        let (channels, switch) = Channels::start(&store, vec![parts], None, &mut tasks).await.unwrap();
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let net = PeerNet::start_hearing(listen, self.wallet.clone(), Arc::new(Silent), switch, Limits::default()).await.unwrap();
        let looking = ledgers.clone();
        tasks.spawn(async move {
            loop {
                looking.poll(home).await?;
                tokio::time::sleep(PACE).await;
            }
        });
        self.runs = Some(Running { store, ledgers, channels, net, tasks, is_met: false });
    }

    /// Dropped as it stands: nothing is finished, nobody is told.
    async fn kill(&mut self) {
        let Some(Running { store, ledgers, channels, net, mut tasks, .. }) = self.runs.take() else { return };
        tasks.abort_all();
        net.shutdown().await;
        while tasks.join_next().await.is_some() {}
        drop((store, ledgers, channels, net));
    }

    fn runs(&self) -> &Running {
        self.runs.as_ref().unwrap()
    }

    /// Connects with somebody, if both run: nobody has to wait until they look for each other.
    async fn meet(&self, other: &Party) {
        let (Some(here), Some(there)) = (&self.runs, &other.runs) else { return };
        let address = PeerAddress::at(other.wallet.identity_address(), there.net.local_addr().unwrap()).unwrap();
        here.net.connect(&address, Duration::from_secs(10)).await.unwrap();
    }

    /// The port of its channels.
    fn port(&self, chain: &EvmBench) -> LegPort {
        let (runs, home) = (self.runs(), self.ledger.chain());
        LegPort::new(LegParts {
            ledger: self.ledger,
            chain: runs.ledgers.port(home).unwrap().clone(),
            ledgers: runs.ledgers.weak(),
            channels: runs.channels.weak(),
            contract: chain.config.contracts.channels.unwrap(),
            key: Signer::new(*self.wallet.evm_account_key().expose()).unwrap().known().public_key(),
            reach: ChannelsConfig::default().reach,
            profile: Profile::REGTEST,
        })
    }

    async fn view(&self, id: ChannelId) -> Option<ChannelView> {
        self.runs().channels.show(self.ledger.chain(), id).await.unwrap()
    }
}

const fn index(who: Who) -> usize {
    match who {
        Who::Alice => 0,
        Who::Bob => 1,
    }
}

impl ChannelBench {
    async fn over(chain: EvmBench, ledger: Ledger) -> Self {
        let (alice, bob) = (Party::new(&chain, ledger).await, Party::new(&chain, ledger).await);
        alice.meet(&bob).await;
        let token = chain.asset().token();
        let deposit = NewDeposit {
            ledger: ledger.chain(),
            token,
            peer: bob.wallet.identity_address(),
            window: Window::SHORTEST,
            amount: Units::try_from(Amount::from_units(DEPOSIT)).unwrap(),
        };
        let id = alice.runs().channels.deposit(deposit).await.unwrap();
        let is_open = |view: Option<ChannelView>| {
            view.is_some_and(|view| view.is_ready && view.stage == StageView::Open && !view.is_filling)
        };
        let mut patience = Patience::until("the channel is open on both sides");
        while !(is_open(alice.view(id).await) && is_open(bob.view(id).await)) {
            chain.mine(1).await;
            patience.wait().await;
        }
        let to_open = [alice.journal.len(), bob.journal.len()];
        let asset = token.map_or(Asset::Native(ledger), |token| Asset::Token(ledger, token));
        Self { chain, asset, parties: [Mutex::new(alice), Mutex::new(bob)], id, to_open }
    }

    async fn party(&self, who: Who) -> MutexGuard<'_, Party> {
        self.parties[index(who)].lock().await
    }

    /// Everybody who runs has taken in the chain's newest block.
    async fn followed(&self) {
        let height = self.chain.chain.height().await.unwrap();
        for who in [Who::Alice, Who::Bob] {
            let party = self.party(who).await;
            let Some(runs) = &party.runs else { continue };
            let home = party.ledger.chain();
            let mut patience = Patience::until("the chain is followed");
            while runs.channels.followed(home).await.unwrap().get() < height
                || runs.ledgers.outlook(home).tip.is_none_or(|tip| tip.block.height.get() < height)
            {
                patience.wait().await;
            }
        }
    }

    async fn restart(&self, who: Who) {
        let (mut alice, mut bob) = (self.party(Who::Alice).await, self.party(Who::Bob).await);
        let party = if who == Who::Alice { &mut alice } else { &mut bob };
        party.kill().await;
        party.start(&self.chain).await;
        alice.meet(&bob).await;
    }
}

#[async_trait]
impl Bench for ChannelBench {
    fn asset(&self) -> Asset {
        self.asset
    }

    fn amount(&self) -> Amount {
        Amount::from_units(AMOUNT)
    }

    async fn connect(&self, who: Who) -> Arc<dyn Port> {
        if self.party(who).await.runs.as_ref().is_none_or(|runs| runs.is_met) {
            self.restart(who).await;
        }
        let mut party = self.party(who).await;
        let port = party.port(&self.chain);
        party.runs.as_mut().unwrap().is_met = true;
        Arc::new(port)
    }

    fn expiry(&self, opens: UnixTime) -> Expiry {
        Expiry { closes: Some(opens), linked: true, ..Expiry::at(opens) }
    }

    async fn mine(&self, blocks: u32) {
        self.chain.mine(blocks).await;
        self.followed().await;
    }

    async fn pass_time_until(&self, at: UnixTime) {
        self.chain.pass_time_until(at).await;
        self.followed().await;
    }

    fn closes_at_expiry(&self) -> bool {
        true
    }

    /// Updates of the channel, and transactions.
    async fn signed(&self, who: Who) -> usize {
        let party = self.party(who).await;
        let (updates, _) = party.view(self.id).await.unwrap().updates;
        usize::try_from(updates).unwrap() + party.journal.len()
    }

    /// Nothing: between parties who answer no transaction is made.
    async fn paid(&self, who: Who, _intent: IntentKey) -> Amount {
        assert_eq!(self.party(who).await.journal.len(), self.to_open[index(who)], "transactions of {who:?}");
        Amount::ZERO
    }

    /// Bob is away.
    async fn fund_held_up(&self, alice: &dyn Port, fund: &Act) {
        self.party(Who::Bob).await.kill().await;
        let here = self.party(Who::Alice).await;
        let mut patience = Patience::until("Alice has noticed");
        while here.view(self.id).await.is_none_or(|view| view.is_ready) {
            patience.wait().await;
        }
        let sent = alice.ensure(fund).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
    }

    async fn let_through(&self) {
        self.restart(Who::Bob).await;
    }

    fn chain(&self) -> Option<&dyn ChainBench> {
        None
    }
}
