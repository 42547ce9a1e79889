//! The chain out of sight: what goes on without it, and up to what limit.
//!
//! Neighbours still pay each other at once over a channel that both know to be open. A payer risks nothing by that. A payee risks
//! that the channel was closed meanwhile, by an older word, and that the window ends before it sees the chain again: so it takes
//! only as much as its owner allows for each token, counted durably from when the chain went out of sight until it is followed
//! again. It tells its neighbours how far they can go, so that a payer refuses at once what would not be taken; an update that
//! was on its way all the same waits, and is sent again when the chain is back.
//!
//! Whatever may need the chain before it ends is not begun: locks are given back, and no close or withdrawal is signed. What
//! was pending before goes on as far as both agree.

use crate::channel::Channel;
use crate::guard::Guard;
use crate::key::ChannelId;
use crate::message::Message;
use crate::node::Node;
use crate::node::rows::Key;
use crate::node::words::Effect;
use crate::units::Units;
use crate::update::{Op, Update};
use photon_chains::Address;
use std::collections::BTreeMap;

/// Whether the chain is seen.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Sight {
    /// Nobody has looked since the start. No neighbour is greeted yet, so that none sends anything.
    Awaited,
    /// It is followed.
    #[default]
    Live,
    /// It can't be reached, or stands still.
    Lost,
}

/// What is known of it, and of what goes on without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) sight: Sight,
    /// The most that may come in unseen, by token. None: nothing.
    limits: BTreeMap<Option<Address>, Units>,
    /// What came in at once by each channel since the chain went out of sight. Durable.
    unseen: BTreeMap<ChannelId, Units>,
    /// What has each neighbour been told, and what has each told us: the most that it takes in all. None: all that can be paid.
    told: BTreeMap<ChannelId, Units>,
    heard: BTreeMap<ChannelId, Units>,
    /// Neighbours may have to be told something else.
    is_changed: bool,
}

impl Watch {
    pub(super) fn unseen_by(&self, id: &ChannelId) -> Option<Units> {
        self.unseen.get(id).copied()
    }

    pub(super) fn restore(&mut self, id: ChannelId, unseen: Units) {
        self.unseen.insert(id, unseen);
    }

    /// A channel is gone. True if something was counted for it.
    pub(super) fn forget(&mut self, id: &ChannelId) -> bool {
        self.forget_said(id);
        self.unseen.remove(id).is_some()
    }

    /// A connection is gone, or begins anew.
    pub(super) fn forget_said(&mut self, id: &ChannelId) {
        self.told.remove(id);
        self.heard.remove(id);
    }

    /// The neighbour is greeted: what it was told before is told again.
    pub(super) fn forget_told(&mut self, id: &ChannelId) {
        self.told.remove(id);
    }

    /// The neighbour greets: what it said before it says again.
    pub(super) fn forget_heard(&mut self, id: &ChannelId) {
        self.heard.remove(id);
    }
}

impl Node {
    /// With the most that may come in by token while the chain is out of sight. Without one: nothing may.
    pub fn with_unseen_limits(mut self, limits: BTreeMap<Option<Address>, Units>) -> Self {
        self.watch.limits = limits;
        self
    }

    /// Whether the chain is seen.
    pub const fn sight(&self) -> Sight {
        self.watch.sight
    }

    /// The most that may come in of a token while the chain is out of sight.
    pub fn unseen_limit(&self, token: Option<Address>) -> Units {
        self.watch.limits.get(&token).copied().unwrap_or_default()
    }

    /// What came in of a token since the chain went out of sight, over all channels.
    pub fn unseen(&self, token: Option<Address>) -> Units {
        let of_token = |id: &&ChannelId| self.channels.get(*id).is_some_and(|channel| channel.key.token() == token);
        let counted = self.watch.unseen.iter().filter(|(id, _)| of_token(id));
        counted.fold(Units::ZERO, |sum, (_, unseen)| sum.checked_add(*unseen).unwrap_or(Units::MAX))
    }

    /// What more the counterparty of a channel takes from the holder. None: it has named no limit.
    pub fn taken_still(&self, channel: &Channel) -> Option<Units> {
        let most = self.watch.heard.get(&channel.of.channel)?;
        Some(most.saturating_sub(channel.outgoing.transferred))
    }

    /// What more of a token is taken now. None: no limit, since the chain is seen.
    pub fn takes_still(&self, token: Option<Address>) -> Option<Units> {
        match self.watch.sight {
            Sight::Live | Sight::Awaited => None,
            Sight::Lost => Some(self.unseen_limit(token).saturating_sub(self.unseen(token))),
        }
    }

    pub(super) const fn sees(&self) -> bool {
        matches!(self.watch.sight, Sight::Live)
    }

    /// The chain came into sight, after all that it has to say, or went out of it.
    pub(super) fn sighted(&mut self, sight: Sight) {
        let before = std::mem::replace(&mut self.watch.sight, sight);
        if before == sight {
            return;
        }
        self.watch.is_changed = true;
        if sight == Sight::Live {
            // The chain has just said what became of each channel: what came in by those that are open is as good as any other.
            for id in std::mem::take(&mut self.watch.unseen).into_keys() {
                self.touch_unseen(&id);
            }
        }
        if before == Sight::Awaited {
            let there: Vec<Address> = self.connected.iter().copied().collect();
            let ids: Vec<ChannelId> = there.iter().flat_map(|peer| self.channels_with(peer)).collect();
            ids.iter().for_each(|id| self.greet(id));
        }
        self.stirred.extend(self.queues.keys().chain(self.asked.keys()));
    }

    fn touch_unseen(&mut self, id: &ChannelId) {
        if let Some(channel) = self.channels.get(id) {
            self.dirty.insert(Key::Unseen(channel.of));
        }
    }

    /// Whether an update can't be taken before the chain is seen. One that was taken already is answered all the same.
    pub(super) fn must_wait(&self, id: &ChannelId, update: &Update) -> bool {
        let Some(channel) = self.channels.get(id).filter(|channel| Some(update.nonce) == channel.incoming.nonce.next()) else {
            return false;
        };
        let most = match self.watch.sight {
            Sight::Live => return false,
            Sight::Awaited => return true,
            Sight::Lost => self.takes_still(channel.key.token()).unwrap_or_default(),
        };
        let paid = update.ops.iter().try_fold(Units::ZERO, |sum, op| match op {
            Op::Transfer { amount, .. } => sum.checked_add(*amount),
            Op::Lock { .. } | Op::Unlock { .. } | Op::Expire { .. } | Op::Strike { .. } => Some(sum),
        });
        Guard::UnseenLimit.refuses(paid.is_none_or(|paid| paid > most))
    }

    /// A payment came in at once.
    pub(super) fn count_unseen(&mut self, id: &ChannelId, amount: Units) {
        if self.watch.sight != Sight::Lost {
            return;
        }
        let unseen = self.watch.unseen.entry(*id).or_default();
        *unseen = unseen.checked_add(amount).unwrap_or(Units::MAX);
        self.watch.is_changed = true;
        self.touch_unseen(id);
    }

    /// Whether a payment is more than its payee takes now.
    pub(super) fn is_above_ceiling(&self, id: &ChannelId, amount: Units) -> bool {
        let still = self.channels.get(id).and_then(|channel| self.taken_still(channel));
        still.is_some_and(|still| amount > still)
    }

    /// The counterparty says how far the holder can go.
    pub(super) fn ceiling_heard(&mut self, id: ChannelId, most: Option<Units>) {
        match most {
            Some(most) => drop(self.watch.heard.insert(id, most)),
            None => {
                self.watch.heard.remove(&id);
                // What was on its way may not have been taken.
                self.say_again(id);
            }
        }
        self.stirred.insert(id);
    }

    /// Tells every neighbour that is there how far it can go, where that has changed.
    pub(super) fn say_ceilings(&mut self) {
        if !std::mem::take(&mut self.watch.is_changed) {
            return;
        }
        let there: Vec<Address> = self.connected.iter().copied().collect();
        let ids: Vec<ChannelId> = there.iter().flat_map(|peer| self.channels_with(peer)).collect();
        ids.iter().for_each(|id| self.say_ceiling(id));
    }

    pub(super) fn say_ceiling(&mut self, id: &ChannelId) {
        let Some(channel) = self.channels.get(id) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        let still = self.takes_still(channel.key.token());
        let most = still.map(|still| channel.incoming.transferred.checked_add(still).unwrap_or(Units::MAX));
        if self.watch.told.get(id).copied() == most {
            return;
        }
        match most {
            Some(most) => drop(self.watch.told.insert(*id, most)),
            None => drop(self.watch.told.remove(id)),
        }
        self.effects.push(Effect::Send(peer, Message::Ceiling { of, most }));
    }
}
