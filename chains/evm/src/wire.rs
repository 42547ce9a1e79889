//! What nodes answer, read leniently: only the fields needed, and those that SMT's old node leaves out are optional.

use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// No calldata or event that matters to us is longer.
const MAX_DATA_BYTES: usize = 256 << 10;

/// Cuts a node's message short and takes out whatever is long enough to be a key, a secret or calldata.
pub(crate) fn clean(message: &str) -> String {
    let words = message.split_whitespace().map(|word| if word.len() > 44 { "…" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(160).collect()
}

/// A number written as `0x…`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty());
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| serde::de::Error::custom("no number"))
    }
}

/// A number as questions write it.
pub(crate) fn quantity(number: u64) -> Value {
    json!(format!("0x{number:x}"))
}

/// Bytes written as `0x…`, of a bounded length.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Data(pub(crate) Vec<u8>);

impl Data {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        if digits.len() > 2 * MAX_DATA_BYTES {
            return None;
        }
        hex::decode(digits).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no bytes of a sensible length"))
    }
}

/// Bytes as questions write them.
pub(crate) fn data(bytes: &[u8]) -> Value {
    json!(format!("0x{}", hex::encode(bytes)))
}

/// A block's header.
#[derive(Copy, Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    pub(crate) number: Number,
    pub(crate) hash: B256,
    pub(crate) parent_hash: B256,
    pub(crate) timestamp: Number,
    #[serde(default)]
    pub(crate) base_fee_per_gas: Option<U256>,
}

/// A block's transactions; also those of the pending one, which has neither hash nor number.
#[derive(Deserialize)]
pub(crate) struct Body {
    /// Those that don't parse are skipped one by one: one strange transaction must not hide the others.
    #[serde(default, deserialize_with = "each_that_parses")]
    pub(crate) transactions: Vec<Tx>,
}

/// A transaction, in a block or not.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tx {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    #[serde(default)]
    pub(crate) to: Option<Address>,
    #[serde(default)]
    pub(crate) value: U256,
    #[serde(default)]
    pub(crate) input: Data,
}

/// What became of a mined transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) block_hash: B256,
    pub(crate) block_number: Number,
    pub(crate) gas_used: Number,
    /// Since Byzantium: 1 if it took effect. Without it nothing is known.
    pub(crate) status: Number,
    #[serde(default)]
    pub(crate) effective_gas_price: Option<U256>,
}

/// An event.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Log {
    pub(crate) address: Address,
    pub(crate) topics: Vec<B256>,
    /// None where it is longer than anything that matters to us: one such event must not hide the others.
    #[serde(deserialize_with = "data_if_short")]
    pub(crate) data: Option<Data>,
    pub(crate) block_number: Number,
    pub(crate) block_hash: B256,
    pub(crate) transaction_hash: B256,
    pub(crate) log_index: Number,
    #[serde(default)]
    pub(crate) removed: bool,
}

fn data_if_short<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Data>, D::Error> {
    let text = String::deserialize(d)?;
    if text.len() > 2 + 2 * MAX_DATA_BYTES {
        return Ok(None);
    }
    Data::parse(&text).map(Some).ok_or_else(|| serde::de::Error::custom("no bytes"))
}

/// Reads a list, leaving out what does not parse.
pub(crate) fn each_that_parses<'de, T: serde::de::DeserializeOwned, D: Deserializer<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    let values = Vec::<Value>::deserialize(d)?;
    Ok(values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_old_receipt_without_type_and_effective_price_is_read() {
        let receipt: Receipt = serde_json::from_value(json!({
            "blockHash": format!("0x{}", "ab".repeat(32)), "blockNumber": "0x10", "gasUsed": "0x5208", "status": "0x1",
            "contractAddress": null, "logs": [], "cumulativeGasUsed": "0x5208",
        }))
        .unwrap();
        assert_eq!((receipt.block_number.0, receipt.status.0, receipt.effective_gas_price), (16, 1, None));
    }

    #[test]
    fn a_strange_transaction_does_not_hide_its_neighbours() {
        let body: Body = serde_json::from_value(json!({
            "hash": null,
            "transactions": [ {"type": "0x99"}, "0xabc", {
                "hash": format!("0x{}", "01".repeat(32)), "from": format!("0x{}", "02".repeat(20)), "to": null,
                "value": "0x0", "input": "0x",
            }],
        }))
        .unwrap();
        assert_eq!(body.transactions.len(), 1);
    }

    #[test]
    fn an_endless_event_does_not_hide_its_neighbours() {
        let event = |bytes: usize| {
            json!({
                "address": format!("0x{}", "01".repeat(20)), "topics": [], "data": format!("0x{}", "ab".repeat(bytes)),
                "blockNumber": "0x1", "blockHash": format!("0x{}", "02".repeat(32)),
                "transactionHash": format!("0x{}", "03".repeat(32)), "logIndex": "0x0",
            })
        };
        let logs: Vec<Log> = serde_json::from_value(json!([event(MAX_DATA_BYTES + 1), event(2)])).unwrap();
        assert_eq!(logs.iter().map(|log| log.data.as_ref().map(|data| data.0.len())).collect::<Vec<_>>(), [None, Some(2)]);
        let mut broken = event(2);
        broken["data"] = json!("no bytes");
        assert!(serde_json::from_value::<Log>(broken).is_err());
    }

    #[test]
    fn a_message_of_a_node_gives_nothing_long_away() {
        let secret = "7f".repeat(32);
        let shown = clean(&format!("execution reverted: 0x{secret}\n{}", "very ".repeat(100)));
        assert!(!shown.contains(&secret) && shown.chars().count() <= 160 && !shown.contains('\n'));
    }

    proptest! {
        #[test]
        fn numbers_and_bytes_of_strangers_never_panic(text in ".{0,80}") {
            let _ = serde_json::from_value::<Number>(json!(text));
            let _ = Data::parse(&text);
            let _ = clean(&text);
        }
    }
}
