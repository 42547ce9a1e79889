//! Alice is killed (-9) right after each thing that she writes down, and started again: the swap ends as if nothing had been.

use crate::stage::{Books, Moment, agree, both_complete, both_paid, play, reach, shared};

/// The pairs change, so that each moment is met on both families of ledgers.
const MOMENTS: [(Moment, &str, &str); 6] = [
    (Moment::Agreed, "BTC", "ETH"),
    (Moment::Fact("fund_intent"), "ETH", "BTC"),
    (Moment::Fact("fund_intent"), "LTC", "SMT"),
    (Moment::Fact("reveal_intent"), "BTC", "SMT"),
    (Moment::Fact("reveal_intent"), "ETH", "LTC"),
    (Moment::Sent("redeem"), "SMT", "BTC"),
];

#[test]
fn initiator_restarts_after_each_durable_fact() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = scene.alice_and_bob("initiator-restarts").await;
        let books = Books::open(&[&alice, &bob]).await;
        for (moment, pay, get) in MOMENTS {
            let swap = agree(&alice, &bob, pay, get).await;
            reach(&alice, &swap, moment).await;
            alice.kill().unwrap();
            alice.start().await.unwrap();
            both_complete(&alice, &bob, &swap).await;
        }
        let paid = both_paid(&alice, &bob, MOMENTS.map(|(_, pay, get)| (pay, get)));
        books.close(&[&alice, &bob], &paid).await;
    });
}
