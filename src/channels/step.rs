//! Saving what the core has come to, and letting it out.
//!
//! While a step is on its way to the disk the next one is made ready: what it says is signed and computed on top of the former,
//! and queued behind it. That is safe because of an order that is never broken. Steps are written in the order in which they
//! were made, each whole or not at all, so that whatever a crash leaves on the disk is what stood there after some step. And
//! nothing of a step leaves before the step itself is durable, and with it all before it: no neighbour, chain or owner ever
//! knows more than the disk does. What is lost with the process are steps that nobody has heard of. If a write fails, the
//! process ends, and with it everything that was built on it in memory.
//!
//! Whoever reads the database, or looks at the engine from outside, waits until all that was begun is durable: what has just
//! left memory is not yet on the disk. What is wanted of the chain is computed then, too.

use super::engine::{Engine, Running};
use super::orders::Answers;
use super::peers::Outgoing;
use super::tell::{self, Refusals};
use super::words::Told;
use crate::clock;
use crate::store::{ChannelStep, NewEnded, Queued};
use anyhow::Context;
use photon_chains::crash;
use photon_channel::{Effect, Key, Notice, Outcome, PaymentId, Row, Units, Write};
use std::collections::VecDeque;

/// The most steps on their way to the disk: while one is written the next are made ready. With more of them each would be smaller,
/// and every step has costs of its own: a signature, and a verification by whoever hears of it.
pub(super) const MOST_BEGUN: usize = 3;

/// A step on its way to the disk, and what waits for it.
#[derive(Default)]
struct Begun {
    /// None: it writes nothing.
    write: Option<Queued<()>>,
    answers: Answers,
    refused: Refusals,
    ended: Vec<(Running, Outcome)>,
    effects: Vec<Effect>,
}

/// All of them, the oldest first.
#[derive(Default)]
pub(super) struct Steps {
    begun: VecDeque<Begun>,
    /// What is left to the next step to write: see [`is_arrival`].
    owed: Vec<Write>,
}

impl Steps {
    pub(super) fn are_many(&self) -> bool {
        self.begun.len() >= MOST_BEGUN
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// Returns when the oldest is durable. May be dropped and asked again.
    pub(super) async fn first_durable(&mut self) -> anyhow::Result<()> {
        if let Some(Begun { write: Some(write), .. }) = self.begun.front_mut() {
            write.durable().await.context("a step of the channels could not be saved")?;
        }
        Ok(())
    }
}

impl Engine {
    /// Makes a step of what the core has come to, and begins to save it.
    pub(super) async fn step(&mut self) -> anyhow::Result<()> {
        let photon_channel::Step { writes, effects } = self.node.finish();
        let mut rows = ChannelStep::of(self.ledger);
        let mut told = Vec::new();
        for effect in &effects {
            if let Effect::Tell(notice) = effect {
                told.push(notice);
            }
        }
        rows.fees = self.earned(&writes, &told);
        let mut ended = Vec::new();
        rows.ended.reserve(writes.iter().filter(|write| matches!(write.key, Key::Outcome(_) | Key::Received(..))).count());
        for (place, write) in writes.iter().enumerate() {
            if let Some(memo) = self.note(write, &mut rows, &mut ended) {
                rows.memos.insert(place, memo);
            }
        }
        rows.writes = writes;
        self.revision += u64::from(!rows.writes.is_empty());
        rows.events = tell::events(self.ledger, &told);
        self.strike_deposits();
        let mut answers = std::mem::take(&mut self.answers);
        rows.wishes = std::mem::take(&mut answers.wishes);
        self.is_stirred |= !rows.wishes.is_empty();
        let refused = tell::refused(&told);
        if effects.is_empty() && answers.is_empty() && rows.wishes.is_empty() && rows.writes.iter().all(is_arrival) {
            self.steps.owed.append(&mut rows.writes);
            return Ok(());
        }
        let write = match rows.is_empty() {
            true => None,
            false => Some(self.queue(rows).await?),
        };
        self.steps.begun.push_back(Begun { write, answers, refused, ended, effects });
        Ok(())
    }

    /// Begins to save a step, with what earlier ones have left to it.
    async fn queue(&mut self, mut rows: ChannelStep) -> anyhow::Result<Queued<()>> {
        rows.writes.append(&mut self.steps.owed);
        self.store.queue_channels(rows).await.context("a step of the channels could not be saved")
    }

    /// Lets out what the oldest step has said, which is durable.
    pub(super) fn let_out_first(&mut self) {
        let Some(Begun { answers, refused, ended, effects, .. }) = self.steps.begun.pop_front() else { return };
        self.answer(answers, &refused);
        for (running, outcome) in ended {
            if let Some(waiter) = running.waiter {
                // Whoever waited may be gone.
                let _ = waiter.send(outcome);
            }
        }
        self.let_out(effects);
    }

    /// Waits until all that was begun is durable, lets it out, and says what is wanted of the chain by then.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        if !self.steps.owed.is_empty() {
            let write = Some(self.queue(ChannelStep::of(self.ledger)).await?);
            self.steps.begun.push_back(Begun { write, ..Begun::default() });
        }
        while !self.steps.is_empty() {
            self.steps.first_durable().await?;
            self.let_out_first();
        }
        if std::mem::take(&mut self.is_stirred) {
            self.tell_neighbours();
            self.calls.send_replace(self.wanted());
        }
        Ok(())
    }

    /// What a row of the core's is to the owner's list of payments. Returns the owner's note on it.
    fn note(&mut self, write: &Write, rows: &mut ChannelStep, ended: &mut Vec<(Running, Outcome)>) -> Option<String> {
        let mut memo = None;
        match (&write.key, &write.row) {
            (Key::Payment(id), Some(Row::Payment(payment))) => {
                if let Some(running) = self.running.get_mut(id) {
                    running.goes(&payment.order);
                    memo = running.memo.clone();
                }
            }
            (Key::Request(hash), Some(_)) => memo = self.requests.get(hash).and_then(|note| note.memo.clone()),
            (Key::Request(hash), None) => drop(self.requests.remove(hash)),
            (Key::Outcome(id), Some(Row::Outcome(outcome))) => {
                if let Some(running) = self.running.remove(id) {
                    rows.ended.push(paid(*id, &running, outcome));
                    ended.push((running, outcome.clone()));
                }
            }
            (Key::Received(of, _), Some(Row::Received(id, amount, secret_hash))) => {
                let note = secret_hash.and_then(|hash| self.requests.get(&hash).cloned());
                rows.ended.push(NewEnded {
                    is_incoming: true,
                    is_unasked: note.is_none(),
                    id: *id,
                    channel: of.channel,
                    token: self.token_of(&of.channel),
                    payee: None,
                    amount: *amount,
                    fee: Units::ZERO,
                    secret_hash: *secret_hash,
                    receipt: None,
                    failed: None,
                    memo: note.as_ref().and_then(|note| note.memo.clone()),
                    created_at: note.map_or_else(clock::now, |note| note.created_at),
                });
            }
            (_, _) => {}
        }
        memo
    }

    fn let_out(&mut self, effects: Vec<Effect>) {
        let mut outgoing = Outgoing::new(self.ledger);
        for effect in effects {
            match effect {
                Effect::Send(peer, message) => {
                    crash::point(format_args!("channel.send.{}", tell::message_word(&message)));
                    outgoing.add(&self.links, peer, &message);
                }
                Effect::FindWays(id, reason) => self.seek(id, reason),
                Effect::Tell(notice) => {
                    if let Notice::Attempt { payment, reason, failed: Some(failed) } = &notice {
                        self.learn_failure(payment, *reason, failed);
                    }
                    if self.notices.receiver_count() > 0 {
                        // Whoever listened may be gone.
                        let _ = self.notices.send(Told { ledger: self.ledger, notice });
                    }
                }
                Effect::Watch(hash) => self.interests.want(hash),
                Effect::Unwatch(hash) => {
                    self.interests.unwant(hash);
                    if !self.hanging.values().any(|hashes| hashes.contains(&hash)) {
                        self.entries.remove(&hash);
                    }
                }
                Effect::Register(secret, end) => {
                    self.registers.insert(secret.hash(), (secret, end));
                    self.is_stirred = true;
                }
                // They are found in the channels themselves, after a restart too.
                Effect::CloseTogether(..) | Effect::Withdraw(..) => self.is_stirred = true,
            }
        }
        outgoing.send(&self.links);
    }
}

/// That an update has arrived for good. A step that says nothing but that is written with the next one, or when the engine has
/// nothing to do: to whom it is forgotten it is said again, and by itself it would cost every update of a lock one sync more.
const fn is_arrival(write: &Write) -> bool {
    matches!((&write.key, &write.row), (Key::Unacked(..), None))
}

fn paid(id: PaymentId, running: &Running, outcome: &Outcome) -> NewEnded {
    let (receipt, failed) = match outcome {
        Outcome::Paid(receipt) => (receipt.clone(), None),
        Outcome::Failed(reason) => (None, Some(*reason)),
    };
    NewEnded {
        is_incoming: false,
        is_unasked: false,
        id,
        channel: running.channel,
        token: running.token,
        payee: Some(running.payee),
        amount: running.amount,
        fee: running.fee,
        secret_hash: receipt.as_ref().map(photon_chains::Secret::hash).or(running.secret_hash),
        receipt,
        failed,
        memo: running.memo.clone(),
        created_at: running.created_at,
    }
}
