//! Two spends of one output: mined and unmined, pushing each other out, or waiting for each other for ever.

use super::mallory::{Coin, Spend, coins_of, locked_coin, push, sign, to_nobody};
use super::{both, pool, sent};
use crate::bench::{Bench, ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::{UtxoBench, bitcoin, litecoin};
use bitcoin::Transaction;
use bitcoin::consensus::encode::deserialize;
use photon_chains::{LockStatus, Progress, Settlement, Sighting, SpendKind};
use photon_regtest::Unmined;

/// Miners take whatever pays more, whatever the chain's nodes relay.
async fn with_miners_that_replace(bench: &UtxoBench) {
    if !bench.can_replace() {
        bench.chain.node().restart_with(&["-mempoolreplacement=1"]).await.unwrap();
    }
}

async fn as_before(bench: &UtxoBench) {
    if !bench.can_replace() {
        bench.chain.node().restart_with(&[]).await.unwrap();
    }
}

fn spend_of(view: &Sighting) -> Option<(SpendKind, u32)> {
    view.spend.map(|spend| (spend.kind, spend.depth))
}

/// C1, C2, C3: a funding is unmined at every depth, and its coin goes elsewhere. It counts only while its block does, and
/// no secret is shown for it once it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_is_unmined_and_double_spent_is_nothing() {
    for bench in both().await {
        with_miners_that_replace(&bench).await;
        let timing = *Stage::new(&bench).await.bob.timing();
        for depth in 1..=timing.confirmations {
            let stage = Stage::new(&bench).await;
            stage.fund().await;
            stage.mine(depth).await;
            let is_funded = matches!(stage.bobs_view().status, LockStatus::Funded { .. });
            assert_eq!(is_funded, depth >= timing.confirmations, "at {depth}");
            bench.chain.reorg(u64::from(depth), Unmined::LeftOut).await.unwrap();
            stage.poll().await;
            assert!(matches!(stage.bobs_view().status, LockStatus::Pending { depth: 0, .. }), "{:?}", stage.bobs_view());
            assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet), "a secret for what may vanish");
            let (funding, _) = bench.journal(Who::Alice).rows(stage.fund_act().intent()).remove(0);
            let wallet = bench.chain.wallet("conformance-alice");
            let tx: Transaction = deserialize(&funding.raw).unwrap();
            let paid: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
            let elsewhere = sign(&wallet, &to_nobody(tx.input[0].previous_output, paid - 100_000)).await;
            push(&bench, &elsewhere).await.unwrap();
            stage.poll().await;
            assert_eq!(stage.bobs_view(), Sighting::absent(), "in the mempool already");
            stage.finish().await;
            assert_eq!(stage.bobs_view(), Sighting::absent());
            assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
            assert_eq!(bench.journal(Who::Bob).rows(stage.redeem().intent()).len(), 0);
            let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
            assert!(rows.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{rows:?}");
        }
        as_before(&bench).await;
    }
}

/// C4, C5: after the expiry a redeem and a refund are both good. Whichever was mined is unmined at every depth, and the
/// other mined in its place: only the one at final depth ends the lock, and a secret that was seen stays known.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_spend_at_final_depth_decides_whichever_was_mined_before() {
    for bench in both().await {
        with_miners_that_replace(&bench).await;
        for first in [SpendKind::Redeem, SpendKind::Refund] {
            let last = Stage::new(&bench).await.bob.timing().final_confirmations;
            for depth in 1..last {
                one_is_unmined_and_the_other_mined(&bench, first, depth).await;
            }
        }
        as_before(&bench).await;
    }
}

async fn one_is_unmined_and_the_other_mined(bench: &UtxoBench, first: SpendKind, depth: u32) {
    let stage = Stage::new(bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    let coin = locked_coin(bench, &stage).await;
    let (mine, theirs, rival) = match first {
        SpendKind::Redeem => (stage.bob.clone(), stage.redeem(), Spend::refund(&stage, coin, 400_000)),
        SpendKind::Refund => (stage.alice.clone(), stage.refund(), Spend::redeem(&stage, coin, 400_000)),
    };
    sent(mine.ensure(&theirs).await);
    stage.mine(depth).await;
    assert_eq!(spend_of(&stage.bobs_view()), Some((first, depth)), "not final");
    assert!(matches!(mine.ensure(&theirs).await, Ok(Progress::Mined { depth: seen, .. }) if seen == depth));
    bench.chain.reorg(u64::from(depth), Unmined::LeftOut).await.unwrap();
    stage.poll().await;
    assert_eq!(spend_of(&stage.bobs_view()), Some((first, 0)), "it waits again");
    sent(mine.ensure(&theirs).await);
    let other = push(bench, &rival.signed()).await.unwrap();
    stage.mine(1).await;
    let second = if first == SpendKind::Redeem { SpendKind::Refund } else { SpendKind::Redeem };
    for port in [&stage.alice, &stage.bob] {
        let view = port.look(stage.lock.id()).unwrap();
        assert_eq!((spend_of(&view), view.is_over()), (Some((second, 1)), false));
        assert_eq!(view.secret, Some(stage.secret.clone()), "whichever won, it was public");
    }
    assert_eq!(mine.ensure(&theirs).await, Ok(Progress::NotYet), "it may yet turn again");
    stage.finish().await;
    let status = stage.alices_view().status;
    match second {
        SpendKind::Redeem => assert!(matches!(status, LockStatus::Redeemed { txid, .. } if txid == other), "{status:?}"),
        SpendKind::Refund => assert!(matches!(status, LockStatus::Refunded { txid, .. } if txid == other), "{status:?}"),
    }
    assert_eq!(mine.ensure(&theirs).await, Ok(Progress::Done), "nothing is left to do");
    let rows = bench.journal(if first == SpendKind::Redeem { Who::Bob } else { Who::Alice }).rows(theirs.intent());
    assert!(rows.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{rows:?}");
}

/// C9, replacement cycling (CVE-2023-40231): Mallory's late redeem, which stands on a coin of his too, pushes the refund out
/// of the mempool; then he spends that coin elsewhere, and the redeem is gone as well. No block shows anything. The secret
/// was seen all the same, and the refund comes back each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_cycled_out_comes_back_and_the_secret_is_known() {
    let Some(bench) = bitcoin().await else { return };
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    let locked = locked_coin(&bench, &stage).await;
    let wallet = bench.chain.wallet("conformance-bob");
    let refund = sent(stage.alice.ensure(&stage.refund()).await);
    let coins: Vec<Coin> = coins_of(&wallet).await;
    let fee = 4 * bench.journal(Who::Alice).rows(stage.refund().intent())[0].0.fee.units() as u64;
    for coin in coins.iter().take(10) {
        let redeem = Spend { also: Some(*coin), ..Spend::redeem(&stage, locked, fee) };
        push(&bench, &sign(&wallet, &redeem.signed()).await).await.unwrap();
        assert!(!pool(&bench.chain).await.contains(&refund.to_string()), "the refund is out");
        stage.alice.poll().await.unwrap();
        assert_eq!(spend_of(&stage.alices_view()), Some((SpendKind::Redeem, 0)));
        push(&bench, &sign(&wallet, &to_nobody(coin.outpoint, coin.value - 4 * fee)).await).await.unwrap();
        stage.alice.poll().await.unwrap();
        assert_eq!(spend_of(&stage.alices_view()), None, "nothing spends it, as far as anybody can see");
        assert_eq!(stage.alices_view().secret, Some(stage.secret.clone()), "Alpha can be redeemed");
        assert_eq!(sent(stage.alice.ensure(&stage.refund()).await), refund, "and the refund is there again");
    }
    // The last one is not taken away, only outbid: so is it.
    push(&bench, &Spend::redeem(&stage, locked, fee).signed()).await.unwrap();
    stage.alice.poll().await.unwrap();
    let mut progress = Progress::NotYet;
    for _ in 0..3 {
        progress = stage.alice.ensure(&stage.refund()).await.unwrap();
        stage.alice.poll().await.unwrap();
    }
    assert!(matches!(progress, Progress::Sent { txid } if txid != refund), "{progress:?}");
    stage.finish().await;
    assert!(matches!(stage.alices_view().status, LockStatus::Refunded { .. }));
}

/// C10: where the first seen stays, a redeem at the least fee keeps the refund out for as long as it waits. It shows the
/// secret; the refund is not signed again and again in vain.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_pins_the_refund_out_shows_the_secret() {
    let Some(bench) = litecoin().await else { return };
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    let pin = push(&bench, &Spend::redeem(&stage, locked_coin(&bench, &stage).await, 150).signed()).await.unwrap();
    for _ in 0..3 {
        bench.chain.mine_only(&[]).await.unwrap();
        stage.poll().await;
        assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::NotYet));
        assert_eq!(stage.alices_view().secret, Some(stage.secret.clone()));
    }
    assert_eq!(pool(&bench.chain).await, [pin.to_string()]);
    assert_eq!(bench.journal(Who::Alice).rows(stage.refund().intent()).len(), 1);
    stage.finish().await;
    assert!(matches!(stage.alices_view().status, LockStatus::Redeemed { .. }));
    assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done));
}
