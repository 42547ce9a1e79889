//! What answers look like to people: tables, legs, amounts. Others that show swaps use it too.

use super::ids::short;
use super::times::relative;
use crate::service::{AssetAmount, LegView, SwapView};
use comfy_table::{ContentArrangement, Table, presets};
use photon_chains::{Ledger, UnixTime};

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours and bold headings.
    pub color: bool,
    /// Wrap cells so that no line is wider.
    pub width: Option<u16>,
}

impl Style {
    /// For files and pipes: no colour, one line a row.
    pub const PLAIN: Style = Style { color: false, width: None };

    /// The width of the terminal behind standard output, if it is one.
    pub fn terminal_width() -> Option<u16> {
        Table::new().width()
    }
}

/// What a cell tells besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// It went well.
    Good,
    /// It is going on.
    Busy,
    /// Look here.
    Bad,
    /// Not worth a look.
    Dim,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Without control characters.
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell of any text; what a terminal would obey is taken out.
    pub fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Draws a table. One without rows has its headings only.
pub fn render(headings: &[&str], rows: Vec<Vec<Cell>>, style: Style) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    match style.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(headings.iter().map(|heading| {
        let cell = comfy_table::Cell::new(heading.to_uppercase());
        if style.color { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
    }));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| paint(cell, style)));
    }
    let columns = headings.len();
    for (index, column) in table.column_iter_mut().enumerate() {
        // No gap before the first column; two spaces between any two.
        column.set_padding((0, if index + 1 == columns { 0 } else { 2 }));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn paint(cell: Cell, style: Style) -> comfy_table::Cell {
    let painted = comfy_table::Cell::new(cell.text);
    let color = match cell.tone {
        Tone::Plain => return painted,
        Tone::Good => comfy_table::Color::Green,
        Tone::Busy => comfy_table::Color::Yellow,
        Tone::Bad => comfy_table::Color::Red,
        Tone::Dim => comfy_table::Color::DarkGrey,
    };
    if style.color { painted.fg(color) } else { painted }
}

/// The headings over [`swap_row`].
pub const SWAP_HEADINGS: [&str; 7] = ["swap", "we give → get", "role", "phase", "alpha", "beta", "next"];

/// A swap as one row: its pair, what it is doing, both legs with their confirmations, and the next deadline.
pub fn swap_row(swap: &SwapView, now: UnixTime) -> Vec<Cell> {
    let leg = |index: usize| swap.legs.get(index).map_or_else(|| Cell::from("-"), leg_cell);
    vec![
        Cell::new(short(&swap.id), Tone::Plain),
        pair(swap).into(),
        Cell::new(&swap.role, Tone::Dim),
        Cell::new(&swap.phase, phase_tone(swap)),
        leg(0),
        leg(1),
        next_cell(swap, now),
    ]
}

/// Swaps as a table.
pub fn swaps(swaps: &[SwapView], now: UnixTime, style: Style) -> String {
    render(&SWAP_HEADINGS, swaps.iter().map(|swap| swap_row(swap, now)).collect(), style)
}

/// `0.1 BTC → 2 ETH`: what we give, and what we get for it.
pub fn pair(swap: &SwapView) -> String {
    let side = |ours: bool| {
        let leg = swap.legs.iter().find(|leg| leg.ours == ours);
        leg.map_or_else(|| "?".to_owned(), |leg| amount(&leg.asset_amount))
    };
    format!("{} → {}", side(true), side(false))
}

/// An amount in whole coins where they are known.
pub fn amount(of: &AssetAmount) -> String {
    let native = Ledger::ALL.into_iter().find(|ledger| ledger.ticker() == of.asset);
    let coins = of.coins.clone().or_else(|| native.map(|ledger| of.amount.coins(ledger.decimals())));
    match coins {
        Some(coins) => format!("{coins} {}", of.asset),
        None => format!("{} smallest units of {}", of.amount, of.asset),
    }
}

/// `funded 2/3`: what the ledger shows, and how deep, out of how deep we want it.
pub fn leg_text(leg: &LegView) -> String {
    if leg.depth == 0 { leg.status.clone() } else { format!("{} {}/{}", leg.status, leg.depth, leg.depth_wanted) }
}

fn leg_cell(leg: &LegView) -> Cell {
    let tone = match leg.status.as_str() {
        "redeemed" | "refunded" | "funded" if leg.depth >= leg.depth_wanted => Tone::Good,
        "unknown" => Tone::Bad,
        "absent" => Tone::Dim,
        _ => Tone::Busy,
    };
    Cell::new(leg_text(leg), tone)
}

fn phase_tone(swap: &SwapView) -> Tone {
    match swap.outcome.as_deref() {
        _ if swap.trouble.is_some() => Tone::Bad,
        None => Tone::Busy,
        Some("completed") => Tone::Good,
        Some("lost") => Tone::Bad,
        Some(_) => Tone::Plain,
    }
}

fn next_cell(swap: &SwapView, now: UnixTime) -> Cell {
    if let (Some(outcome), Some(at)) = (&swap.outcome, swap.ended_at) {
        return Cell::new(format!("{outcome} {}", relative(at, now)), phase_tone(swap));
    }
    match (&swap.trouble, &swap.deadline) {
        (Some(trouble), _) => Cell::new(trouble, Tone::Bad),
        (None, Some(deadline)) => format!("{} {}", deadline.what, relative(deadline.at, now)).into(),
        (None, None) => Cell::new("-", Tone::Dim),
    }
}

/// Text without what a terminal would obey: escape sequences, line breaks, and marks that turn the reading direction.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// The same, with its lines kept.
pub(super) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}
