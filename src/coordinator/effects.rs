//! Doing what was saved: each wanted effect is ensured again and again until the core no longer wants it.

use super::{Coordinator, Live};
use crate::clock;
use crate::keys::KeyUse;
use crate::service::Funding;
use photon_chains::{Act, Ledger, PortError, Progress, crash};
use photon_swap::{Effect, EffectKind, Role, SwapId, Terms};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How an attempt went.
pub(super) struct Attempt {
    id: SwapId,
    effect: Effect,
    result: Option<Result<Progress, PortError>>,
}

enum Slot {
    Running,
    Rested(Instant),
}

/// Keeps at most one attempt per effect under way, and rests between attempts.
pub(super) struct Dispatcher {
    coordinator: Coordinator,
    slots: HashMap<(SwapId, Effect), Slot>,
    /// Swaps of which something is wanted.
    busy: BTreeSet<SwapId>,
    results: mpsc::UnboundedSender<Attempt>,
}

impl Dispatcher {
    pub(super) fn new(coordinator: Coordinator) -> (Self, mpsc::UnboundedReceiver<Attempt>) {
        // Bounded by the slots: one result per running attempt.
        let (results, inbox) = mpsc::unbounded_channel();
        (Self { coordinator, slots: HashMap::new(), busy: BTreeSet::new(), results }, inbox)
    }

    /// Starts what is wanted, not under way, and rested: of the swaps that were just stepped, and in a round of all others.
    pub(super) fn dispatch(&mut self, stepped: &[SwapId], is_round: bool) {
        for id in stepped {
            self.dispatch_one(*id);
        }
        if is_round {
            for id in std::mem::take(&mut self.busy) {
                self.dispatch_one(id);
            }
        }
    }

    fn dispatch_one(&mut self, id: SwapId) {
        let wanted = self.coordinator.book.edit(id, |live| (live.wanted.clone(), live.swap.terms));
        let Some((wanted, terms)) = wanted else {
            self.busy.remove(&id);
            self.slots.retain(|(known, _), slot| *known != id || matches!(slot, Slot::Running));
            return;
        };
        if wanted.is_empty() {
            self.busy.remove(&id);
        } else {
            self.busy.insert(id);
        }
        for effect in wanted {
            let key = (id, effect);
            let ready = match self.slots.get(&key) {
                None => true,
                Some(Slot::Running) => false,
                Some(Slot::Rested(since)) => since.elapsed() >= rest(&self.coordinator, &terms, &effect),
            };
            if ready {
                self.slots.insert(key, Slot::Running);
                self.start(id, effect);
            }
        }
    }

    fn start(&self, id: SwapId, effect: Effect) {
        let (coordinator, results) = (self.coordinator.clone(), self.results.clone());
        tokio::spawn(async move {
            let result = coordinator.attempt(id, effect).await;
            let _ = results.send(Attempt { id, effect, result });
        });
    }

    /// Takes in how an attempt went. A failing journal ends the process; any other error is only told and tried again. The
    /// swap is to be stepped again if something about it became known.
    pub(super) fn take_in(&mut self, attempt: Attempt) -> anyhow::Result<Option<SwapId>> {
        let Attempt { id, effect, result } = attempt;
        if self.coordinator.book.get(id).is_some() {
            self.slots.insert((id, effect), Slot::Rested(Instant::now()));
        } else {
            self.slots.remove(&(id, effect));
        }
        let Some(result) = result else { return Ok(None) };
        let mut news = None;
        match result {
            Ok(progress) => {
                self.coordinator.book.edit(id, |live| {
                    live.trouble = None;
                    if progress == Progress::Done {
                        let flag = match effect.kind {
                            EffectKind::Cancel => &mut live.cancelled,
                            EffectKind::Refund => &mut live.swept,
                            EffectKind::Fund | EffectKind::Redeem => return,
                        };
                        news = (!*flag).then_some(id);
                        *flag = true;
                    }
                });
            }
            Err(PortError::Journal(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(swap_id = %id, leg = %effect.leg, effect = effect.kind.purpose().word(), %error, "not done yet");
                metrics::counter!("photon_effect_errors_total", "effect" => effect.kind.purpose().word()).increment(1);
                self.coordinator.book.edit(id, |live| live.trouble = Some(error.to_string()));
            }
        }
        Ok(news)
    }
}

impl Coordinator {
    /// Tries once, if it is still wanted at this very moment.
    async fn attempt(&self, id: SwapId, effect: Effect) -> Option<Result<Progress, PortError>> {
        let live = self.book.get(id)?;
        let wanted = photon_swap::step(&live.swap, &self.view(&live, clock::now())).effects;
        if !wanted.contains(&effect) {
            return None;
        }
        if effect.kind == EffectKind::Fund
            && !live.noted
            && let Err(error) = self.leave_notes(&live).await
        {
            return Some(Err(error));
        }
        if live.funding == Funding::Outside {
            match effect.kind {
                // Whoever was shown the address pays it, or not.
                EffectKind::Fund => return None,
                // What is in a stranger's hands can't be cancelled. Until our refund opens a late payment would still be seen,
                // and taken back; from then on nobody can count on one. Ours may be fast: the ledger's clock must say so too.
                EffectKind::Cancel => {
                    let opens = live.swap.terms.leg(effect.leg).lock.expiry.opens_time;
                    let tip = self.ledgers.outlook(self.ledger_of(&live, effect)).tip;
                    let is_open = clock::now() > opens && tip.is_some_and(|tip| tip.lock_clock >= opens);
                    return Some(Ok(if is_open { Progress::Done } else { Progress::NotYet }));
                }
                EffectKind::Redeem | EffectKind::Refund => {}
            }
        }
        let act = self.act(&live, effect)?;
        let ledger = self.ledger_of(&live, effect);
        let port = self.ledgers.port(ledger)?.clone();
        let started = Instant::now();
        crash::point(format_args!("ensure.before.{}/{}", effect.leg, effect.kind.purpose().word()));
        let result = port.ensure(&act).await;
        crash::point(format_args!("ensure.after.{}/{}", effect.leg, effect.kind.purpose().word()));
        metrics::histogram!("photon_ensure_seconds", "chain" => ledger.name(), "effect" => effect.kind.purpose().word())
            .record(started.elapsed().as_secs_f64());
        if let Ok(progress) = &result {
            tracing::debug!(swap_id = %id, chain = %ledger, effect = effect.kind.purpose().word(), ?progress, "ensured");
        }
        Some(result)
    }

    fn ledger_of(&self, live: &Live, effect: Effect) -> Ledger {
        live.swap.terms.leg(effect.leg).lock.asset.ledger()
    }

    fn act(&self, live: &Live, effect: Effect) -> Option<Act> {
        let terms = &live.swap.terms;
        let lock = terms.leg(effect.leg).lock;
        let salt = terms.salt(live.swap.role);
        let key = |key_use| self.wallet.lock_key(salt.as_bytes(), lock.asset.ledger(), key_use);
        match effect.kind {
            EffectKind::Fund => Some(Act::Fund { lock }),
            EffectKind::Cancel => Some(Act::Cancel { lock }),
            EffectKind::Refund => Some(Act::Refund { lock, key: key(KeyUse::Refund) }),
            EffectKind::Redeem => {
                let own = || (live.swap.role == Role::Initiator).then(|| self.wallet.secret(salt.as_bytes()));
                let public = self.view(live, clock::now()).public_secret(&lock.secret_hash).cloned();
                let secret = public.or_else(own).filter(|secret| secret.hash() == lock.secret_hash)?;
                Some(Act::Redeem { lock, secret, key: key(KeyUse::Redeem) })
            }
        }
    }
}

/// Between two attempts: two looks at the ledger, at most half a minute. A refund that waits for its time costs one look.
fn rest(coordinator: &Coordinator, terms: &Terms, effect: &Effect) -> Duration {
    let block_secs =
        coordinator.ledgers.port(terms.leg(effect.leg).lock.asset.ledger()).map_or(10, |port| port.timing().block_secs);
    Duration::from_millis((block_secs * 1000).clamp(800, 30_000))
}
