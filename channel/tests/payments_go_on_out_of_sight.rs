//! While the chain can't be seen neighbours pay each other at once, up to what the payee's owner allows; nothing else is begun,
//! what was counted survives a crash, and all goes on when the chain is back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod common;

use common::{NOW, POLICY, domain, signer};
use photon_chains::{Address, BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

const LIMIT: u64 = 50;

fn key(one: u8, other: u8) -> ChannelKey {
    ChannelKey::new(None, signer(one).address(), signer(other).address(), Window::SHORTEST).unwrap()
}

fn moment(secs: u64) -> Moment {
    Moment { time: UnixTime::from_secs(NOW + secs), block: BlockHeight::new(secs / 15) }
}

/// One process and its disk.
struct Party {
    own: u8,
    limit: u64,
    node: Node,
    rows: BTreeMap<Key, Row>,
    notices: Vec<Notice>,
}

impl Party {
    fn new(own: u8, limit: u64) -> Self {
        let mut party =
            Self { own, limit, node: Node::new(signer(own), domain(), POLICY), rows: BTreeMap::new(), notices: vec![] };
        party.start();
        party.see(Sight::Live);
        party
    }

    /// As it begins: from its rows, and before anybody has looked at the chain.
    fn start(&mut self) {
        let rows = self.rows.clone().into_iter().filter(|(key, _)| key.is_live());
        let limits = BTreeMap::from([(None, Units::from(self.limit))]);
        self.node = Node::restore(signer(self.own), domain(), POLICY, rows).with_unseen_limits(limits);
        self.node.take(Event::Sight(Sight::Awaited));
        self.node.take(Event::Clock(moment(0).time));
    }

    fn see(&mut self, sight: Sight) {
        self.node.take(Event::Sight(sight));
    }

    fn outcomes(&self) -> Vec<&Outcome> {
        let ended = self.notices.iter().filter_map(|notice| match notice {
            Notice::Ended(_, outcome) => Some(outcome),
            _ => None,
        });
        ended.collect()
    }

    fn pays(&mut self, id: u8, amount: u64, to: u8) {
        let way = Way {
            channel: key(self.own, to).id(),
            amount: Units::from(amount),
            expiry: Expiry { linked: true, ..Expiry::at(moment(5_000).time) },
            onward: vec![],
        };
        self.orders(id, Tie::Direct, way, to);
    }

    fn orders(&mut self, id: u8, tie: Tie, way: Way, payee: u8) {
        self.node.take(Event::Pay(Order {
            id: PaymentId::from_bytes([id; 16]),
            token: None,
            payee: signer(payee).known(),
            amount: way.amount,
            most_fee: Units::ZERO,
            tie,
            ways: vec![way],
            searches: 0,
        }));
    }
}

/// Parties of a line of channels, each with 100 on both sides.
struct Line(Vec<Party>);

impl Line {
    fn new(limits: &[u64]) -> Self {
        let parties = (1..).zip(limits).map(|(own, limit)| Party::new(own, *limit)).collect();
        let mut line = Self(parties);
        for at in 1..line.0.len() {
            let key = key(at as u8, at as u8 + 1);
            let chain = OnChain {
                holdings: Holdings { total: Units::from(200), net_a: 100 },
                withdrawals: 0,
                counted: Nonce::NONE,
                stage: Stage::Open,
            };
            for (own, peer) in [(at, at + 1), (at + 1, at)] {
                let peer = signer(peer as u8);
                line.party(own as u8).node.take(Event::Opened { key, epoch: Epoch(5), peer: peer.known(), chain });
            }
        }
        line.connect();
        line
    }

    fn party(&mut self, own: u8) -> &mut Party {
        &mut self.0[usize::from(own) - 1]
    }

    fn connect(&mut self) {
        for at in 1..self.0.len() as u8 {
            self.party(at).node.take(Event::Connected(signer(at + 1).address()));
            self.party(at + 1).node.take(Event::Connected(signer(at).address()));
        }
        self.talk();
    }

    /// Every connection breaks; somebody starts anew.
    fn restart(&mut self, own: u8) {
        for at in 1..self.0.len() as u8 {
            self.party(at).node.take(Event::Disconnected(signer(at + 1).address()));
            self.party(at + 1).node.take(Event::Disconnected(signer(at).address()));
        }
        self.party(own).start();
        self.connect();
    }

    /// Until nobody says anything any more. Nothing leaves before its step is written.
    fn talk(&mut self) {
        let mut said: VecDeque<(Address, Address, Message)> = VecDeque::new();
        loop {
            for party in &mut self.0 {
                let Step { writes, effects } = party.node.finish();
                for Write { key, row } in writes {
                    match row {
                        Some(row) => drop(party.rows.insert(key, row)),
                        None => drop(party.rows.remove(&key)),
                    }
                }
                for effect in effects {
                    match effect {
                        Effect::Send(to, message) => said.push_back((party.node.address(), to, message)),
                        Effect::Tell(notice) => party.notices.push(notice),
                        _ => {}
                    }
                }
            }
            if said.is_empty() {
                return;
            }
            for (from, to, message) in said.drain(..) {
                let hears = self.0.iter_mut().find(|party| party.node.address() == to).unwrap();
                hears.node.take(Event::Message(from, message));
            }
        }
    }

    fn free(&self, own: u8, other: u8) -> i128 {
        let channel = self.0[usize::from(own) - 1].node.channel(&key(own, other).id()).unwrap();
        channel.free(channel.side)
    }
}

const PAID: &Outcome = &Outcome::Paid(None);
const REFUSED: &Outcome = &Outcome::Failed(Reason::OutOfSight);

#[test]
fn a_payee_takes_up_to_its_limit_and_the_payer_of_more_is_told_why() {
    let mut line = Line::new(&[0, LIMIT]);
    line.party(1).see(Sight::Lost);
    line.party(2).see(Sight::Lost);
    line.talk();
    for (id, amount) in [(1, 30), (2, 20), (3, 1)] {
        line.party(1).pays(id, amount, 2);
        line.talk();
    }
    assert_eq!(line.party(1).outcomes(), [PAID, PAID, REFUSED]);
    assert_eq!((line.free(1, 2), line.free(2, 1)), (50, 150));
    assert_eq!((line.party(2).node.unseen(None), line.party(2).node.takes_still(None)), (Units::from(50), Some(Units::ZERO)));

    // What came in can be spent, but the other side has allowed nothing.
    line.party(2).pays(9, 1, 1);
    line.talk();
    assert_eq!(line.party(2).outcomes(), [REFUSED]);
    // Whoever sees the chain takes what is paid by one who does not.
    line.party(1).see(Sight::Live);
    line.talk();
    line.party(2).pays(10, 140, 1);
    line.talk();
    assert_eq!(line.party(2).outcomes(), [REFUSED, PAID]);
    assert_eq!((line.free(1, 2), line.free(2, 1)), (190, 10));
}

#[test]
fn what_was_counted_survives_a_crash_and_is_free_once_the_chain_is_followed() {
    let mut line = Line::new(&[0, LIMIT]);
    line.party(2).see(Sight::Lost);
    line.party(1).pays(1, 40, 2);
    line.talk();
    line.restart(2);
    line.party(1).pays(2, 10, 2);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [PAID], "nobody is greeted before the chain was looked for: a payment waits");
    line.party(2).see(Sight::Lost);
    line.talk();
    line.party(1).pays(3, 1, 2);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [PAID, PAID, REFUSED]);
    line.party(2).see(Sight::Live);
    line.talk();
    line.party(1).pays(4, 50, 2);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [PAID, PAID, REFUSED, PAID]);
    assert_eq!(line.party(2).node.unseen(None), Units::ZERO);
    assert!(!line.party(2).rows.keys().any(|key| matches!(key, Key::Unseen(_))), "nothing is left of it on the disk");
    line.party(2).see(Sight::Lost);
    line.talk();
    assert_eq!(line.party(2).node.takes_still(None), Some(Units::from(LIMIT)));
}

/// One limit holds for all neighbours together, and each is told what is left of it.
#[test]
fn two_neighbours_share_one_limit() {
    let mut line = Line::new(&[0, LIMIT, 0]);
    line.party(2).see(Sight::Lost);
    line.talk();
    line.party(1).pays(1, 30, 2);
    line.talk();
    line.party(3).pays(2, 21, 2);
    line.talk();
    line.party(3).pays(3, 20, 2);
    line.talk();
    assert_eq!(line.party(3).outcomes(), [REFUSED, PAID]);
    line.party(1).pays(4, 1, 2);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [PAID, REFUSED]);
}

/// The payer has not heard of it yet: the payment is not taken, not lost, and arrives when the chain is back, once.
#[test]
fn an_update_that_was_on_its_way_waits_for_the_chain() {
    let mut line = Line::new(&[0, LIMIT]);
    line.party(1).pays(1, 60, 2);
    let update = line.party(1).node.finish();
    line.party(2).see(Sight::Lost);
    let said: Vec<Message> = update
        .effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, message) => Some(message),
            _ => None,
        })
        .collect();
    for message in said {
        line.party(2).node.take(Event::Message(signer(1).address(), message));
    }
    line.talk();
    assert_eq!((line.free(1, 2), line.free(2, 1)), (40, 100));
    assert_eq!(line.party(1).outcomes(), [] as [&Outcome; 0]);
    line.party(2).pays(2, 5, 1);
    line.talk();
    assert_eq!(line.party(2).outcomes(), [PAID], "the other direction is free");
    line.party(2).see(Sight::Live);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [PAID]);
    assert_eq!((line.free(1, 2), line.free(2, 1)), (45, 155));
}

#[test]
fn what_may_need_the_chain_is_not_begun_and_goes_on_when_it_is_back() {
    let mut line = Line::new(&[1_000, 1_000, 1_000]);
    line.party(2).see(Sight::Lost);
    line.talk();
    // Through a mediator that is blind.
    let hop = Hop {
        to: signer(3).address(),
        amount: Units::from(10),
        expiry: Expiry { linked: true, ..Expiry::at(moment(4_000).time) },
    };
    let expiry = Expiry { linked: true, ..Expiry::at(moment(5_000).time) };
    let way = Way { channel: key(1, 2).id(), amount: Units::from(10), expiry, onward: vec![hop] };
    let tie = || Tie::Sealed(Secret::from_bytes([4; 32]));
    line.party(1).orders(1, tie(), way.clone(), 3);
    line.talk();
    assert_eq!(line.party(1).outcomes(), [REFUSED]);
    // Of a payer that is blind: what was asked for before waits.
    line.party(1).see(Sight::Lost);
    line.party(1).orders(2, tie(), way, 3);
    line.talk();
    assert_eq!((line.party(1).outcomes().len(), line.free(1, 2)), (1, 100));
    // A close and a withdrawal are not signed.
    line.party(3).node.take(Event::AskWithdraw(key(2, 3).id(), Units::from(5)));
    line.talk();
    assert_eq!(line.party(2).node.channel(&key(2, 3).id()).unwrap().leaving, None);
    line.party(1).see(Sight::Live);
    line.party(2).see(Sight::Live);
    line.party(3).node.take(Event::Tip(Tip { latest: moment(15), deep: moment(0) }));
    line.talk();
    assert!(matches!(line.party(1).outcomes()[..], [_, Outcome::Paid(Some(_))]), "{:?}", line.party(1).outcomes());
    assert_eq!(line.free(3, 2), 105, "10 more, and 5 are leaving");
    assert!(line.party(2).node.channel(&key(2, 3).id()).unwrap().leaving.is_some());
    line.party(1).node.take(Event::AskClose(key(1, 2).id()));
    line.party(2).see(Sight::Lost);
    line.talk();
    let standing = |line: &mut Line, own| line.party(own).node.channel(&key(1, 2).id()).unwrap().standing.clone();
    assert_eq!(standing(&mut line, 1), Standing::Stopping);
    line.party(2).see(Sight::Live);
    line.talk();
    assert!(matches!(standing(&mut line, 1), Standing::Granted(Grant { signature: Some(_), .. })));
}

/// A mediator starts again with a payment that waits for its payee: whoever has not looked at the chain yet gives nothing back.
#[test]
fn a_payment_that_waits_at_a_mediator_waits_for_its_first_look() {
    let mut line = Line::new(&[0, 0, 0]);
    line.party(2).node.take(Event::Disconnected(signer(3).address()));
    line.party(3).node.take(Event::Disconnected(signer(2).address()));
    let at = |secs| Expiry { linked: true, ..Expiry::at(moment(secs).time) };
    let hop = Hop { to: signer(3).address(), amount: Units::from(10), expiry: at(4_000) };
    let way = Way { channel: key(1, 2).id(), amount: Units::from(10), expiry: at(5_000), onward: vec![hop] };
    line.party(1).orders(1, Tie::Sealed(Secret::from_bytes([4; 32])), way, 3);
    line.talk();
    line.restart(2);
    assert_eq!(line.party(1).outcomes(), [] as [&Outcome; 0]);
    line.party(2).see(Sight::Live);
    line.talk();
    assert!(matches!(line.party(1).outcomes()[..], [Outcome::Paid(Some(_))]), "{:?}", line.party(1).outcomes());
}
