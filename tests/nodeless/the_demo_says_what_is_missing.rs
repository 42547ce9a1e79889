//! `photon demo` on a machine that can't have the nodes: plain words, and nothing left behind.

use std::process::Command;

#[test]
fn the_demo_says_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let report = home.path().join("demo/report.json");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_photon"));
    demo.args(["demo", "--report"]).arg(&report).env_clear().env("PATH", home.path()).env("HOME", home.path());
    let output = demo.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("demo: ") && said.contains("bitcoind") && said.contains("PHOTON_BITCOIND"), "{said}");
    assert!(said.contains("PATH"), "it says what can be done: {said}");
    assert!(!report.exists());
}
