//! What the disk may do to us: be full, be read-only, fail at any write, flip a bit.

use super::crash::{child_database, child_that_only_reads, child_with};
use super::*;

/// Writes until something fails, saying what was answered; then what it failed with.
async fn write_until_it_fails(database: &Path) {
    let store = match Store::open(database, KEY) {
        Ok(store) => store,
        Err(error) => return println!("not opened: {error}"),
    };
    for number in 0..2000u32 {
        let reserved = store.reserve_hash(SecretHash::from_bytes(bytes(number))).await;
        let written = match reserved {
            Ok(reserved) => store.insert_swap(reserved, new_swap(number)).await,
            Err(error) => Err(error),
        };
        let step = facts_step(vec![fact("one", &format!("\"{}\"", "x".repeat(3000))), fact("two", "{}")]);
        let written = match written {
            Ok(()) => store.commit_step(swap_id(number), step).await.map(|_| ()),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => println!("answered {number}"),
            Err(error) => {
                println!("failed: {error}");
                assert_eq!(
                    store.append_event(event("x")).await.map(|_| ()),
                    Err(store.failure().unwrap()),
                    "nothing is done on top of it"
                );
                return;
            }
        }
    }
    println!("never failed");
}

// F7: the disk takes no more, at one file size after the other, whichever of the three files it hits.
#[tokio::test]
async fn a_disk_that_is_full_or_takes_nothing_stops_the_store_and_loses_nothing() {
    if let Some(database) = child_database() {
        return write_until_it_fails(&database).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut failed_late = 0;
    for limit_blocks in [0, 1, 8, 40, 100, 200, 257, 300, 391, 450, 600, 900, 1_300, 1_800, 2_400] {
        let database = folder.path().join(format!("{limit_blocks}.db"));
        let output =
            child_with("disk", "a_disk_that_is_full_or_takes_nothing_stops_the_store_and_loses_nothing", &database, limit_blocks);
        let said = String::from_utf8(output.stdout).unwrap();
        let reason = said.lines().find(|line| line.contains("failed: ") || line.contains("not opened: "));
        let reason = reason.unwrap_or_else(|| panic!("{limit_blocks} blocks: it says why: {said}"));
        assert!(reason.len() > 20, "{reason}");
        let answered: Vec<u32> = said.lines().filter_map(|line| line.split_once("answered ")?.1.trim().parse().ok()).collect();
        failed_late += usize::from(!answered.is_empty());

        // There is room again.
        let store = Store::open(&database, KEY).unwrap();
        let lost = store.lost_swaps().await.unwrap();
        let live = store.live_swaps().await.unwrap();
        for number in &answered {
            let record = live.iter().find(|record| record.swap.id == swap_id(*number)).expect("an answered swap is there");
            assert_eq!(record.facts.len(), 2, "swap {number}");
        }
        assert!(live.iter().all(|record| [0, 2].contains(&record.facts.len())), "a step is there whole or not at all");
        assert!(lost.len() <= 1, "only the one that failed is in the recovery file alone");
        store.close().await.unwrap();
    }
    assert!(failed_late >= 4, "the limits meet the store at its work");
}

/// Opens it, and says how that went; then what is in it.
async fn look_and_tell(database: &Path) {
    match Store::open(database, KEY) {
        Ok(store) => {
            let added = store.append_event(event("x")).await;
            println!("opened, and written: {added:?}");
        }
        Err(error) => println!("not opened: {error}"),
    }
}

// F7: the file system can only be read, as it is after an error of the disk: nothing is begun, it says why, and what was there
// stays. The child sees its folder so in a name space of its own; where the system allows nobody that, nothing is shown.
#[tokio::test]
async fn a_file_system_that_can_only_be_read_is_refused_and_keeps_everything() {
    if let Some(database) = child_database() {
        return look_and_tell(&database).await;
    }
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.commit_step(id, facts_step(vec![fact("fund_intent", "{}")])).await.unwrap();
    world.store.close().await.unwrap();
    let test = "a_file_system_that_can_only_be_read_is_refused_and_keeps_everything";
    let Some(output) = child_that_only_reads("disk", test, &world.path()) else {
        return println!("SKIPPED: this system lets nobody make a folder read-only for one process");
    };
    let said = String::from_utf8(output.stdout).unwrap();
    let reason = said.lines().find(|line| line.contains("not opened: ")).unwrap_or_else(|| panic!("it says why: {said}"));
    assert!(reason.len() > 30, "{reason}");
    let store = Store::open(&world.path(), KEY).unwrap();
    let live = store.live_swaps().await.unwrap();
    assert_eq!((live.len(), live[0].facts.len()), (1, 1));
}

/// What matters of a running swap.
fn essence(record: &SwapRecord) -> Essence {
    let swap = &record.swap;
    let facts = record.facts.iter().map(|fact| (fact.kind.clone(), fact.body.clone())).collect();
    let (since_alpha, since_beta) = (swap.alpha_since, swap.beta_since);
    (swap.id, swap.role, swap.terms.clone(), swap.salt, since_alpha, since_beta, swap.ended.is_none(), facts)
}

// F7: a flipped bit in every page of the file is noticed, or it is in a place that means nothing.
#[tokio::test]
async fn a_flipped_bit_is_noticed_or_harmless_in_every_page() {
    let world = World::new();
    for number in 0..24 {
        let id = world.add_swap(number).await;
        let secret = FactRow { is_secret: true, ..fact("secret", "\"s\"") };
        let facts = vec![fact("agreed", "{}"), fact("fund_intent", "{}"), fact("reveal_intent", "{}"), secret];
        let step = StepRows { facts, effects: vec![effect("fund")], ..StepRows::default() };
        world.store.commit_step(id, step).await.unwrap();
    }
    let before: Vec<_> = world.store.live_swaps().await.unwrap().iter().map(essence).collect();
    world.store.close().await.unwrap();
    let right = std::fs::read(world.path()).unwrap();
    let (mut noticed, mut harmless) = (0, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for page in 0..right.len() / 4096 {
        for _ in 0..16 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = page * 4096 + usize::try_from(random >> 40).unwrap() % 4096;
            let bit = 1 << ((random >> 33) % 8);
            // Half of a page is often empty; there is nothing to notice.
            if right[at] == 0 {
                continue;
            }
            let mut bent = right.clone();
            bent[at] ^= bit;
            std::fs::write(world.path(), &bent).unwrap();
            match look(&world.path()).await {
                Ok(after) => {
                    assert_eq!(after, before, "byte {at}, bit {bit}");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(error.to_string().len() > 15, "{error}");
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed > 10 && harmless > 0, "{noticed} noticed, {harmless} harmless");
}

type Essence = (SwapId, Role, String, Salt, BlockHeight, BlockHeight, bool, Vec<(String, String)>);

/// What a start does.
async fn look(database: &Path) -> Result<Vec<Essence>, StoreError> {
    let store = Store::open(database, KEY)?;
    let started = async {
        for lost in store.lost_swaps().await? {
            store.restore_swap(lost, Vec::new()).await?;
        }
        Ok(store.live_swaps().await?.iter().map(essence).collect())
    };
    let found = started.await;
    // A store that has failed says so once more.
    let _ = store.close().await;
    found
}

// F13
#[tokio::test]
async fn a_database_of_the_first_release_opens_with_its_running_swaps() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.commit_step(id, facts_step(vec![fact("agreed", "{}")])).await.unwrap();
    world.store.close().await.unwrap();
    let conn = rusqlite::Connection::open(world.path()).unwrap();
    let schema: Vec<String> = {
        let mut query = conn.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    // The first release's rows, in the first release's tables, brought forward by every later step.
    let old = world.folder.path().join("old.db");
    let first = rusqlite::Connection::open(&old).unwrap();
    first.execute_batch(schema::MIGRATIONS[0]).unwrap();
    first.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    first.execute("ATTACH ?1 AS new", [world.path().to_str().unwrap()]).unwrap();
    for table in ["meta", "hashlocks", "swaps", "facts"] {
        let columns: Vec<String> = {
            let mut query = first.prepare(&format!("SELECT name FROM main.pragma_table_info('{table}')")).unwrap();
            query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let columns = columns.join(", ");
        first.execute(&format!("INSERT INTO main.{table}({columns}) SELECT {columns} FROM new.{table}"), []).unwrap();
    }
    first.execute("DETACH new", []).unwrap();
    drop((first, conn));
    let store = Store::open(&old, KEY).unwrap();
    let live = store.live_swaps().await.unwrap();
    assert_eq!((live.len(), live[0].swap.id, live[0].facts.len()), (1, id, 1));
    store.close().await.unwrap();
    let conn = rusqlite::Connection::open(&old).unwrap();
    let mut query = conn.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").unwrap();
    let brought: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(brought.len(), schema.len(), "the same tables and indexes as a new one has");
}
