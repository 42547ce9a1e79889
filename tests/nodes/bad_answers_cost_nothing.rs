//! Both daemons see every node through a proxy that breaks off, delays, doubles, cuts and refuses at random. F4, F11: no state ever
//! changes because of an error of a node, so every swap ends completed or refunded for both, and the books balance.

use crate::stage::{Books, LEDGERS, PATIENCE, agree, amount, ended, play, shared, until};
use photon::demo::party::Party;
use photon::service::HealthView;
use photon_regtest::proxy::{Fault, FaultProxy};
use serde_json::json;
use std::time::{Duration, Instant};

/// So long the nodes answer badly, if the swaps have not ended before. Then there is quiet, in which whatever is left must end.
const CHAOS: Duration = Duration::from_secs(75);
/// Of a hundred requests, so many go wrong.
const PERCENT: u64 = 10;

fn faults() -> Vec<Fault> {
    let refuse = |code, message, done| Fault::Refuse { code, message, done };
    vec![
        Fault::Delay(Duration::from_millis(300)),
        Fault::BreakBefore,
        Fault::BreakAfter,
        Fault::Twice,
        Fault::Truncate,
        Fault::Garble,
        Fault::Status(502),
        Fault::Status(429),
        Fault::Say(json!(null)),
        refuse(-28, "Loading block index...", false),
        refuse(-32603, "Internal error", false),
        refuse(-32603, "Internal error", true),
        refuse(-25, "Missing inputs", true),
        refuse(-32000, "nonce too low", true),
        refuse(-32000, "known transaction: 5a5a5a", false),
    ]
}

async fn have_ended(parties: &[&Party], swaps: &[(String, &str, &str)]) -> bool {
    for party in parties {
        for (swap, ..) in swaps {
            if party.swap(swap).await.map_or(true, |swap| swap.outcome.is_none()) {
                return false;
            }
        }
    }
    true
}

#[test]
fn swaps_behind_nodes_that_answer_badly_end_whole() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, mut bob) = tokio::join!(scene.party("badly-alice"), scene.party("badly-bob"));
        let mut proxies = Vec::new();
        for party in [&alice, &bob] {
            for ledger in LEDGERS {
                proxies.push(scene.proxied(party, ledger).await);
            }
        }
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        let mut swaps = Vec::new();
        for (pay, get) in [("BTC", "ETH"), ("ETH", "BTC"), ("LTC", "SMT"), ("SMT", "LTC")] {
            swaps.push((agree(&alice, &bob, pay, get).await, pay, get));
        }
        for (seed, proxy) in (1..).zip(&proxies) {
            proxy.set_chaos(seed, PERCENT, faults());
        }
        let began = Instant::now();
        while began.elapsed() < CHAOS && !have_ended(&[&alice, &bob], &swaps).await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let bitten: Vec<u64> = proxies.iter().map(|proxy| proxy.bitten()).collect();
        assert!(bitten.iter().all(|bitten| *bitten > 5), "every node has answered badly: {bitten:?}");
        proxies.iter().for_each(FaultProxy::clear);
        let mut paid = Vec::new();
        let mut completed = 0;
        for (swap, pay, get) in &swaps {
            match (ended(&alice, swap).await.as_str(), ended(&bob, swap).await.as_str()) {
                ("completed", "completed") => {
                    completed += 1;
                    paid.push((&*alice, amount(pay).units(), *pay, &*bob));
                    paid.push((&*bob, amount(get).units(), *get, &*alice));
                }
                ("refunded" | "void", "refunded" | "void") => {}
                other => panic!("{pay} for {get}: {other:?}"),
            }
        }
        eprintln!("{completed} of {} swaps completed behind {} bad answers", swaps.len(), bitten.iter().sum::<u64>());
        for party in [&alice, &bob] {
            until("all is well again", PATIENCE, async || {
                party.get::<HealthView>("/v1/health").await.ok()?.healthy.then_some(())
            })
            .await;
        }
        books.close(&[&alice, &bob], &paid).await;
    });
}
