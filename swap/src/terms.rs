//! What both parties sign.

use crate::ids::{OfferId, Salt, SwapId};
use crate::sign::{text_word, typed_digest};
use photon_chains::{Address, Canon, Family, Hash32, Lock, Party, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of [`Terms`] that this program speaks.
pub const TERMS_VERSION: u8 = 1;

/// Nothing may be locked for longer than this, whatever is agreed.
pub const LONGEST_LOCK_SECS: u64 = 30 * 24 * 3600;

/// The most digits after the dot that an asset may have.
const MOST_DECIMALS: u8 = 36;

/// Who a party is in a swap.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Makes the secret, funds Alpha, redeems Beta.
    Initiator,
    /// Funds Beta, redeems Alpha with the secret that the Initiator's redeem made public.
    Participant,
}

impl Role {
    /// Its word in what is signed and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Initiator => "initiator",
            Role::Participant => "participant",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Role {
        match self {
            Role::Initiator => Role::Participant,
            Role::Participant => Role::Initiator,
        }
    }

    /// The leg that this role funds.
    pub const fn own_leg(self) -> LegName {
        match self {
            Role::Initiator => LegName::Alpha,
            Role::Participant => LegName::Beta,
        }
    }

    /// The leg that this role redeems.
    pub const fn peer_leg(self) -> LegName {
        self.other().own_leg()
    }
}

/// One of the two locks of a swap.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegName {
    /// Funded first, by the Initiator; expires last.
    Alpha,
    /// Funded second, by the Participant; expires first.
    Beta,
}

impl LegName {
    /// Its word in messages and tables.
    pub const fn word(self) -> &'static str {
        match self {
            LegName::Alpha => "alpha",
            LegName::Beta => "beta",
        }
    }
}

impl std::fmt::Display for LegName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A lock, and which network it is on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The lock.
    pub lock: Lock,
    /// The hash of the ledger's first block.
    pub genesis: Hash32,
    /// The chain id, on an EVM ledger.
    pub chain_id: Option<u64>,
    /// Digits after the dot of the asset, so that both parties show the same amount.
    pub decimals: u8,
    /// Confirmations at which this lock is relied on.
    pub confirmations: u32,
}

/// Until when what may be done.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// When the terms were drawn up: where the schedule starts.
    pub agreed_at: UnixTime,
    /// The Initiator does not fund Alpha later.
    pub fund_alpha_by: UnixTime,
    /// The Participant does not fund Beta later.
    pub fund_beta_by: UnixTime,
    /// The Initiator does not reveal the secret later.
    pub reveal_by: UnixTime,
}

/// A whole swap, as both parties sign it. The secret hash stands in both locks and is the same.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// [`TERMS_VERSION`].
    pub version: u8,
    /// The offer that was taken.
    pub offer: OfferId,
    /// Identity of the Initiator.
    pub initiator: Address,
    /// Identity of the Participant.
    pub participant: Address,
    /// From which the Initiator derives its secret and keys.
    pub initiator_salt: Salt,
    /// From which the Participant derives its keys.
    pub participant_salt: Salt,
    /// Funded by the Initiator.
    pub alpha: Leg,
    /// Funded by the Participant.
    pub beta: Leg,
    /// Until when what may be done.
    pub deadlines: Deadlines,
    /// The longest time that either party may be away, in seconds.
    pub offline_secs: u64,
}

/// What a party says of the terms with its signature.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// The maker proposes these terms, bound to them until `fund_alpha_by`.
    Propose,
    /// The taker accepts them. With both signatures durable the swap exists.
    Accept,
    /// The signer will not fund: nothing of its own is on any ledger. It frees nobody from anything.
    Abort,
}

impl Consent {
    /// Its word in what is signed.
    pub const fn word(self) -> &'static str {
        match self {
            Consent::Propose => "propose",
            Consent::Accept => "accept",
            Consent::Abort => "abort",
        }
    }
}

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
    #[error("on an EVM ledger {0} must not be fundable long after its funding deadline")]
    LockBy(LegName),
    /// Locks judged by the registry are not part of this version.
    #[error("{0} is judged by the secret registry, which this version does not do")]
    Linked(LegName),
    /// The deadlines are not in their order.
    #[error("the deadlines are not in order: agreed, alpha funded, beta funded, reveal, beta's expiry, alpha's expiry")]
    Order,
    /// The allowance for being offline is zero or absurd, or money would be locked for more than thirty days.
    #[error("the allowance for being offline is zero, or money would be locked for more than thirty days")]
    Length,
}

impl Terms {
    /// The swap's name: SHA-256 of every field.
    pub fn id(&self) -> SwapId {
        let head = Canon::tagged("photon/terms/1")
            .u8(self.version)
            .bytes(self.offer.as_bytes())
            .bytes(self.initiator.as_bytes())
            .bytes(self.participant.as_bytes())
            .bytes(self.initiator_salt.as_bytes())
            .bytes(self.participant_salt.as_bytes());
        let legs = canon_leg(canon_leg(head, &self.alpha), &self.beta);
        let all = legs
            .u64(self.deadlines.agreed_at.secs())
            .u64(self.deadlines.fund_alpha_by.secs())
            .u64(self.deadlines.fund_beta_by.secs())
            .u64(self.deadlines.reveal_by.secs())
            .u64(self.offline_secs);
        SwapId::from_bytes(Sha256::digest(all.finish()).into())
    }

    /// What a party signs: an EIP-712 digest of `Swap(bytes32 swap,string role,string step)` in Photon's domain. Bound to
    /// the swap, to who signs and to what for, so a signature can be neither reflected nor replayed.
    pub fn digest(&self, step: Consent, role: Role) -> Hash32 {
        let words = [*self.id().as_bytes(), text_word(role.word()), text_word(step.word())];
        typed_digest("Swap(bytes32 swap,string role,string step)", &words)
    }

    /// The hash that opens both legs.
    pub fn secret_hash(&self) -> SecretHash {
        self.alpha.lock.secret_hash
    }

    /// A leg by name.
    pub fn leg(&self, name: LegName) -> &Leg {
        match name {
            LegName::Alpha => &self.alpha,
            LegName::Beta => &self.beta,
        }
    }

    /// The leg that this role funds.
    pub fn own_leg(&self, role: Role) -> &Leg {
        self.leg(role.own_leg())
    }

    /// The leg that this role redeems.
    pub fn peer_leg(&self, role: Role) -> &Leg {
        self.leg(role.peer_leg())
    }

    /// Until when this role may fund its leg.
    pub fn own_fund_by(&self, role: Role) -> UnixTime {
        match role {
            Role::Initiator => self.deadlines.fund_alpha_by,
            Role::Participant => self.deadlines.fund_beta_by,
        }
    }

    /// Identity of that role.
    pub fn identity(&self, role: Role) -> Address {
        match role {
            Role::Initiator => self.initiator,
            Role::Participant => self.participant,
        }
    }

    /// The salt of that role.
    pub fn salt(&self, role: Role) -> Salt {
        match role {
            Role::Initiator => self.initiator_salt,
            Role::Participant => self.participant_salt,
        }
    }

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
        if leg.lock.expiry.linked {
            return Err(TermsError::Linked(name));
        }
        Ok(())
    }

    fn check_hash(&self) -> Result<(), TermsError> {
        if self.alpha.lock.secret_hash != self.beta.lock.secret_hash {
            return Err(TermsError::TwoHashes);
        }
        if self.secret_hash().is_degenerate() {
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
            Family::Evm => check_lock_by(LegName::Alpha, alpha.lock_by, times.fund_alpha_by, times.fund_beta_by)?,
        }
        match self.beta.lock.asset.ledger().family() {
            Family::Utxo => {}
            Family::Evm if beta.opens_block.get() != 0 => return Err(TermsError::OpensBlock(LegName::Beta)),
            Family::Evm if beta.closes != Some(beta.opens_time) => return Err(TermsError::BetaStaysOpen),
            Family::Evm => check_lock_by(LegName::Beta, beta.lock_by, times.fund_beta_by, times.reveal_by)?,
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
/// forgotten Beta mined and redeem it. So the contract itself refuses it before the next deadline has passed.
fn check_lock_by(leg: LegName, lock_by: Option<UnixTime>, from: UnixTime, until: UnixTime) -> Result<(), TermsError> {
    match lock_by {
        Some(time) if from <= time && time <= until => Ok(()),
        Some(_) | None => Err(TermsError::LockBy(leg)),
    }
}

fn canon_leg(out: Canon, leg: &Leg) -> Canon {
    leg.lock
        .canon(out)
        .bytes(leg.genesis.as_bytes())
        .optional_u64(leg.chain_id)
        .u8(leg.decimals)
        .u64(u64::from(leg.confirmations))
}
