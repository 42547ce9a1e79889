//! The chain can't be reached: neighbours go on paying each other up to the payee's limit, a restart changes nothing of that, and
//! what needs the chain says so, until it is back.

use super::*;
use photon_channel::{Reason, Sight};

const LIMIT: u64 = 50;
const OUT_OF_SIGHT: Outcome = Outcome::Failed(Reason::OutOfSight);

/// Somebody sees the chain, or does not. No block is needed for that.
async fn sees(party: &Party, id: ChannelId, sight: Sight) {
    for _ in 0..600 {
        if party.view(id).await.sight == sight {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {sight:?}");
}

/// Both do, or neither does.
async fn sights(parties: [&Party; 2], id: ChannelId, sight: Sight) {
    for party in parties {
        sees(party, id, sight).await;
    }
}

/// Alice has opened a channel; Bob takes so much unseen. Then nobody sees the chain.
async fn cut_off() -> (Chain, Party, Party, ChannelId) {
    let chain = Chain::new();
    let (alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    bob.kill().await;
    bob.offline_limit = LIMIT;
    bob.start().await;
    let id = opened(&chain, &alice, &bob, 200).await;
    chain.cut_off([alice.identity(), bob.identity()]);
    sights([&alice, &bob], id, Sight::Lost).await;
    (chain, alice, bob, id)
}

async fn connected(alice: &Party, bob: &Party, id: ChannelId) {
    alice.meet(bob).await;
    for _ in 0..600 {
        if alice.view(id).await.is_ready && bob.view(id).await.is_ready {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_unseen_is_bounded_through_restarts_and_free_when_the_chain_is_back() {
    let (chain, alice, mut bob, id) = cut_off().await;
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
    assert_eq!(alice.pay(&bob, 21).await, OUT_OF_SIGHT);
    assert_eq!((alice.view(id).await.can_send(), bob.view(id).await.can_receive()), (20, 20));
    bob.restart().await;
    connected(&alice, &bob, id).await;
    sights([&alice, &bob], id, Sight::Lost).await;
    assert_eq!(bob.view(id).await.unseen, (Units::from(30), Units::from(LIMIT)), "the count is durable");
    assert_eq!(alice.pay(&bob, 21).await, OUT_OF_SIGHT);
    assert_eq!(alice.pay(&bob, 20).await, Outcome::Paid(None));
    assert_eq!(alice.pay(&bob, 1).await, OUT_OF_SIGHT);
    assert_eq!(bob.pay(&alice, 1).await, OUT_OF_SIGHT, "Alice has allowed nothing");

    chain.cut_off([]);
    sights([&alice, &bob], id, Sight::Live).await;
    assert_eq!(bob.view(id).await.unseen.0, Units::ZERO);
    assert_eq!(alice.pay(&bob, 100).await, Outcome::Paid(None));
    assert_eq!((alice.balances(id).await, bob.balances(id).await), ((50, 150), (150, 50)));
    bob.channels().close(LEDGER, id, CloseHow::Together).await.unwrap();
    until(&chain, "both are paid", async || chain.slot(&id).is_none()).await;
    assert_eq!((chain.coins(&alice.identity()), chain.coins(&bob.identity())), (999_850, 1_000_150));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_the_chain_is_refused_with_the_reason_and_can_be_done_when_it_is_back() {
    let (chain, alice, bob, id) = cut_off().await;
    let out_of_sight = Err(ChannelsError::OutOfSight(LEDGER));
    let deposit =
        NewDeposit { ledger: LEDGER, token: None, peer: bob.identity(), window: Window::SHORTEST, amount: Units::from(10) };
    assert_eq!(alice.channels().deposit(deposit.clone()).await.map(drop), out_of_sight);
    assert_eq!(alice.channels().withdraw(LEDGER, id, Units::from(10)).await, out_of_sight);
    assert_eq!(alice.channels().close(LEDGER, id, CloseHow::Together).await, out_of_sight);
    assert_eq!(alice.channels().close(LEDGER, id, CloseHow::Alone).await, out_of_sight);
    let sealed = NewPayment { by: PayBy::Sealed, ..alice.payment(&bob, 5) };
    assert_eq!(alice.channels().pay(sealed.clone()).await.map(drop), out_of_sight);
    assert_eq!(alice.pay(&bob, 5).await, Outcome::Paid(None), "and nothing of it stands in the way of a payment at once");
    assert!(ChannelsError::OutOfSight(LEDGER).to_string().contains("ask again when its node answers"));

    chain.cut_off([]);
    sights([&alice, &bob], id, Sight::Live).await;
    let paid = alice.channels().pay(sealed).await.unwrap().ended.await.unwrap();
    assert!(matches!(paid, Outcome::Paid(Some(_))), "{paid:?}");
    alice.channels().deposit(deposit).await.unwrap();
    until(&chain, "it is there", async || alice.view(id).await.total == Units::from(210)).await;
}

/// What the limit is for: Alice sees the chain, Bob does not, and she closes by herself after he was paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_the_payee_did_not_see_is_answered_with_what_was_paid_unseen() {
    let (chain, alice, bob, id) = cut_off().await;
    chain.cut_off([bob.identity()]);
    assert_eq!(alice.pay(&bob, 40).await, Outcome::Paid(None));
    sees(&alice, id, Sight::Live).await;
    alice.channels().close(LEDGER, id, CloseHow::Alone).await.unwrap();
    until(&chain, "it is closed", async || matches!(chain.slot(&id), Some(photon_channel::contract::Slot::Closed(_)))).await;
    assert_eq!((bob.view(id).await.stage, bob.view(id).await.sight), (StageView::Open, Sight::Lost), "he knows nothing of it");
    chain.cut_off([]);
    until(&chain, "it is answered and settled", async || chain.slot(&id).is_none()).await;
    assert_eq!((chain.coins(&alice.identity()), chain.coins(&bob.identity())), (999_960, 1_000_040));
}
