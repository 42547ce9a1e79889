//! Checks that the simulator does not reach, or not alone: each with the check and without it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod common;

use common::{NOW, POLICY, domain, signer};
use photon_chains::{Address, BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::Mutation::Removed;
use photon_channel::*;
use std::collections::BTreeMap;

fn moment(secs: u64) -> Moment {
    Moment { time: UnixTime::from_secs(NOW + secs), block: BlockHeight::new(secs / 15) }
}

fn key(token: Option<Address>, one: u8, other: u8) -> ChannelKey {
    ChannelKey::new(token, signer(one).address(), signer(other).address(), Window::SHORTEST).unwrap()
}

fn of(key: ChannelKey) -> ChannelRef {
    ChannelRef { channel: key.id(), epoch: Epoch(5) }
}

fn chain() -> OnChain {
    let holdings = Holdings { total: Units::from(200), net_a: 100 };
    OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open }
}

/// One side of a channel, with the other one greeted.
fn channel(own: u8, peer: u8) -> Channel {
    let key = key(None, own, peer);
    let mut channel = Channel::open(key, of(key), &signer(own), signer(peer).known(), domain(), chain()).unwrap();
    channel.in_step = true;
    channel
}

fn tip(latest: u64, deep: u64) -> Tip {
    Tip { latest: moment(latest), deep: moment(deep) }
}

/// A node with open channels, all neighbours there and greeted.
fn node(own: u8, keys: &[ChannelKey]) -> Node {
    let mut node = Node::new(signer(own), domain(), POLICY);
    node.take(Event::Clock(moment(0).time));
    node.take(Event::Tip(tip(0, 0)));
    for key in keys {
        let side = key.side_of(&signer(own).address()).unwrap();
        let peer = (1..9).map(signer).find(|peer| peer.address() == *key.parties().of(side.other())).unwrap();
        node.take(Event::Opened { key: *key, epoch: Epoch(5), peer: peer.known(), chain: chain() });
        node.take(Event::Connected(peer.address()));
        let hello = Message::Hello { of: of(*key), sent: Nonce::NONE, received: Nonce::NONE, waits: false, held: None };
        node.take(Event::Message(peer.address(), hello));
    }
    node.finish();
    node
}

fn expiry(secs: u64) -> Expiry {
    Expiry { linked: true, ..Expiry::at(moment(secs).time) }
}

fn lock(amount: u64, secs: u64, route: Vec<Hop>) -> Op {
    let onward = Onward { payment: PaymentId::from_bytes([1; 16]), route, sealed: None };
    Op::Lock { amount: Units::from(amount), secret_hash: Secret::from_bytes([3; 32]).hash(), expiry: expiry(secs), onward }
}

fn without<T>(guard: Guard, work: impl FnOnce() -> T) -> T {
    switched(Some((guard, Removed)), work)
}

// E20.
#[test]
fn a_lock_signed_away_stays_so_whatever_is_learned() {
    let learns = || {
        let (mut payer, mut payee) = (channel(1, 2), channel(2, 1));
        payer.stage(lock(10, 5_000, vec![]), &tip(0, 0), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        payee.receive(&update, &tip(0, 0), &BTreeMap::new()).unwrap();
        let number = payee.incoming.locks[0].lock.number;
        payee.dispose(number, &signer(2)).unwrap();
        payee.learn(payer.side, number, &Secret::from_bytes([3; 32]))
    };
    assert!(!learns());
    assert!(without(Guard::DisposalKept, learns), "it would be unlocked, and punished");
}

// E17.
#[test]
fn nothing_is_signed_before_both_have_compared_what_they_have() {
    let signs = || {
        let mut old = channel(1, 2);
        old.in_step = false;
        let op = Op::Transfer { payment: PaymentId::from_bytes([1; 16]), amount: Units::from(1) };
        old.stage(op, &tip(0, 0), &BTreeMap::new()).is_ok()
    };
    assert!(!signs());
    assert!(without(Guard::InStep, signs), "a second update with a nonce that was used");
}

/// A party with an old database is shown its own later word.
fn shown_its_later_word() -> Channel {
    let (mut later, mut old) = (channel(1, 2), channel(1, 2));
    let op = Op::Transfer { payment: PaymentId::from_bytes([1; 16]), amount: Units::from(1) };
    later.stage(op, &tip(0, 0), &BTreeMap::new()).unwrap();
    let update = later.seal(&signer(1)).unwrap();
    let proof = later.proof(later.side).unwrap();
    old.is_shown_ahead(&proof, &update.signature, &signer(1).known());
    old
}

// E17.
#[test]
fn who_is_shown_a_later_word_of_its_own_signs_nothing_more() {
    assert_eq!(shown_its_later_word().standing, Standing::Behind);
    assert!(!shown_its_later_word().may_sign());
    assert!(without(Guard::ShownAhead, || shown_its_later_word().may_sign()));
}

// E14, E17.
#[test]
fn who_has_forgotten_claims_no_lock_that_it_may_have_signed_away() {
    let claims = || {
        let (mut holder, mut payer) = (channel(1, 2), channel(2, 1));
        payer.stage(lock(10, 5_000, vec![]), &tip(0, 0), &BTreeMap::new()).unwrap();
        holder.receive(&payer.seal(&signer(2)).unwrap(), &tip(0, 0), &BTreeMap::new()).unwrap();
        holder.standing = Standing::Behind;
        let number = holder.incoming.locks[0].lock.number;
        holder.learn(holder.side.other(), number, &Secret::from_bytes([3; 32]))
    };
    assert!(!claims());
    assert!(without(Guard::ClaimRemembered, claims), "and forfeits all that it has, where the payer holds its disposal");
}

// E14, E17.
#[test]
fn who_has_forgotten_nothing_is_not_talked_out_of_a_pending_lock() {
    let claims = || {
        let (mut holder, mut payer) = (channel(1, 2), channel(2, 1));
        payer.stage(lock(10, 5_000, vec![]), &tip(0, 0), &BTreeMap::new()).unwrap();
        holder.receive(&payer.seal(&signer(2)).unwrap(), &tip(0, 0), &BTreeMap::new()).unwrap();
        // An update that the holder never had, and is said to have forgotten.
        payer
            .stage(Op::Transfer { payment: PaymentId::from_bytes([1; 16]), amount: Units::from(1) }, &tip(0, 0), &BTreeMap::new())
            .unwrap();
        let Update { nonce, signature, .. } = payer.seal(&signer(2)).unwrap();
        let proof = SignedProof { proof: payer.proof(payer.side).unwrap(), signature };
        let shown = Testimony { proof, locks: payer.outgoing.locks.iter().map(|held| held.lock).collect() };
        holder.reminded(nonce, Some(&shown), None, &signer(1).known(), &tip(0, 0), &BTreeMap::new());
        let number = holder.incoming.locks[0].lock.number;
        holder.learn(holder.side.other(), number, &Secret::from_bytes([3; 32]))
    };
    assert!(claims());
    assert!(!without(Guard::SaidAhead, claims), "a mediator would have paid on, and never claim what it paid for");
}

// E17, E18.
#[test]
fn who_has_forgotten_takes_no_list_that_is_too_long_to_be_unlocked() {
    let pending_after = |transaction_bytes: usize| {
        let (mut holder, mut payer) = (channel(1, 2), channel(2, 1));
        holder.domain = holder.domain.with_transactions_of(transaction_bytes);
        for amount in [10, 20] {
            payer.stage(lock(amount, 5_000, vec![]), &tip(0, 0), &BTreeMap::new()).unwrap();
            payer.outgoing.locks.back_mut().unwrap().lock.secret_hash = Secret::from_bytes([amount as u8; 32]).hash();
            payer.seal(&signer(2)).unwrap();
        }
        let proof = SignedProof { proof: payer.proof(payer.side).unwrap(), signature: payer.outgoing.signature.unwrap() };
        let shown = Testimony { proof, locks: payer.outgoing.locks.iter().map(|held| held.lock).collect() };
        holder.standing = Standing::Behind;
        holder.reminded(Nonce(2), Some(&shown), None, &signer(1).known(), &tip(0, 0), &BTreeMap::new());
        holder.incoming.locks.len()
    };
    let for_one = (1..).find(|bytes| most_locks_in(*bytes) == 1).unwrap();
    let for_two = (1..).find(|bytes| most_locks_in(*bytes) == 2).unwrap();
    assert_eq!((pending_after(for_two), pending_after(for_one)), (2, 0));
}

// E15.
#[test]
fn a_mediator_never_changes_the_money() {
    let token = Some(Address::from_bytes([7; 20]));
    let (from, onto) = (key(None, 1, 2), key(token, 2, 3));
    let sends_on = || {
        let mut mediator = node(2, &[from, onto]);
        let mut payer = channel(1, 2);
        let hop = Hop { to: signer(3).address(), amount: Units::from(10), expiry: expiry(4_000) };
        payer.stage(lock(10, 5_000, vec![hop]), &tip(0, 0), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        mediator.take(Event::Message(signer(1).address(), Message::Update(update)));
        mediator.finish();
        !mediator.channel(&onto.id()).unwrap().outgoing.locks.is_empty()
    };
    assert!(!sends_on());
    assert!(without(Guard::SameToken, sends_on));
}

// Invariant 12 of a channel.
#[test]
fn a_payer_pays_no_more_than_its_owner_allows() {
    let key = key(None, 1, 2);
    let begins = || {
        let mut payer = node(1, &[key]);
        let way = Way {
            channel: key.id(),
            amount: Units::from(15),
            expiry: expiry(5_000),
            onward: vec![Hop { to: signer(3).address(), amount: Units::from(10), expiry: expiry(4_000) }],
        };
        let tie = Tie::Sealed(Secret::from_bytes([4; 32]));
        let order = Order {
            id: PaymentId::from_bytes([2; 16]),
            token: None,
            payee: signer(3).known(),
            amount: Units::from(10),
            most_fee: Units::from(4),
            tie,
            ways: vec![way],
            searches: 0,
        };
        payer.take(Event::Pay(order));
        payer.finish();
        payer.payment(&PaymentId::from_bytes([2; 16])).is_some()
    };
    assert!(!begins());
    assert!(without(Guard::MostFee, begins));
}

// E9: the block in which the close was mined may be undone, and the close mined again in a block of the same time.
#[test]
fn a_consent_is_dead_only_below_the_depth_that_is_relied_on() {
    let key = key(None, 1, 2);
    let is_dead = || {
        let mut granter = node(1, &[key]);
        granter.take(Event::Message(signer(2).address(), Message::AskClose { of: of(key), sent: Nonce::NONE }));
        granter.finish();
        assert!(matches!(granter.channel(&key.id()).unwrap().standing, Standing::Granted(_)));
        granter.take(Event::Tip(tip(700, 500)));
        granter.finish();
        granter.channel(&key.id()).unwrap().standing == Standing::Active
    };
    assert!(!is_dead());
    assert!(without(Guard::ConsentDead, is_dead));
}

// E9.
#[test]
fn nobody_consents_to_more_than_is_free() {
    let key = key(None, 1, 2);
    let consents = || {
        let mut granter = node(1, &[key]);
        let ask = Message::AskWithdraw { of: of(key), number: 0, amount: Units::from(101), deadline: moment(500).time };
        granter.take(Event::Message(signer(2).address(), ask));
        granter.finish().effects.iter().any(|effect| matches!(effect, Effect::Send(_, Message::GrantWithdraw { .. })))
    };
    assert!(!consents());
    assert!(without(Guard::TakeOutCovered, consents), "what is paid afterwards would be paid by nothing");
}

/// A lock for a neighbour itself, its secret sealed with it.
fn sealed_lock(key: ChannelKey, expiry: Expiry) -> Update {
    let mut payer = node(1, &[key]);
    let way = Way { channel: key.id(), amount: Units::from(10), expiry, onward: vec![] };
    let (tie, id) = (Tie::Sealed(Secret::from_bytes([4; 32])), PaymentId::from_bytes([2; 16]));
    let (payee, most_fee) = (signer(2).known(), Units::ZERO);
    payer.take(Event::Pay(Order {
        id,
        token: None,
        payee,
        amount: Units::from(10),
        most_fee,
        tie,
        ways: vec![way],
        searches: 0,
    }));
    let sent = payer.finish().effects.into_iter().find_map(|effect| match effect {
        Effect::Send(_, Message::Update(update)) => Some(update),
        _ => None,
    });
    sent.unwrap()
}

// E2.
#[test]
fn a_payee_takes_no_lock_whose_secret_it_may_not_register_in_time() {
    let key = key(None, 1, 2);
    let shows = || {
        let mut payee = node(2, &[key]);
        payee.take(Event::Clock(moment(4_500).time));
        payee.take(Event::Message(signer(1).address(), Message::Update(sealed_lock(key, expiry(5_000)))));
        payee.finish().effects.iter().any(|effect| matches!(effect, Effect::Send(_, Message::Reveal { .. })))
    };
    assert!(!shows());
    assert!(without(Guard::TakeInTime, shows), "a payer that does not pay then keeps money and secret");
}

// E19.
#[test]
fn a_registration_that_may_be_undone_is_asked_for_again() {
    let key = key(None, 1, 2);
    let asks = || {
        let mut payee = node(2, &[key]);
        payee.take(Event::Message(signer(1).address(), Message::Update(sealed_lock(key, expiry(5_000)))));
        let shown = payee.finish().effects.into_iter().find_map(|effect| match effect {
            Effect::Send(_, Message::Reveal { secret, .. }) => Some(secret),
            _ => None,
        });
        payee.take(Event::Registered { secret: shown.unwrap(), at: moment(4_600), is_deep: false });
        payee.take(Event::Tip(tip(4_615, 4_500)));
        payee.finish().effects.iter().any(|effect| matches!(effect, Effect::Register(..)))
    };
    assert!(asks());
    assert!(!without(Guard::RegisterDeep, asks), "its block is undone, and nobody registers any more");
}

// C18: a halt puts the end off where the end needs its block, and nowhere else.
#[test]
fn a_lock_that_closes_by_the_clock_alone_is_registered_a_halt_earlier() {
    let key = key(None, 1, 2);
    let registers = |expiry: Expiry, at: u64| {
        let mut payee = node(2, &[key]);
        payee.take(Event::Message(signer(1).address(), Message::Update(sealed_lock(key, expiry))));
        payee.take(Event::Tip(tip(at, at - 100)));
        payee.finish().effects.iter().any(|effect| matches!(effect, Effect::Register(..)))
    };
    let closing = Expiry { closes: Some(moment(5_000).time), ..expiry(5_000) };
    assert!(!registers(closing, 4_099) && registers(closing, 4_100));
    assert!(!registers(expiry(5_000), 4_399) && registers(expiry(5_000), 4_400));
}

// E2, E15.
#[test]
fn a_mediator_keeps_the_time_to_claim_what_it_learns_last() {
    let (from, onto) = (key(None, 1, 2), key(None, 2, 3));
    let sends_on = || {
        let mut mediator = node(2, &[from, onto]);
        let mut payer = channel(1, 2);
        let hop = Hop { to: signer(3).address(), amount: Units::from(10), expiry: expiry(4_500) };
        payer.stage(lock(10, 5_000, vec![hop]), &tip(0, 0), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        mediator.take(Event::Message(signer(1).address(), Message::Update(update)));
        mediator.finish();
        !mediator.channel(&onto.id()).unwrap().outgoing.locks.is_empty()
    };
    assert!(!sends_on());
    assert!(without(Guard::HopSlack, sends_on));
}

// E11: the channel may have been closed by an older word, and nobody sees it.
#[test]
fn no_more_comes_in_unseen_than_the_owner_allows() {
    let key = key(None, 1, 2);
    let takes = || {
        let mut payee = node(2, &[key]).with_unseen_limits(BTreeMap::from([(None, Units::from(9))]));
        payee.take(Event::Sight(Sight::Lost));
        let mut payer = channel(1, 2);
        let op = Op::Transfer { payment: PaymentId::from_bytes([1; 16]), amount: Units::from(10) };
        payer.stage(op, &tip(0, 0), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        payee.take(Event::Message(signer(1).address(), Message::Update(update)));
        payee.finish();
        payee.channel(&key.id()).unwrap().incoming.nonce != Nonce::NONE
    };
    assert!(!takes());
    assert!(without(Guard::UnseenLimit, takes));
}

// E11: its secret could not be registered.
#[test]
fn no_lock_is_taken_while_the_chain_is_out_of_sight() {
    let key = key(None, 1, 2);
    let shows = || {
        let mut payee = node(2, &[key]).with_unseen_limits(BTreeMap::from([(None, Units::MAX)]));
        payee.take(Event::Sight(Sight::Lost));
        payee.take(Event::Message(signer(1).address(), Message::Update(sealed_lock(key, expiry(5_000)))));
        payee.finish().effects.iter().any(|effect| matches!(effect, Effect::Send(_, Message::Reveal { .. })))
    };
    assert!(!shows());
    assert!(without(Guard::UnseenLock, shows), "a payer that does not pay then keeps money and secret");
}

// E7: in an old proof a lock stands for ever.
#[test]
fn a_lock_that_never_closes_and_that_no_registry_judges_is_none() {
    let adds = || {
        let Op::Lock { amount, secret_hash, onward, .. } = lock(10, 5_000, vec![]) else { panic!() };
        let op = Op::Lock { amount, secret_hash, onward, expiry: Expiry::at(moment(5_000).time) };
        channel(1, 2).stage(op, &tip(0, 0), &BTreeMap::new()).is_ok()
    };
    assert!(!adds());
    assert!(without(Guard::LockWord, adds));
}

// E19.
#[test]
fn a_lock_that_was_registered_in_time_is_not_taken_back() {
    let takes_back = || {
        let (mut payer, mut payee) = (channel(1, 2), channel(2, 1));
        payer.stage(lock(10, 5_000, vec![]), &tip(0, 0), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        payee.receive(&update, &tip(0, 0), &BTreeMap::new()).unwrap();
        let (number, hash) = (payee.incoming.locks[0].lock.number, payee.incoming.locks[0].lock.secret_hash);
        payer.stage(Op::Expire { number }, &tip(9_000, 9_000), &BTreeMap::new()).unwrap();
        let update = payer.seal(&signer(1)).unwrap();
        let registered = BTreeMap::from([(hash, Registered { at: moment(4_000), is_deep: true })]);
        payee.receive(&update, &tip(9_000, 9_000), &registered).is_ok()
    };
    assert!(!takes_back());
    assert!(without(Guard::InTime, takes_back));
}

// Four that the simulator found, in which a payment, or a channel, never came to its end.

/// A counterparty that is there already when a channel opens is greeted, and the channel can be used.
#[test]
fn a_channel_with_a_neighbour_that_is_there_already_is_greeted_when_it_opens() {
    let key = key(None, 1, 2);
    let mut node = Node::new(signer(1), domain(), POLICY);
    node.take(Event::Connected(signer(2).address()));
    node.take(Event::Opened { key, epoch: Epoch(5), peer: signer(2).known(), chain: chain() });
    let greets = node.finish().effects.iter().any(|effect| matches!(effect, Effect::Send(_, Message::Hello { .. })));
    assert!(greets);
}

/// A payment whose channel is gone before its lock was decided has come back, and says so.
#[test]
fn a_payment_over_a_channel_that_is_gone_ends() {
    let key = key(None, 1, 2);
    let mut payer = node(1, &[key]);
    let way = Way { channel: key.id(), amount: Units::from(10), expiry: expiry(5_000), onward: vec![] };
    let id = PaymentId::from_bytes([2; 16]);
    let tie = Tie::Sealed(Secret::from_bytes([4; 32]));
    let order = Order {
        id,
        token: None,
        payee: signer(2).known(),
        amount: Units::from(10),
        most_fee: Units::ZERO,
        tie,
        ways: vec![way.clone(), way],
        searches: 0,
    };
    payer.take(Event::Pay(order));
    payer.finish();
    payer.take(Event::Chain(key.id(), OnChain { stage: Stage::Gone, ..chain() }));
    let step = payer.finish();
    assert_eq!(payer.payment(&id), None);
    assert!(step.effects.contains(&Effect::Tell(Notice::Ended(id, Outcome::Failed(Reason::NoWay)))), "{:?}", step.effects);
}

/// What was asked of a counterparty is asked again at every block: a lost word is not the end of a close.
#[test]
fn a_close_that_was_asked_for_is_asked_for_again() {
    let key = key(None, 1, 2);
    let mut asker = node(1, &[key]);
    let asks = |step: Step| step.effects.iter().any(|effect| matches!(effect, Effect::Send(_, Message::AskClose { .. })));
    asker.take(Event::AskClose(key.id()));
    assert!(asks(asker.finish()));
    asker.take(Event::Tip(tip(15, 0)));
    assert!(asks(asker.finish()));
}

/// A lock that died while its channel was closed dies again when the close was undone: its payment has gone on to its next way.
#[test]
fn a_lock_that_dies_twice_moves_its_payment_on_once() {
    let (first, second) = (key(None, 1, 2), key(None, 1, 3));
    let mut payer = node(1, &[first, second]);
    let id = PaymentId::from_bytes([2; 16]);
    let hop = Hop { to: signer(4).address(), amount: Units::from(10), expiry: expiry(4_000) };
    let way = |key: ChannelKey| Way { channel: key.id(), amount: Units::from(10), expiry: expiry(5_000), onward: vec![hop] };
    let tie = Tie::Sealed(Secret::from_bytes([4; 32]));
    let ways = vec![way(first), way(second), way(first)];
    payer.take(Event::Pay(Order {
        id,
        token: None,
        payee: signer(4).known(),
        amount: Units::from(10),
        most_fee: Units::ZERO,
        tie,
        ways,
        searches: 0,
    }));
    payer.finish();
    let number = payer.channel(&first.id()).unwrap().outgoing.locks[0].lock.number;
    let disposal = payer.channel(&first.id()).unwrap().disposal(payer.channel(&first.id()).unwrap().side, number).unwrap();
    let signature = signer(2).sign(&disposal.digest(&domain()));
    let dispose = Message::Dispose { of: of(first), number, reason: Reason::NoWay, hops: 0, signature };
    payer.take(Event::Chain(first.id(), OnChain { stage: Stage::Closed, ..chain() }));
    payer.take(Event::Message(signer(2).address(), dispose));
    payer.finish();
    let on_second =
        |payer: &Node| matches!(payer.payment(&id).unwrap().progress, Progress::Locked(of, _) if of.channel == second.id());
    assert!(on_second(&payer));
    payer.take(Event::Chain(first.id(), chain()));
    payer.finish();
    assert!(on_second(&payer), "{:?}", payer.payment(&id));
}
