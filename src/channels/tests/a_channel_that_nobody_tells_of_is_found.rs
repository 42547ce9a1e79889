//! The database is lost, and so is the counterparty, and there is no backup: with its seed alone a node finds its channels in the
//! chain's past, and has what it put in.

use super::ledger::{ALLOWED, CALLS_BACK, LEDGER};
use super::trouble::{ALICE, BOB, CHARLIE, Trouble, World};
use super::*;
use photon_channel::Standing;
use photon_channel::contract::{Call, Slot};
use photon_channel::{ChannelKey, contract};

/// All that a node has is its seed, and all others are gone.
async fn is_alone(world: &mut World) {
    world.kill(BOB).await;
    world.lose(ALICE).await;
    world.pass(4 * BLOCK_SECS).await;
    world.start(ALICE).await;
}

async fn is_found(world: &mut World, id: ChannelId) -> ChannelView {
    world.until("it is found", async |world| world.view(ALICE, id).await.is_some()).await;
    world.view(ALICE, id).await.unwrap()
}

/// That the whole past is read, and how often it was asked for.
async fn is_searched(world: &mut World) -> usize {
    world
        .until("all is read", async |world| {
            let done = world.party(ALICE).runs().store.meta("channels_searched/ethereum").await.unwrap();
            done.is_some_and(|noted| noted.ends_with("done"))
        })
        .await;
    world.chain.asked(&world.party(ALICE).identity())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_owner_closes_it_alone_and_has_what_was_put_in() {
    let mut world = World::new(2, Trouble::None).await;
    // In the order in which they are put in: by her first, and by him first.
    let coins = world.open(None, ALICE, BOB, 100).await;
    let allowed = world.open(Some(ALLOWED), BOB, ALICE, 40).await;
    world.deposit(Some(ALLOWED), ALICE, BOB, 60).await;
    let calls_back = world.open(Some(CALLS_BACK), ALICE, BOB, 30).await;
    world
        .until("she has put in her part", async |world| world.view(ALICE, allowed).await.unwrap().total == Units::from(100))
        .await;
    is_alone(&mut world).await;
    for (id, own, peers) in [(coins, 100, 0), (allowed, 60, 40), (calls_back, 30, 0)] {
        let view = is_found(&mut world, id).await;
        assert_eq!((view.standing, view.own, view.peers), (Standing::Behind, own, peers));
        assert_eq!((view.peer, view.stage, view.is_ready), (world.party(BOB).identity(), StageView::Open, false));
        let token = view.token;
        world.channels(ALICE).close(LEDGER, id, CloseHow::Alone).await.unwrap();
        world.is_gone(id).await;
        assert_eq!(world.gain_in(token, ALICE), 0, "{token:?}");
    }
    world.is_put_away().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_read_once_and_a_database_goes_on_where_it_was_killed() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    world.pass(100 * BLOCK_SECS).await;
    is_alone(&mut world).await;
    let before = world.chain.asked(&world.party(ALICE).identity());
    world.until("she has begun", async |world| world.chain.asked(&world.party(ALICE).identity()) > before).await;
    world.kill(ALICE).await;
    world.start(ALICE).await;
    is_found(&mut world, id).await;
    let asked = is_searched(&mut world).await;
    world.kill(ALICE).await;
    world.start(ALICE).await;
    assert_eq!(is_found(&mut world, id).await.standing, Standing::Behind, "it is kept");
    world.pass(10 * BLOCK_SECS).await;
    assert_eq!(is_searched(&mut world).await, asked, "nothing is read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterparty_that_comes_back_after_all_shows_what_it_has_and_signs_the_end() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    assert_eq!(world.pay(ALICE, BOB, 30).await, Outcome::Paid(None));
    is_alone(&mut world).await;
    assert_eq!(is_found(&mut world, id).await.own, 100, "only he knows better");
    world.start(BOB).await;
    world.is_gone(id).await;
    world.must_have_gained(&[-30, 30]);
    world.must_have_made(ALICE, "close(uint256,address,uint256,bytes32,bytes32,bytes32)", 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_its_counterparty_has_closed_and_left_is_settled() {
    let mut world = World::new(2, Trouble::None).await;
    let id = world.open(None, ALICE, BOB, 100).await;
    assert_eq!(world.pay(ALICE, BOB, 30).await, Outcome::Paid(None));
    world.kill(ALICE).await;
    world.channels(BOB).close(LEDGER, id, CloseHow::Alone).await.unwrap();
    world.until("it is closed", async |world| matches!(world.chain.slot(&id), Some(Slot::Closed(_)))).await;
    is_alone(&mut world).await;
    world.is_gone(id).await;
    world.must_have_gained(&[-30, 30]);
}

/// A call through a contract of the payer's: the words are there, behind another function's name.
fn within(input: &[u8]) -> Vec<u8> {
    [&[9, 9, 9, 9], input].concat()
}

#[test]
fn a_call_tells_its_channel_by_whatever_way_it_came_there() {
    let [own, peer, token, third] = [1, 2, 3, 4].map(|byte| Address::from_bytes([byte; 20]));
    let deposit = |key: &ChannelKey, sender: &Address, of: Address| {
        let of = key.side_of(&of).unwrap();
        Call::Deposit { of, amount: 1 << 90, brought: contract::Brought::InFull }.input(sender, key)
    };
    for token in [None, Some(token)] {
        let key = ChannelKey::new(token, own, peer, Window::LONGEST).unwrap();
        for sender in [own, peer, third] {
            for of in [own, peer] {
                let input = deposit(&key, &sender, of);
                for input in [within(&input), input] {
                    assert!(contract::keys_in(&own, token, &sender, &input).contains(&key), "{sender} for {of}");
                    assert!(!contract::keys_in(&third, token, &sender, &input).contains(&key), "it is not theirs");
                }
            }
        }
    }
}

#[test]
fn a_call_that_is_made_to_cost_much_is_tried_in_few_ways() {
    let own = Address::from_bytes([1; 20]);
    let mut input = vec![0; 4];
    for number in 0..50_000u32 {
        // Accounts, and windows of the coin.
        let mut word = [7; 32];
        word[28..].copy_from_slice(&number.to_be_bytes());
        input.extend(word);
        let mut word = [0; 32];
        word[10..12].copy_from_slice(&(10 + number as u16 % 40_000).to_be_bytes());
        input.extend(word);
    }
    assert!(contract::keys_in(&own, None, &Address::from_bytes([2; 20]), &input).len() <= 256);
}

// Whoever wants this node to take up many channels has to give it money in each.
#[tokio::test(flavor = "multi_thread")]
async fn one_in_which_nothing_is_to_be_had_is_left_alone() {
    let mut world = World::new(3, Trouble::None).await;
    let strangers = world.open(None, BOB, ALICE, 50).await;
    let own = world.open(None, ALICE, CHARLIE, 20).await;
    world.kill(CHARLIE).await;
    is_alone(&mut world).await;
    is_searched(&mut world).await;
    assert!(world.view(ALICE, own).await.is_some());
    assert_eq!(world.view(ALICE, strangers).await.map(|view| view.total), None);
}
