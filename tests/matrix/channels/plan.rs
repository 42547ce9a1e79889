//! What is tried: every point that a channel's life was seen to pass, each way of dying there.

use crate::plan::Point;
use photon_chains::Ledger;

/// Who is killed: Alice pays and closes, Bob is between her and Charlie, Charlie is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Alice,
    Bob,
    Charlie,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::Alice, Part::Bob, Part::Charlie];
}

/// What becomes of it if nobody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tale {
    /// Alice pays Bob at once, and he pays her.
    Direct,
    /// Alice pays what Charlie has requested, through Bob.
    Requested,
    /// Charlie holds what Alice has paid through Bob, and shows its secret later.
    Released,
    /// He gives it up instead: it goes back by the way it came.
    GivenUp,
    /// Alice takes it back while he holds it.
    Recalled,
    /// Alice pays more into her channel with Bob.
    Deposited,
    /// She takes some out of it; Bob signs.
    Withdrawn,
    /// She and Bob close together, and open again.
    Together,
    /// Nobody does anything about what Charlie holds until its lock has ended.
    Lapsed,
    /// Bob is gone when Charlie shows the secret: Charlie registers it.
    Registered,
    /// Alice closes alone while Bob holds what she has paid him; he shows its secret, updates, unlocks, and all is settled.
    Alone,
    /// The same, and Alice is gone once it is closed: Bob settles.
    Deserted,
}

impl Tale {
    pub const ALL: [Tale; 12] = [
        Tale::Direct,
        Tale::Requested,
        Tale::Released,
        Tale::GivenUp,
        Tale::Recalled,
        Tale::Deposited,
        Tale::Withdrawn,
        Tale::Together,
        Tale::Lapsed,
        Tale::Registered,
        Tale::Alone,
        Tale::Deserted,
    ];
}

impl Tale {
    /// It waits for a window. Where each point is met once, a run is shared by all parts: each of them dies somewhere else.
    pub const fn is_long(self) -> bool {
        matches!(self, Tale::Alone | Tale::Deserted)
    }
}

/// How somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// Is killed there, and started again.
    Alone,
    /// All three are killed at the same time.
    All,
    /// Is killed again soon after: at the same point, or at the so many-th that it passes in its second life.
    Twice(u64),
    /// Its node is down when it comes back, for a while.
    NodeDown,
}

impl Death {
    /// In the table of what came of it.
    pub const fn word(self) -> &'static str {
        match self {
            Death::Alone => "alone",
            Death::All => "all",
            Death::Twice(_) => "twice",
            Death::NodeDown => "node down",
        }
    }

    /// One of the others than alone, in turn.
    pub const fn other(number: usize) -> Self {
        match number % 3 {
            0 => Death::All,
            1 => Death::Twice(1 + number as u64 % 12),
            _ => Death::NodeDown,
        }
    }
}

/// Who is killed where, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    pub part: Part,
    pub point: Point,
    pub death: Death,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Case {
    pub asset: &'static str,
    pub tale: Tale,
    /// Each of another part. None: nobody is killed, and the points are only noted.
    pub kills: Vec<Kill>,
}

impl Case {
    pub fn ledger(&self) -> Ledger {
        crate::plan::ledger(self.asset)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.asset, self.tale)?;
        if self.kills.is_empty() {
            f.write_str(", nobody is killed")?;
        }
        for Kill { part, point: Point { name, nth }, death } in &self.kills {
            write!(f, " {death:?} {part:?} at {name} #{nth}")?;
        }
        Ok(())
    }
}
