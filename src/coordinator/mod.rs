//! The loop that carries swaps through: a ledger was looked at → each live swap on it is stepped by the pure core → facts
//! and outbox are saved in one transaction → only then is anything done outside.
//!
//! ```mermaid
//! flowchart LR
//!   poll[ledger polled] --> view[view: sightings, facts, clocks]
//!   view --> step[photon_swap::step]
//!   step --> save[(one transaction: facts + outbox + events)]
//!   save --> act[port.ensure, again and again until seen]
//!   act --> poll
//! ```
//!
//! A crash before the save has done nothing outside; a crash after it finds the same facts, steps to the same effects, and
//! ensures them again, which is harmless. Work per look is proportional to the swaps that have not ended.

mod book;
mod effects;
mod notes;
mod view;

pub use book::{Book, Live};

use crate::clock;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::reserve::Reserves;
use crate::service::Funding;
use crate::store::{EffectRow, FactRow, NewEvent, StepRows, Store, StoreError, SwapRecord};
use anyhow::Context;
use effects::Dispatcher;
use futures::future::try_join_all;
use photon_chains::Ledger;
use photon_swap::{Fact, Phase, Role, Step, Swap, SwapId, Terms};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Everything the coordinator works with. Clones are handles to the same.
#[derive(Clone)]
pub struct Coordinator {
    pub(crate) wallet: Arc<Wallet>,
    pub(crate) store: Store,
    pub(crate) ledgers: Ledgers,
    pub(crate) book: Book,
    pub(crate) reserves: Reserves,
    pub(crate) skew_secs: u64,
    added: mpsc::Sender<SwapId>,
}

/// How many swaps may wait to be taken up at once.
const ADDED_CAP: usize = 1024;

impl Coordinator {
    /// Puts the parts together. The second value goes to [`Coordinator::run`].
    pub fn new(
        wallet: Arc<Wallet>,
        store: Store,
        ledgers: Ledgers,
        reserves: Reserves,
        skew_secs: u64,
    ) -> (Self, mpsc::Receiver<SwapId>) {
        let (added, inbox) = mpsc::channel(ADDED_CAP);
        (Self { wallet, store, ledgers, book: reserves.book().clone(), reserves, skew_secs, added }, inbox)
    }

    /// Takes up every swap that has not ended, as the last process left it.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        let records = self.store.live_swaps().await?;
        let count = records.len();
        for record in records {
            self.take_up(&record).context("a stored swap can't be read back")?;
        }
        Ok(count)
    }

    /// On a database that is a copy put back ([`crate::store::back_up`]), what was running in it may have gone on since: it counts as
    /// agreed and funded, and nothing of it is revealed or funded anew. Done before the copy is trusted with anything.
    pub async fn distrust_copy(&self) -> anyhow::Result<()> {
        if !self.store.is_put_back().await? {
            return Ok(());
        }
        for record in self.store.live_swaps().await? {
            tracing::warn!(swap_id = %record.swap.id, "known from a copy of the database: only taken back, or redeemed if public");
            let facts = distrusted().iter().map(FactRow::of).collect::<Result<Vec<_>, _>>()?;
            self.store.commit_step(record.swap.id, StepRows { facts, ..StepRows::default() }).await?;
        }
        Ok(self.store.note_put_back().await?)
    }

    /// Takes back what the database has lost and the recovery file still knows: an old copy was put back, or it is gone.
    /// Whether such a swap was agreed or funded nobody knows, so it counts as both, and nothing of it is ever revealed or
    /// funded anew: it is refunded, or redeemed with a secret that is already public.
    pub async fn take_back_lost(&self) -> anyhow::Result<usize> {
        let lost = self.store.lost_swaps().await?;
        let count = lost.len();
        for swap in lost {
            tracing::error!(swap_id = %swap.swap.id, "the database has lost this swap: taken back from the recovery file");
            let rows = distrusted().iter().map(FactRow::of).collect::<Result<Vec<_>, _>>()?;
            self.store.restore_swap(swap, rows).await?;
        }
        Ok(count)
    }

    /// Takes up one stored swap: watches its locks, and steps it at the next look.
    pub fn take_up(&self, record: &SwapRecord) -> anyhow::Result<SwapId> {
        let live = live_from(record)?;
        let id = live.swap.id;
        let terms = &live.swap.terms;
        for (leg, since) in [(&terms.alpha, live.since.0), (&terms.beta, live.since.1)] {
            let ledger = leg.lock.asset.ledger();
            anyhow::ensure!(
                self.ledgers.is_configured(ledger),
                "swap {id} stands on {ledger}, which is not configured any more: configure it, or its money is stuck"
            );
            self.ledgers.watch_lock(&leg.lock, since);
        }
        self.book.with(|swaps| {
            swaps.entry(id).or_insert(live);
        });
        // A full queue only means that it waits for the next look.
        let _ = self.added.try_send(id);
        Ok(id)
    }

    /// Carries swaps through until the store fails or the sender of `looked` is gone.
    pub async fn run(self, mut looked: mpsc::Receiver<Ledger>, mut added: mpsc::Receiver<SwapId>) -> anyhow::Result<()> {
        let (mut dispatcher, mut results) = Dispatcher::new(self.clone());
        loop {
            let touched = tokio::select! {
                ledger = looked.recv() => match ledger {
                    Some(ledger) => self.on_ledger(ledger),
                    None => return Ok(()),
                },
                Some(id) = added.recv() => vec![id],
                Some(result) = results.recv() => dispatcher.take_in(result)?.into_iter().collect(),
            };
            self.advance(&touched).await?;
            dispatcher.dispatch(&touched);
        }
    }

    /// The counterparty's signature has come: durable first, then the swap is agreed and may be stepped. Where our leg is paid
    /// by hand, the intent to fund it is durable before anybody is shown where.
    pub async fn agreed(&self, id: SwapId, signature: Vec<u8>, funding: Funding) -> anyhow::Result<()> {
        self.store.set_peer_signature(id, signature).await?;
        let mut facts = vec![Fact::Agreed];
        if funding == Funding::Outside {
            let rows = StepRows { facts: vec![FactRow::of(&Fact::FundIntent)?], ..StepRows::default() };
            self.store.commit_step(id, rows).await?;
            facts.push(Fact::FundIntent);
        }
        self.book.edit(id, |live| facts.iter().for_each(|fact| live.swap.apply(fact)));
        let _ = self.added.try_send(id);
        Ok(())
    }

    fn on_ledger(&self, ledger: Ledger) -> Vec<SwapId> {
        let touches =
            |live: &Live| [&live.swap.terms.alpha, &live.swap.terms.beta].iter().any(|leg| leg.lock.asset.ledger() == ledger);
        self.book.with(|swaps| swaps.iter().filter(|(_, live)| touches(live)).map(|(id, _)| *id).collect())
    }

    /// Steps swaps: everything is saved before anything is applied or done. The saves share a sync.
    async fn advance(&self, ids: &[SwapId]) -> anyhow::Result<()> {
        let now = clock::now();
        let steps: Vec<(Live, Step)> = ids
            .iter()
            .filter_map(|id| self.book.get(*id))
            .map(|live| {
                let step = photon_swap::step(&live.swap, &self.view(&live, now));
                (live, step)
            })
            .collect();
        let saved = try_join_all(steps.into_iter().map(|(live, step)| self.save(live, step))).await?;
        for (id, step) in saved {
            self.apply(id, step);
        }
        Ok(())
    }

    async fn save(&self, live: Live, step: Step) -> anyhow::Result<(SwapId, Step)> {
        let id = live.swap.id;
        if step.facts.is_empty() && step.effects == live.wanted && step.phase == live.phase {
            return Ok((id, step));
        }
        let mut rows = StepRows { is_all_wanted: true, ..StepRows::default() };
        for fact in &step.facts {
            rows.facts.push(FactRow::of(fact)?);
            rows.events.push(event(id, serde_json::json!({ "fact": fact.word(), "phase": step.phase.word() }))?);
            if let Fact::Ended { outcome } = fact {
                rows.end = Some(Phase::from(*outcome).word().to_owned());
            }
        }
        for effect in &step.effects {
            rows.effects.push(EffectRow::of(effect)?);
        }
        if step.facts.is_empty() && step.phase != live.phase {
            rows.events.push(event(id, serde_json::json!({ "phase": step.phase.word() }))?);
        }
        match self.store.commit_step(id, rows).await {
            Ok(_) => {
                self.reopen_offer(&live, &step).await?;
                Ok((id, step))
            }
            Err(StoreError::SwapEnded) => Ok((id, step)),
            Err(error) => Err(error).with_context(|| format!("swap {id} could not be saved")),
        }
    }

    /// An offer of ours whose taker never paid in may be taken again: otherwise anybody could take all offers away for nothing.
    async fn reopen_offer(&self, live: &Live, step: &Step) -> anyhow::Result<()> {
        if live.swap.role == Role::Participant && step.phase == Phase::Void {
            match self.store.reopen_offer(live.swap.terms.offer).await {
                Ok(()) | Err(StoreError::OfferNotOpen | StoreError::NoSuch(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn apply(&self, id: SwapId, step: Step) {
        let now = clock::now();
        let ended = self.book.with(|swaps| {
            let live = swaps.get_mut(&id)?;
            for fact in &step.facts {
                tracing::info!(swap_id = %id, fact = fact.word(), phase = step.phase.word(), "saved");
                live.swap.apply(fact);
                live.written.push((fact.word().to_owned(), now));
            }
            if live.phase != step.phase && step.facts.is_empty() {
                tracing::info!(swap_id = %id, phase = step.phase.word(), "phase");
            }
            live.phase = step.phase;
            live.wanted = step.effects;
            let may_be_noted = live.noted || live.swap.facts.fund_intent;
            live.swap.facts.ended.map(|outcome| (live.swap.terms, outcome, may_be_noted))
        });
        if let Some((terms, outcome, may_be_noted)) = ended {
            let word = Phase::from(outcome).word();
            tracing::info!(swap_id = %id, outcome = word, "ended");
            metrics::counter!("photon_swaps_ended_total", "outcome" => word).increment(1);
            for leg in [&terms.alpha, &terms.beta] {
                self.ledgers.unwatch_lock(&leg.lock);
            }
            if may_be_noted {
                self.strike_notes(terms);
            }
            self.book.with(|swaps| swaps.remove(&id));
        }
    }
}

/// What is written down of a swap of which nobody knows how far it had come.
const fn distrusted() -> [Fact; 3] {
    [Fact::Agreed, Fact::FundIntent, Fact::NeverReveal]
}

fn event(id: SwapId, body: serde_json::Value) -> anyhow::Result<NewEvent> {
    Ok(NewEvent { kind: "swap".to_owned(), swap: Some(id), body: serde_json::to_string(&body)? })
}

fn live_from(record: &SwapRecord) -> anyhow::Result<Live> {
    let terms: Terms = serde_json::from_str(&record.swap.terms)?;
    let id = terms.id();
    anyhow::ensure!(id == record.swap.id, "the stored terms of a swap are not the signed ones");
    let mut swap = Swap::new(record.swap.role, terms);
    let mut funding = Funding::Wallet;
    let mut written = Vec::new();
    if record.swap.agreed_at.is_some() {
        swap.apply(&Fact::Agreed);
    }
    for row in &record.facts {
        written.push((row.kind.clone(), row.at));
        if row.kind == OUTSIDE {
            funding = Funding::Outside;
            continue;
        }
        swap.apply(&row.fact()?);
    }
    Ok(Live {
        swap,
        funding,
        since: (record.swap.alpha_since, record.swap.beta_since),
        cancelled: false,
        swept: false,
        noted: false,
        phase: Phase::Proposed,
        wanted: Vec::new(),
        trouble: None,
        written,
    })
}

/// The stored fact that our leg is paid by hand.
pub(crate) const OUTSIDE: &str = "outside_funding";
