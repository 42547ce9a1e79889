//! Neighbours that are away for a moment.
//!
//! A mediator that starts again hears from its payers before its payees are connected, and any connection drops for seconds at
//! times. A lock given back then would fail a payment that only had to wait. So what goes onward to a neighbour that has just
//! gone, or was not there yet since the start, waits for it a little ([`crate::Policy::return_secs`]); and is given back after
//! that, since nobody's money is held for one who may never come back.

use crate::guard::Guard;
use crate::key::ChannelId;
use crate::message::Reason;
use crate::node::{Node, Place, Queued};
use photon_chains::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// Channels whose counterparties are waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Away {
    until: BTreeMap<ChannelId, UnixTime>,
    ends: BTreeSet<(UnixTime, ChannelId)>,
}

impl Away {
    pub(super) fn holds(&self, id: &ChannelId) -> bool {
        self.until.contains_key(id)
    }

    /// The counterparty is back, or the channel gone.
    pub(super) fn end(&mut self, id: &ChannelId) {
        if let Some(until) = self.until.remove(id) {
            self.ends.remove(&(until, *id));
        }
    }

    fn begin(&mut self, id: ChannelId, until: UnixTime) {
        self.end(&id);
        self.until.insert(id, until);
        self.ends.insert((until, id));
    }

    /// One that was waited for long enough.
    fn pop_past(&mut self, now: UnixTime) -> Option<ChannelId> {
        let (_, id) = *self.ends.first().filter(|(until, _)| *until <= now)?;
        self.end(&id);
        Some(id)
    }
}

impl Node {
    /// Time has passed. By the first clock a node learns when it has started: then all neighbours are away.
    pub(super) fn clock(&mut self, now: UnixTime) {
        if self.now == UnixTime::default() {
            self.now = now;
            self.channels.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| self.wait_for(id));
        }
        self.now = self.now.max(now);
        while let Some(id) = self.away.pop_past(self.now).filter(|_| Guard::ReturnSoon.holds()) {
            self.give_back_onward(id);
        }
    }

    /// The counterparty of a channel has gone.
    pub(super) fn wait_for(&mut self, id: ChannelId) {
        self.away.begin(id, self.now.plus_secs(self.policy.return_secs));
    }

    /// The holder's own payments go on waiting: their owner can take them back.
    fn give_back_onward(&mut self, id: ChannelId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let mut onward = Vec::new();
        queue.quick.retain(|queued| match queued {
            Queued::Own(_) => true,
            Queued::Forward(channel, number) => {
                onward.push(Place { channel: *channel, incoming: true, number: *number });
                false
            }
        });
        onward.into_iter().for_each(|place| self.give_back(place, Reason::NoWay));
    }
}
