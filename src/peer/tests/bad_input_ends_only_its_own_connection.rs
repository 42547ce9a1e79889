//! Whatever a stranger sends, or doesn't: it is bounded, its connection ends, and everybody else is served.

use super::*;
use crate::peer::frame::{FrameReader, FrameWriter};
use crate::peer::message::{Envelope, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Quick to lose patience.
fn strict() -> Limits {
    Limits { handshake: ms(400), message: ms(400), idle: ms(1200), heartbeat: ms(300), ..limits() }
}

async fn is_served(bob: &Party) {
    let alice = Party::dialling().await;
    assert_eq!(alice.echo(&bob.address()).await, Ok(json!("hello")));
}

/// Reads until the other side closes; fails if it doesn't.
async fn is_closed(mut stream: impl tokio::io::AsyncRead + Unpin) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "still open");
}

#[tokio::test]
async fn garbage_and_silence_before_the_handshake_end_in_time() {
    let bob = Party::listening(strict()).await;
    let openings: [&[u8]; 6] = [b"", b"p", b"GET / HTTP/1.1\r\n\r\n", b"photon\x01", b"photon\x01\x02", &[0xff; 9000]];
    for opening in openings {
        let mut stream = TcpStream::connect(bob.socket()).await.unwrap();
        stream.write_all(opening).await.unwrap();
        is_closed(stream).await;
    }
    is_served(&bob).await;
    assert_eq!(bob.net.connected().len(), 1);
}

#[tokio::test]
async fn drops_of_a_byte_at_a_time_end_in_time_and_hold_up_nobody() {
    let bob = Party::listening(Limits { connections_per_ip: 4, handshake: ms(2000), ..strict() }).await;
    let mut lorises = Vec::new();
    for _ in 0..4 {
        let mut stream = raw_socket_from("127.0.0.9", &bob).await;
        lorises.push(tokio::spawn(async move {
            for byte in *b"photon\x01\x02 and then on and on" {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(ms(150)).await;
            }
            is_closed(stream).await;
        }));
    }
    tokio::time::sleep(ms(100)).await;
    // That origin is full: a fifth is turned away at once. Others are not affected.
    is_closed(raw_socket_from("127.0.0.9", &bob).await).await;
    is_served(&bob).await;
    assert!(!lorises.iter().any(tokio::task::JoinHandle::is_finished), "served beside them, not after them");
    for loris in lorises {
        loris.await.unwrap();
    }
    // Its places are free again.
    raw_session_from("127.0.0.9", &bob).await;
}

#[tokio::test]
async fn when_all_places_are_taken_one_of_no_use_makes_room() {
    let bob = Party::listening(Limits { connections: 3, useless_after: ms(500), ..limits() }).await;
    let mut idle = Vec::new();
    for ip in ["127.0.0.11", "127.0.0.12", "127.0.0.13"] {
        idle.push(raw_session_from(ip, &bob).await);
    }
    until("three are in", || bob.net.connected().len() == 3).await;
    let alice = Party::dialling().await;
    let early = alice.net.request(&bob.address(), "echo", Value::Null, ms(200)).await;
    assert!(early.is_err(), "the three are still new");
    tokio::time::sleep(ms(400)).await;
    is_served(&bob).await;
}

async fn talk(bob: &Party) -> (FrameReader<OwnedReadHalf>, FrameWriter<OwnedWriteHalf>, Address) {
    let (stream, session, mallory) = raw_session(bob).await;
    let noise = Arc::new(session.noise);
    let (read, write) = stream.into_split();
    (FrameReader::new(read, noise.clone()), FrameWriter::new(write, noise), mallory)
}

fn ask(id: u64, kind: &str, body: Value) -> Vec<u8> {
    Message::Ask(Envelope { id, kind: kind.into(), body }).encode().unwrap()
}

/// Reads what comes until the connection ends.
async fn drain(mut reader: FrameReader<OwnedReadHalf>) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Ok(bytes) = reader.next(SOON, SOON).await {
        messages.push(Message::decode(&bytes).unwrap());
    }
    messages
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection() {
    let bob = Party::listening(strict()).await;
    for nonsense in [&b"{}"[..], b"\xff\xfe", b"[[[[", br#"{"ask":{"id":1}}"#, br#"{"answer":{"id":1,"body":1,"x":1}}"#] {
        let (reader, mut writer, mallory) = talk(&bob).await;
        until("she is in", || bob.net.connected().contains(&mallory)).await;
        writer.send(nonsense, SOON).await.unwrap();
        drain(reader).await;
        until("she is out", || !bob.net.connected().contains(&mallory)).await;
    }
    is_served(&bob).await;
}

/// Chunks as [`FrameWriter`] never makes them. Put together they are a good request, with spaces behind it.
async fn send_chunks(bob: &Party, chunks: &[(u8, usize)]) -> bool {
    let (mut stream, session, mallory) = raw_session(bob).await;
    let mut rest = ask(1, "echo", json!(1)).into_iter().chain(std::iter::repeat(b' '));
    for (nonce, (flag, length)) in chunks.iter().enumerate() {
        let mut cipher = vec![0; length + 17];
        let plain: Vec<u8> = std::iter::once(*flag).chain(rest.by_ref().take(*length)).collect();
        let written = session.noise.write_message(nonce as u64, &plain, &mut cipher).unwrap();
        let sent = [&(written as u16).to_be_bytes()[..], &cipher[..written]].concat();
        if stream.write_all(&sent).await.is_err() {
            break;
        }
    }
    is_closed(stream).await;
    !bob.net.connected().contains(&mallory)
}

#[tokio::test]
async fn a_message_that_never_ends_or_is_cut_oddly_ends_the_connection() {
    let bob = Party::listening(strict()).await;
    let full = 16 * 1024;
    for chunks in [
        vec![(0, full); 10],
        vec![(0, full), (0, full), (0, full), (0, full), (1, 1)],
        vec![(0, 1), (1, 100)],
        vec![(1, 0)],
        vec![(0, 0), (1, 100)],
        vec![(2, 5)],
        vec![(1, full + 1)],
        vec![(1, 60_000)],
    ] {
        assert!(send_chunks(&bob, &chunks).await, "{chunks:?}");
        assert_eq!(bob.clerk.asked(), 0, "{chunks:?}");
    }
    // The same, cut as it should be.
    assert!(send_chunks(&bob, &[(0, full), (1, 100)]).await);
    assert_eq!(bob.clerk.asked(), 1);
    is_served(&bob).await;
}

#[tokio::test]
async fn a_message_that_stops_halfway_ends_the_connection() {
    let bob = Party::listening(strict()).await;
    let (mut stream, _session, mallory) = raw_session(&bob).await;
    until("she is in", || bob.net.connected().contains(&mallory)).await;
    stream.write_all(&[0x10]).await.unwrap();
    tokio::time::sleep(ms(100)).await;
    stream.write_all(&[0x00, 1, 2, 3]).await.unwrap();
    is_closed(stream).await;
    until("she is out", || !bob.net.connected().contains(&mallory)).await;
    is_served(&bob).await;
}

#[tokio::test]
async fn a_silent_peer_is_noticed_and_a_quiet_but_living_one_kept() {
    let bob = Party::listening(strict()).await;
    let alice = Party::start(wallet(Network::Regtest), None, strict()).await;
    alice.echo(&bob.address()).await.unwrap();
    let kept = bob.net.node.directory.live(alice.identity()).unwrap();
    let (_stream, _session, mallory) = raw_session(&bob).await;
    until("she is in", || bob.net.connected().contains(&mallory)).await;
    tokio::time::sleep(ms(2500)).await;
    assert_eq!(bob.net.connected(), [alice.identity()]);
    assert!(Arc::ptr_eq(&kept, &bob.net.node.directory.live(alice.identity()).unwrap()));
}

#[tokio::test]
async fn who_asks_too_much_is_refused_then_cut_off_also_when_connecting_anew() {
    let rates = Limits { requests_per_sec: 5, requests_burst: 20, strikes: 30, ..strict() };
    let bob = Party::listening(rates).await;
    let (reader, mut writer, _) = talk(&bob).await;
    let reading = tokio::spawn(drain(reader));
    for id in 0..500 {
        if writer.send(&ask(id, "echo", json!(1)), SOON).await.is_err() {
            break;
        }
    }
    let heard = tokio::time::timeout(SOON, reading).await.unwrap().unwrap();
    let answers = heard.iter().filter(|message| matches!(message, Message::Answer { .. })).count();
    let refusals = heard.iter().filter(|message| matches!(message, Message::Refusal { .. })).count();
    // A reset may swallow the last of what Bob said; what he did is certain.
    assert!(answers <= 30 && refusals <= 40, "{answers} answers, {refusals} refusals");
    assert!((20..=30).contains(&bob.clerk.asked()), "{}", bob.clerk.asked());
    is_served(&bob).await;

    // An honest asker learns what is going on, and keeps its empty bucket over connections.
    let carol = wallet(Network::Regtest);
    let mut refused = 0;
    for _ in 0..3 {
        let party = Party::start(carol.clone(), None, limits()).await;
        for _ in 0..15 {
            let answer = party.echo(&bob.address()).await;
            refused += usize::from(matches!(answer, Err(PeerError::Refused { code: RefusalCode::TooManyRequests, .. })));
        }
        party.net.shutdown().await;
    }
    assert!(refused >= 15, "{refused}");
}

#[tokio::test]
async fn who_sends_answers_that_nobody_asked_for_is_cut_off() {
    let rates = Limits { requests_per_sec: 5, requests_burst: 20, strikes: 30, ..strict() };
    let bob = Party::listening(rates).await;
    let (reader, mut writer, mallory) = talk(&bob).await;
    let answer = Message::Answer { id: 7, body: json!(1) }.encode().unwrap();
    for _ in 0..500 {
        if writer.send(&answer, SOON).await.is_err() {
            break;
        }
    }
    drain(reader).await;
    until("she is out", || !bob.net.connected().contains(&mallory)).await;
}

#[tokio::test]
async fn who_asks_much_at_once_takes_no_turns_from_others() {
    let bob = Party::listening(Limits { requests_at_once: 3, handlers: 4, ..strict() }).await;
    let (mut reader, mut writer, _) = talk(&bob).await;
    for id in 0..10 {
        writer.send(&ask(id, "slow", json!(2000)), SOON).await.unwrap();
    }
    let mut busy = 0;
    while busy < 7 {
        match Message::decode(&reader.next(SOON, SOON).await.unwrap()).unwrap() {
            Message::Refusal { code: RefusalCode::Busy, .. } => busy += 1,
            Message::Alive {} => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bob.clerk.asked(), 3);
    is_served(&bob).await;
    assert_eq!(bob.clerk.finished.load(Ordering::SeqCst), 1, "while the three are still at it");
}

#[tokio::test]
async fn who_never_reads_what_it_asked_for_is_cut_off() {
    let bob = Party::listening(Limits { requests_per_sec: 100_000, requests_burst: 100_000, ..strict() }).await;
    let (reader, mut writer, mallory) = talk(&bob).await;
    let sending = tokio::spawn(async move {
        let mut id = 0;
        while writer.send(&ask(id, "large", json!(60_000)), SOON).await.is_ok() {
            id += 1;
            tokio::task::yield_now().await;
        }
    });
    until("she is in", || bob.net.connected().contains(&mallory)).await;
    until("she is out", || !bob.net.connected().contains(&mallory)).await;
    tokio::time::timeout(SOON, sending).await.unwrap().unwrap();
    is_served(&bob).await;
    drop(reader);
}
