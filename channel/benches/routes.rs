//! Finding a way in a graph of ten thousand and of a hundred thousand nodes, five channels each, grown so that the well
//! connected are connected better (Barabási and Albert, 1999).
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use photon_chains::Address;
use photon_channel::route::{Edge, Finder, Graph, Query};
use photon_channel::{ChannelId, Units};
use std::hint::black_box;

const LINKS: u64 = 5;

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

fn node(number: u64) -> Address {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

fn graph(nodes: u64, rng: &mut Rng) -> Graph {
    let mut ends: Vec<u64> = vec![0];
    let mut edges = Vec::new();
    for new in 1..nodes {
        for _ in 0..LINKS {
            let old = ends[rng.below(ends.len() as u64) as usize];
            if old == new {
                continue;
            }
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(edges.len() as u64).to_be_bytes());
            for (from, to) in [(new, old), (old, new)] {
                edges.push(Edge {
                    channel: ChannelId::from_bytes(id),
                    from: node(from),
                    to: node(to),
                    capacity: Units::from(10_000 + rng.below(10_000_000)),
                    fee_base: Units::from(rng.below(10)),
                    fee_ppm: rng.below(5_000) as u32,
                    slack_secs: 600 + rng.below(3_600) as u32,
                });
            }
            ends.extend([new, old]);
        }
    }
    Graph::new(edges)
}

fn routes(bench: &mut Criterion) {
    for nodes in [10_000, 100_000] {
        let mut rng = Rng(7);
        let graph = graph(nodes, &mut rng);
        let mut finder = Finder::new();
        let mut query = || Query {
            payer: node(rng.below(nodes)),
            payee: node(rng.below(nodes)),
            amount: Units::from(1_000 + rng.below(100_000)),
            most_fee: Units::MAX,
            most_secs: 100_000,
        };
        bench.bench_function(&format!("best of {nodes}"), |run| run.iter(|| black_box(finder.best(&graph, &query()))));
        bench.bench_function(&format!("five of {nodes}"), |run| run.iter(|| black_box(finder.several(&graph, &query(), 5))));
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(30); targets = routes }
criterion_main!(benches);
