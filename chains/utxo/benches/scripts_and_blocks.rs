//! What a lock's script, a signed redeem, and a block cost: reading it, and looking through it for what is watched.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness};
use criterion::{Criterion, criterion_group, criterion_main};
use photon_chains::*;
use photon_utxo::LockScript;
use photon_utxo::bare::{Locked, Place, Spending, Tracker, block, public_key, redeem, transaction};
use std::hint::black_box;

/// About as many as a full block holds.
const BLOCK_TXS: usize = 3_000;
const WATCHED: u64 = 10_000;

fn lock(number: u64) -> Lock {
    let key = |byte: u8| Party::Key(public_key(&LockKey::from_bytes([byte; 32])).unwrap());
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Lock {
        asset: Asset::Native(Ledger::Bitcoin),
        amount: Amount::from_units(1_000_000),
        redeemer: key(1),
        refundee: key(2),
        secret_hash: Secret::from_bytes(secret).hash(),
        expiry: Expiry::at(UnixTime::from_secs(1_800_000_000)),
        template: Template::P2wsh,
    }
}

fn ordinary(number: usize) -> Transaction {
    let bytes = number.to_be_bytes();
    let mut id = [3; 32];
    id[..8].copy_from_slice(&bytes);
    let input = TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array(id), 0),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[vec![1; 72], vec![2; 33]]),
    };
    let mut hash = [5; 20];
    hash[..8].copy_from_slice(&bytes);
    let script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash));
    let output = TxOut { value: bitcoin::Amount::from_sat(50_000), script_pubkey };
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input; 2], output: vec![output; 2] }
}

fn scripts(c: &mut Criterion) {
    let lock = lock(0);
    c.bench_function("script of a lock", |b| b.iter(|| LockScript::of(black_box(&lock)).unwrap().output_script()));
    let script = LockScript::of(&lock).unwrap();
    let key = LockKey::from_bytes([1; 32]);
    let payout = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
    let mut secret = [7; 32];
    secret[..8].fill(0);
    let secret = Secret::from_bytes(secret);
    let from = Locked { outpoint: OutPoint::new(Txid::from_byte_array([4; 32]), 1), value: 1_000_000 };
    c.bench_function("redeem, built and signed", |b| {
        b.iter(|| {
            let with = Spending { script: &script, payout: payout.clone(), fee: 1_000, dust: 330, key: &key };
            redeem(black_box(from), &secret, &with).unwrap()
        })
    });
}

fn blocks(c: &mut Criterion) {
    let txs: Vec<Transaction> = (0..BLOCK_TXS).map(ordinary).collect();
    let mut bytes = serialize(&bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header);
    bytes.extend(serialize(&bitcoin::VarInt::from(txs.len())));
    txs.iter().for_each(|tx| bytes.extend(serialize(tx)));
    let one = serialize(&txs[0]);
    c.bench_function("read one transaction", |b| b.iter(|| transaction(black_box(&one)).unwrap()));
    c.bench_function(&format!("read a block of {BLOCK_TXS} transactions"), |b| b.iter(|| block(black_box(&bytes)).unwrap()));

    let mut tracker = Tracker::default();
    for number in 0..WATCHED {
        let lock = lock(number);
        let script = LockScript::of(&lock).unwrap().output_script();
        tracker.watch(lock.id(), &script, lock.secret_hash, lock.amount, BlockHeight::new(0));
    }
    let place = Place { height: 1, hash: bitcoin::BlockHash::all_zeros() };
    c.bench_function(&format!("scan that block for {WATCHED} locks"), |b| b.iter(|| tracker.apply_block(place, black_box(&txs))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = scripts, blocks
}
criterion_main!(benches);
