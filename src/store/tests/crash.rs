use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const CHILD_DATABASE: &str = "PHOTON_STORE_TEST_CHILD";

/// Runs the test of that name, and nothing else, in a process of its own that uses this database.
fn child(test: &str, database: &Path) -> Child {
    // The path of this module within the test program, whatever crate it is built into.
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{test}"), "--nocapture", "--test-threads=1"])
        .env(CHILD_DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The same for a test of a neighbouring module, with files that may not grow beyond that many blocks of 512 bytes: what comes after
/// is refused by the system as a full disk is. (The signal that goes with it is ignored.)
pub(super) fn child_with(module: &str, test: &str, database: &Path, limit_blocks: u32) -> std::process::Output {
    let path = module_path!().split_once("::").map_or("", |(_, module)| module);
    let path = path.rsplit_once("::").map_or(path, |(parent, _)| parent);
    Command::new("sh")
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit_blocks}; exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{path}::{module}::{test}"), "--nocapture", "--test-threads=1"])
        .env(CHILD_DATABASE, database)
        .stderr(Stdio::null())
        .output()
        .unwrap()
}

/// The same, and its folder is on a file system that can only be read. None where the system does not allow that.
pub(super) fn child_that_only_reads(module: &str, test: &str, database: &Path) -> Option<std::process::Output> {
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" || exit 77; exec \"$@\"";
    let path = module_path!().split_once("::").map_or("", |(_, module)| module);
    let path = path.rsplit_once("::").map_or(path, |(parent, _)| parent);
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .arg(database.parent()?)
        .arg(std::env::current_exe().ok()?)
        .args(["--exact", &format!("{path}::{module}::{test}"), "--nocapture", "--test-threads=1"])
        .env(CHILD_DATABASE, database)
        .output()
        .ok()?;
    // As it is told: 77 from the script, 1 from a system that allows no name spaces.
    (output.status.success() || !output.stdout.is_empty()).then_some(output)
}

pub(super) fn child_database() -> Option<PathBuf> {
    std::env::var_os(CHILD_DATABASE).map(PathBuf::from)
}

/// Eight writers at once, each saying what was answered, until the process is killed.
async fn write_until_killed(database: &Path) {
    let store = Store::open(database, KEY).unwrap();
    let writers: Vec<_> = (0..8u32)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for turn in 0..100_000u32 {
                    let number = turn * 8 + writer;
                    let id = add_swap(&store, number).await;
                    let step = StepRows {
                        facts: vec![fact("one", "{}"), fact("two", "{}")],
                        effects: vec![effect("fund")],
                        ..StepRows::default()
                    };
                    store.commit_step(id, step).await.unwrap();
                    println!("answered {number}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_write_survives_a_kill() {
    if let Some(database) = child_database() {
        return write_until_killed(&database).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("photon.db");
    let mut answered = Vec::new();
    for kill_after in [1, 40, 300] {
        // Numbers start anew with each child, so each gets a database of its own.
        let database = database.with_extension(kill_after.to_string());
        answered.clear();
        let mut child = child("every_answered_write_survives_a_kill", &database);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while answered.len() < kill_after {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            answered.extend(line.split_once("answered ").map(|(_, number)| number.parse::<u32>().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts too.
        answered.extend(lines.map_while(Result::ok).filter_map(|line| line.split_once("answered ")?.1.parse::<u32>().ok()));

        let store = Store::open(&database, KEY).unwrap();
        let live = store.live_swaps().await.unwrap();
        for number in &answered {
            let record = live.iter().find(|record| record.swap.id == swap_id(*number)).expect("an answered swap is there");
            assert_eq!((record.facts.len(), record.outbox.len()), (2, 1), "swap {number}");
        }
        for record in &live {
            let rows = (record.facts.len(), record.outbox.len());
            assert!(rows == (2, 1) || rows == (0, 0), "a step is there whole or not at all: {rows:?}");
        }
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_is_gone() {
    if let Some(database) = child_database() {
        println!("opened {:?}", Store::open(&database, KEY).map(|_| ()));
        return;
    }
    let opened_by_a_child = |path: &Path| {
        let output = child("a_second_process_is_refused_until_the_first_is_gone", path).wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let world = World::new();
    let refused = opened_by_a_child(&world.path());
    assert!(refused.contains("opened Err(InUse"), "{refused}");
    assert!(matches!(Store::open(&world.path(), KEY), Err(StoreError::InUse { .. })), "nor within one process");
    world.store.close().await.unwrap();
    let opened = opened_by_a_child(&world.path());
    assert!(opened.contains("opened Ok(())"), "{opened}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_all_handles_were_dropped() {
    let World { folder, store } = World::new();
    let other_handle = store.clone();
    let id = add_swap(&store, 1).await;
    other_handle.commit_step(id, facts_step(vec![fact("one", "{}")])).await.unwrap();
    drop((store, other_handle));
    let path = folder.path().join("photon.db");
    // The writer notices on its own thread that nobody is left.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let store = loop {
        match Store::open(&path, KEY) {
            Err(StoreError::InUse { .. }) if std::time::Instant::now() < patience => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(store.swap(id).await.unwrap().unwrap().facts.len(), 1);
}

#[tokio::test]
async fn a_closed_store_answers_closed() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.clone().close().await.unwrap();
    assert_eq!(world.store.commit_step(id, StepRows::default()).await, Err(StoreError::Closed));
    assert_eq!(world.store.swap(id).await, Err(StoreError::Closed));
    assert_eq!(world.store.close().await, Ok(()), "closing twice is harmless");
    let log = connect::beside(&world.path(), "-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0, "the write-ahead log is empty");
}

#[tokio::test]
async fn another_process_that_looks_at_the_database_takes_no_log_away() {
    if let Some(database) = child_database() {
        return println!("copied {:?}", back_up(&database, &database.with_extension("copy")).map(|_| ()));
    }
    let world = World::new();
    world.add_swap(1).await;
    let output = child("another_process_that_looks_at_the_database_takes_no_log_away", &world.path()).wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("copied Ok(())"), "{said}");
    world.add_swap(2).await;
    // What a kill would leave.
    let folder = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal", ".recovery"] {
        let name = format!("photon.db{suffix}");
        std::fs::copy(world.folder.path().join(&name), folder.path().join(&name)).expect("the log is where it was");
    }
    let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
    assert_eq!(store.live_swaps().await.unwrap().len(), 2);
    world.store.close().await.unwrap();
}
