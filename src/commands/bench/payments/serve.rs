//! A node's process: it does what it is asked over its standard input, and is what it costs.

use super::talk::{Answer, Ask, Books, Costs, Name, Paid, Paying, Sum};
use super::world::{LEDGER, World};
use crate::channels::{NewDeposit, NewPayment, PayBy, Payee, PaymentState, Through};
use crate::commands::bench::meter::{cpu, memory_mb, quantile, round};
use anyhow::Context;
use photon_chains::{Address, BlockHeight, Expiry, UnixTime};
use photon_channel::{ChannelKey, Outcome, PaymentId, Units, Way, Window};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What a payment brings.
const AMOUNT: u64 = 10_000;
/// The most deposits that are asked for at one time.
const AT_ONCE: usize = 200;
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs until nobody asks any more, or a part of it fails.
pub async fn serve(folder: &Path, began: Instant) -> anyhow::Result<()> {
    let mut world = World::begin(folder).await?;
    let node =
        Node { folder: folder.to_owned(), account: world.account, channels: world.channels.clone(), store: world.store.clone() };
    let start_secs = round(began.elapsed().as_secs_f64());
    say(&Name { account: node.account, key: world.key, at: world.at, start_secs })?;
    let mut lines = asked();
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            error = node.store.failed() => return Err(error.into()),
            ended = world.tasks.join_next() => anyhow::bail!("a part of the node ended: {ended:?}"),
        };
        let Some(line) = line else { break };
        say(&node.answer(serde_json::from_str(&line)?).await?)?;
    }
    node.store.close().await?;
    Ok(())
}

/// What is asked, line by line.
fn asked() -> mpsc::Receiver<String> {
    let (lines, asked) = mpsc::channel(1);
    // A thread of its own: it waits for input, and ends with the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    asked
}

fn say(what: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}

struct Node {
    folder: PathBuf,
    account: Address,
    channels: crate::channels::Channels,
    store: crate::store::Store,
}

impl Node {
    async fn answer(&self, ask: Ask) -> anyhow::Result<Answer> {
        Ok(match ask {
            Ask::Meet(account, at) => {
                self.store.saw_peer(account, at.to_string()).await?;
                Answer::Done
            }
            Ask::Open(peer, count) => {
                self.open(peer, count).await?;
                Answer::Done
            }
            Ask::Ready(count) => {
                self.until_ready(count).await?;
                Answer::Done
            }
            Ask::Pay(paying) => Answer::Paid(self.pay(paying).await?),
            Ask::Books(after) => Answer::Books(self.books(after).await?),
            Ask::Costs => Answer::Costs(self.costs()?),
        })
    }

    fn window(number: u16) -> anyhow::Result<Window> {
        Ok(Window::from_minutes(Window::SHORTEST.minutes() + number)?)
    }

    async fn open(&self, peer: Address, count: u16) -> anyhow::Result<()> {
        let amount = Units::from(1);
        for number in 0..count {
            let deposit = NewDeposit { ledger: LEDGER, token: None, peer, window: Self::window(number)?, amount };
            self.channels.deposit(deposit).await?;
            if usize::from(number + 1).is_multiple_of(AT_ONCE) {
                self.until_open(usize::from(number + 1)).await?;
            }
        }
        Ok(())
    }

    async fn until_open(&self, count: usize) -> anyhow::Result<()> {
        self.until(async || {
            let all = self.channels.list().await?;
            Ok(all.iter().filter(|channel| channel.epoch.is_some()).count() >= count)
        })
        .await
    }

    async fn until_ready(&self, count: usize) -> anyhow::Result<()> {
        self.until(async || Ok(self.channels.list().await?.iter().filter(|channel| channel.is_ready).count() >= count)).await
    }

    async fn until(&self, holds: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !holds().await? {
            anyhow::ensure!(Instant::now() < end, "a node waited in vain");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Each of so many payers makes one payment after the other.
    async fn pay(&self, paying: Paying) -> anyhow::Result<Paid> {
        let orders = Arc::new(self.orders(&paying)?);
        let next = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let payers = (0..paying.in_flight).map(|_| {
            let (channels, orders, next) = (self.channels.clone(), orders.clone(), next.clone());
            tokio::spawn(async move {
                let (mut sum, mut took) = (Sum::default(), Vec::new());
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= paying.count {
                        return anyhow::Ok((sum, took));
                    }
                    let order = orders.get(number as usize % orders.len()).context("no order")?;
                    let began = Instant::now();
                    let paying = channels.pay(order.clone()).await?;
                    let outcome = paying.ended.await?;
                    anyhow::ensure!(matches!(outcome, Outcome::Paid(_)), "a payment came to nothing: {outcome:?}");
                    took.push(began.elapsed());
                    sum.add(&paying.id, order.amount, Units::ZERO);
                }
            })
        });
        let (mut sum, mut took) = (Sum::default(), Vec::new());
        for payer in futures::future::join_all(payers).await {
            let (part, times) = payer??;
            sum = sum.and(&part);
            took.extend(times);
        }
        let secs = began.elapsed().as_secs_f64();
        Ok(Paid { sum, secs, p50_ms: quantile(&took, 50), p99_ms: quantile(&took, 99) })
    }

    /// The orders that are given in turn.
    fn orders(&self, paying: &Paying) -> anyhow::Result<Vec<NewPayment>> {
        let amount = Units::from(AMOUNT);
        let payee = paying.payee;
        let order = |through| NewPayment {
            ledger: LEDGER,
            id: None,
            token: None,
            payee: if paying.through.is_some() { Payee::Key(payee.key) } else { Payee::Account(payee.account) },
            amount,
            most_fee: amount,
            by: if paying.through.is_some() { PayBy::Sealed } else { PayBy::Direct },
            through,
            memo: None,
        };
        if let Some(mediator) = paying.through {
            return Ok(vec![order(Through::Mediators(vec![mediator]))]);
        }
        if paying.channels == 1 {
            return Ok(vec![order(Through::Any)]);
        }
        let way = |number| {
            let key = ChannelKey::new(None, self.account, payee.account, Self::window(number)?)?;
            let expiry = Expiry { opens_block: BlockHeight::new(0), ..Expiry::at(UnixTime::from_secs(0)) };
            anyhow::Ok(Way { channel: key.id(), amount, expiry, onward: Vec::new() })
        };
        (0..paying.channels).map(|number| Ok(order(Through::Ways(vec![way(number)?])))).collect()
    }

    /// Every row since that one, looked at.
    async fn books(&self, after: u64) -> anyhow::Result<Books> {
        let (mut books, mut seen) = (Books { is_single: true, ..Books::default() }, HashSet::new());
        let mut before = None;
        'pages: loop {
            let page = self.channels.payments(before, 500).await?;
            for row in page.items {
                let number = row.number.context("a payment without a number")?;
                books.last = books.last.max(number);
                if number <= after {
                    break 'pages;
                }
                anyhow::ensure!(row.state == PaymentState::Paid, "a payment came to nothing: {:?}", row.state);
                books.is_single &= seen.insert((row.is_incoming, row.id));
                let sum = if row.is_incoming { &mut books.received } else { &mut books.made };
                sum.add(&row.id, row.amount, row.fee);
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        for channel in self.channels.list().await? {
            books.own += channel.own;
            books.pending += channel.own_pending.0 + channel.peers_pending.0;
        }
        books.running = self.channels.running(LEDGER, 1).await?.len();
        Ok(books)
    }

    fn costs(&self) -> anyhow::Result<Costs> {
        let size = |name: &str| std::fs::metadata(self.folder.join(name)).map_or(0, |file| file.len());
        Ok(Costs {
            cpu_secs: cpu().as_secs_f64(),
            syncs: self.store.stats().commits,
            disk_bytes: written_bytes().unwrap_or_default(),
            rss_mb: memory_mb("VmRSS").unwrap_or_default(),
            peak_rss_mb: memory_mb("VmHWM").unwrap_or_default(),
            database_bytes: size("photon.db") + size("photon.db-wal"),
        })
    }
}

/// Bytes that this process has handed to disks. None where the system does not say.
fn written_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

impl Sum {
    fn add(&mut self, id: &PaymentId, amount: Units, fee: Units) {
        self.count += 1;
        self.ids = self.ids.wrapping_add(u128::from_be_bytes(*id.as_bytes()));
        self.amount += amount.get();
        self.fees += fee.get();
    }

    /// Both together.
    pub fn and(&self, other: &Sum) -> Sum {
        Sum {
            count: self.count + other.count,
            ids: self.ids.wrapping_add(other.ids),
            amount: self.amount + other.amount,
            fees: self.fees + other.fees,
        }
    }
}
