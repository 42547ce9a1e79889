//! The channels contract as a pure function: what every call on it does, and what it refuses, at any time.
//!
//! The engine asks it what will become of a channel (which calls would be taken now, what a settle would pay for any proofs),
//! and a test runs it beside the contract's bytecode on random sequences of calls. The rules, errors and layouts are those of
//! `contracts/src/IChannels.sol`; the same names are used.
//!
//! - [`Contract`]: all channels, the credits, and what the registry knows. [`Contract::call`] judges a call and changes
//!   nothing; [`Contract::apply`] does what it came to.
//! - `state`: a channel's slot, open or closed, and the word that the contract's storage holds for it.
//! - `open`: deposits, withdrawals and the end by consent. `dispute`: close, update, unlock, release, punish. `list`: the
//!   pending locks that a call shows. `settle`: who is paid what, and when. `parties`: which channel a call may have been about.
//!
//! Money comes and goes by tokens that are not of this contract: a deposit is told what the token brought, and payouts are
//! taken to succeed; [`Contract::credit`] is for one that did not.

mod decode;
mod dispute;
mod encode;
mod fold;
mod list;
mod open;
mod parties;
mod settle;
mod state;
mod word;

pub use decode::records_in;
pub use dispute::{By, Dispute};
pub use encode::Style;
pub use fold::{FoldError, Folded, fold, hashes_of, lists_of, lists_shown};
pub use list::{Record, Shown};
pub use open::{Brought, Consent};
pub use parties::keys_in;
pub use state::{Closed, Income, List, Open, Slot, Touched};
pub use word::Word;

use crate::chain::Moment;
use crate::eip712::Domain;
use crate::key::{Both, ChannelId, ChannelKey, KeyError, Side};
use crate::units::Units;
use photon_chains::{Address, Secret, SecretHash, UnixTime};
use std::collections::BTreeMap;

/// Whether a window that began at `since` is over: both the time and the blocks have passed, so a chain that halts takes
/// nobody's chance to act.
pub fn is_past(since: Moment, now: Moment, key: &ChannelKey, block_secs: u64) -> bool {
    let window = key.window().secs();
    let blocks = window.checked_div(block_secs).unwrap_or(window);
    now.time >= since.time.plus_secs(window) && now.block >= since.block.plus(blocks)
}

/// Why the contract refuses a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Revert {
    /// The window or the parties can't be.
    #[error("no such channel can be")]
    BadChannel,
    /// Nothing, or more than the channel's words can hold, or than it has.
    #[error("nothing, or more than the channel can hold or has")]
    BadAmount,
    /// There is no open channel of this key.
    #[error("the channel is not open")]
    NotOpen,
    /// There is no closed channel of this key in the state that the call shows.
    #[error("the channel is not in this state")]
    NotThisState,
    /// The signature is not that of who must have signed.
    #[error("the signature is not that of who must have signed")]
    BadSignature,
    /// The message's deadline is over.
    #[error("the deadline is over")]
    DeadlinePassed,
    /// The proof is no newer than the one that counts, or has no nonce.
    #[error("the proof is no newer than the one that counts")]
    NotNewer,
    /// The window is over.
    #[error("the window is over")]
    WindowOver,
    /// The window is not over yet.
    #[error("the window is not over yet")]
    WindowOpen,
    /// The records are not the list that the state holds, or none of them is to be taken.
    #[error("the records are not the list that counts")]
    BadList,
    /// A lock's secret is not registered in time, or its word allows no more redeeming.
    #[error("the lock can't be unlocked")]
    LockClosed,
    /// The lock has not opened, or its secret is registered in time.
    #[error("the lock can't be released")]
    LockStands,
    /// The lock was not unlocked.
    #[error("the lock was not unlocked")]
    NotTaken,
    /// There is nothing to settle or to collect (yet).
    #[error("there is nothing to pay yet")]
    NothingToPay,
    /// The delegation doesn't give this right.
    #[error("the delegation does not give this right")]
    BadRights,
    /// The token did not bring exactly the amount.
    #[error("the token did not bring exactly the amount")]
    NotReceivedInFull,
    /// The token or the receiver refused.
    #[error("the token or the receiver refused")]
    TransferFailed,
}

impl From<KeyError> for Revert {
    fn from(_: KeyError) -> Self {
        Revert::BadChannel
    }
}

/// A call on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Money that counts as one side's. Opens the channel where there is none.
    Deposit {
        /// Whose it will be.
        of: Side,
        /// How much.
        amount: u128,
        /// What the token did.
        brought: Brought,
    },
    /// The end by consent.
    CooperativeClose {
        /// What B has paid A, all in all.
        paid_to_a: i128,
        /// Of the consent.
        deadline: UnixTime,
        /// Who agrees.
        consent: Consent,
    },
    /// Money taken out by consent.
    Withdraw {
        /// How much each side takes.
        amounts: Both<u128>,
        /// Of the consent.
        deadline: UnixTime,
        /// Who agrees.
        consent: Consent,
    },
    /// The end by one side alone.
    Close {
        /// The newest promise of the counterparty that the sender has.
        shown: Shown,
        /// The locks of that promise, some of them to be unlocked. Empty: none is.
        records: Vec<Record>,
    },
    /// What is done to a closed channel, by one who knows its state.
    Dispute(Box<Closed>, Dispute),
}

/// Something that is said in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A deposit; what the channel is like after it.
    Deposit(Open),
    /// A withdrawal, and its number.
    Withdrawal(Both<Units>, u32),
    /// The end by consent, and what each side was paid.
    CooperativeClose(Both<Units>),
    /// A close: by whom, the channel as it was, the closer's income as it is now, what was unlocked of it.
    Close(Side, Open, Income, Vec<Taken>),
    /// A newer proof of the income of who did not close.
    Update(Shown),
    /// Locks of one side's income, unlocked.
    Unlock(Side, Vec<Taken>),
    /// Locks of one side's income that went back to the payer.
    Release(Side, Vec<SecretHash>),
    /// A settle that left something: by the closer's side, what each side was paid.
    Settle(Side, Both<Units>),
    /// What the payer of a lock was paid that was disposed of and unlocked.
    Punishment(Units),
}

/// What a log says of an unlocked lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The secret was shown.
    Shown(Secret),
    /// The registry knows it.
    Registered(SecretHash),
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What becomes of the channel. None: it is gone.
    pub slot: Option<Slot>,
    /// What is paid to each side.
    pub pays: Both<Units>,
    /// What is said of it. A deposit in tokens says nothing: the token does. Nor does a settle that leaves nothing: the slot does.
    pub said: Option<Said>,
}

/// The contract: what it holds, and what its registry knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    domain: Domain,
    block_secs: u64,
    slots: BTreeMap<ChannelId, Slot>,
    registry: BTreeMap<SecretHash, Moment>,
    credits: BTreeMap<(Option<Address>, Address), u128>,
}

impl Contract {
    /// As deployed: no channel, no credit. A window counts one block for each so many seconds.
    pub const fn new(domain: Domain, block_secs: u64) -> Self {
        Self { domain, block_secs, slots: BTreeMap::new(), registry: BTreeMap::new(), credits: BTreeMap::new() }
    }

    /// A channel's slot.
    pub fn slot(&self, channel: &ChannelId) -> Option<&Slot> {
        self.slots.get(channel)
    }

    /// Puts a channel as it is known.
    pub fn put(&mut self, channel: ChannelId, slot: Option<Slot>) {
        match slot {
            Some(slot) => self.slots.insert(channel, slot),
            None => self.slots.remove(&channel),
        };
    }

    /// When a secret became public.
    pub fn registered(&self, hash: &SecretHash) -> Option<Moment> {
        self.registry.get(hash).copied()
    }

    /// Registers a secret. The first registration counts for ever.
    pub fn register(&mut self, hash: SecretHash, at: Moment) {
        self.registry.entry(hash).or_insert(at);
    }

    /// What an account can collect in a token.
    pub fn credit_of(&self, token: Option<Address>, account: Address) -> u128 {
        self.credits.get(&(token, account)).copied().unwrap_or_default()
    }

    /// Notes a payout that failed.
    pub fn credit(&mut self, token: Option<Address>, account: Address, amount: Units) {
        let credit = self.credits.entry((token, account)).or_default();
        *credit = credit.saturating_add(amount.get());
    }

    /// Takes an account's credit, all of it, to be paid out; `moved` says whether the token paid it.
    pub fn collect(&mut self, token: Option<Address>, account: Address, moved: bool) -> Result<u128, Revert> {
        let credit = self.credit_of(token, account);
        if credit == 0 {
            return Err(Revert::NothingToPay);
        }
        if !moved {
            return Err(Revert::TransferFailed);
        }
        self.credits.remove(&(token, account));
        Ok(credit)
    }

    /// Judges a call: what it would do in this block, or why it is refused. Changes nothing.
    pub fn call(&self, at: Moment, sender: Address, key: &ChannelKey, call: &Call) -> Result<Done, Revert> {
        match call {
            Call::Deposit { of, amount, brought } => self.deposit(at, key, *of, *amount, *brought),
            Call::CooperativeClose { paid_to_a, deadline, consent } => {
                self.cooperative_close(at, sender, key, *paid_to_a, *deadline, consent)
            }
            Call::Withdraw { amounts, deadline, consent } => self.withdraw(at, sender, key, *amounts, *deadline, consent),
            Call::Close { shown, records } => self.close(at, sender, key, shown, records),
            Call::Dispute(state, what) => self.dispute(at, sender, key, state, what),
        }
    }

    /// Does what a call came to. Payouts are the caller's to make.
    pub fn apply(&mut self, key: &ChannelKey, done: &Done) {
        self.put(key.id(), done.slot.clone());
    }
}
