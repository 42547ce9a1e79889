//! The power fails: what was written and not synced is lost, torn, or out of order. A kill shows nothing of that, since the system
//! still writes what a dead process wrote. (THREATS F7)
//!
//! ```mermaid
//! flowchart LR
//!   run[a store at work] -->|system calls| calls
//!   calls -->|in order, with contents| recorder --> log[(log)]
//!   log -->|cut anywhere| disk[what a disk may hold] --> image[a folder] --> judge[opened, compared with what was answered]
//! ```

mod calls;
mod channels;
mod disk;
mod judge;
mod recorder;
mod story;

use super::*;
use disk::{Dice, Fate, Image, Log, Note, Op};
use judge::{Broken, Expected, judge, look};
use recorder::Recording;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use story::{Lane, Progress, all_contents, all_events, fast_folder};

/// The lanes of a run.
const LANES: [Lane; 7] =
    [Lane::First, Lane::Swap(1), Lane::Swap(2), Lane::Swap(3), Lane::Swap(4), Lane::Calls(5), Lane::Calls(6)];
/// Power cuts drawn from a seed, in which anything may be left of what was not synced.
const SEEDS: u64 = 240;

/// A run that was recorded, and what must be found of it.
struct Run {
    log: Log,
    expected: Expected,
}

impl Run {
    /// Twice opened, worked with, and closed, with checkpoints between.
    async fn record(synchronous: &'static str) -> Self {
        let folder = fast_folder();
        let path = folder.path().join("photon.db");
        let recording = Recording::of(folder.path());
        live(&recording, &path, synchronous, 0..1).await;
        let events = live(&recording, &path, synchronous, 1..2).await;
        let log = recording.so_far();
        let image = log.cut(log.ops.len(), Fate::Kept, |_| true);
        for (name, bytes) in &image.0 {
            assert!(std::fs::read(folder.path().join(name)).unwrap() == *bytes, "nothing that {name} was asked is missing");
        }
        Run { log, expected: Expected { lanes: LANES.to_vec(), contents: all_contents(&LANES).await, events } }
    }

    /// Cuts the power there; on a disk that leaves some syncs out, if need be.
    async fn cut(&self, end: usize, fate: Fate, is_done: impl Fn(usize) -> bool, goes_on: bool) -> Result<(), Broken> {
        let image = self.log.cut(end, fate, is_done);
        judge(&image, &self.progress(end), &self.expected, goes_on).await
    }

    fn progress(&self, end: usize) -> Progress {
        Progress::at(&self.log, end, LANES.len())
    }

    /// Where it fails right before a sync, most is lost. The first thing that is broken so on a disk that leaves some syncs out.
    async fn first_broken(&self, is_done: impl Fn(usize) -> bool) -> Option<Broken> {
        for end in self.log.syncs().into_iter().chain([self.log.ops.len()]) {
            if let Err(broken) = self.cut(end, Fate::Lost, &is_done, false).await {
                return Some(broken);
            }
        }
        None
    }
}

/// Opens the store, lets every lane do that half of its writes, all lanes at once, and closes it. All events until then.
async fn live(recording: &Recording, path: &Path, synchronous: &'static str, half: Range<usize>) -> Vec<StoredEvent> {
    let store = open_with(path, synchronous).unwrap();
    let (first, others) = LANES.split_first().unwrap();
    if half.start == 0 {
        go(recording, &store, 0, *first, 0..first.writes()).await;
    }
    let is_over = AtomicBool::new(false);
    let (store, is_over_now) = (&store, &is_over);
    let lanes = others.iter().enumerate().map(|(place, lane)| {
        let steps = lane.writes() * half.start / 2..lane.writes() * half.end / 2;
        async move {
            // One after the other, so that they stand at different writes.
            tokio::time::sleep(std::time::Duration::from_millis(3 * place as u64)).await;
            go(recording, store, place + 1, *lane, steps).await;
        }
    });
    let work = async {
        futures::future::join_all(lanes).await;
        is_over_now.store(true, Ordering::Release);
    };
    let checkpoints = async {
        let conn = connect::connect(path).unwrap();
        for how in ["PASSIVE", "PASSIVE", "RESTART"].iter().cycle() {
            if is_over_now.load(Ordering::Acquire) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(4)).await;
            conn.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).unwrap();
        }
    };
    tokio::join!(work, checkpoints);
    let events = all_events(store).await.unwrap();
    store.close().await.unwrap();
    events
}

async fn go(recording: &Recording, store: &Store, place: usize, lane: Lane, steps: Range<usize>) {
    for step in steps {
        recording.note(Note::Begun(place));
        lane.write(store, step).await.unwrap();
        recording.note(Note::Answered(place));
        recording.note(Note::Told(*store.watch_events().borrow()));
    }
}

/// As [`Store::open`], and then commits as SQLite does in that mode.
fn open_with(path: &Path, synchronous: &str) -> Result<Store, StoreError> {
    let lock = connect::lock_for_this_process(path)?;
    let seals = Arc::new(Seals::new(&KEY)?);
    let conn = connect::open_checked(path, &seals)?;
    conn.execute_batch(&format!("PRAGMA synchronous = {synchronous}"))?;
    Store::start_on(path, lock, seals, conn)
}

/// Every prefix of what was synced, and cuts drawn from seeds in which anything is left of the rest.
#[tokio::test]
async fn whenever_the_power_fails_all_that_was_answered_is_there() {
    let run = Run::record("FULL").await;
    let syncs = run.log.syncs();
    let mut cuts: Vec<(usize, Option<u64>)> = syncs.iter().map(|place| (place + 1, None)).collect();
    let mut dice = Dice(1);
    cuts.extend((0..SEEDS).map(|seed| {
        // Right before a sync most is at stake.
        let end = if seed % 2 == 0 { dice.below(run.log.ops.len() + 1) } else { syncs[dice.below(syncs.len())] };
        (end, Some(seed))
    }));
    let (mut folders, mut broken) = (HashSet::new(), Vec::new());
    for (end, seed) in &cuts {
        let image = run.log.cut(*end, seed.map_or(Fate::Lost, |seed| Fate::Drawn(Dice(seed))), |_| true);
        let progress = run.progress(*end);
        let is_new = folders.insert((image.clone(), progress.answered.clone()));
        let goes_on = seed.is_some_and(|seed| seed % 4 == 1);
        if is_new && let Err(reason) = judge(&image, &progress, &run.expected, goes_on).await {
            broken.push((*end, *seed, reason));
        }
    }
    println!(
        "{} operations, {} syncs, {} power cuts, {} different folders",
        run.log.ops.len(),
        syncs.len(),
        cuts.len(),
        folders.len()
    );
    assert_eq!(broken, []);
}

/// What the syncs are good for: without those of one kind, or without a single one, something that was promised is gone.
#[tokio::test]
async fn a_sync_that_is_left_out_is_found() {
    let run = Run::record("FULL").await;
    let syncs = run.log.syncs();
    let of =
        |ending: &'static str| -> HashSet<usize> { syncs.iter().copied().filter(|sync| run.log.is_of(*sync, ending)).collect() };
    let (log, recovery, database) = (of("-wal"), of(".recovery"), of(".db"));
    let folder: HashSet<usize> = syncs.iter().copied().filter(|sync| matches!(run.log.ops[*sync], Op::SyncFolder)).collect();
    let since = |syncs: &HashSet<usize>, is_it: &dyn Fn(&Op) -> bool| -> HashSet<usize> {
        let begin = run.log.ops.iter().position(is_it).unwrap();
        syncs.iter().copied().filter(|sync| *sync > begin).collect()
    };
    let is_recovery = |op: &Op| matches!(op, Op::Name(disk::Named::Given { name, .. }) if name.ends_with(".recovery"));
    let kinds = [
        ("log", &log),
        ("recovery file", &recovery),
        ("database", &database),
        ("database by a checkpoint", &since(&database, &|op| matches!(op, Op::Note(Note::Answered(_))))),
        ("folder", &folder),
        ("folder since the recovery file has its name", &since(&folder, &is_recovery)),
    ];
    for (name, left_out) in kinds {
        let found = run.first_broken(|sync| !left_out.contains(&sync)).await;
        println!("no sync of the {name} ({} of {}): {found:?}", left_out.len(), syncs.len());
        let found = found.unwrap();
        let is_told_right = match found {
            Broken::NoLine(_) => name.contains("recovery file"),
            _ => matches!(found, Broken::Lost(_) | Broken::Damaged(_)),
        };
        assert!(is_told_right, "{name}: {found:?}");
    }

    for (name, kind) in &kinds[..2] {
        let mut needed = 0;
        for left_out in *kind {
            let next = syncs.iter().find(|sync| *sync > left_out && kind.contains(*sync));
            let end = next.copied().unwrap_or(run.log.ops.len());
            needed += usize::from(run.cut(end, Fate::Lost, |sync| sync != *left_out, false).await.is_err());
        }
        println!("one sync of the {name} left out, each of {} in turn: {needed} times something is gone", kind.len());
        assert!(needed > 0, "{name}");
    }
}

#[tokio::test]
async fn another_mode_of_synchronous_loses_what_was_answered() {
    for synchronous in ["NORMAL", "OFF"] {
        let run = Run::record(synchronous).await;
        let found = run.first_broken(|_| true).await;
        println!("synchronous = {synchronous}: {found:?}");
        assert!(matches!(found, Some(Broken::Lost(_))), "{synchronous}");
    }
}

/// The process is killed between a write and its sync, the next one reads what was written, and acts on it; then the power fails.
#[tokio::test]
async fn what_a_start_finds_after_a_kill_is_on_the_disk_before_anybody_acts_on_it() {
    let run = Run::record("FULL").await;
    let mut broken = Vec::new();
    let syncs = run.log.syncs();
    for killed in syncs.iter().copied().step_by(syncs.len().div_ceil(32)) {
        let folder = fast_folder();
        run.log.cut(killed, Fate::Kept, |_| true).write_into(folder.path());
        let path = folder.path().join("photon.db");
        let recording = Recording::of(folder.path());
        let store = Store::open(&path, KEY).unwrap();
        let progress = run.progress(killed);
        let answered = look(&store, &path, &progress, &run.expected).await.unwrap();
        let log = run.log.then(killed, &recording.so_far());
        store.close().await.unwrap();
        let image = log.cut(log.ops.len(), Fate::Lost, |_| true);
        let progress = Progress { answered, ..progress };
        if let Err(reason) = judge(&image, &progress, &run.expected, false).await {
            broken.push((killed, reason));
        }
    }
    assert_eq!(broken, []);
}

#[tokio::test]
async fn the_power_may_fail_again_while_a_start_mends_what_it_left() {
    let run = Run::record("FULL").await;
    let (mut dice, mut cuts) = (Dice(2), 0);
    for seed in 0..16 {
        let end = dice.below(run.log.ops.len());
        let folder = fast_folder();
        run.log.cut(end, Fate::Drawn(Dice(seed)), |_| true).write_into(folder.path());
        let recording = Recording::of(folder.path());
        let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
        store.append_event(event("after")).await.unwrap();
        let log = recording.so_far();
        store.close().await.unwrap();
        // The event is one too many for what is expected: only what comes before its sync is looked at.
        let written = log.syncs().pop().unwrap();
        for _ in 0..4 {
            let again = dice.below(written);
            let image = log.cut(again, Fate::Drawn(dice.clone()), |_| true);
            let judged = judge(&image, &run.progress(end), &run.expected, false).await;
            assert_eq!(judged, Ok(()), "seed {seed}, cut at {end}, again at {again} of {written}");
            cuts += 1;
        }
    }
    println!("{cuts} second power cuts");
}

/// A recovery file that has grown long is written anew at a start. At every moment one of the two is there, whole.
#[tokio::test]
async fn a_recovery_file_that_is_written_anew_is_never_lost() {
    let folder = fast_folder();
    let path = folder.path().join("photon.db");
    let store = Store::open(&path, KEY).unwrap();
    let live = SecretHash::from_bytes(bytes(7));
    for number in 0..80 {
        let long = NewSwap { terms: format!("{{\"long\":\"{}\"}}", "x".repeat(30_000)), ..new_swap(number) };
        store.insert_agreed(SecretHash::from_bytes(bytes(number)), long).await.unwrap();
        if bytes(number) != *live.as_bytes() {
            store.commit_step(swap_id(number), ending("completed")).await.unwrap();
        }
    }
    store.close().await.unwrap();
    let recording = Recording::of(folder.path());
    let store = Store::open(&path, KEY).unwrap();
    let log = recording.so_far();
    store.close().await.unwrap();
    assert!(log.ops.iter().any(|op| matches!(op, Op::Name(disk::Named::Given { from: Some(_), .. }))), "it was renamed");

    // The database is lost with it: the file alone says what is live.
    let has_line = async |image: Image| {
        let folder = fast_folder();
        let recovery = image.0.into_iter().filter(|(name, _)| name.contains(".recovery")).collect();
        Image(recovery).write_into(folder.path());
        let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
        let lost = store.lost_swaps().await.unwrap();
        store.close().await.unwrap();
        lost.iter().any(|lost| lost.secret_hash == live)
    };
    let mut images = HashSet::new();
    for end in 0..=log.ops.len() {
        images.insert(log.cut(end, Fate::Lost, |_| true));
    }
    for (seed, sync) in log.syncs().into_iter().enumerate() {
        images.insert(log.cut(sync, Fate::Drawn(Dice(seed as u64)), |_| true));
    }
    println!("{} different folders", images.len());
    for image in images {
        assert!(has_line(image).await);
    }
    let without = |sync| !log.is_of(sync, ".recovery.new");
    assert!(!has_line(log.cut(log.ops.len(), Fate::Lost, without)).await, "its sync is needed");
}

#[tokio::test]
async fn a_backup_that_was_answered_is_there() {
    let folder = fast_folder();
    let path = folder.path().join("photon.db");
    let recording = Recording::of(folder.path());
    let store = Store::open(&path, KEY).unwrap();
    add_swap(&store, 1).await;
    back_up(&path, &folder.path().join("copy.db")).unwrap();
    let log = recording.so_far();
    store.close().await.unwrap();
    for fate in [Fate::Lost, Fate::Kept, Fate::Drawn(Dice(1)), Fate::Drawn(Dice(2))] {
        let folder = fast_folder();
        log.cut(log.ops.len(), fate, |_| true).write_into(folder.path());
        let copy = Store::open(&folder.path().join("copy.db"), KEY).unwrap();
        assert_eq!(copy.live_swaps().await.unwrap().len(), 1);
        copy.close().await.unwrap();
    }
    let without = |sync: usize| !matches!(log.ops[sync], Op::SyncFolder);
    assert!(!log.cut(log.ops.len(), Fate::Lost, without).0.contains_key("copy.db"));
}
