//! What is signed covers everything, and nothing signed can be taken for something else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashSet;

/// Every place in a JSON value, as a path.
fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| leaves(inner, format!("{path}/{key}"), out)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push(path),
    }
}

/// Other values that may stand at that place: one digit of a hex text or of a number changed, the other word, something
/// where nothing was.
fn variants(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => (0..63).map(|bit| Value::from(number.as_u64().unwrap() ^ (1 << bit))).collect(),
        Value::Bool(bit) => vec![Value::from(!bit)],
        Value::Null => vec![Value::from(1), Value::from(1_800_000_000)],
        Value::String(text) => {
            let changed = (0..text.len()).flat_map(|at| "0189abcf".chars().map(move |digit| (at, digit)));
            let known = ["BTC", "LTC", "ETH", "SMT", "p2wsh"].map(str::to_owned);
            changed
                .map(|(at, digit)| format!("{}{digit}{}", &text[..at], &text[at + 1..]))
                .chain(known)
                .filter(|other| other != text)
                .map(Value::from)
                .chain((text == "p2wsh").then(contract))
                .collect()
        }
        Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

fn contract() -> Value {
    serde_json::to_value(Template::Htlc { contract: address(1), code_hash: hash(1) }).unwrap()
}

/// Changes every field of a value in every way that still parses, and hands each result on. Returns the paths where at least one
/// change parsed.
fn every_change<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T, mut seen: impl FnMut(&str, T)) -> HashSet<String> {
    let json = serde_json::to_value(value).unwrap();
    let mut paths = Vec::new();
    leaves(&json, String::new(), &mut paths);
    let mut reached = HashSet::new();
    for path in &paths {
        for other in variants(json.pointer(path).unwrap()) {
            let mut changed = json.clone();
            *changed.pointer_mut(path).unwrap() = other;
            if let Ok(changed) = serde_json::from_value(changed) {
                reached.insert(path.clone());
                seen(path, changed);
            }
        }
    }
    let missed: Vec<_> = paths.iter().filter(|path| !reached.contains(*path)).collect();
    assert!(missed.is_empty(), "no change was tried at {missed:?}");
    reached
}

#[test]
fn a_change_anywhere_in_the_terms_is_another_swap() {
    for (alpha, beta) in [(Ledger::Bitcoin, Ledger::Ethereum), (Ledger::Smt, Ledger::Litecoin)] {
        let terms = terms(alpha, beta);
        let mut ids = HashSet::from([terms.id()]);
        let mut tried = 0;
        every_change(&terms, |path, changed| {
            // A digit may be replaced by itself, in another case.
            if changed != terms {
                tried += 1;
                assert!(ids.insert(changed.id()), "a change at {path} kept the id or met another's");
            }
        });
        assert!(tried > 3_000, "only {tried} changes were tried");
    }
}

#[test]
fn a_change_anywhere_in_an_offer_or_a_take_is_another_digest() {
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    every_change(&offer, |path, changed| {
        if changed != offer && path != "/id" {
            assert_ne!(changed.digest(), offer.digest(), "{path}");
            assert_eq!(changed.check(NOW), Err(OfferError::WrongId), "{path}");
        }
        if path == "/id" {
            assert_eq!(changed.check(NOW), Err(OfferError::WrongId), "an id is not chosen");
            assert_eq!(changed.digest(), offer.digest(), "the signature is over what is said");
        }
    });
    let take = take(&offer);
    every_change(&take, |path, changed| assert_ne!(changed.digest(), take.digest(), "{path}"));
}

#[test]
fn no_signature_serves_for_another_step_or_role_or_message() {
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let mut digests = vec![offer.digest(), take(&offer).digest()];
    for role in [Role::Initiator, Role::Participant] {
        digests.extend([Consent::Propose, Consent::Accept, Consent::Abort].map(|step| terms.digest(step, role)));
    }
    let distinct: HashSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), 8);
}

/// Even if the hash of one kind of message were the hash of another, their digests would differ: the type is part of them.
#[test]
fn types_share_no_digest_even_where_their_hashes_would_meet() {
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    let digest = offer.digest();
    // keccak256(0x1901 ‖ domain ‖ keccak256(keccak256("Offer(bytes32 offer)") ‖ id)), written out once more.
    let typed = |kind: &str| {
        use sha3::{Digest, Keccak256};
        let keccak = |bytes: &[u8]| -> [u8; 32] { Keccak256::digest(bytes).into() };
        let domain = [keccak(b"EIP712Domain(string name,string version)"), keccak(b"Photon"), keccak(b"1")].concat();
        let body = [keccak(kind.as_bytes()), *offer.id.as_bytes()].concat();
        Hash32::from_bytes(keccak(&[&b"\x19\x01"[..], &keccak(&domain), &keccak(&body)].concat()))
    };
    assert_eq!(digest, typed("Offer(bytes32 offer)"));
    assert_ne!(digest, typed("Take(bytes32 take)"));
}

/// A digest that any EIP-712 library computes: fixed here, so that no change to it goes unseen.
#[test]
fn the_bytes_that_are_signed_do_not_change_by_accident() {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    let shown = [
        terms.id().to_string(),
        terms.digest(Consent::Accept, Role::Initiator).to_string(),
        offer.id.to_string(),
        offer.digest().to_string(),
        take(&offer).digest().to_string(),
    ];
    assert_eq!(shown, SIGNED_V1, "what is signed changed: raise the version of the terms");
}

const SIGNED_V1: [&str; 5] = [
    "115fbcd5da537907f1f7bf0c7ffd4d8597b9c2e5b3bf21055ce19e5e8e5fc710",
    "0776d9bf0b152dcdb117608c2c494ea40ccb8130da4e455e29d2b06e6843e842",
    "f501912081e1dec17d6d6db92e00fa603147c7a70aecc0b46379e7ee77964d96",
    "9f37adc668852cf1906f84f62ea5281247ecf36dd270291b938ae480b24042e3",
    "d63c1a64e1913e7350d50c22abfa0d44cb75ba98d44ba1727f5429975af35788",
];

#[test]
fn what_a_stranger_adds_to_a_message_is_refused() {
    let offer = offer(Ledger::Bitcoin, Ledger::Ethereum);
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let take = take(&offer);
    let refuses = |value: Value, place: &str, read: fn(Value) -> bool| {
        let mut more = value.clone();
        more.pointer_mut(place).unwrap().as_object_mut().unwrap().insert("note".to_owned(), Value::from(1));
        assert!(read(value) && !read(more), "a field was added at {place:?}");
    };
    let terms = serde_json::to_value(terms).unwrap();
    for place in ["", "/alpha", "/beta", "/alpha/lock", "/beta/lock/expiry", "/beta/lock/template/htlc", "/deadlines"] {
        refuses(terms.clone(), place, |value| serde_json::from_value::<Terms>(value).is_ok());
    }
    for place in ["", "/give", "/want"] {
        refuses(serde_json::to_value(offer).unwrap(), place, |value| serde_json::from_value::<Offer>(value).is_ok());
    }
    refuses(serde_json::to_value(take).unwrap(), "", |value| serde_json::from_value::<Take>(value).is_ok());
}

#[test]
fn a_fact_reads_back_and_shows_no_secret() {
    let facts = [
        Fact::Agreed,
        Fact::FundIntent,
        Fact::CancelIntent,
        Fact::RevealIntent,
        Fact::NeverReveal,
        Fact::Secret { secret: secret() },
        Fact::Ended { outcome: Outcome::TookBoth },
    ];
    let hex = "07".repeat(32);
    let mut memory = Facts::default();
    for fact in &facts {
        let json = serde_json::to_value(fact).unwrap();
        assert_eq!(json["fact"], fact.word());
        assert_eq!(&serde_json::from_value::<Fact>(json).unwrap(), fact);
        assert!(!format!("{fact:?}").contains(&hex) && !format!("{fact:?}").contains("[7"), "{fact:?}");
        memory.apply(fact);
    }
    let all = Facts {
        agreed: true,
        fund_intent: true,
        cancel_intent: true,
        reveal_intent: true,
        never_reveal: true,
        secret: Some(secret()),
        ended: Some(Outcome::TookBoth),
    };
    assert_eq!(memory, all);
    assert!(!format!("{memory:?}").contains(&hex));
    let wrong = format!(r#"{{"fact":"secret","secret":"{}x"}}"#, &hex[1..]);
    let error = serde_json::from_str::<Fact>(&wrong).unwrap_err().to_string();
    assert!(!error.contains("0707"), "{error}");
}

#[test]
fn a_fact_that_came_first_stands() {
    let mut swap = Swap::new(Role::Participant, terms(Ledger::Bitcoin, Ledger::Ethereum));
    swap.apply(&Fact::Secret { secret: Secret::from_bytes([1; 32]) });
    assert_eq!(swap.facts.secret, None, "what does not open this swap is not its secret");
    swap.apply(&Fact::Secret { secret: secret() });
    swap.apply(&Fact::Ended { outcome: Outcome::Completed });
    swap.apply(&Fact::Ended { outcome: Outcome::Lost });
    assert_eq!((swap.facts.secret, swap.facts.ended), (Some(secret()), Some(Outcome::Completed)));
}

proptest! {
    #[test]
    fn any_two_offers_differ_in_their_ids_as_they_differ(
        one in any::<(u128, u128, u64, [u8; 16], u8)>(),
        two in any::<(u128, u128, u64, [u8; 16], u8)>(),
    ) {
        let write = |(give, want, until, salt, maker): (u128, u128, u64, [u8; 16], u8)| {
            let until = UnixTime::from_secs(until);
            Offer::new(address(maker), money(Ledger::Smt, give), money(Ledger::Bitcoin, want), until, Salt::from_bytes(salt))
        };
        prop_assert_eq!(write(one).id == write(two).id, one == two);
        prop_assert_eq!(write(one).digest() == write(two).digest(), one == two);
    }

    #[test]
    fn nothing_that_arrives_makes_reading_panic(text in ".{0,200}", number: u64) {
        let _ = serde_json::from_str::<Terms>(&text);
        let _ = serde_json::from_str::<Fact>(&text);
        let _ = text.parse::<SwapId>();
        let mut json = serde_json::to_value(terms(Ledger::Ethereum, Ledger::Bitcoin)).unwrap();
        for place in ["/deadlines/reveal_by", "/alpha/lock/expiry/opens_time", "/beta/lock/expiry/opens_time", "/offline_secs"] {
            *json.pointer_mut(place).unwrap() = Value::from(number);
            if let Ok(terms) = serde_json::from_value::<Terms>(json.clone()) {
                let _ = terms.check();
                let decision = decide(Role::Initiator, &terms, &view(NOW, funded(), funded()));
                prop_assert!(decision.actions.len() <= 4);
            }
        }
    }
}
