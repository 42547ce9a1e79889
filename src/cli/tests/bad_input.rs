//! Every argument of every command: what can't be right is refused, in words, before or after the node is asked, and
//! nothing is begun. The arguments are those of the command tree: a new one without its row fails.
// G9, H7, H8, H11

use super::*;
use clap::{Command, CommandFactory};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// A command with all that it needs, one of its arguments, and what that must refuse.
type Row = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

const ID: &str = "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
const OFFER: &[&str] = &["--give", "0.1BTC", "--want", "2ETH"];
const SWAP: &[&str] = &["--peer", "bob", "--offer", ID];
const SEND: &[&str] = &["0.1BTC", "bcrt1qxyz", "--yes"];
const PEER: &[&str] = &["0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@bob.example:7707"];

const CHANNEL: &str = "ethereum:c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
const IN_CHANNEL: &[&str] = &[CHANNEL, "1ETH"];
const OPEN: &[&str] = &["bob", "1ETH"];
const PAY: &[&str] = &["bob", "1ETH", "--yes"];

const NO_ID: &[&str] = &["", "g", "3f", "..", "../etc", "0x", "c1c1 c1", "\u{0}"];
const NO_CHANNEL: &[&str] =
    &["", "g", "3f", "..", "../etc", "0x", "c1c1 c1", "\u{0}", "doge:c1c1", "smt:", ":c1c1", "smt:c1c1:c1"];
const NO_HASH: &[&str] = &["", "3fa9", "xyz", "0xc1"];
const NO_LIMIT: &[&str] = &["", "0", "201", "-1", "1.5", "x"];
const NO_AMOUNT: &[&str] = &[
    "",
    "BTC",
    "0.1",
    "0BTC",
    "-1BTC",
    "1,5BTC",
    "1e3BTC",
    "0x1BTC",
    "1.BTC",
    ".5.5BTC",
    "0.123456789BTC",
    "1DOGE",
    "NaN",
    "99999999999999999999999999999999999999999BTC",
    "1 BTC ETH",
    "١BTC",
];
const NO_KEY: &[&str] = &["", "a b", "a\nb", "é"];
const NO_ASSET: &[&str] = &["", "a b", "../x", "<b>", "BTC@", "é"];
const NO_PEER: &[&str] = &["", "a b", "../bob", "<b>", "0xbb/x"];

const ROWS: &[Row] = &[
    ("offer create", OFFER, "give", NO_AMOUNT),
    ("offer create", OFFER, "want", NO_AMOUNT),
    ("offer create", OFFER, "valid", &["", "1", "s", "-1h", "1.5h", "9s", "8d", "1y", "99999999999999999999h"]),
    ("offer create", OFFER, "idempotency_key", NO_KEY),
    ("offer list", &[], "peer", NO_PEER),
    ("offer list", &[], "give", NO_ASSET),
    ("offer list", &[], "want", NO_ASSET),
    ("offer cancel", &[ID], "id", NO_ID),
    ("swap start", SWAP, "peer", NO_PEER),
    ("swap start", SWAP, "offer", NO_ID),
    ("swap start", SWAP, "idempotency_key", NO_KEY),
    ("swap list", &[], "limit", &["", "0", "201", "-1", "1.5", "x"]),
    ("swap list", &[], "after", &["a b", "\u{7f}"]),
    ("swap show", &[ID], "id", NO_ID),
    ("swap watch", &[ID], "id", NO_ID),
    ("channel list", &[], "peer", &["", "bob", "0x12", "0xzz"]),
    ("channel list", &[], "limit", NO_LIMIT),
    ("channel list", &[], "after", &["a b", "\u{7f}"]),
    ("channel show", &[CHANNEL], "id", NO_CHANNEL),
    ("channel open", OPEN, "peer", NO_PEER),
    ("channel open", OPEN, "amount", NO_AMOUNT),
    ("channel open", OPEN, "window", &["", "1", "s", "-1h", "1.5h", "9min", "31d", "1y", "99999999999999999999h"]),
    ("channel open", OPEN, "idempotency_key", NO_KEY),
    ("channel deposit", IN_CHANNEL, "id", NO_CHANNEL),
    ("channel deposit", IN_CHANNEL, "amount", NO_AMOUNT),
    ("channel deposit", IN_CHANNEL, "idempotency_key", NO_KEY),
    ("channel withdraw", IN_CHANNEL, "id", NO_CHANNEL),
    ("channel withdraw", IN_CHANNEL, "amount", NO_AMOUNT),
    ("channel withdraw", IN_CHANNEL, "idempotency_key", NO_KEY),
    ("channel close", &[CHANNEL], "id", NO_CHANNEL),
    ("channel close", &[CHANNEL], "alone_after", &["", "1", "s", "-1h", "1.5h", "9s", "8d", "99999999999999999999h"]),
    ("channel close", &[CHANNEL], "idempotency_key", NO_KEY),
    ("channel settle", &[CHANNEL], "id", NO_CHANNEL),
    ("pay send", PAY, "to", NO_PEER),
    ("pay send", PAY, "amount", NO_AMOUNT),
    ("pay send", PAY, "most_fee", &["", "ETH", "0.1", "0ETH", "1,5ETH", "1DOGE", "1USDX"]),
    ("pay send", PAY, "memo", &["a\nb", "\u{1b}[2J"]),
    ("pay send", PAY, "id", &["", "3fa9", "g", ID]),
    ("pay send", PAY, "hash", NO_HASH),
    ("pay send", PAY, "wait", &["", "1", "s", "-1h", "1.5h", "99999999999999999999h"]),
    ("pay request", &["1ETH"], "amount", NO_AMOUNT),
    ("pay request", &["1ETH"], "memo", &["a\nb", "\u{1b}[2J"]),
    ("pay request", &["1ETH"], "valid", &["", "1", "s", "-1h", "1.5h", "9s", "31d", "99999999999999999999h"]),
    ("pay request", &["1ETH"], "hash", NO_HASH),
    ("pay request", &["1ETH"], "idempotency_key", NO_KEY),
    ("pay list", &[], "limit", NO_LIMIT),
    ("pay list", &[], "after", &["a b", "\u{7f}"]),
    ("pay show", &[ID], "id", NO_ID),
    ("pay watch", &["c1c1c1c1"], "id", NO_ID),
    ("pay cancel", &["c1c1c1c1"], "id", NO_ID),
    ("pay release", &[ID], "secret", &["", "3fa9", "xyz", "\u{0}"]),
    ("pay give-up", &[ID], "hash", NO_ID),
    ("pay routes", OPEN, "to", NO_PEER),
    ("pay routes", OPEN, "amount", NO_AMOUNT),
    ("address", &["bitcoin"], "ledger", &["", "doge", "bitcoin ", "../smt"]),
    ("send", SEND, "amount", NO_AMOUNT),
    ("send", SEND, "address", &["", "../x", "bc1 q", "bitcoin:bc1q", "<b>"]),
    ("send", SEND, "idempotency_key", NO_KEY),
    ("sent", &[ID], "id", NO_ID),
    ("peer add", PEER, "address", &["", "bob", "0xbb", "0xbb host:1"]),
    ("peer add", PEER, "alias", &["", "a b", "<b>", "a/b", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]),
    ("peer add", PEER, "idempotency_key", NO_KEY),
];

fn arguments(command: &Command, path: &str, out: &mut BTreeSet<String>) {
    for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
        let takes_value = argument.get_num_args().is_none_or(|count| count.takes_values());
        if takes_value && argument.get_action().takes_values() && argument.get_id() != "help" {
            out.insert(format!("{path} {}", argument.get_id()));
        }
    }
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        arguments(inner, format!("{path} {}", inner.get_name()).trim_start(), out);
    }
}

#[test]
fn every_argument_has_its_row() {
    let mut said = BTreeSet::new();
    for command in Program::command().get_subcommands() {
        arguments(command, command.get_name(), &mut said);
    }
    let tested: BTreeSet<String> = ROWS.iter().map(|(command, _, argument, _)| format!("{command} {argument}")).collect();
    assert_eq!(said, tested);
}

/// The words of a command, with that value in place of the argument's own.
fn words(command: &'static str, good: &[&'static str], argument: &str, value: &'static str) -> Vec<String> {
    let mut tree = Program::command();
    tree.build();
    let leaf = command.split(' ').fold(&tree, |tree, name| tree.find_subcommand(name).unwrap());
    let found = leaf.get_arguments().find(|it| it.get_id() == argument).unwrap();
    let mut words: Vec<String> = good.iter().map(|word| (*word).to_owned()).collect();
    match found.get_long() {
        Some(long) => {
            let long = format!("--{long}");
            if let Some(at) = words.iter().position(|word| *word == long) {
                words.drain(at..at + 2);
            }
            words.push(format!("{long}={value}"));
        }
        None => {
            let at = found.get_index().unwrap() - 1;
            words[at] = value.to_owned();
            let options: Vec<String> = words.extract_if(.., |word| word.starts_with("--") && *word != value).collect();
            words = [options, vec!["--".to_owned()], words].concat();
        }
    }
    command.split(' ').map(str::to_owned).chain(words).collect()
}

#[tokio::test]
async fn a_bad_value_of_any_argument_is_refused_and_nothing_is_begun() {
    let world = World::new().await;
    for (command, good, argument, values) in ROWS {
        for value in *values {
            let words = words(command, good, argument, value);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let said = match parse(&words) {
                Err(error) => error.to_string(),
                Ok(_) => {
                    let ran = run(&world, &words).await;
                    assert_ne!(ran.code, 0, "{words:?} was taken: {}", ran.out);
                    ran.err
                }
            };
            assert!(said.len() > 20 && !said.contains("panicked"), "{words:?}: {said}");
        }
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
}

proptest::proptest! {
    #[test]
    fn any_words_are_a_command_or_are_refused(words in proptest::collection::vec("(offer|swap|send|create|--give|--want|.{0,12})", 0..6)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let _ = parse(&words);
    }
}
