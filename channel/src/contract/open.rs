//! What is done to an open channel: deposits, withdrawals, and the end by consent.

use super::state::{Open, Slot};
use super::{Contract, Done, Revert, Said};
use crate::chain::Moment;
use crate::key::{Both, ChannelKey, ChannelRef, Epoch, Side};
use crate::proof::{CooperativeClose, Signed, Withdraw};
use crate::sign::Signature;
use crate::split::Holdings;
use crate::units::Units;
use photon_chains::{Address, UnixTime};

/// What a token did when it was asked to bring a deposit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// Exactly the amount arrived.
    InFull,
    /// Something else arrived, or nothing: the contract looks at its balance, and not at what the token says.
    NotInFull,
}

/// Who agrees to something that needs both parties.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// A party sends it, its counterparty signed it.
    Counterparty(Signature),
    /// Anyone sends it, both signed it.
    Both(Both<Signature>),
}

/// The most withdrawals of one epoch: 30 bits count them.
const MOST_WITHDRAWALS: u32 = (1 << 30) - 1;

impl Contract {
    /// The channel, if it is open.
    pub(super) fn open_slot(&self, key: &ChannelKey) -> Result<Open, Revert> {
        match self.slot(&key.id()) {
            Some(Slot::Open(open)) => Ok(*open),
            Some(Slot::Closed(_)) | None => Err(Revert::NotOpen),
        }
    }

    /// Money that counts as one side's. There is nothing to open beforehand: the first deposit does.
    pub(super) fn deposit(&self, at: Moment, key: &ChannelKey, of: Side, amount: u128, brought: Brought) -> Result<Done, Revert> {
        let mut open = match self.slot(&key.id()) {
            Some(Slot::Open(open)) => *open,
            Some(Slot::Closed(_)) => return Err(Revert::NotOpen),
            None => {
                let epoch = Epoch(u32::try_from(at.block.get()).map_err(|_| Revert::BadChannel)?);
                Open { epoch, withdrawals: 0, holdings: Holdings::default() }
            }
        };
        let amount = Units::new(amount).filter(|amount| !amount.is_zero()).ok_or(Revert::BadAmount)?;
        open.holdings.total = open.holdings.total.checked_add(amount).ok_or(Revert::BadAmount)?;
        if of == Side::A {
            open.holdings.net_a += amount.signed();
        }
        must_fit(&open.holdings)?;
        match brought {
            Brought::InFull => {}
            Brought::NotInFull => return Err(Revert::NotReceivedInFull),
        }
        // A token says itself that it was moved here, and that pays for the look at its balance.
        let said = key.token().is_none().then_some(Said::Deposit(open));
        Ok(Done { slot: Some(Slot::Open(open)), pays: Both::default(), said })
    }

    /// The end by consent: A gets its net deposits and what B has paid it in all, B the rest. Relative, so a stranger's deposit
    /// does not make it stale.
    pub(super) fn cooperative_close(
        &self,
        at: Moment,
        sender: Address,
        key: &ChannelKey,
        paid_to_a: i128,
        deadline: UnixTime,
        consent: &Consent,
    ) -> Result<Done, Revert> {
        let open = self.open_slot(key)?;
        must_be_before(at, deadline)?;
        let of = ChannelRef { channel: key.id(), epoch: open.epoch };
        let a = Units::from_signed(open.holdings.net_a.saturating_add(paid_to_a)).ok_or(Revert::BadAmount)?;
        let b = open.holdings.total.checked_sub(a).ok_or(Revert::BadAmount)?;
        self.must_agree(&CooperativeClose { of, paid_to_a, deadline }, sender, key, consent)?;
        Ok(Done { slot: None, pays: Both { a, b }, said: Some(Said::CooperativeClose(Both { a, b })) })
    }

    /// Money taken out by consent. It voids no proof: what a proof says is relative to what was put in and taken out.
    pub(super) fn withdraw(
        &self,
        at: Moment,
        sender: Address,
        key: &ChannelKey,
        amounts: Both<u128>,
        deadline: UnixTime,
        consent: &Consent,
    ) -> Result<Done, Revert> {
        let mut open = self.open_slot(key)?;
        must_be_before(at, deadline)?;
        let of = ChannelRef { channel: key.id(), epoch: open.epoch };
        let fit = |amount| Units::new(amount).ok_or(Revert::BadAmount);
        let pays = Both { a: fit(amounts.a)?, b: fit(amounts.b)? };
        let message = Withdraw { of, number: open.withdrawals, amount_a: pays.a, amount_b: pays.b, deadline };
        self.must_agree(&message, sender, key, consent)?;
        let sum = pays.a.checked_add(pays.b).filter(|sum| !sum.is_zero()).ok_or(Revert::BadAmount)?;
        let number = open.withdrawals;
        if number >= MOST_WITHDRAWALS {
            return Err(Revert::BadAmount);
        }
        open.holdings.total = open.holdings.total.checked_sub(sum).ok_or(Revert::BadAmount)?;
        open.holdings.net_a -= pays.a.signed();
        must_fit(&open.holdings)?;
        open.withdrawals = number + 1;
        Ok(Done { slot: Some(Slot::Open(open)), pays, said: Some(Said::Withdrawal(pays, number)) })
    }

    /// Refuses a message that not both parties stand behind.
    fn must_agree<M: Signed>(&self, message: &M, sender: Address, key: &ChannelKey, consent: &Consent) -> Result<(), Revert> {
        match consent {
            Consent::Counterparty(signature) => {
                // The key of the channel is made of the sender, so a stranger names a channel that is not there.
                let side = key.side_of(&sender).ok_or(Revert::NotOpen)?;
                self.must_be_signed(message, signature, key.parties().of(side.other()))
            }
            Consent::Both(signatures) => Side::BOTH
                .into_iter()
                .try_for_each(|side| self.must_be_signed(message, signatures.of(side), key.parties().of(side))),
        }
    }
}

/// The last second of a deadline counts.
pub(super) fn must_be_before(at: Moment, deadline: UnixTime) -> Result<(), Revert> {
    if at.time > deadline { Err(Revert::DeadlinePassed) } else { Ok(()) }
}

/// A's net deposits have 97 bits, with a bias of 2^96. Half of what is below zero is kept for what settles will pay A.
fn must_fit(holdings: &Holdings) -> Result<(), Revert> {
    let half = 1i128 << 95;
    let fits = (-half..2 * half).contains(&holdings.net_a) && holdings.total.signed() < half;
    if fits { Ok(()) } else { Err(Revert::BadAmount) }
}
