//! What a person sees while it runs: progress first, then a table of all swaps that redraws itself; plain lines when piped.

use crate::cli::Redraw;
use crate::cli::table::{self, Style};
use crate::clock;
use crate::service::SwapView;
use indicatif::{ProgressBar, ProgressStyle};
use photon_regtest::fetch::{Progress, Step};
use std::collections::HashMap;
use std::sync::Mutex;

/// Fetching and starting.
pub(super) struct NodeProgress {
    bar: ProgressBar,
    terminal: bool,
    last: Mutex<String>,
}

impl NodeProgress {
    pub(super) fn new(terminal: bool) -> Self {
        let bar = if terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self { bar, terminal, last: Mutex::default() }
    }

    /// Says what is being done now.
    pub(super) fn say(&self, what: &str) {
        if self.terminal {
            self.bar.set_message(what.to_owned());
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != what {
            println!("{what}");
            what.clone_into(&mut last);
        }
    }

    /// Clears the line.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for NodeProgress {
    fn step(&self, step: &Step) {
        let head = format!("[{}/{}] {}: {}", step.index, step.of, step.subject, step.name);
        match step.bytes {
            Some(bytes) if self.terminal => {
                let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                self.say(&format!("{head} {:.1} of {:.1} MiB", mib(bytes.done), mib(bytes.total)));
            }
            _ => self.say(&head),
        }
    }
}

/// The live table.
pub(super) struct Board {
    terminal: bool,
    screen: Redraw,
    seen: HashMap<String, String>,
    notes: Vec<String>,
}

impl Board {
    pub(super) fn new(terminal: bool) -> Self {
        Self { terminal, screen: Redraw::default(), seen: HashMap::new(), notes: Vec::new() }
    }

    /// Shows where all swaps are: the whole table anew in a terminal; else a line for each swap that moved.
    pub(super) fn show(&mut self, swaps: &[&SwapView]) {
        if self.terminal {
            let owned: Vec<SwapView> = swaps.iter().map(|swap| (*swap).clone()).collect();
            let style = Style { color: true, width: Style::terminal_width() };
            let mut text = table::swaps(&owned, clock::now(), style);
            for note in &self.notes {
                text += &format!("\n{note}");
            }
            // A terminal that can't be written to is no reason to stop.
            let _ = self.screen.draw(&mut std::io::stdout().lock(), &text);
            return;
        }
        for swap in swaps {
            let cells = table::swap_row(swap, clock::now());
            let line = cells.iter().map(table::Cell::text).collect::<Vec<_>>().join("  ");
            let state = format!("{} {:?}", swap.phase, swap.legs.iter().map(|leg| &leg.status).collect::<Vec<_>>());
            if self.seen.insert(swap.id.clone(), state.clone()).as_ref() != Some(&state) {
                println!("{line}");
            }
        }
    }

    /// Says something beside the table.
    pub(super) fn say(&mut self, what: &str) {
        if self.terminal {
            self.notes.push(what.to_owned());
        } else {
            println!("{what}");
        }
    }

    /// Leaves the last table standing.
    pub(super) fn finish(&mut self) {
        if self.terminal {
            println!();
        }
    }
}
