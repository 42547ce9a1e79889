//! A party loses its database, or has an old copy of it put back: with a backup of its channels and without one, among honest
//! neighbours and beside Mallory. What it has forgotten the story still knows, and judges it by that.

use crate::party::{Disk, Party};
use crate::rng::Rng;
use crate::world::{World, Wrong};
use photon_channel::contract::Slot;
use photon_channel::*;
use std::collections::{BTreeMap, BTreeSet};

/// How a party forgets.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing is left on its disk.
    All,
    /// A copy is put back that says of itself that it is one.
    Copy,
    /// ... and one that does not, since some other program made it.
    Unnoticed,
}

/// An incomplete history: what was forgotten of a channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Gap {
    /// Its owner's own disk or backup says so. Else its counterparty has to.
    is_known: bool,
    /// The last update that its owner ever signed.
    signed: Nonce,
}

/// What a disk does not hold, and what is kept elsewhere.
#[derive(Default)]
pub struct Memory {
    /// Each time that it was lost.
    pub losses: Vec<Loss>,
    /// The disk as it once was, and what its owner wanted closed.
    copy: Option<(Disk, BTreeSet<ChannelRef>)>,
    /// Whether its owner keeps a backup of the channels, and what is in it.
    keeps: bool,
    backup: Vec<(Key, Row)>,
    /// Whether the backup held all that the disk held, each time.
    was_kept_up: bool,
    /// The disk says of itself that it was put back.
    is_copy: bool,
    /// It was lost, and nothing has been written since.
    is_lost: bool,
    /// The block from which on the disk knows everything.
    known_from: u64,
    /// History that is not on the disk any more.
    pub past: BTreeMap<Key, Row>,
    gaps: BTreeMap<ChannelRef, Gap>,
    /// Incoming locks that were ever signed away.
    disposed: BTreeSet<(ChannelRef, LockNo)>,
}

impl Memory {
    pub fn of(rng: &mut Rng) -> Self {
        Self { keeps: rng.percent(50), was_kept_up: true, ..Self::default() }
    }

    pub fn has_forgotten(&self) -> bool {
        !self.losses.is_empty()
    }

    /// What a node is told as it starts, before anything else. A backup is written soon after every change, so that it is old only
    /// where its disk failed too.
    pub fn begin(&self, node: &mut Node) {
        if self.is_copy {
            node.take(Event::PutBack);
        }
        match (self.keeps, self.is_lost) {
            (true, true) => node.take(Event::Remember(self.backup.clone())),
            (true, false) => node.take(Event::Remember(node.memory())),
            (false, _) => {}
        }
    }

    /// A step is on the disk: what was in doubt is known from now on.
    pub fn written(&mut self) {
        (self.is_copy, self.is_lost) = (false, false);
    }

    /// Whether a channel may have been open before the disk was.
    pub fn may_be_older(&self, epoch: Epoch) -> bool {
        u64::from(epoch.0) <= self.known_from
    }
}

impl World {
    /// The disk is copied, and the backup written, now and then.
    pub fn keep(&mut self, own: usize) {
        let party = &mut self.parties[own];
        if self.fate.percent(20) {
            party.memory.copy = Some((party.disk.clone(), party.closing.clone()));
        }
        if party.memory.keeps && self.fate.percent(30) {
            party.memory.backup = party.restored().memory();
        }
    }

    /// Everything since some moment is gone from a disk. What it held stays in the story's own memory.
    pub fn forget(&mut self, own: usize) {
        let loss = self.fate.pick(&[Loss::All, Loss::Copy, Loss::Unnoticed]);
        let is_kept_up = self.fate.percent(60);
        let now = self.chain.tip().latest.block.get();
        let party = &mut self.parties[own];
        let (disk, closing) = match (loss, party.memory.copy.take()) {
            (Loss::All, _) => (Disk::default(), BTreeSet::new()),
            (Loss::Copy | Loss::Unnoticed, Some(copy)) => copy,
            (Loss::Copy | Loss::Unnoticed, None) => return,
        };
        let truth = party.restored();
        if party.memory.keeps && is_kept_up {
            party.memory.backup = truth.memory();
        }
        party.memory.was_kept_up &= party.memory.keeps && is_kept_up && loss != Loss::Unnoticed;
        party.memory.losses.push(loss);
        party.memory.past.extend(std::mem::replace(&mut party.disk, disk).history);
        party.closing = closing;
        (party.memory.is_copy, party.memory.is_lost) = (loss == Loss::Copy, true);
        if loss != Loss::Unnoticed {
            party.memory.known_from = now;
        }
        truth.channels().for_each(|channel| self.note_gap(own, channel, loss));
        self.crash(own);
    }

    fn note_gap(&mut self, own: usize, truth: &Channel, loss: Loss) {
        let (of, peer) = (truth.of, self.at(&truth.peer.address()));
        let held = match self.parties[peer].disk.live.get(&Key::Channel(of)) {
            Some(Row::Channel(row)) => row.incoming.nonce,
            _ => Nonce::NONE,
        };
        let is_peer_sound = self.is_sound(peer);
        let memory = &mut self.parties[own].memory;
        for held in &truth.incoming.locks {
            if matches!(held.state, LockState::Disposed(_)) {
                memory.disposed.insert((of, held.lock.number));
            }
        }
        let key = Key::Channel(of);
        let on_disk = last_said(self.parties[own].disk.live.get(&key)).unwrap_or(Nonce::NONE);
        let memory = &mut self.parties[own].memory;
        let kept = memory.backup.iter().find(|(other, _)| *other == key).map(|(_, row)| row);
        let in_backup = last_said(kept).filter(|_| memory.keeps);
        let is_known = loss != Loss::Unnoticed || in_backup.is_some_and(|nonce| nonce > on_disk);
        // Of a word that nobody has heard nothing is left, and no harm comes of that.
        if is_known || is_peer_sound && held > on_disk {
            memory.gaps.insert(of, Gap { is_known, signed: truth.outgoing.nonce });
        }
    }

    /// Neither dishonest nor ever forgetful.
    pub fn is_sound(&self, own: usize) -> bool {
        self.parties[own].is_honest() && !self.parties[own].memory.has_forgotten()
    }

    /// The counterparty in a channel.
    fn peer(&self, own: usize, of: &ChannelRef) -> usize {
        let link = self.links.iter().find(|link| link.key.id() == of.channel).unwrap();
        if link.one == own { link.other } else { link.one }
    }

    /// What an honest party lets out: in a channel whose history it does not know whole, no update that it has not signed
    /// before, and no lock is signed away.
    pub fn check_signature(&mut self, own: usize, message: &Message) {
        let of = message.of();
        let gap = self.parties[own].memory.gaps.get(&of).copied();
        let gap = gap.filter(|gap| gap.is_known || self.is_sound(self.peer(own, &of)));
        let memory = &mut self.parties[own].memory;
        let is_wrong = match message {
            Message::Update(update) => gap.is_some_and(|gap| update.nonce > gap.signed),
            Message::Dispose { number, .. } => memory.disposed.insert((of, *number)) && gap.is_some(),
            _ => false,
        };
        if is_wrong {
            let why = format!("{own} has forgotten something of a channel, and signs {message:?} in it");
            self.fail(Wrong::Invariant(15, why));
        }
    }

    /// Two different updates with one nonce: excused where nothing and nobody could have told that the first one was forgotten.
    pub fn is_excused(&self, own: usize, update: &Update) -> bool {
        let memory = &self.parties[own].memory;
        let is_known = memory.gaps.get(&update.of).is_some_and(|gap| gap.is_known);
        let peer = self.peer(own, &update.of);
        let holds = self.parties[peer].node.channel(&update.of.channel).filter(|channel| channel.of == update.of);
        let is_held = holds.is_some_and(|channel| channel.incoming.nonce >= update.nonce);
        memory.losses.contains(&Loss::Unnoticed) && !is_known && !(self.is_sound(peer) && is_held)
    }

    /// What was shown is had: once both are there and silent, who has forgotten holds what its neighbour holds.
    pub fn check_reminded(&mut self) {
        let mut wrong = None;
        for link in &self.links {
            for (own, peer) in [(link.one, link.other), (link.other, link.one)] {
                let there = self.parties[own].memory.has_forgotten() && self.is_sound(peer) && self.is_connected(own, peer);
                let open = |own: usize| {
                    let channel = self.parties[own].node.channel(&link.key.id());
                    channel.filter(|channel| channel.chain.stage == Stage::Open && channel.in_step)
                };
                let (true, Some(old), Some(whole)) = (there, open(own), open(peer)) else { continue };
                if old.of != whole.of || old.standing != Standing::Behind {
                    continue;
                }
                let last = |flow: &Flow| (flow.nonce, flow.transferred, flow.locked, flow.signature);
                // What is under way its neighbour may not be able to take yet.
                let own_word = !old.unacked.is_empty() || last(&old.outgoing) == last(&whole.incoming);
                let their_word = whole.unacked.is_empty() && last(&old.incoming) == last(&whole.outgoing);
                if !own_word || !their_word && whole.unacked.is_empty() {
                    wrong = Some(format!(
                        "{own} was not shown all: {:?} {:?}, {peer} has {:?} {:?}",
                        last(&old.outgoing),
                        last(&old.incoming),
                        last(&whole.incoming),
                        last(&whole.outgoing)
                    ));
                }
            }
        }
        if let Some(why) = wrong {
            self.fail(Wrong::Invariant(15, why));
        }
    }

    /// What a party who has forgotten has of each channel that has ended: no less than what it held of the other side's word,
    /// less what it ever promised. By one who has forgotten nothing it loses no more than what that one was really given.
    pub fn judge_memory(&self, own: usize) -> Result<(), Wrong> {
        let latest = self.chain.latest();
        let party = &self.parties[own];
        for (of, flows) in &latest.flows {
            let Some(last) = self.ended.get(&(own, *of)).or_else(|| party.node.channel(&of.channel).filter(|it| it.of == *of))
            else {
                continue;
            };
            let peer = self.peer(own, of);
            let is_open = matches!(latest.contract.slot(&of.channel), Some(Slot::Open(open)) if open.epoch == of.epoch);
            // A copy that does not say what it is believes itself: what it signs then Mallory may make the most of. And it may unlock
            // what it has signed away, and be punished.
            let is_fought = latest.fights.contains_key(of);
            let is_unaware = party.memory.losses.contains(&Loss::Unnoticed);
            let is_blind = is_unaware && (is_fought || !self.parties[peer].is_honest());
            if is_open || is_blind {
                continue;
            }
            let side = last.side;
            let closed_by = latest.fights.get(of).and_then(|fight| fight.closed_by);
            let had = match closed_by {
                Some((closer, transferred)) if closer == side => transferred.signed(),
                Some(_) => self.held.get(&(own, *of)).copied().unwrap_or_default().signed(),
                None => last.incoming.transferred.signed(),
            };
            let given = self.ended.get(&(peer, *of)).filter(|_| self.is_sound(peer)).map(|channel| {
                let known: i128 = Party::known(channel).map(|(held, _)| held.lock.amount.signed()).sum();
                channel.incoming.transferred.signed() + known
            });
            let given = given.unwrap_or_else(|| promised(party, of));
            let missing = had - given - *flows.of(side);
            if missing > 0 {
                let why = format!("{own} has forgotten, and has {missing} too little of {of:?}: {had} {given} {flows:?}");
                return Err(Wrong::Loss(why));
            }
        }
        Ok(())
    }

    /// Whether a party has forgotten nothing of its channels that its backup did not hold, among neighbours who remember and are
    /// honest, none of whom closed before its pending locks were paid.
    pub fn is_backed_up(&self, own: usize) -> bool {
        let latest = self.chain.latest();
        let mut ids = self.links.iter().filter(|link| link.one == own || link.other == own).map(|link| link.key.id());
        let is_fought = ids.any(|id| latest.fights.keys().any(|of| of.channel == id));
        let mut others = (0..self.parties.len()).filter(|other| *other != own);
        self.parties[own].memory.was_kept_up && !is_fought && others.all(|other| self.is_sound(other))
    }
}

/// The last update of its holder's that a channel's row knows of.
fn last_said(row: Option<&Row>) -> Option<Nonce> {
    match row? {
        Row::Channel(row) => Some(row.outgoing.nonce),
        _ => None,
    }
}

/// The most that it ever promised in one word.
fn promised(party: &Party, of: &ChannelRef) -> i128 {
    let words = party.history().filter_map(|(key, row)| match (key, row) {
        (Key::Sent(sent, _), Row::Sent(transferred, pending)) if sent == of => {
            Some(transferred.signed() + pending.locked.signed())
        }
        _ => None,
    });
    words.max().unwrap_or_default()
}
