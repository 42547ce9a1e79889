//! Pending locks of one direction, and the one hash that commits to all of them.

use crate::eip712::keccak;
use crate::units::{Nonce, Units};
use photon_chains::{Expiry, ExpiryError, SecretHash};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most locks that may be pending in one direction: so many can be unlocked in one transaction, in a seventh of a block. A lock
/// is pending for as long as its payment is on the way there and back, so their number bounds how many payments a second a
/// channel carries for others. An owner allows fewer, and where transactions must be small the ledger does:
/// [`most_locks_in`].
pub const MOST_LOCKS: usize = 480;

/// Bytes of one entry of the list.
pub const ENTRY_BYTES: usize = 84;

/// Bytes of the largest record by which the contract is shown a lock: its hash, kind and amount, a word and a number of its own,
/// and the signature by which it was signed away.
const LARGEST_RECORD: usize = 32 + 1 + 12 + 16 + 8 + 64;

/// Bytes of a transaction that unlocks, besides records.
const BESIDES: usize = 1_500;

/// How many locks can be unlocked in one transaction of that many bytes, whatever has become of them.
pub const fn most_locks_in(transaction_bytes: usize) -> usize {
    let fit = transaction_bytes.saturating_sub(BESIDES) / LARGEST_RECORD;
    if fit < MOST_LOCKS { fit } else { MOST_LOCKS }
}

/// Names a lock in its direction, for ever: the nonce of the update that added it, and its place among that update's
/// operations. No two locks of a direction share a name, so a disposal of one never means another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockNo(pub u64);

impl LockNo {
    /// The lock that the operation at this place of this update adds.
    pub const fn new(nonce: Nonce, place: u16) -> Self {
        Self(nonce.0 << 16 | place as u64)
    }

    /// Which update added it.
    pub const fn nonce(self) -> Nonce {
        Nonce(self.0 >> 16)
    }
}

impl fmt::Display for LockNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pending lock: money of the payer that is the payee's once the secret is public in time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pending {
    /// Its name.
    pub number: LockNo,
    /// What opens it.
    pub secret_hash: SecretHash,
    /// How much.
    pub amount: Units,
    /// Until when. It has no funding deadline.
    pub expiry: Expiry,
}

/// Why a lock or a list of locks can't be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The expiry can't be written as a word.
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// A channel lock has no funding deadline.
    #[error("a channel lock has no funding deadline")]
    LockBy,
    /// The list is not in rising order of names.
    #[error("the locks are not in rising order")]
    Order,
    /// Too many, or too much in all.
    #[error("too many locks, or too much in them")]
    Full,
}

impl Pending {
    /// The packed entry: secret hash (32 bytes), amount (12), name (8), expiry word (32).
    pub fn entry(&self) -> Result<[u8; ENTRY_BYTES], LockError> {
        if self.expiry.lock_by.is_some() {
            return Err(LockError::LockBy);
        }
        let mut entry = [0; ENTRY_BYTES];
        let (hash, rest) = entry.split_at_mut(32);
        let (amount, rest) = rest.split_at_mut(12);
        let (number, word) = rest.split_at_mut(8);
        hash.copy_from_slice(self.secret_hash.as_bytes());
        // An amount has 96 bits, so the first four of the sixteen bytes are zero.
        amount.iter_mut().rev().zip(self.amount.get().to_le_bytes()).for_each(|(to, byte)| *to = byte);
        number.copy_from_slice(&self.number.0.to_be_bytes());
        word.copy_from_slice(&self.expiry.word()?);
        Ok(entry)
    }
}

/// What a list of pending locks comes down to in a signed message: how much they hold, and one hash of all.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Commitment {
    /// The sum of the pending amounts.
    pub locked: Units,
    /// keccak256 of the packed entries one after another in rising order of their names; zero for an empty list.
    pub locks: [u8; 32],
}

impl Commitment {
    /// Of locks in rising order of their names.
    pub fn of<'a>(locks: impl IntoIterator<Item = &'a Pending>) -> Result<Self, LockError> {
        let mut packed = Vec::new();
        let mut locked = Units::ZERO;
        let mut last = None;
        for lock in locks {
            if last.is_some_and(|last| lock.number <= last) {
                return Err(LockError::Order);
            }
            last = Some(lock.number);
            locked = locked.checked_add(lock.amount).ok_or(LockError::Full)?;
            packed.extend(lock.entry()?);
            if packed.len() > MOST_LOCKS * ENTRY_BYTES {
                return Err(LockError::Full);
            }
        }
        Ok(if packed.is_empty() { Self::default() } else { Self { locked, locks: keccak(&packed) } })
    }
}
