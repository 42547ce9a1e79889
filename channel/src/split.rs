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
    /// What each side has for certain, whatever becomes of the pending locks.
    pub paid: Both<Units>,
    /// What is one side's or the other's as the pending locks come out.
    pub held: Units,
}

impl Holdings {
    /// Deposits less withdrawals of one side.
    pub const fn net(&self, side: Side) -> i128 {
        match side {
            Side::A => self.net_a,
            Side::B => self.total.signed() - self.net_a,
        }
    }

    /// Divides the total between both sides by what each has said. A has at least what is left to it once all its own pending
    /// locks are unlocked, and at most what it gets once all of B's are; what lies between is held.
    ///
    /// Only the end of the sum is kept between nothing and the total, never a part of it. Were A's share raised to nothing
    /// first and its locks then added, A could show an old proof in which a lock is pending that a later one has long paid,
    /// and the debt it has by now would be forgotten.
    pub fn split(&self, claims: &Both<Claim>) -> Split {
        let total = self.total.signed();
        let within = |sum: i128| Units::from_signed(sum.clamp(0, total)).unwrap_or(self.total);
        let a = self.net_a + claims.b.transferred.signed() - claims.a.transferred.signed();
        let (least, most) = (within(a - claims.a.locked.signed()), within(a + claims.b.locked.signed()));
        Split { paid: Both { a: least, b: self.total.saturating_sub(most) }, held: most.saturating_sub(least) }
    }

    /// What one side could still promise, as both proofs stand: its balance less its own pending locks. Negative where its
    /// promises are not covered.
    pub fn free(&self, side: Side, claims: &Both<Claim>) -> i128 {
        let (own, peer) = (claims.of(side), claims.of(side.other()));
        self.net(side) + peer.transferred.signed() - own.transferred.signed() - own.locked.signed()
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
            prop_assert_eq!(split.paid.a.get() + split.paid.b.get() + split.held.get(), total.get());
        }

        /// Where both sides' promises are covered, nothing is clamped: each gets exactly what the proofs give it.
        #[test]
        fn covered_promises_are_paid_to_the_unit(total in units(), net_a in 0u128..1 << 96, claims in claims()) {
            let holdings = Holdings { total, net_a: (net_a % (total.get() + 1)) as i128 };
            let free = Side::BOTH.map(|side| holdings.free(side, &claims));
            if free.iter().all(|free| *free >= 0) {
                let split = holdings.split(&claims);
                for (side, free) in Side::BOTH.into_iter().zip(free) {
                    prop_assert_eq!(split.paid.of(side).signed(), free);
                }
                prop_assert_eq!(split.held.get(), claims.a.locked.get() + claims.b.locked.get());
            }
        }

        /// What is paid before the locks are decided, or after some of them, changes nothing of what each has in the end.
        #[test]
        fn the_order_in_which_locks_come_out_changes_nothing(
            total in 0u128..1000, net_a in -1500i128..1500, ta in 0u128..1000, tb in 0u128..1000,
            locks in proptest::collection::vec((any::<bool>(), 0u128..200, any::<bool>()), 0..6),
        ) {
            let small = |units: u128| Units::new(units).unwrap_or_default();
            let mut claims = Both { a: Claim { transferred: small(ta), locked: Units::ZERO }, b: Claim { transferred: small(tb), locked: Units::ZERO } };
            let start = Holdings { total: small(total), net_a };
            let mut decided = claims;
            for (by_a, amount, unlocked) in &locks {
                let side = if *by_a { Side::A } else { Side::B };
                let add = |to: &mut Units| *to = to.checked_add(small(*amount)).unwrap_or_default();
                add(&mut claims.of_mut(side).locked);
                if *unlocked {
                    add(&mut decided.of_mut(side).transferred);
                }
            }
            let at_once = start.split(&decided);
            let (mut holdings, mut paid) = (start, 0u128);
            for (by_a, amount, unlocked) in [&[(true, 0, false)], locks.as_slice()].concat() {
                let claim = claims.of_mut(if by_a { Side::A } else { Side::B });
                claim.locked = claim.locked.saturating_sub(small(amount));
                if unlocked {
                    claim.transferred = claim.transferred.checked_add(small(amount)).unwrap_or_default();
                }
                let split = holdings.split(&claims);
                paid += split.paid.a.get();
                holdings.net_a -= split.paid.a.signed();
                holdings.total = split.held;
            }
            prop_assert_eq!((paid, holdings.total), (at_once.paid.a.get(), Units::ZERO));
        }
    }
}
