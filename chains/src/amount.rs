//! Amounts: whole numbers of an asset's smallest unit.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An amount of some asset in its smallest unit (satoshi, litoshi, wei, token unit). Up to 2^128 − 1, which is more than
/// the whole supply of every asset Photon handles; larger `uint256` values are refused where they are parsed.
///
/// In JSON an amount is a decimal string (`"150000"`), never a number: JSON numbers lose digits above 2^53.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Empty, signed, with an exponent, a comma, a space or another character that is not a digit or one dot.
    #[error("an amount is written with digits and at most one dot, such as 0.25")]
    NotANumber,
    /// More digits after the dot than the asset has.
    #[error("this asset has {decimals} decimals, so write at most that many digits after the dot")]
    TooPrecise {
        /// Digits after the dot that the asset has.
        decimals: u8,
    },
    /// Above 2^128 − 1 smallest units.
    #[error("the amount is too large")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// The largest amount that can be named.
    pub const MAX: Amount = Amount(u128::MAX);

    /// From smallest units.
    pub const fn from_units(units: u128) -> Self {
        Self(units)
    }

    /// In smallest units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// In smallest units, if it fits 64 bits (satoshi amounts always do).
    pub fn to_u64(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// True for nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or nothing where it would not fit.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// The difference, or nothing where it would be negative.
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// The product, or nothing where it would not fit.
    pub fn checked_mul(self, factor: u128) -> Option<Amount> {
        self.0.checked_mul(factor).map(Amount)
    }

    /// Reads a decimal in whole coins (`0.25`) for an asset with that many decimals. Refuses signs, exponents, commas,
    /// spaces, and digits that the asset can't hold.
    pub fn parse_coins(text: &str, decimals: u8) -> Result<Amount, AmountError> {
        let (whole, part) = match text.split_once('.') {
            Some((whole, part)) if !part.is_empty() => (whole, part),
            Some(_) => return Err(AmountError::NotANumber),
            None => (text, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|c| c.is_ascii_digit()) {
            return Err(AmountError::NotANumber);
        }
        if part.len() > usize::from(decimals) {
            return Err(AmountError::TooPrecise { decimals });
        }
        let zeros = "0".repeat(usize::from(decimals) - part.len());
        parse_units(&format!("{whole}{part}{zeros}"))
    }

    /// In whole coins, without needless zeros: `Amount::from_units(25_000_000).coins(8)` shows `0.25`.
    pub fn coins(self, decimals: u8) -> String {
        let width = usize::from(decimals) + 1;
        let digits = format!("{:0>width$}", self.0);
        let (whole, part) = digits.split_at(digits.len() - usize::from(decimals));
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    }
}

fn parse_units(text: &str) -> Result<Amount, AmountError> {
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(AmountError::NotANumber);
    }
    text.parse::<u128>().map(Amount).map_err(|_| AmountError::TooLarge)
}

impl FromStr for Amount {
    type Err = AmountError;
    /// Smallest units, digits only.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        parse_units(text)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.0)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn coins_are_read_as_a_person_writes_them() {
        assert_eq!(Amount::parse_coins("0.25", 8), Ok(Amount(25_000_000)));
        assert_eq!(Amount::parse_coins("21000000", 8), Ok(Amount(2_100_000_000_000_000)));
        assert_eq!(Amount::parse_coins("1", 18), Ok(Amount(10u128.pow(18))));
        assert_eq!(Amount::parse_coins("7", 0), Ok(Amount(7)));
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.2.3", "١"] {
            assert_eq!(Amount::parse_coins(bad, 8), Err(AmountError::NotANumber), "{bad:?}");
        }
        assert_eq!(Amount::parse_coins("0.123456789", 8), Err(AmountError::TooPrecise { decimals: 8 }));
        assert_eq!(Amount::parse_coins(&"9".repeat(60), 18), Err(AmountError::TooLarge));
        for bad in ["1.0", "", "-1", "340282366920938463463374607431768211456"] {
            assert!(serde_json::from_value::<Amount>(serde_json::json!(bad)).is_err());
        }
        assert!(serde_json::from_str::<Amount>("5").is_err(), "a JSON number loses digits");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(units: u128, decimals in 0u8..=30) {
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse_coins(&amount.coins(decimals), decimals), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }
    }
}
