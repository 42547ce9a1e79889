//! The stream of events: from where it begins, that it resumes, and its bounds.
use super::*;
use futures::StreamExt;
use std::time::Duration;

/// What has come in of a stream.
struct Heard {
    stream: futures::stream::BoxStream<'static, reqwest::Result<axum::body::Bytes>>,
    text: String,
}

impl Heard {
    fn new(response: Response) -> Self {
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.bytes_stream().boxed(), text: String::new() }
    }

    /// Reads until this was heard.
    async fn until(&mut self, wanted: &str) {
        let read = async {
            while !self.text.contains(wanted) {
                let bytes = self.stream.next().await.expect("the stream ended").unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap_or_else(|_| panic!("no {wanted:?}"));
    }
}

#[tokio::test]
async fn it_begins_with_what_is_new_and_each_event_has_id_kind_and_data() {
    let world = World::new().await;
    let mut heard = Heard::new(world.get("/v1/events").await);
    world.fake.happened("swap", "abc", serde_json::json!({ "phase": "funding" }));
    heard.until("\n\n").await;
    heard.until("id: 4").await;
    assert!(heard.text.contains("event: swap\n"), "{}", heard.text);
    let data = heard.text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: crate::service::EventView = serde_json::from_str(data).unwrap();
    assert_eq!((event.seq, event.subject.as_str()), (4, "abc"));
    assert!(!heard.text.contains("id: 3"));
}

#[tokio::test]
async fn it_resumes_where_the_listener_left() {
    let world = World::new().await;
    let resume = |number: &'static str| {
        let request = world.ask(Scope::Read, Method::GET, "/v1/events?after=0").header("last-event-id", number);
        async { request.send().await.unwrap() }
    };
    let mut heard = Heard::new(resume("1").await);
    world.fake.happened("swap", "abc", serde_json::json!({}));
    heard.until("id: 4").await;
    assert!(heard.text.contains("id: 2") && heard.text.contains("id: 3") && !heard.text.contains("id: 1"));
    let mut all = Heard::new(world.get("/v1/events?after=0").await);
    all.until("id: 4").await;
    assert!(all.text.contains("id: 1"));
    for bad in ["-1", "x", ""] {
        problem(resume(bad).await, 400).await;
    }
    problem(world.get("/v1/events?since=0").await, 400).await;
}

#[tokio::test]
async fn more_events_than_one_batch_all_come_in_order() {
    let world = World::new().await;
    for _ in 0..250 {
        world.fake.happened("swap", "abc", serde_json::json!({}));
    }
    let mut heard = Heard::new(world.get("/v1/events?after=0").await);
    heard.until("id: 253").await;
    let ids: Vec<u64> = heard.text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(ids, (1..=253).collect::<Vec<_>>());
}

#[tokio::test]
async fn silence_has_a_heartbeat() {
    let world = World::new().await;
    let mut heard = Heard::new(world.get("/v1/events").await);
    heard.until(":\n\n").await;
    assert!(!heard.text.contains("data"));
}

#[tokio::test]
async fn listeners_are_bounded_and_their_place_comes_back() {
    let world = World::with(|settings| settings.limits.listeners = 2).await;
    let one = world.get("/v1/events").await;
    let two = world.get("/v1/events").await;
    assert!(one.status().is_success() && two.status().is_success());
    assert_eq!(problem(world.get("/v1/events").await, 503).await.kind, "urn:photon:problem:busy");
    drop(one);
    for attempt in 0.. {
        if world.get("/v1/events").await.status().is_success() {
            break;
        }
        assert!(attempt < 50, "the place never came back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_listener_that_reads_nothing_loses_its_place() {
    let world = World::with(|settings| {
        settings.limits.listeners = 1;
        settings.limits.stalled_within = Duration::from_millis(300);
    })
    .await;
    let stuck = world.get("/v1/events?after=0").await;
    assert!(stuck.status().is_success());
    // More than all buffers between the two hold.
    let much = "x".repeat(50_000);
    for _ in 0..400 {
        world.fake.happened("swap", "abc", serde_json::json!({ "much": much }));
    }
    let place_is_free = async || {
        while world.app.listeners.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), place_is_free()).await.expect("it keeps its place");
    drop(stuck);
}

#[tokio::test]
async fn streams_end_when_the_node_stops() {
    let world = World::new().await;
    let mut heard = Heard::new(world.get("/v1/events?after=0").await);
    heard.until("id: 3").await;
    tokio::time::timeout(Duration::from_secs(5), world.stop()).await.unwrap().unwrap();
    while let Some(Ok(_)) = heard.stream.next().await {}
}
