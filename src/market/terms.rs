//! What is asked of a market, and what it says of a pair.

use super::Price;
use crate::assets::KnownAsset;
use photon_chains::{Amount, Asset};
use serde::{Deserialize, Serialize};

/// A wish for a quote: both assets as the maker sees them, and one of the amounts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What the maker gives.
    pub give: Asset,
    /// What the maker wants.
    pub want: Asset,
    /// Which amount is fixed.
    pub amount: Side,
}

/// Which amount is fixed; the other follows from the price.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// So much is given.
    Give(Amount),
    /// So much is wanted.
    Want(Amount),
}

/// A pair as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairState {
    /// What is given.
    pub give: KnownAsset,
    /// What is wanted.
    pub want: KnownAsset,
    /// The price in the middle, if there is one.
    pub price: Option<Price>,
    /// Why there is none.
    pub trouble: Option<String>,
    /// The least that is given.
    pub min: Amount,
    /// The most that is given.
    pub max: Amount,
    /// The fee, in hundredths of a percent.
    pub fee_bps: u32,
    /// Everything that is put over the price, in millionths.
    pub spread_ppm: u64,
    /// How long a quote stands, in seconds.
    pub ttl_secs: u64,
}
