//! Whether the chain is seen, as the engine is told.
//!
//! It is seen from a look that brought everything up to a newest block that is no older than blocks of this chain may be. It is
//! out of sight when no look has succeeded for a while, when the newest block is too old (a node of one's own goes on answering
//! when its line is cut), or when the first look after a start fails. Until that first look nobody knows, and neighbours wait.

use super::engine::Input;
use crate::clock;
use photon_chains::{Ledger, Timing, UnixTime};
use photon_channel::Sight;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;

/// When a chain counts as out of sight.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SightRule {
    /// No look has succeeded for so long.
    pub silent_secs: u64,
    /// Its newest block is older than that.
    pub stale_tip_secs: u64,
}

impl SightRule {
    /// Two blocks may pass in silence, and the newest one may be as old as for anything else.
    pub fn of(timing: &Timing) -> Self {
        Self { silent_secs: (timing.block_secs * 2).clamp(5, 60), stale_tip_secs: timing.stale_tip_secs }
    }
}

/// Tells one engine.
pub(super) struct Lookout {
    ledger: Ledger,
    rule: SightRule,
    out: mpsc::Sender<Input>,
    sight: Sight,
    /// When the last good look was.
    seen_at: UnixTime,
}

impl Lookout {
    pub(super) fn new(ledger: Ledger, rule: SightRule, out: mpsc::Sender<Input>) -> Self {
        Self { ledger, rule, out, sight: Sight::Awaited, seen_at: UnixTime::default() }
    }

    /// A look has succeeded, and what it brought has been handed over.
    pub(super) async fn saw(&mut self, newest_block: UnixTime) {
        let now = clock::now();
        if now.secs_since(newest_block) > self.rule.stale_tip_secs {
            return self.say(Sight::Lost).await;
        }
        self.seen_at = now;
        self.say(Sight::Live).await;
    }

    /// A look has failed, or takes long.
    pub(super) async fn missed(&mut self) {
        if self.sight == Sight::Awaited || self.silent_for() >= self.rule.silent_secs {
            self.say(Sight::Lost).await;
        }
    }

    /// Waits for a look, and says when it takes too long.
    pub(super) async fn during<T>(&mut self, look: impl Future<Output = T>) -> T {
        let mut look = pin!(look);
        loop {
            let left = (self.sight == Sight::Live).then(|| self.rule.silent_secs.saturating_sub(self.silent_for()));
            tokio::select! {
                biased;
                looked = &mut look => return looked,
                () = after(left) => self.missed().await,
            }
        }
    }

    fn silent_for(&self) -> u64 {
        clock::now().secs_since(self.seen_at)
    }

    async fn say(&mut self, sight: Sight) {
        if self.sight == sight {
            return;
        }
        match sight {
            Sight::Lost => tracing::warn!(
                chain = %self.ledger,
                "out of sight: neighbours still pay each other at once, up to [channels] offline_limit; what needs the chain waits"
            ),
            Sight::Live | Sight::Awaited => tracing::info!(chain = %self.ledger, "in sight"),
        }
        self.sight = sight;
        // An engine that has ended hears nothing.
        let _ = self.out.send(Input::Sight(sight)).await;
    }
}

async fn after(secs: Option<u64>) {
    match secs {
        Some(secs) => tokio::time::sleep(Duration::from_secs(secs)).await,
        None => pending().await,
    }
}
