//! The folder where fetched nodes are kept, shared by all processes of one user.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::FetchError;

/// In a complete folder; its time is when that was fetched.
const COMPLETE: &str = ".complete";
/// As long as the slowest fetch may take.
const LOCK_LIMIT: Duration = Duration::from_secs(1_800);

/// `$PHOTON_NODES_DIR`, else `$XDG_CACHE_HOME/photon/nodes`, else `~/.cache/photon/nodes`.
pub(super) fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("PHOTON_NODES_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("photon/nodes")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/photon/nodes")))
}

/// Held while one process fills the cache. The kernel lets go of it when the process ends.
pub(crate) struct CacheLock {
    _file: File,
}

impl CacheLock {
    /// Waits for its turn. `waiting` is called once, if there is need to wait.
    pub(crate) fn take(folder: &Path, waiting: impl FnOnce()) -> Result<Self, FetchError> {
        std::fs::create_dir_all(folder).map_err(FetchError::disk("could not create", folder))?;
        let path = folder.join("lock");
        let failed = |source| FetchError::Disk { what: "could not lock", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let deadline = Instant::now() + LOCK_LIMIT;
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(FetchError::Locked { path, limit_secs: LOCK_LIMIT.as_secs() });
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }
}

/// The newest complete folder of that name (`<name>-<version>`); folders get that name only when they are complete.
pub(super) fn newest(folder: &Path, name: &str) -> Option<PathBuf> {
    let prefix = format!("{name}-");
    let complete = std::fs::read_dir(folder).ok()?.flatten();
    complete
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .filter_map(|entry| Some((entry.path().join(COMPLETE).metadata().ok()?.modified().ok()?, entry.path())))
        .max()
        .map(|(_, path)| path)
}

/// The folder, if it is complete.
pub(super) fn complete(folder: PathBuf) -> Option<PathBuf> {
    folder.join(COMPLETE).is_file().then_some(folder)
}

/// Gives a finished folder its final name, at once and for all. A folder of that name without the mark was not made here, or was damaged.
pub(super) fn publish(staged: &Path, target: &Path) -> Result<(), FetchError> {
    let mark = staged.join(COMPLETE);
    std::fs::write(&mark, "").map_err(FetchError::disk("could not write", &mark))?;
    if target.exists() {
        std::fs::remove_dir_all(target).map_err(FetchError::disk("could not remove", target))?;
    }
    std::fs::rename(staged, target).map_err(FetchError::disk("could not rename to", target))
}

/// A version as part of a file's name.
pub(crate) fn file_name_part(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).take(80).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_folder_is_the_first_one_named() {
        let folder = |set: &[(&str, &str)]| {
            default_folder(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(folder(&[("PHOTON_NODES_DIR", "/a"), ("HOME", "/h")]), Some("/a".into()));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Some("/x/photon/nodes".into()));
        assert_eq!(folder(&[("PHOTON_NODES_DIR", ""), ("HOME", "/h")]), Some("/h/.cache/photon/nodes".into()));
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn one_process_at_a_time_fills_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let lock = CacheLock::take(folder.path(), || ()).unwrap();
        let (waited, waits) = std::sync::mpsc::channel();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || CacheLock::take(&path, || waited.send(()).unwrap()).map(|_| ()));
        waits.recv_timeout(Duration::from_secs(10)).expect("the second must wait");
        assert!(!second.is_finished());
        drop(lock);
        second.join().unwrap().unwrap();
    }
}
