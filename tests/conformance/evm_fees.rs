//! What ledgers with accounts go through when blocks are dear or full, the node forgets, or its answer is lost.

use crate::bench::{Bench, ChainBench, Who};
use crate::evm::{EvmBench, ethereum, mallory, smt};
use crate::stage::{Stage, fresh_id};
use photon_chains::{Act, Amount, IntentKey, LockStatus, PortError, Progress, Purpose, Settlement, SignedTx};
use photon_regtest::world::EvmChain;
use serde_json::{Value, json};

const GWEI: u64 = 1_000_000_000;

/// A story on Ethereum alone.
macro_rules! on {
    ($bench:path) => {
        match $bench().await {
            Some(bench) => bench,
            None => return,
        }
    };
}

async fn funded<'a>(bench: &'a EvmBench, amount: Amount) -> Stage<'a> {
    let stage = Stage::with_amount(bench, amount).await;
    stage.fund().await;
    stage.confirm().await;
    stage
}

fn redeem_rows(bench: &EvmBench, stage: &Stage<'_>) -> Vec<(SignedTx, Option<Settlement>)> {
    bench.journal(Who::Bob).rows(IntentKey::new(Purpose::Redeem, stage.lock.id()))
}

/// The transaction as the node shows it; null where the node does not have it.
async fn shown(chain: &EvmChain, tx: &SignedTx) -> Value {
    chain.call("eth_getTransactionByHash", json!([format!("0x{}", tx.txid)])).await.unwrap()
}

fn quantity(value: &Value) -> u128 {
    u128::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

async fn send_raw(chain: &EvmChain, tx: &SignedTx) -> bool {
    chain.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(&tx.raw))])).await.is_ok()
}

/// Empty blocks, until the base fee is what it was: each lets it fall by an eighth.
async fn calm_down(bench: &EvmBench) {
    bench.mine(60).await;
}

async fn is_redeemed(stage: &Stage<'_>) -> bool {
    stage.poll().await;
    matches!(stage.alices_view().status, LockStatus::Redeemed { .. })
}

/// Bob goes on as the core lets him: looks, ensures, and a block passes.
async fn redeem_within(bench: &EvmBench, stage: &Stage<'_>, blocks: u32) -> bool {
    for _ in 0..blocks {
        stage.bob.poll().await.unwrap();
        let _ = stage.bob.ensure(&stage.redeem()).await;
        bench.mine(1).await;
        if is_redeemed(stage).await {
            return true;
        }
    }
    false
}

/// One nonce, each bid at least an eighth above the one before.
fn is_a_ladder(rows: &[(SignedTx, Option<Settlement>)]) -> bool {
    rows.windows(2).all(|pair| {
        let [(before, _), (after, _)] = pair else { return false };
        before.nonce == after.nonce && after.fee.units() * 1000 >= before.fee.units() * 1125
    })
}

// C7
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_follows_a_base_fee_fifty_times_as_high() {
    let bench = on!(ethereum);
    let stage = funded(&bench, bench.amount()).await;
    stage.bob.ensure(&stage.redeem()).await.unwrap();
    let first = &redeem_rows(&bench, &stage)[0].0;
    let cap = quantity(&shown(&bench.chain, first).await["maxFeePerGas"]);
    // Its cap is eight base fees: fifty of them are more than six times as much.
    bench.chain.set_next_base_fee(u64::try_from(cap * 50 / 8).unwrap().max(100 * GWEI)).await.unwrap();
    bench.mine(1).await;
    assert!(!is_redeemed(&stage).await, "the first bid is priced out");
    assert!(redeem_within(&bench, &stage, 8).await, "{:?}", redeem_rows(&bench, &stage));
    let rows = redeem_rows(&bench, &stage);
    assert!(rows.len() >= 2 && is_a_ladder(&rows), "{rows:?}");
    calm_down(&bench).await;
}

// C7: no secret at a price at which nobody would mine it.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_costs_more_than_it_saves_shows_no_secret_until_blocks_are_cheaper() {
    let bench = on!(ethereum);
    let stage = funded(&bench, Amount::from_units(1_000_000_000_000_000)).await;
    bench.chain.set_next_base_fee(90 * GWEI).await.unwrap();
    bench.mine(1).await;
    stage.poll().await;
    assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
    assert_eq!(bench.journal(Who::Bob).len(), 0, "nothing was signed, so nothing was shown");
    calm_down(&bench).await;
    stage.poll().await;
    stage.redeem_to_the_end().await;
}

// C7: blocks with room for one, and somebody who bids more for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_climbs_until_it_finds_room_in_full_blocks() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = funded(&bench, bench.amount()).await;
        stage.bob.ensure(&stage.redeem()).await.unwrap();
        let first = shown(&bench.chain, &redeem_rows(&bench, &stage)[0].0).await;
        let bid = quantity(first.get("maxFeePerGas").filter(|bid| !bid.is_null()).unwrap_or(&first["gasPrice"]));
        let rival = json!({
            "from": mallory(&bench.chain).address, "to": mallory(&bench.chain).address, "gas": "0x2e630",
            "gasPrice": format!("{:#x}", bid * 6 / 5),
        });
        bench.chain.call("evm_setBlockGasLimit", json!(["0x30d40"])).await.unwrap();
        let mut waited = 0;
        while waited < 20 && !is_redeemed(&stage).await {
            bench.chain.call("eth_sendTransaction", json!([rival])).await.unwrap();
            let _ = stage.bob.ensure(&stage.redeem()).await;
            bench.mine(1).await;
            waited += 1;
        }
        bench.chain.call("evm_setBlockGasLimit", json!(["0x1c9c380"])).await.unwrap();
        let rows = redeem_rows(&bench, &stage);
        assert!((2..20).contains(&waited) && rows.len() >= 2 && is_a_ladder(&rows), "{waited} blocks, {rows:?}");
        bench.mine(4).await;
    }
}

// C7, C21: what stands in front of it climbs with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_at_the_nonce_before_does_not_hold_a_redeem_up() {
    let bench = on!(ethereum);
    let stage = funded(&bench, bench.amount()).await;
    let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".to_owned();
    let payment = Act::Send { id: fresh_id(), asset: bench.asset(), amount: Amount::from_units(7), to };
    stage.bob.ensure(&payment).await.unwrap();
    stage.bob.ensure(&stage.redeem()).await.unwrap();
    // Above all that a payment would ever bid for itself.
    bench.chain.set_next_base_fee(3000 * GWEI).await.unwrap();
    bench.mine(1).await;
    assert!(redeem_within(&bench, &stage, 8).await, "{:?}", redeem_rows(&bench, &stage));
    calm_down(&bench).await;
}

// C12
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_the_node_dropped_is_sent_again_unchanged() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = funded(&bench, bench.amount()).await;
        stage.bob.ensure(&stage.redeem()).await.unwrap();
        let tx = redeem_rows(&bench, &stage)[0].0.clone();
        assert!(bench.chain.drop_transaction(&format!("0x{}", tx.txid)).await.unwrap());
        assert!(shown(&bench.chain, &tx).await.is_null());
        stage.bob.poll().await.unwrap();
        assert!(!shown(&bench.chain, &tx).await.is_null(), "looking after the chain is enough");
        bench.chain.drop_transaction(&format!("0x{}", tx.txid)).await.unwrap();
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Sent { txid: tx.txid }));
        stage.finish().await;
        assert!(is_redeemed(&stage).await);
        assert_eq!(redeem_rows(&bench, &stage).len(), 1, "the same bytes");
    }
}

// C12, C21: nothing but the journal is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_outlives_a_restart_of_node_and_program_with_an_empty_pool() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = funded(&bench, bench.amount()).await;
        stage.bob.ensure(&stage.redeem()).await.unwrap();
        let tx = redeem_rows(&bench, &stage)[0].0.clone();
        bench.chain.restart().await.unwrap();
        assert!(shown(&bench.chain, &tx).await.is_null(), "the node has forgotten it");
        let bob = stage.reconnect(Who::Bob).await;
        assert_eq!(bob.ensure(&stage.redeem()).await, Ok(Progress::Sent { txid: tx.txid }));
        stage.finish().await;
        assert!(is_redeemed(&stage).await);
        assert_eq!(redeem_rows(&bench, &stage).len(), 1, "the same bytes");
    }
}

// F4: forwarded, and the answer lost; the node says that it knows it, or that its nonce is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_whose_answer_was_lost_is_never_signed_again() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        for mined_meanwhile in [false, true] {
            let stage = funded(&bench, bench.amount()).await;
            bench.journal(Who::Bob).crash_after_next_record();
            stage.bob.ensure(&stage.redeem()).await.unwrap_err();
            let tx = redeem_rows(&bench, &stage)[0].0.clone();
            assert!(send_raw(&bench.chain, &tx).await, "it got through");
            if mined_meanwhile {
                bench.mine(1).await;
            }
            assert!(!send_raw(&bench.chain, &tx).await, "a second time the node refuses it");
            let bob = stage.reconnect(Who::Bob).await;
            let progress = bob.ensure(&stage.redeem()).await;
            match progress {
                Ok(Progress::Sent { txid }) => assert!(txid == tx.txid && !mined_meanwhile),
                Ok(Progress::Mined { txid, depth: 1 }) => assert!(txid == tx.txid && mined_meanwhile),
                Ok(Progress::Mined { .. } | Progress::Done | Progress::NotYet) | Err(_) => panic!("{progress:?}"),
            }
            stage.finish().await;
            assert!(is_redeemed(&stage).await);
            assert_eq!(redeem_rows(&bench, &stage).len(), 1);
        }
    }
}

// F8: journaled, and the process died before it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_died_unsent_is_never_shown_once_it_takes_nothing() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = funded(&bench, bench.amount()).await;
        bench.journal(Who::Bob).crash_after_next_record();
        stage.bob.ensure(&stage.redeem()).await.unwrap_err();
        let tx = redeem_rows(&bench, &stage)[0].0.clone();
        let bob = stage.reconnect(Who::Bob).await;
        bench.mine(1).await;
        bob.poll().await.unwrap();
        assert!(shown(&bench.chain, &tx).await.is_null(), "only the core knows whether there is time");
        bench.pass_time_until(stage.lock.expiry.closes.unwrap()).await;
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".to_owned();
        let payment = Act::Send { id: fresh_id(), asset: bench.asset(), amount: Amount::from_units(7), to };
        let mut progress = Vec::new();
        while progress.len() < 20 && progress.last() != Some(&Ok(Progress::Done)) {
            bob.poll().await.unwrap();
            let late = bob.ensure(&stage.redeem()).await;
            assert!(matches!(late, Err(PortError::Refused { .. })), "{late:?}");
            assert!(shown(&bench.chain, &tx).await.is_null());
            progress.push(bob.ensure(&payment).await);
            bench.mine(1).await;
        }
        assert_eq!(progress.last(), Some(&Ok(Progress::Done)), "its nonce holds nothing up: {progress:?}");
        assert_eq!(redeem_rows(&bench, &stage).len(), 1, "and it was not signed again");
    }
}

// C14
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_was_not_mined_in_time_is_used_up_and_can_never_come() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    let funding = bench.journal(Who::Alice).rows(stage.fund_act().intent())[0].0.clone();
    // A block with room for one, and another takes it.
    bench.chain.call("evm_setBlockGasLimit", json!(["0x186a0"])).await.unwrap();
    let mallory = mallory(&bench.chain).address;
    let rival = json!({ "from": mallory, "to": mallory, "gas": "0x17318", "gasPrice": format!("{:#x}", 400 * GWEI) });
    bench.chain.call("eth_sendTransaction", json!([rival])).await.unwrap();
    bench.pass_time_until(stage.lock.expiry.lock_by.unwrap()).await;
    bench.chain.call("evm_setBlockGasLimit", json!(["0x1c9c380"])).await.unwrap();
    stage.poll().await;
    assert!(!shown(&bench.chain, &funding).await.is_null(), "it still waits");
    let late = stage.alice.ensure(&stage.fund_act()).await;
    assert!(matches!(late, Err(PortError::Refused { .. })), "{late:?}");
    bench.mine(1).await;
    stage.finish().await;
    assert_eq!(stage.bobs_view().status, LockStatus::Absent);
    let cancel = bench.journal(Who::Alice).rows(IntentKey::new(Purpose::Cancel, stage.lock.id()));
    assert!(matches!(cancel.last(), Some((_, Some(Settlement::Mined { succeeded: true, .. })))), "{cancel:?}");
    assert!(!send_raw(&bench.chain, &funding).await, "its nonce is gone");
    let again = stage.alice.ensure(&stage.fund_act()).await;
    assert!(matches!(again, Err(PortError::Refused { .. })), "{again:?}");
}

// C14: however much a funding bids, it can be outbid.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_bids_all_it_may_is_cancelled_all_the_same() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    // Eight of these are more than a funding may bid.
    bench.chain.set_next_base_fee(90 * GWEI).await.unwrap();
    bench.mine(1).await;
    stage.fund().await;
    let funding = bench.journal(Who::Alice).rows(stage.fund_act().intent())[0].0.clone();
    let sent = stage.alice.ensure(&Act::Cancel { lock: stage.lock }).await;
    assert!(matches!(sent, Ok(Progress::Sent { txid }) if txid != funding.txid), "{sent:?}");
    bench.mine(1).await;
    stage.finish().await;
    assert_eq!(stage.bobs_view().status, LockStatus::Absent);
    assert!(!send_raw(&bench.chain, &funding).await, "its nonce is gone");
    calm_down(&bench).await;
}

// C7: a bid leaves room for many full blocks only as far as the account can pay for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_bids_what_the_account_can_pay() {
    let bench = on!(ethereum);
    let stage = funded(&bench, bench.amount()).await;
    let bob = crate::evm::person(&bench.chain, Who::Bob).address;
    let before = bench.chain.balance_wei(bob).await.unwrap();
    bench.chain.call("anvil_setBalance", json!([bob, format!("{:#x}", 10_000_000_000_000_000u128)])).await.unwrap();
    bench.chain.set_next_base_fee(20 * GWEI).await.unwrap();
    bench.mine(1).await;
    let redeemed = redeem_within(&bench, &stage, 8).await;
    bench.chain.call("anvil_setBalance", json!([bob, format!("{before:#x}")])).await.unwrap();
    assert!(redeemed, "{:?}", redeem_rows(&bench, &stage));
    calm_down(&bench).await;
}
