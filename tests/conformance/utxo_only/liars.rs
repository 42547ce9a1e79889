//! Locks and spends that look right and are not.

use super::mallory::{Spend, coin_of, coins_of, locked_coin, push, sign, to_nobody, witness_script};
use super::{both, sent};
use crate::bench::{Bench, ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::bitcoin;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount as Sat, Transaction, TxOut};
use photon_chains::{Act, Fault, LockStatus, Progress, SecretHash, Sighting};
use photon_utxo::LockScript;
use serde_json::json;

/// A1: a secret of 33 bytes, which other ledgers have no room for, opens none of our locks; without the script's length
/// check it would.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_length_opens_nothing() {
    for bench in both().await {
        for length in [31, 33] {
            let mut stage = Stage::new(&bench).await;
            let long = vec![0x77; length];
            stage.lock.secret_hash = SecretHash::from_bytes(sha256::Hash::hash(&long).to_byte_array());
            for port in [&stage.alice, &stage.bob] {
                port.watch(&stage.lock, stage.since);
            }
            stage.poll().await;
            stage.fund().await;
            stage.confirm().await;
            let items = vec![long, vec![1]];
            let coin = locked_coin(&bench, &stage).await;
            let refusal = push(&bench, &Spend { items, ..Spend::redeem(&stage, coin, 5_000) }.signed()).await.unwrap_err();
            assert!(refusal.contains("OP_EQUALVERIFY"), "{refusal}");
        }
        // The same script and spend without the check: taken. So it was the check that refused, and nothing else.
        let stage = Stage::new(&bench).await;
        let long = vec![0x77; 33];
        let hash = sha256::Hash::hash(&long);
        let lock = photon_chains::Lock { secret_hash: SecretHash::from_bytes(hash.to_byte_array()), ..stage.lock };
        let bytes = LockScript::of(&lock).unwrap().witness_script().to_bytes();
        // OP_IF, then without OP_SIZE <32> OP_EQUALVERIFY.
        let script = bitcoin::ScriptBuf::from_bytes([&bytes[..1], &bytes[5..]].concat());
        let wallet = bench.chain.wallet("conformance-alice");
        let funding = pay_to(&bench, &wallet, &script.to_p2wsh()).await;
        let from = coin_of(&funding, &script.to_p2wsh());
        let spend = Spend { items: vec![long, vec![1]], script, ..Spend::redeem(&stage, from, 5_000) };
        push(&bench, &spend.signed()).await.unwrap();
        bench.mine(1).await;
    }
}

/// A transaction of a wallet that pays a million to that script; in the mempool.
async fn pay_to(
    bench: &crate::utxo::UtxoBench,
    wallet: &photon_regtest::world::UtxoWallet,
    script: &bitcoin::ScriptBuf,
) -> Transaction {
    let coin = coins_of(wallet).await.remove(0);
    let mut tx = to_nobody(coin.outpoint, 0);
    tx.output = vec![
        TxOut { value: Sat::from_sat(1_000_000), script_pubkey: script.clone() },
        TxOut { value: Sat::from_sat(coin.value - 1_010_000), ..tx.output.remove(0) },
    ];
    let tx = sign(wallet, &tx).await;
    push(bench, &tx).await.unwrap();
    tx
}

/// A6: two locks in one transaction, and two outputs for one lock: each lock is credited with one output.
#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_that_pays_two_locks_and_one_of_them_twice_credits_each_once() {
    for bench in both().await {
        let (one, two) = (Stage::new(&bench).await, Stage::new(&bench).await);
        let wallet = bench.chain.miner_wallet();
        let coin = coins_of(&wallet).await.remove(0);
        let mut tx = to_nobody(coin.outpoint, coin.value - 3_100_000);
        for stage in [&one, &two, &two] {
            tx.output.push(TxOut { value: Sat::from_sat(1_000_000), script_pubkey: witness_script(stage).to_p2wsh() });
        }
        push(&bench, &sign(&wallet, &tx).await).await.unwrap();
        bench.mine(one.bob.timing().confirmations).await;
        for (stage, faults) in [(&one, vec![]), (&two, vec![Fault::FundedTwice])] {
            stage.poll().await;
            let view = stage.bobs_view();
            assert!(matches!(view.status, LockStatus::Funded { .. }) && view.faults == faults, "{view:?}");
            let redeem = sent(stage.bob.ensure(&stage.redeem()).await);
            let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
            assert!(rows[0].0.txid == redeem && rows[0].0.inputs.len() == 1, "{rows:?}");
        }
        bench.mine(3).await;
    }
}

/// B7: a lock at the end of two dozen unconfirmed transactions is seen and never relied on; the first of them is replaced,
/// and it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_on_a_long_unconfirmed_chain_counts_for_nothing_until_it_is_mined() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    let wallet = bench.chain.miner_wallet();
    let root = coins_of(&wallet).await.remove(0);
    let own: String = wallet.rpc.get("getnewaddress", json!(["", "bech32"])).await.unwrap();
    let info: serde_json::Value = wallet.rpc.get("getaddressinfo", json!([own])).await.unwrap();
    let own = bitcoin::ScriptBuf::from_hex(info["scriptPubKey"].as_str().unwrap()).unwrap();
    let mut last = root;
    for _ in 0..24 {
        let mut tx = to_nobody(last.outpoint, last.value - 200);
        tx.output[0].script_pubkey = own.clone();
        let tx = sign(&wallet, &tx).await;
        push(&bench, &tx).await.unwrap();
        last = coin_of(&tx, &own);
    }
    let mut funding = to_nobody(last.outpoint, 0);
    let place = witness_script(&stage).to_p2wsh();
    funding.output = vec![
        TxOut { value: Sat::from_sat(1_000_000), script_pubkey: place },
        TxOut { value: Sat::from_sat(last.value - 1_000_300), script_pubkey: own },
    ];
    push(&bench, &sign(&wallet, &funding).await).await.unwrap();
    for _ in 0..3 {
        bench.chain.mine_only(&[]).await.unwrap();
        stage.poll().await;
        assert!(matches!(stage.bobs_view().status, LockStatus::Pending { depth: 0, .. }), "{:?}", stage.bobs_view());
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
    }
    push(&bench, &sign(&wallet, &to_nobody(root.outpoint, root.value - 100_000)).await).await.unwrap();
    stage.poll().await;
    assert_eq!(stage.bobs_view(), Sighting::absent());
    stage.finish().await;
    assert_eq!(stage.bobs_view(), Sighting::absent());
    assert_eq!(bench.journal(Who::Bob).rows(stage.redeem().intent()).len(), 0);
}

/// C20: a funding that signs without witnesses is mined under another id than the one that was seen: anybody can change
/// that. The lock is followed by its script, and redeemed.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_was_given_another_id_on_its_way_is_the_same_lock() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    let wallet = bench.chain.create_wallet("malleable").await.unwrap();
    let old: String = wallet.rpc.get("getnewaddress", json!(["", "legacy"])).await.unwrap();
    bench.chain.faucet(&old, 2_000_000).await.unwrap();
    let coin = coins_of(&wallet).await.remove(0);
    let mut tx = to_nobody(coin.outpoint, 1_000_000);
    tx.output[0].script_pubkey = witness_script(&stage).to_p2wsh();
    let seen = sign(&wallet, &tx).await;
    push(&bench, &seen).await.unwrap();
    stage.poll().await;
    let LockStatus::Pending { txid: before, depth: 0 } = stage.bobs_view().status else { panic!("{:?}", stage.bobs_view()) };
    // A byte that does nothing before the signature: not relayed, but a miner can put it in.
    let mut changed = seen.clone();
    changed.input[0].script_sig = bitcoin::ScriptBuf::from_bytes([&[0x61], seen.input[0].script_sig.as_bytes()].concat());
    let to = wallet.new_address().await.unwrap();
    bench.chain.call("generateblock", json!([to, [serialize_hex(&changed)]])).await.unwrap();
    stage.confirm().await;
    let LockStatus::Funded { txid: after, .. } = stage.bobs_view().status else { unreachable!() };
    assert_ne!(before, after);
    assert_eq!(stage.bobs_view().faults, []);
    stage.redeem_to_the_end().await;
    assert_eq!(stage.alice.ensure(&Act::Cancel { lock: stage.lock }).await, Ok(Progress::Done), "nothing was signed by Alice");
}
