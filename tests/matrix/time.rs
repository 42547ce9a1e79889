//! The time of the world, which the matrix keeps itself: each second brings a block to each chain and moves every clock, the
//! nodes' and the daemons'. It stands still while somebody who was killed has been away for as long as anybody may be: however
//! busy the machine is, no party is away for longer than it has promised.

use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, World};
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The regtest profile allows five seconds. A restart begins a little after the kill, and is followed by a look at the chains.
const LONGEST_AWAY_SECS: u64 = 3;
/// A second of the world takes at least this long on this machine: daemons poll their nodes by this machine's clock.
const SECOND: Duration = Duration::from_millis(600);
/// So many seconds pass at once while everybody only waits for a lock to open.
const STRIDE_SECS: u64 = 4;
/// And so many times as long as making its blocks took: where the nodes are slow, the daemons are.
const SLOWER_THAN_NODES: u32 = 3;

/// The world and its clock.
pub struct Time {
    world: Arc<World>,
    now: AtomicU64,
    /// The file from which daemons read the time.
    pub clock: PathBuf,
    away: Mutex<HashMap<u64, u64>>,
    /// Swaps under way, and those of them that wait until then.
    playing: AtomicU64,
    waiting: Mutex<HashMap<u64, u64>>,
    next: AtomicU64,
}

/// Somebody is away while this lives.
pub struct Away {
    time: Arc<Time>,
    ticket: u64,
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
    pub async fn take_over(world: Arc<World>) -> Arc<Self> {
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
        let playing = AtomicU64::default();
        let time = Self {
            world,
            now: AtomicU64::new(now),
            clock,
            away: Mutex::default(),
            playing,
            waiting: Mutex::default(),
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
                for _ in 0..time.stride() {
                    time.second().await;
                }
                tokio::time::sleep(SECOND.max(began.elapsed() * SLOWER_THAN_NODES).saturating_sub(began.elapsed())).await;
                while time.away.lock().unwrap().values().any(|since| time.now() >= since + LONGEST_AWAY_SECS) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
    }

    /// Unix seconds.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// Notes that somebody is away from now on.
    pub fn leave(self: &Arc<Self>) -> Away {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        self.away.lock().unwrap().insert(ticket, self.now());
        Away { time: Arc::clone(self), ticket }
    }

    /// A swap is under way while this lives.
    pub fn play(self: &Arc<Self>) -> Playing {
        self.playing.fetch_add(1, Ordering::Relaxed);
        Playing { time: Arc::clone(self), ticket: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    fn stride(&self) -> u64 {
        let waiting = self.waiting.lock().unwrap();
        let playing = self.playing.load(Ordering::Relaxed);
        let room = waiting.values().min().map_or(0, |until| until.saturating_sub(self.now()));
        if playing > 0 && waiting.len() as u64 == playing && room > STRIDE_SECS { STRIDE_SECS } else { 1 }
    }

    /// Returns once so much time has passed in the world.
    pub async fn pass(&self, secs: u64) {
        let until = self.now() + secs;
        while self.now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn second(&self) {
        let now = self.now() + 1;
        let World { bitcoin, litecoin, ethereum, smt, .. } = &*self.world;
        tokio::join!(utxo_second(bitcoin, now), utxo_second(litecoin, now), evm_second(ethereum, now), evm_second(smt, now));
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

async fn utxo_second(chain: &UtxoChain, now: u64) {
    chain.set_mock_time(now).await.unwrap();
    chain.mine(1).await.unwrap();
}

async fn evm_second(chain: &EvmChain, now: u64) {
    chain.call("evm_setNextBlockTimestamp", json!([now])).await.unwrap();
    chain.mine(1).await.unwrap();
}
