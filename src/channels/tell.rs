//! What listeners hear of a step.

use crate::store::NewEvent;
use photon_chains::Ledger;
use photon_channel::{Message, Notice, Outcome, Refused};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Wishes that the core did not follow in a step.
pub(super) type Refusals = HashSet<Refused>;

/// Payments of one step that are each told by an event of their own. Where there are more, one event says how many there were:
/// the list of payments has each.
const MOST_SINGLE: usize = 32;

/// What was refused in a step.
pub(super) fn refused(notices: &[&Notice]) -> Refusals {
    notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Refused(refused) => Some(*refused),
            _ => None,
        })
        .collect()
}

/// The events of a step. No secret is in them.
pub(super) fn events(ledger: Ledger, notices: &[&Notice]) -> Vec<NewEvent> {
    let (mut events, mut many) = (Vec::new(), Many::default());
    let payments = notices.iter().filter(|notice| matches!(notice, Notice::Ended(..) | Notice::Received { .. })).count();
    count(notices);
    for notice in notices {
        if payments > MOST_SINGLE && many.counts(notice) {
            continue;
        }
        events.extend(body(notice).map(|(kind, body)| event(ledger, kind, body)));
    }
    if let Some(body) = many.body() {
        events.push(event(ledger, "payment", body));
    }
    events
}

/// For Prometheus: payments by what became of them.
fn count(notices: &[&Notice]) {
    let outcome = |notice: &Notice| match notice {
        Notice::Ended(_, Outcome::Paid(_)) => Some("paid"),
        Notice::Ended(_, Outcome::Failed(_)) => Some("failed"),
        Notice::Received { .. } => Some("received"),
        Notice::Lost(..) => Some("lost"),
        _ => None,
    };
    for counted in ["paid", "failed", "received", "lost"] {
        let count = notices.iter().filter(|notice| outcome(notice) == Some(counted)).count() as u64;
        if count > 0 {
            metrics::counter!("photon_payments_total", "outcome" => counted).increment(count);
        }
    }
}

/// Payments of a step that are told together.
#[derive(Default)]
struct Many {
    paid: u64,
    failed: u64,
    received: u64,
}

impl Many {
    /// Counts it, if it is of that kind.
    fn counts(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Ended(_, Outcome::Paid(_)) => self.paid += 1,
            Notice::Ended(_, Outcome::Failed(_)) => self.failed += 1,
            Notice::Received { .. } => self.received += 1,
            _ => return false,
        }
        true
    }

    fn body(&self) -> Option<Value> {
        let any = self.paid + self.failed + self.received > 0;
        any.then(|| json!({ "what": "many", "paid": self.paid, "failed": self.failed, "received": self.received }))
    }
}

fn event(ledger: Ledger, kind: &str, mut body: Value) -> NewEvent {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("ledger".to_owned(), json!(ledger.name()));
    }
    NewEvent { kind: kind.to_owned(), swap: None, body: body.to_string() }
}

fn body(notice: &Notice) -> Option<(&'static str, Value)> {
    Some(match notice {
        Notice::Ended(id, Outcome::Paid(_)) => ("payment", json!({ "what": "paid", "id": id.to_string() })),
        Notice::Ended(id, Outcome::Failed(reason)) => {
            ("payment", json!({ "what": "failed", "id": id.to_string(), "reason": reason.word() }))
        }
        Notice::Received { payment, amount, secret_hash } => {
            let hash = secret_hash.map(|hash| hash.to_string());
            let body =
                json!({ "what": "received", "id": payment.to_string(), "amount": amount.to_string(), "secret_hash": hash });
            ("payment", body)
        }
        Notice::Held { secret_hash, amount, expiry } => {
            let until = photon_channel::end_of(expiry).secs();
            let body = json!({ "what": "held", "id": secret_hash.to_string(), "amount": amount.to_string(), "until": until });
            ("payment", body)
        }
        Notice::Recalled(hash) => ("payment", json!({ "what": "recalled", "id": hash.to_string() })),
        Notice::Lapsed(hash) => ("payment", json!({ "what": "lapsed", "id": hash.to_string() })),
        Notice::Lost(id, number) => ("channel", json!({ "what": "lost", "id": id.to_string(), "lock": number.to_string() })),
        Notice::Breach(id) => ("channel", json!({ "what": "breach", "id": id.to_string() })),
        Notice::Behind(id) => ("channel", json!({ "what": "behind", "id": id.to_string() })),
        // Who asked is told; and an attempt is no end.
        Notice::Refused(_) | Notice::Attempt { .. } => return None,
    })
}

/// A message's kind, as points of crashes name it.
pub(super) const fn message_word(message: &Message) -> &'static str {
    match message {
        Message::Hello { .. } => "hello",
        Message::Update(_) => "update",
        Message::Acknowledged { .. } => "acknowledged",
        Message::Refused { .. } => "refused",
        Message::Reveal { .. } => "reveal",
        Message::Dispose { .. } => "dispose",
        Message::Recall { .. } => "recall",
        Message::AskClose { .. } => "ask_close",
        Message::GrantClose { .. } => "grant_close",
        Message::AskWithdraw { .. } => "ask_withdraw",
        Message::GrantWithdraw { .. } => "grant_withdraw",
        Message::Ceiling { .. } => "ceiling",
        Message::Remind { .. } => "remind",
    }
}
