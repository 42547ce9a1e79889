//! A second file beside the database with what it takes, together with the seed, to free the money of every swap: a lost or
//! restored old database must not lose a swap.
//!
//! One line per swap, its secret hash and the rest sealed, synced before the swap's own commit, so before our signature leaves. Lines are only ever added;
//! when most of the file is about swaps that are over, a start writes it anew with the live ones alone. A torn last line is cut off.

use super::connect::{beside, open_private, sync_folder_of, unopenable};
use super::facts::{FactRow, write_facts};
use super::rows::all_rows;
use super::seal::Seals;
use super::swaps::{NewSwap, ReservedHash, SwapRow, find, insert, reserve, swap_row};
use super::{Store, StoreError};
use photon_chains::{Address, BlockHeight, Canon, SecretHash};
use photon_swap::{Role, Salt, SwapId};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".recovery";
/// A file of this size is written anew at the next start, if that makes it half as long.
pub(super) const LONG_FILE_BYTES: u64 = 4 << 20;
/// No line of ours is longer: terms and endpoint are bounded by the schema, and hex doubles them.
const LINE_CAP: u64 = 2 << 20;

/// A swap that the recovery file knows and the database never did: the database is new, or an old copy.
#[derive(Clone, Debug)]
pub struct LostSwap {
    /// The hash both legs are locked by.
    pub secret_hash: SecretHash,
    /// What was written down before our signature left. The offer it came from is not known any more.
    pub swap: NewSwap,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    id: SwapId,
    role: Role,
    peer: Address,
    peer_endpoint: String,
    terms: String,
    own_signature: String,
    salt: Salt,
    alpha_since: BlockHeight,
    beta_since: BlockHeight,
}

/// The writer's hand on the file.
pub(super) struct RecoveryFile(File);

impl RecoveryFile {
    /// Opens or makes the file beside a database that is open and checked.
    pub(super) fn open(database: &Path, conn: &Connection) -> Result<Self, StoreError> {
        let path = beside(database, SUFFIX);
        let opened = open_private(&path, true).and_then(|mut file| {
            cut_torn_line(&mut file)?;
            // A process that was killed may have written lines that it did not sync.
            file.sync_all()?;
            sync_folder_of(&path)?;
            Ok(file)
        });
        let file = opened.map_err(|error| unopenable(&path, &error))?;
        let length = file.metadata().map_err(|error| unopenable(&path, &error))?.len();
        if length < LONG_FILE_BYTES {
            return Ok(Self(file));
        }
        let needed = lines_still_needed(&file, conn)?;
        // Ten thousand live swaps fill such a file by themselves: it is not written again at every start for a few lines less.
        if needed.len() as u64 > length / 2 {
            return Ok(Self(file));
        }
        write_anew(&path, &needed).map(Self).map_err(|error| unopenable(&path, &error))
    }

    /// Adds lines, durable when it returns.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        let written = self.0.write_all(lines).and_then(|()| self.0.sync_data());
        written.map_err(|error| StoreError::Failed { reason: format!("the recovery file can't be written: {error}") })
    }
}

impl Store {
    /// The swaps that only the recovery file knows. Look here at every start, before anything new begins: each has to be
    /// taken up again by [`Store::restore_swap`]. A running swap whose row says something else than its line was damaged on the
    /// disk: that is a failure, and nothing is done on top of it.
    pub async fn lost_swaps(&self) -> Result<Vec<LostSwap>, StoreError> {
        let path = beside(&self.0.path, SUFFIX);
        self.read(move |read| {
            let file = File::open(&path).map_err(|error| unopenable(&path, &error))?;
            let live = "SELECT * FROM swaps INDEXED BY swaps_live WHERE ended_at IS NULL";
            let live = all_rows!(read.conn, live, [], swap_row)?;
            let live: HashMap<SecretHash, SwapRow> = live.into_iter().map(|row| (row.secret_hash, row)).collect();
            let mut lost = Vec::new();
            let mut seen = HashSet::new();
            for line in lines(&file) {
                let Some(hash) = hash_of(&line) else { continue };
                if let Some(row) = live.get(&hash) {
                    let written = open_line(&line, hash, read.seals);
                    if written.is_some_and(|written| !says_the_same(row, &written.swap)) {
                        return Err(StoreError::Unreadable("swap"));
                    }
                    continue;
                }
                if knows_hash(read.conn, hash)? || seen.contains(&hash) {
                    continue;
                }
                match open_line(&line, hash, read.seals) {
                    Some(swap) => {
                        seen.insert(hash);
                        lost.push(swap);
                    }
                    // The others are all the more needed, and one of them may be about the same swap: it began again after the
                    // power failed while this line was written.
                    None => tracing::error!(%hash, "a lost swap can't be read: its line is damaged, or of another seed"),
                }
            }
            Ok(lost)
        })
        .await
    }

    /// Takes a lost swap up again, together with the facts that say how far it may be trusted: after a loss nobody knows
    /// whether it was agreed or funded, so nothing may be revealed any more.
    pub async fn restore_swap(&self, lost: LostSwap, facts: Vec<FactRow>) -> Result<(), StoreError> {
        self.write(move |write| {
            let reserved: ReservedHash = reserve(write, lost.secret_hash)?;
            insert(write, &reserved, &lost.swap)?;
            let swap = find(write.conn, lost.swap.id)?.ok_or(StoreError::NoSuch("swap"))?;
            write_facts(write, &swap, &facts)?;
            Ok(())
        })
        .await
    }
}

/// The sealed line of a swap.
pub(super) fn line(seals: &Seals, secret_hash: SecretHash, swap: &NewSwap) -> Result<Vec<u8>, StoreError> {
    let entry = Entry {
        id: swap.id,
        role: swap.role,
        peer: swap.peer,
        peer_endpoint: swap.peer_endpoint.clone(),
        terms: swap.terms.clone(),
        own_signature: hex::encode(&swap.own_signature),
        salt: swap.salt,
        alpha_since: swap.alpha_since,
        beta_since: swap.beta_since,
    };
    let plain = serde_json::to_vec(&entry).map_err(|_| StoreError::Unreadable("swap"))?;
    let sealed = seals.seal(&place(secret_hash), &plain)?;
    Ok(format!("{secret_hash} {}\n", hex::encode(sealed)).into_bytes())
}

pub(super) fn place(secret_hash: SecretHash) -> Vec<u8> {
    Canon::tagged("photon/store/recovery/1").bytes(secret_hash.as_bytes()).finish()
}

fn lines(file: &File) -> impl Iterator<Item = Vec<u8>> {
    let mut reader = BufReader::new(file);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_CAP).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            Err(error) => {
                tracing::error!(%error, "the recovery file can't be read to its end");
                None
            }
        }
    })
}

/// True if a row is still what was written down when the swap began. What may change since is left out.
fn says_the_same(row: &SwapRow, written: &NewSwap) -> bool {
    let of_row = (row.id, row.role, row.peer, &row.terms, row.salt, row.alpha_since, row.beta_since);
    let of_line = (written.id, written.role, written.peer, &written.terms, written.salt, written.alpha_since, written.beta_since);
    of_row == of_line
}

pub(super) fn hash_of(line: &[u8]) -> Option<SecretHash> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    std::str::from_utf8(line.get(..end)?).ok()?.parse().ok()
}

pub(super) fn open_line(line: &[u8], secret_hash: SecretHash, seals: &Seals) -> Option<LostSwap> {
    let sealed = line.strip_suffix(b"\n")?.splitn(2, |byte| *byte == b' ').nth(1)?;
    let plain = seals.open(&place(secret_hash), &hex::decode(sealed).ok()?, "swap").ok()?;
    let entry: Entry = serde_json::from_slice(&plain).ok()?;
    let swap = NewSwap {
        id: entry.id,
        role: entry.role,
        peer: entry.peer,
        peer_endpoint: entry.peer_endpoint,
        terms: entry.terms,
        own_signature: hex::decode(&entry.own_signature).ok()?,
        peer_signature: None,
        salt: entry.salt,
        alpha_since: entry.alpha_since,
        beta_since: entry.beta_since,
        offer: None,
    };
    Some(LostSwap { secret_hash, swap })
}

fn knows_hash(conn: &Connection, hash: SecretHash) -> Result<bool, StoreError> {
    let mut query = conn.prepare_cached("SELECT 1 FROM hashlocks WHERE hash = ?1")?;
    Ok(query.query_row([hash.as_bytes()], |_| Ok(())).optional()?.is_some())
}

/// Those of live swaps, and those the database does not know.
fn lines_still_needed(mut file: &File, conn: &Connection) -> Result<Vec<u8>, StoreError> {
    file.seek(SeekFrom::Start(0)).map_err(|error| StoreError::Failed { reason: error.to_string() })?;
    let live = "SELECT secret_hash FROM swaps INDEXED BY swaps_live WHERE ended_at IS NULL";
    let live = all_rows!(conn, live, [], |row| Ok::<_, StoreError>(SecretHash::from_bytes(row.get(0)?)))?;
    let live: HashSet<SecretHash> = live.into_iter().collect();
    let mut needed = Vec::new();
    for line in lines(file) {
        let Some(hash) = hash_of(&line) else { continue };
        if live.contains(&hash) || !knows_hash(conn, hash)? {
            needed.extend(line);
        }
    }
    Ok(needed)
}

fn write_anew(path: &Path, lines: &[u8]) -> std::io::Result<File> {
    let fresh: PathBuf = beside(path, ".new");
    let mut file = open_private(&fresh, true)?;
    file.set_len(0)?;
    file.write_all(lines)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_folder_of(path)?;
    Ok(file)
}

/// A line without its end was never answered for; what is added next must not stick to it.
fn cut_torn_line(file: &mut File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let tail_start = length.saturating_sub(LINE_CAP);
    file.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    Read::by_ref(file).take(LINE_CAP).read_to_end(&mut tail)?;
    let kept = tail.iter().rposition(|byte| *byte == b'\n').map_or(tail_start, |end| tail_start + end as u64 + 1);
    if kept < length {
        file.set_len(kept)?;
    }
    Ok(())
}
