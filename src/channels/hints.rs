//! Neighbours tell each other of channels that they have, or are about to open: what to look for on the chain. Nothing is
//! believed of it, and what a stranger can make this node look for is bounded.

use super::engine::Engine;
use super::peers::{Outgoing, hint_frame};
use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::{ChannelKey, Malformed, Reader, Window, Wire};

/// Channels that may be looked for on a neighbour's word, all together, and of one neighbour.
const MOST_HINTED: usize = 1_024;
const MOST_OF_ONE: usize = 16;
/// So long a channel is looked for that does not open.
const PATIENCE_SECS: u64 = 24 * 3600;

/// A channel between the one who speaks and the one who hears.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) token: Option<Address>,
    pub(super) window: Window,
    /// A block before which there is nothing to find.
    pub(super) since: u64,
}

impl Wire for Hint {
    fn put(&self, out: &mut Vec<u8>) {
        self.token.put(out);
        self.window.minutes().put(out);
        self.since.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (token, minutes, since) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        Ok(Self { token, window: Window::from_minutes(minutes).map_err(|_| Malformed)?, since })
    }
}

/// A channel that is looked for on a neighbour's word.
pub(super) struct Hinted {
    peer: Address,
    at: UnixTime,
}

impl Engine {
    /// Tells a neighbour of all channels with it.
    pub(super) fn send_hints(&mut self, peer: &Address) {
        let mut hints: Vec<Hint> = self
            .node
            .channels_with_peer(peer)
            .map(|channel| Hint {
                token: channel.key.token(),
                window: channel.key.window(),
                since: u64::from(channel.of.epoch.0),
            })
            .collect();
        for wish in self.wishes.values() {
            if let super::deposits::Wish::Deposit { token, peer: with, window, since, .. } = wish
                && with == peer
            {
                hints.push(Hint { token: *token, window: *window, since: *since });
            }
        }
        hints.truncate(MOST_OF_ONE);
        if !hints.is_empty() {
            Outgoing::hand_over(&self.links, peer, hint_frame(self.ledger, &hints));
        }
    }

    /// A neighbour tells of channels: those that are not known are looked for.
    pub(super) fn heard_hints(&mut self, peer: Address, hints: Vec<Hint>) {
        let now = crate::clock::now();
        self.hinted.retain(|id, hinted| {
            let is_stale = now.secs_since(hinted.at) > PATIENCE_SECS;
            if is_stale {
                self.interests.forget(id);
            }
            !is_stale
        });
        for hint in hints.into_iter().take(MOST_OF_ONE) {
            let Ok(key) = ChannelKey::new(hint.token, self.node.address(), peer, hint.window) else { continue };
            let id = key.id();
            let of_one = self.hinted.values().filter(|hinted| hinted.peer == peer).count();
            let is_full = self.hinted.len() >= MOST_HINTED || of_one >= MOST_OF_ONE;
            let is_known = self.node.channel(&id).is_some() || self.interests.followed(&id).is_some();
            let are_many = self.node.channels().count() >= self.most_channels;
            if is_known || is_full || are_many || !self.may_be_used(&key) {
                continue;
            }
            self.hinted.insert(id, Hinted { peer, at: now });
            self.follow_new(key, BlockHeight::new(hint.since));
        }
    }

    /// Only tokens that the owner trusts are ever looked at.
    fn may_be_used(&self, key: &ChannelKey) -> bool {
        key.token().is_none_or(|token| self.tokens.contains(&token))
    }
}
