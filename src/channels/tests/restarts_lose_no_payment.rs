//! Killed in the middle, again and again: every payment that was taken on is made once, or not at all and said so.

use super::*;
use crate::channels::words::PaymentState;
use photon_chains::Secret;
use photon_channel::Key;

const PAYMENTS: u64 = 120;

async fn all_payments(party: &Party) -> Vec<PaymentView> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = party.channels().payments(before, 50).await.unwrap();
        all.extend(page.items);
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_when_every_payment_arrives_once() {
    let chain = Chain::new();
    let (mut alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 10_000).await;
    let mut asked = BTreeSet::new();
    for round in 0..6 {
        for _ in 0..PAYMENTS / 6 {
            asked.insert(alice.channels().pay(alice.payment(&bob, 3)).await.unwrap().id);
        }
        if round % 2 == 0 {
            alice.restart().await;
        } else {
            bob.restart().await;
        }
        alice.meet(&bob).await;
        bob.meet(&alice).await;
    }
    until(&chain, "nothing is under way", async || alice.channels().running(LEDGER, 1_000).await.unwrap().is_empty()).await;
    let (made, received) = (all_payments(&alice).await, all_payments(&bob).await);
    assert!(made.iter().all(|row| row.state == PaymentState::Paid));
    assert_eq!(made.iter().map(|row| row.id).collect::<BTreeSet<_>>(), asked);
    assert_eq!(received.iter().map(|row| row.id).collect::<BTreeSet<_>>(), asked);
    assert_eq!((made.len(), received.len()), (asked.len(), asked.len()), "each of them once");
    let sum = i128::from(3 * PAYMENTS);
    assert_eq!((alice.balances(id).await, bob.balances(id).await), ((10_000 - sum, sum), (sum, 10_000 - sum)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_asked_for_twice_by_name_is_made_once() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 100).await;
    let id = PaymentId::from_bytes([7; 16]);
    let named = NewPayment { id: Some(id), ..alice.payment(&bob, 5) };
    let paid = alice.channels().pay(named.clone()).await.unwrap();
    assert_eq!(paid.ended.await.unwrap(), Outcome::Paid(None));
    assert_eq!(alice.channels().pay(named.clone()).await.unwrap_err(), ChannelsError::SamePayment(id));
    alice.restart().await;
    assert_eq!(alice.channels().pay(named).await.unwrap_err(), ChannelsError::SamePayment(id));
}

/// Many at once, so that steps are made ready while others are on their way to the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_is_cut_off_leaves_each_payment_made_once_or_not_at_all() {
    let chain = Chain::new();
    let (mut alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100_000).await;
    let mut asked = BTreeSet::new();
    for round in 0..6 {
        let burst: Vec<_> = (0..300)
            .map(|number| {
                let memo = (number % 3 == 0).then(|| format!("note {number}"));
                let (channels, payment) = (alice.channels().clone(), NewPayment { memo, ..alice.payment(&bob, 3) });
                tokio::spawn(async move { channels.pay(payment).await.map(|paying| paying.id) })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(round * 4)).await;
        if round % 2 == 0 {
            alice.restart().await;
        } else {
            bob.restart().await;
        }
        for taken_on in burst {
            asked.extend(taken_on.await.unwrap());
        }
        alice.meet(&bob).await;
        bob.meet(&alice).await;
    }
    until(&chain, "nothing is under way", async || alice.channels().running(LEDGER, 1_000).await.unwrap().is_empty()).await;
    let (made, received) = (all_payments(&alice).await, all_payments(&bob).await);
    let ids = |rows: &[PaymentView]| rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
    assert!(made.iter().all(|row| row.state == PaymentState::Paid));
    assert!(asked.len() >= 900 && asked.is_subset(&ids(&made)), "what was taken on is made");
    assert_eq!(ids(&made), ids(&received), "what one side says, the other one says, too");
    assert_eq!((made.len(), received.len()), (ids(&made).len(), ids(&made).len()), "each of them once");
    let notes = made.iter().filter(|row| row.memo.is_some()).count();
    assert!(notes >= 300, "notes are kept through a restart: {notes}");
    let sum = 3 * made.len() as i128;
    assert_eq!((alice.balances(id).await, bob.balances(id).await), ((100_000 - sum, sum), (sum, 100_000 - sum)));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_an_update_has_arrived_is_written_when_there_is_nothing_else_to_write() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 10_000).await;
    // A look at the chain would be something to do: there is one, at the start.
    alice.pace = Duration::from_secs(3_600);
    alice.restart().await;
    alice.meet(&bob).await;
    bob.meet(&alice).await;
    let secret = Secret::from_bytes([7; 32]);
    let (amount, hold) = (Units::from(10), Some(secret.hash()));
    let request = NewRequest { ledger: LEDGER, amount, least_secs: 0, hold, id: None, until: None, memo: None };
    bob.channels().expect(request).await.unwrap();
    let payment = NewPayment { by: PayBy::Hash(secret.hash()), ..alice.payment(&bob, 10) };
    alice.channels().pay(payment).await.unwrap();
    until(&chain, "the lock is with Bob, by Alice's disk", async || {
        let rows = alice.runs().store.live_channels(LEDGER).await.unwrap().rows;
        let is_there = |of: fn(&Key) -> bool| rows.iter().any(|row| of(&row.key));
        is_there(|key| matches!(key, Key::Lock(..))) && !is_there(|key| matches!(key, Key::Unacked(..)))
    })
    .await;
}
