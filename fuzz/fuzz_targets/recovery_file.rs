//! A recovery file that is torn, old or not ours; and one whose lines are ours, with anything inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::store::bare::{recovery_line, recovery_lines};

const KEY: [u8; 32] = [7; 32];

fuzz_target!(|bytes: &[u8]| {
    let _ = recovery_lines(&KEY, bytes);
    let line = recovery_line(&KEY, [1; 32], bytes).expect("a line");
    assert!(recovery_lines(&KEY, &line) <= 1);
    assert_eq!(recovery_lines(&[8; 32], &line), 0, "another wallet's line is opened");
});
