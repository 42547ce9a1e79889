//! The program itself, where it needs no node: help, usage errors, `init`, and a start that is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PASSPHRASE: &str = "correct horse battery";

fn photon(args: &[&str]) -> Output {
    photon_typing(args, "")
}

fn photon_typing(args: &[&str], typed: &str) -> Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_photon"))
        .args(args)
        .env_remove("PHOTON_DATADIR")
        .env_remove("PHOTON_PASSPHRASE_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        let file = home.passphrase();
        std::fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        home
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn passphrase(&self) -> String {
        self.path("passphrase")
    }

    fn init(&self, name: &str, more: &[&str], typed: &str) -> Output {
        let (folder, passphrase) = (self.path(name), self.passphrase());
        let mut args = vec!["init", "--network", "regtest", "--json", "--datadir", &folder, "--passphrase-file", &passphrase];
        args.extend(more);
        photon_typing(&args, typed)
    }
}

#[test]
fn help_names_every_command_and_a_wrong_one_is_a_usage_error() {
    let help = text(&photon(&["--help"]).stdout);
    for command in ["init", "node", "deploy", "offer", "swap", "channel", "pay", "balance", "address", "send", "peer", "health"] {
        assert!(help.contains(&format!("  {command}")), "{command} is missing in:\n{help}");
    }
    for args in [&["swop"][..], &["swap", "begin"], &["init", "--network", "moonnet"], &["deploy", "doge"], &[]] {
        assert_eq!(photon(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn init_shows_the_words_once_and_the_words_bring_the_same_identity_back() {
    let home = Home::new();
    let made: serde_json::Value = serde_json::from_slice(&home.init("one", &[], "").stdout).unwrap();
    let words = made["words"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 24);
    let again: serde_json::Value = serde_json::from_slice(&home.init("two", &["--restore"], words).stdout).unwrap();
    assert_eq!(again["identity"], made["identity"]);
    assert!(again.get("words").is_none(), "restored words are not shown again");
    for name in ["seed", "api.tokens"] {
        let mode = std::fs::metadata(Path::new(&home.path("one")).join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let first = std::fs::read(Path::new(&home.path("one")).join("seed")).unwrap();
    assert!(!words.split(' ').any(|word| word.len() > 4 && text_of(&first).contains(word)), "the seed is not in clear");
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn init_overwrites_nothing_and_refuses_wrong_words() {
    let home = Home::new();
    assert!(home.init("one", &[], "").status.success());
    let seed = std::fs::read(Path::new(&home.path("one")).join("seed")).unwrap();
    let second = home.init("one", &[], "");
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("holds a seed already"));
    assert_eq!(std::fs::read(Path::new(&home.path("one")).join("seed")).unwrap(), seed);
    for words in ["", "abandon", &"abandon ".repeat(24), "one two three four five six seven eight nine ten eleven twelve"] {
        let refused = home.init("three", &["--restore"], words);
        assert_eq!(refused.status.code(), Some(1), "{words}");
        assert!(!Path::new(&home.path("three")).exists(), "nothing is left behind");
    }
}

#[test]
fn a_node_without_its_folder_configuration_or_passphrase_says_what_to_do() {
    let home = Home::new();
    let folder = home.path("none");
    let missing = photon(&["node", "--datadir", &folder, "--passphrase-file", &home.passphrase()]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("photon init"), "{}", text(&missing.stderr));

    assert!(home.init("one", &[], "").status.success());
    let folder = home.path("one");
    let bare = photon(&["node", "--datadir", &folder, "--passphrase-file", &home.passphrase()]);
    assert!(text(&bare.stderr).contains("no ledger is configured"), "{}", text(&bare.stderr));

    let config = Path::new(&folder).join("config.toml");
    let with = |extra: &str| std::fs::write(&config, format!("network = \"regtest\"\nprofile = \"regtest\"\n{extra}")).unwrap();
    let ethereum = "[ethereum]\nrpc_url = \"http://127.0.0.1:1\"\nchain_id = 1\n";
    with(&format!("typo = 1\n{ethereum}"));
    let unknown = photon(&["node", "--datadir", &folder, "--passphrase-file", &home.passphrase()]);
    assert!(text(&unknown.stderr).contains("typo"), "{}", text(&unknown.stderr));

    with(ethereum);
    let wrong = home.path("wrong");
    std::fs::write(&wrong, "not the passphrase at all\n").unwrap();
    std::fs::set_permissions(&wrong, std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = photon(&["node", "--datadir", &folder, "--passphrase-file", &wrong]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("wrong passphrase"), "{}", text(&refused.stderr));

    let open = home.path("open");
    std::fs::write(&open, format!("{PASSPHRASE}\n")).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = photon(&["node", "--datadir", &folder, "--passphrase-file", &open]);
    assert_eq!(exposed.status.code(), Some(1), "a passphrase that others can read is refused");
    for output in [missing, bare, unknown, refused, exposed] {
        assert!(!text(&output.stderr).contains(PASSPHRASE) && !text(&output.stdout).contains(PASSPHRASE));
    }
}

#[test]
fn asking_a_node_that_does_not_run_ends_with_three_and_says_so() {
    let home = Home::new();
    assert!(home.init("one", &[], "").status.success());
    let asked = photon(&["balance", "--datadir", &home.path("one"), "--api", "http://127.0.0.1:1"]);
    assert_eq!(asked.status.code(), Some(3), "{}", text(&asked.stderr));
    let json = photon(&["balance", "--json", "--datadir", &home.path("one"), "--api", "http://127.0.0.1:1"]);
    let told: serde_json::Value =
        serde_json::from_slice(if json.stdout.is_empty() { &json.stderr } else { &json.stdout }).unwrap();
    assert!(told["error"].is_object());
}

/// F6, F7: whoever asks what is wrong is told, also while no node runs and none of the chains answers.
#[test]
fn the_doctor_names_what_is_wrong_and_fails() {
    let home = Home::new();
    assert!(home.init("alice", &[], "").status.success());
    let folder = home.path("alice");
    let nothing_configured = photon(&["doctor", "--datadir", &folder]);
    assert_eq!(nothing_configured.status.code(), Some(1));
    assert!(text(&nothing_configured.stdout).contains("no ledger"), "{}", text(&nothing_configured.stdout));

    let passphrase = home.passphrase();
    let chain = "ethereum={rpc_url=\"http://127.0.0.1:9\",chain_id=5}";
    let seen = photon(&[
        "doctor",
        "--json",
        "--datadir",
        &folder,
        "--passphrase-file",
        &passphrase,
        "--set",
        chain,
        "--set",
        "min_free_mb=0",
        "--set",
        "api.listen=127.0.0.1:9",
    ]);
    assert_eq!(seen.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    let verdict = |what: &str| {
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["what"] == what);
        found.unwrap_or_else(|| panic!("nothing about {what}: {report}"))["verdict"].clone()
    };
    for well in ["settings", "seed file", "seed", "API tokens", "disk", "database"] {
        assert_eq!(verdict(well), "ok", "{well}");
    }
    assert_eq!(
        (verdict("ethereum node"), verdict("running node"), verdict("second nodes")),
        ("bad".into(), "warn".into(), "warn".into())
    );
    assert_eq!(report["well"], false);
    std::fs::write(home.path("alice/photon.db"), "not a database").unwrap();
    let table = photon(&["doctor", "--datadir", &folder, "--set", chain, "--set", "min_free_mb=0"]);
    let lines = text(&table.stdout);
    let of_database = lines.lines().find(|line| line.starts_with("database")).unwrap();
    assert!(of_database.contains("BAD") && of_database.contains("rescue"), "{lines}");
    assert!(!lines.contains('\u{1b}'), "a pipe gets no colours");
}
