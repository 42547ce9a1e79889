//! What travels: an offer, where its maker answers, and until when that may be told, all signed by the maker.

use crate::keys::{self, Signature, Wallet};
use crate::peer::PeerAddress;
use photon_chains::UnixTime;
use photon_swap::Offer;
use serde::{Deserialize, Serialize};

/// So long a notice may be told at most: what was cancelled or taken meanwhile is forgotten soon everywhere.
pub(super) const TOLD_SECS: u64 = 600;
/// Clocks may differ by that.
const SKEW_SECS: u64 = 120;
/// The longest that an offer stands.
const LONGEST_OFFER_SECS: u64 = 7 * 24 * 3600;

/// An offer as nodes tell each other of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The offer.
    pub offer: Offer,
    /// Where its maker answers.
    pub at: PeerAddress,
    /// Told no more after that.
    pub until: UnixTime,
    /// The maker's, over all of it.
    #[serde(with = "signature")]
    signature: [u8; 65],
}

/// Why a notice is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Its time is over: whoever told of it may have been a little late.
    #[error("its time is over")]
    Over,
    /// Nobody honest tells such a thing.
    #[error("it can't be what its maker said")]
    Forged,
}

impl Notice {
    /// Tells of an offer of our own.
    pub(super) fn of(offer: Offer, at: PeerAddress, now: UnixTime, wallet: &Wallet) -> Self {
        let until = now.plus_secs(TOLD_SECS).min(offer.valid_until);
        let digest = offer.notice_digest(&at.to_string(), until);
        Self { offer, signature: *wallet.sign(digest.as_bytes()).as_bytes(), at, until }
    }

    /// Refuses what its maker did not say, or not for now.
    pub(super) fn check(&self, now: UnixTime) -> Result<(), Unfit> {
        let Self { offer, at, until, signature } = self;
        let is_right = at.identity() == offer.maker
            && *until <= offer.valid_until
            && *until <= now.plus_secs(TOLD_SECS + SKEW_SECS)
            && offer.valid_until <= now.plus_secs(LONGEST_OFFER_SECS + SKEW_SECS);
        if !is_right {
            return Err(Unfit::Forged);
        }
        if *until < now {
            return Err(Unfit::Over);
        }
        offer.check(now).map_err(|_| Unfit::Forged)?;
        let digest = offer.notice_digest(&at.to_string(), *until);
        keys::verify(offer.maker, digest.as_bytes(), &Signature::from_bytes(*signature)).map_err(|_| Unfit::Forged)
    }
}

mod signature {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8; 65], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 65], D::Error> {
        let text = String::deserialize(d)?;
        let mut bytes = [0; 65];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| serde::de::Error::custom("a signature is 130 hex digits"))?;
        Ok(bytes)
    }
}
