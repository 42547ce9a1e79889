//! Pairs, quotes, and the three messages of an agreement, for programs that hold keys of their own.

use super::AssetAmount;
use super::terms::{AgreedTerms, TakerHalf};
use photon_chains::{Address, Amount, UnixTime};
use photon_swap::{Take, Terms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pair that we quote, in one direction, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairView {
    /// The asset that we give, by symbol.
    pub give: String,
    /// The asset that we want for it, by symbol.
    pub want: String,
    /// Whole coins of `want` for one whole coin of `give`, in the middle of the market; absent while there is no price.
    #[schema(example = "0.052")]
    pub price: Option<String>,
    /// Why there is no price.
    pub trouble: Option<String>,
    /// The least that is given, in smallest units.
    #[schema(value_type = String, example = "150000")]
    pub min: Amount,
    /// The most that is given in one swap, in smallest units.
    #[schema(value_type = String, example = "150000")]
    pub max: Amount,
    /// Our fee, in hundredths of a percent.
    pub fee_bps: u32,
    /// Everything that is put over the price, in millionths: fee, margin, and the worth of the taker's right to walk away.
    pub spread_ppm: u64,
    /// How long a quote stands, in seconds.
    pub ttl_secs: u64,
}

/// A wish for a quote: two assets and one of the amounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuote {
    /// What the maker gives, by symbol.
    pub give: String,
    /// What the maker wants, by symbol.
    pub want: String,
    /// So much is given, in smallest units; or name `want_amount`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "150000")]
    pub give_amount: Option<Amount>,
    /// So much is wanted, in smallest units; or name `give_amount`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "150000")]
    pub want_amount: Option<Amount>,
    /// Ask this maker (`0x…@host:port`, or the alias or identity of a known peer) rather than ourselves; what it answers may be taken by
    /// `POST /v1/swaps` while it stands.
    #[serde(default)]
    pub peer: Option<String>,
}

/// A quote: an offer that stands for seconds and is taken at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuoteView {
    /// Its id, 64 hex digits: the offer that a swap is started on.
    pub id: String,
    /// The maker's identity.
    #[schema(value_type = String)]
    pub maker: Address,
    /// What the maker gives.
    pub give: AssetAmount,
    /// What the maker wants for it.
    pub want: AssetAmount,
    /// The last second in which it may be taken, unix seconds.
    #[schema(value_type = u64)]
    pub valid_until: UnixTime,
    /// What makes it different from another of the same, 32 hex digits: part of what `id` is the hash of.
    pub salt: String,
    /// The maker's signature on it (EIP-712), 130 hex digits.
    pub signature: String,
}

/// The taker's half of a swap, signed: for programs that hold keys of their own. The taker is the Initiator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProposal {
    /// What is signed: a digest of all its fields (`photon_swap::Take::digest`).
    #[schema(value_type = TakerHalf)]
    pub take: Take,
    /// The taker's signature on it (EIP-712), 130 hex digits.
    pub signature: String,
}

/// The terms that we propose. They bind nobody and reserve nothing before they are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// The swap's id: the hash of its terms.
    pub swap: String,
    /// The terms, to be checked figure by figure (`photon_swap::verify_draft` does) before they are signed.
    #[schema(value_type = AgreedTerms)]
    pub terms: Terms,
    /// Our signature on them (EIP-712), 130 hex digits.
    pub signature: String,
}

/// The taker agrees to proposed terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAcceptance {
    /// The swap's id, 64 hex digits.
    pub swap: String,
    /// The taker's signature on the terms (EIP-712), 130 hex digits.
    pub signature: String,
}

/// A swap that both have signed: durable here, its reserves locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptanceView {
    /// The swap's id, 64 hex digits.
    pub swap: String,
}
