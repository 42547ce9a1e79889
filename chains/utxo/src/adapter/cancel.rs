//! Making it impossible that a funding is ever mined: another transaction takes its coins.

use super::UtxoAdapter;
use super::carry::is_child;
use super::wallet::{Handed, bytes_of, inputs_of};
use crate::fees::{Limit, fee_at};
use crate::params::Replacements;
use crate::tx;
use bitcoin::{OutPoint, ScriptBuf};
use photon_chains::{IntentKey, Lock, PortError, Progress, Purpose, SignedTx};

impl UtxoAdapter {
    /// Takes the coins of our unmined funding back. Not yet possible: a block has the funding (then it is refunded, once
    /// that is allowed), or the nodes hold it and relay no replacement (then it is carried into a block, or cancelled once
    /// they have dropped it). Done: it can never be mined any more, because something else took its coins at final depth.
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
        let in_pool = open.iter().any(|tx| self.state().tracker.is_pooled(&tx::inner_id(tx.txid)));
        let Some(last) = earlier.iter().rev().find(|tx| !is_child(tx, &earlier)) else {
            if in_pool && self.params.chain.replacements == Replacements::Refused {
                self.hurry(lock, &open).await?;
                return Ok(Progress::NotYet);
            }
            let to = self.change().await?;
            let signed = self.take_back(lock, newest, to, None).await?;
            return self.hand_over(&signed).await;
        };
        let handed = self.hand(last).await?;
        let raise = match (handed, self.params.chain.replacements) {
            (Handed::Held, Replacements::Relayed) => self.may_raise(intent, true),
            (Handed::Held, Replacements::Refused) => {
                self.carry(last, 0, &self.limit(lock), self.may_raise(intent, true)).await?;
                false
            }
            // What stands on the funding's change falls with it, and must be outbid too.
            (Handed::TooCheap | Handed::Outbid, Replacements::Relayed | Replacements::Refused) => true,
            (Handed::Taken | Handed::Not, Replacements::Refused) if in_pool => {
                self.hurry(lock, &open).await?;
                false
            }
            (Handed::Taken | Handed::Not, Replacements::Relayed | Replacements::Refused) => false,
        };
        if raise && let Some(to) = bytes_of(last).and_then(|tx| tx.output.into_iter().next()) {
            let fee = last.fee.to_u64().unwrap_or(0);
            match self.take_back(lock, newest, to.script_pubkey, Some(fee)).await {
                Ok(signed) => return self.hand_over(&signed).await,
                // It can't be raised further: the last bid stays.
                Err(PortError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(if handed == Handed::Held { Progress::Sent { txid: last.txid } } else { Progress::NotYet })
    }

    /// A funding that can't be pushed aside is not left to linger either: mined in time it is an ordinary lock, which is
    /// refunded. What hangs unmined until the other leg is refunded would be a present to whoever then has it mined.
    async fn hurry(&self, lock: &Lock, fundings: &[SignedTx]) -> Result<(), PortError> {
        let to = self.script_of(lock)?.output_script();
        let (amount, raise) = (self.value_of(lock.amount, &to)?, self.may_raise(IntentKey::new(Purpose::Fund, lock.id()), true));
        // Only what the node has: one that it dropped is not sent again.
        for funding in fundings.iter().filter(|tx| self.state().tracker.is_pooled(&tx::inner_id(tx.txid))) {
            self.carry_payment(funding, &to, amount, raise).await?;
        }
        Ok(())
    }

    /// What it may cost that this lock is never funded: as much as a claim to it.
    fn limit(&self, lock: &Lock) -> Limit {
        Limit::Share { haste: self.haste(lock.expiry.opens_time.secs()), held: lock.amount.to_u64().unwrap_or(0) }
    }

    /// A transaction that takes all inputs of the funding to ourselves and outbids the last one that did: at twice what a
    /// funding would pay, for as long as it takes, up to the share of the lock that a claim may cost. The first may always pay
    /// what outbids the funding itself, however dear that was.
    async fn take_back(&self, lock: &Lock, funding: &SignedTx, to: ScriptBuf, last: Option<u64>) -> Result<SignedTx, PortError> {
        let unreadable = || self.refused("the journal holds a funding that can't be read");
        let old = bytes_of(funding).ok_or_else(unreadable)?;
        let old_fee = funding.fee.to_u64().ok_or_else(unreadable)?;
        let paid: u64 = old.output.iter().map(|output| output.value.to_sat()).sum();
        let held = paid.saturating_add(old_fee);
        let (vsize, mut market) = (old.vsize() as u64, self.market().await?);
        market.estimate = market.estimate.saturating_mul(2);
        let outbidding = |fee: u64| self.limit(lock).replacing_fee(vsize, fee, &market, &self.params.chain.fees);
        let fee = match last {
            None => {
                let least = old_fee.saturating_add(fee_at(vsize, market.increment)).saturating_add(1);
                outbidding(old_fee.saturating_mul(2)).unwrap_or(least)
            }
            Some(last) => {
                outbidding(last).ok_or_else(|| self.refused("the fee of the cancelling transaction is at its limit"))?
            }
        };
        let inputs: Vec<OutPoint> = inputs_of(funding).collect();
        let tx = tx::sweep(&inputs, held, &to, fee, self.params.dust_limit(&to));
        let tx = self.signed(&tx.map_err(|error| self.refused(error.to_string()))?).await?;
        self.record(IntentKey::new(Purpose::Cancel, lock.id()), &tx, fee).await
    }
}
