//! Peers go and come back; nothing of ours hangs, and nothing stops halfway.

use super::*;

#[tokio::test]
async fn a_peer_that_restarted_is_reached_again() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let (address, socket, wallet) = (bob.address(), bob.socket(), bob.wallet.clone());
    alice.echo(&address).await.unwrap();
    bob.net.shutdown().await;
    for _ in 0..3 {
        until("Alice has noticed", || alice.net.connected().is_empty()).await;
        let bob = Party::start(wallet.clone(), Some(socket), limits()).await;
        assert_eq!(alice.echo(&address).await, Ok(json!("hello")));
        assert_eq!(bob.clerk.asked(), 1);
        bob.net.shutdown().await;
    }
}

#[tokio::test]
async fn a_request_waits_for_a_peer_that_is_just_starting() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let (address, socket, wallet) = (bob.address(), bob.socket(), bob.wallet.clone());
    bob.net.shutdown().await;
    let late = async {
        tokio::time::sleep(ms(500)).await;
        Party::start(wallet, Some(socket), limits()).await
    };
    let (answer, _bob) = tokio::join!(alice.echo(&address), late);
    assert_eq!(answer, Ok(json!("hello")));
}

#[tokio::test]
async fn who_comes_back_replaces_the_connection_it_left_behind() {
    let bob = Party::listening(limits()).await;
    let one = Party::dialling().await;
    one.echo(&bob.address()).await.unwrap();
    let left_behind = bob.net.node.directory.live(one.identity()).unwrap();
    let two = Party::start(one.wallet.clone(), None, limits()).await;
    two.echo(&bob.address()).await.unwrap();
    assert!(!left_behind.is_live());
    assert_eq!(bob.net.request_connected(two.identity(), "echo", json!(1), SOON).await, Ok(json!(1)));
    assert_eq!(two.clerk.asked(), 1);
}

#[tokio::test]
async fn a_request_that_is_being_answered_is_finished_before_the_end_and_its_asker_told_that_it_may_have_been() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let address = bob.address();
    let asking = alice.net.request(&address, "slow", json!(600), SOON);
    let stopping = async {
        until("it has begun", || bob.clerk.asked() == 1).await;
        bob.net.shutdown().await;
        assert_eq!(bob.clerk.finished.load(Ordering::SeqCst), 1);
    };
    let (answer, ()) = tokio::join!(asking, stopping);
    assert_eq!(answer, Err(PeerError::Lost));
    assert!(PeerError::Lost.may_have_arrived());
}

#[tokio::test]
async fn a_node_that_stops_waits_for_nobody_and_asks_no_more() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    alice.echo(&bob.address()).await.unwrap();
    let started = std::time::Instant::now();
    bob.net.shutdown().await;
    bob.net.shutdown().await;
    assert!(started.elapsed() < ms(2000));
    assert_eq!(bob.echo(&alice_nowhere(&alice)).await, Err(PeerError::Stopped));
    assert!(tokio::net::TcpStream::connect(bob.socket()).await.is_err(), "the port is free");
}

fn alice_nowhere(alice: &Party) -> PeerAddress {
    at(alice.identity(), "127.0.0.1:1".parse().unwrap())
}

#[tokio::test]
async fn dropping_the_last_handle_ends_everything() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let socket = bob.socket();
    alice.echo(&bob.address()).await.unwrap();
    drop(bob);
    until("Alice has noticed", || alice.net.connected().is_empty()).await;
    until("the port is free", || std::net::TcpListener::bind(socket).is_ok()).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let bob = Party::listening(limits()).await;
    let clerk: Arc<dyn Handler> = Arc::new(Clerk::default());
    let refused = PeerNet::start(Some(bob.socket()), wallet(Network::Regtest), clerk).await.err();
    assert_eq!(refused, Some(PeerError::Listen { address: bob.socket(), kind: std::io::ErrorKind::AddrInUse }));
}
