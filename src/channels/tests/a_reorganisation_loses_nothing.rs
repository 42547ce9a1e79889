//! Blocks are taken back: what was in them is mined again elsewhere, or never. Nothing is lost by it, nothing counts twice, and the
//! channel goes on. Of what follows a close: [`super::who_closes_or_is_silent_takes_nothing`].

use super::ledger::Fate;
use super::trouble::{ALICE, BOB, CONSENT_SECS, Trouble, World, in_every_trouble};
use super::*;
use photon_channel::contract::{Call, Shown, Slot};
use photon_channel::{ChannelKey, Nonce, Signature};

#[tokio::test(flavor = "multi_thread")]
async fn deposits_withdrawals_and_a_close_by_both_are_done_once() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        assert_eq!(world.pay(ALICE, BOB, 30).await, Outcome::Paid(None));
        world.deposit(None, BOB, ALICE, 50).await;
        let holds = async |world: &mut World, what: &str, total: u64| {
            world
                .until(what, async |world| {
                    let (here, there) = (world.view(ALICE, id).await, world.view(BOB, id).await);
                    [here, there].iter().all(|view| {
                        view.as_ref().is_some_and(|view| {
                            view.total == Units::from(total) && view.is_ready && view.leaving.is_none() && !view.is_filling
                        })
                    })
                })
                .await;
        };
        holds(world, "his deposit is in", 150).await;
        world.channels(BOB).withdraw(LEDGER, id, Units::from(10)).await.unwrap();
        holds(world, "he has taken some out", 140).await;
        assert_eq!(world.pay(BOB, ALICE, 5).await, Outcome::Paid(None));
        world.channels(ALICE).close(LEDGER, id, CloseHow::Together).await.unwrap();
        world.is_gone(id).await;
        world.must_have_gained(&[-25, 25]);
        world.must_have_made(BOB, "withdraw(uint256,uint256,uint256,bytes32,bytes32)", 1);
        world.is_put_away().await;
    })
    .await;
}

/// Bob's transactions, in the newest block, are gone, and are never mined again.
async fn is_undone(world: &mut World) {
    world.is_seen().await;
    world.chain.pass_by([world.party(BOB).identity()]);
    world.chain.reorganise(1, Fate::Forgotten);
    world.is_seen().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_of_the_counterpartys_that_is_gone_is_not_credited() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    world.deposit(None, BOB, ALICE, 50).await;
    let is_in =
        async |world: &World| matches!(world.chain.slot(&id), Some(Slot::Open(open)) if open.holdings.total == Units::from(150));
    world.until("it is mined", is_in).await;
    is_undone(&mut world).await;
    world.pass(6 * BLOCK_SECS).await;
    assert_eq!(world.view(ALICE, id).await.unwrap().total, Units::from(100));
    let refused = world.channels(BOB).pay(world.party(BOB).payment(world.party(ALICE), 1)).await;
    assert_eq!(refused.map(drop), Err(ChannelsError::NoWay), "he has nothing");
    assert_eq!(world.pay(ALICE, BOB, 20).await, Outcome::Paid(None));
    assert_eq!(world.pay(BOB, ALICE, 15).await, Outcome::Paid(None), "the channel goes on");
    world.chain.pass_by([]);
    world
        .until("what he still wants is done", async |world| world.view(ALICE, id).await.unwrap().total == Units::from(150))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_alone_of_the_counterpartys_that_is_gone_leaves_a_channel_that_goes_on() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    let (alice, bob) = (world.party(ALICE).identity(), world.party(BOB).identity());
    let key = ChannelKey::new(None, alice, bob, Window::SHORTEST).unwrap();
    // By a wallet beside his node, which wants nothing of the kind.
    let shown = Shown {
        nonce: Nonce::NONE,
        transferred: Units::ZERO,
        pending: photon_channel::Commitment::default(),
        signature: Signature::from_bytes([0; 65]),
    };
    world.chain.send(bob, CONTRACT, Call::Close { shown, records: Vec::new() }.input(&bob, &key));
    world
        .until("she sees it closed", async |world| matches!(world.view(ALICE, id).await.unwrap().stage, StageView::Closed { .. }))
        .await;
    is_undone(&mut world).await;
    world
        .until("it is open again for both", async |world| {
            world.view(ALICE, id).await.unwrap().stage == StageView::Open
                && world.view(BOB, id).await.unwrap().stage == StageView::Open
        })
        .await;
    assert_eq!(world.pay(ALICE, BOB, 20).await, Outcome::Paid(None));
    assert_eq!(world.pay(BOB, ALICE, 5).await, Outcome::Paid(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_have_signed_and_is_gone_for_good_dies_and_the_channel_goes_on() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    assert_eq!(world.pay(ALICE, BOB, 40).await, Outcome::Paid(None));
    world.channels(BOB).withdraw(LEDGER, id, Units::from(10)).await.unwrap();
    world.until("it is mined", async |world| world.chain.coins(&world.party(BOB).identity()) == trouble::PURSE + 10).await;
    is_undone(&mut world).await;
    assert_eq!(world.gain(BOB), 0);
    world.pass(CONSENT_SECS + 10 * BLOCK_SECS).await;
    world
        .until("it is dead for both", async |world| {
            let (here, there) = (world.view(ALICE, id).await.unwrap(), world.view(BOB, id).await.unwrap());
            here.leaving.is_none() && there.leaving.is_none() && here.total == Units::from(100)
        })
        .await;
    assert_eq!(world.pay(BOB, ALICE, 40).await, Outcome::Paid(None), "what he wanted to take out is his to pay");
    assert_eq!(world.pay(ALICE, BOB, 40).await, Outcome::Paid(None));

    world.chain.pass_by([]);
    world.channels(BOB).close(LEDGER, id, CloseHow::Together).await.unwrap();
    world.until("it is closed", async |world| world.chain.slot(&id).is_none()).await;
    is_undone(&mut world).await;
    assert!(world.chain.slot(&id).is_some());
    // He thinks better of it. What is signed counts until its end, and no longer.
    world.pass(CONSENT_SECS + 10 * BLOCK_SECS).await;
    let _ = world.channels(BOB).resume(LEDGER, id).await;
    let _ = world.channels(ALICE).resume(LEDGER, id).await;
    world
        .until("both may sign again", async |world| {
            let (here, there) = (world.view(ALICE, id).await.unwrap(), world.view(BOB, id).await.unwrap());
            [here, there].iter().all(|view| view.standing == photon_channel::Standing::Active && view.is_ready)
        })
        .await;
    assert_eq!(world.pay(ALICE, BOB, 7).await, Outcome::Paid(None));
    assert_eq!(world.view(ALICE, id).await.unwrap().own, 53);
}
