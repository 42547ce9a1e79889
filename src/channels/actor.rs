//! Makes the calls that an engine wants, again and again until they are seen done or are wanted no more.

use super::acts::{Verdict, Wanted};
use super::engine::Input;
use super::follow::PortSource;
use futures::stream::{self, StreamExt};
use photon_chains::{Called, ContractPort, IntentKey, Ledger, LockId, PortError, Progress, crash};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Calls that are looked after at one time.
const AT_ONCE: usize = 8;

/// The hands of one ledger's engine.
pub(super) struct Actor {
    ledger: Ledger,
    source: PortSource,
    wanted: watch::Receiver<Vec<Wanted>>,
    out: mpsc::Sender<Input>,
    /// What was wanted at the last round.
    before: HashSet<IntentKey>,
    /// What was last told of each call that is wanted.
    told: BTreeMap<LockId, Verdict>,
}

impl Actor {
    pub(super) fn new(
        ledger: Ledger,
        source: PortSource,
        wanted: watch::Receiver<Vec<Wanted>>,
        out: mpsc::Sender<Input>,
    ) -> Self {
        Self { ledger, source, wanted, out, before: HashSet::new(), told: BTreeMap::new() }
    }

    /// Works until the engine has ended.
    pub(super) async fn run(mut self, pace: Duration) -> anyhow::Result<()> {
        loop {
            // The same again where nothing has changed for a while: what was sent may want a higher bid.
            if let Ok(Err(_)) = timeout(pace, self.wanted.changed()).await {
                return Ok(());
            }
            let wanted = self.wanted.borrow_and_update().clone();
            if let Some(port) = (self.source)() {
                self.round(&*port, wanted).await?;
            }
        }
    }

    async fn round(&mut self, port: &dyn ContractPort, wanted: Vec<Wanted>) -> anyhow::Result<()> {
        let now: HashSet<IntentKey> = wanted.iter().map(|one| one.call.intent).collect();
        self.before.difference(&now).for_each(|intent| port.unwant(intent));
        self.before = now;
        let bases: HashSet<LockId> = wanted.iter().map(|one| one.base).collect();
        self.told.retain(|base, _| bases.contains(base));
        let calls = stream::iter(wanted).map(|one| async move {
            crash::point(format_args!("channel.call.before.{}", one.word));
            let called = port.call(&one.call).await;
            crash::point(format_args!("channel.call.after.{}", one.word));
            (one, called)
        });
        let mut done = calls.buffered(AT_ONCE);
        while let Some((one, called)) = done.next().await {
            let verdict = match called {
                Ok(Called::Under(Progress::Done)) => Verdict::Done,
                Ok(Called::Under(Progress::Sent { .. } | Progress::Mined { .. } | Progress::NotYet)) => continue,
                Ok(Called::WouldRevert(reason)) => Verdict::Refused(reason),
                Ok(Called::Reverted(_)) => Verdict::Reverted,
                Err(PortError::Journal(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(chain = %self.ledger, call = one.word, %error, "a call of a channel could not be made");
                    continue;
                }
            };
            if self.told.get(&one.base) == Some(&verdict) && verdict != Verdict::Reverted {
                continue;
            }
            self.told.insert(one.base, verdict.clone());
            if self.out.send(Input::Called(one.word, one.base, verdict)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
