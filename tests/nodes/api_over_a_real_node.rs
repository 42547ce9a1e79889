//! What a program may rely on that drives a node over HTTP: created once, refused in words, told everything in order.

use crate::stage::{Books, PATIENCE, Player, agree, both_complete, money, new_offer, offer, play, shared, until};
use photon::api::OfferList;
use photon::service::{Funding, NewOffer, NewSend, NewSwap, SendView};
use photon_chains::Amount;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

fn post(player: &Player, path: &str, key: &str, body: &impl serde::Serialize) -> RequestBuilder {
    player.request(Method::POST, path).header("Idempotency-Key", key).json(body)
}

async fn created(request: RequestBuilder) -> (bool, Value) {
    let response = request.send().await.unwrap();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    (replayed, serde_json::from_str(&text).unwrap())
}

/// The problem in an answer, which must be this one.
async fn problem(response: Response, status: u16, kind: &str) -> String {
    let (got, content) = (response.status().as_u16(), response.headers()["content-type"].clone());
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(content, "application/problem+json", "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["type"], format!("urn:photon:problem:{kind}"), "{text}");
    assert_eq!(body["status"], status, "{text}");
    assert!(body["title"].as_str().unwrap().len() > 3 && body["detail"].as_str().unwrap().len() > 5, "{text}");
    body["detail"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_asked_twice_under_one_key_is_done_once() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = scene.alice_and_bob("api-once").await;
        let books = Books::open(&[&alice, &bob]).await;

        let wish = new_offer("ETH", "BTC");
        let make = || created(post(&bob, "/v1/offers", "one-offer", &wish));
        let (one, two) = tokio::join!(make(), make());
        assert_eq!(one.1, two.1);
        assert!(one.0 != two.0, "one is made, the other repeated");
        assert_eq!(bob.get::<OfferList>("/v1/offers").await.unwrap().offers.len(), 1);
        let other = post(&bob, "/v1/offers", "one-offer", &new_offer("ETH", "LTC")).send().await.unwrap();
        problem(other, 422, "key-reused").await;

        let offer = one.1["id"].as_str().unwrap().to_owned();
        let take = NewSwap { peer: bob.address(), offer, funding: Funding::Wallet };
        let start = || created(post(&alice, "/v1/swaps", "one-swap", &take));
        let (one, two) = tokio::join!(start(), start());
        assert_eq!(one.1["id"], two.1["id"]);
        let id = one.1["id"].as_str().unwrap().to_owned();
        // Also when the node was killed and started in between.
        alice.kill().unwrap();
        alice.start().await.unwrap();
        let (replayed, again) = created(post(&alice, "/v1/swaps", "one-swap", &take)).await;
        assert!(replayed && again["id"] == id.as_str(), "{again}");
        both_complete(&alice, &bob, &id).await;
        assert_eq!((alice.swaps().await.unwrap().len(), bob.swaps().await.unwrap().len()), (1, 1));

        let to = scene.world().litecoin.miner_wallet().new_address().await.unwrap();
        let pay = NewSend { pay: money("LTC"), to: to.clone() };
        let send = || created(post(&alice, "/v1/sends", "one-payment", &pay));
        let (one, two) = tokio::join!(send(), send());
        assert_eq!(one.1["id"], two.1["id"]);
        let path = format!("/v1/sends/{}", one.1["id"].as_str().unwrap());
        until("the payment is done", PATIENCE, async || (alice.get::<SendView>(&path).await.ok()?.state == "done").then_some(()))
            .await;
        let (replayed, _) = created(post(&alice, "/v1/sends", "one-payment", &pay)).await;
        assert!(replayed);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let litoshi = u128::from(scene.world().litecoin.address_balance_sat(&to).await.unwrap());
        assert_eq!(litoshi, pay.pay.amount.units());

        let (btc, eth) = (money("BTC").amount.units(), money("ETH").amount.units());
        books.close_with(&alice, &[(btc, "BTC"), (litoshi, "LTC")], &[(eth, "ETH")]).await;
        books.close_with(&bob, &[(eth, "ETH")], &[(btc, "BTC")]).await;
    });
}

#[test]
fn what_can_not_be_right_is_refused_in_words_and_changes_nothing() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = scene.alice_and_bob("api-wrong").await;
        let books = Books::open(&[&alice, &bob]).await;
        let good = serde_json::to_value(new_offer("ETH", "BTC")).unwrap();
        let with = |place: &str, value: Value| {
            let mut bent = good.clone();
            *bent.pointer_mut(place).unwrap() = value;
            bent
        };
        for (body, status, kind, word) in [
            (with("/give/asset", json!("DOGE")), 422, "invalid", "DOGE"),
            (with("/give/asset", json!("ethereum:0x00000000000000000000000000000000000000aa")), 422, "invalid", "not configured"),
            (with("/give/amount", json!("1.5")), 422, "invalid", "amount"),
            (with("/give/amount", json!("-1")), 422, "invalid", "amount"),
            (with("/give/amount", json!("1e18")), 422, "invalid", "amount"),
            (with("/give/amount", json!(" 1")), 422, "invalid", "amount"),
            (with("/give/amount", json!(100)), 422, "invalid", "string"),
            (with("/give/amount", json!("0")), 422, "invalid", "nothing"),
            (with("/give/amount", json!(format!("1{}", "0".repeat(60)))), 422, "invalid", "amount"),
            (with("/give", json!({ "asset": "BTC", "amount": "5" })), 422, "invalid", "the asset that it wants"),
            (with("/valid_secs", json!(9)), 422, "invalid", "valid_secs"),
            (with("/valid_secs", json!(604_801)), 422, "invalid", "valid_secs"),
            (json!({ "give": good["give"], "want": good["want"], "valid_secs": 60, "premium": 1 }), 422, "invalid", "premium"),
            (json!([]), 422, "invalid", ""),
        ] {
            let detail = problem(post(&bob, "/v1/offers", &key(), &body).send().await.unwrap(), status, kind).await;
            assert!(detail.contains(word), "{body} should say {word}: {detail}");
        }
        let no_json = bob.request(Method::POST, "/v1/offers").header("Idempotency-Key", key()).body("give=1").send().await;
        problem(no_json.unwrap(), 415, "not-json").await;
        let broken = post(&bob, "/v1/offers", &key(), &good).body("{\"give\":").send().await.unwrap();
        problem(broken, 400, "malformed").await;
        let huge = json!({ "give": "x".repeat(100_000) });
        problem(post(&bob, "/v1/offers", &key(), &huge).send().await.unwrap(), 413, "too-large").await;
        problem(bob.request(Method::POST, "/v1/offers").json(&good).send().await.unwrap(), 400, "malformed").await;
        problem(bob.request(Method::GET, "/v1/secrets").send().await.unwrap(), 404, "not-found").await;
        let put = bob.request(Method::PUT, "/v1/offers").send().await.unwrap();
        assert!(put.headers().contains_key("allow"));
        problem(put, 405, "method-not-allowed").await;
        problem(bob.request(Method::GET, "/v1/swaps/..%2f..%2fseed").send().await.unwrap(), 400, "malformed").await;
        problem(bob.request(Method::GET, &format!("/v1/swaps/{}", "0".repeat(64))).send().await.unwrap(), 404, "not-found").await;
        problem(bob.request(Method::GET, "/v1/swaps?limit=100000").send().await.unwrap(), 400, "malformed").await;
        assert!(bob.get::<OfferList>("/v1/offers").await.unwrap().offers.is_empty());

        wrong_takes(&alice, &bob).await;
        wrong_payments(&alice).await;
        books.close(&[&alice, &bob], &[]).await;
    });
}

fn key() -> String {
    hex::encode(crate::stage::mallory::random::<16>())
}

async fn wrong_takes(alice: &Player, bob: &Player) {
    let open = offer(bob, "ETH", "BTC").await;
    let short = bob.offer(&NewOffer { valid_secs: 10, ..new_offer("SMT", "BTC") }).await.unwrap();
    let withdrawn = offer(bob, "LTC", "BTC").await;
    let gone = bob.request(Method::DELETE, &format!("/v1/offers/{}", withdrawn.id)).send().await.unwrap();
    assert!(gone.status().is_success());
    tokio::time::sleep(Duration::from_secs(11)).await;
    let nobody = format!("0x{}", "11".repeat(20));
    let body = |peer: &str, offer: &str, funding: &str| json!({ "peer": peer, "offer": offer, "funding": funding });
    let there = bob.address();
    for (body, status, kind, word) in [
        (body(&there, &short.id, "wallet"), 404, "not-found", "no open offer"),
        (body(&there, &withdrawn.id, "wallet"), 404, "not-found", "no open offer"),
        (body(&there, &"ab".repeat(32), "wallet"), 404, "not-found", "no open offer"),
        (body(&there, "ab", "wallet"), 422, "invalid", "64"),
        (body("charlie", &open.id, "wallet"), 404, "not-found", "charlie"),
        (body(&nobody, &open.id, "wallet"), 404, "not-found", "add it"),
        (body(&format!("{nobody}@{}", bob.peer), &open.id, "wallet"), 503, "unavailable", "not the one asked for"),
        (body(&format!("{nobody}@nowhere"), &open.id, "wallet"), 422, "invalid", ""),
        (body("no body", &open.id, "wallet"), 422, "invalid", ""),
        (body(&there, &open.id, "credit"), 422, "invalid", "credit"),
    ] {
        let detail = problem(post(alice, "/v1/swaps", &key(), &body).send().await.unwrap(), status, kind).await;
        assert!(detail.contains(word), "{body} should say {word}: {detail}");
    }
    assert!(alice.swaps().await.unwrap().is_empty() && bob.swaps().await.unwrap().is_empty());
    let unknown = bob.request(Method::DELETE, &format!("/v1/offers/{}", "ab".repeat(32))).send().await.unwrap();
    problem(unknown, 404, "not-found").await;
}

/// Addresses of other networks, other ledgers, and of nobody.
async fn wrong_payments(alice: &Player) {
    let mainnet = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"];
    let testnet = ["tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"];
    let others = ["ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "0x00000000000000000000000000000000000000aa", "nobody"];
    let cases = mainnet.into_iter().chain(testnet).chain(others).map(|to| ("BTC", to)).chain([
        ("ETH", "0x1234"),
        ("ETH", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
        ("LTC", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
        ("SMT", "nobody"),
    ]);
    for (asset, to) in cases {
        let pay = NewSend { pay: money(asset), to: to.to_owned() };
        let answer = post(alice, "/v1/sends", &key(), &pay).send().await.unwrap();
        // Refused at once, or as soon as the ledger's adapter has looked at it: either way it is said, and nothing is paid.
        if answer.status().is_success() {
            let made: SendView = answer.json().await.unwrap();
            let path = format!("/v1/sends/{}", made.id);
            let what = format!("{asset} to {to} is refused");
            let refused = until(&what, PATIENCE, async || {
                let seen: SendView = alice.get(&path).await.ok()?;
                (seen.state == "refused").then_some(seen)
            })
            .await;
            assert!(refused.txid.is_none() && refused.trouble.is_some_and(|why| !why.is_empty()), "{asset} to {to}");
        } else {
            let status = answer.status().as_u16();
            assert!([409, 422].contains(&status), "{asset} to {to}: {answer:?}");
        }
    }
    let too_much = NewSend {
        pay: photon::service::AssetAmount { asset: "ETH".into(), amount: Amount::from_units(u128::MAX), coins: None },
        to: alice.identity.to_string(),
    };
    let detail = problem(post(alice, "/v1/sends", &key(), &too_much).send().await.unwrap(), 409, "refused").await;
    assert!(detail.contains("are free"), "{detail}");
}

#[test]
fn strangers_and_foreign_pages_are_turned_away() {
    play(async {
        let Some(scene) = shared().await else { return };
        let mut alice = scene.party("api-doors").await;
        alice.start().await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = |path: &str| format!("http://{}{path}", alice.api);
        for path in ["/v1/health", "/v1/balances", "/v1/events", "/metrics", "/openapi.json", "/"] {
            problem(client.get(url(path)).send().await.unwrap(), 401, "unauthenticated").await;
            let guess = client.get(url(path)).bearer_auth("photon_0000000000000000000000000000000000000000");
            problem(guess.send().await.unwrap(), 401, "unauthenticated").await;
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            let rebound = alice.request(Method::GET, "/v1/health").header("Host", host).send().await.unwrap();
            assert!([400, 403].contains(&rebound.status().as_u16()), "{host}: {rebound:?}");
        }
        for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
            let foreign = alice.request(Method::GET, "/v1/health").header("Origin", origin).send().await.unwrap();
            problem(foreign, 403, "foreign-page").await;
            let to = post(&alice, "/v1/offers", &key(), &new_offer("ETH", "BTC")).header("Origin", origin);
            problem(to.send().await.unwrap(), 403, "foreign-page").await;
        }
        let simple = alice.request(Method::GET, "/v1/health").header("Host", format!("localhost:{}", alice.api.port()));
        assert!(simple.send().await.unwrap().status().is_success());
        assert!(alice.get::<OfferList>("/v1/offers").await.unwrap().offers.is_empty());
    });
}

/// One event as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    kind: String,
    data: Value,
}

/// Reads a stream until, once it has begun, nothing has come for two seconds. Alerts are left out: they come as nodes turn ill and well.
async fn heard(mut answer: Response) -> Vec<Event> {
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let patience = |text: &str| if text.contains("data:") { Duration::from_secs(2) } else { PATIENCE };
    while let Ok(Ok(Some(piece))) = tokio::time::timeout(patience(&text), answer.chunk()).await {
        text += std::str::from_utf8(&piece).unwrap();
    }
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    blocks
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            let data: Value = serde_json::from_str(field("data:")).unwrap();
            Event { id: field("id:").parse().unwrap(), kind: field("event:").to_owned(), data }
        })
        .filter(|event| event.kind != "alert")
        .collect()
}

#[test]
fn events_come_in_order_once_each_and_go_on_where_one_left_off() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = scene.alice_and_bob("api-events").await;
        let from_the_beginning =
            |player: &Player| player.request(Method::GET, "/v1/events?after=0").timeout(Duration::from_secs(120)).send();
        let quiet = alice.request(Method::GET, "/v1/events").timeout(Duration::from_secs(120)).send().await.unwrap();
        let swap = agree(&alice, &bob, "BTC", "ETH").await;
        both_complete(&alice, &bob, &swap).await;
        let all = heard(from_the_beginning(&alice).await.unwrap()).await;
        let ids: Vec<u64> = all.iter().map(|event| event.id).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "{ids:?}");
        let facts: Vec<&str> = all
            .iter()
            .filter(|event| event.kind == "swap" && event.data["subject"] == swap.as_str())
            .filter_map(|event| event.data["data"]["fact"].as_str())
            .collect();
        assert_eq!(facts, ["fund_intent", "reveal_intent", "secret", "ended"], "{all:#?}");
        assert_eq!(heard(quiet).await, all, "who listened from before heard the same");

        let middle = all[all.len() / 2].id;
        let resume = || alice.request(Method::GET, "/v1/events").header("Last-Event-ID", middle.to_string()).send();
        let rest = heard(resume().await.unwrap()).await;
        assert_eq!(rest, all[all.len() / 2 + 1..]);
        let odd = alice.request(Method::GET, "/v1/events").header("Last-Event-ID", "yesterday").send().await.unwrap();
        problem(odd, 400, "malformed").await;

        // Over a power cut: nothing is lost, nothing is told anew, and what is new comes behind.
        alice.kill().unwrap();
        alice.start().await.unwrap();
        alice.offer(&new_offer("BTC", "ETH")).await.unwrap();
        let after = heard(from_the_beginning(&alice).await.unwrap()).await;
        assert_eq!(after[..all.len()], all);
        let new: Vec<&str> = after[all.len()..].iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(new, ["offer"]);
    });
}
