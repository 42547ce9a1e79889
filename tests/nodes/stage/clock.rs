//! The time of a world, moved on command: each of its seconds brings a block to each chain and moves every clock, the nodes' and
//! the daemons'. So a story can say what happens between two blocks, and a machine that is busy breaks no schedule.

use super::{Player, Scene};
use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, World};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A second of the world takes at least this long on this machine: daemons poll their nodes by this machine's clock.
const SECOND: Duration = Duration::from_millis(600);
/// And so many times as long as making its blocks took: where the nodes are slow, the daemons are.
const SLOWER_THAN_NODES: u32 = 3;

/// The world is so far ahead of this machine, so that nothing that a node stamps by itself is ahead of the world.
const AHEAD_SECS: u64 = 900;
/// Blocks after which no median of block times knows of the time before.
const SETTLING_BLOCKS: u32 = 12;

/// The world's clock.
pub struct Clock {
    world: Arc<World>,
    now: AtomicU64,
    folder: PathBuf,
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
        let clock =
            Self { now: AtomicU64::new(newest(&world).await.max(machine) + AHEAD_SECS), folder: scene.folder("clocks"), world };
        for _ in 0..SETTLING_BLOCKS {
            clock.blocks(1).await;
        }
        Arc::new(clock)
    }

    /// Has a party's daemon live by the world's time from its next start on.
    pub fn rules(&self, party: &mut Player) {
        let file = self.folder.join("world").to_str().unwrap().to_owned();
        party.env.push(("PHOTON_CLOCK".to_owned(), file));
    }

    /// Unix seconds.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
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

    async fn blocks(&self, secs: u64) {
        let now = newest(&self.world).await.max(self.now()) + secs;
        let World { bitcoin, litecoin, ethereum, smt, .. } = &*self.world;
        tokio::join!(utxo_block(bitcoin, now), utxo_block(litecoin, now), evm_block(ethereum, now), evm_block(smt, now),);
        self.now.store(now, Ordering::Release);
        self.show("world", now);
    }

    /// Lets time pass without end.
    pub async fn run(&self) {
        loop {
            self.step().await;
        }
    }

    /// In one step, so that nobody reads half a time.
    fn show(&self, name: &str, secs: u64) {
        let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        std::fs::write(&new, secs.to_string()).unwrap();
        std::fs::rename(&new, &file).unwrap();
    }
}

/// The stamp of the newest block that can't be followed by an older one.
async fn newest(world: &World) -> u64 {
    world.ethereum.time_unix_secs().await.unwrap().max(world.smt.time_unix_secs().await.unwrap())
}

async fn utxo_block(chain: &UtxoChain, now: u64) {
    chain.set_mock_time(now).await.unwrap();
    chain.mine(1).await.unwrap();
}

async fn evm_block(chain: &EvmChain, now: u64) {
    chain.set_next_block_time(now).await.unwrap();
    chain.mine(1).await.unwrap();
}
