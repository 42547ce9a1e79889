//! What fails in a story, and how often.

/// How bad it is, in percent.
#[derive(Copy, Clone)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub crash: u64,
    pub away: u64,
    pub cut: u64,
    /// A channel is closed by one side alone, as an honest owner may.
    pub close: u64,
    /// Both are asked to close, or money is taken out or paid in.
    pub wish: u64,
    pub reorg: u64,
    pub spike: u64,
    /// A disk is lost, or an old copy put back.
    pub forget: u64,
    /// The chain is out of a party's sight.
    pub dark: u64,
}

impl Faults {
    pub const NONE: Faults = Faults {
        lost: 0,
        doubled: 0,
        reordered: 0,
        crash: 0,
        away: 0,
        cut: 0,
        close: 0,
        wish: 0,
        reorg: 0,
        spike: 0,
        forget: 0,
        dark: 0,
    };
    pub const BAD: Faults = Faults {
        lost: 3,
        doubled: 5,
        reordered: 5,
        crash: 2,
        away: 2,
        cut: 3,
        close: 1,
        wish: 4,
        reorg: 6,
        spike: 4,
        ..Faults::NONE
    };
    /// ... and whoever crashes may forget.
    pub const FORGETFUL: Faults = Faults { forget: 3, ..Faults::BAD };
    /// ... and whoever is there may not see the chain.
    pub const BLIND: Faults = Faults { dark: 8, ..Faults::BAD };

    /// In a word.
    pub fn word(&self) -> &'static str {
        match (self.forget, self.dark) {
            (0, 0) => "bad",
            (0, _) => "blind",
            (_, _) => "forgetful",
        }
    }
}
