//! What is left to do for locks that were found again without their swap: the database is gone, and what is known of them
//! comes from the ledgers and a few notes.
//!
//! Nothing is ever revealed here. Whether we had shown the secret before the loss nobody knows; but if we had, it is public by now
//! or the counterparty's lock still stands, and if we had not, our own lock opens again. So our own lock is taken back at its
//! time, and the counterparty's is redeemed with a secret that is public and with no other. That needs neither terms nor
//! deadlines: deadlines only say until when something may be *begun*.

use crate::decide::{has_stray_money, is_closed, is_mined, is_open, is_redeemed, is_refunded};
use crate::view::LegView;
use photon_chains::{Lock, LockStatus, Secret, SpendKind};

/// Whose money is in a lock.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Ours: we may take it back.
    Own,
    /// The counterparty's: we may redeem it.
    Peer,
}

/// A lock that was found again, and what its ledger shows of it.
#[derive(Copy, Clone, Debug)]
pub struct Orphan<'a> {
    /// Whose money is in it.
    pub side: Side,
    /// The lock.
    pub lock: &'a Lock,
    /// What its ledger shows.
    pub view: &'a LegView,
}

/// What is to be done about such a lock, or why nothing is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Its ledger has not been looked at yet.
    Unknown,
    /// Ours, and its ledger does not let us take it back yet; or it is not funded, and may still be.
    WaitsForExpiry,
    /// The counterparty's, and the secret is not public.
    WaitsForSecret,
    /// Take it back now.
    Refund,
    /// Take it now, with the public secret.
    Redeem,
    /// Over at final depth: taken with the secret.
    Redeemed,
    /// Over at final depth: taken back.
    Refunded,
    /// It is not, or no longer, ours to take: the other lock of the swap was settled the other way.
    NotOurs,
    /// Nothing was ever locked, or the secret never became public and its owner may take it back.
    Nothing,
}

impl Fate {
    /// True if nothing is left to wait for.
    pub const fn is_settled(self) -> bool {
        match self {
            Fate::Redeemed | Fate::Refunded | Fate::NotOurs | Fate::Nothing => true,
            Fate::Unknown | Fate::WaitsForExpiry | Fate::WaitsForSecret | Fate::Refund | Fate::Redeem => false,
        }
    }

    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Fate::Unknown => "not looked at yet",
            Fate::WaitsForExpiry => "waits for its time",
            Fate::WaitsForSecret => "waits for the secret",
            Fate::Refund => "refunding",
            Fate::Redeem => "redeeming",
            Fate::Redeemed => "redeemed",
            Fate::Refunded => "refunded",
            Fate::NotOurs => "the counterparty's",
            Fate::Nothing => "nothing there",
        }
    }
}

/// Decides for all found locks of *one* secret hash. `secret` is the public secret, if one is known.
pub fn rescue(orphans: &[Orphan<'_>], secret: Option<&Secret>) -> Vec<Fate> {
    let shows = |side: Side, what: fn(&photon_chains::Sighting) -> bool| {
        orphans.iter().any(|orphan| orphan.side == side && orphan.view.sighting.as_ref().is_some_and(what))
    };
    let family = Family {
        public: secret.is_some_and(|secret| orphans.iter().all(|orphan| secret.hash() == orphan.lock.secret_hash)),
        took: shows(Side::Peer, is_redeemed),
        back: shows(Side::Own, is_refunded),
        knows_own: orphans.iter().any(|orphan| orphan.side == Side::Own),
    };
    orphans.iter().map(|orphan| fate(orphan, &family)).collect()
}

/// What the locks of one secret hash say together.
struct Family {
    public: bool,
    /// We have the counterparty's money for good.
    took: bool,
    /// We have our own money back for good.
    back: bool,
    knows_own: bool,
}

fn fate(orphan: &Orphan<'_>, family: &Family) -> Fate {
    let Some(seen) = &orphan.view.sighting else { return Fate::Unknown };
    let opened = is_open(orphan.view, orphan.lock);
    match (orphan.side, &seen.status) {
        (Side::Own, _) if !seen.stands() && opened && has_stray_money(orphan.view, seen) => Fate::Refund,
        (_, LockStatus::Redeemed { .. }) => Fate::Redeemed,
        (_, LockStatus::Refunded { .. }) => Fate::Refunded,
        // A funding of ours may still lie in somebody's mempool: it is looked for until nobody can redeem it any more.
        (Side::Own, LockStatus::Absent) => {
            if opened {
                Fate::Nothing
            } else {
                Fate::WaitsForExpiry
            }
        }
        (Side::Own, LockStatus::Pending { .. } | LockStatus::Funded { .. }) => {
            if family.took {
                Fate::NotOurs
            } else if opened && !is_mined(seen.spend, SpendKind::Redeem) {
                Fate::Refund
            } else {
                Fate::WaitsForExpiry
            }
        }
        (Side::Peer, LockStatus::Absent) => Fate::Nothing,
        (Side::Peer, LockStatus::Pending { .. } | LockStatus::Funded { .. }) => {
            if family.back {
                Fate::NotOurs
            } else if family.public {
                if is_closed(orphan.view, orphan.lock) { Fate::NotOurs } else { Fate::Redeem }
            } else if opened && !family.knows_own {
                Fate::Nothing
            } else {
                Fate::WaitsForSecret
            }
        }
    }
}

#[cfg(test)]
#[path = "rescue_tests.rs"]
mod tests;
