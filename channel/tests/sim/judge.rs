//! What must be true at the end, read from the chain where something is there, and from the latest proofs where a channel stays.

use crate::forget::Loss;
use crate::story::{Plan, Story};
use crate::world::Wrong;
use photon_channel::*;
use std::collections::BTreeMap;

/// The invariants, by their numbers, and where each is looked at. The last three are of those who have forgotten something, do not
/// see the chain, or wait.
pub const INVARIANTS: [&str; 17] = [
    "no coin is made or lost: what is in the contract and in wallets adds up (`judge`)",
    "no honest party has less than its latest proofs, and the secrets known in time, give it (`judge`)",
    "what is let out is durable: never two different updates with one nonce (`World::check_update`)",
    "what is received is received once, and in full (`judge`)",
    "a mediator never pays for what it can't claim: it has lost nothing (`judge`)",
    "promises are covered, locks are counted (`World::check_update`)",
    "a lock that was signed away is not used: nobody honest is punished (`judge`)",
    "after a consent no value moves: a close by consent pays what the latest proofs say (`judge`)",
    "doubled, late and old messages change nothing, and both sides agree in the end (`judge`)",
    "every payment ends, every closed channel is settled, every other one can be used (`Story::calm`, `Story::use_channels`)",
    "a restart loses nothing that was let out (`Party::check_disk`)",
    "a mediator gets its fee, a payer pays no more than it allows (`World::check_update`, `judge`)",
    "what is written is read (`World::push`, `Disk::commit`)",
    "the contract takes what the core names, and pays what it says (`judge`, tests/contract)",
    "nothing is signed in a channel whose history is incomplete, and what was shown is had (`World::check_signature`, \
     `World::check_reminded`)",
    "no more is taken unseen than was allowed, and nothing begun that may need the chain (`World::check_unseen`)",
    "a lock waits for a neighbour that is away for a moment, and no longer (`World::check_waits`)",
];

/// What happened, by name.
pub type Report = BTreeMap<String, u64>;

pub fn judge(story: &Story) -> Result<Report, Wrong> {
    let world = &story.world;
    let sum = world.chain.latest().sum(world.links.iter().map(|link| link.key));
    if sum != 0 {
        return Err(Wrong::Invariant(1, format!("{sum} too much")));
    }
    for link in world.links.iter().filter(|link| world.is_honest(link)) {
        let id = link.key.id();
        let sides = (world.parties[link.one].node.channel(&id), world.parties[link.other].node.channel(&id));
        match sides {
            (Some(a), Some(b)) => {
                let is_stuck = a.chain.stage == Stage::Closed && !(world.is_sound(link.one) && world.is_sound(link.other));
                for (payer, payee) in [(a, b), (b, a)].into_iter().filter(|_| !is_stuck) {
                    let (out, inn) = (&payer.outgoing, &payee.incoming);
                    if (out.nonce, out.transferred, out.signature) != (inn.nonce, inn.transferred, inn.signature) {
                        return Err(Wrong::Invariant(9, "both sides see another channel".to_owned()));
                    }
                }
            }
            (None, None) => {}
            // Whoever lost everything while it was closed does not know of it.
            (Some(it), None) | (None, Some(it)) if it.chain.stage == Stage::Closed && world.is_forgotten(link) => {}
            (Some(_), None) | (None, Some(_)) => return Err(Wrong::Unusable("one side alone has the channel".to_owned())),
        }
    }
    story.plans.iter().try_for_each(|plan| judge_plan(story, plan))?;
    (0..world.parties.len()).filter(|own| world.parties[*own].is_honest()).try_for_each(|own| judge_party(story, own))?;
    Ok(report(story))
}

fn judge_plan(story: &Story, plan: &Plan) -> Result<(), Wrong> {
    let (payer, payee) = (&story.world.parties[plan.from], &story.world.parties[plan.to]);
    if !payer.is_honest() || !payee.is_honest() {
        return Ok(());
    }
    let (count, amount) = payee.received(&plan.id);
    let world = &story.world;
    let is_any = |forgets: &dyn Fn(usize) -> bool| (0..world.parties.len()).any(forgets);
    // Who does not know that its memory is old may make a payment again, or give one back that it has passed on.
    let is_unaware = is_any(&|own| world.parties[own].memory.losses.contains(&Loss::Unnoticed));
    if !is_unaware && (count > 1 || amount > u128::from(plan.amount)) {
        return Err(Wrong::Invariant(4, format!("received {count} times, {amount} in all")));
    }
    let is_paid = matches!(payer.outcome(&plan.id), Some(Outcome::Paid(_)));
    let is_failed = matches!(payer.outcome(&plan.id), Some(Outcome::Failed(_)));
    if is_any(&|own| world.parties[own].memory.has_forgotten()) {
        // A mediator who has forgotten may lose a payment on its account, and one of its own may have been made without its knowing.
        let is_honest = !is_any(&|own| !world.parties[own].is_honest());
        // What the contract gave is told when the channel is gone, and what is held for one who has forgotten keeps it.
        let is_told = payee.node.channels().all(|channel| channel.chain.stage == Stage::Open);
        let is_lost = is_paid && count == 0 && is_told && world.is_sound(plan.from) && world.is_sound(plan.to);
        let others_are_sound = (0..world.parties.len()).all(|own| own == plan.from || world.is_sound(own));
        let is_denied = is_failed && count == 1 && others_are_sound && !is_unaware;
        if is_honest && (is_lost || is_denied) {
            return Err(Wrong::Invariant(4, format!("{:?}, and received {count} times", payer.outcome(&plan.id))));
        }
        return Ok(());
    }
    // Whom Mallory stands between may be paid out of her own pocket.
    if story.world.parties.iter().all(|party| party.is_honest()) && is_paid != (count == 1) {
        return Err(Wrong::Invariant(4, format!("{:?}, and received {count} times", payer.outcome(&plan.id))));
    }
    Ok(())
}

/// What a party was given, off chain or by the contract; and what it must have been given, by its payers' receipts.
fn due(story: &Story, own: usize) -> i128 {
    let party = &story.world.parties[own];
    let mut due: BTreeMap<PaymentId, u128> = BTreeMap::new();
    for (_, row) in party.history() {
        if let Row::Received(payment, amount, _) = row {
            let due = due.entry(*payment).or_default();
            *due = if party.memory.has_forgotten() { (*due).max(amount.get()) } else { *due + amount.get() };
        }
    }
    for plan in story.plans.iter().filter(|plan| plan.to == own) {
        let payer = &story.world.parties[plan.from];
        if story.world.is_sound(plan.from) && matches!(payer.outcome(&plan.id), Some(Outcome::Paid(_))) {
            let due = due.entry(plan.id).or_default();
            *due = (*due).max(u128::from(plan.amount));
        }
    }
    due.values().map(|amount| *amount as i128).sum()
}

fn judge_party(story: &Story, own: usize) -> Result<(), Wrong> {
    let party = &story.world.parties[own];
    let is_behind = |id: &ChannelId| {
        let link = story.world.links.iter().find(|link| link.key.id() == *id).unwrap();
        // Where nothing is pending Mallory's word is believed: it costs nothing but the channel. And a backup that was not kept up may
        // know a channel that has ended, until the chain says so again.
        story.world.is_honest(link) && !story.world.ended.keys().any(|(party, of)| *party == own && of.channel == *id)
    };
    let is_talked_over = party.notices.iter().any(|notice| matches!(notice, Notice::Behind(id) if is_behind(id)));
    if is_talked_over && !party.memory.has_forgotten() {
        return Err(Wrong::Invariant(11, format!("{own} has forgotten something")));
    }
    if party.memory.has_forgotten() {
        story.world.judge_memory(own)?;
        if !story.world.is_backed_up(own) {
            return Ok(());
        }
    }
    if party.notices.iter().any(|notice| matches!(notice, Notice::Lost(..))) {
        return Err(Wrong::Loss(format!("{own} has shown a secret and was not paid")));
    }
    let latest = story.world.chain.latest();
    let wallet = latest.wallets.get(&party.signer.address()).copied().unwrap_or_default();
    let in_channels: i128 = party
        .node
        .channels()
        .filter(|channel| channel.chain.stage == Stage::Open)
        .map(|channel| {
            let moved = channel.incoming.transferred.signed() - channel.outgoing.transferred.signed();
            channel.chain.holdings.net(channel.side) + moved
        })
        .sum();
    let spent = |plan: &&Plan| {
        let outcome = party.outcome(&plan.id);
        let may_be_paid = outcome.is_none() && party.memory.has_forgotten();
        plan.from == own && (may_be_paid || matches!(outcome, Some(Outcome::Paid(_))))
    };
    let paid: i128 = story.plans.iter().filter(spent).map(|plan| plan.most).sum();
    let tests: i128 =
        party.disk.history.keys().filter(|key| matches!(key, Key::Outcome(id) if id.as_bytes()[15] == 0xff)).count() as i128;
    let missing = due(story, own) - paid - tests - (wallet + in_channels);
    if missing > 0 { Err(Wrong::Loss(format!("{own} has {missing} too little"))) } else { Ok(()) }
}

fn report(story: &Story) -> Report {
    let mut report = Report::new();
    let mut count = |name: String, by: u64| *report.entry(name).or_default() += by;
    let world = &story.world;
    for plan in &story.plans {
        let outcome = world.parties[plan.from].outcome(&plan.id);
        count(
            match outcome {
                Some(Outcome::Paid(_)) => format!("paid {}", plan.kind),
                Some(Outcome::Failed(reason)) => format!("failed {reason:?}"),
                None => "not begun".to_owned(),
            },
            1,
        );
    }
    for party in &world.parties {
        count("crash".to_owned(), party.crashes);
        for row in party.disk.history.values() {
            if let Row::Gone(held, _) = row
                && matches!(held.state, LockState::Disposed(_))
            {
                count("signed away".to_owned(), 1);
            }
        }
    }
    for party in world.parties.iter().filter(|party| party.memory.has_forgotten()) {
        party.memory.losses.iter().for_each(|loss| count(format!("forgot, {loss:?}"), 1));
    }
    count("registered or shown".to_owned(), world.chain.latest().shown.len() as u64);
    count("reorganised".to_owned(), world.chain.reorgs);
    count("waited for, and passed on".to_owned(), world.waits.passed_on);
    count("waited for in vain".to_owned(), world.waits.in_vain);
    world.met.iter().for_each(|(what, times)| count((*what).to_owned(), *times));
    report
}
