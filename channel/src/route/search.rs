//! The search, backward from the payee.

use crate::node::Way;
use crate::route::graph::{Edge, EdgeNo, Graph, fee};
use crate::units::Units;
use crate::update::{Hop, MOST_HOPS};
use photon_chains::{Address, BlockHeight, Expiry, UnixTime};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What is looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who pays.
    pub payer: Address,
    /// Who is paid.
    pub payee: Address,
    /// How much arrives.
    pub amount: Units,
    /// The most that mediators may get.
    pub most_fee: Units,
    /// The most seconds by which the first lock may end later than the last one.
    pub most_secs: u32,
}

/// A way that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The edges, from the payer on.
    pub edges: Vec<EdgeNo>,
    /// What each of them carries. The first is what the payer gives in all.
    pub amounts: Vec<Units>,
    /// How much later than the last lock each one ends.
    pub later_secs: Vec<u32>,
}

/// A hop costs as much as this part of the amount, so that of two ways with like fees the shorter one is taken.
const HOP_COST: f64 = 0.000_01;

/// An edge of a way already found costs as much more, when another one is looked for.
const AGAIN_COST: f64 = 1.0;

/// At least so many nodes around the payer are looked at first; in a large graph more.
const LEAST_AHEAD: usize = 16;

/// What a unit of fee is of the amount.
fn share_of(amount: Units) -> f64 {
    1.0 / amount.get() as f64
}

/// A cost as the queue sorts it: in thousand-millionths.
fn order(cost: f64) -> u64 {
    (cost * 1e9) as u64
}

/// What an edge carries: of its own ones the payer knows best.
fn carried(graph: &Graph, number: u32, believed: Units, is_own: bool, own: &impl Fn(&Edge, Units) -> Units) -> Units {
    match is_own.then(|| graph.edge(EdgeNo(number))).flatten() {
        Some(edge) => own(edge, believed),
        None => believed,
    }
}

/// What is known of a node on the way: how it is left toward the payee, and what must come in.
#[derive(Copy, Clone, Default)]
struct Reached {
    /// The search that reached it: others' are as good as none.
    search: u32,
    is_done: bool,
    hops: u16,
    by: u32,
    later_secs: u32,
    cost: f64,
    amount: Units,
}

/// What the payer's own neighbourhood says of a node: no way from the payer to it costs less.
#[derive(Copy, Clone, Default)]
struct Ahead {
    look: u32,
    is_done: bool,
    cost: f64,
}

/// Searches graphs. Its scratch space is used again and again.
#[derive(Default)]
pub struct Finder {
    look: u32,
    ahead: Vec<Ahead>,
    /// No way from the payer to a node that was not looked at costs less.
    radius: f64,
    search: u32,
    reached: Vec<Reached>,
    /// Costs as [`order`] has them, so that they can be compared as numbers.
    open: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Finder {
    /// A finder.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cheapest way. None where there is none that carries the amount within the bounds.
    pub fn best(&mut self, graph: &Graph, query: &Query) -> Option<Route> {
        self.best_by(graph, query, |_, carries| carries)
    }

    /// The cheapest way, where the payer knows better than the graph what its own edges carry: `own` says it of an edge, and is
    /// given what the graph believes.
    pub fn best_by(&mut self, graph: &Graph, query: &Query, own: impl Fn(&Edge, Units) -> Units) -> Option<Route> {
        self.look_ahead(graph, query, &own)?;
        self.search(graph, query, &BTreeMap::new(), &own)
    }

    /// Several ways, the cheapest first, no two of them alike. Fewer where there are not so many.
    pub fn several(&mut self, graph: &Graph, query: &Query, count: usize) -> Vec<Route> {
        self.several_by(graph, query, count, |_, carries| carries)
    }

    /// The same, with the payer's own knowledge of its edges: see [`Finder::best_by`].
    pub fn several_by(&mut self, graph: &Graph, query: &Query, count: usize, own: impl Fn(&Edge, Units) -> Units) -> Vec<Route> {
        let mut again: BTreeMap<u32, f64> = BTreeMap::new();
        let mut found: Vec<Route> = Vec::new();
        if self.look_ahead(graph, query, &own).is_none() {
            return found;
        }
        // An edge that can't be left out is found again and again: a few tries more than ways wanted, and no more.
        for _ in 0..count.saturating_mul(2) {
            let Some(route) = self.search(graph, query, &again, &own) else { break };
            for edge in &route.edges {
                *again.entry(edge.0).or_default() += AGAIN_COST;
            }
            if !found.contains(&route) {
                found.push(route);
            }
            if found.len() >= count {
                break;
            }
        }
        found
    }

    /// Looks a little way forward from the payer, as if nothing but the payee's amount had to go over each edge: that costs no more than
    /// what really has to. So the search backward need not look far at what leads away from the payer. None where a party has no channel.
    fn look_ahead(&mut self, graph: &Graph, query: &Query, own: &impl Fn(&Edge, Units) -> Units) -> Option<()> {
        let (payer, _) = (graph.node(&query.payer)?, graph.node(&query.payee)?);
        let share = share_of(query.amount);
        if self.look == u32::MAX {
            self.ahead.clear();
            self.look = 0;
        }
        self.look += 1;
        if self.ahead.len() < graph.len() {
            self.ahead.resize(graph.len(), Ahead::default());
        }
        self.open.clear();
        self.radius = f64::INFINITY;
        *self.ahead.get_mut(payer as usize)? = Ahead { look: self.look, is_done: false, cost: 0.0 };
        self.open.push(Reverse((0, payer)));
        let mut left = LEAST_AHEAD + 2 * graph.len().isqrt();
        while let Some(Reverse((_, node))) = self.open.pop() {
            let here = self.ahead.get_mut(node as usize)?;
            if here.is_done {
                continue;
            }
            let cost = here.cost;
            if left == 0 {
                self.radius = cost;
                break;
            }
            left -= 1;
            here.is_done = true;
            for (number, arc) in graph.leaving(node) {
                let is_own = node == payer;
                if carried(graph, number, arc.carries, is_own, own) < query.amount {
                    continue;
                }
                let paid = if is_own { Some(Units::ZERO) } else { fee(arc.fee_base, arc.fee_ppm, query.amount) };
                let Some(paid) = paid else { continue };
                let cost = cost + paid.get() as f64 * share + HOP_COST;
                let Some(there) = self.ahead.get_mut(arc.to as usize) else { continue };
                if there.look != self.look || !there.is_done && cost < there.cost {
                    *there = Ahead { look: self.look, is_done: false, cost };
                    self.open.push(Reverse((order(cost), arc.to)));
                }
            }
        }
        Some(())
    }

    /// No way from the payer to that node costs less.
    fn least(&self, node: u32) -> f64 {
        match self.ahead.get(node as usize) {
            Some(ahead) if ahead.look == self.look && ahead.is_done => ahead.cost,
            Some(_) | None => self.radius,
        }
    }

    fn begin(&mut self, nodes: usize) {
        if self.search == u32::MAX {
            self.reached.clear();
            self.search = 0;
        }
        self.search += 1;
        if self.reached.len() < nodes {
            self.reached.resize(nodes, Reached::default());
        }
        self.open.clear();
    }

    fn search(
        &mut self,
        graph: &Graph,
        query: &Query,
        again: &BTreeMap<u32, f64>,
        own: &impl Fn(&Edge, Units) -> Units,
    ) -> Option<Route> {
        let (payer, payee) = (graph.node(&query.payer)?, graph.node(&query.payee)?);
        if payer == payee || query.amount.is_zero() {
            return None;
        }
        let most = query.amount.checked_add(query.most_fee).unwrap_or(Units::MAX);
        let share = share_of(query.amount);
        self.begin(graph.len());
        let start = Reached { search: self.search, by: u32::MAX, amount: query.amount, ..Reached::default() };
        *self.reached.get_mut(payee as usize)? = start;
        self.open.push(Reverse((0, payee)));
        let mut bound = f64::INFINITY;
        while let Some(Reverse((_, node))) = self.open.pop() {
            let here = self.reached.get_mut(node as usize)?;
            if std::mem::replace(&mut here.is_done, true) {
                continue;
            }
            if node == payer {
                return self.trace(graph, payer);
            }
            let here = *here;
            if usize::from(here.hops) > MOST_HOPS {
                continue;
            }
            for (number, arc) in graph.leading_to(node) {
                if carried(graph, number, arc.carries, arc.from == payer, own) < here.amount {
                    continue;
                }
                let Some(there) = self.reached.get(arc.from as usize) else { continue };
                if there.is_done && there.search == self.search {
                    continue;
                }
                // The payer pays itself no fee, and its lock is the first: what `arc` carries is what it gives.
                let (paid, later) = if arc.from == payer {
                    (Units::ZERO, here.later_secs)
                } else {
                    let Some(paid) = fee(arc.fee_base, arc.fee_ppm, here.amount) else { continue };
                    (paid, here.later_secs.saturating_add(arc.slack_secs))
                };
                let Some(amount) = here.amount.checked_add(paid) else { continue };
                if amount > most || later > query.most_secs {
                    continue;
                }
                let penalty = if again.is_empty() { 0.0 } else { again.get(&number).copied().unwrap_or(0.0) };
                let cost = here.cost + paid.get() as f64 * share + HOP_COST + penalty;
                let whole = cost + self.least(arc.from);
                // Nothing leads there from the payer, or a way that is as cheap is known.
                if whole.is_infinite() || whole >= bound {
                    continue;
                }
                if arc.from == payer {
                    bound = cost;
                }
                let Some(there) = self.reached.get_mut(arc.from as usize) else { continue };
                let is_new = there.search != self.search;
                if is_new || !there.is_done && cost < there.cost {
                    *there = Reached {
                        search: self.search,
                        is_done: false,
                        hops: here.hops + 1,
                        by: number,
                        later_secs: later,
                        cost,
                        amount,
                    };
                    self.open.push(Reverse((order(whole), arc.from)));
                }
            }
        }
        None
    }

    /// From the payer along what each node was reached by.
    fn trace(&self, graph: &Graph, payer: u32) -> Option<Route> {
        let mut route = Route { edges: Vec::new(), amounts: Vec::new(), later_secs: Vec::new() };
        let mut node = payer;
        loop {
            let by = self.reached.get(node as usize)?.by;
            if by == u32::MAX {
                return Some(route);
            }
            let arc = graph.arcs.get(by as usize)?;
            let next = self.reached.get(arc.to as usize)?;
            route.edges.push(EdgeNo(by));
            route.amounts.push(next.amount);
            route.later_secs.push(next.later_secs);
            node = arc.to;
        }
    }
}

impl Route {
    /// What the mediators get.
    pub fn fee(&self) -> Units {
        match (self.amounts.first(), self.amounts.last()) {
            (Some(first), Some(last)) => first.saturating_sub(*last),
            (_, _) => Units::ZERO,
        }
    }

    /// The way as a payment takes it, whose last lock ends at that time. No lock opens before that block.
    pub fn way(&self, graph: &Graph, end: UnixTime, block: BlockHeight, linked: bool) -> Option<Way> {
        let mut hops = Vec::with_capacity(self.edges.len());
        for ((edge, amount), later) in self.edges.iter().zip(&self.amounts).zip(&self.later_secs) {
            let opens_time = end.plus_secs(u64::from(*later));
            // A lock that the registry does not judge alone must close by itself.
            let closes = (!linked).then_some(opens_time);
            let expiry = Expiry { opens_block: block, closes, linked, ..Expiry::at(opens_time) };
            hops.push((graph.edge(*edge)?, Hop { to: graph.edge(*edge)?.to, amount: *amount, expiry }));
        }
        let ((first, own), onward) = hops.split_first()?;
        let onward = onward.iter().map(|(_, hop)| *hop).collect();
        Some(Way { channel: first.channel, amount: own.amount, expiry: own.expiry, onward })
    }
}
