//! What a world promises to tests that own it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use photon_regtest::nodes::bitcoind::BITCOIND;
use photon_regtest::nodes::litecoind::LITECOIND;
use photon_regtest::nodes::{Daemon, DaemonConfig, WalletKind};
use photon_regtest::world::{EvmChain, UtxoChain, UtxoWallet};
use photon_regtest::{Mining, Unmined, WorldConfig, own_world, require_nodes};
use serde_json::{Value, json};

const ACCOUNT: &str = "0x00000000000000000000000000000000000000aa";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn funded(chain: &UtxoChain) -> UtxoWallet {
    let wallet = chain.create_wallet("alice").await.unwrap();
    chain.faucet_split(&wallet, 1_000_000, 10).await.unwrap();
    assert_eq!(wallet.balance_sat().await.unwrap(), 1_000_000);
    let coins: Vec<Value> = wallet.rpc.get("listunspent", json!([])).await.unwrap();
    assert_eq!(coins.len(), 10, "one output for each lock that is to be funded at once");
    wallet
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_start_ready_for_time_locks() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.bitcoin, &world.litecoin] {
        let lag = chain.median_time_lag_secs().await.unwrap();
        assert!((-5..=30).contains(&lag), "median time past is {lag} s behind");
        assert!(chain.miner_wallet().balance_sat().await.unwrap() > 1_000 * 100_000_000);
    }
    // BIP 65 is enforced, and blocks still come though extension blocks are active.
    let soft_forks = world.litecoin.call("getblockchaininfo", json!([])).await.unwrap();
    assert_eq!(soft_forks.pointer("/softforks/bip65/active"), Some(&json!(true)));
    let height = world.litecoin.height().await.unwrap();
    assert!(height > 1_351 + 11, "{height}");
    // Blocks come in the form every Bitcoin library reads: without the extension part.
    let tip = world.litecoin.tip().await.unwrap();
    let block: String = world.litecoin.rpc().get("getblock", json!([tip, 0])).await.unwrap();
    assert!(block.len() < 1_000, "the extension block would make it longer: {}", block.len());
    // The two nodes make different wallets.
    for (chain, kind) in [(&world.bitcoin, WalletKind::Descriptor), (&world.litecoin, WalletKind::Legacy)] {
        assert_eq!(chain.node().flavour().wallet, kind);
        let wallet = chain.create_wallet("kind").await.unwrap();
        let answer = wallet.rpc.call("getwalletinfo", json!([])).await.unwrap();
        assert_eq!(answer.get("descriptors"), Some(&json!(kind == WalletKind::Descriptor)));
    }
    assert_eq!(world.ethereum.rpc().call("eth_chainId", json!([])).await.unwrap(), json!("0x1466a9"));
    assert_eq!(world.smt.rpc().call("eth_chainId", json!([])).await.unwrap(), json!("0x133edce"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utxo_reorg_changes_hashes_and_takes_or_keeps_transactions() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.bitcoin, &world.litecoin] {
        let before_payment = chain.height().await.unwrap();
        let wallet = funded(chain).await;
        chain.mine(2).await.unwrap();
        let top = chain.height().await.unwrap();
        let old = chain.block_hash(before_payment + 1).await.unwrap();
        // Left out: unconfirmed again, and still known.
        chain.reorg(top - before_payment, Unmined::LeftOut).await.unwrap();
        assert_eq!(chain.height().await.unwrap(), top + 1);
        assert_ne!(chain.block_hash(before_payment + 1).await.unwrap(), old);
        assert_eq!(wallet.balance_sat().await.unwrap(), 0);
        let waiting: Vec<String> = chain.rpc().get("getrawmempool", json!([])).await.unwrap();
        assert_eq!(waiting.len(), 1);
        // Mined again: confirmed after each reorg, though in other blocks.
        chain.mine(1).await.unwrap();
        for _ in 0..2 {
            let depth = chain.height().await.unwrap() - before_payment;
            chain.reorg(depth, Unmined::MinedAgain).await.unwrap();
            assert_eq!(wallet.balance_sat().await.unwrap(), 1_000_000);
        }
        assert!(chain.reorg(1_000_000, Unmined::LeftOut).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mine_only_leaves_the_others_waiting() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.bitcoin, &world.litecoin] {
        let wallet = funded(chain).await;
        let to = wallet.new_address().await.unwrap();
        let mut txids = Vec::new();
        for _ in 0..3 {
            txids.push(wallet.rpc.get::<String>("sendtoaddress", json!([to, "0.0002"])).await.unwrap());
        }
        chain.mine_only(&txids[..1]).await.unwrap();
        let waiting: Vec<String> = chain.rpc().get("getrawmempool", json!([])).await.unwrap();
        assert_eq!(waiting.len(), 2);
        assert!(!waiting.contains(&txids[0]));
        chain.mine(1).await.unwrap();
        assert_eq!(chain.rpc().get::<Vec<String>>("getrawmempool", json!([])).await.unwrap().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utxo_node_comes_back_on_its_ports_with_its_chain() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.bitcoin, &world.litecoin] {
        let wallet = funded(chain).await;
        let (tip, url) = (chain.tip().await.unwrap(), chain.url().to_owned());
        let cookie = std::fs::read_to_string(chain.cookie()).unwrap();
        chain.restart().await.unwrap();
        assert_eq!((chain.tip().await.unwrap(), chain.url()), (tip.clone(), url.as_str()));
        assert_ne!(std::fs::read_to_string(chain.cookie()).unwrap(), cookie, "a node makes a new cookie at each start");
        // Killed, it keeps the chain and the wallets too, also what came since it was started.
        chain.faucet(&wallet.new_address().await.unwrap(), 50_000).await.unwrap();
        let tip = chain.tip().await.unwrap();
        let id = chain.node().process_id().unwrap();
        chain.node().kill().await.unwrap();
        assert!(chain.node().process_id().is_none());
        assert!(chain.tip().await.is_err(), "it must be down");
        chain.node().run().await.unwrap();
        assert_ne!(chain.node().process_id().unwrap(), id);
        assert_eq!(chain.tip().await.unwrap(), tip);
        assert_eq!(wallet.balance_sat().await.unwrap(), 1_050_000);
        assert!(chain.node().run().await.is_err(), "it runs already");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn utxo_clocks_move_and_stay_moved_over_a_restart() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.bitcoin, &world.litecoin] {
        let later = now() + 7_200;
        chain.advance_median_time(later).await.unwrap();
        assert!(chain.median_time_unix_secs().await.unwrap() >= later);
        chain.restart().await.unwrap();
        chain.mine(1).await.unwrap();
        assert!(chain.median_time_unix_secs().await.unwrap() >= later);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_go_on_after_a_restart_and_stop_when_told() {
    let Some(world) = own_world(WorldConfig::every(Mining::Every(Duration::from_millis(200)))).await else { return };
    let (bitcoin, smt) = (&world.bitcoin, &world.smt);
    bitcoin.node().stop().await.unwrap();
    smt.node().stop().await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    bitcoin.node().run().await.unwrap();
    smt.node().run().await.unwrap();
    let (utxo_height, evm_height) = (bitcoin.height().await.unwrap(), smt.height().await.unwrap());
    let wait = async {
        while bitcoin.height().await.unwrap() < utxo_height + 3 || smt.height().await.unwrap() < evm_height + 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the miners must go on");
    bitcoin.auto_mine(Mining::Manual);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let height = bitcoin.height().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(bitcoin.height().await.unwrap(), height);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_start_says_why() {
    let Some(programs) = require_nodes().await else { return };
    for (flavour, program) in [(BITCOIND, programs.bitcoind), (LITECOIND, programs.litecoind)] {
        let folder = tempfile::tempdir().unwrap();
        let args = vec!["-no-such-option-at-all".to_owned()];
        let config = DaemonConfig { flavour, program, dir: folder.path().join("node"), listen: false, args };
        let error = Daemon::start(config).await.unwrap_err().to_string();
        assert!(error.contains(flavour.node) && error.contains("no-such-option-at-all"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_are_connected_agree_and_the_longer_chain_wins() {
    let Some(programs) = require_nodes().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let (program, dir) = (programs.bitcoind.clone(), folder.path().join(name));
        Daemon::start(DaemonConfig { flavour: BITCOIND, program, dir, listen: true, args: Vec::new() })
    };
    let (short, long) = (start("short").await.unwrap(), start("long").await.unwrap());
    // Anyone can spend it; nobody will.
    let address = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85";
    let mine = async |node: &Daemon, blocks: u32| -> Vec<String> {
        node.rpc().get("generatetoaddress", json!([blocks, address])).await.unwrap()
    };
    // Another time, or the blocks would be the same.
    short.set_mock_time(now() - 600).await.unwrap();
    let lost = mine(&short, 2).await;
    short.set_mock_time(0).await.unwrap();
    let won = mine(&long, 3).await;
    assert_ne!(lost[0], won[0]);
    short.connect_to(&long).await.unwrap();
    let agree = async {
        while short.rpc().get::<String>("getbestblockhash", json!([])).await.unwrap() != won[2] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), agree).await.expect("the shorter chain gives way");
}

async fn reorg_evm(chain: &EvmChain) {
    chain.faucet(ACCOUNT, 5).await.unwrap();
    chain.mine(1).await.unwrap();
    chain.faucet(ACCOUNT, 7).await.unwrap();
    chain.mine(3).await.unwrap();
    assert_eq!(chain.balance_wei(ACCOUNT).await.unwrap(), 12);
    // Twice each way, over the same blocks: the second reorg must differ from the first.
    for (unmined, balance) in [(Unmined::MinedAgain, 12), (Unmined::MinedAgain, 12), (Unmined::LeftOut, 5), (Unmined::LeftOut, 5)]
    {
        let top = chain.height().await.unwrap();
        let old = chain.block_hash(2).await.unwrap();
        let new_tip = chain.reorg(top - 1, unmined).await.unwrap();
        assert_ne!(chain.block_hash(2).await.unwrap(), old);
        assert_eq!((chain.height().await.unwrap(), chain.tip().await.unwrap()), (top + 1, new_tip));
        assert_eq!(chain.balance_wei(ACCOUNT).await.unwrap(), balance, "{unmined:?}");
    }
    // Time did not go back with the blocks.
    chain.increase_time(5_000).await.unwrap();
    let time = chain.time_unix_secs().await.unwrap();
    chain.reorg(2, Unmined::MinedAgain).await.unwrap();
    assert!((time..time + 60).contains(&chain.time_unix_secs().await.unwrap()));
    // The faucet still pays: its nonces went back with the blocks.
    chain.faucet(ACCOUNT, 1).await.unwrap();
    assert_eq!(chain.balance_wei(ACCOUNT).await.unwrap(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evm_reorg_changes_hashes_and_takes_or_keeps_transactions() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    reorg_evm(&world.ethereum).await;
    reorg_evm(&world.smt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evm_node_comes_back_with_its_history() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.ethereum, &world.smt] {
        let hash = chain.faucet(ACCOUNT, 5).await.unwrap();
        chain.mine(1).await.unwrap();
        chain.increase_time(5_000).await.unwrap();
        let (tip, url) = (chain.tip().await.unwrap(), chain.url().to_owned());
        for _ in 0..3 {
            // Past the second in which the last one started.
            tokio::time::sleep(Duration::from_millis(400)).await;
            chain.restart().await.unwrap();
            assert_eq!((chain.tip().await.unwrap(), chain.url()), (tip.clone(), url.as_str()));
            // Receipts, and the state of older blocks.
            assert!(!chain.rpc().call("eth_getTransactionReceipt", json!([hash])).await.unwrap().is_null());
            assert_eq!(chain.rpc().call("eth_getBalance", json!([ACCOUNT, "0x0"])).await.unwrap(), json!("0x0"));
            assert_eq!(chain.rpc().call("eth_getBalance", json!([ACCOUNT, "0x1"])).await.unwrap(), json!("0x5"));
        }
        // Time goes on from where the chain was.
        let time = chain.time_unix_secs().await.unwrap();
        chain.mine(1).await.unwrap();
        assert!((time..time + 60).contains(&chain.time_unix_secs().await.unwrap()));
        chain.reorg(4, Unmined::LeftOut).await.unwrap();
        assert_eq!(chain.balance_wei(ACCOUNT).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_clocks_fees_and_mempools_obey() {
    let Some(world) = own_world(WorldConfig::manual()).await else { return };
    for chain in [&world.ethereum, &world.smt] {
        let before = chain.time_unix_secs().await.unwrap();
        chain.increase_time(3_600).await.unwrap();
        assert!(chain.time_unix_secs().await.unwrap() >= before + 3_600);
        let account = chain.dev_accounts()[0].address;
        let payment = json!({"from": account, "to": ACCOUNT, "value": "0x1", "gas": "0x186a0", "gasPrice": "0x2540be4000"});
        let hash = chain.call("eth_sendTransaction", json!([payment])).await.unwrap();
        assert!(chain.drop_transaction(hash.as_str().unwrap()).await.unwrap());
        assert!(!chain.drop_transaction(hash.as_str().unwrap()).await.unwrap());
        chain.mine(1).await.unwrap();
        assert_eq!(chain.balance_wei(ACCOUNT).await.unwrap(), 0);
    }
    let later = world.ethereum.time_unix_secs().await.unwrap() + 500;
    world.ethereum.set_next_block_time(later).await.unwrap();
    world.ethereum.set_next_base_fee(77_000_000_000).await.unwrap();
    world.ethereum.mine(1).await.unwrap();
    assert_eq!(world.ethereum.time_unix_secs().await.unwrap(), later);
    let block = world.ethereum.call("eth_getBlockByNumber", json!(["latest", false])).await.unwrap();
    assert_eq!(block.get("baseFeePerGas"), Some(&json!("0x11ed8ec200")));
    assert!(world.smt.set_next_base_fee(1).await.is_err());
}
