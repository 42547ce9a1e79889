//! What is asked of the disk within one folder, in order, with contents.

use super::disk::{FileId, Log, Named, Op};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A file, or a folder, whatever its name.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) device: u64,
    pub(super) number: u64,
}

/// What a call has done to the file it was made for.
pub(super) enum Done {
    Write { at: usize, bytes: Vec<u8> },
    Resize { length: usize },
    Sync,
}

/// How many recordings run: a call asks this alone while there are none.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static RECORDERS: Mutex<Vec<Recorder>> = Mutex::new(Vec::new());

struct Recorder {
    folder: PathBuf,
    inode: Inode,
    files: Vec<Known>,
    log: Log,
    /// The names in the folder as they were seen last.
    names: BTreeMap<String, FileId>,
}

struct Known {
    inode: Inode,
    /// Keeps the number of the file from being given to another one when its name is gone. It can't be read with, so
    /// closing it frees no lock of SQLite's.
    _pin: File,
}

/// Makes a call, and writes down what it did if it is about a file that is watched. Nothing else happens to a watched
/// file meanwhile, so the order written down is the order in which it was.
pub(super) fn around(
    inode: impl FnOnce() -> Option<Inode>,
    call: impl FnOnce() -> isize,
    done: impl FnOnce(usize) -> Done,
) -> isize {
    if RUNNING.load(Ordering::Acquire) == 0 {
        return call();
    }
    let Some(inode) = inode() else { return call() };
    let mut recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((recorder, file)) = recorders.iter_mut().find_map(|recorder| recorder.find(inode)) else {
        drop(recorders);
        return call();
    };
    let result = call();
    if let Ok(count) = usize::try_from(result) {
        recorder.log.ops.extend(match (done(count), file) {
            (Done::Write { at, bytes }, Some(file)) => Some(Op::Write { file, at, bytes }),
            (Done::Resize { length }, Some(file)) => Some(Op::Resize { file, length }),
            (Done::Sync, Some(file)) => Some(Op::Sync { file }),
            (Done::Sync, None) => Some(Op::SyncFolder),
            (Done::Write { .. } | Done::Resize { .. }, None) => None,
        });
    }
    result
}

impl Recorder {
    /// Which file of the folder it is; no file for the folder itself.
    fn find(&mut self, inode: Inode) -> Option<(&mut Self, Option<FileId>)> {
        self.look();
        if inode == self.inode {
            return Some((self, None));
        }
        let place = self.files.iter().position(|known| known.inode == inode)?;
        Some((self, Some(FileId(place))))
    }

    /// Writes down which names came and went since the last look.
    fn look(&mut self) {
        let mut names = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // The first means nothing after a restart of the machine, the second is made anew by whoever opens the database first.
            if name.ends_with(".lock") || name.ends_with("-shm") {
                continue;
            }
            // Gone again meanwhile: the next look is right.
            let Ok(pin) = OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(entry.path()) else { continue };
            let Ok(inode) = inode_of(&pin) else { continue };
            let place = self.files.iter().position(|known| known.inode == inode).unwrap_or_else(|| {
                self.files.push(Known { inode, _pin: pin });
                self.files.len() - 1
            });
            names.insert(name, FileId(place));
        }
        let gone: Vec<_> =
            self.names.iter().filter(|(name, file)| names.get(*name) != Some(file)).map(|(n, f)| (n.clone(), *f)).collect();
        let mut gone: BTreeMap<String, FileId> = gone.into_iter().collect();
        for (name, file) in &names {
            if self.names.get(name) == Some(file) {
                continue;
            }
            // One that had another name until now was renamed, which happens at once or not at all.
            let from = gone.iter().find(|(old, of)| *of == file && !names.contains_key(*old)).map(|(old, _)| old.clone());
            if let Some(from) = &from {
                gone.remove(from);
            }
            gone.remove(name);
            self.log.ops.push(Op::Name(Named::Given { name: name.clone(), file: *file, from }));
        }
        let taken = gone.into_keys().map(|name| Op::Name(Named::Taken { name }));
        self.log.ops.extend(taken);
        self.names = names;
    }
}

fn inode_of(file: &File) -> std::io::Result<Inode> {
    let data = file.metadata()?;
    Ok(Inode { device: data.dev(), number: data.ino() })
}

/// A recording that runs.
pub(super) struct Recording {
    folder: PathBuf,
}

impl Recording {
    /// From now on; what is in the folder already is taken to be on the disk.
    pub(super) fn of(folder: &Path) -> Self {
        let inode = inode_of(&File::open(folder).unwrap()).unwrap();
        let log = Log::default();
        let mut recorder = Recorder { folder: folder.to_owned(), inode, files: Vec::new(), log, names: BTreeMap::new() };
        recorder.look();
        recorder.log.ops.clear();
        recorder.log.names = recorder.names.clone();
        let contents = recorder.names.iter().map(|(name, file)| (*file, std::fs::read(folder.join(name)).unwrap()));
        recorder.log.contents = contents.collect();
        RECORDERS.lock().unwrap().push(recorder);
        RUNNING.fetch_add(1, Ordering::Release);
        Self { folder: folder.to_owned() }
    }

    /// Writes down that something has happened that is no matter of the disk.
    pub(super) fn note(&self, note: super::disk::Note) {
        self.with(|recorder| {
            recorder.look();
            recorder.log.ops.push(Op::Note(note));
        });
    }

    /// The log, and what is recorded from now on.
    pub(super) fn so_far(&self) -> Log {
        self.with(|recorder| {
            recorder.look();
            recorder.log.clone()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recorder) -> T) -> T {
        let mut recorders = RECORDERS.lock().unwrap();
        work(recorders.iter_mut().find(|recorder| recorder.folder == self.folder).unwrap())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Release);
        RECORDERS.lock().unwrap_or_else(PoisonError::into_inner).retain(|recorder| recorder.folder != self.folder);
    }
}
