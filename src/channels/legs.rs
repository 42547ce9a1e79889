//! Payments that are legs of swaps: how far they are, and over which channels they can go.
//!
//! A leg is named by what is in its lock alone, so that everything is found again after a restart, in the engine while it is
//! pending and in the payments' table once it has ended. Nothing about it is stored beside these.

use super::engine::Engine;
use super::views;
use super::ways::Trip;
use super::words::{ChannelsError, PaymentState};
use super::{Channels, Deed};
use crate::clock;
use photon_chains::{Address, BlockHeight, Expiry, Ledger, Secret, SecretHash};
use photon_channel::{
    Channel, ChannelId, ChannelRef, Hop, KnownKey, LockNo, LockState, PaymentId, Progress, Units, Way, is_in_time, is_open,
};

/// A leg, as it is looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The payment's name.
    pub id: PaymentId,
    /// Its hash.
    pub hash: SecretHash,
    /// The agreed end of the payee's lock.
    pub until: Expiry,
    /// Whether this node pays it.
    pub is_ours: bool,
}

/// How far a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegState {
    /// Nothing of it is anywhere.
    Absent,
    /// Taken on, and nothing signed yet.
    Queued,
    /// Its lock stands in the payer's balance proof.
    Locked {
        /// The secret, once it is known.
        secret: Option<Secret>,
        /// The registry has it in time and at depth: it is the payee's for ever.
        is_sure: bool,
        /// The payee has signed it away.
        is_leaving: bool,
    },
    /// The payee has it. Its payer knows the secret.
    Paid(Option<Secret>),
    /// It went back to its payer, or can only go there, or never left.
    Back,
}

/// What the engine can say of a leg.
enum Found {
    Here(LegState),
    /// It is not in the engine: what has ended is in the store.
    Ended,
    /// It ends in the step that is being made.
    Ending,
}

/// A leg to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegOrder {
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// Whom.
    pub payee: KnownKey,
    /// How much arrives.
    pub amount: Units,
    /// When the payee's lock ends.
    pub until: Expiry,
    /// The most mediators.
    pub reach: u8,
    /// Its hash: a channel in which it was given back is not asked again.
    pub hash: SecretHash,
    /// The payment's name: what is kept for it is counted in.
    pub id: PaymentId,
}

/// Ways that are tried.
pub(super) const MOST_TRIED: usize = 8;
/// So many millionths of what arrives may mediators ask for in all, or else what each of them would be paid by this node's own policy.
const MOST_FEE_PPM: u128 = 10_000;

impl Channels {
    /// How far these legs are, in their order; none for one that is just ending.
    pub async fn legs(&self, ledger: Ledger, legs: Vec<Leg>) -> Result<Vec<Option<LegState>>, ChannelsError> {
        let asked = legs.clone();
        let found = self.look(ledger, move |engine| asked.iter().map(|leg| engine.leg(leg)).collect::<Vec<_>>()).await?;
        let mut states = Vec::new();
        for (leg, found) in legs.iter().zip(found) {
            states.push(match found {
                Found::Here(state) => Some(state),
                Found::Ended => Some(self.ended_leg(ledger, leg).await?),
                Found::Ending => None,
            });
        }
        Ok(states)
    }

    async fn ended_leg(&self, ledger: Ledger, leg: &Leg) -> Result<LegState, ChannelsError> {
        let store = &self.0.store;
        let stopped = |_| ChannelsError::Stopped;
        if leg.is_ours {
            let Some(made) = store.made_payment(ledger, leg.id).await.map_err(stopped)? else { return Ok(LegState::Absent) };
            return Ok(match views::ended(made).state {
                PaymentState::Failed(_) => LegState::Back,
                PaymentState::Paid | PaymentState::Running => {
                    LegState::Paid(store.receipt_of(ledger, leg.id).await.map_err(stopped)?)
                }
            });
        }
        let came = store.received_for(leg.hash).await.map_err(stopped)?;
        let is_here = came.iter().any(|row| row.ledger == ledger && row.payment.id == leg.id);
        Ok(if is_here { LegState::Paid(None) } else { LegState::Absent })
    }

    /// The ways over which a leg can be paid now, the straight one alone where there is one.
    pub async fn leg_ways(&self, ledger: Ledger, order: LegOrder) -> Result<Vec<Way>, ChannelsError> {
        self.look(ledger, move |engine| engine.leg_ways(&order)).await
    }

    /// How much of a token can be paid now over each channel.
    pub async fn leg_room(&self, ledger: Ledger, token: Option<Address>) -> Result<Vec<Units>, ChannelsError> {
        self.look(ledger, move |engine| engine.leg_room(token)).await
    }

    /// Whether there is an open channel with that neighbour in that token.
    pub async fn has_straight(&self, ledger: Ledger, token: Option<Address>, peer: Address) -> Result<bool, ChannelsError> {
        self.look(ledger, move |engine| engine.usable(token).any(|channel| channel.peer.address() == peer)).await
    }

    /// Keeps room in a channel for a leg that is to be paid, until its lock stands or it is freed: no payment of the owner's, none that is
    /// sent on and no withdrawal takes it. False: the channel has not so much beside what is kept for others.
    pub async fn keep_room(
        &self,
        ledger: Ledger,
        leg: PaymentId,
        channel: ChannelId,
        amount: Units,
    ) -> Result<bool, ChannelsError> {
        match self.deed(ledger, Deed::KeepRoom(leg, channel, amount)).await {
            Ok(()) => Ok(true),
            Err(ChannelsError::NoWay) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was kept for a leg is free again.
    pub async fn free_room(&self, ledger: Ledger, leg: PaymentId) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::FreeRoom(leg)).await
    }

    /// Tells the engine a secret that is public, or may be: whatever it opens is claimed, or paid. Refused where what is held for it
    /// could not be claimed any more: then it would be shown and take nothing.
    pub async fn learn(&self, ledger: Ledger, secret: Secret) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Learn(secret)).await
    }
}

impl Engine {
    fn leg(&self, leg: &Leg) -> Found {
        if leg.is_ours { self.own_leg(leg) } else { self.awaited_leg(leg) }
    }

    /// Whether what is held for a secret closes before the next block can show that it was public in time.
    pub(super) fn is_shut(&self, hash: &SecretHash) -> bool {
        let Some((of, number)) = self.node.request(hash).and_then(|expected| expected.lock) else { return false };
        let lock = self.node.channel(&of.channel).and_then(|channel| channel.incoming.lock(number));
        let closes = lock.and_then(|held| held.lock.expiry.closes);
        let next_block = clock::now().max(self.node.tip().latest.time).plus_secs(self.block_secs);
        closes.is_some_and(|closes| next_block >= closes)
    }

    fn own_leg(&self, leg: &Leg) -> Found {
        let Some(payment) = self.node.payment(&leg.id) else {
            return if self.running.contains_key(&leg.id) { Found::Ending } else { Found::Ended };
        };
        match payment.progress {
            Progress::Queued | Progress::Paid(..) => Found::Here(LegState::Queued),
            Progress::Locked(of, number) => self.locked(false, of, number).map_or(Found::Ending, Found::Here),
        }
    }

    fn awaited_leg(&self, leg: &Leg) -> Found {
        let Some(expected) = self.node.request(&leg.hash) else {
            return if self.requests.contains_key(&leg.hash) { Found::Ending } else { Found::Ended };
        };
        if expected.request.payment != leg.id {
            return Found::Here(LegState::Absent);
        }
        match expected.lock {
            Some((of, number)) => self.locked(true, of, number).map_or(Found::Ending, Found::Here),
            None if is_open(&leg.until, &self.node.tip().deep) => Found::Here(LegState::Back),
            None => Found::Here(LegState::Absent),
        }
    }

    fn locked(&self, incoming: bool, of: ChannelRef, number: LockNo) -> Option<LegState> {
        let channel = self.node.channel(&of.channel)?;
        let flow = if incoming { &channel.incoming } else { &channel.outgoing };
        let held = flow.lock(number)?;
        let entry = self.node.registered(&held.lock.secret_hash);
        let in_time = entry.filter(|entry| is_in_time(&held.lock.expiry, &entry.at));
        // Its payer may never say so, but it can only go back: a secret that was shown too late is no claim.
        if incoming && in_time.is_none() && is_open(&held.lock.expiry, &self.node.tip().deep) {
            return Some(LegState::Back);
        }
        let is_sure = in_time.is_some_and(|entry| entry.is_deep);
        let (secret, is_leaving) = match &held.state {
            LockState::Waiting => (None, false),
            LockState::Known(secret) => (Some(secret.clone()), false),
            LockState::Disposed(_) => (None, true),
        };
        Some(LegState::Locked { secret, is_sure, is_leaving })
    }

    /// Channels in a token that can be paid over, or could be once their neighbour is there.
    fn usable(&self, token: Option<Address>) -> impl Iterator<Item = &Channel> {
        self.node.channels().filter(move |channel| channel.key.token() == token && channel.is_active())
    }

    fn leg_room(&self, token: Option<Address>) -> Vec<Units> {
        let free = |channel: &Channel| Units::from_signed(channel.free(channel.side)).unwrap_or_default();
        self.usable(token).map(free).collect()
    }

    fn leg_ways(&self, order: &LegOrder) -> Vec<Way> {
        let payee = order.payee.address();
        let straight = self.usable(order.token).filter(|channel| channel.peer.address() == payee);
        let left = |channel: &&Channel| self.node.room(channel, Some(&order.id));
        if let Some(channel) = straight.max_by_key(left).filter(|channel| left(channel) >= order.amount.signed()) {
            return vec![Way { channel: channel.of.channel, amount: order.amount, expiry: order.until, onward: Vec::new() }];
        }
        if order.reach == 0 {
            return Vec::new();
        }
        let most_fee = self.most_leg_fee(order);
        let trip = Trip {
            token: order.token,
            payee,
            amount: order.amount,
            most_fee,
            hash: Some(order.hash),
            without: None,
            payment: Some(order.id),
            all: false,
        };
        // The terms count on no more than this node's own slack for each mediator.
        let most_secs = self.policy.hop_slack_secs.saturating_mul(u64::from(order.reach));
        let most_secs = u32::try_from(most_secs).unwrap_or(u32::MAX);
        let mut ways = self.routes(&trip, most_secs, MOST_TRIED, &|later_secs| self.earlier(&order.until, later_secs));
        ways.retain(|way| way.onward.len() <= usize::from(order.reach));
        if ways.is_empty() { self.guessed_ways(order) } else { ways }
    }

    /// Over a neighbour that may know the payee though nobody has announced it, and is paid as this node would be.
    fn guessed_ways(&self, order: &LegOrder) -> Vec<Way> {
        let payee = order.payee.address();
        let Some(amount) = self.policy.fee(order.amount).and_then(|fee| order.amount.checked_add(fee)) else { return Vec::new() };
        let left = |channel: &Channel| self.node.room(channel, Some(&order.id));
        let mut over: Vec<&Channel> = self
            .usable(order.token)
            .filter(|channel| channel.in_step && channel.peer.address() != payee && left(channel) >= amount.signed())
            .collect();
        over.sort_by_key(|channel| std::cmp::Reverse(left(channel)));
        let expiry = self.earlier(&order.until, self.policy.hop_slack_secs);
        let hop = Hop { to: payee, amount: order.amount, expiry: order.until };
        let way = |channel: &Channel| Way { channel: channel.of.channel, amount, expiry, onward: vec![hop] };
        over.into_iter().take(MOST_TRIED).map(way).collect()
    }

    fn most_leg_fee(&self, order: &LegOrder) -> Units {
        let part = Units::new(order.amount.get().saturating_mul(MOST_FEE_PPM).div_ceil(1_000_000)).unwrap_or(Units::MAX);
        let own = self.policy.fee(order.amount).unwrap_or_default();
        let all = (0..order.reach).try_fold(Units::ZERO, |sum, _| sum.checked_add(own)).unwrap_or(Units::MAX);
        part.max(all)
    }

    /// The expiry of a lock that ends so much later than the one with that expiry, in all that it says.
    fn earlier(&self, until: &Expiry, slack_secs: u64) -> Expiry {
        let blocks = if until.opens_block.get() == 0 { 0 } else { slack_secs.div_ceil(self.block_secs.max(1)) };
        Expiry {
            opens_time: until.opens_time.plus_secs(slack_secs),
            opens_block: BlockHeight::new(until.opens_block.get() + blocks),
            closes: until.closes.map(|closes| closes.plus_secs(slack_secs)),
            ..*until
        }
    }
}
