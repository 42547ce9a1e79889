//! What must be true at the end, read from the ledgers and not from the parties' memories.

use crate::ledger::{SimLedger, State};
use crate::party::Party;
use crate::world::Setting;
use photon_chains::Amount;
use photon_swap::{Outcome, Phase, Role};

/// How a swap went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub initiator: Option<Outcome>,
    pub participant: Option<Outcome>,
    pub moves: Vec<(Phase, Phase)>,
}

/// Why a swap went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The counterparty has both legs.
    Loss(Role),
    /// Money of ours is left in a lock, or the swap does not end in its time.
    Stuck(Role),
    /// We were paid less than was offered.
    Short(Role),
    /// What a party believes is not what the ledgers show.
    Belief(Role, Option<Outcome>),
    /// Honest parties ended differently, or did not complete although nothing went wrong.
    Apart(Option<Outcome>, Option<Outcome>),
    /// A party took both legs of an honest one.
    Theft(Role),
}

impl Wrong {
    /// In words, for a table.
    pub fn told(&self) -> String {
        match self {
            Wrong::Loss(role) => format!("the {role:?} loses its whole leg"),
            Wrong::Stuck(role) => format!("money of the {role:?} is left behind"),
            Wrong::Short(role) => format!("the {role:?} gets less than was offered"),
            Wrong::Belief(role, outcome) => format!("the {role:?} believes {outcome:?}, and it is not so"),
            Wrong::Apart(one, two) => format!("honest parties end apart: {one:?}, {two:?}"),
            Wrong::Theft(role) => format!("the {role:?} keeps both legs of an honest party"),
        }
    }
}

pub fn judge(setting: &Setting, honest: &[Party], alpha: &SimLedger, beta: &SimLedger) -> Result<Report, Wrong> {
    let mut report = Report::default();
    for party in honest {
        let role = party.swap.role;
        let (alpha, beta) = (alpha.state_for(role), beta.state_for(role));
        let (own, peer) = match role {
            Role::Initiator => (alpha, beta),
            Role::Participant => (beta, alpha),
        };
        let outcome = party.swap.facts.ended;
        judge_one(setting, party, outcome, own, peer)?;
        match role {
            Role::Initiator => report.initiator = outcome,
            Role::Participant => report.participant = outcome,
        }
        report.moves.extend(&party.moves);
    }
    if setting.mallory.is_none() {
        judge_two(setting, &report)?;
    }
    Ok(report)
}

fn judge_one(setting: &Setting, party: &Party, outcome: Option<Outcome>, own: State, peer: State) -> Result<(), Wrong> {
    let role = party.swap.role;
    let received = peer.redeemed.is_some();
    if own.redeemed.is_some() && !received {
        return Err(Wrong::Loss(role));
    }
    if received && party.swap.terms.peer_leg(role).lock.amount < Amount::from_units(1_000) {
        return Err(Wrong::Short(role));
    }
    let still_locked = own.funded.is_some() && own.redeemed.is_none() && own.refunded.is_none();
    let left_behind = own.wrong.is_some() && own.swept.is_none();
    if outcome.is_none() || left_behind || (still_locked && !received) {
        return Err(Wrong::Stuck(role));
    }
    let took_both = own.refunded.is_some() && received;
    if took_both && setting.mallory.is_none() {
        return Err(Wrong::Theft(role));
    }
    let truth = match (own.refunded.is_some(), received) {
        (true, true) => Outcome::TookBoth,
        (true, false) => Outcome::Refunded,
        (false, true) => Outcome::Completed,
        (false, false) => Outcome::Void,
    };
    // Who could not see for a second that the other leg is its own for good may take its own back too, and learn of it after
    // the end. Only who let its own time pass can lose by that, and honest parties don't: that would be a theft.
    // Nor does it cost us anything if a lock in a channel is paid that its payer could have had back.
    let is_known = |outcome| outcome == Outcome::Completed || (setting.over_channels && outcome == Outcome::Refunded);
    let missed = setting.mallory.is_some() && truth == Outcome::TookBoth && outcome.is_some_and(is_known);
    if outcome != Some(truth) && !missed {
        return Err(Wrong::Belief(role, outcome));
    }
    Ok(())
}

fn judge_two(setting: &Setting, report: &Report) -> Result<(), Wrong> {
    let (one, two) = (report.initiator, report.participant);
    let done = Some(Outcome::Completed);
    let is_alike = (one == done) == (two == done);
    if !is_alike || (setting.is_calm && one != done) {
        return Err(Wrong::Apart(one, two));
    }
    Ok(())
}
