//! What a payment channel is and what must be done next: pure decisions, no input or output.
//!
//! Two parties put money into a contract and pay each other by signed messages, without a transaction for each payment. Each
//! direction has its own **balance proof**: the payer's word how much it has paid in all, and which **locks** (money that is
//! the payee's once a secret is public in time) are pending. Either party can end the channel with the counterparty's latest
//! proof, and the contract divides the money.
//!
//! Where to look:
//!
//! - `key`, `units`, `lock`: which channel, amounts and counters, pending locks and the one hash that commits to all of them.
//! - `eip712`, `proof`, `sign`: the five signed messages, how they are hashed, and how signatures are made and checked.
//! - [`Holdings::split`]: how a channel's money is divided, whatever the proofs say.
//! - [`contract`]: the contract as a pure function: what every call on it does, and what it refuses.
//!
//! Choices rejected:
//!
//! - *A Merkle tree over the locks.* One flat hash over at most [`MOST_LOCKS`] packed entries is cheaper at every size, and
//!   all of them can be unlocked in one call.
//! - *One signed state for both directions.* Then only one side can move at a time. With a proof for each direction both send
//!   at once, and nobody waits for an answer.
//! - *Recovering the signer of every message.* The counterparty's key is known; verifying against it is faster.

mod chain;
mod channel;
mod codec;
pub mod contract;
mod eip712;
mod flow;
mod key;
mod lock;
mod message;
mod proof;
mod seal;
mod sign;
mod split;
mod units;
mod update;

pub use chain::{Moment, OnChain, Registered, Stage, Tip, covers, end_of, is_in_time, is_open};
pub use channel::{Breach, Channel, MOST_DISPOSED, MOST_UNACKED, Refusal, Standing, Stuck, Unacked, Wait};
pub use codec::{Malformed, Reader, Wire};
pub use eip712::{Abi, Digest32, Domain, keccak};
pub use flow::{Change, Fault, Flow, Held, Judge, Link, LockState};
pub use key::{Both, ChannelId, ChannelKey, ChannelRef, Epoch, KeyError, Side, Window};
pub use lock::{Commitment, ENTRY_BYTES, LockError, LockNo, MOST_LOCKS, Pending};
pub use message::{Greeting, Message, Reason, SignedProof};
pub use proof::{BalanceProof, CooperativeClose, Delegation, Disposal, Signed, Withdraw};
pub use seal::Sealed;
pub use sign::{KnownKey, Signature, SignatureError, Signer};
pub use split::{Claim, Holdings, Split};
pub use units::{Nonce, TooWide, Units};
pub use update::{Hop, MOST_HOPS, MOST_OPS, Onward, Op, PaymentId, Update};
