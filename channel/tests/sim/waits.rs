//! Locks that wait at a mediator for a neighbour that is away: for a moment, and no longer.

use crate::chain::BLOCK_SECS;
use crate::party::POLICY;
use crate::world::{World, Wrong};
use photon_channel::*;
use std::collections::BTreeMap;

/// A lock that is to go onward, by its mediator.
type Waiting = (usize, ChannelRef, LockNo);

/// Since when each of them waits, and what became of those that did.
#[derive(Default)]
pub struct Waits {
    since: BTreeMap<Waiting, u64>,
    pub passed_on: u64,
    pub in_vain: u64,
}

impl World {
    /// After a start all neighbours are waited for anew.
    pub fn waits_anew(&mut self, own: usize) {
        let now = self.now();
        for ((party, ..), since) in &mut self.waits.since {
            if *party == own {
                *since = now;
            }
        }
    }

    /// At every block of a party that is there.
    pub fn check_waits(&mut self, own: usize) {
        let now = self.now();
        let node = &self.parties[own].node;
        // Who has forgotten gives nothing back, and its payer takes it back in the end.
        for channel in node.channels().filter(|channel| !channel.is_behind()) {
            for held in &channel.incoming.locks {
                if matches!(&held.link, Link::Onto { channel: onto, number: None, .. } if !is_there(node, onto)) {
                    self.waits.since.entry((own, channel.of, held.lock.number)).or_insert(now);
                }
            }
        }
        let mine: Vec<(Waiting, u64)> =
            self.waits.since.iter().filter(|((party, ..), _)| *party == own).map(|(lock, since)| (*lock, *since)).collect();
        for (lock, since) in mine {
            let (_, of, number) = lock;
            let node = &self.parties[own].node;
            let channel = node.channel(&of.channel).filter(|channel| channel.of == of && !channel.is_behind());
            match channel.and_then(|channel| channel.incoming.lock(number)).map(|held| &held.link) {
                Some(Link::Onto { channel: onto, number: None, .. }) if is_there(node, onto) => {}
                Some(Link::Onto { number: None, .. }) if now <= since + POLICY.return_secs + BLOCK_SECS => continue,
                Some(Link::Onto { channel: onto, number: None, .. }) => {
                    let onto = node.channel(onto).map(|onto| (onto.chain.stage, &onto.standing, onto.unacked.len()));
                    let why =
                        format!("{own} waits since {since}, now {now}, in {:?}, onto {onto:?}", channel.map(|it| it.chain.stage));
                    return self.fail(Wrong::Invariant(17, why));
                }
                Some(Link::Onto { number: Some(_), .. }) => self.waits.passed_on += 1,
                Some(Link::Unwanted(_)) => self.waits.in_vain += 1,
                Some(_) | None => {}
            }
            self.waits.since.remove(&lock);
        }
    }
}

fn is_there(node: &Node, id: &ChannelId) -> bool {
    node.channel(id).is_some_and(|channel| channel.in_step)
}
