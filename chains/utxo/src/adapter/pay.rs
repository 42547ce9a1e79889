//! Paying out of the wallet: fundings and plain payments.

use super::UtxoAdapter;
use super::wallet::{Handed, bytes_of};
use crate::address;
use crate::coins::{self, Wanted};
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
            let timing = &self.params.net.timing;
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
        let raise = match handed {
            Handed::Held => self.may_raise(intent),
            Handed::TooCheap => true,
            // If the wallet's owner spends the same coins by hand, that is not to be outbid.
            Handed::Outbid | Handed::Taken | Handed::Not => false,
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
        let Some(fee) = raised_fee(vsize, old_fee, self.rate().await?, self.params.chain.fees.cap) else { return Ok(None) };
        let is_payment = |output: &bitcoin::TxOut| output.script_pubkey == *to && output.value.to_sat() == amount;
        let Some(change) = tx.output.iter_mut().find(|output| !is_payment(output)) else { return Ok(None) };
        let left = change.value.to_sat().checked_sub(fee.saturating_sub(old_fee));
        let Some(left) = left.filter(|left| *left >= self.params.dust_limit(&change.script_pubkey)) else { return Ok(None) };
        change.value = bitcoin::Amount::from_sat(left);
        let tx = self.signed(&stripped(tx)).await?;
        self.record(last.intent, &tx, fee).await.map(Some)
    }

    /// The transactions of an intent that may yet be mined, oldest first.
    pub(super) async fn alive(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, PortError> {
        let mut alive = Vec::new();
        for tx in self.journal.of_intent(intent).await? {
            if !self.is_dead(&tx).await? {
                alive.push(tx);
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
            if depth >= self.params.net.timing.final_confirmations {
                return Ok(Some(Progress::Done));
            }
            if depth > 0 {
                return Ok(Some(Progress::Mined { txid: tx.txid, depth }));
            }
        }
        Ok(None)
    }
}

/// The fee of a bid that outbids the last: a quarter more, or what the estimate has risen to; at least the relay fee of its
/// own size more (BIP-125). None above the cap.
pub(super) fn raised_fee(vsize: u64, old_fee: u64, rate: u64, cap: u64) -> Option<u64> {
    let least = old_fee.saturating_add(vsize).saturating_add(1);
    let fee = coins_fee(vsize, rate).max(old_fee.saturating_mul(5).div_ceil(4)).max(least);
    (fee <= coins_fee(vsize, cap)).then_some(fee)
}

pub(super) fn coins_fee(vsize: u64, rate: u64) -> u64 {
    vsize.saturating_mul(rate).div_ceil(1000)
}

/// Without signatures.
fn stripped(mut tx: Transaction) -> Transaction {
    for input in &mut tx.input {
        input.witness.clear();
        input.script_sig = ScriptBuf::new();
    }
    tx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_bid_pays_more_and_stops_at_the_cap() {
        assert_eq!(raised_fee(143, 1_000, 1_000, 500_000), Some(1_250));
        assert_eq!(raised_fee(143, 143, 1_000, 500_000), Some(287), "the relay fee of its own size on top");
        assert_eq!(raised_fee(143, 1_000, 50_000, 500_000), Some(7_150), "the estimate has risen");
        assert_eq!(raised_fee(143, 70_000, 1_000, 500_000), None);
    }
}
