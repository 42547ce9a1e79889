//! The words every part of Photon shares, and the port a ledger fills.
//!
//! A *lock* is money that one party may take with a secret and another may take back after a time. It means the same
//! on every ledger: **it is redeemable if and only if the secret becomes public on its ledger in time.** This crate says
//! what a lock is ([`Lock`]), what a ledger shows of it ([`Sighting`]), how long that ledger takes ([`Timing`]), and what
//! a ledger must be able to do ([`Port`]). It decides nothing and talks to nobody.
//!
//! ```mermaid
//! flowchart LR
//!   words[chains: amounts, locks, time] --> swap[swap: decides]
//!   words --> utxo[chains/utxo: Bitcoin, Litecoin]
//!   words --> evm[chains/evm: Ethereum, SMT]
//!   swap --> shell[src: clock, disk, peers]
//!   utxo --> shell
//!   evm --> shell
//! ```
//!
//! Choices rejected: block-height expiries (two chains drift against each other: a 72-block lock on Bitcoin may open after
//! four hours or after forty), HASH160 hashes (whoever picks the secret may search an 80-bit collision and open one leg
//! with another preimage), floats for money, and one status field that many places set: a status here is always what the
//! ledger shows, recomputed at each look.

mod amount;
mod asset;
mod canon;
mod contract;
pub mod crash;
mod journal;
mod lock;
mod network;
mod party;
mod port;
mod secret;
mod sighting;
mod time;
mod witness;

pub use amount::{Amount, AmountError};
pub use asset::{Asset, AssetError, Family, IN_CHANNEL, Ledger};
pub use canon::Canon;
pub use contract::{Called, ContractCall, ContractPort, Heads, News, Past, Said, Sent, Stamp};
pub use journal::{Journal, JournalError, Settlement, SignedTx};
pub use lock::{Expiry, ExpiryError, Lock, LockId, Template};
pub use network::{Network, NoSuchNetwork};
pub use party::{Address, Hash32, HexError, LockKey, Party, PublicKey, TxId};
#[doc(hidden)]
pub use party::{read_hex, show_hex};
pub use port::{
    Act, Balance, Draft, Found, FoundLock, IntentKey, IntentKeyError, NoRoom, OutsideCoin, Port, PortError, Progress, Progressed,
    Purpose,
};
pub use secret::{Secret, SecretHash};
pub use sighting::{BlockRef, Fault, LockStatus, Sighting, Spend, SpendKind, Tip};
pub use time::{BlockHeight, ClockRule, Timing, UnixTime};
pub use witness::Witness;
