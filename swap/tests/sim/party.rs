//! An honest party: polls, steps, commits, sends; and falls over anywhere in between. Only its facts survive.

use crate::ledger::{HIGHEST_FEE, Key, Kind, SimLedger, Tx};
use crate::rng::Rng;
use photon_chains::UnixTime;
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
    /// At the n-th point of those at which something had just been made durable or was just let out.
    AtPoint(u32),
    /// Right after the intent to reveal was written down, before anything was sent.
    AfterRevealIntent,
    /// Right after a redeem was sent for the first time.
    AfterRedeem,
    /// As soon as the secret can be read anywhere.
    WhenSecretIsOut,
    /// As soon as the own lock opens.
    WhenOwnOpens,
    /// So that the moment of coming back is so long before the last one to reveal.
    UntilRevealBy(u64),
}

/// What a party has to live with for a whole swap.
#[derive(Copy, Clone, Debug, Default)]
pub struct Fate {
    /// It can't pay for its own redeem and refund, and knows it.
    pub is_poor: bool,
    /// Mallory feeds its node of the counterparty's ledger until this time, and the node is known to be ill.
    pub lied_to_until: Option<u64>,
    /// Its clock is set back by so much once it has decided never to reveal.
    pub set_back_secs: u64,
    /// Its owner pays by hand, and pays the wrong amount.
    pub pays_wrong: bool,
    /// Now and then it can't look at a ledger.
    pub blind_percent: u64,
}

pub struct Party {
    pub swap: Swap,
    pub moves: Vec<(Phase, Phase)>,
    pub presence: Presence,
    pub outages: Vec<Outage>,
    pub fate: Fate,
    /// Steps the swap only when its wake says so, as the coordinator does, and else repeats what is wanted.
    pub uses_wake: bool,
    last_look: Option<(Wake, View)>,
    /// How often, in all, an outage may cost what was sent, or a rise of fees come at a bad moment.
    pub losses: u32,
    /// When both signatures are on its disk.
    agrees_at: Option<u64>,
    has_redeemed: bool,
    skew: i64,
    phase: Phase,
    back_at: u64,
    last_act: u64,
    points: u32,
    wanted: Vec<Effect>,
    /// What the mempool watchers have seen since the last outage.
    watched: [Option<Key>; 2],
    /// Durable, like the facts: our funding was signed.
    signed_funding: bool,
    /// Durable: the port found nothing to cancel.
    nothing_to_cancel: bool,
    has_paid_wrong: bool,
}

/// Anything but time going forward.
fn has_changed(before: &View, now: &View) -> bool {
    let went_back = now.now_lo < before.now_lo || now.now_hi < before.now_hi;
    let legs = [(&before.alpha, &now.alpha), (&before.beta, &now.beta)];
    went_back || before.may_risk != now.may_risk || legs.into_iter().any(|(before, now)| leg_has_changed(before, now))
}

fn leg_has_changed(before: &LegView, now: &LegView) -> bool {
    let went_back = match (before.tip, now.tip) {
        (Some(before), Some(now)) => {
            now.lock_clock < before.lock_clock || now.block.height <= before.block.height && now != before
        }
        (before, now) => before.is_some() != now.is_some(),
    };
    let differs = match (&before.sighting, &now.sighting) {
        (Some(before), Some(now)) => now.differs(before),
        (before, now) => before.is_some() != now.is_some(),
    };
    let state = |leg: &LegView| (leg.healthy, leg.cancelled, leg.swept);
    went_back || differs || state(before) != state(now)
}

const SKEW_SECS: i64 = Profile::REGTEST.skew_secs as i64;

impl Party {
    pub fn new(role: Role, terms: Terms, agrees_at: Option<u64>, now: u64, rng: &mut Rng) -> Self {
        Self {
            swap: Swap::new(role, terms),
            moves: Vec::new(),
            presence: Presence::Steady,
            outages: Vec::new(),
            fate: Fate::default(),
            uses_wake: false,
            last_look: None,
            losses: 1,
            agrees_at,
            has_redeemed: false,
            skew: rng.between(0, 2 * SKEW_SECS as u64) as i64 - SKEW_SECS,
            phase: Phase::Proposed,
            back_at: now,
            last_act: now,
            points: 0,
            wanted: Vec::new(),
            watched: [None; 2],
            signed_funding: false,
            nothing_to_cancel: false,
            has_paid_wrong: false,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.swap.facts.ended.is_some()
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it runs at all, however slowly.
    pub fn is_there(&self, now: u64) -> bool {
        now >= self.back_at
    }

    /// The mempool watchers run whenever the party does.
    pub fn watch(&mut self, now: u64, alpha: &SimLedger, beta: &SimLedger) {
        if self.is_there(now) {
            for (seen, ledger) in self.watched.iter_mut().zip([alpha, beta]) {
                *seen = seen.or(ledger.shown());
            }
        }
    }

    /// One turn of the daemon's loop.
    pub fn act(&mut self, now: u64, alpha: &mut SimLedger, beta: &mut SimLedger, rng: &mut Rng) {
        if !self.swap.facts.agreed && !self.has_ended() && self.agrees_at.is_some_and(|at| now >= at) {
            self.swap.apply(&Fact::Agreed);
            self.last_look = None;
            self.note_phase(Phase::Agreed);
        }
        if self.is_there(now) && self.begins_outage(now, alpha, beta) {
            self.leave(now, rng, alpha, beta);
        }
        let has_channels = alpha.channel.is_some() || beta.channel.is_some();
        if !self.is_there(now) || (self.has_ended() && !has_channels) || self.sleeps(now, rng) {
            return;
        }
        self.serve(now, [&mut *alpha, &mut *beta], rng);
        if self.has_ended() {
            self.last_act = now;
            return;
        }
        self.drift(rng);
        let view = self.view(now, alpha, beta, rng);
        let step = self.step(view);
        if self.crashes(now, rng) {
            return;
        }
        let is_news = !step.facts.is_empty() || step.effects != self.wanted;
        if is_news && self.is_at_point() {
            // Killed before anything was made durable.
            return self.leave(now, rng, alpha, beta);
        }
        step.facts.iter().for_each(|fact| self.swap.apply(fact));
        self.note_phase(step.phase);
        let reveals = step.facts.contains(&Fact::RevealIntent) && self.takes(Outage::AfterRevealIntent);
        if (reveals || (is_news && self.is_at_point())) && self.leave_unsent(now) {
            return;
        }
        for effect in &step.effects {
            if self.crashes(now, rng) {
                return;
            }
            self.send(*effect, now, alpha, beta, rng);
            if is_news && self.is_at_point() && self.leave_unsent(now) {
                return;
            }
        }
        self.wanted.clone_from(&step.effects);
        self.last_act = now;
        let redeems = step.effects.iter().any(|effect| effect.kind == EffectKind::Redeem);
        if redeems && !std::mem::replace(&mut self.has_redeemed, true) && self.takes(Outage::AfterRedeem) {
            self.leave(now, rng, alpha, beta);
        }
    }

    /// Its channels' engine takes its turn, also when the swap has ended.
    fn serve(&self, now: u64, ledgers: [&mut SimLedger; 2], rng: &mut Rng) {
        let latest = self.clock(now) + SKEW_SECS as u64;
        for ledger in ledgers {
            let fee = if self.fate.is_poor { 0 } else { ledger.floor().min(HIGHEST_FEE) };
            ledger.serve(self.swap.role, latest, self.has_ended(), fee, rng);
        }
    }

    /// A step, or, where nothing that it depends on has moved, what the last one wanted.
    fn step(&mut self, view: View) -> Step {
        if let (true, Some((wake, before))) = (self.uses_wake, &self.last_look)
            && !wake.is_due(&view)
            && !has_changed(before, &view)
        {
            return Step { facts: Vec::new(), effects: self.wanted.clone(), phase: self.phase };
        }
        let step = step(&self.swap, &view);
        // A step that writes something down is followed by another.
        self.last_look = step.facts.is_empty().then(|| (wake(&self.swap, &view), view));
        step
    }

    /// Clocks run apart and come together again, within what was promised.
    fn drift(&mut self, rng: &mut Rng) {
        if rng.percent(5) {
            self.skew = rng.between(0, 2 * SKEW_SECS as u64) as i64 - SKEW_SECS;
        }
    }

    fn clock(&self, now: u64) -> u64 {
        let back = if self.swap.facts.never_reveal { self.fate.set_back_secs } else { 0 };
        now.saturating_add_signed(self.skew) - back
    }

    fn view(&self, now: u64, alpha: &SimLedger, beta: &SimLedger, rng: &mut Rng) -> View {
        let clock = self.clock(now);
        let done = |leg| self.nothing_to_cancel && self.swap.role.own_leg() == leg;
        let mut view = View {
            now_lo: UnixTime::from_secs(clock - SKEW_SECS as u64),
            now_hi: UnixTime::from_secs(clock + SKEW_SECS as u64),
            alpha: alpha.look(self.swap.role, done(LegName::Alpha)),
            beta: beta.look(self.swap.role, done(LegName::Beta)),
            facts: Facts::default(),
            may_risk: !self.fate.is_poor,
        };
        for (leg, watched) in [&mut view.alpha, &mut view.beta].into_iter().zip(self.watched) {
            if let (Some(seen), Some(key)) = (&mut leg.sighting, watched) {
                seen.secret.get_or_insert_with(|| key.secret());
            }
        }
        if let Some(until) = self.fate.lied_to_until
            && now < until
        {
            let (peer, ledger) = match self.swap.role.peer_leg() {
                LegName::Alpha => (&mut view.alpha, alpha),
                LegName::Beta => (&mut view.beta, beta),
            };
            peer.healthy = false;
            peer.sighting = Some(ledger.lie());
        }
        for leg in [&mut view.alpha, &mut view.beta] {
            if !self.is_due(now) && rng.percent(self.fate.blind_percent) {
                leg.sighting = None;
                leg.healthy = false;
            }
        }
        view
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
            Outage::WhenSecretIsOut => alpha.has_leaked() || beta.has_leaked(),
            Outage::WhenOwnOpens => now >= opens,
            Outage::UntilRevealBy(early) => now + terms.offline_secs + early >= reveal_by,
            Outage::AtPoint(_) | Outage::AfterRevealIntent | Outage::AfterRedeem => false,
        });
        begun.is_some_and(|outage| self.takes(outage))
    }

    fn takes(&mut self, outage: Outage) -> bool {
        let before = self.outages.len();
        self.outages.retain(|other| *other != outage);
        self.outages.len() < before
    }

    fn is_at_point(&mut self) -> bool {
        self.points += 1;
        self.takes(Outage::AtPoint(self.points))
    }

    /// Away for as long as was promised at most, counted from the last time anything was done. Once, what was sent is
    /// forgotten meanwhile.
    fn leave(&mut self, now: u64, rng: &mut Rng, alpha: &mut SimLedger, beta: &mut SimLedger) {
        self.go(now);
        let has_sent = alpha.waits_for(self.swap.role) || beta.waits_for(self.swap.role);
        if has_sent && self.losses > 0 && rng.percent(70) {
            self.losses -= 1;
            alpha.forget(self.swap.role, rng);
            beta.forget(self.swap.role, rng);
        }
    }

    fn go(&mut self, now: u64) {
        self.back_at = now.max(self.last_act + self.swap.terms.offline_secs);
        self.watched = [None; 2];
        self.last_look = None;
        self.wanted.clear();
    }

    /// Away with something saved and not let out yet, which is a loss of what was sent like any other.
    fn leave_unsent(&mut self, now: u64) -> bool {
        let may = self.losses > 0;
        if may {
            self.losses -= 1;
            self.go(now);
        }
        may
    }

    fn is_due(&self, now: u64) -> bool {
        now >= self.last_act + self.swap.terms.offline_secs
    }

    fn sleeps(&self, now: u64, rng: &mut Rng) -> bool {
        self.presence == Presence::Sleepy && !self.is_due(now) && rng.percent(75)
    }

    fn crashes(&mut self, now: u64, rng: &mut Rng) -> bool {
        let crashes = self.presence == Presence::Crashing && !self.is_due(now) && rng.percent(25);
        if crashes {
            self.last_look = None;
        }
        crashes
    }

    /// What a port does: asks whether it is done, else sends, or raises the fee of what was sent.
    fn send(&mut self, effect: Effect, now: u64, alpha: &mut SimLedger, beta: &mut SimLedger, rng: &mut Rng) {
        let ledger = match effect.leg {
            LegName::Alpha => alpha,
            LegName::Beta => beta,
        };
        let kind = match effect.kind {
            EffectKind::Fund if self.fate.pays_wrong => {
                if std::mem::replace(&mut self.has_paid_wrong, true) {
                    return;
                }
                Kind::FundWrong
            }
            EffectKind::Fund => {
                self.signed_funding = true;
                Kind::Fund
            }
            // What is in a stranger's hands can't be cancelled; from the refund on nobody counts on it.
            EffectKind::Cancel if self.fate.pays_wrong && self.clock(now) <= ledger.lock.expiry.opens_time.secs() => return,
            EffectKind::Cancel if ledger.channel.is_some() => {
                self.nothing_to_cancel |= ledger.state_for(self.swap.role).funded.is_none();
                return;
            }
            EffectKind::Cancel if !self.signed_funding => {
                self.nothing_to_cancel = true;
                return;
            }
            EffectKind::Cancel => Kind::Cancel,
            EffectKind::Redeem => Kind::Redeem,
            EffectKind::Refund if ledger.state().wrong.is_some() => Kind::Sweep,
            EffectKind::Refund => Kind::Refund,
        };
        let is_spend = matches!(kind, Kind::Redeem | Kind::Refund | Kind::Sweep);
        let fee = if self.fate.is_poor && is_spend { 0 } else { ledger.floor().min(HIGHEST_FEE) };
        let key = match self.swap.role {
            Role::Initiator => Key::Swap,
            Role::Participant => ledger.key().unwrap_or(Key::Swap),
        };
        ledger.send(Tx { kind, from: self.swap.role, honest: true, public: true, held: false, fee, key }, rng);
    }
}
