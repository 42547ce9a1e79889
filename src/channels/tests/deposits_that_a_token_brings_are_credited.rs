//! Tokens that bring a deposit by a call of their own: ERC223's transfer, by the node itself, and approve-and-call, by a wallet
//! beside it. The channels contract says nothing of them, the token does; they are seen, credited once, and kept.

use super::ledger::{ALLOWED, CALLS_BACK};
use super::trouble::{ALICE, BOB, World, in_every_trouble};
use super::*;
use photon_channel::{Abi, keccak};

/// `approveAndCall(address,uint256,bytes)` with (party, peer, window) for the contract to read.
fn approve_and_call(party: Address, peer: Address, amount: u128) -> Vec<u8> {
    let selector = keccak(b"approveAndCall(address,uint256,bytes)");
    let words = Abi::new().address(&CONTRACT).u128(amount).u64(96).u64(96).address(&party).address(&peer);
    [&selector[..4], &words.u64(u64::from(Window::SHORTEST.minutes())).finish()].concat()
}

async fn holds(world: &mut World, id: ChannelId, what: &str, total: u64) {
    world
        .until(what, async |world| {
            let (here, there) = (world.view(ALICE, id).await, world.view(BOB, id).await);
            [here, there].iter().all(|view| view.as_ref().is_some_and(|view| view.total == Units::from(total) && view.is_ready))
        })
        .await;
}

async fn pays_and_closes(world: &mut World, token: Address, id: ChannelId) {
    let payment = NewPayment { token: Some(token), ..world.party(ALICE).payment(world.party(BOB), 70) };
    let paid = world.channels(ALICE).pay(payment).await.unwrap().ended.await.unwrap();
    assert_eq!(paid, Outcome::Paid(None));
    world.channels(BOB).close(LEDGER, id, CloseHow::Together).await.unwrap();
    world.is_gone(id).await;
    assert_eq!((world.gain_in(Some(token), ALICE), world.gain_in(Some(token), BOB)), (-70, 70));
    world.is_put_away().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_allowances_opens_and_fills_a_channel_by_its_transfer() {
    in_every_trouble(2, async |world| {
        let id = world.open(Some(CALLS_BACK), ALICE, BOB, 100).await;
        world.deposit(Some(CALLS_BACK), BOB, ALICE, 40).await;
        holds(world, id, "his is in", 140).await;
        world.must_have_made(ALICE, "transfer(address,uint256,bytes)", 1);
        world.must_have_made(BOB, "transfer(address,uint256,bytes)", 1);
        pays_and_closes(world, CALLS_BACK, id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_a_wallet_makes_by_approve_and_call_is_credited_to_its_party() {
    in_every_trouble(2, async |world| {
        let id = world.open(Some(ALLOWED), ALICE, BOB, 100).await;
        let (alice, bob) = (world.party(ALICE).identity(), world.party(BOB).identity());
        world.chain.send(bob, ALLOWED, approve_and_call(bob, alice, 40));
        holds(world, id, "what his wallet has sent is in", 140).await;
        let (here, there) = (world.view(ALICE, id).await.unwrap(), world.view(BOB, id).await.unwrap());
        assert_eq!((here.own, here.peers, there.own, there.peers), (100, 40, 40, 100));
        world.kill(ALICE).await;
        world.start(ALICE).await;
        holds(world, id, "it is kept", 140).await;
        pays_and_closes(world, ALLOWED, id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn such_a_deposit_that_is_taken_back_and_never_mined_again_is_not_credited() {
    let mut world = World::new(2, trouble::Trouble::None).await;
    let id = world.open(Some(ALLOWED), ALICE, BOB, 100).await;
    let (alice, bob) = (world.party(ALICE).identity(), world.party(BOB).identity());
    world.chain.send(bob, ALLOWED, approve_and_call(bob, alice, 40));
    world.block().await;
    assert_eq!(world.gain_in(Some(ALLOWED), BOB), -40);
    world.is_seen().await;
    world.chain.reorganise(1, ledger::Fate::Forgotten);
    world.pass(6 * BLOCK_SECS).await;
    assert_eq!(world.gain_in(Some(ALLOWED), BOB), 0);
    holds(&mut world, id, "all is as before", 100).await;
    pays_and_closes(&mut world, ALLOWED, id).await;
}
