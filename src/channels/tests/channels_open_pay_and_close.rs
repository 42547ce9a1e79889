//! The thin path, and the article's story on one coin.

use super::*;
use crate::channels::words::PaymentState;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_opens_is_paid_over_and_closes_together() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
    assert_eq!((alice.balances(id).await, bob.balances(id).await), ((70, 30), (30, 70)));
    assert_eq!(bob.pay(&alice, 10).await, Outcome::Paid(None), "what came in can go out again");
    let page = alice.channels().payments(None, 10).await.unwrap();
    let seen: Vec<_> = page.items.iter().map(|row| (row.is_incoming, row.amount.get(), row.state.clone())).collect();
    assert_eq!(seen, [(true, 10, PaymentState::Paid), (false, 30, PaymentState::Paid)]);

    bob.channels().close(LEDGER, id, CloseHow::Together).await.unwrap();
    until(&chain, "both are paid", async || chain.slot(&id).is_none()).await;
    assert_eq!((chain.coins(&alice.identity()), chain.coins(&bob.identity())), (999_980, 1_000_020));
    until(&chain, "both have put it away", async || {
        let (here, there) = (alice.channels().list().await.unwrap(), bob.channels().list().await.unwrap());
        here.is_empty() && there.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_on_its_way_in_is_shown_until_it_is_there() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    until(&chain, "nothing is on its way any more", async || !alice.view(id).await.is_filling).await;
    let (peer, window, amount) = (bob.identity(), Window::SHORTEST, Units::from(50));
    alice.channels().deposit(NewDeposit { ledger: LEDGER, token: None, peer, window, amount }).await.unwrap();
    assert!(alice.view(id).await.is_filling, "whoever has lost the answer sees that it was taken");
    until(&chain, "it is there", async || !alice.view(id).await.is_filling).await;
    assert_eq!(alice.balances(id).await, (150, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_goes_through_a_mediator_who_takes_a_fee() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    let first = opened(&chain, &alice, &bob, 1_000).await;
    let second = opened(&chain, &bob, &charlie, 800).await;
    let request = NewRequest {
        ledger: LEDGER,
        amount: Units::from(200),
        least_secs: 0,
        hold: None,
        id: None,
        until: None,
        memo: Some("tea".to_owned()),
    };
    let request = charlie.channels().expect(request).await.unwrap();
    let key = photon_chains::PublicKey::from_bytes(
        *Signer::new(*charlie.wallet.evm_account_key().expose()).unwrap().known().public_key().as_bytes(),
    );
    let by_hash = NewPayment {
        payee: Payee::Key(key),
        by: PayBy::Hash(request.secret_hash),
        through: Through::Mediators(vec![bob.identity()]),
        ..alice.payment(&charlie, 200)
    };
    let sealed = NewPayment { by: PayBy::Sealed, amount: Units::from(100), ..by_hash.clone() };
    for payment in [by_hash, sealed] {
        let paid = alice.channels().pay(payment).await.unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(60), paid.ended).await.unwrap().unwrap();
        assert!(matches!(outcome, Outcome::Paid(Some(_))), "{outcome:?}");
    }
    until(&chain, "all is unlocked", async || charlie.balances(second).await == (300, 500)).await;
    assert_eq!(alice.balances(first).await, (697, 303), "one in a hundred for the mediator");
    let page = charlie.channels().payments(None, 10).await.unwrap();
    let memos: Vec<_> = page.items.iter().map(|row| row.memo.clone()).collect();
    assert_eq!(memos, [None, Some("tea".to_owned())]);
    assert!(charlie.channels().requests(LEDGER).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_taken_out_of_a_channel_that_goes_on() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 40).await, Outcome::Paid(None));
    alice.channels().withdraw(LEDGER, id, Units::from(10)).await.unwrap();
    until(&chain, "it is out", async || alice.view(id).await.total == Units::from(90)).await;
    until(&chain, "the other one sees it", async || bob.view(id).await.total == Units::from(90)).await;
    assert_eq!(chain.coins(&alice.identity()), 999_910);
    assert_eq!(alice.pay(&bob, 50).await, Outcome::Paid(None));
    assert_eq!(alice.balances(id).await, (0, 90));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_alone_is_answered_with_the_newest_word_and_settled() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 60).await, Outcome::Paid(None));
    alice.channels().close(LEDGER, id, CloseHow::Alone).await.unwrap();
    assert_eq!(alice.view(id).await.stage, StageView::Closing);
    until(&chain, "it is closed, answered and settled", async || chain.slot(&id).is_none()).await;
    assert_eq!((chain.coins(&alice.identity()), chain.coins(&bob.identity())), (999_940, 1_000_060));
    until(&chain, "both have put it away", async || {
        let (here, there) = (alice.channels().list().await.unwrap(), bob.channels().list().await.unwrap());
        here.is_empty() && there.is_empty()
    })
    .await;
}
