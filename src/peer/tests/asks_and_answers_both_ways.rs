//! Two real nodes over loopback.

use super::*;

#[tokio::test]
async fn either_side_asks_over_the_one_connection_and_each_knows_who_asked() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let who = alice.net.request(&bob.address(), "who", Value::Null, SOON).await.unwrap();
    assert_eq!(who, json!(alice.identity()));
    // Alice doesn't listen: Bob can only ask over what she dialled.
    let who = bob.net.request_connected(alice.identity(), "who", Value::Null, SOON).await.unwrap();
    assert_eq!(who, json!(bob.identity()));
    assert_eq!(alice.clerk.asked.lock().unwrap()[0].0, bob.identity());
    assert_eq!((alice.net.connected(), bob.net.connected()), (vec![bob.identity()], vec![alice.identity()]));

    // Also by an address that leads nowhere: the identity counts.
    let nowhere = PeerAddress::new(alice.identity(), "192.0.2.1", 9).unwrap();
    assert_eq!(bob.echo(&nowhere).await, Ok(json!("hello")));
}

#[tokio::test]
async fn many_requests_at_once_share_a_connection_and_get_their_own_answers() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let asks = (0..60).map(|number| {
        let (alice, bob) = (&alice, bob.address());
        async move { (number, alice.net.request(&bob, "echo", json!({"number": number}), SOON).await) }
    });
    for (number, answer) in futures::future::join_all(asks).await {
        assert_eq!(answer, Ok(json!({"number": number})));
    }
    assert_eq!(bob.net.connected().len(), 1);
    assert_eq!(bob.clerk.asked(), 60);
}

#[tokio::test]
async fn both_may_dial_at_the_same_moment() {
    let (alice, bob) = (Party::listening(limits()).await, Party::listening(limits()).await);
    for _ in 0..20 {
        let (to_bob, to_alice) = (bob.address(), alice.address());
        let (one, two) = tokio::join!(alice.echo(&to_bob), bob.echo(&to_alice));
        assert_eq!((one, two), (Ok(json!("hello")), Ok(json!("hello"))));
    }
}

#[tokio::test]
async fn a_slow_answer_holds_up_no_other() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let address = bob.address();
    let slow = alice.net.request(&address, "slow", json!(1500), SOON);
    let quick = async {
        alice.echo(&bob.address()).await.unwrap();
        std::time::Instant::now()
    };
    let (slow, quick_done) = tokio::join!(async { (slow.await, std::time::Instant::now()) }, quick);
    assert_eq!(slow.0, Ok(json!("done")));
    assert!(slow.1 - quick_done > ms(500));
}

#[tokio::test]
async fn every_no_has_its_own_name_and_an_unknown_kind_reaches_nobody() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let ask = |kind: &'static str, body: Value| alice.net.request_owned(bob.address(), kind, body);
    assert_eq!(
        ask("decline", Value::Null).await,
        Err(PeerError::Refused { code: RefusalCode::Declined, reason: "no [2J thanks".into() })
    );
    let code = |answer: Result<Value, PeerError>| match answer {
        Err(error @ PeerError::Refused { code, .. }) => {
            assert_eq!(error.is_no(), [RefusalCode::Declined, RefusalCode::UnknownKind].contains(&code));
            assert_eq!(error.may_have_arrived(), [RefusalCode::Internal, RefusalCode::TooLarge].contains(&code));
            code
        }
        other => panic!("{other:?}"),
    };
    let before = bob.clerk.asked();
    assert_eq!(code(ask("steal", json!({"all": true})).await), RefusalCode::UnknownKind);
    assert_eq!(bob.clerk.asked(), before);
    assert_eq!(code(ask("panic", Value::Null).await), RefusalCode::Internal);
    assert_eq!(code(ask("large", json!(MAX_MESSAGE)).await), RefusalCode::TooLarge);
    assert_eq!(ask("echo", json!("x".repeat(MAX_MESSAGE))).await, Err(PeerError::TooLarge));
    // After all that the connection still serves.
    assert_eq!(ask("echo", json!(1)).await, Ok(json!(1)));
    assert_eq!(bob.net.connected(), [alice.identity()]);
}

#[tokio::test]
async fn the_largest_message_passes_whole_in_both_directions() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    for size in [0, 1, 16_000, 16_384, 32_768, MAX_MESSAGE - 60] {
        let text: String = (0..size).map(|index| char::from(b'a' + (index % 26) as u8)).collect();
        let answer = alice.net.request(&bob.address(), "echo", json!(text), SOON).await;
        assert_eq!(answer, Ok(json!(text)), "{size}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_not_the_same_as_no_peer() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let late = alice.net.request(&bob.address(), "slow", json!(3000), ms(300)).await.unwrap_err();
    assert!(late == PeerError::TimedOut && late.may_have_arrived());

    let gone = at(bob.identity(), "127.0.0.1:1".parse().unwrap());
    let (carol, started) = (Party::dialling().await, std::time::Instant::now());
    let nobody = carol.net.request(&gone, "echo", Value::Null, ms(300)).await.unwrap_err();
    assert!(matches!(nobody, PeerError::Unreachable(_)) && !nobody.may_have_arrived());
    assert!(started.elapsed() >= ms(250), "it tried until the end");
    assert_eq!(
        carol.net.request_connected(bob.identity(), "echo", Value::Null, SOON).await.map_err(|e| e.may_have_arrived()),
        Err(false)
    );
}

#[test]
fn a_peer_address_reads_back_and_nonsense_does_not_read() {
    let identity = "0xabababababababababababababababababababab";
    for place in ["127.0.0.1:1", "node.example:65535", "[::1]:7709", "localhost:80", "a_b-c.d:9"] {
        let text = format!("{identity}@{place}");
        assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
    }
    assert_eq!(format!("{identity}@[::1]:1").parse::<PeerAddress>().unwrap().host(), "::1");
    assert_eq!(at(identity.parse().unwrap(), "[::1]:7".parse().unwrap()).to_string(), format!("{identity}@[::1]:7"));
    let bad = [
        "",
        "a",
        ":1",
        "a:",
        "a:0",
        "a:65536",
        "a:+1",
        "::1:80",
        "[::1:80",
        "a b:1",
        "a/b:1",
        "-a:1",
        "a..b:1",
        ".:1",
        "[a]:1",
        "user@host:1",
    ];
    for place in bad {
        assert!(format!("{identity}@{place}").parse::<PeerAddress>().is_err(), "{place}");
    }
    assert!("0xab@host:1".parse::<PeerAddress>().is_err() && "host:1".parse::<PeerAddress>().is_err());
}

impl PeerNet {
    /// The same as [`PeerNet::request`], with nothing borrowed.
    async fn request_owned(&self, to: PeerAddress, kind: &'static str, body: Value) -> Result<Value, PeerError> {
        self.request(&to, kind, body, SOON).await
    }
}
