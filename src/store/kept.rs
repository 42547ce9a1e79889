//! The backup of the channels: a file anywhere, sealed with the storage key, written anew as a whole. See `channels::kept`.

use super::connect::{beside, open_private, sync_folder_of};
use super::seal::Seals;
use super::{Store, StoreError};
use photon_chains::Ledger;
use photon_channel::{Key, Malformed, Reader, Row, Wire};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Says what the file is, and in which form.
const HEADER: &[u8] = b"photon channels 1\n";
/// Far more than all channels of a node take.
const FILE_CAP: u64 = 1 << 30;

/// What became of reading or writing it. Neither concerns the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    /// The file, or its folder, is not there, or not this process's to read and write.
    #[error("{path} can't be read or written: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not what this seed has sealed.
    #[error("{path} is damaged, or of another seed: move it away to begin a new one")]
    Unreadable {
        /// The file.
        path: String,
    },
}

impl Store {
    /// Puts the rows into the file, in the place of what it held: wholly, and durable when this returns, or not at all.
    pub(crate) async fn keep_channels(&self, path: PathBuf, rows: BTreeMap<Ledger, Vec<(Key, Row)>>) -> Result<(), KeptError> {
        self.with_file(path, move |path, seals| {
            let bytes = sealed(seals, &rows).map_err(std::io::Error::other)?;
            replace(path, &bytes).map(Some)
        })
        .await
    }

    /// What the file holds; nothing where there is none.
    pub(crate) async fn kept_channels(&self, path: PathBuf) -> Result<Vec<(Ledger, Key, Row)>, KeptError> {
        self.with_file(path, |path, seals| {
            let mut bytes = Vec::new();
            match File::open(path).and_then(|file| file.take(FILE_CAP).read_to_end(&mut bytes)) {
                Ok(_) => Ok(opened(seals, &bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(Vec::new())),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Works on the file where a thread may wait for it. None: it can't be understood.
    async fn with_file<T, F>(&self, path: PathBuf, work: F) -> Result<T, KeptError>
    where
        T: Send + 'static,
        F: FnOnce(&Path, &Seals) -> std::io::Result<Option<T>> + Send + 'static,
    {
        let seals = Arc::clone(&self.0.seals);
        let shown = path.display().to_string();
        let done = tokio::task::spawn_blocking(move || work(&path, &seals)).await.map_err(std::io::Error::other);
        match done.and_then(|done| done) {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(KeptError::Unreadable { path: shown }),
            Err(error) => Err(KeptError::File { path: shown, error }),
        }
    }
}

fn sealed(seals: &Seals, rows: &BTreeMap<Ledger, Vec<(Key, Row)>>) -> Result<Vec<u8>, StoreError> {
    let mut plain = Zeroizing::new(Vec::new());
    for (ledger, (key, row)) in rows.iter().flat_map(|(ledger, rows)| rows.iter().map(move |row| (ledger, row))) {
        ledger.name().as_bytes().to_vec().put(&mut plain);
        key.put(&mut plain);
        row.put(&mut plain);
    }
    Ok([HEADER, seals.seal(HEADER, &plain)?.as_slice()].concat())
}

fn opened(seals: &Seals, bytes: &[u8]) -> Option<Vec<(Ledger, Key, Row)>> {
    let plain = Zeroizing::new(seals.open(HEADER, bytes.strip_prefix(HEADER)?, "backup").ok()?);
    let mut reader = Reader::new(&plain);
    let mut rows = Vec::new();
    while !reader.is_empty() {
        rows.push(row(&mut reader).ok()?);
    }
    Some(rows)
}

fn row(from: &mut Reader<'_>) -> Result<(Ledger, Key, Row), Malformed> {
    let name: Vec<u8> = Wire::get(from)?;
    let ledger = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()).ok_or(Malformed)?;
    Ok((ledger, Wire::get(from)?, Wire::get(from)?))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let fresh = beside(path, ".new");
    let mut file = open_private(&fresh, false)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_folder_of(path)
}
