//! The taker is gone in the middle of a swap.

use crate::stage::{Books, Moment, agree, ended, new_offer, play, reach, shared};
use photon::service::{Funding, NewSwap};

#[test]
fn a_taker_who_is_back_too_late_reveals_nothing_and_nobody_loses() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = scene.alice_and_bob("taker-late").await;
        let books = Books::open(&[&alice, &bob]).await;
        let bitcoin = agree(&alice, &bob, "BTC", "ETH").await;
        let smt = agree(&alice, &bob, "SMT", "LTC").await;
        reach(&bob, &bitcoin, Moment::Fact("fund_intent")).await;
        reach(&bob, &smt, Moment::Fact("fund_intent")).await;
        // And one that she was to pay by hand, and never does.
        let offer = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let take = NewSwap { peer: bob.address(), offer: offer.id, funding: Funding::Outside };
        let unpaid = alice.take(&take).await.unwrap().id;
        alice.kill().unwrap();
        let before = [&bitcoin, &smt];
        for swap in before {
            assert_eq!(ended(&bob, swap).await, "refunded");
        }
        assert_eq!(ended(&bob, &unpaid).await, "void");
        assert!(bob.swap(&unpaid).await.unwrap().legs.iter().all(|leg| leg.transactions.is_empty()));
        books.close(&[&bob], &[]).await;
        alice.start().await.unwrap();
        assert_eq!(ended(&alice, &unpaid).await, "void");
        for swap in before {
            assert_eq!(ended(&alice, swap).await, "refunded");
            let facts = alice.swap(swap).await.unwrap().facts;
            assert!(!facts.iter().any(|fact| fact.fact == "reveal_intent"), "{facts:?}");
            assert!(facts.iter().any(|fact| fact.fact == "never_reveal"), "{facts:?}");
        }
        books.close(&[&alice, &bob], &[]).await;
    });
}
