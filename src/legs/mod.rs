//! Payment channels as a ledger of swaps: a lock is a payment that its payee holds until the swap gives it the secret.
//!
//! ```mermaid
//! flowchart LR
//!   swap[swap: Lock, Timing, Sighting] <--> port[LegPort]
//!   port -->|expect, pay, release, give up| channels[channels' engine of that chain]
//!   port -->|tip, template, fees| chain[the chain's own port]
//! ```
//!
//! | the port says | where the payment is |
//! |---|---|
//! | absent | nowhere |
//! | pending | taken on by its payer, nothing signed |
//! | funded | its lock stands in the payer's balance proof; at the payee with the agreed hash and amount, and an end that covers the agreed one |
//! | redeemed | paid off chain, or its secret is in the registry in time and at depth |
//! | refunded | the lock is off the list unpaid, or can only go there |
//!
//! Nothing of it is stored here. The payment's name is made of the lock's, so paying again pays once; what has ended is found in
//! the payments' table; a cancelled payment has ended before it was locked, and one of its name is never made again.
//!
//! Choices rejected: a second coordinator for swaps with channels (its every rule would be a copy of `swap`'s); a lock kind on the
//! chain's own port (it would have to know the engine, which itself stands on that port); a row for each leg (the channels' rows
//! say it all, and two truths part).

mod orphans;
mod port;
mod timing;

pub use orphans::Orphans;
pub use port::{LegParts, LegPort};
pub use timing::timing_of;
