//! What each party hears of the chain, and what it does about channels that are closed or must be.

use crate::chain::What;
use crate::party::Vice;
use crate::world::World;
use photon_chains::SecretHash;
use photon_channel::contract::{Call, Slot};
use photon_channel::*;
use std::collections::BTreeMap;

impl World {
    /// What the chain says of one channel of a party's.
    fn hear_channel(&mut self, own: usize, key: ChannelKey) {
        let (latest, deep) = (self.chain.latest(), self.chain.deep());
        let id = key.id();
        let party = &self.parties[own];
        let Some(channel) = party.node.channel(&id) else {
            let Some(Slot::Open(open)) = deep.contract.slot(&id) else { return };
            let side = key.side_of(&party.signer.address()).unwrap();
            let peer = self.parties[self.at(key.parties().of(side.other()))].signer.known();
            let chain =
                OnChain { holdings: open.holdings, withdrawals: open.withdrawals, counted: Nonce::NONE, stage: Stage::Open };
            let epoch = open.epoch;
            let event = if party.memory.may_be_older(epoch) {
                Event::Found { key, epoch, peer: peer.into(), chain }
            } else {
                Event::Opened { key, epoch, peer, chain }
            };
            self.parties[own].node.take(event);
            return self.step(own);
        };
        let (of, side) = (channel.of, channel.side);
        let same = |slot: Option<&Slot>| slot.filter(|slot| slot.epoch() == of.epoch).cloned();
        let is_open = matches!(same(latest.contract.slot(&id)), Some(Slot::Open(_))) && !party.closing.contains(&of);
        let there = same(deep.contract.slot(&id));
        let stage = match &there {
            None => Stage::Gone,
            Some(_) if is_open => Stage::Open,
            Some(_) => Stage::Closed,
        };
        let counted = match deep.fights.get(&of) {
            Some(fight) => *fight.nonces.of(side.other()),
            None if stage == Stage::Gone => Nonce::LAST,
            None => Nonce::NONE,
        };
        let (holdings, withdrawals) = match &there {
            Some(Slot::Open(open)) => (open.holdings, open.withdrawals),
            Some(Slot::Closed(_)) | None => (channel.chain.holdings, channel.chain.withdrawals),
        };
        let chain = OnChain { holdings, withdrawals, counted, stage };
        // She does not want to know it while the other one does not.
        let peer = self.at(&channel.peer.address());
        let looks_away = party.vice == Vice::ClosesUnseen && stage == Stage::Closed && self.is_blind(peer);
        if chain == channel.chain || looks_away {
            return;
        }
        if stage == Stage::Closed {
            self.held.insert((own, of), channel.incoming.transferred);
        }
        if stage == Stage::Gone {
            // A backup that was not kept up may know it once more.
            self.ended.entry((own, of)).or_insert_with(|| channel.clone());
        }
        self.parties[own].node.take(Event::Chain(id, chain));
        self.step(own);
        if stage == Stage::Gone && self.parties[own].node.channel(&id).is_none() {
            let how = if deep.fights.contains_key(&of) { "closed alone" } else { "closed together" };
            *self.met.entry(how).or_default() += 1;
            if self.ended.get(&(own, of)).is_some_and(Channel::is_behind) {
                let how = if deep.fights.contains_key(&of) { "behind, closed alone" } else { "behind, closed together" };
                *self.met.entry(how).or_default() += 1;
            }
        }
    }

    fn keys_of(&self, own: usize) -> Vec<ChannelKey> {
        self.links.iter().filter(|link| link.one == own || link.other == own).map(|link| link.key).collect()
    }

    pub fn hear_chain(&mut self, own: usize) {
        let tip = self.chain.tip();
        self.parties[own].node.take(Event::Clock(tip.latest.time));
        for key in self.keys_of(own) {
            self.hear_channel(own, key);
        }
        let latest = self.chain.latest();
        let watched: Vec<SecretHash> = self.parties[own].watched.iter().copied().collect();
        for hash in watched {
            let entry = latest.contract.registered(&hash).map(|at| (at, at.time <= tip.deep.time));
            let party = &mut self.parties[own];
            let told = party.told.get(&hash).copied();
            if told.is_some() && told.map(|(at, _)| at) != entry.map(|(at, _)| at) {
                party.told.remove(&hash);
                party.node.take(Event::Unregistered(hash));
            }
            let secret = latest.shown.get(&hash).cloned();
            match (entry, secret) {
                (Some((at, is_deep)), Some(secret)) if told != entry => {
                    party.told.insert(hash, (at, is_deep));
                    party.node.take(Event::Registered { secret, at, is_deep });
                }
                (None, Some(secret)) => party.node.take(Event::Secret(secret)),
                (_, _) => {}
            }
        }
        self.parties[own].node.take(Event::Tip(tip));
        self.sees(own);
    }

    /// What a party does about channels that are closed, or must be.
    pub fn fight(&mut self, own: usize) {
        let from = self.address(own);
        let next = self.chain.next();
        let deep = self.chain.tip().deep;
        let latest = self.chain.latest();
        for key in self.keys_of(own) {
            let party = &self.parties[own];
            let Some(channel) = party.node.channel(&key.id()).filter(|_| !self.chain.waits(&from, &key.id())) else { continue };
            let entries: BTreeMap<SecretHash, Moment> =
                latest.shown.keys().filter_map(|hash| Some((*hash, latest.contract.registered(hash)?))).collect();
            let of = channel.of;
            let call = match latest.contract.slot(&of.channel) {
                Some(Slot::Open(open)) if open.epoch == of.epoch => {
                    let is_owed = channel.should_close(deep, &entries, 200);
                    let is_wanted = party.closing.contains(&of) || is_owed;
                    if is_wanted { channel.close_alone(next, &entries) } else { None }
                }
                Some(Slot::Closed(state)) if state.epoch == of.epoch => {
                    let fight = latest.fights.get(&of).cloned().unwrap_or_default();
                    party.next_call(channel, state, &fight, &entries, (next, deep))
                }
                Some(Slot::Open(_) | Slot::Closed(_)) | None => None,
            };
            let Some(call) = call else { continue };
            if matches!(call, Call::Close { .. }) {
                // Told, and durable, before it is sent: what is taken afterwards would be in no proof.
                self.parties[own].closing.insert(of);
                self.hear_channel(own, key);
                let is_told = self.parties[own].node.channel(&of.channel).is_some_and(|it| it.chain.stage == Stage::Closed);
                if !is_told {
                    // Killed over it: it closes at a later block.
                    continue;
                }
            }
            self.chain.send_once(from, What::Call(key, Box::new(call)));
        }
    }

    /// Its owner wants a channel closed.
    pub fn want_closed(&mut self, own: usize, id: &ChannelId) {
        let party = &mut self.parties[own];
        if let Some(of) = party.node.channel(id).filter(|channel| channel.chain.stage == Stage::Open).map(|channel| channel.of) {
            party.closing.insert(of);
        }
    }
}
