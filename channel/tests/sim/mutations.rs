//! The simulator would notice: with any one check removed or any one margin halved, some seed shows what it was good for: a
//! loss, a broken invariant, or a channel that can't be used. All in this one build, and every name of the table stands in one
//! of the lists below. A name that is in the table and in no list fails a test, so no check is added without its mutation.

use crate::faults::Faults;
use crate::party::Vice;
use crate::story::{Setting, run};
use crate::world::Wrong;
use photon_channel::Guard::*;
use photon_channel::Mutation::Removed;
use photon_channel::{Guard, Mutation, switched, with_toys};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Far more than any of them needs.
const MOST_SEEDS: u64 = 5_000;

/// A guard, how it is weakened, what fails meanwhile, and what Mallory does; none: all are honest.
type Row = (Guard, Mutation, Faults, Option<Vice>);

const BAD: Faults = Faults::BAD;
const FORGETFUL: Faults = Faults::FORGETFUL;
const BLIND: Faults = Faults::BLIND;

/// Weakened so, each of these costs somebody money, or the use of a channel.
const FOUND: &[Row] = &[
    (UpdateOnce, Removed, BAD, None),
    (UpdateInOrder, Removed, BAD, None),
    (UpdateWhileOpen, Removed, BAD, None),
    (PayerSigned, Removed, BAD, Some(Vice::Forges)),
    (Covered, Removed, BAD, None),
    (Ended, Removed, BAD, Some(Vice::Forges)),
    (Struck, Removed, BAD, Some(Vice::Forges)),
    (DisposalSigned, Removed, BAD, Some(Vice::Forges)),
    (Leaving, Removed, BAD, None),
    (RequestAmount, Removed, BAD, Some(Vice::Skims)),
    (SealedAmount, Removed, BAD, Some(Vice::Skims)),
    (Fee, Removed, BAD, Some(Vice::GoesSilent)),
    (RegisterInTime, Removed, BAD, Some(Vice::NeverUnlocks)),
    (SayAgain, Removed, BAD, None),
    (Quiet, Removed, BAD, None),
    (Punish, Removed, BAD, Some(Vice::ClosesOld)),
    (ShowNewest, Removed, BAD, Some(Vice::ClosesOld)),
    (UnlockEarned, Removed, BAD, Some(Vice::NeverUnlocks)),
    (ReleaseUnearned, Removed, BAD, None),
    (Settle, Removed, BAD, None),
    (CloseOwed, Removed, BAD, Some(Vice::NeverUnlocks)),
    (ShownAhead, Removed, FORGETFUL, None),
    (KnownOld, Removed, FORGETFUL, Some(Vice::Hides)),
    (SaidAhead, Removed, FORGETFUL, Some(Vice::Misreminds)),
    (Testified, Removed, FORGETFUL, Some(Vice::Misreminds)),
    (NoLess, Removed, FORGETFUL, Some(Vice::Misreminds)),
    (EndedOnce, Removed, FORGETFUL, Some(Vice::Misreminds)),
    (DisposeRemembered, Removed, FORGETFUL, None),
    (MadeOnce, Removed, FORGETFUL, None),
    (UnseenLimit, Removed, BLIND, None),
    (UnseenLock, Removed, BLIND, None),
    (UnseenConsent, Removed, BLIND, None),
    (ReturnSoon, Removed, BAD, None),
];

/// Each of these has another guard behind it that the same danger must pass, or bounds what only costs time and memory.
const COVERED: &[(Guard, &str)] = &[
    (UpdateBounded, "what is read off the wire has no more operations, and each is judged by itself"),
    (SomeAmount, "a lock or a transfer of nothing moves nothing"),
    (SecretHashSound, "a lock that anybody can open is its payer's loss, and honest payers draw their secrets"),
    (HashFree, "a disposal names one lock, and each incoming lock is claimed for itself"),
    (MostLocks, "there is no commitment to more locks, so no proof that could be signed"),
    (RightSecret, "a payer that pays for a wrong secret gives its own money away"),
    (MostDisposed, "it bounds memory alone"),
    (SignWhileOpen, "UpdateWhileOpen: the other side takes nothing then; what is signed in vain is sent again, or not paid"),
    (MostUnacked, "it bounds memory alone"),
    (HashUsed, "for a payer's sake that uses a hash twice: see HashFree"),
    (LongestLock, "it bounds how long money waits, never whose it is"),
    (LimitLocks, "MostLocks; it bounds how much of a channel one neighbour can hold up"),
    (LimitPending, "it bounds how much money waits, never whose it is"),
    (ForwardInTime, "HopSlack leaves the time to claim further up whatever is learned by the outgoing lock's end"),
    (ForwardFunds, "Covered says the same when the lock is signed"),
    (DisposeUnhung, "an outgoing lock gives back the one that it is for, and only once it is dead"),
    (ClaimEarned, "for a payer's sake: what was not sent on is claimed by nobody honest, who does not know the secret"),
    (PayEarly, "HopSlack leaves the time to claim further up"),
    (PayDeep, "HopSlack leaves the time to claim further up"),
    (ExpirePatience, "an update that its payee can't judge yet is sent again"),
    (CloseSame, "the signature is of the state that this side knows: another one does not verify"),
    (CloseSigned, "the contract refuses it, and the consent dies at its deadline"),
    (TakeOutNumber, "the contract mines each number once, and the consent dies at its deadline"),
    (TakeOutSigned, "the contract refuses it, and the consent dies at its deadline"),
    (ConsentShort, "it bounds how long the asker's own money waits"),
];

/// These are shown by `tests/what_each_check_is_good_for.rs`, with the check and without it.
const ELSEWHERE: &[Guard] = &[
    DisposalKept,
    InStep,
    ClaimRemembered,
    SameToken,
    MostFee,
    ConsentDead,
    TakeOutCovered,
    TakeInTime,
    RegisterDeep,
    HopSlack,
    LockWord,
    InTime,
];

fn first_wrong(row: Row, most: u64) -> Option<(u64, String)> {
    let (guard, mutation, faults, vice) = row;
    let setting = Setting { faults, vice };
    switched(Some((guard, mutation)), || {
        with_toys(|| {
            (0..most).find_map(|seed| {
                // A node that is weakened so may fall over its own feet: that is found too.
                let result = std::panic::catch_unwind(|| run(seed, &setting))
                    .unwrap_or_else(|_| Err(Wrong::Unusable("it panics".to_owned())));
                result.err().map(|wrong| (seed, told(&wrong)))
            })
        })
    })
}

fn told(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Loss(why) => format!("loss: {why}"),
        Wrong::Invariant(number, why) => format!("invariant {number}: {}", why.chars().take(70).collect::<String>()),
        Wrong::Unusable(why) => format!("unusable: {}", why.chars().take(70).collect::<String>()),
    }
}

fn weaken_each(rows: &[Row], most: u64) -> Vec<(Row, Option<(u64, String)>)> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(at) else { return };
            let found = first_wrong(*row, most);
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

/// Prints a table, and says how many rows found nothing.
fn show(results: &[(Row, Option<(u64, String)>)]) -> usize {
    println!("{:<17} {:<8} {:<9} {:<14} {:>6}  found", "guard", "mutation", "faults", "mallory", "seeds");
    let mut missing = 0;
    for ((guard, mutation, faults, vice), found) in results {
        let vice = vice.map_or("nobody".to_owned(), |vice| format!("{vice:?}"));
        let mutation = format!("{mutation:?}");
        let (seeds, what) = match found {
            Some((seed, what)) => ((seed + 1).to_string(), what.as_str()),
            None => ("-".to_owned(), "nothing"),
        };
        missing += usize::from(found.is_none());
        println!("{:<17} {mutation:<8} {:<9} {vice:<14} {seeds:>6}  {what}", guard.word(), faults.word());
    }
    missing
}

#[test]
fn every_guard_stands_in_exactly_one_list() {
    let found: BTreeSet<Guard> = FOUND.iter().map(|(guard, ..)| *guard).collect();
    let others: Vec<Guard> = COVERED.iter().map(|(guard, _)| *guard).chain(ELSEWHERE.iter().copied()).collect();
    for guard in Guard::ALL {
        let lists = usize::from(found.contains(guard)) + others.iter().filter(|other| *other == guard).count();
        assert_eq!(lists, 1, "{guard:?} stands in {lists} lists: what is it good for?");
        assert!(!guard.rows().is_empty(), "{guard:?} names no threat");
    }
    assert!(found.len() >= 33, "{} guards are shown to be needed", found.len());
}

#[test]
fn with_any_guard_weakened_some_seed_shows_what_it_was_good_for() {
    let began = Instant::now();
    let results = weaken_each(FOUND, MOST_SEEDS);
    let missing = show(&results);
    println!("{} mutations in {:.1} s", FOUND.len(), began.elapsed().as_secs_f64());
    assert_eq!(missing, 0, "guards that can be weakened unnoticed");
}

/// `PHOTON_SIM_WEAK=20000` looks for what weakening a guard that is said to be covered leads to: what is found belongs above.
#[test]
fn a_covered_guard_is_covered() {
    let Some(most) = crate::number("PHOTON_SIM_WEAK") else { return };
    let against: Vec<Option<Vice>> = crate::party::VICES.iter().copied().map(Some).chain([None]).collect();
    let names: Vec<Guard> = COVERED.iter().map(|(guard, _)| *guard).collect();
    let rows: Vec<Row> = names.iter().flat_map(|guard| against.iter().map(|vice| (*guard, Removed, BAD, *vice))).collect();
    let results = weaken_each(&rows, most);
    assert_eq!(show(&results), results.len(), "a covered guard is noticed alone");
}
