//! Nodes that forget, stop, or are the wrong ones; wallets used by hand; extension blocks.

use super::{address_of, both, paying_to, pool, sent};
use crate::bench::{Bench, ChainBench, Who};
use crate::journal::MemoryJournal;
use crate::stage::Stage;
use crate::utxo::{UtxoBench, litecoin};
use photon_chains::{
    Act, Amount, Asset, BlockHeight, Expiry, Ledger, Lock, LockStatus, Port, PortError, Progress, Settlement, Template,
};
use photon_regtest::nodes::bitcoind::BITCOIND;
use photon_regtest::nodes::litecoind::LITECOIND;
use photon_regtest::nodes::{Daemon, DaemonConfig, Flavour};
use photon_regtest::require_nodes;
use photon_utxo::{Auth, Network, UtxoAdapter, UtxoConfig};
use serde_json::{Value, json};
use std::sync::Arc;

/// The node loses what waits in its mempool, as after a crash or a flood.
async fn lose_mempool(bench: &UtxoBench) {
    bench.chain.node().stop().await.unwrap();
    std::fs::remove_file(bench.chain.cookie().with_file_name("mempool.dat")).unwrap();
    bench.chain.node().run().await.unwrap();
    assert_eq!(pool(&bench.chain).await, Vec::<String>::new());
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
        confirmations: None,
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

/// F3: a node that throws old blocks away. Who follows its chain misses nothing. Who starts anew, and would have to read a block that is
/// gone, is told so, and sees nothing in place of what may be there; what is younger is seen as ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_node_that_prunes_misses_nothing_and_who_comes_too_late_is_told() {
    let Some(programs) = require_nodes().await else { return };
    let dir = std::env::temp_dir().join(format!("photon-conformance-pruned-{}", std::process::id()));
    let args = vec!["-prune=1".to_owned(), "-fastprune".to_owned()];
    let config = DaemonConfig { flavour: BITCOIND, program: programs.bitcoind.clone(), dir: dir.clone(), listen: false, args };
    let node = Daemon::start(config).await.unwrap();
    let name = "pruned";
    node.create_wallet(name).await.unwrap();
    let to: String = node.rpc().wallet(name).get("getnewaddress", json!([])).await.unwrap();
    let mine = async |blocks: u32| drop(node.rpc().call("generatetoaddress", json!([blocks, to])).await.unwrap());
    mine(102).await;
    let connect = async || {
        let config = UtxoConfig {
            confirmations: None,
            ledger: Ledger::Bitcoin,
            network: Network::Regtest,
            rpc_url: node.rpc().url().to_owned(),
            auth: Auth::Cookie(node.cookie()),
            wallet: Some(name.to_owned()),
            payout_address: None,
        };
        UtxoAdapter::connect(config, Arc::new(MemoryJournal::default())).await.unwrap()
    };
    let follower = connect().await;
    let tip = follower.poll().await.unwrap();
    let (key, secret) = (crate::stage::fresh_key(), crate::stage::fresh_secret());
    let party = follower.party(&key).unwrap();
    let lock = |units: u128| Lock {
        asset: Asset::Native(Ledger::Bitcoin),
        amount: Amount::from_units(units),
        redeemer: party,
        refundee: party,
        secret_hash: secret.hash(),
        expiry: Expiry::at(tip.lock_clock.plus_secs(900_000)),
        template: Template::P2wsh,
    };
    let (old, young) = (lock(7_000_000), lock(8_000_000));
    let fund = async |lock: &Lock, since| {
        follower.watch(lock, since);
        follower.poll().await.unwrap();
        sent(follower.ensure(&Act::Fund { lock: *lock }).await);
        mine(3).await;
        follower.poll().await.unwrap();
    };
    fund(&old, tip.block.height).await;
    mine(560).await;
    let tip = follower.poll().await.unwrap();
    fund(&young, tip.block.height).await;
    let pruned: u64 = node.rpc().get("pruneblockchain", json!([300])).await.unwrap();
    assert!(pruned >= 106, "the block of the old lock is gone: {pruned}");

    let latecomer = connect().await;
    latecomer.watch(&young, tip.block.height);
    latecomer.poll().await.unwrap();
    latecomer.watch(&old, BlockHeight::new(102));
    let refused = latecomer.poll().await.unwrap_err().to_string();
    assert!(refused.contains("thrown block 103 away") && latecomer.look(old.id()).is_none(), "{refused}");
    let LockStatus::Funded { .. } = latecomer.look(young.id()).unwrap().status else {
        panic!("{:?}", latecomer.look(young.id()))
    };

    sent(follower.ensure(&Act::Redeem { lock: old, secret: secret.clone(), key: key.clone() }).await);
    mine(3).await;
    follower.poll().await.unwrap();
    assert!(follower.look(old.id()).unwrap().is_over() && follower.look(young.id()).unwrap().stands());
    node.stop().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}
