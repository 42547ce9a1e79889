//! What two nodes of one ledger show together. Pure.
//!
//! For new risk the weaker word counts: a lock is funded only if both show it, in the same block. For duties everything counts
//! that either shows: a secret is a secret from whichever node it comes, and a lock may have to be redeemed or refunded as long
//! as one node shows it standing.

use photon_chains::{Family, LockStatus, Sighting, Spend, SpendKind, Tip, TxId, UnixTime};
use std::fmt;

/// One of the two.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one with the wallet.
    First,
    /// The one that only watches and relays.
    Second,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::First => "the first node",
            Place::Second => "the second node",
        })
    }
}

/// Why the two are not believed with new money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// One can't be asked: nobody confirms what the other says.
    Unseen {
        /// Which.
        place: Place,
        /// What went wrong.
        reason: String,
    },
    /// One has had no new block for too long.
    Stale {
        /// Which.
        place: Place,
        /// The age of its newest block.
        secs: u64,
    },
    /// One is too many blocks behind the other.
    Behind {
        /// Which.
        place: Place,
        /// How many.
        blocks: u64,
    },
    /// They show different chains, as deep as we rely on blocks.
    OtherChain {
        /// The height at which they differ.
        height: u64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Unseen { place, reason } => write!(f, "{place} can't be asked: {reason}"),
            Doubt::Stale { place, secs } => write!(f, "the newest block of {place} is {secs} s old"),
            Doubt::Behind { place, blocks } => write!(f, "{place} is {blocks} blocks behind the other"),
            Doubt::OtherChain { height } => write!(f, "the two nodes show different chains: block {height} is not the same"),
        }
    }
}

impl Doubt {
    /// True if it is the same trouble, whatever its figures: it need not be told again.
    pub fn is_like(&self, other: &Doubt) -> bool {
        match (self, other) {
            (Doubt::Unseen { place: a, .. }, Doubt::Unseen { place: b, .. })
            | (Doubt::Stale { place: a, .. }, Doubt::Stale { place: b, .. })
            | (Doubt::Behind { place: a, .. }, Doubt::Behind { place: b, .. }) => a == b,
            (Doubt::OtherChain { .. }, Doubt::OtherChain { .. }) => true,
            (
                Doubt::Unseen { .. } | Doubt::Stale { .. } | Doubt::Behind { .. } | Doubt::OtherChain { .. },
                Doubt::Unseen { .. } | Doubt::Stale { .. } | Doubt::Behind { .. } | Doubt::OtherChain { .. },
            ) => false,
        }
    }
}

/// Blocks that one node may be behind the other.
const MAX_BEHIND: u64 = 2;

/// What the tips alone say against the pair.
pub fn doubt_of_tips(first: &Tip, second: &Tip, stale_tip_secs: u64, now: UnixTime) -> Option<Doubt> {
    let stale = |place, tip: &Tip| {
        let secs = now.secs_since(tip.time);
        (secs > stale_tip_secs).then_some(Doubt::Stale { place, secs })
    };
    let (a, b) = (first.block.height.get(), second.block.height.get());
    let behind = || {
        let place = if a < b { Place::First } else { Place::Second };
        (a.abs_diff(b) > MAX_BEHIND).then(|| Doubt::Behind { place, blocks: a.abs_diff(b) })
    };
    stale(Place::First, first).or_else(|| stale(Place::Second, second)).or_else(behind)
}

/// The tip that duties go by: the later lock clock of the two, so that a frozen node keeps nothing from being refunded; but no
/// clock that this ledger's own rules would not let so far ahead of the time, so that one node can't end a redeem by a lie.
pub fn tip_of(first: Tip, second: Tip, family: Family, now: UnixTime) -> Tip {
    let plausible = |tip: &Tip| tip.time <= now.plus_secs(max_ahead_secs(family));
    match (plausible(&first), plausible(&second)) {
        (true, false) => first,
        (false, true) => second,
        (true, true) | (false, false) => {
            if second.lock_clock > first.lock_clock {
                second
            } else {
                first
            }
        }
    }
}

/// How far ahead of the time a block may be stamped: two hours on Bitcoin and Litecoin; on the EVM 15 seconds, and some for
/// our own clock.
fn max_ahead_secs(family: Family) -> u64 {
    match family {
        Family::Utxo => 2 * 3600,
        Family::Evm => 60,
    }
}

/// What both show of a lock. A node that has not looked for it yet counts as one that does not see it.
pub fn both(first: Option<Sighting>, second: Option<Sighting>) -> Option<Sighting> {
    if first.is_none() && second.is_none() {
        return None;
    }
    let (a, b) = (first.unwrap_or(Sighting::absent()), second.unwrap_or(Sighting::absent()));
    let spend = match (&a.status, &b.status) {
        (one, other) if is_over(one) && is_over(other) && same_end(one, other) => None,
        _ => spend_of(end_or_spend(&a), end_or_spend(&b)),
    };
    let mut faults = a.faults;
    for fault in b.faults {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    Some(Sighting { status: status_of(a.status, b.status), spend, secret: a.secret.or(b.secret), faults })
}

/// What one node alone shows, the other being out of sight. All duties go by it; for new risk it is never enough.
pub fn alone(seen: Sighting) -> Sighting {
    Sighting { status: not_relied(seen.status), ..seen }
}

fn not_relied(status: LockStatus) -> LockStatus {
    match status {
        LockStatus::Funded { txid, depth, .. } => LockStatus::Pending { txid, depth },
        LockStatus::Absent | LockStatus::Pending { .. } | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. } => status,
    }
}

fn status_of(a: LockStatus, b: LockStatus) -> LockStatus {
    use LockStatus::{Absent, Funded, Pending};
    match (&a, &b) {
        (Absent, Absent) => Absent,
        (Funded { txid, at, depth }, Funded { txid: other, at: elsewhere, depth: shallower })
            if txid == other && at == elsewhere =>
        {
            Funded { txid: *txid, at: *at, depth: *depth.min(shallower) }
        }
        _ if is_over(&a) && is_over(&b) && same_end(&a, &b) => a,
        // Not the same word: it stands, or may stand, and is nothing to rely on. At the lesser depth, so that a funding which
        // only one node has in a block is still one that may have to be made impossible.
        _ => match (txid_of(&a), txid_of(&b)) {
            (Some((txid, depth)), Some((other, shallower))) => {
                let depth = if txid == other { depth.min(shallower) } else { 0 };
                Pending { txid, depth }
            }
            // One shows the end of a lock that still stands on the other.
            (Some((txid, depth)), None) => Pending { txid, depth: if is_over(&b) { depth } else { 0 } },
            (None, Some((txid, depth))) => Pending { txid, depth: if is_over(&a) { depth } else { 0 } },
            // One shows an end, and the other nothing, or another end. Which transaction paid in is not known.
            (None, None) => Pending { txid: end_of(&a).or(end_of(&b)).unwrap_or(TxId::from_bytes([0; 32])), depth: 0 },
        },
    }
}

fn is_over(status: &LockStatus) -> bool {
    end_of(status).is_some()
}

fn end_of(status: &LockStatus) -> Option<TxId> {
    match status {
        LockStatus::Redeemed { txid, .. } | LockStatus::Refunded { txid, .. } => Some(*txid),
        LockStatus::Absent | LockStatus::Pending { .. } | LockStatus::Funded { .. } => None,
    }
}

fn same_end(a: &LockStatus, b: &LockStatus) -> bool {
    matches!(
        (a, b),
        (LockStatus::Redeemed { .. }, LockStatus::Redeemed { .. }) | (LockStatus::Refunded { .. }, LockStatus::Refunded { .. })
    )
}

fn txid_of(status: &LockStatus) -> Option<(TxId, u32)> {
    match status {
        LockStatus::Pending { txid, depth } | LockStatus::Funded { txid, depth, .. } => Some((*txid, *depth)),
        LockStatus::Absent | LockStatus::Redeemed { .. } | LockStatus::Refunded { .. } => None,
    }
}

/// A spend at any depth, a final one included.
fn end_or_spend(seen: &Sighting) -> Option<Spend> {
    let end = |kind, txid: TxId| Some(Spend { kind, txid, depth: u32::MAX });
    match seen.status {
        LockStatus::Redeemed { txid, .. } => end(SpendKind::Redeem, txid),
        LockStatus::Refunded { txid, .. } => end(SpendKind::Refund, txid),
        LockStatus::Absent | LockStatus::Pending { .. } | LockStatus::Funded { .. } => seen.spend,
    }
}

/// A spend that one node shows keeps new money back; only one that both show keeps us from spending the lock ourselves.
fn spend_of(a: Option<Spend>, b: Option<Spend>) -> Option<Spend> {
    match (a, b) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(Spend { depth: 0, ..one }),
        (Some(a), Some(b)) if a.kind == b.kind => Some(if a.depth <= b.depth { a } else { b }),
        (Some(a), Some(_)) => Some(Spend { depth: 0, ..a }),
    }
}
