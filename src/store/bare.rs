//! For fuzzing: a recovery file that is torn, old, or not ours.

use super::recovery::{hash_of, open_line, place};
use super::seal::Seals;

/// Reads every line as one of a file of ours; answers how many swaps stand there.
pub fn recovery_lines(storage_key: &[u8; 32], bytes: &[u8]) -> usize {
    let Ok(seals) = Seals::new(storage_key) else { return 0 };
    let swaps = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| open_line(line, hash_of(line)?, &seals));
    swaps.count()
}

/// A line of such a file, with that inside.
pub fn recovery_line(storage_key: &[u8; 32], hash: [u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
    let hash = photon_chains::SecretHash::from_bytes(hash);
    let sealed = Seals::new(storage_key).ok()?.seal(&place(hash), plain).ok()?;
    Some(format!("{hash} {}\n", hex::encode(sealed)).into_bytes())
}
