//! Whatever bytes come, reading them ends in a message or in none, and what is read is written again as the same.
// B11, H12

use crate::peer::PeerAddress;
use crate::peer::message::{Message, tidy};
use proptest::prelude::*;

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        ".{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof![Just("id".to_owned()), Just("kind".to_owned()), Just("body".to_owned()), ".{0,8}"];
        let object = prop::collection::vec((name, inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Into::into),
            object.prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_none(bytes: Vec<u8>) {
        prop_assert!(Message::decode(&bytes).is_none_or(|message| message.encode().is_some()));
    }

    #[test]
    fn any_json_under_any_name_is_a_message_or_none(
        name in prop_oneof![Just("ask"), Just("answer"), Just("refusal"), Just("alive"), Just("other")],
        body in json(),
    ) {
        let bytes = serde_json::to_vec(&serde_json::json!({ name: body })).unwrap();
        if let Some(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode().unwrap()), Some(message));
        }
    }

    #[test]
    fn any_reason_is_one_short_line(reason in ".{0,2000}") {
        let shown = tidy(&reason);
        prop_assert!(shown.chars().count() <= 300 && !shown.chars().any(char::is_control));
    }

    #[test]
    fn any_text_is_an_address_that_reads_back_or_none(text in "(0x[0-9a-f]{40}@)?.{0,60}(:[0-9]{0,6})?") {
        if let Ok(address) = text.parse::<PeerAddress>() {
            prop_assert_eq!(address.to_string().parse::<PeerAddress>(), Ok(address));
        }
    }
}
