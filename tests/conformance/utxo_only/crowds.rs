//! Full blocks, full mempools, and fees that rise while a claim waits.

use super::mallory::{coins_of, push, sign, to_nobody};
use super::{address_of, both, paying_to, pool, sent};
use crate::bench::{Bench, ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::{UtxoBench, bitcoin, litecoin};
use bitcoin::{Amount as Sat, ScriptBuf, TxOut};
use photon_chains::{Act, Ledger, LockStatus, Progress, Settlement, SignedTx};
use photon_regtest::world::UtxoWallet;
use std::collections::HashSet;

/// Blocks with room for four strangers and no more. Each node counts its own reserve into the limit.
fn small_blocks(bench: &UtxoBench, stranger: u64) -> String {
    let reserve = match bench.ledger {
        Ledger::Bitcoin => 8_000,
        _ => 4_000,
    };
    format!("-blockmaxweight={}", reserve + 4 * stranger + 100)
}

/// Strangers with that many coins, worth more than the lock: some miners put one transaction first for the age of its coins.
async fn crowd(bench: &UtxoBench, coins: u32) -> UtxoWallet {
    let wallet = bench.chain.create_wallet(&format!("crowd-{coins}")).await.unwrap();
    bench.chain.faucet_split(&wallet, 20_000_000 * u64::from(coins), coins).await.unwrap();
    wallet
}

/// The weight of one payment of theirs.
async fn weight(wallet: &UtxoWallet) -> u64 {
    let coin = coins_of(wallet).await.remove(0);
    sign(wallet, &to_nobody(coin.outpoint, coin.value)).await.weight().to_wu()
}

/// One payment from each of their coins, at that rate (per thousand virtual bytes).
async fn crowd_in(bench: &UtxoBench, wallet: &UtxoWallet, rate: u64) -> HashSet<String> {
    let mut txids = HashSet::new();
    let fee = weight(wallet).await.div_ceil(4) * rate / 1000;
    for coin in coins_of(wallet).await {
        let tx = sign(wallet, &to_nobody(coin.outpoint, coin.value - fee)).await;
        txids.insert(push(bench, &tx).await.unwrap().to_string());
    }
    txids
}

fn fees(rows: &[(SignedTx, Option<Settlement>)], mined: bool) -> u128 {
    let counts = |end: &Option<Settlement>| !mined || matches!(end, Some(Settlement::Mined { .. }));
    rows.iter().filter(|(_, end)| counts(end)).map(|(tx, _)| tx.fee.units()).sum()
}

/// C7, C8: strangers pay more than our first bid and fill four blocks and more; no block is empty enough for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_full_blocks_leave_out_climbs_until_it_is_mined() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        let wallet = crowd(&bench, 60).await;
        bench.chain.node().restart_with(&[&small_blocks(&bench, weight(&wallet).await)]).await.unwrap();
        stage.poll().await;
        sent(stage.bob.ensure(&stage.redeem()).await);
        let bid = bench.journal(Who::Bob).rows(stage.redeem().intent())[0].0.fee.units() as u64;
        let strangers = crowd_in(&bench, &wallet, bid * 1000 / 143 * 9 / 5).await;
        let mut blocks = 0;
        while !matches!(stage.bob.ensure(&stage.redeem()).await.unwrap(), Progress::Mined { .. }) {
            blocks += 1;
            assert!(blocks < 12, "still not mined");
            stage.mine(1).await;
        }
        let left: HashSet<String> = pool(&bench.chain).await.into_iter().collect();
        let waiting = left.intersection(&strangers).count();
        assert!(blocks > 1 && waiting > 5, "{}: mined after {blocks} blocks, {waiting} strangers left", bench.ledger);
        bench.chain.node().restart_with(&[]).await.unwrap();
        stage.finish().await;
        stage.mine(20).await;
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        assert!(rows.len() > 1, "{rows:?}");
        assert!(fees(&rows, true) * 10 <= bench.amount().units(), "at most a tenth of it: {rows:?}");
        let spends = rows.iter().filter(|(tx, _)| tx.inputs == rows[0].0.inputs).count();
        assert_eq!(spends, if bench.can_replace() { rows.len() } else { 1 }, "where nothing is replaced nothing is tried");
        if !bench.can_replace() {
            assert!(rows.iter().all(|(_, end)| matches!(end, Some(Settlement::Mined { .. }))), "children too: {rows:?}");
        }
    }
}

/// C12: the node raises what it takes above what we bid, and drops our redeem; it is noticed, and bid anew above that.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_below_a_raised_floor_is_bid_anew() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        bench.chain.node().restart_with(&[]).await.unwrap();
        // To an outside address: the node's wallet would bring its own back by itself.
        let outside = address_of(&bench.chain, &format!("0014{}", "ab".repeat(20))).await;
        let bob = paying_to(&bench, &stage, Who::Bob, outside).await;
        let first = sent(bob.ensure(&stage.redeem()).await);
        bench.chain.node().restart_with(&["-minrelaytxfee=0.0005"]).await.unwrap();
        assert_eq!(pool(&bench.chain).await, Vec::<String>::new(), "it is out");
        bob.poll().await.unwrap();
        let anew = sent(bob.ensure(&stage.redeem()).await);
        assert_ne!(anew, first);
        assert_eq!(pool(&bench.chain).await, [anew.to_string()]);
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        assert!(rows.len() == 2 && rows[1].0.fee.units() >= 143 * 50, "{rows:?}");
        bench.chain.node().restart_with(&[]).await.unwrap();
        stage.finish().await;
        assert!(matches!(stage.alices_view().status, LockStatus::Redeemed { txid, .. } if txid == anew));
        bob.poll().await.unwrap();
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        assert_eq!(rows[0].1, Some(Settlement::Replaced));
    }
}

/// C12: the node's mempool is small and gets flooded: our refund is pushed out of it, and comes back with a bid above what
/// the flood made the least.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_a_flood_pushes_out_comes_back() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    let wallet = bench.chain.create_wallet("flood").await.unwrap();
    bench.chain.faucet_split(&wallet, 60 * 4_000_000, 60).await.unwrap();
    stage.poll().await;
    bench.chain.node().restart_with(&["-maxmempool=1", "-limitdescendantsize=20", "-limitancestorsize=20"]).await.unwrap();
    let outside = address_of(&bench.chain, &format!("0014{}", "cd".repeat(20))).await;
    let alice = paying_to(&bench, &stage, Who::Alice, outside).await;
    let first = sent(alice.ensure(&stage.refund()).await);
    flood(&bench, &wallet, &first.to_string()).await;
    alice.poll().await.unwrap();
    let anew = sent(alice.ensure(&stage.refund()).await);
    assert_ne!(anew, first);
    assert!(pool(&bench.chain).await.contains(&anew.to_string()));
    bench.chain.node().restart_with(&[]).await.unwrap();
    for _ in 0..8 {
        stage.mine(1).await;
    }
    assert!(matches!(stage.bobs_view().status, LockStatus::Refunded { .. }), "{:?}", stage.bobs_view());
}

/// Large transactions at a hundred times the relay fee and more, until that one is gone.
async fn flood(bench: &UtxoBench, wallet: &UtxoWallet, victim: &str) {
    for (n, coin) in (0u32..).zip(coins_of(wallet).await) {
        let mut tx = to_nobody(coin.outpoint, coin.value);
        let script = |output: u32| ScriptBuf::from_hex(&format!("0014{n:08x}{output:08x}{}", "00".repeat(12))).unwrap();
        tx.output = (0..600).map(|output| TxOut { value: Sat::from_sat(1_000), script_pubkey: script(output) }).collect();
        let tx = sign(wallet, &tx).await;
        // The one that finds no room any more has pushed out what paid less.
        let pushed = push(bench, &tx).await;
        assert!(pushed.is_ok() || pushed == Err("mempool full".to_owned()), "{pushed:?}");
        if !pool(&bench.chain).await.contains(&victim.to_owned()) {
            return;
        }
    }
    panic!("the flood was too small");
}

/// C14: where the nodes relay no replacement, a funding that has become useless is not left to linger: children carry it
/// into a block while there is time, and it is refunded like any lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_useless_funding_that_can_not_be_replaced_is_carried_in_and_refunded() {
    let Some(bench) = litecoin().await else { return };
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    let cancel = Act::Cancel { lock: stage.lock };
    for _ in 0..2 {
        bench.chain.mine_only(&[]).await.unwrap();
        bench.chain.mine_only(&[]).await.unwrap();
        stage.poll().await;
        assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::NotYet), "it is not cancelled while nodes hold it");
    }
    assert_eq!(bench.journal(Who::Alice).rows(cancel.intent()).len(), 0);
    let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
    assert_eq!((rows.len(), pool(&bench.chain).await.len()), (3, 3), "{rows:?}");
    assert!(rows[1].0.inputs[0].starts_with(&rows[0].0.txid.to_string()) && rows[1].0.fee > rows[0].0.fee, "{rows:?}");
    stage.confirm().await;
    assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::NotYet));
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    sent(stage.alice.ensure(&stage.refund()).await);
    stage.finish().await;
    assert!(matches!(stage.alices_view().status, LockStatus::Refunded { .. }));
}

/// C14: on Bitcoin the cancel is over only once what takes the funding's coins is final; until then it may come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_over_only_at_final_depth() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.poll().await;
    let cancel = Act::Cancel { lock: stage.lock };
    let cancelled = sent(stage.alice.ensure(&cancel).await);
    let last = stage.alice.timing().final_confirmations;
    for depth in 1..last {
        stage.mine(1).await;
        assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::Mined { txid: cancelled, depth }));
    }
    // It is unmined again, at the last moment: the cancel is sent again, and still not over.
    bench.reorg(last - 1).await;
    stage.poll().await;
    let again = sent(stage.alice.ensure(&cancel).await);
    assert_eq!(pool(&bench.chain).await, [again.to_string()], "and the funding is not there");
    stage.finish().await;
    assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::Done));
    assert_eq!(stage.bobs_view().status, LockStatus::Absent);
}
