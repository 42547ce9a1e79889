//! What makes terms a swap at all, whoever reads them.

use crate::guard::Guard;
use crate::terms::{LegName, TERMS_VERSION, Terms};
use photon_chains::{Family, Lock, Party, UnixTime};

/// Nothing may be locked for longer than this, whatever is agreed.
pub const LONGEST_LOCK_SECS: u64 = 30 * 24 * 3600;

/// The most digits after the dot that an asset may have.
const MOST_DECIMALS: u8 = 36;

/// Why terms make no swap. Such terms are refused unsigned; there is nothing to do but to ask for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Written for another version of this program.
    #[error("the terms are of version {found}, and this program speaks version {TERMS_VERSION}: update the older one")]
    Version {
        /// What they say.
        found: u8,
    },
    /// Both parties are one.
    #[error("both sides of the swap are the same party")]
    SameParty,
    /// Both legs lock the same asset.
    #[error("both legs lock the same asset")]
    SameAsset,
    /// The legs would open with different secrets.
    #[error("the legs are locked by different secret hashes")]
    TwoHashes,
    /// A hash that anybody can open.
    #[error("the secret hash is one that anybody can open")]
    DegenerateHash,
    /// Nothing would be locked.
    #[error("the amount of {0} is zero")]
    NoAmount(LegName),
    /// Keys on accounts, accounts on scripts, or an expiry that the ledger can't hold.
    #[error("the lock of {0} mixes parts of different kinds of ledger")]
    Inconsistent(LegName),
    /// A chain id where none belongs, or none where one does.
    #[error("{0} must name a chain id on an EVM ledger, and only there")]
    ChainId(LegName),
    /// One party stands where the other belongs.
    #[error("a key or account stands on both sides of the swap")]
    SharedKey,
    /// No confirmations, or decimals that can't be.
    #[error("{0} names confirmations or decimals that can't be")]
    Figures(LegName),
    /// Alpha must be redeemable until it is refunded.
    #[error("alpha must not close before its refund")]
    AlphaCloses,
    /// On the EVM, redeeming Beta must end when its refund opens.
    #[error("on an EVM ledger beta must close when its refund opens")]
    BetaStaysOpen,
    /// A refund that waits for a block where it should not, or the reverse.
    #[error("on an EVM ledger alpha's refund needs a block, and beta's does not")]
    OpensBlock(LegName),
    /// A lock on the EVM that could be funded too late, or not as late as agreed.
    #[error("on an EVM ledger {0} must not be fundable long after its funding deadline, and in a channel it has no such word")]
    LockBy(LegName),
    /// Only some templates are judged by the registry, and those always.
    #[error("{0} is judged by the secret registry where its template is not, or the other way round")]
    Linked(LegName),
    /// The deadlines are not in their order.
    #[error("the deadlines are not in order: agreed, alpha funded, beta funded, reveal, beta's expiry, alpha's expiry")]
    Order,
    /// The allowance for being offline is zero or absurd, or money would be locked for more than thirty days.
    #[error("the allowance for being offline is zero, or money would be locked for more than thirty days")]
    Length,
}

impl Terms {
    /// Refuses terms that make no swap, whoever reads them. What they must be *for us* is checked by
    /// [`crate::verify_draft`].
    pub fn check(&self) -> Result<(), TermsError> {
        if self.version != TERMS_VERSION {
            return Err(TermsError::Version { found: self.version });
        }
        self.check_parties()?;
        self.check_leg(LegName::Alpha)?;
        self.check_leg(LegName::Beta)?;
        self.check_hash()?;
        self.check_expiries()?;
        self.check_order()
    }

    fn check_parties(&self) -> Result<(), TermsError> {
        let (alpha, beta) = (&self.alpha.lock, &self.beta.lock);
        if self.initiator == self.participant {
            return Err(TermsError::SameParty);
        }
        if alpha.asset == beta.asset {
            return Err(TermsError::SameAsset);
        }
        let initiator: [Party; 2] = [alpha.refundee, beta.redeemer];
        if initiator.contains(&alpha.redeemer) || initiator.contains(&beta.refundee) {
            return Err(TermsError::SharedKey);
        }
        Ok(())
    }

    fn check_leg(&self, name: LegName) -> Result<(), TermsError> {
        let leg = self.leg(name);
        let ledger = leg.lock.asset.ledger();
        if leg.lock.amount.is_zero() {
            return Err(TermsError::NoAmount(name));
        }
        if !leg.lock.is_consistent() {
            return Err(TermsError::Inconsistent(name));
        }
        let needs_chain_id = match ledger.family() {
            Family::Utxo => false,
            Family::Evm => true,
        };
        if leg.chain_id.is_some() != needs_chain_id || leg.chain_id == Some(0) {
            return Err(TermsError::ChainId(name));
        }
        let right_decimals = match leg.lock.asset.token() {
            None => leg.decimals == ledger.decimals(),
            Some(_) => leg.decimals <= MOST_DECIMALS,
        };
        if leg.confirmations == 0 || !right_decimals {
            return Err(TermsError::Figures(name));
        }
        if leg.lock.expiry.linked != leg.lock.template.is_linked() {
            return Err(TermsError::Linked(name));
        }
        Ok(())
    }

    fn check_hash(&self) -> Result<(), TermsError> {
        if Guard::OneHash.refuses(self.alpha.lock.secret_hash != self.beta.lock.secret_hash) {
            return Err(TermsError::TwoHashes);
        }
        if Guard::DegenerateHash.refuses(self.secret_hash().is_degenerate()) {
            return Err(TermsError::DegenerateHash);
        }
        Ok(())
    }

    fn check_expiries(&self) -> Result<(), TermsError> {
        let (alpha, beta) = (&self.alpha.lock.expiry, &self.beta.lock.expiry);
        let times = &self.deadlines;
        if alpha.closes.is_some() {
            return Err(TermsError::AlphaCloses);
        }
        match self.alpha.lock.asset.ledger().family() {
            Family::Utxo => {}
            Family::Evm if alpha.opens_block.get() == 0 => return Err(TermsError::OpensBlock(LegName::Alpha)),
            Family::Evm => check_lock_by(LegName::Alpha, &self.alpha.lock, times.fund_alpha_by, times.fund_beta_by)?,
        }
        match self.beta.lock.asset.ledger().family() {
            Family::Utxo => {}
            Family::Evm if beta.opens_block.get() != 0 => return Err(TermsError::OpensBlock(LegName::Beta)),
            Family::Evm if Guard::BetaCloses.refuses(beta.closes != Some(beta.opens_time)) => {
                return Err(TermsError::BetaStaysOpen);
            }
            Family::Evm => check_lock_by(LegName::Beta, &self.beta.lock, times.fund_beta_by, times.reveal_by)?,
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), TermsError> {
        let times = &self.deadlines;
        let ends = self.alpha.lock.expiry.opens_time;
        let in_order =
            [times.agreed_at, times.fund_alpha_by, times.fund_beta_by, times.reveal_by, self.beta.lock.expiry.opens_time, ends];
        if !in_order.is_sorted_by(|earlier, later| earlier < later) {
            return Err(TermsError::Order);
        }
        if self.offline_secs == 0 || ends.secs_since(times.agreed_at) > LONGEST_LOCK_SECS {
            return Err(TermsError::Length);
        }
        Ok(())
    }
}

/// A funding that comes late is useless, and a late Beta is dangerous: the Initiator could take back Alpha, then have the
/// forgotten Beta mined and redeem it. So the contract itself refuses it before the next deadline has passed, where there is one.
fn check_lock_by(leg: LegName, lock: &Lock, from: UnixTime, until: UnixTime) -> Result<(), TermsError> {
    if !lock.template.has_funding_deadline() {
        return if lock.expiry.lock_by.is_none() { Ok(()) } else { Err(TermsError::LockBy(leg)) };
    }
    match lock.expiry.lock_by {
        Some(time) if from <= time && time <= until => Ok(()),
        Some(_) | None if Guard::LockBy.holds() => Err(TermsError::LockBy(leg)),
        Some(_) | None => Ok(()),
    }
}
