//! A counterparty that breaks the rules: each way is named, and nothing changes.
#![allow(clippy::unwrap_used, clippy::panic)]

use photon_chains::{Address, BlockHeight, Expiry, Secret, SecretHash, UnixTime};
use photon_channel::*;
use std::collections::BTreeMap;

const NOW: u64 = 1_000_000;

struct Pair {
    holder: Channel,
    mallory: Channel,
    keys: [Signer; 2],
    tip: Tip,
    registered: BTreeMap<SecretHash, Registered>,
}

fn expiry() -> Expiry {
    Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(NOW + 1_000)) }
}

fn secret(number: u16) -> Secret {
    Secret::from_bytes(number.to_be_bytes().repeat(16).try_into().unwrap())
}

fn lock(number: u16, amount: u64) -> Op {
    let onward = Onward { payment: PaymentId::from_bytes([number as u8; 16]), route: vec![], sealed: None };
    Op::Lock { amount: Units::from(amount), secret_hash: secret(number).hash(), expiry: expiry(), onward }
}

fn transfer(amount: u64) -> Op {
    Op::Transfer { payment: PaymentId::from_bytes([1; 16]), amount: Units::from(amount) }
}

impl Pair {
    /// A hundred each; one lock of Mallory's pending.
    fn new() -> Self {
        let keys = [Signer::new([1; 32]).unwrap(), Signer::new([2; 32]).unwrap()];
        let key = ChannelKey::new(None, keys[0].address(), keys[1].address(), Window::SHORTEST).unwrap();
        let of = ChannelRef { channel: key.id(), epoch: Epoch(5) };
        let holdings = Holdings { total: Units::from(200), net_a: 100 };
        let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
        let domain = Domain::new(1, Address::from_bytes([9; 20]));
        let open = |own: usize| {
            let mut channel = Channel::open(key, of, &keys[own], keys[1 - own].known(), domain, chain).unwrap();
            channel.in_step = true;
            channel
        };
        let moment = Moment { time: UnixTime::from_secs(NOW), block: BlockHeight::new(1) };
        let tip = Tip { latest: moment, deep: moment };
        let mut pair = Self { holder: open(0), mallory: open(1), keys: keys.clone(), tip, registered: BTreeMap::new() };
        let update = pair.honest(vec![lock(1, 10)]);
        pair.receive(&update).unwrap();
        pair
    }

    fn honest(&mut self, ops: Vec<Op>) -> Update {
        for op in ops {
            self.mallory.stage(op, &self.tip, &self.registered).unwrap();
        }
        self.mallory.seal(&self.keys[1]).unwrap()
    }

    fn receive(&mut self, update: &Update) -> Result<Vec<Change>, Refusal> {
        self.holder.receive(update, &self.tip, &self.registered)
    }

    /// An update with any operations at all, signed well for what the holder would compute up to the fault.
    fn forged(&self, ops: Vec<Op>) -> Update {
        let nonce = self.holder.incoming.nonce.next().unwrap();
        let signature = self.keys[1].sign(&Digest32([7; 32]));
        Update { of: self.holder.of, payer: self.mallory.side, nonce, ops, signature }
    }

    fn fills_up(&mut self, domain: Domain, most: u16) {
        for channel in [&mut self.holder, &mut self.mallory] {
            channel.domain = domain;
            channel.chain.holdings = Holdings { total: Units::from(2_000), net_a: 1_000 };
        }
        let update = self.honest((2..=most).map(|number| lock(number, 1)).collect());
        self.receive(&update).unwrap();
        assert_eq!(self.holder.incoming.locks.len(), usize::from(most));
        let one_more = lock(most + 1, 1);
        let full = Err(Stuck::Fault(Fault::Full));
        assert_eq!(self.mallory.stage(one_more.clone(), &self.tip, &self.registered), full);
        let update = self.forged(vec![one_more]);
        self.refuses(&update, Refusal::Breach(Breach::Op(Fault::Full)));
    }

    fn refuses(&mut self, update: &Update, refusal: Refusal) {
        let before = self.holder.clone();
        assert_eq!(self.receive(update), Err(refusal), "{update:?}");
        assert_eq!(self.holder, before, "{update:?}");
    }
}

fn pending(pair: &Pair) -> LockNo {
    pair.holder.incoming.locks[0].lock.number
}

#[test]
fn every_operation_that_cant_be_is_named_and_undone_with_its_whole_batch() {
    let mut pair = Pair::new();
    let number = pending(&pair);
    let gone = LockNo(number.0 + 1);
    let degenerate = Op::Lock {
        amount: Units::from(1),
        secret_hash: SecretHash::from_bytes([0; 32]),
        expiry: expiry(),
        onward: Onward { payment: PaymentId::from_bytes([1; 16]), route: vec![], sealed: None },
    };
    let dated = Op::Lock {
        amount: Units::from(1),
        secret_hash: secret(9).hash(),
        expiry: Expiry { lock_by: Some(UnixTime::from_secs(5)), ..expiry() },
        onward: Onward { payment: PaymentId::from_bytes([1; 16]), route: vec![], sealed: None },
    };
    let endless = Op::Lock {
        amount: Units::from(1),
        secret_hash: secret(9).hash(),
        expiry: Expiry { linked: false, ..expiry() },
        onward: Onward { payment: PaymentId::from_bytes([1; 16]), route: vec![], sealed: None },
    };
    let op = |fault| Refusal::Breach(Breach::Op(fault));
    for (bad, refusal) in [
        (transfer(0), op(Fault::Nothing)),
        (lock(9, 0), op(Fault::Nothing)),
        (transfer(91), Refusal::Later(Wait::Chain)),
        (lock(9, 91), Refusal::Later(Wait::Chain)),
        (degenerate, op(Fault::Degenerate)),
        (dated, op(Fault::Word)),
        (endless, op(Fault::Word)),
        (Op::Unlock { number, secret: secret(2) }, op(Fault::WrongSecret)),
        (Op::Unlock { number: gone, secret: secret(1) }, op(Fault::NoLock)),
        (Op::Expire { number: gone }, op(Fault::NoLock)),
        (Op::Expire { number }, Refusal::Later(Wait::Chain)),
        (Op::Strike { number: gone }, op(Fault::NoLock)),
        (Op::Strike { number }, op(Fault::NotDisposed)),
    ] {
        let update = pair.forged(vec![bad.clone()]);
        pair.refuses(&update, refusal);
        // What is good in the same batch is undone too.
        let update = pair.forged(vec![transfer(1), bad]);
        pair.refuses(&update, refusal);
    }
}

#[test]
fn an_update_of_another_channel_life_payer_or_place_is_refused() {
    let mut pair = Pair::new();
    let good = pair.honest(vec![transfer(5)]);
    let breach = |breach| Refusal::Breach(breach);
    let other = ChannelRef { epoch: Epoch(6), ..good.of };
    pair.refuses(&Update { of: other, ..good.clone() }, breach(Breach::Address));
    pair.refuses(&Update { payer: pair.holder.side, ..good.clone() }, breach(Breach::Address));
    pair.refuses(&Update { ops: vec![], ..good.clone() }, breach(Breach::Batch));
    pair.refuses(&Update { ops: vec![transfer(6)], ..good.clone() }, breach(Breach::Signature));
    pair.refuses(&Update { nonce: Nonce(3), ..good.clone() }, Refusal::Gap(Nonce(1)));
    pair.refuses(&Update { nonce: Nonce(1), ..good.clone() }, Refusal::Answer(Nonce(1)));
    let stranger = Signer::new([3; 32]).unwrap();
    let signature = stranger.sign(&pair.mallory.proof(pair.mallory.side).unwrap().digest(&pair.mallory.domain));
    pair.refuses(&Update { signature, ..good.clone() }, breach(Breach::Signature));
    assert!(pair.receive(&good).is_ok(), "after all that the good one is taken");
    pair.refuses(&good, Refusal::Answer(Nonce(2)));
}

#[test]
fn nobody_holds_more_locks_of_one_payer_than_one_call_can_unlock() {
    // As nodes of today take transactions, and as old ones do.
    for (bytes, most) in [(128 << 10, 480), (32 << 10, 235)] {
        let mut pair = Pair::new();
        pair.fills_up(Domain::new(1, Address::from_bytes([9; 20])).with_transactions_of(bytes), most);
    }
}

#[test]
fn locks_with_long_ways_before_them_are_said_in_several_batches() {
    let mut pair = Pair::new();
    pair.mallory.chain.holdings = Holdings { total: Units::from(2_000), net_a: 1_000 };
    let hop = Hop { to: Address::from_bytes([7; 20]), amount: Units::from(1), expiry: expiry() };
    let far = |number: u16| match lock(number, 1) {
        Op::Lock { amount, secret_hash, expiry, onward } => {
            Op::Lock { amount, secret_hash, expiry, onward: Onward { route: vec![hop; MOST_HOPS], ..onward } }
        }
        op => op,
    };
    let in_one = (MOST_BATCH_HOPS / MOST_HOPS) as u16;
    for number in 2..in_one + 2 {
        pair.mallory.stage(far(number), &pair.tip, &pair.registered).unwrap();
    }
    let next = far(in_one + 2);
    assert_eq!(pair.mallory.stage(next.clone(), &pair.tip, &pair.registered), Err(Stuck::Busy));
    pair.mallory.stage(lock(in_one + 3, 1), &pair.tip, &pair.registered).unwrap();
    pair.mallory.seal(&pair.keys[1]).unwrap();
    pair.mallory.stage(next, &pair.tip, &pair.registered).unwrap();
}

// E7, E20, E21.
#[test]
fn a_payer_uses_no_hash_twice_and_what_was_signed_away_stays_so() {
    let mut pair = Pair::new();
    let number = pending(&pair);
    let hash_used = Err(Stuck::Fault(Fault::HashInUse));
    assert_eq!(pair.mallory.stage(lock(1, 1), &pair.tip, &pair.registered), hash_used, "same direction");
    assert_eq!(pair.holder.stage(lock(1, 1), &pair.tip, &pair.registered), hash_used, "other direction");

    let signature = pair.holder.dispose(number, &pair.keys[0]).unwrap();
    assert_eq!(pair.holder.dispose(number, &pair.keys[0]), Some(signature), "the same bytes again");
    assert!(!pair.holder.learn(pair.mallory.side, number, &secret(1)), "a secret learned later changes nothing");
    assert!(matches!(pair.holder.incoming.locks[0].state, LockState::Disposed(_)));

    assert_eq!(pair.mallory.take_disposal(number, &signature), Ok(true));
    assert_eq!(pair.mallory.take_disposal(number, &signature), Ok(false));
    let update = pair.honest(vec![Op::Strike { number }]);
    assert_eq!(pair.receive(&update).map(|changes| changes.len()), Ok(1));
    let disposed = Err(Stuck::Fault(Fault::HashDisposed));
    assert_eq!(pair.mallory.stage(lock(1, 1), &pair.tip, &pair.registered), disposed);
    assert_eq!(pair.holder.stage(lock(1, 1), &pair.tip, &pair.registered), disposed);
}

#[test]
fn a_lock_whose_secret_is_known_is_not_signed_away() {
    let mut pair = Pair::new();
    let number = pending(&pair);
    assert!(pair.holder.learn(pair.mallory.side, number, &secret(1)));
    assert_eq!(pair.holder.dispose(number, &pair.keys[0]), None);
}

#[test]
fn a_disposal_of_another_lock_or_by_another_hand_frees_nothing() {
    let mut pair = Pair::new();
    let number = pending(&pair);
    let forged = pair.keys[1].sign(&pair.mallory.disposal(pair.mallory.side, number).unwrap().digest(&pair.mallory.domain));
    assert_eq!(pair.mallory.take_disposal(number, &forged), Err(Breach::Signature), "the payer's own word");
    let signature = pair.holder.dispose(number, &pair.keys[0]).unwrap();
    let update = pair.honest(vec![lock(2, 1)]);
    pair.receive(&update).unwrap();
    let other = pair.mallory.outgoing.locks[1].lock.number;
    assert_eq!(pair.mallory.take_disposal(other, &signature), Err(Breach::Signature));
}

// E19: only the deep chain ends a lock; a secret registered in time makes it the payee's for ever.
#[test]
fn a_lock_ends_only_at_depth_and_never_once_it_is_registered_in_time() {
    let mut pair = Pair::new();
    let number = pending(&pair);
    let past = Moment { time: UnixTime::from_secs(NOW + 1_000), block: BlockHeight::new(1) };
    pair.tip.latest = past;
    assert_eq!(pair.mallory.stage(Op::Expire { number }, &pair.tip, &pair.registered), Err(Stuck::Fault(Fault::NotEnded)));
    pair.tip.deep = past;
    let at = Moment { time: UnixTime::from_secs(NOW + 999), block: BlockHeight::new(1) };
    pair.registered.insert(secret(1).hash(), Registered { at, is_deep: false });
    let in_time = Err(Stuck::Fault(Fault::InTime));
    assert_eq!(pair.mallory.stage(Op::Expire { number }, &pair.tip, &pair.registered), in_time);
    let update = pair.forged(vec![Op::Expire { number }]);
    pair.refuses(&update, Refusal::Breach(Breach::Op(Fault::InTime)));
    pair.registered.insert(secret(1).hash(), Registered { at: past, is_deep: true });
    let update = pair.honest(vec![Op::Expire { number }]);
    assert!(pair.receive(&update).is_ok(), "registered too late is not registered");
}

// E17: an old copy of the database was put back.
#[test]
fn whoever_is_shown_a_later_word_of_its_own_signs_nothing_any_more() {
    let mut pair = Pair::new();
    let old = pair.mallory.clone();
    let update = pair.honest(vec![transfer(5)]);
    pair.receive(&update).unwrap();
    let Message::Hello { received, held, .. } = pair.holder.hello() else { panic!() };
    let mut restored = old.clone();
    restored.in_step = false;
    assert_eq!(restored.stage(transfer(1), &pair.tip, &pair.registered), Err(Stuck::Standing), "not before both have compared");
    assert_eq!(restored.greeted(received, held.as_ref(), &pair.keys[1]), Greeting::Behind);
    assert_eq!(restored.standing, Standing::Behind);
    assert_eq!(restored.stage(transfer(1), &pair.tip, &pair.registered), Err(Stuck::Standing));
    // Only a word of its own counts: a claim without it, or with another signature, is nothing.
    let mut restored = old.clone();
    assert_eq!(restored.greeted(Nonce(99), None, &pair.keys[1]), Greeting::Resend(old.unacked.into()));
    let forged = held.map(|held| SignedProof { signature: pair.keys[0].sign(&Digest32([1; 32])), ..held });
    assert!(matches!(restored.greeted(Nonce(99), forged.as_ref(), &pair.keys[1]), Greeting::Resend(_)));
    assert_eq!(restored.standing, Standing::Active);
}
