//! A payment that fails on its way: its payer is told where and why, asks for another way, and goes on asking after a restart.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, POLICY, domain, signer};
use photon_chains::{Address, BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

fn address(own: u8) -> Address {
    signer(own).address()
}

fn key(one: u8, other: u8) -> ChannelKey {
    ChannelKey::new(None, address(one), address(other), Window::SHORTEST).unwrap()
}

fn expiry(secs: u64) -> Expiry {
    Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(NOW + secs)) }
}

/// Five nodes: 1 reaches 4 over 2 and 3, and over 5. Each has 100 in each of its channels.
struct Net {
    nodes: BTreeMap<Address, Node>,
    rows: BTreeMap<Address, BTreeMap<Key, Row>>,
    notices: Vec<Notice>,
    asked: Vec<(PaymentId, Reason)>,
}

impl Net {
    fn new() -> Self {
        let mut net = Net { nodes: BTreeMap::new(), rows: BTreeMap::new(), notices: Vec::new(), asked: Vec::new() };
        let tip = Moment { time: UnixTime::from_secs(NOW), block: BlockHeight::new(0) };
        for own in 1..6 {
            let mut node = Node::new(signer(own), domain(), POLICY);
            node.take(Event::Clock(tip.time));
            node.take(Event::Tip(Tip { latest: tip, deep: tip }));
            net.nodes.insert(address(own), node);
        }
        for (one, other) in [(1, 2), (2, 3), (3, 4), (1, 5), (5, 4)] {
            let holdings = Holdings { total: Units::from(200), net_a: 100 };
            let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
            for (own, peer) in [(one, other), (other, one)] {
                let node = net.nodes.get_mut(&address(own)).unwrap();
                node.take(Event::Opened { key: key(one, other), epoch: Epoch(5), peer: signer(peer).known(), chain });
            }
            net.connect(one, other);
        }
        net.run();
        net
    }

    fn connect(&mut self, one: u8, other: u8) {
        for (own, peer) in [(one, other), (other, one)] {
            self.nodes.get_mut(&address(own)).unwrap().take(Event::Connected(address(peer)));
        }
    }

    fn give(&mut self, own: u8, event: Event) {
        self.nodes.get_mut(&address(own)).unwrap().take(event);
        self.run();
    }

    /// All that is said is heard, until nobody has anything to say.
    fn run(&mut self) {
        let mut said: VecDeque<(Address, Address, Message)> = VecDeque::new();
        loop {
            for (own, node) in &mut self.nodes {
                let step = node.finish();
                let rows = self.rows.entry(*own).or_default();
                for Write { key, row } in step.writes.into_iter().filter(|write| write.key.is_live()) {
                    match row {
                        Some(row) => drop(rows.insert(key, row)),
                        None => drop(rows.remove(&key)),
                    }
                }
                for effect in step.effects {
                    match effect {
                        Effect::Send(to, message) => said.push_back((*own, to, message)),
                        Effect::Tell(notice) => self.notices.push(notice),
                        Effect::FindWays(id, reason) => self.asked.push((id, reason)),
                        Effect::Watch(_) | Effect::Unwatch(_) | Effect::Register(..) => {}
                        Effect::CloseTogether(..) | Effect::Withdraw(..) => {}
                    }
                }
            }
            let Some((from, to, message)) = said.pop_front() else { return };
            self.nodes.get_mut(&to).unwrap().take(Event::Message(from, message));
        }
    }

    /// Dropped, and taken up from its rows.
    fn restart(&mut self, own: u8) {
        let rows = self.rows.get(&address(own)).cloned().unwrap_or_default();
        let tip = *self.nodes.get(&address(own)).unwrap().tip();
        let mut node = Node::restore(signer(own), domain(), POLICY, rows);
        node.take(Event::Clock(tip.latest.time));
        node.take(Event::Tip(tip));
        self.nodes.insert(address(own), node);
    }

    fn asked(&mut self) -> Vec<(PaymentId, Reason)> {
        std::mem::take(&mut self.asked)
    }

    fn outcome(&self, id: PaymentId) -> Option<Outcome> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::Ended(of, outcome) if *of == id => Some(outcome.clone()),
            _ => None,
        })
    }
}

/// From 1 to 4, of 60.
fn way(over: &[u8]) -> Way {
    let nodes: Vec<u8> = over.iter().copied().chain([4]).collect();
    let hop = |(at, to): (usize, &u8)| {
        let secs = 2_000 + 900 * (nodes.len() - at) as u64;
        Hop { to: address(*to), amount: Units::from(60), expiry: expiry(secs) }
    };
    let hops: Vec<Hop> = nodes.iter().enumerate().map(hop).collect();
    Way { channel: key(1, nodes[0]).id(), amount: Units::from(60), expiry: hops[0].expiry, onward: hops[1..].to_vec() }
}

fn order(searches: u8, ways: Vec<Way>) -> Order {
    Order {
        id: PaymentId::from_bytes([2; 16]),
        token: None,
        payee: signer(4).known(),
        amount: Units::from(60),
        most_fee: Units::ZERO,
        tie: Tie::Sealed(Secret::from_bytes([4; 32])),
        ways,
        searches,
    }
}

/// 3 has paid 4 most of what it had: nothing more of that size goes over it.
fn drained() -> Net {
    let mut net = Net::new();
    let way = Way { channel: key(3, 4).id(), amount: Units::from(50), expiry: expiry(5_000), onward: vec![] };
    let (id, amount) = (PaymentId::from_bytes([7; 16]), Units::from(50));
    net.give(3, Event::Pay(Order { id, amount, tie: Tie::Direct, ..order(0, vec![way]) }));
    assert_eq!(net.outcome(id), Some(Outcome::Paid(None)));
    net.notices.clear();
    net
}

#[test]
fn the_payer_is_told_who_could_not_pay_whom_and_asks_for_another_way() {
    let mut net = drained();
    let order = order(1, vec![way(&[2, 3])]);
    let id = order.id;
    net.give(1, Event::Pay(order));
    let failed = Some((address(3), address(4), Units::from(60)));
    assert!(net.notices.contains(&Notice::Attempt { payment: id, reason: Reason::Funds, failed }), "{:?}", net.notices);
    assert_eq!(net.asked(), [(id, Reason::Funds)]);
    assert_eq!(net.outcome(id), None, "it has not failed yet");
    net.give(1, Event::Ways(id, vec![way(&[5])], Reason::Funds));
    assert!(matches!(net.outcome(id), Some(Outcome::Paid(Some(_)))));
    let free = |one: u8, other: u8| {
        let channel = net.nodes.get(&address(one)).unwrap().channel(&key(one, other).id()).unwrap();
        channel.free(channel.side)
    };
    assert_eq!((free(1, 2), free(1, 5), free(4, 5)), (100, 40, 160), "paid once, and nothing hangs on the first way");
}

#[test]
fn a_payment_without_a_way_asks_again_after_a_restart_and_ends_when_there_is_none() {
    let mut net = drained();
    let order = order(2, vec![way(&[2, 3])]);
    let id = order.id;
    net.give(1, Event::Pay(order));
    assert_eq!(net.asked(), [(id, Reason::Funds)]);
    net.restart(1);
    net.connect(1, 2);
    net.connect(1, 5);
    net.run();
    assert_eq!(net.asked(), [(id, Reason::NoWay)]);
    net.give(1, Event::Ways(id, vec![way(&[2, 3])], Reason::NoWay));
    assert_eq!(net.asked(), [(id, Reason::Funds)], "it has failed there again, and may ask once more");
    net.give(1, Event::Ways(id, vec![], Reason::Funds));
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::Funds)));
    net.give(1, Event::Ways(id, vec![way(&[5])], Reason::Funds));
    assert_eq!(net.asked(), [], "what has ended is not begun again");
}

#[test]
fn ways_that_do_not_lead_to_the_payee_or_bring_something_else_are_none() {
    let mut net = drained();
    let good = order(1, vec![way(&[2, 3])]);
    let id = good.id;
    net.give(1, Event::Pay(good.clone()));
    assert_eq!(net.asked(), [(id, Reason::Funds)]);
    let dear = Way { amount: Units::from(61), ..way(&[5]) };
    let astray = Way { onward: vec![], ..way(&[5]) };
    net.give(1, Event::Ways(id, vec![dear, astray], Reason::Funds));
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::Funds)));
    let in_a_token = Order { id: PaymentId::from_bytes([8; 16]), token: Some(address(8)), ways: vec![way(&[5])], ..good };
    net.give(1, Event::Pay(in_a_token.clone()));
    assert!(
        net.notices.contains(&Notice::Refused(Refused::Order(in_a_token.id))),
        "a channel in another coin pays nothing of it"
    );
}

#[test]
fn room_that_a_mediator_keeps_is_passed_by_and_there_for_what_it_is_kept_for() {
    let mut net = Net::new();
    let (own, onto) = (PaymentId::from_bytes([9; 16]), key(2, 3).id());
    let keep = |net: &mut Net, amount: u64| net.nodes.get_mut(&address(2)).unwrap().keep_room(own, onto, Units::from(amount));
    assert!(!keep(&mut net, 101), "it has not so much");
    assert!(keep(&mut net, 90) && keep(&mut net, 50), "anew, not twice");
    let order = order(0, vec![way(&[2, 3]), way(&[5])]);
    let id = order.id;
    net.give(1, Event::Pay(order.clone()));
    let failed = Some((address(2), address(3), Units::from(60)));
    assert!(net.notices.contains(&Notice::Attempt { payment: id, reason: Reason::Funds, failed }), "{:?}", net.notices);
    assert!(matches!(net.outcome(id), Some(Outcome::Paid(Some(_)))));

    let all = Way { channel: onto, amount: Units::from(100), expiry: expiry(5_000), onward: vec![] };
    let pay = |id| Order {
        id,
        payee: signer(3).known(),
        amount: all.amount,
        tie: Tie::Direct,
        ways: vec![all.clone()],
        ..order.clone()
    };
    let other = PaymentId::from_bytes([10; 16]);
    net.give(2, Event::Pay(pay(other)));
    assert_eq!(net.outcome(other), Some(Outcome::Failed(Reason::Funds)), "nor does another payment of the mediator's take it");
    net.give(2, Event::Pay(pay(own)));
    assert_eq!(net.outcome(own), Some(Outcome::Paid(None)));
    let node = net.nodes.get(&address(2)).unwrap();
    assert_eq!(node.room(node.channel(&onto).unwrap(), None), 0, "and nothing is kept any more");
}

#[test]
fn a_payee_that_gives_a_payment_back_is_nobodys_failure() {
    let mut net = Net::new();
    let hash = Secret::from_bytes([6; 32]).hash();
    let order = Order { tie: Tie::Hash(hash), ..order(0, vec![way(&[2, 3])]) };
    let id = order.id;
    net.give(1, Event::Pay(order));
    assert!(net.notices.contains(&Notice::Attempt { payment: id, reason: Reason::Unknown, failed: None }), "{:?}", net.notices);
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::Unknown)));
}

/// A mediator has started again, and is connected to the payer only.
fn mediator_alone() -> (Net, Order) {
    let mut net = Net::new();
    net.restart(2);
    net.connect(1, 2);
    net.run();
    (net, order(0, vec![way(&[2, 3])]))
}

#[test]
fn a_mediator_that_starts_again_waits_for_its_payee_instead_of_failing_the_payment() {
    let (mut net, order) = mediator_alone();
    let id = order.id;
    net.give(1, Event::Pay(order));
    assert_eq!(net.outcome(id), None);
    // And again, with the lock on its way.
    net.restart(2);
    net.connect(1, 2);
    net.run();
    net.give(2, Event::Clock(UnixTime::from_secs(NOW + POLICY.return_secs - 1)));
    assert_eq!(net.outcome(id), None);
    net.connect(2, 3);
    net.run();
    assert!(matches!(net.outcome(id), Some(Outcome::Paid(Some(_)))));
}

#[test]
fn a_mediator_holds_nothing_for_a_payee_that_stays_away() {
    let (mut net, first) = mediator_alone();
    let id = first.id;
    net.give(1, Event::Pay(first.clone()));
    net.give(2, Event::Clock(UnixTime::from_secs(NOW + POLICY.return_secs)));
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::NoWay)));
    let second = Order { id: PaymentId::from_bytes([9; 16]), tie: Tie::Sealed(Secret::from_bytes([5; 32])), ..first };
    let id = second.id;
    net.give(1, Event::Pay(second));
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::NoWay)), "and it is not waited for again");
}

#[test]
fn a_neighbour_that_has_just_gone_is_waited_for_once() {
    let mut net = Net::new();
    net.give(2, Event::Disconnected(address(3)));
    net.give(2, Event::Clock(UnixTime::from_secs(NOW + 1)));
    // It tries to come back, and says nothing.
    net.give(2, Event::Disconnected(address(3)));
    let order = order(0, vec![way(&[2, 3])]);
    let id = order.id;
    net.give(1, Event::Pay(order));
    assert_eq!(net.outcome(id), None);
    net.give(2, Event::Clock(UnixTime::from_secs(NOW + POLICY.return_secs)));
    assert_eq!(net.outcome(id), Some(Outcome::Failed(Reason::NoWay)));
}
