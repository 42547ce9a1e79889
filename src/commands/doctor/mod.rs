//! `photon doctor`: what is wrong with this node, and what to do about it.
//!
//! It looks at everything from outside, whether the node runs or not: the folder, the settings, the disk and the database; every
//! configured node, asked anew over a connection of its own; and the running node's API, if there is one. It changes nothing, and
//! signs nothing.

mod folder;
mod nodes;
mod running;

use super::{LocalArgs, PassphraseArgs, SetArgs, open_wallet};
use crate::cli::table::{self, Cell, Style, Tone};
use crate::datadir::DataDir;
use crate::keys::{SeedWords, Wallet};
use anyhow::Context;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Look for what is wrong: settings, disk, database, nodes, clock, fees, balances; says what to do, and fails if anything is bad
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// Opens the seed, so that the account on Ethereum and SMT can be looked at while the node does not run.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// What goes over the configuration file.
    #[command(flatten)]
    pub set: SetArgs,
}

/// How a part is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warn,
    /// Something does not work, or is not safe.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in a few words that stay the same.
    pub what: String,
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Ok, seen: seen.into(), advice: None }
    }

    pub(super) fn warn(what: impl Into<String>, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Warn, seen: seen.into(), advice: Some(advice.into()) }
    }

    pub(super) fn bad(what: impl Into<String>, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Bad, seen: seen.into(), advice: Some(advice.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    /// True if nothing is bad.
    well: bool,
    findings: Vec<Finding>,
}

/// Runs it. The exit code is 1 if anything is bad.
pub fn run(local: &LocalArgs, args: &DoctorArgs, json: bool) -> anyhow::Result<ExitCode> {
    let datadir = DataDir::new(local.datadir.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
    let findings = runtime.block_on(examine(&datadir, args));
    let report = Report { well: findings.iter().all(|finding| finding.verdict != Verdict::Bad), findings };
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write!(out, "{}", describe(&report, style()))?;
    }
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(datadir: &DataDir, args: &DoctorArgs) -> Vec<Finding> {
    let (mut findings, config) = folder::examine(datadir, &args.set);
    let Some(config) = config else { return findings };
    findings.extend(folder::disk_and_database(datadir, &config));
    let (wallet, seed) = wallet(datadir, args, config.network);
    findings.extend(seed);
    let has_account = wallet.is_some();
    match wallet.map_or_else(nobody, Ok) {
        Ok(wallet) => findings.extend(nodes::examine(&config, wallet, has_account).await),
        Err(error) => findings.push(Finding::bad("nodes", error.to_string(), "try again")),
    }
    findings.extend(running::examine(datadir, &config).await);
    findings
}

/// Opens the seed only where that needs no person.
fn wallet(datadir: &DataDir, args: &DoctorArgs, network: photon_chains::Network) -> (Option<Wallet>, Option<Finding>) {
    if args.passphrase.passphrase_file.is_none() {
        return (None, None);
    }
    let opened = args.passphrase.get().and_then(|passphrase| open_wallet(datadir, network, &passphrase));
    match opened {
        Ok(wallet) => {
            let seen = format!("opens; identity {}", wallet.identity_address());
            (Some(wallet), Some(Finding::ok("seed", seen)))
        }
        Err(error) => {
            let advice = "a node can't restart by itself with this passphrase file: put the right passphrase into it";
            (None, Some(Finding::bad("seed", format!("{error:#}"), advice)))
        }
    }
}

/// A wallet that owns nothing: enough to ask nodes how they are.
fn nobody() -> anyhow::Result<Wallet> {
    Ok(Wallet::new(&SeedWords::generate()?, photon_chains::Network::Regtest)?)
}

fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if terminal { Style { color: !no_color, width: Style::terminal_width() } } else { Style::PLAIN }
}

fn describe(report: &Report, style: Style) -> String {
    let rows = report.findings.iter().map(row).collect();
    let bad = report.findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    let warned = report.findings.iter().filter(|finding| finding.verdict == Verdict::Warn).count();
    let last = match (bad, warned) {
        (0, 0) => "All is well.".to_owned(),
        (0, warned) => format!("Nothing is broken; {warned} to look at."),
        (bad, _) => format!("NOT well: {bad} to mend."),
    };
    format!("{}\n{last}\n", table::render(&["what", "", "seen", "what to do"], rows, style))
}

fn row(finding: &Finding) -> Vec<Cell> {
    let (word, tone) = match finding.verdict {
        Verdict::Ok => ("ok", Tone::Good),
        Verdict::Warn => ("look", Tone::Busy),
        Verdict::Bad => ("BAD", Tone::Bad),
    };
    let advice = finding.advice.as_deref().unwrap_or_default();
    vec![Cell::from(&finding.what), Cell::new(word, tone), Cell::from(&finding.seen), Cell::from(advice)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bad_is_counted_and_each_line_says_what_to_do() {
        let findings = vec![Finding::ok("disk", "9 GB free"), Finding::bad("bitcoin", "silent", "start it")];
        let text = describe(&Report { well: false, findings }, Style::PLAIN);
        assert!(text.contains("bitcoin") && text.contains("start it") && text.ends_with("NOT well: 1 to mend.\n"), "{text}");
        let calm = describe(&Report { well: true, findings: vec![Finding::warn("clock", "slow", "set it")] }, Style::PLAIN);
        assert!(calm.ends_with("Nothing is broken; 1 to look at.\n"), "{calm}");
        assert!(describe(&Report { well: true, findings: Vec::new() }, Style::PLAIN).ends_with("All is well.\n"));
    }
}
