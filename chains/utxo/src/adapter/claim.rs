//! Taking locked money: with the secret, or back.

use super::carry::is_child;
use super::wallet::{Handed, bytes_of, inputs_of};
use super::{Seen, TipSeen, UtxoAdapter};
use crate::fees::{Haste, Limit, fee_at};
use crate::params::Replacements;
use crate::rpc::{PoolEntry, RpcError, To};
use crate::script::LockScript;
use crate::tracker::{Paid, SpentBy};
use crate::tx::{self, BuildError, Locked, Spending, public_key};
use crate::view;
use bitcoin::{ScriptBuf, Transaction, Txid};
use photon_chains::{ClockRule, IntentKey, Lock, LockKey, Party, PortError, Progress, Purpose, Secret, SignedTx, SpendKind};
use serde_json::json;

/// The most outputs one refund takes.
const MAX_SWEPT: usize = 50;
/// Besides the lock itself, an output is taken back only if it brings this many times what its input costs.
const SWEEP_WORTH: u64 = 3;

/// A claim has one output, to us: nobody else can attach anything to it, to pin it.
const PAYOUT_INDEX: u32 = 0;

/// What one claim of ours takes and how.
struct Claim<'a> {
    intent: IntentKey,
    script: &'a LockScript,
    targets: Vec<Locked>,
    key: &'a LockKey,
    secret: Option<&'a Secret>,
    haste: Haste,
    /// What spends the first target in the mempool.
    rival: Option<Txid>,
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
        // The other side can take it back from the expiry on; miners that forge their clocks may let it do so earlier.
        let deadline = u64::from(script.expiry()).saturating_sub(self.spans().0);
        let haste = self.haste(deadline);
        let rival = waiting_spend(target);
        self.claim(&Claim { intent, script: &script, targets, key, secret: Some(secret), haste, rival }).await
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
        // It opens now by the median clock, and what the other side might still do with it should end soon.
        let (now, window) = (tip.median_time, self.spans().1);
        let haste = Haste { now, deadline: u64::from(script.expiry()).saturating_add(window), window };
        let first = targets.first().map(|locked| locked.outpoint);
        let rival = seen.paid.iter().find(|paid| Some(paid.locked.outpoint) == first).and_then(waiting_spend);
        self.claim(&Claim { intent, script: &script, targets, key, secret: None, haste, rival }).await
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
        Some(if depth >= self.params.timing.final_confirmations {
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
            let cost = fee_at(tx::INPUT_VSIZE, self.rate().await?);
            let worth = |locked: &Locked| Some(locked.outpoint) == own || locked.value >= cost.saturating_mul(SWEEP_WORTH);
            targets.retain(worth);
            targets.sort_by_key(|locked| (Some(locked.outpoint) != own, std::cmp::Reverse(locked.value), locked.outpoint));
            targets.truncate(MAX_SWEPT);
        }
        Ok(targets)
    }

    async fn claim(&self, claim: &Claim<'_>) -> Result<Progress, PortError> {
        let _acting = self.acting.lock().await;
        let earlier = self.journal.of_intent(&claim.intent).await?;
        let Some(last) = earlier.iter().rev().find(|tx| claim.fits(tx)) else {
            let payout = match earlier.iter().rev().find(|tx| !is_child(tx, &earlier)).and_then(payout_of) {
                Some(known) => known,
                None => self.payout().await?,
            };
            let signed = self.bid(claim, payout, None).await?;
            return self.hand_over(&signed).await;
        };
        let handed = self.hand(last).await?;
        match handed {
            Handed::Held => self.after_a_block(claim, last).await,
            Handed::TooCheap | Handed::Outbid => self.bid_more(claim, last).await,
            Handed::Taken | Handed::Not => {
                // An older bid may be the one the node has: then it is that one which can be raised.
                for held in earlier.iter().rev().filter(|tx| claim.fits(tx) && tx.txid != last.txid) {
                    if self.state().tracker.is_pooled(&tx::inner_id(held.txid)) && self.hand(held).await? == Handed::Held {
                        return self.after_a_block(claim, held).await;
                    }
                }
                Ok(Progress::NotYet)
            }
        }
    }

    /// A bid that the node holds: raised, the way the chain allows, if blocks pass it by.
    async fn after_a_block(&self, claim: &Claim<'_>, held: &SignedTx) -> Result<Progress, PortError> {
        let raise = self.may_raise(claim.intent, claim.haste.is_urgent());
        match self.params.chain.replacements {
            Replacements::Relayed if raise => self.bid_more(claim, held).await,
            Replacements::Relayed => Ok(Progress::Sent { txid: held.txid }),
            Replacements::Refused => {
                self.carry(held, PAYOUT_INDEX, &claim.limit(), raise).await?;
                Ok(Progress::Sent { txid: held.txid })
            }
        }
    }

    /// Another bid in the place of the last, which stays if it can't be raised further.
    async fn bid_more(&self, claim: &Claim<'_>, last: &SignedTx) -> Result<Progress, PortError> {
        let Some(payout) = payout_of(last) else { return Ok(Progress::NotYet) };
        match self.bid(claim, payout, last.fee.to_u64()).await {
            Ok(signed) => self.hand_over(&signed).await,
            Err(PortError::Refused { reason, .. }) => {
                tracing::warn!(chain = %self.params.chain.ledger, intent = %claim.intent, %reason, "a claim is not raised");
                let is_held = self.state().tracker.is_pooled(&tx::inner_id(last.txid));
                Ok(if is_held { Progress::Sent { txid: last.txid } } else { Progress::NotYet })
            }
            Err(error) => Err(error),
        }
    }

    /// Signs and writes down a claim, the first or one that outbids the last.
    async fn bid(&self, claim: &Claim<'_>, payout: ScriptBuf, last_fee: Option<u64>) -> Result<SignedTx, PortError> {
        let vsize = tx::spend_vsize(claim.script, claim.kind(), claim.targets.len(), &payout);
        let (market, fees, limit) = (self.market().await?, &self.params.chain.fees, claim.limit());
        let fee = match last_fee {
            None => limit.first_fee(vsize, &market, fees),
            Some(last) => limit
                .replacing_fee(vsize, last.max(self.rivals_fee(claim, vsize).await?), &market, fees)
                .ok_or_else(|| self.refused("its fee is at the share of the money that may be spent on it now"))?,
        };
        let dust = self.params.dust_limit(&payout);
        let with = Spending { script: claim.script, payout, fee, dust, key: claim.key };
        let tx = claim.build(&with).map_err(|error| self.refused(error.to_string()))?;
        self.record(claim.intent, &tx, fee).await
    }

    /// What another's spend of the same output makes us pay at least: the fees of all that would fall with it (BIP-125, rule
    /// 3), and a higher rate than its own. Nothing where no replacement is relayed.
    async fn rivals_fee(&self, claim: &Claim<'_>, vsize: u64) -> Result<u64, PortError> {
        let Some(rival) = claim.rival.filter(|_| self.params.chain.replacements == Replacements::Relayed) else { return Ok(0) };
        match self.rpc.call::<PoolEntry>(To::Node, "getmempoolentry", json!([rival])).await {
            Ok(entry) => {
                let rate = entry.fees.base.to_sat().saturating_mul(1000).checked_div(entry.vsize).unwrap_or(0);
                Ok(entry.fees.descendant.to_sat().max(fee_at(vsize, rate)))
            }
            Err(RpcError::Node { .. }) => Ok(0),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Seconds that dishonest miners can make a refund open early, and that a claim needs to be mined, lost and mined again.
    fn spans(&self) -> (u64, u64) {
        match self.params.timing.rule {
            ClockRule::MedianTimePast { early_secs, settle_secs, .. } => (early_secs, settle_secs),
            ClockRule::BlockTime { .. } => (0, 0),
        }
    }

    /// The time until a deadline, by what the tip's miner stamped on it: a false stamp only makes us pay more.
    pub(super) fn haste(&self, deadline: u64) -> Haste {
        Haste { now: self.state().tip.map_or(0, |tip| tip.time), deadline, window: self.spans().1 }
    }
}

impl Claim<'_> {
    fn kind(&self) -> SpendKind {
        if self.secret.is_some() { SpendKind::Redeem } else { SpendKind::Refund }
    }

    fn limit(&self) -> Limit {
        Limit::Share { haste: self.haste, held: self.targets.iter().map(|locked| locked.value).sum() }
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

fn waiting_spend(paid: &Paid) -> Option<Txid> {
    paid.spent.filter(|by| by.block.is_none()).map(|by| by.txid)
}

/// Where an earlier claim paid: later bids pay there too.
fn payout_of(tx: &SignedTx) -> Option<ScriptBuf> {
    bytes_of(tx)?.output.first().map(|output| output.script_pubkey.clone())
}
