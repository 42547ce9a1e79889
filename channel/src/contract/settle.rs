//! Who is paid what of a closed channel, and when.

use super::state::{Closed, Income, Money, Slot};
use super::{Contract, Done, Revert, Said, is_past};
use crate::chain::Moment;
use crate::key::{Both, ChannelKey, Side};
use crate::split::{Claim, Holdings};
use crate::units::Units;

impl Contract {
    /// Pays what is decided. The worth of pending locks is held back; and what a side gets that has unlocked a lock is held
    /// back until a second window has passed since then, so that it can be punished if it had given that lock up.
    pub(super) fn settle(&self, at: Moment, key: &ChannelKey, state: &Closed) -> Result<Done, Revert> {
        let decided = state.decided();
        let mut due = decided.due;
        let mut pays = Both::default();
        for side in Side::BOTH {
            let unlocked = decided.incomes.of(side).list.touched.last_unlock;
            if unlocked.is_none_or(|since| is_past(since, at, key, self.block_secs)) {
                *pays.of_mut(side) = std::mem::take(due.of_mut(side));
            }
        }
        let is_over = due == Both::default() && Side::BOTH.iter().all(|side| !decided.incomes.of(*side).list.is_pending());
        let closed = Closed { money: Money::Due(due), incomes: decided.incomes, ..state.clone() };
        if !is_over && closed == *state {
            return Err(Revert::NothingToPay);
        }
        let left = (!is_over).then(|| Box::new(closed));
        Ok(Done { slot: left.clone().map(Slot::Closed), pays, said: Some(Said::Settle(state.closer, pays, left)) })
    }
}

/// What is due and what is held back.
struct Decided {
    due: Both<Units>,
    incomes: Both<Income>,
}

impl Closed {
    fn decided(&self) -> Decided {
        match &self.money {
            Money::Whole(open) => self.first(&open.holdings),
            Money::Due(due) => self.later(*due),
        }
    }

    /// The first settle divides the total by what both proofs say, what was unlocked included.
    fn first(&self, holdings: &Holdings) -> Decided {
        let claim = |payer: Side| {
            let income = self.incomes.of(payer.other());
            let transferred = income.transferred.signed() + income.list.touched.unlocked.signed();
            Claim { transferred: Units::from_signed(transferred).unwrap_or(Units::MAX), locked: income.pending() }
        };
        let split = holdings.split(&Both { a: claim(Side::A), b: claim(Side::B) });
        let folded = |side: Side| self.incomes.of(side).folded(*split.held.of(side.other()));
        Decided {
            due: Both { a: split.paid(Side::A), b: split.paid(Side::B) },
            incomes: Both { a: folded(Side::A), b: folded(Side::B) },
        }
    }

    /// Every later one divides each reserve by what was unlocked and released since: first what the payee unlocked, then what
    /// the locks still pending need; the rest goes back.
    fn later(&self, mut due: Both<Units>) -> Decided {
        let mut incomes = self.incomes;
        for payee in Side::BOTH {
            let income = self.incomes.of(payee);
            let taken = income.list.touched.unlocked.min(income.transferred);
            let rest = income.transferred.saturating_sub(taken);
            let held = rest.min(income.pending());
            *incomes.of_mut(payee) = income.folded(held);
            add(due.of_mut(payee), taken);
            add(due.of_mut(payee.other()), rest.saturating_sub(held));
        }
        Decided { due, incomes }
    }
}

/// Parts of one total, so the sum fits.
fn add(sum: &mut Units, part: Units) {
    *sum = sum.checked_add(part).unwrap_or(Units::MAX);
}

impl Income {
    /// The sum of the locks still pending, as far as the proof's own sum goes. Nothing, where none is.
    pub fn pending(&self) -> Units {
        if !self.list.is_pending() {
            return Units::ZERO;
        }
        self.locked.saturating_sub(self.list.touched.unlocked).saturating_sub(self.list.touched.released)
    }

    /// With what was unlocked and released settled, and so much held back for what is still pending.
    fn folded(&self, held: Units) -> Income {
        let mut income = Income { locked: self.pending(), transferred: held, ..*self };
        income.list.touched.unlocked = Units::ZERO;
        income.list.touched.released = Units::ZERO;
        income
    }
}
