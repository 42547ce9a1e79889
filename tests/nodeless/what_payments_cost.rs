//! `photon bench payments` runs between real processes, finds its books right, says every figure that it promises, and leaves nothing
//! behind. How large the figures are is not judged here: this is no measured machine.

use crate::bench;

#[test]
fn payments_between_daemons_are_counted_once_and_all_figures_are_said() {
    let printed = bench::figures(&["payments", "--payments", "200", "--idle-channels", "20", "--idle-secs", "0"]);
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
    bench::are_said(&printed, &figures);
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
}
