//! A leg of a swap in a payment channel, on real nodes: the coins of one side on a chain, of the other in a channel, both ways; then
//! both in channels of two chains. And beside them one whose payer is dead from the moment that the secret is out.

use crate::stage::{PATIENCE, PURSE, Player, ended, own, play, until};
use photon::demo::legs::{self, Planned, Tally};
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

#[test]
fn swaps_go_over_channels_whoever_dies_once_the_secret_is_out() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let party = |name: &'static str| scene.party_with(name, PURSE);
        let (mut alice, mut bob, mut carol) = tokio::join!(party("alice"), party("bob"), party("carol"));
        // Carol dies when somebody shows her a secret, before she has read it.
        let orders = scene.folder("orders-of-carol");
        std::fs::write(orders.join("kill"), "channel.heard.reveal\t1").unwrap();
        carol.env.push(("PHOTON_CRASH".to_owned(), orders.to_str().unwrap().to_owned()));
        tokio::try_join!(alice.start(), bob.start(), carol.start()).unwrap();
        tokio::try_join!(
            legs::open(&alice, &bob, "ETH", 4),
            legs::open(&alice, &bob, "SMT", 4),
            legs::open(&alice, &carol, "ETH", 4)
        )
        .unwrap();
        tokio::join!(one_after_the_other(&alice, &bob), pays_by_the_registry(&alice, carol));
    });
}

async fn one_after_the_other(alice: &Player, bob: &Player) {
    let mut say = |line| eprintln!("{line}");
    let pairs = [("BTC", "ETH@channel"), ("ETH@channel", "BTC"), ("ETH@channel", "SMT@channel"), ("SMT@channel", "ETH@channel")];
    for (pay, get) in pairs {
        let swap = Planned { taker: alice, maker: bob, pay, get };
        let tally = legs::play(&[swap], &mut say).await.unwrap();
        assert_eq!(tally, Tally { swaps: 1, completed: 1, lost: 0 }, "{pay} → {get}");
    }
}

/// E12, E16: Alice registers the secret in time and is paid by the contract; Carol comes back, finds the secret there, and takes the
/// bitcoin.
async fn pays_by_the_registry(alice: &Player, mut carol: Player) {
    let swap = Planned { taker: alice, maker: &carol, pay: "BTC", get: "ETH@channel" };
    let id = legs::begin(&swap).await.unwrap();
    until("Carol is dead", PATIENCE, async || carol.has_ended().unwrap().then_some(())).await;
    assert_eq!(ended(alice, &id).await, "completed");
    carol.env.clear();
    carol.start().await.unwrap();
    assert_eq!(ended(&carol, &id).await, "completed");
}
