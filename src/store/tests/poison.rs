use super::*;
use std::time::Duration;

/// Stops the writer until the sender is dropped or used, so that writes pile up behind it.
pub(super) async fn hold_the_writer(store: &Store) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel();
    let (began, begun) = tokio::sync::oneshot::channel();
    let holder = store.clone();
    tokio::spawn(async move {
        holder
            .write(move |_| {
                let _ = began.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    begun.await.unwrap();
    release
}

/// From now on the disk is "full": SQLite may not make the file larger.
async fn fill_the_disk(store: &Store) {
    let full = store.write(|write| {
        let pages: u32 = write.conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        write.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    });
    full.await.unwrap();
}

fn big_fact() -> FactRow {
    fact("big", &format!("\"{}\"", "x".repeat(60_000)))
}

pub(super) async fn until_queued(store: &Store, count: usize) {
    while store.stats().queued < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn writes_that_wait_share_one_commit() {
    let world = World::new();
    let ids = [world.add_swap(1).await, world.add_swap(2).await];
    let release = hold_the_writer(&world.store).await;
    let writes: Vec<_> = (0..100usize)
        .map(|number| {
            let (store, id) = (world.store.clone(), ids[number % 2]);
            tokio::spawn(async move { store.commit_step(id, facts_step(vec![fact("n", &number.to_string())])).await })
        })
        .collect();
    until_queued(&world.store, 100).await;
    let before = world.store.stats();
    drop(release);
    for write in writes {
        assert_eq!(write.await.unwrap().unwrap().new_facts, 1);
    }
    let after = world.store.stats();
    assert_eq!(after.commits - before.commits, 2, "the held write, and one commit for the hundred");
    assert_eq!(after.writes - before.writes, 101);
}

#[tokio::test]
async fn a_refusal_undoes_itself_and_nothing_else_of_its_batch() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let release = hold_the_writer(&world.store).await;
    let write = |kind: &str, body: &str| {
        let (store, step) = (world.store.clone(), facts_step(vec![fact(kind, "1"), fact("second", body)]));
        tokio::spawn(async move { store.commit_step(id, step).await })
    };
    let (good, bad, good_too) = (write("good", "2"), write("bad", "no json"), write("good", "3"));
    until_queued(&world.store, 3).await;
    drop(release);
    assert_eq!(good.await.unwrap().unwrap().new_facts, 2);
    assert!(matches!(bad.await.unwrap(), Err(StoreError::Invalid { .. })));
    assert_eq!(good_too.await.unwrap().unwrap().new_facts, 1);
    assert_eq!(world.store.failure(), None);
    let facts = world.store.swap(id).await.unwrap().unwrap().facts;
    assert_eq!(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(), ["good", "second", "second"]);
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_batch_and_every_call_after_it() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.commit_step(id, facts_step(vec![fact("answered", "{}")])).await.unwrap();
    fill_the_disk(&world.store).await;
    let release = hold_the_writer(&world.store).await;
    let write = |row: FactRow| {
        let store = world.store.clone();
        tokio::spawn(async move { store.commit_step(id, facts_step(vec![row])).await })
    };
    let batch = [write(fact("small", "1")), write(big_fact()), write(fact("small", "2"))];
    until_queued(&world.store, 3).await;
    drop(release);
    for write in batch {
        assert!(matches!(write.await.unwrap(), Err(StoreError::Failed { .. })));
    }
    let failure = world.store.failure().expect("the store has failed");
    assert!(matches!(&failure, StoreError::Failed { reason } if reason.contains("full")), "{failure}");
    assert_eq!(world.store.failed().await, failure);
    let small = facts_step(vec![fact("small", "3")]);
    assert_eq!(world.store.commit_step(id, small).await.as_ref(), Err(&failure));
    assert_eq!(world.store.swap(id).await.as_ref(), Err(&failure));
    assert_eq!(world.store.close().await.as_ref(), Err(&failure));

    // The next process finds what was answered, and nothing of what was not.
    let store = Store::open(&world.path(), KEY).unwrap();
    let facts = store.swap(id).await.unwrap().unwrap().facts;
    assert_eq!(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(), ["answered"]);
}

#[tokio::test]
async fn a_commit_that_fails_after_all_writes_went_well_poisons_the_store() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let release = hold_the_writer(&world.store).await;
    let (store, step) = (world.store.clone(), facts_step(vec![fact("innocent", "{}")]));
    let innocent = tokio::spawn(async move { store.commit_step(id, step).await });
    until_queued(&world.store, 1).await;
    // A broken reference that is only looked at by COMMIT.
    let store = world.store.clone();
    let guilty = tokio::spawn(async move {
        let broken = store.write(|write| {
            write.conn.execute_batch(
                "PRAGMA defer_foreign_keys = ON; INSERT INTO outbox(swap, at, key, body) VALUES(999, 0, 'k', '{}')",
            )?;
            Ok(())
        });
        broken.await
    });
    until_queued(&world.store, 2).await;
    drop(release);
    assert!(matches!(innocent.await.unwrap(), Err(StoreError::Failed { .. })));
    assert!(matches!(guilty.await.unwrap(), Err(StoreError::Failed { .. })));
    assert!(matches!(world.store.reserve_hash(SecretHash::from_bytes(bytes(5))).await, Err(StoreError::Failed { .. })));
    assert!(world.store.close().await.is_err());
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(store.swap(id).await.unwrap().unwrap().facts, vec![]);
}

#[tokio::test]
async fn a_writer_that_dies_is_a_failure_not_silence() {
    let world = World::new();
    let died = world.store.write(|_| -> Result<(), StoreError> { panic!("a fault of ours") }).await;
    assert!(died.is_err());
    assert!(matches!(world.store.failed().await, StoreError::Failed { .. }));
    assert!(matches!(world.store.append_event(event("x")).await, Err(StoreError::Failed { .. })));
}

#[tokio::test]
async fn a_failure_wakes_who_waits_for_it() {
    let world = World::new();
    let store = world.store.clone();
    let waiting = tokio::spawn(async move { store.failed().await });
    let id = world.add_swap(1).await;
    fill_the_disk(&world.store).await;
    assert!(world.store.commit_step(id, facts_step(vec![big_fact()])).await.is_err());
    let failure = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(Some(failure), world.store.failure());
}

#[tokio::test]
async fn a_sealed_row_that_was_changed_on_disk_stops_the_process() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let secret = FactRow { is_secret: true, ..fact("secret", "\"s\"") };
    world.store.commit_step(id, facts_step(vec![secret])).await.unwrap();
    let bend = world.store.write(|write| {
        write.conn.execute("UPDATE facts SET sealed = zeroblob(length(sealed))", [])?;
        Ok(())
    });
    bend.await.unwrap();
    assert_eq!(world.store.live_swaps().await, Err(StoreError::Unreadable("fact")));
    assert_eq!(world.store.failure(), Some(StoreError::Unreadable("fact")));
    assert!(world.store.append_event(event("x")).await.is_err(), "nothing is written on top of it");
}

#[tokio::test]
async fn a_read_that_panics_costs_nothing_but_itself() {
    let world = World::new();
    for _ in 0..10 {
        let read = world.store.read(|_| -> Result<(), StoreError> { panic!("a fault of ours") }).await;
        assert!(read.is_err());
    }
    assert_eq!(world.store.live_swaps().await, Ok(vec![]));
}
