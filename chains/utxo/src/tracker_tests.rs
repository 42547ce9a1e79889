//! The tracker against a fresh look, over any sequence of blocks, reorganisations and mempools.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::tracker::{Paid, Place, Tracker};
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WScriptHash, Witness};
use photon_chains::{Amount as Units, BlockHeight, LockId, Secret, SecretHash, SpendKind};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

const LOCKS: u8 = 3;
const VALUE: u64 = 1_000;

fn lock_id(lock: u8) -> LockId {
    LockId::from_bytes([lock; 32])
}

fn script(lock: u8) -> ScriptBuf {
    ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array([lock; 32]))
}

fn secret(lock: u8) -> Secret {
    Secret::from_bytes([100 + lock; 32])
}

fn tx(input: OutPoint, witness: &[&[u8]], to: ScriptBuf, value: u64) -> Transaction {
    let witness = Witness::from_slice(witness);
    let input = TxIn { previous_output: input, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness };
    let output = TxOut { value: Amount::from_sat(value), script_pubkey: to };
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output: vec![output] }
}

/// Three fundings for each lock (two exact, one not), and three rival spends of each: with the secret, without, and one that pays
/// the next lock.
fn universe() -> Vec<Transaction> {
    let mut all = Vec::new();
    for lock in 0..LOCKS {
        for (n, value) in [(0, VALUE), (1, VALUE), (2, VALUE - 1)] {
            let coin = OutPoint::new(Txid::from_byte_array([200 + lock; 32]), n);
            let funding = tx(coin, &[b"coin"], script(lock), value);
            let paid = OutPoint::new(funding.compute_txid(), 0);
            let home = ScriptBuf::new_op_return([lock]);
            all.push(funding);
            all.push(tx(paid, &[b"sig", secret(lock).expose(), &[1]], home.clone(), 500));
            all.push(tx(paid, &[b"sig", b""], home, 500));
            all.push(tx(paid, &[b"sig", b"", &[0; 32]], script((lock + 1) % LOCKS), VALUE));
        }
    }
    all
}

#[derive(Clone, Default)]
struct World {
    chain: Vec<(BlockHash, Vec<Transaction>)>,
    pool: Vec<Transaction>,
    made: u32,
}

impl World {
    fn in_chain(&self) -> impl Iterator<Item = &Transaction> {
        self.chain.iter().flat_map(|(_, txs)| txs)
    }

    /// True if it can stand on these: its parent is there (or outside of our universe), and no rival.
    fn fits<'a>(tx: &Transaction, on: impl Iterator<Item = &'a Transaction> + Clone) -> bool {
        let input = tx.input[0].previous_output;
        let outside = input.txid.to_byte_array()[0] >= 200 && input.txid.to_byte_array() == [input.txid.to_byte_array()[0]; 32];
        let parent = outside || on.clone().any(|other| other.compute_txid() == input.txid);
        parent && !on.clone().any(|other| other.input[0].previous_output == input)
    }

    fn mine(&mut self, wanted: &[Transaction]) {
        let mut block = Vec::new();
        for tx in wanted {
            if Self::fits(tx, self.in_chain().chain(&block).collect::<Vec<_>>().into_iter()) {
                block.push(tx.clone());
            }
        }
        self.made += 1;
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&self.made.to_le_bytes());
        self.chain.push((BlockHash::from_byte_array(hash), block));
        self.sift_pool(Vec::new());
    }

    fn sift_pool(&mut self, more: Vec<Transaction>) {
        let candidates = std::mem::take(&mut self.pool).into_iter().chain(more);
        for tx in candidates.collect::<Vec<_>>() {
            if Self::fits(&tx, self.in_chain().chain(&self.pool).collect::<Vec<_>>().into_iter()) {
                self.pool.push(tx);
            }
        }
    }

    fn lose(&mut self, depth: usize, keep: bool) {
        let from = self.chain.len().saturating_sub(depth).max(1);
        let lost: Vec<Transaction> = self.chain.drain(from..).flat_map(|(_, txs)| txs).collect();
        self.sift_pool(if keep { lost } else { Vec::new() });
    }

    fn place(&self, height: u64) -> Place {
        Place { height, hash: self.chain[height as usize].0 }
    }
}

/// What the adapter does with a node, with the world in its place.
fn catch_up(tracker: &mut Tracker, world: &World) {
    let tip = world.chain.len() as u64 - 1;
    while let Some(last) = tracker.tip() {
        if world.chain.get(last.height as usize).is_some_and(|(hash, _)| *hash == last.hash) {
            break;
        }
        tracker.rewind_to(last.height.saturating_sub(1));
    }
    let done = tracker.unscanned();
    for height in tracker.next_height(tip)..=tip {
        tracker.apply_block(world.place(height), &world.chain[height as usize].1);
    }
    tracker.mark_scanned(&done);
    let by_id: HashMap<Txid, &Transaction> = world.pool.iter().map(|tx| (tx.compute_txid(), tx)).collect();
    let new = tracker.sync_pool(&by_id.keys().copied().collect());
    new.iter().for_each(|txid| tracker.apply_pooled(by_id[txid]));
    loop {
        let again = tracker.recheck();
        if again.is_empty() {
            break;
        }
        again.iter().for_each(|txid| tracker.apply_pooled(by_id[txid]));
    }
}

fn watch(tracker: &mut Tracker, lock: u8, since: u64) {
    tracker.watch(lock_id(lock), &script(lock), secret(lock).hash(), Units::from_units(VALUE.into()), BlockHeight::new(since));
}

fn own_inputs() -> Vec<OutPoint> {
    universe().iter().map(|tx| tx.input[0].previous_output).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Mine(Vec<prop::sample::Index>),
    MinePool,
    Pool(prop::sample::Index),
    Evict(prop::sample::Index),
    Lose(usize, bool),
    Watch(u8),
    Unwatch(u8),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => prop::collection::vec(index(), 0..5).prop_map(Step::Mine),
        2 => Just(Step::MinePool),
        5 => index().prop_map(Step::Pool),
        1 => index().prop_map(Step::Evict),
        2 => (1usize..5, any::<bool>()).prop_map(|(depth, keep)| Step::Lose(depth, keep)),
        1 => (0..LOCKS).prop_map(Step::Watch),
        1 => (0..LOCKS).prop_map(Step::Unwatch),
        4 => Just(Step::Look),
    ]
}

fn act(world: &mut World, tracker: &mut Tracker, watched: &mut HashSet<u8>, step: Step) {
    let all = universe();
    match step {
        Step::Mine(picks) => world.mine(&picks.iter().map(|pick| pick.get(&all).clone()).collect::<Vec<_>>()),
        Step::MinePool => world.mine(&world.pool.clone()),
        Step::Pool(pick) => world.sift_pool(vec![pick.get(&all).clone()]),
        Step::Evict(pick) => {
            if !world.pool.is_empty() {
                world.pool.remove(pick.index(world.pool.len()));
                world.sift_pool(Vec::new());
            }
        }
        Step::Lose(depth, keep) => {
            world.lose(depth, keep);
            // The new branch is longer, else no node would follow it.
            (0..=depth).for_each(|_| world.mine(&[]));
        }
        Step::Watch(lock) => {
            watched.insert(lock);
            watch(tracker, lock, 0);
        }
        Step::Unwatch(lock) => {
            watched.remove(&lock);
            tracker.unwatch(lock_id(lock));
        }
        Step::Look => catch_up(tracker, world),
    }
}

/// An output, its value, its block's height, and what spends it, with that block's height.
type Shown = (OutPoint, u64, Option<u64>, Option<(Txid, SpendKind, Option<u64>)>);

/// What a look from the beginning shows of a lock, worked out without the tracker.
fn fresh_look(world: &World, lock: u8) -> Vec<Shown> {
    let blocks = (0..).zip(&world.chain).flat_map(|(height, (_, txs))| txs.iter().map(move |tx| (Some(height), tx)));
    let shown: Vec<(Option<u64>, &Transaction)> = blocks.chain(world.pool.iter().map(|tx| (None, tx))).collect();
    let spender = |outpoint: OutPoint| {
        let (height, by) = shown.iter().find(|(_, tx)| tx.input[0].previous_output == outpoint)?;
        let shows = by.input[0].witness.iter().any(|item| item == secret(lock).expose());
        let kind = if shows { SpendKind::Redeem } else { SpendKind::Refund };
        Some((by.compute_txid(), kind, *height))
    };
    let pays = shown.iter().filter(|(_, tx)| tx.output[0].script_pubkey == script(lock));
    let mut paid: Vec<_> = pays
        .map(|(height, tx)| {
            let outpoint = OutPoint::new(tx.compute_txid(), 0);
            (outpoint, tx.output[0].value.to_sat(), *height, spender(outpoint))
        })
        .collect();
    paid.sort_by_key(|(outpoint, _, height, _)| (height.unwrap_or(u64::MAX), outpoint.txid.to_string()));
    paid
}

fn flat(paid: Vec<Paid>) -> Vec<Shown> {
    let height = |place: Option<Place>| place.map(|place| place.height);
    let spent = |paid: &Paid| paid.spent.map(|by| (by.txid, by.kind, height(by.block)));
    paid.iter().map(|paid| (paid.locked.outpoint, paid.locked.value, height(paid.block), spent(paid))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn after_any_history_it_knows_what_a_fresh_look_shows(steps in prop::collection::vec(step(), 1..60)) {
        let (mut world, mut tracker, mut watched) = (World::default(), Tracker::default(), HashSet::new());
        world.mine(&[]);
        tracker.add_own(own_inputs());
        catch_up(&mut tracker, &world);
        let mut seen: HashSet<SecretHash> = HashSet::new();
        for step in steps {
            act(&mut world, &mut tracker, &mut watched, step.clone());
            if !matches!(step, Step::Look) {
                continue;
            }
            for lock in watched.iter().copied() {
                prop_assert_eq!(flat(tracker.paid(lock_id(lock))), fresh_look(&world, lock));
                let shown = world.in_chain().chain(&world.pool).any(|tx| tx.input[0].witness.iter().any(|item| item == secret(lock).expose()));
                if shown {
                    seen.insert(secret(lock).hash());
                    prop_assert_eq!(tracker.secret(lock_id(lock)), Some(secret(lock)));
                }
            }
        }
        catch_up(&mut tracker, &world);
        for input in own_inputs() {
            let by = (0..).zip(&world.chain).find_map(|(height, (_, txs))| {
                let found = txs.iter().find(|tx| tx.input[0].previous_output == input)?;
                Some((found.compute_txid(), height))
            });
            prop_assert_eq!(tracker.taken(&input).map(|(txid, place)| (txid, place.height)), by);
        }
    }
}

#[test]
fn a_secret_stays_known_when_its_transaction_is_evicted_and_its_block_lost() {
    let all = universe();
    for through_a_block in [false, true] {
        let (mut world, mut tracker) = (World::default(), Tracker::default());
        world.mine(&[]);
        watch(&mut tracker, 0, 0);
        world.mine(&all[..1]);
        if through_a_block {
            world.mine(&all[1..2])
        } else {
            world.sift_pool(all[1..2].to_vec())
        }
        catch_up(&mut tracker, &world);
        assert!(tracker.paid(lock_id(0))[0].spent.is_some());
        world.lose(1, false);
        world.pool.clear();
        (0..3).for_each(|_| world.mine(&[]));
        catch_up(&mut tracker, &world);
        assert_eq!(tracker.secret(lock_id(0)), Some(secret(0)));
        assert!(tracker.paid(lock_id(0)).iter().all(|paid| paid.spent.is_none()));
    }
}

#[test]
fn a_reorganisation_below_all_known_blocks_makes_everything_be_looked_for_again() {
    let all = universe();
    let (mut world, mut tracker) = (World::default(), Tracker::default());
    (0..5).for_each(|_| world.mine(&[]));
    watch(&mut tracker, 0, 3);
    world.mine(&all[..1]);
    catch_up(&mut tracker, &world);
    assert_eq!(tracker.paid(lock_id(0)).len(), 1);
    world.lose(5, false);
    (0..8).for_each(|_| world.mine(&[]));
    world.mine(&all[4..5]);
    catch_up(&mut tracker, &world);
    assert_eq!(flat(tracker.paid(lock_id(0))), fresh_look(&world, 0));
}

#[test]
fn with_nothing_to_look_for_no_old_block_is_read() {
    let mut world = World::default();
    (0..10).for_each(|_| world.mine(&[]));
    let mut tracker = Tracker::default();
    assert_eq!(tracker.next_height(9), 9);
    catch_up(&mut tracker, &world);
    assert_eq!(tracker.next_height(500), 500, "blocks that came while nothing was watched are left out");
    watch(&mut tracker, 0, 20);
    assert_eq!(tracker.next_height(500), 10);
    watch(&mut tracker, 1, 4);
    assert_eq!(tracker.next_height(500), 5);
}

/// C20: a funding that does not sign with witnesses can be mined under another id than the one that was seen.
#[test]
fn a_funding_that_is_mined_under_another_id_is_the_same_lock() {
    let seen = universe().remove(0);
    let mut mined = seen.clone();
    mined.input[0].script_sig = ScriptBuf::from_bytes(vec![1, 7]);
    assert_ne!(seen.compute_txid(), mined.compute_txid());
    let (mut world, mut tracker) = (World::default(), Tracker::default());
    world.mine(&[]);
    watch(&mut tracker, 0, 0);
    world.sift_pool(vec![seen.clone()]);
    catch_up(&mut tracker, &world);
    assert_eq!(tracker.paid(lock_id(0))[0].locked.outpoint.txid, seen.compute_txid());
    world.mine(std::slice::from_ref(&mined));
    catch_up(&mut tracker, &world);
    let paid = tracker.paid(lock_id(0));
    assert_eq!((paid.len(), paid[0].locked.outpoint.txid), (1, mined.compute_txid()));
    assert_eq!(flat(paid), fresh_look(&world, 0));
}
