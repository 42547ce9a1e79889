//! Room in channels that is kept for payments to come: nothing else is promised out of it, neither another payment of the holder's, nor
//! one that is sent on for somebody, nor a withdrawal.
//!
//! It is the holder's own word and binds nobody else, so nothing of it is stored or told: who has something at stake says it again after
//! a start.

use crate::channel::Channel;
use crate::key::ChannelId;
use crate::node::{Node, Progress};
use crate::units::Units;
use crate::update::PaymentId;

impl Node {
    /// Keeps so much in a channel for a payment that is to be asked for, in place of what was kept for it before, until its lock stands or
    /// [`Node::free_room`]. False: nothing, because beside what is kept for others the channel has not so much.
    pub fn keep_room(&mut self, payment: PaymentId, id: ChannelId, amount: Units) -> bool {
        self.free_room(&payment);
        let has_enough = self.channels.get(&id).is_some_and(|channel| self.room(channel, None) >= amount.signed());
        // One that is under way has its lock, or needs it no more.
        let is_to_come = self.payments.get(&payment).is_none_or(|known| known.progress == Progress::Queued);
        if has_enough && is_to_come {
            self.rooms.entry(id).or_default().insert(payment, amount);
        }
        has_enough
    }

    /// What was kept for a payment is free again.
    pub fn free_room(&mut self, payment: &PaymentId) {
        self.rooms.retain(|_, kept| {
            kept.remove(payment);
            !kept.is_empty()
        });
    }

    /// What can be promised in a channel for that payment, or for whatever else, beside what is kept for others.
    pub fn room(&self, channel: &Channel, payment: Option<&PaymentId>) -> i128 {
        let kept = self.rooms.get(&channel.of.channel).into_iter().flatten();
        let others = kept.filter(|(other, _)| Some(*other) != payment);
        others.fold(channel.free(channel.side), |room, (_, amount)| room.saturating_sub(amount.signed()))
    }

    /// Whether so much can't be promised there without touching what is kept.
    pub(super) fn is_kept(&self, id: &ChannelId, payment: Option<&PaymentId>, amount: Units) -> bool {
        let short = |channel: &Channel| self.room(channel, payment) < amount.signed();
        self.rooms.contains_key(id) && self.channels.get(id).is_some_and(short)
    }
}
