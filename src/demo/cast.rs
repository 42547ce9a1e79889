//! Who plays in the demo: Alice, Bob and Carol, and later Charlie, with money, on a stage of their own.

use super::legs::{self, Planned};
use super::party::Party;
use super::payments::{Before, Story, Tally};
use super::show::NodeProgress;
use super::stage::{COIN, Purse, Stage, TOKEN};
use crate::service::BalanceView;
use anyhow::Context;
use photon_regtest::{Mining, World, WorldConfig};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Everything that runs.
pub(super) struct Cast {
    pub alice: Party,
    pub bob: Party,
    pub carol: Party,
    charlie: Party,
    // Last: the daemons end before the nodes they look at.
    stage: Stage,
}

/// Balances by party and asset.
pub(super) type Balances = BTreeMap<(String, String), BalanceView>;

const BLOCKS: Duration = Duration::from_secs(1);

impl Cast {
    /// Starts everything.
    pub(super) async fn start(folder: &Path, terminal: bool) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("can't find this program")?;
        let progress = Arc::new(NodeProgress::new(terminal));
        let world = World::start_showing(WorldConfig::every(Mining::Every(BLOCKS)), progress.clone()).await?;
        progress.say("contracts: deploying on Ethereum and SMT");
        let stage = Stage::set(Arc::new(world), folder).await?;
        progress.say("wallets: paying in");
        let party = |name| stage.party(name, folder, &program, Purse::FULL);
        let (mut alice, mut bob, mut carol, charlie) =
            tokio::try_join!(party("alice"), party("bob"), party("carol"), party("charlie"))?;
        progress.say("daemons: starting Alice, Bob and Carol");
        tokio::try_join!(alice.start(), bob.start(), carol.start())?;
        progress.done();
        Ok(Self { alice, bob, carol, charlie, stage })
    }

    /// The second part: Alice, Bob and Charlie pay each other over channels.
    pub(super) async fn pay(&mut self) -> anyhow::Result<(Tally, Before)> {
        self.charlie.start().await?;
        self.story().begin(&mut |line| println!("{line}")).await
    }

    /// The end of the second part. It moves Ethereum's clock, so nothing comes after it.
    pub(super) async fn close(&self, before: &Before) -> anyhow::Result<()> {
        self.story().end(before, &mut |line| println!("{line}")).await
    }

    fn story(&self) -> Story<'_> {
        let (alice, bob, charlie) = (&self.alice, &self.bob, &self.charlie);
        Story { alice, bob, charlie, asset: TOKEN, coin: COIN, chain: &self.stage.world.ethereum }
    }

    /// The third part: every ordered pair with a leg in a channel between Alice and Bob, and between Alice and Charlie through Bob.
    pub(super) async fn swap_over_channels(&self) -> anyhow::Result<legs::Tally> {
        const ASSETS: [&str; 8] = ["BTC", "LTC", "ETH", "SMT", TOKEN, "ETH@channel", "SMT@channel", "USDX@channel"];
        let (alice, bob, charlie) = (&self.alice, &self.bob, &self.charlie);
        tokio::try_join!(
            legs::open(alice, bob, "ETH", 20),
            legs::open(alice, bob, "SMT", 20),
            legs::open(alice, bob, TOKEN, 20),
            legs::open(bob, charlie, "ETH", 10),
            legs::open(bob, charlie, "SMT", 10),
        )?;
        println!("Alice, Bob and Charlie have channels in which everybody has money");
        let straight = legs::pairs(&ASSETS).into_iter().map(|(pay, get)| Planned { taker: alice, maker: bob, pay, get });
        let through = [("BTC", "ETH@channel"), ("ETH@channel", "BTC"), ("ETH@channel", "SMT@channel"), ("SMT@channel", "LTC")];
        let through = through.map(|(pay, get)| Planned { taker: alice, maker: charlie, pay, get });
        let swaps: Vec<Planned<'_>> = straight.chain(through).collect();
        let all = legs::play(&swaps, &mut |line| println!("{line}")).await?;
        println!("{} swaps with Bob, {} with Charlie through Bob: all at once", swaps.len() - through.len(), through.len());
        Ok(all)
    }

    /// What Alice and Bob hold. Carol does not live to be asked again.
    pub(super) async fn balances(&self) -> anyhow::Result<Balances> {
        let mut all = Balances::new();
        for party in [&self.alice, &self.bob] {
            for balance in party.balances().await? {
                all.insert((party.name.clone(), balance.asset.clone()), balance);
            }
        }
        Ok(all)
    }

    /// The same, once nothing is on its way any more.
    pub(super) async fn settled_balances(&self) -> anyhow::Result<Balances> {
        let mut last = self.balances().await?;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.balances().await?;
            let still = now.values().all(|balance| balance.incoming.is_zero() && balance.locked.is_zero());
            if still && now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// What to try in a world that is left running.
    pub(super) fn what_next(&self) -> String {
        let program = std::env::current_exe().map_or_else(|_| "photon".to_owned(), |path| path.display().to_string());
        let mut text = String::from("\nTry next, in another terminal:\n");
        for party in [&self.alice, &self.bob] {
            text += &format!("  {:<6} API http://{}  (token in {})\n", party.name, party.api, party.folder.display());
        }
        let call = |party: &Party, rest: &str| format!("  {program} --datadir {} {rest}\n", party.folder.display());
        text += "\n";
        text += &call(&self.bob, "offer create --give 1ETH --want 0.01BTC");
        text += &call(&self.alice, &format!("offer list --peer {}", self.bob.address()));
        text += &call(&self.alice, &format!("swap start --peer {} --offer ID", self.bob.address()));
        text += &call(&self.alice, "swap watch");
        text += &call(&self.alice, "balance");
        text += &call(&self.bob, "pay request 5USDX");
        text += &call(&self.alice, "pay send photon1…");
        text += &call(&self.alice, "channel list");
        text
    }
}
