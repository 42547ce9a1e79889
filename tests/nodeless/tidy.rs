//! What must stay true of the source itself.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a folder with that ending, outside of what is built or fetched.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if !["target", "node_modules", "out", "cache", ".git"].contains(&name.as_str()) {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(root(), ".rs", &mut found);
    found
}

/// Direct dependencies of a crate that go into the program, by name.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn the_words_and_the_core_know_no_runtime_no_clock_no_disk_and_no_adapter() {
    let allowed_words = ["async-trait", "hex", "serde", "sha2", "thiserror", "zeroize", "getrandom"];
    for name in dependencies("chains/Cargo.toml") {
        assert!(allowed_words.contains(&name.as_str()), "chains must not depend on {name}");
    }
    let allowed_core = ["photon-chains", "hex", "serde", "serde_json", "sha2", "sha3", "thiserror"];
    for name in dependencies("swap/Cargo.toml") {
        assert!(allowed_core.contains(&name.as_str()), "swap must not depend on {name}");
    }
    for name in dependencies("channel/Cargo.toml") {
        let is_allowed = allowed_core.contains(&name.as_str()) || ["secp256k1", "zeroize"].contains(&name.as_str());
        assert!(is_allowed, "channel must not depend on {name}");
    }
    let reaching_out =
        ["std::time::", "SystemTime", "Instant::now", "std::fs", "std::net", "std::thread", "rand::", "getrandom::"];
    let mut core = Vec::new();
    files(&root().join("swap/src"), ".rs", &mut core);
    files(&root().join("channel/src"), ".rs", &mut core);
    assert!(core.len() > 5);
    for path in core {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in reaching_out {
            assert!(!text.contains(word), "{} reaches out: {word}", path.display());
        }
    }
}

#[test]
fn adapters_depend_on_the_words_alone_and_never_on_a_core() {
    for manifest in ["chains/utxo/Cargo.toml", "chains/evm/Cargo.toml", "regtest/Cargo.toml"] {
        let ours: Vec<String> = dependencies(manifest).into_iter().filter(|name| name.starts_with("photon")).collect();
        assert!(ours.iter().all(|name| name == "photon-chains"), "{manifest} depends on {ours:?}");
    }
}

/// Whether a table of dependencies turns on the switches of that core.
fn turns_on_switches(core: &str, dependencies: Option<&toml::Value>) -> bool {
    let wanted = dependencies.and_then(|table| table.get(core)).and_then(|core| core.get("features"));
    wanted.and_then(toml::Value::as_array).is_some_and(|features| features.iter().any(|name| name.as_str() == Some("switches")))
}

/// The simulator weakens one check at a time to see what it is good for. No program may be built so.
#[test]
fn only_the_tests_of_the_core_can_weaken_its_checks() {
    let mut manifests = Vec::new();
    files(root(), "Cargo.toml", &mut manifests);
    assert!(manifests.len() > 5);
    for path in manifests {
        let text = std::fs::read_to_string(&path).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let here = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let for_tests = table.get("dev-dependencies");
        let for_all = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
        for (core, home) in [("photon-swap", "swap/Cargo.toml"), ("photon-channel", "channel/Cargo.toml")] {
            assert_eq!(turns_on_switches(core, for_tests), here == home, "{here}: its tests");
            for program in [table.get("dependencies"), table.get("build-dependencies"), for_all] {
                assert!(!turns_on_switches(core, program), "{here} turns the switches on");
            }
        }
        let features = table.get("features").and_then(toml::Value::as_table);
        for (name, parts) in features.into_iter().flatten() {
            assert!(!parts.to_string().contains("switches"), "{here}: feature {name} turns the switches on");
        }
    }
}

#[test]
fn nothing_is_switched_off_and_nothing_is_left_as_a_stub() {
    let words = [
        concat!("#[ign", "ore"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("dbg", "!("),
    ];
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn a_file_is_small_enough_to_be_read() {
    for path in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        // A table of cases is read by its rows, so tests may be longer.
        let most = if path.components().any(|part| part.as_os_str() == "tests") { 700 } else { 500 };
        assert!(lines <= most, "{} has {lines} lines: two things may live in one room", path.display());
    }
}

/// One file of tests takes system calls over, to see what the store asks of the disk; it says there why. No program has any.
#[test]
fn unsafe_code_is_in_no_program_and_in_one_file_of_tests() {
    let words = [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe("), concat!("uns", "afe_code)")];
    let mut found = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        if words.iter().any(|word| text.contains(word)) {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(found, ["src/store/tests/power/calls.rs"]);
    let store = std::fs::read_to_string(root().join("src/store/mod.rs")).unwrap();
    assert!(store.contains("#[cfg(test)]\nmod tests;"), "which is built for tests alone");
}

#[test]
fn every_crate_keeps_the_workspace_lints() {
    for manifest in [
        "Cargo.toml",
        "chains/Cargo.toml",
        "chains/utxo/Cargo.toml",
        "chains/evm/Cargo.toml",
        "swap/Cargo.toml",
        "channel/Cargo.toml",
        "regtest/Cargo.toml",
    ] {
        let table: toml::Table = std::fs::read_to_string(root().join(manifest)).unwrap().parse().unwrap();
        assert_eq!(table["lints"]["workspace"].as_bool(), Some(true), "{manifest}");
    }
}

#[test]
fn no_file_names_a_place_that_only_one_machine_has() {
    let tracked = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let Some(tracked) = tracked.ok().filter(|output| output.status.success()) else {
        // A source archive has no git; the same files were checked where it was made.
        eprintln!("no git here: file list not checked");
        return;
    };
    let names = String::from_utf8(tracked.stdout).unwrap();
    let places = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("deb.deb", "ian.org"),
        concat!("registry.npm", "js.org"),
        concat!("static.crates", ".io"),
    ];
    let mut checked = 0;
    for name in names.split('\0').filter(|name| !name.is_empty() && !name.ends_with("Cargo.lock")) {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        checked += 1;
        for place in places {
            assert!(!text.contains(place), "{name} names {place}");
        }
    }
    assert!(checked > 100, "{checked} files");
}
