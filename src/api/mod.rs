//! The HTTP API, version 1: a thin and careful surface over [`Service`](crate::service::Service).
//!
//! ```mermaid
//! flowchart LR
//!   socket[server: connections, limits] --> guard[guard: Host, Origin, token, log]
//!   guard --> routes[routes: the one table, scope of each]
//!   routes --> handlers[offers, swaps, channels, payments, wallet, peers, health, events, socket]
//!   handlers --> once[once: Idempotency-Key] --> service((Service))
//! ```
//!
//! What always holds: every request needs a token, on loopback too; a page in a browser can't reach it, by another
//! site's script (`Origin`) or by a name that was pointed here (`Host`); a GET changes nothing; a creating POST takes
//! effect once per `Idempotency-Key`, a payment once per its id, whatever breaks in between; no answer holds a token, a secret or a path of this
//! machine. What a caller can make grow has a bound: see [`Limits`].
//!
//! Choices rejected: cookies and CORS (a browser must not hold these rights), scopes that imply each other (a list is
//! read, a hierarchy is remembered), and answers kept in memory only (a crash between the effect and the answer is just
//! when the caller asks again).

mod body;
mod events;
mod guard;
mod health;
mod leftover;
mod once;
mod openapi;
mod params;
mod patient;
mod peers;
mod problem;
mod quotes;
mod rate;
mod records;
mod routes;
mod server;
mod socket;
mod tail;
mod tokens;

mod channels;
mod offers;
mod payments;
mod swaps;
mod wallet;
mod webhooks;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
pub(crate) mod tests;

pub use channels::{EarnedList, NeighbourList};
pub use offers::OfferList;
pub use openapi::document;
pub use payments::PaymentRequestList;
pub use peers::PeerList;
pub use problem::Problem;
pub use quotes::PairList;
pub use server::{Limits, ServeError, Settings, serve};
pub use tokens::{Scope, Scopes, TokenError, Tokens, read_token};
pub use wallet::{AddressView, BalanceList};
pub use webhooks::WebhookList;

/// The name of the token file in a node's data folder.
pub const TOKEN_FILE: &str = "api.tokens";
