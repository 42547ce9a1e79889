//! The taker is gone in the middle of a swap.

use crate::stage::{Books, Moment, agree, both_complete, ended, new_offer, play, reach, shared, take};
use photon::service::{Funding, NewSwap};

#[test]
fn a_taker_who_is_back_too_late_reveals_nothing_and_nobody_loses() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, mut bob) = scene.alice_and_bob("taker-late").await;
        let books = Books::open(&[&alice, &bob]).await;
        let bitcoin = agree(&alice, &bob, "BTC", "ETH").await;
        let smt = agree(&alice, &bob, "SMT", "LTC").await;
        reach(&bob, &bitcoin, Moment::Fact("fund_intent")).await;
        reach(&bob, &smt, Moment::Fact("fund_intent")).await;
        // And one that she was to pay by hand, and never does.
        let offer = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let by_hand = NewSwap { peer: bob.address(), offer: offer.id, funding: Funding::Outside };
        let unpaid = alice.take(&by_hand).await.unwrap().id;
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

        // G6: whoever lets it come to this too often is not dealt with again for a while, whatever is restarted.
        let carol = scene.party("taker-late-carol");
        let mut carol = carol.await;
        for party in [&mut alice, &mut bob] {
            party.stop().unwrap();
            party.rewrite("failures_per_peer = 1000", "failures_per_peer = 2");
        }
        tokio::try_join!(bob.start(), carol.start()).unwrap();
        let offer = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        alice.rewrite("failures_per_peer = 2", "failures_per_peer = 3");
        alice.start().await.unwrap();
        let refused = take(&alice, &bob, &offer).await.unwrap_err().to_string();
        assert!(refused.contains("came to nothing after it had paid in: try again tomorrow"), "{refused}");
        let swap = take(&carol, &bob, &offer).await.unwrap().id;
        both_complete(&carol, &bob, &swap).await;
        alice.stop().unwrap();
        alice.rewrite("failures_per_peer = 3", "failures_per_peer = 2");
        alice.start().await.unwrap();
        let offer = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let refused = take(&alice, &bob, &offer).await.unwrap_err().to_string();
        assert!(refused.contains("nothing new is begun with it until tomorrow"), "{refused}");
    });
}
