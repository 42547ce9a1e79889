//! What things cost: CPU time, memory, and the disk's own sync.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// CPU time of this process so far, all threads together.
pub fn cpu() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// A figure of `/proc/self/status` in MiB: `VmRSS` (memory held now), `VmHWM` (the most that was). None where there is no such file.
pub fn memory_mb(figure: &str) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(round(kib / 1024.0))
}

/// Median and 99 % quantile of the milliseconds in which this disk makes 4 KiB durable, as the database's log does.
pub fn sync_ms(folder: &Path) -> std::io::Result<(f64, f64)> {
    const TRIES: usize = 200;
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let began = Instant::now();
        file.write_all(&[0x55; 4096])?;
        file.sync_data()?;
        took.push(ms(began.elapsed()));
    }
    std::fs::remove_file(path)?;
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took.get(TRIES * part / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

/// In milliseconds, to the microsecond.
pub fn ms(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1000.0)
}

/// To three digits after the dot.
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// So many of a hundred times were shorter, in milliseconds.
pub fn quantile(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().map_or(0.0, ms)
}
