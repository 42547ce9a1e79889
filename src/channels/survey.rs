//! What the herald asks for, at each of its rounds: the node's own channels, and on the chain those that others speak of.
//!
//! An announcement is believed only of a channel that is open on chain, between the two that it names. Looking there costs, so what
//! neighbours can make this node look for is bounded: in number for each of them, in all, and at each round; and what is not
//! found is looked for a few times more, ever more rarely, and then forgotten.

use super::engine::{Engine, Input};
use super::follow::{PortSource, slot_call};
use photon_chains::{Address, BlockHeight};
use photon_channel::contract::Word;
use photon_channel::route::Tiding;
use photon_channel::{ChannelId, ChannelKey, ChannelRef, Units};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Channels that are looked for at one round.
const MOST_LOOKS: usize = 256;
/// Channels that wait to be looked for, all together, and of one neighbour.
const MOST_WAITING: usize = 4_096;
const MOST_OF_ONE: usize = 1_024;
/// So often one that is not found is looked for. The pause doubles each time.
const MOST_TRIES: u32 = 8;

/// One of the node's own channels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) key: ChannelKey,
    pub(super) of: ChannelRef,
    pub(super) peer: Address,
    pub(super) total: Units,
    /// What can go out over it now.
    pub(super) free: Units,
}

/// What one round brought.
pub(super) struct Survey {
    pub(super) own: BTreeMap<ChannelId, Own>,
    /// The slots that were read.
    pub(super) seen: Vec<(ChannelKey, Word)>,
}

/// Asks for all that. None: the engine has ended.
pub(super) async fn survey(
    engine: mpsc::Sender<Input>,
    source: PortSource,
    contract: Address,
    asks: Vec<ChannelKey>,
) -> Option<Survey> {
    let (answer, answered) = oneshot::channel();
    let look = move |engine: &Engine| {
        // Who asked may be gone.
        let _ = answer.send((engine.own_channels(), engine.node.tip().deep.block));
    };
    engine.send(Input::Look(Box::new(look))).await.ok()?;
    let (own, deep) = answered.await.ok()?;
    let mut seen = Vec::new();
    // Before the chain was looked at for the first time there is no block to ask for.
    if let (Some(port), false) = (source(), deep == BlockHeight::new(0) || asks.is_empty()) {
        let calls: Vec<(Address, Vec<u8>)> = asks.iter().map(|key| (contract, slot_call(&key.id()))).collect();
        match port.views(&calls, Some(deep)).await {
            Ok(answers) => {
                let word = |answer: Option<Vec<u8>>| Some(Word::read(&answer?.try_into().ok()?));
                seen.extend(asks.into_iter().zip(answers).filter_map(|(key, answer)| Some((key, word(answer)?))));
            }
            Err(error) => tracing::debug!(%error, "others' channels could not be looked for"),
        }
    }
    Some(Survey { own, seen })
}

impl Engine {
    fn own_channels(&self) -> BTreeMap<ChannelId, Own> {
        let own = self.node.channels().map(|channel| {
            let free = if channel.is_active() { Units::from_signed(channel.free(channel.side)) } else { None };
            let (key, of, peer) = (channel.key, channel.of, channel.peer.address());
            (of.channel, Own { key, of, peer, total: channel.chain.holdings.total, free: free.unwrap_or_default() })
        });
        own.collect()
    }
}

/// Something that was said of a channel which is not known yet.
struct Waiting {
    key: ChannelKey,
    /// What, and who brought it: of each direction the first.
    words: Vec<(Tiding, Address)>,
    tries: u32,
    due: Instant,
}

/// What waits to be looked for on the chain.
#[derive(Default)]
pub(super) struct Unseen(BTreeMap<ChannelId, Waiting>);

impl Unseen {
    /// Takes it, as far as there is room.
    pub(super) fn add(&mut self, tiding: Tiding, from: Address) {
        let id = tiding.announced.announcement.of.channel;
        let of_one = self.0.values().filter(|waiting| waiting.words.iter().any(|(_, by)| *by == from)).count();
        if of_one >= MOST_OF_ONE {
            return;
        }
        if let Some(waiting) = self.0.get_mut(&id) {
            let side = tiding.announced.announcement.from;
            if !waiting.words.iter().any(|(other, _)| other.announced.announcement.from == side) {
                waiting.words.push((tiding, from));
            }
        } else if self.0.len() < MOST_WAITING {
            let (key, words) = (tiding.key, vec![(tiding, from)]);
            self.0.insert(id, Waiting { key, words, tries: 0, due: Instant::now() });
        }
    }

    /// What is to be looked for now. It is not due again before its pause is over, and not for ever.
    pub(super) fn due(&mut self, pause: Duration) -> Vec<ChannelKey> {
        let now = Instant::now();
        self.0.retain(|_, waiting| waiting.tries < MOST_TRIES || waiting.due > now);
        let due = self.0.values_mut().filter(|waiting| waiting.due <= now).take(MOST_LOOKS);
        due.map(|waiting| {
            waiting.due = now + pause * 2u32.saturating_pow(waiting.tries);
            waiting.tries += 1;
            waiting.key
        })
        .collect()
    }

    /// It is there: what was said of it.
    pub(super) fn take(&mut self, id: &ChannelId) -> Vec<(Tiding, Address)> {
        self.0.remove(id).map(|waiting| waiting.words).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
