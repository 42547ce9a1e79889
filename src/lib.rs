//! Photon: atomic swaps of BTC, LTC, ETH, SMT and ERC20 tokens with nobody in the middle.
//!
//! This crate is the shell: the only part that knows the clock, the disk and the network between peers. What a swap is and
//! what must be done next is decided by the pure [`photon_swap`]; ledgers are reached through [`photon_chains::Port`].
//!
//! ```mermaid
//! flowchart TB
//!   cli[cli] -->|HTTP| api --> service --> node
//!   node --> negotiation -->|peer: Noise over TCP| other[another node]
//!   node --> coordinator --> swap[photon-swap: decide]
//!   coordinator --> store[(store: SQLite)]
//!   coordinator --> ledgers --> ports[photon-utxo, photon-evm]
//!   ledgers --> legs --> channels[channels: photon-channel]
//! ```
//!
//! Choices rejected: a task per swap (ten thousand tasks, each with its own idea of the chain; one loop steps them all from
//! one view), a status column (a phase is computed from facts, so it can't disagree with them), and acting on messages
//! (a peer's word is never evidence of what stands on a ledger).

pub mod api;
pub mod assets;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod coordinator;
#[cfg(feature = "demo")]
pub mod crash;
pub mod datadir;
#[cfg(feature = "demo")]
pub mod demo;
pub mod gossip;
pub mod keys;
pub mod lan;
pub mod ledgers;
pub mod legs;
pub mod market;
pub mod negotiation;
pub mod node;
pub mod pair;
pub mod peer;
pub mod rescue;
pub mod reserve;
pub mod service;
pub mod store;
pub mod web;
pub mod webhook;
pub mod wire;
