//! What travels, as JSON.

use super::error::RefusalCode;
use super::limits::MAX_MESSAGE;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request. Ids are the asker's own; the two directions don't share them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    pub id: u64,
    pub kind: String,
    pub body: Value,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Message {
    Ask(Envelope),
    Answer { id: u64, body: Value },
    Refusal { id: u64, code: RefusalCode, reason: String },
    Alive {},
}

/// The longest reason that is sent, or believed to be one, in characters.
const MAX_REASON: usize = 300;

impl Message {
    pub fn refusal(id: u64, code: RefusalCode, reason: &str) -> Self {
        Message::Refusal { id, code, reason: tidy(reason) }
    }

    /// Its bytes; None if they are too many.
    pub fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= MAX_MESSAGE)
    }

    /// None if it is no message. The parser stops at a nesting of 128.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A stranger's words, fit for a log or a terminal: short, on one line, and without escape sequences.
pub(super) fn tidy(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() || turns_the_line(c) { ' ' } else { c }).take(MAX_REASON).collect()
}

/// Invisible characters that show the rest of a line in another order than it is written.
const fn turns_the_line(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_message_reads_back_and_looks_as_documented() {
        let all = [
            (
                Message::Ask(Envelope { id: 1, kind: "k".into(), body: json!(2) }),
                json!({"ask": {"id": 1, "kind": "k", "body": 2}}),
            ),
            (Message::Answer { id: 1, body: json!({}) }, json!({"answer": {"id": 1, "body": {}}})),
            (
                Message::refusal(3, RefusalCode::UnknownKind, "no"),
                json!({"refusal": {"id": 3, "code": "unknown_kind", "reason": "no"}}),
            ),
            (Message::Alive {}, json!({"alive": {}})),
        ];
        for (message, shown) in all {
            let bytes = message.encode().unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), shown);
            assert_eq!(Message::decode(&bytes), Some(message));
        }
    }

    #[test]
    fn what_is_not_exactly_a_message_is_none() {
        let bad = [
            "",
            "{}",
            "null",
            "[]",
            r#"{"ask":{"id":1,"kind":"k"}}"#,
            r#"{"ask":{"id":-1,"kind":"k","body":1}}"#,
            r#"{"ask":{"id":1,"kind":"k","body":1,"more":1}}"#,
            r#"{"ask":{"id":1,"kind":"k","body":1},"alive":{}}"#,
            r#"{"order":{"id":1}}"#,
            r#"{"alive":{}"#,
            r#"{"alive":{}}{"alive":{}}"#,
        ];
        for text in bad {
            assert_eq!(Message::decode(text.as_bytes()), None, "{text}");
        }
        let deep = format!(r#"{{"answer":{{"id":1,"body":{}1{}}}}}"#, "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(Message::decode(deep.as_bytes()), None);
    }

    #[test]
    fn a_code_of_a_later_version_is_still_a_refusal() {
        let message = Message::decode(br#"{"refusal":{"id":1,"code":"moon_phase","reason":"r"}}"#).unwrap();
        assert_eq!(message, Message::refusal(1, RefusalCode::Unknown, "r"));
    }

    #[test]
    fn a_reason_can_not_paint_the_terminal_or_fill_the_log() {
        assert_eq!(tidy("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
        assert_eq!(tidy(&"x".repeat(100_000)).len(), MAX_REASON);
    }

    #[test]
    fn a_message_of_one_byte_too_many_is_not_encoded() {
        let empty = Message::Answer { id: 1, body: json!("") }.encode().unwrap().len();
        let of = |length: usize| Message::Answer { id: 1, body: json!("x".repeat(length)) }.encode();
        assert_eq!(of(MAX_MESSAGE - empty).unwrap().len(), MAX_MESSAGE);
        assert_eq!(of(MAX_MESSAGE - empty + 1), None);
    }
}
