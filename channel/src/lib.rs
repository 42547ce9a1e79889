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
//! - `update`, `flow`, [`Channel`]: batches of operations under one proof, the one function by which payer and payee change a
//!   direction alike, and one channel as a party keeps it. [`Refusal`] says what happens when something is not taken.
//! - [`Guard`]: every check and margin by name; the simulator shows what each is good for.
//! - [`Node`]: all channels of one account on one chain, payments over several hops, what becomes due with time. It turns
//!   [`Event`]s into rows to be made durable and effects to be let out after.
//! - [`Closing`]: what a party does about a closed channel, by itself.
//! - [`Testimony`]: what neighbours show to one that has forgotten, and what it makes of it.
//! - [`route`]: finding ways through the graph of channels, and what nodes tell each other of it.
//! - [`PaymentRequest`]: what a payee asks for, as a short text.
//!
//! ```mermaid
//! sequenceDiagram
//!   participant P as payer
//!   participant M as mediator
//!   participant R as payee
//!   P->>M: update: lock (hash, way onward, sealed secret)
//!   M->>R: update: lock (durable together with the incoming one)
//!   R->>M: reveal (or dispose: signed away)
//!   M->>R: update: unlock
//!   M->>P: reveal
//!   P->>M: update: unlock
//!   Note over P,R: near a lock's end: pay only on a registration at depth, register what was not paid
//! ```
//!
//! Choices rejected:
//!
//! - *A Merkle tree over the locks.* One flat hash over at most [`MOST_LOCKS`] packed entries is cheaper at every size, and
//!   all of them can be unlocked in one call.
//! - *One signed state for both directions.* Then only one side can move at a time. With a proof for each direction both send
//!   at once, and nobody waits for an answer.
//! - *Asking the payer for the secret.* Whoever knows a hash could ask, and veto a payment by asking wrongly. The payee has the
//!   secret from its own request, sealed with the lock, or from its owner, and shows it to its neighbour alone.
//! - *A log that is replayed.* What is durable is rows, written as they change; a restart reads the pending ones.
//! - *Recovering the signer of every message.* The counterparty's key is known; verifying against it is faster.

mod bech32;
mod chain;
mod channel;
mod codec;
pub mod contract;
mod counterparty;
mod dispute;
mod eip712;
mod flow;
mod guard;
mod key;
mod lock;
mod message;
mod node;
mod payment_request;
mod proof;
mod remind;
pub mod route;
mod seal;
mod sign;
mod split;
#[cfg(feature = "switches")]
mod toy;
mod units;
mod update;

pub use bech32::TextError;
pub use chain::{Moment, OnChain, Registered, Stage, Tip, covers, end_of, is_in_time, is_open};
pub use channel::{Breach, Channel, Grant, Leaving, MOST_DISPOSED, MOST_UNACKED, Refusal, Standing, Stuck, Unacked, Wait};
pub use codec::{Malformed, Reader, Wire};
pub use counterparty::Counterparty;
pub use dispute::{Closing, Unlocking};
pub use eip712::{Abi, Digest32, Domain, keccak};
pub use flow::{Change, Fault, Flow, Held, Judge, Link, LockState};
pub use guard::Guard;
#[cfg(feature = "switches")]
pub use guard::{Mutation, switched};
pub use key::{Both, ChannelId, ChannelKey, ChannelRef, Epoch, KeyError, Side, Window};
pub use lock::{Commitment, ENTRY_BYTES, LockError, LockNo, MOST_LOCKS, Pending, most_locks_in};
pub use message::{Greeting, Message, Reason, SignedProof};
pub use node::{
    ChannelRow, Effect, Event, Expected, FlowRow, Key, Node, Notice, Order, Outcome, Payment, Policy, Progress, Refused, Request,
    Row, Sight, Step, Tie, Way, Write,
};
pub use payment_request::{Hint, Line, MOST_HINTS, MOST_MEMO, MOST_REACH, PaymentRequest, RequestError};
pub use proof::{BalanceProof, CooperativeClose, Delegation, Disposal, Signed, Withdraw};
pub use remind::{Reminded, Replaced, Testimony};
pub use seal::{Sealed, Sealer};
pub use sign::{KnownKey, Signature, SignatureError, Signer};
pub use split::{Claim, Holdings, Split};
#[cfg(feature = "switches")]
pub use toy::with_toys;
pub use units::{Nonce, TooWide, Units};
pub use update::{Hop, MOST_BATCH_HOPS, MOST_HOPS, MOST_OPS, Onward, Op, PaymentId, Update};
