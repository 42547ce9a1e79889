//! The crash matrix: real daemons on real nodes are killed (-9) at every point that a swap passes, and started again. (THREATS
//! F8, F15, F16, C14, C21, §1.8)
//!
//! Its tales ([`plan::Tale`]) are first played with nobody killed, and every point noted that each party passes (see
//! `photon_chains::crash`): before and after each commit, each transaction handed to a node, each message, each effect. Then
//! each of these points is died at. So a new step is tried by itself. Every run must end alike for both, completed or refunded;
//! the books of both must agree to the unit; of each lock at most one funding and one spend may be mined; and no nonce and no
//! coin may have been signed away twice with two meanings. A run that does not end in time is wrong too.
//!
//! `cargo test --test matrix` tries every point of one pair once, and of a pair with a leg in a payment channel those that are the
//! channel's. `PHOTON_MATRIX=full cargo test --test matrix -- --nocapture` tries all pairs, and at every point also one of these in
//! turn: both daemons at once, twice in a row, and a node that is down.
//! `PHOTON_MATRIX=LTC-SMT,ETH-USDX` does so for these pairs alone; `PHOTON_MATRIX_POINTS=redeem` only where the name says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod channels;
mod gate;
mod judge;
mod plan;
mod play;
mod report;
mod seat;
mod time;

use judge::Ended;
use photon::demo::legs;
use photon::demo::stage::Stage;
use photon_chains::Ledger;
use photon_regtest::{Mining, WorldConfig};
use plan::{Assets, Case, Death, Kill, Leg, Point, Tale, points, tales};
use play::{Played, play};
use report::{Line, Report};
use seat::{Pair, Seat, Who};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use time::{Stride, Time};

/// One pair in CI, and one with a leg in a payment channel, as far as that adds something; every pair in the full matrix.
const CI: [Assets; 2] = [("BTC", "ETH"), ("BTC", "ETH@channel")];
const FULL: [Assets; 9] = [
    ("BTC", "ETH"),
    ("ETH", "BTC"),
    ("LTC", "SMT"),
    ("SMT", "LTC"),
    ("ETH", "USDX"),
    ("USDX", "ETH"),
    ("BTC", "ETH@channel"),
    ("ETH@channel", "BTC"),
    ("ETH@channel", "SMT@channel"),
];
/// A channel of a pair of parties has room for that many swaps of the demo's, which are larger than these.
const CHANNEL_SWAPS: u128 = 20;
/// Swaps that are played at once. Most of their time is waiting for blocks.
const AT_ONCE: usize = 8;
/// Between blocks until the time is taken over.
const SETTING_UP: Duration = Duration::from_secs(1);
/// While everybody only waits for a lock to open.
const STRIDE: Stride = Stride { secs: 4, block_secs: 1 };
/// A point that is not passed in one run may be passed in the next: whether two writes share a commit is a matter of chance.
const TRIES: usize = 3;
/// What is left of a run that was wrong has ended within this, in the world's seconds.
const REST_WITHIN_SECS: u64 = 200;

#[test]
fn whoever_is_killed_anywhere_and_comes_back_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(world) = photon_regtest::own_world(WorldConfig::every(Mining::Every(SETTING_UP))).await else { return };
        let (assets, deaths) = chosen(std::env::var("PHOTON_MATRIX").ok().as_deref());
        let began = Instant::now();
        let stage = Stage::set(Arc::new(world), &scratch("swaps")).await.unwrap();
        let parties = stage.world.dir().join("parties");
        std::fs::create_dir(&parties).unwrap();
        let mut troupes = troupes(&stage, &parties, &assets).await;
        let time = Arc::clone(&troupes[0].cast[0].time);
        let mut clock = time.run();
        futures::future::join_all(troupes.iter_mut().flat_map(|troupe| &mut troupe.cast).map(start)).await;
        futures::future::join_all(troupes.iter().flat_map(Troupe::channels)).await;
        println!("matrix: all parties are ready after {:.0} s", began.elapsed().as_secs_f64());

        futures::future::join_all(troupes.iter_mut().map(|troupe| plan_all(troupe, deaths))).await;
        let runs = troupes.iter().map(|troupe| troupe.planned.len()).sum();
        println!("matrix: {runs} runs are planned after {:.0} s", began.elapsed().as_secs_f64());
        assert!(runs > 0, "no point that was passed has such a name");
        let report = Arc::new(Report::new("matrix", &["completed", "refunded", "void"], runs, began));
        let mut workers = Vec::new();
        for Troupe { cast, planned, .. } in troupes {
            let queue = Arc::new(Mutex::new(planned));
            for pair in cast {
                workers.push(tokio::spawn(work(pair, Arc::clone(&queue), Arc::clone(&report))));
            }
        }
        let workers = futures::future::join_all(workers);
        let worked = tokio::select! {
            worked = workers => worked,
            ended = &mut clock => panic!("nobody keeps the time any more: {ended:?}"),
        };
        clock.abort();
        let (passed, mining_ms) = time.pace();
        println!("matrix: {passed} seconds have passed in the world, and the blocks of each took {mining_ms} ms");
        let databases: Vec<PathBuf> = worked.into_iter().flat_map(Result::unwrap).collect();
        report.journals(databases.iter().map(|database| judge::journal_is_sound(database)));
        report.processes(&parties);
        report.close();
    });
}

/// What `PHOTON_MATRIX` chooses: nothing is CI's part, `full` is everything, and `BTC-ETH,SMT-LTC` is all of these pairs.
fn chosen(which: Option<&str>) -> (Vec<Assets>, Deaths) {
    let Some(which) = which else { return (CI.into(), Deaths::Alone) };
    let name = |(pay, get): Assets| format!("{pay}-{get}");
    let is_meant = |assets: &Assets| which == "full" || which.split(',').any(|meant| meant == name(*assets));
    let assets: Vec<Assets> = FULL.into_iter().filter(is_meant).collect();
    assert!(!assets.is_empty(), "PHOTON_MATRIX is `full`, or some of {:?}", FULL.map(name));
    (assets, Deaths::All)
}

/// Whether a point is to be tried: those whose name holds `PHOTON_MATRIX_POINTS`, if that is set.
fn is_wanted(point: &Point) -> bool {
    std::env::var("PHOTON_MATRIX_POINTS").map_or(true, |part| point.name.contains(&part))
}

/// For what the stage of one matrix itself writes down: both run in one process, and a database has one owner.
fn scratch(matrix: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("photon-matrix-{matrix}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Pairs of parties that know the same ledgers, and what they are to play.
struct Troupe {
    assets: Vec<Assets>,
    cast: Vec<Pair>,
    planned: VecDeque<Planned>,
}

impl Troupe {
    /// Opens the channels in which legs are to lie.
    fn channels(&self) -> impl Iterator<Item = impl Future<Output = ()>> {
        let assets: BTreeSet<&str> = self.assets.iter().flat_map(|assets| [assets.0, assets.1]).collect();
        let assets: Vec<&str> = assets.into_iter().filter(|asset| plan::ledger(asset).is_channel()).collect();
        self.cast.iter().map(move |pair| {
            let assets = assets.clone();
            async move {
                for asset in assets {
                    let (alice, bob, time) = (&pair.alice, &pair.bob, &pair.time);
                    let held = (judge::settled(alice, time).await.unwrap(), judge::settled(bob, time).await.unwrap());
                    legs::open(&alice.party, &bob.party, asset, CHANNEL_SWAPS).await.unwrap();
                    // A channel is open before what was paid for that is final, and counted: nobody's books balance until then.
                    let coin = asset.trim_end_matches("@channel");
                    let put_in = [(coin, legs::amount(coin).units() * CHANNEL_SWAPS)];
                    judge::balanced(alice, time, held.0, &put_in, &[]).await.unwrap();
                    judge::balanced(bob, time, held.1, &put_in, &[]).await.unwrap();
                }
            }
        })
    }
}

/// One for each set of ledgers.
async fn troupes(stage: &Stage, parties: &Path, assets: &[Assets]) -> Vec<Troupe> {
    let clock = stage.world.dir().join("clock");
    let at_once = std::env::var("PHOTON_MATRIX_AT_ONCE").ok().and_then(|text| text.parse().ok()).unwrap_or(AT_ONCE);
    let mut of_ledgers: BTreeMap<BTreeSet<Ledger>, Vec<Assets>> = BTreeMap::new();
    for assets in assets {
        of_ledgers.entry([assets.0, assets.1].map(|asset| plan::ledger(asset).chain()).into()).or_default().push(*assets);
    }
    // Each of its pairs of assets is traced by a pair of parties of its own.
    let most = of_ledgers.values().map(Vec::len).max().unwrap_or(1);
    let each = at_once.div_ceil(of_ledgers.len()).max(most);
    let mut seated = Vec::new();
    for (troupe, (ledgers, assets)) in of_ledgers.into_iter().enumerate() {
        let seats = (0..each).map(|number| {
            let (clock, ledgers) = (&clock, &ledgers);
            async move {
                let (alice, bob) = (format!("alice-{troupe}-{number}"), format!("bob-{troupe}-{number}"));
                let seat = |name| async move { Seat::new(stage, clock, parties, name, ledgers).await };
                tokio::join!(seat(&alice), seat(&bob))
            }
        });
        seated.push((assets, futures::future::join_all(seats).await));
    }
    let chain = |asset| plan::ledger(asset).chain();
    let used = assets.iter().flat_map(|assets| [assets.0, assets.1]).map(chain).collect();
    let time = Time::take_over(Arc::clone(&stage.world), used, STRIDE).await;
    let pair = |(alice, bob)| Pair { alice, bob, time: Arc::clone(&time) };
    let troupe = |(assets, seats): (Vec<Assets>, Vec<_>)| Troupe {
        assets,
        cast: seats.into_iter().map(pair).collect(),
        planned: VecDeque::new(),
    };
    seated.into_iter().map(troupe).collect()
}

async fn start(pair: &mut Pair) {
    let (alice, bob) = tokio::join!(pair.alice.start(|health| health.healthy), pair.bob.start(|health| health.healthy));
    assert!(alice.unwrap() && bob.unwrap());
}

/// Which ways of dying are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deaths {
    Alone,
    All,
}

/// A case, where Alice would reveal on its pair, and how often it was tried.
struct Planned {
    case: Case,
    reveal: Point,
    tries: usize,
}

/// Plays the tales of each pair of assets with nobody killed, and plans a death at each point that was passed for the first time.
async fn plan_all(troupe: &mut Troupe, deaths: Deaths) {
    let traced = troupe.cast.iter_mut().zip(&troupe.assets).map(|(pair, assets)| plan_one(pair, *assets, deaths));
    let mut planned: Vec<Planned> = futures::future::join_all(traced).await.into_iter().flatten().collect();
    // The long ones together: where all swaps only wait for a lock to open, time runs faster.
    planned.sort_by_key(|planned| (planned.case.tale, planned.case.kill.as_ref().map(|kill| kill.death != Death::Alone)));
    troupe.planned = planned.into();
}

async fn plan_one(pair: &mut Pair, assets: Assets, deaths: Deaths) -> Vec<Planned> {
    let (mut reveal, mut planned) = (None, Vec::new());
    let mut known: BTreeSet<(Who, Point)> = BTreeSet::new();
    let is_brief = deaths == Deaths::Alone && plan::is_over_channels(assets);
    for tale in tales(assets).filter(|tale| !is_brief || *tale == Tale::Kept) {
        let played = play(pair, &Case { assets, tale, kill: None }, reveal.as_ref()).await.unwrap();
        assert!(is_told(tale, &played), "{tale:?} ended {:?}: {:?}, {:?}", played.ended, played.alice_passed, played.bob_passed);
        let passed = [(Who::Alice, points(&played.alice_passed)), (Who::Bob, points(&played.bob_passed))];
        let is_reveal = |point: &&Point| point.name.starts_with("store.before.commit_step(reveal_intent");
        let reveal = reveal
            .get_or_insert_with(|| passed[0].1.iter().find(is_reveal).expect("Alice writes down that she will reveal").clone());
        for (who, points) in passed {
            // What every swap passes is died at with the other pair.
            let is_fit = |point: &Point| is_wanted(point) && (!is_brief || plan::is_of_channels(point));
            let new = points.into_iter().filter(|point| known.insert((who, point.clone())) && is_fit(point));
            for (number, point) in new.enumerate() {
                for death in ways(deaths, assets, number) {
                    let case = Case { assets, tale, kill: Some(Kill { who, point: point.clone(), death }) };
                    planned.push(Planned { case, reveal: reveal.clone(), tries: 0 });
                }
            }
        }
    }
    planned
}

/// Whether a swap in which nobody died went as its tale has it.
fn is_told(tale: Tale, played: &Played) -> bool {
    match tale {
        Tale::Kept => played.ended == Ended::Completed,
        Tale::Left => played.ended == Ended::Refunded,
        Tale::Stuck(leg) => {
            let passed = match leg {
                Leg::Alpha => &played.alice_passed,
                Leg::Beta => &played.bob_passed,
            };
            played.ended != Ended::Completed && passed.iter().any(|point| point.contains("cancel_intent"))
        }
    }
}

/// The ways to die at a point of a pair: alone, and one of the others in turn, so that over all pairs each point is met by each.
/// Which node is down, and when the second death comes, changes too.
fn ways(deaths: Deaths, assets: Assets, number: usize) -> Vec<Death> {
    let pair = FULL.iter().position(|other| *other == assets).unwrap_or(0);
    let leg = if number.is_multiple_of(2) { Leg::Alpha } else { Leg::Beta };
    let other = match (number + pair) % 3 {
        0 => Death::Both,
        1 => Death::Twice(1 + number as u64 % 12),
        _ => Death::NodeDown(leg),
    };
    match deaths {
        Deaths::Alone => vec![Death::Alone],
        Deaths::All => vec![Death::Alone, other],
    }
}

/// Plays cases until none is left; returns where the journals of the pair are.
async fn work(mut pair: Pair, queue: Arc<Mutex<VecDeque<Planned>>>, report: Arc<Report>) -> Vec<PathBuf> {
    let next = || queue.lock().unwrap().pop_front();
    while let Some(mut planned) = next() {
        planned.tries += 1;
        match play(&mut pair, &planned.case, Some(&planned.reveal)).await {
            Ok(Played { deaths: 0, .. }) if planned.tries < TRIES => queue.lock().unwrap().push_back(planned),
            Ok(played) => report.played(&planned.case, line(&planned.case, &played)),
            Err(wrong) => {
                report.wrong(&planned.case, &wrong, [&pair.alice, &pair.bob]);
                // What is left of it must not spoil the next run.
                if !comes_to_rest(&mut pair).await {
                    report.gives_up(&pair.alice);
                    break;
                }
            }
        }
    }
    [&mut pair.alice, &mut pair.bob]
        .map(|seat| {
            seat.party.kill().unwrap();
            seat.database()
        })
        .into()
}

fn line(case: &Case, played: &Played) -> Line {
    let way = case.kill.as_ref().map_or("nobody", |kill| kill.death.word());
    let column = match played.ended {
        Ended::Completed => 0,
        Ended::Refunded => 1,
        Ended::Void => 2,
    };
    Line {
        row: (format!("{}-{}", case.assets.0, case.assets.1), way),
        column,
        points: 1,
        deaths: played.deaths,
        secs: played.secs,
    }
}

/// Both started again and left alone until no swap of theirs is live. False if that does not happen.
async fn comes_to_rest(pair: &mut Pair) -> bool {
    let time = Arc::clone(&pair.time);
    time.bounded(REST_WITHIN_SECS, rest(pair)).await.is_ok()
}

async fn rest(pair: &mut Pair) -> Result<(), String> {
    for seat in [&mut pair.alice, &mut pair.bob] {
        seat.disarm();
        seat.open_gates();
        seat.party.kill().map_err(play::words)?;
        seat.start(|_| true).await?;
    }
    loop {
        pair.time.pass(1).await;
        let live = |swaps: anyhow::Result<Vec<photon::service::SwapView>>| {
            swaps.map_or(1, |swaps| swaps.iter().filter(|swap| swap.outcome.is_none()).count())
        };
        if live(pair.alice.party.swaps().await) + live(pair.bob.party.swaps().await) == 0 {
            return Ok(());
        }
    }
}
