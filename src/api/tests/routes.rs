//! Each route does its work, and refuses what can't be right.
use super::*;
use crate::api::fake::{self, id};
use crate::api::routes::ROUTES;
use crate::service::ServiceError;
use serde_json::json;

fn offer() -> Value {
    json!({ "give": { "asset": "BTC", "amount": "10000000" }, "want": { "asset": "ETH", "amount": "5" }, "valid_secs": 60 })
}

async fn body(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/json");
    response.json().await.unwrap()
}

#[tokio::test]
async fn offers_are_made_listed_and_cancelled() {
    let world = World::new().await;
    let made = body(world.post(Scope::Trade, "/v1/offers", "k1", &offer()).send().await.unwrap(), 201).await;
    let list = body(world.get("/v1/offers").await, 200).await;
    assert_eq!(list, json!({ "offers": [made] }));
    assert_eq!(made["give"]["amount"], "10000000");
    let path = format!("/v1/offers/{}", made["id"].as_str().unwrap().to_uppercase());
    let gone = world.ask(Scope::Trade, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(body(gone, 200).await["state"], "cancelled");
    let again = world.ask(Scope::Trade, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(problem(again, 409).await.kind, "urn:photon:problem:conflict");
    assert_eq!(body(world.get("/v1/offers?of=network").await, 200).await, json!({ "offers": [] }));
    world.fake.tell(0xd1, 0xdd);
    let heard = body(world.get("/v1/offers?of=network").await, 200).await;
    assert_eq!(heard["offers"][0]["peer"], format!("0x{}@maker.example:7707", "dd".repeat(20)));
    assert_eq!(body(world.get("/v1/offers?of=us").await, 200).await["offers"].as_array().unwrap().len(), 1);
    let of_peer = body(world.get("/v1/peers/0xbb@127.0.0.1:1/offers").await, 200).await;
    assert_eq!(of_peer["offers"].as_array().unwrap().len(), 2);
    for of in ["/v1/offers?of=us&", "/v1/offers?of=network&", "/v1/peers/0xbb@127.0.0.1:1/offers?"] {
        for (pair, fits) in [("give=BTC", true), ("give=BTC&want=ETH", true), ("want=BTC", false), ("give=BTC&want=SMT", false)] {
            let offers = body(world.get(&format!("{of}{pair}")).await, 200).await;
            assert_eq!(!offers["offers"].as_array().unwrap().is_empty(), fits, "{of}{pair}");
        }
    }
}

#[tokio::test]
async fn swaps_are_started_shown_and_listed_by_pages() {
    let world = World::new().await;
    let new = json!({ "peer": "bob", "offer": id(0xc1), "funding": "outside" });
    let made = body(world.post(Scope::Trade, "/v1/swaps", "k1", &new).send().await.unwrap(), 201).await;
    assert_eq!(made["offer"], id(0xc1));
    let shown = body(world.get(&format!("/v1/swaps/{}", made["id"].as_str().unwrap())).await, 200).await;
    assert_eq!(shown, made);
    for number in 1..=4 {
        world.fake.put_swap(fake::swap(number, Some("completed")));
    }
    let ended = body(world.get("/v1/swaps?state=ended&limit=3").await, 200).await;
    assert_eq!(ended["swaps"].as_array().unwrap().len(), 3);
    let rest = format!("/v1/swaps?state=ended&limit=3&after={}", ended["next"].as_str().unwrap());
    let rest = body(world.get(&rest).await, 200).await;
    assert_eq!((rest["swaps"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    for bad in ["state=open", "limit=0", "limit=201", "limit=x", "limits=5", "after=%00", "after=a%20b"] {
        problem(world.get(&format!("/v1/swaps?{bad}")).await, 400).await;
    }
}

#[tokio::test]
async fn statements_are_json_or_csv() {
    let world = World::new().await;
    world.fake.put_swap(fake::swap(1, Some("completed")));
    let page = body(world.get("/v1/statements").await, 200).await;
    assert_eq!((page["lines"].as_array().unwrap().len(), &page["next"]), (1, &json!(7)));
    let answer = world.get("/v1/statements?format=csv&limit=5").await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers()["photon-next"], "7");
    let text = answer.text().await.unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("ended_at,swap,peer,role,outcome,gave_asset,gave_amount,got_asset"), "{text}");
    assert!(lines[1].contains(",completed,BTC,10000000,ETH,2000000000000000000,BTC,150,,"), "{text}");
    assert_eq!(lines[1].matches(',').count(), lines[0].matches(',').count());
}

#[tokio::test]
async fn the_wallet_answers_and_pays() {
    let world = World::new().await;
    let balances = body(world.get("/v1/balances").await, 200).await;
    assert_eq!(balances["balances"][0]["available"], "150000000");
    let address = world.ask(Scope::Trade, Method::POST, "/v1/addresses/litecoin").send().await.unwrap();
    assert_eq!(body(address, 200).await, json!({ "ledger": "litecoin", "address": "litecoinaddress" }));
    let doge = world.ask(Scope::Trade, Method::POST, "/v1/addresses/doge").send().await.unwrap();
    problem(doge, 404).await;
    let with_body = world.ask(Scope::Trade, Method::POST, "/v1/addresses/smt").body("{}").send().await.unwrap();
    problem(with_body, 400).await;
    let pay = json!({ "pay": { "asset": "BTC", "amount": "1" }, "to": "bcrt1qxyz" });
    let sent = body(world.post(Scope::Withdraw, "/v1/sends", "k1", &pay).send().await.unwrap(), 202).await;
    assert_eq!(body(world.get(&format!("/v1/sends/{}", sent["id"].as_str().unwrap())).await, 200).await, sent);
}

#[tokio::test]
async fn peers_health_metrics_and_the_document() {
    let world = World::new().await;
    let new = json!({ "address": format!("0x{}@bob.example:7707", "bb".repeat(20)), "alias": "bob" });
    let made = body(world.post(Scope::Admin, "/v1/peers", "k1", &new).send().await.unwrap(), 201).await;
    assert_eq!(body(world.get("/v1/peers").await, 200).await, json!({ "peers": [made] }));
    assert_eq!(body(world.get("/v1/health").await, 200).await["healthy"], true);
    let metrics = world.get("/metrics").await;
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert_eq!(metrics.text().await.unwrap(), "photon_live_swaps 2\n");
    assert_eq!(world.get("/openapi.json").await.text().await.unwrap(), crate::api::document());
}

#[tokio::test]
async fn a_body_that_cannot_be_right_is_refused_before_anything_happens() {
    let world = World::new().await;
    let swap = json!({ "peer": "bob", "offer": id(1) });
    let with = |base: &Value, key: &str, value: Value| {
        let mut changed = base.clone();
        changed[key] = value;
        changed
    };
    let send = json!({ "pay": { "asset": "BTC", "amount": "1" }, "to": "bcrt1qxyz" });
    let peer = json!({ "address": "0xbb@host:1" });
    let cases = [
        ("/v1/offers", with(&offer(), "extra", json!(1))),
        ("/v1/offers", with(&offer(), "valid_secs", json!(9))),
        ("/v1/offers", with(&offer(), "valid_secs", json!(604_801))),
        ("/v1/offers", with(&offer(), "valid_secs", json!("60"))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "BTC", "amount": 5 }))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "BTC", "amount": "0" }))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "BTC", "amount": "-1" }))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "BTC", "amount": "1e3" }))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "BTC", "amount": "1", "unit": "x" }))),
        ("/v1/offers", with(&offer(), "give", json!({ "asset": "../BTC", "amount": "1" }))),
        ("/v1/swaps", with(&swap, "offer", json!("3fa9"))),
        ("/v1/swaps", with(&swap, "offer", json!("Z".repeat(64)))),
        ("/v1/swaps", with(&swap, "peer", json!("bob\r\nX: y"))),
        ("/v1/swaps", with(&swap, "funding", json!("bank"))),
        ("/v1/sends", with(&send, "to", json!("../x"))),
        ("/v1/sends", with(&send, "to", json!(""))),
        ("/v1/peers", with(&peer, "address", json!("bob"))),
        ("/v1/peers", with(&peer, "alias", json!("<script>"))),
        ("/v1/offers", json!([])),
    ];
    for (path, body) in cases {
        let scope = ROUTES.iter().find(|route| route.method == "POST" && route.path == path).unwrap().scope;
        let answer = world.post(scope, path, "same", &body).send().await.unwrap();
        assert_eq!(problem(answer, 422).await.kind, "urn:photon:problem:invalid", "{path} {body}");
    }
    for text in ["", "{", "nonsense", "{\"give\" 5}"] {
        let request = world.ask(Scope::Trade, Method::POST, "/v1/offers").header("Idempotency-Key", "same");
        let answer = request.header("content-type", "application/json").body(text).send().await.unwrap();
        assert_eq!(problem(answer, 400).await.kind, "urn:photon:problem:malformed", "{text}");
    }
    assert_eq!(world.fake.answer("same"), None, "a refused body leaves its key unused");
}

#[tokio::test]
async fn only_json_and_only_little_of_it() {
    let world = World::new().await;
    let request = || world.ask(Scope::Trade, Method::POST, "/v1/offers").header("Idempotency-Key", "k");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = request().header("content-type", kind).body(offer().to_string()).send().await.unwrap();
        problem(answer, 415).await;
    }
    problem(request().body(offer().to_string()).send().await.unwrap(), 415).await;
    let with_charset = request().header("content-type", "application/json; charset=utf-8").body(offer().to_string());
    body(with_charset.send().await.unwrap(), 201).await;
    let long = format!("{}{}", offer(), " ".repeat(16 * 1024));
    let answer = request().header("content-type", "application/json").body(long.clone()).send().await.unwrap();
    problem(answer, 413).await;
    let pieces = futures::stream::iter([Ok::<_, std::io::Error>(long)]);
    let chunked = request().header("content-type", "application/json").body(reqwest::Body::wrap_stream(pieces));
    problem(chunked.send().await.unwrap(), 413).await;
}

#[tokio::test]
async fn unknown_paths_methods_and_ids_say_so() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v1/offers/", "/v2/offers", "/v1/swaps/a/b", "/static/../../etc/passwd"] {
        problem(world.get(path).await, 404).await;
    }
    let put = world.ask(Scope::Read, Method::PUT, "/v1/offers").send().await.unwrap();
    let allow = put.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    problem(put, 405).await;
    problem(world.ask(Scope::Trade, Method::DELETE, "/v1/offers").send().await.unwrap(), 405).await;
    let long = "a".repeat(65);
    for bad in ["3fa9", "..%2f..%2fetc%2fpasswd", "%00", &"g".repeat(64), &long, &"%ff".repeat(64), "%F0%9F%98%80"] {
        for path in ["/v1/swaps", "/v1/sends"] {
            problem(world.get(&format!("{path}/{bad}")).await, 400).await;
        }
    }
    for bad in ["a%2fb", "%00", &"a".repeat(321), "a%20b"] {
        problem(world.get(&format!("/v1/peers/{bad}/offers")).await, 400).await;
    }
    for path in [format!("/v1/swaps/{}", id(1)), format!("/v1/sends/{}", id(1)), "/v1/peers/nobody/offers".to_owned()] {
        problem(world.get(&path).await, 404).await;
    }
}

#[tokio::test]
async fn errors_of_the_service_become_problems_and_internal_ones_stay_inside() {
    let world = World::new().await;
    let said = || "say this".to_owned();
    for (error, status, kind) in [
        (ServiceError::Invalid(said()), 422, "invalid"),
        (ServiceError::NotFound(said()), 404, "not-found"),
        (ServiceError::Conflict(said()), 409, "conflict"),
        (ServiceError::Refused(said()), 409, "refused"),
        (ServiceError::Unavailable(said()), 503, "unavailable"),
    ] {
        world.fake.fail(Some(error));
        let answer = world.get("/v1/balances").await;
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
        let found = problem(answer, status).await;
        assert_eq!((found.detail.as_str(), found.kind), ("say this", format!("urn:photon:problem:{kind}")));
    }
    world.fake.fail(Some(ServiceError::Internal("/home/me/photon.db: disk full".to_owned())));
    for path in ROUTES.iter().filter(|route| route.method == "GET" && route.path.starts_with("/v1/")) {
        let (scope, mut path) = (path.scope, filled(path.path));
        if path == "/v1/routes" {
            path += "?payee=bob&asset=ETH&amount=5";
        }
        if path != "/v1/events" && path != "/v1/events/ws" {
            let answer = world.ask(scope, Method::GET, &path).send().await.unwrap();
            assert!(!problem(answer, 500).await.detail.contains("home"), "{path}");
        }
    }
}
