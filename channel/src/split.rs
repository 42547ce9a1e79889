//! How a channel's money is divided: the one sum that contract, model and engine share.

use crate::key::{Both, Side};
use crate::units::Units;
use serde::{Deserialize, Serialize};

/// What a channel holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Holdings {
    /// All coins in it.
    pub total: Units,
    /// A's deposits less A's withdrawals: negative where A has withdrawn what it received. B's is the rest of `total`.
    pub net_a: i128,
}

/// What one direction's proof says: all that its payer has paid, and what may still go over.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Claim {
    /// Paid in all.
    pub transferred: Units,
    /// Pending.
    pub locked: Units,
}

/// Who may have what.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Split {
    /// What each side has once nothing is pending any more, had all of its own pending locks come back.
    pub available: Both<Units>,
    /// The part of it that is held for that side's own pending locks.
    pub held: Both<Units>,
}

impl Holdings {
    /// Deposits less withdrawals of one side.
    pub const fn net(&self, side: Side) -> i128 {
        match side {
            Side::A => self.net_a,
            Side::B => self.total.signed() - self.net_a,
        }
    }

    /// Divides the total between both sides by what each has said. Whatever the proofs are, the parts add up to the total:
    /// `available` is clamped, and no more is held than there is.
    pub fn split(&self, claims: &Both<Claim>) -> Split {
        let total = self.total.signed();
        let wanted = self.net_a + claims.b.transferred.signed() - claims.a.transferred.signed();
        let a = Units::from_signed(wanted.clamp(0, total)).unwrap_or(self.total);
        let b = self.total.saturating_sub(a);
        Split { available: Both { a, b }, held: Both { a: claims.a.locked.min(a), b: claims.b.locked.min(b) } }
    }

    /// What one side could still promise, as both proofs stand: its balance less its own pending locks. Negative where its
    /// promises are not covered.
    pub fn free(&self, side: Side, claims: &Both<Claim>) -> i128 {
        let (own, peer) = (claims.of(side), claims.of(side.other()));
        self.net(side) + peer.transferred.signed() - own.transferred.signed() - own.locked.signed()
    }
}

impl Split {
    /// What one side is paid at once: what is available to it and not held.
    pub const fn paid(&self, side: Side) -> Units {
        self.available.of(side).saturating_sub(*self.held.of(side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units() -> impl Strategy<Value = Units> {
        prop_oneof![(0u128..1000), (0u128..1 << 96)].prop_map(|units| Units::new(units).unwrap_or(Units::MAX))
    }

    fn claims() -> impl Strategy<Value = Both<Claim>> {
        (units(), units(), units(), units()).prop_map(|(ta, la, tb, lb)| Both {
            a: Claim { transferred: ta, locked: la },
            b: Claim { transferred: tb, locked: lb },
        })
    }

    proptest! {
        #[test]
        fn whatever_the_proofs_say_the_parts_make_the_whole(total in units(), net_a in -(1i128 << 96)..1i128 << 96, claims in claims()) {
            let split = Holdings { total, net_a }.split(&claims);
            let sum: u128 = Side::BOTH.iter().map(|side| split.paid(*side).get() + split.held.of(*side).get()).sum();
            prop_assert_eq!(sum, total.get());
        }

        /// Where both sides' promises are covered, nothing is clamped: each gets exactly what the proofs give it.
        #[test]
        fn covered_promises_are_paid_to_the_unit(total in units(), net_a in 0u128..1 << 96, claims in claims()) {
            let holdings = Holdings { total, net_a: (net_a % (total.get() + 1)) as i128 };
            let free = Side::BOTH.map(|side| holdings.free(side, &claims));
            if free.iter().all(|free| *free >= 0) {
                let split = holdings.split(&claims);
                for (side, free) in Side::BOTH.into_iter().zip(free) {
                    prop_assert_eq!(split.paid(side).signed(), free);
                    prop_assert_eq!(split.held.of(side), &claims.of(side).locked);
                }
            }
        }
    }
}
