//! What one look at one swap costs: the decision, the whole step, the schedule, and drawing up and checking terms.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{NOW, absent, funded, maker_half, offer, redeemed, rules, take, terms, view};
use criterion::{Criterion, criterion_group, criterion_main};
use photon_chains::Ledger;
use photon_swap::{Fact, Profile, Role, Swap, Terms, View, build_terms, decide, schedule, step, verify_draft};
use std::hint::black_box;

/// Three moments: nothing to do but wait, the secret may be shown, and redeeming.
fn moments(terms: &Terms) -> [(&'static str, Role, View); 3] {
    let at = NOW.plus_secs(5);
    let late = terms.deadlines.reveal_by.minus_secs(1);
    [
        ("waiting", Role::Participant, view(at, absent(), absent())),
        ("may reveal", Role::Initiator, view(late, funded(), funded())),
        ("redeeming", Role::Participant, view(late, funded(), redeemed())),
    ]
}

fn decisions(c: &mut Criterion) {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    for (name, role, view) in moments(&terms) {
        c.bench_function(&format!("decide, {name}"), |b| b.iter(|| decide(role, black_box(&terms), black_box(&view))));
        let mut swap = Swap::new(role, terms);
        swap.apply(&Fact::Agreed);
        swap.apply(&Fact::FundIntent);
        c.bench_function(&format!("step, {name}"), |b| b.iter(|| step(black_box(&swap), black_box(&view))));
    }
}

fn negotiations(c: &mut Criterion) {
    let (alpha, beta) = (Ledger::Bitcoin, Ledger::Ethereum);
    let (offer, rules) = (offer(alpha, beta), rules(alpha, beta));
    let (take, half) = (take(&offer), maker_half(&offer));
    let terms = terms(alpha, beta);
    let timing = common::timing(alpha);
    c.bench_function("schedule", |b| b.iter(|| schedule(&Profile::STANDARD, black_box(&timing), black_box(&timing))));
    c.bench_function("draw up terms", |b| b.iter(|| build_terms(black_box(&offer), &take, &half, &rules)));
    c.bench_function("check a draft", |b| b.iter(|| verify_draft(black_box(&take), &offer, &terms, &rules)));
    let json = serde_json::to_vec(&terms).unwrap();
    c.bench_function("read terms from JSON", |b| b.iter(|| serde_json::from_slice::<Terms>(black_box(&json)).unwrap()));
    c.bench_function("name of terms", |b| b.iter(|| black_box(&terms).id()));
}

criterion_group!(benches, decisions, negotiations);
criterion_main!(benches);
