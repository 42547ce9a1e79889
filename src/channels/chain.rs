//! What the chain says, taken in: slots become what the core knows of its channels, logs what is done about closed ones.

use super::acts::Closing;
use super::engine::Engine;
use super::follow::{ChainNews, Slots};
use super::interests::Followed;
use super::orders::close_key;
use photon_chains::{BlockHeight, SecretHash};
use photon_channel::contract::{self, Open, Word};
use photon_channel::{
    Channel, ChannelId, ChannelKey, ChannelRef, Counterparty, Event, Held, Moment, Nonce, OnChain, Pending, Side, Stage,
};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The lists of a closed channel, as far as they were read.
pub(super) type Lists = BTreeMap<(Side, Nonce), Vec<Held>>;

impl Engine {
    /// Reads the lists that the logs of closed channels speak of, before anything is taken in.
    pub(super) async fn read_lists(&mut self, news: &ChainNews) -> anyhow::Result<()> {
        for slots in &news.slots {
            let id = slots.followed.key.id();
            let Some(channel) = self.node.channel(&id).filter(|channel| slots.latest == Word::Closed(channel.of.epoch)) else {
                continue;
            };
            let (of, own) = (channel.of, channel.side);
            let logs = logs(slots);
            for (side, nonce) in contract::lists_of(&borrowed(&logs)) {
                if let Entry::Vacant(place) = self.lists.entry(id).or_default().entry((side, nonce)) {
                    place.insert(self.store.channel_list(self.ledger, of, side == own, nonce).await?);
                }
            }
        }
        Ok(())
    }

    pub(super) fn heard_chain(&mut self, news: ChainNews) {
        self.block_secs = news.block_secs;
        for event in news.registered {
            match &event {
                Event::Registered { secret, at, .. } => drop(self.entries.insert(secret.hash(), *at)),
                Event::Unregistered(hash) => drop(self.entries.remove(hash)),
                _ => {}
            }
            self.node.take(event);
        }
        for slots in news.slots {
            self.judge(slots);
        }
        // Asked for again by the core at every tip for which it is still needed.
        self.registers.clear();
        self.node.take(Event::Tip(news.tip));
        self.close_what_is_due();
        self.refollow();
    }

    /// One channel, as its slot is at both blocks.
    fn judge(&mut self, slots: Slots) {
        let id = slots.followed.key.id();
        let is_lost = self.lost.remove(&id);
        let Some(channel) = self.node.channel(&id) else { return self.may_have_opened(&slots, is_lost) };
        let (of, chain) = (channel.of, channel.chain);
        // A node that lags, or a chain that is not there yet, says nothing of a later life.
        if slots.deep_block < BlockHeight::new(u64::from(of.epoch.0)) {
            return;
        }
        let is_gone = slots.deep.epoch() != Some(of.epoch);
        let is_open_now = matches!(slots.latest, Word::Open(open) if open.epoch == of.epoch);
        let stage = match () {
            () if is_gone => Stage::Gone,
            () if is_open_now && !self.wishes.contains_key(&close_key(&of)) => Stage::Open,
            () => Stage::Closed,
        };
        let mut now = OnChain { stage, ..chain };
        if let Word::Open(Open { holdings, withdrawals, .. }) = slots.deep
            && !is_gone
        {
            now.holdings = holdings;
            now.withdrawals = withdrawals;
        }
        self.closed.remove(&id);
        if stage == Stage::Closed
            && slots.latest == Word::Closed(of.epoch)
            && let Some(closing) = self.fold(&slots, &of)
        {
            let peer = self.node.channel(&id).map_or(Side::A, |channel| channel.side.other());
            now.counted = closing.folded.state.incomes.of(peer).nonce;
            self.want_hashes(id, contract::hashes_of(&closing.folded));
            self.closed.insert(id, closing);
        }
        if now != chain {
            tracing::info!(channel_id = %id, chain = %self.ledger, stage = ?now.stage, "a channel changed on chain");
            self.node.take(Event::Chain(id, now));
        }
        if stage == Stage::Gone {
            self.want_hashes(id, BTreeSet::new());
            self.lists.remove(&id);
            self.answers.wishes.push((close_key(&of), None));
            self.wishes.remove(&close_key(&of));
            if !self.has_deposits(&id) {
                self.interests.forget(&id);
            }
        }
    }

    /// A channel that the core does not know: it begins once its opening is at the depth that is relied on. Of one that was lost
    /// nobody may ever tell the counterparty's key, and somebody may have closed it.
    fn may_have_opened(&mut self, slots: &Slots, is_lost: bool) {
        let key = slots.followed.key;
        let own = self.node.address();
        let Some(side) = key.side_of(&own) else { return };
        let (epoch, chain) = match slots.deep {
            Word::Open(Open { epoch, holdings, withdrawals }) => {
                (epoch, OnChain { holdings, withdrawals, counted: Nonce::NONE, stage: Stage::Open })
            }
            Word::Closed(epoch) if is_lost => match self.closed_as_found(slots, side) {
                Some(chain) => (epoch, chain),
                None => return self.interests.forget(&key.id()),
            },
            Word::Empty if is_lost && !self.has_deposits(&key.id()) => return self.interests.forget(&key.id()),
            Word::Closed(_) | Word::Empty => return,
        };
        let account = *key.parties().of(side.other());
        // What was signed in one that opened before this database was made nobody knows.
        let is_known = self.known_from.is_some_and(|from| u64::from(epoch.0) > from.get());
        let event = match self.keys.get(&account).copied() {
            Some(peer) if is_known => Event::Opened { key, epoch, peer, chain },
            Some(peer) => Event::Found { key, epoch, peer: peer.into(), chain },
            None if is_lost && !is_known => Event::Found { key, epoch, peer: Counterparty::Named(account), chain },
            None => return,
        };
        if is_known {
            tracing::info!(channel_id = %key.id(), chain = %self.ledger, peer = %account, "a channel is open");
        } else {
            tracing::warn!(channel_id = %key.id(), chain = %self.ledger, peer = %account, "a channel was found that this database has forgotten");
        }
        self.node.take(event);
        self.hinted.remove(&key.id());
        self.begin_talk(&account);
        self.neighbours.set(self.ledger, self.node.channels().map(|channel| channel.peer.address()));
    }

    /// What the logs say of a channel that is closed, and of which nothing else is known. None where there is nothing to be had.
    fn closed_as_found(&self, slots: &Slots, own: Side) -> Option<OnChain> {
        let logs = logs(slots);
        let shown = shown(slots, &logs);
        let list = |side, nonce| shown.get(&(side, nonce)).cloned();
        let folded = contract::fold(&slots.followed.key, &slots.latest_word, &borrowed(&logs), list).ok()?;
        let Open { holdings, withdrawals, .. } = folded.state.money;
        let counted = folded.state.incomes.of(own.other()).nonce;
        (holdings.net(own) > 0).then_some(OnChain { holdings, withdrawals, counted, stage: Stage::Closed })
    }

    /// Channels that were found in the chain's past: they are followed, and taken up as soon as they were looked at.
    pub(super) fn heard_lost(&mut self, found: Vec<(ChannelKey, BlockHeight)>) {
        for (key, since) in found {
            let id = key.id();
            if self.node.channel(&id).is_some() {
                continue;
            }
            if self.node.channels().count() + self.lost.len() >= self.most_channels {
                tracing::warn!(channel_id = %id, chain = %self.ledger, "a forgotten channel is not taken up: there are too many");
                continue;
            }
            self.lost.insert(id);
            self.follow_new(key, since);
        }
    }

    /// What the logs say of a closed channel. None, and said so, where they can't be read: nothing is done about it then.
    fn fold(&self, slots: &Slots, of: &ChannelRef) -> Option<Closing> {
        let key = slots.followed.key;
        let logs = logs(slots);
        let lists = self.lists.get(&of.channel);
        let list = |side: Side, nonce: Nonce| -> Option<Vec<Pending>> {
            Some(lists?.get(&(side, nonce))?.iter().map(|held| held.lock).collect())
        };
        let folded = contract::fold(&key, &slots.latest_word, &borrowed(&logs), list).or_else(|_| {
            // A list that was forgotten: whoever has done something to it has shown it to the contract.
            let shown = shown(slots, &logs);
            let list = |side, nonce| shown.get(&(side, nonce)).cloned().or_else(|| list(side, nonce));
            contract::fold(&key, &slots.latest_word, &borrowed(&logs), list)
        });
        match folded {
            Ok(folded) => Some(Closing { folded }),
            Err(error) => {
                tracing::error!(channel_id = %of.channel, chain = %self.ledger, %error, "a closed channel can't be read");
                None
            }
        }
    }

    /// Closes alone what the counterparty owes for and does not pay.
    fn close_what_is_due(&mut self) {
        let (deep, patience) = (self.node.tip().deep, self.policy.expire_patience_secs * 2 + self.policy.resend_secs);
        let due: Vec<ChannelId> = self
            .node
            .channels()
            .filter(|channel| channel.chain.stage == Stage::Open && channel.should_close(deep, &self.entries, patience))
            .map(|channel| channel.of.channel)
            .collect();
        for id in due {
            tracing::warn!(channel_id = %id, chain = %self.ledger, "closed alone: the counterparty does not pay what it owes");
            // It is there, or it would not be due.
            let _ = self.wish_close(id);
        }
    }

    /// Says of every channel from when on it is of interest, and whether something is awaited.
    pub(super) fn refollow(&mut self) {
        for channel in self.node.channels() {
            let id = channel.of.channel;
            let is_restless = is_restless(channel) || self.has_deposits(&id);
            let since = BlockHeight::new(u64::from(channel.of.epoch.0));
            let followed = Followed { key: channel.key, since, is_restless };
            if self.interests.followed(&id).as_ref() != Some(&followed) {
                self.interests.follow(followed);
            }
        }
    }

    /// The hashes on which a closed channel hangs are these now.
    fn want_hashes(&mut self, id: ChannelId, hashes: BTreeSet<SecretHash>) {
        let before = self.hanging.remove(&id).unwrap_or_default();
        hashes.difference(&before).for_each(|hash| self.interests.want(*hash));
        for hash in before.difference(&hashes) {
            self.interests.unwant(*hash);
        }
        if !hashes.is_empty() {
            self.hanging.insert(id, hashes);
        }
    }
}

/// The lists of locks that the calls have shown to the contract.
fn shown(slots: &Slots, logs: &[(Moment, Vec<u8>)]) -> BTreeMap<(Side, Nonce), Vec<Pending>> {
    let call = |said: &photon_chains::Said| slots.calls.get(&said.txid).map(|sent| sent.input.as_slice());
    let calls: Vec<Option<&[u8]>> = slots.said.iter().map(call).collect();
    contract::lists_shown(&borrowed(logs), &calls)
}

/// Whether something of it is awaited on chain.
fn is_restless(channel: &Channel) -> bool {
    channel.chain.stage != Stage::Open || channel.leaving.is_some() || channel.grant().is_some()
}

/// What was said under a channel's name, with the moments by which it is judged.
fn logs(slots: &Slots) -> Vec<(Moment, Vec<u8>)> {
    slots.said.iter().map(|said| (super::follow::moment(&said.at), said.data.clone())).collect()
}

fn borrowed(logs: &[(Moment, Vec<u8>)]) -> Vec<(Moment, &[u8])> {
    logs.iter().map(|(at, data)| (*at, data.as_slice())).collect()
}
