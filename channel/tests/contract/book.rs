//! What the parties keep off the chain: everything they ever promised each other, and what their locks have come to.

use crate::rng::Rng;
use photon_chains::{BlockHeight, Expiry, Secret, UnixTime};
use photon_channel::contract::{Record, Shown};
use photon_channel::{ChannelId, Commitment, LockNo, Nonce, Pending, Side, Units};
use std::collections::BTreeMap;

/// A payer's word, and the locks that it commits to.
#[derive(Clone, Debug)]
pub struct Promise {
    pub shown: Shown,
    pub locks: Vec<Pending>,
}

/// A call that unlocked: its records, the hash chain before it, and the list before and after.
#[derive(Clone, Debug)]
pub struct Take {
    pub records: Vec<Record>,
    pub taken: [u8; 32],
    pub lists: ([u8; 32], [u8; 32]),
}

/// The parties' books.
#[derive(Default)]
pub struct Book {
    /// By channel, epoch and payer; oldest first.
    pub promises: BTreeMap<(ChannelId, u32, Side), Vec<Promise>>,
    /// The pending locks of a closed channel, by payee.
    pub lists: BTreeMap<(ChannelId, Side), Vec<Pending>>,
    /// What each proof that was shown committed to, by payee, as far as the parties know.
    pub shown: BTreeMap<(ChannelId, Side, Nonce), Vec<Pending>>,
    /// The calls that unlocked some of them.
    pub takes: BTreeMap<(ChannelId, Side), Vec<Take>>,
}

/// Every secret of a sequence.
pub fn secrets() -> Vec<Secret> {
    (1..=6).map(|number| Secret::from_bytes([number; 32])).collect()
}

/// An amount: mostly small, now and then as large as it gets.
pub fn amount(rng: &mut Rng, most: u64) -> u128 {
    match rng.between(0, 99) {
        0..=93 => u128::from(rng.between(0, most)),
        94..=96 => 1 << 95,
        97 => (1 << 96) - 1,
        _ => u128::from(rng.next()),
    }
}

fn units(rng: &mut Rng, most: u64) -> Units {
    Units::new(amount(rng, most)).unwrap()
}

/// A lock's terms: every kind of word, with ends near enough to be reached.
pub fn expiry(rng: &mut Rng, time: UnixTime, block: BlockHeight) -> Expiry {
    let secs = rng.pick(&[30, 300, 599, 600, 601, 900, 1500, 2400]);
    let opens_time = time.plus_secs(secs);
    let opens_block = match rng.between(0, 2) {
        0 => BlockHeight::new(0),
        1 => block.plus(secs / 15),
        _ => block.plus(rng.between(0, 120)),
    };
    let closes = rng.percent(35).then(|| opens_time.minus_secs(rng.pick(&[0, 1, 60, 300])));
    Expiry { opens_time, opens_block, closes, lock_by: None, linked: rng.percent(30) }
}

impl Book {
    /// The payer's next promise: pays more, adds and drops locks, as an honest payer does or as a cheating one might.
    pub fn next(&self, rng: &mut Rng, of: (ChannelId, u32, Side), time: UnixTime, block: BlockHeight) -> Promise {
        let last = self.promises.get(&of).and_then(|all| all.last());
        let mut locks = last.map_or_else(Vec::new, |last| last.locks.clone());
        let nonce = Nonce(last.map_or(0, |last| last.shown.nonce.0) + rng.pick(&[1, 1, 1, 7]));
        let before = last.map_or(Units::ZERO, |last| last.shown.transferred);
        let transferred = if rng.percent(70) { before.checked_add(units(rng, 120)).unwrap_or(before) } else { before };
        locks.retain(|_| !rng.percent(15));
        let base = rng.pick(&[0, 0, 0, 3]);
        // Most lists have a few locks; some calls of a list of words that repeat are shorter than others.
        let mut terms = expiry(rng, time, block);
        for place in 0..rng.pick(&[0, 1, 1, 2, 3, 5]) {
            if rng.percent(60) {
                terms = expiry(rng, time, block);
            }
            let secret_hash = secrets()[rng.between(0, 5) as usize].hash();
            let number = LockNo::new(nonce, base + place);
            locks.push(Pending { number, secret_hash, amount: units(rng, 60), expiry: terms });
        }
        if rng.percent(2) {
            // One name twice: no honest payee takes such a list, but the contract reads it.
            if let [.., one, other] = locks.as_mut_slice() {
                other.number = one.number;
            }
        }
        let pending = commitment(rng, &locks);
        Promise { shown: Shown { nonce, transferred, pending, signature: crate::draw::no_signature() }, locks }
    }
}

/// What a list comes down to; a cheater's sum may be another.
fn commitment(rng: &mut Rng, locks: &[Pending]) -> Commitment {
    let bytes: Vec<u8> = locks.iter().flat_map(|lock| lock.entry().unwrap()).collect();
    let sum = locks.iter().map(|lock| lock.amount.get()).sum::<u128>().min(Units::MAX.get());
    let locked = if rng.percent(90) { Units::new(sum).unwrap() } else { units(rng, 100) };
    Commitment { locked, locks: if bytes.is_empty() { [0; 32] } else { photon_channel::keccak(&bytes) } }
}
