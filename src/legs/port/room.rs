//! Which channel has the room for which leg that is still to be funded, so that no channel's room is promised twice: the engine keeps it
//! from other legs, from the owner's payments, from what is sent on for others and from withdrawals.
//!
//! Nothing of it is stored: after a restart it is looked for anew, at the first look at the legs that are still to be funded.

use super::{LegPort, Watched, held, payment_of};
use crate::channels::LegOrder;
use crate::clock;
use photon_chains::{Lock, LockId, LockStatus, NoRoom, PortError, UnixTime};
use photon_channel::{ChannelId, MOST_HOPS, Policy, Way};
use std::collections::HashSet;

/// A lock that room was asked for is one of a swap's after so long, or of none.
const ASKED_SECS: u64 = 120;
/// Legs without room for which it is looked for again at one look.
const SOUGHT: usize = 8;

/// Where a leg has its room.
#[derive(Copy, Clone, Debug)]
pub(super) struct Kept {
    channel: ChannelId,
    since: UnixTime,
}

impl LegPort {
    /// The channel of the best way keeps it.
    pub(super) async fn make_room(&self, lock: &Lock, beside: &[Lock]) -> Result<Option<NoRoom>, PortError> {
        if self.is_too_short(lock)? {
            return Ok(Some(NoRoom::TooShort));
        }
        let _alone = self.keeping.lock().await;
        let wait: HashSet<LockId> = beside.iter().map(Lock::id).collect();
        self.free(|id, _| !wait.contains(id) && !self.is_to_be_funded(id)).await?;
        for other in beside {
            let is_kept = held(&self.kept).contains_key(&other.id());
            // One without a way has nothing to keep, and is not funded before there is one.
            let _ = is_kept || self.take_room(other).await?;
        }
        if self.take_room(lock).await? { Ok(None) } else { self.why_not(lock).await.map(Some) }
    }

    /// Frees what was kept for a lock that was only asked for.
    pub(super) async fn leave_room(&self, lock: &LockId) -> Result<(), PortError> {
        let _alone = self.keeping.lock().await;
        self.free(|id, _| id == lock && !self.is_to_be_funded(id)).await
    }

    /// Frees what is kept for no leg that is still to be funded, and keeps room for those that have none.
    pub(super) async fn tidy_rooms(&self) -> Result<(), PortError> {
        // Who is just looking for room does the same.
        let Ok(_alone) = self.keeping.try_lock() else { return Ok(()) };
        let now = clock::now();
        let is_new = |id: &LockId, kept: &Kept| !self.is_watched(id) && now.secs_since(kept.since) <= ASKED_SECS;
        self.free(|id, kept| !is_new(id, kept) && !self.is_to_be_funded(id)).await?;
        let without: Vec<Lock> = {
            let kept: HashSet<LockId> = held(&self.kept).keys().copied().collect();
            let all: Vec<(LockId, Lock)> = held(&self.watched).iter().map(|(id, watched)| (*id, watched.lock)).collect();
            let wants = |id: &LockId| !kept.contains(id) && self.is_to_be_funded(id);
            all.into_iter().filter(|(id, _)| wants(id)).map(|(_, lock)| lock).take(SOUGHT).collect()
        };
        for lock in without {
            self.take_room(&lock).await?;
        }
        Ok(())
    }

    async fn free(&self, is_over: impl Fn(&LockId, &Kept) -> bool) -> Result<(), PortError> {
        let known: Vec<(LockId, Kept)> = held(&self.kept).iter().map(|(id, kept)| (*id, *kept)).collect();
        for (id, _) in known.into_iter().filter(|(id, kept)| is_over(id, kept)) {
            self.channels()?.free_room(self.chain(), payment_of(id)).await.map_err(|error| self.failed(error))?;
            held(&self.kept).remove(&id);
        }
        Ok(())
    }

    fn is_watched(&self, id: &LockId) -> bool {
        held(&self.watched).contains_key(id)
    }

    /// A watched leg of ours of which nothing is signed yet.
    fn is_to_be_funded(&self, id: &LockId) -> bool {
        let is_cancelled = held(&self.cancelled).contains(id);
        let all = held(&self.watched);
        let is_open = |watched: &Watched| {
            let seen = watched.seen.as_ref().map(|seen| &seen.status);
            watched.leg.is_ours && matches!(seen, None | Some(LockStatus::Absent | LockStatus::Pending { .. }))
        };
        !is_cancelled && all.get(id).is_some_and(is_open)
    }

    /// Beside what is kept for other legs.
    async fn ways(&self, lock: &Lock, reach: u8) -> Result<Vec<Way>, PortError> {
        let order = LegOrder {
            id: payment_of(lock.id()),
            token: lock.asset.token(),
            payee: self.payee(lock)?,
            amount: self.units(lock.amount)?,
            until: lock.expiry,
            reach,
            hash: lock.secret_hash,
        };
        self.channels()?.leg_ways(self.chain(), order).await.map_err(|error| self.failed(error))
    }

    /// The ways over which a lock is funded: first over the channel in which it has its room.
    pub(super) async fn ways_to_fund(&self, lock: &Lock) -> Result<Vec<Way>, PortError> {
        let mut ways = self.ways(lock, self.reach_of(lock)).await?;
        let own = held(&self.kept).get(&lock.id()).map(|kept| kept.channel);
        ways.sort_by_key(|way| Some(way.channel) != own);
        Ok(ways)
    }

    /// Keeps room for a lock where there is some. True if there is.
    async fn take_room(&self, lock: &Lock) -> Result<bool, PortError> {
        let (channels, payment) = (self.channels()?, payment_of(lock.id()));
        for way in self.ways(lock, self.reach_of(lock)).await? {
            // A payment may have been quicker.
            let kept = channels.keep_room(self.chain(), payment, way.channel, way.amount).await;
            if kept.map_err(|error| self.failed(error))? {
                held(&self.kept).insert(lock.id(), Kept { channel: way.channel, since: clock::now() });
                return Ok(true);
            }
        }
        held(&self.kept).remove(&lock.id());
        Ok(false)
    }

    fn policy(&self) -> Result<Policy, PortError> {
        self.channels()?.policy(self.chain()).map_err(|error| self.failed(error))
    }

    /// Its payee would not take it.
    fn is_too_short(&self, lock: &Lock) -> Result<bool, PortError> {
        let ends = lock.expiry.closes.unwrap_or(lock.expiry.opens_time);
        Ok(ends.secs_since(clock::now()) <= self.policy()?.reveal_margin_secs)
    }

    /// Why there is no way for a lock.
    async fn why_not(&self, lock: &Lock) -> Result<NoRoom, PortError> {
        let reach = self.reach_of(lock);
        let left_secs = lock.expiry.opens_time.secs_since(clock::now());
        let most_reach = u8::try_from(MOST_HOPS).unwrap_or(u8::MAX);
        let has_longer = reach < most_reach && !self.ways(lock, most_reach).await?.is_empty();
        if has_longer {
            return Ok(NoRoom::Reach);
        }
        Ok(if reach > 0 && left_secs > self.policy()?.longest_lock_secs { NoRoom::TooLong } else { NoRoom::NoWay })
    }
}
