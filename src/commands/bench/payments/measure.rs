//! The runs: who pays whom, how many at one time, and whether the books agree afterwards.

use super::party::Party;
use super::talk::{Ask, Books, Costs, Paid, Paying, Sum};
use super::{Load, Progress};
use crate::commands::bench::meter::round;
use anyhow::Context;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// No payment is under way for longer after the last answer.
const SETTLES_IN: Duration = Duration::from_secs(60);

/// What one run showed.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Which.
    pub name: String,
    /// Payments in it.
    pub payments: u64,
    /// Of them at one time, of each payer.
    pub in_flight: usize,
    /// Payments in a second, from the first order until the last was answered as paid.
    pub per_s: f64,
    /// Milliseconds from an order to its answer: half of the payments took less, ...
    pub p50_ms: f64,
    /// ... and 99 of 100.
    pub p99_ms: f64,
    /// Synced transactions of all nodes' databases, per payment.
    pub syncs: f64,
    /// Bytes that all nodes handed to the disk, per payment.
    pub disk_bytes: f64,
    /// Microseconds of CPU of all nodes, per payment.
    pub cpu_us: f64,
    /// What else had the machine's processors when it began: tasks that wanted to run in the last minute.
    pub load: f64,
}

/// Nodes in a row: the first pays, the last is paid, those between them mediate.
pub struct Line {
    parties: Vec<Party>,
    progress: Progress,
}

impl Line {
    /// So many new nodes, each with a channel to the next.
    pub fn start(folder: &Path, names: &[&str], progress: &Progress) -> anyhow::Result<Self> {
        progress.say("starting nodes");
        let parties = names.iter().map(|name| Party::start(&folder.join(name))).collect::<anyhow::Result<Vec<_>>>()?;
        let mut line = Self { parties, progress: progress.clone() };
        line.meet()?;
        line.open(1)?;
        Ok(line)
    }

    fn meet(&mut self) -> anyhow::Result<()> {
        let names: Vec<_> = self.parties.iter().map(|party| party.name).collect();
        for (party, next) in self.parties.iter_mut().zip(names.iter().skip(1)) {
            party.done(&Ask::Meet(next.account, next.at))?;
        }
        Ok(())
    }

    /// Each has so many channels with the next, and all are ready.
    pub fn open(&mut self, channels: u16) -> anyhow::Result<()> {
        let names: Vec<_> = self.parties.iter().map(|party| party.name).collect();
        for (at, name) in names.iter().enumerate().skip(1) {
            let before = names.get(at - 1).context("nobody")?;
            // Both look for them: what a neighbour hints at is bounded.
            self.party(at - 1)?.ask(&Ask::Open(name.account, channels))?;
            self.party(at)?.done(&Ask::Open(before.account, channels))?;
            self.party(at - 1)?.hear()?;
        }
        let last = self.parties.len() - 1;
        for (at, party) in self.parties.iter_mut().enumerate() {
            let sides = if at == 0 || at == last { 1 } else { 2 };
            party.done(&Ask::Ready(usize::from(channels) * sides))?;
        }
        Ok(())
    }

    fn party(&mut self, at: usize) -> anyhow::Result<&mut Party> {
        self.parties.get_mut(at).context("no such node")
    }

    /// The first node, to be asked.
    pub fn first(&mut self) -> anyhow::Result<&mut Party> {
        self.party(0)
    }

    /// So many payments from the first to the last.
    pub fn run(&mut self, name: &str, count: u64, in_flight: usize, channels: u16) -> anyhow::Result<Run> {
        self.measured(name, count, in_flight, channels, false)
    }

    /// The same, and as many the other way at the same time.
    pub fn run_both_ways(&mut self, name: &str, count: u64, in_flight: usize) -> anyhow::Result<Run> {
        self.measured(name, count, in_flight, 1, true)
    }

    fn measured(&mut self, name: &str, count: u64, in_flight: usize, channels: u16, both: bool) -> anyhow::Result<Run> {
        self.progress.say(name);
        let last = self.parties.len() - 1;
        let (payer, payee) = (self.party(0)?.name, self.party(last)?.name);
        let through = if last == 1 { None } else { Some(self.party(1)?.name.account) };
        self.settle()?;
        let before = self.books(&[])?;
        let (costs, load) = (self.costs()?, Load::now());
        let paying = |payee| Paying { payee, through, channels, count, in_flight };
        self.party(0)?.begin(&paying(payee))?;
        if both {
            self.party(last)?.begin(&paying(payer))?;
        }
        let mut paid = vec![self.party(0)?.paid()?];
        if both {
            paid.push(self.party(last)?.paid()?);
        }
        // What was answered may go on to cost something: it is counted too. To look at the books is not.
        self.settle()?;
        let costs = sum(self.costs()?.iter().zip(&costs).map(|(after, before)| after.since(before)));
        let marks: Vec<u64> = before.iter().map(|books| books.last).collect();
        let after = self.books(&marks)?;
        agree(&paid, &before, &after).with_context(|| format!("{name}: the books do not agree"))?;
        Ok(figures(name, &paid, in_flight, &costs, load))
    }

    fn costs(&mut self) -> anyhow::Result<Vec<Costs>> {
        self.parties.iter_mut().map(Party::costs).collect()
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + SETTLES_IN;
        for party in &mut self.parties {
            loop {
                // Rows that come after any are none: only what is under way is asked for.
                let books = party.books(i64::MAX as u64)?;
                if books.pending == 0 && books.running == 0 {
                    break;
                }
                anyhow::ensure!(Instant::now() < end, "payments are still under way long after the last was answered");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// The books of all; rows after those marks, or none.
    fn books(&mut self, marks: &[u64]) -> anyhow::Result<Vec<Books>> {
        let mark = |at: usize| marks.get(at).copied().unwrap_or(i64::MAX as u64);
        self.parties.iter_mut().enumerate().map(|(at, party)| party.books(mark(at))).collect()
    }

    /// Stops all nodes and starts them again. Seconds in which the slowest was up.
    pub fn restart(self) -> anyhow::Result<(Self, f64)> {
        let Self { parties, progress } = self;
        progress.say("starting again");
        let parties = parties.into_iter().map(Party::restart).collect::<anyhow::Result<Vec<_>>>()?;
        let slowest = parties.iter().map(|party| party.name.start_secs).fold(0.0, f64::max);
        let mut line = Self { parties, progress };
        line.meet()?;
        Ok((line, slowest))
    }

    /// Waits until the first node's channels are ready, and has nothing done for so long; then its memory, in MiB.
    pub fn idle_rss(&mut self, channels: u16, rest: Duration) -> anyhow::Result<f64> {
        self.first()?.done(&Ask::Ready(usize::from(channels)))?;
        std::thread::sleep(rest);
        Ok(self.first()?.costs()?.rss_mb)
    }

    /// The most memory that any of the nodes held, in MiB, and the bytes of the payer's database.
    pub fn size(&mut self) -> anyhow::Result<(f64, u64)> {
        let costs = self.costs()?;
        let peak = costs.iter().map(|costs| costs.peak_rss_mb).fold(0.0, f64::max);
        Ok((peak, costs.first().map_or(0, |costs| costs.database_bytes)))
    }
}

fn sum(all: impl Iterator<Item = Costs>) -> Costs {
    all.fold(Costs::default(), |sum, one| Costs {
        cpu_secs: sum.cpu_secs + one.cpu_secs,
        syncs: sum.syncs + one.syncs,
        disk_bytes: sum.disk_bytes + one.disk_bytes,
        ..sum
    })
}

/// Every payment that was answered stands once in the books of its payer and of its payee, none stands there that was not, and
/// balances have moved by just that.
fn agree(paid: &[Paid], before: &[Books], after: &[Books]) -> anyhow::Result<()> {
    let (Some(first), Some(last)) = (after.first(), after.last()) else { anyhow::bail!("nobody has books") };
    anyhow::ensure!(after.iter().all(|books| books.is_single), "a payment has two rows");
    let nobody = Paid { sum: Sum::default(), secs: 0.0, p50_ms: 0.0, p99_ms: 0.0 };
    let (there, back) = (paid.first().unwrap_or(&nobody), paid.get(1).unwrap_or(&nobody));
    for (told, made, received, way) in [(there, first.made, last.received, "there"), (back, last.made, first.received, "back")] {
        let bare = |sum: Sum| Sum { fees: 0, ..sum };
        anyhow::ensure!(bare(made) == told.sum, "{way}: made {made:?}, told {:?}", told.sum);
        anyhow::ensure!(bare(received) == told.sum, "{way}: received {received:?}, told {:?}", told.sum);
    }
    let moved: Vec<i128> = before.iter().zip(after).map(|(before, after)| after.own - before.own).collect();
    let (out, fees) = (there.sum.amount as i128 - back.sum.amount as i128, (first.made.fees + last.made.fees) as i128);
    let expected = match moved.len() {
        2 => vec![-out, out],
        _ => vec![-out - fees, fees, out],
    };
    anyhow::ensure!(moved == expected, "balances moved by {moved:?}, not by {expected:?}");
    Ok(())
}

fn figures(name: &str, paid: &[Paid], in_flight: usize, costs: &Costs, load: f64) -> Run {
    let payments: u64 = paid.iter().map(|paid| paid.sum.count).sum();
    let slowest = |figure: fn(&Paid) -> f64| paid.iter().map(figure).fold(0.0, f64::max);
    let each = |figure: f64| round(figure / payments.max(1) as f64);
    Run {
        name: name.to_owned(),
        payments,
        in_flight,
        per_s: (payments as f64 / slowest(|paid| paid.secs)).round(),
        p50_ms: slowest(|paid| paid.p50_ms),
        p99_ms: slowest(|paid| paid.p99_ms),
        syncs: each(costs.syncs as f64),
        disk_bytes: each(costs.disk_bytes as f64).round(),
        cpu_us: each(costs.cpu_secs * 1e6),
        load,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sum(count: u64) -> Sum {
        Sum { count, ids: u128::from(count) * 7, amount: u128::from(count) * 100, fees: 0 }
    }

    fn books(made: Sum, received: Sum, own: i128) -> Books {
        Books { made, received, is_single: true, own, ..Books::default() }
    }

    #[test]
    fn a_payment_that_is_missing_doubled_or_of_another_amount_fails_the_bench() {
        let paid = Paid { sum: sum(3), secs: 1.0, p50_ms: 1.0, p99_ms: 1.0 };
        let before = [books(Sum::default(), Sum::default(), 1_000), books(Sum::default(), Sum::default(), 1_000)];
        let after = [books(sum(3), Sum::default(), 700), books(Sum::default(), sum(3), 1_300)];
        assert!(agree(std::slice::from_ref(&paid), &before, &after).is_ok());
        let wrong = [
            [books(sum(2), Sum::default(), 700), after[1]],
            [after[0], books(Sum::default(), sum(4), 1_300)],
            [after[0], books(Sum::default(), Sum { ids: 1, ..sum(3) }, 1_300)],
            [after[0], books(Sum::default(), Sum { amount: 301, ..sum(3) }, 1_300)],
            [after[0], books(Sum::default(), sum(3), 1_299)],
            [books(sum(3), sum(1), 700), after[1]],
            [after[0], Books { is_single: false, ..after[1] }],
        ];
        for after in wrong {
            assert!(agree(std::slice::from_ref(&paid), &before, &after).is_err(), "{after:?}");
        }
    }
}
