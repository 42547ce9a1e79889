//! The maker is gone in the middle of a swap: nobody who is there loses, and who comes back in time loses nothing either.

use crate::stage::{Books, Moment, PATIENCE, agree, both_paid, ended, play, reach, shared, until};

#[test]
fn a_maker_who_never_funds_costs_the_taker_time_and_fees_only() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, mut bob) = scene.alice_and_bob("maker-never").await;
        let books = Books::open(&[&alice, &bob]).await;
        let bitcoin = agree(&alice, &bob, "BTC", "ETH").await;
        let litecoin = agree(&alice, &bob, "LTC", "SMT").await;
        bob.kill().unwrap();
        assert_eq!(ended(&alice, &bitcoin).await, "refunded");
        assert_eq!(ended(&alice, &litecoin).await, "refunded");
        for id in [&bitcoin, &litecoin] {
            let swap = alice.swap(id).await.unwrap();
            assert!(!swap.facts.iter().any(|fact| fact.fact == "reveal_intent"), "the secret never left: {swap:?}");
            assert_eq!(swap.legs[0].status, "refunded");
        }
        books.close(&[&alice], &[]).await;
        // Bob comes back long after everything was over.
        bob.start().await.unwrap();
        assert_eq!((ended(&bob, &bitcoin).await, ended(&bob, &litecoin).await), ("void".into(), "void".into()));
        books.close(&[&bob], &[]).await;
    });
}

#[test]
fn a_maker_who_is_gone_after_funding_redeems_when_it_is_back() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, mut bob) = scene.alice_and_bob("maker-back").await;
        let books = Books::open(&[&alice, &bob]).await;
        for (pay, get) in [("BTC", "ETH"), ("SMT", "LTC")] {
            let swap = agree(&alice, &bob, pay, get).await;
            reach(&bob, &swap, Moment::Sent("fund")).await;
            until("Bob's funding is in a block", PATIENCE, async || {
                let beta = bob.swap(&swap).await.ok()?.legs.remove(1);
                (beta.depth > 0).then_some(())
            })
            .await;
            bob.kill().unwrap();
            // Alice needs nobody for what is hers.
            until("Alice has redeemed", PATIENCE, async || {
                (alice.swap(&swap).await.ok()?.legs[1].status == "redeemed").then_some(())
            })
            .await;
            bob.start().await.unwrap();
            assert_eq!((ended(&bob, &swap).await, ended(&alice, &swap).await), ("completed".into(), "completed".into()));
        }
        let paid = both_paid(&alice, &bob, [("BTC", "ETH"), ("SMT", "LTC")]);
        books.close(&[&alice, &bob], &paid).await;
    });
}
