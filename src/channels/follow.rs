//! Follows a ledger for its engine: what is registered of the hashes that matter, and what the slots of its channels hold.
//!
//! Everything is read from the chain anew at each look that brought something: nothing seen before is trusted after a
//! reorganisation. A deposit in tokens is said by the token alone, so slots are what counts for an open channel; those of quiet
//! channels are read in turn, a few at each block, so that nothing is missed for long and no block costs more with more channels.

use super::engine::Input;
use super::interests::{Followed, Interests};
use super::sight::{Lookout, SightRule};
use photon_chains::{Address, BlockHeight, ContractPort, Hash32, Heads, Ledger, PortError, Said, Secret, SecretHash, Sent, TxId};
use photon_channel::contract::Word;
use photon_channel::{ChannelId, Event, Moment, Tip, keccak};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Quiet channels whose slots are read at each new block.
const IN_TURN: usize = 16;
/// Slots that are asked for at once.
const TOGETHER: usize = 256;

/// How a ledger's port is found: it may be connected late, and never while its node is away.
pub type PortSource = Arc<dyn Fn() -> Option<Arc<dyn ContractPort>> + Send + Sync>;

/// What one look at the chain brought.
pub(super) struct ChainNews {
    /// Registrations, undone ones among them.
    pub(super) registered: Vec<Event>,
    /// Channels whose slots were read.
    pub(super) slots: Vec<Slots>,
    /// Where the chain stands.
    pub(super) tip: Tip,
    /// The seconds that a block is reckoned as by the contract.
    pub(super) block_secs: u64,
}

/// A channel's slot at both blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) followed: Followed,
    /// At the depth that is relied on, and how high that block is.
    pub(super) deep: Word,
    pub(super) deep_block: BlockHeight,
    /// At the newest block.
    pub(super) latest: Word,
    /// The newest word as it is stored.
    pub(super) latest_word: [u8; 32],
    /// What was said under its name.
    pub(super) said: Vec<Said>,
    /// Of a closed one: the calls that it was done by, as far as the node has them.
    pub(super) calls: BTreeMap<TxId, Sent>,
}

/// What was told of a hash.
#[derive(Copy, Clone, PartialEq, Eq)]
struct Told {
    at: Moment,
    is_deep: bool,
}

/// Follows one ledger.
pub(super) struct Follower {
    ledger: Ledger,
    source: PortSource,
    interests: Interests,
    out: mpsc::Sender<Input>,
    heads: Option<Heads>,
    /// Hashes that are watched at the port, and what was told of them.
    hashes: BTreeMap<SecretHash, Option<Told>>,
    /// Channels that are watched there.
    names: BTreeSet<ChannelId>,
    tokens: BTreeSet<Address>,
    /// Channels whose slot has changed since it was the same at both blocks.
    unsettled: BTreeSet<ChannelId>,
    turn: Option<ChannelId>,
    /// Of closed channels, each with its calls.
    calls: BTreeMap<ChannelId, BTreeMap<TxId, Sent>>,
}

/// A block as the core names it.
pub(super) const fn moment(stamp: &photon_chains::Stamp) -> Moment {
    Moment { time: stamp.time, block: stamp.block.height }
}

impl Follower {
    pub(super) fn new(ledger: Ledger, source: PortSource, interests: Interests, out: mpsc::Sender<Input>) -> Self {
        Self {
            ledger,
            source,
            interests,
            out,
            heads: None,
            hashes: BTreeMap::new(),
            names: BTreeSet::new(),
            tokens: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            turn: None,
            calls: BTreeMap::new(),
        }
    }

    /// Looks again and again until the engine has ended.
    pub(super) async fn run(mut self, pace: Duration, rule: SightRule) -> anyhow::Result<()> {
        let (out, mut lookout) = (self.out.clone(), Lookout::new(self.ledger, rule, self.out.clone()));
        loop {
            let looked = match (self.source)() {
                Some(port) => Some(lookout.during(self.look(&*port)).await),
                None => None,
            };
            match looked {
                Some(Ok(news)) => {
                    if let Some(news) = news
                        && out.send(Input::Chain(Box::new(news))).await.is_err()
                    {
                        return Ok(());
                    }
                    if let Some(heads) = &self.heads {
                        lookout.saw(heads.latest.time).await;
                    }
                }
                Some(Err(PortError::Journal(error))) => return Err(error.into()),
                Some(Err(error)) => {
                    tracing::warn!(chain = %self.ledger, %error, "channels: could not look");
                    lookout.missed().await;
                }
                None => lookout.missed().await,
            }
            if out.is_closed() {
                return Ok(());
            }
            tokio::time::sleep(pace).await;
        }
    }

    /// None: nothing has changed.
    async fn look(&mut self, port: &dyn ContractPort) -> Result<Option<ChainNews>, PortError> {
        let Some(contract) = port.channels() else { return Ok(None) };
        let channels = self.watch(port, contract);
        let news = port.look().await?;
        let heads = news.heads;
        let changed: BTreeSet<Hash32> = news.changed.into_iter().collect();
        let has_moved = self.heads != Some(heads);
        if !has_moved && changed.is_empty() {
            return Ok(None);
        }
        let wanted = self.wanted(&channels, &changed, contract);
        let slots = self.slots(port, contract, &heads, wanted).await?;
        let registered = self.registrations(port, &heads);
        self.heads = Some(heads);
        let tip = Tip { latest: moment(&heads.latest), deep: moment(&heads.deep) };
        Ok(Some(ChainNews { registered, slots, tip, block_secs: port.block_secs() }))
    }

    /// Watches what is of interest now, and nothing else.
    fn watch(&mut self, port: &dyn ContractPort, contract: Address) -> BTreeMap<ChannelId, Followed> {
        let (changes, channels) = self.interests.drain();
        for (hash, is_wanted) in changes {
            if is_wanted {
                // Also one that was wanted before: whoever wants it again is told again.
                if self.hashes.insert(hash, None).is_none() {
                    port.watch_name(port.registry(), name_of_hash(&hash), BlockHeight::new(0));
                }
            } else if self.hashes.remove(&hash).is_some() {
                port.unwatch_name(&name_of_hash(&hash));
            }
        }
        for (id, followed) in &channels {
            if self.names.insert(*id) {
                port.watch_name(contract, Hash32::from_bytes(*id.as_bytes()), followed.since);
                self.unsettled.insert(*id);
            }
            if let Some(token) = followed.key.token()
                && self.tokens.insert(token)
            {
                port.watch_name(token, paid_to(&contract), followed.since);
            }
        }
        let over: Vec<ChannelId> = self.names.iter().filter(|id| !channels.contains_key(*id)).copied().collect();
        for id in over {
            self.names.remove(&id);
            self.unsettled.remove(&id);
            self.calls.remove(&id);
            port.unwatch_name(&Hash32::from_bytes(*id.as_bytes()));
        }
        channels
    }

    /// The channels whose slots are read at this look.
    fn wanted(
        &mut self,
        channels: &BTreeMap<ChannelId, Followed>,
        changed: &BTreeSet<Hash32>,
        contract: Address,
    ) -> Vec<Followed> {
        // A token does not say which channel it was for.
        let any_token = changed.contains(&paid_to(&contract));
        let mut wanted: BTreeSet<ChannelId> = self.unsettled.clone();
        for (id, followed) in channels {
            let is_named = changed.contains(&Hash32::from_bytes(*id.as_bytes()));
            if is_named || followed.is_restless || any_token && followed.key.token().is_some() {
                wanted.insert(*id);
            }
        }
        let after = self.turn;
        let later = channels.keys().filter(|id| after.is_none_or(|after| **id > after)).take(IN_TURN);
        let mut last = None;
        for id in later {
            wanted.insert(*id);
            last = Some(*id);
        }
        self.turn = last;
        wanted.iter().filter_map(|id| channels.get(id).cloned()).collect()
    }

    async fn slots(
        &mut self,
        port: &dyn ContractPort,
        contract: Address,
        heads: &Heads,
        wanted: Vec<Followed>,
    ) -> Result<Vec<Slots>, PortError> {
        let mut all = Vec::with_capacity(wanted.len());
        let (deep_block, latest_block) = (heads.deep.block.height, heads.latest.block.height);
        for some in wanted.chunks(TOGETHER) {
            let asks: Vec<(Address, Vec<u8>)> = some.iter().map(|one| (contract, slot_call(&one.key.id()))).collect();
            let deep = port.views(&asks, Some(deep_block)).await?;
            let latest = port.views(&asks, Some(latest_block)).await?;
            for ((followed, deep), latest) in some.iter().zip(deep).zip(latest) {
                let id = followed.key.id();
                // One that was not answered is asked again at the next look.
                self.unsettled.insert(id);
                let (Some(deep), Some(latest)) = (word(deep), word(latest)) else { continue };
                if deep == latest {
                    self.unsettled.remove(&id);
                }
                let (said, word) = (port.said(&Hash32::from_bytes(*id.as_bytes())), Word::read(&latest));
                let calls = match word {
                    Word::Closed(_) => self.calls_of(port, id, &said).await,
                    Word::Open(_) | Word::Empty => BTreeMap::new(),
                };
                all.push(Slots {
                    followed: followed.clone(),
                    deep: Word::read(&deep),
                    deep_block,
                    latest: word,
                    latest_word: latest,
                    said,
                    calls,
                });
            }
        }
        Ok(all)
    }

    /// The calls that a closed channel came to be by what it is. One that the node does not tell is no hindrance: mostly nobody
    /// needs it, and it is asked for again.
    async fn calls_of(&mut self, port: &dyn ContractPort, id: ChannelId, said: &[Said]) -> BTreeMap<TxId, Sent> {
        let known = self.calls.entry(id).or_default();
        let is_done_to_it = |said: &&Said| said.data.first().is_some_and(|kind| (5..=11).contains(kind));
        let txids: Vec<TxId> =
            said.iter().filter(is_done_to_it).map(|said| said.txid).filter(|txid| !known.contains_key(txid)).collect();
        if !txids.is_empty()
            && let Ok(sent) = port.sent(&txids).await
        {
            known.extend(txids.into_iter().zip(sent).filter_map(|(txid, sent)| Some((txid, sent?))));
        }
        known.clone()
    }

    /// What is to be told of the hashes: registrations that are new, or deeper, or gone.
    fn registrations(&mut self, port: &dyn ContractPort, heads: &Heads) -> Vec<Event> {
        let mut events = Vec::new();
        for (hash, told) in &mut self.hashes {
            if told.is_some_and(|told| told.is_deep) {
                continue;
            }
            let entry = port.said(&name_of_hash(hash)).into_iter().find_map(|said| entry(port.registry(), hash, &said));
            match entry {
                Some((secret, at)) => {
                    let is_deep = at.block <= heads.deep.block.height;
                    let now = Told { at, is_deep };
                    if *told != Some(now) {
                        *told = Some(now);
                        events.push(Event::Registered { secret, at, is_deep });
                    }
                }
                None if told.is_some() => {
                    *told = None;
                    events.push(Event::Unregistered(*hash));
                }
                None => {}
            }
        }
        events
    }
}

/// A registration, as the registry says it.
fn entry(registry: Address, hash: &SecretHash, said: &Said) -> Option<(Secret, Moment)> {
    let secret = said.data.first_chunk::<32>().map(|bytes| Secret::from_bytes(*bytes))?;
    (said.by == registry && secret.hash() == *hash).then(|| (secret, moment(&said.at)))
}

/// The name under which the registry says a secret: its hash.
fn name_of_hash(hash: &SecretHash) -> Hash32 {
    Hash32::from_bytes(*hash.as_bytes())
}

/// The name under which a token says what was paid to an account.
fn paid_to(account: &Address) -> Hash32 {
    let mut name = [0; 32];
    name.split_at_mut(12).1.copy_from_slice(account.as_bytes());
    Hash32::from_bytes(name)
}

/// `channels(bytes32)`.
pub(super) fn slot_call(id: &ChannelId) -> Vec<u8> {
    let selector = keccak(b"channels(bytes32)");
    [selector.split_at(4).0, id.as_bytes()].concat()
}

fn word(answer: Option<Vec<u8>>) -> Option<[u8; 32]> {
    answer?.try_into().ok()
}
