//! What both parties sign.

use crate::ids::{OfferId, Salt, SwapId};
use crate::sign::{text_word, typed_digest};
use photon_chains::{Address, Canon, Hash32, Lock, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of [`Terms`] that this program speaks.
pub const TERMS_VERSION: u8 = 1;

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
}

fn canon_leg(out: Canon, leg: &Leg) -> Canon {
    leg.lock
        .canon(out)
        .bytes(leg.genesis.as_bytes())
        .optional_u64(leg.chain_id)
        .u8(leg.decimals)
        .u64(u64::from(leg.confirmations))
}
