//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a private file can't be read or written. Paths are the owner's own words, so they are shown.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// There is one already. It is never overwritten: it may be the only copy of a seed with money on it.
    #[error("{} is there already, and is never overwritten", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error("{} may be read or changed by others (mode {mode:o}): make it yours alone with chmod 600", path.display())]
    NotPrivate {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a plain file, or far larger than it can be.
    #[error("{} is not a file of the expected kind", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// The disk or the system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PrivateFileError + '_ {
    move |source| PrivateFileError::Io { path: path.to_owned(), source }
}

/// Reads at most `max` bytes. The permissions are those of the file that was opened, not of a name that may change hands.
pub(super) fn read(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    // Not blocking: a pipe or a terminal in its place must not hang us before we see what it is.
    let file =
        OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path).map_err(io_error(path))?;
    let metadata = file.metadata().map_err(io_error(path))?;
    if !metadata.is_file() || metadata.len() > max as u64 {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::NotPrivate { path: path.to_owned(), mode });
    }
    // The room is taken at once, so that growing leaves no stray copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max + 1));
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(io_error(path))?;
    if bytes.len() > max {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Writes a new file of mode 0600: it is there whole and on the disk, or it is not there. An existing one is left alone,
/// also when two of us write at the same instant: linking a finished file to its name fails where the name is taken.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    if path.symlink_metadata().is_ok() {
        return Err(PrivateFileError::Exists { path: path.to_owned() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut tag = [0; 8];
    getrandom::fill(&mut tag).map_err(|error| io_error(path)(io::Error::other(error)))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", hex::encode(tag)));
    let temporary = folder.join(name);

    let written = write_whole(&temporary, bytes).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.symlink_metadata().is_ok() => {
            Err(PrivateFileError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(io_error(path)(error)),
        Ok(()) => removed.and_then(|()| File::open(folder)?.sync_all()).map_err(io_error(path)),
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // The umask may have taken bits away; it can't have added any.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}
