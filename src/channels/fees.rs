//! What mediating has earned: known once an incoming lock is paid whose money went on.

use super::engine::Engine;
use photon_chains::Address;
use photon_channel::{ChannelId, Key, Link, LockState, Notice, Row, Units, Write};
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// The token of a channel; none for the ledger's own coin.
    pub(super) fn token_of(&self, channel: &ChannelId) -> Option<Address> {
        self.node.channel(channel).and_then(|channel| channel.key.token())
    }

    /// By token: what the incoming locks that a step has taken off as paid left to us, and how many they were.
    pub(super) fn earned(&self, writes: &[Write], notices: &[&Notice]) -> BTreeMap<Option<Address>, (Units, u64)> {
        let lost: BTreeSet<_> = notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Lost(channel, number) => Some((*channel, *number)),
                _ => None,
            })
            .collect();
        let mut sums: BTreeMap<Option<Address>, (Units, u64)> = BTreeMap::new();
        for write in writes {
            let (Key::Gone(of, true, number), Some(Row::Gone(held, _))) = (&write.key, &write.row) else { continue };
            let (LockState::Known(_), Link::Onto { onward, .. }) = (&held.state, &held.link) else { continue };
            let Some(hop) = onward.route.first().filter(|_| !lost.contains(&(of.channel, *number))) else { continue };
            let sum = sums.entry(self.token_of(&of.channel)).or_default();
            sum.0 = sum.0.checked_add(held.lock.amount.saturating_sub(hop.amount)).unwrap_or(Units::MAX);
            sum.1 += 1;
        }
        sums
    }
}
