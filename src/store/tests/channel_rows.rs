//! Payment channels: what is live, what an old update committed to, and payments that have ended.

use super::*;
use photon_chains::{Expiry, Ledger, Secret};
use photon_channel::{
    ChannelId, ChannelRef, Commitment, Epoch, Held, Key, Link, LockNo, LockState, Nonce, PaymentId, Pending, Reason, Row, Units,
    Write,
};

const OF: ChannelRef = ChannelRef { channel: ChannelId::from_bytes([4; 32]), epoch: Epoch(9) };
const LEDGER: Ledger = Ledger::Smt;

fn held(nonce: u64, place: u16, state: LockState) -> Held {
    let number = LockNo::new(Nonce(nonce), place);
    let expiry = Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(2_000_000_000)) };
    let lock = Pending { number, secret_hash: SecretHash::from_bytes(bytes(number.0 as u32)), amount: Units::from(5), expiry };
    Held { lock, state, link: Link::Payment(PaymentId::from_bytes([1; 16])) }
}

fn step(writes: Vec<Write>) -> ChannelStep {
    ChannelStep { writes, ..ChannelStep::of(LEDGER) }
}

fn put(key: Key, row: Row) -> Write {
    Write { key, row: Some(row) }
}

fn ended(number: u32) -> NewEnded {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    NewEnded {
        is_incoming: false,
        is_unasked: false,
        id: PaymentId::from_bytes(id),
        channel: OF.channel,
        token: Some(Address::from_bytes([6; 20])),
        payee: Some(Address::from_bytes([3; 20])),
        amount: Units::from(7),
        fee: Units::from(1),
        secret_hash: None,
        receipt: None,
        failed: None,
        memo: None,
        created_at: UnixTime::from_secs(1),
    }
}

#[tokio::test]
async fn what_is_live_is_read_back_and_what_is_gone_is_not() {
    let world = World::new();
    let lock = held(1, 0, LockState::Waiting);
    let key = Key::Lock(OF, false, lock.lock.number);
    let rows = vec![put(key, Row::Lock(Box::new(lock.clone()))), put(Key::Disposed(OF, lock.lock.secret_hash), Row::Disposed)];
    world.store.commit_channels(step(rows)).await.unwrap();
    let wish = |body: Option<&str>| ChannelStep {
        wishes: vec![("close/x".to_owned(), body.map(str::to_owned))],
        ..ChannelStep::of(LEDGER)
    };
    world.store.commit_channels(wish(Some("{}"))).await.unwrap();
    let world = world.reopened().await;
    let live = world.store.live_channels(LEDGER).await.unwrap();
    assert_eq!(live.rows.iter().map(|row| row.key).collect::<Vec<_>>(), [key, Key::Disposed(OF, lock.lock.secret_hash)]);
    assert_eq!(live.wishes.iter().map(|(key, body, _)| (key.as_str(), body.as_str())).collect::<Vec<_>>(), [("close/x", "{}")]);
    assert_eq!(world.store.live_channels(Ledger::Ethereum).await.unwrap(), LiveChannels::default());
    world.store.commit_channels(step(vec![Write { key, row: None }])).await.unwrap();
    world.store.commit_channels(wish(None)).await.unwrap();
    let live = world.store.live_channels(LEDGER).await.unwrap();
    assert_eq!((live.rows.len(), live.wishes.len()), (1, 0));
}

#[tokio::test]
async fn a_lock_is_in_the_list_of_every_update_from_the_one_that_added_it_to_the_one_that_took_it_off() {
    let world = World::new();
    let (early, late) = (held(1, 0, LockState::Waiting), held(3, 0, LockState::Waiting));
    let row = Row::Gone(Box::new(early.clone()), Nonce(4));
    let rows = vec![
        put(Key::Gone(OF, false, early.lock.number), row),
        put(Key::Lock(OF, false, late.lock.number), Row::Lock(Box::new(late.clone()))),
        put(Key::Sent(OF, Nonce(3)), Row::Sent(Units::from(8), Commitment::default())),
    ];
    world.store.commit_channels(step(rows)).await.unwrap();
    let list = |nonce| world.store.channel_list(LEDGER, OF, false, Nonce(nonce));
    assert_eq!(list(0).await.unwrap(), []);
    assert_eq!(list(1).await.unwrap(), std::slice::from_ref(&early));
    assert_eq!(list(3).await.unwrap(), [early, late.clone()]);
    assert_eq!(list(4).await.unwrap(), [late]);
    assert_eq!(world.store.channel_list(LEDGER, OF, true, Nonce(4)).await.unwrap(), []);
    let sent = world.store.channel_sent(LEDGER, OF, Nonce(3)).await.unwrap();
    assert_eq!(sent, Some((Units::from(8), Commitment::default())));
}

#[tokio::test]
async fn locks_that_one_update_took_off_are_each_in_the_lists_of_the_updates_before_it() {
    let world = World::new();
    // Some of each of three updates, more than one row holds.
    let all: Vec<Held> = (1..4).flat_map(|nonce| (0..30).map(move |place| held(nonce, place, LockState::Waiting))).collect();
    let row = |lock: &Held| put(Key::Gone(OF, true, lock.lock.number), Row::Gone(Box::new(lock.clone()), Nonce(7)));
    world.store.commit_channels(step(all.iter().rev().map(row).collect())).await.unwrap();
    let world = world.reopened().await;
    for nonce in 0..8 {
        let expected: Vec<Held> =
            all.iter().filter(|held| held.lock.number.nonce() <= Nonce(nonce) && nonce < 7).cloned().collect();
        assert_eq!(world.store.channel_list(LEDGER, OF, true, Nonce(nonce)).await.unwrap(), expected, "update {nonce}");
    }
}

#[tokio::test]
async fn secrets_of_channels_are_not_read_off_the_disk() {
    let world = World::new();
    let secret = Secret::from_bytes([0x5c; 32]);
    let lock = held(1, 0, LockState::Known(secret.clone()));
    let payment = NewEnded { receipt: Some(secret.clone()), ..ended(1) };
    let rows = vec![put(Key::Lock(OF, true, lock.lock.number), Row::Lock(Box::new(lock)))];
    world.store.commit_channels(ChannelStep { ended: vec![payment], ..step(rows) }).await.unwrap();
    assert_eq!(world.store.receipt_of(LEDGER, ended(1).id).await.unwrap(), Some(secret.clone()));
    world.store.close().await.unwrap();
    let file = std::fs::read(world.path()).unwrap();
    assert!(!file.windows(32).any(|window| window == secret.expose()));
}

#[tokio::test]
async fn a_payment_that_came_in_is_found_by_its_hash_if_it_was_asked_for() {
    let world = World::new();
    let hash = SecretHash::from_bytes([8; 32]);
    let came = NewEnded { is_incoming: true, payee: None, secret_hash: Some(hash), ..ended(1) };
    let unasked = NewEnded { is_unasked: true, ..came.clone() };
    let step = ChannelStep { ended: vec![unasked.clone(), came.clone()], ..ChannelStep::of(LEDGER) };
    world.store.commit_channels(step).await.unwrap();
    let found: Vec<_> = world.store.received_for(hash).await.unwrap().into_iter().map(|row| row.payment).collect();
    assert_eq!(found, std::slice::from_ref(&came));
    let page = world.store.ended_payments(None, 10).await.unwrap();
    assert_eq!(page.items.into_iter().map(|row| row.payment).collect::<Vec<_>>(), [came, unasked]);
}

#[tokio::test]
async fn a_payment_is_found_by_its_name_and_pages_go_back_in_time() {
    let world = World::new();
    let failed = NewEnded { failed: Some(Reason::Funds), memo: Some("rent".to_owned()), ..ended(3) };
    let all = ChannelStep { ended: vec![ended(1), ended(2), failed.clone()], ..ChannelStep::of(LEDGER) };
    world.store.commit_channels(all).await.unwrap();
    let first = world.store.ended_payments(None, 2).await.unwrap();
    let rest = world.store.ended_payments(first.next, 2).await.unwrap();
    let seen: Vec<_> = first.items.into_iter().chain(rest.items).map(|row| row.payment).collect();
    assert_eq!((seen, rest.next), (vec![failed, ended(2), ended(1)], None));
    assert!(world.store.made_payment(LEDGER, ended(2).id).await.unwrap().is_some());
    assert_eq!(world.store.made_payment(Ledger::Ethereum, ended(2).id).await.unwrap(), None);
    let known = world.store.have_ended(LEDGER, vec![ended(2).id, ended(9).id]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [ended(2).id]);
    let twice = ChannelStep { ended: vec![ended(2)], ..ChannelStep::of(LEDGER) };
    assert!(matches!(world.store.commit_channels(twice).await, Err(StoreError::Invalid { .. })));
}
