//! The graph, on flat arrays.

use crate::key::ChannelId;
use crate::units::Units;
use photon_chains::{Address, UnixTime};
use std::collections::BTreeMap;

/// One direction of one channel, as its payer announces it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which channel.
    pub channel: ChannelId,
    /// Who pays.
    pub from: Address,
    /// Who is paid.
    pub to: Address,
    /// The most that it can carry.
    pub capacity: Units,
    /// The payer's fee for sending something on here: so much ...
    pub fee_base: Units,
    /// ... and so many millionths of it.
    pub fee_ppm: u32,
    /// How much later than this edge's lock the one before it must end.
    pub slack_secs: u32,
}

/// An edge's place in its graph.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeNo(pub(super) u32);

/// What the search reads of an edge: small, and next to the others that lead to the same node.
#[derive(Copy, Clone)]
pub(super) struct Arc {
    pub from: u32,
    pub to: u32,
    pub fee_ppm: u32,
    pub slack_secs: u32,
    pub fee_base: Units,
    /// What it is believed to carry: announced, or less where it failed.
    pub carries: Units,
}

impl Edge {
    /// What its payer takes for sending so much on. None where it fits no amount.
    pub fn fee(&self, amount: Units) -> Option<Units> {
        fee(self.fee_base, self.fee_ppm, amount)
    }
}

/// The fee of an edge for so much. None where it fits no amount.
pub(super) fn fee(base: Units, ppm: u32, amount: Units) -> Option<Units> {
    let product = amount.get() * u128::from(ppm);
    // Most products are small, and dividing 64 bits is much faster than dividing 128.
    let part = match u64::try_from(product) {
        Ok(small) => u128::from(small.div_ceil(1_000_000)),
        Err(_) => product.div_ceil(1_000_000),
    };
    base.checked_add(Units::new(part)?)
}

/// All channels that are known of.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Address>,
    by_address: BTreeMap<Address, u32>,
    /// `starts[node]` to `starts[node + 1]`: the arcs that lead to the node.
    starts: Vec<u32>,
    pub(super) arcs: Vec<Arc>,
    /// `out_starts[node]` to `out_starts[node + 1]`: places in `outs` of the arcs that leave the node.
    out_starts: Vec<u32>,
    outs: Vec<u32>,
    edges: Vec<Edge>,
    by_edge: BTreeMap<(ChannelId, Address), u32>,
    failures: BTreeMap<u32, UnixTime>,
}

impl Graph {
    /// Of all edges, in any order. Twice the same direction of a channel: the last one counts.
    pub fn new(edges: impl IntoIterator<Item = Edge>) -> Self {
        let unique: BTreeMap<(ChannelId, Address), Edge> =
            edges.into_iter().map(|edge| ((edge.channel, edge.from), edge)).collect();
        let mut graph = Self::default();
        let mut edges: Vec<(u32, u32, Edge)> = Vec::with_capacity(unique.len());
        for edge in unique.into_values() {
            let (from, to) = (graph.number(edge.from), graph.number(edge.to));
            edges.push((to, from, edge));
        }
        edges.sort_by_key(|(to, from, edge)| (*to, *from, edge.channel));
        for (to, from, edge) in edges {
            while graph.starts.len() <= to as usize {
                graph.starts.push(graph.arcs.len() as u32);
            }
            graph.by_edge.insert((edge.channel, edge.from), graph.arcs.len() as u32);
            graph.arcs.push(Arc {
                from,
                to,
                fee_ppm: edge.fee_ppm,
                slack_secs: edge.slack_secs,
                fee_base: edge.fee_base,
                carries: edge.capacity,
            });
            graph.edges.push(edge);
        }
        while graph.starts.len() <= graph.nodes.len() {
            graph.starts.push(graph.arcs.len() as u32);
        }
        graph.sort_outs();
        graph
    }

    fn sort_outs(&mut self) {
        let mut outs: Vec<(u32, u32)> = self.arcs.iter().zip(0..).map(|(arc, number)| (arc.from, number)).collect();
        outs.sort_unstable();
        for (place, (from, number)) in (0..).zip(outs) {
            while self.out_starts.len() <= from as usize {
                self.out_starts.push(place);
            }
            self.outs.push(number);
        }
        while self.out_starts.len() <= self.nodes.len() {
            self.out_starts.push(self.outs.len() as u32);
        }
    }

    fn number(&mut self, address: Address) -> u32 {
        let next = self.nodes.len() as u32;
        *self.by_address.entry(address).or_insert_with(|| {
            self.nodes.push(address);
            next
        })
    }

    /// How many nodes have a channel.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn node(&self, address: &Address) -> Option<u32> {
        self.by_address.get(address).copied()
    }

    /// The arcs that lead to a node, with their places.
    pub(super) fn leading_to(&self, node: u32) -> impl Iterator<Item = (u32, &Arc)> {
        let bound = |at: u32| self.starts.get(at as usize).copied().unwrap_or_default();
        let (first, last) = (bound(node), bound(node + 1));
        (first..last).zip(self.arcs.get(first as usize..last as usize).unwrap_or_default())
    }

    /// The arcs that leave a node, with their places.
    pub(super) fn leaving(&self, node: u32) -> impl Iterator<Item = (u32, &Arc)> {
        let bound = |at: u32| self.out_starts.get(at as usize).copied().unwrap_or_default() as usize;
        let places = self.outs.get(bound(node)..bound(node + 1)).unwrap_or_default();
        places.iter().filter_map(|number| Some((*number, self.arcs.get(*number as usize)?)))
    }

    /// An edge.
    pub fn edge(&self, number: EdgeNo) -> Option<&Edge> {
        self.edges.get(number.0 as usize)
    }

    /// One direction of a channel.
    pub fn find(&self, channel: ChannelId, from: Address) -> Option<EdgeNo> {
        self.by_edge.get(&(channel, from)).copied().map(EdgeNo)
    }

    /// Says what an edge can carry: announced anew, or known, where the channel is the searcher's own.
    pub fn set_capacity(&mut self, number: EdgeNo, capacity: Units) {
        let at = number.0 as usize;
        if let (Some(edge), Some(arc)) = (self.edges.get_mut(at), self.arcs.get_mut(at)) {
            edge.capacity = capacity;
            arc.carries = capacity;
            self.failures.remove(&number.0);
        }
    }

    /// All channels over which one node pays another.
    pub fn between(&self, from: &Address, to: &Address) -> impl Iterator<Item = EdgeNo> {
        let (from, to) = (self.node(from), self.node(to));
        let arcs = to.into_iter().flat_map(|to| self.leading_to(to));
        arcs.filter(move |(_, arc)| Some(arc.from) == from).map(|(number, _)| EdgeNo(number))
    }

    /// All channels over which a node is paid.
    pub fn to(&self, node: &Address) -> impl Iterator<Item = EdgeNo> {
        self.node(node).into_iter().flat_map(|node| self.leading_to(node)).map(|(number, _)| EdgeNo(number))
    }

    /// What failed in an earlier graph of the same channels is believed here too, but for edges of which something was said since.
    pub fn remember(&mut self, earlier: &Graph, is_anew: impl Fn(&Edge) -> bool) {
        for (number, at) in &earlier.failures {
            let (Some(edge), Some(arc)) = (earlier.edges.get(*number as usize), earlier.arcs.get(*number as usize)) else {
                continue;
            };
            let Some(EdgeNo(here)) = self.find(edge.channel, edge.from).filter(|_| !is_anew(edge)) else { continue };
            if let Some(known) = self.arcs.get_mut(here as usize) {
                known.carries = known.carries.min(arc.carries);
                self.failures.insert(here, *at);
            }
        }
    }

    /// An edge could not carry so much: it is believed to carry less for a while.
    pub fn failed(&mut self, number: EdgeNo, amount: Units, now: UnixTime) {
        if let Some(arc) = self.arcs.get_mut(number.0 as usize) {
            arc.carries = arc.carries.min(amount.saturating_sub(Units::from(1)));
            self.failures.insert(number.0, now);
        }
    }

    /// Forgets what failed before that time.
    pub fn forget(&mut self, before: UnixTime) {
        let old: Vec<u32> = self.failures.iter().filter(|(_, at)| **at < before).map(|(number, _)| *number).collect();
        for number in old {
            self.failures.remove(&number);
            if let (Some(edge), Some(arc)) = (self.edges.get(number as usize), self.arcs.get_mut(number as usize)) {
                arc.carries = edge.capacity;
            }
        }
    }
}
