//! The time of the world, which the matrix keeps itself: each second brings a block to each chain and moves every clock, the
//! nodes' and the daemons'. It stands still while somebody who was killed has been away for as long as anybody may be: however
//! busy the machine is, no party is away for longer than it has promised.

use photon_chains::Ledger;
use photon_regtest::rpc::RpcError;
use photon_regtest::world::{EvmChain, UtxoChain, UtxoWallet, WorldError};
use photon_regtest::{Mining, World};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The regtest profile allows five seconds. A restart begins a little after the kill, and is followed by a look at the chains.
const LONGEST_AWAY_SECS: u64 = 3;
/// A second of the world takes at least this long on this machine: daemons poll their nodes by this machine's clock.
const SECOND: Duration = Duration::from_millis(600);
/// And so many times as long as making its blocks took: where the nodes are slow, the daemons are.
const SLOWER_THAN_NODES: u32 = 3;
/// A replaced funding takes a try, and a node that is not heard of a minute.
const TRIES_PER_BLOCK: u32 = 20;
/// Nobody is away for so long on this machine, however busy it is. If time stands still for longer, somebody waits in vain.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(400);

/// How time passes while everybody only waits.
#[derive(Debug, Clone, Copy)]
pub struct Stride {
    /// At most so many seconds at once.
    pub secs: u64,
    /// A block each time so many have passed.
    pub block_secs: u64,
}

/// The world and its clock.
pub struct Time {
    world: Arc<World>,
    /// The chains that are looked at; the others stand still.
    ledgers: BTreeSet<Ledger>,
    stride: Stride,
    /// Where Bitcoin's and Litecoin's miner is paid.
    rewards: [String; 2],
    now: AtomicU64,
    /// Seconds that have passed, and the milliseconds of this machine that their blocks took.
    passed: AtomicU64,
    mining_ms: AtomicU64,
    /// The file from which daemons read the time.
    pub clock: PathBuf,
    away: Mutex<HashMap<u64, u64>>,
    /// Swaps under way, and those of them that wait until then.
    playing: AtomicU64,
    waiting: Mutex<HashMap<u64, u64>>,
    /// Fundings that are not mined.
    stuck: Mutex<HashMap<u64, Stuck>>,
    next: AtomicU64,
}

/// What miners pass by: payments of that much to a script's hash, out of that wallet.
#[derive(Clone)]
struct Stuck {
    ledger: Ledger,
    wallet: UtxoWallet,
    sat: u128,
    /// Whether a transaction is one of those: each is looked at once.
    known: Arc<Mutex<HashMap<String, bool>>>,
}

/// Fundings are passed by while this lives.
pub struct Holding {
    time: Arc<Time>,
    ticket: u64,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.time.stuck.lock().unwrap().remove(&self.ticket);
    }
}

/// Somebody is away while this lives.
pub struct Away {
    time: Arc<Time>,
    ticket: u64,
    since: u64,
}

impl Away {
    /// Returns once somebody has been away for so long. Time stands still after [`LONGEST_AWAY_SECS`]: no longer than that.
    pub async fn lasts(&self, secs: u64) {
        let until = self.since + secs.min(LONGEST_AWAY_SECS);
        while self.time.now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.time.away.lock().unwrap().remove(&self.ticket);
    }
}

/// A swap under way.
pub struct Playing {
    time: Arc<Time>,
    ticket: u64,
}

impl Playing {
    /// It waits until then, and for nothing else; or no longer.
    pub fn waits(&self, until: Option<u64>) {
        let mut waiting = self.time.waiting.lock().unwrap();
        match until {
            Some(until) => waiting.insert(self.ticket, until),
            None => waiting.remove(&self.ticket),
        };
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.waits(None);
        self.time.playing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Time {
    /// Takes over a world, at the present or at the newest of its blocks. From now on it mines only as told here.
    pub async fn take_over(world: Arc<World>, ledgers: BTreeSet<Ledger>, stride: Stride) -> Arc<Self> {
        world.bitcoin.auto_mine(Mining::Manual);
        world.litecoin.auto_mine(Mining::Manual);
        world.ethereum.auto_mine(Mining::Manual);
        world.smt.auto_mine(Mining::Manual);
        // One may just have been under way.
        tokio::time::sleep(SECOND).await;
        let machine = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let tips = [world.ethereum.time_unix_secs().await.unwrap(), world.smt.time_unix_secs().await.unwrap()];
        let now = tips.into_iter().fold(machine, u64::max);
        let clock = world.dir().join("clock");
        let reward = async |chain: &UtxoChain| chain.miner_wallet().new_address().await.unwrap();
        let rewards = [reward(&world.bitcoin).await, reward(&world.litecoin).await];
        let playing = AtomicU64::default();
        let time = Self {
            world,
            ledgers,
            stride,
            rewards,
            now: AtomicU64::new(now),
            passed: AtomicU64::default(),
            mining_ms: AtomicU64::default(),
            clock,
            away: Mutex::default(),
            playing,
            waiting: Mutex::default(),
            stuck: Mutex::default(),
            next: AtomicU64::default(),
        };
        time.show();
        Arc::new(time)
    }

    /// Lets it run for as long as the runtime lives.
    pub fn run(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let time = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let began = Instant::now();
                let Stride { secs, block_secs } = time.stride();
                for _ in 0..secs / block_secs {
                    time.block(block_secs).await;
                }
                time.passed.fetch_add(secs, Ordering::Relaxed);
                time.mining_ms.fetch_add(u64::try_from(began.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
                tokio::time::sleep(SECOND.max(began.elapsed() * SLOWER_THAN_NODES).saturating_sub(began.elapsed())).await;
                while time.away.lock().unwrap().values().any(|since| time.now() >= since + LONGEST_AWAY_SECS) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
    }

    /// How many seconds have passed, and how many milliseconds the blocks of one of them took.
    pub fn pace(&self) -> (u64, u64) {
        let passed = self.passed.load(Ordering::Relaxed);
        (passed, self.mining_ms.load(Ordering::Relaxed) / passed.max(1))
    }

    /// Unix seconds.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// Notes that somebody is away from now on.
    pub fn leave(self: &Arc<Self>) -> Away {
        let (ticket, since) = (self.next.fetch_add(1, Ordering::Relaxed), self.now());
        self.away.lock().unwrap().insert(ticket, since);
        Away { time: Arc::clone(self), ticket, since }
    }

    /// From now on miners pass by what that wallet pays to a script's hash, if it is that much.
    pub fn hold(self: &Arc<Self>, ledger: Ledger, wallet: &str, sat: u128) -> Holding {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let chain = match ledger {
            Ledger::Bitcoin => &self.world.bitcoin,
            Ledger::Litecoin => &self.world.litecoin,
            Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => {
                panic!("nothing is held back on {ledger}")
            }
        };
        let stuck = Stuck { ledger, wallet: chain.wallet(wallet), sat, known: Arc::default() };
        self.stuck.lock().unwrap().insert(ticket, stuck);
        Holding { time: Arc::clone(self), ticket }
    }

    /// What comes of it, or why it is given up: it takes longer than so many of the world's seconds, or time stands still.
    pub async fn bounded<T>(&self, secs: u64, doing: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        tokio::select! {
            done = doing => done,
            why = self.runs_out(secs) => Err(why),
        }
    }

    async fn runs_out(&self, secs: u64) -> String {
        let until = self.now() + secs;
        let mut moved = (self.now(), Instant::now());
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = self.now();
            if now > until {
                return format!("not over after {secs} s");
            }
            if now != moved.0 {
                moved = (now, Instant::now());
            }
            if moved.1.elapsed() > LONGEST_STANDSTILL {
                let away = self.away.lock().unwrap().values().map(|since| now - since).max();
                return format!("time stands still; somebody has been away for {away:?} s");
            }
        }
    }

    /// A swap is under way while this lives.
    pub fn play(self: &Arc<Self>) -> Playing {
        self.playing.fetch_add(1, Ordering::Relaxed);
        Playing { time: Arc::clone(self), ticket: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// Returns once nobody only waits. Time goes by seconds for as long as anybody does something, so who begins while others wait
    /// for a window holds them up, and then is held up by the next: together they wait in a few strides.
    pub async fn nobody_waits(&self) {
        while !self.waiting.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn stride(&self) -> Stride {
        let waiting = self.waiting.lock().unwrap();
        let playing = self.playing.load(Ordering::Relaxed);
        let room = waiting.values().min().map_or(0, |until| until.saturating_sub(self.now()));
        let Stride { secs, block_secs } = self.stride;
        let blocks = room.saturating_sub(1).min(secs) / block_secs;
        let all_wait = playing > 0 && waiting.len() as u64 == playing;
        if all_wait && blocks > 0 { Stride { secs: blocks * block_secs, block_secs } } else { Stride { secs: 1, block_secs: 1 } }
    }

    /// Returns once so much time has passed in the world. Not for who holds an [`Away`], for which time may stand still.
    pub async fn pass(&self, secs: u64) {
        let until = self.now() + secs;
        while self.now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The next block, so many seconds after the last.
    async fn block(&self, secs: u64) {
        let now = self.now() + secs;
        let World { bitcoin, litecoin, ethereum, smt, .. } = &*self.world;
        let stuck: Vec<Stuck> = self.stuck.lock().unwrap().values().cloned().collect();
        let on = |ledger: Ledger| stuck.iter().filter(move |one| one.ledger == ledger).collect::<Vec<_>>();
        let seconds = self.ledgers.iter().map(|ledger| async move {
            // On a machine that is busy enough, a node does not answer in time.
            for attempt in 1.. {
                let tried = match ledger {
                    Ledger::Bitcoin => utxo_second(bitcoin, now, &self.rewards[0], on(*ledger)).await,
                    Ledger::Litecoin => utxo_second(litecoin, now, &self.rewards[1], on(*ledger)).await,
                    Ledger::Ethereum | Ledger::EthereumChannel => evm_second(ethereum, now).await,
                    Ledger::Smt | Ledger::SmtChannel => evm_second(smt, now).await,
                };
                match tried {
                    Ok(()) => return,
                    Err(error) if attempt == TRIES_PER_BLOCK => panic!("no block on {ledger}: {error}"),
                    Err(error) => println!("matrix: once more, no block on {ledger}: {error}"),
                }
            }
        });
        futures::future::join_all(seconds).await;
        self.now.store(now, Ordering::Release);
        self.show();
    }

    /// In one step, so that nobody reads half a time.
    fn show(&self) {
        let new = self.clock.with_extension("new");
        std::fs::write(&new, self.now().to_string()).unwrap();
        std::fs::rename(&new, &self.clock).unwrap();
    }
}

async fn utxo_second(chain: &UtxoChain, now: u64, reward: &str, stuck: Vec<&Stuck>) -> Result<(), WorldError> {
    chain.set_mock_time(now).await?;
    match stuck.first().map(|one| one.ledger) {
        // To one address: each second's block has another time.
        None => drop(chain.call("generatetoaddress", json!([1, reward])).await?),
        // The funding may be replaced at any moment, also between the look and the block: then this is refused.
        Some(Ledger::Bitcoin) => drop(chain.call("generateblock", json!([reward, not_stuck(chain, &stuck).await?])).await?),
        // Litecoin's node has no replacements, and its `generateblock` is broken.
        Some(Ledger::Litecoin) => drop(chain.mine_only(&not_stuck(chain, &stuck).await?).await?),
        Some(Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel) => panic!("nothing is stuck there"),
    }
    Ok(())
}

/// What waits to be mined, but what is stuck and what stands on it; each after what it stands on.
async fn not_stuck(chain: &UtxoChain, stuck: &[&Stuck]) -> Result<Vec<String>, WorldError> {
    let waiting: HashMap<String, Value> = chain.rpc().get("getrawmempool", json!([true])).await?;
    let mut waiting: Vec<(String, Value)> = waiting.into_iter().collect();
    waiting.sort_by_key(|(_, entry)| entry["ancestorcount"].as_u64());
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    let mut mined = Vec::new();
    for (txid, entry) in waiting {
        let mut depends = entry["depends"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let stands_on_it = depends.any(|parent| left_out.contains(parent));
        let is_stuck = futures::future::try_join_all(stuck.iter().map(|one| one.is(&txid))).await?.contains(&true);
        if stands_on_it || is_stuck {
            left_out.insert(txid);
        } else {
            mined.push(txid);
        }
    }
    Ok(mined)
}

impl Stuck {
    /// True of such a payment. The wallet does not know the transactions of others.
    async fn is(&self, txid: &str) -> Result<bool, RpcError> {
        let known = self.known.lock().unwrap().get(txid).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let shown = match self.wallet.rpc.call("gettransaction", json!([txid])).await {
            Err(RpcError::Refused { .. }) => Value::Null,
            shown => shown?,
        };
        let sat = |detail: &Value| detail["amount"].as_f64().map(|coins| (coins * 1e8).round());
        let is = shown["details"].as_array().into_iter().flatten().any(|detail| sat(detail) == Some(-(self.sat as f64)));
        self.known.lock().unwrap().insert(txid.to_owned(), is);
        Ok(is)
    }
}

async fn evm_second(chain: &EvmChain, now: u64) -> Result<(), WorldError> {
    // An earlier try may have made it, and only its answer was late.
    if chain.time_unix_secs().await? < now {
        chain.set_next_block_time(now).await?;
        chain.mine(1).await?;
    }
    Ok(())
}
