//! One direction of a channel, and the one function by which payer and payee change it alike.

use crate::chain::{Registered, Tip, is_in_time, is_open};
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::lock::{Commitment, LockError, LockNo, Pending};
use crate::message::Reason;
use crate::sign::Signature;
use crate::split::Claim;
use crate::units::{Nonce, Units};
use crate::update::{Onward, Op, PaymentId};
use photon_chains::{Secret, SecretHash};
use std::collections::{BTreeMap, VecDeque};

/// How far a pending lock has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Nobody has shown its secret.
    Waiting,
    /// Its secret is known: the payee claims it, the payer pays it.
    Known(Secret),
    /// The payee has signed it away: it is struck, and never unlocked, whatever is learned later.
    Disposed(Signature),
}

/// What a pending lock belongs to, for whoever holds this side of the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Incoming, and not decided about yet.
    Fresh(Onward),
    /// Incoming, for the holder itself.
    Mine(PaymentId),
    /// Incoming, to go onward into that channel; the lock there follows once it is added.
    Onto {
        /// Which channel.
        channel: ChannelId,
        /// Which lock of it.
        number: Option<LockNo>,
        /// What goes with it.
        onward: Onward,
    },
    /// Incoming, to be signed away as soon as no outgoing lock of the holder's hangs on its hash.
    Unwanted(Reason),
    /// Outgoing, for a payment of the holder's.
    Payment(PaymentId),
    /// Outgoing, on account of that incoming one.
    For {
        /// Which channel.
        channel: ChannelId,
        /// Which lock of it.
        number: LockNo,
    },
    /// Either way: what it belongs to was forgotten. The counterparty has told of it.
    Forgotten,
}

/// A pending lock with what its holder knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lock.
    pub lock: Pending,
    /// How far it has come.
    pub state: LockState,
    /// What it belongs to.
    pub link: Link,
}

/// One direction: what its payer has signed last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The last update. A batch that is being gathered is not one yet.
    pub nonce: Nonce,
    /// Paid in all.
    pub transferred: Units,
    /// Pending, in rising order. Most go as they came: no other has to move when the oldest is taken off.
    pub locks: VecDeque<Held>,
    /// Pending in all.
    pub locked: Units,
    /// The payer's, of the last proof.
    pub signature: Option<Signature>,
}

/// A direction as it was before an update, but for its locks: what became of those the update's changes say.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Mark {
    nonce: Nonce,
    transferred: Units,
    locked: Units,
    signature: Option<Signature>,
}

/// What an operation has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Paid at once.
    Paid {
        /// Which payment.
        payment: PaymentId,
        /// How much.
        amount: Units,
    },
    /// A lock was added.
    Added(LockNo),
    /// A lock was paid.
    Unlocked(Held, Secret),
    /// A lock ended unpaid.
    Expired(Held),
    /// A lock that was signed away was struck.
    Struck(Held),
}

/// Why an operation can't be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing is no amount.
    #[error("an amount of nothing")]
    Nothing,
    /// The sums would not fit, or the payer has not so much: perhaps not yet, as this side sees the chain.
    #[error("more than the payer has")]
    Funds,
    /// The expiry is none that a channel lock can have: it can't be written, has a funding deadline, or neither closes by
    /// itself nor is judged by the registry alone.
    #[error("the expiry is none that a channel lock can have")]
    Word,
    /// A hash that anyone can open.
    #[error("a hash that anyone can open")]
    Degenerate,
    /// A lock with this hash is pending here, in this direction or the other. Only a payer is held to this: two locks can cross
    /// on the way, and the payee then signs the second one away.
    #[error("a lock with this hash is pending in this channel")]
    HashInUse,
    /// A lock with this hash was signed away in this channel. Only a payer is held to this, as above.
    #[error("a lock with this hash was signed away in this channel")]
    HashDisposed,
    /// As many as can be pending are.
    #[error("too many pending locks")]
    Full,
    /// No such lock is pending.
    #[error("no such lock is pending")]
    NoLock,
    /// The secret does not open it.
    #[error("the secret does not open the lock")]
    WrongSecret,
    /// It may still be paid, as this side sees the chain.
    #[error("the lock has not ended yet")]
    NotEnded,
    /// Its secret was registered in time: it is the payee's.
    #[error("the secret was registered in time")]
    InTime,
    /// The payee has not signed it away.
    #[error("the lock was not signed away")]
    NotDisposed,
}

/// What operations are judged by, besides the direction itself.
pub struct Judge<'a> {
    /// Whether the holder pays, and so is to use no hash twice.
    pub is_payer: bool,
    /// Where the chain stands.
    pub tip: &'a Tip,
    /// What is registered of the hashes that are watched.
    pub registered: &'a BTreeMap<SecretHash, Registered>,
    /// Pending in the other direction.
    pub other: &'a VecDeque<Held>,
    /// Hashes of locks that were signed away in this channel, either way.
    pub disposed: &'a std::collections::BTreeSet<SecretHash>,
    /// The most that may be pending.
    pub most_locks: usize,
    /// Whether the holder may have signed incoming locks away that it remembers as pending. It claims none of those, so that their
    /// payer may strike them.
    pub has_forgotten: bool,
}

impl Judge<'_> {
    /// Whether a lock has ended unpaid for good: open as of a block that is relied on, and never registered in time.
    pub fn has_ended(&self, lock: &Pending) -> Result<(), Fault> {
        let entry = self.registered.get(&lock.secret_hash);
        if Guard::InTime.refuses(entry.is_some_and(|entry| is_in_time(&lock.expiry, &entry.at))) {
            return Err(Fault::InTime);
        }
        if Guard::Ended.demands(is_open(&lock.expiry, &self.tip.deep)) { Ok(()) } else { Err(Fault::NotEnded) }
    }
}

impl Flow {
    /// What the last proof says, in numbers. With a batch being gathered: what the next one will say.
    pub const fn claim(&self) -> Claim {
        Claim { transferred: self.transferred, locked: self.locked }
    }

    /// The commitment to the pending locks.
    pub fn commitment(&self) -> Result<Commitment, LockError> {
        Commitment::of(self.locks.iter().map(|held| &held.lock))
    }

    /// A pending lock.
    pub fn lock(&self, number: LockNo) -> Option<&Held> {
        self.place(number).ok().and_then(|at| self.locks.get(at))
    }

    /// A pending lock, to be changed.
    pub fn lock_mut(&mut self, number: LockNo) -> Option<&mut Held> {
        let at = self.place(number).ok()?;
        self.locks.get_mut(at)
    }

    fn place(&self, number: LockNo) -> Result<usize, usize> {
        // Most go as they came.
        match self.locks.front() {
            Some(held) if held.lock.number == number => Ok(0),
            Some(_) | None => self.locks.binary_search_by_key(&number, |held| held.lock.number),
        }
    }

    /// Makes one operation of the update `nonce`, at that place of it, unless something speaks against it.
    ///
    /// `free` is what the payer may still promise. Payer and payee both come through here, so that they can only agree.
    pub fn apply(&mut self, nonce: Nonce, place: u16, op: Op, free: i128, judge: &Judge<'_>) -> Result<Change, Fault> {
        match op {
            Op::Transfer { payment, amount } => {
                spend(amount, free)?;
                self.transferred = self.transferred.checked_add(amount).ok_or(Fault::Funds)?;
                Ok(Change::Paid { payment, amount })
            }
            Op::Lock { amount, secret_hash, expiry, onward } => {
                spend(amount, free)?;
                let lock = Pending { number: LockNo::new(nonce, place), secret_hash, amount, expiry };
                self.may_add(&lock, judge)?;
                self.locked = self.locked.checked_add(amount).ok_or(Fault::Funds)?;
                let number = lock.number;
                self.locks.push_back(Held { lock, state: LockState::Waiting, link: Link::Fresh(onward) });
                Ok(Change::Added(number))
            }
            Op::Unlock { number, secret } => {
                let held = self.lock(number).ok_or(Fault::NoLock)?;
                if Guard::RightSecret.refuses(secret.hash() != held.lock.secret_hash) {
                    return Err(Fault::WrongSecret);
                }
                self.transferred = self.transferred.checked_add(held.lock.amount).ok_or(Fault::Funds)?;
                self.take(number).map(|held| Change::Unlocked(held, secret))
            }
            Op::Expire { number } => {
                judge.has_ended(&self.lock(number).ok_or(Fault::NoLock)?.lock)?;
                self.take(number).map(Change::Expired)
            }
            Op::Strike { number } => match self.lock(number).ok_or(Fault::NoLock)?.state {
                LockState::Disposed(_) => self.take(number).map(Change::Struck),
                LockState::Waiting if judge.has_forgotten => self.take(number).map(Change::Struck),
                LockState::Waiting | LockState::Known(_) if !Guard::Struck.holds() => self.take(number).map(Change::Struck),
                LockState::Waiting | LockState::Known(_) => Err(Fault::NotDisposed),
            },
        }
    }

    fn may_add(&self, lock: &Pending, judge: &Judge<'_>) -> Result<(), Fault> {
        if Guard::SecretHashSound.refuses(lock.secret_hash.is_degenerate()) {
            return Err(Fault::Degenerate);
        }
        lock.entry().map_err(|_| Fault::Word)?;
        // A lock that is neither linked nor closes by itself could be unlocked for as long as it stands, and in an old proof it
        // stands for ever: its payee could close with that one long after both had taken the lock back, and show the secret.
        if Guard::LockWord.refuses(!lock.expiry.linked && lock.expiry.closes.is_none()) {
            return Err(Fault::Word);
        }
        let is_held = judge.is_payer && Guard::HashFree.holds();
        if is_held && judge.disposed.contains(&lock.secret_hash) {
            return Err(Fault::HashDisposed);
        }
        if is_held && self.locks.iter().chain(judge.other).any(|held| held.lock.secret_hash == lock.secret_hash) {
            return Err(Fault::HashInUse);
        }
        if Guard::MostLocks.refuses(self.locks.len() >= judge.most_locks) { Err(Fault::Full) } else { Ok(()) }
    }

    /// To go back to: see [`Flow::take_back`].
    pub(crate) const fn mark(&self) -> Mark {
        Mark { nonce: self.nonce, transferred: self.transferred, locked: self.locked, signature: self.signature }
    }

    /// Undoes all these changes, which were made since the mark, in their order.
    pub(crate) fn take_back(&mut self, mark: Mark, changes: Vec<Change>) {
        for change in changes.into_iter().rev() {
            match change {
                Change::Paid { .. } => {}
                Change::Added(number) => {
                    // It is the last: what came after it was taken back before.
                    self.locks.pop_back_if(|held| held.lock.number == number);
                }
                Change::Unlocked(held, _) | Change::Expired(held) | Change::Struck(held) => {
                    let at = self.locks.partition_point(|other| other.lock.number < held.lock.number);
                    self.locks.insert(at, held);
                }
            }
        }
        let Mark { nonce, transferred, locked, signature } = mark;
        (self.nonce, self.transferred, self.locked, self.signature) = (nonce, transferred, locked, signature);
    }

    fn take(&mut self, number: LockNo) -> Result<Held, Fault> {
        let at = self.place(number).map_err(|_| Fault::NoLock)?;
        let held = self.locks.remove(at).ok_or(Fault::NoLock)?;
        self.locked = self.locked.saturating_sub(held.lock.amount);
        Ok(held)
    }
}

fn spend(amount: Units, free: i128) -> Result<(), Fault> {
    if Guard::SomeAmount.refuses(amount.is_zero()) {
        return Err(Fault::Nothing);
    }
    if Guard::Covered.refuses(amount.signed() > free) { Err(Fault::Funds) } else { Ok(()) }
}
