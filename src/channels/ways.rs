//! Over which channels a payment goes, and until when its locks stand.
//!
//! A payment begins with the best way that is known: straight to a neighbour, or over mediators as the chart shows them. When it
//! fails, what failed is learned, and the core asks for another way, until one goes through or there is none left.

use super::chart::Drawn;
use super::engine::Engine;
use super::words::{ChannelsError, FoundWay, NewPayment, PayBy, Payee, Through, WayQuery};
use photon_chains::{Address, BlockHeight, Expiry, PublicKey, SecretHash, UnixTime};
use photon_channel::route::{Edge, Graph, Query, Route};
use photon_channel::{Channel, ChannelId, Event, Hint, Hop, KnownKey, MOST_HOPS, Order, PaymentId, Reason, Tie, Units, Way};

/// How often other ways are looked for before a payment is given up.
const MOST_SEARCHES: u8 = 8;
/// Payees whose keys are kept.
const MOST_PAYEES: usize = 256;
/// Ways that are shown.
const SHOWN: usize = 5;

/// What a way is looked for.
#[derive(Copy, Clone)]
pub(super) struct Trip {
    pub(super) token: Option<Address>,
    pub(super) payee: Address,
    pub(super) amount: Units,
    pub(super) most_fee: Units,
    /// It must not be used twice in a channel.
    pub(super) hash: Option<SecretHash>,
    /// The channel straight to the payee over which it has failed.
    pub(super) without: Option<ChannelId>,
    /// The payment that it is for: what is kept for others is not for it.
    pub(super) payment: Option<PaymentId>,
    /// Asked as if nothing were kept, to see whether that is what it fails for.
    pub(super) all: bool,
}

/// A payment for which another way is looked for.
pub(super) struct Sought {
    id: PaymentId,
    reason: Reason,
    /// Before that it is too early to give up, and there is no use in looking again at once.
    until: UnixTime,
    next: UnixTime,
}

impl Engine {
    /// The order that a payment is to the core.
    pub(super) fn order_of(&mut self, id: PaymentId, new: &NewPayment) -> Result<Order, ChannelsError> {
        if new.amount.is_zero() {
            return Err(ChannelsError::Order("a payment of nothing"));
        }
        let payee = self.payee(&new.payee)?;
        let hash = match new.by {
            PayBy::Hash(hash) => Some(hash),
            PayBy::Direct | PayBy::Sealed => None,
        };
        let NewPayment { token, amount, most_fee, .. } = *new;
        let trip = Trip { token, payee: payee.address(), amount, most_fee, hash, without: None, payment: Some(id), all: false };
        let (ways, searches) = match self.first_ways(&trip, new) {
            Err(ChannelsError::NoWay) if self.first_ways(&Trip { all: true, ..trip }, new).is_ok() => Err(ChannelsError::Kept),
            found => found,
        }?;
        let tie = match new.by {
            PayBy::Direct => Tie::Direct,
            PayBy::Sealed => Tie::Sealed(super::orders::fresh_secret()?),
            PayBy::Hash(hash) => Tie::Hash(hash),
        };
        Ok(Order { id, token, payee, amount, most_fee, tie, ways, searches })
    }

    /// The ways on which a payment is tried first, and how often others are looked for then.
    fn first_ways(&self, trip: &Trip, new: &NewPayment) -> Result<(Vec<Way>, u8), ChannelsError> {
        let (ways, searches) = match &new.through {
            Through::Ways(ways) => (ways.clone(), 0),
            Through::Mediators(mediators) => (vec![self.over(trip, mediators)?], 0),
            Through::Any | Through::Hinted(_) if new.by == PayBy::Direct => (vec![self.at_once(trip)?], 0),
            Through::Any => (self.ways_of(trip, &[]), MOST_SEARCHES),
            Through::Hinted(hints) => (self.ways_of(trip, hints), MOST_SEARCHES),
        };
        if ways.is_empty() { Err(ChannelsError::NoWay) } else { Ok((ways, searches)) }
    }

    fn payee(&mut self, payee: &Payee) -> Result<KnownKey, ChannelsError> {
        match payee {
            Payee::Key(key) => self.keyed_payee(key),
            Payee::Account(address) => {
                let known = self.node.key_of(address).or_else(|| self.keys.get(address).copied());
                known.or_else(|| self.chart.key_of(address)).ok_or(ChannelsError::NoKey)
            }
        }
    }

    /// Reading a key off its bytes takes a square root, and most payments go to few payees: theirs are kept.
    fn keyed_payee(&mut self, key: &PublicKey) -> Result<KnownKey, ChannelsError> {
        if let Some(known) = self.payees.get(key.as_bytes()) {
            return Ok(*known);
        }
        let known = KnownKey::new(key).map_err(|_| ChannelsError::Order("the payee's public key is none"))?;
        if self.payees.len() >= MOST_PAYEES {
            self.payees.clear();
        }
        self.payees.insert(*key.as_bytes(), known);
        Ok(known)
    }

    /// Straight, and at once: nothing is locked.
    fn at_once(&self, trip: &Trip) -> Result<Way, ChannelsError> {
        let channel = self.roomiest(trip, &trip.payee, trip.amount).ok_or(ChannelsError::NoWay)?;
        Ok(Way { channel: channel.of.channel, amount: trip.amount, expiry: self.expiry_in(0), onward: Vec::new() })
    }

    /// The last lock's end is so far away that the payee can act.
    const fn last_secs(&self) -> u64 {
        2 * self.policy.reveal_margin_secs
    }

    /// The best way, and one over each neighbour that the payee has named.
    fn ways_of(&self, trip: &Trip, hints: &[Hint]) -> Vec<Way> {
        let mut ways: Vec<Way> = self.lead(trip, self.last_secs()).into_iter().collect();
        ways.extend(hints.iter().filter_map(|hint| self.lead_over(trip, hint)));
        ways.sort_by_key(|way| (way.amount, way.onward.len()));
        ways.dedup();
        ways
    }

    /// The best way to somebody: straight, where there is a channel with room.
    fn lead(&self, trip: &Trip, left_secs: u64) -> Option<Way> {
        // What others ask for is no reason to lock money for longer than is allowed to anybody.
        if left_secs > self.policy.longest_lock_secs {
            return None;
        }
        if let Some(channel) = self.roomiest(trip, &trip.payee, trip.amount) {
            let expiry = self.expiry_in(left_secs);
            return Some(Way { channel: channel.of.channel, amount: trip.amount, expiry, onward: Vec::new() });
        }
        self.found(trip, left_secs, 1).pop()
    }

    /// The way over a neighbour of the payee's that its request names.
    fn lead_over(&self, trip: &Trip, hint: &Hint) -> Option<Way> {
        if hint.capacity < trip.amount || hint.from == self.node.address() || hint.from == trip.payee {
            return None;
        }
        let fee = hint.edge(trip.payee).fee(trip.amount)?;
        let most_fee = trip.most_fee.checked_sub(fee)?;
        let before = Trip { payee: hint.from, amount: trip.amount.checked_add(fee)?, most_fee, ..*trip };
        let left_secs = self.last_secs();
        let mut way = self.lead(&before, left_secs.checked_add(u64::from(hint.slack_secs))?)?;
        way.onward.push(Hop { to: trip.payee, amount: trip.amount, expiry: self.expiry_in(left_secs) });
        (way.onward.len() <= MOST_HOPS).then_some(way)
    }

    /// Ways over mediators for a payment that ends so late, the cheapest first.
    fn found(&self, trip: &Trip, left_secs: u64, count: usize) -> Vec<Way> {
        let most_secs = u32::try_from(self.policy.longest_lock_secs.saturating_sub(left_secs)).unwrap_or(u32::MAX);
        self.routes(trip, most_secs, count, &|later_secs| self.expiry_in(left_secs + later_secs))
    }

    /// Ways over mediators, the cheapest first; `end`: of a lock that ends so many seconds after the last one. Neighbours that are
    /// connected, and channels that can take another lock at once, are preferred: the others are waited for.
    pub(super) fn routes(&self, trip: &Trip, most_secs: u32, count: usize, end: &dyn Fn(u64) -> Expiry) -> Vec<Way> {
        let mut drawn = self.chart.lock();
        let Drawn { graphs, finder, .. } = &mut *drawn;
        let Some(graph) = graphs.get(&trip.token) else { return Vec::new() };
        let Trip { payee, amount, most_fee, .. } = *trip;
        let query = Query { payer: self.node.address(), payee, amount, most_fee, most_secs };
        for at_once in [true, false] {
            let own = |edge: &Edge, _| self.room(trip, &edge.channel, at_once);
            let routes = match count {
                1 => finder.best_by(graph, &query, own).into_iter().collect(),
                count => finder.several_by(graph, &query, count, own),
            };
            if !routes.is_empty() {
                return routes.iter().filter_map(|route| way_along(graph, route, end)).collect();
            }
        }
        Vec::new()
    }

    /// What an own channel has for this.
    fn left(&self, trip: &Trip, channel: &Channel) -> i128 {
        if trip.all { channel.free(channel.side) } else { self.node.room(channel, trip.payment.as_ref()) }
    }

    /// What can be locked in an own channel for this.
    fn room(&self, trip: &Trip, id: &ChannelId, at_once: bool) -> Units {
        let is_ready = |channel: &Channel| channel.in_step && !self.is_full(channel);
        let channel = self.node.channel(id).filter(|channel| fits(trip, channel) && (!at_once || is_ready(channel)));
        channel.and_then(|channel| Units::from_signed(self.left(trip, channel).max(0))).unwrap_or_default()
    }

    /// The way through these mediators, each of them paid what it announces, or else as this node would be, and each lock before
    /// another later by what its mediator needs.
    fn over(&self, trip: &Trip, mediators: &[Address]) -> Result<Way, ChannelsError> {
        if mediators.len() > MOST_HOPS {
            return Err(ChannelsError::Order("too many mediators"));
        }
        let mut amount = trip.amount;
        let mut left_secs = self.last_secs();
        let mut onward = Vec::new();
        let mut to = trip.payee;
        // From the payee back.
        for mediator in mediators.iter().rev() {
            onward.insert(0, Hop { to, amount, expiry: self.expiry_in(left_secs) });
            let (fee, slack_secs) = match self.chart.edge(trip.token, mediator, &to, amount) {
                Some(edge) => (edge.fee(amount), u64::from(edge.slack_secs)),
                None => (self.policy.fee(amount), self.policy.hop_slack_secs),
            };
            amount = fee.and_then(|fee| amount.checked_add(fee)).ok_or(ChannelsError::NoWay)?;
            left_secs += slack_secs;
            to = *mediator;
        }
        if left_secs > self.policy.longest_lock_secs {
            return Err(ChannelsError::NoWay);
        }
        let channel = self.roomiest(trip, &to, amount).ok_or(ChannelsError::NoWay)?;
        Ok(Way { channel: channel.of.channel, amount, expiry: self.expiry_in(left_secs), onward })
    }

    /// The channel with that neighbour that has the most to spend, if it has so much: one that can take another lock at once, if
    /// there is one.
    fn roomiest(&self, trip: &Trip, peer: &Address, amount: Units) -> Option<&Channel> {
        let fitting =
            self.node.channels_with_peer(peer).filter(|channel| channel.key.token() == trip.token && fits(trip, channel));
        let free = |channel: &Channel| self.left(trip, channel);
        let enough = fitting.filter(|channel| free(channel) >= amount.signed());
        enough.max_by_key(|channel| (!self.is_full(channel), free(channel)))
    }

    /// Whether a lock that goes over it has to wait until another one is gone.
    fn is_full(&self, channel: &Channel) -> bool {
        channel.outgoing.locks.len() >= self.policy.most_locks
    }

    /// A lock judged by the registry, that opens after so long by both clocks.
    fn expiry_in(&self, secs: u64) -> Expiry {
        let latest = self.node.tip().latest;
        let time = crate::clock::now().max(latest.time).plus_secs(secs);
        let block = latest.block.plus(secs / self.block_secs.max(1));
        Expiry { opens_block: BlockHeight::new(block.get()), linked: true, ..Expiry::at(time) }
    }

    /// The ways on which a payment would be tried now.
    pub(super) fn ways_now(&self, query: &WayQuery) -> Vec<FoundWay> {
        let WayQuery { token, payee, amount, most_fee, .. } = *query;
        let trip = Trip { token, payee, amount, most_fee, hash: None, without: None, payment: None, all: false };
        let mut ways = Vec::new();
        if let Some(channel) = self.roomiest(&trip, &payee, amount).filter(|channel| channel.in_step) {
            let expiry = self.expiry_in(self.last_secs());
            ways.push(Way { channel: channel.of.channel, amount, expiry, onward: Vec::new() });
        }
        ways.extend(self.found(&trip, self.last_secs(), SHOWN).into_iter().filter(|way| !way.onward.is_empty()));
        ways.truncate(SHOWN);
        let shown = |way: &Way| {
            let first = self.node.channel(&way.channel).map(|channel| channel.peer.address());
            let through = first.into_iter().chain(way.onward.iter().map(|hop| hop.to)).filter(|node| *node != payee);
            FoundWay { fee: way.amount.saturating_sub(amount), through: through.collect() }
        };
        ways.iter().map(shown).collect()
    }

    /// An attempt has failed: whoever could not send on is avoided for a while.
    pub(super) fn learn_failure(&self, id: &PaymentId, reason: Reason, failed: &(Address, Address, Units)) {
        let Some(running) = self.running.get(id) else { return };
        let (from, to, amount) = failed;
        // Too little money there: less may still go. Anything else is about the whole channel.
        let least = if reason == Reason::Funds { *amount } else { Units::from(1) };
        self.chart.failed(running.token, (from, to), least, crate::clock::now());
    }

    /// All ways of a payment have failed, and others are asked for. One of an earlier process is not given up before the neighbours
    /// had time to come back and to tell the ways that they know.
    pub(super) fn seek(&mut self, id: PaymentId, reason: Reason) {
        let now = crate::clock::now();
        let is_of_this_process = self.running.get(&id).is_some_and(|running| running.waiter.is_some());
        let until = if is_of_this_process { now } else { self.begun.plus_secs(self.policy.return_secs) };
        self.sought.push(Sought { id, reason, until, next: now });
    }

    /// Answers what the core has asked for. True if that makes another step.
    pub(super) fn find_ways(&mut self) -> bool {
        let now = crate::clock::now();
        let mut has_answered = false;
        for sought in std::mem::take(&mut self.sought) {
            let Sought { id, reason, until, next } = sought;
            let ways = if now < next { Vec::new() } else { self.other_ways(&id, reason) };
            if ways.is_empty() && now < until && !is_final(reason) {
                let next = if now < next { next } else { now.plus_secs(1) };
                self.sought.push(Sought { next, ..sought });
                continue;
            }
            self.node.take(Event::Ways(id, ways, reason));
            has_answered = true;
        }
        has_answered
    }

    fn other_ways(&self, id: &PaymentId, reason: Reason) -> Vec<Way> {
        let (Some(payment), Some(running)) = (self.node.payment(id), self.running.get(id)) else { return Vec::new() };
        if is_final(reason) {
            return Vec::new();
        }
        let order = &payment.order;
        let hash = match &order.tie {
            Tie::Hash(hash) => Some(*hash),
            Tie::Direct | Tie::Sealed(_) => None,
        };
        let payee = order.payee.address();
        let without = self.node.channel(&running.channel).filter(|channel| channel.peer.address() == payee);
        let without = without.map(|channel| channel.of.channel);
        let trip = Trip {
            token: order.token,
            payee,
            amount: order.amount,
            most_fee: order.most_fee,
            hash,
            without,
            payment: Some(*id),
            all: false,
        };
        self.ways_of(&trip, &running.hints)
    }
}

fn way_along(graph: &Graph, route: &Route, end: &dyn Fn(u64) -> Expiry) -> Option<Way> {
    let mut hops = Vec::with_capacity(route.edges.len());
    for ((edge, amount), later_secs) in route.edges.iter().zip(&route.amounts).zip(&route.later_secs) {
        let edge = graph.edge(*edge)?;
        hops.push((edge.channel, Hop { to: edge.to, amount: *amount, expiry: end(u64::from(*later_secs)) }));
    }
    let ((channel, first), onward) = hops.split_first()?;
    let onward = onward.iter().map(|(_, hop)| *hop).collect();
    Some(Way { channel: *channel, amount: first.amount, expiry: first.expiry, onward })
}

/// Whether a channel can take the first lock, now or later.
fn fits(trip: &Trip, channel: &Channel) -> bool {
    let is_used = trip.hash.is_some_and(|hash| channel.disposed.contains(&hash));
    channel.is_active() && !is_used && trip.without != Some(channel.of.channel)
}

/// The payee itself does not want it: no other way helps.
const fn is_final(reason: Reason) -> bool {
    matches!(reason, Reason::Unknown | Reason::GivenUp)
}
