//! The questions we ask a node, and nothing else.

use crate::answers::{Sending, classify};
use crate::rpc::{Call, Rpc, RpcError, read};
use crate::wire::{Body, Data, Header, Log, Number, Receipt, Tx, data, quantity};
use alloy::primitives::{Address, B256, U256};
use serde_json::{Value, json};

/// At which block a question is asked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The tip.
    Latest,
    /// The block of that number.
    Number(u64),
}

impl At {
    fn json(self) -> Value {
        match self {
            At::Latest => json!("latest"),
            At::Number(number) => quantity(number),
        }
    }
}

/// A call that changes nothing: who calls whom with what.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) from: Address,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Vec<u8>,
}

impl Ask {
    /// A view function.
    pub(crate) fn view(to: Address, input: Vec<u8>) -> Self {
        Self { from: Address::ZERO, to: Some(to), value: U256::ZERO, input }
    }

    /// Only `data`, never `input`: SMT's old node knows no other, and the new ones read both.
    fn json(&self) -> Value {
        let mut call = json!({ "from": self.from, "data": format!("0x{}", hex::encode(&self.input)) });
        if let (Some(to), Some(fields)) = (self.to, call.as_object_mut()) {
            fields.insert("to".into(), json!(to));
        }
        if let (false, Some(fields)) = (self.value.is_zero(), call.as_object_mut()) {
            fields.insert("value".into(), json!(self.value));
        }
        call
    }
}

/// How a simulated call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Simulated {
    /// It would work, and returned this.
    Works(Vec<u8>),
    /// It would revert, with these bytes if the node tells.
    Reverts(Vec<u8>),
}

/// True if a refusal means that the call itself reverts, not that the node could not run it.
fn is_revert(code: i64, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let words = ["revert", "invalid opcode", "evm error", "out of gas", "gas required exceeds", "always failing"];
    code == 3 || words.iter().any(|words| message.contains(words))
}

impl Rpc {
    pub(crate) async fn chain_id(&self) -> Result<u64, RpcError> {
        Ok(self.ask::<Number>("eth_chainId", json!([])).await?.0)
    }

    pub(crate) async fn header(&self, at: At) -> Result<Option<Header>, RpcError> {
        self.ask("eth_getBlockByNumber", json!([at.json(), false])).await
    }

    /// None where the node knows no finality.
    pub(crate) async fn finalized(&self) -> Result<Option<Header>, RpcError> {
        match self.ask("eth_getBlockByNumber", json!(["finalized", false])).await {
            Err(RpcError::Refused { .. } | RpcError::Nonsense(_)) => Ok(None),
            answer => answer,
        }
    }

    /// Headers of `from..=to`, in order; one that the node lacks is an error.
    pub(crate) async fn headers(&self, from: u64, to: u64) -> Result<Vec<Header>, RpcError> {
        self.headers_at(&(from..=to).collect::<Vec<_>>()).await
    }

    /// Headers of these blocks, in order; one that the node lacks is an error.
    pub(crate) async fn headers_at(&self, numbers: &[u64]) -> Result<Vec<Header>, RpcError> {
        let call = |number: &u64| Call::new("eth_getBlockByNumber", json!([quantity(*number), false]));
        let calls: Vec<_> = numbers.iter().map(call).collect();
        self.ask_all(&calls).await?.into_iter().map(|answer| read(answer?, "eth_getBlockByNumber")).collect()
    }

    /// A block with its transactions, by hash. None if the node does not have it.
    pub(crate) async fn body(&self, hash: B256) -> Result<Option<Body>, RpcError> {
        self.ask("eth_getBlockByHash", json!([hash, true])).await
    }

    /// What the node would put into the next block, where it offers that.
    pub(crate) async fn pending(&self) -> Result<Option<Body>, RpcError> {
        match self.ask("eth_getBlockByNumber", json!(["pending", true])).await {
            Err(RpcError::Refused { .. } | RpcError::Nonsense(_) | RpcError::TooLong) => Ok(None),
            answer => answer,
        }
    }

    pub(crate) async fn code(&self, address: Address, at: At) -> Result<Vec<u8>, RpcError> {
        Ok(self.ask::<Data>("eth_getCode", json!([address, at.json()])).await?.0)
    }

    pub(crate) async fn balance(&self, address: Address, at: At) -> Result<U256, RpcError> {
        self.ask("eth_getBalance", json!([address, at.json()])).await
    }

    /// How many transactions of an account are mined: the lowest nonce that is free.
    pub(crate) async fn nonce(&self, address: Address, at: At) -> Result<u64, RpcError> {
        Ok(self.ask::<Number>("eth_getTransactionCount", json!([address, at.json()])).await?.0)
    }

    pub(crate) async fn gas_price(&self) -> Result<U256, RpcError> {
        self.ask("eth_gasPrice", json!([])).await
    }

    /// None where the node suggests no tip.
    pub(crate) async fn tip(&self) -> Result<Option<U256>, RpcError> {
        match self.ask("eth_maxPriorityFeePerGas", json!([])).await {
            Err(RpcError::Refused { .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Runs a call without changing anything.
    pub(crate) async fn simulate(&self, ask: &Ask, at: At) -> Result<Simulated, RpcError> {
        match self.ask::<Data>("eth_call", json!([ask.json(), at.json()])).await {
            Ok(Data(output)) => Ok(Simulated::Works(output)),
            Err(RpcError::Refused { code, message, data }) if is_revert(code, &message) => {
                Ok(Simulated::Reverts(data.unwrap_or_default()))
            }
            Err(error) => Err(error),
        }
    }

    /// The gas a call takes now. None if it reverts.
    pub(crate) async fn estimate(&self, ask: &Ask) -> Result<Option<u64>, RpcError> {
        match self.ask::<Number>("eth_estimateGas", json!([ask.json()])).await {
            Ok(gas) => Ok(Some(gas.0)),
            Err(RpcError::Refused { code, message, .. }) if is_revert(code, &message) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Many view calls at one block. An answer that failed is None: nothing is known.
    pub(crate) async fn views(&self, asks: &[(Ask, At)]) -> Result<Vec<Option<Vec<u8>>>, RpcError> {
        let calls: Vec<_> = asks.iter().map(|(ask, at)| Call::new("eth_call", json!([ask.json(), at.json()]))).collect();
        let answers = self.ask_all(&calls).await?;
        Ok(answers.into_iter().map(|answer| read::<Data>(answer.ok()?, "eth_call").ok().map(|data| data.0)).collect())
    }

    /// Receipts of many transactions; None for those that are in no block of the node's chain.
    pub(crate) async fn receipts(&self, hashes: &[B256]) -> Result<Vec<Option<Receipt>>, RpcError> {
        let calls: Vec<_> = hashes.iter().map(|hash| Call::new("eth_getTransactionReceipt", json!([hash]))).collect();
        self.ask_all(&calls).await?.into_iter().map(|answer| read(answer?, "eth_getTransactionReceipt")).collect()
    }

    /// Transactions by hash, mined or waiting; None for those the node does not know.
    pub(crate) async fn transactions(&self, hashes: &[B256]) -> Result<Vec<Option<Tx>>, RpcError> {
        let calls: Vec<_> = hashes.iter().map(|hash| Call::new("eth_getTransactionByHash", json!([hash]))).collect();
        self.ask_all(&calls).await?.into_iter().map(|answer| read(answer?, "eth_getTransactionByHash")).collect()
    }

    /// Events of some contracts in `from..=to`. `topics` is the filter as the node reads it; empty for all.
    pub(crate) async fn logs(&self, contracts: &[Address], topics: &Value, from: u64, to: u64) -> Result<Vec<Log>, RpcError> {
        let mut filter = json!({ "fromBlock": quantity(from), "toBlock": quantity(to), "address": contracts });
        if let (false, Some(fields)) = (topics.is_null(), filter.as_object_mut()) {
            fields.insert("topics".into(), topics.clone());
        }
        self.ask("eth_getLogs", json!([filter])).await
    }

    /// Hands a signed transaction to the node.
    pub(crate) async fn send(&self, raw: &[u8]) -> Result<Sending, RpcError> {
        photon_chains::crash::point(format_args!("send.before.evm"));
        let answer = self.ask::<B256>("eth_sendRawTransaction", json!([data(raw)])).await;
        photon_chains::crash::point(format_args!("send.after.evm"));
        match answer {
            Ok(_) => Ok(Sending::Taken),
            Err(RpcError::Refused { message, .. }) => Ok(classify(&message)),
            Err(error) => Err(error),
        }
    }
}
