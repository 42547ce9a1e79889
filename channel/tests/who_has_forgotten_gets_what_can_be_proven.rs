//! A database that is lost, or an old copy of it that is put back: nothing more is promised in its channels, and both have what
//! can be proven.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod common;

use common::{NOW, POLICY, chain, domain, holdings, moment, signer};
use photon_chains::{Expiry, Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Consent, Contract, Open, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

type Rows = BTreeMap<Key, Row>;

/// Two parties, what each has on its disk, and what is under way between them.
struct Pair {
    keys: [Signer; 2],
    nodes: [Node; 2],
    disks: [Rows; 2],
    wires: [VecDeque<Message>; 2],
    effects: [Vec<Effect>; 2],
    id: ChannelId,
    key: ChannelKey,
    now: u64,
    payments: u8,
}

fn secret(number: u8) -> Secret {
    Secret::from_bytes([number; 32])
}

impl Pair {
    fn new() -> Self {
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

    fn give(&mut self, own: usize, event: Event) {
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
    fn talk(&mut self) {
        while let Some(own) = (0..2).find(|own| !self.wires[*own].is_empty()) {
            let message = self.wires[own].pop_front().unwrap();
            let from = self.keys[1 - own].address();
            self.give(own, Event::Message(from, message));
        }
    }

    fn meet(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        for own in 0..2 {
            let peer = self.keys[1 - own].address();
            self.give(own, Event::Disconnected(peer));
            self.give(own, Event::Connected(peer));
        }
        self.talk();
    }

    fn tip(&mut self, secs: u64) {
        self.now += secs;
        for own in 0..2 {
            let tip = Tip { latest: moment(self.now), deep: moment(self.now) };
            self.give(own, Event::Clock(tip.latest.time));
            self.give(own, Event::Tip(tip));
        }
        self.talk();
    }

    fn pay(&mut self, own: usize, amount: u64, tie: Tie) -> PaymentId {
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
    fn hold(&mut self, payer: usize, amount: u64, hash: SecretHash) -> PaymentId {
        let payment = PaymentId::from_bytes([200; 16]);
        let amount_due = Units::from(amount);
        let request = Request { secret_hash: hash, amount: amount_due, payment, secret: None, least_secs: 0, until: None };
        self.give(1 - payer, Event::Expect(request));
        self.pay(payer, amount, Tie::Hash(hash))
    }

    /// Started again with those rows on its disk, and connected.
    fn start(&mut self, own: usize, disk: Rows) {
        let rows = disk.iter().map(|(key, row)| (*key, row.clone()));
        self.nodes[own] = Node::restore(self.keys[own].clone(), domain(), POLICY, rows);
        self.disks[own] = disk;
        self.effects[own].clear();
        self.tip(0);
    }

    /// Started again with nothing; the channel is found on the chain.
    fn lose(&mut self, own: usize) {
        self.start(own, Rows::new());
        let peer = self.keys[1 - own].known();
        self.give(own, Event::Found { key: self.key, epoch: Epoch(5), peer, chain: chain(Stage::Open) });
    }

    fn channel(&self, own: usize) -> &Channel {
        self.nodes[own].channel(&self.id).unwrap()
    }

    fn paid(&self, own: usize) -> (u128, u128) {
        let channel = self.channel(own);
        (channel.outgoing.transferred.get(), channel.incoming.transferred.get())
    }

    fn told(&self, own: usize, notice: &Notice) -> bool {
        self.effects[own].contains(&Effect::Tell(notice.clone()))
    }

    fn contract(&self) -> Contract {
        let mut contract = Contract::new(domain(), 15);
        contract.put(self.id, Some(Slot::Open(Open { epoch: Epoch(5), withdrawals: 0, holdings: holdings() })));
        contract
    }

    /// What the contract pays the first and the second party when one of them sends the close that both signed.
    fn closed_together(&self) -> (u128, u128) {
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
    fn signs_no_update(&mut self, own: usize) {
        let before = self.channel(own).outgoing.clone();
        for tie in [Tie::Direct, Tie::Sealed(secret(77))] {
            self.pay(own, 1, tie);
        }
        self.tip(4_000);
        let after = &self.channel(own).outgoing;
        assert_eq!((after.nonce, after.transferred, after.signature), (before.nonce, before.transferred, before.signature));
    }
}

// The last of these forgets nothing but what came in: the counterparty has no word of its own to show it.
#[test]
fn an_old_copy_is_found_out_whatever_it_has_forgotten_and_ends_with_what_was_promised() {
    for (by_first, by_second) in [(30, 5), (30, 0), (0, 5)] {
        let mut pair = Pair::new();
        pair.pay(0, 10, Tie::Direct);
        pair.pay(1, 3, Tie::Direct);
        let copy = pair.disks[0].clone();
        for (own, amount) in [(0, by_first), (1, by_second)] {
            if amount > 0 {
                pair.pay(own, amount, Tie::Direct);
            }
        }
        pair.start(0, copy);
        assert_eq!(pair.paid(0), (10, 3));
        pair.meet();
        let id = pair.id;
        assert!(pair.told(0, &Notice::Behind(id)), "{by_first} {by_second}");
        assert!(pair.channel(0).is_behind());
        assert_eq!(pair.paid(0), (10 + u128::from(by_first), 3 + u128::from(by_second)), "all of it was shown");
        let own = 100 - 10 - u128::from(by_first) + 3 + u128::from(by_second);
        assert_eq!(pair.closed_together(), (own, 200 - own));
    }
}

#[test]
fn a_copy_that_is_not_old_goes_on() {
    let mut pair = Pair::new();
    pair.pay(0, 10, Tie::Direct);
    pair.pay(1, 3, Tie::Direct);
    let copy = pair.disks[0].clone();
    pair.start(0, copy);
    pair.meet();
    pair.meet();
    assert_eq!(pair.channel(0).standing, Standing::Active);
    pair.pay(0, 1, Tie::Direct);
    pair.pay(1, 1, Tie::Direct);
    assert_eq!(pair.paid(0), (11, 4));
}

// The word of a connection that is gone may come late, and an update may be lost: nothing was forgotten.
#[test]
fn a_late_first_word_makes_nobody_forget() {
    let mut pair = Pair::new();
    let late = pair.channel(1).hello();
    pair.pay(0, 10, Tie::Direct);
    pair.pay(0, 10, Tie::Direct);
    let from = pair.keys[1].address();
    // One more is signed, and lost.
    pair.pay_unheard(0, 5);
    pair.give(0, Event::Message(from, late));
    pair.talk();
    assert_eq!((0..2).filter(|own| pair.channel(*own).is_behind()).count(), 0);
    pair.meet();
    assert_eq!(pair.paid(1), (0, 25));
}

impl Pair {
    fn pay_unheard(&mut self, own: usize, amount: u64) {
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

#[test]
fn a_lost_database_comes_back_from_the_counterparty_and_signs_no_update() {
    let mut pair = Pair::new();
    pair.pay(0, 30, Tie::Direct);
    pair.pay(1, 5, Tie::Sealed(secret(7)));
    pair.lose(0);
    assert_eq!(pair.channel(0).standing, Standing::Behind, "not even before anybody has said a word");
    pair.meet();
    assert_eq!(pair.paid(0), (30, 5));
    assert_eq!(pair.closed_together(), (75, 125));
    pair.signs_no_update(0);
}

#[test]
fn both_may_have_lost_theirs() {
    let mut pair = Pair::new();
    pair.pay(0, 30, Tie::Direct);
    pair.lose(0);
    pair.lose(1);
    pair.meet();
    assert_eq!(pair.closed_together(), (100, 100), "nobody can prove anything");
}

// E17: what was promised to whoever has lost everything can be kept from it, but for its backup.
#[test]
fn a_backup_proves_what_a_counterparty_hides() {
    let mut pair = Pair::new();
    pair.pay(1, 20, Tie::Direct);
    pair.hold(1, 7, secret(8).hash());
    pair.hold(0, 4, secret(9).hash());
    let kept = pair.nodes[0].memory();
    pair.start(0, Rows::new());
    pair.give(0, Event::Remember(kept.clone()));
    let channel = pair.channel(0).clone();
    assert_eq!(channel.standing, Standing::Behind);
    assert_eq!((channel.incoming.transferred.get(), channel.incoming.locked.get(), channel.outgoing.locked.get()), (20, 7, 4));
    // It is on the disk at once, and a second time nothing is new.
    let disk = pair.disks[0].clone();
    pair.start(0, disk);
    assert_eq!(pair.channel(0).incoming, channel.incoming);
    pair.give(0, Event::Remember(kept));
    assert_eq!(pair.channel(0).incoming, channel.incoming);
    // The counterparty is away for ever.
    let call = pair.channel(0).close_alone(moment(pair.now), &BTreeMap::new()).unwrap();
    let done = pair.contract().call(moment(pair.now), pair.keys[0].address(), &pair.key, &call).unwrap();
    let Some(Slot::Closed(state)) = done.slot else { panic!("it is closed") };
    let side = pair.channel(0).side;
    let split = state.split();
    assert_eq!((split.paid.of(side).get(), split.paid.of(side.other()).get(), split.held.get()), (120, 73, 7));
}

#[test]
fn a_backup_that_is_later_than_the_database_shows_that_this_one_is_old() {
    let mut pair = Pair::new();
    pair.pay(1, 20, Tie::Direct);
    let copy = pair.disks[0].clone();
    pair.hold(0, 4, secret(9).hash());
    pair.pay(1, 5, Tie::Direct);
    let kept = pair.nodes[0].memory();
    pair.give(0, Event::Remember(kept.clone()));
    assert_eq!(pair.channel(0).standing, Standing::Active, "a backup that is kept up is never later");
    pair.start(0, copy);
    pair.give(0, Event::Remember(kept));
    assert_eq!(pair.channel(0).standing, Standing::Behind);
    assert_eq!(pair.paid(0), (0, 25));
    assert_eq!(pair.channel(0).outgoing.locked, Units::from(4));
    let disk = pair.disks[0].clone();
    let before = pair.channel(0).clone();
    pair.start(0, disk);
    assert_eq!((&pair.channel(0).incoming, &pair.channel(0).outgoing), (&before.incoming, &before.outgoing));
}

#[test]
fn a_copy_that_says_so_itself_is_not_trusted_with_a_signature() {
    let mut pair = Pair::new();
    pair.pay(0, 10, Tie::Direct);
    let copy = pair.disks[0].clone();
    pair.start(0, copy);
    pair.give(0, Event::PutBack);
    pair.meet();
    assert_eq!(pair.closed_together(), (90, 110));
    pair.signs_no_update(0);
}

// A lock of the counterparty's is paid by it, off chain; one of the holder's own keeps it from closing together.
#[test]
fn pending_locks_come_to_their_end_without_a_signature_of_whoever_has_forgotten() {
    let mut pair = Pair::new();
    pair.hold(1, 7, secret(8).hash());
    let copy = pair.disks[0].clone();
    pair.pay(1, 1, Tie::Direct);
    pair.pay(0, 2, Tie::Direct);
    pair.start(0, copy);
    pair.meet();
    assert!(pair.channel(0).is_behind());
    assert_eq!(pair.channel(0).incoming.locked, Units::from(7));
    let at = moment(pair.now);
    for own in 0..2 {
        pair.give(own, Event::Registered { secret: secret(8), at, is_deep: true });
    }
    pair.talk();
    assert_eq!(pair.paid(0), (2, 8), "its payer saw the secret too, and paid");
    pair.tip(15);
    assert_eq!(pair.closed_together(), (106, 94));
}

// E14: the counterparty could hold a disposal, and would take everything.
#[test]
fn a_lock_that_may_have_been_signed_away_is_not_unlocked() {
    let mut pair = Pair::new();
    pair.hold(1, 7, secret(8).hash());
    let kept = pair.nodes[0].memory();
    pair.give(0, Event::GiveUp(secret(8).hash()));
    assert!(matches!(pair.channel(0).incoming.locks[0].state, LockState::Disposed(_)), "it signs the lock away");
    pair.start(0, Rows::new());
    pair.give(0, Event::Remember(kept));
    let at = moment(pair.now);
    pair.give(0, Event::Registered { secret: secret(8), at, is_deep: true });
    let call = pair.channel(0).close_alone(moment(pair.now), &BTreeMap::from([(secret(8).hash(), at)])).unwrap();
    assert!(matches!(call, Call::Close { records, .. } if records.is_empty()));
}

// Only what is signed is believed, and only what gives no less.
#[test]
fn a_counterparty_that_lies_about_what_was_forgotten_gains_nothing() {
    let mut pair = Pair::new();
    pair.pay(1, 20, Tie::Direct);
    pair.hold(1, 7, secret(8).hash());
    pair.give(0, Event::Release(secret(8)));
    let (holder, key) = (pair.keys[0].known(), pair.keys[1].clone());
    let (tip, registered) = (Tip { latest: moment(pair.now), deep: moment(pair.now) }, BTreeMap::new());
    let channel = pair.channel(0).clone();
    assert!(matches!(channel.incoming.locks[0].state, LockState::Known(_)));
    let (of, payer) = (channel.of, channel.side.other());
    let shown = |transferred: u64, signer: &Signer| {
        let pending = Commitment::default();
        let proof = BalanceProof { of, payer, nonce: Nonce(9), transferred: Units::from(transferred), pending };
        let signature = signer.sign(&proof.digest(&domain()));
        Testimony { proof: SignedProof { proof, signature }, locks: vec![] }
    };
    let told = |channel: &Channel, testimony: &Testimony, sure: u64| {
        let mut channel = channel.clone();
        let reminded = channel.reminded(Nonce(sure), Some(testimony), None, &holder, &tip, &registered);
        (reminded.is_some(), channel)
    };
    // A mere word, which would talk the holder out of a lock that it has to claim.
    assert_eq!(told(&channel, &shown(27, &key), 9), (false, channel.clone()));
    // Not signed by it; not said to have been had; and a list that is not the one that was signed.
    let mut quiet = channel.clone();
    (quiet.incoming.locks, quiet.incoming.locked) = (VecDeque::new(), Units::ZERO);
    assert_eq!(told(&quiet, &shown(27, &pair.keys[0]), 9), (false, quiet.clone()));
    assert_eq!(told(&quiet, &shown(27, &key), quiet.incoming.nonce.0), (false, quiet.clone()));
    let other_list = Testimony { locks: vec![channel.incoming.locks[0].lock], ..shown(27, &key) };
    assert_eq!(told(&quiet, &other_list, 9), (false, quiet.clone()));
    assert!(told(&quiet, &shown(20, &key), 9).1.is_behind(), "what costs nothing is believed");
    // One that knows already that it has forgotten: less than was claimed is not taken, and as much is.
    let mut behind = channel.clone();
    behind.standing = Standing::Behind;
    assert_eq!(told(&behind, &shown(26, &key), 9), (false, behind.clone()));
    let (_, enough) = told(&behind, &shown(27, &key), 9);
    assert_eq!((enough.incoming.transferred.get(), enough.incoming.locks.len()), (27, 0));
}

// A payment whose fate was forgotten is not made a second time.
#[test]
fn what_may_have_been_paid_is_not_paid_again() {
    for is_paid in [true, false] {
        let mut pair = Pair::new();
        let payment = pair.hold(0, 7, secret(8).hash());
        let copy = pair.disks[0].clone();
        let end = if is_paid { Event::Release(secret(8)) } else { Event::GiveUp(secret(8).hash()) };
        pair.give(1, end);
        pair.talk();
        pair.start(0, copy);
        pair.meet();
        let outcome = if is_paid { Outcome::Paid(None) } else { Outcome::Failed(Reason::NoWay) };
        assert!(pair.told(0, &Notice::Ended(payment, outcome)), "{is_paid}: {:?}", pair.effects[0]);
        assert_eq!(pair.closed_together().0, if is_paid { 93 } else { 100 });
    }
}

#[test]
fn a_close_of_the_counterparty_shows_an_old_copy_too() {
    let mut pair = Pair::new();
    pair.pay(0, 10, Tie::Direct);
    let (id, copy) = (pair.id, pair.disks[0].clone());
    pair.pay(0, 5, Tie::Direct);
    let counted = pair.channel(1).incoming.nonce;
    pair.start(0, copy);
    pair.give(0, Event::Chain(id, OnChain { counted, ..chain(Stage::Closed) }));
    assert!(pair.told(0, &Notice::Behind(id)));
}
