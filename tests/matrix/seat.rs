//! A party in the matrix: its daemon can be told where to die, and each of its nodes can be taken away from it.

use crate::gate::Gate;
use crate::plan::Point;
use crate::time::Time;
use photon::demo::party::Party;
use photon::demo::stage::{COIN, Purse, Stage};
use photon::service::{BalanceView, HealthView, SwapPage, SwapView};
use photon_chains::{Family, Ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The program under test.
const PHOTON: &str = env!("CARGO_BIN_EXE_photon");
/// Enough for some hundred swaps.
const PURSE: Purse = Purse {
    coins: 12,
    bitcoin_sat_each: 10_000_000,
    litecoin_sat_each: 100_000_000,
    ether_wei: 50 * COIN,
    smt_wei: 50_000 * COIN,
    token_units: 10_000 * COIN,
};
/// On a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

static ORDERS: AtomicU64 = AtomicU64::new(0);

/// A party and what can be done to it.
pub struct Seat {
    pub party: Party,
    /// Where its daemon finds its orders, and leaves its trace.
    orders: PathBuf,
    gates: BTreeMap<Ledger, Gate>,
    /// Its configuration of the ledgers.
    ledgers: String,
}

impl Seat {
    /// A party with money, whose daemon lives by the time of the world. Its daemon is not started.
    pub async fn new(stage: &Stage, clock: &Path, folder: &Path, name: &str, known: &BTreeSet<Ledger>) -> Self {
        let coins = if known.iter().any(|ledger| ledger.family() == Family::Utxo) { PURSE.coins } else { 0 };
        let mut party = stage.party(name, folder, Path::new(PHOTON), Purse { coins, ..PURSE }).await.unwrap();
        let world = &stage.world;
        let mut gates = BTreeMap::new();
        let mut ledgers = only(known, &stage.ledgers(name));
        for (ledger, url) in [
            (Ledger::Bitcoin, world.bitcoin.url()),
            (Ledger::Litecoin, world.litecoin.url()),
            (Ledger::Ethereum, world.ethereum.url()),
            (Ledger::Smt, world.smt.url()),
        ] {
            if !known.contains(&ledger) {
                continue;
            }
            let gate = Gate::before(url).await;
            let url = url.trim_end_matches('/');
            assert!(ledgers.contains(&format!("\"{url}\"")), "{ledgers} names {url}");
            ledgers = ledgers.replace(&format!("\"{url}\""), &format!("\"{}\"", gate.url()));
            gates.insert(ledger, gate);
        }
        party.configure(&ledgers).unwrap();
        let orders = party.folder.join("crash");
        std::fs::create_dir(&orders).unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        party.env = vec![("PHOTON_CRASH".to_owned(), path(&orders)), ("PHOTON_CLOCK".to_owned(), path(clock))];
        Self { party, orders, gates, ledgers }
    }

    /// Has its daemon die at the first of these that it comes to.
    pub fn arm(&self, points: &[Point]) {
        // With a number of its own, so that the same points armed again are counted anew.
        let mut lines = format!("# {}\n", ORDERS.fetch_add(1, Ordering::Relaxed));
        lines.extend(points.iter().map(|point| format!("{}\t{}\n", point.name, point.nth)));
        let (new, orders) = (self.orders.join("kill.new"), self.orders.join("kill"));
        std::fs::write(&new, lines).unwrap();
        std::fs::rename(&new, &orders).unwrap();
    }

    pub fn disarm(&self) {
        self.arm(&[]);
    }

    /// Every point it has passed since this was last asked, in order.
    pub fn take_trace(&self) -> Vec<String> {
        let path = self.orders.join("trace");
        let taken = self.orders.join("trace.taken");
        if std::fs::rename(&path, &taken).is_err() {
            return Vec::new();
        }
        std::fs::read_to_string(&taken).unwrap().lines().map(str::to_owned).collect()
    }

    pub fn gate(&self, ledger: Ledger) -> &Gate {
        &self.gates[&ledger]
    }

    /// All its nodes are up.
    pub fn open_gates(&self) {
        self.gates.values().for_each(Gate::open);
    }

    /// Starts its daemon. False if it died before it was well; an error if it is alive and does not become well.
    pub async fn start(&mut self, is_well: fn(&HealthView) -> bool) -> Result<bool, String> {
        self.keep_ports();
        if self.party.start_until(is_well).await.is_ok() {
            return Ok(true);
        }
        self.becomes(is_well).await
    }

    /// While a daemon is away a stranger's program may take its ports; then it gets others.
    fn keep_ports(&mut self) {
        let is_free = |address| std::net::TcpListener::bind(address).is_ok();
        if is_free(self.party.api) && is_free(self.party.peer) {
            return;
        }
        self.party.api.set_port(photon_regtest::ports::free().unwrap());
        self.party.peer.set_port(photon_regtest::ports::free().unwrap());
        self.party.configure(&self.ledgers).unwrap();
    }

    /// Waits until its daemon is well; it may only be slow. False if it died before; an error if it takes too long.
    pub async fn becomes(&mut self, is_well: fn(&HealthView) -> bool) -> Result<bool, String> {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < START_LIMIT {
            if self.party.has_ended().unwrap() {
                return Ok(false);
            }
            match self.party.get::<HealthView>("/v1/health").await {
                Ok(health) if is_well(&health) => return Ok(true),
                Ok(health) => last = format!("{health:?}"),
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("{} is not well after {} s: {last}", self.party.name, START_LIMIT.as_secs()))
    }

    /// Its side of the swap that came of an offer.
    pub async fn swap_of(&self, offer: &str) -> anyhow::Result<Option<SwapView>> {
        let page: SwapPage = self.party.get("/v1/swaps?limit=10").await?;
        Ok(page.swaps.into_iter().find(|swap| swap.offer == offer))
    }

    /// What it holds, by asset.
    pub async fn held(&self) -> anyhow::Result<BTreeMap<String, BalanceView>> {
        let balances = self.party.balances().await?;
        if let Some(balance) = balances.iter().find(|balance| balance.trouble.is_some()) {
            anyhow::bail!("{}: {:?}", balance.asset, balance.trouble);
        }
        Ok(balances.into_iter().map(|balance| (balance.asset.clone(), balance)).collect())
    }

    /// Its daemon's database.
    pub fn database(&self) -> PathBuf {
        self.party.folder.join("photon.db")
    }

    /// All that its daemon has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.party.log()).unwrap_or_default()
    }
}

/// Alice, who takes, and Bob, who makes.
pub struct Pair {
    pub alice: Seat,
    pub bob: Seat,
    pub time: Arc<Time>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    Alice,
    Bob,
}

impl Who {
    pub fn other(self) -> Who {
        match self {
            Who::Alice => Who::Bob,
            Who::Bob => Who::Alice,
        }
    }

    /// What the party is in the swap.
    pub fn role(self) -> &'static str {
        match self {
            Who::Alice => "initiator",
            Who::Bob => "participant",
        }
    }
}

impl Pair {
    pub fn seat(&mut self, who: Who) -> &mut Seat {
        match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        }
    }
}

/// The sections of a configuration that are about these ledgers: a daemon that knows no others has less to look at.
fn only(known: &BTreeSet<Ledger>, sections: &str) -> String {
    let mut keeps = false;
    let is_kept = |line: &&str| {
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']);
            keeps = known.iter().any(|ledger| name.split('.').next() == Some(ledger.name()));
        }
        keeps
    };
    sections.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}
