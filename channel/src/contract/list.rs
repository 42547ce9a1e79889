//! The pending locks that a call shows, and what may be done with them now.

use super::state::Income;
use super::{Contract, Revert, Taken};
use crate::chain::{Moment, is_in_time, is_open};
use crate::eip712::{Abi, keccak};
use crate::key::{ChannelRef, Side};
use crate::lock::{Commitment, Pending};
use crate::proof::{Disposal, Signed};
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use photon_chains::{Address, Secret, SecretHash};

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

impl Record {
    /// The lock, its hash that of the secret where that is shown: a secret says its hash itself.
    pub(super) fn shown_lock(&self) -> Pending {
        let secret_hash = self.secret.as_ref().map_or(self.lock.secret_hash, Secret::hash);
        Pending { secret_hash, ..self.lock }
    }
}

/// What the records of a call come to.
pub(super) struct Walked {
    /// The list as it was shown.
    pub(super) before: [u8; 32],
    /// The list of what stays.
    pub(super) after: [u8; 32],
    /// The sum of what is taken.
    sum: Units,
}

impl Walked {
    fn of(records: &[Record]) -> Result<Self, Revert> {
        let (mut before, mut after, mut sum) = (Vec::new(), Vec::new(), 0u128);
        for record in records {
            let entry = record.shown_lock().entry().map_err(|_| Revert::BadList)?;
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
    /// The list, before and after.
    pub(super) list: Walked,
    /// What is said of it.
    pub(super) said: Vec<Taken>,
}

impl Unlocked {
    /// What an income is once it was done.
    pub(super) fn done_to(&self, at: Moment, income: &Income) -> Result<Income, Revert> {
        let mut after = *income;
        let touched = &mut after.list.touched;
        touched.unlocked = touched.unlocked.checked_add(self.list.sum).ok_or(Revert::BadList)?;
        touched.last_unlock = Some(at);
        after.list.locks = self.list.after;
        after.list.taken = chained(&income.list.taken, &self.list.before, &self.list.after);
        Ok(after)
    }
}

impl Contract {
    /// Unlocks the locks that the records take.
    ///
    /// A lock that is not linked takes the secret itself, or an entry of the registry; a linked one the registry alone. Both
    /// must be in time, by the same rule: a lock that is taken off the list once it has opened still stands in the proofs
    /// before, and nobody must be able to come back with one of them.
    pub(super) fn unlocked(&self, at: Moment, records: &[Record]) -> Result<Unlocked, Revert> {
        let mut said = Vec::new();
        for record in records.iter().filter(|record| record.take) {
            let lock = record.shown_lock();
            said.push(match &record.secret {
                Some(secret) if !lock.expiry.linked && is_in_time(&lock.expiry, &at) => Taken::Shown(secret.clone()),
                None if self.is_registered_in_time(&lock) => Taken::Registered(lock.secret_hash),
                Some(_) | None => return Err(Revert::LockClosed),
            });
        }
        Ok(Unlocked { list: Walked::of(records)?, said })
    }

    /// What the records of locks come to that their payee gave up, each by its word; `also` says of every other one whether it
    /// may be among them. True, where there is one that was given up.
    pub(super) fn given_up(
        &self,
        of: ChannelRef,
        payer: Side,
        payee: &Address,
        records: &[Record],
        also: impl Fn(&Pending) -> bool,
    ) -> Result<(Walked, bool), Revert> {
        let mut any = false;
        for record in records.iter().filter(|record| record.take) {
            let lock = record.shown_lock();
            match &record.disposal {
                Some(signature) => {
                    let disposal = Disposal { of, payer, number: lock.number, secret_hash: lock.secret_hash };
                    self.must_be_signed(&disposal, signature, payee)?;
                    any = true;
                }
                None if also(&lock) => {}
                None => return Err(Revert::LockStands),
            }
        }
        Ok((Walked::of(records)?, any))
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
        let has_ended = |lock: &Pending| is_open(&lock.expiry, &at) && !self.is_registered_in_time(lock);
        let (list, _) = self.given_up(of, payer, payee, records, has_ended)?;
        if list.before != income.list.locks {
            return Err(Revert::BadList);
        }
        let mut after = *income;
        let touched = &mut after.list.touched;
        touched.released = touched.released.checked_add(list.sum).ok_or(Revert::BadList)?;
        after.list.locks = list.after;
        let taken = records.iter().filter(|record| record.take);
        Ok((after, taken.map(|record| record.shown_lock().secret_hash).collect()))
    }

    /// Whether the registry knows a lock's secret, and learned it in time.
    fn is_registered_in_time(&self, lock: &Pending) -> bool {
        self.registered(&lock.secret_hash).is_some_and(|entry| is_in_time(&lock.expiry, &entry))
    }

    /// Refuses a message that `signer` did not sign.
    pub(super) fn must_be_signed<M: Signed>(&self, message: &M, signature: &Signature, signer: &Address) -> Result<(), Revert> {
        let by = signature.signer(&message.digest(&self.domain)).map_err(|_| Revert::BadSignature)?;
        if by == *signer { Ok(()) } else { Err(Revert::BadSignature) }
    }
}

/// The hash chain over what was unlocked: one link for each call, of the list before and after it.
pub(super) fn chained(taken: &[u8; 32], before: &[u8; 32], after: &[u8; 32]) -> [u8; 32] {
    keccak(&Abi::new().word(taken).word(before).word(after).finish())
}
