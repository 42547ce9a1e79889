//! Sizes, fees, and transactions that replace each other.

use super::{address_of, paying_to, pool, sent, vsize};
use crate::bench::{Bench, ChainBench, OpenBench, Who};
use crate::journal::MemoryJournal;
use crate::stage::Stage;
use crate::utxo::calm::{bitcoin, both, litecoin};
use photon_chains::{Act, Amount, IntentKey, LockStatus, Port, Progress, Purpose, Settlement, SignedTx};
use photon_utxo::{UtxoAdapter, UtxoConfig};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn real_nodes_measure_the_sizes_of_the_table() {
    for bench in both().await {
        let (stage, later) = (Stage::new(&bench).await, Stage::new(&bench).await);
        for lock in [&stage, &later] {
            let funding = sent(lock.alice.ensure(&lock.fund_act()).await);
            assert_eq!(vsize(&bench.chain, funding).await, 153, "one coin in, the lock and change out");
        }
        stage.confirm().await;
        later.poll().await;
        assert_eq!(vsize(&bench.chain, sent(stage.bob.ensure(&stage.redeem()).await)).await, 143);
        bench.pass_time_until(later.lock.expiry.opens_time).await;
        later.poll().await;
        assert_eq!(vsize(&bench.chain, sent(later.alice.ensure(&later.refund()).await)).await, 134);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spends_to_taproot_have_their_sizes_too() {
    let Some(bench) = bitcoin().await else { return };
    let (stage, later) = (Stage::new(&bench).await, Stage::new(&bench).await);
    stage.fund().await;
    later.fund().await;
    stage.confirm().await;
    let to =
        address_of(&bench.chain, &format!("5120{}", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")).await;
    let bob = paying_to(&bench, &stage, Who::Bob, to.clone()).await;
    assert_eq!(vsize(&bench.chain, sent(bob.ensure(&stage.redeem()).await)).await, 155);
    bench.pass_time_until(later.lock.expiry.opens_time).await;
    let alice = paying_to(&bench, &later, Who::Alice, to).await;
    assert_eq!(vsize(&bench.chain, sent(alice.ensure(&later.refund()).await)).await, 146);
}

/// C8: by another in its place where replacements are relayed, else by children, each on the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_blocks_pass_by_is_raised_the_way_the_chain_allows() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        let mut bids = vec![sent(stage.bob.ensure(&stage.redeem()).await)];
        for _ in 0..3 {
            for _ in 0..2 {
                bench.chain.mine_only(&[]).await.unwrap();
            }
            stage.poll().await;
            bids.push(sent(stage.bob.ensure(&stage.redeem()).await));
            assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Sent { txid: bids[bids.len() - 1] }));
        }
        bids.dedup();
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        let written: Vec<SignedTx> = rows.into_iter().map(|(tx, _)| tx).collect();
        assert_eq!(written.len(), 4, "each was written down before it was sent");
        let mut waiting = pool(&bench.chain).await;
        waiting.sort();
        if bench.can_replace() {
            assert_eq!(bids, written.iter().map(|tx| tx.txid).collect::<Vec<_>>());
            assert!(written.windows(2).all(|pair| raised_by_a_quarter(&pair[0], &pair[1])), "{written:?}");
            assert_eq!(waiting, [written[3].txid.to_string()]);
        } else {
            assert_eq!(bids, [written[0].txid], "one spend of the lock, ever");
            assert!(written.windows(2).all(|pair| pair[1].inputs == [format!("{}:0", pair[0].txid)]), "{written:?}");
            let mut all: Vec<String> = written.iter().map(|tx| tx.txid.to_string()).collect();
            all.sort();
            assert_eq!(waiting, all, "and a chain of children");
        }
        stage.finish().await;
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        let mined = |end: &Option<Settlement>| matches!(end, Some(Settlement::Mined { succeeded: true, .. }));
        let (last, before) = rows.split_last().unwrap();
        assert!(mined(&last.1), "{rows:?}");
        let all_mined = before.iter().all(|(_, end)| mined(end));
        let all_replaced = before.iter().all(|(_, end)| *end == Some(Settlement::Replaced));
        assert_eq!((all_replaced, all_mined), (bench.can_replace(), !bench.can_replace()), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_blocks_pass_by_is_raised_out_of_its_change_and_can_still_be_cancelled() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    let mut bids = vec![sent(stage.alice.ensure(&stage.fund_act()).await)];
    for _ in 0..2 {
        for _ in 0..2 {
            bench.chain.mine_only(&[]).await.unwrap();
        }
        stage.poll().await;
        bids.push(sent(stage.alice.ensure(&stage.fund_act()).await));
    }
    bids.dedup();
    assert_eq!(bids.len(), 3);
    assert_eq!(pool(&bench.chain).await, [bids[2].to_string()]);
    stage.poll().await;
    let view = stage.bobs_view();
    assert!(matches!(view.status, LockStatus::Pending { depth: 0, txid } if txid == bids[2]) && view.faults.is_empty());
    let cancel = Act::Cancel { lock: stage.lock };
    let cancelled = sent(stage.alice.ensure(&cancel).await);
    assert_eq!(pool(&bench.chain).await, [cancelled.to_string()]);
    stage.finish().await;
    assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::Done));
    let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
    assert!(rows.len() == 3 && rows.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{rows:?}");
}

/// Many swaps begin at the same moment, out of a wallet with a single coin.
#[tokio::test(flavor = "multi_thread")]
async fn fundings_at_the_same_moment_share_no_coin() {
    for bench in both().await {
        let name = "conformance-one-coin";
        let wallet = bench.chain.create_wallet(name).await.unwrap();
        bench.chain.faucet_split(&wallet, 50 * 1_000_000, 1).await.unwrap();
        let journal = Arc::new(MemoryJournal::default());
        let config = UtxoConfig { wallet: Some(name.to_owned()), ..bench.config(Who::Alice) };
        let port = Arc::new(UtxoAdapter::connect(config, journal.clone()).await.unwrap());
        let mut stages = Vec::new();
        for _ in 0..12 {
            let stage = Stage::new(&bench).await;
            port.watch(&stage.lock, stage.since);
            stages.push(stage);
        }
        port.poll().await.unwrap();
        let tasks: Vec<_> = stages
            .iter()
            .map(|stage| {
                let (port, act) = (port.clone(), stage.fund_act());
                tokio::spawn(async move { port.ensure(&act).await })
            })
            .collect();
        for task in tasks {
            sent(task.await.unwrap());
        }
        bench.mine(3).await;
        port.poll().await.unwrap();
        for stage in &stages {
            stage.poll().await;
            let view = stage.bobs_view();
            assert!(matches!(view.status, LockStatus::Funded { .. }) && view.faults.is_empty(), "{view:?}");
        }
        assert_eq!(journal.len(), 12);
    }
}

/// One funding pays out of another's change; the first is cancelled. The second falls with it, and comes again from other coins.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_stood_on_a_cancelled_one_is_made_anew() {
    let Some(bench) = bitcoin().await else { return };
    let name = "conformance-change";
    let wallet = bench.chain.create_wallet(name).await.unwrap();
    bench.chain.faucet_split(&wallet, 50 * 1_000_000, 1).await.unwrap();
    let journal = Arc::new(MemoryJournal::default());
    let config = UtxoConfig { wallet: Some(name.to_owned()), ..bench.config(Who::Alice) };
    let port = UtxoAdapter::connect(config, journal.clone()).await.unwrap();
    let (first, second) = (Stage::new(&bench).await, Stage::new(&bench).await);
    for stage in [&first, &second] {
        port.watch(&stage.lock, stage.since);
        port.poll().await.unwrap();
        sent(port.ensure(&stage.fund_act()).await);
    }
    let cancel = Act::Cancel { lock: first.lock };
    let mut progress = Progress::NotYet;
    for _ in 0..8 {
        port.poll().await.unwrap();
        progress = port.ensure(&cancel).await.unwrap();
    }
    assert!(matches!(progress, Progress::Sent { .. }), "{progress:?}");
    assert_eq!(pool(&bench.chain).await.len(), 1, "both fundings are gone");
    assert_eq!(port.ensure(&second.fund_act()).await, Ok(Progress::NotYet));
    bench.mine(3).await;
    port.poll().await.unwrap();
    assert_eq!(port.ensure(&cancel).await, Ok(Progress::Done));
    sent(port.ensure(&second.fund_act()).await);
    bench.mine(3).await;
    second.poll().await;
    first.poll().await;
    assert!(matches!(second.bobs_view().status, LockStatus::Funded { .. }) && second.bobs_view().faults.is_empty());
    assert_eq!(first.bobs_view().status, LockStatus::Absent);
}

fn raised_by_a_quarter(last: &SignedTx, next: &SignedTx) -> bool {
    last.inputs == next.inputs && next.fee.units() * 4 >= last.fee.units() * 5
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_redeem_outbids_a_refund_that_waits_where_replacements_are_relayed() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        bench.pass_time_until(stage.lock.expiry.opens_time).await;
        stage.poll().await;
        sent(stage.alice.ensure(&stage.refund()).await);
        stage.poll().await;
        let mut progress = Progress::NotYet;
        for _ in 0..5 {
            progress = stage.bob.ensure(&stage.redeem()).await.unwrap();
        }
        assert_eq!(matches!(progress, Progress::Sent { .. }), bench.can_replace(), "{progress:?}");
        stage.finish().await;
        let status = stage.alices_view().status;
        assert_eq!(matches!(status, LockStatus::Redeemed { .. }), bench.can_replace(), "{status:?}");
        assert_eq!(matches!(status, LockStatus::Refunded { .. }), !bench.can_replace(), "{status:?}");
        // Whoever lost knows that there is nothing left to do.
        assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done));
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Done));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_at_a_locks_place_is_taken_back_if_it_is_worth_its_fee() {
    let (Some(btc), Some(ltc)) = (bitcoin().await, litecoin().await) else { return };
    for (bench, extra, size) in [(&btc, 1_000, 134), (&btc, 50_000, 227), (&ltc, 50_000, 227)] {
        let stage = Stage::new(bench).await;
        stage.fund().await;
        bench.pay_outside(&stage.lock, Amount::from_units(extra)).await;
        stage.confirm().await;
        assert_eq!(stage.bobs_view().faults, [photon_chains::Fault::WrongAmount]);
        bench.pass_time_until(stage.lock.expiry.opens_time).await;
        stage.poll().await;
        let refund = sent(stage.alice.ensure(&stage.refund()).await);
        assert_eq!(vsize(&bench.chain, refund).await, size);
        stage.finish().await;
        assert!(matches!(stage.alices_view().status, LockStatus::Refunded { .. }));
        assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done));
        let rows = bench.journal(Who::Alice).rows(IntentKey::new(Purpose::Refund, stage.lock.id()));
        assert_eq!(rows.len(), 1);
    }
}
