//! The last block of each chain is replaced, and what was in it thrown away, at every step of a swap: it completes, and nothing is paid
//! twice.

use crate::stage::{Books, Moment, Scene, agree, amount, both_complete, own, play, reach};
use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, Unmined, WorldConfig};
use std::time::Duration;

/// What was in the block waits again, or is gone from a pool without memory, and has to be sent anew.
async fn shake(scene: &Scene) {
    let world = scene.world();
    let utxo = async |chain: &UtxoChain| drop(chain.reorg(1, Unmined::LeftOut).await.unwrap());
    let evm = async |chain: &EvmChain| drop(chain.reorg(1, Unmined::LeftOut).await.unwrap());
    tokio::join!(utxo(&world.bitcoin), utxo(&world.litecoin), evm(&world.ethereum), evm(&world.smt));
}

#[test]
fn reorgs_in_the_middle_change_nothing() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let (alice, bob) = scene.alice_and_bob("reorgs").await;
        let books = Books::open(&[&alice, &bob]).await;
        let mut paid = Vec::new();
        for (pay, get) in [("BTC", "ETH"), ("ETH", "LTC"), ("SMT", "BTC")] {
            let swap = agree(&alice, &bob, pay, get).await;
            for (party, moment) in [
                (&alice, Moment::Sent("fund")),
                (&bob, Moment::Sent("fund")),
                (&alice, Moment::Fact("reveal_intent")),
                (&bob, Moment::Sent("redeem")),
            ] {
                reach(party, &swap, moment).await;
                shake(&scene).await;
            }
            both_complete(&alice, &bob, &swap).await;
            paid.push((&*alice, amount(pay).units(), pay, &*bob));
            paid.push((&*bob, amount(get).units(), get, &*alice));
        }
        books.close(&[&alice, &bob], &paid).await;
    });
}
