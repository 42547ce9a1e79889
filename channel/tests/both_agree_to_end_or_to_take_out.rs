//! Closing together and taking money out: what is signed by whom, when, and that the contract takes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod common;

use common::{NOW, POLICY, chain, domain, holdings, moment, signer};
use photon_chains::{Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Consent, Contract, Open, Slot};
use photon_channel::*;
use std::collections::VecDeque;

struct Pair {
    keys: [Signer; 2],
    nodes: [Node; 2],
    wires: [VecDeque<Message>; 2],
    effects: [Vec<Effect>; 2],
    id: ChannelId,
    key: ChannelKey,
    now: u64,
}

impl Pair {
    fn new() -> Self {
        let keys = [signer(1), signer(2)];
        let key = ChannelKey::new(None, keys[0].address(), keys[1].address(), Window::SHORTEST).unwrap();
        let nodes = [0, 1].map(|own: usize| {
            let mut node = Node::new(keys[own].clone(), domain(), POLICY);
            let peer = keys[1 - own].known();
            node.take(Event::Opened { key, epoch: Epoch(5), peer, chain: chain(Stage::Open) });
            node
        });
        let wires = [VecDeque::new(), VecDeque::new()];
        let mut pair = Self { keys, nodes, wires, effects: [vec![], vec![]], id: key.id(), key, now: NOW };
        pair.tip(0);
        for own in 0..2 {
            let peer = pair.keys[1 - own].address();
            pair.give(own, Event::Connected(peer));
        }
        pair.talk();
        pair
    }

    fn give(&mut self, own: usize, event: Event) {
        self.nodes[own].take(event);
        for effect in self.nodes[own].finish().effects {
            match effect {
                Effect::Send(_, message) => self.wires[1 - own].push_back(message),
                other => self.effects[own].push(other),
            }
        }
    }

    /// Until nothing is under way.
    fn talk(&mut self) {
        while let Some(own) = (0..2).find(|own| !self.wires[*own].is_empty()) {
            let message = self.wires[own].pop_front().unwrap();
            let from = self.keys[1 - own].address();
            self.give(own, Event::Message(from, message));
        }
    }

    fn tip(&mut self, secs: u64) {
        self.now += secs;
        for own in 0..2 {
            let tip = Tip { latest: moment(self.now), deep: moment(self.now) };
            self.give(own, Event::Clock(tip.latest.time));
            self.give(own, Event::Tip(tip));
        }
    }

    fn pay(&mut self, own: usize, number: u8, amount: u64, tie: Tie) {
        let expiry = photon_chains::Expiry { linked: true, ..photon_chains::Expiry::at(UnixTime::from_secs(self.now + 2_000)) };
        let way = Way { channel: self.id, amount: Units::from(amount), expiry, onward: vec![] };
        let payee = self.keys[1 - own].known();
        let id = PaymentId::from_bytes([number; 16]);
        let order = Order {
            id,
            token: None,
            payee,
            amount: Units::from(amount),
            most_fee: Units::ZERO,
            tie,
            ways: vec![way],
            searches: 0,
        };
        self.give(own, Event::Pay(order));
    }

    fn channel(&self, own: usize) -> &Channel {
        self.nodes[own].channel(&self.id).unwrap()
    }

    fn close_of(&self, own: usize) -> Option<(CooperativeClose, Signature)> {
        self.effects[own].iter().rev().find_map(|effect| match effect {
            Effect::CloseTogether(close, signature) => Some((*close, *signature)),
            _ => None,
        })
    }

    fn contract(&self) -> Contract {
        let mut contract = Contract::new(domain(), 15);
        contract.put(self.id, Some(Slot::Open(Open { epoch: Epoch(5), withdrawals: 0, holdings: holdings() })));
        contract
    }
}

#[test]
fn a_close_is_signed_by_the_one_who_is_asked_and_pays_both_at_once() {
    let mut pair = Pair::new();
    pair.pay(0, 1, 30, Tie::Direct);
    pair.pay(1, 2, 5, Tie::Sealed(Secret::from_bytes([7; 32])));
    pair.talk();
    let id = pair.id;
    pair.give(0, Event::AskClose(id));
    pair.talk();
    assert_eq!(pair.close_of(1), None, "only the asker has a signature to send");
    let (close, signature) = pair.close_of(0).unwrap();
    let call = Call::CooperativeClose {
        paid_to_a: close.paid_to_a,
        deadline: close.deadline,
        consent: Consent::Counterparty(signature),
    };
    let done = pair.contract().call(moment(pair.now + 60), pair.keys[0].address(), &pair.key, &call).unwrap();
    let side = pair.channel(0).side;
    assert_eq!((done.pays.of(side).get(), done.pays.of(side.other()).get()), (75, 125));

    // From the signature on no value moves, on either side.
    for own in 0..2 {
        let before = pair.channel(own).clone();
        pair.pay(own, 3, 1, Tie::Direct);
        pair.talk();
        assert_eq!(pair.channel(own).outgoing, before.outgoing);
        assert_eq!(pair.channel(own).incoming, before.incoming);
    }
}

// E9.
#[test]
fn nothing_is_signed_while_a_lock_is_pending_and_nothing_new_is_begun() {
    let mut pair = Pair::new();
    let hash: SecretHash = Secret::from_bytes([8; 32]).hash();
    let request = Request {
        secret_hash: hash,
        amount: Units::from(10),
        payment: PaymentId::from_bytes([4; 16]),
        secret: None,
        least_secs: 0,
        until: None,
    };
    pair.give(1, Event::Expect(request));
    pair.pay(0, 4, 10, Tie::Hash(hash));
    pair.talk();
    let id = pair.id;
    pair.give(0, Event::AskClose(id));
    pair.talk();
    assert_eq!(pair.close_of(0), None);
    assert_eq!(pair.channel(0).standing, Standing::Stopping);
    pair.pay(0, 5, 1, Tie::Direct);
    pair.pay(1, 6, 1, Tie::Sealed(Secret::from_bytes([9; 32])));
    pair.talk();
    assert_eq!(pair.channel(0).outgoing.transferred, Units::ZERO);
    assert!(pair.channel(0).incoming.locks.is_empty(), "what the other one begins meanwhile is signed away");
    pair.give(1, Event::Release(Secret::from_bytes([8; 32])));
    pair.talk();
    let (close, _) = pair.close_of(0).expect("once the lock is paid the close is signed");
    assert_eq!(close.paid_to_a.abs(), 10);
}

#[test]
fn a_close_that_was_not_mined_is_dead_after_its_deadline_and_payments_go_on() {
    let mut pair = Pair::new();
    let id = pair.id;
    pair.give(0, Event::AskClose(id));
    pair.talk();
    assert!(pair.close_of(0).is_some());
    pair.tip(600);
    assert!(matches!(pair.channel(1).standing, Standing::Granted(_)), "the last second still counts");
    pair.tip(1);
    pair.talk();
    for own in 0..2 {
        assert_eq!(pair.channel(own).standing, Standing::Active);
        pair.pay(own, 7, 1, Tie::Direct);
        pair.talk();
        assert_eq!(pair.channel(1 - own).incoming.transferred, Units::from(1));
    }
}

#[test]
fn where_both_ask_at_once_one_signs_and_the_other_sends() {
    let mut pair = Pair::new();
    let id = pair.id;
    pair.give(0, Event::AskClose(id));
    pair.give(1, Event::AskClose(id));
    pair.talk();
    assert_eq!((0..2).filter(|own| pair.close_of(*own).is_some()).count(), 1);
}

#[test]
fn money_is_taken_out_without_quiet_and_what_leaves_is_not_promised() {
    let mut pair = Pair::new();
    pair.pay(0, 1, 30, Tie::Direct);
    pair.talk();
    let (id, side) = (pair.id, pair.channel(0).side);
    pair.give(0, Event::AskWithdraw(id, Units::from(71)));
    assert!(pair.effects[0].contains(&Effect::Tell(Notice::Refused(Refused::Channel(id)))), "more than there is");
    pair.give(0, Event::AskWithdraw(id, Units::from(60)));
    pair.talk();
    let (withdrawal, signature) = pair.effects[0]
        .iter()
        .find_map(|effect| match effect {
            Effect::Withdraw(withdrawal, signature) => Some((*withdrawal, *signature)),
            _ => None,
        })
        .unwrap();
    let amounts = Both { a: withdrawal.amount_a.get(), b: withdrawal.amount_b.get() };
    let call = Call::Withdraw { amounts, deadline: withdrawal.deadline, consent: Consent::Counterparty(signature) };
    let done = pair.contract().call(moment(pair.now + 60), pair.keys[0].address(), &pair.key, &call).unwrap();
    assert_eq!(done.pays.of(side).get(), 60);

    for own in 0..2 {
        assert_eq!(pair.channel(own).free(side), 10, "60 of 70 are leaving");
    }
    pair.pay(0, 2, 11, Tie::Direct);
    pair.pay(0, 3, 10, Tie::Direct);
    pair.talk();
    assert_eq!(pair.channel(1).incoming.transferred, Units::from(40), "only what is left goes over, and goes on going over");

    // Mined at depth: it has left.
    let Some(Slot::Open(open)) = done.slot else { panic!() };
    for own in 0..2 {
        let chain = OnChain { holdings: open.holdings, withdrawals: open.withdrawals, ..chain(Stage::Open) };
        pair.give(own, Event::Chain(id, chain));
        assert_eq!(pair.channel(own).leaving, None);
        assert_eq!(pair.channel(own).free(side), 0);
        assert_eq!(pair.channel(own).free(side.other()), 140);
    }
}

#[test]
fn a_withdrawal_that_was_not_mined_is_forgotten_after_its_deadline() {
    let mut pair = Pair::new();
    let (id, side) = (pair.id, pair.channel(0).side);
    pair.give(0, Event::AskWithdraw(id, Units::from(60)));
    pair.talk();
    pair.tip(600);
    assert_eq!(pair.channel(1).free(side), 40, "the last second still counts");
    pair.tip(1);
    assert!((0..2).all(|own| pair.channel(own).free(side) == 100));
}
