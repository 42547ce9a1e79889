//! One story: who pays whom, and how it must end.

use crate::party::Vice;
use crate::rng::Rng;
use crate::world::{BLOCK_SECS, DEPOSIT, Faults, POLICY, World};
use photon_chains::{BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::*;

/// A payment of the story.
struct Plan {
    id: PaymentId,
    from: usize,
    to: usize,
    amount: u64,
    most: i128,
    kind: &'static str,
    /// For a payment that is held: what its payee decides, and when.
    held: Option<(Secret, bool, u64)>,
    recalled_at: Option<u64>,
}

pub struct Story {
    world: World,
    plans: Vec<Plan>,
    mallory: Option<usize>,
}

const LINE: [(usize, usize); 5] = [(0, 1), (1, 2), (2, 3), (0, 2), (3, 4)];

fn secret(rng: &mut Rng) -> Secret {
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_be_bytes()));
    Secret::from_bytes(bytes)
}

impl Story {
    pub fn play(seed: u64, faults: Faults, vice: Option<Vice>) -> Self {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let count = rng.between(3, 5) as usize;
        let links: Vec<(usize, usize)> = LINE.into_iter().filter(|(one, other)| *one < count && *other < count).collect();
        let mut world = World::new(seed, count, &links, faults);
        let mallory = vice.map(|vice| {
            let who = rng.between(0, count as u64 - 1) as usize;
            world.parties[who].vice = vice;
            who
        });
        let mut story = Self { world, plans: Vec::new(), mallory };
        story.world.block();
        for round in 0..60 {
            if round < 40 && rng.percent(60) {
                story.begin(&mut rng);
            }
            for _ in 0..rng.between(0, 25) {
                story.world.deliver();
            }
            if rng.percent(40) {
                story.world.block();
            }
            story.decide();
        }
        story.calm();
        story
    }

    /// A way with its fees and expiries, computed from the payee back.
    fn way(&self, path: &[usize], amount: u64, linked: bool) -> Way {
        let mut time = self.world.now + 2 * POLICY.reveal_margin_secs;
        let block = self.world.tip().latest.block.get() + 40;
        let mut amount = Units::from(amount);
        let expiry = |time| {
            let opens = UnixTime::from_secs(time);
            Expiry { opens_block: BlockHeight::new(block), closes: (!linked).then_some(opens), linked, ..Expiry::at(opens) }
        };
        let mut onward = Vec::new();
        for to in path.iter().skip(2).rev() {
            onward.insert(0, Hop { to: self.world.address(*to), amount, expiry: expiry(time) });
            amount = amount.checked_add(POLICY.fee(amount).unwrap()).unwrap();
            time += POLICY.hop_slack_secs;
        }
        let channel = self
            .world
            .channels
            .iter()
            .find(|(one, other, _)| (*one, *other) == (path[0], path[1]) || (*other, *one) == (path[0], path[1]));
        Way { channel: channel.unwrap().2, amount, expiry: expiry(time), onward }
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
            for (one, other, _) in &self.world.channels {
                for (a, b) in [(one, other), (other, one)] {
                    if *a == last && !path.contains(b) {
                        open.push([path.clone(), vec![*b]].concat());
                    }
                }
            }
        }
        found.sort_by_key(Vec::len);
        found
    }

    fn begin(&mut self, rng: &mut Rng) {
        let count = self.world.parties.len() as u64;
        let from = rng.between(0, count - 1) as usize;
        let to = (from + rng.between(1, count - 1) as usize) % count as usize;
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
                };
                self.world.parties[to].node.take(Event::Expect(request));
                self.world.step(to);
                let decided_at = self.world.now + rng.between(0, 10) * BLOCK_SECS;
                (tie, is_held.then(|| (secret, rng.percent(60), decided_at)))
            }
        };
        // A request that was lost in a crash is not there: its payment fails, and nothing else.
        if held.is_some() && self.world.rng.percent(5) {
            held = None;
        }
        let ways: Vec<Way> = paths.iter().map(|path| self.way(path, amount, linked)).collect();
        let most = ways.iter().map(|way| way.amount.signed()).max().unwrap();
        let most_fee = Units::from_signed(most - i128::from(amount)).unwrap();
        let payee = self.world.parties[to].signer.known();
        let order = Order { id, payee, amount: Units::from(amount), most_fee, tie, ways };
        let recalled_at = rng.percent(15).then(|| self.world.now + rng.between(0, 5) * BLOCK_SECS);
        let kind = match (&order.tie, order.ways[0].onward.len()) {
            (Tie::Direct, _) => "at once",
            (Tie::Sealed(_), 0) => "sealed, to a neighbour",
            (Tie::Sealed(_), _) => "sealed, mediated",
            (Tie::Hash(_), 0) => "requested, by a neighbour",
            (Tie::Hash(_), _) => "requested, mediated",
        };
        self.plans.push(Plan { id, from, to, amount, most, kind, held, recalled_at });
        self.world.give(from, Event::Pay(order));
    }

    /// Owners decide about what is held, and take back what they don't want any more.
    fn decide(&mut self) {
        let now = self.world.now;
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

    /// Faults stop. Time goes on until every lock has come to its end.
    fn calm(&mut self) {
        self.world.faults = Faults::NONE;
        for _ in 0..500 {
            for _ in 0..400 {
                if self.world.is_quiet() {
                    break;
                }
                self.world.deliver();
            }
            self.world.block();
            self.decide();
        }
        for own in 0..self.world.parties.len() {
            self.world.step(own);
        }
    }

    /// All honest.
    pub fn judge(&self, no_faults: bool) {
        let world = &self.world;
        for (one, other, id) in world.channels.iter().filter(|(_, _, id)| !world.closed.contains_key(id)) {
            let (a, b) = (world.parties[*one].node.channel(id).unwrap(), world.parties[*other].node.channel(id).unwrap());
            for (payer, payee) in [(a, b), (b, a)] {
                let (out, inn) = (&payer.outgoing, &payee.incoming);
                assert_eq!((out.nonce, out.transferred), (inn.nonce, inn.transferred), "both sides agree");
                assert!(out.locks.is_empty() && inn.locks.is_empty(), "nothing stays pending: {:?}", out.locks);
                let is_usable = payer.unacked.is_empty() && payer.in_step && payer.is_active();
                assert!(is_usable, "the channel can be used: {:?} {} {:?}", payer.unacked.len(), payer.in_step, payer.standing);
            }
        }
        for plan in &self.plans {
            let (payer, payee) = (&world.parties[plan.from], &world.parties[plan.to]);
            // What an update carried into a channel that was closed is known only when the channel is gone.
            let is_open = matches!(payer.node.payment(&plan.id).map(|payment| &payment.progress), Some(Progress::Paid(..)));
            if is_open && !world.closed.is_empty() {
                continue;
            }
            assert_eq!(payer.node.payment(&plan.id), None, "every payment ends");
            let came = payee.received(&plan.id);
            if !world.closed.is_empty() {
                // Paid by a registration, it is paid out by the contract; see `judge_honest`.
                assert!(came.0 <= 1 && (came.0 == 0 || matches!(payer.outcome(&plan.id), Some(Outcome::Paid(_)))));
                continue;
            }
            match payer.outcome(&plan.id) {
                Some(Outcome::Paid(_)) => assert_eq!(came, (1, u128::from(plan.amount)), "paid once, and arrived"),
                // Not begun at all: the order was lost in a crash before it was durable.
                Some(Outcome::Failed(_)) | None => assert_eq!(came, (0, 0), "not paid: {:?}", plan.id),
            }
        }
        if no_faults {
            assert!(self.plans.iter().any(|plan| matches!(self.outcome(plan), Some(Outcome::Paid(_)))) || self.plans.is_empty());
        }
        self.judge_honest();
    }

    fn outcome(&self, plan: &Plan) -> Option<&Outcome> {
        self.world.parties[plan.from].outcome(&plan.id)
    }

    /// What happened, by name.
    pub fn tally(&self, into: &mut std::collections::BTreeMap<String, u64>) {
        let mut count = |name: String| *into.entry(name).or_default() += 1;
        for plan in &self.plans {
            count(match self.outcome(plan) {
                Some(Outcome::Paid(_)) => format!("paid {}", plan.kind),
                Some(Outcome::Failed(reason)) => format!("failed {reason:?}"),
                None => "no outcome".to_owned(),
            });
        }
        for party in &self.world.parties {
            for key in party.disk.history.keys() {
                if let (Key::Gone(_, true, _), Row::Gone(held, _)) = (key, &party.disk.history[key]) {
                    count(format!("lock gone: {}", state(held)));
                }
            }
            (0..party.crashes).for_each(|_| count("crash".to_owned()));
        }
        self.world.registry.keys().for_each(|_| count("registered".to_owned()));
    }

    /// No honest party has less than what it had, and what it was paid, less what it has paid with the fees that it allowed.
    pub fn judge_honest(&self) {
        for own in 0..self.world.parties.len() {
            if Some(own) == self.mallory {
                continue;
            }
            let party = &self.world.parties[own];
            let lost = party.notices.iter().find(|notice| matches!(notice, Notice::Lost(..) | Notice::Behind(_)));
            assert_eq!(lost, None, "party {own}");
            let channels = self.world.channels.iter().filter(|(one, other, _)| *one == own || *other == own).count();
            let before = channels as i128 * i128::from(DEPOSIT);
            let paid: i128 =
                self.plans.iter().filter(|plan| plan.from == own && self.may_be_paid(plan)).map(|plan| plan.most).sum();
            let (worth, received) = (self.world.worth(own), self.received(own));
            assert!(worth >= before + received - paid, "party {own} has lost: {worth} {before} {received} {paid}");
        }
    }

    /// Paid, or its secret is public, which is the receipt.
    fn may_be_paid(&self, plan: &Plan) -> bool {
        match self.outcome(plan) {
            Some(Outcome::Paid(_)) => true,
            Some(Outcome::Failed(_)) => false,
            None => self.world.parties[plan.from].node.payment(&plan.id).is_some(),
        }
    }

    fn received(&self, own: usize) -> i128 {
        self.world.parties[own].received_in_all()
    }
}

fn state(held: &Held) -> &'static str {
    match held.state {
        LockState::Waiting => "waiting",
        LockState::Known(_) => "known",
        LockState::Disposed(_) => "disposed",
    }
}
