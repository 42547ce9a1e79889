//! Whether a store that is opened again after a power cut keeps what was promised before.

use super::super::*;
use super::disk::Image;
use super::story::{Lane, Progress, all_events, fast_folder};
use crate::store::recovery::{hash_of, open_line};
use std::collections::HashSet;

/// What was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It does not open, or a table or an index of it is damaged.
    Damaged(String),
    /// A write that was answered is gone.
    Lost(String),
    /// A write is there in part, or one that nobody asked for.
    Half(String),
    /// A swap stands in the database and not in the recovery file.
    NoLine(String),
    /// Listeners heard of an event that is gone, or is another one now.
    Unheard(String),
    /// It is all there, and can't go on.
    Stuck(String),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Broken::Damaged(error.to_string())
    }
}

/// What there is to be compared with.
pub(super) struct Expected {
    pub(super) lanes: Vec<Lane>,
    /// Of each lane, after each of its writes.
    pub(super) contents: Vec<Vec<String>>,
    /// All events of the run, in order.
    pub(super) events: Vec<StoredEvent>,
}

/// Opens a folder as a start does and looks at everything. Then all lanes may go on to their ends, and are looked at after one more
/// restart.
pub(super) async fn judge(image: &Image, progress: &Progress, expected: &Expected, goes_on: bool) -> Result<(), Broken> {
    let folder = fast_folder();
    image.write_into(folder.path());
    let path = folder.path().join("photon.db");
    let store = Store::open(&path, KEY)?;
    let seen = look(&store, &path, progress, expected).await;
    let seen = match seen {
        Ok(found) if goes_on => go_on(&store, &found, expected).await.map_err(|error| Broken::Stuck(error.to_string())),
        seen => seen.map(|_| ()),
    };
    let closed = store.close().await.map_err(Broken::from);
    seen.and(closed)?;
    if goes_on {
        judge_the_end(&path, expected).await?;
    }
    Ok(())
}

/// All lanes have come to their ends; and then the database is lost.
async fn judge_the_end(path: &Path, expected: &Expected) -> Result<(), Broken> {
    let store = Store::open(path, KEY)?;
    let writes: Vec<usize> = expected.lanes.iter().map(|lane| lane.writes()).collect();
    let progress = Progress { begun: writes.clone(), answered: writes, told: 0 };
    let seen = look(&store, path, &progress, expected).await;
    store.close().await?;
    seen?;
    std::fs::remove_file(path).unwrap();
    let store = Store::open(path, KEY)?;
    let lost: HashSet<SecretHash> = store.lost_swaps().await?.iter().map(|lost| lost.secret_hash).collect();
    store.close().await?;
    let missing = expected.lanes.iter().find(|lane| lane.has_swap_after().is_some_and(|(hash, _)| !lost.contains(&hash)));
    missing.map_or(Ok(()), |lane| Err(Broken::NoLine(format!("{lane:?}, without its database"))))
}

/// How many writes of each lane are there.
pub(super) async fn look(store: &Store, path: &Path, progress: &Progress, expected: &Expected) -> Result<Vec<usize>, Broken> {
    check_tables(store).await?;
    let mut found = Vec::new();
    for (place, lane) in expected.lanes.iter().enumerate() {
        let content = lane.content(store).await?;
        let (answered, begun) = (progress.answered[place], progress.begun[place]);
        let writes = expected.contents[place].iter().position(|expected| *expected == content);
        match writes {
            Some(writes) if writes < answered => return Err(Broken::Lost(format!("{lane:?}: {writes} of {answered}"))),
            Some(writes) if writes <= begun => found.push(writes),
            _ => return Err(Broken::Half(format!("{lane:?}, {answered} answered, {begun} begun: {content}"))),
        }
    }
    check_recovery(store, path, &found, progress, expected).await?;
    check_events(store, progress, expected).await?;
    Ok(found)
}

async fn check_tables(store: &Store) -> Result<(), StoreError> {
    let wrong = store.read(|read| {
        let verdict: String = read.conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let dangling = read.conn.prepare("PRAGMA foreign_key_check")?.exists([])?;
        Ok(if verdict != "ok" { Some(verdict) } else { dangling.then(|| "a reference leads nowhere".to_owned()) })
    });
    wrong.await?.map_or(Ok(()), |reason| Err(StoreError::Failed { reason }))
}

/// Every swap has its line; a line without its swap is of one that was begun.
async fn check_recovery(
    store: &Store,
    path: &Path,
    found: &[usize],
    progress: &Progress,
    expected: &Expected,
) -> Result<(), Broken> {
    let lost: HashSet<SecretHash> = store.lost_swaps().await?.iter().map(|lost| lost.secret_hash).collect();
    let file = std::fs::read(connect::beside(path, ".recovery")).unwrap_or_default();
    let seals = Seals::new(&KEY).unwrap();
    let lines = file.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
        let hash = hash_of(line)?;
        open_line(line, hash, &seals).map(|_| hash)
    });
    let lines: HashSet<SecretHash> = lines.collect();
    for (place, lane) in expected.lanes.iter().enumerate() {
        let Some((hash, inserted)) = lane.has_swap_after() else { continue };
        let is_there = found[place] >= inserted;
        if is_there && !lines.contains(&hash) {
            return Err(Broken::NoLine(format!("{lane:?}")));
        }
        if lost.contains(&hash) != (!is_there && lines.contains(&hash))
            || (lines.contains(&hash) && progress.begun[place] < inserted)
        {
            return Err(Broken::Half(format!("{lane:?}: its line")));
        }
    }
    Ok(())
}

/// Without gaps, the same that the run wrote, and all that anybody was told of; hooks stand at an event that is there.
async fn check_events(store: &Store, progress: &Progress, expected: &Expected) -> Result<(), Broken> {
    let events = all_events(store).await?;
    let newest = events.last().map_or(0, |event| event.seq);
    let has_gap = events.iter().zip(1..).any(|(event, seq)| event.seq != seq);
    if has_gap || newest < progress.told {
        return Err(Broken::Unheard(format!("{newest} of {}", progress.told)));
    }
    let told = usize::try_from(progress.told).unwrap().min(expected.events.len());
    if events[..told] != expected.events[..told] {
        return Err(Broken::Unheard("another event has its number".to_owned()));
    }
    let hooks = store.webhooks().await?;
    if hooks.iter().any(|hook| hook.delivered > newest) {
        return Err(Broken::Unheard("a hook waits behind the newest event".to_owned()));
    }
    Ok(())
}

/// Every lane from where it stands to its end. A swap of which only the line is there is agreed anew.
async fn go_on(store: &Store, found: &[usize], expected: &Expected) -> Result<(), StoreError> {
    for (lane, found) in expected.lanes.iter().zip(found) {
        for step in *found..lane.writes() {
            lane.write(store, step).await?;
        }
    }
    Ok(())
}
