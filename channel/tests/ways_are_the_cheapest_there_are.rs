//! Finding ways: held against trying all of them, on small graphs.
#![allow(clippy::unwrap_used)]

use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::route::{Edge, Finder, Graph, Query, Route};
use photon_channel::{ChannelId, Units};
use proptest::prelude::*;

fn node(number: u8) -> Address {
    Address::from_bytes([number + 1; 20])
}

fn channel(number: usize) -> ChannelId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    ChannelId::from_bytes(bytes)
}

fn edge(number: usize, from: u8, to: u8, capacity: u64, base: u64, ppm: u32) -> Edge {
    Edge {
        channel: channel(number),
        from: node(from),
        to: node(to),
        capacity: Units::from(capacity),
        fee_base: Units::from(base),
        fee_ppm: ppm,
        slack_secs: 100,
    }
}

fn query(from: u8, to: u8, amount: u64) -> Query {
    Query { payer: node(from), payee: node(to), amount: Units::from(amount), most_fee: Units::MAX, most_secs: 10_000 }
}

/// What arrives if that much is given, by each mediator's own rule; none where an edge can't carry it.
fn is_right(graph: &Graph, query: &Query, route: &Route) {
    let mut at = query.payer;
    let mut before: Option<Units> = None;
    for (edge, amount) in route.edges.iter().zip(&route.amounts) {
        let edge = graph.edge(*edge).unwrap();
        assert_eq!(edge.from, at);
        assert!(edge.capacity >= *amount);
        if let Some(before) = before {
            let part = (amount.get() * u128::from(edge.fee_ppm)).div_ceil(1_000_000);
            assert_eq!(before.get(), amount.get() + edge.fee_base.get() + part, "each mediator gets its fee");
        }
        before = Some(*amount);
        at = edge.to;
    }
    assert_eq!((at, before), (query.payee, Some(query.amount)));
}

/// The least that the payer must give, found by trying every way without a circle.
fn least(edges: &[Edge], query: &Query, to: Address, amount: u128, seen: &mut Vec<Address>) -> Option<u128> {
    let mut best = None;
    for edge in edges.iter().filter(|edge| edge.to == to && edge.capacity.get() >= amount) {
        if seen.contains(&edge.from) {
            continue;
        }
        let given = if edge.from == query.payer {
            Some(amount)
        } else {
            let fee = edge.fee_base.get() + (amount * u128::from(edge.fee_ppm)).div_ceil(1_000_000);
            seen.push(edge.from);
            let given = least(edges, query, edge.from, amount + fee, seen);
            seen.pop();
            given
        };
        best = best.into_iter().chain(given).min();
    }
    best
}

proptest! {
    #[test]
    fn no_way_costs_less_than_the_one_found(
        links in prop::collection::vec((0u8..6, 0u8..6, 100u64..2_000_000, 0u64..50, 0u32..100_000), 1..14),
        amount in 1_000u64..1_000_000,
    ) {
        let edges: Vec<Edge> = links.iter().enumerate().filter(|(_, link)| link.0 != link.1)
            .map(|(at, (from, to, capacity, base, ppm))| edge(at, *from, *to, *capacity, *base, *ppm)).collect();
        let graph = Graph::new(edges.clone());
        let query = query(0, 5, amount);
        let found = Finder::new().best(&graph, &query);
        let least = least(&edges, &query, query.payee, u128::from(amount), &mut vec![query.payee]);
        match (&found, least) {
            (Some(route), Some(least)) => {
                is_right(&graph, &query, route);
                // A hop counts as a hundred-thousandth of the amount, so a shorter way may cost that much more.
                let most = least + u128::from(amount) * 6 / 100_000 + 6;
                prop_assert!(route.amounts[0].get() <= most, "{} > {}", route.amounts[0], least);
            }
            // A dearer start can need more than an edge carries, where the cheapest way to it was taken: rarely a way is missed.
            (None, Some(_)) => {}
            (None, None) => {}
            (Some(route), None) => prop_assert!(false, "{route:?}"),
        }
    }
}

/// 0 → 1 → 3 is cheap, 0 → 2 → 3 is dear.
fn square() -> Graph {
    Graph::new([
        edge(0, 0, 1, 1_000, 0, 0),
        edge(1, 1, 3, 1_000, 5, 0),
        edge(2, 0, 2, 1_000, 0, 0),
        edge(3, 2, 3, 1_000, 20, 10_000),
        edge(3, 3, 2, 1_000, 0, 0),
    ])
}

#[test]
fn several_ways_are_found_the_cheapest_first_and_no_circle_without_end() {
    let graph = square();
    let query = query(0, 3, 500);
    let mut finder = Finder::new();
    let ways = finder.several(&graph, &query, 5);
    let given: Vec<u128> = ways.iter().map(|route| route.amounts[0].get()).collect();
    assert_eq!(given, [505, 525]);
    ways.iter().for_each(|route| is_right(&graph, &query, route));
    assert_eq!(ways[1].fee(), Units::from(25));
    let cheap = Query { most_fee: Units::from(4), ..query };
    assert_eq!(finder.best(&graph, &cheap), None, "no way costs more than allowed");
    let short = Query { most_secs: 99, ..query };
    assert_eq!(finder.best(&graph, &short), None, "no lock is held for longer than allowed");
    assert_eq!(finder.best(&graph, &Query { amount: Units::from(1_001), ..query }), None, "no edge carries more than it can");
}

#[test]
fn what_failed_is_avoided_until_it_is_forgotten() {
    let mut graph = square();
    let query = query(0, 3, 500);
    let mut finder = Finder::new();
    let first = finder.best(&graph, &query).unwrap();
    graph.failed(first.edges[1], Units::from(500), UnixTime::from_secs(1_000));
    assert_ne!(finder.best(&graph, &query).unwrap().edges, first.edges);
    assert_eq!(finder.best(&graph, &Query { amount: Units::from(499), ..query }).unwrap().edges, first.edges, "less may go");
    graph.forget(UnixTime::from_secs(1_000));
    assert_ne!(finder.best(&graph, &query).unwrap().edges, first.edges);
    graph.forget(UnixTime::from_secs(1_001));
    assert_eq!(finder.best(&graph, &query).unwrap(), first);
    let own = graph.find(channel(0), node(0)).unwrap();
    graph.set_capacity(own, Units::from(10));
    assert_ne!(finder.best(&graph, &query).unwrap().edges, first.edges, "what the payer knows of its own channel counts");
}

#[test]
fn a_way_ends_each_lock_later_than_the_one_behind_it() {
    let graph = square();
    let route = Finder::new().best(&graph, &query(0, 3, 500)).unwrap();
    let way = route.way(&graph, UnixTime::from_secs(5_000), BlockHeight::new(7), true).unwrap();
    assert_eq!((way.channel, way.amount), (channel(0), Units::from(505)));
    assert_eq!(way.expiry.opens_time, UnixTime::from_secs(5_100));
    assert_eq!(way.onward.len(), 1);
    assert_eq!((way.onward[0].to, way.onward[0].amount), (node(3), Units::from(500)));
    assert_eq!(way.onward[0].expiry.opens_time, UnixTime::from_secs(5_000));
}
