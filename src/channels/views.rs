//! What is shown of channels, payments and requests.

use super::engine::{Engine, Running};
use super::orders::close_key;
use super::words::{ChannelView, PaymentState, PaymentView, RequestView, StageView};
use crate::store::EndedPayment;
use photon_chains::Address;
use photon_channel::{Channel, ChannelId, ChannelKey, Flow, PaymentId, Stage, Standing, Units};
use std::collections::BTreeMap;

impl Engine {
    pub(super) fn channel_views(&self) -> Vec<ChannelView> {
        let known = self.node.channels().map(|channel| self.view_of(channel));
        let opening = self.opening().filter(|key| self.node.channel(&key.id()).is_none());
        let opening: BTreeMap<ChannelId, ChannelKey> = opening.map(|key| (key.id(), key)).collect();
        known.chain(opening.values().filter_map(|key| self.opening_view(key))).collect()
    }

    pub(super) fn channel_view(&self, id: &ChannelId) -> Option<ChannelView> {
        let opening = || self.opening().find(|key| key.id() == *id).and_then(|key| self.opening_view(&key));
        self.node.channel(id).map(|channel| self.view_of(channel)).or_else(opening)
    }

    /// The channels of deposits that are under way.
    fn opening(&self) -> impl Iterator<Item = ChannelKey> {
        self.wishes.values().filter_map(|wish| self.key_of_wish(wish))
    }

    /// A channel whose first deposit is not yet at the depth that is relied on.
    fn opening_view(&self, key: &ChannelKey) -> Option<ChannelView> {
        let side = self.own_side(key)?;
        Some(ChannelView {
            ledger: self.ledger,
            id: key.id(),
            epoch: None,
            token: key.token(),
            peer: *key.parties().of(side.other()),
            window: key.window(),
            total: Units::ZERO,
            own: 0,
            peers: 0,
            own_free: 0,
            peers_free: 0,
            own_pending: (0, Units::ZERO),
            peers_pending: (0, Units::ZERO),
            updates: (0, 0),
            stage: StageView::Opening,
            standing: Standing::Active,
            leaving: None,
            is_ready: false,
            is_filling: true,
            sight: self.node.sight(),
            unseen: self.unseen(key.token()),
            taken_still: None,
        })
    }

    fn view_of(&self, channel: &Channel) -> ChannelView {
        let (own, peers) = (&channel.outgoing, &channel.incoming);
        let net = |side| channel.chain.holdings.net(side);
        let moved = peers.transferred.signed() - own.transferred.signed();
        let pending = |flow: &Flow| (flow.locks.len(), flow.locked);
        let stage = match channel.chain.stage {
            Stage::Open => StageView::Open,
            Stage::Closed | Stage::Gone => match self.closed.get(&channel.of.channel) {
                Some(closing) => {
                    let since = closing.folded.state.since.time;
                    StageView::Closed { settles_from: Some(since.plus_secs(channel.key.window().secs())) }
                }
                None if self.wishes.contains_key(&close_key(&channel.of)) => StageView::Closing,
                None => StageView::Closed { settles_from: None },
            },
        };
        ChannelView {
            ledger: self.ledger,
            id: channel.of.channel,
            epoch: Some(channel.of.epoch),
            token: channel.key.token(),
            peer: channel.peer.address(),
            window: channel.key.window(),
            total: channel.chain.holdings.total,
            own: net(channel.side) + moved,
            peers: net(channel.side.other()) - moved,
            own_free: self.node.room(channel, None),
            peers_free: channel.free(channel.side.other()),
            own_pending: pending(own),
            peers_pending: pending(peers),
            updates: (own.nonce.0, peers.nonce.0),
            stage,
            standing: channel.standing.clone(),
            leaving: channel.leaving.map(|leaving| (leaving.side == channel.side, leaving.amount, leaving.deadline)),
            is_ready: channel.in_step && !channel.is_behind(),
            is_filling: self.has_deposits(&channel.of.channel),
            sight: self.node.sight(),
            unseen: self.unseen(channel.key.token()),
            taken_still: self.node.taken_still(channel),
        }
    }

    fn unseen(&self, token: Option<Address>) -> (Units, Units) {
        (self.node.unseen(token), self.node.unseen_limit(token))
    }

    pub(super) fn request_views(&self) -> Vec<RequestView> {
        let mut hashes: Vec<_> = self.requests.iter().collect();
        hashes.sort_by_key(|(hash, note)| (note.created_at, **hash));
        let view = |(hash, note): (&photon_chains::SecretHash, &super::engine::RequestNote)| {
            let expected = self.node.request(hash)?;
            Some(RequestView {
                ledger: self.ledger,
                secret_hash: *hash,
                id: expected.request.payment,
                amount: expected.request.amount,
                is_held: expected.request.secret.is_none(),
                is_pending: expected.lock.is_some(),
                memo: note.memo.clone(),
            })
        };
        hashes.into_iter().filter_map(view).collect()
    }

    /// The newest first.
    pub(super) fn running_views(&self, most: usize) -> Vec<PaymentView> {
        let mut all: Vec<_> = self.running.iter().collect();
        all.sort_by_key(|(id, running)| std::cmp::Reverse((running.created_at, **id)));
        all.into_iter().take(most).map(|(id, running)| self.running_of(*id, running)).collect()
    }

    pub(super) fn running_view(&self, id: &PaymentId) -> Option<PaymentView> {
        self.running.get(id).map(|running| self.running_of(*id, running))
    }

    fn running_of(&self, id: PaymentId, running: &Running) -> PaymentView {
        PaymentView {
            number: None,
            ledger: self.ledger,
            is_incoming: false,
            id,
            channel: running.channel,
            token: running.token,
            payee: Some(running.payee),
            amount: running.amount,
            fee: running.fee,
            secret_hash: running.secret_hash,
            state: PaymentState::Running,
            memo: running.memo.clone(),
            created_at: running.created_at,
            ended_at: None,
        }
    }
}

/// A payment that has ended.
pub(super) fn ended(row: EndedPayment) -> PaymentView {
    let EndedPayment { number, ledger, payment, ended_at } = row;
    PaymentView {
        number: Some(number),
        ledger,
        is_incoming: payment.is_incoming,
        id: payment.id,
        channel: payment.channel,
        token: payment.token,
        payee: payment.payee,
        amount: payment.amount,
        fee: payment.fee,
        secret_hash: payment.secret_hash,
        state: payment.failed.map_or(PaymentState::Paid, PaymentState::Failed),
        memo: payment.memo,
        created_at: payment.created_at,
        ended_at: Some(ended_at),
    }
}
