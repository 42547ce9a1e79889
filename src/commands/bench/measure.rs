//! One node's coordinator, started over a database that is there, and what it costs.

use super::adapters::{self, Look};
use super::chain::{SimChain, timing};
use super::meter::{cpu, memory_mb, ms, round, sync_ms};
use super::swaps::{number_of, secret};
use crate::coordinator::Coordinator;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::reserve::{DiskGate, Reserves};
use crate::store::Store;
use anyhow::Context;
use photon_chains::{Ledger, LockId, Port, Secret};
use photon_swap::{Phase, Profile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Blocks in which nothing concerns us, over which their cost is averaged.
const IDLE_BLOCKS: u64 = 200;
/// The most swaps that a busy block moves, and how many such blocks there are at the most.
const MOVED: usize = 100;
const BUSY_BLOCKS: usize = 5;
/// Longer than anything here should take by far.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run showed. Milliseconds are of CPU time where they say so, of the clock on the wall elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// Swaps that have not ended.
    pub live: usize,
    /// Swaps in the database that have.
    pub ended: u64,
    /// CPU time of a block in which nothing concerns us, on average.
    pub idle_block_cpu_ms: f64,
    /// From a block that moves so many swaps until each is saved and its redeem is let out: the median of some blocks.
    pub busy_block_ms: f64,
    /// The same, at worst.
    pub busy_block_worst_ms: f64,
    /// CPU time of such a block, on average.
    pub busy_block_cpu_ms: f64,
    /// How many swaps it moves.
    pub busy_block_moves: usize,
    /// Transactions of the database that such a block took, on average: what was saved together shares a sync.
    pub busy_block_commits: f64,
    /// Until the database is open and every live swap is taken up.
    pub taken_up_secs: f64,
    /// Until each of them was looked at and stepped, too.
    pub start_secs: f64,
    /// Memory when all that was done, in MiB.
    pub rss_mb: f64,
    /// The most there was, in MiB.
    pub peak_rss_mb: f64,
    /// Looks at a ledger per block of it.
    pub polls_per_block: f64,
    /// Bitcoin's real adapter at a block with nothing for us.
    pub bitcoin: Look,
    /// Ethereum's.
    pub ethereum: Look,
    /// Median of the time in which the disk makes 4 KiB durable.
    pub sync_ms: f64,
    /// 99 % of them were faster.
    pub sync_ms_p99: f64,
}

struct Bench {
    coordinator: Coordinator,
    chains: BTreeMap<Ledger, Arc<SimChain>>,
    looked: mpsc::Sender<Ledger>,
}

/// Measures. `began` is when the process did.
pub async fn measure(folder: &Path, wallet: Wallet, ended: u64, began: Instant) -> anyhow::Result<Measured> {
    let us = Arc::new(wallet);
    let wallet = us.clone();
    let store = Store::open(&folder.join("photon.db"), *wallet.storage_key().expose())?;
    let (ledgers, chains) = simulated()?;
    let reserves = Reserves::new(ledgers.clone(), DiskGate::new(folder.to_owned(), 0));
    let (coordinator, woken) = Coordinator::new(wallet, store.clone(), ledgers, reserves.clone(), Profile::STANDARD.skew_secs);
    coordinator.take_back_lost().await?;
    let live = coordinator.resume().await?;
    let taken_up_secs = began.elapsed().as_secs_f64();
    let (looked, looks) = mpsc::channel(1);
    let bench = Bench { coordinator: coordinator.clone(), chains, looked };
    let reserving = tokio::spawn(reserves.watch());
    let running = tokio::spawn(coordinator.run(looks, woken));
    for ledger in bench.chains.keys() {
        bench.look(*ledger).await?;
    }
    bench.until(|bench| bench.coordinator.book.with(|swaps| swaps.values().all(|live| live.phase != Phase::Proposed))).await?;
    let start_secs = began.elapsed().as_secs_f64();
    // Everybody is looked at once more when the reserves are first compared.
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let (idle_block_cpu_ms, polls_per_block) = bench.idle().await?;
    let busy = bench.busy().await?;
    let (rss_mb, peak_rss_mb) = (memory_mb("VmRSS").unwrap_or_default(), memory_mb("VmHWM").unwrap_or_default());
    drop(bench);
    let ran = tokio::time::timeout(PATIENCE, running).await.context("the coordinator did not end")?;
    ran.context("the coordinator broke off")??;
    reserving.abort();
    let (bitcoin, ethereum) = adapters::measure(live as u64, &us, Arc::new(store.clone())).await?;
    store.close().await?;
    let (sync_ms, sync_ms_p99) = sync_ms(folder)?;
    Ok(Measured {
        live,
        ended,
        idle_block_cpu_ms,
        busy_block_ms: busy.median_ms,
        busy_block_worst_ms: busy.worst_ms,
        busy_block_cpu_ms: busy.cpu_ms,
        busy_block_moves: busy.moves,
        busy_block_commits: busy.commits,
        taken_up_secs: round(taken_up_secs),
        start_secs: round(start_secs),
        rss_mb,
        peak_rss_mb,
        polls_per_block,
        bitcoin,
        ethereum,
        sync_ms,
        sync_ms_p99,
    })
}

fn simulated() -> anyhow::Result<(Ledgers, BTreeMap<Ledger, Arc<SimChain>>)> {
    let ledgers = Ledgers::new(&Ledger::ALL);
    let mut chains = BTreeMap::new();
    for ledger in Ledger::ALL {
        let chain = Arc::new(SimChain::new(ledger, timing(ledger).context("no timing")?, crate::clock::now()));
        ledgers.put(ledger, chain.clone());
        chains.insert(ledger, chain);
    }
    Ok((ledgers, chains))
}

struct Busy {
    median_ms: f64,
    worst_ms: f64,
    cpu_ms: f64,
    moves: usize,
    commits: f64,
}

impl Bench {
    async fn look(&self, ledger: Ledger) -> anyhow::Result<()> {
        self.coordinator.ledgers.poll(ledger).await?;
        self.looked.send(ledger).await.context("the coordinator is gone")
    }

    async fn until(&self, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !done(self) {
            anyhow::ensure!(began.elapsed() < PATIENCE, "this takes too long");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// CPU time and looks per block, over many blocks in which nothing concerns us, on all ledgers in turn.
    async fn idle(&self) -> anyhow::Result<(f64, f64)> {
        let polls = || self.chains.values().map(|chain| chain.polls()).sum::<u64>();
        let (before, polled) = (cpu(), polls());
        for (_, (ledger, chain)) in (0..IDLE_BLOCKS).zip(self.chains.iter().cycle()) {
            chain.mine(crate::clock::now(), Vec::new());
            self.look(*ledger).await?;
        }
        // The last look is being worked on.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let cost = cpu().saturating_sub(before).as_secs_f64() * 1000.0 / IDLE_BLOCKS as f64;
        Ok((round(cost), round((polls() - polled) as f64 / IDLE_BLOCKS as f64)))
    }

    /// Blocks in which the takers of some swaps redeem, so that each of these must be saved and redeemed by us.
    async fn busy(&self) -> anyhow::Result<Busy> {
        let mut by_pair: BTreeMap<(Ledger, Ledger), Vec<(LockId, Secret)>> = BTreeMap::new();
        self.coordinator.book.with(|swaps| {
            for live in swaps.values() {
                let (alpha, beta) = (live.swap.terms.alpha.lock, live.swap.terms.beta.lock);
                let redeemed = (beta.id(), secret(number_of(&live.swap.terms.participant_salt)));
                by_pair.entry((alpha.asset.ledger(), beta.asset.ledger())).or_default().push(redeemed);
            }
        });
        let blocks = by_pair.into_iter().flat_map(|(pair, swaps)| {
            let chunks: Vec<_> = swaps.chunks(MOVED).map(|chunk| (pair, chunk.to_vec())).collect();
            chunks
        });
        // Whole blocks first; a bench of few swaps has only small ones.
        let mut blocks: Vec<_> = blocks.collect();
        blocks.sort_by_key(|(_, moved)| std::cmp::Reverse(moved.len()));
        blocks.truncate(BUSY_BLOCKS);
        let moves = blocks.first().map_or(0, |(_, moved)| moved.len());
        let (mut took, mut cost, commits) = (Vec::new(), Duration::ZERO, self.coordinator.store.stats().commits);
        for (pair, moved) in blocks {
            let before = cpu();
            took.push(self.busy_block(pair, moved).await?);
            cost += cpu().saturating_sub(before);
        }
        let count = took.len().max(1) as f64;
        took.sort();
        Ok(Busy {
            median_ms: took.get(took.len() / 2).copied().map_or(0.0, ms),
            worst_ms: took.last().copied().map_or(0.0, ms),
            cpu_ms: round(cost.as_secs_f64() * 1000.0 / count),
            moves,
            commits: round((self.coordinator.store.stats().commits - commits) as f64 / count),
        })
    }

    async fn busy_block(&self, (alpha, beta): (Ledger, Ledger), moved: Vec<(LockId, Secret)>) -> anyhow::Result<Duration> {
        let (ours, theirs) = (self.chains.get(&alpha).context("no chain")?, self.chains.get(&beta).context("no chain")?);
        let mut redeems = ours.redeems();
        let goal = *redeems.borrow_and_update() + moved.len();
        let began = Instant::now();
        theirs.mine(crate::clock::now(), moved);
        self.look(theirs.ledger()).await?;
        let redeemed = redeems.wait_for(|count| *count >= goal);
        tokio::time::timeout(PATIENCE, redeemed).await.context("not every swap moved")??;
        Ok(began.elapsed())
    }
}
