//! Bitcoin and Litecoin behind the ledger port: one body, two parameter records.
//!
//! It decides nothing about a swap. It makes a lock's script from the agreed terms, watches blocks and mempool for it,
//! and builds, signs, writes down and sends the transactions it is told to.
//!
//! ```mermaid
//! flowchart LR
//!   node[(bitcoind, litecoind)] -- blocks, mempool --> tracker[tracker: what pays and spends]
//!   tracker --> view[view: the ledger's word]
//!   view --> port{{Port}}
//!   port -- fund, redeem, refund --> tx[script, coins, tx: bytes]
//!   tx --> journal[(journal)] --> node
//! ```
//!
//! A bid that blocks pass by is raised: by another in its place where nodes relay replacements (Bitcoin), else by a child
//! that pays for both, and a child of that (Litecoin). A claim may cost a tenth of what it takes, and half of it as its
//! deadline comes near; a payment is held to a rate. Whatever the node loses is sent again from the journal at each attempt.
//!
//! `script`, `tx`, `coins`, `fees`, `decode`, `tracker` and `view` are pure; `rpc` and `adapter` talk to the node. Chains differ
//! only by their record in `params`: nothing asks which chain it is.
//!
//! Choices rejected: importing lock scripts into the node's wallet (slow to rescan, one wallet for all, other fields on
//! Litecoin), asking the node for one transaction at a time (needs its transaction index, and cannot find what replaced a
//! funding), letting the wallet build fundings (on Litecoin it may pay out of MWEB coins, and then another transaction
//! confirms than the one that was signed), and believing a refusal of a broadcast: only blocks decide.

mod adapter;
mod address;
#[cfg(feature = "bare")]
pub mod bare;
mod btc;
mod by_hand;
mod coins;
mod decode;
mod fees;
mod ltc;
mod params;
mod rpc;
mod script;
#[cfg(test)]
mod timing_tests;
mod tracker;
#[cfg(test)]
mod tracker_tests;
mod tx;
mod view;

pub use adapter::{UtxoAdapter, UtxoConfig};
pub use address::AddressError;
pub use params::{CHAINS, Chain, FeePolicy, Network, NetworkParams, Params, Replacements};
pub use rpc::Auth;
pub use script::{LockScript, ScriptError};
