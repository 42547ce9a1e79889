//! The chain out of a party's sight: what it does then, and what it must not.

use crate::party::{AWAY_SECS, LIMIT};
use crate::world::{World, Wrong};
use photon_channel::*;

impl World {
    /// Whether a party is there and does not see the chain.
    pub fn is_blind(&self, own: usize) -> bool {
        self.parties[own].sight.dark_until > self.now()
    }

    /// Away or blind, or one after the other: no longer than was promised.
    pub fn stay_within(&mut self, own: usize) {
        let party = &mut self.parties[own];
        if party.sight.may_fail {
            let last = party.sight.seen_at + AWAY_SECS;
            party.away_until = party.away_until.min(last);
            party.sight.dark_until = party.sight.dark_until.min(last);
        }
    }

    /// It goes on without the chain: nothing is heard of it, and nothing sent to it.
    pub fn grope(&mut self, own: usize) {
        let now = self.chain.tip().latest.time;
        if self.parties[own].node.sight() != Sight::Lost {
            // What was taken before was taken by one who saw, or had not looked yet.
            self.step(own);
        }
        self.parties[own].node.take(Event::Clock(now));
        self.parties[own].node.take(Event::Sight(Sight::Lost));
        self.step(own);
    }

    /// It has heard all that the chain has to say by now.
    pub fn sees(&mut self, own: usize) {
        let now = self.now();
        let eyes = &mut self.parties[own].sight;
        eyes.seen_at = now;
        if eyes.may_fail {
            self.step(own);
            self.parties[own].sight.unseen = 0;
            self.parties[own].node.take(Event::Sight(Sight::Live));
        }
        self.step(own);
    }

    /// A step of one that does not see the chain: no more comes in than its owner allows, and it counts as much; nothing is begun
    /// that may need the chain before it ends.
    pub fn check_unseen(&mut self, own: usize, writes: &[Write]) {
        let party = &mut self.parties[own];
        if party.node.sight() != Sight::Lost {
            return;
        }
        for Write { key, row } in writes {
            let before = party.disk.live.get(key);
            let is_begun = match (key, row, before) {
                (Key::Received(..), Some(Row::Received(_, amount, None)), _) => {
                    party.sight.unseen += amount.get();
                    *self.met.entry("paid unseen").or_default() += 1;
                    false
                }
                (Key::Lock(_, true, _), Some(Row::Lock(now)), None) => matches!(now.link, Link::Mine(_) | Link::Onto { .. }),
                (Key::Lock(_, false, _), Some(Row::Lock(now)), None) => now.link != Link::Forgotten,
                (Key::Channel(_), Some(Row::Channel(now)), Some(Row::Channel(before))) => {
                    let signs = |row: &ChannelRow| {
                        let closes = match &row.standing {
                            Standing::Granted(grant) | Standing::Parting(grant) => grant.signature.is_none(),
                            Standing::Active | Standing::Stopping | Standing::Behind => false,
                        };
                        closes || row.leaving.is_some()
                    };
                    signs(now) && !signs(before)
                }
                (_, _, _) => false,
            };
            if is_begun {
                let why = format!("{own} does not see the chain, and begins {key:?}");
                return self.fail(Wrong::Invariant(16, why));
            }
        }
        let (counted, came_in) = (party.node.unseen(None).get(), party.sight.unseen);
        if came_in > u128::from(LIMIT) || counted < came_in {
            self.fail(Wrong::Invariant(16, format!("{own} takes {came_in} unseen, and counts {counted}")));
        }
    }
}
