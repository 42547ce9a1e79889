//! Speeding up what can't be replaced: a child spends its output to us and pays for both, a grandchild for all three, and
//! so on. Miners take a transaction together with what it stands on, by the rate of the whole.

use super::UtxoAdapter;
use super::wallet::{Handed, bytes_of, inputs_of};
use crate::coins;
use crate::fees::{Carried, Limit};
use crate::tx;
use bitcoin::{OutPoint, ScriptBuf, Transaction, Weight};
use photon_chains::{PortError, SignedTx};

/// Nodes keep at most 25 transactions that stand on each other, those that others may have put in between included.
const MAX_CHAIN: usize = 20;

/// True if it stands on another transaction of the same intent.
pub(super) fn is_child(tx: &SignedTx, all: &[SignedTx]) -> bool {
    all.iter().any(|other| stands_on(tx, other))
}

fn stands_on(tx: &SignedTx, parent: &SignedTx) -> bool {
    inputs_of(tx).any(|input| tx::shown_id(input.txid) == parent.txid)
}

impl UtxoAdapter {
    /// Carries a transaction that our node holds, by children on its output `vout`, which must be the wallet's: sends those
    /// there are, and makes one more if `raise` says so, or if the node finds the youngest too cheap to be kept.
    pub(super) async fn carry(&self, first: &SignedTx, vout: u32, limit: &Limit, raise: bool) -> Result<(), PortError> {
        let all = self.journal.of_intent(&first.intent).await?;
        let mut chain = vec![first];
        let mut too_cheap = false;
        while let Some(last) = chain.last().copied().filter(|_| chain.len() < MAX_CHAIN) {
            let mut held = None;
            for child in all.iter().rev().filter(|tx| stands_on(tx, last)) {
                let is_pooled = self.state().tracker.is_pooled(&tx::inner_id(child.txid));
                match if is_pooled { Handed::Held } else { self.hand(child).await? } {
                    Handed::Held => {
                        held = Some(child);
                        break;
                    }
                    Handed::TooCheap => too_cheap = true,
                    Handed::Outbid | Handed::Taken | Handed::Not => {}
                }
            }
            match held {
                Some(child) => chain.push(child),
                None => break,
            }
        }
        if (raise || too_cheap) && chain.len() < MAX_CHAIN {
            self.lift(&chain, vout, limit).await?;
        }
        Ok(())
    }

    /// Signs, writes down and sends one more child.
    async fn lift(&self, chain: &[&SignedTx], vout: u32, limit: &Limit) -> Result<(), PortError> {
        let Some((last, below)) = chain.split_last() else { return Ok(()) };
        // A child has one output.
        let from = OutPoint::new(tx::inner_id(last.txid), if below.is_empty() { vout } else { 0 });
        let by_another = |tx: &SignedTx| tx.intent != last.intent && inputs_of(tx).any(|input| input == from);
        if self.journal.unsettled(self.params.chain.ledger).await?.iter().any(by_another) {
            return Ok(());
        }
        let Some(carried) = weigh(chain) else { return Ok(()) };
        let output = bytes_of(last).and_then(|tx| tx.output.into_iter().nth(from.vout as usize));
        let Some(output) = output else { return Ok(()) };
        let Some(vsize) = child_vsize(&output.script_pubkey) else { return Ok(()) };
        let Some(fee) = limit.child_fee(vsize, carried, &self.market().await?, &self.params.chain.fees) else {
            tracing::warn!(chain = %self.params.chain.ledger, intent = %last.intent, "its fee is at its limit: it is not raised");
            return Ok(());
        };
        let to = output.script_pubkey;
        let child = tx::sweep(&[from], output.value.to_sat(), &to, fee, self.params.dust_limit(&to));
        let Ok(child) = child else { return Ok(()) };
        let signed = match self.signed(&child).await {
            Ok(signed) => signed,
            Err(PortError::Refused { reason, .. }) => {
                tracing::warn!(chain = %self.params.chain.ledger, intent = %last.intent, %reason, "its output is not ours to spend");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let child = self.record(last.intent, &signed, fee).await?;
        self.hand(&child).await.map(drop)
    }

    /// After its parent has been mined, a child that nodes dropped is nobody's hurry, but its coin is promised to it: it is
    /// sent again, until it is mined too.
    pub(super) async fn finish_child(&self, tx: &SignedTx) {
        let Ok(all) = self.journal.of_intent(&tx.intent).await else { return };
        if is_child(tx, &all)
            && !self.state().tracker.is_pooled(&tx::inner_id(tx.txid))
            && let Err(error) = self.hand(tx).await
        {
            tracing::debug!(chain = %self.params.chain.ledger, txid = %tx.txid, %error, "a child could not be sent again");
        }
    }
}

/// What a chain weighs and pays.
fn weigh(chain: &[&SignedTx]) -> Option<Carried> {
    chain.iter().try_fold(Carried { vsize: 0, fee: 0 }, |sum, tx| {
        let vsize = sum.vsize.checked_add(bytes_of(tx)?.vsize() as u64)?;
        Some(Carried { vsize, fee: sum.fee.checked_add(tx.fee.to_u64()?)? })
    })
}

/// The size of a transaction that takes one output of that script to the same script. None if the wallet could not sign it.
fn child_vsize(script: &ScriptBuf) -> Option<u64> {
    let input = coins::input_weight(script)?;
    let bare: Transaction = tx::sweep(&[], 0, script, 0, 0).ok()?;
    // The two bytes that mark witnesses.
    Some((input + bare.weight() + Weight::from_wu(2)).to_vbytes_ceil())
}
