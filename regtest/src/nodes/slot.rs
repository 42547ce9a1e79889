//! Where a node's process lives while there is one.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::NodeError;
use crate::process::{Launch, Process};
use crate::runtime;

/// A node must answer within this time of its start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a starting node is asked whether it is ready.
const START_POLL: Duration = Duration::from_millis(25);

/// A node's process, running or not.
#[derive(Debug)]
pub(super) struct Slot {
    node: &'static str,
    process: Arc<Mutex<Option<Process>>>,
}

impl Slot {
    pub(super) fn new(node: &'static str) -> Self {
        Self { node, process: Arc::new(Mutex::new(None)) }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.lock().as_ref().map(Process::id)
    }

    /// Starts the process; refused while one is running.
    pub(super) fn start(&self, launch: &Launch) -> Result<(), NodeError> {
        let node = self.node;
        let mut process = self.lock();
        if let Some(running) = process.as_mut()
            && running.ended().map_err(NodeError::system(node, "could not be looked at"))?.is_none()
        {
            return Err(NodeError::State { node, state: "is already running" });
        }
        *process = Some(launch.start().map_err(NodeError::system(node, "could not be started"))?);
        Ok(())
    }

    /// Waits until `ready`, or until the process has ended or the time is up.
    pub(super) async fn wait<F: Future<Output = bool>>(
        &self,
        ready: impl Fn() -> F,
        last_words: impl Fn() -> String,
    ) -> Result<(), NodeError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.check(&last_words)?;
            if ready().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.end(Process::kill).await?;
                return Err(NodeError::Silent { node: self.node, limit_secs: START_LIMIT.as_secs(), tail: last_words() });
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    fn check(&self, last_words: impl Fn() -> String) -> Result<(), NodeError> {
        let node = self.node;
        let mut process = self.lock();
        let Some(running) = process.as_mut() else {
            return Err(NodeError::State { node, state: "was stopped while starting" });
        };
        if running.ended().map_err(NodeError::system(node, "could not be looked at"))?.is_some() {
            *process = None;
            return Err(NodeError::Ended { node, tail: last_words() });
        }
        Ok(())
    }

    /// Ends the process, if there is one, off the caller's thread.
    pub(super) async fn end(&self, how: fn(&mut Process) -> io::Result<()>) -> Result<(), NodeError> {
        let process = Arc::clone(&self.process);
        let ended = runtime::blocking(move || {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = process.as_mut().map_or(Ok(()), how);
            *process = None;
            ended
        });
        let ended = ended.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        ended.map_err(NodeError::system(self.node, "could not be ended"))
    }

    /// Kills the process, if there is one, here and now.
    pub(super) fn kill_now(&self) {
        // Dropping a process kills it.
        drop(self.lock().take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
