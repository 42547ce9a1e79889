//! Until when a decision stands, so that nobody need look at ten thousand swaps at every block.
//!
//! [`crate::step`] depends on few things that move by themselves: our own clock, each ledger's clock and height, and the depth
//! of what a ledger shows. Each matters only where it passes a bound that stands in the terms, or in the sighting itself.
//! [`wake`] names the next such bound of each. Between two looks the answer of `step` can differ only if
//!
//! 1. a fact was added, or a sighting shows something else ([`photon_chains::Sighting::differs`]: growing deeper is not that), or
//! 2. a ledger's health, `may_risk`, `cancelled` or `swept` changed, or
//! 3. a clock or a height has reached its bound: [`Wake::is_due`], or
//! 4. a clock or a height went back: ours was set back, or a reorganisation made a chain shorter or younger.
//!
//! Who steps a swap at each of these, and no more, misses nothing. The bounds don't depend on the swap's state, only on its
//! terms and on where a funded lock stands: a bound too many costs one step, one too few could cost money.

use crate::step::Swap;
use crate::terms::Leg;
use crate::view::{LegView, View};
use photon_chains::{BlockHeight, LockStatus, UnixTime};

/// The next bounds of everything that moves by itself. None: no bound is ahead.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// Step again once [`View::now_lo`] is this or later.
    pub now_lo: Option<UnixTime>,
    /// Step again once [`View::now_hi`] is this or later.
    pub now_hi: Option<UnixTime>,
    /// Alpha's ledger.
    pub alpha: LegWake,
    /// Beta's ledger.
    pub beta: LegWake,
}

/// The next bounds of one ledger.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct LegWake {
    /// Step again once the tip's lock clock is this or later. Zero while no tip is known: the first one wakes.
    pub lock_clock: Option<UnixTime>,
    /// Step again once the tip is this high.
    pub height: Option<BlockHeight>,
}

/// Until when the step of this view stands. A ledger without a tip was never seen, so it shows no lock either.
pub fn wake(swap: &Swap, view: &View) -> Wake {
    let terms = &swap.terms;
    let times = &terms.deadlines;
    let after = |time: UnixTime| time.plus_secs(1);
    let own_opens = terms.own_leg(swap.role).lock.expiry.opens_time;
    let length = terms.alpha.lock.expiry.opens_time.secs_since(times.agreed_at);
    Wake {
        now_lo: next([own_opens.plus_secs(length)], view.now_lo),
        now_hi: next(
            [
                after(times.fund_alpha_by),
                after(times.fund_beta_by),
                after(times.reveal_by),
                terms.peer_leg(swap.role).lock.expiry.opens_time,
            ],
            view.now_hi,
        ),
        alpha: leg_wake(&terms.alpha, &view.alpha, after(times.reveal_by)),
        beta: leg_wake(&terms.beta, &view.beta, after(times.reveal_by)),
    }
}

fn leg_wake(leg: &Leg, seen: &LegView, past_reveal: UnixTime) -> LegWake {
    let Some(tip) = seen.tip else {
        return LegWake { lock_clock: Some(UnixTime::from_secs(0)), height: None };
    };
    let expiry = &leg.lock.expiry;
    let closes = expiry.closes.unwrap_or(expiry.opens_time);
    let deep = deep_enough_at(leg, seen).unwrap_or(expiry.opens_block);
    LegWake {
        lock_clock: next([past_reveal, expiry.opens_time, closes], tip.lock_clock),
        height: next([expiry.opens_block, deep], tip.block.height),
    }
}

/// The height at which a funded lock has the confirmations that were agreed, which may be more than its ledger relies on.
fn deep_enough_at(leg: &Leg, seen: &LegView) -> Option<BlockHeight> {
    match seen.sighting.as_ref()?.status {
        LockStatus::Funded { at, .. } => Some(at.height.plus(u64::from(leg.confirmations).saturating_sub(1))),
        LockStatus::Absent | LockStatus::Pending { .. } | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. } => None,
    }
}

/// The earliest bound that is still ahead.
fn next<T: Ord + Copy, const N: usize>(bounds: [T; N], now: T) -> Option<T> {
    bounds.into_iter().filter(|bound| *bound > now).min()
}

impl Wake {
    /// True if a bound has been reached: the swap must be stepped.
    pub fn is_due(&self, view: &View) -> bool {
        reached(self.now_lo, view.now_lo)
            || reached(self.now_hi, view.now_hi)
            || self.alpha.is_due(&view.alpha)
            || self.beta.is_due(&view.beta)
    }
}

impl LegWake {
    /// True if this ledger has reached a bound.
    pub fn is_due(&self, leg: &LegView) -> bool {
        leg.tip.is_some_and(|tip| reached(self.lock_clock, tip.lock_clock) || reached(self.height, tip.block.height))
    }
}

fn reached<T: Ord>(bound: Option<T>, now: T) -> bool {
    bound.is_some_and(|bound| now >= bound)
}
