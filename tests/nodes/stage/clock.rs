//! The time of a world, moved on command: each of its seconds brings a block to each chain and moves every clock, the nodes' and
//! the daemons'. So a story can say what happens between two blocks, and a machine that is busy breaks no schedule.

use super::{Player, Scene};
use photon_chains::Ledger;
use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, World};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A second of the world takes at least this long on this machine: daemons poll their nodes by this machine's clock.
const SECOND: Duration = Duration::from_millis(600);
/// And so many times as long as making its blocks took: where the nodes are slow, the daemons are.
const SLOWER_THAN_NODES: u32 = 3;

/// The world is so far ahead of this machine, so that nothing that a node stamps by itself is ahead of the world.
const AHEAD_SECS: u64 = 900;
/// What two parties have to do themselves is done by then; from there on they only wait for locks to open.
const COMPLETED_WITHIN_SECS: u32 = 25;
/// And then so many seconds pass at once.
const STRIDE_SECS: u32 = 3;
/// Blocks after which no median of block times knows of the time before.
const SETTLING_BLOCKS: u32 = 12;

/// The world's clock.
pub struct Clock {
    world: Arc<World>,
    now: AtomicU64,
    folder: PathBuf,
    /// How much each clock is ahead of the world's time.
    ahead: Mutex<BTreeMap<String, i64>>,
    /// Chains that get no blocks now.
    halted: Mutex<BTreeSet<Ledger>>,
}

impl Clock {
    /// Takes over a world that has made its own blocks so far.
    pub async fn take_over(scene: &Scene) -> Arc<Self> {
        let world = Arc::clone(&scene.stage.world);
        world.bitcoin.auto_mine(Mining::Manual);
        world.litecoin.auto_mine(Mining::Manual);
        world.ethereum.auto_mine(Mining::Manual);
        world.smt.auto_mine(Mining::Manual);
        // One may just have been under way.
        tokio::time::sleep(SECOND).await;
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let clock = Self {
            now: AtomicU64::new(newest(&world).await.max(machine) + AHEAD_SECS),
            folder: scene.folder("clocks"),
            world,
            ahead: Mutex::default(),
            halted: Mutex::default(),
        };
        for _ in 0..SETTLING_BLOCKS {
            clock.blocks(1).await;
        }
        Arc::new(clock)
    }

    /// Has a party's daemon live by the world's time from its next start on.
    pub fn rules(&self, party: &mut Player) {
        self.rules_by("world", party);
    }

    /// The same by a clock of its own, which runs with the world's and may be set wrong.
    pub fn rules_by(&self, name: &str, party: &mut Player) {
        self.set(name, 0);
        let file = self.folder.join(name).to_str().unwrap().to_owned();
        party.env.push(("PHOTON_CLOCK".to_owned(), file));
    }

    /// Sets a clock so much ahead of the world's, or behind it.
    pub fn set(&self, name: &str, ahead_secs: i64) {
        self.ahead.lock().unwrap().insert(name.to_owned(), ahead_secs);
        self.show();
    }

    /// Unix seconds.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// A chain gets no blocks until it is resumed.
    pub fn halt(&self, chain: Ledger) {
        self.halted.lock().unwrap().insert(chain);
    }

    pub fn resume(&self, chain: Ledger) {
        self.halted.lock().unwrap().remove(&chain);
    }

    /// Lets a second pass, at the pace that this machine keeps.
    pub async fn step(&self) {
        self.stride(1).await;
    }

    /// Lets so many seconds pass, each with its blocks, in the time of one: while everybody only waits for a lock to open.
    pub async fn stride(&self, secs: u32) {
        let began = Instant::now();
        for _ in 0..secs {
            self.blocks(1).await;
        }
        tokio::time::sleep(SECOND.max(began.elapsed() * SLOWER_THAN_NODES).saturating_sub(began.elapsed())).await;
    }

    /// So much time passes from one block to the next, as where computers are off and miners are asleep.
    pub async fn leap(&self, secs: u64) {
        self.blocks(secs).await;
    }

    async fn blocks(&self, secs: u64) {
        let now = newest(&self.world).await.max(self.now()) + secs;
        let halted = self.halted.lock().unwrap().clone();
        let runs = |chain| !halted.contains(&chain);
        let World { bitcoin, litecoin, ethereum, smt, .. } = &*self.world;
        tokio::join!(
            utxo_block(bitcoin, now, runs(Ledger::Bitcoin)),
            utxo_block(litecoin, now, runs(Ledger::Litecoin)),
            evm_block(ethereum, now, runs(Ledger::Ethereum)),
            evm_block(smt, now, runs(Ledger::Smt)),
        );
        self.now.store(now, Ordering::Release);
        self.show();
    }

    /// Lets time pass until that is done.
    pub async fn during<T>(&self, what: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                self.step().await;
            }
        };
        tokio::select! { () = passing => unreachable!(), done = what => done }
    }

    /// Lets time pass until that is done: quickly, once whoever had something to do has done it and all only wait for locks to open.
    pub async fn to_the_end<T>(&self, what: impl Future<Output = T>) -> T {
        let passing = async {
            for _ in 0..COMPLETED_WITHIN_SECS {
                self.step().await;
            }
            loop {
                self.stride(STRIDE_SECS).await;
            }
        };
        tokio::select! { () = passing => unreachable!(), done = what => done }
    }

    /// Each in one step, so that nobody reads half a time.
    fn show(&self) {
        for (name, ahead) in &*self.ahead.lock().unwrap() {
            let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
            std::fs::write(&new, self.now().saturating_add_signed(*ahead).to_string()).unwrap();
            std::fs::rename(&new, &file).unwrap();
        }
    }
}

/// The stamp of the newest block that can't be followed by an older one.
async fn newest(world: &World) -> u64 {
    world.ethereum.time_unix_secs().await.unwrap().max(world.smt.time_unix_secs().await.unwrap())
}

async fn utxo_block(chain: &UtxoChain, now: u64, runs: bool) {
    chain.set_mock_time(now).await.unwrap();
    if runs {
        chain.mine(1).await.unwrap();
    }
}

async fn evm_block(chain: &EvmChain, now: u64, runs: bool) {
    if runs {
        chain.set_next_block_time(now).await.unwrap();
        chain.mine(1).await.unwrap();
    }
}
