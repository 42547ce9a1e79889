//! Offers, payments, peers, events, answers, single values.

use super::*;
use crate::service::StoredAnswer;
use photon_chains::{Amount, Asset, Ledger, LockId};
use photon_swap::OfferId;

fn offer(number: u32, valid_until: u64) -> NewOffer {
    let valid_until = UnixTime::from_secs(valid_until);
    NewOffer { id: OfferId::from_bytes(bytes(number)), body: r#"{"give":"BTC"}"#.to_owned(), valid_until }
}

#[tokio::test]
async fn offers_open_end_and_stay_ended() {
    let world = World::new();
    let store = &world.store;
    let [early, late, cancelled] = [offer(1, 100), offer(2, 200), offer(3, 300)];
    for offer in [&early, &late, &cancelled, &early] {
        store.insert_offer(offer.clone()).await.unwrap();
    }
    let changed = NewOffer { body: "{}".to_owned(), ..early.clone() };
    assert_eq!(store.insert_offer(changed).await, Err(StoreError::Conflict("offer")));
    store.cancel_offer(cancelled.id).await.unwrap();
    store.cancel_offer(cancelled.id).await.unwrap();
    assert_eq!(store.expire_offers(UnixTime::from_secs(100)).await.unwrap(), vec![], "the last second counts");
    assert_eq!(store.expire_offers(UnixTime::from_secs(101)).await.unwrap(), vec![early.id]);
    assert_eq!(store.cancel_offer(early.id).await, Err(StoreError::OfferNotOpen));
    assert_eq!(store.reopen_offer(cancelled.id).await, Err(StoreError::OfferNotOpen));
    assert_eq!(store.cancel_offer(OfferId::from_bytes([9; 32])).await, Err(StoreError::NoSuch("offer")));
    let open: Vec<_> = store.open_offers(UnixTime::from_secs(150)).await.unwrap().into_iter().map(|offer| offer.id).collect();
    assert_eq!(open, [late.id]);
    assert_eq!(store.open_offers(UnixTime::from_secs(201)).await.unwrap(), vec![]);
    let page = store.list_offers(None, 2).await.unwrap();
    assert_eq!(page.items.iter().map(|offer| offer.state).collect::<Vec<_>>(), [OfferState::Cancelled, OfferState::Open]);
    let rest = store.list_offers(page.next, 2).await.unwrap();
    assert_eq!((rest.items[0].id, rest.items[0].state, rest.next), (early.id, OfferState::Expired, None));
}

#[tokio::test]
async fn a_payment_is_one_payment_and_what_is_over_stays_over() {
    let world = World::new();
    let payment = |number: u32| NewSend {
        id: LockId::from_bytes(bytes(number)),
        asset: Asset::Native(Ledger::Litecoin),
        amount: Amount::from_units(u128::MAX),
        to: "rltc1q".to_owned(),
    };
    for number in [1, 2, 3, 1] {
        world.store.insert_send(payment(number)).await.unwrap();
    }
    let other = NewSend { amount: Amount::from_units(1), ..payment(1) };
    assert_eq!(world.store.insert_send(other).await, Err(StoreError::Conflict("payment")));
    world.store.set_send_state(payment(1).id, SendState::Done, None).await.unwrap();
    world.store.set_send_state(payment(2).id, SendState::Refused, Some("not enough".to_owned())).await.unwrap();
    world.store.set_send_state(payment(3).id, SendState::Sent, None).await.unwrap();
    let back = world.store.set_send_state(payment(2).id, SendState::Pending, None).await;
    assert_eq!(back, Err(StoreError::Conflict("payment")));
    let world = world.reopened().await;
    let unfinished = world.store.unfinished_sends().await.unwrap();
    assert_eq!(unfinished.iter().map(|row| (&row.send, row.state)).collect::<Vec<_>>(), [(&payment(3), SendState::Sent)]);
    let refused = world.store.send(payment(2).id).await.unwrap().unwrap();
    assert_eq!((refused.state, refused.reason.as_deref()), (SendState::Refused, Some("not enough")));
    assert_eq!(world.store.list_sends(None, 10).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn named_peers_stay_and_strangers_are_bounded() {
    let world = World::new();
    let store = &world.store;
    let identity = |number: u32| Address::from_bytes(bytes(number)[..20].try_into().unwrap());
    store.name_peer(identity(1), "a:1".to_owned(), "bob".to_owned()).await.unwrap();
    let taken = store.name_peer(identity(2), "b:1".to_owned(), "bob".to_owned()).await;
    assert_eq!(taken, Err(StoreError::Conflict("alias")));
    store.saw_peer(identity(1), "a:2".to_owned()).await.unwrap();
    let bob = store.peer_named("bob".to_owned()).await.unwrap().unwrap();
    assert_eq!((bob.identity, bob.endpoint.as_str(), bob.last_seen.is_some()), (identity(1), "a:2", true));
    let strangers = peers::STRANGERS_KEPT + 20;
    let seen = (0..strangers).map(|number| store.saw_peer(identity(100 + number), "x:1".to_owned()));
    for seen in futures::future::join_all(seen).await {
        seen.unwrap();
    }
    let all = store.peers().await.unwrap();
    assert_eq!(all.len(), 1 + peers::STRANGERS_KEPT as usize);
    assert_eq!(all[0], bob, "the named one is still there, and first");
    assert!(store.forget_peer(identity(1)).await.unwrap());
    assert!(!store.forget_peer(identity(1)).await.unwrap());
    assert_eq!(store.peer(identity(1)).await.unwrap(), None);
}

#[tokio::test]
async fn events_are_heard_in_order_and_only_the_newest_are_kept() {
    let world = World::new();
    let mut ear = world.store.watch_events();
    assert_eq!(*ear.borrow(), 0);
    let id = world.add_swap(1).await;
    let about = NewEvent { swap: Some(id), ..event("swap") };
    let step = StepRows { facts: vec![fact("a", "1")], events: vec![event("one"), about.clone()], ..StepRows::default() };
    world.store.commit_step(id, step).await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(5), ear.changed()).await.unwrap().unwrap();
    assert_eq!(*ear.borrow_and_update(), 2);
    let page = world.store.events_after(0, 10).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["one", "swap"]);
    assert_eq!((page.events[1].swap, page.oldest), (Some(id), 1));
    assert_eq!(world.store.events_after(2, 10).await.unwrap().events, vec![]);
    let refused = StepRows { facts: vec![fact("b", "no json")], events: vec![event("never")], ..StepRows::default() };
    assert!(world.store.commit_step(id, refused).await.is_err());
    assert!(!ear.has_changed().unwrap(), "what was refused is not told");
    let many = world.store.write(|write| {
        for _ in 0..events::KEPT + 5 {
            events::append(write, &event("many"))?;
        }
        Ok(())
    });
    many.await.unwrap();
    let world = world.reopened().await;
    let newest = *world.store.watch_events().borrow();
    assert_eq!(newest, events::KEPT + 7, "the newest is known after a restart");
    let page = world.store.events_after(0, 2).await.unwrap();
    assert_eq!((page.oldest, page.events[0].seq), (8, 8), "who asked for older ones can see that they are gone");
    let count: u64 =
        world.store.read(|read| Ok(read.conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?)).await.unwrap();
    assert_eq!(count, events::KEPT);
}

#[tokio::test]
async fn an_answer_is_given_again_for_a_day_and_no_longer() {
    let world = World::new();
    let answer = |status| StoredAnswer { request_hash: [1; 32], status, body: "{}".to_owned() };
    let stored = async |store: &Store| store.stored_answer("k".to_owned()).await.unwrap();
    assert_eq!(stored(&world.store).await, None);
    world.store.store_answer("k".to_owned(), answer(0)).await.unwrap();
    let world = world.reopened().await;
    let begun = stored(&world.store).await.unwrap();
    assert_eq!((begun.status, begun.request_hash), (0, [1; 32]), "begun, and cut off");
    world.store.store_answer("k".to_owned(), answer(201)).await.unwrap();
    assert_eq!(stored(&world.store).await, Some(answer(201)));
    let aged = world.store.write(|write| {
        write.conn.execute("UPDATE answers SET created_at = created_at - ?1", [answers::KEPT_SECS + 1])?;
        Ok(())
    });
    aged.await.unwrap();
    world.store.store_answer("other".to_owned(), answer(200)).await.unwrap();
    assert_eq!(stored(&world.store).await, None);
}

#[tokio::test]
async fn answers_are_bounded_in_number_and_size() {
    let world = World::new();
    let answer = |body: String| StoredAnswer { request_hash: [1; 32], status: 200, body };
    let many = world.store.write(|write| {
        for number in 0..answers::KEPT {
            let sql = "INSERT INTO answers(key, request, status, body, created_at) VALUES(?1, zeroblob(32), 200, '{}', ?2)";
            write.conn.execute(sql, (format!("key-{number}"), write.now.secs()))?;
        }
        Ok(())
    });
    many.await.unwrap();
    world.store.store_answer("newest".to_owned(), answer("{}".to_owned())).await.unwrap();
    assert_eq!(world.store.stored_answer("key-0".to_owned()).await.unwrap(), None, "the oldest goes first");
    assert!(world.store.stored_answer("key-1".to_owned()).await.unwrap().is_some());
    for (key, body) in
        [(String::new(), "{}".to_owned()), ("x".repeat(129), "{}".to_owned()), ("k".to_owned(), "x".repeat(70_000))]
    {
        let refused = world.store.store_answer(key, answer(body)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn single_values_are_set_pinned_and_our_own_key_is_out_of_reach() {
    let world = World::new();
    world.store.set_meta("contracts/ethereum", "1".to_owned()).await.unwrap();
    world.store.set_meta("contracts/ethereum", "2".to_owned()).await.unwrap();
    world.store.pin_meta("network", "regtest".to_owned()).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.store.meta("contracts/ethereum").await.unwrap().as_deref(), Some("2"));
    world.store.pin_meta("network", "regtest".to_owned()).await.unwrap();
    assert_eq!(world.store.pin_meta("network", "main".to_owned()).await, Err(StoreError::Conflict("value")));
    assert_eq!(world.store.meta("nothing").await.unwrap(), None);
    assert!(world.store.set_meta("storage_key", "x".to_owned()).await.is_err());
}
