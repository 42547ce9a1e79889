//! A payer that wants a payment back asks its payee, over whoever is between: also if one of them is killed as it hears of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod common;

use common::{NOW, POLICY, domain};
use photon_chains::{BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

const PAYER: usize = 0;
const MEDIATOR: usize = 1;
const PAYEE: usize = 2;

fn signer(own: usize) -> Signer {
    common::signer(own as u8 + 1)
}

fn key(one: usize, other: usize) -> ChannelKey {
    ChannelKey::new(None, signer(one).address(), signer(other).address(), Window::SHORTEST).unwrap()
}

/// A payer, a mediator and a payee that holds what it was paid.
struct Line {
    nodes: [Node; 3],
    disks: [BTreeMap<Key, Row>; 3],
    wires: VecDeque<(usize, usize, Message)>,
    /// How often the payee's owner was asked.
    asked: usize,
}

impl Line {
    fn held() -> Self {
        let nodes = [0, 1, 2].map(|own| Node::new(signer(own), domain(), POLICY));
        let mut line = Self { nodes, disks: Default::default(), wires: VecDeque::new(), asked: 0 };
        let moment = Moment { time: UnixTime::from_secs(NOW), block: BlockHeight::new(0) };
        for (one, other) in [(PAYER, MEDIATOR), (MEDIATOR, PAYEE)] {
            let holdings = Holdings { total: Units::from(200), net_a: 100 };
            let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
            for (own, peer) in [(one, other), (other, one)] {
                let peer = signer(peer).known();
                line.give(own, Event::Opened { key: key(one, other), epoch: Epoch(1), peer, chain });
            }
        }
        for own in 0..3 {
            line.give(own, Event::Clock(moment.time));
            line.give(own, Event::Tip(Tip { latest: moment, deep: moment }));
        }
        line.connect(PAYER, MEDIATOR);
        line.connect(MEDIATOR, PAYEE);
        line.talk();
        let (hash, payment) = (Secret::from_bytes([5; 32]).hash(), PaymentId::from_bytes([7; 16]));
        let amount = Units::from(10);
        line.give(PAYEE, Event::Expect(Request { secret_hash: hash, amount, payment, secret: None, least_secs: 0, until: None }));
        let expiry = |secs| Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(NOW + secs)) };
        let hop = Hop { to: signer(PAYEE).address(), amount, expiry: expiry(2_000) };
        let way = Way { channel: key(PAYER, MEDIATOR).id(), amount, expiry: expiry(4_000), onward: vec![hop] };
        let payee = signer(PAYEE).known();
        let (tie, most_fee) = (Tie::Hash(hash), Units::ZERO);
        let order = Order { id: payment, token: None, payee, amount, most_fee, tie, ways: vec![way], searches: 0 };
        line.give(PAYER, Event::Pay(order));
        line.talk();
        line
    }

    fn give(&mut self, own: usize, event: Event) {
        self.nodes[own].take(event);
        let step = self.nodes[own].finish();
        for Write { key, row } in step.writes {
            match row {
                Some(row) if key.is_live() => drop(self.disks[own].insert(key, row)),
                Some(_) => {}
                None => drop(self.disks[own].remove(&key)),
            }
        }
        for effect in step.effects {
            match effect {
                Effect::Send(to, message) => {
                    let to = (0..3).find(|other| signer(*other).address() == to).unwrap();
                    self.wires.push_back((own, to, message));
                }
                Effect::Tell(Notice::Recalled(_)) => self.asked += 1,
                _ => {}
            }
        }
    }

    fn connect(&mut self, one: usize, other: usize) {
        self.give(one, Event::Connected(signer(other).address()));
        self.give(other, Event::Connected(signer(one).address()));
    }

    /// Everything arrives.
    fn talk(&mut self) {
        while let Some((from, to, message)) = self.wires.pop_front() {
            self.give(to, Event::Message(signer(from).address(), message));
        }
    }

    /// Killed before it has taken in what is on its way to it, and started again.
    fn restart(&mut self, own: usize) {
        let rows = self.disks[own].iter().map(|(key, row)| (*key, row.clone()));
        self.nodes[own] = Node::restore(signer(own), domain(), POLICY, rows);
        self.wires.retain(|(from, to, _)| *from != own && *to != own);
        self.give(own, Event::Clock(UnixTime::from_secs(NOW)));
        let neighbours: &[usize] = if own == MEDIATOR { &[PAYER, PAYEE] } else { &[MEDIATOR] };
        for peer in neighbours {
            self.give(*peer, Event::Disconnected(signer(own).address()));
        }
        for peer in neighbours {
            self.connect(own, *peer);
        }
        self.talk();
    }

    /// The payer wants it back, and so many messages arrive.
    fn recall(&mut self, arrive: usize) {
        self.give(PAYER, Event::Recall(PaymentId::from_bytes([7; 16])));
        for _ in 0..arrive {
            let (from, to, message) = self.wires.pop_front().unwrap();
            self.give(to, Event::Message(signer(from).address(), message));
        }
    }
}

#[test]
fn a_recall_reaches_a_payee_that_was_killed_as_it_came() {
    for (dies, arrive) in [(MEDIATOR, 0), (PAYEE, 1), (MEDIATOR, 1)] {
        let mut line = Line::held();
        line.recall(arrive);
        assert_eq!(line.asked, 0, "still on its way");
        line.restart(dies);
        assert_eq!(line.asked, 1, "{dies} was killed after {arrive} messages");
    }
}

#[test]
fn a_recall_that_arrived_is_said_again_only_after_a_connection() {
    let mut line = Line::held();
    line.recall(2);
    assert_eq!(line.asked, 1);
    line.talk();
    assert_eq!(line.asked, 1);
}
