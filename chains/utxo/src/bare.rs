//! The pure parts, bare, for benches and fuzzing: what reads a stranger's bytes, and what builds ours. Not for programs.

pub use crate::address::{decode as decode_address, encode as encode_address};
pub use crate::decode::{block, transaction};
pub use crate::rpc::bare::answers;
pub use crate::script::{classify, secret_candidates};
pub use crate::tracker::{Place, Tracker};
pub use crate::tx::{Locked, Spending, public_key, redeem, refund};
