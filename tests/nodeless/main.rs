//! What must hold of the whole program and needs no nodes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_arguments;
mod bench;
mod command_line;
mod deadlines_of_every_pair;
mod the_demo_says_what_is_missing;
mod threats;
mod tidy;
mod what_payments_cost;
mod what_running_swaps_cost;
