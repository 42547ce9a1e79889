//! The loop that carries swaps through: a ledger was looked at → each swap that this concerns is stepped by the pure core →
//! facts and outbox are saved in one transaction → only then is anything done outside.
//!
//! ```mermaid
//! flowchart LR
//!   poll[ledger polled] --> concern[whom does it concern?]
//!   concern --> view[view: sightings, facts, clocks]
//!   view --> step[photon_swap::step]
//!   step --> save[(one transaction: facts + outbox + events)]
//!   save --> act[port.ensure, again and again until seen]
//!   act --> poll
//! ```
//!
//! A crash before the save has done nothing outside; a crash after it finds the same facts, steps to the same effects, and
//! ensures them again, which is harmless.
//!
//! Work per look follows the swaps that the look concerns, not those that live: a port says which locks show something else
//! ([`photon_chains::Port::take_changed`]), and [`photon_swap::wake`] says when a swap must be stepped again though nothing
//! changed. Should one ever be missed all the same, every swap is stepped in its turn within ten minutes, and each effect is
//! judged anew by the core right before it is tried. Swaps with money at stake go first, a few hundred at a time.

mod alarms;
mod approval;
mod book;
mod concern;
mod effects;
mod notes;
mod view;

pub use approval::{Approval, ApprovalError};
pub use book::{Book, Live};

use crate::clock;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::reserve::Reserves;
use crate::service::Funding;
use crate::store::{EffectRow, FactRow, NewEvent, StepRows, Store, StoreError, SwapRecord};
use anyhow::Context;
use concern::{Concerns, Queue, Rank};
use effects::Dispatcher;
use futures::future::try_join_all;
use photon_chains::{Ledger, UnixTime};
use photon_swap::{Fact, Outcome, Phase, Role, Step, Swap, SwapId, Terms};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Everything the coordinator works with. Clones are handles to the same.
#[derive(Clone)]
pub struct Coordinator {
    pub(crate) wallet: Arc<Wallet>,
    pub(crate) store: Store,
    pub(crate) ledgers: Ledgers,
    pub(crate) book: Book,
    pub(crate) reserves: Reserves,
    pub(crate) skew_secs: u64,
    /// Somebody is asked before each own lock.
    asks: bool,
    /// Swaps to be stepped because they are new here, or something was written into them. No more than live.
    added: Arc<Mutex<BTreeSet<SwapId>>>,
    wake: mpsc::Sender<()>,
}

/// How many swaps are stepped and saved together before it is looked whether something more urgent has come up.
const BATCH: usize = 256;
/// How often the time is looked at, whatever the ledgers do.
const TICK: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Puts the parts together. The second value goes to [`Coordinator::run`].
    pub fn new(
        wallet: Arc<Wallet>,
        store: Store,
        ledgers: Ledgers,
        reserves: Reserves,
        skew_secs: u64,
    ) -> (Self, mpsc::Receiver<()>) {
        let (wake, woken) = mpsc::channel(1);
        let added = Arc::default();
        (Self { wallet, store, ledgers, book: reserves.book().clone(), reserves, skew_secs, asks: false, added, wake }, woken)
    }

    /// The same, asking before each own lock or not.
    #[must_use]
    pub fn asking(self, asks: bool) -> Self {
        Self { asks, ..self }
    }

    /// True if new risk may be taken: the disk is well, and the fees of every running swap are held.
    pub(super) fn may_risk(&self) -> bool {
        self.store.failure().is_none() && self.reserves.hold()
    }

    fn is_added(&self, id: SwapId) {
        self.added.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        // A full channel means that it is being looked at anyway.
        let _ = self.wake.try_send(());
    }

    /// Counts from nothing are told too: who watches the rate of a counter must see it before it first rises.
    pub fn announce_counters() {
        for outcome in Outcome::ALL {
            metrics::counter!("photon_swaps_ended_total", "outcome" => Phase::from(outcome).word()).increment(0);
        }
    }

    /// Takes up every swap that has not ended, as the last process left it.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        let records = self.store.live_swaps().await?;
        let count = records.len();
        for record in records {
            let id = self.take_up(&record).context("a stored swap can't be read back")?;
            // Whoever was to be asked may not have heard it.
            self.ask_approval(id).await?;
        }
        Ok(count)
    }

    /// On a database that is a copy put back ([`crate::store::back_up`]), what was running in it may have gone on since: it counts as
    /// agreed and funded, and nothing of it is revealed or funded anew. Done before the copy is trusted with anything; its mark stays
    /// until all else is distrusted, too.
    pub async fn distrust_copy(&self) -> anyhow::Result<()> {
        for record in self.store.live_swaps().await? {
            tracing::warn!(swap_id = %record.swap.id, "known from a copy of the database: only taken back, or redeemed if public");
            let facts = distrusted().iter().map(FactRow::of).collect::<Result<Vec<_>, _>>()?;
            self.store.commit_step(record.swap.id, StepRows { facts, ..StepRows::default() }).await?;
        }
        Ok(())
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
        let mut live = live_from(record)?;
        if live.approval == Approval::NotNeeded {
            live.approval = self.unanswered(&live);
        }
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
        self.is_added(id);
        Ok(id)
    }

    /// Carries swaps through until the store fails or the sender of `looked` is gone.
    pub async fn run(self, mut looked: mpsc::Receiver<Ledger>, mut woken: mpsc::Receiver<()>) -> anyhow::Result<()> {
        let (mut dispatcher, mut results) = Dispatcher::new(self.clone());
        let (mut concerns, mut queue) = (Concerns::default(), Queue::default());
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (concerned, is_round) = tokio::select! {
                // In this order: what is queued waits for whatever else has happened, so that it is done in order of need.
                biased;
                Some(result) = results.recv() => (dispatcher.take_in(result)?.into_iter().collect(), false),
                Some(()) = woken.recv() => (self.take_added(&mut concerns), false),
                ledger = looked.recv() => match ledger {
                    Some(ledger) => (concerns.of_look(&self, ledger), true),
                    None => return Ok(()),
                },
                _ = tick.tick() => (concerns.of_time(&self, clock::now()), true),
                () = std::future::ready(()), if !queue.is_empty() => (BTreeSet::new(), false),
            };
            for id in concerned {
                self.enqueue(&mut queue, id);
            }
            let batch = queue.take(BATCH);
            for id in self.advance(&batch, &mut concerns).await? {
                self.enqueue(&mut queue, id);
            }
            dispatcher.dispatch(&batch, is_round);
        }
    }

    fn take_added(&self, concerns: &mut Concerns) -> BTreeSet<SwapId> {
        let added = std::mem::take(&mut *self.added.lock().unwrap_or_else(PoisonError::into_inner));
        self.book.with(|swaps| added.iter().filter_map(|id| swaps.get(id)).for_each(|live| concerns.add(live)));
        added
    }

    fn enqueue(&self, queue: &mut Queue, id: SwapId) {
        let rank = self.book.with(|swaps| swaps.get(&id).map(|live| rank(&live.swap)));
        if let Some(rank) = rank {
            queue.add(rank, id);
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
        self.ask_approval(id).await?;
        self.is_added(id);
        Ok(())
    }

    /// Steps swaps: everything is saved before anything is applied or done. The saves share a sync. Returns those that are to
    /// be stepped again, because their own facts have changed.
    async fn advance(&self, ids: &[SwapId], concerns: &mut Concerns) -> anyhow::Result<Vec<SwapId>> {
        let now = clock::now();
        let steps: Vec<(Live, Step)> = ids.iter().filter_map(|id| self.look(*id, now, concerns)).collect();
        let saved = try_join_all(steps.into_iter().map(|(live, step)| self.save(live, step))).await?;
        let mut again = Vec::new();
        for (id, step) in saved {
            if !step.facts.is_empty() {
                again.push(id);
            }
            if let Some(ended) = self.apply(id, step) {
                concerns.remove(&ended);
            }
        }
        Ok(again)
    }

    /// Steps one swap, and says until when that stands.
    fn look(&self, id: SwapId, now: UnixTime, concerns: &mut Concerns) -> Option<(Live, Step)> {
        let live = self.book.get(id)?;
        let view = self.view(&live, now);
        let step = photon_swap::step(&live.swap, &view);
        concerns.rest_until(self, &live, &view, &photon_swap::wake(&live.swap, &view));
        Some((live, step))
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

    /// Takes in a step that is saved. Returns the swap if it has ended with it.
    fn apply(&self, id: SwapId, step: Step) -> Option<Live> {
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
        let (terms, outcome, may_be_noted) = ended?;
        let word = Phase::from(outcome).word();
        tracing::info!(swap_id = %id, outcome = word, "ended");
        metrics::counter!("photon_swaps_ended_total", "outcome" => word).increment(1);
        for leg in [&terms.alpha, &terms.beta] {
            self.ledgers.unwatch_lock(&leg.lock);
        }
        if may_be_noted {
            self.strike_notes(terms);
        }
        self.book.with(|swaps| swaps.remove(&id))
    }
}

fn rank(swap: &Swap) -> Rank {
    let facts = &swap.facts;
    if facts.fund_intent || facts.reveal_intent || facts.secret.is_some() { Rank::AtStake } else { Rank::New }
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
    let mut approval = Approval::NotNeeded;
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
        if let Some(answer) = Approval::of_fact(&row.kind) {
            approval = answer;
            continue;
        }
        swap.apply(&row.fact()?);
    }
    Ok(Live {
        swap,
        funding,
        approval,
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
