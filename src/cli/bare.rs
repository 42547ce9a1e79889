//! For fuzzing: what people type.

use super::parse::{Typed, duration_secs, ledger};

/// Reads a word as everything that it could be; answers how much that is.
pub fn word(text: &str) -> usize {
    let read = [text.parse::<Typed>().is_ok(), duration_secs(text).is_ok(), ledger(text).is_ok()];
    read.into_iter().filter(|it| *it).count()
}
