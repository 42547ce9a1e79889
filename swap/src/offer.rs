//! What a maker offers, and what a taker answers.

use crate::ids::{OfferId, Salt};
use crate::sign::{text_word, typed_digest};
use photon_chains::{Address, Amount, Asset, Canon, Hash32, Party, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// So much of an asset.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
}

/// A maker's word: "I give this for that, until then". The taker is the Initiator, so that a maker never locks first for a
/// stranger: Alpha is what the maker wants, Beta what it gives.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Hash of all that follows.
    pub id: OfferId,
    /// Identity of the maker, whose signature over [`Offer::digest`] goes with it.
    pub maker: Address,
    /// What the maker gives and the taker receives.
    pub give: Money,
    /// What the maker wants and the taker pays.
    pub want: Money,
    /// The last second in which it may be taken.
    pub valid_until: UnixTime,
    /// Random: two offers of the same are two offers.
    pub salt: Salt,
}

/// Why an offer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Its id is not the hash of what it says.
    #[error("the offer's id does not match what it says: ask the maker for it again")]
    WrongId,
    /// It gives or wants nothing.
    #[error("the offer gives or wants nothing")]
    NoAmount,
    /// It gives what it wants.
    #[error("the offer gives the asset that it wants")]
    SameAsset,
    /// Too late.
    #[error("the offer has expired: ask for a new one")]
    Expired,
}

impl Offer {
    /// Writes an offer.
    pub fn new(maker: Address, give: Money, want: Money, valid_until: UnixTime, salt: Salt) -> Self {
        let unnamed = Self { id: OfferId::from_bytes([0; 32]), maker, give, want, valid_until, salt };
        Self { id: unnamed.computed_id(), ..unnamed }
    }

    /// What the maker signs: an EIP-712 digest of `Offer(bytes32 offer)` in Photon's domain, over what the offer says,
    /// whatever id it carries.
    pub fn digest(&self) -> Hash32 {
        typed_digest("Offer(bytes32 offer)", &[*self.computed_id().as_bytes()])
    }

    /// What the maker signs so that others may tell of the offer: an EIP-712 digest of `Notice(bytes32 offer,string at,uint64 until)`, over
    /// what the offer says, where its maker answers, and until when it may be told.
    pub fn notice_digest(&self, at: &str, until: UnixTime) -> Hash32 {
        let mut last = [0; 32];
        last[24..].copy_from_slice(&until.secs().to_be_bytes());
        typed_digest("Notice(bytes32 offer,string at,uint64 until)", &[*self.computed_id().as_bytes(), text_word(at), last])
    }

    /// Refuses what can't be an offer, or is none any more at that time.
    pub fn check(&self, now: UnixTime) -> Result<(), OfferError> {
        if self.id != self.computed_id() {
            return Err(OfferError::WrongId);
        }
        if self.give.amount.is_zero() || self.want.amount.is_zero() {
            return Err(OfferError::NoAmount);
        }
        if self.give.asset == self.want.asset {
            return Err(OfferError::SameAsset);
        }
        if now > self.valid_until {
            return Err(OfferError::Expired);
        }
        Ok(())
    }

    fn computed_id(&self) -> OfferId {
        let head = Canon::tagged("photon/offer/1").bytes(self.maker.as_bytes());
        let all = canon_money(canon_money(head, &self.give), &self.want).u64(self.valid_until.secs()).bytes(self.salt.as_bytes());
        OfferId::from_bytes(Sha256::digest(all.finish()).into())
    }
}

/// What the taker sends to take an offer: its own half of the terms.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// Which offer.
    pub offer: OfferId,
    /// Identity of the taker, whose signature over [`Take::digest`] goes with it.
    pub taker: Address,
    /// The taker's salt, from which it derives its secret and keys.
    pub salt: Salt,
    /// Of the taker's secret, never used before.
    pub secret_hash: SecretHash,
    /// Who takes Alpha back.
    pub alpha_refundee: Party,
    /// Who redeems Beta.
    pub beta_redeemer: Party,
    /// How long the taker may be away, in seconds.
    pub offline_secs: u64,
}

impl Take {
    /// What the taker signs: an EIP-712 digest of `Take(bytes32 take)` in Photon's domain, over the hash of every field.
    pub fn digest(&self) -> Hash32 {
        let head = Canon::tagged("photon/take/1")
            .bytes(self.offer.as_bytes())
            .bytes(self.taker.as_bytes())
            .bytes(self.salt.as_bytes())
            .bytes(self.secret_hash.as_bytes());
        let all = canon_party(canon_party(head, &self.alpha_refundee), &self.beta_redeemer).u64(self.offline_secs);
        typed_digest("Take(bytes32 take)", &[Sha256::digest(all.finish()).into()])
    }
}

fn canon_money(out: Canon, money: &Money) -> Canon {
    out.text(&money.asset.to_string()).u128(money.amount.units())
}

fn canon_party(out: Canon, party: &Party) -> Canon {
    match party {
        Party::Key(key) => out.u8(1).bytes(key.as_bytes()),
        Party::Account(address) => out.u8(2).bytes(address.as_bytes()),
    }
}
