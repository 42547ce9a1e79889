//! Stand before a node: one to be as strict as SMT's real one, one to be as bad as a node can be.

pub mod faults;
mod rules;
mod smt;

pub use faults::{Fault, FaultProxy};
pub use smt::SmtProxy;
