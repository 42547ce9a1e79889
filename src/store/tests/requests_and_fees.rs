//! Requests end once, fees add up, and a wish to close alone is kept until it is done.

use super::*;
use photon_chains::{Address, Amount, Ledger};
use photon_channel::{ChannelId, Units};

const HASH: SecretHash = SecretHash::from_bytes([7; 32]);

#[tokio::test]
async fn a_request_is_listed_and_ends_once() {
    let world = World::new();
    let store = &world.store;
    let until = UnixTime::from_secs(1_000);
    for text in ["photon1first", "photon1again"] {
        store.insert_request(Ledger::Ethereum, HASH, text.to_owned(), until).await.unwrap();
    }
    let row = store.request(HASH).await.unwrap().unwrap();
    assert_eq!((row.text.as_str(), row.state, row.valid_until), ("photon1first", RequestState::Open, until));
    assert_eq!(store.requests(10).await.unwrap(), [row]);
    assert!(store.overdue_requests(until, 10).await.unwrap().is_empty(), "its last second is still in time");
    assert_eq!(store.overdue_requests(until.plus_secs(1), 10).await.unwrap().len(), 1);
    store.end_request(HASH, RequestState::GivenUp).await.unwrap();
    store.end_request(HASH, RequestState::Expired).await.unwrap();
    assert_eq!(store.request(HASH).await.unwrap().unwrap().state, RequestState::GivenUp);
    assert!(store.overdue_requests(until.plus_secs(1), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn fees_add_up_token_by_token() {
    let world = World::new();
    let token = Some(Address::from_bytes([5; 20]));
    for (token, units, payments) in [(None, 10, 2), (token, 7, 1), (None, 5, 1)] {
        let mut step = ChannelStep::of(Ledger::Smt);
        step.fees.insert(token, (Units::from(units), payments));
        world.store.commit_channels(step).await.unwrap();
    }
    let earned = world.store.earned().await.unwrap();
    let sums: Vec<_> = earned.iter().map(|row| (row.ledger, row.token, row.earned, row.payments)).collect();
    let amount = Amount::from_units;
    assert_eq!(sums, [(Ledger::Smt, None, amount(15), 3), (Ledger::Smt, token, amount(7), 1)]);
}

#[tokio::test]
async fn a_close_alone_is_due_at_its_second_and_until_it_is_done() {
    let world = World::new();
    let (store, id, at) = (&world.store, ChannelId::from_bytes([3; 32]), UnixTime::from_secs(100));
    store.fall_back(Ledger::Ethereum, id, at.plus_secs(50)).await.unwrap();
    store.fall_back(Ledger::Ethereum, id, at).await.unwrap();
    assert!(store.fallbacks_due(at.minus_secs(1)).await.unwrap().is_empty());
    assert_eq!(store.fallbacks_due(at).await.unwrap(), [(Ledger::Ethereum, id)]);
    store.forget_fallback(Ledger::Ethereum, id).await.unwrap();
    assert!(store.fallbacks_due(at).await.unwrap().is_empty());
}

/// A5: one hash is one swap's, or one payment's.
#[tokio::test]
async fn a_hash_of_a_swap_is_no_payments_and_a_hash_of_a_payment_no_swaps() {
    let world = World::new();
    let (store, of_swap, of_payment) = (&world.store, SecretHash::from_bytes(bytes(1)), HASH);
    store.insert_agreed(of_swap, new_swap(1)).await.unwrap();
    assert_eq!(store.pay_by_hash(of_swap).await, Err(StoreError::HashUsed));
    store.pay_by_hash(of_payment).await.unwrap();
    store.pay_by_hash(of_payment).await.unwrap();
    assert_eq!(store.reserve_hash(of_payment).await.map(|_| ()), Err(StoreError::HashUsed));
    assert_eq!(store.insert_agreed(of_payment, new_swap(2)).await.map(|_| ()), Err(StoreError::HashUsed));
    assert_eq!((store.has_live_swap(of_swap).await, store.has_live_swap(of_payment).await), (Ok(true), Ok(false)));
}
