//! What the two sides say to each other. Signatures are 65 bytes in hex.

use crate::market::Ask;
use photon_swap::{Offer, SwapId, Take, Terms};
use serde::{Deserialize, Serialize};

/// Kinds of request.
pub(super) const OFFERS: &str = "offers";
pub(super) const QUOTE: &str = "quote";
pub(super) const TAKE: &str = "take";
pub(super) const ACCEPT: &str = "accept";

/// The most offers in one answer.
pub(super) const MOST_OFFERS: usize = 100;

/// Asks for the open offers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskOffers {}

/// An offer and the maker's signature on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedOffer {
    pub(crate) offer: Offer,
    #[serde(with = "signature")]
    pub(crate) signature: Vec<u8>,
}

/// The open offers, newest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offers {
    pub offers: Vec<SignedOffer>,
}

/// Asks for a short quote on a pair.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskQuote {
    pub ask: Ask,
}

/// The taker's half of the terms, signed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskTake {
    pub(crate) take: Take,
    #[serde(with = "signature")]
    pub(crate) signature: Vec<u8>,
}

/// The terms that the maker proposes, signed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proposal {
    pub(crate) terms: Terms,
    #[serde(with = "signature")]
    pub(crate) signature: Vec<u8>,
}

/// The taker accepts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskAccept {
    pub(crate) swap: SwapId,
    #[serde(with = "signature")]
    pub(crate) signature: Vec<u8>,
}

/// The maker has saved both signatures.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    pub swap: SwapId,
}

mod signature {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() == 65);
        bytes.ok_or_else(|| serde::de::Error::custom("a signature is 130 hex digits"))
    }
}
