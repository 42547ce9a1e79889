//! All clients together.

use super::ExchangeArgs;
use super::client::Signer;
use super::wire::{Answer, Wire};
use super::world::GIVE_WEI;
use crate::service::{AcceptanceView, NewAcceptance, ProposalView, QuoteView, SwapPage};
use anyhow::Context;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two tries to reach a node that was killed.
const RECONNECT: Duration = Duration::from_millis(50);
/// No part of it takes longer.
const GIVE_UP: Duration = Duration::from_secs(600);

/// See the module. Clones are handles to the same.
#[derive(Clone)]
pub struct Fleet(Arc<Shared>);

struct Shared {
    signers: Vec<Arc<Signer>>,
    swaps: u64,
    /// How soon after one swap a client begins the next.
    pace: Duration,
    token: String,
    at: watch::Sender<SocketAddr>,
    accepted: AtomicU64,
    agreed: Mutex<HashSet<String>>,
    /// The node was killed while it agreed to them, and will never pay in.
    cut_off: Mutex<HashSet<String>>,
    latencies: Mutex<Vec<Duration>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// The clients of the node there.
    pub fn start(args: &ExchangeArgs, at: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let signers = (0..args.clients).map(|_| Signer::new().map(Arc::new)).collect::<anyhow::Result<_>>()?;
        Ok(Self(Arc::new(Shared {
            signers,
            swaps: args.swaps,
            pace: Duration::from_millis(args.pace_ms),
            token: token.to_owned(),
            at: watch::Sender::new(at),
            accepted: AtomicU64::new(0),
            agreed: Mutex::default(),
            cut_off: Mutex::default(),
            latencies: Mutex::default(),
        })))
    }

    /// The node answers there now.
    pub fn is_at(&self, at: SocketAddr) {
        self.0.at.send_replace(at);
    }

    /// Swaps that were answered as agreed.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Their ids.
    pub fn agreed(&self) -> HashSet<String> {
        locked(&self.0.agreed).clone()
    }

    /// How long every request took since this was last asked.
    pub fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut locked(&self.0.latencies))
    }

    /// Every client asks for quotes as fast as they come. How long each took.
    pub async fn quote(&self, lasting: Duration) -> anyhow::Result<Vec<Duration>> {
        let until = Instant::now() + lasting;
        let asking = self.0.signers.iter().map(|_| {
            let shared = self.0.clone();
            tokio::spawn(async move {
                let at = *shared.at.borrow();
                let mut wire = Wire::connect(at, &shared.token).await?;
                let mut took = Vec::new();
                while Instant::now() < until {
                    let answer = wire.post("/v1/quotes", &Signer::quote(GIVE_WEI)).await?;
                    anyhow::ensure!(answer.status == 201, "a quote was refused: {}", String::from_utf8_lossy(&answer.body));
                    took.push(answer.took);
                }
                anyhow::Ok(took)
            })
        });
        let mut all = Vec::new();
        for asked in futures::future::join_all(asking).await {
            all.extend(asked??);
        }
        Ok(all)
    }

    /// Every client makes swaps at its pace, through a kill of the node, until there is money for no other one; then tries once more.
    pub async fn make(self) -> anyhow::Result<()> {
        let clients = self.0.signers.len() as u32;
        let making = self.0.signers.iter().enumerate().map(|(number, signer)| {
            let (fleet, signer) = (self.clone(), signer.clone());
            // They don't all begin at one moment.
            let first = self.0.pace * number as u32 / clients;
            tokio::spawn(tokio::time::timeout(GIVE_UP, async move {
                tokio::time::sleep(first).await;
                fleet.make_as(&signer).await
            }))
        });
        for made in futures::future::join_all(making).await {
            made?.context("the clients did not come to an end")??;
        }
        Ok(())
    }

    async fn make_as(&self, signer: &Signer) -> anyhow::Result<()> {
        let mut wire = None;
        let mut was_full = false;
        loop {
            let began = Instant::now();
            let is_full = self.accepted() >= self.0.swaps;
            let done = self.make_one(signer, &mut wire).await;
            if done.is_err() {
                wire = None;
                tokio::time::sleep(RECONNECT).await;
            }
            // Whoever finds it full looks once more: nothing may be sold then.
            if was_full && done.is_ok() {
                return Ok(());
            }
            was_full = is_full && done.is_ok();
            tokio::time::sleep(self.0.pace.saturating_sub(began.elapsed())).await;
        }
    }

    /// One swap, or a refusal; an error if the connection broke.
    async fn make_one(&self, signer: &Signer, held: &mut Option<Wire>) -> anyhow::Result<()> {
        let mut wire = match held.take() {
            Some(wire) => wire,
            None => self.connect().await?,
        };
        let Some(quote) = self.told::<QuoteView>(wire.post("/v1/quotes", &Signer::quote(GIVE_WEI)).await?)? else {
            *held = Some(wire);
            return Ok(());
        };
        let Some(proposal) = self.told::<ProposalView>(wire.post("/v1/proposals", &signer.take(&quote.id)?).await?)? else {
            *held = Some(wire);
            return Ok(());
        };
        let acceptance = signer.accept(&proposal);
        let answer = match wire.post("/v1/acceptances", &acceptance).await {
            Ok(answer) => answer,
            // Killed in the middle: whether it was agreed is asked again, in the same words.
            Err(_) => {
                let answer = self.ask_again(&mut wire, &acceptance).await?;
                if answer.status == 409 {
                    locked(&self.0.cut_off).insert(acceptance.swap.clone());
                }
                answer
            }
        };
        if let Some(AcceptanceView { swap }) = self.told(answer)? {
            locked(&self.0.agreed).insert(swap);
            self.0.accepted.fetch_add(1, Ordering::Relaxed);
        }
        *held = Some(wire);
        Ok(())
    }

    async fn ask_again(&self, wire: &mut Wire, acceptance: &NewAcceptance) -> anyhow::Result<Answer> {
        loop {
            tokio::time::sleep(RECONNECT).await;
            let Ok(again) = self.connect().await else { continue };
            *wire = again;
            if let Ok(answer) = wire.post("/v1/acceptances", acceptance).await {
                return Ok(answer);
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<Wire> {
        let at = *self.0.at.borrow();
        Wire::connect(at, &self.0.token).await
    }

    /// What was answered; nothing if it was refused, or the node did not know it any more.
    fn told<T: DeserializeOwned>(&self, answer: Answer) -> anyhow::Result<Option<T>> {
        locked(&self.0.latencies).push(answer.took);
        match answer.status {
            201 => Ok(Some(serde_json::from_slice(&answer.body)?)),
            404 | 409 | 503 => Ok(None),
            status => anyhow::bail!("status {status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    /// Every swap that is alive, as the node lists them, but those for which it never pays in.
    pub async fn live(&self) -> anyhow::Result<HashSet<String>> {
        let mut wire = self.connect().await?;
        let (mut ids, mut after) = (HashSet::new(), None);
        loop {
            let from = after.map(|after: String| format!("&after={after}")).unwrap_or_default();
            let answer = wire.get(&format!("/v1/swaps?state=live&limit=200{from}")).await?;
            anyhow::ensure!(answer.status == 200, "swaps could not be listed: {}", answer.status);
            let page: SwapPage = serde_json::from_slice(&answer.body)?;
            let cut_off = locked(&self.0.cut_off);
            ids.extend(page.swaps.into_iter().map(|swap| swap.id).filter(|id| !cut_off.contains(id)));
            drop(cut_off);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(ids),
            }
        }
    }
}
