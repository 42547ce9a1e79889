//! What a disk may hold after the power failed, from what was asked of it before.
//!
//! A write is on the disk once its file was synced after it, a name once its folder was. Of what was not synced any part may be
//! there: each write, each sector of it, each name for itself. That covers every order too: of two writes to one place the older
//! one is seen where the newer one is lost.

use std::collections::BTreeMap;
use std::path::Path;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The files that a second log adds to a first one have numbers from here on.
const FIRST_OF_NEXT: usize = 1_000;

/// A file of a log, whatever its name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) usize);

/// What was done, and asked of the disk, in order.
#[derive(Clone, Default)]
pub(super) struct Log {
    /// What was on the disk at the start.
    pub(super) contents: BTreeMap<FileId, Vec<u8>>,
    pub(super) names: BTreeMap<String, FileId>,
    pub(super) ops: Vec<Op>,
}

#[derive(Clone)]
pub(super) enum Op {
    Write { file: FileId, at: usize, bytes: Vec<u8> },
    Resize { file: FileId, length: usize },
    Sync { file: FileId },
    SyncFolder,
    Name(Named),
    Note(Note),
}

/// What became of a name. A file that is renamed has one of its names at any moment.
#[derive(Clone)]
pub(super) enum Named {
    Given { name: String, file: FileId, from: Option<String> },
    Taken { name: String },
}

/// What happened beside the disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The next write of a lane was asked for.
    Begun(usize),
    /// It was answered.
    Answered(usize),
    /// Listeners were told of the event with that number.
    Told(u64),
}

/// What becomes of what was not synced.
pub(super) enum Fate {
    /// None of it is there.
    Lost,
    /// All of it: the process was killed, and the power stayed.
    Kept,
    /// Any part of it, torn at sectors, with noise where a file had no bytes before.
    Drawn(Dice),
}

/// The files of a folder, by name.
#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) struct Image(pub(super) BTreeMap<String, Vec<u8>>);

impl Image {
    pub(super) fn write_into(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

impl Log {
    /// The folder as it is found when the power failed after so many operations. `is_done` says of a sync, by its place, whether
    /// the disk did it; a good disk did all.
    pub(super) fn cut(&self, end: usize, fate: Fate, is_done: impl Fn(usize) -> bool) -> Image {
        let ops = &self.ops[..end];
        let mut synced = BTreeMap::new();
        let mut folder_synced = 0;
        for (place, op) in ops.iter().enumerate().filter(|(place, _)| is_done(*place)) {
            match op {
                Op::Sync { file } => drop(synced.insert(*file, place)),
                Op::SyncFolder => folder_synced = place,
                Op::Write { .. } | Op::Resize { .. } | Op::Name(_) | Op::Note(_) => {}
            }
        }
        let (mut contents, mut names) = (self.contents.clone(), self.names.clone());
        let mut tear = Tear::of(fate);
        for (place, op) in ops.iter().enumerate() {
            match op {
                Op::Write { file, at, bytes } => {
                    let is_synced = synced.get(file).is_some_and(|synced| place < *synced);
                    let content = contents.entry(*file).or_default();
                    if is_synced { put(content, *at, bytes) } else { tear.write(content, *at, bytes) }
                }
                Op::Resize { file, length } => {
                    let is_synced = synced.get(file).is_some_and(|synced| place < *synced);
                    if is_synced || tear.keeps() {
                        contents.entry(*file).or_default().resize(*length, 0);
                    }
                }
                Op::Name(named) if place < folder_synced || tear.keeps_name() => name(&mut names, named),
                Op::Name(_) | Op::Sync { .. } | Op::SyncFolder | Op::Note(_) => {}
            }
        }
        let mut image: BTreeMap<String, Vec<u8>> =
            names.into_iter().map(|(name, file)| (name, contents.get(&file).cloned().unwrap_or_default())).collect();
        tear.leave_shared_memory(&mut image);
        Image(image)
    }

    /// What was done here until a process was killed, and then by the next one, which found all of it, synced or not.
    pub(super) fn then(&self, killed: usize, next: &Log) -> Log {
        let mut ops = self.ops[..killed].to_vec();
        let mut names = self.names.clone();
        for op in &ops {
            if let Op::Name(named) = op {
                name(&mut names, named);
            }
        }
        // Files that the next one found are those that were there, by their names; others are new.
        let found: BTreeMap<FileId, FileId> = next.names.iter().map(|(name, file)| (*file, names[name])).collect();
        let same = |file: &FileId| found.get(file).copied().unwrap_or(FileId(FIRST_OF_NEXT + file.0));
        ops.extend(next.ops.iter().map(|op| match op {
            Op::Write { file, at, bytes } => Op::Write { file: same(file), at: *at, bytes: bytes.clone() },
            Op::Resize { file, length } => Op::Resize { file: same(file), length: *length },
            Op::Sync { file } => Op::Sync { file: same(file) },
            Op::SyncFolder => Op::SyncFolder,
            Op::Name(Named::Given { name, file, from }) => {
                Op::Name(Named::Given { name: name.clone(), file: same(file), from: from.clone() })
            }
            Op::Name(Named::Taken { name }) => Op::Name(Named::Taken { name: name.clone() }),
            Op::Note(note) => Op::Note(*note),
        }));
        Log { contents: self.contents.clone(), names: self.names.clone(), ops }
    }

    /// Where files, or the folder, were synced.
    pub(super) fn syncs(&self) -> Vec<usize> {
        let is_sync = |op: &Op| matches!(op, Op::Sync { .. } | Op::SyncFolder);
        (0..self.ops.len()).filter(|place| is_sync(&self.ops[*place])).collect()
    }

    /// Whether what was done there was done to a file that had, at any time, a name with that end.
    pub(super) fn is_of(&self, place: usize, ending: &str) -> bool {
        let (Op::Sync { file } | Op::Write { file, .. } | Op::Resize { file, .. }) = &self.ops[place] else { return false };
        let given = self.ops.iter().filter_map(|op| match op {
            Op::Name(Named::Given { name, file, .. }) => Some((name, file)),
            _ => None,
        });
        self.names.iter().chain(given).any(|(name, of)| of == file && name.ends_with(ending))
    }
}

fn name(names: &mut BTreeMap<String, FileId>, named: &Named) {
    match named {
        Named::Given { name, file, from } => {
            if let Some(from) = from {
                names.remove(from);
            }
            names.insert(name.clone(), *file);
        }
        Named::Taken { name } => drop(names.remove(name)),
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// One power cut's way with what was not synced.
struct Tear {
    dice: Dice,
    /// Of a hundred writes, and of a hundred names, so many are there.
    kept: u64,
    names_kept: u64,
    is_torn: bool,
    is_noisy: bool,
    has_shared_memory: bool,
}

impl Tear {
    fn of(fate: Fate) -> Self {
        let plain =
            |kept| Self { dice: Dice(0), kept, names_kept: kept, is_torn: false, is_noisy: false, has_shared_memory: false };
        match fate {
            Fate::Lost => plain(0),
            Fate::Kept => plain(100),
            Fate::Drawn(mut dice) => {
                let shares = [0, 20, 50, 80, 97, 100];
                let [kept, names_kept] = [(); 2].map(|()| shares[dice.below(shares.len())]);
                let [is_torn, is_noisy, has_shared_memory] = [(); 3].map(|()| dice.below(2) == 0);
                Self { dice, kept, names_kept, is_torn, is_noisy, has_shared_memory }
            }
        }
    }

    fn keeps(&mut self) -> bool {
        self.dice.below(100) < self.kept as usize
    }

    fn keeps_name(&mut self) -> bool {
        self.dice.below(100) < self.names_kept as usize
    }

    fn write(&mut self, content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        if !self.is_torn {
            if self.keeps() {
                put(content, at, bytes);
            }
            return;
        }
        let mut from = 0;
        while from < bytes.len() {
            let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
            if self.keeps() {
                put(content, at + from, &bytes[from..to]);
            } else if self.is_noisy && at + from >= content.len() && self.dice.below(2) == 0 {
                // The file has grown to there, and nothing of what should be there was written.
                let noise: Vec<u8> = (from..to).map(|_| self.dice.byte()).collect();
                put(content, at + from, &noise);
            }
            from = to;
        }
    }

    /// SQLite's shared memory is a file, too, that nobody syncs: anything may stand in it.
    fn leave_shared_memory(&mut self, image: &mut BTreeMap<String, Vec<u8>>) {
        let databases: Vec<String> = image.keys().filter(|name| name.ends_with(".db")).cloned().collect();
        if self.has_shared_memory {
            for name in databases {
                let noise = (0..32 << 10).map(|_| self.dice.byte()).collect();
                image.insert(format!("{name}-shm"), noise);
            }
        }
    }
}

/// Chance from a seed (SplitMix64).
#[derive(Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
