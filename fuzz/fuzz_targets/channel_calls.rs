//! Calls on the channels contract that anybody may have sent, as they are read to find what a party without its database has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_chains::Address;
use photon_channel::contract::{Call, Shown, keys_in, records_in};
use photon_channel::{Both, ChannelKey, Commitment, Nonce, Signature, Units, Window};
use std::collections::BTreeSet;

fn is_of(key: &ChannelKey, own: &Address) -> bool {
    let Both { a, b } = key.parties();
    a == own || b == own
}

fuzz_target!(|bytes: &[u8]| {
    let [own, sender, token] = [1, 2, 3].map(|byte| Address::from_bytes([byte; 20]));
    for token in [None, Some(token)] {
        let keys = keys_in(&own, token, &sender, bytes);
        assert!(keys.len() <= 256 && keys.iter().all(|key| key.token() == token && is_of(key, &own)));
        assert_eq!(keys.iter().map(ChannelKey::id).collect::<BTreeSet<_>>().len(), keys.len());
    }
    let Some(records) = records_in(bytes) else { return };
    let key = ChannelKey::new(None, own, sender, Window::SHORTEST).expect("a channel of two");
    let signature = Signature::from_bytes([27; 65]);
    let shown = Shown { nonce: Nonce(1), transferred: Units::ZERO, pending: Commitment::default(), signature };
    let call = Call::Close { shown, records: records.clone() };
    assert_eq!(records_in(&call.input(&own, &key)), Some(records), "what was read is written again as the same");
});
