//! What is shown while the matrix runs, and in the end.

use crate::judge::{self, Ended};
use crate::plan::{Case, Death};
use crate::play::Played;
use crate::seat::Pair;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// Counts and complaints.
pub struct Report {
    planned: usize,
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    runs: usize,
    /// By pair and way of dying: how many ended so, and how many never met their point.
    table: BTreeMap<(String, &'static str), [usize; 4]>,
    wrong: Vec<String>,
}

impl Report {
    pub fn new(planned: usize, began: Instant) -> Self {
        Self { planned, began, seen: Mutex::default() }
    }

    pub fn played(&self, case: &Case, played: &Played) {
        let column = match (played.deaths, played.ended) {
            (0, _) => 3,
            (_, Ended::Completed) => 0,
            (_, Ended::Refunded) => 1,
            (_, Ended::Void) => 2,
        };
        let mut seen = self.seen.lock().unwrap();
        seen.runs += 1;
        seen.table.entry((format!("{}-{}", case.assets.0, case.assets.1), way(case))).or_default()[column] += 1;
        let how = if played.deaths == 0 { "point not met".to_owned() } else { format!("{} killed", played.deaths) };
        println!(
            "[{:5}/{} {:5.0} s] {:?} ({how}, {} s): {case}",
            seen.runs,
            self.planned,
            self.began.elapsed().as_secs_f64(),
            played.ended,
            played.secs
        );
    }

    /// A run that was not right: said, and kept for a look.
    pub fn wrong(&self, case: &Case, wrong: &str, pair: &Pair) {
        let mut seen = self.seen.lock().unwrap();
        seen.runs += 1;
        let text = format!("{case}: {wrong}");
        let evidence = evidence(seen.wrong.len());
        let logs = [&pair.alice, &pair.bob].map(|seat| format!("\n\n{}:\n{}", seat.party.name, judge::last_words(&seat.said())));
        let _ = std::fs::write(&evidence, format!("{text}{}", logs.concat()));
        println!("[{:5}/{}] WRONG, see {}: {case}: {:.300}", seen.runs, self.planned, evidence.display(), wrong);
        seen.wrong.push(text);
    }

    pub fn gives_up(&self, pair: &Pair) {
        self.seen.lock().unwrap().wrong.push(format!("{} and its peer never come to rest", pair.alice.party.name));
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
        println!("matrix: {signed} signed transactions, none of which takes a nonce or a coin from another meaning");
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
        println!("\n{:<12} {:<10} {:>9} {:>9} {:>5} {:>8}", "pair", "killed", "completed", "refunded", "void", "not met");
        let mut sums = [0; 4];
        for ((pair, way), counts) in &seen.table {
            let [completed, refunded, void, unmet] = counts;
            println!("{pair:<12} {way:<10} {completed:>9} {refunded:>9} {void:>5} {unmet:>8}");
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let met: usize = sums[..3].iter().sum();
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        println!("\nmatrix: {met} points died at, {} not met, {} wrong, {minutes:.1} minutes", sums[3], seen.wrong.len());
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
        // A point that only chance leads to may be missed; more would mean that the matrix no longer tries what it plans.
        assert!(sums[3] * 20 <= self.planned, "too many points were never met: {}", sums[3]);
    }
}

fn way(case: &Case) -> &'static str {
    match case.kill.as_ref().map(|kill| kill.death) {
        None => "nobody",
        Some(Death::Alone) => "alone",
        Some(Death::Both) => "both",
        Some(Death::Twice(_)) => "twice",
        Some(Death::NodeDown(_)) => "node down",
    }
}

/// Beside what is built, so that it outlives the world.
fn evidence(number: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix");
    let _ = std::fs::create_dir_all(&folder);
    folder.join(format!("wrong-{number}.txt"))
}
