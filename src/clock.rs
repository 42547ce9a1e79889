//! The one clock.

use photon_chains::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by this machine's clock. A clock before 1970 reads as zero, which no deadline accepts.
pub fn now() -> UnixTime {
    let machine = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UnixTime::from_secs(photon_chains::crash::test_clock_secs().unwrap_or_else(machine))
}
