//! Paying out of the wallet: fundings and plain payments.

use super::UtxoAdapter;
use super::carry::is_child;
use super::wallet::{Handed, bytes_of};
use crate::address;
use crate::coins::{self, Wanted};
use crate::fees::Limit;
use crate::params::Replacements;
use crate::tx;
use crate::view;
use bitcoin::{ScriptBuf, Transaction};
use photon_chains::{Amount, Asset, IntentKey, Lock, LockId, PortError, Progress, Purpose, SignedTx};

impl UtxoAdapter {
    /// Pays a lock's script, unless somebody has done so.
    pub(super) async fn fund(&self, lock: &Lock) -> Result<Progress, PortError> {
        let to = self.script_of(lock)?.output_script();
        let Some((seen, tip)) = self.seen(lock.id())? else { return Ok(Progress::NotYet) };
        let intent = IntentKey::new(Purpose::Fund, lock.id());
        if let Some(funding) = view::credited(&seen.paid, lock.amount) {
            let txid = tx::shown_id(funding.locked.outpoint.txid);
            let timing = &self.params.timing;
            match view::depth(funding.block, tip.place.height) {
                depth if depth >= timing.confirmations.max(timing.final_confirmations) => return Ok(Progress::Done),
                0 => {}
                depth => {
                    self.rest(intent);
                    return Ok(Progress::Mined { txid, depth });
                }
            }
            // In the mempool only: a bid of ours may have to be raised, a payment by somebody else is his to raise.
            let ours = self.journal.of_intent(&intent).await?;
            if !ours.iter().any(|tx| tx.txid == txid) {
                return Ok(Progress::Sent { txid });
            }
        }
        let amount = self.value_of(lock.amount, &to)?;
        self.pay(intent, &to, amount).await
    }

    /// Pays an address.
    pub(super) async fn send(&self, id: LockId, asset: Asset, amount: Amount, to: &str) -> Result<Progress, PortError> {
        if asset != Asset::Native(self.params.chain.ledger) {
            return Err(self.refused(format!("{asset} can't be sent here")));
        }
        let to = address::decode(&self.params, to).map_err(|error| self.refused(error.to_string()))?;
        let amount = self.value_of(amount, &to)?;
        let intent = IntentKey::new(Purpose::Send, id);
        if let Some(done) = self.mined(&self.journal.of_intent(&intent).await?).await? {
            return Ok(done);
        }
        self.pay(intent, &to, amount).await
    }

    /// Pays that output once, whatever happens: the bytes that were written down are sent again; only if they can never be
    /// mined any more are others signed.
    async fn pay(&self, intent: IntentKey, to: &ScriptBuf, amount: u64) -> Result<Progress, PortError> {
        // Held until the node has it: only then does the wallet show its change, for the next payment to use.
        let _acting = self.acting.lock().await;
        if intent.purpose == Purpose::Fund {
            let cancelled = self.journal.of_intent(&IntentKey::new(Purpose::Cancel, intent.subject)).await?;
            if !cancelled.is_empty() {
                return Err(self.refused("the funding of this lock was cancelled"));
            }
        }
        let alive = self.alive(&intent).await?;
        let Some(newest) = alive.last() else {
            let Some(signed) = self.first_payment(intent, to, amount).await? else { return Ok(Progress::NotYet) };
            return self.hand_over(&signed).await;
        };
        let handed = self.hand(newest).await?;
        let raise = match (handed, self.params.chain.replacements) {
            (Handed::Held, Replacements::Relayed) => self.may_raise(intent, false),
            (Handed::Held, Replacements::Refused) => {
                self.carry_payment(newest, to, amount, self.may_raise(intent, false)).await?;
                false
            }
            (Handed::TooCheap, Replacements::Relayed | Replacements::Refused) => true,
            // If the wallet's owner spends the same coins by hand, that is not to be outbid.
            (Handed::Outbid | Handed::Taken | Handed::Not, Replacements::Relayed | Replacements::Refused) => false,
        };
        if raise && let Some(signed) = self.raised_payment(newest, to, amount).await? {
            return self.hand_over(&signed).await;
        }
        Ok(match handed {
            Handed::Held => Progress::Sent { txid: newest.txid },
            // An older bid may be the one the node has.
            Handed::TooCheap | Handed::Outbid | Handed::Taken | Handed::Not => {
                let state = self.state();
                let held = alive.iter().rev().find(|tx| state.tracker.is_pooled(&tx::inner_id(tx.txid)));
                held.map_or(Progress::NotYet, |tx| Progress::Sent { txid: tx.txid })
            }
        })
    }

    async fn first_payment(&self, intent: IntentKey, to: &ScriptBuf, amount: u64) -> Result<Option<SignedTx>, PortError> {
        let free = self.free_coins().await?;
        let change = self.change().await?;
        let dust = self.params.dust_limit(&change);
        let want = Wanted { amount, to, change: &change, dust, rate: self.rate().await? };
        let selection = coins::select(&free, &want).map_err(|short| PortError::NotEnough {
            ledger: self.params.chain.ledger,
            asset: Asset::Native(self.params.chain.ledger),
            needed: Amount::from_units(u128::from(short.needed)),
            available: Amount::from_units(u128::from(short.available)),
        })?;
        let tx = self.signed(&tx::payment(&selection, to, amount, &change)).await?;
        // Nothing is written down that the node would not take: its coins would be promised for nothing.
        if self.would_take(&tx).await? != Handed::Held {
            tracing::info!(chain = %self.params.chain.ledger, %intent, "the node would not take this payment now");
            return Ok(None);
        }
        self.record(intent, &tx, selection.fee).await.map(Some)
    }

    /// The same payment from the same coins with a higher fee, out of its change. None if there is no change to take it from.
    async fn raised_payment(&self, last: &SignedTx, to: &ScriptBuf, amount: u64) -> Result<Option<SignedTx>, PortError> {
        let Some(mut tx) = bytes_of(last) else { return Ok(None) };
        // Another payment of ours stands on its change, and would fall with it.
        if self.promised().await?.iter().any(|input| tx::shown_id(input.txid) == last.txid) {
            return Ok(None);
        }
        let (vsize, old_fee) = (tx.vsize() as u64, last.fee.to_u64().unwrap_or(0));
        let fee = Limit::Cap.replacing_fee(vsize, old_fee, &self.market().await?, &self.params.chain.fees);
        let Some(fee) = fee else { return Ok(None) };
        let is_payment = |output: &bitcoin::TxOut| output.script_pubkey == *to && output.value.to_sat() == amount;
        let Some(change) = tx.output.iter_mut().find(|output| !is_payment(output)) else { return Ok(None) };
        let left = change.value.to_sat().checked_sub(fee.saturating_sub(old_fee));
        let Some(left) = left.filter(|left| *left >= self.params.dust_limit(&change.script_pubkey)) else { return Ok(None) };
        change.value = bitcoin::Amount::from_sat(left);
        let tx = self.signed(&stripped(tx)).await?;
        self.record(last.intent, &tx, fee).await.map(Some)
    }

    /// Speeds up a payment that the node holds, by children that stand on its change.
    pub(super) async fn carry_payment(&self, tx: &SignedTx, to: &ScriptBuf, amount: u64, raise: bool) -> Result<(), PortError> {
        let Some(parsed) = bytes_of(tx) else { return Ok(()) };
        let is_payment = |output: &bitcoin::TxOut| output.script_pubkey == *to && output.value.to_sat() == amount;
        let change = (0..).zip(&parsed.output).find(|(_, output)| !is_payment(output));
        let Some((vout, _)) = change else { return Ok(()) };
        self.carry(tx, vout, &Limit::Cap, raise).await
    }

    /// The transactions of an intent that may yet be mined, oldest first, without the children that carry them.
    pub(super) async fn alive(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, PortError> {
        let all = self.journal.of_intent(intent).await?;
        let mut alive = Vec::new();
        for tx in all.iter().filter(|tx| !is_child(tx, &all)) {
            if !self.is_dead(tx).await? {
                alive.push(tx.clone());
            }
        }
        Ok(alive)
    }

    /// Hands it over and says how far it has come.
    pub(super) async fn hand_over(&self, tx: &SignedTx) -> Result<Progress, PortError> {
        Ok(match self.hand(tx).await? {
            Handed::Held => Progress::Sent { txid: tx.txid },
            Handed::Taken | Handed::TooCheap | Handed::Outbid | Handed::Not => Progress::NotYet,
        })
    }

    /// How deep one of these is, if a block has one.
    pub(super) async fn mined(&self, txs: &[SignedTx]) -> Result<Option<Progress>, PortError> {
        for tx in txs {
            let Some(known) = self.wallet_tx(tx.txid).await? else { continue };
            let depth = u32::try_from(known.confirmations).unwrap_or(0);
            if depth >= self.params.timing.final_confirmations {
                return Ok(Some(Progress::Done));
            }
            if depth > 0 {
                return Ok(Some(Progress::Mined { txid: tx.txid, depth }));
            }
        }
        Ok(None)
    }
}

/// Without signatures.
fn stripped(mut tx: Transaction) -> Transaction {
    for input in &mut tx.input {
        input.witness.clear();
        input.script_sig = ScriptBuf::new();
    }
    tx
}
