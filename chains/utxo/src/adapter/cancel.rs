//! Making it impossible that a funding is ever mined: another transaction takes its coins.

use super::UtxoAdapter;
use super::pay::raised_fee;
use super::wallet::{Handed, bytes_of, inputs_of};
use crate::params::Replacements;
use crate::tx;
use bitcoin::{OutPoint, ScriptBuf};
use photon_chains::{IntentKey, Lock, PortError, Progress, Purpose, SignedTx};

impl UtxoAdapter {
    /// Takes the coins of our unmined funding back. Not yet possible: a block has the funding (then it is refunded, once
    /// that is allowed), or the nodes hold it and relay no replacement (then it must be waited for). Done: it can never be
    /// mined any more.
    pub(super) async fn cancel(&self, lock: &Lock) -> Result<Progress, PortError> {
        let _acting = self.acting.lock().await;
        let intent = IntentKey::new(Purpose::Cancel, lock.id());
        let open = self.alive(&IntentKey::new(Purpose::Fund, lock.id())).await?;
        let Some(newest) = open.last() else { return Ok(Progress::Done) };
        let earlier = self.journal.of_intent(&intent).await?;
        if let Some(mined) = self.mined(&earlier).await? {
            self.rest(intent);
            return Ok(mined);
        }
        if self.mined(&open).await?.is_some() {
            return Ok(Progress::NotYet);
        }
        let Some(last) = earlier.last() else {
            let in_pool = open.iter().any(|tx| self.state().tracker.is_pooled(&tx::inner_id(tx.txid)));
            if in_pool && self.params.chain.replacements == Replacements::Refused {
                return Ok(Progress::NotYet);
            }
            let (to, old_fee) = (self.change().await?, newest.fee.to_u64().unwrap_or(0));
            let signed = self.take_back(intent, newest, to, old_fee.saturating_mul(2)).await?;
            return self.hand_over(&signed).await;
        };
        let handed = self.hand(last).await?;
        let raise = match handed {
            Handed::Held => self.may_raise(intent),
            // What stands on the funding's change falls with it, and must be outbid too.
            Handed::TooCheap | Handed::Outbid => true,
            Handed::Taken | Handed::Not => false,
        };
        if raise && let Some(to) = bytes_of(last).and_then(|tx| tx.output.into_iter().next()) {
            let fee = last.fee.to_u64().unwrap_or(0);
            match self.take_back(intent, newest, to.script_pubkey, fee).await {
                Ok(signed) => return self.hand_over(&signed).await,
                // It can't be raised further: the last bid stays.
                Err(PortError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(if handed == Handed::Held { Progress::Sent { txid: last.txid } } else { Progress::NotYet })
    }

    /// A transaction that takes all inputs of the funding to ourselves and pays more than `outbid`.
    async fn take_back(&self, intent: IntentKey, funding: &SignedTx, to: ScriptBuf, outbid: u64) -> Result<SignedTx, PortError> {
        let unreadable = || self.refused("the journal holds a funding that can't be read");
        let old = bytes_of(funding).ok_or_else(unreadable)?;
        let paid: u64 = old.output.iter().map(|output| output.value.to_sat()).sum();
        let held = paid.saturating_add(funding.fee.to_u64().ok_or_else(unreadable)?);
        let vsize = old.vsize() as u64;
        let (rate, cap) = (self.rate().await?, self.params.chain.fees.cap);
        let fee = raised_fee(vsize, outbid, rate.saturating_mul(2).min(cap), cap)
            .ok_or_else(|| self.refused("the fee of the cancelling transaction is at its limit"))?;
        let inputs: Vec<OutPoint> = inputs_of(funding).collect();
        let tx = tx::sweep(&inputs, held, &to, fee, self.params.dust_limit(&to));
        let tx = self.signed(&tx.map_err(|error| self.refused(error.to_string()))?).await?;
        self.record(intent, &tx, fee).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::pay::coins_fee;

    #[test]
    fn a_cancelling_bid_is_never_below_twice_the_funding() {
        let fee = raised_fee(153, 2 * 1_148, 2 * 7_500, 500_000);
        assert_eq!(fee, Some(2_870));
        assert_eq!(fee.map(|fee| fee >= coins_fee(153, 2 * 7_500)), Some(true));
    }
}
