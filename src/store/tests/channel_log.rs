//! The log of what the channels' engine changes: it says what rows would have said, and stays short.

use super::*;
use crate::store::{channel_log, rows};
use photon_chains::Ledger;
use photon_channel::{ChannelId, ChannelRef, Epoch, Key, Nonce, Row, Write};
use std::collections::BTreeMap;

const LEDGER: Ledger = Ledger::Ethereum;
const OF: ChannelRef = ChannelRef { channel: ChannelId::from_bytes([4; 32]), epoch: Epoch(1) };

fn key(number: u64) -> Key {
    Key::Unacked(OF, Nonce(number))
}

fn step(ledger: Ledger, writes: Vec<(Write, Option<String>)>) -> ChannelStep {
    let mut step = ChannelStep::of(ledger);
    for (place, (write, memo)) in writes.into_iter().enumerate() {
        step.writes.push(write);
        step.memos.extend(memo.map(|memo| (place, memo)));
    }
    step
}

fn put(number: u64, bytes: Vec<u8>) -> (Write, Option<String>) {
    (Write { key: key(number), row: Some(Row::Unacked(bytes)) }, None)
}

fn gone(number: u64) -> (Write, Option<String>) {
    (Write { key: key(number), row: None }, None)
}

/// Rows in the log that nobody has folded yet, and their bytes.
async fn unfolded(store: &Store) -> (u64, u64) {
    let counted = store.read(|read| {
        let sql = "SELECT count(*), coalesce(sum(length(body)), 0) FROM channel_log";
        rows::first_row!(read.conn, sql, [], |row| Ok::<_, StoreError>((row.get(0)?, row.get(1)?)))
    });
    counted.await.unwrap().unwrap()
}

type Model = BTreeMap<Key, (Row, Option<String>)>;

async fn live(store: &Store) -> Model {
    let live = store.live_channels(LEDGER).await.unwrap();
    live.rows.into_iter().map(|live| (live.key, (live.row, live.memo))).collect()
}

#[tokio::test]
async fn rows_are_what_the_steps_made_of_them_wherever_between_them_the_log_is_folded() {
    let mut dice = 7u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let (mut world, mut model) = (World::new(), Model::new());
    for number in 0..400u64 {
        let mut writes = Vec::new();
        for _ in 0..=roll(4) {
            let key = key(roll(12));
            if roll(3) == 0 {
                model.remove(&key);
                writes.push((Write { key, row: None }, None));
                continue;
            }
            let row = Row::Unacked(number.to_be_bytes().to_vec());
            let memo = (roll(2) == 0).then(|| format!("note {number}"));
            // The note stays that of the row's beginning.
            model.entry(key).and_modify(|(old, _)| *old = row.clone()).or_insert((row.clone(), memo.clone()));
            writes.push((Write { key, row: Some(row) }, memo));
        }
        world.store.commit_channels(step(LEDGER, writes)).await.unwrap();
        match roll(12) {
            0 => assert_eq!(live(&world.store).await, model, "after step {number}"),
            1 => world = world.reopened().await,
            _ => {}
        }
    }
    assert_eq!(live(&world.store).await, model);
    assert_eq!(unfolded(&world.store).await, (0, 0));
    assert_eq!(world.store.live_channels(Ledger::Smt).await.unwrap(), LiveChannels::default());
}

#[tokio::test]
async fn a_row_is_as_old_as_its_first_writing_whether_the_log_was_folded_since_or_not() {
    let world = World::new();
    let at = |time: u64| {
        world.store.write(move |write| {
            write.now = UnixTime::from_secs(time);
            channel_log::append(write, LEDGER, &[(&put(1, vec![1]).0, None), (&put(time, vec![2]).0, None)])
        })
    };
    at(10).await.unwrap();
    at(20).await.unwrap();
    let ages = async || {
        let live = world.store.live_channels(LEDGER).await.unwrap();
        live.rows.into_iter().map(|row| row.at.secs()).collect::<Vec<_>>()
    };
    assert_eq!(ages().await, [10, 10, 20]);
    at(30).await.unwrap();
    assert_eq!(ages().await, [10, 10, 20, 30]);
}

#[tokio::test]
async fn the_log_stays_short_and_what_came_and_went_leaves_nothing() {
    let world = World::new();
    let large = vec![7; 70_000];
    for number in 0..60 {
        // What a step changes is more than one record holds.
        let writes = (0..4).map(|place| put(4 * number + place, large.clone()));
        let before = (0..4).filter(|_| number > 0).map(|place| gone(4 * number + place - 4));
        world.store.commit_channels(step(LEDGER, writes.chain(before).collect())).await.unwrap();
        let (_, bytes) = unfolded(&world.store).await;
        assert!(bytes < channel_log::LONG, "{bytes} bytes after step {number}");
    }
    assert_eq!(live(&world.store).await.len(), 4, "those of the last step");
    world.store.close().await.unwrap();
    let bytes = std::fs::metadata(world.path()).unwrap().len();
    assert!(bytes < 2 * channel_log::LONG, "{bytes} bytes, of twice as many that were written");
}

#[tokio::test]
async fn what_a_refused_step_has_added_to_the_log_is_nowhere_whoever_shared_its_transaction() {
    let world = World::new();
    // From here on the log is in memory, too.
    assert_eq!(live(&world.store).await, Model::new());
    for number in 1..=20 {
        let good = world.store.commit_channels(step(LEDGER, vec![put(number, vec![1])]));
        let wishes = vec![("close/x".to_owned(), Some("no json".to_owned()))];
        let bad = ChannelStep { wishes, ..step(LEDGER, vec![put(100 + number, vec![2]), gone(number - 1)]) };
        let bad = world.store.commit_channels(bad);
        let (good, bad) = if number % 2 == 0 { tokio::join!(good, bad) } else { (good.await, bad.await) };
        assert_eq!(good, Ok(()));
        assert!(matches!(bad, Err(StoreError::Invalid { .. })), "{bad:?}");
    }
    let keys: Vec<Key> = live(&world.store).await.into_keys().collect();
    assert_eq!(keys, (1..=20).map(key).collect::<Vec<_>>());
    assert_eq!(world.store.failure(), None);
}

#[tokio::test]
async fn a_record_that_was_moved_or_changed_is_not_believed() {
    for harm in [
        "UPDATE channel_log SET n = n + 1",
        "UPDATE channel_log SET ledger = 'smt'",
        "UPDATE channel_log SET body = zeroblob(100)",
    ] {
        let world = World::new();
        world.store.commit_channels(step(LEDGER, vec![put(1, vec![1])])).await.unwrap();
        let harmed = world.store.write(move |write| Ok(rows::change!(write.conn, harm, [])?));
        assert_eq!(harmed.await, Ok(1));
        // Whoever has written it still knows what it said.
        let world = world.reopened().await;
        assert_eq!(world.store.live_channels(LEDGER).await, Err(StoreError::Unreadable("channel log")), "{harm}");
    }
}
