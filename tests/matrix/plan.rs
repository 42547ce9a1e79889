//! What is tried: every point that a swap was seen to pass, each way of dying there.

use crate::seat::Who;
use photon_chains::{Family, Ledger};
use std::collections::BTreeMap;

/// A point, and at which passing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub name: String,
    pub nth: u64,
}

impl Point {
    pub fn new(name: &str, nth: u64) -> Self {
        Self { name: name.to_owned(), nth }
    }
}

/// How somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// Is killed there, and started again.
    Alone,
    /// The other one is killed at the same time.
    Both,
    /// Is killed again soon after: at the same point, or at the so many-th that it passes in its second life.
    Twice(u64),
    /// A node of its own is down when it comes back, for a while.
    NodeDown(Leg),
}

impl Death {
    /// In the table of what came of it.
    pub const fn word(self) -> &'static str {
        match self {
            Death::Alone => "alone",
            Death::Both => "both",
            Death::Twice(_) => "twice",
            Death::NodeDown(_) => "node down",
        }
    }
}

/// A leg of the swap, for its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    Alpha,
    Beta,
}

/// What becomes of the swap if nobody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tale {
    /// Both are there: it is completed.
    Kept,
    /// Alice is gone from the moment when she would reveal until Bob's refund is open: it is refunded.
    Left,
    /// Miners pass the funding of that leg by until it is useless, and for a while longer: where transactions can be replaced
    /// it is cancelled, elsewhere it is mined late and refunded. (THREATS C14)
    Stuck(Leg),
}

/// Every tale that can be told of these. On an EVM chain nobody's funding is stuck, for there its ledger ends it by `lock_by`.
pub fn tales(assets: Assets) -> impl Iterator<Item = Tale> {
    let stuck = [(assets.0, Leg::Alpha), (assets.1, Leg::Beta)].into_iter();
    let stuck = stuck.filter(|(asset, _)| ledger(asset).family() == Family::Utxo).map(|(_, leg)| Tale::Stuck(leg));
    [Tale::Kept, Tale::Left].into_iter().chain(stuck)
}

/// What Alice pays and what she gets.
pub type Assets = (&'static str, &'static str);

/// Who is killed where, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    pub who: Who,
    pub point: Point,
    pub death: Death,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Case {
    pub assets: Assets,
    pub tale: Tale,
    /// None: nobody is killed, and the points are only noted.
    pub kill: Option<Kill>,
}

impl Case {
    pub fn asset(&self, leg: Leg) -> &'static str {
        match leg {
            Leg::Alpha => self.assets.0,
            Leg::Beta => self.assets.1,
        }
    }

    /// The chain of that leg.
    pub fn ledger(&self, leg: Leg) -> Ledger {
        ledger(self.asset(leg)).chain()
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{} {:?}", self.assets.0, self.assets.1, self.tale)?;
        match &self.kill {
            None => f.write_str(", nobody is killed"),
            Some(Kill { who, point: Point { name, nth }, death }) => {
                write!(f, " {death:?} {} at {name} #{nth}", who.role())
            }
        }
    }
}

pub fn ledger(asset: &str) -> Ledger {
    match asset {
        "BTC" => Ledger::Bitcoin,
        "LTC" => Ledger::Litecoin,
        "SMT" => Ledger::Smt,
        "ETH@channel" => Ledger::EthereumChannel,
        "SMT@channel" => Ledger::SmtChannel,
        _ => Ledger::Ethereum,
    }
}

/// Whether a leg lies in a payment channel.
pub fn is_over_channels(assets: Assets) -> bool {
    [assets.0, assets.1].into_iter().any(|asset| ledger(asset).is_channel())
}

/// How much of an asset is swapped, in smallest units: worth its redeem also while the fees that these swaps bid up last.
pub fn amount(asset: &str) -> u128 {
    match asset {
        "BTC" => 2_000_000,
        "LTC" => 10_000_000,
        "ETH" => 100_000_000_000_000_000,
        "SMT" => 200_000_000_000_000_000_000,
        // Small, since many go one after the other through one channel.
        "ETH@channel" => 10_000_000_000_000_000,
        "SMT@channel" => 20_000_000_000_000_000_000,
        _ => 30_000_000_000_000_000_000,
    }
}

/// Whether a point is passed for the sake of a leg in a channel: its engine's, and where the swap tells it what to do.
pub fn is_of_channels(point: &Point) -> bool {
    ["channel", "ensure."].iter().any(|part| point.name.contains(part))
}

/// Housekeeping by this machine's clock, which belongs to no swap and does not come in every run.
const OF_NO_SWAP: [&str; 2] = ["expire_offers", "forget_void_swaps"];

/// The points of a trace. One that is passed again and again is met once, for the second passing finds the same facts as the
/// first; but where the name does not say what is sent, each of the first passings is another thing.
pub fn points(trace: &[String]) -> Vec<Point> {
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for name in trace.iter().filter(|name| !OF_NO_SWAP.iter().any(|housekeeping| name.contains(housekeeping))) {
        *times.entry(name).or_default() += 1;
    }
    let most = |name: &str| match name {
        "send.before.evm" | "send.after.evm" | "message.written" => 3,
        _ => 1,
    };
    times.into_iter().flat_map(|(name, times)| (1..=times.min(most(name))).map(|nth| Point::new(name, nth))).collect()
}
