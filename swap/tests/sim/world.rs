//! One swap from a seed to its end.

use crate::channel::{Channel, Conduct, Weak};
use crate::common::{ALICE, BOB, party as key_of};
use crate::judge::{Report, Wrong, judge};
use crate::ledger::{Code, EARLY_SECS, HIGHEST_FEE, SimLedger, Weather};
use crate::mallory::Mallory;
use crate::party::{Fate, Outage, Party, Presence};
use crate::rng::Rng;
use crate::talk::{Legs, agree};
use photon_chains::*;
use photon_swap::*;

pub const START: u64 = 1_800_000_000;
pub const HEIGHT: u64 = 100;
const PAIRS: [(Ledger, Ledger); 4] = [
    (Ledger::Bitcoin, Ledger::Litecoin),
    (Ledger::Bitcoin, Ledger::Ethereum),
    (Ledger::Smt, Ledger::Litecoin),
    (Ledger::Ethereum, Ledger::Smt),
];
/// One leg in a channel, either one; both, on two chains; both on one chain, and so linked.
const CHANNEL_PAIRS: [(Ledger, Ledger); 7] = [
    (Ledger::Bitcoin, Ledger::EthereumChannel),
    (Ledger::EthereumChannel, Ledger::Litecoin),
    (Ledger::Smt, Ledger::EthereumChannel),
    (Ledger::EthereumChannel, Ledger::Ethereum),
    (Ledger::EthereumChannel, Ledger::SmtChannel),
    (Ledger::EthereumChannel, Ledger::EthereumChannel),
    (Ledger::EthereumChannel, Ledger::EthereumChannel),
];
/// Points of its own at which a party may be killed, counted from the start of its swap.
const MOST_POINTS: u64 = 16;

/// Who cheats.
#[derive(Copy, Clone, Debug, Default)]
pub struct Setting {
    pub mallory: Option<Role>,
    /// Nothing goes wrong: no crash, no reorganisation, no halt, and no message is lost.
    pub is_calm: bool,
    /// Every step is printed.
    pub is_told: bool,
    /// A leg of every swap lies in channels.
    pub over_channels: bool,
    /// What is left out of the channels' engines.
    pub weak: Option<Weak>,
}

impl Setting {
    fn legs(&self, seed: u64) -> Legs {
        let pick = |pairs: &[(Ledger, Ledger)]| pairs[(seed % pairs.len() as u64) as usize];
        let (alpha, beta) = if self.over_channels { pick(&CHANNEL_PAIRS) } else { pick(&PAIRS) };
        let reach = u8::from(seed / CHANNEL_PAIRS.len() as u64 % 2 == 1);
        Legs { alpha, beta, reach, weak: self.weak }
    }
}

fn weather(rng: &mut Rng, end: u64) -> Weather {
    Weather {
        reorgs: u32::from(rng.percent(70)),
        reorgs_from: if rng.percent(50) { rng.between(START, end) } else { 0 },
        halts: u32::from(rng.percent(50)),
        halt_secs: 0,
        stuck_percent: rng.pick(&[0, 0, 50]),
        slow_from: if rng.percent(50) { rng.between(START, end) } else { 0 },
        fast_from: if rng.percent(25) { rng.between(START, end) } else { 0 },
        ahead_secs: rng.between(0, EARLY_SECS),
        is_held_back: rng.percent(20),
        is_cruel: rng.percent(60),
    }
}

/// Everything as Mallory would have it, as far as it can be: what she redeems is redeemable for long, what she takes back
/// opens early, and what the other one sends is mined late and reorganised away.
fn worst_weather(leg: LegName, mallory: Role, terms: &Terms, rng: &mut Rng) -> Weather {
    let reveal_by = terms.deadlines.reveal_by.secs();
    let beta_opens = terms.beta.lock.expiry.opens_time.secs();
    let reorgs_from = rng.pick(&[0, reveal_by, beta_opens]);
    let cruel = Weather { reorgs: 1, reorgs_from, halts: 1, is_cruel: true, ahead_secs: EARLY_SECS, ..Weather::default() };
    match (mallory, leg) {
        (Role::Initiator, LegName::Beta) => Weather { is_held_back: true, slow_from: beta_opens, halts: 0, ..cruel },
        (Role::Initiator, LegName::Alpha) => {
            // The block that a refund waits for comes soonest, or blocks are slow once the secret is out.
            let slow_from = rng.pick(&[0, 0, beta_opens]);
            // However long a chain of contracts halts, its refund waits for its block. // C18
            let halt_secs = match terms.alpha.lock.asset.ledger().family() {
                Family::Utxo => 0,
                Family::Evm => rng.pick(&[0, 60]),
            };
            Weather { slow_from, fast_from: 1, halts: u32::from(rng.percent(50)), halt_secs, ..cruel }
        }
        (Role::Participant, LegName::Beta) => {
            let slow_from = rng.pick(&[0, reveal_by - 5]);
            Weather { slow_from, fast_from: if slow_from == 0 { reveal_by } else { 0 }, ..cruel }
        }
        (Role::Participant, LegName::Alpha) => Weather { is_held_back: rng.percent(50), ..cruel },
    }
}

fn troubled(mut party: Party, is_worst: bool, rng: &mut Rng, end: u64, setting: &Setting) -> Party {
    party.uses_wake = rng.percent(50);
    party.presence = rng.pick(&[Presence::Steady, Presence::Steady, Presence::Crashing, Presence::Sleepy]);
    let anywhere = [Outage::At(rng.between(START, end)), Outage::AtPoint(rng.between(1, MOST_POINTS) as u32)];
    let at_the_worst = [
        Outage::AfterRevealIntent,
        Outage::AfterRedeem,
        Outage::WhenSecretIsOut,
        Outage::WhenOwnOpens,
        Outage::UntilRevealBy(rng.between(0, 4)),
    ];
    // What an outage may cost is not wasted on a moment that hurts less.
    let (likely, unlikely) = if is_worst { (75, 10) } else { (50, 50) };
    party.outages = anywhere.into_iter().filter(|_| rng.percent(unlikely)).collect();
    party.outages.extend(at_the_worst.into_iter().filter(|_| rng.percent(likely)));
    let terms = &party.swap.terms;
    let lied_to_until = match party.swap.role {
        Role::Initiator => terms.deadlines.reveal_by,
        Role::Participant => terms.deadlines.fund_beta_by,
    };
    party.fate = Fate {
        is_poor: rng.percent(3),
        lied_to_until: (setting.mallory.is_some() && rng.percent(5)).then_some(lied_to_until.secs()),
        set_back_secs: if rng.percent(if is_worst { 50 } else { 20 }) { rng.between(1, 60) } else { 0 },
        // Nobody pays into a channel by hand.
        pays_wrong: rng.percent(2) && !terms.own_leg(party.swap.role).lock.asset.ledger().is_channel(),
        blind_percent: rng.pick(&[0, 0, 0, 20]),
    };
    party
}

/// Plays one swap.
pub fn run(seed: u64, setting: &Setting) -> Result<Report, Wrong> {
    let mut rng = Rng::new(seed);
    let legs = setting.legs(seed);
    let agreement = agree(setting, legs, &mut rng);
    let initiator = agreement.initiator.map(|(terms, at)| (Role::Initiator, as_ordered(terms, setting), at));
    let participant = agreement.participant.map(|(terms, at)| (Role::Participant, as_ordered(terms, setting), Some(at)));
    let Some((_, terms, _)) = participant.or(initiator) else { return Ok(Report::default()) };
    let end = START + lasts(legs);
    let is_worst = rng.percent(30);
    let sky = |leg: LegName, rng: &mut Rng| match setting.mallory {
        _ if setting.is_calm => Weather::default(),
        Some(mallory) if is_worst => worst_weather(leg, mallory, &terms, rng),
        Some(_) | None => weather(rng, end),
    };
    let code = |leg: LegName, rng: &mut Rng| {
        let is_mallorys = setting.mallory.is_some_and(|role| role.own_leg() == leg);
        let ledger = terms.leg(leg).lock.asset.ledger();
        let is_contract = ledger.family() == Family::Evm && !ledger.is_channel();
        match (is_mallorys && is_contract, agreement.is_trap && terms.beta.lock.template != legs.rules(legs.beta).template) {
            (true, true) => Code::AsInTheTerms,
            (true, false) if rng.percent(5) => Code::Changed,
            (true, false) | (false, _) => Code::Ours,
        }
    };
    let codes = [code(LegName::Alpha, &mut rng), code(LegName::Beta, &mut rng)];
    let mut alpha =
        SimLedger::new(terms.alpha.lock, key_of(legs.alpha, BOB), codes[0], HEIGHT, START, sky(LegName::Alpha, &mut rng));
    let mut beta =
        SimLedger::new(terms.beta.lock, key_of(legs.beta, ALICE + 1), codes[1], HEIGHT, START, sky(LegName::Beta, &mut rng));
    for (ledger, payer) in [(&mut alpha, Role::Initiator), (&mut beta, Role::Participant)] {
        if ledger.lock.asset.ledger().is_channel() {
            let conduct =
                if setting.is_calm { Conduct::fair() } else { Conduct::any(setting.mallory.is_none(), START, end, &mut rng) };
            ledger.channel = Some(Channel::new(&ledger.lock, payer, setting.mallory, conduct, setting.weak));
        }
    }
    let mut honest: Vec<Party> = [initiator, participant]
        .into_iter()
        .flatten()
        .map(|(role, terms, at)| Party::new(role, terms, at, START, &mut rng))
        .collect();
    if !setting.is_calm {
        honest = honest.into_iter().map(|party| troubled(party, is_worst, &mut rng, end, setting)).collect();
    }
    let mut mallory = setting.mallory.map(|role| Mallory::new(role, &terms, &mut rng));
    let mut spikes = if setting.is_calm { 0 } else { rng.between(0, 2) };
    let limit = START + 4 * end.saturating_sub(START);
    if setting.is_told {
        let lives: Vec<_> = honest.iter().map(|party| (party.swap.role, party.presence, &party.outages, party.fate)).collect();
        println!("{terms:#?}\n{mallory:#?}\n{lives:?} {codes:?}");
    }
    let mut now = START;
    while now < limit && (now < end || !honest.iter().all(Party::has_ended)) {
        now += 1;
        if spikes > 0 && rng.percent(2) {
            spikes -= u64::from(spike(now, &mut honest, &mut alpha, &mut rng) || spike(now, &mut honest, &mut beta, &mut rng));
        }
        if legs.are_linked() {
            beta.lend(&mut alpha);
        }
        alpha.tick(now, &mut rng);
        if legs.are_linked() {
            beta.copy_chain(&alpha);
        } else {
            beta.tick(now, &mut rng);
        }
        [&mut alpha, &mut beta].into_iter().for_each(|ledger| ledger.pass_on(now));
        if let Some(mallory) = &mut mallory {
            let is_watched = honest.iter().all(|party| party.is_there(now));
            mallory.act(now, &mut alpha, &mut beta, is_watched, &mut rng);
        }
        if rng.percent(50) {
            honest.reverse();
        }
        for party in &mut honest {
            party.watch(now, &alpha, &beta);
            party.act(now, &mut alpha, &mut beta, &mut rng);
        }
        if setting.is_told {
            tell(now - START, &honest, &alpha, &beta);
        }
    }
    judge(setting, &honest, &alpha, &beta)
}

/// The terms, or, where that is what is broken, with the ends of both legs the other way round.
fn as_ordered(mut terms: Terms, setting: &Setting) -> Terms {
    if setting.weak == Some(Weak::EndsInTheWrongOrder) {
        let (alpha, beta) = (&mut terms.alpha.lock.expiry, &mut terms.beta.lock.expiry);
        std::mem::swap(&mut alpha.opens_time, &mut beta.opens_time);
        alpha.opens_block = BlockHeight::new(HEIGHT + alpha.opens_time.secs_since(UnixTime::from_secs(START)));
        beta.closes = Some(beta.opens_time);
    }
    terms
}

/// How long the longest swap of that pair takes that our own schedule allows, with a minute to end it.
fn lasts(legs: Legs) -> u64 {
    let rules = crate::talk::rules(legs, START);
    let plan = schedule(&rules.profile, &rules.alpha.timing, &rules.beta.timing);
    let mediated_secs = if legs.alpha.is_channel() || legs.beta.is_channel() { crate::channel::slack_secs() } else { 0 };
    plan.alpha_expiry + 80 + mediated_secs * u64::from(legs.reach)
}

/// Fees rise. Where that hits what an honest party has sent, it counts like an outage that loses it.
fn spike(now: u64, honest: &mut [Party], ledger: &mut SimLedger, rng: &mut Rng) -> bool {
    let hit = |party: &&mut Party| ledger.waits_for(party.swap.role);
    let mut victims: Vec<&mut Party> = honest.iter_mut().filter(hit).collect();
    if rng.percent(50) || victims.iter().any(|party| party.losses == 0) {
        return false;
    }
    victims.iter_mut().for_each(|party| party.losses -= 1);
    ledger.spike(rng.between(2, u64::from(HIGHEST_FEE)) as u32, now + rng.between(3, 15), rng);
    true
}

fn tell(at: u64, honest: &[Party], alpha: &SimLedger, beta: &SimLedger) {
    let phases: Vec<String> = honest.iter().map(|party| format!("{:?} {}", party.swap.role, party.phase())).collect();
    println!("{at:4} {phases:?} alpha {} beta {}", alpha.told(), beta.told());
}
