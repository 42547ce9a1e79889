//! A node of the bench: the real engine of channels, the real store, real connections. Only the ledger is simulated.

use super::chain::{BLOCK_SECS, CHAIN_ID, CONTRACT, REGISTRY, StillChain};
use crate::channels::{Channels, EngineParts, SightRule, is_first_of_its_seed, policy_for};
use crate::commands::bench::chain::timing;
use crate::config::ChannelsConfig;
use crate::keys::{SeedWords, Wallet};
use crate::peer::{Limits, PeerNet, Silent};
use crate::store::Store;
use anyhow::Context;
use photon_chains::{Address, Ledger, Network, PublicKey};
use photon_channel::{MOST_LOCKS, Signer};
use photon_swap::Profile;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// On which all channels are.
pub const LEDGER: Ledger = Ledger::Ethereum;
/// More than any run has.
const MOST_CHANNELS: usize = 100_000;

/// A node that is up.
pub struct World {
    /// Its channels.
    pub channels: Channels,
    /// Its database.
    pub store: Store,
    /// Its account.
    pub account: Address,
    /// Its public key.
    pub key: PublicKey,
    /// Where it listens.
    pub at: SocketAddr,
    /// What it runs on.
    pub tasks: JoinSet<anyhow::Result<()>>,
    _net: Arc<PeerNet>,
}

/// The same account at every start in that folder. It holds nothing.
fn wallet(folder: &Path) -> anyhow::Result<Wallet> {
    let file = folder.join("words");
    let words = match std::fs::read_to_string(&file) {
        Ok(words) => SeedWords::restore(words.trim())?,
        Err(_) => {
            let words = SeedWords::generate()?;
            std::fs::write(&file, words.words().collect::<Vec<_>>().join(" "))?;
            words
        }
    };
    Ok(Wallet::new(&words, Network::Mainnet)?)
}

impl World {
    /// Starts a node on the database in that folder.
    pub async fn begin(folder: &Path) -> anyhow::Result<Self> {
        let wallet = Arc::new(wallet(folder)?);
        let store = Store::open(&folder.join("photon.db"), *wallet.storage_key().expose())?;
        let chain = Arc::new(StillChain::new(wallet.identity_address()));
        let timing = timing(LEDGER).context("a ledger without a timing")?;
        let signer = Signer::new(*wallet.evm_account_key().expose())?;
        let key = signer.known().public_key();
        // As many pending locks as a channel can have.
        let config = ChannelsConfig { most_locks: u16::try_from(MOST_LOCKS)?, ..ChannelsConfig::default() };
        let parts = EngineParts {
            ledger: LEDGER,
            signer,
            chain_id: CHAIN_ID,
            contract: CONTRACT,
            registry: REGISTRY,
            tokens: BTreeSet::new(),
            policy: policy_for(&config, Profile::STANDARD, LEDGER, &timing),
            block_secs: BLOCK_SECS,
            most_channels: MOST_CHANNELS,
            announces: false,
            offline_limits: BTreeMap::new(),
            // It stands still, and is seen.
            sight: SightRule { silent_secs: u64::MAX, stale_tip_secs: u64::MAX },
            source: Arc::new(move || Some(chain.clone())),
            pace: Duration::from_millis(200),
        };
        let mut tasks = JoinSet::new();
        // Its channels are there from the first block on, and nobody else has ever signed in them.
        is_first_of_its_seed(&store, LEDGER).await?;
        let (channels, switch) = Channels::start(&store, vec![parts], None, &mut tasks).await?;
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let net = PeerNet::start_hearing(listen, wallet.clone(), Arc::new(Silent), switch, Limits::default()).await?;
        let net = Arc::new(net);
        channels.keep_connected(net.clone(), &mut tasks);
        let at = net.local_addr().context("nobody listens")?;
        Ok(Self { channels, store, account: wallet.identity_address(), key, at, tasks, _net: net })
    }
}
