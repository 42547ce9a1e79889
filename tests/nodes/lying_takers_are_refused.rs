//! Mallory takes offers: malformed, in others' names, twice, with a secret that was used. Each is refused by name, and Bob's node
//! holds what it held.

use crate::stage::mallory::{Mallory, signed, take_message};
use crate::stage::{Books, ended, new_offer, play, rows, shared};
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
        let held = rows(&bob);

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
        assert_eq!(rows(&bob), held, "nothing is half-done");

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

/// Every place in a message at which a value stands, objects included.
fn places(message: &Value, path: &str, out: &mut Vec<String>) {
    if let Some(fields) = message.as_object() {
        for (name, inner) in fields {
            let place = format!("{path}/{name}");
            places(inner, &place, out);
            out.push(place);
        }
    }
}

/// Every field of what a taker sends, each of a wrong type, out of range, too long, or missing: each is refused, in words, and not
/// one row of the maker's database is another one afterwards.
#[test]
fn a_message_with_any_field_wrong_is_refused_and_leaves_no_row() {
    play(async {
        let Some(scene) = shared().await else { return };
        let mut bob = scene.party("wrong-fields-bob").await;
        bob.start().await.unwrap();
        bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let first = Mallory::new().await;
        let offer = first.offers(&bob).await.remove(0);
        let held = rows(&bob);
        let take = take_message(&first.wallet, &first.take(&offer));
        let accept = json!({ "swap": "77".repeat(32), "signature": "00".repeat(65) });
        let wrong = [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("zz"),
            json!([]),
            json!({}),
            json!("9".repeat(200)),
            json!({ "x": ["y"] }),
        ];
        let mut tried = 0;
        for (kind, message) in [("take", take), ("accept", accept)] {
            let mut all = Vec::new();
            places(&message, "", &mut all);
            for place in all {
                // Who asks too much is cut off: each field has a Mallory of its own.
                let mallory = Mallory::new().await;
                let mut bad: Vec<Value> = Vec::new();
                for value in &wrong {
                    let mut changed = message.clone();
                    *changed.pointer_mut(&place).unwrap() = value.clone();
                    bad.push(changed);
                }
                let mut missing = message.clone();
                let (parent, name) = place.rsplit_once('/').unwrap();
                missing.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
                bad.push(missing);
                for body in bad {
                    let error = mallory.ask(&bob, kind, body.clone()).await.expect_err(&body.to_string());
                    assert!(error.to_string().len() > 15, "{body}: {error}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
        assert_eq!(rows(&bob), held, "nothing is half-done");
        assert_eq!(first.offers(&bob).await.len(), 1, "and it serves who asks rightly");
    });
}
