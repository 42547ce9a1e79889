//! What a swap is and what must be done next: pure decisions, no input or output.
//!
//! Two parties who don't trust each other exchange money on two ledgers. The **Initiator** makes a secret and funds leg
//! **Alpha**, which the **Participant** may redeem with that secret; the Participant then funds leg **Beta**, which the
//! Initiator may redeem with it. To redeem Beta is to make the secret public, and with that the Participant redeems Alpha.
//! Beta expires well before Alpha, so whoever is online as promised ends with what it was promised, or with what it had.
//!
//! ```mermaid
//! sequenceDiagram
//!   participant I as Initiator (taker)
//!   participant A as Alpha's ledger
//!   participant B as Beta's ledger
//!   participant P as Participant (maker)
//!   P->>I: Offer
//!   I->>P: Take (secret hash, keys)
//!   P->>I: Terms, signed: propose
//!   I->>P: Terms, signed: accept
//!   I->>A: fund Alpha, by fund_alpha_by
//!   A-->>P: Alpha deep enough
//!   P->>B: fund Beta, by fund_beta_by
//!   B-->>I: Beta deep enough
//!   I->>B: redeem Beta, by reveal_by (the secret is public now)
//!   B-->>P: the secret
//!   P->>A: redeem Alpha
//!   Note over P,B: not redeemed? refund Beta from its expiry
//!   Note over I,A: not redeemed? refund Alpha from its later expiry
//! ```
//!
//! Where to look:
//!
//! - [`Offer`], [`Take`] and [`Terms`] are what is signed; [`build_terms`] draws terms up for the maker, and
//!   [`verify_draft`] has the taker recompute every figure it relies on.
//! - [`schedule()`] turns the speed of two ledgers and the owner's promise to be online into deadlines.
//! - [`View`] is all that a decision may look at: two ledgers as they show themselves, and our own durable [`Facts`].
//! - [`decide`] says what to do; [`step`] turns that into facts to be made durable first and effects to be let out after.
//! - [`wake()`] says until when a step stands, so that the work per block follows the swaps that the block concerns.
//!
//! The caller's part: commit [`Step::facts`] and [`Step::effects`] in one transaction, then make the effects so, again and
//! again, until a later step no longer asks for them. Nothing else of the protocol lives outside this crate.
//!
//! Every check and margin has a name in `guard.rs`, and is asked by that name where it acts.
//!
//! Choices rejected:
//!
//! - *One status field with transitions.* A swap would be "failed" while an output of it can still be claimed, the largest
//!   class of losses elsewhere. Here the phase is computed at each look, only our own intents are remembered, and redeem and
//!   refund are separate duties, each alive until its output is spent at final depth.
//! - *Acting first and noting it after.* One crash between the two makes every margin unsafe: the Initiator would not know
//!   that the secret is out. So an intent is a fact, durable before its effect.
//! - *Expiries in blocks, or one clock for both.* Two chains drift apart, and our own clock opens no lock. A lock is judged
//!   by its own ledger's clock, our clock only ends what must not be begun too late.
//! - *Believing the counterparty.* Its messages are hints. What counts is what our own nodes show of the lock that we
//!   compute ourselves; could-not-look is never a state of a lock.
//! - *Letting an unmined Beta lie.* Mined after Alpha's refund it would be the Initiator's to take, whatever the distance
//!   between the expiries. From `reveal_by` on it is cancelled, and a contract refuses it by itself.
//! - *Taking both legs where the counterparty slept.* Once one leg is ours for good, the other is not refunded.

mod check;
mod decide;
mod draft;
mod guard;
mod ids;
mod offer;
mod phase;
mod rescue;
mod schedule;
mod sign;
mod step;
mod terms;
mod view;
mod wake;

pub use check::{LONGEST_LOCK_SECS, TermsError};
pub use decide::{Action, Decision, decide};
pub use draft::{LegRules, MakerHalf, Margin, Refusal, Rules, build_terms, verify_accept, verify_draft};
pub use guard::Guard;
#[cfg(feature = "switches")]
pub use guard::{Mutation, switched};
pub use ids::{OfferId, Salt, SwapId};
pub use offer::{Money, Offer, OfferError, Take};
pub use phase::Phase;
pub use rescue::{Fate, Orphan, Side, rescue};
pub use schedule::{Profile, Schedule, linked_schedule, schedule};
pub use step::{Effect, EffectKind, Step, Swap, step};
pub use terms::{Consent, Deadlines, Leg, LegName, Role, TERMS_VERSION, Terms};
pub use view::{Fact, Facts, LegView, Outcome, View};
pub use wake::{LegWake, Wake, wake};
