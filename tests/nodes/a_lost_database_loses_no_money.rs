//! The disk takes the database, or gives back an old one, in the middle of swaps. The recovery file beside it and the seed are enough:
//! every swap is taken up again, never to be revealed, and its money comes home.

use crate::stage::{Moment, PATIENCE, Player, Scene, agree, amount, both_complete, ended, play, reach, shared, until};

const DATABASE: [&str; 3] = ["photon.db", "photon.db-wal", "photon.db-shm"];

/// More than all fees of a story.
const FEES_SAT: u64 = 50_000;

fn lose(player: &Player) {
    for name in DATABASE {
        let _ = std::fs::remove_file(player.folder.join(name));
    }
}

async fn bitcoin_of(scene: &Scene, player: &Player) -> u64 {
    scene.world().bitcoin.wallet(&player.name).balance_sat().await.unwrap()
}

#[test]
fn an_initiator_without_its_database_is_refunded() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = scene.alice_and_bob("lost-initiator").await;
        let before = bitcoin_of(&scene, &alice).await;
        let done = agree(&alice, &bob, "BTC", "LTC").await;
        both_complete(&alice, &bob, &done).await;
        let swap = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&bob, &swap, Moment::Fact("fund_intent")).await;
        alice.kill().unwrap();
        lose(&alice);
        alice.start().await.unwrap();
        let taken_up = alice.swap(&swap).await.unwrap();
        assert!(taken_up.facts.iter().any(|fact| fact.fact == "never_reveal"), "{taken_up:?}");
        assert_eq!((ended(&bob, &swap).await, ended(&alice, &swap).await), ("refunded".into(), "refunded".into()));
        assert!(alice.said().contains("the database has lost this swap"), "its owner is told");
        // The one that was over before is found to be over, and nothing is done for it twice.
        assert_eq!(ended(&alice, &done).await, "completed");
        let paid = u64::try_from(amount("BTC").units()).unwrap();
        until("Alice has what is hers", PATIENCE, async || {
            let now = bitcoin_of(&scene, &alice).await;
            (now <= before - paid && now + FEES_SAT > before - paid).then_some(())
        })
        .await;
        // A node that has lost its memory goes on.
        let next = agree(&alice, &bob, "ETH", "BTC").await;
        both_complete(&alice, &bob, &next).await;
    });
}

#[test]
fn a_participant_with_an_old_database_redeems_what_is_public() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, mut bob) = scene.alice_and_bob("old-participant").await;
        let first = agree(&alice, &bob, "SMT", "LTC").await;
        both_complete(&alice, &bob, &first).await;
        let before = bitcoin_of(&scene, &bob).await;
        // Copied while the node runs, and just then another swap begins.
        let copied = agree(&alice, &bob, "SMT", "LTC").await;
        let copy = bob.folder.join("copy.db");
        bob.shell().ok(&["backup", copy.to_str().unwrap()]).await;
        let (_, said) = bob.shell().no(&["backup", copy.to_str().unwrap()]).await;
        assert!(said.contains("nothing is overwritten"), "{said}");
        let swap = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&bob, &swap, Moment::Sent("fund")).await;
        until("Bob's funding is in a block", PATIENCE, async || (bob.swap(&swap).await.ok()?.legs[1].depth > 0).then_some(()))
            .await;
        bob.kill().unwrap();
        lose(&bob);
        std::fs::copy(copy, bob.folder.join("photon.db")).unwrap();
        reach(&alice, &swap, Moment::Sent("redeem")).await;
        bob.start().await.unwrap();
        assert_eq!((ended(&bob, &swap).await, ended(&alice, &swap).await), ("completed".into(), "completed".into()));
        assert_eq!(ended(&bob, &first).await, "completed", "what the old copy knew is as it was");
        // What was running in the copy may have gone on since: it is not begun anew.
        let distrusted = bob.swap(&copied).await.unwrap();
        assert!(distrusted.facts.iter().any(|fact| fact.fact == "never_reveal"), "{distrusted:?}");
        let ends = (ended(&bob, &copied).await, ended(&alice, &copied).await);
        let alike = [("completed", "completed"), ("refunded", "refunded"), ("void", "refunded")];
        assert!(alike.iter().any(|(bob, alice)| ends.0 == *bob && ends.1 == *alice), "{ends:?}");
        let got = u64::try_from(amount("BTC").units()).unwrap();
        until("Bob has what is his", PATIENCE, async || {
            let now = bitcoin_of(&scene, &bob).await;
            (now <= before + got && now + FEES_SAT > before + got).then_some(())
        })
        .await;
    });
}
