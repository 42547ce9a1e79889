//! An honest party: polls, steps, commits, sends; and falls over anywhere in between. Only its facts survive.

use crate::ledger::{CONFIRMATIONS, Kind, SimLedger, Tx};
use crate::rng::Rng;
use photon_chains::{LockStatus, UnixTime};
use photon_swap::*;

/// How a party fails to be there. Never for longer than was promised.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Always there.
    Steady,
    /// Killed and restarted again and again, at any point of a step.
    Crashing,
    /// Acts only now and then.
    Sleepy,
}

/// An outage as long as was promised at most, at the worst moment that can be found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    At(u64),
    /// Right after the intent to reveal was written down, before anything was sent.
    AfterRevealIntent,
    /// Right after a redeem was sent for the first time.
    AfterRedeem,
    /// As soon as the secret can be read anywhere.
    WhenSecretIsOut,
    /// As soon as the own lock opens.
    WhenOwnOpens,
    /// So that the last moment to reveal is the moment of coming back.
    UntilRevealBy,
}

/// What a broken program would do, to see that the simulator notices.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaw {
    pub forgets_reveal_intent: bool,
    pub never_cancels: bool,
    /// Relies on one confirmation.
    pub trusts_shallow: bool,
    /// Sends a redeem once and thinks it is done.
    pub never_repeats: bool,
}

pub struct Party {
    pub swap: Swap,
    pub moves: Vec<(Phase, Phase)>,
    pub presence: Presence,
    pub outages: Vec<Outage>,
    pub flaw: Flaw,
    /// How often the mempools may yet forget, during an outage, what was sent.
    losses: u32,
    has_redeemed: bool,
    offline_secs: u64,
    skew: i64,
    phase: Phase,
    back_at: u64,
    last_act: u64,
    /// Durable, like the facts: our funding was signed.
    signed_funding: bool,
    /// Durable: the port found nothing to cancel.
    nothing_to_cancel: bool,
}

impl Party {
    pub fn new(role: Role, terms: Terms, now: u64, rng: &mut Rng) -> Self {
        let mut swap = Swap::new(role, terms);
        swap.apply(&Fact::Agreed);
        Self {
            swap,
            moves: Vec::new(),
            presence: Presence::Steady,
            outages: Vec::new(),
            losses: 1,
            has_redeemed: false,
            flaw: Flaw::default(),
            offline_secs: terms.offline_secs,
            skew: rng.between(0, 2) as i64 - 1,
            phase: Phase::Agreed,
            back_at: now,
            last_act: now,
            signed_funding: false,
            nothing_to_cancel: false,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.swap.facts.ended.is_some()
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// One turn of the daemon's loop.
    pub fn act(&mut self, now: u64, alpha: &mut SimLedger, beta: &mut SimLedger, rng: &mut Rng) {
        if now >= self.back_at && self.begins_outage(now, alpha, beta) {
            self.leave(now, rng, alpha, beta);
        }
        if now < self.back_at || self.has_ended() || self.sleeps(now, rng) {
            return;
        }
        let view = self.view(now, alpha, beta);
        let step = step(&self.swap, &view);
        if self.crashes(now, rng) {
            return;
        }
        step.facts.iter().for_each(|fact| self.swap.apply(fact));
        self.note_phase(step.phase);
        if step.facts.contains(&Fact::RevealIntent) && self.takes(Outage::AfterRevealIntent) {
            return self.leave(now, rng, alpha, beta);
        }
        for effect in &step.effects {
            if self.crashes(now, rng) {
                return;
            }
            self.send(*effect, alpha, beta, rng);
        }
        if self.flaw.forgets_reveal_intent {
            self.swap.facts.reveal_intent = false;
        }
        self.last_act = now;
        let redeems = step.effects.iter().any(|effect| effect.kind == EffectKind::Redeem);
        if redeems && !std::mem::replace(&mut self.has_redeemed, true) && self.takes(Outage::AfterRedeem) {
            self.leave(now, rng, alpha, beta);
        }
    }

    fn view(&self, now: u64, alpha: &SimLedger, beta: &SimLedger) -> View {
        let clock = now.saturating_add_signed(self.skew);
        let (own_alpha, own_beta) = match self.swap.role {
            Role::Initiator => (self.nothing_to_cancel, false),
            Role::Participant => (false, self.nothing_to_cancel),
        };
        View {
            now_lo: UnixTime::from_secs(clock - 1),
            now_hi: UnixTime::from_secs(clock + 1),
            alpha: self.flawed(alpha.look(own_alpha)),
            beta: self.flawed(beta.look(own_beta)),
            facts: Facts::default(),
            may_risk: true,
        }
    }

    fn flawed(&self, mut leg: LegView) -> LegView {
        if let (true, Some(seen)) = (self.flaw.trusts_shallow, &mut leg.sighting)
            && let LockStatus::Pending { txid, depth: 1.. } = seen.status
        {
            let at = leg.tip.expect("the simulated node always has a tip").block;
            seen.status = LockStatus::Funded { txid, at, depth: CONFIRMATIONS };
        }
        leg
    }

    fn note_phase(&mut self, phase: Phase) {
        if phase != self.phase {
            self.moves.push((self.phase, phase));
            self.phase = phase;
        }
    }

    fn begins_outage(&mut self, now: u64, alpha: &SimLedger, beta: &SimLedger) -> bool {
        let terms = &self.swap.terms;
        let opens = terms.own_leg(self.swap.role).lock.expiry.opens_time.secs();
        let reveal_by = terms.deadlines.reveal_by.secs();
        let begun = self.outages.iter().copied().find(|outage| match outage {
            Outage::At(at) => now >= *at,
            Outage::WhenSecretIsOut => alpha.shows_secret() || beta.shows_secret(),
            Outage::WhenOwnOpens => now >= opens,
            Outage::UntilRevealBy => now + self.offline_secs > reveal_by,
            Outage::AfterRevealIntent | Outage::AfterRedeem => false,
        });
        begun.is_some_and(|outage| self.takes(outage))
    }

    fn takes(&mut self, outage: Outage) -> bool {
        let before = self.outages.len();
        self.outages.retain(|other| *other != outage);
        self.outages.len() < before
    }

    /// Away for as long as was promised at most, counted from the last time anything was done. Once, what was sent is
    /// forgotten meanwhile.
    fn leave(&mut self, now: u64, rng: &mut Rng, alpha: &mut SimLedger, beta: &mut SimLedger) {
        self.back_at = now.max(self.last_act + self.offline_secs);
        if self.losses > 0 && rng.percent(70) {
            self.losses -= 1;
            alpha.forget(self.swap.role);
            beta.forget(self.swap.role);
        }
    }

    fn is_due(&self, now: u64) -> bool {
        now >= self.last_act + self.offline_secs
    }

    fn sleeps(&self, now: u64, rng: &mut Rng) -> bool {
        self.presence == Presence::Sleepy && !self.is_due(now) && rng.percent(75)
    }

    fn crashes(&mut self, now: u64, rng: &mut Rng) -> bool {
        self.presence == Presence::Crashing && !self.is_due(now) && rng.percent(25)
    }

    /// What a port does: asks whether it is done, else sends.
    fn send(&mut self, effect: Effect, alpha: &mut SimLedger, beta: &mut SimLedger, rng: &mut Rng) {
        let ledger = match effect.leg {
            LegName::Alpha => alpha,
            LegName::Beta => beta,
        };
        let kind = match effect.kind {
            EffectKind::Fund => {
                self.signed_funding = true;
                Kind::Fund
            }
            EffectKind::Cancel if self.flaw.never_cancels => return,
            EffectKind::Cancel if !self.signed_funding => {
                self.nothing_to_cancel = true;
                return;
            }
            EffectKind::Cancel => Kind::Cancel,
            EffectKind::Redeem if self.flaw.never_repeats && self.has_redeemed => return,
            EffectKind::Redeem => Kind::Redeem,
            EffectKind::Refund => Kind::Refund,
        };
        ledger.send(Tx { kind, from: self.swap.role, honest: true, public: true, stuck: false }, rng);
    }
}
