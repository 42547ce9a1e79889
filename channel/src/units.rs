//! Amounts and counters of a channel, each of the width that its contract gives it.

use photon_chains::Amount;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An amount in a channel: whole smallest units below 2^96 (`uint96`), which no sum of a channel exceeds.
///
/// In JSON it is a decimal string, like every amount.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Units(u128);

/// A number does not fit the width that the contract gives it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number does not fit the {bits} bits that the contract gives it")]
pub struct TooWide {
    /// Bits that there are.
    pub bits: u32,
}

impl Units {
    /// Nothing.
    pub const ZERO: Units = Units(0);
    /// The largest amount a channel can name.
    pub const MAX: Units = Units((1 << 96) - 1);

    /// From smallest units; none at 2^96 or above.
    pub const fn new(units: u128) -> Option<Self> {
        if units <= Self::MAX.0 { Some(Self(units)) } else { None }
    }

    /// In smallest units.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// In smallest units, signed, for sums of what came in and what went out. Always fits.
    pub const fn signed(self) -> i128 {
        self.0 as i128
    }

    /// From a signed sum; none where it is negative or too wide.
    pub fn from_signed(units: i128) -> Option<Self> {
        u128::try_from(units).ok().and_then(Self::new)
    }

    /// True for nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or none where it does not fit.
    pub const fn checked_add(self, other: Units) -> Option<Units> {
        // Both are below 2^96, so the sum fits 128 bits.
        Self::new(self.0 + other.0)
    }

    /// The difference, or none where it would be negative.
    pub const fn checked_sub(self, other: Units) -> Option<Units> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The difference, at least nothing.
    pub const fn saturating_sub(self, other: Units) -> Units {
        Self(self.0.saturating_sub(other.0))
    }
}

impl TryFrom<Amount> for Units {
    type Error = TooWide;
    fn try_from(amount: Amount) -> Result<Self, TooWide> {
        Self::new(amount.units()).ok_or(TooWide { bits: 96 })
    }
}

impl From<Units> for Amount {
    fn from(units: Units) -> Amount {
        Amount::from_units(units.0)
    }
}

impl From<u64> for Units {
    fn from(units: u64) -> Self {
        Self(u128::from(units))
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let amount = Amount::deserialize(d)?;
        Units::try_from(amount).map_err(serde::de::Error::custom)
    }
}

/// Which update of one direction: the first is 1, and each next one is one more. Zero stands for *none yet*.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

impl Nonce {
    /// No update yet.
    pub const NONE: Nonce = Nonce(0);
    /// The last one that a lock can be named by (48 bits): no channel lives to see it.
    pub const LAST: Nonce = Nonce((1 << 48) - 1);

    /// The one after; none after the last.
    pub fn next(self) -> Option<Nonce> {
        (self < Self::LAST).then_some(Nonce(self.0 + 1))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_fits_96_bits_or_is_refused() {
        assert_eq!(Units::new(1 << 96), None);
        assert_eq!(Units::MAX.checked_add(Units::from(1)), None);
        assert_eq!(Units::ZERO.checked_sub(Units::from(1)), None);
        assert_eq!(Units::from_signed(-1), None);
        assert_eq!(Units::try_from(Amount::from_units(1 << 96)), Err(TooWide { bits: 96 }));
        assert_eq!(Units::new(5).map(Units::signed), Some(5));
    }

    #[test]
    fn after_the_last_nonce_there_is_none() {
        assert_eq!(Nonce::NONE.next(), Some(Nonce(1)));
        assert_eq!(Nonce::LAST.next(), None);
    }
}
