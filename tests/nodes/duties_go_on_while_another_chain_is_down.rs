//! A node that is down, even when Photon starts, stops what touches its chain and nothing else.

use crate::stage::{Books, Moment, PATIENCE, agree, amount, both_complete, ended, new_offer, own, play_alone, reach, until};
use photon::service::HealthView;
use photon_chains::Ledger;
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

fn is_down(health: &HealthView, ledger: Ledger) -> bool {
    health.ledgers.iter().all(|one| one.healthy == (one.ledger != ledger))
}

#[test]
fn a_restart_without_bitcoin_completes_what_stands_on_other_chains() {
    play_alone(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let (mut alice, bob) = scene.alice_and_bob("outage").await;
        let books = Books::open(&[&alice, &bob]).await;
        let swap = agree(&alice, &bob, "ETH", "SMT").await;
        reach(&alice, &swap, Moment::Sent("fund")).await;
        alice.kill().unwrap();
        scene.world().bitcoin.node().stop().await.unwrap();
        alice.start_until(|health| is_down(health, Ledger::Bitcoin)).await.unwrap();
        let health: HealthView = alice.get("/v1/health").await.unwrap();
        let trouble = health.ledgers.iter().find(|one| one.ledger == Ledger::Bitcoin).unwrap().trouble.clone().unwrap();
        assert!(!health.healthy && trouble.contains("did not answer"), "{trouble}");
        both_complete(&alice, &bob, &swap).await;

        // Nothing new is begun on it, and the refusal says why.
        let refused = bob.offer(&new_offer("SMT", "BTC")).await.unwrap();
        let wish = photon::service::NewSwap { peer: bob.address(), offer: refused.id, funding: Default::default() };
        let error = alice.take(&wish).await.unwrap_err().to_string();
        assert!(error.contains("bitcoin") || error.contains("can't serve"), "{error}");

        // Once it is back, it is connected without a restart, and serves.
        scene.world().bitcoin.node().run().await.unwrap();
        for wallet in [&alice.name, &bob.name] {
            // A node forgets which wallets were loaded, unless its owner told it.
            let loaded = scene.world().bitcoin.call("loadwallet", serde_json::json!([wallet])).await;
            assert!(loaded.is_ok() || loaded.unwrap_err().to_string().contains("already loaded"));
        }
        until("Alice sees bitcoin again", PATIENCE, async || {
            alice.get::<HealthView>("/v1/health").await.ok()?.healthy.then_some(())
        })
        .await;
        until("Bob sees bitcoin again", PATIENCE, async || bob.get::<HealthView>("/v1/health").await.ok()?.healthy.then_some(()))
            .await;
        let back = agree(&alice, &bob, "BTC", "ETH").await;
        assert_eq!((ended(&alice, &back).await, ended(&bob, &back).await), ("completed".into(), "completed".into()));
        let (eth, smt, btc) = (amount("ETH").units(), amount("SMT").units(), amount("BTC").units());
        let paid = [
            (&*alice, eth, "ETH", &*bob),
            (&*bob, smt, "SMT", &*alice),
            (&*alice, btc, "BTC", &*bob),
            (&*bob, eth, "ETH", &*alice),
        ];
        books.close(&[&alice, &bob], &paid).await;
    });
}
