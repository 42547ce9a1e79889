//! Neighbours: which connection is theirs, what is said over it, and what comes in.
//!
//! A channel's messages travel as frames of their own, beside the requests and on the same connection: one byte that says so,
//! one for the ledger, then messages, each with its length. They are one-way and in order; what is lost with a connection is
//! said again over the next one, so nothing here is kept for anybody who is away.

use super::engine::Input;
use super::herald::Heard as Tidings;
use super::hints::Hint;
use super::tell;
use crate::peer::{Heard, Link, Streams};
use async_trait::async_trait;
use photon_chains::{Address, Ledger, crash};
use photon_channel::route::{Tiding, read_all};
use photon_channel::{Message, Wire};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;

/// The most bytes of messages that are put into one frame, but for a single one that is longer.
const FRAME: usize = 48 * 1024;

/// A ledger's byte in a frame.
const fn code(ledger: Ledger) -> u8 {
    match ledger.chain() {
        Ledger::Bitcoin => 0,
        Ledger::Litecoin => 1,
        Ledger::Ethereum | Ledger::EthereumChannel => 2,
        Ledger::Smt | Ledger::SmtChannel => 3,
    }
}

/// A frame of hints has this bit in its ledger's byte.
const HINTS: u8 = 0x80;
/// A frame of others' announcements has this one.
const TIDINGS: u8 = 0x40;

/// What takes in a ledger's frames.
pub(super) struct Ears {
    pub(super) engine: mpsc::Sender<Input>,
    pub(super) herald: mpsc::Sender<Tidings>,
}

/// Where frames of neighbours go: to their ledger's engine, or to its herald.
pub struct Switch {
    ears: BTreeMap<Ledger, Ears>,
    neighbours: Neighbours,
}

impl Switch {
    pub(super) const fn new(ears: BTreeMap<Ledger, Ears>, neighbours: Neighbours) -> Self {
        Self { ears, neighbours }
    }

    fn of(&self, of: u8) -> Option<(Ledger, &Ears)> {
        self.ears.iter().find(|(ledger, _)| code(**ledger) == of).map(|(ledger, ears)| (*ledger, ears))
    }

    /// Others' announcements, from a neighbour on that ledger. Where it says more than the herald takes in, the rest is lost: no payment
    /// waits for it.
    fn tidings(&self, peer: Address, of: u8, bytes: &[u8]) -> Heard {
        let Some((ledger, ears)) = self.of(of) else { return Heard::Unwanted };
        if !self.neighbours.has_on(ledger, &peer) {
            return Heard::Unwanted;
        }
        let Some(tidings) = read_all(bytes) else { return Heard::Nonsense };
        match ears.herald.try_send(Tidings::Said(peer, tidings)) {
            Ok(()) => Heard::Wanted,
            Err(_) => Heard::Unwanted,
        }
    }
}

/// The messages in a frame, after its first byte. None if it is no frame.
pub(super) fn read(frame: &[u8]) -> Option<(u8, Vec<Message>)> {
    let (ledger, mut rest) = frame.split_first()?;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (message, after) = after.split_at_checked(length)?;
        messages.push(Message::from_bytes(message).ok()?);
        rest = after;
    }
    Some((*ledger, messages))
}

#[async_trait]
impl Streams for Switch {
    async fn up(&self, link: Link) {
        for Ears { engine, herald } in self.ears.values() {
            // Who has ended hears nothing.
            let _ = engine.send(Input::Up(link.clone())).await;
            let _ = herald.send(Tidings::Up(link.clone())).await;
        }
    }

    async fn down(&self, peer: Address, link: u64) {
        for Ears { engine, herald } in self.ears.values() {
            let _ = engine.send(Input::Down(peer, link)).await;
            let _ = herald.send(Tidings::Down(peer, link)).await;
        }
    }

    async fn said(&self, peer: Address, frame: &[u8]) -> Heard {
        if let Some((first, rest)) = frame.split_first()
            && first & HINTS != 0
        {
            let Some(hints) = read_hints(rest) else { return Heard::Nonsense };
            if let Some((_, ears)) = self.of(first & !HINTS) {
                let _ = ears.engine.send(Input::Hinted(peer, hints)).await;
            }
            return Heard::Unwanted;
        }
        if let Some((first, rest)) = frame.split_first()
            && first & TIDINGS != 0
        {
            return self.tidings(peer, first & !TIDINGS, rest);
        }
        if !self.neighbours.has(&peer) {
            return Heard::Unwanted;
        }
        let Some((ledger, messages)) = read(frame) else { return Heard::Nonsense };
        // A ledger on which this node has no channels: the neighbour may have.
        let Some((_, Ears { engine, .. })) = self.of(ledger) else { return Heard::Unwanted };
        for message in &messages {
            crash::point(format_args!("channel.heard.{}", tell::message_word(message)));
        }
        // An engine that has ended hears nothing.
        let _ = engine.send(Input::Said(peer, messages)).await;
        Heard::Wanted
    }
}

/// With whom there are channels, on any ledger. Clones are handles on the same.
#[derive(Clone, Default)]
pub(super) struct Neighbours(Arc<RwLock<BTreeMap<Address, BTreeSet<Ledger>>>>);

impl Neighbours {
    fn has(&self, peer: &Address) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(peer)
    }

    fn has_on(&self, ledger: Ledger, peer: &Address) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(peer).is_some_and(|ledgers| ledgers.contains(&ledger))
    }

    /// Those of one ledger.
    pub(super) fn of(&self, ledger: Ledger) -> Vec<Address> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(_, ledgers)| ledgers.contains(&ledger)).map(|(peer, _)| *peer).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Address> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Those of one ledger are these now.
    pub(super) fn set(&self, ledger: Ledger, peers: impl Iterator<Item = Address>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.values_mut().for_each(|ledgers| {
            ledgers.remove(&ledger);
        });
        for peer in peers {
            all.entry(peer).or_default().insert(ledger);
        }
        all.retain(|_, ledgers| !ledgers.is_empty());
    }
}

/// The connections of each neighbour. Messages go over the oldest, so that they stay in order.
#[derive(Default)]
pub(super) struct Links(HashMap<Address, Vec<Link>>);

impl Links {
    /// True if it is the first of its neighbour.
    pub(super) fn add(&mut self, link: Link) -> bool {
        let links = self.0.entry(link.peer()).or_default();
        links.push(link);
        links.len() == 1
    }

    /// None if nothing changes: another one is in use. Else whether there is another one now.
    pub(super) fn remove(&mut self, peer: &Address, id: u64) -> Option<bool> {
        let links = self.0.get_mut(peer)?;
        let at = links.iter().position(|link| link.id() == id)?;
        links.remove(at);
        let is_left = !links.is_empty();
        if !is_left {
            self.0.remove(peer);
        }
        (at == 0).then_some(is_left)
    }

    pub(super) fn has(&self, peer: &Address) -> bool {
        self.0.contains_key(peer)
    }

    fn current(&self, peer: &Address) -> Option<&Link> {
        self.0.get(peer)?.first()
    }
}

/// What a step says, gathered by neighbour.
pub(super) struct Outgoing {
    ledger: Ledger,
    frames: BTreeMap<Address, Vec<u8>>,
}

impl Outgoing {
    pub(super) const fn new(ledger: Ledger) -> Self {
        Self { ledger, frames: BTreeMap::new() }
    }

    /// Adds a message; a frame that is full goes at once.
    pub(super) fn add(&mut self, links: &Links, peer: Address, message: &Message) {
        let bytes = message.to_bytes();
        let frame = self.frames.entry(peer).or_default();
        if !frame.is_empty() && frame.len() + bytes.len() > FRAME {
            let full = std::mem::take(frame);
            Self::hand_over(links, &peer, full);
        }
        if frame.is_empty() {
            frame.extend([crate::peer::STREAM, code(self.ledger)]);
        }
        frame.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.extend(bytes);
    }

    /// Sends what is left.
    pub(super) fn send(self, links: &Links) {
        for (peer, frame) in self.frames {
            Self::hand_over(links, &peer, frame);
        }
    }

    /// A neighbour that is not connected hears it after the next connection. One that takes nothing for too long is hung up on.
    pub(super) fn hand_over(links: &Links, peer: &Address, frame: Vec<u8>) {
        if let Some(link) = links.current(peer)
            && !link.send(frame)
        {
            tracing::debug!(%peer, "a neighbour takes too little: hung up");
        }
    }
}

/// The most hints of one frame.
const MOST_HINTS: usize = 64;

/// Hints as they travel.
pub(super) fn hint_frame(ledger: Ledger, hints: &[Hint]) -> Vec<u8> {
    let mut frame = vec![crate::peer::STREAM, code(ledger) | HINTS];
    hints.iter().take(MOST_HINTS).for_each(|hint| hint.put(&mut frame));
    frame
}

/// Others' announcements as they travel.
pub(super) fn tiding_frames(ledger: Ledger, tidings: &[Tiding]) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for tiding in tidings {
        let bytes = tiding.to_bytes();
        match frames.last_mut().filter(|frame| frame.len() + bytes.len() <= FRAME) {
            Some(frame) => frame.extend(bytes),
            None => frames.push([vec![crate::peer::STREAM, code(ledger) | TIDINGS], bytes].concat()),
        }
    }
    frames
}

fn read_hints(mut bytes: &[u8]) -> Option<Vec<Hint>> {
    let mut hints = Vec::new();
    while !bytes.is_empty() {
        // With a token, or without one.
        let length = if bytes.first() == Some(&1) { 31 } else { 11 };
        let (hint, rest) = bytes.split_at_checked(length)?;
        hints.push(Hint::from_bytes(hint).ok()?);
        bytes = rest;
        if hints.len() > MOST_HINTS {
            return None;
        }
    }
    Some(hints)
}
