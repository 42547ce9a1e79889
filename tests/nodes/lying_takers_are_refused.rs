//! Mallory takes offers: malformed, in others' names, twice, with a secret that was used. Each is refused by name, and Bob's node
//! holds what it held.

use crate::stage::mallory::{Mallory, signed, take_message};
use crate::stage::{Books, ended, new_offer, play, shared};
use photon::service::OfferView;
use photon_chains::Secret;
use photon_swap::{Consent, Offer, Role, Take, Terms};
use serde_json::{Value, json};

fn terms(proposal: &Value) -> Terms {
    serde_json::from_value(proposal["terms"].clone()).unwrap()
}

fn accept(wallet: &photon::keys::Wallet, terms: &Terms) -> Value {
    json!({ "swap": terms.id(), "signature": signed(wallet, terms.digest(Consent::Accept, Role::Initiator)) })
}

#[test]
fn lying_takers_are_refused() {
    play(async {
        let Some(scene) = shared().await else { return };
        let mut bob = scene.party("lying-takers-bob").await;
        bob.start().await.unwrap();
        let books = Books::open(&[&bob]).await;
        for give in ["ETH", "LTC"] {
            bob.offer(&new_offer(give, "BTC")).await.unwrap();
        }
        let (mallory, other) = tokio::join!(Mallory::new(), Mallory::new());
        let offers = mallory.offers(&bob).await;
        let [first, second]: [Offer; 2] = offers.try_into().unwrap();
        let me = mallory.wallet.clone();

        // What is no message, or not its sender's.
        let good = mallory.take(&first);
        let mut unknown_field = take_message(&me, &good);
        unknown_field["take"]["discount"] = json!(1);
        let mut short = take_message(&me, &good);
        short["signature"] = json!("00");
        for garbage in [json!({}), json!([]), json!({ "take": {}, "signature": "00" }), unknown_field, short] {
            let no = mallory.refused(&bob, "take", garbage.clone()).await;
            assert!(no.contains("the request is not understood"), "{garbage}: {no}");
        }
        assert!(mallory.refused(&bob, "give_me_all", json!({})).await.contains("unknown kind"));
        assert!(mallory.refused(&bob, "offers", json!({ "all": true })).await.contains("not understood"));
        let not_hers = Take { taker: other.identity(), ..good };
        for (take, signer) in [(good, &other.wallet), (not_hers, &other.wallet), (not_hers, &me)] {
            let no = mallory.refused(&bob, "take", take_message(signer, &take)).await;
            assert!(no.contains("the signature is not the sender's"), "{no}");
        }
        let altered = json!({ "take": Take { offline_secs: 6, ..good }, "signature": signed(&me, good.digest()) });
        assert!(mallory.refused(&bob, "take", altered).await.contains("the signature is not the sender's"));

        // What asks for too much.
        let nowhere = Take { offer: serde_json::from_value(json!("77".repeat(32))).unwrap(), ..good };
        assert!(mallory.refused(&bob, "take", take_message(&me, &nowhere)).await.contains("not open any more"));
        let for_ever = Take { offline_secs: 90 * 24 * 3600, ..good };
        let no = mallory.refused(&bob, "take", take_message(&me, &for_ever)).await;
        assert!(no.contains("money would be locked for"), "{no}");
        let on_ledgers_that_differ = Take { alpha_refundee: good.beta_redeemer, ..good };
        assert!(!mallory.refused(&bob, "take", take_message(&me, &on_ledgers_that_differ)).await.is_empty());
        let nothing_hidden = Take { secret_hash: Secret::from_bytes([0; 32]).hash(), ..good };
        assert!(!mallory.refused(&bob, "take", take_message(&me, &nothing_hidden)).await.is_empty());

        // What is accepted by somebody else, or not as it was proposed.
        let proposal = mallory.ask(&bob, "take", take_message(&me, &good)).await.unwrap();
        let proposed = terms(&proposal);
        let right = accept(&me, &proposed);
        assert!(other.refused(&bob, "accept", right.clone()).await.contains("no such proposal"));
        assert!(mallory.refused(&bob, "accept", accept(&other.wallet, &proposed)).await.contains("signature"));
        let as_proposed = signed(&me, proposed.digest(Consent::Propose, Role::Participant));
        let reflected = json!({ "swap": proposed.id(), "signature": as_proposed });
        assert!(mallory.refused(&bob, "accept", reflected).await.contains("signature"));
        let never = json!({ "swap": "88".repeat(32), "signature": right["signature"] });
        assert!(mallory.refused(&bob, "accept", never).await.contains("no such proposal"));
        assert!(bob.swaps().await.unwrap().is_empty(), "nothing is half-done");

        // The right one is one swap, however often it is said; nobody else can say it.
        for _ in 0..3 {
            let answer = mallory.ask(&bob, "accept", right.clone()).await.unwrap();
            assert_eq!(answer, json!({ "swap": proposed.id() }));
        }
        assert!(other.refused(&bob, "accept", right.clone()).await.contains("signature"));
        assert!(mallory.refused(&bob, "accept", accept(&other.wallet, &proposed)).await.contains("signature"));
        assert!(mallory.refused(&bob, "take", take_message(&me, &mallory.take(&first))).await.contains("not open any more"));

        // A hash that was used is used for ever.
        let again = Take { secret_hash: good.secret_hash, ..mallory.take(&second) };
        let answer = mallory.ask(&bob, "take", take_message(&me, &again)).await;
        let no = match answer {
            Err(error) => error.to_string(),
            Ok(proposal) => mallory.refused(&bob, "accept", accept(&me, &terms(&proposal))).await,
        };
        assert!(no.contains("used before"), "{no}");

        let swaps = bob.swaps().await.unwrap();
        assert_eq!(swaps.len(), 1);
        let states: Vec<String> =
            bob.get::<photon::api::OfferList>("/v1/offers").await.unwrap().offers.into_iter().map(state).collect();
        assert_eq!(states, ["open", "taken"], "newest first");
        assert_eq!(ended(&bob, &swaps[0].id).await, "void");
        books.close(&[&bob], &[]).await;
    });
}

fn state(offer: OfferView) -> String {
    offer.state
}
