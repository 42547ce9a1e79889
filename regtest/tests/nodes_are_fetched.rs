//! Fetching, and what is said where it is impossible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::process::{Command, Output};
use std::sync::Mutex;

use photon_regtest::fetch::{FetchOptions, Origin, Progress, Silent, Step, programs};
use photon_regtest::require_nodes;

#[derive(Default)]
struct Recorder(Mutex<Vec<Step>>);

impl Progress for Recorder {
    fn step(&self, step: &Step) {
        self.0.lock().unwrap().push(step.clone());
    }
}

/// Downloads about 75 MB, so only where that is wanted.
#[test]
fn an_empty_cache_is_filled_once_by_two_at_a_time() {
    let is_set = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    if !is_set("CI", "true") && !is_set("PHOTON_TEST_FETCH", "1") {
        writeln!(std::io::stderr(), "\nSKIPPED the download of the nodes: it runs with CI=true or PHOTON_TEST_FETCH=1\n")
            .unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = FetchOptions { folder: folder.path().join("deep/er"), ignore_installed: true };
    let recorders = [Recorder::default(), Recorder::default()];
    std::thread::scope(|scope| {
        for recorder in &recorders {
            let options = &options;
            scope.spawn(move || programs(options, recorder).unwrap());
        }
    });
    let steps = recorders.map(|recorder| recorder.0.into_inner().unwrap());
    let downloads = |steps: &[Step]| steps.iter().filter(|step| step.name == "downloading" && step.bytes.is_none()).count();
    assert_eq!(downloads(&steps[0]) + downloads(&steps[1]), 3, "each program once");
    let all = steps.concat();
    assert!(all.iter().any(|step| step.bytes.is_some_and(|bytes| bytes.done == bytes.total && bytes.total > 1_000_000)));
    assert!(all.iter().all(|step| step.index <= step.of));
    // From now on nothing is fetched.
    let again = Recorder::default();
    let found = programs(&options, &again).unwrap();
    assert!(again.0.into_inner().unwrap().is_empty());
    assert!([&found.bitcoind, &found.litecoind, &found.anvil].iter().all(|program| program.origin == Origin::Fetched));
}

/// Runs `policy_under_test` in a process that finds no tools and no nodes, with these variables set.
fn without_anything(variables: &[(&str, &str)]) -> Output {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "policy_under_test"]).env("PATH", empty.path()).env("PHOTON_NODES_DIR", empty.path());
    for name in ["CI", "PHOTON_BITCOIND", "PHOTON_LITECOIND", "PHOTON_ANVIL", "PHOTON_NODES_FETCH"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

/// Alone it only looks whether there are nodes.
#[tokio::test]
async fn policy_under_test() {
    let _ = require_nodes().await;
}

#[test]
fn without_nodes_a_test_is_skipped_loudly_and_ci_fails() {
    let skipped = without_anything(&[]);
    let words = String::from_utf8_lossy(&skipped.stderr).into_owned();
    assert!(skipped.status.success(), "{words}");
    assert!(words.contains("SKIPPED policy_under_test") && words.contains("PHOTON_BITCOIND"), "{words}");
    let failed = without_anything(&[("CI", "true")]);
    assert!(!failed.status.success());
    // A program that is named is never passed over in silence.
    let misnamed = without_anything(&[("PHOTON_BITCOIND", "/nonexistent/bitcoind")]);
    let words = String::from_utf8_lossy(&misnamed.stderr).into_owned();
    assert!(words.contains("PHOTON_BITCOIND names /nonexistent/bitcoind, which is not a file"), "{words}");
}

#[test]
fn a_cache_that_cannot_be_made_is_said_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let options = FetchOptions { folder: file.join("cache"), ignore_installed: true };
    let error = programs(&options, &Silent).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}
