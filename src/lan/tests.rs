//! What is heard is bounded, and used for those alone whom we know; and the real thing, where the machine has it.
#![allow(clippy::unwrap_used)]

use super::*;

fn node(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

fn note(of: &Address, at: &[&str]) -> Note {
    Note { name: of.to_string(), at: at.iter().map(|at| at.parse().unwrap()).collect() }
}

#[test]
fn only_addresses_of_a_local_network_are_taken_and_few_of_each_node() {
    let mut nearby = Nearby::default();
    let known = BTreeSet::from([node(1)]);
    let far = ["8.8.8.8:1", "[2001:db8::1]:1", "[fe80::1]:1", "192.168.1.7:0"];
    nearby.hear(&note(&node(1), &far), &known);
    assert!(nearby.0.is_empty(), "{nearby:?}");
    nearby.hear(&note(&node(1), &["8.8.8.8:1", "192.168.1.7:7707", "[fd00::1]:7707"]), &known);
    let taken: Vec<String> = nearby.0[&node(1)].iter().map(PeerAddress::endpoint).collect();
    assert_eq!(taken, ["192.168.1.7:7707", "[fd00::1]:7707"]);
    let many: Vec<String> = (1..200).map(|host| format!("10.0.0.{host}:1")).collect();
    nearby.hear(&note(&node(1), &many.iter().map(String::as_str).collect::<Vec<_>>()), &known);
    assert_eq!(nearby.0[&node(1)].len(), MOST_ADDRESSES);
    nearby.hear(&note(&node(1), &[]), &known);
    assert!(nearby.0.is_empty(), "it has gone");
}

#[test]
fn strangers_fill_no_memory_and_keep_no_neighbour_out() {
    let mut nearby = Nearby::default();
    let stranger = |number: u32| {
        let mut bytes = [0xee; 20];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    };
    for number in 0..10_000 {
        nearby.hear(&note(&stranger(number), &["10.0.0.1:1"]), &BTreeSet::new());
    }
    assert_eq!(nearby.0.len(), MOST_NODES);
    let neighbour = node(1);
    nearby.hear(&note(&neighbour, &["10.0.0.2:1"]), &BTreeSet::from([neighbour]));
    assert_eq!(nearby.0.len(), MOST_NODES);
    assert!(nearby.0.contains_key(&neighbour));
    let nonsense = Note { name: "somebody (2)".to_owned(), at: vec!["10.0.0.1:1".parse().unwrap()] };
    nearby.hear(&nonsense, &BTreeSet::from([neighbour]));
    assert_eq!(nearby.0.len(), MOST_NODES);
}

/// Whether one can be heard on this machine's own interface at all, tried without the library.
fn hears_itself(port: u16) -> std::io::Result<bool> {
    use std::net::{Ipv4Addr, UdpSocket};
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let ear = UdpSocket::bind((group, port))?;
    ear.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    ear.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mouth = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    mouth.send_to(b"photon", (group, port))?;
    let mut heard = [0; 16];
    Ok(ear.recv(&mut heard).is_ok_and(|count| heard[..count] == *b"photon"))
}

#[tokio::test]
async fn two_nodes_on_one_network_hear_of_each_other_and_of_their_end() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    match hears_itself(port) {
        Ok(true) => {}
        other => {
            println!("SKIPPED: this machine has no multicast on its loopback interface: {other:?}");
            return;
        }
    }
    let spot = |byte, tcp| Spot { node: node(byte), at: SocketAddr::from(([127, 0, 0, 1], tcp)), port };
    let (mut here, mut there) = (JoinSet::new(), JoinSet::new());
    let mut by_one = announce(spot(1, 7_001), &mut here);
    let mut by_two = announce(spot(2, 7_002), &mut there);
    let soon = Duration::from_secs(30);
    let heard = tokio::time::timeout(soon, by_one.recv()).await.unwrap().unwrap();
    assert_eq!(heard, note(&node(2), &["127.0.0.1:7002"]));
    let heard = tokio::time::timeout(soon, by_two.recv()).await.unwrap().unwrap();
    assert_eq!(heard, note(&node(1), &["127.0.0.1:7001"]));
    there.shutdown().await;
    let heard = tokio::time::timeout(soon, by_one.recv()).await.unwrap().unwrap();
    assert_eq!(heard, note(&node(2), &[]));
}
