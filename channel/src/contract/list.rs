//! The pending locks that a call shows, and what may be done with them now.

use super::state::Income;
use super::{Contract, Revert, Taken};
use crate::chain::{Moment, is_in_time, is_open};
use crate::eip712::keccak;
use crate::key::{ChannelRef, Side};
use crate::lock::{Commitment, Pending};
use crate::proof::{Disposal, Signed};
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use photon_chains::{Address, Expiry, Secret, SecretHash};

/// A balance proof as a call shows it: what was promised to the sender, and the counterparty's signature.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which promise. Zero: there is none, and all the rest is zero.
    pub nonce: Nonce,
    /// Paid in all.
    pub transferred: Units,
    /// The pending locks.
    pub pending: Commitment,
    /// The payer's signature.
    pub signature: Signature,
}

impl Shown {
    /// What it says, with nothing done to its locks yet.
    pub fn income(&self) -> Income {
        Income {
            nonce: self.nonce,
            locked: self.pending.locked,
            transferred: self.transferred,
            list: super::List { locks: self.pending.locks, ..super::List::default() },
        }
    }
}

/// One pending lock as a call shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The lock.
    pub lock: Pending,
    /// Whether it is to be taken off the list: unlocked, or released. Else it stays.
    pub take: bool,
    /// The secret, shown inline.
    pub secret: Option<Secret>,
    /// The payee's word that it gives the lock up.
    pub disposal: Option<Signature>,
}

/// What the records of a call come to.
struct Walked {
    /// The list as it was shown.
    before: [u8; 32],
    /// The list of what stays.
    after: [u8; 32],
    /// The sum of what is taken.
    sum: Units,
}

impl Walked {
    fn of(records: &[Record]) -> Result<Self, Revert> {
        let (mut before, mut after, mut sum) = (Vec::new(), Vec::new(), 0u128);
        for record in records {
            let entry = record.lock.entry().map_err(|_| Revert::BadList)?;
            before.extend(entry);
            if record.take {
                sum = sum.saturating_add(record.lock.amount.get());
            } else {
                after.extend(entry);
            }
        }
        // Taking nothing, or locks of nothing, is worth no call. More than a word holds is more than any channel has.
        let sum = Units::new(sum).filter(|sum| !sum.is_zero()).ok_or(Revert::BadList)?;
        Ok(Self { before: keccak(&before), after: if after.is_empty() { [0; 32] } else { keccak(&after) }, sum })
    }
}

/// What an unlock comes to.
pub(super) struct Unlocked {
    /// The list that the records are.
    pub(super) before: [u8; 32],
    after: [u8; 32],
    sum: Units,
    taken: Vec<u64>,
    /// What is said of it.
    pub(super) said: Vec<Taken>,
}

impl Unlocked {
    /// What an income is once it was done.
    pub(super) fn done_to(&self, at: Moment, income: &Income) -> Result<Income, Revert> {
        let mut after = *income;
        let touched = &mut after.list.touched;
        touched.unlocked = touched.unlocked.checked_add(self.sum).ok_or(Revert::BadList)?;
        touched.last_unlock = Some(at);
        after.list.locks = self.after;
        after.list.taken = chained(&income.list.taken, self.taken.iter().copied());
        Ok(after)
    }
}

impl Contract {
    /// Unlocks the locks that the records take.
    ///
    /// A lock that is not linked takes the secret itself while its word allows redeeming, or an entry of the registry that is
    /// in time; a linked one the registry alone.
    pub(super) fn unlocked(&self, at: Moment, records: &[Record]) -> Result<Unlocked, Revert> {
        // The records say what a lock is, but a secret says its hash itself.
        let mut records = records.to_vec();
        let mut said = Vec::new();
        for record in &mut records {
            if let Some(secret) = &record.secret {
                record.lock.secret_hash = secret.hash();
            }
        }
        let taken = || records.iter().filter(|record| record.take);
        for record in taken() {
            said.push(match &record.secret {
                Some(secret) if is_redeemable(&record.lock.expiry, at) => Taken::Shown(secret.clone()),
                None if self.is_in_time(&record.lock) => Taken::Registered(record.lock.secret_hash),
                Some(_) | None => return Err(Revert::LockClosed),
            });
        }
        let Walked { before, after, sum } = Walked::of(&records)?;
        let taken = taken().map(|record| record.lock.number.0).collect();
        Ok(Unlocked { before, after, sum, taken, said })
    }

    /// Gives locks of an income back to its payer: those that opened with no entry in time, and those that the payee disposed
    /// of.
    pub(super) fn released(
        &self,
        at: Moment,
        of: ChannelRef,
        payer: Side,
        payee: &Address,
        income: &Income,
        records: &[Record],
    ) -> Result<(Income, Vec<SecretHash>), Revert> {
        for record in records.iter().filter(|record| record.take) {
            match &record.disposal {
                Some(signature) => {
                    let lock = &record.lock;
                    let disposal = Disposal { of, payer, number: lock.number, secret_hash: lock.secret_hash };
                    self.must_be_signed(&disposal, signature, payee)?;
                }
                None if is_open(&record.lock.expiry, &at) && !self.is_in_time(&record.lock) => {}
                None => return Err(Revert::LockStands),
            }
        }
        let walked = Walked::of(records)?;
        if walked.before != income.list.locks {
            return Err(Revert::BadList);
        }
        let mut after = *income;
        let touched = &mut after.list.touched;
        touched.released = touched.released.checked_add(walked.sum).ok_or(Revert::BadList)?;
        after.list.locks = walked.after;
        Ok((after, records.iter().filter(|record| record.take).map(|record| record.lock.secret_hash).collect()))
    }

    /// Whether the registry knows a lock's secret, and learned it in time.
    fn is_in_time(&self, lock: &Pending) -> bool {
        self.registered(&lock.secret_hash).is_some_and(|entry| is_in_time(&lock.expiry, &entry))
    }

    /// Refuses a message that `signer` did not sign.
    pub(super) fn must_be_signed<M: Signed>(&self, message: &M, signature: &Signature, signer: &Address) -> Result<(), Revert> {
        let by = signature.signer(&message.digest(&self.domain)).map_err(|_| Revert::BadSignature)?;
        if by == *signer { Ok(()) } else { Err(Revert::BadSignature) }
    }
}

/// Whether the secret itself unlocks a lock in this block. A linked lock is judged by the registry alone.
fn is_redeemable(expiry: &Expiry, at: Moment) -> bool {
    !expiry.linked && expiry.closes.is_none_or(|closes| at.time < closes)
}

/// The hash chain over the names of unlocked locks, one link for each call.
pub(super) fn chained(before: &[u8; 32], numbers: impl Iterator<Item = u64>) -> [u8; 32] {
    let mut bytes = before.to_vec();
    bytes.extend(numbers.flat_map(u64::to_be_bytes));
    keccak(&bytes)
}
