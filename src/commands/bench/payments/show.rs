//! The figures as a table.

use super::Figures;
use std::io::Write;

pub fn show(out: &mut impl Write, figures: &Figures) -> anyhow::Result<()> {
    writeln!(
        out,
        "{:<42}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}{:>7}",
        "", "per s", "50 %, ms", "99 %, ms", "syncs", "bytes", "CPU, µs", "load"
    )?;
    for run in &figures.runs {
        writeln!(
            out,
            "{:<42}{:>10.0}{:>10.2}{:>10.2}{:>9.3}{:>9.0}{:>9.1}{:>7.2}",
            run.name, run.per_s, run.p50_ms, run.p99_ms, run.syncs, run.disk_bytes, run.cpu_us, run.load
        )?;
    }
    writeln!(out, "Syncs, bytes to the disk and CPU are per payment, of all nodes together.")?;
    let mb = figures.database_bytes as f64 / f64::from(1 << 20);
    writeln!(
        out,
        "{} payments in {mb:.0} MiB; up again in {:.2} s; at most {:.0} MiB of memory",
        figures.payments, figures.start_secs, figures.peak_rss_mb
    )?;
    writeln!(
        out,
        "idle with {} channels: {:.1} MiB of memory; up in {:.2} s",
        figures.idle_channels, figures.idle_1000_channels_rss_mb, figures.start_with_idle_channels_secs
    )?;
    writeln!(out, "sync of this disk: {:.2} ms ({} build)", figures.sync_ms, figures.build)?;
    Ok(())
}
