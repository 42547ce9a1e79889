//! Terms, offers and takes in which a field is of another type, missing, or unknown are refused, or plainly not the same.
// B11, B13, H12
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::Ledger;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn places(value: &Value, path: &str, out: &mut Vec<String>) {
    out.push(path.to_owned());
    for (key, inner) in value.as_object().into_iter().flatten() {
        places(inner, &format!("{path}/{key}"), out);
    }
}

fn of_other_types(value: &Value) -> Vec<Value> {
    let long = "f".repeat(100_000);
    let all = [json!(true), json!(-1), json!(1.5), json!(1e300), json!("text"), json!(long), json!([]), json!([1]), json!({})];
    let same = |other: &Value| std::mem::discriminant(other) == std::mem::discriminant(value) && !value.is_number();
    all.into_iter().filter(|other| !same(other)).collect()
}

fn assert_exact<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(sample: &T) {
    let json = serde_json::to_value(sample).unwrap();
    let mut paths = Vec::new();
    places(&json, "", &mut paths);
    assert!(paths.len() > 5);
    for path in &paths {
        for other in of_other_types(json.pointer(path).unwrap()) {
            let mut changed = json.clone();
            *changed.pointer_mut(path).unwrap() = other.clone();
            let shown: String = other.to_string().chars().take(40).collect();
            assert!(serde_json::from_value::<T>(changed).is_err(), "{path} = {shown} is taken");
        }
        if let Some(map) = json.pointer(path).unwrap().as_object() {
            let mut changed = json.clone();
            changed.pointer_mut(path).unwrap().as_object_mut().unwrap().insert("more".to_owned(), json!(1));
            assert!(serde_json::from_value::<T>(changed).is_err(), "{path} takes an unknown field");
            for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                let mut changed = json.clone();
                changed.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(key);
                let read = serde_json::from_value::<T>(changed);
                assert!(read.is_err() || read.ok().as_ref() != Some(sample), "{path}/{key} was {value} and is not missed");
            }
        }
    }
}

const PAIRS: [(Ledger, Ledger); 3] =
    [(Ledger::Bitcoin, Ledger::Ethereum), (Ledger::Smt, Ledger::Litecoin), (Ledger::Ethereum, Ledger::Smt)];

#[test]
fn a_field_of_another_type_missing_or_unknown_is_refused() {
    for (alpha, beta) in PAIRS {
        assert_exact(&terms(alpha, beta));
        assert_exact(&offer(alpha, beta));
        assert_exact(&take(&offer(alpha, beta)));
    }
}

/// Fuzzing starts from what the program really writes. After a change of the format: `PHOTON_WRITE_SEEDS=1`.
#[test]
fn the_seeds_of_fuzzing_are_of_this_format() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/swap_terms");
    let (alpha, beta) = PAIRS[0];
    let seeds = [
        ("terms", serde_json::to_string(&terms(alpha, beta)).unwrap()),
        ("terms_of_accounts", serde_json::to_string(&terms(Ledger::Ethereum, Ledger::Smt)).unwrap()),
        ("offer", serde_json::to_string(&offer(alpha, beta)).unwrap()),
        ("take", serde_json::to_string(&take(&offer(alpha, beta))).unwrap()),
    ];
    for (name, text) in seeds {
        if std::env::var_os("PHOTON_WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), text, "{name}");
    }
}
