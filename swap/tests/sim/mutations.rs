//! The simulator would notice: with any one check removed or any one margin halved, some seed shows what it was good for. All
//! in this one build, and every name of the table stands in one of the two lists below. A name that is in the table and in no
//! list fails a test, so no check is added without its mutation.

use crate::channel::Weak;
use crate::judge::Wrong;
use crate::world::{Setting, run};
use photon_swap::Guard::*;
use photon_swap::Mutation::{Halved, Removed};
use photon_swap::Role::{Initiator, Participant};
use photon_swap::{Guard, Mutation, Role, switched};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Far more than any of them needs.
const MOST_SEEDS: u64 = 200_000;

/// A guard, how it is weakened, and against whom the honest party plays; none: two honest ones.
type Row = (Guard, Mutation, Option<Role>);

/// Weakened so, each of these costs somebody money.
const FOUND: &[Row] = &[
    (OneHash, Removed, Some(Participant)),
    (OwnHash, Removed, Some(Participant)),
    (OfferedMoney, Removed, Some(Participant)),
    (OwnKeys, Removed, Some(Participant)),
    (OwnTemplate, Removed, Some(Participant)),
    (DraftMargins, Removed, Some(Participant)),
    (LongestLock, Removed, Some(Participant)),
    (DraftRefundBlock, Removed, Some(Participant)),
    (RevealWindow, Halved, Some(Participant)),
    (Gap, Halved, Some(Initiator)),
    (AllowOffline, Removed, Some(Initiator)),
    (AllowSettle, Removed, Some(Initiator)),
    (AllowHalt, Removed, Some(Participant)),
    (AllowLate, Removed, Some(Initiator)),
    (BetaCloses, Removed, Some(Initiator)),
    (RefundBlock, Removed, Some(Initiator)),
    (AlphaFirst, Removed, Some(Initiator)),
    (AlphaDepth, Removed, Some(Initiator)),
    (AlphaDepth, Halved, Some(Initiator)),
    (RightCode, Removed, Some(Participant)),
    (RightCode, Removed, Some(Initiator)),
    (NodesWell, Removed, Some(Participant)),
    (NodesWell, Removed, Some(Initiator)),
    (Reserves, Removed, Some(Initiator)),
    (Reserves, Removed, None),
    (BetaDepth, Removed, Some(Participant)),
    (BetaDepth, Halved, Some(Participant)),
    (RevealBy, Removed, Some(Participant)),
    (NeverReveal, Removed, Some(Participant)),
    (RevealIntent, Removed, Some(Participant)),
    (FundIntent, Removed, Some(Initiator)),
    (CancelBeta, Removed, Some(Initiator)),
    (CancelAlpha, Removed, Some(Participant)),
    (CancelFinal, Removed, Some(Initiator)),
    (SecretFromMempool, Removed, Some(Initiator)),
    (RedeemFinal, Removed, Some(Participant)),
    (RedeemFinal, Removed, None),
    (RedeemAlive, Removed, Some(Initiator)),
    (RefundFinal, Removed, Some(Initiator)),
    (RefundAfterReveal, Removed, Some(Initiator)),
    (StraySwept, Removed, None),
];

/// Each of these has another guard behind it that the same danger must pass.
const COVERED: &[(Guard, &str)] = &[
    (DegenerateHash, "the contracts refuse such a lock, and its secret is the Initiator's own to give away"),
    (OwnNetwork, "our node never sees a lock on another network, so nothing is risked for it"),
    (OwnFigures, "a lock counts as funded at the depth that our own node demands"),
    (DraftDate, "FundBy: a wrong date only shortens the time to fund Alpha"),
    (AllowSkew, "a second beside the other margins; RevealBy is judged by the latest of our clocks plus the skew"),
    (AllowEarly, "the six blocks that the median rule gives for free, and RevealBy"),
    (LockBy, "CancelBeta"),
    (FundBy, "AlphaFirst, ChainClock and CancelBeta"),
    (CleanPlace, "ports ask the ledger once more before they fund"),
    (NoSpendInSight, "before its expiry only a redeem can spend a lock, and that shows the secret"),
    (ChainClock, "RevealBy and FundBy"),
    (OwnDepth, "BetaDepth: without Alpha the Initiator has nothing to lose"),
    (OwnClosed, "RevealBy lies well before"),
    (NotWhenClosed, "RevealWindow: who is away no longer than promised has redeemed before Beta closes"),
    (SecretKept, "a redeem that costs us Beta shows the secret again, and Gap leaves the time"),
    (NeverBoth, "for the sake of a counterparty that broke its own deadlines"),
    (CancelIntent, "whether to cancel is found out again at each look"),
    (CancelWithoutAlpha, "AlphaDepth: a sound Alpha is not reorganised away"),
];

/// What is weakened where legs lie in channels: a guard of the swap, or the channels' engine.
#[derive(Copy, Clone, Debug)]
enum InChannels {
    Core(Guard, Mutation),
    Engine(Weak),
}

/// Weakened so, each of these costs somebody money over channels.
const FOUND_IN_CHANNELS: &[(InChannels, Option<Role>)] = &[
    (InChannels::Core(Gap, Halved), Some(Initiator)),
    (InChannels::Core(RevealWindow, Halved), Some(Participant)),
    (InChannels::Core(AlphaFirst, Removed), Some(Initiator)),
    (InChannels::Core(RevealIntent, Removed), Some(Participant)),
    (InChannels::Engine(Weak::RegistersLate), Some(Participant)),
    (InChannels::Engine(Weak::ForgetsHalts), Some(Participant)),
    (InChannels::Engine(Weak::PaysLate), Some(Initiator)),
    (InChannels::Engine(Weak::ForgetsSlack), Some(Initiator)),
    (InChannels::Engine(Weak::EndsInTheWrongOrder), Some(Initiator)),
];

#[test]
fn every_guard_stands_in_exactly_one_list() {
    let found: BTreeSet<Guard> = FOUND.iter().map(|(guard, ..)| *guard).collect();
    let covered: BTreeSet<Guard> = COVERED.iter().map(|(guard, _)| *guard).collect();
    let both: Vec<_> = found.intersection(&covered).collect();
    assert!(both.is_empty(), "in both lists: {both:?}");
    for guard in Guard::ALL {
        assert!(found.contains(guard) || covered.contains(guard), "{guard:?} has no mutation: what is it good for?");
        assert!(!guard.rows().is_empty(), "{guard:?} names no threat");
    }
    assert!(found.len() >= 15, "{} guards are shown to be needed", found.len());
}

fn first_wrong(row: Row, most: u64) -> Option<(u64, Wrong)> {
    let (guard, mutation, mallory) = row;
    let setting = Setting { mallory, ..Setting::default() };
    switched(Some((guard, mutation)), || (0..most).find_map(|seed| run(seed, &setting).err().map(|wrong| (seed, wrong))))
}

fn first_wrong_in_channels((weak, mallory): (InChannels, Option<Role>), most: u64) -> Option<(u64, Wrong)> {
    let over = Setting { mallory, over_channels: true, ..Setting::default() };
    let (switch, setting) = match weak {
        InChannels::Core(guard, mutation) => (Some((guard, mutation)), over),
        InChannels::Engine(weak) => (None, Setting { weak: Some(weak), ..over }),
    };
    switched(switch, || (0..most).find_map(|seed| run(seed, &setting).err().map(|wrong| (seed, wrong))))
}

fn weaken_each(rows: &[Row], most: u64) -> Vec<(Row, Option<(u64, Wrong)>)> {
    each(rows, |row| first_wrong(row, most))
}

/// Every row on every processor, in their order.
fn each<R: Copy + Send + Sync, T: Send>(rows: &[R], find: impl Fn(R) -> T + Sync) -> Vec<(R, T)> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(at) else { return };
            let found = find(*row);
            results.lock().expect("no thread panics").push((at, *row, found));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().expect("no thread panics");
    results.sort_by_key(|(at, ..)| *at);
    results.into_iter().map(|(_, row, found)| (row, found)).collect()
}

fn told(results: &[(Row, Option<(u64, Wrong)>)]) -> usize {
    println!("{:<18} {:<8} {:<12} {:>6}  lost", "guard", "mutation", "mallory", "seeds");
    let mut missing = 0;
    for ((guard, mutation, mallory), found) in results {
        let mallory = mallory.map_or("nobody".to_owned(), |role| format!("{role:?}"));
        let mutation = format!("{mutation:?}");
        match found {
            Some((seed, wrong)) => {
                println!("{:<18} {mutation:<8} {mallory:<12} {:>6}  {}", guard.word(), seed + 1, wrong.told());
            }
            None => {
                missing += 1;
                println!("{:<18} {mutation:<8} {mallory:<12} {:>6}  nothing", guard.word(), "-");
            }
        }
    }
    missing
}

#[test]
fn with_any_guard_weakened_some_seed_loses_money() {
    let began = Instant::now();
    let results = weaken_each(FOUND, MOST_SEEDS);
    let missing = told(&results);
    println!("{} mutations in {:.1} s", FOUND.len(), began.elapsed().as_secs_f64());
    assert_eq!(missing, 0, "guards that can be weakened without a loss");
}

#[test]
fn with_any_check_weakened_some_seed_loses_money_over_channels() {
    let results = each(FOUND_IN_CHANNELS, |row| first_wrong_in_channels(row, MOST_SEEDS));
    for ((weak, mallory), found) in &results {
        let found = found.as_ref().map_or("nothing".to_owned(), |(seed, wrong)| format!("{:>6} {}", seed + 1, wrong.told()));
        println!("{:<36} {:<20} {found}", format!("{weak:?}"), format!("{mallory:?}"));
    }
    let missing: Vec<_> = results.iter().filter(|(_, found)| found.is_none()).map(|(row, _)| row).collect();
    assert!(missing.is_empty(), "can be weakened over channels without a loss: {missing:?}");
}

/// `PHOTON_SIM_WEAK=20000` looks for a loss with each guard that is said to be covered: what is found belongs above.
#[test]
fn a_covered_guard_is_covered() {
    let Some(most) = crate::number("PHOTON_SIM_WEAK") else { return };
    let against = [Some(Participant), Some(Initiator), None];
    let rows: Vec<Row> = COVERED.iter().flat_map(|(guard, _)| against.map(|mallory| (*guard, Removed, mallory))).collect();
    let results = weaken_each(&rows, most);
    assert_eq!(told(&results), results.len(), "a covered guard loses money alone");
}
