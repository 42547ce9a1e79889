//! The fields we read of what the node answers: the same for Bitcoin Core 29 and Litecoin Core 0.21.

use bitcoin::{Amount, BlockHash, ScriptBuf, Txid};
use serde::{Deserialize, Deserializer};

/// `getblockchaininfo`.
#[derive(Debug, Deserialize)]
pub struct ChainFacts {
    /// Its name of the network.
    pub chain: String,
    /// True while it downloads the chain for the first time.
    #[serde(default)]
    pub initialblockdownload: bool,
    /// The first block it still has, if it throws old ones away.
    #[serde(default)]
    pub pruneheight: Option<u64>,
}

/// `getblockheader`.
#[derive(Copy, Clone, Debug, Deserialize)]
pub struct HeaderFacts {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u64,
    /// The time its miner stamped on it.
    pub time: u64,
    /// The median time of it and the ten before.
    pub mediantime: u64,
}

/// `getwalletinfo`.
#[derive(Debug, Deserialize)]
pub struct WalletFacts {
    /// False if it can only watch.
    #[serde(default = "yes")]
    pub private_keys_enabled: bool,
}

/// One entry of `listunspent`. A coin of Litecoin's extension has no script (and another kind of id).
#[derive(Debug, Deserialize)]
pub struct Unspent {
    /// Its transaction.
    #[serde(default)]
    pub txid: Option<Txid>,
    /// Its index there.
    #[serde(default)]
    pub vout: Option<u32>,
    /// Its script.
    #[serde(rename = "scriptPubKey", default)]
    pub script: Option<ScriptBuf>,
    /// Its value.
    #[serde(deserialize_with = "coins")]
    pub amount: Amount,
    /// Its confirmations.
    #[serde(default)]
    pub confirmations: u64,
    /// True if the wallet has its key.
    #[serde(default)]
    pub spendable: bool,
    /// False if it is not confirmed and not our own change.
    #[serde(default)]
    pub safe: bool,
}

/// `getbalances`.
#[derive(Debug, Deserialize)]
pub struct Balances {
    /// What the wallet can spend.
    pub mine: OwnBalance,
}

/// A part of `getbalances`.
#[derive(Debug, Deserialize)]
pub struct OwnBalance {
    /// On its way to us, not confirmed.
    #[serde(deserialize_with = "coins")]
    pub untrusted_pending: Amount,
}

/// `signrawtransactionwithwallet`.
#[derive(Debug, Deserialize)]
pub struct Signed {
    /// The transaction.
    pub hex: String,
    /// True if every input is signed.
    pub complete: bool,
}

/// `testmempoolaccept`, one entry.
#[derive(Debug, Deserialize)]
pub struct Acceptance {
    /// Whether the mempool would take it.
    #[serde(default)]
    pub allowed: bool,
    /// Why not.
    #[serde(rename = "reject-reason", default)]
    pub reject_reason: Option<String>,
}

/// `estimatesmartfee`. Often without an answer.
#[derive(Debug, Deserialize)]
pub struct FeeEstimate {
    /// Coins per thousand virtual bytes.
    #[serde(default, deserialize_with = "maybe_coins")]
    pub feerate: Option<Amount>,
}

/// `getmempoolinfo`.
#[derive(Debug, Deserialize)]
pub struct PoolFacts {
    /// Below this rate nothing is taken now.
    #[serde(deserialize_with = "coins")]
    pub mempoolminfee: Amount,
    /// Below this rate nothing is ever taken.
    #[serde(deserialize_with = "coins")]
    pub minrelaytxfee: Amount,
    /// What a replacement must pay on top, per thousand virtual bytes. Not said by Litecoin's 0.21.
    #[serde(default, deserialize_with = "maybe_coins")]
    pub incrementalrelayfee: Option<Amount>,
}

/// `getmempoolentry`.
#[derive(Debug, Deserialize)]
pub struct PoolEntry {
    /// Its virtual size.
    pub vsize: u64,
    /// Its fees.
    pub fees: PoolFees,
}

/// A part of `getmempoolentry`.
#[derive(Debug, Deserialize)]
pub struct PoolFees {
    /// Its own.
    #[serde(deserialize_with = "coins")]
    pub base: Amount,
    /// Its own and those of all that stands on it.
    #[serde(deserialize_with = "coins")]
    pub descendant: Amount,
}

/// `gettxspendingprevout`, one entry.
#[derive(Debug, Deserialize)]
pub struct PoolSpend {
    /// What spends the output in the mempool, if anything does.
    #[serde(default)]
    pub spendingtxid: Option<Txid>,
}

/// `gettxout`.
#[derive(Debug, Deserialize)]
pub struct TxOutFacts {
    /// Its confirmations; zero in the mempool.
    pub confirmations: u64,
    /// Its value.
    #[serde(deserialize_with = "coins")]
    pub value: Amount,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    pub script: ScriptFacts,
}

/// A part of `gettxout`.
#[derive(Debug, Deserialize)]
pub struct ScriptFacts {
    /// The script's bytes.
    pub hex: ScriptBuf,
}

/// `finalizepsbt`.
#[derive(Debug, Deserialize)]
pub struct FinalPsbt {
    /// The transaction, if every input is signed.
    #[serde(default)]
    pub hex: Option<String>,
    /// True if every input is signed.
    pub complete: bool,
}

/// `gettransaction`.
#[derive(Debug, Deserialize)]
pub struct WalletTx {
    /// Its confirmations; negative if another transaction that took its inputs has that many.
    pub confirmations: i64,
    /// Its block.
    #[serde(default)]
    pub blockhash: Option<BlockHash>,
    /// Its block's height.
    #[serde(default)]
    pub blockheight: Option<u64>,
}

fn yes() -> bool {
    true
}

/// The node writes amounts as decimals with eight digits after the dot, which a double holds exactly up to 90 million
/// coins; more digits, or a sign, are refused.
fn coins<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
    let coins = f64::deserialize(from)?;
    Amount::from_btc(coins).map_err(serde::de::Error::custom)
}

fn maybe_coins<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Amount>, D::Error> {
    let coins = Option::<f64>::deserialize(from)?;
    coins.map(|coins| Amount::from_btc(coins).map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn amounts_are_exact_to_the_last_unit() {
        let read = |text: &str| {
            let json = format!(r#"{{"mempoolminfee":{text},"minrelaytxfee":0.0}}"#);
            serde_json::from_str::<PoolFacts>(&json).map(|facts| facts.mempoolminfee.to_sat())
        };
        assert_eq!(read("83999999.99999999").unwrap(), 8_399_999_999_999_999);
        assert_eq!(read("0.00000001").unwrap(), 1);
        assert_eq!(read("1e-5").unwrap(), 1000);
        for bad in ["-0.1", "0.000000001", "1e30", "null", "\"1\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_coin_of_the_extension_is_read_and_has_no_script() {
        let text = r#"{"output_id":"ab","address":"tmweb1q","amount":1.5,"confirmations":3,"spendable":true,"safe":true}"#;
        let coin: Unspent = serde_json::from_str(text).unwrap();
        assert_eq!((coin.script, coin.txid), (None, None));
    }
}
