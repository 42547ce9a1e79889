//! `photon bench coordinator` runs, says every figure that it promises, and leaves nothing behind. How large the figures are is not
//! judged here: this is no measured machine. But work that follows the number of swaps where it must not is. // H6

use crate::bench;
use serde_json::Value;

#[test]
fn the_bench_says_all_its_figures_and_leaves_nothing_behind() {
    let printed = bench::figures(&["coordinator", "--live", "20,60", "--ended-per-live", "2"]);
    bench::are_said(&printed, &["busy_block_ms", "start_secs", "rss_mb", "rpc_calls_per_block", "sync_ms"]);
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
}
