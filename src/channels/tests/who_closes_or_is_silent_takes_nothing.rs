//! The counterparty closes, or is never heard of again, while locks are pending: payer, payee and mediator have what is theirs,
//! by themselves, whatever happens to them and to the chain meanwhile.

use super::trouble::{ALICE, BOB, CHARLIE, World, in_every_trouble};
use super::*;

const REGISTER: &str = "registerSecret(bytes32)";
const CLOSE: &str = "close(uint256,address,uint256,bytes32,bytes32,bytes32)";
const UPDATE: &str = "update(uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32)";
const UNLOCK: &str = "unlock(uint256,uint256,bytes32)";
const UNLOCK_LATE: &str = "unlockLate(uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,\
                           bytes32,uint256,bytes32,bytes32)";

fn secret() -> Secret {
    Secret::from_bytes([0x5e; 32])
}

/// Somebody closes alone, and once all have seen that is gone for ever.
async fn closes_and_leaves(world: &mut World, who: usize, id: ChannelId) {
    world.channels(who).close(LEDGER, id, CloseHow::Alone).await.unwrap();
    world
        .until("it is closed", async |world| {
            matches!(world.chain.slot(&id), Some(photon_channel::contract::Slot::Closed(_)))
                && matches!(world.view(who, id).await.map(|view| view.stage), Some(StageView::Closed { .. }))
        })
        .await;
    // No reorganisation takes it back.
    world.pass(5 * BLOCK_SECS).await;
    world.kill(who).await;
}

/// A lock of Alice's for Charlie is pending in both of Bob's channels.
async fn locked_through_bob(world: &mut World) -> (ChannelId, ChannelId) {
    let channels = (world.open(None, ALICE, BOB, 100).await, world.open(None, BOB, CHARLIE, 100).await);
    world.lock(&[ALICE, BOB, CHARLIE], 40, &secret()).await;
    channels
}

/// The first channel has ended on chain with Bob paid, and in the second he has paid Charlie.
async fn bob_has_what_he_paid_onward(world: &mut World, second: ChannelId) {
    // One in a hundred is his, and no part of a unit is nothing.
    world.must_have_gained(&[-41, -59, 0]);
    let there = world.view(CHARLIE, second).await.unwrap();
    assert_eq!((there.own, there.peers, there.stage), (40, 60, StageView::Open));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_whose_payer_is_silent_registers_closes_and_is_paid() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        world.lock(&[ALICE, BOB], 40, &secret()).await;
        world.kill(ALICE).await;
        world.channels(BOB).release(LEDGER, secret()).await.unwrap();
        world.is_gone(id).await;
        world.must_have_gained(&[-40, 40]);
        world.must_have_made(BOB, REGISTER, 1);
        world.must_have_made(BOB, CLOSE, 1);
        // Also where he was killed between the wish to close and the call: it unlocked what it could.
        world.must_have_made(BOB, UNLOCK_LATE, 0);
        // She comes back when all is over, and has her receipt from the registry.
        world.start(ALICE).await;
        world.is_put_away().await;
        let made = world.channels(ALICE).payments(None, 10).await.unwrap();
        assert!(made.items.iter().all(|row| row.state == PaymentState::Paid), "{:?}", made.items);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_whose_payer_closes_and_leaves_unlocks_and_is_paid() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        assert_eq!(world.pay(ALICE, BOB, 5).await, Outcome::Paid(None));
        world.lock(&[ALICE, BOB], 40, &secret()).await;
        closes_and_leaves(world, ALICE, id).await;
        world.channels(BOB).release(LEDGER, secret()).await.unwrap();
        world.is_gone(id).await;
        world.must_have_gained(&[-45, 45]);
        for function in [REGISTER, UPDATE, UNLOCK] {
            world.must_have_made(BOB, function, 1);
        }
        world.is_put_away().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_whose_payee_closes_and_leaves_without_the_secret_has_it_back() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        world.lock(&[ALICE, BOB], 40, &secret()).await;
        closes_and_leaves(world, BOB, id).await;
        world.is_gone(id).await;
        world.must_have_gained(&[0, 0]);
        world.is_put_away().await;
        let made = world.channels(ALICE).payments(None, 10).await.unwrap();
        assert!(matches!(made.items[0].state, PaymentState::Failed(_)), "{:?}", made.items);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mediator_whose_payer_is_silent_has_what_it_paid_onward() {
    in_every_trouble(3, async |world| {
        let (first, second) = locked_through_bob(world).await;
        world.kill(ALICE).await;
        world.channels(CHARLIE).release(LEDGER, secret()).await.unwrap();
        world.is_gone(first).await;
        bob_has_what_he_paid_onward(world, second).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mediator_whose_payer_closes_and_leaves_has_what_it_paid_onward() {
    in_every_trouble(3, async |world| {
        let (first, second) = locked_through_bob(world).await;
        closes_and_leaves(world, ALICE, first).await;
        world.channels(CHARLIE).release(LEDGER, secret()).await.unwrap();
        world.is_gone(first).await;
        bob_has_what_he_paid_onward(world, second).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mediator_who_was_away_while_its_payee_went_to_the_contract_has_it_from_its_payer() {
    in_every_trouble(3, async |world| {
        let (first, second) = locked_through_bob(world).await;
        world.kill(BOB).await;
        world.channels(CHARLIE).release(LEDGER, secret()).await.unwrap();
        world
            .until("what is owed is asked of the contract", async |world| {
                matches!(world.chain.slot(&second), Some(photon_channel::contract::Slot::Closed(_)))
            })
            .await;
        world.start(BOB).await;
        world
            .until("the payer has paid the mediator", async |world| {
                world.view(BOB, first).await.is_some_and(|view| view.own == 41 && view.peers_pending.0 == 0)
            })
            .await;
        assert_eq!(world.view(BOB, first).await.unwrap().stage, StageView::Open, "nobody had to close that one");
        world.is_gone(second).await;
        world.must_have_gained(&[-100, -40, 40]);
    })
    .await;
}

// The cheat is a node with an old copy of its database: it has forgotten what it signed away, or signed since.
#[tokio::test(flavor = "multi_thread")]
async fn who_unlocks_what_it_has_signed_away_forfeits_all_that_it_has() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        assert_eq!(world.pay(ALICE, BOB, 30).await, Outcome::Paid(None));
        world.lock(&[ALICE, BOB], 40, &secret()).await;
        let copy = world.copy(BOB).await;
        world.channels(BOB).give_up(LEDGER, secret().hash()).await.unwrap();
        world
            .until("it is given back", async |world| {
                world.view(ALICE, id).await.is_some_and(|view| view.own_pending.0 == 0 && view.own == 70)
            })
            .await;
        world.parts_from_the_past_of(BOB, ALICE, &copy).await;
        world.channels(BOB).release(LEDGER, secret()).await.unwrap();
        world.is_gone(id).await;
        world.must_have_gained(&[0, 0]);
        let punish = "punish(uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32,\
                      uint256,bytes32,uint256)";
        world.must_have_made(ALICE, punish, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_with_an_old_state_is_answered_with_the_newest() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        assert_eq!(world.pay(ALICE, BOB, 60).await, Outcome::Paid(None));
        assert_eq!(world.pay(BOB, ALICE, 5).await, Outcome::Paid(None));
        let copy = world.copy(BOB).await;
        world.until("they are connected again", async |world| world.view(BOB, id).await.is_some_and(|view| view.is_ready)).await;
        assert_eq!(world.pay(BOB, ALICE, 25).await, Outcome::Paid(None));
        world.parts_from_the_past_of(BOB, ALICE, &copy).await;
        closes_and_leaves(world, BOB, id).await;
        world.is_gone(id).await;
        world.must_have_gained(&[-30, 30]);
        world.must_have_made(ALICE, UPDATE, 1);
        world.is_put_away().await;
    })
    .await;
}
