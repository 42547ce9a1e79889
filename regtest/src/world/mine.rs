//! Blocks at an interval, until told otherwise.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::runtime;

/// When a chain gets its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// Only when asked.
    Manual,
    /// One at each interval, and when asked.
    Every(Duration),
}

/// The task that mines, if there is one. It lives on the background runtime and survives a node that is down for a while.
#[derive(Debug, Default)]
pub(super) struct Miner {
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Miner {
    /// Calls `mine` at each interval from now on, in place of whatever did so before. A call that fails is followed by the next one.
    pub(super) fn start<F, E>(&self, interval: Duration, mine: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), E>> + Send,
        E: std::fmt::Display,
    {
        let task = runtime::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            // The first tick comes at once.
            ticks.tick().await;
            loop {
                ticks.tick().await;
                if let Err(error) = mine().await {
                    tracing::debug!(%error, "no block this time");
                }
            }
        });
        self.replace(Some(task));
    }

    pub(super) fn stop(&self) {
        self.replace(None);
    }

    fn replace(&self, task: Option<JoinHandle<()>>) {
        let mut current = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, task) {
            old.abort();
        }
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.stop();
    }
}
