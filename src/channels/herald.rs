//! The herald of one ledger: says what this node's own channels take and carry, hears what others say of theirs, passes it on to
//! its neighbours, and draws the chart by which ways are found.
//!
//! It works beside the engine, which never waits for it: ways are a matter of knowledge, not of money, and whatever is said here can
//! only make a payment take another way, or none.
//!
//! - Only neighbours are heard: who speaks has paid for a channel with this node. A channel is believed in once the chain shows it
//!   (see `survey`), a word about it once its party's signature is found right (see [`photon_channel::route::Board`]).
//! - A channel of the node's own is told of to others only once both its parties have announced it to each other: whoever announces
//!   nothing stays unknown to everybody but its neighbours, and is paid by requests that name one of them.
//! - Nothing is stored. Neighbours say it all again after a connection, page by page.

use super::chart::{Chart, Drawn};
use super::engine::Input;
use super::follow::PortSource;
use super::peers::{Links, Neighbours, Outgoing, tiding_frames};
use super::survey::{Own, Survey, Unseen, survey};
use crate::clock;
use crate::peer::Link;
use photon_chains::{Address, Ledger, UnixTime};
use photon_channel::contract::Word;
use photon_channel::route::{Announcement, Edge, Graph, LEAST_SECS, LIFE_SECS, Tiding, Unheard};
use photon_channel::{ChannelId, ChannelKey, Domain, Policy, Signer, Units};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Channels of which a new neighbour is told at each round.
const PAGE: usize = 128;
/// Known channels that are looked at again at each round.
const IN_TURN: usize = 16;
/// A word of the node's own that has not changed is said again after so long.
const AGAIN_SECS: u64 = LIFE_SECS / 4;
/// Drawing takes at most this part of the time.
const DRAWING_PART: u32 = 20;

/// Something that a herald is to take in.
pub(super) enum Heard {
    /// A connection is there.
    Up(Link),
    /// It is gone.
    Down(Address, u64),
    /// A neighbour passes on what it has heard.
    Said(Address, Vec<Tiding>),
}

/// What a herald is made of.
pub(super) struct HeraldParts {
    pub(super) ledger: Ledger,
    pub(super) signer: Signer,
    pub(super) domain: Domain,
    pub(super) contract: Address,
    pub(super) policy: Policy,
    pub(super) tokens: BTreeSet<Address>,
    /// Whether the owner announces channels.
    pub(super) announces: bool,
    pub(super) source: PortSource,
    pub(super) engine: mpsc::Sender<Input>,
    pub(super) neighbours: Neighbours,
    pub(super) chart: Chart,
}

/// See the module.
pub(super) struct Herald {
    parts: HeraldParts,
    links: Links,
    own: BTreeMap<ChannelId, Own>,
    /// What was said last of each own channel, and whether it was said more than once since this process began: of what an earlier
    /// one said a moment before, neighbours don't take a newer word at once.
    said: BTreeMap<ChannelId, (Announcement, bool)>,
    unseen: Unseen,
    /// New neighbours, and up to where they were told.
    told: BTreeMap<Address, Option<ChannelId>>,
    /// Neighbours whose channel has just opened here. They listen once they see it too: when they speak of it, or by then.
    silent: Vec<(UnixTime, ChannelId, Address)>,
    /// To be passed on, and who brought it.
    fresh: Vec<(Tiding, Address)>,
    turn: Option<ChannelId>,
    /// Directions of which something was said since the last drawing.
    anew: BTreeSet<(ChannelId, Address)>,
    is_changed: bool,
    draws_from: Instant,
}

impl Herald {
    pub(super) fn new(parts: HeraldParts) -> Self {
        Self {
            parts,
            links: Links::default(),
            own: BTreeMap::new(),
            said: BTreeMap::new(),
            unseen: Unseen::default(),
            told: BTreeMap::new(),
            silent: Vec::new(),
            fresh: Vec::new(),
            turn: None,
            anew: BTreeSet::new(),
            is_changed: false,
            draws_from: Instant::now(),
        }
    }

    /// Works until the engine has ended.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Heard>, pace: Duration) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(pace);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // At most one at a time: a node that does not answer holds up nothing but the next look.
        let mut surveys = JoinSet::new();
        loop {
            tokio::select! {
                heard = inbox.recv() => match heard {
                    Some(heard) => self.take(heard, clock::now()),
                    None => return Ok(()),
                },
                Some(done) = surveys.join_next() => match done? {
                    Some(found) => self.found(found, clock::now()),
                    None => return Ok(()),
                },
                _ = tick.tick() => {
                    if surveys.is_empty() {
                        let HeraldParts { engine, source, contract, .. } = &self.parts;
                        let (engine, source, contract) = (engine.clone(), source.clone(), *contract);
                        surveys.spawn(survey(engine, source, contract, self.asks(pace)));
                    }
                    self.tell_newcomers(clock::now());
                    self.parts.chart.forget(clock::now());
                }
            }
            self.pass_on();
            self.draw(pace).await?;
        }
    }

    fn take(&mut self, heard: Heard, now: UnixTime) {
        match heard {
            Heard::Up(link) => {
                let peer = link.peer();
                if self.links.add(link) {
                    self.told.insert(peer, None);
                }
            }
            Heard::Down(peer, link) => match self.links.remove(&peer, link) {
                None => {}
                Some(true) => drop(self.told.insert(peer, None)),
                // What it has had checked still counts: a new connection is no new account.
                Some(false) => drop(self.told.remove(&peer)),
            },
            Heard::Said(peer, tidings) => tidings.into_iter().for_each(|tiding| self.hear(tiding, peer, now)),
        }
    }

    fn hear(&mut self, tiding: Tiding, from: Address, now: UnixTime) {
        let Some(speaker) = tiding.speaker() else { return };
        let is_trusted = tiding.key.token().is_none_or(|token| self.parts.tokens.contains(&token));
        // What this node says it need not be told.
        if !is_trusted || speaker == self.address() {
            return;
        }
        let id = tiding.announced.announcement.of.channel;
        let heard = self.parts.chart.lock().board.hear(&tiding.announced, from, now);
        match heard {
            Ok(()) => self.is_news(tiding, speaker, from),
            Err(Unheard::Channel) if !self.own.contains_key(&id) => self.unseen.add(tiding, from),
            Err(Unheard::Channel | Unheard::Old | Unheard::Time | Unheard::Often | Unheard::Signature) => {}
        }
    }

    fn is_news(&mut self, tiding: Tiding, speaker: Address, from: Address) {
        let id = tiding.announced.announcement.of.channel;
        if self.silent.extract_if(.., |(_, silent, peer)| *silent == id && *peer == speaker).next().is_some() {
            self.told.insert(speaker, None);
        }
        self.anew.insert((id, speaker));
        self.is_changed = true;
        self.fresh.push((tiding, from));
        // Now that both parties have said theirs, others may hear of both.
        if let Some(own) = self.own.get(&id) {
            let other = if speaker == own.peer { self.address() } else { own.peer };
            let word = self.parts.chart.lock().board.word(&id, &other).copied();
            self.fresh.extend(word.map(|announced| (Tiding { key: own.key, announced }, other)));
        }
    }

    fn address(&self) -> Address {
        self.parts.signer.address()
    }

    /// What is to be looked for on the chain at this round.
    fn asks(&mut self, pace: Duration) -> Vec<ChannelKey> {
        let mut asks = self.unseen.due(pace);
        let mut drawn = self.parts.chart.lock();
        let doubtful: Vec<ChannelId> = std::mem::take(&mut drawn.doubtful).into_iter().take(IN_TURN).collect();
        asks.extend(doubtful.iter().filter_map(|id| drawn.board.key(id)).map(|(key, _)| key));
        let in_turn: Vec<ChannelKey> = drawn.board.after(self.turn).take(IN_TURN).copied().collect();
        self.turn = in_turn.last().map(ChannelKey::id);
        asks.extend(in_turn);
        asks
    }

    fn found(&mut self, survey: Survey, now: UnixTime) {
        let gone: Vec<ChannelId> = self.own.keys().filter(|id| !survey.own.contains_key(*id)).copied().collect();
        for id in &gone {
            self.said.remove(id);
            self.parts.chart.lock().board.closed(id);
            self.is_changed = true;
        }
        for (id, own) in &survey.own {
            let before = self.own.get(id);
            self.is_changed |= before.is_none_or(|before| (before.of, before.total) != (own.of, own.total));
            if before.is_none_or(|before| before.of != own.of) {
                self.silent.push((now.plus_secs(LEAST_SECS), *id, own.peer));
            }
            self.parts.chart.lock().board.opened(own.key, own.of.epoch, own.total);
        }
        self.own = survey.own;
        // A counterparty may have spoken of it before it was one here.
        let early: Vec<(Tiding, Address)> = self.own.keys().flat_map(|id| self.unseen.take(id)).collect();
        early.into_iter().for_each(|(tiding, from)| self.hear(tiding, from, now));
        for (key, word) in survey.seen {
            let id = key.id();
            if self.own.contains_key(&id) {
                continue;
            }
            match word {
                Word::Open(open) => {
                    self.parts.chart.lock().board.opened(key, open.epoch, open.holdings.total);
                    for (tiding, from) in self.unseen.take(&id) {
                        self.hear(tiding, from, now);
                    }
                }
                Word::Empty | Word::Closed(_) => {
                    let mut drawn = self.parts.chart.lock();
                    if drawn.board.key(&id).is_some() {
                        drawn.board.closed(&id);
                        self.is_changed = true;
                    }
                }
            }
        }
        if self.parts.announces {
            self.announce(now);
        }
    }

    /// Says what has changed much, and now and then what has not.
    fn announce(&mut self, now: UnixTime) {
        let due: Vec<Own> = self.own.values().filter(|own| self.is_due(own, now)).copied().collect();
        for own in due {
            let (id, own_address) = (own.of.channel, self.address());
            let Some(from) = own.key.side_of(&own_address) else { continue };
            let Policy { fee_base, fee_ppm, hop_slack_secs, .. } = self.parts.policy;
            let announcement = Announcement {
                of: own.of,
                from,
                fee_base,
                fee_ppm,
                slack_secs: u32::try_from(hop_slack_secs).unwrap_or(u32::MAX),
                capacity: Announcement::about(own.free),
                // Time goes on over restarts too.
                sequence: now.secs(),
                time: now,
            };
            let announced = announcement.sign(&self.parts.signer, &self.parts.domain);
            let is_first = self.said.get(&id).is_none_or(|(last, _)| last.of != own.of);
            let heard = self.parts.chart.lock().board.hear(&announced, own_address, now);
            if heard.is_ok() {
                self.said.insert(id, (announcement, !is_first));
                self.is_news(Tiding { key: own.key, announced }, own_address, own_address);
            }
        }
    }

    fn is_due(&self, own: &Own, now: UnixTime) -> bool {
        let Some((last, is_said_again)) = self.said.get(&own.of.channel).filter(|(last, _)| last.of == own.of) else {
            return true;
        };
        let age = now.secs_since(last.time);
        let (was, is) = (last.capacity.get(), Announcement::about(own.free).get());
        let is_other = is * 2 <= was && was > 0 || was * 2 <= is && is > 0;
        age >= LEAST_SECS && (is_other || !is_said_again || age >= AGAIN_SECS)
    }

    /// Whether a neighbour may hear it from here.
    fn may_tell(&self, tiding: &Tiding, to: &Address) -> bool {
        let id = tiding.announced.announcement.of.channel;
        let Some(own) = self.own.get(&id) else { return true };
        let drawn = self.parts.chart.lock();
        own.peer == *to || [own.peer, self.address()].iter().all(|party| drawn.board.word(&id, party).is_some())
    }

    /// Tells all neighbours what is new, but not those who brought it.
    fn pass_on(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let fresh = std::mem::take(&mut self.fresh);
        for peer in self.parts.neighbours.of(self.parts.ledger) {
            let news = fresh.iter().filter(|(tiding, from)| *from != peer && self.may_tell(tiding, &peer));
            let news: Vec<Tiding> = news.map(|(tiding, _)| *tiding).collect();
            self.tell(&peer, &news);
        }
    }

    /// Tells new neighbours of all channels, a page at a round.
    fn tell_newcomers(&mut self, now: UnixTime) {
        // Who announces nothing says nothing, and may listen by now all the same.
        let late: Vec<_> = self.silent.extract_if(.., |(due, ..)| *due <= now).collect();
        for (_, _, peer) in late.into_iter().filter(|(_, _, peer)| self.links.has(peer)) {
            self.told.insert(peer, None);
        }
        let neighbours: BTreeSet<Address> = self.own.values().map(|own| own.peer).collect();
        let newcomers: Vec<Address> = self.told.keys().filter(|peer| neighbours.contains(*peer)).copied().collect();
        for peer in newcomers {
            let Some(after) = self.told.get(&peer).copied() else { continue };
            let page: Vec<Tiding> = self.parts.chart.lock().board.said(after, PAGE, now).collect();
            let Some(last) = page.last() else {
                self.told.remove(&peer);
                continue;
            };
            self.told.insert(peer, Some(last.announced.announcement.of.channel));
            let page: Vec<Tiding> = page.into_iter().filter(|tiding| self.may_tell(tiding, &peer)).collect();
            self.tell(&peer, &page);
        }
    }

    /// Whoever is not connected is told all of it after its next connection.
    fn tell(&self, peer: &Address, tidings: &[Tiding]) {
        for frame in tiding_frames(self.parts.ledger, tidings) {
            Outgoing::hand_over(&self.links, peer, frame);
        }
    }

    /// Makes the graphs anew where something has changed.
    async fn draw(&mut self, pace: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        if !self.is_changed || begun < self.draws_from {
            return Ok(());
        }
        self.is_changed = false;
        let tokens: Vec<Option<Address>> = self.parts.tokens.iter().copied().map(Some).chain([None]).collect();
        let now = clock::now();
        let mut edges = Vec::new();
        for token in tokens {
            let mut all: Vec<Edge> = self.parts.chart.lock().board.edges(token, now).collect();
            all.extend(self.own.values().filter(|own| own.key.token() == token).map(|own| self.own_edge(own)));
            edges.push((token, all));
        }
        // A large graph takes longer than others should wait for.
        let draw = || edges.into_iter().map(|(token, edges)| (token, Graph::new(edges))).collect::<BTreeMap<_, _>>();
        let mut graphs = tokio::task::spawn_blocking(draw).await?;
        let anew = std::mem::take(&mut self.anew);
        let mut drawn = self.parts.chart.lock();
        let Drawn { graphs: earlier, .. } = &mut *drawn;
        for (token, graph) in &mut graphs {
            if let Some(earlier) = earlier.get(token) {
                graph.remember(earlier, |edge| anew.contains(&(edge.channel, edge.from)));
            }
        }
        *earlier = graphs;
        self.draws_from = Instant::now() + pace.max(begun.elapsed() * DRAWING_PART);
        Ok(())
    }

    /// What goes out over an own channel: how much it carries the engine knows better at every moment.
    fn own_edge(&self, own: &Own) -> Edge {
        let (from, to) = (self.address(), own.peer);
        Edge { channel: own.of.channel, from, to, capacity: own.total, fee_base: Units::ZERO, fee_ppm: 0, slack_secs: 0 }
    }
}
