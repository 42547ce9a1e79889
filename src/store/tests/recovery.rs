use super::*;
use crate::store::recovery::LONG_FILE_BYTES;

fn recovery_file(world: &World) -> PathBuf {
    connect::beside(&world.path(), ".recovery")
}

/// Closes the store and loses the database, but not the recovery file.
async fn without_database(world: World) -> World {
    world.store.close().await.unwrap();
    std::fs::remove_file(world.path()).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    World { folder: world.folder, store }
}

fn ids(lost: &[LostSwap]) -> Vec<SwapId> {
    lost.iter().map(|lost| lost.swap.id).collect()
}

#[tokio::test]
async fn a_lost_database_loses_no_swap() {
    let world = World::new();
    let (one, two) = (world.add_swap(1).await, world.add_swap(2).await);
    assert_eq!(ids(&world.store.lost_swaps().await.unwrap()), []);
    let world = without_database(world).await;
    let lost = world.store.lost_swaps().await.unwrap();
    assert_eq!(ids(&lost), [one, two]);
    let expected = new_swap(1);
    assert_eq!(lost[0].secret_hash, SecretHash::from_bytes(bytes(1)));
    assert_eq!((&lost[0].swap.terms, lost[0].swap.salt, lost[0].swap.role), (&expected.terms, expected.salt, expected.role));
    assert_eq!((lost[0].swap.peer, lost[0].swap.beta_since), (expected.peer, expected.beta_since));
    assert_eq!(lost[0].swap.own_signature, expected.own_signature);
    for lost in lost {
        world.store.restore_swap(lost, vec![fact("never_reveal", "{}")]).await.unwrap();
    }
    assert_eq!(ids(&world.store.lost_swaps().await.unwrap()), []);
    let live = world.store.live_swaps().await.unwrap();
    assert_eq!(live.iter().map(|record| (record.swap.id, record.facts.len())).collect::<Vec<_>>(), [(one, 1), (two, 1)]);
    assert_eq!(world.store.reserve_hash(SecretHash::from_bytes(bytes(1))).await, Err(StoreError::HashUsed));
}

#[tokio::test]
async fn an_old_copy_of_the_database_shows_what_came_after_it() {
    let world = World::new();
    let forgotten = world.add_swap(1).await;
    world.store.commit_step(forgotten, ending("void")).await.unwrap();
    world.store.forget_void_swaps(UnixTime::from_secs(u64::MAX >> 1), 10).await.unwrap();
    world.store.close().await.unwrap();
    let copy = world.folder.path().join("copy.db");
    std::fs::copy(world.path(), &copy).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    let after = add_swap(&store, 2).await;
    store.close().await.unwrap();
    std::fs::copy(&copy, world.path()).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(ids(&store.lost_swaps().await.unwrap()), [after], "and not the one that was forgotten");
}

#[tokio::test]
async fn a_swap_is_in_the_recovery_file_before_it_is_in_the_database() {
    let world = World::new();
    let reserved = world.store.reserve_hash(SecretHash::from_bytes(bytes(1))).await.unwrap();
    let before = recovery_file(&world).metadata().unwrap().len();
    let bad = NewSwap { terms: "no json".to_owned(), ..new_swap(1) };
    assert!(matches!(world.store.insert_swap(reserved, bad).await, Err(StoreError::Invalid { .. })));
    assert_eq!(recovery_file(&world).metadata().unwrap().len(), before, "a refused swap leaves no line");
    // A commit that fails after the line was written: the line is there, the row is not.
    let doomed = world.store.write(|write| {
        let reserved = swaps::reserve(write, SecretHash::from_bytes(bytes(2)))?;
        swaps::insert(write, &reserved, &new_swap(2))?;
        write
            .conn
            .execute_batch("PRAGMA defer_foreign_keys = ON; INSERT INTO outbox(swap, at, key, body) VALUES(999, 0, 'k', '{}')")?;
        Ok(())
    });
    assert!(matches!(doomed.await, Err(StoreError::Failed { .. })));
    assert!(world.store.close().await.is_err());
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(store.swap(swap_id(2)).await.unwrap(), None);
    assert_eq!(ids(&store.lost_swaps().await.unwrap()), [swap_id(2)]);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_a_damaged_one_passed_over() {
    let world = World::new();
    let (one, two) = (world.add_swap(1).await, world.add_swap(2).await);
    world.store.close().await.unwrap();
    let path = recovery_file(&world);
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend(&whole[..whole.len() / 3]);
    std::fs::write(&path, &torn).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    let three = add_swap(&store, 3).await;
    store.close().await.unwrap();
    let mut bent = std::fs::read(&path).unwrap();
    bent[100] = if bent[100] == b'0' { b'1' } else { b'0' };
    std::fs::write(&path, &bent).unwrap();
    std::fs::remove_file(world.path()).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(ids(&store.lost_swaps().await.unwrap()), [two, three], "{one} is damaged");
}

/// The power failed while the line was written, so its swap was never answered for and began again.
#[tokio::test]
async fn a_damaged_line_hides_no_later_one_of_its_swap() {
    let world = World::new();
    let one = world.add_swap(1).await;
    world.store.close().await.unwrap();
    let path = recovery_file(&world);
    let line = std::fs::read(&path).unwrap();
    let mut torn = line.clone();
    torn[512..900].fill(0);
    std::fs::write(&path, [torn, line].concat()).unwrap();
    std::fs::remove_file(world.path()).unwrap();
    let store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(ids(&store.lost_swaps().await.unwrap()), [one]);
}

#[tokio::test]
async fn the_recovery_file_shows_nothing_and_shrinks_to_what_is_live() {
    let world = World::new();
    let big = |number| NewSwap { terms: format!("{{\"readable\":\"{}\"}}", "x".repeat(30_000)), ..new_swap(number) };
    for number in 0..80 {
        let reserved = world.store.reserve_hash(SecretHash::from_bytes(bytes(number))).await.unwrap();
        world.store.insert_swap(reserved, big(number)).await.unwrap();
        if number != 40 {
            world.store.commit_step(swap_id(number), ending("completed")).await.unwrap();
        }
    }
    let file = std::fs::read(recovery_file(&world)).unwrap();
    assert!(file.len() as u64 > LONG_FILE_BYTES);
    assert!(!file.windows(8).any(|window| window == b"readable"));
    let world = world.reopened().await;
    assert!(recovery_file(&world).metadata().unwrap().len() < 100_000);
    world.add_swap(90).await;
    let world = without_database(world).await;
    assert_eq!(ids(&world.store.lost_swaps().await.unwrap()), [swap_id(40), swap_id(90)]);
}
