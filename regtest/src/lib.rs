//! Real nodes on one machine: fetched, started, mined, reorged and stopped
pub mod fetch;
mod process;
