//! Rescue: the seed words and the nodes are left, and nothing else. Every open lock of ours is found and taken back, or redeemed with
//! a secret that is public.
//!
//! Why the words are enough:
//! - On the EVM our account is a fixed path of the seed, and every `Lockup` event carries all terms: the two contracts' events since
//!   a date are read ([`photon_chains::Port::find`]).
//! - On Bitcoin and Litecoin a script shows nobody whose it is, and its keys come from a random salt. So before any funding is sent, a
//!   sealed [`note`] about both locks of the swap is left in the node's own wallet, as a label of the lock's address; the
//!   seed opens it.
//! - The recovery file, if it is still there, is used too.
//!
//! The role that a lost swap had, its terms and its deadlines are not needed: what may be done with a lock that was found again is
//! decided by [`photon_swap::rescue`] from the ledgers alone. So this does not rebuild swaps and is no second coordinator: it
//! reveals nothing, funds nothing, and everything it does may be repeated. What it sends it writes down first, in the new database,
//! as the node does. Killed and started again, it finds the same locks.
//!
//! Rejected: rows of swaps rebuilt from one leg (the terms that both signed are gone, and what is invented would be believed later).

pub mod note;
mod run;
mod search;
#[cfg(test)]
mod tests;

pub use run::{Line, Report, Rescue};
pub use search::{Finds, Rescued};
