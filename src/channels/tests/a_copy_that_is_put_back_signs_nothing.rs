//! A copy of the database is old from the moment it is taken.

use super::trouble::{ALICE, BOB, in_every_trouble};
use super::*;
use photon_channel::Standing;

const CLOSE: &str = "close(uint256,address,uint256,bytes32,bytes32,bytes32)";

/// A copy made while nobody looks, as some other program would: it does not say of itself that it is one.
pub(super) async fn copied(party: &mut Party) -> PathBuf {
    party.kill().await;
    // Nobody tidies up while it is copied.
    party.store().await.close().await.unwrap();
    let copy = party.folder.path().join("copy.db");
    std::fs::copy(party.database(), &copy).unwrap();
    let log = party.folder.path().join("photon.db-wal");
    if log.exists() {
        std::fs::copy(log, party.folder.path().join("copy.db-wal")).unwrap();
    }
    party.start().await;
    copy
}

pub(super) async fn put_back(party: &mut Party, copy: &std::path::Path) {
    party.kill().await;
    party.lose().await;
    std::fs::copy(copy, party.database()).unwrap();
    let log = copy.with_extension("db-wal");
    if log.exists() {
        std::fs::copy(log, party.folder.path().join("photon.db-wal")).unwrap();
    }
    party.start().await;
}

async fn is_gone(chain: &Chain, id: ChannelId) {
    until(chain, "the channel is closed, and its money paid out", async || chain.slot(&id).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_whose_memory_is_old_finds_out_before_it_signs() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 10).await, Outcome::Paid(None));
    let copy = copied(&mut alice).await;
    alice.meet(&bob).await;
    assert_eq!(alice.pay(&bob, 20).await, Outcome::Paid(None));
    put_back(&mut alice, &copy).await;
    alice.meet(&bob).await;
    until(&chain, "the neighbour has shown what she said since", async || alice.view(id).await.standing != Standing::Active)
        .await;
    let refused = alice.channels().pay(alice.payment(&bob, 1)).await;
    assert!(refused.is_err(), "nothing is signed in it any more: {refused:?}");
    is_gone(&chain, id).await;
    assert_eq!(chain.coins(&alice.identity()), 1_000_000 - 30, "and nothing that was signed is lost");
    assert_eq!(chain.coins(&bob.identity()), 1_000_000 + 30);
}

// What she has forgotten is not her own word: nothing but the counterparty's says that there was one.
#[tokio::test(flavor = "multi_thread")]
async fn a_payee_that_has_only_forgotten_what_came_in_is_told_and_has_it() {
    let chain = Chain::new();
    let (alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 10).await, Outcome::Paid(None));
    let copy = copied(&mut bob).await;
    bob.meet(&alice).await;
    assert_eq!(alice.pay(&bob, 20).await, Outcome::Paid(None));
    put_back(&mut bob, &copy).await;
    bob.meet(&alice).await;
    is_gone(&chain, id).await;
    assert_eq!(chain.coins(&alice.identity()), 1_000_000 - 30);
    assert_eq!(chain.coins(&bob.identity()), 1_000_000 + 30);
}

// Nobody has to tell it: a copy that this program made says of itself that it is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_this_program_made_is_old_before_anybody_is_met() {
    let chain = Chain::new();
    let (mut alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    let copy = alice.folder.path().join("copy.db");
    crate::store::back_up(&alice.database(), &copy).unwrap();
    bob.kill().await;
    put_back(&mut alice, &copy).await;
    assert_eq!(alice.view(id).await.standing, Standing::Behind);
    assert!(!alice.view(id).await.is_ready);
}

// Locks of hers that came after the copy are in no list that she has; whoever unlocks them shows the list to the contract.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_unlocks_what_its_payer_has_forgotten_is_answered_with_what_is_proven() {
    in_every_trouble(2, async |world| {
        let id = world.open(None, ALICE, BOB, 100).await;
        world.deposit(None, BOB, ALICE, 50).await;
        world.until("his is in", async |world| world.view(ALICE, id).await.unwrap().total == Units::from(150)).await;
        assert_eq!(world.pay(BOB, ALICE, 10).await, Outcome::Paid(None));
        let copy = world.copy(ALICE).await;
        world.until("they are connected", async |world| world.view(ALICE, id).await.unwrap().is_ready).await;
        let secret = Secret::from_bytes([0x5e; 32]);
        world.lock(&[ALICE, BOB], 40, &secret).await;
        // Another one that nobody ever opens: it is hers again after its end.
        world.lock(&[ALICE, BOB], 20, &Secret::from_bytes([0x5f; 32])).await;
        world.parts_from_the_past_of(ALICE, BOB, &copy).await;
        world.channels(BOB).release(LEDGER, secret).await.unwrap();
        world.until("he has closed", async |world| world.chain.made(&world.party(BOB).identity(), CLOSE) == 1).await;
        world
            .until("she knows that she has forgotten", async |world| {
                world.view(ALICE, id).await.is_none_or(|view| view.standing == Standing::Behind)
            })
            .await;
        world.is_gone(id).await;
        world.must_have_gained(&[-30, 30]);
        world.must_have_made(ALICE, "update(uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32)", 1);
    })
    .await;
}
