//! The tables of threats stay true: no row is left out, and every test they name is there.

use std::path::Path;

/// The rows of each group that concern swaps.
const SWAPS: [(char, usize); 6] = [('A', 10), ('B', 14), ('C', 28), ('D', 17), ('F', 16), ('G', 9)];

/// ... and channels.
const CHANNELS: [(char, usize); 5] = [('E', 22), ('I', 22), ('W', 4), ('K', 13), ('Q', 29)];

/// The points at which an older program was killed by its tests: what is in braces stands for each of its parts.
const POINTS: [&str; 10] = [
    "ActionInit{Initiator,Mediator,Target}StateChange",
    "Receive{SecretRequest,SecretReveal,AnnounceDisposed,Unlock}StateChange",
    "MediatorReReceiveStateChange",
    "EventSend{MediatedTransfer,SecretRequest,RevealSecret,Unlock,AnnouncedDisposed,AnnouncedDisposedResponse}Before",
    "EventSend{MediatedTransfer,SecretRequest,RevealSecret,Unlock,AnnouncedDisposed,AnnouncedDisposedResponse}After",
    "EventRemoveExpiredHashlockTransfer{Before,After}",
    "Receive{SecretRequest,RevealSecret,UnLock,DirectTransfer,MediatedTransfer,AnnounceDisposed,AnnounceDisposedResponse}Ack",
    "ReceiveRemoveExpiredHashlockTransferAck",
    "{NewChannel,Deposit,ChannelClose,ChannelSettle,CooperativeSettle,Withdraw,Unlock,Punish,UpdateBalanceProof}FromChainBeforeDeal",
    "{NewChannel,Deposit,ChannelClose,ChannelSettle,CooperativeSettle,Withdraw,Unlock,Punish,UpdateBalanceProof}FromChainAfterDeal",
];

/// A table's file, how many rows each letter has in it, and how many tests it names at least.
type Table = (&'static str, &'static [(char, usize)], usize);

const TABLES: [Table; 2] = [("swap/THREATS.md", &SWAPS, 90), ("channel/THREATS.md", &CHANNELS, 90)];

fn table(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The cells of each row, by the row's name.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cells| !["Row", "---"].contains(&cells[0].as_str()) && !cells[0].starts_with("---"))
        .map(|cells| (cells[0].clone(), cells))
        .collect()
}

#[test]
fn every_threat_has_its_row_and_every_row_its_defence_and_its_test() {
    for (file, groups, _) in TABLES {
        let text = table(file);
        let rows = rows(&text);
        for (group, count) in groups {
            for number in 1..=*count {
                let name = format!("{group}{number}");
                let found: Vec<_> = rows.iter().filter(|(row, _)| *row == name).collect();
                assert_eq!(found.len(), 1, "{file}: row {name}");
                let cells = &found[0].1;
                assert_eq!(cells.len(), 4, "{file}: row {name} has {} cells", cells.len());
                assert!(cells.iter().all(|cell| !cell.is_empty()), "{file}: row {name} has an empty cell");
                let is_excused = cells[2].starts_with("does not apply");
                assert!(is_excused || cells[3].contains('`'), "{file}: row {name} names no test");
            }
        }
        assert!(!text.contains("PENDING"), "{file}: a row waits for its test");
    }
}

#[test]
fn every_point_at_which_an_older_program_was_killed_has_its_row() {
    let text = table("channel/THREATS.md");
    let words: Vec<&str> = text.split(|char: char| !char.is_alphanumeric()).collect();
    let mut points = 0;
    for point in POINTS {
        let (before, rest) = point.split_once('{').unwrap_or((point, "}"));
        let (parts, after) = rest.split_once('}').unwrap();
        for part in parts.split(',') {
            let name = format!("{before}{part}{after}");
            assert!(words.contains(&name.as_str()), "{name} is in no row");
            points += 1;
        }
    }
    assert_eq!(points, 48);
}

#[test]
fn every_test_and_every_file_that_the_tables_name_is_there() {
    for (table_file, _, least) in TABLES {
        let text = table(table_file);
        let mut tests = 0;
        for named in text.split('`').skip(1).step_by(2) {
            let (file, test) = named.split_once("::").map_or((named, None), |(file, test)| (file, Some(test)));
            let is_path = file.contains('/') && [".rs", ".sol", ".mjs", ".sh"].iter().any(|ending| file.ends_with(ending));
            if !is_path {
                continue;
            }
            let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
            let source = source.unwrap_or_else(|_| panic!("{file} is not there"));
            let Some(test) = test else { continue };
            tests += 1;
            let is_there = ["fn ", "function "].iter().any(|word| source.contains(&format!("{word}{test}(")));
            assert!(is_there, "{file} has no test {test}");
        }
        assert!(tests > least, "{table_file} names only {tests} tests");
    }
}
