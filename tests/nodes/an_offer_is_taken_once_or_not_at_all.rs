//! One offer makes at most one swap, and none that either side could not pay.

use crate::stage::{Books, PURSE, agree, amount, both_complete, new_offer, offer, play, shared, take};
use photon::api::OfferList;
use photon::demo::stage::Purse;

#[test]
fn two_takes_of_one_offer_make_one_swap() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = scene.alice_and_bob("two-takes").await;
        let mut charlie = scene.party("two-takes-charlie").await;
        charlie.start().await.unwrap();
        let books = Books::open(&[&alice, &bob, &charlie]).await;
        let wanted = offer(&bob, "ETH", "BTC").await;
        let (one, two, three) =
            tokio::join!(take(&alice, &bob, &wanted), take(&charlie, &bob, &wanted), take(&alice, &bob, &wanted));
        let outcomes = [one, two, three];
        let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let said = lost.to_string();
            assert!(said.contains("not open any more") || said.contains("no open offer"), "{said}");
        }
        let id = won[0].id.clone();
        let taker = if alice.swap(&id).await.is_ok() { &alice } else { &charlie };
        both_complete(taker, &bob, &id).await;
        assert_eq!(bob.swaps().await.unwrap().len(), 1);
        let (btc, eth) = (amount("BTC").units(), amount("ETH").units());
        books.close(&[&alice, &bob, &charlie], &[(taker, btc, "BTC", &bob), (&bob, eth, "ETH", taker)]).await;
        let said = take(&alice, &bob, &wanted).await.unwrap_err().to_string();
        assert!(said.contains("404") && said.contains("no open offer"), "{said}");
    });
}

#[test]
fn an_insolvent_maker_declines_and_an_insolvent_taker_does_not_ask() {
    play(async {
        let Some(scene) = shared().await else { return };
        let poor = Purse { coins: 0, ether_wei: 100_000_000_000_000_000, ..PURSE };
        let (mut alice, mut bob) = tokio::join!(scene.party("insolvent-alice"), scene.party_with("insolvent-bob", poor));
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        for give in ["BTC", "LTC", "ETH"] {
            let empty = offer(&bob, give, "SMT").await;
            let said = take(&alice, &bob, &empty).await.unwrap_err().to_string();
            assert!(said.contains("409") && said.contains("can't serve this offer now"), "{give}: {said}");
            assert!(!said.contains(&poor.ether_wei.to_string()), "how much he has is nobody's business: {said}");
        }
        // He can give SMT, but not pay for what he would take.
        let rich = alice.offer(&new_offer("SMT", "ETH")).await.unwrap();
        let said = take(&bob, &alice, &rich).await.unwrap_err().to_string();
        assert!(said.contains("409") && said.contains("are free, and this swap needs"), "{said}");
        for party in [&alice, &bob] {
            assert!(party.swaps().await.unwrap().is_empty());
            let offers = party.get::<OfferList>("/v1/offers").await.unwrap().offers;
            assert!(offers.iter().all(|offer| offer.state == "open"), "{offers:?}");
        }
        // What he can pay, he trades.
        let id = agree(&alice, &bob, "BTC", "SMT").await;
        both_complete(&alice, &bob, &id).await;
        let paid = [(&*alice, amount("BTC").units(), "BTC", &*bob), (&*bob, amount("SMT").units(), "SMT", &*alice)];
        books.close(&[&alice, &bob], &paid).await;
    });
}
