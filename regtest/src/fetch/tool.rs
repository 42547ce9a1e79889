//! Runs the programs that do the fetching, within a time limit.

use std::time::{Duration, Instant};

use super::FetchError;
use crate::process::Launch;

/// Runs a program to its end. `watch` is called a few times a second meanwhile.
pub(super) fn run(launch: &Launch, what: &'static str, limit: Duration, mut watch: impl FnMut()) -> Result<(), FetchError> {
    let broken = |source| FetchError::Disk { what: "could not start", path: launch.program.clone(), source };
    let mut process = launch.start().map_err(broken)?;
    let deadline = Instant::now() + limit;
    loop {
        match process.ended().map_err(broken)? {
            Some(status) if status.success() => return Ok(()),
            Some(_) => return Err(FetchError::Command { what, tail: launch.tail() }),
            None if Instant::now() > deadline => {
                process.kill().map_err(broken)?;
                return Err(FetchError::TooSlow { what, limit_secs: limit.as_secs(), tail: launch.tail() });
            }
            None => {
                watch();
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}
