//! Which channel has the room for which leg that is still to be funded, so that no channel's room is promised twice.
//!
//! Nothing of it is stored: after a restart it is looked for anew, when the next leg asks.

use super::{LegPort, Watched, held};
use crate::channels::LegOrder;
use crate::clock;
use photon_chains::{Lock, LockId, LockStatus, NoRoom, PortError};
use photon_channel::{ChannelId, MOST_HOPS, Policy, Units, Way};
use std::collections::HashSet;

impl LegPort {
    /// The channel of the best way keeps it.
    pub(super) async fn make_room(&self, lock: &Lock, beside: &[Lock]) -> Result<Option<NoRoom>, PortError> {
        if self.is_too_short(lock)? {
            return Ok(Some(NoRoom::TooShort));
        }
        let _alone = self.keeping.lock().await;
        let wait: HashSet<LockId> = beside.iter().map(Lock::id).collect();
        let known: Vec<LockId> = held(&self.kept).keys().copied().collect();
        let over: HashSet<LockId> = known.into_iter().filter(|id| !wait.contains(id) && !self.is_to_be_funded(id)).collect();
        held(&self.kept).retain(|id, _| !over.contains(id));
        for other in beside {
            let is_kept = held(&self.kept).contains_key(&other.id());
            // One without a way has nothing to keep, and is not funded before there is one.
            let _ = is_kept || self.take_room(other).await?;
        }
        if self.take_room(lock).await? { Ok(None) } else { self.why_not(lock).await.map(Some) }
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

    /// `others`: the legs whose room is not to be touched.
    async fn ways(&self, lock: &Lock, reach: u8, others: Vec<(ChannelId, Units)>) -> Result<Vec<Way>, PortError> {
        let order = LegOrder {
            token: lock.asset.token(),
            payee: self.payee(lock)?,
            amount: self.units(lock.amount)?,
            until: lock.expiry,
            reach,
            hash: lock.secret_hash,
            kept: others,
        };
        self.channels()?.leg_ways(self.chain(), order).await.map_err(|error| self.failed(error))
    }

    /// What is kept for other legs, of all of them or of those that are watched: who only asked gets in nobody's way.
    fn kept_for_others(&self, lock: &Lock, only_watched: bool) -> Vec<(ChannelId, Units)> {
        let all: Vec<_> = held(&self.kept).iter().map(|(id, kept)| (*id, *kept)).collect();
        let counts = |id: &LockId| *id != lock.id() && (!only_watched || self.is_to_be_funded(id));
        all.into_iter().filter(|(id, _)| counts(id)).map(|(_, kept)| kept).collect()
    }

    /// The ways over which a lock is funded: first over the channel in which it has its room.
    pub(super) async fn ways_to_fund(&self, lock: &Lock) -> Result<Vec<Way>, PortError> {
        let mut ways = self.ways(lock, self.reach_of(lock), self.kept_for_others(lock, true)).await?;
        let own = held(&self.kept).get(&lock.id()).map(|(channel, _)| *channel);
        ways.sort_by_key(|way| Some(way.channel) != own);
        Ok(ways)
    }

    /// Keeps room for a lock where there is some. True if there is.
    async fn take_room(&self, lock: &Lock) -> Result<bool, PortError> {
        let ways = self.ways(lock, self.reach_of(lock), self.kept_for_others(lock, false)).await?;
        let Some(way) = ways.first() else { return Ok(false) };
        held(&self.kept).insert(lock.id(), (way.channel, way.amount));
        Ok(true)
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
        let has_longer = reach < most_reach && !self.ways(lock, most_reach, self.kept_for_others(lock, false)).await?.is_empty();
        if has_longer {
            return Ok(NoRoom::Reach);
        }
        Ok(if reach > 0 && left_secs > self.policy()?.longest_lock_secs { NoRoom::TooLong } else { NoRoom::NoWay })
    }
}
