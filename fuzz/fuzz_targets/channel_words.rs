//! What a channel's counterparty, a payer of requests and a stranger who announces channels may send, and what a damaged disk
//! may hold: read, and written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_channel::route::{Tiding, read_all};
use photon_channel::{Message, PaymentRequest, Row, Update, Wire};

fn again<T: Wire + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    assert_eq!(value.to_bytes(), bytes, "one value has one form");
    Some(value)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 5 {
        0 => drop(again::<Message>(bytes)),
        1 => drop(again::<Update>(bytes)),
        2 => drop(again::<Row>(bytes)),
        3 => {
            if let Some(tiding) = again::<Tiding>(bytes) {
                assert_eq!(read_all(bytes), Some(vec![tiding]));
                let _ = tiding.speaker();
            }
        }
        _ => {
            if let Some(request) = again::<PaymentRequest>(bytes) {
                let _ = (request.payment(), request.edges().count());
            }
            if let Ok(request) = std::str::from_utf8(bytes).map_err(drop).and_then(|text| PaymentRequest::read(text).map_err(drop)) {
                assert!(!request.amount.is_zero());
            }
        }
    }
});
