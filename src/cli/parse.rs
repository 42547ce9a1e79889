//! What people type, read strictly: amounts of assets and durations.

use super::error::CliError;
use crate::service::{AssetAmount, BalanceView};
use photon_chains::{Amount, IN_CHANNEL, Ledger};

/// A typed amount before the asset's decimals are known: `0.1BTC` is `0.1` of `BTC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    number: String,
    asset: String,
}

/// Why a typed word can't be read. Clap shows it beside the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseError {
    #[error("write the number and the asset, such as 0.1BTC, \"2 ETH\", or 2ETH@channel for what is in channels")]
    Amount,
    #[error("write a number and s, min, h, d or w, such as 90s, 30min, 1h or 2d")]
    Duration,
    #[error("that is too long")]
    TooLong,
    #[error("no such ledger: write bitcoin (BTC), litecoin (LTC), ethereum (ETH) or smt (SMT)")]
    Ledger,
}

impl std::str::FromStr for Typed {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(ParseError::Amount)?;
        let (number, asset) = text.split_at(end);
        let asset = asset.strip_prefix(' ').unwrap_or(asset);
        let name = asset.strip_suffix(IN_CHANNEL).unwrap_or(asset);
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 64
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b':');
        if number.is_empty() || !plain {
            return Err(ParseError::Amount);
        }
        Ok(Self { number: number.to_owned(), asset: asset.to_owned() })
    }
}

impl Typed {
    /// In smallest units, by the decimals of the asset in this list of what the node trades.
    pub(super) fn resolve(&self, known: &[BalanceView]) -> Result<AssetAmount, CliError> {
        let asset = self.find(known)?;
        let amount = Amount::parse_coins(&self.number, asset.decimals)
            .map_err(|error| CliError::Usage(format!("{} {}: {error}", self.number, asset.asset)))?;
        if amount.is_zero() {
            return Err(CliError::Usage(format!("{} {}: the amount is nothing", self.number, asset.asset)));
        }
        Ok(AssetAmount { asset: asset.asset.clone(), amount, coins: Some(amount.coins(asset.decimals)) })
    }

    /// By its exact symbol, or in another case where that is unmistakable.
    fn find<'k>(&self, known: &'k [BalanceView]) -> Result<&'k BalanceView, CliError> {
        if let Some(asset) = known.iter().find(|asset| asset.asset == self.asset) {
            return Ok(asset);
        }
        let mut alike = known.iter().filter(|asset| asset.asset.eq_ignore_ascii_case(&self.asset));
        match (alike.next(), alike.next()) {
            (Some(asset), None) => Ok(asset),
            (None, _) | (Some(_), Some(_)) => {
                let names: Vec<&str> = known.iter().map(|asset| asset.asset.as_str()).collect();
                Err(CliError::Usage(format!("the node trades no {}; it trades {}", self.asset, names.join(", "))))
            }
        }
    }
}

/// Seconds: `90s`, `30min` (or `30m`), `1h`, `2d`, `1w`.
pub(super) fn duration_secs(text: &str) -> Result<u64, ParseError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(ParseError::Duration)?;
    let (number, unit) = text.split_at(end);
    let unit_secs: u64 = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(ParseError::Duration),
    };
    if number.is_empty() {
        return Err(ParseError::Duration);
    }
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_secs)).ok_or(ParseError::TooLong)
}

/// A ledger by its name or its coin's ticker, in any case.
pub(super) fn ledger(text: &str) -> Result<Ledger, ParseError> {
    let meant = |ledger: &Ledger| ledger.name().eq_ignore_ascii_case(text) || ledger.ticker().eq_ignore_ascii_case(text);
    Ledger::ALL.into_iter().find(meant).ok_or(ParseError::Ledger)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn known() -> Vec<BalanceView> {
        [("BTC", 8), ("ETH", 18), ("USDX", 6), ("usdx", 2)]
            .map(|(asset, decimals)| BalanceView {
                asset: asset.to_owned(),
                ledger: Ledger::Ethereum,
                decimals,
                available: Amount::ZERO,
                incoming: Amount::ZERO,
                locked: Amount::ZERO,
                reserved: Amount::ZERO,
                fees_paid: Amount::ZERO,
                trouble: None,
            })
            .to_vec()
    }

    #[test]
    fn amounts_become_smallest_units_of_the_asset_that_is_meant() {
        for (text, asset, units) in [
            ("0.1BTC", "BTC", 10_000_000),
            ("0.1 btc", "BTC", 10_000_000),
            ("2ETH", "ETH", 2_000_000_000_000_000_000),
            ("0.00000001BTC", "BTC", 1),
            ("12.345678USDX", "USDX", 12_345_678),
            ("1.5usdx", "usdx", 150),
        ] {
            let amount = text.parse::<Typed>().unwrap().resolve(&known()).unwrap();
            assert_eq!((amount.asset.as_str(), amount.amount), (asset, Amount::from_units(units)), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for bad in [
            "",
            "BTC",
            "0.1",
            "-1BTC",
            "+1BTC",
            "1,5BTC",
            "1e3",
            "1 000BTC",
            "1  BTC",
            " 1BTC",
            "1BTC ",
            "1€",
            "0x1",
            "1\u{a0}BTC",
        ] {
            let outcome = bad.parse::<Typed>().map_err(|_| ()).and_then(|typed| typed.resolve(&known()).map_err(|_| ()));
            assert!(outcome.is_err(), "{bad:?}");
        }
        for bad in ["1.BTC", ".5BTC", "1.2.3BTC", "0BTC", "0.000000001BTC", "1Usdx", "1DOGE", "1e3BTC"] {
            let error = bad.parse::<Typed>().unwrap().resolve(&known()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
    }

    #[test]
    fn durations_and_ledgers() {
        for (text, secs) in [("90s", 90), ("30min", 1800), ("30m", 1800), ("1h", 3600), ("2d", 172_800), ("1w", 604_800)] {
            assert_eq!(duration_secs(text), Ok(secs));
        }
        for bad in ["", "h", "1", "1.5h", "-1h", "1 h", "1H", "1y"] {
            assert_eq!(duration_secs(bad), Err(ParseError::Duration), "{bad}");
        }
        assert_eq!(duration_secs("99999999999999999999s"), Err(ParseError::TooLong));
        assert_eq!(duration_secs("99999999999999999w"), Err(ParseError::TooLong));
        assert_eq!(
            (ledger("btc"), ledger("Litecoin"), ledger("SMT")),
            (Ok(Ledger::Bitcoin), Ok(Ledger::Litecoin), Ok(Ledger::Smt))
        );
        assert_eq!(ledger("doge"), Err(ParseError::Ledger));
    }
}
