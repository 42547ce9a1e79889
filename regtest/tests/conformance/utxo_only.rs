//! What only Bitcoin and Litecoin have: sizes, replacements, wallets, evicted transactions, extension blocks.

use crate::bench::{Bench, Who};
use crate::journal::MemoryJournal;
use crate::stage::Stage;
use crate::utxo::{UtxoBench, bitcoin, litecoin};
use photon_chains::{
    Act, Amount, Asset, Expiry, IntentKey, Ledger, Lock, LockStatus, Port, PortError, Progress, Purpose, Settlement, SignedTx,
    Template, TxId,
};
use photon_regtest::nodes::litecoind::LITECOIND;
use photon_regtest::nodes::{Daemon, DaemonConfig, Flavour};
use photon_regtest::require_nodes;
use photon_regtest::world::UtxoChain;
use photon_utxo::{Auth, Network, UtxoAdapter, UtxoConfig};
use serde_json::{Value, json};
use std::sync::Arc;

async fn both() -> Vec<UtxoBench> {
    [bitcoin().await, litecoin().await].into_iter().flatten().collect()
}

async fn decoded(chain: &UtxoChain, txid: TxId) -> Value {
    chain.call("getrawtransaction", json!([txid, true])).await.unwrap()
}

async fn vsize(chain: &UtxoChain, txid: TxId) -> u64 {
    decoded(chain, txid).await["vsize"].as_u64().unwrap()
}

async fn pool(chain: &UtxoChain) -> Vec<String> {
    chain.rpc().get("getrawmempool", json!([])).await.unwrap()
}

fn sent(progress: Result<Progress, PortError>) -> TxId {
    match progress {
        Ok(Progress::Sent { txid }) => txid,
        other => panic!("{other:?}"),
    }
}

/// The address of a script that is in no wallet of the node.
async fn address_of(chain: &UtxoChain, script: &str) -> String {
    let decoded = chain.call("decodescript", json!([script])).await.unwrap();
    let address = decoded.get("address").or(decoded.pointer("/addresses/0")).unwrap();
    address.as_str().unwrap().to_owned()
}

/// The stage's people, paying out to that address instead of to their wallets.
async fn paying_to(bench: &UtxoBench, stage: &Stage<'_>, who: Who, to: String) -> Arc<dyn Port> {
    let config = UtxoConfig { payout_address: Some(to), ..bench.config(who) };
    let port = UtxoAdapter::connect(config, bench.journal(who)).await.unwrap();
    port.watch(&stage.lock, stage.since);
    port.poll().await.unwrap();
    Arc::new(port)
}

/// The node loses what waits in its mempool, as after a crash or a flood.
async fn lose_mempool(bench: &UtxoBench) {
    bench.chain.node().stop().await.unwrap();
    std::fs::remove_file(bench.chain.cookie().with_file_name("mempool.dat")).unwrap();
    bench.chain.node().run().await.unwrap();
    assert_eq!(pool(&bench.chain).await, Vec::<String>::new());
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_redeem_that_blocks_pass_by_is_outbid_where_replacements_are_relayed() {
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
        assert_eq!(rows.iter().map(|(tx, _)| tx.txid).collect::<Vec<_>>(), bids, "each bid was written down before it was sent");
        if bench.can_replace() {
            assert_eq!(bids.len(), 4);
            assert!(rows.windows(2).all(|pair| raised_by_a_quarter(&pair[0].0, &pair[1].0)), "{rows:?}");
        } else {
            assert_eq!(bids.len(), 1);
        }
        assert_eq!(pool(&bench.chain).await, [bids[bids.len() - 1].to_string()]);
        stage.finish().await;
        let rows = bench.journal(Who::Bob).rows(stage.redeem().intent());
        let (last, replaced) = rows.split_last().unwrap();
        assert!(matches!(last.1, Some(Settlement::Mined { succeeded: true, .. })), "{rows:?}");
        assert!(replaced.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{rows:?}");
    }
}

fn raised_by_a_quarter(last: &SignedTx, next: &SignedTx) -> bool {
    last.inputs == next.inputs && next.fee.units() * 4 >= last.fee.units() * 5
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_forgets_is_sent_again_and_the_secret_stays_known() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        // To an outside address: what pays the node's own wallet it would bring back by itself.
        let outside = address_of(&bench.chain, &format!("0014{}", "ab".repeat(20))).await;
        let bob = paying_to(&bench, &stage, Who::Bob, outside).await;
        let redeem = sent(bob.ensure(&stage.redeem()).await);
        stage.poll().await;
        assert_eq!(stage.alices_view().secret, Some(stage.secret.clone()));
        lose_mempool(&bench).await;
        // The node wrote a new cookie, and the same adapters go on.
        stage.poll().await;
        let view = stage.alices_view();
        assert_eq!((view.secret, view.spend), (Some(stage.secret.clone()), None), "seen once, it stays known");
        bob.poll().await.unwrap();
        assert_eq!(sent(bob.ensure(&stage.redeem()).await), redeem, "the same bytes");
        assert_eq!(pool(&bench.chain).await, [redeem.to_string()]);
        stage.finish().await;
        assert!(matches!(stage.alices_view().status, LockStatus::Redeemed { .. }));
        assert_eq!(bench.journal(Who::Bob).rows(stage.redeem().intent()).len(), 1);
    }
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

/// A funding is written down and never sent, and the wallet's owner spends its coin by hand: only when that is final are
/// other coins used.
#[tokio::test(flavor = "multi_thread")]
async fn a_funding_whose_coin_was_spent_by_hand_is_made_anew_once_that_is_final() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        bench.journal(Who::Alice).crash_after_next_record();
        assert!(stage.alice.ensure(&stage.fund_act()).await.is_err());
        stage.poll().await;
        let (lost, _) = bench.journal(Who::Alice).rows(stage.fund_act().intent()).remove(0);
        spend_by_hand(&bench, &lost.inputs[0]).await;
        for _ in 0..stage.bob.timing().final_confirmations {
            stage.poll().await;
            assert_eq!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::NotYet), "it may come back");
            bench.mine(1).await;
        }
        stage.poll().await;
        let anew = sent(stage.alice.ensure(&stage.fund_act()).await);
        assert_ne!(anew, lost.txid);
        stage.confirm().await;
        let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
        let (last, before) = rows.split_last().unwrap();
        assert!(last.0.txid == anew && before.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{rows:?}");
        stage.redeem_to_the_end().await;
    }
}

async fn spend_by_hand(bench: &UtxoBench, input: &str) {
    let wallet = bench.chain.wallet("conformance-alice");
    let (txid, vout) = input.split_once(':').unwrap();
    let vout: u32 = vout.parse().unwrap();
    let unspent: Vec<Value> = wallet.rpc.get("listunspent", json!([0])).await.unwrap();
    let coin = unspent.iter().find(|coin| coin["txid"] == json!(txid) && coin["vout"] == json!(vout)).unwrap();
    let left = coin["amount"].as_f64().unwrap() - 0.001;
    let to = wallet.new_address().await.unwrap();
    let params = json!([[{ "txid": txid, "vout": vout }], [{ to: format!("{left:.8}") }]]);
    let raw: String = wallet.rpc.get("createrawtransaction", params).await.unwrap();
    let signed: Value = wallet.rpc.get("signrawtransactionwithwallet", json!([raw])).await.unwrap();
    wallet.rpc.call("sendrawtransaction", json!([signed["hex"]])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_refuses_another_network_and_says_what_is_missing() {
    for bench in both().await {
        let journal = || Arc::new(MemoryJournal::default());
        let config = bench.config(Who::Alice);
        let other = if bench.ledger == Ledger::Bitcoin { Ledger::Litecoin } else { Ledger::Bitcoin };
        for wrong in [
            UtxoConfig { network: Network::Mainnet, ..config.clone() },
            UtxoConfig { network: Network::Testnet, ..config.clone() },
            UtxoConfig { ledger: other, ..config.clone() },
        ] {
            let refusal = UtxoAdapter::connect(wrong, journal()).await.unwrap_err();
            assert!(matches!(refusal, PortError::WrongNetwork { .. }), "{refusal:?}");
        }
        let wallet = UtxoConfig { wallet: Some("nobody's".to_owned()), ..config.clone() };
        let refusal = UtxoAdapter::connect(wallet, journal()).await.unwrap_err().to_string();
        assert!(refusal.contains("createwallet"), "{refusal}");
        let unnamed = UtxoConfig { wallet: None, ..config.clone() };
        let refusal = UtxoAdapter::connect(unnamed, journal()).await.unwrap_err().to_string();
        assert!(refusal.contains("name one"), "{refusal}");
        let elsewhere = UtxoConfig { payout_address: Some("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH".to_owned()), ..config.clone() };
        let refusal = UtxoAdapter::connect(elsewhere, journal()).await.unwrap_err().to_string();
        assert!(refusal.contains("bitcoin mainnet"), "{refusal}");
        let auth = Auth::Password { user: "alice".to_owned(), password: "hunter2".to_owned() };
        let stranger = UtxoConfig { auth, ..config.clone() };
        let refusal = UtxoAdapter::connect(stranger, journal()).await.unwrap_err();
        assert!(matches!(refusal, PortError::Unreachable { .. }) && !format!("{refusal:?}").contains("hunter2"), "{refusal:?}");
        let nowhere = UtxoConfig { rpc_url: "http://127.0.0.1:9".to_owned(), ..config };
        assert!(matches!(UtxoAdapter::connect(nowhere, journal()).await, Err(PortError::Unreachable { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_unknown_and_nothing_else() {
    for bench in both().await {
        let stage = Stage::new(&bench).await;
        stage.fund().await;
        stage.confirm().await;
        let before = stage.bobs_view();
        bench.chain.node().stop().await.unwrap();
        assert!(matches!(stage.bob.poll().await, Err(PortError::Unreachable { .. })));
        assert!(matches!(stage.bob.ensure(&stage.redeem()).await, Err(PortError::Unreachable { .. })));
        assert_eq!(stage.bobs_view(), before, "what was seen stands");
        bench.chain.node().run().await.unwrap();
        stage.poll().await;
        stage.redeem_to_the_end().await;
    }
}

/// Coins in Litecoin's extension: never funded from, counted neither; but what leaves the extension to a lock's address
/// funds it like any payment.
#[tokio::test(flavor = "multi_thread")]
async fn coins_of_the_extension_are_left_alone_and_payments_out_of_it_are_seen() {
    let Some(bench) = litecoin().await else { return };
    let name = "conformance-mweb";
    let wallet = bench.chain.create_wallet(name).await.unwrap();
    let hidden: String = wallet.rpc.get("getnewaddress", json!(["", "mweb"])).await.unwrap();
    bench.chain.faucet(&hidden, 50_000_000).await.unwrap();
    bench.mine(1).await;
    assert_eq!(wallet.balance_sat().await.unwrap(), 50_000_000, "the node counts it");
    let config = UtxoConfig { wallet: Some(name.to_owned()), ..bench.config(Who::Alice) };
    let port = UtxoAdapter::connect(config, Arc::new(MemoryJournal::default())).await.unwrap();
    assert_eq!(port.balance(Asset::Native(Ledger::Litecoin)).await.unwrap().available, Amount::ZERO, "we don't");

    let stage = Stage::new(&bench).await;
    port.watch(&stage.lock, stage.since);
    port.poll().await.unwrap();
    let short = port.ensure(&stage.fund_act()).await;
    assert!(matches!(short, Err(PortError::NotEnough { .. })), "{short:?}");
    let refused = Act::Send { id: crate::stage::fresh_id(), asset: bench.asset(), amount: bench.amount(), to: hidden };
    let refusal = stage.alice.ensure(&refused).await.unwrap_err().to_string();
    assert!(refusal.contains("MWEB"), "{refusal}");

    let to = stage.alice.funding_address(&stage.lock).unwrap();
    wallet.rpc.call("sendtoaddress", json!([to, bench.amount().coins(8)])).await.unwrap();
    stage.confirm().await;
    // Such an output can be spent six blocks later.
    stage.mine(6).await;
    stage.redeem_to_the_end().await;
}

/// A litecoind that was not told to leave its extension out of blocks: they are read all the same.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_carry_their_extension_are_read_too() {
    let Some(programs) = require_nodes().await else { return };
    let dir = std::env::temp_dir().join(format!("photon-conformance-mweb-{}", std::process::id()));
    let flavour = Flavour { args: &["-keypool=20", "-rpcservertimeout=5"], ..LITECOIND };
    let config = DaemonConfig { flavour, program: programs.litecoind.clone(), dir: dir.clone(), listen: false, args: Vec::new() };
    let node = Daemon::start(config).await.unwrap();
    let name = "miner-with-extension";
    for wallet in [name, "hidden"] {
        node.rpc().call("createwallet", json!([wallet])).await.unwrap();
    }
    let (wallet, hidden) = (node.rpc().wallet(name), node.rpc().wallet("hidden"));
    let mine = async |blocks: u32| {
        let to: String = wallet.get("getnewaddress", json!([])).await.unwrap();
        node.rpc().call("generatetoaddress", json!([blocks, to])).await.unwrap();
    };
    mine(431).await;
    let inside: String = hidden.get("getnewaddress", json!(["", "mweb"])).await.unwrap();
    wallet.call("sendtoaddress", json!([inside, "5.0"])).await.unwrap();
    mine(2).await;

    let config = UtxoConfig {
        ledger: Ledger::Litecoin,
        network: Network::Regtest,
        rpc_url: node.rpc().url().to_owned(),
        auth: Auth::Cookie(node.cookie()),
        wallet: Some(name.to_owned()),
        payout_address: None,
    };
    let port = UtxoAdapter::connect(config, Arc::new(MemoryJournal::default())).await.unwrap();
    let tip = port.poll().await.unwrap();
    let (key, secret) = (crate::stage::fresh_key(), crate::stage::fresh_secret());
    let party = port.party(&key).unwrap();
    let lock = |units: u128| Lock {
        asset: Asset::Native(Ledger::Litecoin),
        amount: Amount::from_units(units),
        redeemer: party,
        refundee: party,
        secret_hash: secret.hash(),
        expiry: Expiry::at(tip.lock_clock.plus_secs(90_000)),
        template: Template::P2wsh,
    };
    // Two locks in one place, of which the amount decides: ours, and one paid for out of the extension, next to a peg-in.
    let (ours, out) = (lock(7_000_000), lock(8_000_000));
    for lock in [&ours, &out] {
        port.watch(lock, tip.block.height);
    }
    port.poll().await.unwrap();
    sent(port.ensure(&Act::Fund { lock: ours }).await);
    wallet.call("sendtoaddress", json!([inside, "1.0"])).await.unwrap();
    port.poll().await.unwrap();
    assert!(matches!(port.look(ours.id()).unwrap().status, LockStatus::Pending { depth: 0, .. }));
    let to = port.funding_address(&out).unwrap();
    hidden.call("sendtoaddress", json!([to, out.amount.coins(8)])).await.unwrap();
    mine(3).await;
    port.poll().await.unwrap();
    for lock in [&ours, &out] {
        assert!(matches!(port.look(lock.id()).unwrap().status, LockStatus::Funded { .. }), "{:?}", port.look(lock.id()));
    }
    let LockStatus::Funded { txid, at, .. } = port.look(out.id()).unwrap().status else { unreachable!() };
    let raw: String = node.rpc().get("getrawtransaction", json!([txid, false, at.hash])).await.unwrap();
    assert_eq!(&raw[8..12], "0008", "the transaction that carries the extension's flag paid it");
    sent(port.ensure(&Act::Redeem { lock: ours, secret: secret.clone(), key: key.clone() }).await);
    mine(3).await;
    port.poll().await.unwrap();
    assert!(port.look(ours.id()).unwrap().is_over() && port.look(out.id()).unwrap().stands());
    node.stop().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_at_a_locks_place_is_taken_back_if_it_is_worth_its_fee() {
    let (Some(btc), Some(ltc)) = (bitcoin().await, litecoin().await) else { return };
    for (bench, extra, size) in [(&btc, 1_000, 134), (&btc, 50_000, 227), (&ltc, 50_000, 227)] {
        let stage = Stage::new(bench).await;
        stage.fund().await;
        assert!(bench.pay_outside(&stage.lock, Amount::from_units(extra)).await);
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
