//! One story: who pays whom, who closes what, and until when.

use crate::chain::{BLOCK_SECS, DEPTH};
use crate::faults::Faults;
use crate::judge::{Report, judge};
use crate::party::{POLICY, Party, VICES, Vice};
use crate::rng::Rng;
use crate::world::{DEPOSIT, Link, World, Wrong};
use photon_chains::{BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::*;

/// Under which conditions a story is played.
#[derive(Copy, Clone)]
pub struct Setting {
    pub faults: Faults,
    /// What Mallory does; one place is hers, or two. None: all are honest.
    pub vice: Option<Vice>,
}

/// A payment of the story.
pub struct Plan {
    pub id: PaymentId,
    pub from: usize,
    pub to: usize,
    pub amount: u64,
    pub most: i128,
    pub kind: &'static str,
    /// For a payment that is held: what its payee decides, and when.
    held: Option<(Secret, bool, u64)>,
    recalled_at: Option<u64>,
}

pub struct Story {
    pub world: World,
    pub plans: Vec<Plan>,
}

const LINKS: [(usize, usize); 5] = [(0, 1), (1, 2), (2, 3), (0, 2), (3, 4)];

/// Plays the story of a seed.
pub fn run(seed: u64, setting: &Setting) -> Result<Report, Wrong> {
    let mut story = Story::begin(seed, setting);
    story.play(seed);
    match story.world.wrong.take() {
        Some(wrong) => Err(wrong),
        None => judge(&story),
    }
}

fn secret(rng: &mut Rng) -> Secret {
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_be_bytes()));
    Secret::from_bytes(bytes)
}

impl Story {
    fn begin(seed: u64, setting: &Setting) -> Self {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let count = rng.between(3, 5) as usize;
        let links: Vec<(usize, usize)> = LINKS.into_iter().filter(|(one, other)| *one < count && *other < count).collect();
        let mut vices = Vec::new();
        if let Some(vice) = setting.vice {
            let first = rng.between(0, count as u64 - 1) as usize;
            vices.push((first, vice));
            // Two who know each other, with somebody between them.
            let second = rng.between(0, count as u64 - 1) as usize;
            if rng.percent(40) && second != first {
                let like = if rng.percent(50) { vice } else { rng.pick(&VICES) };
                vices.push((second, like));
            }
        }
        Self { world: World::new(seed, count, &links, setting.faults, &vices), plans: Vec::new() }
    }

    fn play(&mut self, seed: u64) {
        let mut rng = Rng::new(seed ^ 0x9a55);
        (0..DEPTH + 4).for_each(|_| self.world.block(1));
        for round in 0..28 {
            if round < 18 && rng.percent(45) {
                self.pay(&mut rng);
            }
            for _ in 0..rng.between(0, 18) {
                self.world.deliver();
            }
            if rng.percent(45) {
                self.world.block(1);
            }
            self.wish(&mut rng);
            self.decide();
            if self.world.wrong.is_some() {
                return;
            }
        }
        self.calm(&mut rng);
        self.use_channels();
    }

    /// What owners may want of their channels.
    fn wish(&mut self, rng: &mut Rng) {
        let faults = self.world.faults;
        let at = rng.between(0, self.world.links.len() as u64 - 1) as usize;
        let (one, other, key) = (self.world.links[at].one, self.world.links[at].other, self.world.links[at].key);
        let own = if rng.percent(50) { one } else { other };
        // Who does not see the chain is told so by its program.
        if !self.world.is_there(own) || self.world.is_blind(own) {
            return;
        }
        let id = key.id();
        if rng.percent(faults.close) {
            self.world.want_closed(own, &id);
        }
        if !rng.percent(faults.wish) {
            return;
        }
        let least = if rng.percent(50) { DEPOSIT * 19 / 20 } else { 1 };
        let amount = Units::from(rng.between(least, DEPOSIT));
        match rng.between(0, 9) {
            0..3 => self.world.give(own, Event::AskClose(id)),
            3 => self.world.give(own, Event::Resume(id)),
            4..8 => self.world.give(own, Event::AskWithdraw(id, amount)),
            _ => self.world.pay_in(own, key, rng.between(1, DEPOSIT / 3)),
        }
    }

    /// A way with its fees and expiries, computed from the payee back. Mallory's may be too short, too cheap, or never closed.
    fn way(&mut self, path: &[usize], amount: u64, linked: bool, bad: u64) -> Way {
        let margin = POLICY.reveal_margin_secs;
        let first = if bad == 1 { self.world.rng.between(1, margin) } else { 2 * margin };
        let slack = if bad == 2 { 0 } else { POLICY.hop_slack_secs };
        let mut time = self.world.now() + first;
        let block = self.world.chain.tip().latest.block.get() + first / BLOCK_SECS;
        let mut amount = Units::from(amount);
        let closes = |opens| (!linked && bad != 3).then_some(opens);
        let expiry = |time| {
            let opens = UnixTime::from_secs(time);
            Expiry { opens_block: BlockHeight::new(block), closes: closes(opens), linked, ..Expiry::at(opens) }
        };
        let mut onward = Vec::new();
        for to in path.iter().skip(2).rev() {
            onward.insert(0, Hop { to: self.world.address(*to), amount, expiry: expiry(time) });
            if bad != 4 {
                amount = amount.checked_add(POLICY.fee(amount).unwrap()).unwrap();
            }
            time += slack;
        }
        let is_first = |one: usize, other: usize| (one, other) == (path[0], path[1]) || (other, one) == (path[0], path[1]);
        let link = self.world.links.iter().find(|link| is_first(link.one, link.other)).unwrap();
        Way { channel: link.key.id(), amount, expiry: expiry(time), onward }
    }

    fn paths(&self, from: usize, to: usize) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        let mut open = vec![vec![from]];
        while let Some(path) = open.pop() {
            let last = *path.last().unwrap();
            if last == to {
                found.push(path);
                continue;
            }
            for link in &self.world.links {
                for (a, b) in [(link.one, link.other), (link.other, link.one)] {
                    if a == last && !path.contains(&b) {
                        open.push([path.clone(), vec![b]].concat());
                    }
                }
            }
        }
        found.sort_by_key(Vec::len);
        found
    }

    fn pay(&mut self, rng: &mut Rng) {
        let count = self.world.parties.len() as u64;
        let mut from = rng.between(0, count - 1) as usize;
        let mut to = (from + rng.between(1, count - 1) as usize) % count as usize;
        let hers: Vec<usize> = (0..count as usize).filter(|own| !self.world.parties[*own].is_honest()).collect();
        if let ([one, other], true) = (&hers[..], rng.percent(25)) {
            (from, to) = if rng.percent(50) { (*one, *other) } else { (*other, *one) };
        }
        if !self.world.is_there(from) || !self.world.is_there(to) {
            return;
        }
        let most = if rng.percent(10) { DEPOSIT } else { DEPOSIT / 20 };
        let amount = rng.between(1, most);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(self.plans.len() as u64).to_be_bytes());
        let id = PaymentId::from_bytes(id);
        let mut paths = self.paths(from, to);
        let linked = rng.percent(50);
        let is_hers = [from, to].iter().any(|own| !self.world.parties[*own].is_honest());
        let (tie, mut held) = match rng.between(0, 3) {
            0 if paths[0].len() == 2 => {
                paths.truncate(1);
                (Tie::Direct, None)
            }
            0 | 1 => (Tie::Sealed(secret(rng)), None),
            kind => {
                let secret = secret(rng);
                let tie = Tie::Hash(secret.hash());
                let is_held = kind == 3;
                let request = Request {
                    secret_hash: secret.hash(),
                    amount: Units::from(amount),
                    payment: id,
                    secret: (!is_held).then(|| secret.clone()),
                    least_secs: 0,
                    until: None,
                };
                if is_hers {
                    self.world.malice.secrets.insert(secret.hash(), secret.clone());
                }
                self.world.parties[to].node.take(Event::Expect(request));
                self.world.step(to);
                let decided_at = self.world.now() + rng.between(0, 10) * BLOCK_SECS;
                (tie, is_held.then(|| (secret, rng.percent(60), decided_at)))
            }
        };
        // A request that was lost in a crash is not there: its payment fails, and nothing else.
        if held.is_some() && self.world.rng.percent(5) {
            held = None;
        }
        let bad = if !self.world.parties[from].is_honest() && rng.percent(60) { rng.between(1, 4) } else { 0 };
        let ways: Vec<Way> = paths.iter().map(|path| self.way(path, amount, linked, bad)).collect();
        let most = ways.iter().map(|way| way.amount.signed()).max().unwrap();
        let most_fee = Units::from_signed(most - i128::from(amount)).unwrap();
        let kind = match (&tie, ways[0].onward.len()) {
            (Tie::Direct, _) => "at once",
            (Tie::Sealed(_), 0) => "sealed, to a neighbour",
            (Tie::Sealed(_), _) => "sealed, mediated",
            (Tie::Hash(_), 0) => "requested, by a neighbour",
            (Tie::Hash(_), _) => "requested, mediated",
        };
        let payee = self.world.parties[to].signer.known();
        let order = Order { id, token: None, payee, amount: Units::from(amount), most_fee, tie, ways, searches: 0 };
        let recalled_at = rng.percent(15).then(|| self.world.now() + rng.between(0, 5) * BLOCK_SECS);
        self.plans.push(Plan { id, from, to, amount, most, kind, held, recalled_at });
        self.world.give(from, Event::Pay(order));
    }

    /// Owners decide about what is held, and change their minds.
    fn decide(&mut self) {
        let now = self.world.now();
        for at in 0..self.plans.len() {
            let plan = &mut self.plans[at];
            let (from, to, id) = (plan.from, plan.to, plan.id);
            if plan.held.as_ref().is_some_and(|(_, _, when)| *when <= now) && self.world.is_there(to) {
                let Some((secret, takes, _)) = plan.held.take() else { continue };
                let event = if takes { Event::Release(secret) } else { Event::GiveUp(secret.hash()) };
                self.world.give(to, event);
            }
            if self.plans[at].recalled_at.is_some_and(|when| when <= now) && self.world.is_there(from) {
                self.plans[at].recalled_at = None;
                self.world.give(from, Event::Recall(id));
            }
        }
    }

    /// Until nobody has anything to say. A story in which that never comes is not settled.
    fn deliver_all(&mut self) {
        for _ in 0..500 {
            if self.world.is_quiet() {
                (0..self.world.parties.len()).for_each(|own| self.world.step(own));
            }
            if self.world.is_quiet() {
                return;
            }
            self.world.deliver();
        }
    }

    /// Faults stop. Time goes on until every lock has come to its end; what Mallory has a part in is closed.
    fn calm(&mut self, rng: &mut Rng) {
        let is_bad = self.world.faults.wish > 0;
        let (may_forget, may_be_blind) = (self.world.faults.forget > 0, self.world.faults.dark > 0);
        self.world.faults = Faults::NONE;
        if may_forget || may_be_blind {
            // Some words are said once in a connection. What was lost is said again in the next one.
            let pairs: Vec<(usize, usize)> = self.world.links.iter().map(|link| (link.one, link.other)).collect();
            pairs.into_iter().for_each(|(one, other)| self.world.cut(one, other));
        }
        let mut closing: Vec<(u64, usize, ChannelId)> = Vec::new();
        for link in &self.world.links {
            let is_left = [link.one, link.other].iter().any(|own| self.world.parties[*own].vice == Vice::NeverUnlocks);
            let is_forgotten = self.world.is_forgotten(link);
            if !self.world.is_honest(link) && (!is_left || is_forgotten) || is_bad && rng.percent(10) {
                let own = if rng.percent(50) { link.one } else { link.other };
                closing.push((rng.between(0, 6), own, link.key.id()));
            }
        }
        let mut rest = 0;
        for round in 0..400 {
            self.deliver_all();
            for (when, own, id) in &closing {
                if *when <= round {
                    self.world.want_closed(*own, id);
                }
                if *when + 10 <= round {
                    self.honest_closes(id);
                }
            }
            if may_forget {
                self.world.check_reminded();
                self.end_forgotten(round);
            }
            let is_busy = !self.world.is_idle() || round < 8;
            self.world.block(if is_busy { 1 } else { 4 });
            self.decide();
            let is_settled = round > 8 && self.world.is_idle() && self.unsettled().is_none();
            rest = if is_settled { rest + 1 } else { 0 };
            // What is held of the forgetful may be decided yet by the end of a lock.
            if rest > 0 && (rest > 60 || !may_forget || !self.world.is_any_closed()) {
                break;
            }
        }
        for _ in 0..DEPTH + 2 {
            self.deliver_all();
            self.world.block(1);
        }
        self.deliver_all();
        if let Some(what) = self.unsettled() {
            self.world.fail(Wrong::Unusable(what));
        }
    }

    /// Whoever of both is honest closes where Mallory said she would, and did not.
    fn honest_closes(&mut self, id: &ChannelId) {
        for own in 0..self.world.parties.len() {
            if self.world.parties[own].is_honest() {
                self.world.want_closed(own, id);
            }
        }
    }

    /// What both can't end together, because something is pending that one of them does not know, is closed by either.
    fn end_forgotten(&mut self, round: u64) {
        let world = &self.world;
        let is_stuck = |link: &&Link| {
            let is_forgotten = world.is_forgotten(link);
            let channels = [link.one, link.other].map(|own| world.parties[own].node.channel(&link.key.id()));
            is_forgotten && world.is_honest(link) && channels.into_iter().flatten().any(|channel| !is_quiet(channel))
        };
        let stuck: Vec<ChannelId> = world.links.iter().filter(is_stuck).map(|link| link.key.id()).collect();
        if round >= 60 {
            stuck.iter().for_each(|id| self.honest_closes(id));
        }
    }

    /// What has not come to its end yet.
    fn unsettled(&self) -> Option<String> {
        let world = &self.world;
        // A channel with Mallory is closed in the end.
        let is_at_rest = |channel: &Channel| {
            let vice = world.parties[world.at(&channel.peer.address())].vice;
            if vice == Vice::NeverUnlocks && channel.chain.stage == Stage::Open {
                // Who does not pay for registered secrets is closed on; else the channel stays, with locks that she never takes off.
                return channel.outgoing.locks.is_empty() && Party::known(channel).next().is_none();
            }
            vice == Vice::Honest && is_quiet(channel)
        };
        for (own, party) in world.parties.iter().enumerate().filter(|(_, party)| party.is_honest()) {
            if let Some(channel) = party.node.channels().find(|it| !is_at_rest(it) && !world.is_done_with(own, it)) {
                let (stage, standing) = (channel.chain.stage, &channel.standing);
                let counts = (channel.outgoing.locks.len(), channel.incoming.locks.len(), channel.unacked.len());
                return Some(format!(
                    "{own} has a channel that never ends: {stage:?} {standing:?} {:?} {counts:?}",
                    channel.leaving
                ));
            }
            // What one who has forgotten leaves in a closed channel is never decided.
            let is_held = |channel: &Channel| {
                let link = world.links.iter().find(|link| link.key.id() == channel.of.channel).unwrap();
                channel.chain.stage == Stage::Closed && world.is_forgotten(link) && world.is_done_with(own, channel)
            };
            let is_there = |plan: &&Plan| {
                let payment = party.node.payment(&plan.id).filter(|_| plan.from == own);
                let over = payment.map(|payment| party.node.channel(&payment.order.ways[0].channel));
                over.is_some_and(|over| !over.is_some_and(is_held))
            };
            if let Some(plan) = self.plans.iter().find(is_there) {
                let payment = party.node.payment(&plan.id).unwrap();
                let over = party.node.channel(&payment.order.ways[0].channel);
                let over = over.map(|it| (it.chain.stage, &it.standing, it.in_step, it.unacked.len()));
                return Some(format!("a payment of {own}'s never ends: {:?} over {over:?}", payment.progress));
            }
        }
        None
    }

    /// Every channel between honest parties can be paid over, both ways.
    fn use_channels(&mut self) {
        for at in 0..self.world.links.len() {
            let link = &self.world.links[at];
            if !self.world.is_honest(link) {
                continue;
            }
            let (one, other, id, is_forgotten) = (link.one, link.other, link.key.id(), self.world.is_forgotten(link));
            for (from, to) in [(one, other), (other, one)] {
                let Some(channel) = self.world.parties[from].node.channel(&id) else { continue };
                if is_forgotten && channel.chain.stage == Stage::Closed {
                    continue;
                }
                if channel.free(channel.side) < 1 {
                    continue;
                }
                let mut name = [0xff; 16];
                name[..3].copy_from_slice(&[at as u8, from as u8, to as u8]);
                let payment = PaymentId::from_bytes(name);
                let expiry = Expiry::at(UnixTime::from_secs(self.world.now() + 10_000));
                let way = Way { channel: id, amount: Units::from(1), expiry, onward: vec![] };
                let payee = self.world.parties[to].signer.known();
                let (amount, most_fee) = (Units::from(1), Units::ZERO);
                let order =
                    Order { id: payment, token: None, payee, amount, most_fee, tie: Tie::Direct, ways: vec![way], searches: 0 };
                self.world.parties[from].node.take(Event::Pay(order));
                self.world.step(from);
                self.deliver_all();
                let is_paid = self.world.parties[from].outcome(&payment) == Some(&Outcome::Paid(None));
                if !is_paid || self.world.parties[to].received(&payment) != (1, 1) {
                    let why = format!("{from} can't pay {to}: {:?}", self.world.parties[from].outcome(&payment));
                    self.world.fail(Wrong::Unusable(why));
                }
            }
        }
    }
}

/// Open, with nothing pending and nothing under way, and good for more.
fn is_quiet(channel: &Channel) -> bool {
    channel.chain.stage == Stage::Open
        && channel.standing == Standing::Active
        && channel.leaving.is_none()
        && channel.outgoing.locks.is_empty()
        && channel.incoming.locks.is_empty()
        && channel.unacked.is_empty()
}
