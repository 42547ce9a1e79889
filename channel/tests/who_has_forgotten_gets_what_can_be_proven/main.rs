//! A database that is lost, or an old copy of it that is put back: nothing more is promised in its channels, and both have what
//! can be proven.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

#[path = "../common/mod.rs"]
mod common;
mod pair;

use common::{chain, domain, moment};
use pair::{Pair, Rows, secret};
use photon_channel::contract::{Call, Slot};
use photon_channel::*;
use std::collections::{BTreeMap, VecDeque};

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

// V13: the history has one end of each lock, and a store that was to write another would stop.
#[test]
fn a_lock_that_has_ended_does_not_come_back_in_what_is_shown() {
    let mut pair = Pair::new();
    pair.hold(1, 7, secret(8).hash());
    let ended = pair.channel(0).incoming.locks[0].lock;
    pair.give(0, Event::GiveUp(secret(8).hash()));
    pair.talk();
    let before = pair.channel(0).clone();
    assert!(before.incoming.locks.is_empty(), "its payer has struck it");
    let (of, payer, key) = (before.of, before.side.other(), pair.keys[1].clone());
    let shown = |locks: Vec<Pending>| {
        let pending = Commitment::of(&locks).unwrap();
        let proof = BalanceProof { of, payer, nonce: Nonce(9), transferred: before.incoming.transferred, pending };
        let signature = key.sign(&proof.digest(&domain()));
        Testimony { proof: SignedProof { proof, signature }, locks }
    };
    let takes = |pair: &mut Pair, locks: Vec<Pending>| {
        let message = Message::Remind { of, sure: Nonce(9), own: Some(Box::new(shown(locks))), yours: None };
        pair.give(0, Event::Message(key.address(), message));
        pair.channel(0).incoming.nonce == Nonce(9)
    };
    assert!(!takes(&mut pair, vec![ended]));
    assert_eq!(*pair.channel(0), before);
    let number = LockNo::new(Nonce(5), 0);
    assert!(takes(&mut pair, vec![Pending { number, ..ended }]), "one that was added since may be pending");
}

// E14: of a lock that it may have signed away it claims nothing, so that an honest payer's word is no cheat's.
#[test]
fn who_has_forgotten_lets_its_payer_strike_what_it_may_have_signed_away() {
    let mut pair = Pair::new();
    pair.hold(1, 7, secret(8).hash());
    let copy = pair.disks[0].clone();
    pair.give(0, Event::GiveUp(secret(8).hash()));
    let dispose = pair.wires[1].pop_front().unwrap();
    let from = pair.keys[0].address();
    pair.give(1, Event::Message(from, dispose));
    assert!(matches!(pair.wires[0].pop_front(), Some(Message::Update(_))), "the strike is lost on its way");
    pair.start(0, copy);
    pair.give(0, Event::PutBack);
    assert_eq!(pair.channel(0).incoming.locks[0].state, LockState::Waiting);
    pair.meet();
    assert!(pair.channel(0).incoming.locks.is_empty());
    let id = pair.id;
    assert!(!pair.told(0, &Notice::Breach(id)));
    pair.tip(15);
    assert_eq!(pair.closed_together(), (100, 100));
}

// What waited for its turn in the copy was made after it.
#[test]
fn a_payment_of_an_old_copy_that_was_made_since_is_not_called_failed() {
    for is_direct in [true, false] {
        let mut pair = Pair::new();
        let peer = pair.keys[1].address();
        pair.give(0, Event::Disconnected(peer));
        let tie = if is_direct { Tie::Direct } else { Tie::Sealed(secret(7)) };
        let payment = pair.pay(0, 30, tie);
        let copy = pair.disks[0].clone();
        pair.meet();
        pair.talk();
        assert_eq!(pair.paid(0).0, 30);
        pair.start(0, copy);
        pair.give(0, Event::PutBack);
        assert!(pair.nodes[0].payment(&payment).is_some(), "nobody knows before the neighbour is there");
        pair.give(0, Event::Recall(payment));
        assert!(pair.nodes[0].payment(&payment).is_some(), "and it can't be taken back");
        pair.meet();
        assert!(pair.told(0, &Notice::Ended(payment, Outcome::Paid(None))), "{is_direct}");
        assert_eq!(pair.closed_together().0, 70);
    }
}

#[test]
fn a_payment_of_an_old_copy_that_is_pending_is_known_again_and_one_that_was_not_made_fails() {
    for is_made in [true, false] {
        let mut pair = Pair::new();
        let peer = pair.keys[1].address();
        pair.give(0, Event::Disconnected(peer));
        let payment = pair.hold(0, 7, secret(8).hash());
        let copy = pair.disks[0].clone();
        if is_made {
            pair.meet();
        }
        pair.start(0, copy);
        pair.give(0, Event::PutBack);
        pair.meet();
        assert_eq!(pair.told(0, &Notice::Ended(payment, Outcome::Failed(Reason::NoWay))), !is_made);
        if is_made {
            let number = pair.channel(0).outgoing.locks[0].lock.number;
            let of = pair.channel(0).of;
            assert_eq!(pair.nodes[0].payment(&payment).unwrap().progress, Progress::Locked(of, number));
            assert_eq!(pair.channel(0).outgoing.locks[0].link, Link::Payment(payment));
        }
    }
}

#[test]
fn a_payment_that_was_under_way_when_the_backup_was_written_arrives_with_its_update() {
    let mut pair = Pair::new();
    pair.pay_unheard(0, 5);
    let payment = PaymentId::from_bytes([pair.payments; 16]);
    let kept = pair.nodes[0].memory();
    pair.start(0, Rows::new());
    pair.give(0, Event::Remember(kept));
    assert!(pair.nodes[0].payment(&payment).is_some());
    pair.meet();
    assert!(pair.told(0, &Notice::Ended(payment, Outcome::Paid(None))));
    assert_eq!(pair.closed_together(), (95, 105));
}
