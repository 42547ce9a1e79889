//! A world's folder: gone when the world is gone, whichever way the process ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "photon-world-";
const LOCK: &str = ".in-use";

/// The folder of one world.
#[derive(Debug)]
pub(super) struct WorldDir {
    path: PathBuf,
    /// Locked while the world lives; the kernel lets go when the process ends.
    _lock: Option<File>,
}

impl WorldDir {
    /// The folder the caller wants, which is left in place; or a new temporary one, after removing those of worlds that are gone.
    pub(super) fn new(wanted: Option<&Path>) -> io::Result<Self> {
        if let Some(path) = wanted {
            std::fs::create_dir_all(path)?;
            // Nodes are started in other folders than the caller's.
            return Ok(Self { path: std::path::absolute(path)?, _lock: None });
        }
        let parent = std::env::temp_dir();
        sweep(&parent);
        let new = tempfile::Builder::new().prefix("photon-new-").tempdir_in(&parent)?;
        let lock = File::create(new.path().join(LOCK))?;
        lock.lock()?;
        // Only now by the name the sweep looks for: it must never see a folder that is not locked yet.
        let name = new.path().file_name().map(|name| name.to_string_lossy().replace("photon-new-", PREFIX)).unwrap_or_default();
        let path = parent.join(name);
        std::fs::rename(new.keep(), &path)?;
        Ok(Self { path, _lock: Some(lock) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorldDir {
    fn drop(&mut self) {
        if self._lock.is_some() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder gets its name with its lock in it; without one it is the rest of an interrupted removal.
        let is_dead = match File::options().write(true).open(entry.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_dead {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_living_worlds_folder_is_left_alone_and_a_dead_ones_is_swept() {
        let living = WorldDir::new(None).unwrap();
        let dead = std::env::temp_dir().join(format!("{PREFIX}dead-{}", std::process::id()));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        sweep(&std::env::temp_dir());
        assert!(living.path().is_dir());
        assert!(!dead.exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
