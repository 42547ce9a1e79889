//! What geth 1.8 takes and what it answers. Pure: values in, values out.
//!
//! Where geth would silently ignore something that no caller can want ignored (call data named `input`, fields of typed transactions), these
//! rules refuse: a test should hear of it.

use serde_json::{Map, Value};

use crate::world::SMT_GAS_PRICE_WEI;

/// An error answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn params(message: impl Into<String>) -> Self {
        Self::new(-32_602, message)
    }
}

/// The network id, which on this chain is not the chain id.
const NET_VERSION: &str = "1";
/// Methods, with the most arguments each takes, and which argument names a block.
const METHODS: [(&str, usize, Option<usize>); 27] = [
    ("eth_accounts", 0, None),
    ("eth_blockNumber", 0, None),
    ("eth_call", 2, Some(1)),
    ("eth_chainId", 0, None),
    ("eth_estimateGas", 1, None),
    ("eth_gasPrice", 0, None),
    ("eth_getBalance", 2, Some(1)),
    ("eth_getBlockByHash", 2, None),
    ("eth_getBlockByNumber", 2, Some(0)),
    ("eth_getBlockTransactionCountByHash", 1, None),
    ("eth_getBlockTransactionCountByNumber", 1, Some(0)),
    ("eth_getCode", 2, Some(1)),
    ("eth_getLogs", 1, None),
    ("eth_getRawTransactionByHash", 1, None),
    ("eth_getStorageAt", 3, Some(2)),
    ("eth_getTransactionByBlockHashAndIndex", 2, None),
    ("eth_getTransactionByBlockNumberAndIndex", 2, Some(0)),
    ("eth_getTransactionByHash", 1, None),
    ("eth_getTransactionCount", 2, Some(1)),
    ("eth_getTransactionReceipt", 1, None),
    ("eth_protocolVersion", 0, None),
    ("eth_sendRawTransaction", 1, None),
    ("eth_syncing", 0, None),
    ("net_listening", 0, None),
    ("net_peerCount", 0, None),
    ("net_version", 0, None),
    ("web3_clientVersion", 0, None),
];
/// Fields of a call; the older `data` is the only name for its data.
const CALL_FIELDS: [&str; 6] = ["from", "to", "gas", "gasPrice", "value", "data"];
/// Fields that only typed transactions have.
const TYPED_FIELDS: [&str; 5] = ["maxFeePerGas", "maxPriorityFeePerGas", "accessList", "authorizationList", "maxFeePerBlobGas"];
/// Fields of answers that came after geth 1.8.
const LATER_FIELDS: [&str; 18] = [
    "type",
    "effectiveGasPrice",
    "blobGasPrice",
    "blobGasUsed",
    "baseFeePerGas",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "accessList",
    "yParity",
    "chainId",
    "blockTimestamp",
    "withdrawals",
    "withdrawalsRoot",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
    "targetBlobsPerBlock",
    "authorizationList",
];

/// The arguments to pass on, or why not.
pub(super) fn request(method: &str, params: Value) -> Result<Value, Refusal> {
    let Some((_, most, block)) = METHODS.iter().find(|(name, ..)| *name == method) else {
        return Err(Refusal::new(-32_601, format!("The method {method} does not exist/is not available")));
    };
    let Value::Array(mut params) = params else {
        return Err(Refusal::params("non-array args"));
    };
    if params.len() > *most {
        return Err(Refusal::params(format!("too many arguments, want at most {most}")));
    }
    if let Some(block) = block.and_then(|place| params.get(place)) {
        check_block(block)?;
    }
    match (method, params.first_mut()) {
        ("eth_call" | "eth_estimateGas", Some(call)) => check_call(call)?,
        ("eth_getLogs", Some(filter)) => {
            for bound in ["fromBlock", "toBlock"].into_iter().filter_map(|name| filter.get(name)) {
                check_block(bound)?;
            }
        }
        ("eth_sendRawTransaction", Some(raw)) => check_raw(raw)?,
        _ => {}
    }
    Ok(Value::Array(params))
}

/// By number or by one of three names; not by hash, and nothing is safe or final by name.
fn check_block(block: &Value) -> Result<(), Refusal> {
    match block {
        Value::Null => Ok(()),
        Value::String(name) if matches!(name.as_str(), "latest" | "earliest" | "pending") || name.starts_with("0x") => Ok(()),
        _ => Err(Refusal::params("invalid argument: hex string without 0x prefix")),
    }
}

fn check_call(call: &mut Value) -> Result<(), Refusal> {
    let Value::Object(fields) = call else {
        return Err(Refusal::params("invalid argument 0: not an object"));
    };
    if is_set(fields, "input") && !is_set(fields, "data") {
        return Err(Refusal::params("this node knows call data only as `data`, and would run the call without its `input`"));
    }
    let typed = TYPED_FIELDS.into_iter().find(|name| is_set(fields, name));
    if let Some(name) = typed {
        return Err(Refusal::params(format!("this node knows no `{name}`: it takes legacy transactions only")));
    }
    if fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "0x0") {
        return Err(Refusal::params("this node knows no transaction types: it takes legacy transactions only"));
    }
    fields.retain(|name, _| CALL_FIELDS.contains(&name.as_str()));
    Ok(())
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

/// Nine items with the nonce first, then the gas price.
fn check_raw(raw: &Value) -> Result<(), Refusal> {
    let bytes = raw.as_str().and_then(|text| text.strip_prefix("0x")).and_then(|digits| hex::decode(digits).ok());
    let bytes = bytes.ok_or_else(|| Refusal::params("invalid argument 0: not hex"))?;
    let Some(Item { is_list: true, body, .. }) = rlp_item(&bytes) else {
        return Err(Refusal::new(-32_000, "rlp: expected input list for types.Transaction"));
    };
    let nonce = rlp_item(body);
    let price = nonce.and_then(|nonce| rlp_item(nonce.rest));
    match price {
        Some(Item { is_list: false, body, .. }) if body.len() <= 16 => {
            let price = body.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
            if price < u128::from(SMT_GAS_PRICE_WEI) {
                return Err(Refusal::new(-32_000, "transaction underpriced"));
            }
            Ok(())
        }
        _ => Err(Refusal::new(-32_000, "rlp: input string too long for big.Int")),
    }
}

struct Item<'a> {
    is_list: bool,
    body: &'a [u8],
    rest: &'a [u8],
}

/// The first item of RLP (Ethereum yellow paper, appendix B).
fn rlp_item(bytes: &[u8]) -> Option<Item<'_>> {
    let (first, after) = bytes.split_first()?;
    let (is_list, length, after) = match *first {
        0..=0x7f => return bytes.split_at_checked(1).map(|(body, rest)| Item { is_list: false, body, rest }),
        short @ 0x80..=0xb7 => (false, usize::from(short - 0x80), after),
        long @ 0xb8..=0xbf => rlp_length(after, usize::from(long - 0xb7)).map(|(length, after)| (false, length, after))?,
        short @ 0xc0..=0xf7 => (true, usize::from(short - 0xc0), after),
        long @ 0xf8..=0xff => rlp_length(after, usize::from(long - 0xf7)).map(|(length, after)| (true, length, after))?,
    };
    after.split_at_checked(length).map(|(body, rest)| Item { is_list, body, rest })
}

fn rlp_length(bytes: &[u8], digits: usize) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_at_checked(digits)?;
    let length = length.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
    Some((length, rest))
}

/// The answer as the old node would give it.
pub(super) fn answer(method: &str, mut result: Value) -> Value {
    match method {
        "net_version" => Value::String(NET_VERSION.to_owned()),
        "web3_clientVersion" => Value::String("Spectrum/v1.8.17-stable/linux-amd64".to_owned()),
        "eth_accounts" => Value::Array(Vec::new()),
        _ => {
            strip(&mut result);
            result
        }
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !LATER_FIELDS.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The old node's words for what programs tell apart by words.
pub(super) fn refusal(method: &str, code: i64, message: String) -> Refusal {
    if method == "eth_sendRawTransaction" && message.contains("already imported") {
        return Refusal::new(-32_000, "known transaction");
    }
    Refusal::new(code, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn refused(method: &str, params: Value) -> String {
        request(method, params).expect_err("must be refused").message
    }

    /// A legacy transaction's first items, closed as a list; signatures don't matter here.
    fn legacy(gas_price: u64) -> String {
        let mut price = gas_price.to_be_bytes().to_vec();
        price.drain(..price.iter().take_while(|byte| **byte == 0).count());
        let mut body = vec![0x05, 0x80 + price.len() as u8];
        body.extend(price);
        body.push(0x80);
        format!("0x{:02x}{}", 0xc0 + body.len(), hex::encode(body))
    }

    #[test]
    fn what_came_after_geth_1_8_is_refused() {
        let call = json!({"to": "0x01", "data": "0x02"});
        for (method, params, words) in [
            ("eth_feeHistory", json!(["0x1", "latest", []]), "eth_feeHistory does not exist"),
            ("eth_maxPriorityFeePerGas", json!([]), "does not exist"),
            ("evm_mine", json!([]), "does not exist"),
            ("eth_sendTransaction", json!([call]), "does not exist"),
            ("eth_estimateGas", json!([call, "latest"]), "want at most 1"),
            ("eth_call", json!([call, "latest", {}]), "want at most 2"),
            ("eth_call", json!([{"to": "0x01", "input": "0x02"}, "latest"]), "only as `data`"),
            ("eth_call", json!([{"to": "0x01", "data": "0x02", "maxFeePerGas": "0x1"}, "latest"]), "maxFeePerGas"),
            ("eth_call", json!([{"to": "0x01", "data": "0x02", "type": "0x2"}, "latest"]), "types"),
            ("eth_call", json!([call, {"blockHash": "0x00"}]), "invalid argument"),
            ("eth_getBlockByNumber", json!(["finalized", false]), "invalid argument"),
            ("eth_getLogs", json!([{"fromBlock": "safe"}]), "invalid argument"),
            ("eth_blockNumber", json!({}), "non-array"),
        ] {
            let message = refused(method, params);
            assert!(message.contains(words), "{method}: {message}");
        }
    }

    #[test]
    fn calls_keep_what_the_old_node_knows() {
        let call = json!({"to": "0x01", "data": "0x02", "input": "0x02", "type": "0x0", "chainId": "0x1", "gasPrice": "0x3"});
        let passed = request("eth_call", json!([call, "latest"])).unwrap();
        assert_eq!(passed, json!([{"to": "0x01", "data": "0x02", "gasPrice": "0x3"}, "latest"]));
        request("eth_call", json!([{"to": "0x01"}, "0x10"])).unwrap();
        request("eth_getLogs", json!([{"fromBlock": "0x1", "toBlock": "latest", "address": []}])).unwrap();
    }

    #[test]
    fn raw_transactions_must_be_legacy_and_pay_18_gwei() {
        request("eth_sendRawTransaction", json!([legacy(18_000_000_000)])).unwrap();
        assert_eq!(refused("eth_sendRawTransaction", json!([legacy(17_999_999_999)])), "transaction underpriced");
        assert!(refused("eth_sendRawTransaction", json!(["0x02c0"])).contains("expected input list"));
        for garbage in ["", "0x", "0xzz", "0xc1", "0xc0", "0xf8", "0xffffffffffffffffffff", "0xc2c0c0"] {
            assert!(request("eth_sendRawTransaction", json!([garbage])).is_err(), "{garbage}");
        }
    }

    #[test]
    fn answers_lose_what_the_old_node_does_not_say() {
        let receipt = json!({"type": "0x0", "effectiveGasPrice": "0x1", "status": "0x1", "logs": [{"blockTimestamp": "0x1", "data": "0x"}]});
        assert_eq!(answer("eth_getTransactionReceipt", receipt), json!({"status": "0x1", "logs": [{"data": "0x"}]}));
        let block = json!({"baseFeePerGas": "0x1", "number": "0x2", "withdrawals": []});
        assert_eq!(answer("eth_getBlockByNumber", block), json!({"number": "0x2"}));
        assert_eq!(answer("net_version", json!("20180430")), json!("1"));
        assert_eq!(answer("eth_chainId", json!("0x133edce")), json!("0x133edce"));
    }
}
