//! One run: something is done in a channel while somebody dies as planned, until it has come to its end for all three.

use super::asks;
use super::books::{self, Books};
use super::plan::{Case, Death, Kill, Part, Tale};
use crate::judge;
use crate::plan::Point;
use crate::play::words;
use crate::seat::Seat;
use crate::time::{Playing, Time};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(100);
/// A run takes no longer, windows included, in the world's seconds.
const RUN_LIMIT_SECS: u64 = 1_500;
/// What goes on after a restart has ended within this, and long before any lock has: nobody waits for the end of one.
pub const RESUMED_WITHIN_SECS: u64 = 30;
/// The daemons live by this machine's clock when they dial and look, so they are given that as well.
const AT_LEAST: Duration = Duration::from_secs(45);
/// What needs blocks, and perhaps a second try, has been done within this.
const MINED_WITHIN_SECS: u64 = 90;
/// A point may be passed after the end: transactions are settled when they are final.
const AFTERWARDS_SECS: u64 = 8;
/// Between a death and the node's return.
const NODE_DOWN_SECS: u64 = 2;

/// Three parties in a line.
pub struct Trio {
    pub seats: [Seat; 3],
    pub time: Arc<Time>,
}

impl Trio {
    pub fn seat(&self, part: Part) -> &Seat {
        &self.seats[part as usize]
    }

    pub fn seat_mut(&mut self, part: Part) -> &mut Seat {
        &mut self.seats[part as usize]
    }
}

/// How it ended, for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Paid, or done on the chain.
    Done,
    /// Not paid: nobody has lost or got anything.
    Failed,
    /// The same, because somebody's node was down: until it is back, nothing new is taken.
    OutOfSight,
}

/// What came of a run.
pub struct Played {
    pub ended: Ended,
    /// How often somebody died as armed; zero if a point was never passed.
    pub deaths: u32,
    /// The world's seconds that it took.
    pub secs: u64,
    /// All points that each has passed.
    pub passed: Vec<Vec<String>>,
}

/// Plays it. What went wrong is an error, in words; also that it does not end.
pub async fn play(trio: &mut Trio, case: &Case) -> Result<Played, String> {
    let time = Arc::clone(&trio.time);
    time.nobody_waits().await;
    time.bounded(RUN_LIMIT_SECS, play_on(trio, case)).await
}

async fn play_on(trio: &mut Trio, case: &Case) -> Result<Played, String> {
    let began = trio.time.now();
    let before = Run::new(trio, case).at_rest().await?;
    for seat in &trio.seats {
        seat.take_trace();
    }
    let mut run = Run::new(trio, case);
    run.arm();
    let (ended, after) = run.tell(before).await?;
    run.linger().await?;
    run.books_are(after).await?;
    run.trio.seats.iter().for_each(Seat::disarm);
    let (deaths, passed) = (run.met(), run.trio.seats.iter().map(Seat::take_trace).collect());
    run.is_usable(after).await?;
    let secs = run.now() - began;
    Ok(Played { ended, deaths, secs, passed })
}

/// A run that is under way.
pub struct Run<'a> {
    pub trio: &'a mut Trio,
    pub case: &'a Case,
    pub playing: Playing,
    /// How often each has died.
    deaths: [u32; 3],
    /// When somebody came back last, or it began.
    pub since: u64,
}

impl<'a> Run<'a> {
    pub fn new(trio: &'a mut Trio, case: &'a Case) -> Self {
        let (playing, since) = (trio.time.play(), trio.time.now());
        Self { trio, case, playing, deaths: [0; 3], since }
    }

    pub fn seat(&self, part: Part) -> &Seat {
        self.trio.seat(part)
    }

    pub fn now(&self) -> u64 {
        self.trio.time.now()
    }

    fn arm(&self) {
        for part in Part::ALL {
            let own = self.case.kills.iter().filter(|kill| kill.part == part).map(|kill| kill.point.clone());
            self.seat(part).arm(&own.collect::<Vec<_>>());
        }
    }

    /// Looks again and again until there is something, and sees to whoever dies meanwhile. It is given so many seconds, and
    /// after each death as many again.
    pub async fn until<T>(
        &mut self,
        what: &str,
        secs: u64,
        mut look: impl AsyncFnMut(&Trio) -> Result<T, String>,
    ) -> Result<T, String> {
        let (began, mut since) = (self.now(), Instant::now());
        loop {
            if self.attend().await? {
                since = Instant::now();
            }
            let seen = look(self.trio).await;
            match seen {
                Ok(seen) => return Ok(seen),
                Err(why) if self.now() > began.max(self.since) + secs && since.elapsed() > AT_LEAST => {
                    return Err(format!("not {what} after {secs} s: {why}"));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// The same, for what blocks are needed.
    pub async fn mined<T>(&mut self, what: &str, look: impl AsyncFnMut(&Trio) -> Result<T, String>) -> Result<T, String> {
        self.until(what, MINED_WITHIN_SECS, look).await
    }

    /// The same, for what only goes on.
    pub async fn soon<T>(&mut self, what: &str, look: impl AsyncFnMut(&Trio) -> Result<T, String>) -> Result<T, String> {
        self.until(what, RESUMED_WITHIN_SECS, look).await
    }

    /// Until nothing is under way, and all are connected.
    pub async fn at_rest(&mut self) -> Result<Books, String> {
        let asset = self.case.asset;
        self.mined("at rest", async |trio| books::read(trio, asset).await).await
    }

    pub async fn books_are(&mut self, wanted: Books) -> Result<(), String> {
        let asset = self.case.asset;
        let look = async |trio: &Trio| match books::read(trio, asset).await? {
            books if books == wanted => Ok(()),
            books => Err(format!("{wanted:?} is due, and there is {books:?}")),
        };
        self.soon("balanced", look).await
    }

    /// How often somebody died, if all did that were to.
    fn met(&self) -> u32 {
        let is_met = |kill: &Kill| self.deaths[kill.part as usize] > 0;
        if self.case.kills.iter().all(is_met) { self.deaths.iter().sum() } else { 0 }
    }

    /// If somebody has not died yet, the point may come a little later.
    async fn linger(&mut self) -> Result<(), String> {
        let until = self.now() + AFTERWARDS_SECS;
        while !self.case.kills.is_empty() && self.met() == 0 && self.now() < until {
            self.attend().await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Another payment goes over each channel, both ways.
    async fn is_usable(&mut self, books: Books) -> Result<(), String> {
        use Part::{Alice, Bob, Charlie};
        for (from, to) in [(Alice, Bob), (Bob, Alice), (Bob, Charlie), (Charlie, Bob)] {
            let order = asks::direct(self.seat(to), self.case.asset, 1);
            let paid = self.soon("paid over a channel that was used", async |trio| {
                let paid = asks::pay(trio.seat(from), &order).await.map_err(words)?;
                if paid.ended_at.is_some() { Ok(paid) } else { Err(format!("{paid:?}")) }
            });
            let paid = paid.await?;
            if paid.state != "paid" {
                return Err(format!("{from:?} can't pay {to:?} afterwards: {paid:?}"));
            }
        }
        self.books_are(books).await
    }

    /// It waits until then for nothing else, and sees to whoever dies: time may run.
    pub async fn waits_until(&mut self, until: u64) -> Result<(), String> {
        self.playing.waits(Some(until));
        while self.now() < until {
            self.attend().await?;
            tokio::time::sleep(LOOK).await;
        }
        self.playing.waits(None);
        Ok(())
    }

    /// So many seconds pass, one by one, after whoever came back last: something is being done meanwhile.
    pub async fn passes(&mut self, secs: u64) -> Result<(), String> {
        let began = self.now();
        while self.now() < began.max(self.since) + secs {
            self.attend().await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Somebody leaves, as the tale has it.
    pub fn leave(&mut self, part: Part) -> Result<(), String> {
        self.trio.seat_mut(part).party.kill().map_err(words)
    }

    /// And comes back. It may die on its way, as planned.
    pub async fn come_back(&mut self, part: Part) -> Result<(), String> {
        // Time stands still until it has seen what it missed.
        let away = self.trio.time.leave();
        let up = self.trio.seat_mut(part).start(|health| health.healthy).await?;
        drop(away);
        self.since = self.now();
        if up { Ok(()) } else { self.revive(part).await }
    }

    /// Sees to whoever has died. True if somebody had.
    pub async fn attend(&mut self) -> Result<bool, String> {
        for part in Part::ALL {
            if self.trio.seat_mut(part).party.has_ended().map_err(words)? {
                self.revive(part).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Somebody has died as armed: what goes with it happens, and it is started again.
    async fn revive(&mut self, part: Part) -> Result<(), String> {
        let away = self.trio.time.leave();
        self.deaths[part as usize] += 1;
        let Some(Kill { point, death, .. }) = self.case.kills.iter().find(|kill| kill.part == part).cloned() else {
            return Err(format!("{part:?} died by itself:\n{}", judge::last_words(&self.seat(part).said())));
        };
        let is_first = self.deaths[part as usize] == 1;
        self.seat(part).disarm();
        match death {
            Death::Alone => self.start(part).await?,
            Death::All => {
                let others = Part::ALL.into_iter().filter(|other| *other != part);
                // Who has left by itself stays away.
                let alive: Vec<Part> = others.filter(|other| self.seat(*other).party.process_id().is_some()).collect();
                for other in &alive {
                    self.leave(*other)?;
                }
                for killed in [part].into_iter().chain(alive) {
                    self.start(killed).await?;
                }
            }
            Death::Twice(nth) => {
                if is_first {
                    self.seat(part).arm(&[Point::new(&point.name, 1), Point::new("*", nth)]);
                }
                if !self.trio.seat_mut(part).start(|health| health.healthy).await? {
                    self.deaths[part as usize] += 1;
                    self.seat(part).disarm();
                    self.start(part).await?;
                }
            }
            Death::NodeDown => {
                let ledger = self.case.ledger();
                self.seat(part).gate(ledger).shut();
                let up = self.trio.seat_mut(part).start(|_| true).await?;
                away.lasts(NODE_DOWN_SECS).await;
                self.seat(part).gate(ledger).open();
                if !up || !self.trio.seat_mut(part).becomes(|health| health.healthy).await? {
                    return Err(format!("it dies while {ledger} is down, or when it is back"));
                }
            }
        }
        drop(away);
        self.since = self.now();
        Ok(())
    }

    async fn start(&mut self, part: Part) -> Result<(), String> {
        let seat = self.trio.seat_mut(part);
        if seat.start(|health| health.healthy).await? {
            return Ok(());
        }
        Err(format!("{part:?} does not start again:\n{}", judge::last_words(&seat.said())))
    }

    async fn tell(&mut self, before: Books) -> Result<(Ended, Books), String> {
        match self.case.tale {
            Tale::Direct => self.both_pay(before).await,
            Tale::Requested => self.request_is_paid(before).await,
            Tale::Released | Tale::GivenUp | Tale::Recalled | Tale::Lapsed | Tale::Registered => self.hold(before).await,
            Tale::Deposited => self.deposit(before).await,
            Tale::Withdrawn => self.withdraw(before).await,
            Tale::Together => self.close_together(before).await,
            Tale::Alone | Tale::Deserted => self.close_alone(before).await,
        }
    }
}
