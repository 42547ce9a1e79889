//! No node outlives the process that started it, and no folder outlives it for long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use photon_regtest::{Mining, World, WorldConfig, own_world};

/// Set in the environment of the parent that is going to be killed.
const ROLE: &str = "PHOTON_TEST_PARENT";

fn process_ids(world: &World) -> Vec<u32> {
    let utxo = [&world.bitcoin, &world.litecoin].map(|chain| chain.node().process_id());
    let evm = [&world.ethereum, &world.smt].map(|chain| chain.node().process_id());
    utxo.into_iter().chain(evm).map(Option::unwrap).collect()
}

fn is_alive(id: &u32) -> bool {
    // Signal 0 only asks. A zombie counts as ended.
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let asked = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(*id).unwrap()), None);
    asked.is_ok() && !state.contains(") Z ")
}

fn wait_until_ended(ids: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while ids.iter().any(is_alive) {
        assert!(Instant::now() < deadline, "still running: {:?}", ids.iter().filter(|id| is_alive(id)).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts this same test in the role of the parent, and waits until it has a world.
fn parent(how: &str) -> (Child, Vec<u32>, PathBuf) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nodes_end_when_their_parent_is_killed", "--nocapture"])
        .env(ROLE, how)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("WORLD ").map(str::to_owned)).unwrap();
    let mut words = line.split_whitespace();
    let dir = PathBuf::from(words.next().unwrap());
    let ids: Vec<u32> = words.map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    (parent, ids, dir)
}

async fn play_the_parent(how: &str) {
    let world = own_world(WorldConfig::manual()).await.unwrap();
    let ids: Vec<String> = process_ids(&world).iter().map(u32::to_string).collect();
    println!("\nWORLD {} {}", world.dir().display(), ids.join(" "));
    match how {
        "exit" => std::process::exit(0),
        _ => std::thread::sleep(Duration::from_secs(120)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_end_when_their_parent_is_killed() {
    if let Ok(how) = std::env::var(ROLE) {
        return play_the_parent(&how).await;
    }
    if own_world(WorldConfig::manual()).await.is_none() {
        return;
    }
    let mut dead_dirs = Vec::new();
    for how in ["kill", "exit"] {
        let (mut parent, ids, dir) = parent(how);
        if how == "kill" {
            assert!(ids.iter().all(is_alive));
            parent.kill().unwrap();
        }
        parent.wait().unwrap();
        wait_until_ended(&ids);
        dead_dirs.push(dir);
    }
    // The next world removes the folders that the dead could not.
    let next = own_world(WorldConfig::manual()).await.unwrap();
    assert!(next.dir().is_dir());
    assert!(dead_dirs.iter().all(|dir| !Path::exists(dir)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_world_leaves_nothing() {
    let config = WorldConfig::every(Mining::Every(Duration::from_millis(50)));
    let Some(world) = own_world(config).await else { return };
    let (ids, dir) = (process_ids(&world), world.dir().to_owned());
    let _handle = world.litecoin.clone();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(world);
    assert!(!ids.iter().any(is_alive));
    assert!(!dir.exists());
}
