//! Miners who forge their clocks: the refund opens by the median of eleven blocks, and by nothing else.

use super::mallory::{Spend, locked_coin, push};
use super::{both, sent};
use crate::bench::{ChainBench, Who};
use crate::stage::Stage;
use crate::utxo::UtxoBench;
use photon_chains::{LockStatus, Progress};

const TWO_HOURS: u64 = 7_200;

/// Mines a block that is stamped so.
async fn mine_at(bench: &UtxoBench, unix_secs: u64) {
    bench.chain.set_mock_time(unix_secs).await.unwrap();
    bench.chain.mine(1).await.unwrap();
}

/// Mines until no block that counts is stamped later than the last: for the next story.
async fn level(bench: &UtxoBench) {
    bench.chain.mine(11).await.unwrap();
}

/// C15: blocks stamped two hours ahead, as far as a miner may go, open it with the sixth and not before; and no earlier than
/// by the rule itself: the node refuses the refund as long as the adapter does.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_opens_when_the_median_passes_its_expiry_and_not_a_block_before() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        let (expiry, coin) = (stage.lock.expiry.opens_time.secs(), locked_coin(&bench, &stage).await);
        let by_hand = Spend::refund(&stage, coin, 5_000).signed();
        // A quiet time first, so that the last eleven blocks all lie before it.
        for n in 0..11 {
            mine_at(&bench, expiry - TWO_HOURS / 4 + n).await;
        }
        for forged in 1..=6 {
            stage.poll().await;
            assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::NotYet), "{forged}");
            assert_eq!(push(&bench, &by_hand).await.unwrap_err(), "non-final", "{forged}");
            // Two hours after what honest clocks say.
            mine_at(&bench, expiry - TWO_HOURS / 4 + TWO_HOURS).await;
        }
        let tip = stage.tip().await;
        assert!(tip.lock_clock.secs() > expiry && tip.time.secs() >= tip.lock_clock.secs());
        stage.poll().await;
        sent(stage.alice.ensure(&stage.refund()).await);
        stage.finish().await;
        assert!(matches!(stage.bobs_view().status, LockStatus::Refunded { .. }));
        level(&bench).await;
    }
}

/// C15: six blocks stamped with the expiry itself hold the median there for five more, however late those are: equal is not
/// past. The redeem is good all the while.
#[tokio::test(flavor = "multi_thread")]
async fn a_median_that_is_held_back_keeps_the_refund_shut_and_the_redeem_open() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        let expiry = stage.lock.expiry.opens_time.secs();
        for _ in 0..6 {
            mine_at(&bench, expiry).await;
        }
        // Five honest blocks, two hours later, change nothing.
        for _ in 0..5 {
            mine_at(&bench, expiry + TWO_HOURS).await;
            let tip = stage.tip().await;
            assert!(tip.time.secs() >= expiry + TWO_HOURS && tip.lock_clock.secs() == expiry, "{tip:?}");
            stage.poll().await;
            assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::NotYet));
        }
        assert_eq!(bench.journal(Who::Alice).rows(stage.refund().intent()).len(), 0);
        sent(stage.bob.ensure(&stage.redeem()).await);
        stage.finish().await;
        assert!(matches!(stage.alices_view().status, LockStatus::Redeemed { .. }));
        level(&bench).await;
    }
}
