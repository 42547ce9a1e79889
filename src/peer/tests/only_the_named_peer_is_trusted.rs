//! Nobody passes for somebody else, nothing said before is worth anything now, and a changed byte ends the connection.

use super::*;
use crate::peer::handshake::Role;
use crate::peer::proof::{self, PROOF};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;

#[tokio::test]
async fn another_identity_at_the_dialled_address_is_refused_and_learns_nothing() {
    let (alice, bob, mallory) = (Party::dialling().await, Party::listening(limits()).await, Party::listening(limits()).await);
    let claimed = at(bob.identity(), mallory.socket());
    let refused = alice.echo(&claimed).await.unwrap_err();
    assert_eq!(refused, PeerError::OtherIdentity { found: mallory.identity() });
    assert!(!refused.may_have_arrived());
    assert_eq!(mallory.clerk.asked(), 0);
    assert!(mallory.net.connected().is_empty(), "Alice has not named herself");
    assert_eq!(alice.echo(&bob.address()).await, Ok(json!("hello")));
}

#[tokio::test]
async fn a_node_of_another_network_is_refused_by_name() {
    let bob = Party::listening(limits()).await;
    for network in [Network::Mainnet, Network::Testnet] {
        let alice = Party::start(wallet(network), None, limits()).await;
        assert_eq!(alice.echo(&bob.address()).await, Err(PeerError::OtherNetwork));
    }
    assert_eq!(bob.clerk.asked(), 0);
}

#[tokio::test]
async fn another_version_is_told_ours() {
    let bob = Party::listening(limits()).await;
    let mut stream = TcpStream::connect(bob.socket()).await.unwrap();
    stream.write_all(b"photon\x02\x02").await.unwrap();
    stream.write_all(&[0; 32]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"photon\x01\x02");
}

#[tokio::test]
async fn our_own_node_is_no_peer() {
    let alice = Party::listening(limits()).await;
    assert_eq!(alice.echo(&alice.address()).await, Err(PeerError::OurselvesThere));
    let twin = Party::start(alice.wallet.clone(), None, limits()).await;
    assert_eq!(twin.echo(&alice.address()).await, Err(PeerError::OurselvesThere));
}

/// Passes bytes on in one direction, flipping one bit of one of them.
async fn pass_on(mut from: DuplexStream, mut to: DuplexStream, flip: Option<(usize, u8)>) -> (Vec<u8>, usize) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 512]);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        for byte in &mut buffer[..read] {
            if let Some((index, bit)) = flip
                && index == seen.len()
            {
                *byte ^= bit;
            }
            seen.push(*byte);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    let count = seen.len();
    (seen, count)
}

/// A handshake with somebody in the middle who flips a bit of what the dialer or the listener says.
async fn handshake_with(
    flip_dialer: Option<(usize, u8)>,
    flip_listener: Option<(usize, u8)>,
) -> (Result<Address, PeerError>, Result<Address, PeerError>) {
    let (alice, bob) = (Ourselves::new(wallet(Network::Regtest)), Ourselves::new(wallet(Network::Regtest)));
    let ((a_out, m_a_in), (m_a_out, b_in)) = (duplex(4096), duplex(4096));
    let ((b_out, m_b_in), (m_b_out, a_in)) = (duplex(4096), duplex(4096));
    tokio::spawn(pass_on(m_a_in, m_a_out, flip_dialer));
    tokio::spawn(pass_on(m_b_in, m_b_out, flip_listener));
    let (expected, dialer) = (bob.identity(), alice.identity());
    let dial = async move {
        let mut stream = tokio::io::join(a_in, a_out);
        handshake::dial(&mut stream, &alice, expected).await.map(|session| session.peer)
    };
    let answer = async move {
        let mut stream = tokio::io::join(b_in, b_out);
        handshake::answer(&mut stream, &bob).await.map(|session| session.peer)
    };
    let (dialled, answered) = tokio::join!(dial, answer);
    (dialled.inspect(|peer| assert_eq!(*peer, expected)), answered.inspect(|peer| assert_eq!(*peer, dialer)))
}

#[tokio::test]
async fn one_flipped_bit_anywhere_in_the_handshake_ends_it() {
    let (dialled, answered) = handshake_with(None, None).await;
    assert!(dialled.is_ok() && answered.is_ok());
    let (dialer_says, listener_says) = (8 + 32 + 32 + 16 + PROOF + 16, 8 + 32 + 32 + 16 + PROOF + 16);
    for bit in [1, 0x80] {
        for index in 0..dialer_says {
            let (_, answered) = handshake_with(Some((index, bit)), None).await;
            assert!(answered.is_err(), "dialer's byte {index}");
        }
        for index in 0..listener_says {
            let (dialled, answered) = handshake_with(None, Some((index, bit))).await;
            assert!(dialled.is_err() && answered.is_err(), "listener's byte {index}");
        }
    }
}

#[tokio::test]
async fn a_recorded_handshake_is_worth_nothing_the_second_time() {
    let (alice, bob) = (Party::dialling().await, Party::listening(limits()).await);
    let tap = Tap::start(bob.socket(), None).await;
    assert_eq!(alice.echo(&at(bob.identity(), tap.socket)).await, Ok(json!("hello")));
    let recorded = tap.said.lock().unwrap().clone();
    assert!(recorded.len() > 189);

    let mut stream = TcpStream::connect(bob.socket()).await.unwrap();
    stream.write_all(&recorded).await.unwrap();
    let mut answer = Vec::new();
    // Either a clean end or a reset: Bob has closed it with our bytes unread.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.len() <= 8 + 181, "no more than his half of a handshake");
    assert_eq!(bob.clerk.asked(), 1, "only Alice's own");
}

#[tokio::test]
async fn what_the_dialer_says_is_no_answer_to_itself() {
    let alice = Ourselves::new(wallet(Network::Regtest));
    let (near, mut far) = duplex(4096);
    let mirror = async move {
        let mut buffer = [0; 512];
        let mut budget = 10;
        while let Ok(read @ 1..) = far.read(&mut buffer).await {
            // Echoed over and over, so that it is long enough to be read as an answer.
            for _ in 0..6 {
                let _ = far.write_all(&buffer[..read]).await;
            }
            budget -= 1;
            if budget == 0 {
                break;
            }
        }
    };
    let dial = async move {
        let mut near = near;
        handshake::dial(&mut near, &alice, alice.identity()).await.map(|session| session.peer)
    };
    let (dialled, ()) = tokio::join!(dial, mirror);
    assert!(dialled.is_err());
}

#[test]
fn a_proof_holds_for_its_key_role_network_and_transcript_alone() {
    let bob = wallet(Network::Regtest);
    let (transcript, key) = ([1; 32], [2; 32]);
    let proof = proof::prove(&bob, Role::Listener, &transcript, &key);
    let check = proof::check;
    let checked = check(&proof, Network::Regtest, Role::Listener, &transcript, &key);
    assert_eq!(checked.map(|(account, _)| account), Some(bob.identity_address()));
    for wrong in [
        check(&proof, Network::Testnet, Role::Listener, &transcript, &key),
        check(&proof, Network::Regtest, Role::Dialer, &transcript, &key),
        check(&proof, Network::Regtest, Role::Listener, &[9; 32], &key),
        check(&proof, Network::Regtest, Role::Listener, &transcript, &[9; 32]),
    ] {
        assert_eq!(wrong, None);
    }
    for index in 0..PROOF {
        let mut bad = proof;
        bad[index] ^= 1;
        assert_eq!(check(&bad, Network::Regtest, Role::Listener, &transcript, &key), None, "byte {index}");
    }
}

/// The digest equals one computed by EIP-712's own words, so that any wallet could make or check a proof.
#[test]
fn a_proof_is_plain_eip_712() {
    use sha3::{Digest, Keccak256};
    let hash = |bytes: &[u8]| Keccak256::digest(bytes).to_vec();
    let bob = wallet(Network::Regtest);
    let proof = proof::prove(&bob, Role::Dialer, &[1; 32], &[2; 32]);
    let domain = hash(&[hash(b"EIP712Domain(string name,string version)"), hash(b"Photon peer"), hash(b"1")].concat());
    let message = hash(
        &[
            hash(b"PeerProof(string network,string role,bytes32 transcript,bytes32 noiseKey)"),
            hash(b"regtest"),
            hash(b"dialer"),
            vec![1; 32],
            vec![2; 32],
        ]
        .concat(),
    );
    let digest = hash(&[vec![0x19, 1], domain, message].concat()).try_into().unwrap();
    let signature = crate::keys::Signature::from_bytes(proof[20..].try_into().unwrap());
    assert_eq!(crate::keys::verify(bob.identity_address(), &digest, &signature), Ok(()));
}

/// A wire between a dialer and a listener, tapped: it records what the dialer says, and may flip one of the bytes.
struct Tap {
    socket: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn start(to: SocketAddr, flip: Option<usize>) -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let (socket, said) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let record = said.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(to).await.unwrap();
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
                let record = record.clone();
                tokio::spawn(async move {
                    let (mut buffer, mut count) = ([0; 4096], 0);
                    while let Ok(read @ 1..) = near_in.read(&mut buffer).await {
                        if let Some(index) = flip.and_then(|index: usize| index.checked_sub(count)).filter(|i| *i < read) {
                            buffer[index] ^= 1;
                        }
                        count += read;
                        record.lock().unwrap().extend_from_slice(&buffer[..read]);
                        if far_out.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { socket, said }
    }
}

#[tokio::test]
async fn a_changed_byte_after_the_handshake_drops_the_connection_and_reaches_nobody() {
    let bob = Party::listening(limits()).await;
    // In the length, in the flag, in the message, in its tag.
    for index in [189, 190, 191, 200, 230] {
        let alice = Party::dialling().await;
        let tap = Tap::start(bob.socket(), Some(index)).await;
        let lost = alice.net.request(&at(bob.identity(), tap.socket), "echo", json!("h".repeat(200)), ms(1000)).await;
        assert!(lost.is_err(), "byte {index}: {lost:?}");
        assert_eq!(bob.clerk.asked(), 0, "byte {index}");
    }
    let alice = Party::dialling().await;
    assert_eq!(alice.echo(&bob.address()).await, Ok(json!("hello")));
}
