//! Bob is killed (-9) right after each thing that he writes down, and started again; then both at once; then both, and a node of
//! theirs with them.

use crate::stage::{Books, Moment, agree, amount, both_complete, both_paid, own, play, reach, shared};
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

const MOMENTS: [(Moment, &str, &str); 5] = [
    (Moment::Agreed, "ETH", "BTC"),
    (Moment::Fact("fund_intent"), "BTC", "SMT"),
    (Moment::Fact("fund_intent"), "SMT", "LTC"),
    (Moment::Fact("secret"), "BTC", "ETH"),
    (Moment::Sent("redeem"), "LTC", "ETH"),
];

#[test]
fn participant_restarts_after_each_durable_fact() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, mut bob) = scene.alice_and_bob("participant-restarts").await;
        let books = Books::open(&[&alice, &bob]).await;
        for (moment, pay, get) in MOMENTS {
            let swap = agree(&alice, &bob, pay, get).await;
            reach(&bob, &swap, moment).await;
            bob.kill().unwrap();
            bob.start().await.unwrap();
            both_complete(&alice, &bob, &swap).await;
        }
        let paid = both_paid(&alice, &bob, MOMENTS.map(|(_, pay, get)| (pay, get)));
        books.close(&[&alice, &bob], &paid).await;
    });
}

#[test]
fn both_restart_in_the_middle_and_bitcoind_with_them() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let (mut alice, mut bob) = scene.alice_and_bob("both-restart").await;
        let books = Books::open(&[&alice, &bob]).await;
        let mut paid = Vec::new();
        let mut note = |pay, get| {
            paid.push((true, amount(pay).units(), pay));
            paid.push((false, amount(get).units(), get));
        };

        // Both daemons, once the secret may be out.
        let swap = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&alice, &swap, Moment::Fact("reveal_intent")).await;
        alice.kill().unwrap();
        bob.kill().unwrap();
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        both_complete(&alice, &bob, &swap).await;
        note("BTC", "ETH");

        // A node of both, under their feet: it has another cookie afterwards.
        let swap = agree(&alice, &bob, "ETH", "BTC").await;
        reach(&bob, &swap, Moment::Fact("fund_intent")).await;
        scene.world().bitcoin.restart().await.unwrap();
        both_complete(&alice, &bob, &swap).await;
        note("ETH", "BTC");

        // Everything at once, as in a power cut.
        let swap = agree(&alice, &bob, "BTC", "LTC").await;
        reach(&bob, &swap, Moment::Fact("secret")).await;
        alice.kill().unwrap();
        bob.kill().unwrap();
        scene.world().bitcoin.node().kill().await.unwrap();
        scene.world().bitcoin.node().run().await.unwrap();
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        both_complete(&alice, &bob, &swap).await;
        note("BTC", "LTC");

        let paid: Vec<_> = paid
            .into_iter()
            .map(
                |(by_alice, units, asset)| if by_alice { (&*alice, units, asset, &*bob) } else { (&*bob, units, asset, &*alice) },
            )
            .collect();
        books.close(&[&alice, &bob], &paid).await;
    });
}
