//! `photon demo`, whole, interrupted and killed: what it says, what it writes, and that it leaves no process behind.

use crate::stage::{PHOTON, play_alone, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// In the environment of the demo, and so of every process that it starts.
const MARK: &str = "PHOTON_STORY_MARK";

struct Demo {
    child: Child,
    mark: String,
}

impl Demo {
    fn start(report: &Path) -> Self {
        let mark = format!("{}-{}", std::process::id(), report.display());
        let mut command = Command::new(PHOTON);
        command.args(["demo", "--report"]).arg(report).env(MARK, &mark).kill_on_drop(true);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, mark }
    }

    /// Reads lines until one holds this word.
    async fn says(&mut self, word: &str) {
        let mut lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines();
        let heard = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(word) {
                    return;
                }
            }
            panic!("the demo ended and never said {word}");
        };
        tokio::time::timeout(Duration::from_secs(120), heard).await.unwrap();
    }

    async fn run_out(&mut self) -> (ExitStatus, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        let (stdout, stderr) = (self.child.stdout.as_mut().unwrap(), self.child.stderr.as_mut().unwrap());
        tokio::try_join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err)).unwrap();
        (self.child.wait().await.unwrap(), out, err)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()), signal).unwrap();
    }

    /// Every process that is the demo's, and the names of their programs.
    fn processes(&self) -> Vec<String> {
        let mark = format!("{MARK}={}", self.mark);
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
                found.push(std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default().trim().to_owned());
            }
        }
        found
    }

    async fn leaves_nothing_behind(&self) {
        until("no process of the demo is left", Duration::from_secs(10), async || self.processes().is_empty().then_some(()))
            .await;
    }
}

#[test]
fn the_demo_completes_fifteen_refunds_one_and_loses_none() {
    play_alone(async {
        if photon_regtest::require_nodes().await.is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        let mut demo = Demo::start(&report);
        let (status, out, err) = tokio::time::timeout(Duration::from_secs(300), demo.run_out()).await.unwrap();
        assert!(status.success(), "{out}\n{err}");
        assert_eq!(out.lines().last(), Some("16 swaps: 15 completed, 1 refunded, 0 lost"), "{out}");
        assert!(out.lines().any(|line| line == "payments: 2 sent, 2 received, 0 lost"), "{out}");
        assert!(out.lines().any(|line| line == "legs: 40 swaps, 40 completed, 0 lost"), "{out}");
        assert!(!out.contains('\u{1b}'), "it paints a pipe");
        assert!(out.contains("Carol is killed for good") && out.contains("Alice is killed (-9)"), "{out}");
        check_report(&serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap());
        demo.leaves_nothing_behind().await;
    });
}

fn check_report(report: &Value) {
    assert_eq!((&report["completed"], &report["refunded"], &report["lost"]), (&15.into(), &1.into(), &0.into()));
    assert_eq!(report["discrepancies"], Value::Array(Vec::new()));
    assert_eq!(report["payments"], serde_json::json!({ "sent": 2, "received": 2, "lost": 0 }));
    assert_eq!(report["legs"], serde_json::json!({ "swaps": 40, "completed": 40, "lost": 0 }));
    assert!(report["took_secs"].as_f64().unwrap() <= 180.0, "three minutes were promised: {}", report["took_secs"]);
    let swaps = report["swaps"].as_array().unwrap();
    assert_eq!(swaps.len(), 16);
    let mut pairs: Vec<String> = swaps
        .iter()
        .map(|swap| format!("{}-{}", swap["pays"]["asset"].as_str().unwrap(), swap["gets"]["asset"].as_str().unwrap()))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), 14, "12 ordered pairs and two with the token: {pairs:?}");
    for swap in swaps {
        assert!(swap["took_secs"].as_f64().unwrap() > 0.0, "{swap:#}");
        let alice = &swap["alice"];
        assert!(alice["agreed_at"].as_u64() <= alice["ended_at"].as_u64(), "{alice:#}");
        let purposes = |view: &Value| -> Vec<String> {
            let legs = view["legs"].as_array().unwrap().iter();
            let sent = legs.flat_map(|leg| leg["transactions"].as_array().unwrap());
            let mined = sent.filter(|tx| tx["state"] == "mined").map(|tx| tx["purpose"].as_str().unwrap().to_owned());
            let mut purposes: Vec<String> = mined.collect();
            // On Litecoin one that is slow is paid for by a child, which is mined beside it.
            purposes.dedup();
            purposes
        };
        if swap["outcome"] == "completed" {
            assert_eq!(purposes(alice), ["fund", "redeem"], "{swap:#}");
            // The maker's legs are the other way round: it redeems alpha and has funded beta.
            assert_eq!(purposes(&swap["maker"]), ["redeem", "fund"], "{swap:#}");
            assert!(alice["facts"].as_array().unwrap().iter().any(|fact| fact["fact"] == "reveal_intent"));
        } else {
            assert_eq!(purposes(alice), ["fund", "refund"], "{swap:#}");
            assert!(!alice["facts"].as_array().unwrap().iter().any(|fact| fact["fact"] == "reveal_intent"));
        }
    }
}

#[test]
fn an_interrupted_demo_says_so_and_leaves_no_process_behind() {
    play_alone(async {
        if photon_regtest::require_nodes().await.is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut demo = Demo::start(&folder.path().join("report.json"));
        demo.says("initiator").await;
        assert_all_run(&demo.processes());
        demo.signal(Signal::SIGINT);
        let (status, _, err) = tokio::time::timeout(Duration::from_secs(30), demo.run_out()).await.unwrap();
        assert_eq!(status.code(), Some(1), "{err}");
        assert!(err.contains("interrupted"), "{err}");
        demo.leaves_nothing_behind().await;
        assert!(!folder.path().join("report.json").exists(), "half a report is none");
    });
}

#[test]
fn a_killed_demo_takes_its_processes_with_it() {
    play_alone(async {
        if photon_regtest::require_nodes().await.is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut demo = Demo::start(&folder.path().join("report.json"));
        demo.says("initiator").await;
        assert_all_run(&demo.processes());
        demo.signal(Signal::SIGKILL);
        demo.child.wait().await.unwrap();
        demo.leaves_nothing_behind().await;
    });
}

/// The demo itself, its daemons (Carol may be gone already, as planned), and four nodes: what is asked about later was really there.
fn assert_all_run(processes: &[String]) {
    let count = |name: &str| processes.iter().filter(|process| process.contains(name)).count();
    assert!(count("photon") >= 3 && count("anvil") == 2 && processes.len() >= 7, "{processes:?}");
}
