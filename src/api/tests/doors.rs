//! Who gets in: tokens, scopes, Host, Origin, room, and slow callers.
use super::*;
use crate::api::fake::id;
use crate::api::routes::ROUTES;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn nothing_answers_without_a_token() {
    let world = World::new().await;
    let paths = ROUTES.iter().map(|route| (route.method, filled(route.path)));
    for (method, path) in paths.chain([("GET", "/nowhere".to_owned()), ("PUT", "/v1/offers".to_owned())]) {
        let method: Method = method.parse().unwrap();
        let answer = world.bare(method.clone(), &path).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        problem(answer, 401).await;
        let wrong = world.bare(method, &path).bearer_auth("x".repeat(40)).send().await.unwrap();
        problem(wrong, 401).await;
    }
    for value in ["", "Bearer", "Bearer ", &token(Scope::Read), &format!("Basic {}", token(Scope::Read))] {
        let answer = world.bare(Method::GET, "/v1/health").header("authorization", value).send().await.unwrap();
        problem(answer, 401).await;
    }
    let twice = world.ask(Scope::Read, Method::GET, "/v1/health").header("authorization", "Bearer other");
    problem(twice.send().await.unwrap(), 401).await;
    let in_query = world.bare(Method::GET, &format!("/v1/health?token={}", token(Scope::Read))).send().await.unwrap();
    assert!(!problem(in_query, 401).await.detail.contains(&token(Scope::Read)));
    let any_case = format!("bearer {}", token(Scope::Read));
    assert!(world.bare(Method::GET, "/v1/health").header("authorization", any_case).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn every_route_takes_its_own_scope_and_no_other() {
    let world = World::new().await;
    for route in ROUTES {
        for scope in Scope::ALL {
            let answer = world.ask(scope, route.method.parse().unwrap(), &filled(route.path)).send().await.unwrap();
            if scope == route.scope {
                assert!(!matches!(answer.status().as_u16(), 401 | 403), "{} {}", route.method, route.path);
            } else {
                assert!(problem(answer, 403).await.detail.contains(route.scope.name()), "{} {}", route.method, route.path);
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_name_or_page_is_refused_even_with_a_token() {
    let world = World::with(|settings| {
        settings.allowed_hosts = vec!["node.example".to_owned()];
        settings.allowed_origins = vec!["https://desk.example".to_owned()];
    })
    .await;
    let health = |name: &'static str, value: &'static str| {
        let request = world.ask(Scope::Read, Method::GET, "/v1/health").header(name, value);
        async { request.send().await.unwrap() }
    };
    for host in ["evil.example", "127.0.0.1.evil.example:7708", "localhost@evil"] {
        assert_eq!(problem(health("host", host).await, 403).await.kind, "urn:photon:problem:foreign-page");
    }
    for origin in ["https://evil.example", "null", "http://localhost:7708", "https://desk.example.evil", ""] {
        assert_eq!(problem(health("origin", origin).await, 403).await.kind, "urn:photon:problem:foreign-page");
    }
    for (name, value) in [("host", "node.example:443"), ("host", "localhost"), ("origin", "https://desk.example")] {
        let answer = health(name, value).await;
        assert!(answer.status().is_success(), "{name}: {value}");
        assert!(!answer.headers().keys().any(|header| header.as_str().starts_with("access-control")));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }
}

async fn raw(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_request_line_or_two_hosts_cannot_smuggle_a_foreign_name() {
    let world = World::new().await;
    let token = token(Scope::Read);
    let rest = format!("Authorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    let absolute = format!("GET http://evil.example/v1/health HTTP/1.1\r\nHost: localhost\r\n{rest}");
    assert!(raw(world.address, &absolute).await.starts_with("HTTP/1.1 403"));
    let twice = format!("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n{rest}");
    assert!(raw(world.address, &twice).await.starts_with("HTTP/1.1 400"));
    let nameless = format!("GET /v1/health HTTP/1.1\r\n{rest}");
    assert!(raw(world.address, &nameless).await.starts_with("HTTP/1.1 400"));
    let fine = format!("GET /v1/health HTTP/1.1\r\nHost: localhost\r\n{rest}");
    assert!(raw(world.address, &fine).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_caller_that_never_finishes_its_head_is_cut_off() {
    let world = World::with(|settings| settings.limits.head_within = Duration::from_millis(200)).await;
    let answer = raw(world.address, "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

fn create(address: SocketAddr, token: &str, bytes: usize) -> String {
    format!(
        "POST /v1/offers HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n\
         Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
    )
}

#[tokio::test]
async fn who_sends_too_much_or_may_not_send_at_all_is_told_so_and_may_ask_on() {
    let world = World::new().await;
    let body = "x".repeat(900_000);
    for (token, status) in
        [(token(Scope::Trade), "HTTP/1.1 413"), ("y".repeat(40), "HTTP/1.1 401"), (token(Scope::Read), "HTTP/1.1 403")]
    {
        let health = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        // All of it is written before anything is read: no byte may be met by a connection that is closed.
        let answers = raw(world.address, &format!("{}{body}{health}", create(world.address, &token, body.len()))).await;
        assert!(answers.starts_with(status), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "the connection should have been good for one more: {answers}");
    }
    assert!(world.fake.answer("k").is_none());
}

#[tokio::test]
async fn who_sends_without_end_or_stalls_after_a_refusal_is_let_go() {
    let world = World::new().await;
    let endless = async {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(create(world.address, &token(Scope::Trade), usize::MAX / 4).as_bytes()).await.unwrap();
        let mut sent = 0;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {
            sent += 65_536;
            assert!(sent < 64 << 20, "it still listens");
        }
    };
    let refused = format!("{}{{", create(world.address, &"y".repeat(40), 1000));
    let stalled = raw(world.address, &refused);
    let ((), answer) = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(endless, stalled) }).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn more_at_once_than_there_is_room_for_is_told_to_come_back() {
    let world = World::with(|settings| {
        settings.limits.running = 1;
        settings.limits.answer_within = Duration::from_secs(2);
    })
    .await;
    world.fake.leave.forget_permits(1000);
    let peer = serde_json::json!({ "address": "0xbb@host:1" });
    let slow = tokio::spawn(world.post(Scope::Admin, "/v1/peers", "k", &peer).send());
    while world.fake.answer("k").is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(problem(world.get("/v1/health").await, 503).await.kind, "urn:photon:problem:busy");
    assert_eq!(problem(slow.await.unwrap().unwrap(), 504).await.kind, "urn:photon:problem:still-running");
    assert!(world.get("/v1/health").await.status().is_success());
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_good_one_of_the_caller_stays() {
    let world = World::new().await;
    let id_of = |answer: &Response| answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let asked = |id: &'static str| world.ask(Scope::Read, Method::GET, "/v1/health").header("x-request-id", id).send();
    assert_eq!(id_of(&asked("order-7_a.b").await.unwrap()), "order-7_a.b");
    let (one, two) = (world.get("/v1/health").await, world.bare(Method::GET, "/nowhere").send().await.unwrap());
    assert!(id_of(&one).len() == 24 && id_of(&two).len() == 24 && id_of(&one) != id_of(&two));
    for bad in ["a b", "<b>", ""] {
        assert_eq!(id_of(&asked(bad).await.unwrap()).len(), 24, "{bad}");
    }
}

// H6
#[tokio::test]
async fn a_token_that_asks_too_often_waits_and_no_other_does() {
    let world = World::with(|settings| settings.limits.per_second = 1).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(world.get("/v1/health").await.status().as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    let late = loop {
        let answer = world.get("/v1/health").await;
        if answer.status().as_u16() == 429 {
            break answer;
        }
    };
    assert!(late.headers().contains_key("retry-after"));
    assert_eq!(problem(late, 429).await.kind, "urn:photon:problem:too-often");
    let other = world.ask(Scope::Quote, Method::GET, "/v1/pairs").send().await.unwrap();
    assert_eq!(other.status().as_u16(), 200);
}

#[derive(Clone, Default)]
struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_names_the_route_and_nothing_that_the_caller_sent() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    // Other tests, without a log, may have been the first to pass these places.
    tracing::callsite::rebuild_interest_cache();
    let peer = serde_json::json!({ "address": "0xbb@host:1", "alias": "quiet-alias" });
    world.post(Scope::Admin, "/v1/peers", "quiet-key", &peer).send().await.unwrap();
    world.get(&format!("/v1/swaps/{}?quiet=query", id(1))).await;
    world.get("/quiet-path").await;
    let log: String = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("photon::api")).collect();
    assert_eq!(ours.len(), 3, "{log}");
    assert!(ours[0].contains("/v1/peers") && ours[0].contains("POST"), "{}", ours[0]);
    assert!(ours[1].contains("/v1/swaps/{id}") && ours[1].contains("404"), "{}", ours[1]);
    for secret in [token(Scope::Read), token(Scope::Admin), id(1)] {
        assert!(!log.contains(&secret), "{secret}");
    }
    assert!(!ours.concat().contains("quiet"));
}
