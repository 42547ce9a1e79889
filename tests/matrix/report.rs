//! What is shown while the matrix runs, and in the end.

use crate::judge;
use crate::seat::Seat;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// Counts and complaints.
pub struct Report {
    /// Where the evidence of wrong runs goes, and what the columns of the table are.
    name: &'static str,
    columns: &'static [&'static str],
    planned: usize,
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    runs: usize,
    died_at: usize,
    /// By row: how many ended so, and how many never met their point.
    table: BTreeMap<(String, &'static str), Vec<usize>>,
    wrong: Vec<String>,
}

/// A run that was right.
pub struct Line {
    /// Its row in the table: what was played, and how somebody died.
    pub row: (String, &'static str),
    /// How it ended: which of the columns.
    pub column: usize,
    /// The points that were to be died at.
    pub points: usize,
    /// How often somebody died as armed; zero if a point was never passed.
    pub deaths: u32,
    /// The world's seconds that it took.
    pub secs: u64,
}

impl Report {
    pub fn new(name: &'static str, columns: &'static [&'static str], planned: usize, began: Instant) -> Self {
        Self { name, columns, planned, began, seen: Mutex::default() }
    }

    pub fn played(&self, case: &impl Display, line: Line) {
        let column = if line.deaths == 0 { self.columns.len() } else { line.column };
        let mut seen = self.seen.lock().unwrap();
        seen.runs += 1;
        seen.died_at += if line.deaths == 0 { 0 } else { line.points };
        seen.table.entry(line.row).or_insert_with(|| vec![0; self.columns.len() + 1])[column] += 1;
        let how = if line.deaths == 0 { "point not met".to_owned() } else { format!("{} killed", line.deaths) };
        println!(
            "[{:5}/{} {:5.0} s] {} ({how}, {} s): {case}",
            seen.runs,
            self.planned,
            self.began.elapsed().as_secs_f64(),
            self.columns[line.column],
            line.secs
        );
    }

    /// A run that was not right: said, and kept for a look.
    pub fn wrong<'a>(&self, case: &impl Display, wrong: &str, seats: impl IntoIterator<Item = &'a Seat>) {
        let mut seen = self.seen.lock().unwrap();
        seen.runs += 1;
        let text = format!("{case}: {wrong}");
        let evidence = evidence(self.name, seen.wrong.len());
        let log = |seat: &Seat| format!("\n\n{}:\n{}", seat.party.name, judge::last_words(&seat.said()));
        let logs: String = seats.into_iter().map(log).collect();
        let _ = std::fs::write(&evidence, format!("{text}{logs}"));
        println!("[{:5}/{}] WRONG, see {}: {case}: {:.300}", seen.runs, self.planned, evidence.display(), wrong);
        seen.wrong.push(text);
    }

    pub fn gives_up(&self, seat: &Seat) {
        self.seen.lock().unwrap().wrong.push(format!("{} and its peers never come to rest", seat.party.name));
    }

    pub fn journals(&self, journals: impl Iterator<Item = Result<usize, String>>) {
        let mut seen = self.seen.lock().unwrap();
        let mut signed = 0;
        for journal in journals {
            match journal {
                Ok(count) => signed += count,
                Err(wrong) => seen.wrong.push(wrong),
            }
        }
        println!("{}: {signed} signed transactions, none of which takes a nonce or a coin from another meaning", self.name);
    }

    /// No daemon may be left.
    pub fn processes(&self, parties: &Path) {
        let parties = parties.to_str().unwrap().as_bytes();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if line.windows(parties.len()).any(|part| part == parties) {
                self.seen.lock().unwrap().wrong.push(format!("still runs: {}", String::from_utf8_lossy(&line)));
            }
        }
    }

    /// The table and the two figures; fails if anything was wrong.
    pub fn close(&self) {
        let seen = self.seen.lock().unwrap();
        let row = |played: &str, killed: &str, cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!(" {cell:>9}")).collect();
            println!("{played:<18} {killed:<10}{cells}");
        };
        let heads = self.columns.iter().chain(&["not met"]).map(|head| (*head).to_owned());
        println!();
        row("played", "killed", heads.collect());
        let mut unmet = 0;
        for ((played, way), counts) in &seen.table {
            row(played, way, counts.iter().map(usize::to_string).collect());
            unmet += counts.last().unwrap();
        }
        let met = seen.died_at;
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        println!("\n{}: {met} points died at, {unmet} not met, {} wrong, {minutes:.1} minutes", self.name, seen.wrong.len());
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
        // A point that only chance leads to may be missed; more would mean that the matrix no longer tries what it plans.
        assert!(unmet * 20 <= self.planned, "too many points were never met: {unmet}");
    }
}

/// Beside what is built, so that it outlives the world.
fn evidence(name: &str, number: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::create_dir_all(&folder);
    folder.join(format!("wrong-{number}.txt"))
}
