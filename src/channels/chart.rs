//! What is known of others' channels, as far as ways are found by it: the herald draws it, the engine reads it.

use photon_chains::{Address, UnixTime};
use photon_channel::route::{Board, Edge, Finder, Graph};
use photon_channel::{ChannelId, Domain, KnownKey, Units};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What failed is avoided for so long, unless something new is said of it before.
const FAILED_SECS: u64 = 300;

/// The announcements, and the graphs of each token that were drawn of them last.
pub(super) struct Drawn {
    pub(super) board: Board,
    pub(super) graphs: BTreeMap<Option<Address>, Graph>,
    pub(super) finder: Finder,
    /// Channels to be looked for on the chain again: over them something failed.
    pub(super) doubtful: BTreeSet<ChannelId>,
}

/// Clones are handles on the same.
#[derive(Clone)]
pub(super) struct Chart(Arc<Mutex<Drawn>>);

impl Chart {
    pub(super) fn new(domain: Domain) -> Self {
        let (graphs, doubtful) = (BTreeMap::new(), BTreeSet::new());
        Self(Arc::new(Mutex::new(Drawn { board: Board::new(domain), graphs, finder: Finder::new(), doubtful })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A payment could not go on from one node to another: learned for a while.
    pub(super) fn failed(&self, token: Option<Address>, (from, to): (&Address, &Address), amount: Units, now: UnixTime) {
        let mut drawn = self.lock();
        let Drawn { graphs, doubtful, .. } = &mut *drawn;
        let Some(graph) = graphs.get_mut(&token) else { return };
        let numbers: Vec<_> = graph.between(from, to).collect();
        for number in numbers {
            doubtful.extend(graph.edge(number).map(|edge| edge.channel));
            graph.failed(number, amount, now);
        }
    }

    /// What failed too long ago says nothing any more.
    pub(super) fn forget(&self, now: UnixTime) {
        self.lock().graphs.values_mut().for_each(|graph| graph.forget(now.minus_secs(FAILED_SECS)));
    }

    /// The dearest of the channels over which one node pays another: as a mediator it takes no more than that.
    pub(super) fn edge(&self, token: Option<Address>, from: &Address, to: &Address, amount: Units) -> Option<Edge> {
        let drawn = self.lock();
        let graph = drawn.graphs.get(&token)?;
        let edges = graph.between(from, to).filter_map(|number| graph.edge(number));
        edges.max_by_key(|edge| edge.fee(amount)).copied()
    }

    /// The public key of somebody who has announced a channel.
    pub(super) fn key_of(&self, account: &Address) -> Option<KnownKey> {
        let drawn = self.lock();
        let edges = drawn.graphs.values().flat_map(|graph| graph.to(account).filter_map(|number| graph.edge(number)));
        edges.filter_map(|edge| drawn.board.signer(&edge.channel, account)).next()
    }
}
