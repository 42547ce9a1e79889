//! Keeping in step with a node's chain: the window of newest headers, what was undone, and which events are still to be read.
//! Shared by the followers of locks ([`crate::watch`]) and of names ([`crate::listen`]), each of which has a trail of its own.

use crate::chain::At;
use crate::node::Node;
use crate::rpc::RpcError;
use crate::window::{Moved, Window};
use crate::wire::{Header, Log};
use alloy::primitives::Address;
use photon_chains::PortError;
use serde_json::Value;

/// Events are asked for in ranges of so many blocks; a node that refuses gets half.
const LOG_RANGE: u64 = 2000;
/// Events of so many blocks are asked for again with each new one: a node may show a block before it has indexed its events.
pub(crate) const REREAD: u64 = 8;
/// After so many blocks, what a node may have kept back is looked for once more.
pub(crate) const RECHECK: u64 = 64;
/// How often a chain that moves under our eyes is read again.
pub(crate) const TRIES: usize = 3;
/// So many headers are remembered beyond those that are not final.
const SPARE_HEADERS: usize = 32;

/// Something went wrong while the chain was read.
pub(crate) enum Trouble {
    /// Begin again: the chain moved.
    Moved,
    /// Give up for now.
    Port(PortError),
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Trouble::Port(error)
    }
}

impl From<Moved> for Trouble {
    fn from(_: Moved) -> Self {
        Trouble::Moved
    }
}

/// How far one follower is.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(crate) window: Window,
    /// Events up to this block were read.
    pub(crate) cursor: Option<u64>,
    /// The last look failed: events are read again from some depth.
    pub(crate) shaken: bool,
    /// At this block, what a node may have kept back was last looked for.
    pub(crate) rechecked: u64,
}

impl Trail {
    pub(crate) fn new(node: &Node) -> Self {
        let keep = node.params.timing.final_confirmations as usize + SPARE_HEADERS;
        Self { window: Window::new(keep), cursor: None, shaken: false, rechecked: 0 }
    }

    /// Forgets the blocks that are not in the chain of this tip any more. Above which one, if there were any.
    pub(crate) async fn retreat(&mut self, node: &Node, tip: &Header) -> Result<Option<u64>, Trouble> {
        let Some(known) = self.window.tip().copied().filter(|known| known.hash != tip.hash) else { return Ok(None) };
        let common = self.common(node, tip).await?;
        let height = common.unwrap_or_else(|| self.window.lowest().unwrap_or(0).saturating_sub(1));
        if height >= known.number.0 {
            return Ok(None);
        }
        tracing::info!(chain = %node.ledger(), from = height, to = known.number.0, "blocks were replaced");
        self.window.undo_above(height);
        self.cursor = self.cursor.map(|cursor| cursor.min(height));
        Ok(Some(height))
    }

    /// Brings the window to the tip. Returns the new headers.
    pub(crate) async fn advance(&mut self, node: &Node, tip: &Header) -> Result<Vec<Header>, Trouble> {
        if self.window.tip().is_some_and(|known| known.hash == tip.hash) {
            return Ok(Vec::new());
        }
        let goal = tip.number.0;
        let oldest = (goal + 1).saturating_sub(self.window.keep());
        let from = self.window.tip().map_or(oldest, |known| oldest.max(known.number.0 + 1));
        let headers = node.at(node.rpc.headers(from, goal).await)?;
        if headers.last().is_some_and(|last| last.hash != tip.hash) {
            return Err(Trouble::Moved);
        }
        self.window.extend(&headers)?;
        Ok(headers)
    }

    /// The highest block that the window shares with the node's chain.
    async fn common(&self, node: &Node, tip: &Header) -> Result<Option<u64>, Trouble> {
        let (Some(known), Some(lowest)) = (self.window.tip(), self.window.lowest()) else { return Ok(None) };
        if known.hash == tip.parent_hash {
            return Ok(Some(known.number.0));
        }
        let mut high = known.number.0.min(tip.number.0);
        while high >= lowest {
            let low = high.saturating_sub(15).max(lowest);
            let headers = node.at(node.rpc.headers(low, high).await)?;
            let shared = headers.iter().rev().find(|header| self.window.hash(header.number.0) == Some(header.hash));
            if let Some(shared) = shared {
                return Ok(Some(shared.number.0));
            }
            let Some(below) = low.checked_sub(1) else { break };
            high = below;
        }
        Ok(None)
    }

    /// The block from which events are to be read up to this tip. None if nothing is new, or nothing was ever read.
    pub(crate) fn unread(&self, tip: u64) -> Option<u64> {
        let back = if self.shaken { self.window.keep() } else { 0 };
        let cursor = self.cursor?.saturating_sub(back);
        (cursor < tip).then(|| (cursor + 1).saturating_sub(REREAD))
    }

    /// True once in a while.
    pub(crate) fn is_recheck_due(&self, tip: u64) -> bool {
        tip >= self.rechecked.saturating_add(RECHECK)
    }
}

impl Node {
    /// Events of a range, in parts that the node is willing to answer.
    pub(crate) async fn logs(&self, contracts: &[Address], topics: &Value, from: u64, to: u64) -> Result<Vec<Log>, PortError> {
        let (mut all, mut start, mut range) = (Vec::new(), from, LOG_RANGE);
        while start <= to {
            let end = to.min(start.saturating_add(range - 1));
            match self.rpc.logs(contracts, topics, start, end).await {
                Ok(logs) => {
                    all.extend(logs);
                    start = end + 1;
                }
                Err(RpcError::TooLong | RpcError::Refused { .. }) if range > 1 => range /= 2,
                Err(error) => return Err(error.at(self.ledger())),
            }
        }
        Ok(all)
    }

    /// The chain still has this tip: what was read meanwhile by numbers of blocks is of one chain.
    pub(crate) async fn still_at(&self, tip: &Header) -> Result<(), Trouble> {
        let still = self.at(self.rpc.header(At::Number(tip.number.0)).await)?;
        if still.is_some_and(|header| header.hash == tip.hash) { Ok(()) } else { Err(Trouble::Moved) }
    }
}
