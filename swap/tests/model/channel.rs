//! A lock in a payment channel: signed at once and for good, paid off chain by who is honest, and else good by a registration that
//! is in time. Its channel may be closed with a word of before the lock: then the word that has it must be shown while the close
//! can still be answered.

use crate::common::{HEIGHT, hash, secret, txid};
use crate::ledger::{Kind, Leg, Tx, final_depth};
use crate::setup::{Setup, at};
use photon_chains::*;
use photon_swap::{LegName, LegView};

/// What is known beside the chain.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Channel {
    /// The leg lies in one.
    pub is_one: bool,
    /// The payee has shown the secret to the payer.
    pub is_asked: bool,
    /// The payer has paid.
    pub is_paid: bool,
    /// An honest payer has taken it off its list.
    pub is_back: bool,
    /// The registration that stands was in time.
    pub in_time: bool,
    /// The tick of the close that stands.
    pub closed_at: u8,
    /// Settled by a word without the lock.
    pub is_gone: bool,
}

impl Leg {
    pub fn in_channel() -> Self {
        Self { channel: Channel { is_one: true, ..Channel::default() }, ..Self::default() }
    }

    /// Paid, or to be paid by the chain's word.
    pub fn is_good(&self) -> bool {
        let by_registry = self.redeem.is_mined() && self.channel.in_time && !self.channel.is_gone;
        self.fund.is_mined() && (self.channel.is_paid || by_registry)
    }

    pub fn can_in_channel(&self, kind: Kind) -> bool {
        let is_open = self.fund.is_mined() && !self.channel.is_gone && !self.channel.is_back && !self.channel.is_paid;
        match kind {
            Kind::Fund => !self.fund.is_mined(),
            Kind::Redeem => is_open && !self.redeem.is_mined(),
            Kind::Close => is_open && !self.close.is_mined(),
            Kind::Show => is_open && self.close.is_mined() && !self.show.is_mined(),
            Kind::Cancel | Kind::Refund => false,
        }
    }

    /// What a block of this tick means for the lock: whether a new registration is in time, and whether a close is settled.
    pub fn judge(&mut self, mined: [Option<Kind>; 2], name: LegName, now: u8, setup: &Setup) {
        if mined.contains(&Some(Kind::Redeem)) {
            self.channel.in_time = now < setup.opens(name);
        }
        if mined.contains(&Some(Kind::Close)) {
            self.channel.closed_at = now;
        }
        if mined.contains(&Some(Kind::Fund)) {
            // Signed, and not on the chain.
            self.fund = Tx::Mined(final_depth(setup));
        }
        let is_settled = self.close.is_mined() && now >= self.channel.closed_at + setup.settle;
        self.channel.is_gone |= is_settled && !self.show.is_mined() && !self.channel.is_paid;
    }

    /// One turn of an honest payee's engine.
    pub fn claim(&mut self, name: LegName, now: u8, setup: &Setup) {
        if self.channel.is_asked && self.can_in_channel(Kind::Redeem) && now + setup.margin >= setup.opens(name) {
            self.redeem.send();
        }
        if self.can_in_channel(Kind::Show) {
            self.show.send();
        }
    }

    /// One turn of an honest payer's engine.
    pub fn pay(&mut self, name: LegName, now: u8, setup: &Setup) {
        if !self.stands() {
            return;
        }
        if self.channel.is_asked && now + setup.margin < setup.opens(name) {
            self.channel.is_paid = true;
        } else if now >= setup.opens(name) + final_depth(setup) - 1 {
            self.channel.is_back = true;
        }
    }

    pub fn look_in_channel(&self, setup: &Setup, now: u8, cancelled: bool) -> LegView {
        let height = HEIGHT.plus(u64::from(now));
        let block = BlockRef { height, hash: hash(1) };
        let is_deep = matches!(self.redeem, Tx::Mined(depth) if depth >= final_depth(setup));
        let is_known = self.channel.is_asked || self.redeem.is_mined();
        let status = if self.channel.is_paid || (self.is_good() && is_deep) {
            LockStatus::Redeemed { txid: txid(2), at: block }
        } else if self.is_back() {
            LockStatus::Refunded { txid: txid(2), at: block }
        } else if self.fund.is_mined() {
            LockStatus::Funded { txid: txid(1), at: block, depth: u32::from(setup.confirmations) }
        } else {
            LockStatus::Absent
        };
        let stands = matches!(status, LockStatus::Funded { .. });
        let spend = (stands && is_known).then_some(Spend { kind: SpendKind::Redeem, txid: txid(2), depth: 0 });
        let sighting = Sighting { status, spend, secret: is_known.then(secret), faults: Vec::new() };
        LegView {
            tip: Some(Tip { block, time: at(now), lock_clock: at(now) }),
            healthy: true,
            sighting: Some(sighting),
            cancelled,
            swept: false,
        }
    }
}
