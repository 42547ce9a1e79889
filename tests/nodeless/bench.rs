//! Runs a bench of the program's as its user does.

use serde_json::Value;
use std::process::Command;

/// The figures of `photon bench` with these arguments: what it prints is what it writes, and nothing else is left behind.
pub fn figures(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("figures.json");
    let done = Command::new(env!("CARGO_BIN_EXE_photon"))
        .args(["--json", "bench"])
        .args(args)
        .arg("--folder")
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed: Value = serde_json::from_slice(&done.stdout).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(printed, written);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["figures.json"]);
    printed
}

/// Each of them is there, and more than nothing.
pub fn are_said(figures: &Value, names: &[&str]) {
    for name in names {
        assert!(figures[name].as_f64().is_some_and(|value| value > 0.0), "{name}: {figures:#}");
    }
}
