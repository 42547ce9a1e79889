//! Real nodes on one machine: fetched, started, mined, reorged and stopped. For tests and for the demo; never mocks.
//!
//! ```mermaid
//! flowchart LR
//!     fetch["fetch: find or fetch the programs"] --> premine["premine: chains mined once, kept in the cache"]
//!     premine --> world["World: four chains, copied and started in a second or two"]
//!     world --> utxo["UtxoChain: bitcoind, litecoind"]
//!     world --> evm["EvmChain: anvil as Ethereum"]
//!     world --> smt["EvmChain: anvil as SMT"]
//!     smt --- proxy["proxy: refuses what SMT's old node would"]
//! ```
//!
//! A test that only adds to chains shares one world with all others of its process:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // `None` means that the nodes can't be had here; it has been said loudly, and with CI=true the test has failed already.
//! let Some(world) = photon_regtest::shared_world().await else { return Ok(()) };
//! let alice = world.bitcoin.create_wallet("alice-of-this-test").await?;
//! world.bitcoin.faucet_split(&alice, 5_000_000, 10).await?;
//! assert_eq!(alice.balance_sat().await?, 5_000_000);
//! world.ethereum.faucet("0x00000000000000000000000000000000000000aa", 1_000_000_000_000_000_000).await?;
//! println!("bitcoind at {}, wallet at {}, cookie {}", world.bitcoin.url(), world.bitcoin.wallet_url("alice-of-this-test"),
//!     world.bitcoin.cookie().display());
//! # Ok(())
//! # }
//! ```
//!
//! A test that moves a clock, takes away blocks or stops a node owns its world:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use photon_regtest::{Mining, Unmined, WorldConfig};
//! let Some(world) = photon_regtest::own_world(WorldConfig::manual()).await else { return Ok(()) };
//! world.litecoin.mine(3).await?;
//! world.litecoin.reorg(2, Unmined::MinedAgain).await?;
//! world.bitcoin.node().kill().await?;
//! world.bitcoin.node().run().await?;
//! world.smt.auto_mine(Mining::Every(std::time::Duration::from_secs(1)));
//! # Ok(())
//! # }
//! ```
//!
//! Choices. Every child ends when this process ends, however it ends ([`process`]); folders of worlds that were killed are swept by the next one.
//! Every chain is mined by us, not by its node, so that one lock per chain keeps a block from coming in the middle of a reorg. Ports lie below
//! the range systems take for outgoing connections, so that a node finds its port free after a restart. Containers were rejected: they need
//! a daemon and root, and most machines that can run them don't.

mod clock;
pub mod fetch;
pub mod nodes;
pub mod ports;
mod premine;
pub mod process;
pub mod proxy;
pub mod rpc;
mod runtime;
mod testing;
pub mod world;

pub use premine::PremineError;
pub use testing::{own_world, require_nodes, shared_world};
pub use world::{Mining, Unmined, World, WorldConfig, WorldError};
