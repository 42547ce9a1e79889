//! A lock in a payment channel, straight or over one mediator, with the registry of its chain: in the payer's balance proof at
//! once and for good, paid off chain where its payer answers, and else good by a registration that is in time.
//!
//! The engine of an honest party is here as far as a swap can see it. Whoever else is on the way is no friend: it may forward
//! late or never, pay or not, close in the middle, and pass the secret on as late as its own lock allows.

use crate::ledger::{CONFIRMATIONS, FINAL_CONFIRMATIONS, HIGHEST_FEE, Key, Kind, SimLedger, State, Tx, timing};
use crate::rng::Rng;
use photon_chains::*;
use photon_swap::{Profile, Role};

/// Within so many seconds a payment has passed one hop.
const PASS_SECS: u64 = 3;
/// A mediator that claims at the end and does not want to lose by it: a halt, and a block mined as slowly as may be.
const CAREFUL_SECS: u64 = 20;

/// What is left out of an engine, to see that it would be missed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Weak {
    /// The payee registers in the last second, not a margin earlier.
    RegistersLate,
    /// The payee's margin does not count a chain that halts while its clock runs on.
    ForgetsHalts,
    /// The payer pays whenever it is asked, however near the lock's end is.
    PaysLate,
    /// The payer of a mediated leg counts on hearing the secret as early as over a straight one.
    ForgetsSlack,
    /// Of two linked legs the one that is funded first ends first.
    EndsInTheWrongOrder,
}

/// The parties' profile, as it is agreed.
const PROFILE: Profile = Profile::REGTEST;

/// So long before its end a lock is paid on a registration alone: as in the program, but with nothing to spare.
fn margin_secs() -> u64 {
    PROFILE.offline_secs + PROFILE.skew_secs + 2 * timing(Family::Evm).confirm_secs
}

fn halt_secs() -> u64 {
    match timing(Family::Evm).rule {
        ClockRule::BlockTime { halt_secs, .. } => halt_secs,
        ClockRule::MedianTimePast { .. } => 0,
    }
}

/// So much later than a mediator's outgoing lock its incoming one ends.
pub fn slack_secs() -> u64 {
    margin_secs() + PROFILE.offline_secs
}

/// How fast a leg over channels is.
pub fn channel_timing(reach: u8, weak: Option<Weak>) -> Timing {
    let chain = timing(Family::Evm);
    let ClockRule::BlockTime { min_block_secs, worst_block_millis, inclusion_blocks, halt_secs, late_secs, .. } = chain.rule
    else {
        return chain;
    };
    let settle_secs = margin_secs() - PROFILE.offline_secs;
    let slack_secs = if weak == Some(Weak::ForgetsSlack) { 0 } else { slack_secs() };
    Timing {
        confirmations: 1,
        final_confirmations: 1,
        confirm_secs: PASS_SECS * (u64::from(reach) + 1),
        rule: ClockRule::BlockTime {
            min_block_secs,
            worst_block_millis,
            inclusion_blocks,
            final_blocks: (settle_secs * 1000).div_ceil(worst_block_millis),
            halt_secs,
            late_secs: late_secs + slack_secs * u64::from(reach),
        },
        ..chain
    }
}

/// Where a hop's lock is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Held {
    #[default]
    Absent,
    /// In its payer's proof.
    Locked,
    /// Its payee has it.
    Paid,
    /// Its payer has it again.
    Back,
}

#[derive(Copy, Clone, Debug)]
struct Hop {
    expiry: Expiry,
    held: Held,
    /// Its channel is closed: nothing is signed in it any more.
    is_closed: bool,
}

/// What whoever is not honest on the way does.
#[derive(Copy, Clone, Debug, Default)]
pub struct Conduct {
    /// Seconds until a mediator forwards. None: never.
    pub forwards_after: Option<u64>,
    /// Seconds until it pays who shows the secret. None: never.
    pub pays_after: Option<u64>,
    /// It claims so long before the end of its own lock. None: at once.
    pub claims_before_end: Option<u64>,
    /// When the channel of which hop is closed.
    pub closes: Option<(usize, u64)>,
    /// When a payee signs the lock away that it could still claim.
    pub gives_back_at: Option<u64>,
}

impl Conduct {
    /// All that is owed, at once.
    pub const fn fair() -> Self {
        Self { forwards_after: Some(0), pays_after: Some(0), claims_before_end: None, closes: None, gives_back_at: None }
    }

    pub fn any(is_careful: bool, start: u64, end: u64, rng: &mut Rng) -> Self {
        let least = if is_careful { CAREFUL_SECS } else { 1 };
        Self {
            forwards_after: rng.pick(&[Some(0), Some(0), Some(1), Some(PASS_SECS), Some(20), None]),
            pays_after: rng.pick(&[Some(0), Some(0), Some(2), Some(30), None, None]),
            claims_before_end: rng.pick(&[None, Some(least), Some(least), Some(margin_secs()), Some(margin_secs() + 2)]),
            closes: rng.percent(30).then(|| (rng.between(0, 1) as usize, rng.between(start, end))),
            gives_back_at: rng.percent(5).then(|| rng.between(start, end)),
        }
    }
}

pub struct Channel {
    /// The payer's hop first, the payee's last.
    hops: Vec<Hop>,
    payer: Role,
    /// Who is not honest.
    mallory: Option<Role>,
    conduct: Conduct,
    weak: Option<Weak>,
    /// When the payer's lock was signed, and when its payee has it.
    locked_at: Option<u64>,
    arrives_at: u64,
    has_arrived: bool,
    /// When the payee showed the secret to its neighbour, and whether the payer's neighbour has shown it to the payer.
    asked_at: Option<u64>,
    is_told: bool,
}

impl Channel {
    pub fn new(lock: &Lock, payer: Role, mallory: Option<Role>, conduct: Conduct, weak: Option<Weak>) -> Self {
        let reach = match lock.template {
            Template::Channel { reach, .. } => u64::from(reach),
            Template::P2wsh | Template::Htlc { .. } => 0,
        };
        let hop = |slacks: u64| Hop { expiry: later(&lock.expiry, slacks * slack_secs()), held: Held::Absent, is_closed: false };
        Self {
            hops: (0..=reach).rev().map(hop).collect(),
            payer,
            mallory,
            conduct,
            weak,
            locked_at: None,
            arrives_at: 0,
            has_arrived: false,
            asked_at: None,
            is_told: false,
        }
    }

    fn is_straight(&self) -> bool {
        self.hops.len() == 1
    }

    /// The hop that a party sees.
    fn index(&self, role: Role) -> usize {
        if role == self.payer { 0 } else { self.hops.len() - 1 }
    }

    fn is_honest(&self, role: Role) -> bool {
        self.mallory != Some(role)
    }

    /// Whether somebody who is no friend of the payee's has seen the secret.
    pub fn has_leaked(&self) -> bool {
        self.asked_at.is_some() && (!self.is_straight() || !self.is_honest(self.payer))
    }
}

fn later(expiry: &Expiry, secs: u64) -> Expiry {
    let blocks = if expiry.opens_block.get() == 0 { 0 } else { secs };
    Expiry {
        opens_time: expiry.opens_time.plus_secs(secs),
        opens_block: expiry.opens_block.plus(blocks),
        closes: expiry.closes.map(|closes| closes.plus_secs(secs)),
        ..*expiry
    }
}

fn end_of(expiry: &Expiry) -> u64 {
    expiry.closes.unwrap_or(expiry.opens_time).secs()
}

impl Tx {
    /// The Initiator's secret, written into the registry.
    fn register(from: Role, honest: bool, fee: u32) -> Self {
        Self { kind: Kind::Register, from, honest, public: true, held: false, fee, key: Key::Swap }
    }
}

impl SimLedger {
    /// When the registry learned the secret: height and time of its block.
    fn entry(&self) -> Option<(u64, u64)> {
        let registered = |(_, tx): &&(u64, Tx)| tx.kind == Kind::Register && Some(tx.key) == self.key();
        self.mined.iter().find(registered).map(|(height, _)| (*height, self.stamp_at(*height)))
    }

    fn is_open_at(&self, expiry: &Expiry, height: u64) -> bool {
        self.stamp_at(height) >= expiry.opens_time.secs() && height >= expiry.opens_block.get()
    }

    fn is_in_time(&self, expiry: &Expiry) -> bool {
        self.entry().is_some_and(|(height, stamp)| match expiry.closes {
            Some(closes) => stamp < closes.secs(),
            None => !self.is_open_at(expiry, height),
        })
    }

    /// The last block that stays.
    fn deep(&self) -> u64 {
        (self.height() + 1).saturating_sub(u64::from(FINAL_CONFIRMATIONS))
    }

    /// ... and so deep that it stays.
    fn is_sure(&self, expiry: &Expiry) -> bool {
        self.is_in_time(expiry) && self.entry().is_some_and(|(height, _)| height <= self.deep())
    }

    /// What came of the lock, for that party.
    pub fn state_for(&self, role: Role) -> State {
        let Some(channel) = &self.channel else { return self.state() };
        let hop = &channel.hops[channel.index(role)];
        let is_good = hop.held == Held::Paid || (hop.held == Held::Locked && self.is_in_time(&hop.expiry));
        let at = |is_so: bool| is_so.then_some(0);
        State {
            funded: at(hop.held != Held::Absent && (role == channel.payer || channel.has_arrived)),
            redeemed: at(is_good),
            refunded: at(hop.held == Held::Back),
            ..State::default()
        }
    }

    /// Whether a party could do that now.
    pub fn can_in_channel(&self, channel: &Channel, tx: &Tx) -> bool {
        let hop = &channel.hops[channel.index(tx.from)];
        match tx.kind {
            Kind::Register => self.entry().is_none() && !self.mined.iter().any(|(_, other)| other.key == tx.key),
            Kind::Fund => hop.held == Held::Absent && !hop.is_closed,
            Kind::Redeem => hop.held == Held::Locked && Some(tx.key) == self.key(),
            Kind::Refund => {
                hop.held == Held::Locked && self.is_open_at(&hop.expiry, self.height()) && !self.is_in_time(&hop.expiry)
            }
            Kind::FundWrong | Kind::Cancel | Kind::Sweep => false,
        }
    }

    /// What a swap asks of its channels. True if it is theirs to do, and not the chain's.
    pub fn do_in_channel(&mut self, tx: &Tx, rng: &mut Rng) -> bool {
        let Some(mut channel) = self.channel.take() else { return false };
        let at = channel.index(tx.from);
        let can = self.can_in_channel(&channel, tx);
        match tx.kind {
            Kind::Register => {
                self.channel = Some(channel);
                return false;
            }
            Kind::Fund if can && self.is_right() => {
                channel.hops[at].held = Held::Locked;
                channel.locked_at = Some(self.now);
                channel.arrives_at = self.now + rng.between(0, PASS_SECS - 1);
            }
            // Who cheats shows the secret to its neighbour, or to nobody but the registry.
            Kind::Redeem if can && tx.honest => channel.asked_at = channel.asked_at.or(Some(self.now)),
            Kind::Redeem if can => {
                if tx.public {
                    channel.asked_at.get_or_insert(self.now);
                } else {
                    self.register(Tx { kind: Kind::Register, public: true, ..*tx });
                }
            }
            Kind::Refund if can && !tx.honest => channel.hops[at].held = Held::Back,
            Kind::Fund | Kind::Redeem | Kind::Refund | Kind::FundWrong | Kind::Cancel | Kind::Sweep => {}
        }
        self.channel = Some(channel);
        true
    }

    /// Handed to a miner who takes it, whatever it pays: once.
    fn register(&mut self, tx: Tx) {
        let is_there = |other: &Tx| other.kind == Kind::Register && !other.honest;
        if self.entry().is_none() && !self.mempool.iter().any(|(other, _)| is_there(other)) {
            self.mempool.push((tx, 0));
        }
    }

    /// Whoever is not honest on the way does as it likes.
    pub fn pass_on(&mut self, now: u64) {
        self.now = now;
        let Some(mut channel) = self.channel.take() else { return };
        let conduct = channel.conduct;
        if let Some((at, when)) = conduct.closes
            && now >= when
        {
            let last = channel.hops.len() - 1;
            channel.hops[at.min(last)].is_closed = true;
        }
        let is_payee_mallory = !channel.is_honest(channel.payer.other());
        if let Some(hop) = channel.hops.first_mut()
            && is_payee_mallory
            && conduct.gives_back_at.is_some_and(|at| now >= at)
            && (hop.held, hop.is_closed) == (Held::Locked, false)
            && self.entry().is_none()
        {
            hop.held = Held::Back;
        }
        let has_come = |since: Option<u64>, after: Option<u64>| {
            since.zip(after).is_some_and(|(since, after)| now >= since.saturating_add(after))
        };
        if let [incoming, outgoing] = &mut channel.hops[..] {
            let forwards = incoming.held == Held::Locked && has_come(channel.locked_at, conduct.forwards_after);
            if forwards && outgoing.held == Held::Absent && !outgoing.is_closed && now + margin_secs() < end_of(&outgoing.expiry)
            {
                outgoing.held = Held::Locked;
                channel.arrives_at = now + PASS_SECS - 1;
            }
            if outgoing.held == Held::Locked && !outgoing.is_closed && has_come(channel.asked_at, conduct.pays_after) {
                outgoing.held = Held::Paid;
            }
            let has_paid = outgoing.held == Held::Paid || self.is_in_time(&outgoing.expiry);
            let end = end_of(&incoming.expiry);
            if has_paid && incoming.held == Held::Locked {
                let early = conduct.claims_before_end.unwrap_or(CAREFUL_SECS);
                channel.is_told |= conduct.claims_before_end.is_none();
                if now + early >= end || (channel.is_told && incoming.is_closed) {
                    self.register(Tx::register(channel.payer.other(), false, HIGHEST_FEE));
                }
            }
        } else if !channel.is_honest(channel.payer) {
            let hop = &mut channel.hops[0];
            if hop.held == Held::Locked && !hop.is_closed && has_come(channel.asked_at, conduct.pays_after) {
                hop.held = Held::Paid;
            }
        }
        self.channel = Some(channel);
    }

    /// One turn of an honest party's engine. `latest`: by the latest of its clocks.
    pub fn serve(&mut self, role: Role, latest: u64, has_ended: bool, fee: u32, rng: &mut Rng) {
        let Some(mut channel) = self.channel.take() else { return };
        let at = channel.index(role);
        let hop = channel.hops[at];
        let (is_locked, end) = (hop.held == Held::Locked, end_of(&hop.expiry));
        if role == channel.payer {
            channel.is_told |= (channel.is_straight() && channel.asked_at.is_some()) || self.entry().is_some();
            let is_early = latest + margin_secs() < end || channel.weak == Some(Weak::PaysLate);
            let is_sure = self.is_sure(&hop.expiry);
            let deep = self.deep();
            if is_locked && !hop.is_closed && (is_sure || (channel.is_told && is_early)) {
                channel.hops[at].held = Held::Paid;
            } else if is_locked && self.is_open_at(&hop.expiry, deep) && !self.is_in_time(&hop.expiry) {
                channel.hops[at].held = Held::Back;
            }
        } else {
            let comes = is_locked && !channel.has_arrived && self.now >= channel.arrives_at;
            if comes && latest + margin_secs() >= end {
                channel.hops[at].held = Held::Back;
            }
            channel.has_arrived |= comes;
            // What the registry shows is claimed too.
            if is_locked && channel.has_arrived && self.entry().is_some() {
                channel.asked_at.get_or_insert(self.now);
            }
            let early = match channel.weak {
                Some(Weak::RegistersLate) => 1,
                Some(Weak::ForgetsHalts) => margin_secs(),
                Some(_) | None => margin_secs() + hop.expiry.closes.map_or(0, |_| halt_secs()),
            };
            let claims = channel.asked_at.is_some() && is_locked;
            if claims && (hop.is_closed || latest + early >= end) && self.entry().is_none() {
                self.channel = Some(channel);
                return self.send(Tx::register(role, true, fee), rng);
            }
            if has_ended && is_locked && channel.asked_at.is_none() && !hop.is_closed {
                channel.hops[at].held = Held::Back;
            }
        }
        self.channel = Some(channel);
    }

    /// Whether the lock that is claimed here ends so soon.
    pub fn ends_within(&self, secs: u64, now: u64) -> bool {
        let last = self.channel.as_ref().and_then(|channel| channel.hops.last());
        last.is_some_and(|hop| hop.held == Held::Locked && now + secs >= end_of(&hop.expiry))
    }

    /// What the port of a party's channels shows.
    pub fn look_in_channel(&self, channel: &Channel, role: Role) -> Sighting {
        let hop = &channel.hops[channel.index(role)];
        let is_payer = role == channel.payer;
        let txid = TxId::from_bytes([1; 32]);
        let at = BlockRef { height: BlockHeight::new(0), hash: Hash32::from_bytes([1; 32]) };
        let is_known = if is_payer { channel.is_told || hop.held == Held::Paid } else { channel.asked_at.is_some() };
        let key = self.key().filter(|_| is_known || self.entry().is_some());
        let is_too_late = self.is_open_at(&hop.expiry, self.deep());
        let (status, spend) = match hop.held {
            Held::Absent if is_payer || !is_too_late => (LockStatus::Absent, None),
            Held::Locked if !is_payer && !channel.has_arrived && !is_too_late => (LockStatus::Absent, None),
            // Whoever pays it may never say so, but it can only go back.
            Held::Locked if !is_payer && is_too_late && !self.is_in_time(&hop.expiry) => {
                (LockStatus::Refunded { txid, at }, None)
            }
            Held::Locked if self.is_sure(&hop.expiry) => (LockStatus::Redeemed { txid, at }, None),
            Held::Locked => {
                let spend = key.map(|_| Spend { kind: SpendKind::Redeem, txid, depth: 0 });
                (LockStatus::Funded { txid, at, depth: CONFIRMATIONS }, spend)
            }
            Held::Paid => (LockStatus::Redeemed { txid, at }, None),
            Held::Absent | Held::Back => (LockStatus::Refunded { txid, at }, None),
        };
        Sighting { status, spend, secret: key.map(|key| key.secret()), faults: Vec::new() }
    }

    /// Two legs on one chain see one chain, and one registry: what was sent over this one is mined there.
    pub fn lend(&mut self, chain: &mut SimLedger) {
        for (tx, waited) in self.mempool.drain(..) {
            if !chain.mempool.iter().any(|(other, _)| (other.from, other.honest) == (tx.from, tx.honest)) {
                chain.mempool.push((tx, waited));
            }
        }
    }

    /// For a person who replays a seed.
    pub fn told_of_channel(&self) -> String {
        self.channel.as_ref().map_or(String::new(), |channel| {
            let hops: Vec<_> = channel.hops.iter().map(|hop| (hop.held, hop.is_closed)).collect();
            format!(" {hops:?} arrived {} asked {:?} told {}", channel.has_arrived, channel.asked_at, channel.is_told)
        })
    }
}
