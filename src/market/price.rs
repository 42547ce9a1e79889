//! What a maker asks: a price, and what goes over it. Whole numbers only; every rounding is in the maker's favour.

use photon_chains::Amount;
use std::fmt;
use std::str::FromStr;

/// Whole coins of what is wanted, for one whole coin of what is given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Its digits, without the dot.
    digits: u128,
    /// How many of them stand after the dot.
    scale: u32,
}

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not digits with at most one dot, or nothing but zeros.
    #[error("a price is written with digits and at most one dot, such as 0.052, and is more than nothing")]
    NotAPrice,
    /// More digits than any market has.
    #[error("a price has at most {MOST_DIGITS} digits")]
    TooLong,
}

/// Digits that count, and digits after the dot.
const MOST_DIGITS: usize = 18;
/// A million parts.
const MILLION: u128 = 1_000_000;

impl FromStr for Price {
    type Err = PriceError;
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = |digits: &str| digits.bytes().all(|c| c.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(part) || text.ends_with('.') {
            return Err(PriceError::NotAPrice);
        }
        let part = part.trim_end_matches('0');
        if whole.trim_start_matches('0').len() + part.len() > MOST_DIGITS {
            return Err(PriceError::TooLong);
        }
        let digits: u128 = format!("{whole}{part}").parse().map_err(|_| PriceError::TooLong)?;
        let scale = u32::try_from(part.len()).map_err(|_| PriceError::TooLong)?;
        if digits == 0 { Err(PriceError::NotAPrice) } else { Ok(Self { digits, scale }) }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = u8::try_from(self.scale).unwrap_or(u8::MAX);
        f.write_str(&Amount::from_units(self.digits).coins(decimals))
    }
}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let at = |price: &Price, scale: u32| price.digits.saturating_mul(10u128.saturating_pow(scale - price.scale));
        let scale = self.scale.max(other.scale);
        at(self, scale).cmp(&at(other, scale))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A pair of assets at a price: so many digits after the dot each, and so many millionths over the price.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Of what is given, in what is wanted.
    pub price: Price,
    /// Fee, margin and the option's worth together, in millionths.
    pub spread_ppm: u64,
    /// Digits after the dot of what is given.
    pub give_decimals: u8,
    /// Digits after the dot of what is wanted.
    pub want_decimals: u8,
}

impl Rate {
    /// What is wanted for that much given, rounded up. None where it does not fit, or where a figure is beyond reason.
    pub fn want_for(&self, give: Amount) -> Option<Amount> {
        let (up, down) = self.powers();
        let factor = self.asked()?.checked_mul(power(up)?)?;
        mul_div(give.units(), factor, power(down)?, Round::Up).map(Amount::from_units)
    }

    /// What is given for that much, rounded down.
    pub fn give_for(&self, want: Amount) -> Option<Amount> {
        let (up, down) = self.powers();
        let divisor = self.asked()?.checked_mul(power(up)?)?;
        mul_div(want.units(), power(down)?, divisor, Round::Down).map(Amount::from_units)
    }

    /// Digits of the price with the spread on it, in millionths.
    fn asked(&self) -> Option<u128> {
        self.price.digits.checked_mul(MILLION.checked_add(u128::from(self.spread_ppm))?)
    }

    /// want = give * asked * 10^up / 10^down, with one of the two zero.
    fn powers(&self) -> (u32, u32) {
        let up = u32::from(self.want_decimals);
        let down = u32::from(self.give_decimals) + self.price.scale + 6;
        (up.saturating_sub(down), down.saturating_sub(up))
    }
}

fn power(exponent: u32) -> Option<u128> {
    10u128.checked_pow(exponent)
}

enum Round {
    Up,
    Down,
}

/// a * b / c, with all digits in between.
fn mul_div(a: u128, b: u128, c: u128, round: Round) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (high, low) = mul_wide(a, b);
    if high >= c {
        return None;
    }
    // Long division, bit by bit; what is left stays below c.
    let (mut rest, mut quotient) = (high, 0u128);
    for bit in (0..128).rev() {
        let carries = rest >> 127 == 1;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carries || rest >= c {
            rest = rest.wrapping_sub(c);
            quotient |= 1;
        }
    }
    match round {
        Round::Up if rest > 0 => quotient.checked_add(1),
        Round::Up | Round::Down => Some(quotient),
    }
}

/// The product as its upper and lower 128 bits.
fn mul_wide(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
    let low = a0 * b0;
    let (mid_a, mid_b) = (a1 * b0, a0 * b1);
    let middle = (low >> 64) + (mid_a & HALF) + (mid_b & HALF);
    let high = a1 * b1 + (mid_a >> 64) + (mid_b >> 64) + (middle >> 64);
    (high, (middle << 64) | (low & HALF))
}

/// A year, in seconds.
const YEAR_SECS: u128 = 31_557_600;

/// What the taker's free option is worth, in millionths of the amount: it may watch the price until it must reveal, and walk away.
/// About 0.4 σ √τ for a price that moves σ in a year (the worth of an option at the money), rounded up.
pub fn option_ppm(volatility_percent: u32, open_secs: u64) -> u64 {
    // √(τ / year) in millionths.
    let root = (u128::from(open_secs) * MILLION * MILLION / YEAR_SECS).isqrt() + 1;
    u64::try_from((u128::from(volatility_percent) * root * 4).div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rate(price: &str, spread_ppm: u64, give_decimals: u8, want_decimals: u8) -> Rate {
        Rate { price: price.parse().unwrap(), spread_ppm, give_decimals, want_decimals }
    }

    #[test]
    fn prices_are_plain_decimals() {
        for (text, shown) in
            [("0.052", "0.052"), ("15", "15"), ("15.500", "15.5"), ("007", "7"), ("0.000000000000000001", "0.000000000000000001")]
        {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), shown);
        }
        for bad in ["", ".", "1.", ".5", "0", "0.0", "-1", "+1", "1e3", "1,5", " 1", "1.2.3", "1234567890123456789"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
        assert!(
            "0.1".parse::<Price>().unwrap() < "0.11".parse().unwrap() && "10".parse::<Price>().unwrap() > "9.99".parse().unwrap()
        );
    }

    #[test]
    fn amounts_follow_the_price_and_are_rounded_for_the_maker() {
        // 2 ETH at 0.05 BTC each, half a percent over it.
        let eth_for_btc = rate("0.05", 5_000, 18, 8);
        let two = Amount::from_units(2_000_000_000_000_000_000);
        assert_eq!(eth_for_btc.want_for(two), Some(Amount::from_units(10_050_000)));
        assert_eq!(eth_for_btc.give_for(Amount::from_units(10_050_000)), Some(two));
        // One wei more costs one satoshi more.
        assert_eq!(eth_for_btc.want_for(Amount::from_units(2_000_000_000_000_000_001)), Some(Amount::from_units(10_050_001)));
        let btc_for_eth = rate("20", 0, 8, 18);
        assert_eq!(btc_for_eth.want_for(Amount::from_units(1)), Some(Amount::from_units(200_000_000_000)));
        assert_eq!(btc_for_eth.give_for(Amount::from_units(199_999_999_999)), Some(Amount::ZERO));
        assert_eq!(rate("20", 0, 0, 30).want_for(Amount::MAX), None);
        assert_eq!(rate("0.000000000000000001", 0, 30, 0).want_for(Amount::from_units(1)), None);
    }

    #[test]
    fn no_pair_of_amounts_is_better_for_the_taker_than_the_price() {
        let mut seed = 7u128;
        let mut next = || {
            seed = seed.wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15).wrapping_add(0x1405_7b7e_f767_814f);
            seed >> 40
        };
        for _ in 0..2_000 {
            let rate = rate(
                &format!("{}.{}", next() % 1000, 1 + next() % 999_999),
                (next() % 20_000) as u64,
                (next() % 19) as u8,
                (next() % 19) as u8,
            );
            let give = Amount::from_units(next() % 10u128.pow(24));
            let Some(want) = rate.want_for(give) else { continue };
            let Some(back) = rate.give_for(want) else { continue };
            assert!(back >= give, "what is asked for {give} buys at least that: {back}");
            let cheaper = want.checked_sub(Amount::from_units(1)).and_then(|less| rate.give_for(less));
            assert!(cheaper.is_none_or(|got| got < give || give.is_zero()), "{rate:?}: {give} can't be had for less than {want}");
        }
    }

    // G1
    #[test]
    fn the_option_is_priced_as_its_table_says() {
        // σ = 80 %: 0.24 % for 30 min, 0.48 % for 2 h, 0.97 % for 8 h.
        for (secs, ppm) in [(1800, 2_420), (7200, 4_840), (28_800, 9_670)] {
            let worth = option_ppm(80, secs);
            assert!(worth.abs_diff(ppm) <= 20, "{secs} s: {worth}");
        }
        assert!(option_ppm(0, 7200) == 0 && option_ppm(80, 0) > 0 && option_ppm(u32::MAX, u64::MAX) > 0);
    }

    /// A taker that sees the price at the end and completes only when it gains: without the option's worth in the spread the maker
    /// loses all of it; with it, one plain taker for each of that kind is enough for the maker to gain. G1
    #[test]
    fn takers_that_wait_and_walk_away_are_paid_for_by_the_spread() {
        const SWAPS: u32 = 200_000;
        let (volatility, open_secs) = (80u32, 7200u64);
        let sigma = 0.8 * (open_secs as f64 / YEAR_SECS as f64).sqrt();
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut uniform = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as f64 / (1u64 << 53) as f64
        };
        // A sum of twelve is normal enough.
        let mut moves: Vec<f64> = Vec::new();
        moves.resize_with(SWAPS as usize, || (0..12).map(|_| uniform()).sum::<f64>() - 6.0);
        let gain = |spread: f64| {
            let won = moves.iter().map(|z| {
                let price = (sigma * z - sigma * sigma / 2.0).exp();
                // What is given is worth `price` by then; it was sold for 1 + spread. The taker completes only if that is cheap.
                if price > 1.0 + spread { 1.0 + spread - price } else { 0.0 }
            });
            won.sum::<f64>() / f64::from(SWAPS)
        };
        let spread = option_ppm(volatility, open_secs) as f64 / 1e6;
        let (bare, priced) = (gain(0.0), gain(spread));
        assert!(bare < -0.9 * spread, "without it the maker gives away the whole option: {bare}");
        // As many takers who simply want the coins complete whatever the price does, and pay for the others.
        assert!(spread + priced > 0.0, "{spread} earned, {priced} lost");
    }
}
