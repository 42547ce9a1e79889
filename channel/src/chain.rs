//! What the chain says, as far as a channel's decisions depend on it.

use crate::split::Holdings;
use crate::units::Nonce;
use photon_chains::{BlockHeight, Expiry, UnixTime};

/// A block as locks are judged by it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Moment {
    /// Its timestamp.
    pub time: UnixTime,
    /// Its number.
    pub block: BlockHeight,
}

/// Where the chain stands. It is handed over only after everything that was registered up to it, for each watched hash.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Tip {
    /// The newest block.
    pub latest: Moment,
    /// The newest block at the depth that is relied on.
    pub deep: Moment,
}

/// The entry of a hash in the secret registry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// When the secret became public.
    pub at: Moment,
    /// Whether the entry is at the depth that is relied on.
    pub is_deep: bool,
}

/// When a lock stops being payable by showing its secret: its closing time, or where it has none the time it opens.
pub fn end_of(expiry: &Expiry) -> UnixTime {
    expiry.closes.unwrap_or(expiry.opens_time)
}

/// Whether an entry made at that moment makes the lock the payee's for ever.
pub fn is_in_time(expiry: &Expiry, at: &Moment) -> bool {
    match expiry.closes {
        Some(closes) => at.time < closes,
        None => !is_open(expiry, at),
    }
}

/// Whether the lock can go back to its payer, as of that block.
pub fn is_open(expiry: &Expiry, at: &Moment) -> bool {
    at.time >= expiry.opens_time && at.block >= expiry.opens_block
}

/// Whether all that is in time for `outgoing` is in time for `incoming` too, with so many seconds to act between.
pub fn covers(incoming: &Expiry, outgoing: &Expiry, slack_secs: u64) -> bool {
    let end = end_of(outgoing).plus_secs(slack_secs);
    match (incoming.closes, outgoing.closes) {
        (_, Some(_)) => end <= end_of(incoming),
        (Some(_), None) => false,
        (None, None) => end <= incoming.opens_time && outgoing.opens_block <= incoming.opens_block,
    }
}

/// A channel's state on chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OnChain {
    /// The money in it, as of the depth that is relied on.
    pub holdings: Holdings,
    /// Withdrawals mined in this life of the channel, as of that depth.
    pub withdrawals: u32,
    /// The holder's last update that the contract was shown in a close: what was paid later was not paid.
    pub counted: Nonce,
    /// Where it is in its life.
    pub stage: Stage,
}

/// Where a channel is in its life.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Open, and opened at the depth that is relied on.
    Open,
    /// A close was seen, at any depth. Nothing new is signed.
    Closed,
    /// Its slot is empty at the depth that is relied on.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, block: u64) -> Moment {
        Moment { time: UnixTime::from_secs(time), block: BlockHeight::new(block) }
    }

    fn expiry(opens: u64, block: u64, closes: Option<u64>) -> Expiry {
        Expiry {
            opens_block: BlockHeight::new(block),
            closes: closes.map(UnixTime::from_secs),
            ..Expiry::at(UnixTime::from_secs(opens))
        }
    }

    // E4: the second and the block at the boundary.
    #[test]
    fn a_registration_is_in_time_up_to_the_boundary_and_not_on_it() {
        let plain = expiry(100, 10, None);
        assert!(is_in_time(&plain, &at(99, 50)));
        assert!(is_in_time(&plain, &at(500, 9)), "a halted chain robs nobody");
        assert!(!is_in_time(&plain, &at(100, 10)));
        let closing = expiry(100, 10, Some(80));
        assert!(is_in_time(&closing, &at(79, 50)));
        assert!(!is_in_time(&closing, &at(80, 1)));
    }

    // A lock is never both the payee's and the payer's.
    #[test]
    fn in_time_and_open_exclude_each_other() {
        for lock in [expiry(100, 10, None), expiry(100, 10, Some(100)), expiry(100, 10, Some(80))] {
            for (time, block) in (90..110).flat_map(|time| (5..15).map(move |block| (time, block))) {
                let moment = at(time, block);
                assert!(!(is_in_time(&lock, &moment) && is_open(&lock, &moment)), "{lock:?} {moment:?}");
            }
        }
    }

    // E2, E15.
    #[test]
    fn a_lock_covers_another_only_with_room_to_act() {
        let out = expiry(100, 10, None);
        assert!(covers(&expiry(130, 10, None), &out, 30));
        assert!(!covers(&expiry(129, 10, None), &out, 30));
        assert!(!covers(&expiry(130, 9, None), &out, 30), "it would open by its block first");
        assert!(!covers(&expiry(130, 10, Some(130)), &out, 30), "out may be in time for longer than any time says");
        assert!(covers(&expiry(130, 1, None), &expiry(100, 99, Some(100)), 30));
    }
}
