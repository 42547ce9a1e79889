//! What a node says to a transaction that is handed to it. Pure.
//!
//! None of it is a fact about the chain, and nothing is decided from it but what to send next: whether a transaction is
//! mined, the chain alone says. A transaction was written down before it was sent, so whatever the answer, it is looked for
//! and sent again until its nonce is final.

use crate::wire::clean;

/// What the node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It took it, or had it already.
    Taken,
    /// A mined transaction has that nonce: this one, or another.
    NonceUsed,
    /// Another one with that nonce waits there and bids as much.
    Outbid,
    /// It bids less than the chain, or the node's pool, demands now.
    TooCheap,
    /// The account can't pay for it.
    TooPoor,
    /// It will not take it as it is.
    Never(String),
    /// Its words say nothing that we know: it may have it, or not.
    Unclear(String),
}

/// What is known of a transaction after an answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[cfg(test)]
pub(crate) enum Outcome {
    /// The node has it, or has mined one with its nonce.
    Known,
    /// It may be anywhere: ask for it, send it again.
    Unknown,
    /// The node does not have it, and won't take it at this price, or from this account now, or ever.
    Refused,
}

#[derive(Copy, Clone)]
enum Class {
    Taken,
    NonceUsed,
    Outbid,
    TooCheap,
    TooPoor,
    Never,
    Unclear,
}

/// Words of geth, its forks (SMT's node is one, of 2018), anvil, erigon, nethermind and besu, in small letters. The first
/// line that fits counts.
const DIALECTS: &[(Class, &[&str])] = &[
    (Class::Taken, &["already known", "known transaction", "already imported", "already in pool", "alreadyknown"]),
    (Class::NonceUsed, &["nonce too low", "nonce is too low", "old nonce", "oldnonce"]),
    (Class::Outbid, &["replacement", "another transaction with same nonce"]),
    (
        Class::TooCheap,
        &[
            "underpriced",
            "less than block base fee",
            "fee too low",
            "feetoolow",
            "gas price too low",
            "gas price below",
            "below minimum",
        ],
    ),
    (Class::TooPoor, &["insufficient funds", "insufficient balance", "insufficientfunds"]),
    (
        Class::Never,
        &[
            "intrinsic gas too low",
            "exceeds block gas limit",
            "gas limit too high",
            "exceeds the configured cap",
            "invalid sender",
            "invalid chain id",
            "invalid signature",
            "type not supported",
            "oversized data",
            "higher than max fee per gas",
            "rlp:",
        ],
    ),
    (
        Class::Unclear,
        &[
            "timeout",
            "timed out",
            "deadline exceeded",
            "nonce too high",
            "nonce gap",
            "txpool is full",
            "limit exceeded",
            "internal error",
        ],
    ),
];

/// Reads a node's refusal of a transaction.
pub(crate) fn classify(message: &str) -> Sending {
    let message = message.to_ascii_lowercase();
    let fits = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let class = DIALECTS.iter().find(|(_, words)| fits(words)).map_or(Class::Unclear, |(class, _)| *class);
    match class {
        Class::Taken => Sending::Taken,
        Class::NonceUsed => Sending::NonceUsed,
        Class::Outbid => Sending::Outbid,
        Class::TooCheap => Sending::TooCheap,
        Class::TooPoor => Sending::TooPoor,
        Class::Never => Sending::Never(clean(&message)),
        Class::Unclear => Sending::Unclear(clean(&message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Known, Refused, Unknown};

    fn outcome(sending: &Sending) -> Outcome {
        match sending {
            Sending::Taken | Sending::NonceUsed => Known,
            Sending::Outbid | Sending::TooCheap | Sending::TooPoor | Sending::Never(_) => Refused,
            Sending::Unclear(_) => Unknown,
        }
    }

    // F4, C22
    #[test]
    fn every_answer_that_a_node_gives_to_a_send_has_its_class_in_one_table() {
        let table = [
            ("already known", "taken", Known),
            ("known transaction: 4c5b7f6dd9a0e0c2b6c5a5e0a1", "taken", Known),
            ("transaction already imported", "taken", Known),
            ("AlreadyKnown", "taken", Known),
            ("nonce too low", "nonce used", Known),
            ("nonce too low: next nonce 5, tx nonce 4", "nonce used", Known),
            ("OldNonce, Current nonce: 4", "nonce used", Known),
            ("replacement transaction underpriced", "outbid", Refused),
            ("another transaction with same nonce in the queue", "outbid", Refused),
            ("transaction underpriced", "too cheap", Refused),
            ("transaction underpriced: gas tip cap 1, minimum needed 1000000", "too cheap", Refused),
            ("max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1, baseFee: 7", "too cheap", Refused),
            ("FeeTooLow, MaxFeePerGas too low", "too cheap", Refused),
            ("insufficient funds for gas * price + value", "too poor", Refused),
            ("Insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1", "too poor", Refused),
            ("intrinsic gas too low", "never", Refused),
            ("intrinsic gas too low: gas 20999, minimum needed 21000", "never", Refused),
            ("exceeds block gas limit", "never", Refused),
            ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", "never", Refused),
            ("invalid sender", "never", Refused),
            ("transaction type not supported", "never", Refused),
            ("max priority fee per gas higher than max fee per gas", "never", Refused),
            ("txpool is full", "unclear", Unknown),
            ("nonce too high", "unclear", Unknown),
            ("request timed out", "unclear", Unknown),
            ("context deadline exceeded", "unclear", Unknown),
            ("", "unclear", Unknown),
            ("something that no node has said before", "unclear", Unknown),
        ];
        for (message, word, expected) in table {
            let sending = classify(message);
            let said = match &sending {
                Sending::Taken => "taken",
                Sending::NonceUsed => "nonce used",
                Sending::Outbid => "outbid",
                Sending::TooCheap => "too cheap",
                Sending::TooPoor => "too poor",
                Sending::Never(_) => "never",
                Sending::Unclear(_) => "unclear",
            };
            assert_eq!((said, outcome(&sending)), (word, expected), "{message}");
        }
    }
}
