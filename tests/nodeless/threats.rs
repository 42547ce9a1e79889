//! The table of threats stays true: no row is left out, and every test it names is there.

use std::path::Path;

/// The rows of each group that concern swaps.
const GROUPS: [(char, usize); 6] = [('A', 10), ('B', 14), ('C', 28), ('D', 17), ('F', 16), ('G', 9)];

fn table() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("swap/THREATS.md")).unwrap()
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
    let text = table();
    let rows = rows(&text);
    for (group, count) in GROUPS {
        for number in 1..=count {
            let name = format!("{group}{number}");
            let found: Vec<_> = rows.iter().filter(|(row, _)| *row == name).collect();
            assert_eq!(found.len(), 1, "row {name}");
            let cells = &found[0].1;
            assert_eq!(cells.len(), 4, "row {name} has {} cells", cells.len());
            assert!(cells.iter().all(|cell| !cell.is_empty()), "row {name} has an empty cell");
            let is_excused = cells[2].starts_with("does not apply");
            assert!(is_excused || cells[3].contains('`'), "row {name} names no test");
        }
    }
    assert!(!text.contains("PENDING"), "a row waits for its test");
}

#[test]
fn every_test_and_every_file_that_the_table_names_is_there() {
    let text = table();
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
    assert!(tests > 90, "only {tests} tests are named");
}
