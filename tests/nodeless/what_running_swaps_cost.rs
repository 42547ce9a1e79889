//! `photon bench coordinator` runs, says every figure that it promises, and leaves nothing behind. How large the figures are is not
//! judged here: this is no measured machine. But work that follows the number of swaps where it must not is. // H6

use serde_json::Value;
use std::process::Command;

#[test]
fn the_bench_says_all_its_figures_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("figures.json");
    let done = Command::new(env!("CARGO_BIN_EXE_photon"))
        .args(["--json", "bench", "coordinator", "--live", "20,60", "--ended-per-live", "2", "--folder"])
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed: Value = serde_json::from_slice(&done.stdout).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(printed, written);
    for figure in ["busy_block_ms", "start_secs", "rss_mb", "rpc_calls_per_block", "sync_ms"] {
        assert!(printed[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {printed:#}");
    }
    assert!(printed.get("idle_block_ms_at_10000").is_some_and(Value::is_null), "there was no such run");
    let runs = printed["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["live"].as_u64().unwrap()).collect::<Vec<_>>(), [20, 60]);
    for run in runs {
        assert!(run["idle_block_cpu_ms"].as_f64().unwrap() > 0.0 && run["sync_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(run["polls_per_block"], 1.0);
    }
    for ledger in ["bitcoin", "ethereum"] {
        let calls = |run: usize| runs[run][ledger]["rpc_calls_per_block"].as_f64().unwrap();
        let locks = |run: usize| runs[run][ledger]["locks"].as_u64().unwrap();
        assert!(locks(1) == 3 * locks(0) && calls(0) > 0.0);
        assert_eq!(calls(0), calls(1), "{ledger}: a block asks its node as much, whatever the number of locks");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["figures.json"]);
}
