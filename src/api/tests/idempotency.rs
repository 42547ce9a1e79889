//! A creating request takes effect once, whatever breaks.
use super::*;
use crate::service::{ServiceError, StoredAnswer};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn pay(units: u32) -> Value {
    json!({ "pay": { "asset": "BTC", "amount": units.to_string() }, "to": "bcrt1qxyz" })
}

impl World {
    async fn send(&self, key: &str, units: u32) -> Response {
        self.post(Scope::Withdraw, "/v1/sends", key, &pay(units)).send().await.unwrap()
    }

    /// Sends, and hangs up once the key is claimed.
    async fn send_and_hang_up(&self, key: &str) {
        let request = tokio::spawn(self.post(Scope::Withdraw, "/v1/sends", key, &pay(1)).send());
        while self.fake.answer(key).is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        request.abort();
    }

    fn effects(&self) -> u32 {
        self.fake.effects.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn every_creating_route_needs_one_good_key() {
    let world = World::new().await;
    for (scope, path) in
        [(Scope::Trade, "/v1/offers"), (Scope::Trade, "/v1/swaps"), (Scope::Withdraw, "/v1/sends"), (Scope::Admin, "/v1/peers")]
    {
        let request = || world.ask(scope, Method::POST, path).json(&pay(1));
        let long = "k".repeat(129);
        let keys: [&[&str]; 5] = [&[], &[""], &["a b"], &[&long], &["one", "two"]];
        for given in keys {
            let request = given.iter().fold(request(), |request, key| request.header("Idempotency-Key", *key));
            let problem = problem(request.send().await.unwrap(), 400).await;
            assert!(problem.detail.contains("Idempotency-Key"));
        }
    }
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_another_is_refused() {
    let world = World::new().await;
    let first = world.send("k", 1).await;
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first = first.text().await.unwrap();
    let again = world.send("k", 1).await;
    assert_eq!((again.status().as_u16(), &again.headers()["idempotency-replayed"]), (202, &"true".parse().unwrap()));
    assert_eq!(again.text().await.unwrap(), first);
    assert_eq!(problem(world.send("k", 2).await, 422).await.kind, "urn:photon:problem:key-reused");
    let peer = json!({ "address": "0xbb@host:1" });
    let elsewhere = world.post(Scope::Admin, "/v1/peers", "k", &peer).send().await.unwrap();
    assert_eq!(problem(elsewhere, 422).await.kind, "urn:photon:problem:key-reused");
    assert_eq!(world.effects(), 1);
    assert_eq!(world.app.keys.in_use(), 0);
}

#[tokio::test]
async fn refusals_are_kept_and_only_not_now_may_be_tried_again() {
    let world = World::new().await;
    world.fake.fail(Some(ServiceError::Refused("too little in the wallet".to_owned())));
    problem(world.send("refused", 1).await, 409).await;
    world.fake.fail(Some(ServiceError::Unavailable("the node does not answer".to_owned())));
    problem(world.send("later", 1).await, 503).await;
    world.fake.fail(None);
    let kept = world.send("refused", 1).await;
    assert!(kept.headers().contains_key("idempotency-replayed"));
    assert_eq!(problem(kept, 409).await.detail, "too little in the wallet");
    assert_eq!(world.send("later", 1).await.status().as_u16(), 202);
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn a_key_that_a_crash_left_begun_is_not_done_again() {
    let world = World::new().await;
    world.send("done", 1).await;
    let request_hash = world.fake.answer("done").unwrap().request_hash;
    world.fake.set_answer("crashed", StoredAnswer { request_hash, status: 0, body: String::new() });
    let answer = problem(world.send("crashed", 1).await, 409).await;
    assert_eq!(answer.kind, "urn:photon:problem:unfinished");
    assert!(answer.detail.contains("list"));
    problem(world.send("crashed", 2).await, 422).await;
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn a_panic_in_the_effect_leaves_the_key_begun_and_the_server_up() {
    let world = World::new().await;
    world.fake.panic_next();
    assert_eq!(problem(world.send("k", 1).await, 409).await.kind, "urn:photon:problem:unfinished");
    assert_eq!(problem(world.send("k", 1).await, 409).await.kind, "urn:photon:problem:unfinished");
    assert_eq!(world.effects(), 0);
    assert_eq!(world.send("fresh", 1).await.status().as_u16(), 202);
}

#[tokio::test]
async fn a_storm_of_retries_takes_effect_once() {
    let world = World::new().await;
    let storm = (0..24).map(|_| world.send("k", 1));
    let answers = futures::future::join_all(storm).await;
    let replayed = answers.iter().filter(|answer| answer.headers().contains_key("idempotency-replayed")).count();
    assert!(answers.iter().all(|answer| answer.status().as_u16() == 202));
    assert_eq!((replayed, world.effects(), world.app.keys.in_use()), (23, 1, 0));
}

#[tokio::test]
async fn the_claim_is_durable_before_the_effect_and_a_caller_that_hangs_up_does_not_stop_it() {
    let world = World::new().await;
    world.fake.leave.forget_permits(1000);
    world.send_and_hang_up("k").await;
    assert_eq!((world.fake.answer("k").unwrap().status, world.effects()), (0, 0));
    world.fake.leave.add_permits(1);
    let answer = world.send("k", 1).await;
    assert_eq!((answer.status().as_u16(), world.effects()), (202, 1));
    assert!(answer.headers().contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn stopping_waits_for_what_is_being_created() {
    let world = World::new().await;
    let fake = world.fake.clone();
    fake.leave.forget_permits(1000);
    world.send_and_hang_up("k").await;
    let late = fake.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        late.leave.add_permits(1);
    });
    world.stop().await.unwrap();
    assert_eq!(fake.answer("k").unwrap().status, 202);
}

#[tokio::test]
async fn stopping_says_what_it_could_not_wait_for() {
    let world = World::with(|settings| settings.limits.drain_within = Duration::from_millis(200)).await;
    world.fake.leave.forget_permits(1000);
    world.send_and_hang_up("k").await;
    assert!(matches!(world.stop().await, Err(ServeError::Undrained(1))));
}
