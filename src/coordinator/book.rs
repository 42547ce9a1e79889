//! The swaps that have not ended, in memory: what the coordinator steps, what the API shows, what holds reserves.

use super::Approval;
use crate::service::Funding;
use photon_chains::{BlockHeight, UnixTime};
use photon_swap::{Effect, Phase, Swap, SwapId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A swap that has not ended.
#[derive(Clone, Debug)]
pub struct Live {
    /// Role, terms and durable facts.
    pub swap: Swap,
    /// Who funds our leg.
    pub funding: Funding,
    /// Whether somebody must be asked before our own lock.
    pub approval: Approval,
    /// Blocks at or below which alpha and beta can't have been funded.
    pub since: (BlockHeight, BlockHeight),
    /// The port said that cancelling our funding is done.
    pub cancelled: bool,
    /// The port said that refunding our leg is done.
    pub swept: bool,
    /// The notes about its locks are left with the nodes' wallets, since this start.
    pub noted: bool,
    /// What it is doing, as of the last step.
    pub phase: Phase,
    /// What must be ensured, as of the last step.
    pub wanted: Vec<Effect>,
    /// What went wrong last, while it is tried again.
    pub trouble: Option<String>,
    /// Facts and when they were written, for people.
    pub written: Vec<(String, UnixTime)>,
}

/// All of them. Clones are handles to the same book; nothing holds it across an await.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<HashMap<SwapId, Live>>>);

impl Book {
    /// Works on the whole book.
    pub fn with<T>(&self, work: impl FnOnce(&mut HashMap<SwapId, Live>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of one swap.
    pub fn get(&self, id: SwapId) -> Option<Live> {
        self.with(|swaps| swaps.get(&id).cloned())
    }

    /// Works on one swap, if it is live.
    pub fn edit<T>(&self, id: SwapId, work: impl FnOnce(&mut Live) -> T) -> Option<T> {
        self.with(|swaps| swaps.get_mut(&id).map(work))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.with(|swaps| swaps.len())
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
