//! The proxy before a real node, as a program under test meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use photon_regtest::shared_world;
use photon_regtest::world::{EvmChain, SMT_GAS_PRICE_WEI};
use serde_json::{Value, json};

/// A payment of one wei, signed by the node, raw.
async fn signed(smt: &EvmChain, gas_price: u64) -> Value {
    let account = smt.dev_accounts()[7].address;
    let nonce = smt.call("eth_getTransactionCount", json!([account, "pending"])).await.unwrap();
    let payment = json!({"from": account, "to": account, "value": "0x1", "gas": "0x5208", "nonce": nonce,
        "gasPrice": format!("{gas_price:#x}"), "chainId": format!("{:#x}", smt.chain_id())});
    smt.call("eth_signTransaction", json!([payment])).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_transactions_that_pay_enough_go_through_and_others_do_not() {
    let Some(world) = shared_world().await else { return };
    let (smt, node) = (&world.smt, world.smt.rpc());
    assert_ne!(smt.url(), smt.control().url());
    assert_eq!(node.call("eth_gasPrice", json!([])).await.unwrap(), json!(format!("{SMT_GAS_PRICE_WEI:#x}")));

    let cheap = node.call("eth_sendRawTransaction", json!([signed(smt, SMT_GAS_PRICE_WEI - 1).await])).await;
    assert!(cheap.unwrap_err().to_string().contains("underpriced"));

    let raw = signed(smt, SMT_GAS_PRICE_WEI).await;
    let hash = node.call("eth_sendRawTransaction", json!([raw])).await.unwrap();
    let again = node.call("eth_sendRawTransaction", json!([raw])).await.unwrap_err().to_string();
    assert!(again.contains("known transaction") || again.contains("nonce too low"), "{again}");
    smt.mine(1).await.unwrap();
    let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await.unwrap();
    assert_eq!(receipt.get("status"), Some(&json!("0x1")));
    for later in ["type", "effectiveGasPrice"] {
        assert_eq!(receipt.get(later), None, "{later}");
    }
    let block = node.call("eth_getBlockByNumber", json!(["latest", true])).await.unwrap();
    assert_eq!(block.get("baseFeePerGas"), None);

    for (method, params) in
        [("eth_feeHistory", json!(["0x1", "latest", []])), ("evm_mine", json!([])), ("eth_estimateGas", json!([{}, "latest"]))]
    {
        assert!(node.call(method, params).await.unwrap_err().code().is_some(), "{method}");
    }
    assert_ne!(node.call("net_version", json!([])).await.unwrap(), json!(smt.chain_id().to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_call_by_call() {
    let Some(world) = shared_world().await else { return };
    let batch = json!([
        {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []},
        {"jsonrpc": "2.0", "id": "x", "method": "eth_feeHistory", "params": []},
    ]);
    let answer: Value = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(world.smt.url())
        .json(&batch)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer.pointer("/0"), Some(&json!({"jsonrpc": "2.0", "id": 7, "result": "0x133edce"})));
    assert_eq!(answer.pointer("/1/id"), Some(&json!("x")));
    assert_eq!(answer.pointer("/1/error/code"), Some(&json!(-32_601)));
}
