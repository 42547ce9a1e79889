//! What must hold in every state, and what must be reachable, or the model would prove nothing.

use crate::ledger::Leg;
use crate::world::{State, World};
use photon_swap::Outcome;
use stateright::Property;

pub const NO_LOSS: &str = "nobody honest pays and goes without";
pub const NOTHING_STUCK: &str = "at the end nothing of ours is stuck";
pub const TRUE_BELIEF: &str = "what a party wrote down as its end is what the ledgers show";
pub const INTENT_FIRST: &str = "no effect without durable intent";
pub const END_ABSORBS: &str = "after the end nothing is wanted and nothing written";
pub const ALIKE: &str = "two honest parties end alike, and neither takes both";
pub const SAFETY: [&str; 6] = [NO_LOSS, NOTHING_STUCK, TRUE_BELIEF, INTENT_FIRST, END_ABSORBS, ALIKE];
pub const CAN_COMPLETE: &str = "a swap can complete";
pub const CAN_REFUND: &str = "a swap can be refunded";

pub fn properties() -> Vec<Property<World>> {
    vec![
        Property::always(NO_LOSS, no_loss),
        Property::always(NOTHING_STUCK, |world: &World, state: &State| {
            !world.is_over(state) || (0..state.parties.len()).all(|party| is_free(world, state, party))
        }),
        Property::always(TRUE_BELIEF, |world: &World, state: &State| {
            !world.is_over(state) || (0..state.parties.len()).all(|party| believes_truth(world, state, party))
        }),
        Property::always(INTENT_FIRST, |_: &World, state: &State| !state.breach.without_intent),
        Property::always(END_ABSORBS, |_: &World, state: &State| !state.breach.after_the_end),
        Property::always(ALIKE, alike),
        Property::sometimes(CAN_COMPLETE, |world: &World, state: &State| {
            world.is_over(state) && ended(state, Outcome::Completed)
        }),
        Property::sometimes(CAN_REFUND, |world: &World, state: &State| world.is_over(state) && ended(state, Outcome::Refunded)),
    ]
}

fn ended(state: &State, outcome: Outcome) -> bool {
    state.parties.iter().all(|party| party.ended == Some(outcome))
}

/// Judged when time is up. A lock that was credited twice was still received only once.
fn no_loss(world: &World, state: &State) -> bool {
    if !world.is_over(state) {
        return true;
    }
    let legs = (0..state.parties.len()).map(|party| world.legs_of(state, party));
    let mut received: Vec<&Leg> = Vec::new();
    let mut lost = false;
    for (own, peer) in legs {
        let is_new = !received.iter().any(|other| std::ptr::eq(*other, peer));
        let got = peer.is_taken() && is_new;
        received.extend(got.then_some(peer));
        lost |= own.is_taken() && !got;
    }
    !lost
}

fn is_free(world: &World, state: &State, party: usize) -> bool {
    let (own, peer) = world.legs_of(state, party);
    state.parties[party].ended.is_some() && (!own.stands() || peer.is_taken())
}

fn believes_truth(world: &World, state: &State, party: usize) -> bool {
    let (own, peer) = world.legs_of(state, party);
    let (took_back, received) = (own.is_back(), peer.is_taken());
    state.parties[party].ended.is_none_or(|ended| match ended {
        Outcome::TookBoth => received && took_back,
        // What was sent safety first, and evicted, may be mined by whoever kept it long after we looked away: the other leg too.
        Outcome::Completed => received,
        Outcome::Refunded => took_back,
        // A reorganisation undid our funding after the counterparty had shown the secret. What we sent then may still be mined.
        Outcome::Void => !own.fund.is_mined(),
        Outcome::Lost => own.is_taken() && !received,
    })
}

fn alike(world: &World, state: &State) -> bool {
    let [one, two] = &state.parties[..] else { return true };
    if !world.is_over(state) || world.setup.is(crate::setup::Broken::CreditsALockTwice) {
        return true;
    }
    let took_both = |party| {
        let (own, peer) = world.legs_of(state, party);
        own.is_back() && peer.is_taken()
    };
    let done = Some(Outcome::Completed);
    (one.ended == done) == (two.ended == done) && !took_both(0) && !took_both(1)
}
