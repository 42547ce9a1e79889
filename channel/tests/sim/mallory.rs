//! Mallory: what she keeps, and what she tries. She runs the same node as everybody; what is here she does besides.

use crate::chain::{BLOCK_SECS, What};
use crate::party::{Party, Vice};
use crate::world::World;
use photon_chains::{Secret, SecretHash, UnixTime};
use photon_channel::Mutation::Removed;
use photon_channel::contract::{By, Call, Closed, Dispute, Record, Shown, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, BTreeSet};

/// A word once given: the proof, and what it committed to.
type Word = (Shown, Vec<Pending>);

/// What all who cheat share: they may be two.
#[derive(Default)]
pub struct Malice {
    /// Secrets that she knows.
    pub secrets: BTreeMap<SecretHash, Secret>,
    /// Every word that she was ever given, by her side of the channel.
    words: BTreeMap<(ChannelRef, Side), Vec<Word>>,
    /// Channels in which she has sent what her own core would not make: nothing good comes of them any more.
    forged: BTreeSet<ChannelRef>,
}

impl Malice {
    pub fn hoard(&mut self, party: &Party) {
        for channel in party.node.channels() {
            let words = self.words.entry((channel.of, channel.side)).or_default();
            let is_new = words.last().is_none_or(|(shown, _)| shown.nonce < channel.incoming.nonce);
            if let Some(shown) = channel.shown(channel.side.other()).filter(|_| is_new) {
                words.push((shown, channel.incoming.locks.iter().map(|held| held.lock).collect()));
            }
            for (held, secret) in Party::known(channel) {
                self.secrets.insert(held.lock.secret_hash, secret.clone());
            }
        }
    }

    /// She reads that she is to send on one unit.
    pub fn skim(message: &mut Message) {
        let Message::Update(update) = message else { return };
        for op in &mut update.ops {
            if let Op::Lock { onward, .. } = op
                && let Some(hop) = onward.route.first_mut()
            {
                hop.amount = Units::from(1);
            }
        }
    }

    pub fn word(&self, of: ChannelRef, side: Side, at: u64) -> Option<&Word> {
        let words = self.words.get(&(of, side))?;
        words.get(at as usize % words.len().max(1))
    }
}

impl World {
    /// What Mallory does at a block instead of what an honest party would. False: nothing now.
    pub fn cheat(&mut self, own: usize) -> bool {
        let latest = self.chain.latest();
        self.malice.secrets.extend(latest.shown.iter().map(|(hash, secret)| (*hash, secret.clone())));
        match self.parties[own].vice {
            Vice::RevealsLate => self.say_late(own),
            Vice::UnlocksLast => self.unlock_last(own),
            Vice::Forges => self.forge(own),
            Vice::ClosesUnseen => self.close_unseen(own),
            Vice::Misreminds => self.remind_unasked(own),
            _ => {}
        }
        let is_wild = self.parties[own].vice == Vice::ClosesOld && self.rng.percent(60);
        if is_wild {
            self.try_anything(own);
        }
        is_wild
    }

    /// She shows what she kept, when she hopes that it is too late for the other one.
    fn say_late(&mut self, own: usize) {
        let mut late = Vec::new();
        for channel in self.parties[own].node.channels() {
            let to = self.at(&channel.peer.address());
            for (held, secret) in Party::known(channel) {
                if end_of(&held.lock.expiry).secs() < self.now() + 800 {
                    late.push((to, Message::Reveal { of: channel.of, number: held.lock.number, secret: secret.clone() }));
                }
            }
        }
        late.into_iter().for_each(|(to, message)| self.push(own, to, message));
    }

    /// She closes with the secret in the call, in the last block that takes it.
    fn unlock_last(&mut self, own: usize) {
        let soon = UnixTime::from_secs(self.now() + 3 * BLOCK_SECS);
        let due: Vec<ChannelId> = self.parties[own]
            .node
            .channels()
            .filter(|channel| channel.chain.stage == Stage::Open && Party::is_due(channel, soon))
            .map(|channel| channel.of.channel)
            .collect();
        due.iter().for_each(|id| self.want_closed(own, id));
    }

    /// Any call that comes to her mind, on any channel of hers.
    fn try_anything(&mut self, own: usize) {
        let from = self.parties[own].signer.address();
        let latest = self.chain.latest();
        let channels: Vec<(ChannelKey, ChannelRef, Side)> =
            self.parties[own].node.channels().map(|channel| (channel.key, channel.of, channel.side)).collect();
        for (key, of, side) in channels {
            let call = match latest.contract.slot(&of.channel) {
                Some(Slot::Open(open)) if open.epoch == of.epoch => self.old_close(own, of, side),
                Some(Slot::Closed(state)) if state.epoch == of.epoch => self.any_dispute(own, of, side, state),
                Some(Slot::Open(_) | Slot::Closed(_)) | None => None,
            };
            if let Some(call) = call {
                self.chain.send_once(from, What::Call(key, Box::new(call)));
            }
        }
    }

    fn old_close(&mut self, own: usize, of: ChannelRef, side: Side) -> Option<Call> {
        if !self.parties[own].closing.contains(&of) && !self.rng.percent(3) {
            return None;
        }
        let at = self.rng.next();
        let (shown, list) = self.malice.word(of, side, at)?.clone();
        let records = self.any_records(&list);
        Some(Call::Close { shown, records })
    }

    fn any_dispute(&mut self, own: usize, of: ChannelRef, side: Side, state: &Closed) -> Option<Call> {
        let latest = self.chain.latest();
        let fight = latest.fights.get(&of)?;
        let list = |payee: Side| {
            let mut list = self.parties[own].disk.list_at(of, payee == side, *fight.nonces.of(payee));
            list.retain(|lock| !fight.off.of(payee).contains(&lock.number));
            list
        };
        let (hers, theirs) = (list(side), list(side.other()));
        let what = match self.rng.between(0, 5) {
            0 => {
                let at = self.rng.next();
                Dispute::Update { shown: self.malice.word(of, side, at)?.0, by: By::Party }
            }
            1 | 2 => {
                let records = self.any_records(&hers);
                if state.closer == side {
                    Dispute::UnlockLate { records, by: By::Party }
                } else {
                    Dispute::Unlock { records, by: By::Party }
                }
            }
            3 => {
                let record = |lock: &Pending| Record { lock: *lock, take: true, secret: None, disposal: None };
                Dispute::Release { of: side.other(), records: theirs.iter().map(record).collect() }
            }
            _ => Dispute::Settle,
        };
        Some(Call::Dispute(Box::new(state.clone()), what))
    }

    /// She unlocks any of her income that she knows the secret of, given up or not.
    pub fn any_records(&mut self, list: &[Pending]) -> Vec<Record> {
        let latest = self.chain.latest();
        let mut records = Vec::new();
        for lock in list {
            let is_registered = latest.contract.registered(&lock.secret_hash).is_some();
            let secret = self.malice.secrets.get(&lock.secret_hash).cloned();
            let take = secret.is_some() && (is_registered || !lock.expiry.linked) && self.rng.percent(80);
            records.push(Record { lock: *lock, take, secret: secret.filter(|_| take && !is_registered), disposal: None });
        }
        if records.iter().any(|record| record.take) { records } else { Vec::new() }
    }

    /// Once in each channel she sends what her own core refuses to make.
    fn forge(&mut self, own: usize) {
        if !self.rng.percent(15) {
            return;
        }
        let (tip, mut made) = (self.chain.tip(), Vec::new());
        for channel in self.parties[own].node.channels() {
            let is_good = channel.in_step && channel.chain.stage == Stage::Open && !self.malice.forged.contains(&channel.of);
            if is_good {
                made.push((self.at(&channel.peer.address()), channel.clone()));
            }
        }
        for (to, mut channel) in made {
            let signer = self.parties[own].signer.clone();
            let any_lock = channel.outgoing.locks.front().map(|held| held.lock.number);
            let payment = PaymentId::from_bytes([0xee; 16]);
            let (broken, op) = match (self.rng.between(0, 4), any_lock) {
                (0, Some(number)) => (Guard::Struck, Op::Strike { number }),
                (1, Some(number)) => (Guard::Ended, Op::Expire { number }),
                (2, Some(number)) => (Guard::InTime, Op::Expire { number }),
                (3, _) => (Guard::Covered, Op::Transfer { payment, amount: Units::from(50_000_000) }),
                (_, _) => {
                    let Some(number) = channel.incoming.locks.front().map(|held| held.lock.number) else { continue };
                    let signature = signer.sign(&Digest32([1; 32]));
                    self.push(own, to, Message::Dispose { of: channel.of, number, reason: Reason::NoWay, hops: 0, signature });
                    continue;
                }
            };
            let none = BTreeMap::new();
            let staged = switched(Some((broken, Removed)), || channel.stage(op, &tip, &none).is_ok());
            let Some(update) = Some(()).filter(|()| staged).and_then(|()| channel.seal(&signer)) else { continue };
            self.malice.forged.insert(channel.of);
            self.push(own, to, Message::Update(update));
        }
        self.forge_signature(own);
    }

    /// A payment that she has not signed.
    fn forge_signature(&mut self, own: usize) {
        if !self.rng.percent(20) {
            return;
        }
        let signer = self.parties[own].signer.clone();
        let channel =
            self.parties[own].node.channels().find(|channel| channel.in_step && channel.free(channel.side) > 10).cloned();
        let Some(mut channel) = channel.filter(|channel| !self.malice.forged.contains(&channel.of)) else { return };
        let op = Op::Transfer { payment: PaymentId::from_bytes([0xed; 16]), amount: Units::from(10) };
        if channel.stage(op, &self.chain.tip(), &BTreeMap::new()).is_err() {
            return;
        }
        let to = self.at(&channel.peer.address());
        if let Some(mut update) = channel.seal(&signer) {
            update.signature = signer.sign(&Digest32([2; 32]));
            self.malice.forged.insert(channel.of);
            self.push(own, to, Message::Update(update));
        }
    }
}
