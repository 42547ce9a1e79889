//! What a person waiting for the nodes gets to see.

use std::io::Write;

/// How far a download has come. Both figures are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// Bytes on this disk so far.
    pub done: u64,
    /// Bytes there will be in the end.
    pub total: u64,
}

/// One moment of a fetch or of the preparation of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which node program this is about, or `world`.
    pub subject: &'static str,
    /// What is being done, in a few words.
    pub name: &'static str,
    /// This step's place, counted from 1.
    pub index: usize,
    /// How many steps there are in all.
    pub of: usize,
    /// Bytes, where a download knows them.
    pub bytes: Option<Bytes>,
}

/// Receives each step as it begins, and again whenever its bytes move.
pub trait Progress: Send + Sync {
    /// Called from whichever thread does the work; must not block for long.
    fn step(&self, step: &Step);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _step: &Step) {}
}

/// One plain line per step on standard error, past the capture of test runners, so that a first download does not look like a hang.
#[derive(Debug, Default)]
pub struct PlainLines {
    last: std::sync::Mutex<(usize, &'static str, &'static str)>,
}

impl Progress for PlainLines {
    fn step(&self, step: &Step) {
        let now = (step.index, step.subject, step.name);
        let Ok(mut last) = self.last.lock() else { return };
        if *last == now {
            return;
        }
        *last = now;
        // A closed standard error is no reason to stop fetching.
        let _ = writeln!(std::io::stderr(), "[{}/{}] {}: {}", step.index, step.of, step.subject, step.name);
    }
}

/// Counts the steps of one plan and passes them on.
pub(crate) struct Counter<'a> {
    progress: &'a dyn Progress,
    of: usize,
    index: usize,
}

impl<'a> Counter<'a> {
    pub(crate) fn new(progress: &'a dyn Progress, of: usize) -> Self {
        Self { progress, of, index: 0 }
    }

    /// Begins the next step, which may tell its bytes.
    pub(crate) fn begin(&mut self, subject: &'static str, name: &'static str) -> Running<'a> {
        self.index += 1;
        let step = Step { subject, name, index: self.index, of: self.of.max(self.index), bytes: None };
        self.progress.step(&step);
        Running { progress: self.progress, step }
    }
}

/// A step under way.
pub(crate) struct Running<'a> {
    progress: &'a dyn Progress,
    step: Step,
}

impl Running<'_> {
    pub(crate) fn bytes(&mut self, done: u64, total: u64) {
        let bytes = Some(Bytes { done: done.min(total), total });
        if self.step.bytes != bytes {
            self.step.bytes = bytes;
            self.progress.step(&self.step);
        }
    }
}
