//! Events over a WebSocket: where it begins and resumes, who is let in, and who is hung up on.
use super::*;
use crate::service::EventView;
use futures::{SinkExt, StreamExt};
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, http};

type Socket = WebSocketStream<TcpStream>;

/// Opens a socket with these headers beside what every client sends; or the status of the refusal.
async fn open(world: &World, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{}{path}", world.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, http::HeaderValue::from_str(value).unwrap());
    }
    let stream = TcpStream::connect(world.address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            Err(answer.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

async fn opened(world: &World, path: &str) -> Socket {
    open(world, path, &[("authorization", &bearer(Scope::Read))]).await.unwrap()
}

fn bearer(scope: Scope) -> String {
    format!("Bearer {}", token(scope))
}

/// The next thing that is no ping.
async fn heard(socket: &mut Socket) -> Option<Message> {
    let next = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("nothing came")
}

async fn event(socket: &mut Socket) -> EventView {
    match heard(socket).await {
        Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Reads on until the socket is closed from the other side.
async fn closed(socket: &mut Socket) -> CloseFrame {
    loop {
        match heard(socket).await {
            Some(Message::Text(_)) => {}
            Some(Message::Close(Some(frame))) => return frame,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn it_begins_with_what_is_new_and_resumes_after_a_cursor() {
    let world = World::new().await;
    let mut socket = opened(&world, "/v1/events/ws").await;
    world.fake.happened("swap", "abc", json!({ "phase": "funding" }));
    let first = event(&mut socket).await;
    assert_eq!((first.seq, first.kind.as_str(), first.subject.as_str()), (4, "swap", "abc"));
    drop(socket);
    for _ in 0..150 {
        world.fake.happened("swap", "abc", json!({}));
    }
    let mut again = opened(&world, "/v1/events/ws?after=4").await;
    for seq in 5..=154 {
        assert_eq!(event(&mut again).await.seq, seq);
    }
    let resumed = [("authorization", bearer(Scope::Read)), ("last-event-id", "153".to_owned())];
    let resumed = resumed.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(event(&mut open(&world, "/v1/events/ws?after=0", &resumed).await.unwrap()).await.seq, 154);
}

#[tokio::test]
async fn both_kinds_of_stream_tell_only_the_kinds_that_were_asked_for() {
    let world = World::new().await;
    let mut socket = opened(&world, "/v1/events/ws?after=0&kinds=alert,offer").await;
    for number in 0..250 {
        world.fake.happened(if number == 200 { "alert" } else { "swap" }, "abc", json!({}));
    }
    world.fake.happened("offer", "abc", json!({}));
    assert_eq!((event(&mut socket).await.seq, event(&mut socket).await.seq), (204, 254));
    let stream = world.get("/v1/events?after=0&kinds=offer").await;
    let first = stream.bytes_stream().next().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&first).unwrap().contains("id: 254\n"), "{first:?}");
    for bad in ["", "swap,", "swap,swap", "moon", "swap;offer"] {
        for path in ["/v1/events", "/v1/events/ws"] {
            let answer = world.get(&format!("{path}?kinds={bad}")).await;
            problem(answer, 400).await;
        }
    }
}

// H5, H6
#[tokio::test]
async fn a_foreign_page_and_a_wrong_token_never_get_a_socket() {
    let world = World::with(|settings| settings.allowed_origins = vec!["https://desk.example".to_owned()]).await;
    let read = bearer(Scope::Read);
    let path = "/v1/events/ws";
    assert_eq!(open(&world, path, &[]).await.err(), Some(401));
    assert_eq!(open(&world, path, &[("authorization", "Bearer wrong")]).await.err(), Some(401));
    assert_eq!(open(&world, path, &[("authorization", &bearer(Scope::Trade))]).await.err(), Some(403));
    for origin in ["https://evil.example", "null", "http://localhost", ""] {
        assert_eq!(open(&world, path, &[("authorization", &read), ("origin", origin)]).await.err(), Some(403), "{origin}");
    }
    assert_eq!(open(&world, path, &[("authorization", &read), ("host", "evil.example")]).await.err(), Some(403));
    assert!(open(&world, path, &[("authorization", &read), ("origin", "https://desk.example")]).await.is_ok());
    let plain = problem(world.get(path).await, 400).await;
    assert!(plain.detail.contains("WebSocket"), "{plain:?}");
}

#[tokio::test]
async fn sockets_and_streams_share_their_places_and_give_them_back() {
    let world = World::with(|settings| settings.limits.listeners = 2).await;
    let (one, two) = (opened(&world, "/v1/events/ws").await, world.get("/v1/events").await);
    let read = bearer(Scope::Read);
    assert_eq!(open(&world, "/v1/events/ws", &[("authorization", &read)]).await.err(), Some(503));
    drop((one, two));
    for attempt in 0.. {
        if open(&world, "/v1/events/ws", &[("authorization", &read)]).await.is_ok() {
            break;
        }
        assert!(attempt < 50, "the place never came back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn whoever_reads_too_slowly_is_told_so_and_cut_off() {
    let world = World::with(|settings| {
        settings.limits.taken_within = Duration::from_millis(300);
        settings.limits.heartbeat = Duration::from_secs(20);
        settings.limits.listeners = 1;
    })
    .await;
    let mut slow = opened(&world, "/v1/events/ws?after=0").await;
    // More than all buffers between the two hold.
    let much = "x".repeat(50_000);
    for _ in 0..400 {
        world.fake.happened("swap", "abc", json!({ "much": much }));
    }
    let place_is_free = async || {
        while world.app.listeners.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), place_is_free()).await.expect("a listener that reads nothing keeps its place");
    let frame = closed(&mut slow).await;
    assert!(u16::from(frame.code) == 1008 && frame.reason.contains("slowly"), "{frame:?}");
    // One that never reads again holds no place either.
    let stuck = opened(&world, "/v1/events/ws?after=0").await;
    tokio::time::timeout(Duration::from_secs(60), place_is_free()).await.expect("a listener that reads nothing keeps its place");
    drop(stuck);
}

#[tokio::test]
async fn whoever_talks_or_does_not_answer_pings_is_hung_up_on() {
    let world = World::new().await;
    let words = [Message::text("subscribe"), Message::binary(vec![1]), Message::text("x".repeat(100_000))];
    for word in words {
        let mut talker = opened(&world, "/v1/events/ws").await;
        talker.send(word).await.unwrap();
        let frame = closed(&mut talker).await;
        assert!(u16::from(frame.code) == 1008 && frame.reason.contains("only tells"), "{frame:?}");
    }
    let mut pinger = opened(&world, "/v1/events/ws").await;
    for _ in 0..1_000 {
        if pinger.send(Message::Ping(Default::default())).await.is_err() {
            break;
        }
    }
    assert!(closed(&mut pinger).await.reason.contains("few of them"));
    // Pongs are sent while reading: this one is silent for some heartbeats, and then reads.
    let mut silent = opened(&world, "/v1/events/ws").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(closed(&mut silent).await.reason.contains("ping"));
}

#[tokio::test]
async fn a_ping_is_answered_and_whoever_answers_stays() {
    let world = World::new().await;
    let mut socket = opened(&world, "/v1/events/ws").await;
    let pinged = async {
        let (mut of_ours, mut of_theirs) = (false, 0);
        socket.send(Message::Ping(b"hello".as_slice().into())).await.unwrap();
        while !of_ours || of_theirs < 5 {
            match socket.next().await.unwrap().unwrap() {
                Message::Pong(said) => of_ours = said.as_ref() == b"hello",
                Message::Ping(_) => of_theirs += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), pinged).await.unwrap();
    world.fake.happened("swap", "abc", json!({}));
    assert_eq!(event(&mut socket).await.seq, 4);
}

#[tokio::test]
async fn sockets_say_goodbye_when_the_node_stops() {
    let world = World::new().await;
    let mut socket = opened(&world, "/v1/events/ws?after=0").await;
    let reads = tokio::spawn(async move { closed(&mut socket).await });
    tokio::time::timeout(Duration::from_secs(5), world.stop()).await.unwrap().unwrap();
    let frame = reads.await.unwrap();
    assert!(u16::from(frame.code) == 1001 && frame.reason.contains("resume"), "{frame:?}");
}
