//! A second node of a ledger: what only one node shows is never enough to risk money on, and always enough for a duty.
//! THREATS F1, F2, C1, C25.

use crate::stage::{
    Books, Moment, PATIENCE, Player, Scene, agree, both_complete, both_paid, ended, new_offer, offer, own, play, reach, shared,
    take, until,
};
use photon::demo::party::Party;
use photon::service::{Funding, HealthView, NewSwap};
use photon_chains::Ledger;
use photon_regtest::nodes::bitcoind::BITCOIND;
use photon_regtest::nodes::{Daemon, DaemonConfig};
use photon_regtest::proxy::{Fault, FaultProxy};
use photon_regtest::{Mining, WorldConfig, require_nodes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn trouble(party: &Party, ledger: Ledger) -> Option<String> {
    let health: HealthView = party.get("/v1/health").await.ok()?;
    health.ledgers.into_iter().find(|one| one.ledger == ledger)?.trouble
}

/// A party with a second node on the two ledgers that its swaps stand on.
async fn doubled(scene: &Scene, name: &str) -> (Player, Vec<FaultProxy>) {
    let party = scene.party(name).await;
    let mut seconds = Vec::new();
    for ledger in [Ledger::Bitcoin, Ledger::Ethereum] {
        seconds.push(scene.second(&party, ledger).await);
    }
    (party, seconds)
}

/// What a node says that hides how a lock was redeemed: no event, no transaction, and a slot that still holds the lock. Or, on a chain of
/// scripts, nothing that waits and no block since then.
fn hiding_node() -> Fault {
    Fault::Lie(Arc::new(|method, _params, result: Value| match method {
        "eth_getLogs" => json!([]),
        "eth_getBlockByHash" | "eth_getBlockByNumber" => {
            let mut block = result;
            if let Some(txs) = block.get_mut("transactions") {
                *txs = json!([]);
            }
            block
        }
        "eth_call" if result == json!(format!("0x{}", "0".repeat(64))) => json!(format!("0x{}1", "0".repeat(63))),
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" => Value::Null,
        _ => result,
    }))
}

/// Bob's first Ethereum node, once his lock stands, hides that Alice redeems it. He finds the secret through the second.
#[test]
fn a_hidden_redeem_is_found_through_the_other_node() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, (mut bob, _seconds)) = tokio::join!(scene.party("hidden-alice"), doubled(&scene, "hidden-bob"));
        let first = scene.proxied(&bob, Ledger::Ethereum).await;
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        let swap = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&bob, &swap, Moment::Sent("fund")).await;
        until("Bob's lock is in a block", PATIENCE, async || {
            let leg = bob.swap(&swap).await.ok()?.legs.into_iter().find(|leg| leg.ours)?;
            (leg.depth > 0).then_some(())
        })
        .await;
        for method in ["eth_getLogs", "eth_getBlockByHash", "eth_getBlockByNumber", "eth_call", "eth_getTransactionByHash"] {
            first.set(method, hiding_node());
        }
        reach(&bob, &swap, Moment::Sent("redeem")).await;
        assert!(first.bitten() > 0);
        first.clear();
        both_complete(&alice, &bob, &swap).await;
        books.close(&[&alice, &bob], &both_paid(&alice, &bob, [("BTC", "ETH")])).await;
    });
}

/// The second nodes go away in the middle: the swap goes on by what the first ones show, nothing new is begun, and it is told why. Then the
/// first ones go, after the secret is out: the second ones carry what is left.
#[test]
fn a_node_that_is_down_stops_new_risk_and_no_duty() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, (mut bob, seconds)) = tokio::join!(scene.party("halved-alice"), doubled(&scene, "halved-bob"));
        let firsts = [scene.proxied(&bob, Ledger::Bitcoin).await, scene.proxied(&bob, Ledger::Ethereum).await];
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        let health: HealthView = bob.get("/v1/health").await.unwrap();
        let doubled = |ledger| matches!(ledger, Ledger::Bitcoin | Ledger::Ethereum);
        assert!(health.ledgers.iter().all(|one| (one.nodes == 2) == doubled(one.ledger)), "{health:?}");
        let alone = |party: &Player| party.said().lines().find(|line| line.contains("NO SECOND NODE")).unwrap().to_owned();
        assert!(alone(&alice).contains("bitcoin") && !alone(&bob).contains("bitcoin") && alone(&bob).contains("smt"));

        let one = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&bob, &one, Moment::Sent("fund")).await;
        seconds.iter().for_each(|proxy| proxy.set_every(Fault::BreakBefore));
        until("the doubt is told", PATIENCE, async || {
            trouble(&bob, Ledger::Ethereum).await.filter(|said| said.contains("the second node can't be asked"))
        })
        .await;
        let refused = offer(&bob, "ETH", "BTC").await;
        let refused = take(&alice, &bob, &refused).await.unwrap_err().to_string();
        assert!(refused.contains("can't serve") || refused.contains("second node"), "{refused}");
        both_complete(&alice, &bob, &one).await;
        seconds.iter().for_each(FaultProxy::clear);
        until("Bob is well again", PATIENCE, async || bob.get::<HealthView>("/v1/health").await.ok()?.healthy.then_some(()))
            .await;

        let two = agree(&alice, &bob, "BTC", "ETH").await;
        reach(&alice, &two, Moment::Fact("reveal_intent")).await;
        firsts.iter().for_each(|proxy| proxy.set_every(Fault::BreakBefore));
        reach(&bob, &two, Moment::Sent("redeem")).await;
        until("the second node has carried it", PATIENCE, async || {
            bob.said().contains("carried by the second node").then_some(())
        })
        .await;
        firsts.iter().for_each(FaultProxy::clear);
        both_complete(&alice, &bob, &two).await;
        books.close(&[&alice, &bob], &both_paid(&alice, &bob, [("BTC", "ETH"), ("BTC", "ETH")])).await;
    });
}

/// A node on a fork of its own, with blocks that cost nothing: it shows Alice's payment as deep as one could wish. Bob's second node is on
/// the real chain.
#[test]
fn confirmations_on_a_private_fork_are_not_believed() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let Some(programs) = require_nodes().await else { return };
        let dir = scene.folder("fork").join("node");
        let (flavour, program) = (BITCOIND, programs.bitcoind.clone());
        let fork = Daemon::start(DaemonConfig { flavour, program, dir, listen: true, args: Vec::new() }).await.unwrap();
        let bitcoin = &scene.world().bitcoin;
        bitcoin.node().connect_to(&fork).await.unwrap();
        for name in ["fork-alice", "fork-bob", "fork-miner"] {
            fork.create_wallet(name).await.unwrap();
        }
        let miner = fork.rpc().wallet("fork-miner");
        let address: String = miner.get("getnewaddress", json!([])).await.unwrap();
        bitcoin.faucet(&address, 50_000_000).await.unwrap();
        let (mut alice, mut bob) = tokio::join!(scene.party("fork-alice"), scene.party("fork-bob"));
        for party in [&alice, &bob] {
            party.rewrite(&format!("\"{}\"", scene.node_url(Ledger::Bitcoin)), &format!("\"{}\"", fork.rpc().url()));
            party.rewrite(&bitcoin.cookie().display().to_string(), &fork.cookie().display().to_string());
        }
        bob.add_second(Ledger::Bitcoin, &scene.node_url(Ledger::Bitcoin), Some(&bitcoin.cookie()));
        until("the nodes are on one chain", PATIENCE, async || {
            let funds: f64 = miner.get("getbalance", json!([])).await.ok()?;
            (funds > 0.0).then_some(())
        })
        .await;
        tokio::try_join!(alice.start(), bob.start()).unwrap();

        let ether = bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
        let wish = NewSwap { peer: bob.address(), offer: ether.id, funding: Funding::Outside };
        let swap = alice.take(&wish).await.unwrap();
        fork.rpc().call("setnetworkactive", json!([false])).await.unwrap();
        let to = swap.legs[0].funding_address.clone().unwrap();
        miner.call("sendtoaddress", json!([to, 0.01])).await.unwrap();
        let mining = async {
            loop {
                let _ = fork.rpc().call("generatetoaddress", json!([1, address])).await;
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
        };
        let watching = async {
            until("Alice's node shows it deep", PATIENCE, async || {
                let leg = alice.swap(&swap.id).await.ok()?.legs.remove(0);
                (leg.status == "funded").then_some(())
            })
            .await;
            until("Bob doubts", PATIENCE, async || {
                trouble(&bob, Ledger::Bitcoin).await.filter(|said| said.contains("different chains") || said.contains("behind"))
            })
            .await;
            ended(&bob, &swap.id).await
        };
        let outcome = tokio::select! { () = mining => unreachable!(), outcome = watching => outcome };
        assert_eq!(outcome, "void", "Bob has paid nothing");
        let facts: Vec<String> = bob.swap(&swap.id).await.unwrap().facts.into_iter().map(|fact| fact.fact).collect();
        assert!(!facts.iter().any(|fact| fact == "fund_intent"), "{facts:?}");
    });
}
