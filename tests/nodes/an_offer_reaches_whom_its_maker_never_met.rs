//! Offers travel from node to node: who never heard of their maker sees them, dials it, and trades.

use crate::stage::{Books, PATIENCE, amount, both_complete, new_offer, play, shared, until};
use photon::api::{OfferList, PeerList};
use photon::service::{Funding, NewPeer, NewSwap};

#[test]
fn an_offer_reaches_whom_its_maker_never_met_and_is_taken() {
    play(async {
        let Some(scene) = shared().await else { return };
        let names = ["travels-alice", "travels-charlie", "travels-bob"];
        let (mut alice, mut charlie, mut bob) = tokio::join!(scene.party(names[0]), scene.party(names[1]), scene.party(names[2]));
        for party in [&mut alice, &mut charlie, &mut bob] {
            party.env.push(("PHOTON__PEER__GOSSIP".to_owned(), "true".to_owned()));
        }
        let reached_at = bob.address().split_once('@').unwrap().1.to_owned();
        bob.env.push(("PHOTON__PEER__ANNOUNCE".to_owned(), reached_at));
        tokio::try_join!(alice.start(), charlie.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        // Alice knows Charlie, and Charlie knows Bob.
        for (who, whom, alias) in [(&alice, &charlie, "charlie"), (&charlie, &bob, "bob")] {
            let peer = NewPeer { address: whom.address(), alias: Some(alias.to_owned()) };
            let _known: serde_json::Value = who.post("/v1/peers", &peer).await.unwrap();
        }
        let offer = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let heard = until("Alice has heard of Bob's offer", PATIENCE, async || {
            let list: OfferList = alice.get("/v1/offers?of=network").await.ok()?;
            list.offers.into_iter().find(|heard| heard.id == offer.id)
        })
        .await;
        for (pair, fits) in [("give=ETH", true), ("give=ETH&want=BTC", true), ("give=BTC", false), ("give=ETH&want=LTC", false)] {
            let list: OfferList = alice.get(&format!("/v1/offers?of=network&{pair}")).await.unwrap();
            assert_eq!(list.offers.iter().any(|heard| heard.id == offer.id), fits, "{pair}");
        }
        let unknown = alice.get::<OfferList>("/v1/offers?of=network&give=DOGE").await.unwrap_err();
        assert!(unknown.to_string().contains("DOGE is not configured here"), "{unknown}");
        assert_eq!((heard.maker, heard.peer.as_deref()), (bob.identity, Some(bob.address().as_str())));
        let shown = alice.shell().ok(&["offer", "list"]).await;
        assert!(shown.contains(&bob.address()) && shown.contains(&offer.id[..10]), "{shown}");
        let peers: PeerList = alice.get("/v1/peers").await.unwrap();
        assert!(peers.peers.iter().all(|peer| peer.identity != bob.identity), "she never met him");

        let take = NewSwap { peer: heard.peer.unwrap(), offer: heard.id, funding: Funding::Wallet };
        let swap = alice.take(&take).await.unwrap();
        both_complete(&alice, &bob, &swap.id).await;
        let (btc, eth) = ((amount("BTC").units(), "BTC"), (amount("ETH").units(), "ETH"));
        books.close_with(&alice, &[btc], &[eth]).await;
        books.close_with(&bob, &[eth], &[btc]).await;
    });
}
