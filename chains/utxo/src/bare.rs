//! The pure parts, for benches and for fuzzing: what reads a stranger's bytes, and what builds ours. Not for programs.
#![allow(missing_docs)]

pub use crate::decode::{block, transaction};
pub use crate::params::params_of;
pub use crate::script::{classify, secret_candidates};
pub use crate::tracker::{Place, Tracker};
pub use crate::tx::{Locked, Spending, public_key, redeem, refund};
