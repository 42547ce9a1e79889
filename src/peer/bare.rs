//! For fuzzing: what a stranger on the network may send, read as it would be.

use super::frame::FrameReader;
use super::handshake::{Ourselves, answer};
use super::message::{Message, tidy};
use super::{Limits, PeerAddress};
use crate::keys::Wallet;
use snow::StatelessTransportState;
use std::sync::Arc;
use tokio::io::{join, sink};

/// Reads one message; writes it again if it is one.
pub fn message(bytes: &[u8]) -> Option<Vec<u8>> {
    let message = Message::decode(bytes)?;
    if let Message::Refusal { reason, .. } = &message {
        let _ = tidy(reason);
    }
    message.encode()
}

/// Reads an address; writes it again if it is one.
pub fn address(text: &str) -> Option<String> {
    text.parse::<PeerAddress>().ok().map(|address| address.to_string())
}

/// Answers somebody who dials and says only this. True if it was let in, which takes a proof that nobody can guess.
pub async fn dialed(wallet: Arc<Wallet>, bytes: &[u8]) -> bool {
    answer(&mut join(bytes, sink()), &Ourselves::new(wallet)).await.is_ok()
}

/// Reads the messages of a peer that was let in, which sends these chunks, encrypted as it must. Answers their lengths.
pub async fn chunks(peer: &StatelessTransportState, us: Arc<StatelessTransportState>, chunks: &[&[u8]]) -> Vec<usize> {
    let mut wire = Vec::new();
    let mut cipher = vec![0; usize::from(u16::MAX)];
    for (nonce, chunk) in (0..).zip(chunks) {
        let Ok(written) = peer.write_message(nonce, chunk, &mut cipher) else { break };
        wire.extend(u16::try_from(written).unwrap_or_default().to_be_bytes());
        wire.extend(cipher.iter().take(written));
    }
    let limits = Limits::default();
    let mut reader = FrameReader::new(wire.as_slice(), us);
    let mut lengths = Vec::new();
    while let Ok(message) = reader.next(limits.idle, limits.message).await {
        lengths.push(message.len());
    }
    lengths
}
