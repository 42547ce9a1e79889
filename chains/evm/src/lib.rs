//! Ethereum and SMT behind the ledger port.
//!
//! One body for both chains, two records of what differs ([`Params`]): how transactions bid, by what a block is final, how
//! fast the chain is.
//!
//! ```mermaid
//! flowchart LR
//!   port[adapter: the port] --> acts[acts: fund, cancel, redeem, refund, send]
//!   port --> watch[watch: one pass over what is new]
//!   contracts[contract_port: for channels] --> calls[calls]
//!   contracts --> listen[listen: one pass over what is said]
//!   calls --> sender
//!   calls --> trial
//!   listen --> names[names, window: pure]
//!   listen --> chain
//!   acts --> sender[sender: one signer, journal, nonces]
//!   watch --> tracker[tracker, judge, window: pure]
//!   acts --> trial[trial: nothing is sent that would revert]
//!   sender --> pure[wallet, fees, ladder, nonce, answers, slot, abi: pure]
//!   watch --> chain[chain, rpc, wire: the node, bounded]
//!   sender --> chain
//! ```
//!
//! What it rests on:
//! - **Events are hints.** A lock is funded when its slot reads so at a block of the depth relied on, and has ended when its
//!   slot reads empty at a block of final depth. The code at the contract is compared each time.
//! - **Nothing is sent that is not journaled**, under one lock per account, and what is journaled is sent again until its
//!   nonce is final; but a funding only for as long as the core asks for it ([`crate::EvmAdapter`]'s `ensure`).
//! - **Nothing that shows a secret is sent unless the chain would take it now**, as a simulation at the tip says, and at a
//!   price that we are willing to pay.
//! - **A spend bids more as its deadline nears** ([`ladder`]), by replacing itself at the same nonce. What a node answers to
//!   a send ([`answers`]) is never a fact: the chain decides.
//!
//! Choices rejected: alloy's providers (their HTTP transport reads answers of any length, their types demand fields that
//! SMT's old node does not send, and their fillers keep nonces in memory); subscriptions (a lost one is silent; a pass over
//! new blocks is not); an allowance without limit for the token contract (it would outlive every swap).

mod abi;
mod acts;
mod adapter;
mod answers;
mod artifact;
#[cfg(feature = "bare")]
pub mod bare;
mod calls;
mod chain;
mod config;
mod contract_port;
mod deploy;
mod eth;
mod fees;
mod find;
mod hands;
mod judge;
mod ladder;
mod listen;
mod memory;
mod names;
mod node;
mod nonce;
mod params;
mod past;
mod rpc;
mod sender;
mod slot;
mod smt;
mod tokens;
mod tracker;
mod trail;
mod trial;
mod wallet;
mod watch;
mod window;
mod wire;

pub use adapter::EvmAdapter;
pub use artifact::runtime_codes;
pub use config::{Contracts, EvmConfig, NodeConfig, Token};
pub use deploy::{Deployed, account_of, code_hash, deploy, deploy_channels, deploy_raw, meet};
pub use hands::{ByHand, by_hand};
pub use params::{Fees, Finality, Network, Params, params};
