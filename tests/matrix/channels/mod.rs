//! The crash matrix of payment channels: three real daemons in a line, on real EVM nodes, are killed (-9) at every point that a
//! payment or a deed on the chain passes, each in each part, and started again. (THREATS E9, E10, E12, K, Q)
//!
//! As for swaps, the tales ([`plan::Tale`]) are first played with nobody killed, and each point that is noted then is died at.
//! After every run the payment was paid or failed alike for all; that came within seconds of the restart, long before any lock's
//! end: nobody waits for one; the books of both sides of both channels agree to the unit, and so do the coins on the chain; and
//! another payment goes over each channel, both ways.
//!
//! `cargo test --test matrix channel` tries every point once. `PHOTON_MATRIX=full` adds one of these in turn at every point: all
//! three at once, twice in a row, and a node that is down; for the coin and a token on Ethereum, and for SMT's coin.

mod asks;
mod books;
mod onchain;
mod payments;
mod plan;
mod play;

use crate::judge;
use crate::plan::{Point, points};
use crate::report::{Line, Report};
use crate::seat::Seat;
use crate::time::{Stride, Time};
use photon::demo::stage::Stage;
use photon_regtest::{Mining, WorldConfig};
use plan::{Case, Death, Kill, Part, Tale};
use play::{Ended, Played, Run, Trio, play};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is paid in: in CI, and in the full matrix.
const CI: [&str; 1] = ["ETH"];
const FULL: [&str; 3] = ["ETH", "USDX", "SMT"];
/// Trios of each asset. Most of their time is waiting: for a daemon to start, for blocks.
const AT_ONCE: usize = 10;
const SETTING_UP: Duration = Duration::from_secs(1);
/// While everybody only waits for a window to be over. The contract reckons a block as 15 seconds.
const STRIDE: Stride = Stride { secs: 60, block_secs: 12 };
/// A point that is not passed in one run may be passed in the next: what shares a commit is a matter of chance.
const TRIES: usize = 2;
/// What is left of a run that was wrong has ended within this, in the world's seconds.
const REST_WITHIN_SECS: u64 = 1_000;

#[test]
fn whoever_is_killed_anywhere_in_a_channel_comes_back_and_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(world) = photon_regtest::own_world(WorldConfig::every(Mining::Every(SETTING_UP))).await else { return };
        let which = std::env::var("PHOTON_MATRIX").ok();
        let (assets, is_full) = if which.is_some() { (FULL.to_vec(), true) } else { (CI.to_vec(), false) };
        let began = Instant::now();
        let stage = Stage::set(Arc::new(world), &crate::scratch("channels")).await.unwrap();
        let parties = stage.world.dir().join("parties");
        std::fs::create_dir(&parties).unwrap();
        let mut troupes = troupes(&stage, &parties, &assets).await;
        let time = Arc::clone(&troupes[0].trios[0].time);
        let mut clock = time.run();
        futures::future::join_all(troupes.iter_mut().flat_map(Troupe::each).map(|(asset, trio)| set_up(trio, asset))).await;
        println!("channels: all channels are open after {:.0} s", began.elapsed().as_secs_f64());

        let planned = futures::future::join_all(troupes.iter_mut().map(|troupe| plan_all(troupe, is_full))).await;
        let runs: usize = planned.iter().map(VecDeque::len).sum();
        for planned in &planned {
            let of = |tale: &Tale| planned.iter().filter(|one| one.case.tale == *tale).count();
            println!("channels: {:?}", Tale::ALL.map(|tale| (tale, of(&tale))));
        }
        println!("channels: {runs} runs are planned after {:.0} s", began.elapsed().as_secs_f64());
        assert!(runs > 0, "no point that was passed has such a name");
        let report = Arc::new(Report::new("channels", &["done", "failed"], runs, began));
        let mut workers = Vec::new();
        for (troupe, planned) in troupes.into_iter().zip(planned) {
            let queue = Arc::new(Mutex::new(planned));
            for trio in troupe.trios {
                workers.push(work(trio, Arc::clone(&queue), Arc::clone(&report)));
            }
        }
        let worked = tokio::select! {
            worked = futures::future::join_all(workers) => worked,
            ended = &mut clock => panic!("nobody keeps the time any more: {ended:?}"),
        };
        clock.abort();
        let databases: Vec<PathBuf> = worked.into_iter().flatten().collect();
        report.journals(databases.iter().map(|database| judge::journal_is_sound(database)));
        report.processes(&parties);
        report.close();
    });
}

/// Those who pay in one asset.
struct Troupe {
    asset: &'static str,
    trios: Vec<Trio>,
}

impl Troupe {
    fn each(&mut self) -> impl Iterator<Item = (&'static str, &mut Trio)> {
        self.trios.iter_mut().map(|trio| (self.asset, trio))
    }
}

async fn troupes(stage: &Stage, parties: &Path, assets: &[&'static str]) -> Vec<Troupe> {
    let clock = stage.world.dir().join("clock");
    let at_once = std::env::var("PHOTON_MATRIX_AT_ONCE").ok().and_then(|text| text.parse().ok()).unwrap_or(AT_ONCE);
    let each = at_once.div_ceil(assets.len()).max(1);
    let mut seated = Vec::new();
    for asset in assets {
        let known = &BTreeSet::from([crate::plan::ledger(asset)]);
        let trios = (0..each).map(|number| {
            let clock = &clock;
            let seat = move |who: &str| {
                let name = format!("{who}-{}-{number}", asset.to_lowercase());
                async move { Seat::new(stage, clock, parties, &name, known).await }
            };
            async move { <[Seat; 3]>::from(tokio::join!(seat("alice"), seat("bob"), seat("charlie"))) }
        });
        seated.push((*asset, futures::future::join_all(trios).await));
    }
    let used = assets.iter().map(|asset| crate::plan::ledger(asset)).collect();
    let time = Time::take_over(Arc::clone(&stage.world), used, STRIDE).await;
    let troupe = |(asset, seats): (&'static str, Vec<[Seat; 3]>)| Troupe {
        asset,
        trios: seats.into_iter().map(|seats| Trio { seats, time: Arc::clone(&time) }).collect(),
    };
    seated.into_iter().map(troupe).collect()
}

/// All started, and two channels opened.
async fn set_up(trio: &mut Trio, asset: &'static str) {
    let [alice, bob, charlie] = &mut trio.seats;
    let started = tokio::join!(alice.start(|it| it.healthy), bob.start(|it| it.healthy), charlie.start(|it| it.healthy));
    assert!(started.0.unwrap() && started.1.unwrap() && started.2.unwrap());
    let case = Case { asset, tale: Tale::Together, kills: Vec::new() };
    let mut run = Run::new(trio, &case);
    for (from, with) in [(Part::Alice, Part::Bob), (Part::Bob, Part::Charlie)] {
        onchain::open(&mut run, from, with).await.unwrap();
    }
}

/// A case, and how often it was tried.
struct Planned {
    case: Case,
    tries: usize,
}

/// Plays each tale with nobody killed, and plans a death at each point that was passed in it and in none before it.
async fn plan_all(troupe: &mut Troupe, is_full: bool) -> VecDeque<Planned> {
    let asset = troupe.asset;
    let (tales, traced) = (Mutex::new(VecDeque::from(wanted_tales())), Mutex::new(Vec::new()));
    let trace = async |trio: &mut Trio| {
        let next = || tales.lock().unwrap().pop_front();
        while let Some(tale) = next() {
            let played = play(trio, &Case { asset, tale, kills: Vec::new() })
                .await
                .unwrap_or_else(|why| panic!("{asset} {tale:?}: {why}"));
            assert_eq!(played.ended, tells(tale), "{tale:?} with nobody killed");
            traced.lock().unwrap().push((tale, played.passed));
        }
    };
    futures::future::join_all(troupe.trios.iter_mut().map(trace)).await;
    let mut traced = traced.into_inner().unwrap();
    traced.sort_by_key(|(tale, _)| *tale);
    let (mut known, mut planned) = (BTreeSet::<(Part, Point)>::new(), VecDeque::new());
    for (tale, passed) in traced {
        let mut plan = |kills| planned.push_back(Planned { case: Case { asset, tale, kills }, tries: 0 });
        let mut shared: Vec<Vec<Kill>> = Vec::new();
        for (part, trace) in Part::ALL.into_iter().zip(passed) {
            let is_fit = |point: &Point| !is_by_chance(point) && !is_met_by_name(point) && crate::is_wanted(point);
            let is_new = |point: &Point| is_fit(point) && known.insert((part, point.clone()));
            for (number, point) in points(&trace).into_iter().filter(is_new).enumerate() {
                let kill = Kill { part, point, death: Death::Alone };
                match (is_full, shared.get_mut(number)) {
                    (true, _) => {
                        plan(vec![Kill { death: Death::other(number), ..kill.clone() }]);
                        plan(vec![kill]);
                    }
                    (false, _) if !tale.is_long() => plan(vec![kill]),
                    (false, Some(kills)) => kills.push(kill),
                    (false, None) => shared.push(vec![kill]),
                }
            }
        }
        shared.into_iter().for_each(plan);
    }
    planned
}

/// Events of the ledgers' health, and frames that two messages may share: they come in one run and not in the next.
fn is_by_chance(point: &Point) -> bool {
    point.name.contains("append_event") || point.name == "message.written" && point.nth > 2
}

/// A transaction handed to the node: which one it is, the call around it says.
fn is_met_by_name(point: &Point) -> bool {
    point.name.starts_with("send.") && point.nth > 1
}

/// How a tale ends if nobody dies.
const fn tells(tale: Tale) -> Ended {
    match tale {
        Tale::GivenUp | Tale::Recalled | Tale::Lapsed => Ended::Failed,
        Tale::Direct
        | Tale::Requested
        | Tale::Released
        | Tale::Deposited
        | Tale::Withdrawn
        | Tale::Together
        | Tale::Registered
        | Tale::Alone
        | Tale::Deserted => Ended::Done,
    }
}

/// All, or those that `PHOTON_MATRIX_TALES` names.
fn wanted_tales() -> Vec<Tale> {
    let named = std::env::var("PHOTON_MATRIX_TALES").ok();
    let is_named = |tale: &Tale| named.as_ref().is_none_or(|named| named.split(',').any(|name| name == format!("{tale:?}")));
    Tale::ALL.into_iter().filter(is_named).collect()
}

/// Plays cases until none is left; returns where the journals of the trio are.
async fn work(mut trio: Trio, queue: Arc<Mutex<VecDeque<Planned>>>, report: Arc<Report>) -> Vec<PathBuf> {
    let next = || queue.lock().unwrap().pop_front();
    while let Some(mut planned) = next() {
        planned.tries += 1;
        match play(&mut trio, &planned.case).await {
            Ok(Played { deaths: 0, .. }) if planned.tries < TRIES => queue.lock().unwrap().push_back(planned),
            Ok(Played { ended, .. }) if ![tells(planned.case.tale), Ended::OutOfSight].contains(&ended) => {
                report.wrong(&planned.case, "it did not go on where it was", &trio.seats);
            }
            Ok(played) => report.played(&planned.case, line(&planned.case, &played)),
            Err(wrong) => {
                report.wrong(&planned.case, &wrong, &trio.seats);
                if !comes_to_rest(&mut trio, planned.case.asset).await {
                    report.gives_up(trio.seat(Part::Alice));
                    break;
                }
            }
        }
    }
    let killed = |seat: &mut Seat| {
        seat.party.kill().unwrap();
        seat.database()
    };
    trio.seats.iter_mut().map(killed).collect()
}

fn line(case: &Case, played: &Played) -> Line {
    let way = case.kills.first().map_or("nobody", |kill| kill.death.word());
    let column = match played.ended {
        Ended::Done => 0,
        Ended::Failed | Ended::OutOfSight => 1,
    };
    Line {
        row: (format!("{} {:?}", case.asset, case.tale), way),
        column,
        points: case.kills.len(),
        deaths: played.deaths,
        secs: played.secs,
    }
}

/// All started again and left alone until their books are at rest, or their channels open anew. False if that does not happen.
async fn comes_to_rest(trio: &mut Trio, asset: &'static str) -> bool {
    for seat in &mut trio.seats {
        seat.disarm();
        seat.open_gates();
        let started = match seat.party.kill() {
            Ok(()) => seat.start(|_| true).await.is_ok_and(|up| up),
            Err(_) => false,
        };
        if !started {
            return false;
        }
    }
    let case = Case { asset, tale: Tale::Together, kills: Vec::new() };
    let time = Arc::clone(&trio.time);
    let mut run = Run::new(trio, &case);
    let rest = run.until("at rest", REST_WITHIN_SECS, async |trio| books::read(trio, asset).await);
    time.bounded(REST_WITHIN_SECS, rest).await.is_ok()
}
