//! What only ledgers with accounts and contracts can go through: nonces, allowances, decoys, the secret registry.

use crate::bench::{Bench, ChainBench, Who};
use crate::evm::{EvmBench, call_from, ethereum, mallory, person, silent_erc20, smt, taxing_erc20};
use crate::journal::MemoryJournal;
use crate::stage::{Stage, fresh_id, fresh_key};
use photon_chains::{
    Act, Address, Amount, Expiry, Fault, IntentKey, Lock, LockStatus, Party, Port, PortError, Progress, Purpose, Settlement,
    SpendKind, Template,
};
use photon_evm::{Contracts, EvmAdapter, EvmConfig, Network, NodeConfig};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// A story on Ethereum alone.
macro_rules! on {
    ($bench:path) => {
        match $bench().await {
            Some(bench) => bench,
            None => return,
        }
    };
}

fn payment(bench: &EvmBench) -> Act {
    let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".to_owned();
    Act::Send { id: fresh_id(), asset: bench.asset(), amount: Amount::from_units(7), to }
}

/// Polls and mines until the act is done; a score of blocks is enough for everything here.
async fn finish(bench: &EvmBench, port: &dyn Port, act: &Act) {
    let mut seen = Vec::new();
    for _ in 0..20 {
        port.poll().await.unwrap();
        let progress = port.ensure(act).await;
        if progress == Ok(Progress::Done) {
            return;
        }
        seen.push(progress);
        bench.mine(1).await;
    }
    panic!("{:?} is not done after twenty blocks: {seen:?}", act.intent());
}

fn contract_of(lock: &Lock) -> Address {
    match lock.template {
        Template::Htlc { contract, .. } => contract,
        Template::P2wsh | Template::Channel { .. } => panic!("no contract"),
    }
}

fn account(party: Party) -> String {
    match party {
        Party::Account(address) => address.to_string(),
        Party::Key(_) => panic!("no account"),
    }
}

/// `lock(preimageHash, claimAddress, timelock)` of these terms.
fn lock_call(lock: &Lock) -> String {
    let word = hex::encode(lock.expiry.word().unwrap());
    format!("0x0899146b{}{:0>64}{word}", lock.secret_hash, &account(lock.redeemer)[2..])
}

/// `claim(preimage, amount, claimAddress, refundAddress, timelock)` of these terms.
fn claim_call(lock: &Lock, secret: &[u8; 32]) -> String {
    let word = hex::encode(lock.expiry.word().unwrap());
    let (redeemer, refundee) = (account(lock.redeemer), account(lock.refundee));
    let amount = lock.amount.units();
    format!("0xcd413efa{}{amount:064x}{:0>64}{:0>64}{word}", hex::encode(secret), &redeemer[2..], &refundee[2..])
}

// C21
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_never_share_a_nonce() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let port = bench.connect(Who::Alice).await;
        let acts: Vec<_> = (0..12).map(|_| payment(&bench)).collect();
        let mut ensuring = tokio::task::JoinSet::new();
        for act in acts.clone() {
            let port = Arc::clone(&port);
            ensuring.spawn(async move { port.ensure(&act).await });
        }
        let sent = ensuring.join_all().await;
        assert!(sent.iter().all(|progress| matches!(progress, Ok(Progress::Sent { .. }))), "{sent:?}");
        let journal = bench.journal(Who::Alice);
        let nonces: HashSet<_> = acts.iter().map(|act| journal.rows(act.intent())[0].0.nonce).collect();
        assert_eq!((nonces.len(), journal.len()), (12, 12));
        for act in &acts {
            finish(&bench, port.as_ref(), act).await;
        }
        assert_eq!(journal.len(), 12, "nothing was signed twice");
    }
}

// C12, C21
#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_has_lost_is_sent_again_in_order() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let port = bench.connect(Who::Alice).await;
        let acts = [payment(&bench), payment(&bench), payment(&bench)];
        for act in &acts {
            port.ensure(act).await.unwrap();
        }
        bench.chain.restart().await.unwrap();
        bench.mine(1).await;
        port.poll().await.unwrap();
        bench.mine(1).await;
        for act in &acts {
            let progress = port.ensure(act).await.unwrap();
            assert!(matches!(progress, Progress::Mined { depth: 1, .. }), "{progress:?}");
            assert_eq!(bench.journal(Who::Alice).rows(act.intent()).len(), 1, "the same bytes");
        }
    }
}

// C21
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_died_unsent_and_that_nobody_asks_for_holds_nothing_up() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    bench.journal(Who::Alice).crash_after_next_record();
    stage.alice.ensure(&stage.fund_act()).await.unwrap_err();
    let port = stage.reconnect(Who::Alice).await;
    let act = payment(&bench);
    finish(&bench, port.as_ref(), &act).await;
    assert_eq!(stage.reconnect(Who::Bob).await.look(stage.lock.id()).unwrap().status, LockStatus::Absent);
    let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
    assert!(matches!(rows.as_slice(), [(_, Some(Settlement::Replaced))]), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funding_that_is_still_wanted_keeps_its_place() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    bench.journal(Who::Alice).crash_after_next_record();
    stage.alice.ensure(&stage.fund_act()).await.unwrap_err();
    let port = stage.reconnect(Who::Alice).await;
    let act = payment(&bench);
    port.ensure(&act).await.unwrap();
    port.ensure(&stage.fund_act()).await.unwrap();
    finish(&bench, port.as_ref(), &act).await;
    stage.poll().await;
    assert!(matches!(stage.bobs_view().status, LockStatus::Funded { .. }), "{:?}", stage.bobs_view());
    assert_eq!(bench.journal(Who::Alice).len(), 2);
}

// C7
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_bids_more_and_is_counted_once() {
    let bench = on!(ethereum);
    let port = bench.connect(Who::Alice).await;
    let act = payment(&bench);
    port.ensure(&act).await.unwrap();
    bench.chain.set_next_base_fee(60_000_000_000).await.unwrap();
    finish(&bench, port.as_ref(), &act).await;
    let rows = bench.journal(Who::Alice).rows(act.intent());
    let mined = rows.iter().filter(|(_, end)| matches!(end, Some(Settlement::Mined { succeeded: true, .. }))).count();
    let replaced = rows.iter().filter(|(_, end)| matches!(end, Some(Settlement::Replaced))).count();
    assert!(rows.len() >= 2 && mined == 1 && replaced == rows.len() - 1, "{rows:?}");
    assert!(rows.iter().all(|(tx, _)| tx.nonce == rows[0].0.nonce));
    // The chain's price falls an eighth with each empty block.
    bench.mine(60).await;
}

// C23: whoever copies the call pays the redeemer
#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_redeem_and_the_redeemer_is_paid() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    let before = bench.chain.balance_wei(&account(stage.lock.redeemer)).await.unwrap();
    let copied = claim_call(&stage.lock, stage.secret.expose());
    assert!(call_from(&bench.chain, mallory(&bench.chain).address, contract_of(&stage.lock), 0, &copied).await);
    let after = bench.chain.balance_wei(&account(stage.lock.redeemer)).await.unwrap();
    assert_eq!(after - before, bench.amount().units());
    stage.poll().await;
    let progress = stage.bob.ensure(&stage.redeem()).await.unwrap();
    assert!(matches!(progress, Progress::Mined { depth: 1, .. }), "{progress:?}");
    stage.finish().await;
    assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Done));
    assert_eq!(bench.journal(Who::Bob).len(), 0, "nothing was left to be sent");
    assert!(matches!(stage.alices_view().status, LockStatus::Redeemed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoy_under_the_same_hash_shows_the_secret_and_ends_nothing() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    let thief: Address = mallory(&bench.chain).address.parse().unwrap();
    let decoy =
        Lock { amount: Amount::from_units(1), redeemer: Party::Account(thief), refundee: Party::Account(thief), ..stage.lock };
    let contract = contract_of(&decoy);
    assert!(call_from(&bench.chain, mallory(&bench.chain).address, contract, 1, &lock_call(&decoy)).await);
    let claim = claim_call(&decoy, stage.secret.expose());
    assert!(call_from(&bench.chain, mallory(&bench.chain).address, contract, 0, &claim).await);
    stage.finish().await;
    for view in [stage.alices_view(), stage.bobs_view(), stage.reconnect(Who::Bob).await.look(stage.lock.id()).unwrap()] {
        assert!(matches!(view.status, LockStatus::Funded { .. }), "{view:?}");
        assert_eq!((view.spend, view.faults), (None, Vec::new()));
        assert_eq!(view.secret, Some(stage.secret.clone()));
    }
    stage.redeem_to_the_end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_between_the_same_parties_is_a_fault() {
    let bench = on!(ethereum);
    for wrong in [bench.amount().units() - 1, bench.amount().units() + 1] {
        let stage = Stage::new(&bench).await;
        let alice = person(&bench.chain, Who::Alice).address;
        assert!(call_from(&bench.chain, alice, contract_of(&stage.lock), wrong, &lock_call(&stage.lock)).await);
        stage.confirm_blocks().await;
        let view = stage.bobs_view();
        assert_eq!((view.status, view.faults), (LockStatus::Absent, vec![Fault::WrongAmount]));
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
        assert_eq!(bench.journal(Who::Bob).len(), 0, "no secret is shown for it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_terms_locked_again_are_a_fault_and_the_first_lock_is_over() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    stage.bob.ensure(&stage.redeem()).await.unwrap();
    stage.mine(1).await;
    let alice = person(&bench.chain, Who::Alice).address;
    let amount = bench.amount().units();
    assert!(call_from(&bench.chain, alice, contract_of(&stage.lock), amount, &lock_call(&stage.lock)).await);
    stage.finish().await;
    for view in [stage.alices_view(), stage.reconnect(Who::Bob).await.look(stage.lock.id()).unwrap()] {
        assert!(matches!(view.status, LockStatus::Redeemed { .. }), "{view:?}");
        assert_eq!(view.faults, [Fault::LockedAgain]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_failed_has_shown_its_secret() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        bench.pass_time_until(stage.lock.expiry.opens_time).await;
        stage.poll().await;
        assert_eq!(stage.alices_view().secret, None);
        let late = claim_call(&stage.lock, stage.secret.expose());
        assert!(!call_from(&bench.chain, mallory(&bench.chain).address, contract_of(&stage.lock), 0, &late).await);
        stage.poll().await;
        let view = stage.alices_view();
        assert_eq!((view.secret, view.spend), (Some(stage.secret.clone()), None));
        assert!(matches!(view.status, LockStatus::Funded { .. }), "{:?}", view.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_lock_hangs_on_the_registry_alone() {
    for bench in [ethereum().await, smt().await] {
        let Some(bench) = bench else { return };
        let stage = Stage::new(&bench).await;
        let lock = Lock { expiry: Expiry { linked: true, ..stage.lock.expiry }, ..stage.lock };
        for port in [&stage.alice, &stage.bob] {
            port.watch(&lock, stage.since);
        }
        stage.alice.ensure(&Act::Fund { lock }).await.unwrap();
        stage.confirm_blocks().await;
        let view = || stage.alice.look(lock.id()).unwrap();
        assert!(matches!(view().status, LockStatus::Funded { .. }));
        let register = format!("0x12ad8bfc{}", hex::encode(stage.secret.expose()));
        assert!(call_from(&bench.chain, mallory(&bench.chain).address, bench.config.contracts.registry, 0, &register).await);
        stage.poll().await;
        assert_eq!((view().secret, view().spend), (Some(stage.secret.clone()), None));
        bench.pass_time_until(lock.expiry.opens_time).await;
        stage.poll().await;
        let refund = stage.alice.ensure(&Act::Refund { lock, key: fresh_key() }).await;
        assert!(matches!(refund, Err(PortError::Refused { .. })), "the secret was there in time: {refund:?}");
        let redeem = Act::Redeem { lock, secret: stage.secret.clone(), key: fresh_key() };
        let sent = stage.bob.ensure(&redeem).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
        stage.finish().await;
        assert!(matches!(view().status, LockStatus::Redeemed { .. }), "{:?}", view());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowance_is_exact_and_used_up_whatever_stood_there_before() {
    let bench = on!(silent_erc20);
    let token = bench.asset().token().unwrap();
    let htlc = bench.config.contracts.token_htlc;
    let alice = person(&bench.chain, Who::Alice).address;
    let leftover = format!("0x095ea7b3{:0>64}{:064x}", &htlc.to_string()[2..], 5);
    assert!(call_from(&bench.chain, alice, token, 0, &leftover).await);
    // Two at once: each has its own allowance, and this token changes none that is not zero.
    let (one, two) = (Stage::new(&bench).await, Stage::new(&bench).await);
    let port = bench.connect(Who::Alice).await;
    let (one_act, two_act) = (one.fund_act(), two.fund_act());
    let (first, second) = tokio::join!(port.ensure(&one_act), port.ensure(&two_act));
    assert!(matches!((&first, &second), (Ok(Progress::Sent { .. }), Ok(Progress::Sent { .. }))), "{first:?} {second:?}");
    one.confirm().await;
    two.poll().await;
    assert!(matches!(two.bobs_view().status, LockStatus::Funded { .. }));
    let question = format!("0xdd62ed3e{:0>64}{:0>64}", &alice[2..], &htlc.to_string()[2..]);
    let left = bench.chain.call("eth_call", json!([{"to": token.to_string(), "data": question}, "latest"])).await.unwrap();
    assert_eq!(left, json!(format!("0x{}", "0".repeat(64))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_takes_a_fee_is_refused() {
    let bench = on!(taxing_erc20);
    let stage = Stage::new(&bench).await;
    let mut last = stage.alice.ensure(&stage.fund_act()).await;
    for _ in 0..3 {
        stage.mine(1).await;
        last = stage.alice.ensure(&stage.fund_act()).await;
    }
    let Err(PortError::Refused { reason, .. }) = last else { panic!("{last:?}") };
    assert!(reason.contains("fee"), "{reason}");
    assert_eq!(stage.bobs_view().status, LockStatus::Absent);
    let unknown = photon_chains::Asset::Token(bench.asset().ledger(), Address::from_bytes([9; 20]));
    assert!(matches!(stage.alice.decimals(unknown).await, Err(PortError::Refused { .. })), "only what is configured");
}

// D1
#[tokio::test(flavor = "multi_thread")]
async fn another_chain_or_other_contracts_refuse_to_start() {
    let bench = on!(ethereum);
    let right = bench.config.clone();
    let connect = |config: EvmConfig| EvmAdapter::connect(config, fresh_key(), Arc::new(MemoryJournal::default()));
    let wrong_id = EvmConfig { node: NodeConfig { chain_id: 1, ..right.node.clone() }, ..right.clone() };
    assert!(matches!(connect(wrong_id).await.err(), Some(PortError::WrongNetwork { .. })));
    let mainnet = EvmConfig { node: NodeConfig { network: Network::Mainnet, ..right.node.clone() }, ..right.clone() };
    assert!(matches!(connect(mainnet).await.err(), Some(PortError::Refused { .. })));
    let Contracts { registry, native_htlc, token_htlc, channels } = right.contracts;
    assert!(channels.is_some());
    for contracts in [
        Contracts { channels: Some(token_htlc), ..right.contracts },
        Contracts { channels: Some(Address::from_bytes([7; 20])), ..right.contracts },
        Contracts { native_htlc: token_htlc, token_htlc: native_htlc, registry, channels },
        Contracts { registry: native_htlc, native_htlc, token_htlc, channels },
        Contracts { native_htlc: Address::from_bytes([7; 20]), ..right.contracts },
    ] {
        let refusal = connect(EvmConfig { contracts, ..right.clone() }).await.err();
        assert!(matches!(refusal, Some(PortError::Refused { .. })), "{refusal:?}");
    }
    assert!(connect(right).await.is_ok());
}

// F4
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_unreachable_and_changes_nothing() {
    let bench = on!(smt);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    let before = stage.bobs_view();
    bench.chain.node().stop().await.unwrap();
    assert!(matches!(stage.bob.poll().await, Err(PortError::Unreachable { .. })));
    assert!(matches!(stage.bob.ensure(&stage.redeem()).await, Err(PortError::Unreachable { .. })));
    assert_eq!(stage.bobs_view(), before);
    assert_eq!(bench.journal(Who::Bob).len(), 0);
    bench.chain.node().run().await.unwrap();
    stage.redeem_to_the_end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_somebody_else_sent_is_ours_too() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    let sent = stage.bob.ensure(&stage.refund()).await.unwrap();
    assert!(matches!(sent, Progress::Sent { .. }), "anybody may send it: {sent:?}");
    stage.mine(1).await;
    assert!(stage.alices_view().spend.is_some_and(|spend| spend.kind == SpendKind::Refund));
    stage.finish().await;
    assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done));
    assert_eq!(bench.journal(Who::Alice).rows(IntentKey::new(Purpose::Refund, stage.lock.id())).len(), 0);
}

// D1, D2
#[tokio::test(flavor = "multi_thread")]
async fn other_code_at_the_contract_is_a_fault_and_no_secret_is_shown_to_it() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    stage.fund().await;
    stage.confirm().await;
    let contract = contract_of(&stage.lock).to_string();
    let code = bench.chain.call("eth_getCode", json!([contract, "latest"])).await.unwrap();
    bench.chain.call("anvil_setCode", json!([contract, "0x60006000f3"])).await.unwrap();
    stage.mine(1).await;
    let view = stage.bobs_view();
    let redeem = stage.bob.ensure(&stage.redeem()).await;
    bench.chain.call("anvil_setCode", json!([contract, code])).await.unwrap();
    assert_eq!((view.status, view.faults), (LockStatus::Absent, vec![Fault::WrongCode]));
    assert!(matches!(redeem, Err(PortError::Refused { .. })), "{redeem:?}");
    assert_eq!(bench.journal(Who::Bob).len(), 0);
    stage.mine(2).await;
    stage.redeem_to_the_end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_are_deployed_once_by_one_account() {
    let bench = on!(smt);
    let journal = Arc::new(MemoryJournal::default());
    let first = bench.deploy(journal.clone()).await;
    let rows = journal.len();
    assert_eq!(bench.deploy(journal.clone()).await, first);
    assert_eq!((rows, journal.len()), (4, 4), "what stands is found again");
    let old = Contracts { channels: None, ..first };
    let whole = bench.deploy_channels(journal.clone(), old).await;
    assert_eq!((whole, journal.len()), (first, 4), "the missing one is added once");
    let bare = EvmConfig { contracts: old, ..bench.config.clone() };
    let bare = EvmAdapter::connect(bare, fresh_key(), Arc::new(MemoryJournal::default())).await.unwrap();
    assert!(Arc::new(bare).contracts().is_none(), "no channels contract, no channels");
    let config = EvmConfig { contracts: first, ..bench.config.clone() };
    assert!(EvmAdapter::connect(config, fresh_key(), Arc::new(MemoryJournal::default())).await.is_ok());
}

// C18
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_where_the_next_block_may_come_too_late() {
    let bench = on!(ethereum);
    let stage = Stage::new(&bench).await;
    let closes = stage.tip().await.lock_clock.plus_secs(60);
    let lock = Lock { expiry: bench.expiry(closes), ..stage.lock };
    stage.bob.watch(&lock, stage.since);
    assert!(matches!(stage.alice.ensure(&Act::Fund { lock }).await, Ok(Progress::Sent { .. })));
    stage.confirm_blocks().await;
    bench.pass_time_until(closes.minus_secs(2)).await;
    stage.poll().await;
    let redeem = Act::Redeem { lock, secret: stage.secret.clone(), key: fresh_key() };
    let late = stage.bob.ensure(&redeem).await;
    assert!(matches!(late, Err(PortError::Refused { .. })), "the next block may close it: {late:?}");
    assert_eq!(bench.journal(Who::Bob).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_costs_more_than_was_held_back_for_it() {
    for bench in [smt().await, silent_erc20().await] {
        let Some(bench) = bench else { return };
        let stage = Stage::new(&bench).await;
        let asset = bench.asset();
        let spent = |who: Who| bench.journal(who).all().iter().map(|tx| tx.fee.units()).sum::<u128>();
        let for_funding = stage.alice.worst_fee(asset, Purpose::Fund).await.unwrap();
        stage.fund().await;
        assert!((1..=for_funding.units()).contains(&spent(Who::Alice)));
        stage.confirm().await;
        let for_redeeming = stage.bob.worst_fee(asset, Purpose::Redeem).await.unwrap();
        stage.bob.ensure(&stage.redeem()).await.unwrap();
        assert!((1..=for_redeeming.units()).contains(&spent(Who::Bob)));
        stage.finish().await;
    }
}
