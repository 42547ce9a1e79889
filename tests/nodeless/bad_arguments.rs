//! Every argument of the commands that work on a folder: what can't be right is refused with words that say what to do, and the
//! folder stays as it was. The arguments are those of the commands themselves: a new one without its row fails.
// H7, H11

use clap::{Args, Command};
use photon::commands::{LocalArgs, backup, deploy, init, node, rescue};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A command, what else it is given, one of its arguments, and what that must refuse with which word. `@` is the folder with the
/// files that [`Home`] makes.
type Row = (&'static str, &'static [&'static str], &'static str, &'static [&'static str], &'static str);

const PASSPHRASE: &str = "correct horse battery";
const KEY: &[&str] = &["--passphrase-file", "@/passphrase"];
const NO_SETTING: &[&str] = &["", "novalue", "=1", "a..b=1", "network.x=1", "typo=1", "ethereum.chain_id=one", "api.listen=7"];
const NO_PASSPHRASE: &[&str] = &["", "@/missing", "@", "@/empty", "@/open", "@/long"];
const NO_NETWORK: &[&str] = &["", "moonnet", "Mainnet", "7", "main net"];

const ROWS: &[Row] = &[
    ("init", KEY, "network", NO_NETWORK, "mainnet"),
    ("init", &["--datadir", "@/new"], "passphrase_file", NO_PASSPHRASE, ""),
    ("init", KEY, "datadir", &["", "@/passphrase", "@/passphrase/below", "/proc/nowhere"], ""),
    ("node", KEY, "sets", NO_SETTING, ""),
    ("node", &[], "passphrase_file", NO_PASSPHRASE, ""),
    ("node", &[], "passphrase_file", &["@/another"], "wrong passphrase"),
    ("node", KEY, "datadir", &["@/passphrase", "@/nothing"], "photon init"),
    ("node", KEY, "datadir", &[""], "datadir"),
    ("deploy", KEY, "ledger", &["", "doge", "Ethereum", "ethereum ", "7"], "ledger"),
    ("deploy", KEY, "ledger", &["bitcoin", "litecoin"], "needs no contracts"),
    ("deploy", KEY, "ledger", &["smt"], "is not configured"),
    ("deploy", &["ethereum", "--passphrase-file", "@/passphrase"], "sets", NO_SETTING, ""),
    ("deploy", &["ethereum"], "passphrase_file", NO_PASSPHRASE, ""),
    ("deploy", &["ethereum", "--passphrase-file", "@/passphrase"], "datadir", &["@/nothing"], "photon init"),
    ("rescue", KEY, "words_file", &["", "@/missing", "@", "@/empty", "@/open", "@/long", "@/passphrase"], "words"),
    ("rescue", KEY, "words_file", &["@/other-words"], "another seed"),
    ("rescue", KEY, "network", NO_NETWORK, "mainnet"),
    ("rescue", KEY, "network", &["mainnet", "testnet"], "is for regtest"),
    ("rescue", KEY, "since", &["", "tomorrow", "2026-13-01", "2026-02-30", "2026-1-1x", "-1", "99999-01-01"], "2026-05-31"),
    ("rescue", &[], "passphrase_file", NO_PASSPHRASE, ""),
    ("rescue", KEY, "sets", NO_SETTING, ""),
    ("rescue", &["--words-file", "@/other-words"], "datadir", &["@/nothing"], "--network"),
    ("backup", &[], "file", &["", "@/copy", "@", "@/nowhere/copy"], ""),
    ("backup", &["@/made"], "datadir", &["", "@/nothing", "@/passphrase"], ""),
];

fn command(name: &str) -> Command {
    let bare = Command::new("photon");
    let own = match name {
        "init" => init::InitArgs::augment_args(bare),
        "node" => node::NodeArgs::augment_args(bare),
        "deploy" => deploy::DeployArgs::augment_args(bare),
        "rescue" => rescue::RescueArgs::augment_args(bare),
        "backup" => backup::BackupArgs::augment_args(bare),
        other => panic!("{other} is no such command"),
    };
    let mut whole = LocalArgs::augment_args(own);
    whole.build();
    whole
}

#[test]
fn every_argument_has_its_row() {
    for name in ["init", "node", "deploy", "rescue", "backup"] {
        let command = command(name);
        let takes_value = |argument: &&clap::Arg| argument.get_action().takes_values();
        let said: BTreeSet<String> = command.get_arguments().filter(takes_value).map(|it| it.get_id().to_string()).collect();
        let tested: BTreeSet<String> =
            ROWS.iter().filter(|(command, ..)| *command == name).map(|(_, _, argument, ..)| (*argument).to_owned()).collect();
        assert_eq!(said, tested, "{name}");
    }
}

/// A folder with a node's folder in it, and files that may be named.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        let words = format!("{} art", "abandon ".repeat(23).trim_end());
        for (name, text, mode) in [
            ("passphrase", PASSPHRASE, 0o600),
            ("another", "not the passphrase at all", 0o600),
            ("open", PASSPHRASE, 0o644),
            ("empty", "", 0o600),
            ("long", &"x".repeat(100_000), 0o600),
            ("other-words", &words, 0o600),
            ("copy", "is there already", 0o600),
        ] {
            let path = home.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let made = home.run(&["init", "--network", "regtest", "--passphrase-file", "@/passphrase"], true);
        assert_eq!(made.0, Some(0), "{made:?}");
        let config = "network = \"regtest\"\nprofile = \"regtest\"\n[ethereum]\nrpc_url = \"http://127.0.0.1:1\"\nchain_id = 1\n";
        std::fs::write(home.folder.path().join("node/config.toml"), config).unwrap();
        home
    }

    fn place(&self, word: &str) -> String {
        word.replacen('@', self.folder.path().to_str().unwrap(), 1)
    }

    /// Runs it in the node's folder, if no other is named; its exit code and what it said.
    fn run(&self, words: &[&str], in_folder: bool) -> (Option<i32>, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_photon"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        if in_folder {
            command.arg("--datadir").arg(self.folder.path().join("node"));
        }
        let output = command.args(words.iter().map(|word| self.place(word))).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    }

    /// Every file below, with what is in it.
    fn content(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        fn add(folder: &Path, all: &mut BTreeSet<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    all.insert((path.clone(), Vec::new()));
                    add(&path, all);
                } else {
                    all.insert((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
        let mut all = BTreeSet::new();
        add(self.folder.path(), &mut all);
        all
    }
}

#[test]
fn a_bad_value_of_any_argument_is_refused_and_changes_nothing() {
    let home = Home::new();
    let before = home.content();
    let mut wrong = Vec::new();
    for (name, good, argument, values, word) in ROWS {
        let tree = command(name);
        let found = tree.get_arguments().find(|it| it.get_id() == argument).unwrap();
        for value in *values {
            let mut words = vec![*name];
            let named = found.get_long().map(|long| format!("--{long}={value}"));
            match &named {
                Some(named) => words.extend(good.iter().copied().chain([named.as_str()])),
                None => words.extend(good.iter().copied().chain(["--", *value])),
            }
            let elsewhere = words.iter().any(|word| word.starts_with("--datadir"));
            let (code, said) = home.run(&words, !elsewhere);
            let taken = !matches!(code, Some(1 | 2));
            let unclear = said.len() <= 20 || !said.contains(word) || said.contains("panicked") || said.contains(PASSPHRASE);
            if taken || unclear || home.content() != before {
                wrong.push(format!("{words:?}, which should say {word:?}: {code:?}, {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "taken, unclear, or with traces left: {wrong:#?}");
}
