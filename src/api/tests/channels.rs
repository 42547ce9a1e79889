//! Channels and payments over the API: what each call does, and that asking twice pays once.
use super::*;
use crate::api::fake::channels::channel;
use crate::service::ServiceError;
use serde_json::json;
use std::sync::atomic::Ordering;

const PAYMENT: &str = "0123456789abcdef0123456789abcdef";

async fn body(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status, "{}", response.text().await.unwrap());
    response.json().await.unwrap()
}

fn payment(id: &str, memo: Option<&str>) -> Value {
    json!({ "id": id, "payee": "bob", "pay": { "asset": "ETH", "amount": "5" }, "memo": memo })
}

impl World {
    async fn pay(&self, body: &Value) -> Response {
        self.ask(Scope::Withdraw, Method::POST, "/v1/payments").json(body).send().await.unwrap()
    }

    async fn do_to(&self, scope: Scope, method: Method, path: &str) -> Response {
        self.ask(scope, method, path).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_channel_is_opened_filled_emptied_and_closed() {
    let world = World::new().await;
    let new = json!({ "peer": "bob", "deposit": { "asset": "ETH", "amount": "5" }, "window_minutes": 90 });
    let made = body(world.post(Scope::Trade, "/v1/channels", "k1", &new).send().await.unwrap(), 201).await;
    assert_eq!((&made["state"], &made["window_minutes"], &made["balance"]), (&json!("opening"), &json!(90), &json!("5")));
    let path = format!("/v1/channels/ethereum/{}", made["id"].as_str().unwrap());
    assert_eq!(body(world.get(&path).await, 200).await, made);
    assert_eq!(body(world.get("/v1/channels").await, 200).await["channels"], json!([made]));
    problem(world.get(&path.replace("ethereum", "smt")).await, 404).await;
    for (deed, request, key) in
        [("deposit", json!({ "amount": "7" }), "k2"), ("withdraw", json!({ "amount": "3" }), "k3"), ("close", json!({}), "k4")]
    {
        let once = || world.post(Scope::Trade, &format!("{path}/{deed}"), key, &request).send();
        let done = body(once().await.unwrap(), 202).await;
        let again = once().await.unwrap();
        assert!(again.headers().contains_key("idempotency-replayed"));
        assert_eq!(body(again, 202).await, done, "{deed}");
    }
    assert_eq!(body(world.get(&path).await, 200).await["state"], "closing");
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 4);
    let neither = json!({ "how": "alone", "alone_after_secs": 60 });
    problem(world.post(Scope::Trade, &format!("{path}/close"), "k5", &neither).send().await.unwrap(), 422).await;
}

#[tokio::test]
async fn channels_come_by_pages_and_a_closed_one_is_settled_after_its_window() {
    let world = World::new().await;
    for (number, state) in [(1, "open"), (2, "open"), (3, "closed"), (4, "settled")] {
        world.fake.put_channel(channel(number, state));
    }
    let page = body(world.get("/v1/channels?limit=2").await, 200).await;
    let rest = body(world.get(&format!("/v1/channels?limit=2&after={}", page["next"].as_str().unwrap())).await, 200).await;
    let count = |page: &Value| page["channels"].as_array().unwrap().len();
    assert_eq!((count(&page), count(&rest), &rest["next"]), (2, 1, &Value::Null));
    assert_eq!(count(&body(world.get("/v1/channels?state=all").await, 200).await), 4);
    let settle = |number: u8| format!("/v1/channels/ethereum/{}/settle", id(number));
    problem(world.do_to(Scope::Trade, Method::POST, &settle(3)).await, 409).await;
    body(world.do_to(Scope::Trade, Method::POST, &settle(4)).await, 200).await;
    let neighbours = body(world.get("/v1/neighbours").await, 200).await;
    assert_eq!(neighbours["neighbours"][0]["can_send"][0]["coins"], "1.5");
    assert_eq!(body(world.get("/v1/fees").await, 200).await["fees"][0]["earned"], "1250000");
}

#[tokio::test]
async fn a_payment_sent_again_with_its_id_is_paid_once_and_needs_no_key() {
    let world = World::new().await;
    let paid = body(world.pay(&payment(PAYMENT, None)).await, 202).await;
    assert_eq!((&paid["id"], &paid["state"]), (&json!(PAYMENT), &json!("paid")));
    for _ in 0..3 {
        assert_eq!(body(world.pay(&payment(PAYMENT, None)).await, 202).await, paid);
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 1);
    assert_eq!(body(world.get(&format!("/v1/payments/{}", PAYMENT.to_uppercase())).await, 200).await, paid);
    world.pay(&payment(&"a".repeat(32), Some("fail"))).await;
    let failed = body(world.get("/v1/payments?state=failed&direction=sent").await, 200).await;
    assert_eq!(failed["payments"].as_array().unwrap().len(), 1);
    let cancel = format!("/v1/payments/{PAYMENT}/cancel");
    problem(world.do_to(Scope::Trade, Method::POST, &cancel).await, 409).await;
}

#[tokio::test]
async fn a_payment_names_a_payee_or_a_request_and_what_belongs_to_it() {
    let world = World::new().await;
    let pay = json!({ "asset": "ETH", "amount": "5" });
    for bad in [
        json!({ "id": PAYMENT, "pay": pay }),
        json!({ "id": PAYMENT, "payee": "bob" }),
        json!({ "payee": "bob", "pay": pay }),
        json!({ "id": PAYMENT, "request": "photon1q" }),
        json!({ "id": PAYMENT, "payee": "bob", "request": "photon1q", "pay": pay }),
        json!({ "request": "photon1q", "secret_hash": id(7) }),
        json!({ "request": "photon 1q" }),
    ] {
        problem(world.pay(&bad).await, 422).await;
    }
    let first = body(world.pay(&json!({ "request": "photon1q" })).await, 202).await;
    assert_eq!(body(world.pay(&json!({ "request": "photon1q" })).await, 202).await, first);
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_whole_batch_is_answered_one_by_one_and_may_be_sent_again() {
    let world = World::new().await;
    let many: Vec<Value> = (0..1024).map(|number| payment(&format!("{number:032x}"), (number == 7).then_some("fail"))).collect();
    let batch = json!({ "payments": many });
    assert!(batch.to_string().len() > 16 * 1024, "longer than any other body");
    world.fake.leave.add_permits(1024);
    for _ in 0..2 {
        let request = world.ask(Scope::Withdraw, Method::POST, "/v1/payments/batch").json(&batch);
        let answer = body(request.send().await.unwrap(), 202).await;
        let entries = answer["payments"].as_array().unwrap();
        assert_eq!(entries.len(), 1024);
        assert!(entries.iter().enumerate().all(|(number, entry)| entry["id"] == format!("{number:032x}")));
        let failed: Vec<_> = entries.iter().filter(|entry| entry["state"] != "paid").collect();
        assert!(failed.len() == 1 && failed[0]["reason"].as_str().unwrap().contains("no way"), "{failed:?}");
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 1024);
    let long = format!("{batch}{}", " ".repeat(1 << 20));
    let request = world.ask(Scope::Withdraw, Method::POST, "/v1/payments/batch").header("content-type", "application/json");
    problem(request.body(long).send().await.unwrap(), 413).await;
}

#[tokio::test]
async fn a_request_is_made_shown_released_by_its_secret_alone_and_given_up() {
    let world = World::new().await;
    let secret = photon_chains::Secret::from_bytes([7; 32]);
    let new = json!({ "asset": "ETH", "amount": "5", "valid_secs": 60, "memo": "tea", "secret_hash": secret.hash() });
    let made = body(world.post(Scope::Trade, "/v1/requests", "k1", &new).send().await.unwrap(), 201).await;
    assert_eq!((&made["state"], &made["memo"]), (&json!("open"), &json!("tea")));
    let path = format!("/v1/requests/{}", secret.hash());
    assert_eq!(body(world.get(&path).await, 200).await, made);
    let release =
        |text: String| world.ask(Scope::Trade, Method::POST, &format!("{path}/release")).json(&json!({ "secret": text }));
    let wrong = problem(release("08".repeat(32)).send().await.unwrap(), 422).await;
    assert!(!wrong.detail.contains("0808"), "a secret is not said again: {}", wrong.detail);
    assert_eq!(body(release("07".repeat(32)).send().await.unwrap(), 200).await["state"], "paid");
    assert_eq!(body(world.do_to(Scope::Trade, Method::DELETE, &path).await, 200).await["state"], "given_up");
    assert_eq!(body(world.get("/v1/requests").await, 200).await["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_way_is_asked_for_without_paying_and_none_says_why() {
    let world = World::new().await;
    let found = body(world.get("/v1/routes?payee=bob&asset=ETH&amount=5").await, 200).await;
    assert_eq!((found["ways"].as_array().unwrap().len(), &found["reason"]), (1, &Value::Null));
    let none = body(world.get("/v1/routes?payee=nobody&asset=ETH&amount=5").await, 200).await;
    assert!(none["ways"].as_array().unwrap().is_empty() && none["reason"].as_str().unwrap().contains("open one"));
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_node_without_channels_says_so_and_keeps_no_id() {
    let world = World::new().await;
    world.fake.fail(Some(ServiceError::Unavailable("no ledger here has channels".to_owned())));
    problem(world.pay(&payment(PAYMENT, None)).await, 503).await;
    world.fake.fail(None);
    assert_eq!(body(world.pay(&payment(PAYMENT, None)).await, 202).await["state"], "paid");
}
