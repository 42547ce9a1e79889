use super::*;

fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

// F7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_while_the_store_is_written_to_is_whole_and_no_newer_than_it_says() {
    let world = World::new();
    for number in 0..20 {
        world.add_swap(number).await;
    }
    let store = world.store.clone();
    let writer = tokio::spawn(async move {
        for number in 100..400 {
            let id = add_swap(&store, number).await;
            store.commit_step(id, facts_step(vec![fact("one", "{}"), fact("two", "{}")])).await.unwrap();
        }
    });
    let (database, copy) = (world.path(), world.folder.path().join("copy.db"));
    let to = copy.clone();
    let done = tokio::task::spawn_blocking(move || back_up(&database, &to)).await.unwrap().unwrap();
    writer.await.unwrap();
    assert!(done.swaps >= 20 && done.bytes == copy.metadata().unwrap().len());
    assert_eq!(mode_of(&copy), 0o600);
    assert!(!world.store.is_put_back().await.unwrap(), "the database itself is no copy");
    for leftover in [".part", "-wal", "-shm", "-journal"] {
        assert!(!connect::beside(&copy, leftover).exists(), "{leftover}");
    }

    let restored = Store::open(&copy, KEY).unwrap();
    let live = restored.live_swaps().await.unwrap();
    assert_eq!(live.len() as u64, done.swaps);
    let steps = |record: &SwapRecord| record.facts.len();
    assert!(live.iter().all(|record| [0, 2].contains(&steps(record))), "a step is there whole or not at all");
    assert!(restored.is_put_back().await.unwrap());
    restored.note_put_back().await.unwrap();
    assert!(!restored.is_put_back().await.unwrap());
    assert_eq!(restored.reserve_hash(SecretHash::from_bytes(bytes(3))).await.map(|_| ()), Err(StoreError::HashUsed), "A4");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_half_made() {
    let world = World::new();
    let taken = world.folder.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    assert!(matches!(back_up(&world.path(), &taken), Err(StoreError::Unopenable { .. })));
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    let to = world.folder.path().join("to");
    let nowhere = world.folder.path().join("no.db");
    assert!(matches!(back_up(&nowhere, &to), Err(StoreError::Unopenable { .. })));
    let strange = world.folder.path().join("strange.db");
    rusqlite::Connection::open(&strange).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
    assert!(matches!(back_up(&strange, &to), Err(StoreError::NotOurs { .. })));
    std::fs::write(&strange, "no database at all, but long enough to be looked at").unwrap();
    assert!(back_up(&strange, &to).is_err());
    assert!(back_up(&world.path(), &world.folder.path().join("no folder").join("to")).is_err());
    assert!(!to.exists() && !connect::beside(&to, ".part").exists());
    back_up(&world.path(), &to).unwrap();
}
