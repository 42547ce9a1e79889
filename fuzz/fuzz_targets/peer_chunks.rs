//! Chunks of a peer that proved who it is, cut and flagged as it likes: no message is longer than the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::peer::{MAX_MESSAGE, bare::chunks};
use snow::{Builder, StatelessTransportState};
use std::sync::{Arc, LazyLock};

type Ends = (StatelessTransportState, Arc<StatelessTransportState>);

static ENDS: LazyLock<Ends> = LazyLock::new(|| {
    let pattern = || "Noise_NN_25519_ChaChaPoly_BLAKE2s".parse().expect("a pattern");
    let (mut one, mut two) = (
        Builder::new(pattern()).build_initiator().expect("an initiator"),
        Builder::new(pattern()).build_responder().expect("a responder"),
    );
    let (mut wire, mut read) = ([0; 200], [0; 200]);
    let length = one.write_message(&[], &mut wire).expect("the first message");
    two.read_message(&wire[..length], &mut read).expect("the first message");
    let length = two.write_message(&[], &mut wire).expect("the second message");
    one.read_message(&wire[..length], &mut read).expect("the second message");
    let ends = (one.into_stateless_transport_mode(), two.into_stateless_transport_mode());
    (ends.0.expect("one end"), Arc::new(ends.1.expect("the other end")))
});

/// A full chunk: its flag and 16 KiB.
const FULL: usize = 1 + 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    // Each three bytes are one chunk: its flag, and its length.
    let long = vec![7; FULL + 3];
    let cut: Vec<Vec<u8>> = bytes
        .chunks_exact(3)
        .take(12)
        .map(|it| [&it[..1], &long[..usize::from(u16::from_be_bytes([it[1], it[2]])).min(FULL + 2)]].concat())
        .collect();
    let cut: Vec<&[u8]> = cut.iter().map(Vec::as_slice).collect();
    let (peer, us) = &*ENDS;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let lengths = runtime.block_on(chunks(peer, us.clone(), &cut));
    assert!(lengths.iter().all(|length| (1..=MAX_MESSAGE).contains(length)), "{lengths:?}");
});
