use super::*;

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.add_swap(1).await;
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&connect::beside(&world.path(), suffix)), 0o600, "{suffix}");
    }
    world.store.close().await.unwrap();
    std::fs::set_permissions(world.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let _store = Store::open(&world.path(), KEY).unwrap();
    assert_eq!(mode(&world.path()), 0o600, "an open door is closed");
}

#[tokio::test]
async fn another_seed_is_refused() {
    let world = World::new();
    world.store.close().await.unwrap();
    assert_eq!(Store::open(&world.path(), [8; 32]).map(|_| ()), Err(StoreError::OtherSeed));
    Store::open(&world.path(), KEY).unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let world = World::new();
    world.store.close().await.unwrap();
    let raise = |version: u32| {
        let conn = rusqlite::Connection::open(world.path()).unwrap();
        conn.pragma_update(None, "user_version", version).unwrap();
    };
    raise(99);
    let known = u32::try_from(schema::MIGRATIONS.len()).unwrap();
    for _ in 0..2 {
        assert_eq!(Store::open(&world.path(), KEY).map(|_| ()), Err(StoreError::TooNew { found: 99, known }));
    }
    raise(known);
    Store::open(&world.path(), KEY).unwrap();
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let letter = "Dear Bob, ".repeat(1000);
    std::fs::write(&path, &letter).unwrap();
    let refused = Store::open(&path, KEY).map(|_| ());
    assert!(matches!(refused, Err(StoreError::NotOurs { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
    let nowhere = Store::open(&folder.path().join("no/such/folder.db"), KEY).map(|_| ());
    assert!(matches!(nowhere, Err(StoreError::Unopenable { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn a_damaged_file_is_found_at_the_start() {
    let world = World::new();
    for number in 0..50 {
        let id = world.add_swap(number).await;
        world.store.commit_step(id, facts_step(vec![fact("long", &format!("\"{}\"", "x".repeat(2000)))])).await.unwrap();
    }
    world.store.close().await.unwrap();
    let mut file = std::fs::read(world.path()).unwrap();
    let middle = file.len() / 2 / 4096 * 4096;
    file[middle..middle + 4096].fill(0xff);
    std::fs::write(world.path(), &file).unwrap();
    let refused = Store::open(&world.path(), KEY).map(|_| ());
    assert!(matches!(refused, Err(StoreError::Unopenable { .. })), "{refused:?}");
}

#[tokio::test]
async fn every_connection_syncs_each_commit_and_checks_references() {
    let world = World::new();
    let settings = |conn: &rusqlite::Connection| -> Result<(String, u32, bool, u32, i32), StoreError> {
        let text = |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
        let number = |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
        let references = conn.query_row("PRAGMA foreign_keys", [], |row| row.get(0))?;
        let application = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        Ok((text("journal_mode")?, number("synchronous")?, references, number("wal_autocheckpoint")?, application))
    };
    let full = 2;
    let expected = Ok(("wal".to_owned(), full, true, 0, schema::APPLICATION_ID));
    assert_eq!(world.store.write(move |write| settings(write.conn)).await, expected);
    assert_eq!(world.store.read(move |read| settings(read.conn)).await, expected);
    let written = world.store.read(|read| Ok(read.conn.execute("DELETE FROM swaps", [])?)).await;
    assert!(written.is_err(), "a reader can't write");
}

#[tokio::test]
async fn the_log_is_moved_into_the_file_beside_the_writer() {
    let world = World::new();
    world.add_swap(1).await;
    let size = || world.path().metadata().unwrap().len();
    let before = size();
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while size() == before && std::time::Instant::now() < patience {
        let id = world.add_swap(u32::try_from(world.store.stats().commits).unwrap() + 10).await;
        let step = facts_step(vec![fact("long", &format!("\"{}\"", "x".repeat(20_000)))]);
        world.store.commit_step(id, step).await.unwrap();
    }
    assert!(size() > before, "the file grows while the store is open");
    assert_eq!(world.store.failure(), None);
}
