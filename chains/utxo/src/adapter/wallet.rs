//! The node's wallet, its fee estimates, and handing it transactions.

use super::UtxoAdapter;
use crate::address;
use crate::coins::Coin;
use crate::fees::{Market, fee_at};
use crate::rpc::{Acceptance, Balances, FeeEstimate, PoolFacts, RpcError, Signed, To, Unspent, WalletTx, code};
use crate::tx::{inner_id, shown_id};
use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::{OutPoint, ScriptBuf, Transaction, consensus};
use photon_chains::{Amount, Balance, IntentKey, PortError, Purpose, SignedTx, TxId, crash};
use serde_json::json;
use std::collections::HashSet;

/// How soon a transaction of ours should be mined, in blocks: what fee estimates are asked for. Nodes have no better one
/// for the next block.
const TARGET_BLOCKS: u64 = 2;
/// What a replacement pays on top, per thousand virtual bytes, where the node does not say.
const DEFAULT_INCREMENT: u64 = 1_000;
/// How far fees may rise while a swap runs, as a factor, before a payment is given up rather than raised.
const PAYMENT_FACTOR: u64 = 4;
/// How far they may rise before a claim is.
const CLAIM_FACTOR: u64 = 50;
/// Sizes that fees are held back for: a funding out of five coins, and spends to the longest kind of address.
const FUND_VSIZE: u64 = 153 + 4 * 68;
const REDEEM_VSIZE: u64 = 155;
const REFUND_VSIZE: u64 = 146;

/// What became of handing a transaction to our node. None of it is a state: only blocks decide.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// The node has it, in its mempool or in a block.
    Held,
    /// Something else has taken its inputs, or they are not there (yet, or any more).
    Taken,
    /// It pays too little to be relayed now.
    TooCheap,
    /// It pays too little to take its inputs from what waits in the mempool.
    Outbid,
    /// Refused for another reason; it may be another matter later.
    Not,
}

impl UtxoAdapter {
    /// The wallet's coins that may be spent: with a script, confirmed or our own change, and not promised to a transaction
    /// that is written down and not settled. A coin of Litecoin's extension has no script and is never among them.
    pub(super) async fn free_coins(&self) -> Result<Vec<Coin>, PortError> {
        let listed: Vec<Unspent> =
            self.rpc.call(To::Wallet, "listunspent", json!([0])).await.map_err(|error| self.failed(error))?;
        let promised = self.promised().await?;
        let coin = |unspent: Unspent| {
            let outpoint = OutPoint::new(unspent.txid?, unspent.vout?);
            let usable = unspent.spendable && unspent.safe && !promised.contains(&outpoint);
            let (script, value, confirmed) = (unspent.script?, unspent.amount.to_sat(), unspent.confirmations > 0);
            usable.then_some(Coin { outpoint, value, script, confirmed })
        };
        Ok(listed.into_iter().filter_map(coin).collect())
    }

    /// The outputs that transactions spend which are written down and not settled.
    pub(super) async fn promised(&self) -> Result<HashSet<OutPoint>, PortError> {
        let unsettled = self.journal.unsettled(self.params.chain.ledger).await?;
        Ok(unsettled.iter().flat_map(inputs_of).collect())
    }

    /// What the wallet holds.
    pub(super) async fn holdings(&self) -> Result<Balance, PortError> {
        let available = self.free_coins().await?.iter().map(|coin| u128::from(coin.value)).sum();
        let balances: Balances = self.rpc.call(To::Wallet, "getbalances", json!([])).await.map_err(|error| self.failed(error))?;
        let incoming = u128::from(balances.mine.untrusted_pending.to_sat());
        Ok(Balance { available: Amount::from_units(available), incoming: Amount::from_units(incoming) })
    }

    /// A new address of the wallet.
    pub(super) async fn new_address(&self) -> Result<String, PortError> {
        self.rpc.call(To::Wallet, "getnewaddress", json!(["", "bech32"])).await.map_err(|error| self.failed(error))
    }

    /// Where a redeem or refund pays.
    pub(super) async fn payout(&self) -> Result<ScriptBuf, PortError> {
        match &self.payout {
            Some(script) => Ok(script.clone()),
            None if !self.has_wallet => Err(self.refused("no address is known to pay to: set payout_address")),
            None => self.own_script("getnewaddress", json!(["", "bech32"])).await,
        }
    }

    /// Where change goes.
    pub(super) async fn change(&self) -> Result<ScriptBuf, PortError> {
        self.own_script("getrawchangeaddress", json!(["bech32"])).await
    }

    async fn own_script(&self, method: &'static str, params: serde_json::Value) -> Result<ScriptBuf, PortError> {
        let text: String = self.rpc.call(To::Wallet, method, params).await.map_err(|error| self.failed(error))?;
        address::decode(&self.params, &text).map_err(|error| self.bad_answer(format!("the wallet's own address: {error}")))
    }

    /// The rate of a payment's first bid, in units per thousand virtual bytes.
    pub(super) async fn rate(&self) -> Result<u64, PortError> {
        Ok(self.market().await?.payment_rate(&self.params.chain.fees))
    }

    /// What the node says of fees now.
    pub(super) async fn market(&self) -> Result<Market, PortError> {
        let estimate = self.rpc.call::<FeeEstimate>(To::Node, "estimatesmartfee", json!([TARGET_BLOCKS, "CONSERVATIVE"])).await;
        let estimate = match estimate {
            Ok(answer) => answer.feerate.map(bitcoin::Amount::to_sat).filter(|rate| *rate > 0),
            Err(RpcError::Node { .. }) => None,
            Err(error) => return Err(self.failed(error)),
        };
        let pool: PoolFacts = self.rpc.call(To::Node, "getmempoolinfo", json!([])).await.map_err(|error| self.failed(error))?;
        Ok(Market {
            estimate: estimate.unwrap_or(self.params.chain.fees.fallback),
            floor: pool.mempoolminfee.max(pool.minrelaytxfee).to_sat(),
            increment: pool.incrementalrelayfee.map_or(DEFAULT_INCREMENT, bitcoin::Amount::to_sat),
        })
    }

    /// The most that a transaction of that purpose should cost.
    ///
    /// A payment is counted at four times its first bid. Fees that rise further are not paid: a funding that is stuck is
    /// cancelled, or mined late and refunded, so nothing is lost but the swap. A claim can't be given up: it is counted at
    /// fifty times its first bid. It takes that from the locked money, never from the wallet, so nothing needs to be held
    /// back for it; what it says is how large a lock must be for its claim to survive that.
    pub(super) async fn dearest(&self, purpose: Purpose) -> Result<Amount, PortError> {
        let (market, fees) = (self.market().await?, &self.params.chain.fees);
        let payment = market.payment_rate(fees).saturating_mul(PAYMENT_FACTOR).min(fees.cap);
        let claim = market.claim_rate(fees).saturating_mul(CLAIM_FACTOR);
        let (vsize, rate) = match purpose {
            Purpose::Fund | Purpose::Send | Purpose::Call => (FUND_VSIZE, payment),
            Purpose::Cancel => (2 * FUND_VSIZE, payment),
            Purpose::Redeem => (REDEEM_VSIZE, claim),
            Purpose::Refund => (REFUND_VSIZE, claim),
        };
        Ok(Amount::from_units(u128::from(fee_at(vsize, rate))))
    }

    /// What a transaction costs at the market's rate of this moment.
    pub(super) async fn likely(&self, purpose: Purpose) -> Result<Amount, PortError> {
        let vsize = match purpose {
            Purpose::Redeem => REDEEM_VSIZE,
            Purpose::Refund => REFUND_VSIZE,
            Purpose::Fund | Purpose::Cancel | Purpose::Send | Purpose::Call => FUND_VSIZE,
        };
        let rate = self.market().await?.claim_rate(&self.params.chain.fees);
        Ok(Amount::from_units(u128::from(fee_at(vsize, rate))))
    }

    /// Has the wallet sign.
    pub(super) async fn signed(&self, tx: &Transaction) -> Result<Transaction, PortError> {
        let params = json!([serialize_hex(tx)]);
        let signed: Signed =
            self.rpc.call(To::Wallet, "signrawtransactionwithwallet", params).await.map_err(|error| self.failed(error))?;
        if !signed.complete {
            return Err(self.refused("the wallet can't sign for its own coins: are its keys elsewhere?"));
        }
        let bytes = hex::decode(signed.hex).map_err(|_| self.bad_answer("a signed transaction is not hexadecimal"))?;
        let full: Transaction = deserialize(&bytes).map_err(|_| self.bad_answer("a signed transaction can't be read"))?;
        // Nothing but signatures may differ from what was built.
        let same = full.version == tx.version
            && full.lock_time == tx.lock_time
            && full.output == tx.output
            && full.input.iter().map(|input| (input.previous_output, input.sequence)).collect::<Vec<_>>()
                == tx.input.iter().map(|input| (input.previous_output, input.sequence)).collect::<Vec<_>>();
        if same { Ok(full) } else { Err(self.bad_answer("the wallet signed another transaction than it was given")) }
    }

    /// Writes a signed transaction down, before it is sent.
    pub(super) async fn record(&self, intent: IntentKey, tx: &Transaction, fee: u64) -> Result<SignedTx, PortError> {
        let record = SignedTx {
            intent,
            ledger: self.params.chain.ledger,
            txid: shown_id(tx.compute_txid()),
            raw: consensus::serialize(tx),
            nonce: None,
            inputs: tx.input.iter().map(|input| input.previous_output.to_string()).collect(),
            fee: Amount::from_units(u128::from(fee)),
        };
        self.journal.record(&record).await?;
        self.state().tracker.add_own(inputs_of(&record));
        self.rest(intent);
        Ok(record)
    }

    /// True if the last bid of this intent has been passed by for long enough. When it was made is not known after a
    /// restart: then it waits anew, unless there is haste.
    pub(super) fn may_raise(&self, intent: IntentKey, is_urgent: bool) -> bool {
        let patience = self.params.chain.fees.patience_blocks;
        let mut state = self.state();
        let Some(tip) = state.tip else { return false };
        let unknown = if is_urgent { tip.place.height.saturating_sub(patience) } else { tip.place.height };
        let since = *state.bids.entry(intent).or_insert(unknown);
        tip.place.height >= since.saturating_add(patience)
    }

    /// Says that this intent is in a block: should a reorganisation take it out again, its bid waits anew.
    pub(super) fn rest(&self, intent: IntentKey) {
        let mut state = self.state();
        if let Some(tip) = state.tip {
            state.bids.insert(intent, tip.place.height);
        }
    }

    /// Hands a transaction to the node, which relays it. Handing it over again is harmless.
    pub(super) async fn hand(&self, tx: &SignedTx) -> Result<Handed, PortError> {
        crash::point(format_args!("send.before.{}/{}", tx.intent.purpose.word(), tx.ledger));
        // Zero: no limit of the node's own. What a transaction may cost was decided when it was signed.
        let sent = self.rpc.call::<String>(To::Node, "sendrawtransaction", json!([hex::encode(&tx.raw), 0])).await;
        crash::point(format_args!("send.after.{}/{}", tx.intent.purpose.word(), tx.ledger));
        let (handed, words) = match sent {
            Ok(_) | Err(RpcError::Node { code: code::IN_CHAIN, .. }) => return Ok(Handed::Held),
            Err(RpcError::Node { message, .. }) => (class_of(&message), message),
            Err(error) => return Err(self.failed(error)),
        };
        if handed != Handed::Held {
            let chain = self.params.chain.ledger;
            tracing::info!(%chain, intent = %tx.intent, txid = %tx.txid, reason = %words, "the node does not take a transaction now");
        }
        Ok(handed)
    }

    /// What the node would say to a transaction.
    pub(super) async fn would_take(&self, tx: &Transaction) -> Result<Handed, PortError> {
        let answer: Vec<Acceptance> = self
            .rpc
            .call(To::Node, "testmempoolaccept", json!([[serialize_hex(tx)]]))
            .await
            .map_err(|error| self.failed(error))?;
        let only = answer.first().ok_or_else(|| self.bad_answer("nothing was said of a transaction"))?;
        let reason = only.reject_reason.as_deref().unwrap_or_default();
        Ok(if only.allowed { Handed::Held } else { class_of(reason) })
    }

    /// What the wallet knows of a transaction. None if it is none of its own.
    pub(super) async fn wallet_tx(&self, txid: TxId) -> Result<Option<WalletTx>, PortError> {
        match self.rpc.call(To::Wallet, "gettransaction", json!([inner_id(txid)])).await {
            Ok(known) => Ok(Some(known)),
            Err(RpcError::Node { code: code::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// The outputs that a written-down transaction spends.
pub(super) fn inputs_of(tx: &SignedTx) -> impl Iterator<Item = OutPoint> + '_ {
    tx.inputs.iter().filter_map(|text| text.parse().ok())
}

/// The transaction itself.
pub(super) fn bytes_of(tx: &SignedTx) -> Option<Transaction> {
    deserialize(&tx.raw).ok()
}

/// The node's words, as a class. Bitcoin Core writes some with hyphens where Litecoin's 0.21 has spaces.
fn class_of(words: &str) -> Handed {
    let words = words.to_ascii_lowercase().replace(' ', "-");
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["already-in-mempool", "already-known", "already-in-block-chain", "already-in-utxo-set"]) {
        Handed::Held
    } else if says(&["missing-inputs", "missingorspent", "mempool-conflict", "bad-txns-spends-conflicting"]) {
        Handed::Taken
    } else if says(&["insufficient-fee", "rejecting-replacement"]) {
        Handed::Outbid
    } else if says(&["fee-not-met", "min-relay-fee", "mempool-min-fee"]) {
        Handed::TooCheap
    } else {
        Handed::Not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_words_have_a_class_in_both_spellings() {
        for (words, class) in [
            ("txn-already-in-mempool", Handed::Held),
            ("txn-already-known", Handed::Held),
            ("Transaction already in block chain", Handed::Held),
            ("Transaction outputs already in utxo set", Handed::Held),
            ("Missing inputs", Handed::Taken),
            ("bad-txns-inputs-missingorspent", Handed::Taken),
            ("txn-mempool-conflict", Handed::Taken),
            ("min relay fee not met, 100 < 143", Handed::TooCheap),
            ("mempool min fee not met", Handed::TooCheap),
            ("insufficient fee, rejecting replacement 00, not enough additional fees to relay", Handed::Outbid),
            ("non-final", Handed::Not),
            ("too-long-mempool-chain", Handed::Not),
            ("", Handed::Not),
        ] {
            assert_eq!(class_of(words), class, "{words}");
        }
    }
}
