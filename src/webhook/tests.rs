//! Nothing that happened is missing at the other end.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::store::{NewEvent, NewWebhook};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

const SECRET: &str = "a secret of thirty-two characters!";

/// A receiver that answers as it is told, and remembers what it took.
struct Receiver {
    url: String,
    answer: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<u64>>>,
    posts: Arc<Mutex<u32>>,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    async fn new() -> Self {
        let (answer, taken, posts) = (Arc::new(AtomicU16::new(204)), Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (says, takes, counts) = (answer.clone(), taken.clone(), posts.clone());
        let handler = move |headers: HeaderMap, body: Bytes| async move {
            *counts.lock().unwrap() += 1;
            let status = StatusCode::from_u16(says.load(Ordering::SeqCst)).unwrap();
            let signed = headers["photon-signature"].to_str().unwrap();
            let at: u64 = signed.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
            assert_eq!(signed, signature(SECRET, UnixTime::from_secs(at), &body));
            assert_ne!(signed, signature("another", UnixTime::from_secs(at), &body));
            if status.is_success() {
                let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let seqs = told["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap());
                takes.lock().unwrap().extend(seqs);
            }
            status
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = axum::Router::new().route("/hook", axum::routing::post(handler));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, answer, taken, posts, server }
    }

    async fn until(&self, what: impl Fn(&[u64]) -> bool) -> Vec<u64> {
        for _ in 0..600 {
            let taken = self.taken.lock().unwrap().clone();
            if what(&taken) {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never came to that: {:?}", self.taken.lock().unwrap());
    }
}

fn open(folder: &std::path::Path) -> Store {
    Store::open(&folder.join("photon.db"), [7; 32]).unwrap()
}

async fn happen(store: &Store, kind: &str) -> u64 {
    store.append_event(NewEvent { kind: kind.to_owned(), swap: None, body: "{\"id\":\"x\"}".to_owned() }).await.unwrap()
}

fn hook(receiver: &Receiver, kinds: &str) -> NewWebhook {
    NewWebhook {
        id: Hash32::from_bytes([3; 32]),
        url: receiver.url.clone(),
        kinds: kinds.to_owned(),
        secret: Zeroizing::new(SECRET.to_owned()),
    }
}

#[tokio::test]
async fn every_event_arrives_in_order_also_after_refusals_and_a_restart() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
    let store = open(folder.path());
    happen(&store, "swap").await;
    store.insert_webhook(hook(&receiver, "")).await.unwrap();
    let posting = tokio::spawn(run(store.clone(), true));
    let first = happen(&store, "swap").await;
    receiver.until(|taken| taken == [first]).await;

    receiver.answer.store(503, Ordering::SeqCst);
    let second = happen(&store, "offer").await;
    for _ in 0..600 {
        if store.webhooks().await.unwrap()[0].failures > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let row = store.webhooks().await.unwrap().remove(0);
    assert!(row.failures > 0 && row.trouble.unwrap().contains("503") && row.delivered == first);
    // The process ends while the receiver is down, and more happens before anybody posts again.
    posting.abort();
    store.close().await.unwrap();
    drop(store);
    let store = open(folder.path());
    let third = happen(&store, "swap").await;
    receiver.answer.store(200, Ordering::SeqCst);
    let posting = tokio::spawn(run(store.clone(), true));
    assert_eq!(receiver.until(|taken| taken.len() >= 3).await, [first, second, third]);

    // Set back, everything comes again.
    store.set_webhook(Hash32::from_bytes([3; 32]), first).await.unwrap();
    assert_eq!(receiver.until(|taken| taken.len() >= 5).await, [first, second, third, second, third]);
    posting.abort();
    receiver.server.abort();
}

#[tokio::test]
async fn a_hook_gets_only_its_kinds_and_one_that_is_gone_gets_nothing() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
    let store = open(folder.path());
    store.insert_webhook(hook(&receiver, "swap,alert")).await.unwrap();
    let posting = tokio::spawn(run(store.clone(), true));
    happen(&store, "offer").await;
    let wanted = happen(&store, "alert").await;
    assert_eq!(receiver.until(|taken| !taken.is_empty()).await, [wanted]);
    store.remove_webhook(Hash32::from_bytes([3; 32])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let posts = *receiver.posts.lock().unwrap();
    happen(&store, "alert").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(*receiver.posts.lock().unwrap(), posts);
    posting.abort();
}

/// What a hook has not taken is not forgotten, however much happens.
#[tokio::test]
async fn events_are_kept_for_a_hook_that_is_down() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
    let store = open(folder.path());
    store.insert_webhook(hook(&receiver, "")).await.unwrap();
    let first = happen(&store, "swap").await;
    let many = (0..21_000).map(|_| happen(&store, "swap"));
    futures::future::join_all(many).await;
    let kept = store.events_after(0, 1).await.unwrap();
    assert_eq!(kept.events[0].seq, first);
    store.remove_webhook(Hash32::from_bytes([3; 32])).await.unwrap();
    // Old ones go by the dozen.
    futures::future::join_all((0..64).map(|_| happen(&store, "swap"))).await;
    assert!(store.events_after(0, 1).await.unwrap().events[0].seq > first, "without it the oldest go");
}
