//! `[[market]]` and `[maker]`: what a maker quotes, and how much of it strangers may tie up.

use super::ConfigError;
use crate::market::Price;
use crate::web::Site;
use serde::Deserialize;
use std::path::PathBuf;

/// One pair that is quoted, in one direction.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketConfig {
    /// The asset we give, by symbol.
    pub give: String,
    /// The asset we want for it, by symbol.
    pub want: String,
    /// Whole coins of `want` for one whole coin of `give`, in the middle of the market: fixed here ...
    pub price: Option<String>,
    /// ... or the first line of this file, ...
    pub price_file: Option<PathBuf>,
    /// ... or the answer from there: https, or http on this machine, without redirects ...
    pub price_url: Option<String>,
    /// ... in which this JSON pointer (RFC 6901) names it; without one the answer is the price.
    pub price_pointer: Option<String>,
    /// The certificate authority of `price_url`, a PEM file; absent: those that this system trusts.
    pub price_ca_file: Option<PathBuf>,
    /// A price below that is not believed.
    pub price_min: Option<String>,
    /// A price above that is not believed.
    pub price_max: Option<String>,
    /// A price older than that is none, in seconds.
    #[serde(default = "default_max_age_secs")]
    pub max_age_secs: u64,
    /// The least that is given, in whole coins.
    pub min: String,
    /// The most that is given in one swap, in whole coins.
    pub max: String,
    /// Our fee, in hundredths of a percent.
    #[serde(default)]
    pub fee_bps: u32,
    /// What we want to earn over that, in hundredths of a percent.
    #[serde(default)]
    pub margin_bps: u32,
    /// How much the price moves in a year, in percent: the taker's right to walk away is priced by it.
    #[serde(default = "default_volatility")]
    pub volatility_percent: u32,
    /// How long a quote stands, in seconds: 1 to 60.
    #[serde(default = "default_ttl_secs")]
    pub ttl_secs: u64,
}

/// `[maker]`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakerConfig {
    /// Live swaps with one stranger. Peers that were given a name are no strangers.
    #[serde(default = "default_stranger_swaps")]
    pub stranger_swaps: usize,
    /// Swaps that strangers agreed to and did not pay in yet, of all of them together.
    #[serde(default = "default_strangers_unpaid")]
    pub strangers_unpaid: usize,
}

impl Default for MakerConfig {
    fn default() -> Self {
        Self { stranger_swaps: default_stranger_swaps(), strangers_unpaid: default_strangers_unpaid() }
    }
}

const fn default_max_age_secs() -> u64 {
    30
}

const fn default_volatility() -> u32 {
    80
}

const fn default_ttl_secs() -> u64 {
    20
}

const fn default_stranger_swaps() -> usize {
    16
}

const fn default_strangers_unpaid() -> usize {
    256
}

/// The most that fee and margin may be together.
const MOST_BPS: u32 = 5_000;

pub(super) fn check(markets: &[MarketConfig]) -> Result<(), ConfigError> {
    for (number, market) in markets.iter().enumerate() {
        let unfit = |reason: &str| Err(ConfigError::Unfit(format!("[[market]] {} → {}: {reason}", market.give, market.want)));
        let twice = markets.iter().take(number).any(|other| other.give == market.give && other.want == market.want);
        if market.give == market.want || twice {
            return unfit("a pair has two different assets, and stands here once in each direction");
        }
        let sources = [market.price.is_some(), market.price_file.is_some(), market.price_url.is_some()];
        if sources.iter().filter(|given| **given).count() != 1 {
            return unfit("name one of price, price_file and price_url");
        }
        if market.price_url.as_deref().is_some_and(|url| !is_safe(url)) {
            return unfit(
                "price_url is https://, or http:// on this machine (127.0.0.1, [::1], localhost), without user, password or fragment",
            );
        }
        if market.price_ca_file.is_some() && !market.price_url.as_deref().is_some_and(|url| url.starts_with("https:")) {
            return unfit("price_ca_file goes with a price_url that is https://");
        }
        if market.price.is_none() && (market.price_min.is_none() || market.price_max.is_none()) {
            return unfit("a price from outside needs price_min and price_max: a feed that breaks must not sell everything");
        }
        for price in [&market.price, &market.price_min, &market.price_max].into_iter().flatten() {
            if price.parse::<Price>().is_err() {
                return unfit("write prices as decimals in quotation marks, such as \"0.052\"");
            }
        }
        if !(1..=60).contains(&market.ttl_secs) || !(1..=86_400).contains(&market.max_age_secs) {
            return unfit("ttl_secs is 1 to 60, max_age_secs 1 to 86400");
        }
        if market.fee_bps.saturating_add(market.margin_bps) > MOST_BPS || market.volatility_percent > 1_000 {
            return unfit("fee_bps and margin_bps are at most 5000 together, volatility_percent at most 1000");
        }
    }
    Ok(())
}

fn is_safe(url: &str) -> bool {
    Site::parse(url).is_some_and(|site| site.is_tls() || site.is_here())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(more: &str) -> Result<(), ConfigError> {
        let text = format!("give = \"ETH\"\nwant = \"BTC\"\nmin = \"0.1\"\nmax = \"5\"\n{more}");
        let read: Result<MarketConfig, _> = toml::from_str(&text);
        read.map_err(|error| ConfigError::Unfit(error.to_string())).and_then(|market| check(&[market]))
    }

    #[test]
    fn a_market_has_one_source_and_what_comes_from_outside_has_bounds() {
        assert!(market("price = \"0.05\"").is_ok());
        let bounds = "price_min = \"0.01\"\nprice_max = \"0.1\"";
        assert!(market(&format!("price_url = \"http://127.0.0.1:9/p\"\n{bounds}")).is_ok());
        for bad in [
            "",
            "price = \"0.05\"\nprice_file = \"/p\"",
            "price = 0.05",
            "price = \"five\"",
            "price_file = \"/p\"",
            "price = \"0.05\"\nttl_secs = 61",
            "price = \"0.05\"\nfee_bps = 4000\nmargin_bps = 1001",
            "price = \"0.05\"\ntypo = 1",
        ] {
            assert!(market(bad).is_err(), "{bad}");
        }
        for url in ["https://example.com/p?pair=ETHBTC", "https://10.0.0.7:8443/p", "http://[::1]:9/p", "http://localhost:9/"] {
            assert!(market(&format!("price_url = \"{url}\"\n{bounds}")).is_ok(), "{url}");
        }
        let ca = "price_ca_file = \"/ca.pem\"";
        assert!(market(&format!("price_url = \"https://example.com/p\"\n{ca}\n{bounds}")).is_ok());
        assert!(market(&format!("price_url = \"http://127.0.0.1:9/p\"\n{ca}\n{bounds}")).is_err());
        assert!(market(&format!("price = \"0.05\"\n{ca}")).is_err());
        for url in [
            "http://example.com/p",
            "http://10.0.0.7/p",
            "https://user:password@example.com/p",
            "https://example.com/p#f",
            "ftp://127.0.0.1/p",
            "127.0.0.1",
            "http://127.0.0.1.evil.example/p",
        ] {
            assert!(market(&format!("price_url = \"{url}\"\n{bounds}")).is_err(), "{url}");
        }
    }
}
