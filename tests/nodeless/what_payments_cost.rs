//! `photon bench payments` runs between real processes, finds its books right, says every figure that it promises, and leaves nothing
//! behind. How large the figures are is not judged here: this is no measured machine.

use serde_json::Value;
use std::process::Command;

#[test]
fn payments_between_daemons_are_counted_once_and_all_figures_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("figures.json");
    let done = Command::new(env!("CARGO_BIN_EXE_photon"))
        .args(["--json", "bench", "payments", "--payments", "200", "--idle-channels", "20", "--idle-secs", "0", "--folder"])
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed: Value = serde_json::from_slice(&done.stdout).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(printed, written);
    let figures = [
        "direct_sequence_per_s",
        "direct_1024_per_s",
        "direct_1024_after_100k_per_s",
        "direct_both_ways_per_s",
        "direct_100_channels_per_s",
        "mediated_sequence_per_s",
        "mediated_1024_per_s",
        "idle_1000_channels_rss_mb",
        "start_secs",
        "peak_rss_mb",
        "sync_ms",
    ];
    for figure in figures {
        assert!(printed[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {printed:#}");
    }
    let runs = printed["runs"].as_array().unwrap();
    for run in runs {
        let figure = |name: &str| run[name].as_f64().unwrap();
        assert!(figure("p50_ms") > 0.0 && figure("p99_ms") >= figure("p50_ms") && figure("cpu_us") > 0.0, "{run:#}");
        // Payer and payee each make every payment durable; those that are under way together share that.
        assert!(figure("syncs") > 0.0 && (figure("in_flight") > 1.0 || figure("syncs") >= 2.0), "{run:#}");
    }
    let direct = runs.iter().filter(|run| run["name"].as_str().unwrap().starts_with("direct"));
    let paid: u64 = direct.map(|run| run["payments"].as_u64().unwrap()).sum();
    assert_eq!(printed["payments"], paid, "every row of the payer's is a payment that was asked for, either way");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["figures.json"]);
}
