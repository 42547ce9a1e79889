//! The sixteen swaps.

use super::stage::TOKEN;
use photon_chains::{Amount, Ledger};

/// Who makes the offer that Alice takes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Bob,
    /// Killed for good once Alice has funded.
    Carol,
}

/// What is special about a swap.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The maker is killed for good.
    MakerGone,
    /// Alice is killed with both legs funded, and started again.
    AliceKilled,
}

/// One planned swap. Amounts are in smallest units.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub maker: Maker,
    pub pay: (String, Amount),
    pub get: (String, Amount),
    pub fault: Fault,
}

/// The 12 ordered pairs, two with the token, and the two with a fault.
pub(super) fn plan() -> Vec<Planned> {
    let swap = |maker, pay: &str, get: &str, fault| Planned {
        maker,
        pay: (pay.to_owned(), amount(pay)),
        get: (get.to_owned(), amount(get)),
        fault,
    };
    let tickers = Ledger::ALL.map(Ledger::ticker);
    let mut all: Vec<Planned> = tickers
        .iter()
        .flat_map(|pay| tickers.iter().map(move |get| (pay, get)))
        .filter(|(pay, get)| pay != get)
        .map(|(pay, get)| swap(Maker::Bob, pay, get, Fault::None))
        .collect();
    all.push(swap(Maker::Bob, "BTC", TOKEN, Fault::None));
    all.push(swap(Maker::Bob, TOKEN, "LTC", Fault::None));
    all.push(swap(Maker::Carol, "ETH", "SMT", Fault::MakerGone));
    all.push(swap(Maker::Bob, "LTC", "ETH", Fault::AliceKilled));
    all
}

/// About the same worth of each, so that the sheet reads easily.
fn amount(asset: &str) -> Amount {
    Amount::from_units(match asset {
        "BTC" => 1_000_000,
        "LTC" => 50_000_000,
        "ETH" => 300_000_000_000_000_000,
        "SMT" => 2_000_000_000_000_000_000_000,
        _ => 900_000_000_000_000_000_000,
    })
}
