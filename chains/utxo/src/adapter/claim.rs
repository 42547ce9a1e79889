//! Taking locked money: with the secret, or back.

use super::pay::{coins_fee, raised_fee};
use super::wallet::{Handed, bytes_of, inputs_of};
use super::{Seen, TipSeen, UtxoAdapter};
use crate::script::LockScript;
use crate::tracker::{Paid, SpentBy};
use crate::tx::{self, BuildError, Locked, Spending, public_key};
use crate::view;
use bitcoin::{ScriptBuf, Transaction};
use photon_chains::{IntentKey, Lock, LockKey, Party, PortError, Progress, Purpose, Secret, SignedTx, SpendKind};

/// The most outputs one refund takes.
const MAX_SWEPT: usize = 50;
/// Besides the lock itself, an output is taken back only if it brings this many times what its input costs.
const SWEEP_WORTH: u64 = 3;

/// What one claim of ours takes and how.
struct Claim<'a> {
    intent: IntentKey,
    script: &'a LockScript,
    targets: Vec<Locked>,
    key: &'a LockKey,
    secret: Option<&'a Secret>,
}

impl UtxoAdapter {
    /// Takes the credited output with the secret. Never one that is only in the mempool: a secret shown for it could be
    /// left without the money.
    pub(super) async fn redeem(&self, lock: &Lock, secret: &Secret, key: &LockKey) -> Result<Progress, PortError> {
        let script = self.script_of(lock)?;
        self.check_key(key, &lock.redeemer)?;
        if secret.hash() != lock.secret_hash {
            return Err(self.refused("this secret does not open the lock"));
        }
        let Some((seen, tip)) = self.seen(lock.id())? else { return Ok(Progress::NotYet) };
        let Some(target) = view::credited(&seen.paid, lock.amount).filter(|paid| paid.block.is_some()) else {
            return Ok(Progress::NotYet);
        };
        let intent = IntentKey::new(Purpose::Redeem, lock.id());
        if let Some(progress) = self.spent_in_block(target, SpendKind::Redeem, tip) {
            self.rest(intent);
            return Ok(progress);
        }
        let targets = vec![target.locked];
        self.claim(&Claim { intent, script: &script, targets, key, secret: Some(secret) }).await
    }

    /// Takes our own lock back, with everything else that was paid to its script and is worth it.
    pub(super) async fn refund(&self, lock: &Lock, key: &LockKey) -> Result<Progress, PortError> {
        let script = self.script_of(lock)?;
        self.check_key(key, &lock.refundee)?;
        let Some((seen, tip)) = self.seen(lock.id())? else { return Ok(Progress::NotYet) };
        let targets = self.refundable(lock, &seen).await?;
        if targets.is_empty() {
            let main = view::credited(&seen.paid, lock.amount).or(seen.paid.first());
            let spent = main.and_then(|paid| self.spent_in_block(paid, SpendKind::Refund, tip));
            self.rest(IntentKey::new(Purpose::Refund, lock.id()));
            return Ok(spent.unwrap_or(Progress::NotYet));
        }
        if tip.median_time <= u64::from(script.expiry()) {
            return Ok(Progress::NotYet);
        }
        let intent = IntentKey::new(Purpose::Refund, lock.id());
        self.claim(&Claim { intent, script: &script, targets, key, secret: None }).await
    }

    fn check_key(&self, key: &LockKey, party: &Party) -> Result<(), PortError> {
        if public_key(key).map(Party::Key) == Some(*party) {
            Ok(())
        } else {
            Err(self.refused("this key is not the one that the lock names"))
        }
    }

    /// How far it is with an output that a block shows spent; none while no block does.
    fn spent_in_block(&self, paid: &Paid, wanted: SpendKind, tip: TipSeen) -> Option<Progress> {
        let SpentBy { txid, kind, block } = paid.spent?;
        let depth = view::depth(Some(block?), tip.place.height);
        Some(if depth >= self.params.net.timing.final_confirmations {
            Progress::Done
        } else if kind == wanted {
            Progress::Mined { txid: tx::shown_id(txid), depth }
        } else {
            // The other side was faster; a reorganisation may yet undo that.
            Progress::NotYet
        })
    }

    /// The lock's own output first, then what else is worth its fee; only what a block shows, and no block shows spent.
    async fn refundable(&self, lock: &Lock, seen: &Seen) -> Result<Vec<Locked>, PortError> {
        let own = view::credited(&seen.paid, lock.amount).map(|paid| paid.locked.outpoint);
        let standing = |paid: &&Paid| paid.block.is_some() && paid.spent.is_none_or(|by| by.block.is_none());
        let mut targets: Vec<Locked> = seen.paid.iter().filter(standing).map(|paid| paid.locked).collect();
        if targets.len() > 1 || targets.first().map(|locked| locked.outpoint) != own {
            let cost = coins_fee(tx::INPUT_VSIZE, self.rate().await?);
            let worth = |locked: &Locked| Some(locked.outpoint) == own || locked.value >= cost.saturating_mul(SWEEP_WORTH);
            targets.retain(worth);
            targets.sort_by_key(|locked| (Some(locked.outpoint) != own, std::cmp::Reverse(locked.value), locked.outpoint));
            targets.truncate(MAX_SWEPT);
        }
        Ok(targets)
    }

    async fn claim(&self, claim: &Claim<'_>) -> Result<Progress, PortError> {
        let acting = self.acting.lock().await;
        let earlier = self.journal.of_intent(&claim.intent).await?;
        let Some(last) = earlier.iter().rev().find(|tx| claim.fits(tx)) else {
            let payout = match earlier.last().and_then(payout_of) {
                Some(known) => known,
                None => self.payout().await?,
            };
            let signed = self.bid(claim, payout, None).await?;
            drop(acting);
            return self.hand_over(&signed).await;
        };
        let handed = self.hand(last).await?;
        let raise = match handed {
            Handed::Held => self.may_raise(claim.intent),
            Handed::TooCheap | Handed::Outbid => true,
            Handed::Taken | Handed::Not => false,
        };
        if raise && let Some(payout) = payout_of(last) {
            match self.bid(claim, payout, last.fee.to_u64()).await {
                Ok(signed) => {
                    drop(acting);
                    return self.hand_over(&signed).await;
                }
                // It can't be raised further: the last bid stays.
                Err(PortError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(match handed {
            Handed::Held => Progress::Sent { txid: last.txid },
            Handed::Taken | Handed::TooCheap | Handed::Outbid | Handed::Not => Progress::NotYet,
        })
    }

    /// Signs and writes down a claim, the first or one that outbids the last.
    async fn bid(&self, claim: &Claim<'_>, payout: ScriptBuf, last_fee: Option<u64>) -> Result<SignedTx, PortError> {
        let vsize = tx::spend_vsize(claim.script, claim.kind(), claim.targets.len(), &payout);
        let held: u64 = claim.targets.iter().map(|locked| locked.value).sum();
        let (rate, fees) = (self.rate().await?, &self.params.chain.fees);
        let fee = match last_fee {
            // Not more than half of what is at stake, but never less than what is relayed at all.
            None => coins_fee(vsize, rate).min((held / 2).max(coins_fee(vsize, fees.floor))),
            Some(last) => raised_fee(vsize, last, rate, fees.cap)
                .filter(|fee| *fee <= held / 2)
                .ok_or_else(|| self.refused("the fee is at its limit"))?,
        };
        let dust = self.params.dust_limit(&payout);
        let with = Spending { script: claim.script, payout, fee, dust, key: claim.key };
        let tx = claim.build(&with).map_err(|error| self.refused(error.to_string()))?;
        self.record(claim.intent, &tx, fee).await
    }
}

impl Claim<'_> {
    fn kind(&self) -> SpendKind {
        if self.secret.is_some() { SpendKind::Redeem } else { SpendKind::Refund }
    }

    /// True if that transaction takes the first target, and nothing that can't be taken any more.
    fn fits(&self, tx: &SignedTx) -> bool {
        let is_target = |input| self.targets.iter().any(|locked| locked.outpoint == input);
        let first = self.targets.first().map(|locked| locked.outpoint);
        inputs_of(tx).all(is_target) && inputs_of(tx).any(|input| Some(input) == first)
    }

    fn build(&self, with: &Spending<'_>) -> Result<Transaction, BuildError> {
        match (self.secret, self.targets.first()) {
            (Some(secret), Some(target)) => tx::redeem(*target, secret, with),
            (None, Some(_)) => tx::refund(&self.targets, with),
            (_, None) => Err(BuildError::NotWorthTheFee),
        }
    }
}

/// Where an earlier claim paid: later bids pay there too.
fn payout_of(tx: &SignedTx) -> Option<ScriptBuf> {
    bytes_of(tx)?.output.first().map(|output| output.script_pubkey.clone())
}
