//! What the stories stand on: the shared world, parties with money, a command line, and patience with an end.

mod badly;
mod books;
mod clock;
pub mod mallory;
mod shell;
mod swaps;

pub use badly::LEDGERS;
pub use books::{Books, rows};
pub use clock::Clock;
pub use shell::Shell;
pub use swaps::{
    Moment, PATIENCE, agree, amount, both_complete, both_end, both_paid, ended, money, new_offer, offer, reach, take, until,
};

use photon::demo::party::Party;
use photon::demo::stage::{COIN, Purse, Stage};
use photon_regtest::{World, WorldConfig};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, Semaphore, SemaphorePermit};

/// The program under test.
pub const PHOTON: &str = env!("CARGO_BIN_EXE_photon");

/// Enough for a story. All of them draw from one faucet, which has an end.
pub const PURSE: Purse = Purse { ether_wei: 200 * COIN, smt_wei: 9_000 * COIN, token_units: 0, ..Purse::FULL };

/// One runtime for all stories: what is shared between them lives as long as the process.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

/// Blocks come by the clock, so a machine that is too busy breaks a schedule that real chains would keep: so many stories at once.
static ROOM: Semaphore = Semaphore::const_new(2);
/// Held alone by a story that fills the machine by itself.
static QUIET: RwLock<()> = RwLock::const_new(());

/// Plays a story beside at most one other.
pub fn play(story: impl Future<Output = ()>) {
    runtime().block_on(async {
        let _here: (RwLockReadGuard<'_, ()>, SemaphorePermit<'_>) = (QUIET.read().await, ROOM.acquire().await.unwrap());
        story.await;
    });
}

/// Plays a story alone.
pub fn play_alone(story: impl Future<Output = ()>) {
    runtime().block_on(async {
        let _all = QUIET.write().await;
        story.await;
    });
}

/// Where parties live.
pub struct Scene {
    pub stage: Arc<Stage>,
    folder: PathBuf,
}

/// The shared world, with contracts and a token. None: see [`photon_regtest::shared_world`].
pub async fn shared() -> Option<Scene> {
    static SHARED: OnceCell<Arc<Stage>> = OnceCell::const_new();
    let world = photon_regtest::shared_world().await?;
    let folder = folder_in(&world);
    let stage = SHARED.get_or_init(|| async { Arc::new(Stage::set(world, &folder).await.unwrap()) }).await.clone();
    Some(Scene { stage, folder })
}

/// A world for one story.
pub async fn own(config: WorldConfig) -> Option<Scene> {
    let (stage, folder) = own_stage(config).await?;
    Some(Scene { stage: Arc::new(stage), folder })
}

/// The same, with more tokens: [`photon::demo::stage::MORE_TOKENS`].
pub async fn own_with_tokens(config: WorldConfig) -> Option<Scene> {
    let (mut stage, folder) = own_stage(config).await?;
    stage.mint_more().await.unwrap();
    Some(Scene { stage: Arc::new(stage), folder })
}

async fn own_stage(config: WorldConfig) -> Option<(Stage, PathBuf)> {
    let world = Arc::new(photon_regtest::own_world(config).await?);
    let folder = folder_in(&world);
    let stage = Stage::set(world, &folder).await.unwrap();
    Some((stage, folder))
}

/// Beside the nodes' data, so that it goes when they go.
fn folder_in(world: &World) -> PathBuf {
    let folder = world.dir().join("parties");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Scene {
    /// A folder of a story's own.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    /// A party with a good purse; its daemon is not started. The name must be new to the world.
    pub async fn party(&self, name: &str) -> Player {
        self.party_with(name, PURSE).await
    }

    pub async fn party_with(&self, name: &str, purse: Purse) -> Player {
        Player(self.stage.party(name, &self.folder, Path::new(PHOTON), purse).await.unwrap())
    }

    /// Alice, who takes, and Bob, who makes; both daemons run. `story` keeps their names apart from others'.
    pub async fn alice_and_bob(&self, story: &str) -> (Player, Player) {
        let (alice, bob) = (format!("{story}-alice"), format!("{story}-bob"));
        let (mut alice, mut bob) = tokio::join!(self.party(&alice), self.party(&bob));
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        (alice, bob)
    }

    pub fn world(&self) -> &World {
        &self.stage.world
    }
}

/// A party whose daemon's last words are shown if its story fails.
pub struct Player(pub Party);

impl std::ops::Deref for Player {
    type Target = Party;
    fn deref(&self) -> &Party {
        &self.0
    }
}

impl std::ops::DerefMut for Player {
    fn deref_mut(&mut self) -> &mut Party {
        &mut self.0
    }
}

impl Player {
    /// The command line of its node.
    pub fn shell(&self) -> Shell {
        Shell::new(&self.folder)
    }

    /// All that its daemon has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- the last words of {}:\n{}", self.name, last.join("\n"));
        }
    }
}
