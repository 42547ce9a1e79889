//! Two parties, and what each has on its disk.

use crate::common::{NOW, POLICY, chain, domain, holdings, moment, signer};
use photon_chains::{Expiry, Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Consent, Contract, Open, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

pub type Rows = BTreeMap<Key, Row>;

/// Two parties, what each has on its disk, and what is under way between them.
pub struct Pair {
    pub keys: [Signer; 2],
    pub nodes: [Node; 2],
    pub disks: [Rows; 2],
    pub wires: [VecDeque<Message>; 2],
    pub effects: [Vec<Effect>; 2],
    pub id: ChannelId,
    pub key: ChannelKey,
    pub now: u64,
    pub payments: u8,
}

pub fn secret(number: u8) -> Secret {
    Secret::from_bytes([number; 32])
}

impl Pair {
    pub fn new() -> Self {
        let keys = [signer(1), signer(2)];
        let key = ChannelKey::new(None, keys[0].address(), keys[1].address(), Window::SHORTEST).unwrap();
        let nodes = [0, 1].map(|own: usize| Node::new(keys[own].clone(), domain(), POLICY));
        let mut pair = Self {
            keys,
            nodes,
            disks: [Rows::new(), Rows::new()],
            wires: [VecDeque::new(), VecDeque::new()],
            effects: [vec![], vec![]],
            id: key.id(),
            key,
            now: NOW,
            payments: 0,
        };
        for own in 0..2 {
            let peer = pair.keys[1 - own].known();
            pair.give(own, Event::Opened { key, epoch: Epoch(5), peer, chain: chain(Stage::Open) });
        }
        pair.tip(0);
        pair.meet();
        pair
    }

    pub fn give(&mut self, own: usize, event: Event) {
        self.nodes[own].take(event);
        let step = self.nodes[own].finish();
        for Write { key, row } in step.writes {
            match row.filter(|_| key.is_live()) {
                Some(row) => drop(self.disks[own].insert(key, row)),
                None => drop(self.disks[own].remove(&key)),
            }
        }
        for effect in step.effects {
            match effect {
                Effect::Send(_, message) => {
                    assert_eq!(Message::from_bytes(&message.to_bytes()).as_ref(), Ok(&message));
                    self.wires[1 - own].push_back(message);
                }
                other => self.effects[own].push(other),
            }
        }
    }

    /// Until nothing is under way.
    pub fn talk(&mut self) {
        while let Some(own) = (0..2).find(|own| !self.wires[*own].is_empty()) {
            let message = self.wires[own].pop_front().unwrap();
            let from = self.keys[1 - own].address();
            self.give(own, Event::Message(from, message));
        }
    }

    pub fn meet(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        for own in 0..2 {
            let peer = self.keys[1 - own].address();
            self.give(own, Event::Disconnected(peer));
            self.give(own, Event::Connected(peer));
        }
        self.talk();
    }

    pub fn tip(&mut self, secs: u64) {
        self.now += secs;
        for own in 0..2 {
            let tip = Tip { latest: moment(self.now), deep: moment(self.now) };
            self.give(own, Event::Clock(tip.latest.time));
            self.give(own, Event::Tip(tip));
        }
        self.talk();
    }

    pub fn pay(&mut self, own: usize, amount: u64, tie: Tie) -> PaymentId {
        self.payments += 1;
        let expiry = Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(self.now + 2_000)) };
        let way = Way { channel: self.id, amount: Units::from(amount), expiry, onward: vec![] };
        let id = PaymentId::from_bytes([self.payments; 16]);
        let (payee, amount) = (self.keys[1 - own].known(), Units::from(amount));
        let order = Order { id, token: None, payee, amount, most_fee: Units::ZERO, tie, ways: vec![way], searches: 0 };
        self.give(own, Event::Pay(order));
        self.talk();
        id
    }

    /// A payment that its payee holds.
    pub fn hold(&mut self, payer: usize, amount: u64, hash: SecretHash) -> PaymentId {
        let payment = PaymentId::from_bytes([200; 16]);
        let amount_due = Units::from(amount);
        let request = Request { secret_hash: hash, amount: amount_due, payment, secret: None, least_secs: 0, until: None };
        self.give(1 - payer, Event::Expect(request));
        self.pay(payer, amount, Tie::Hash(hash))
    }

    /// Started again with those rows on its disk, and connected.
    pub fn start(&mut self, own: usize, disk: Rows) {
        let rows = disk.iter().map(|(key, row)| (*key, row.clone()));
        self.nodes[own] = Node::restore(self.keys[own].clone(), domain(), POLICY, rows);
        self.disks[own] = disk;
        self.effects[own].clear();
        self.tip(0);
    }

    /// Started again with nothing; the channel is found on the chain.
    pub fn lose(&mut self, own: usize) {
        self.start(own, Rows::new());
        let peer = self.keys[1 - own].known();
        self.give(own, Event::Found { key: self.key, epoch: Epoch(5), peer: peer.into(), chain: chain(Stage::Open) });
    }

    pub fn channel(&self, own: usize) -> &Channel {
        self.nodes[own].channel(&self.id).unwrap()
    }

    pub fn paid(&self, own: usize) -> (u128, u128) {
        let channel = self.channel(own);
        (channel.outgoing.transferred.get(), channel.incoming.transferred.get())
    }

    pub fn told(&self, own: usize, notice: &Notice) -> bool {
        self.effects[own].contains(&Effect::Tell(notice.clone()))
    }

    pub fn contract(&self) -> Contract {
        let mut contract = Contract::new(domain(), 15);
        contract.put(self.id, Some(Slot::Open(Open { epoch: Epoch(5), withdrawals: 0, holdings: holdings() })));
        contract
    }

    /// What the contract pays the first and the second party when one of them sends the close that both signed.
    pub fn closed_together(&self) -> (u128, u128) {
        let sent = (0..2).find_map(|own| {
            self.effects[own].iter().rev().find_map(|effect| match effect {
                Effect::CloseTogether(close, signature) => Some((own, *close, *signature)),
                _ => None,
            })
        });
        let (own, close, signature) = sent.expect("both have signed a close");
        let consent = Consent::Counterparty(signature);
        let call = Call::CooperativeClose { paid_to_a: close.paid_to_a, deadline: close.deadline, consent };
        let done = self.contract().call(moment(self.now + 15), self.keys[own].address(), &self.key, &call).unwrap();
        let side = self.channel(0).side;
        (done.pays.of(side).get(), done.pays.of(side.other()).get())
    }

    /// Nothing that its memory is missing is ever signed by that party: it keeps every update that it once let out.
    pub fn signs_no_update(&mut self, own: usize) {
        let before = self.channel(own).outgoing.clone();
        for tie in [Tie::Direct, Tie::Sealed(secret(77))] {
            self.pay(own, 1, tie);
        }
        self.tip(4_000);
        let after = &self.channel(own).outgoing;
        assert_eq!((after.nonce, after.transferred, after.signature), (before.nonce, before.transferred, before.signature));
    }
}

impl Pair {
    pub fn pay_unheard(&mut self, own: usize, amount: u64) {
        let before = std::mem::take(&mut self.wires[1 - own]);
        self.payments += 1;
        let id = PaymentId::from_bytes([self.payments; 16]);
        let expiry = Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(self.now + 2_000)) };
        let way = Way { channel: self.id, amount: Units::from(amount), expiry, onward: vec![] };
        let (payee, amount) = (self.keys[1 - own].known(), Units::from(amount));
        let (most_fee, tie) = (Units::ZERO, Tie::Direct);
        let order = Order { id, token: None, payee, amount, most_fee, tie, ways: vec![way], searches: 0 };
        self.give(own, Event::Pay(order));
        self.wires[1 - own] = before;
    }
}
