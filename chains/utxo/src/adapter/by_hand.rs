//! Fundings that somebody else's wallet signs: drawn up for it, and handed to the node for it.

use super::UtxoAdapter;
use super::wallet::Handed;
use crate::address;
use crate::by_hand;
use crate::coins::{self, Coin, Wanted};
use crate::rpc::{FinalPsbt, RpcError, To, TxOutFacts};
use crate::tx;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::psbt::Psbt;
use bitcoin::{OutPoint, Transaction};
use photon_chains::{Amount, Draft, Lock, OutsideCoin, PortError, TxId};
use serde_json::{Value, json};

/// The most coins that may be named.
const MOST_COINS: usize = 32;

impl UtxoAdapter {
    /// The lock's output alone.
    pub(super) fn template_of(&self, lock: &Lock) -> Option<String> {
        let script = self.script_of(lock).ok()?;
        let psbt = by_hand::template(&script, lock.amount.to_u64()?)?;
        Some(STANDARD.encode(psbt.serialize()))
    }

    /// A payment into the lock out of some of these coins.
    pub(super) async fn draft(&self, lock: &Lock, coins: &[OutsideCoin], change: &str) -> Result<Draft, PortError> {
        let script = self.script_of(lock)?;
        let to = script.output_script();
        let amount = self.value_of(lock.amount, &to)?;
        let change = address::decode(&self.params, change).map_err(|error| self.refused(error.to_string()))?;
        let free = self.named_coins(coins).await?;
        let dust = self.params.dust_limit(&change);
        let want = Wanted { amount, to: &to, change: &change, dust, rate: self.rate().await? };
        let selection = coins::select(&free, &want).map_err(|short| {
            let (needed, available) = (short.needed, short.available);
            self.refused(format!("the named coins do not suffice: {needed} are needed with the fee, they hold {available}"))
        })?;
        let psbt = by_hand::draft(&selection, &script, amount, &change);
        let psbt = psbt.ok_or_else(|| self.refused("this payment can't be written as a PSBT"))?;
        Ok(Draft { psbt: STANDARD.encode(psbt.serialize()), fee: Amount::from_units(u128::from(selection.fee)) })
    }

    /// What our node shows of coins that are none of ours. Only those of which it shows all that a signer must know: with a witness.
    async fn named_coins(&self, named: &[OutsideCoin]) -> Result<Vec<Coin>, PortError> {
        let mut outpoints: Vec<OutPoint> = named.iter().map(|coin| OutPoint::new(tx::inner_id(coin.txid), coin.vout)).collect();
        outpoints.sort_unstable();
        outpoints.dedup();
        if outpoints.len() != named.len() || !(1..=MOST_COINS).contains(&named.len()) {
            return Err(self.refused(format!("name 1 to {MOST_COINS} coins, each once")));
        }
        let params: Vec<Value> = outpoints.iter().map(|at| json!([at.txid, at.vout, true])).collect();
        let found = self.rpc.call_many::<Option<TxOutFacts>>(To::Node, "gettxout", &params).await;
        let found = found.map_err(|error| self.failed(error))?;
        let mut coins = Vec::with_capacity(outpoints.len());
        for (outpoint, facts) in outpoints.into_iter().zip(found) {
            let facts = facts.map_err(|error| self.failed(error))?.filter(|facts| facts.confirmations > 0);
            let facts = facts.ok_or_else(|| self.refused(format!("{outpoint} is no confirmed coin that can be spent")))?;
            let script = facts.script.hex;
            if !(script.is_p2wpkh() || script.is_p2tr()) {
                return Err(self.refused(format!("{outpoint} is no native segwit coin of one key: name others")));
            }
            coins.push(Coin { outpoint, value: facts.value.to_sat(), script, confirmed: true });
        }
        Ok(coins)
    }

    /// Hands a signed payment into the lock to the node. What would not fund the lock exactly is refused, so that no money goes astray.
    pub(super) async fn hand_in(&self, lock: &Lock, psbt: &str) -> Result<TxId, PortError> {
        let script = self.script_of(lock)?;
        let amount = self.value_of(lock.amount, &script.output_script())?;
        let tx = self.finished(psbt).await?;
        if !by_hand::funds(&tx, &script, amount) {
            return Err(self.refused("it does not pay the lock's address exactly the amount, once"));
        }
        match self.would_take(&tx).await? {
            Handed::Held => {}
            Handed::Taken => return Err(self.refused("its coins are spent already, or there are no such coins")),
            Handed::TooCheap | Handed::Outbid => return Err(self.refused("its fee is too low for the node to take it now")),
            Handed::Not => return Err(self.refused("the node does not take it: is every input signed?")),
        }
        match self.rpc.call::<String>(To::Node, "sendrawtransaction", json!([serialize_hex(&tx)])).await {
            Ok(_) => {}
            // Taken meanwhile by another way.
            Err(RpcError::Node { .. }) if self.would_take(&tx).await? == Handed::Held => {}
            Err(RpcError::Node { message, .. }) => return Err(self.refused(format!("the node does not take it: {message}"))),
            Err(error) => return Err(self.failed(error)),
        }
        Ok(tx::shown_id(tx.compute_txid()))
    }

    /// The transaction of a PSBT whose inputs are all signed.
    async fn finished(&self, psbt: &str) -> Result<Transaction, PortError> {
        let is_one = STANDARD.decode(psbt).ok().is_some_and(|bytes| Psbt::deserialize(&bytes).is_ok());
        if !is_one {
            return Err(self.refused("this is no PSBT in base64"));
        }
        let found: FinalPsbt = match self.rpc.call(To::Node, "finalizepsbt", json!([psbt])).await {
            Err(RpcError::Node { message, .. }) => return Err(self.refused(format!("this PSBT can't be finished: {message}"))),
            other => other.map_err(|error| self.failed(error))?,
        };
        let hex = found.hex.filter(|_| found.complete).ok_or_else(|| self.refused("not every input of this PSBT is signed"))?;
        deserialize_hex(&hex).map_err(|_| self.bad_answer("a finished PSBT that is no transaction"))
    }
}
