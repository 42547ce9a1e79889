//! What a swap is and what must be done next: pure decisions, no input or output.

mod decide;
mod draft;
mod ids;
mod offer;
mod phase;
mod schedule;
mod sign;
mod step;
mod terms;
mod view;

pub use decide::{Action, Decision, decide};
pub use draft::{LegRules, MakerHalf, Margin, Refusal, Rules, build_terms, verify_accept, verify_draft};
pub use ids::{IdError, OfferId, Salt, SwapId};
pub use offer::{Money, Offer, OfferError, Take};
pub use phase::Phase;
pub use schedule::{Profile, Schedule, schedule};
pub use step::{Effect, EffectKind, Step, Swap, step};
pub use terms::{Consent, Deadlines, LONGEST_LOCK_SECS, Leg, LegName, Role, TERMS_VERSION, Terms, TermsError};
pub use view::{Fact, Facts, LegView, Outcome, View};
