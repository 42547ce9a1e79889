//! Who is paid what of a closed channel, and when.

use super::state::{Closed, Income, Slot};
use super::{Contract, Done, Revert, Said, is_past};
use crate::chain::Moment;
use crate::key::{Both, ChannelKey, Side};
use crate::split::{Claim, Split};
use crate::units::Units;

impl Contract {
    /// Pays what is decided, again and again until nothing is left: a withdrawal from the closed channel. What depends on
    /// pending locks is held back; and what a side gets that has unlocked a lock is held back until a second window has passed
    /// since then, so that it can be punished if it had given that lock up.
    pub(super) fn settle(&self, at: Moment, key: &ChannelKey, state: &Closed) -> Result<Done, Revert> {
        let mut closed = state.clone();
        let split = state.split();
        let mut pays = Both::default();
        for side in Side::BOTH {
            let last_unlock = state.incomes.of(side).list.touched.last_unlock;
            if last_unlock.is_none_or(|since| is_past(since, at, key, self.block_secs)) {
                *pays.of_mut(side) = *split.paid.of(side);
            }
        }
        let holdings = &mut closed.money.holdings;
        holdings.total = holdings.total.saturating_sub(pays.a).saturating_sub(pays.b);
        holdings.net_a -= pays.a.signed();
        // Where nothing is left, nothing is worth deciding.
        let is_over = holdings.total.is_zero();
        if !is_over && pays == Both::default() {
            return Err(Revert::NothingToPay);
        }
        if is_over {
            // The empty slot says it.
            return Ok(Done { slot: None, pays, said: None });
        }
        Ok(Done { slot: Some(Slot::Closed(Box::new(closed))), pays, said: Some(Said::Settle(state.closer, pays)) })
    }
}

impl Closed {
    /// How the money is divided as things stand: what was unlocked is paid.
    pub fn split(&self) -> Split {
        let income = |side: Side| self.incomes.of(side);
        let unlocked = |side: Side| income(side).list.touched.unlocked.signed();
        let mut holdings = self.money.holdings;
        holdings.net_a += unlocked(Side::A) - unlocked(Side::B);
        let claim = |payee: Side| Claim { transferred: income(payee).transferred, locked: income(payee).pending() };
        // What one side promised is the other's income.
        holdings.split(&Both { a: claim(Side::B), b: claim(Side::A) })
    }
}

impl Income {
    /// The sum of the locks still pending, as far as the proof's own sum goes. Nothing, where none is.
    pub fn pending(&self) -> Units {
        if !self.list.is_pending() {
            return Units::ZERO;
        }
        self.locked.saturating_sub(self.list.touched.unlocked).saturating_sub(self.list.touched.released)
    }
}
