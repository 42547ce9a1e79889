//! Two parties of one channel, both paying at once, over a connection that loses, doubles and reorders, with crashes that
//! forget all that was not durable. Whatever happens, both end with the same channel, and it can still be used.
#![allow(clippy::unwrap_used, clippy::panic)]

use photon_chains::{Address, BlockHeight, Expiry, Secret};
use photon_channel::*;
use std::collections::BTreeMap;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Party {
    signer: Signer,
    /// What the disk holds, and what runs. They differ only between a change and its commit.
    durable: Channel,
    live: Channel,
    /// Secrets that the holder has shown upstream, to be shown again at every connection.
    shown: Vec<(LockNo, Secret)>,
}

const DEPOSIT: u64 = 1_000_000;

fn parties() -> [Party; 2] {
    let signers = [Signer::new([1; 32]).unwrap(), Signer::new([2; 32]).unwrap()];
    let key = ChannelKey::new(None, signers[0].address(), signers[1].address(), Window::SHORTEST).unwrap();
    let of = ChannelRef { channel: key.id(), epoch: Epoch(5) };
    let domain = Domain::new(1, Address::from_bytes([9; 20]));
    let holdings = Holdings { total: Units::from(2 * DEPOSIT), net_a: i128::from(DEPOSIT) };
    let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
    let open = |own: usize| {
        let channel = Channel::open(key, of, &signers[own], signers[1 - own].known(), domain, chain).unwrap();
        Party { signer: signers[own].clone(), durable: channel.clone(), live: channel, shown: Vec::new() }
    };
    [open(0), open(1)]
}

struct World {
    rng: Rng,
    parties: [Party; 2],
    /// Under way to the first and to the second party.
    wires: [Vec<Vec<u8>>; 2],
    tip: Tip,
    registered: BTreeMap<photon_chains::SecretHash, Registered>,
    made: u64,
    is_calm: bool,
    /// Taken by a payee: transfers, locks, unlocks, expiries, strikes.
    taken: [u64; 5],
}

fn secret_of(number: u64) -> Secret {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Secret::from_bytes(bytes)
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng(seed),
            parties: parties(),
            wires: [vec![], vec![]],
            tip: Tip::default(),
            registered: BTreeMap::new(),
            made: 0,
            is_calm: false,
            taken: [0; 5],
        }
    }

    fn send(&mut self, to: usize, message: &Message) {
        self.wires[to].push(message.to_bytes());
    }

    fn connect(&mut self) {
        self.wires = [vec![], vec![]];
        for own in 0..2 {
            let hello = self.parties[own].live.hello();
            self.parties[own].live.in_step = false;
            self.send(1 - own, &hello);
        }
    }

    /// Makes some operations and commits them under one proof.
    fn act(&mut self, own: usize) {
        let mut dead = Vec::new();
        for _ in 0..1 + self.rng.below(5) {
            let (pick, amount) = (self.rng.below(100), Units::from(1 + self.rng.below(DEPOSIT / 20)));
            self.made += 1;
            let made = self.made;
            let party = &mut self.parties[own];
            let number = party.live.outgoing.locks.front().map(|held| held.lock.number);
            let known = party.live.outgoing.locks.iter().find_map(|held| match &held.state {
                LockState::Known(secret) => Some((held.lock.number, secret.clone())),
                LockState::Waiting | LockState::Disposed(_) => None,
            });
            let struck = party.live.outgoing.locks.iter().find(|held| matches!(held.state, LockState::Disposed(_)));
            let op = match (known, struck.map(|held| held.lock.number)) {
                (Some((number, secret)), _) if pick < 50 => Op::Unlock { number, secret },
                (_, Some(number)) if pick < 60 => Op::Strike { number },
                _ if pick < 65 => Op::Transfer { payment: PaymentId::from_bytes([3; 16]), amount },
                _ if pick < 95 => Op::Lock {
                    amount,
                    secret_hash: secret_of(made).hash(),
                    expiry: Expiry { linked: true, ..Expiry::at(self.tip.latest.time.plus_secs(10 + made % 20)) },
                    onward: Onward { payment: PaymentId::from_bytes([3; 16]), route: vec![], sealed: None },
                },
                _ => match number {
                    Some(number) => Op::Expire { number },
                    None => continue,
                },
            };
            // A payer waits until the payee sees the end too.
            let is_late = Tip { deep: Moment { time: self.tip.deep.time.minus_secs(5), ..self.tip.deep }, ..self.tip };
            let _ = party.live.stage(op, &is_late, &self.registered);
        }
        // The payee side of the same party: shows secrets, or signs locks away.
        let party = &mut self.parties[own];
        let waiting: Vec<LockNo> = party
            .live
            .incoming
            .locks
            .iter()
            .filter(|held| held.state == LockState::Waiting)
            .map(|held| held.lock.number)
            .collect();
        for number in waiting {
            match self.rng.below(10) {
                0 => dead.extend(party.live.dispose(number, &party.signer).map(|signature| (number, signature))),
                1 => {
                    let hash = party.live.incoming.lock(number).unwrap().lock.secret_hash;
                    let secret = (0..=self.made).map(secret_of).find(|secret| secret.hash() == hash).unwrap();
                    party.live.learn(party.live.side.other(), number, &secret);
                    party.shown.push((number, secret));
                }
                _ => {}
            }
        }
        let update = party.live.seal(&party.signer);
        if self.rng.percent(10) {
            return self.crash(own);
        }
        let of = self.commit(own);
        if let Some(update) = update {
            self.send(1 - own, &Message::Update(update));
        }
        for (number, signature) in dead {
            self.send(1 - own, &Message::Dispose { of, number, reason: Reason::NoWay, hops: 0, signature });
        }
        for (number, secret) in self.parties[own].shown.clone() {
            self.send(1 - own, &Message::Reveal { of, number, secret });
        }
    }

    fn commit(&mut self, own: usize) -> ChannelRef {
        let party = &mut self.parties[own];
        party.durable = party.live.clone();
        party.durable.in_step = false;
        party.live.of
    }

    fn crash(&mut self, own: usize) {
        let party = &mut self.parties[own];
        party.live = party.durable.clone();
        // What was shown and not noted durably is not known any more; the lock waits again.
        let incoming = &party.live.incoming;
        party.shown.retain(|(number, _)| incoming.lock(*number).is_some_and(|held| matches!(held.state, LockState::Known(_))));
        self.connect();
    }

    fn deliver(&mut self, own: usize) {
        let Some(count) = u64::try_from(self.wires[own].len()).ok().filter(|count| *count > 0) else { return };
        let at = if self.rng.percent(85) { 0 } else { self.rng.below(count) as usize };
        let bytes = if self.rng.percent(10) { self.wires[own][at].clone() } else { self.wires[own].remove(at) };
        if self.rng.percent(5) {
            return;
        }
        let message = Message::from_bytes(&bytes).unwrap();
        assert_eq!(message.to_bytes(), bytes);
        self.take(own, message);
    }

    fn take(&mut self, own: usize, message: Message) {
        let of = message.of();
        let party = &mut self.parties[own];
        match message {
            Message::Hello { received, held, .. } => {
                let greeting = party.live.greeted(received, held.as_ref(), &party.signer);
                assert!(matches!(greeting, Greeting::Resend(_)), "nobody's memory is old");
                let again: Vec<Vec<u8>> = party.live.unacked.iter().map(|sent| sent.bytes.clone()).collect();
                let lost: Vec<(LockNo, Signature)> = party
                    .live
                    .incoming
                    .locks
                    .iter()
                    .filter_map(|held| match held.state {
                        LockState::Disposed(signature) => Some((held.lock.number, signature)),
                        LockState::Waiting | LockState::Known(_) => None,
                    })
                    .collect();
                for bytes in again {
                    self.send(1 - own, &Message::Update(Update::from_bytes(&bytes).unwrap()));
                }
                for (number, signature) in lost {
                    self.send(1 - own, &Message::Dispose { of, number, reason: Reason::NoWay, hops: 0, signature });
                }
            }
            Message::Update(update) => {
                let before = party.live.clone();
                match party.live.receive(&update, &self.tip, &self.registered) {
                    Ok(changes) => {
                        for change in changes {
                            self.taken[match change {
                                Change::Paid { .. } => 0,
                                Change::Added(_) => 1,
                                Change::Unlocked(..) => 2,
                                Change::Expired(_) => 3,
                                Change::Struck(_) => 4,
                            }] += 1;
                        }
                        if !self.is_calm && self.rng.percent(5) {
                            return self.crash(own);
                        }
                        self.commit(own);
                        self.send(1 - own, &Message::Acknowledged { of, nonce: update.nonce });
                    }
                    Err(Refusal::Answer(nonce)) => {
                        assert_eq!(party.live, before, "answered, not applied");
                        self.send(1 - own, &Message::Acknowledged { of, nonce });
                    }
                    Err(Refusal::Gap(_)) => assert_eq!(party.live, before),
                    Err(refusal) => panic!("two honest parties disagree: {refusal:?} {update:?}"),
                }
            }
            Message::Acknowledged { nonce, .. } => {
                party.live.acknowledged(nonce);
                self.commit(own);
            }
            Message::Reveal { number, secret, .. } => {
                party.live.learn(party.live.side, number, &secret);
                self.commit(own);
            }
            Message::Dispose { number, signature, .. } => {
                party.live.take_disposal(number, &signature).unwrap();
                self.commit(own);
            }
            _ => panic!("not said here"),
        }
    }

    fn tick(&mut self) {
        self.tip.latest.time = self.tip.latest.time.plus_secs(4);
        self.tip.latest.block = BlockHeight::new(self.tip.latest.block.get() + 1);
        self.tip.deep = self.tip.latest;
    }

    fn check(&self) {
        for party in &self.parties {
            for side in Side::BOTH {
                assert!(party.live.free(side) >= 0, "a promise is not covered");
            }
            assert!(party.live.outgoing.locks.len() <= MOST_LOCKS);
        }
        for (one, two) in [(0, 1), (1, 0)] {
            let (payer, payee) = (&self.parties[one].live, &self.parties[two].live);
            assert!(payee.incoming.nonce <= payer.outgoing.nonce, "nothing is taken that was not durably sent");
        }
    }

    /// Faults stop; both talk until nothing is under way.
    fn calm(&mut self) {
        self.is_calm = true;
        self.connect();
        for _ in 0..2_000 {
            for own in 0..2 {
                while !self.wires[own].is_empty() {
                    let bytes = self.wires[own].remove(0);
                    self.take(own, Message::from_bytes(&bytes).unwrap());
                }
            }
            if self.wires.iter().all(Vec::is_empty) {
                return;
            }
        }
        panic!("they never come to rest");
    }
}

fn play(seed: u64) -> [u64; 5] {
    let mut world = World::new(seed);
    world.connect();
    for _ in 0..300 {
        let own = world.rng.below(2) as usize;
        match world.rng.below(100) {
            0..30 => world.act(own),
            30..92 => world.deliver(own),
            92..98 => world.tick(),
            _ => world.connect(),
        }
        world.check();
    }
    world.calm();
    let [one, two] = &world.parties;
    for (payer, payee) in [(one, two), (two, one)] {
        let (out, inn) = (&payer.live.outgoing, &payee.live.incoming);
        let numbers = |flow: &Flow| flow.locks.iter().map(|held| held.lock).collect::<Vec<_>>();
        assert_eq!((out.nonce, out.transferred, out.locked), (inn.nonce, inn.transferred, inn.locked), "seed {seed}");
        assert_eq!(numbers(out), numbers(inn), "seed {seed}");
        assert_eq!(out.signature, inn.signature, "seed {seed}: the payee holds the payer's last word");
        assert!(payer.live.in_step && payer.live.unacked.is_empty(), "seed {seed}: it can be used");
    }
    world.taken
}

// Invariants 3, 4, 6, 9 and 10 of a channel, see the crate's documentation.
#[test]
fn whatever_is_lost_doubled_reordered_or_forgotten_both_sides_agree_in_the_end() {
    let mut taken = [0; 5];
    for seed in 0..200 {
        taken.iter_mut().zip(play(seed)).for_each(|(sum, count)| *sum += count);
    }
    assert!(taken.iter().all(|count| *count > 200), "every kind of operation was played: {taken:?}");
}
