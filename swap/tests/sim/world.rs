//! One swap from a seed to its end, and what must be true then.

use crate::common::{ALICE, BOB, party};
use crate::ledger::{EARLY_SECS, SimLedger, State, Weather, timing};
use crate::mallory::Mallory;
use crate::party::{Flaw, Outage, Party, Presence};
use crate::rng::Rng;
use photon_chains::*;
use photon_swap::*;

const START: u64 = 1_800_000_000;
const HEIGHT: u64 = 100;
const PAIRS: [(Ledger, Ledger); 4] = [
    (Ledger::Bitcoin, Ledger::Litecoin),
    (Ledger::Bitcoin, Ledger::Ethereum),
    (Ledger::Smt, Ledger::Litecoin),
    (Ledger::Ethereum, Ledger::Smt),
];

/// Who cheats, and what is broken on purpose.
#[derive(Copy, Clone, Debug, Default)]
pub struct Setting {
    pub mallory: Option<Role>,
    /// Nothing goes wrong: no crash, no reorganisation, no halt.
    pub is_calm: bool,
    pub flaw: Flaw,
    /// Every step is printed.
    pub is_told: bool,
    /// Seconds by which Alpha's expiry is brought forward.
    pub shorter_gap_secs: u64,
    /// Seconds by which Beta's expiry is brought forward.
    pub shorter_reveal_secs: u64,
}

/// How a swap went.
#[derive(Debug, PartialEq, Eq)]
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
    /// Money of ours is left in a lock that we could take back, or the swap never ends.
    Stuck(Role),
    /// What a party believes is not what the ledgers show.
    Belief(Role, Option<Outcome>),
    /// Honest parties ended differently, or did not complete although nothing went wrong.
    Apart(Option<Outcome>, Option<Outcome>),
    /// A party took both legs of an honest one.
    Theft(Role),
}

pub fn terms(alpha: Ledger, beta: Ledger, secret: &Secret, setting: &Setting) -> Terms {
    let leg = |ledger: Ledger| {
        let tip = Tip {
            block: BlockRef { height: BlockHeight::new(HEIGHT), hash: Hash32::from_bytes([1; 32]) },
            time: UnixTime::from_secs(START),
            lock_clock: UnixTime::from_secs(START),
        };
        LegRules { timing: timing(ledger.family()), tip, ..crate::common::leg_rules(ledger) }
    };
    let now = UnixTime::from_secs(START);
    let rules = Rules { now, profile: Profile::REGTEST, alpha: leg(alpha), beta: leg(beta), max_lock_secs: 3_600 };
    let money = |ledger| Money { asset: Asset::Native(ledger), amount: Amount::from_units(1_000) };
    let maker = crate::common::address(BOB);
    let offer = Offer::new(maker, money(beta), money(alpha), now, Salt::from_bytes([1; 16]));
    let take = Take {
        offer: offer.id,
        taker: crate::common::address(ALICE),
        salt: Salt::from_bytes([2; 16]),
        secret_hash: secret.hash(),
        alpha_refundee: party(alpha, ALICE),
        beta_redeemer: party(beta, ALICE + 1),
        offline_secs: 5,
    };
    let half = MakerHalf {
        maker,
        salt: Salt::from_bytes([3; 16]),
        alpha_redeemer: party(alpha, BOB),
        beta_refundee: party(beta, BOB + 1),
    };
    let mut terms = build_terms(&offer, &take, &half, &rules).expect("the fixture makes a swap");
    shorten(&mut terms, setting);
    terms
}

/// Breaks the schedule on purpose. Alpha keeps its distance from Beta when only Beta is brought forward.
fn shorten(terms: &mut Terms, setting: &Setting) {
    let beta = &mut terms.beta.lock.expiry;
    beta.opens_time = beta.opens_time.minus_secs(setting.shorter_reveal_secs);
    beta.closes = beta.closes.map(|closes| closes.minus_secs(setting.shorter_reveal_secs));
    let alpha = &mut terms.alpha.lock.expiry;
    alpha.opens_time = alpha.opens_time.minus_secs(setting.shorter_reveal_secs + setting.shorter_gap_secs);
    alpha.opens_block = alpha.opens_block.minus(setting.shorter_reveal_secs + setting.shorter_gap_secs);
}

fn weather(rng: &mut Rng, end: u64) -> Weather {
    Weather {
        reorgs: u32::from(rng.percent(70)),
        halts: u32::from(rng.percent(50)),
        stuck_percent: rng.pick(&[0, 0, 50]),
        slow_from: if rng.percent(50) { rng.between(START, end) } else { 0 },
        ahead_secs: rng.between(0, EARLY_SECS),
        is_cruel: rng.percent(60),
    }
}

fn troubled(mut party: Party, rng: &mut Rng, end: u64) -> Party {
    party.presence = rng.pick(&[Presence::Steady, Presence::Steady, Presence::Crashing, Presence::Sleepy]);
    let outages = [
        Outage::At(rng.between(START, end)),
        Outage::AfterRevealIntent,
        Outage::AfterRedeem,
        Outage::WhenSecretIsOut,
        Outage::WhenOwnOpens,
        Outage::UntilRevealBy,
    ];
    party.outages = outages.into_iter().filter(|_| rng.percent(50)).collect();
    party
}

/// Plays one swap.
pub fn run(seed: u64, setting: &Setting) -> Result<Report, Wrong> {
    let mut rng = Rng::new(seed);
    let secret = Secret::from_bytes([7; 32]);
    let (alpha, beta) = PAIRS[(seed % 4) as usize];
    let terms = terms(alpha, beta, &secret, setting);
    let end = terms.alpha.lock.expiry.opens_time.secs() + 60;
    let sky = |rng: &mut Rng| if setting.is_calm { Weather::default() } else { weather(rng, end) };
    let mut alpha = SimLedger::new(terms.alpha.lock, secret.clone(), HEIGHT, START, sky(&mut rng));
    let mut beta = SimLedger::new(terms.beta.lock, secret, HEIGHT, START, sky(&mut rng));
    let mut honest: Vec<Party> = [Role::Initiator, Role::Participant]
        .into_iter()
        .filter(|role| setting.mallory != Some(*role))
        .map(|role| Party::new(role, terms, START, &mut rng))
        .collect();
    for party in &mut honest {
        party.flaw = setting.flaw;
    }
    if !setting.is_calm {
        honest = honest.into_iter().map(|party| troubled(party, &mut rng, end)).collect();
    }
    let mut mallory = setting.mallory.map(|role| Mallory::new(role, &terms, &mut rng));
    let limit = START + 4 * end.saturating_sub(START);
    if setting.is_told {
        println!("{terms:#?}\n{mallory:#?}");
    }
    let mut now = START;
    while now < limit && (now < end || !honest.iter().all(Party::has_ended)) {
        now += 1;
        alpha.tick(now, &mut rng);
        beta.tick(now, &mut rng);
        if let Some(mallory) = &mut mallory {
            mallory.act(now, &mut alpha, &mut beta, &mut rng);
        }
        if rng.percent(50) {
            honest.reverse();
        }
        for party in &mut honest {
            party.act(now, &mut alpha, &mut beta, &mut rng);
        }
        if setting.is_told {
            tell(now - START, &honest, &alpha, &beta);
        }
    }
    judge(setting, &honest, alpha.state(), beta.state())
}

fn tell(at: u64, honest: &[Party], alpha: &SimLedger, beta: &SimLedger) {
    let phases: Vec<String> = honest.iter().map(|party| format!("{:?} {}", party.swap.role, party.phase())).collect();
    println!("{at:4} {phases:?} alpha {} beta {}", alpha.told(), beta.told());
}

/// Reads the ledgers, not the parties' memories.
fn judge(setting: &Setting, honest: &[Party], alpha: State, beta: State) -> Result<Report, Wrong> {
    let mut report = Report { initiator: None, participant: None, moves: Vec::new() };
    for party in honest {
        let role = party.swap.role;
        let (own, peer) = match role {
            Role::Initiator => (alpha, beta),
            Role::Participant => (beta, alpha),
        };
        let outcome = party.swap.facts.ended;
        judge_one(setting, role, outcome, own, peer)?;
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

fn judge_one(setting: &Setting, role: Role, outcome: Option<Outcome>, own: State, peer: State) -> Result<(), Wrong> {
    let received = peer.redeemed.is_some();
    if own.redeemed.is_some() && !received {
        return Err(Wrong::Loss(role));
    }
    let still_locked = own.funded.is_some() && own.redeemed.is_none() && own.refunded.is_none();
    if outcome.is_none() || (still_locked && !received) {
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
    if outcome != Some(truth) {
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
