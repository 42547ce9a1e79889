//! What nodes tell each other about their channels, so that everybody can find ways: who sends something on, for which fee, up to
//! how much. The chain says which channels there are; a party says the rest of its own direction, and signs it.
//!
//! Words about a channel travel from node to node, so that they come from strangers. The [`Board`] keeps one for each direction of
//! each channel that its owner knows to be on chain, and nothing else: what it holds is bounded by what others have paid to open.
//! What costs nothing is looked at first; a signature is checked only for news, and only so often for each neighbour.

use crate::codec::{Reader, Wire};
use crate::eip712::{Abi, Domain};
use crate::key::{ChannelId, ChannelKey, ChannelRef, Epoch, Side};
use crate::proof::Signed;
use crate::route::Edge;
use crate::sign::{KnownKey, Signature, Signer};
use crate::units::Units;
use crate::wire_struct;
use photon_chains::{Address, UnixTime};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The most channels that a board knows of.
pub const MOST_CHANNELS: usize = 1_000_000;

/// The most neighbours whose words are counted at a time.
pub const MOST_NEIGHBOURS: usize = 1_024;

/// A direction is announced anew no sooner than so long after its last announcement.
pub const LEAST_SECS: u64 = 60;

/// An announcement counts for so long: whoever is still there says it again before.
pub const LIFE_SECS: u64 = 14 * 86_400;

/// So far a clock may run ahead.
pub const SKEW_SECS: u64 = 300;

/// The most signatures that one neighbour may have checked within [`LEAST_SECS`].
pub const MOST_CHECKS: u32 = 6_000;

/// A party's word about its own direction of a channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announcement {
    /// Which life of which channel.
    pub of: ChannelRef,
    /// Who sends on, and signs.
    pub from: Side,
    /// The fee for sending something on here: so much ...
    pub fee_base: Units,
    /// ... and so many millionths of it.
    pub fee_ppm: u32,
    /// How much later the lock before must end.
    pub slack_secs: u32,
    /// About how much it can carry now. Nothing: it sends nothing on.
    pub capacity: Units,
    /// Rises with every announcement of this direction.
    pub sequence: u64,
    /// When it was made.
    pub time: UnixTime,
}
wire_struct!(Announcement { of, from, fee_base, fee_ppm, slack_secs, capacity, sequence, time });

impl Signed for Announcement {
    const TYPE: &'static str = "Announcement(bytes32 channel,uint32 epoch,bool fromA,uint96 feeBase,uint32 feePpm,uint32 slackSecs,\
                                uint96 capacity,uint64 sequence,uint40 time)";

    fn fields(&self, out: Abi) -> Abi {
        out.word(self.of.channel.as_bytes())
            .u64(u64::from(self.of.epoch.0))
            .bool(self.from.is_a())
            .units(self.fee_base)
            .u64(u64::from(self.fee_ppm))
            .u64(u64::from(self.slack_secs))
            .units(self.capacity)
            .u64(self.sequence)
            .u64(self.time.secs())
    }
}

/// An announcement as it travels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// What is said.
    pub announcement: Announcement,
    /// By whom.
    pub signature: Signature,
}
wire_struct!(Announced { announcement, signature });

/// An announcement with what its channel is between, for those who have not heard of it: as one node passes it on to another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tiding {
    /// The channel.
    pub key: ChannelKey,
    /// What a party says of it.
    pub announced: Announced,
}
wire_struct!(Tiding { key, announced });

impl Tiding {
    /// Who says it. None where it is said of another channel than the one that comes with it.
    pub fn speaker(&self) -> Option<Address> {
        let Announcement { of, from, .. } = &self.announced.announcement;
        (self.key.id() == of.channel).then(|| *self.key.parties().of(*from))
    }
}

impl Announcement {
    /// Signs it.
    pub fn sign(self, signer: &Signer, domain: &Domain) -> Announced {
        Announced { announcement: self, signature: signer.sign(&self.digest(domain)) }
    }

    /// An amount as it is announced: a quarter of a power of two, rounded down, so that nobody can read single payments from how it changes.
    pub fn about(amount: Units) -> Units {
        let bits = u128::BITS - amount.get().leading_zeros();
        let shift = bits.saturating_sub(3);
        Units::new(amount.get() >> shift << shift).unwrap_or(Units::ZERO)
    }
}

/// Why an announcement is not taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// No such channel is on chain, as far as is known here, or it is another life of it.
    #[error("no such channel is known")]
    Channel,
    /// It is no newer than what is known, or too soon after it. Not passed on.
    #[error("nothing new, or too soon")]
    Old,
    /// Its time is in the future, or long past.
    #[error("its time is in the future, or long past")]
    Time,
    /// The neighbour that brought it has brought too many for now.
    #[error("the neighbour brings too many")]
    Often,
    /// The party did not sign it: the neighbour that brought it did not look, or lies.
    #[error("not signed by the party")]
    Signature,
}

/// A channel on chain, and what its parties say of it.
#[derive(Clone, Debug)]
struct Known {
    key: ChannelKey,
    epoch: Epoch,
    total: Units,
    said: [Option<Announced>; 2],
}

/// How many signatures were checked for a neighbour since that time.
#[derive(Copy, Clone, Debug)]
struct Checked {
    since: UnixTime,
    count: u32,
}

/// All that is known of the channels of one contract.
pub struct Board {
    domain: Domain,
    channels: BTreeMap<ChannelId, Known>,
    neighbours: BTreeMap<Address, Checked>,
}

const fn place(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

impl Board {
    /// Nothing is known yet.
    pub const fn new(domain: Domain) -> Self {
        Self { domain, channels: BTreeMap::new(), neighbours: BTreeMap::new() }
    }

    /// A channel is on chain, with so much in it. What was said in another life of it is forgotten. False where the board is full.
    pub fn opened(&mut self, key: ChannelKey, epoch: Epoch, total: Units) -> bool {
        let id = key.id();
        if let Some(known) = self.channels.get_mut(&id).filter(|known| known.epoch == epoch) {
            known.total = total;
            return true;
        }
        if self.channels.len() >= MOST_CHANNELS && !self.channels.contains_key(&id) {
            return false;
        }
        self.channels.insert(id, Known { key, epoch, total, said: [None, None] });
        true
    }

    /// A channel is closed, or gone.
    pub fn closed(&mut self, channel: &ChannelId) {
        self.channels.remove(channel);
    }

    /// The key of a channel, if it is known.
    pub fn key(&self, channel: &ChannelId) -> Option<(ChannelKey, Epoch)> {
        self.channels.get(channel).map(|known| (known.key, known.epoch))
    }

    /// Channels that are known, in their order, from the one after `after` on: for looking again whether they are still there.
    pub fn after(&self, after: Option<ChannelId>) -> impl Iterator<Item = &ChannelKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.channels.range((from, Bound::Unbounded)).map(|(_, known)| &known.key)
    }

    /// What a party said last of its direction of a channel.
    pub fn word(&self, channel: &ChannelId, party: &Address) -> Option<&Announced> {
        let known = self.channels.get(channel)?;
        let side = known.key.side_of(party)?;
        known.said.get(place(side))?.as_ref()
    }

    /// The public key of a party that has announced a channel: its signature shows it.
    pub fn signer(&self, channel: &ChannelId, party: &Address) -> Option<KnownKey> {
        let Announced { announcement, signature } = self.word(channel, party)?;
        signature.key(&announcement.digest(&self.domain)).ok().filter(|key| key.address() == *party)
    }

    /// How many channels are known.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// A neighbour brings an announcement. What is taken is to be passed on to the other neighbours.
    pub fn hear(&mut self, announced: &Announced, neighbour: Address, now: UnixTime) -> Result<(), Unheard> {
        let Announced { announcement, signature } = announced;
        let known = self.channels.get(&announcement.of.channel).filter(|known| known.epoch == announcement.of.epoch);
        let known = known.ok_or(Unheard::Channel)?;
        if announcement.time > now.plus_secs(SKEW_SECS) || announcement.time.plus_secs(LIFE_SECS) < now {
            return Err(Unheard::Time);
        }
        let at = place(announcement.from);
        if let Some(last) = known.said.get(at).and_then(Option::as_ref).map(|said| said.announcement) {
            let is_new = announcement.sequence > last.sequence && announcement.time >= last.time.plus_secs(LEAST_SECS);
            if !is_new {
                return Err(Unheard::Old);
            }
        }
        let signer = *known.key.parties().of(announcement.from);
        self.count(neighbour, now)?;
        // The key is not known, only the account, so it is recovered.
        if signature.signer(&announcement.digest(&self.domain)) != Ok(signer) {
            return Err(Unheard::Signature);
        }
        let known = self.channels.get_mut(&announcement.of.channel).ok_or(Unheard::Channel)?;
        if let Some(said) = known.said.get_mut(at) {
            *said = Some(*announced);
        }
        Ok(())
    }

    fn count(&mut self, neighbour: Address, now: UnixTime) -> Result<(), Unheard> {
        if self.neighbours.len() >= MOST_NEIGHBOURS && !self.neighbours.contains_key(&neighbour) {
            self.neighbours.retain(|_, checked| now < checked.since.plus_secs(LEAST_SECS));
            if self.neighbours.len() >= MOST_NEIGHBOURS {
                return Err(Unheard::Often);
            }
        }
        let checked = self.neighbours.entry(neighbour).or_insert(Checked { since: now, count: 0 });
        if now >= checked.since.plus_secs(LEAST_SECS) {
            *checked = Checked { since: now, count: 0 };
        }
        if checked.count >= MOST_CHECKS {
            return Err(Unheard::Often);
        }
        checked.count += 1;
        Ok(())
    }

    /// What was said and still counts, in the order of the channels: for a new neighbour, of `most` channels at a time, from the
    /// one after `after` on. Nothing more where there is no more.
    pub fn said(&self, after: Option<ChannelId>, most: usize, now: UnixTime) -> impl Iterator<Item = Tiding> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let said = move |known: &Known| known.said.iter().flatten().any(|said| counts(said, now));
        let channels = self.channels.range((from, Bound::Unbounded)).filter(move |(_, known)| said(known)).take(most);
        let tiding = |known: &Known, said: &Announced| Tiding { key: known.key, announced: *said };
        let all = channels.flat_map(move |(_, known)| known.said.iter().flatten().map(move |said| tiding(known, said)));
        all.filter(move |tiding| counts(&tiding.announced, now))
    }

    /// The edges of all channels of one token (none: the chain's own coin) whose sender has said its fee. No edge carries more than is in
    /// its channel.
    pub fn edges(&self, token: Option<Address>, now: UnixTime) -> impl Iterator<Item = Edge> {
        let channels = self.channels.iter().filter(move |(_, known)| known.key.token() == token);
        channels.flat_map(move |(id, known)| {
            let said = known.said.iter().flatten().filter(move |said| counts(said, now));
            said.map(move |said| edge(*id, known, &said.announcement))
        })
    }
}

fn counts(said: &Announced, now: UnixTime) -> bool {
    said.announcement.time.plus_secs(LIFE_SECS) >= now
}

fn edge(channel: ChannelId, known: &Known, said: &Announcement) -> Edge {
    let parties = known.key.parties();
    Edge {
        channel,
        from: *parties.of(said.from),
        to: *parties.of(said.from.other()),
        capacity: said.capacity.min(known.total),
        fee_base: said.fee_base,
        fee_ppm: said.fee_ppm,
        slack_secs: said.slack_secs,
    }
}

/// Tidings from the bytes of one message. None where they are no whole number of them.
pub fn read_all(bytes: &[u8]) -> Option<Vec<Tiding>> {
    let mut from = Reader::new(bytes);
    let mut all = Vec::new();
    while !from.is_empty() {
        all.push(Tiding::get(&mut from).ok()?);
    }
    Some(all)
}
