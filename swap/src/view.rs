//! What a decision rests on: what the two ledgers show now, and what we ourselves did.

use crate::decide::is_redeemed;
use crate::guard::Guard;
use photon_chains::{Secret, SecretHash, Sighting, Tip, UnixTime};
use serde::{Deserialize, Serialize};

/// Everything that [`crate::decide`] may look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The earliest that the time may be: the earliest of our clocks, less the skew.
    pub now_lo: UnixTime,
    /// The latest that the time may be: the latest of our clocks, plus the skew. "Not after" is judged by this one.
    pub now_hi: UnixTime,
    /// Alpha's ledger.
    pub alpha: LegView,
    /// Beta's ledger.
    pub beta: LegView,
    /// What we did.
    pub facts: Facts,
    /// New risk may be taken: fees for our own redeem and refund are held back, disk and nodes are well, and the operator
    /// has not stopped new risk. It never ends a duty.
    pub may_risk: bool,
}

/// What one ledger shows of its leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegView {
    /// The best block of our node. None: could not look.
    pub tip: Option<Tip>,
    /// The node is of the right network, fresh, and in step with the clock.
    pub healthy: bool,
    /// What is seen of the lock. None: could not look, which is never a state of the lock.
    pub sighting: Option<Sighting>,
    /// The port says that cancelling our funding is done: at final depth, it can never be mined any more.
    pub cancelled: bool,
    /// The port says that refunding is done: at final depth, nothing that was paid to this lock's place is left.
    pub swept: bool,
}

/// Our own durable facts about a swap. They only ever grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Both signatures of the terms are durable.
    pub agreed: bool,
    /// Money of ours may be on its way into our lock.
    pub fund_intent: bool,
    /// Our unmined funding is to be made impossible.
    pub cancel_intent: bool,
    /// The Initiator's redeem of Beta, which shows the secret, may have been sent.
    pub reveal_intent: bool,
    /// The secret is never to be shown by us; only if others have made it public do we redeem.
    pub never_reveal: bool,
    /// The secret, seen in public. The Initiator's own secret, not yet shown, does not stand here.
    pub secret: Option<Secret>,
    /// The swap is over.
    pub ended: Option<Outcome>,
}

/// One row of our memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// See [`Facts::agreed`].
    Agreed,
    /// See [`Facts::fund_intent`].
    FundIntent,
    /// See [`Facts::cancel_intent`].
    CancelIntent,
    /// See [`Facts::reveal_intent`].
    RevealIntent,
    /// See [`Facts::never_reveal`].
    NeverReveal,
    /// See [`Facts::secret`].
    Secret {
        /// The secret, public by now.
        #[serde(with = "secret_hex")]
        secret: Secret,
    },
    /// See [`Facts::ended`].
    Ended {
        /// How.
        outcome: Outcome,
    },
}

impl Fact {
    /// The word by which it is stored.
    pub const fn word(&self) -> &'static str {
        match self {
            Fact::Agreed => "agreed",
            Fact::FundIntent => "fund_intent",
            Fact::CancelIntent => "cancel_intent",
            Fact::RevealIntent => "reveal_intent",
            Fact::NeverReveal => "never_reveal",
            Fact::Secret { .. } => "secret",
            Fact::Ended { .. } => "ended",
        }
    }
}

/// How a swap ended. Nothing of ours is left to be claimed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// We redeemed the counterparty's lock.
    Completed,
    /// We took our own lock back.
    Refunded,
    /// No money of ours ever moved.
    Void,
    /// The counterparty redeemed our lock and took its own back. It can't happen to who is online as promised.
    Lost,
    /// We redeemed the counterparty's lock and our own came back too, because the counterparty missed its own deadline. Ours
    /// is owed to it: the operator is told.
    TookBoth,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] = [Outcome::Completed, Outcome::Refunded, Outcome::Void, Outcome::Lost, Outcome::TookBoth];
}

impl Facts {
    /// Takes in one fact. The first outcome and the first secret stand.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Agreed => self.agreed = true,
            Fact::FundIntent => self.fund_intent = true,
            Fact::CancelIntent => self.cancel_intent = true,
            Fact::RevealIntent => self.reveal_intent = true,
            Fact::NeverReveal => self.never_reveal = true,
            Fact::Secret { secret } => {
                self.secret.get_or_insert_with(|| secret.clone());
            }
            Fact::Ended { outcome } => {
                self.ended.get_or_insert(*outcome);
            }
        }
    }
}

impl View {
    /// The secret, if it is known in public from anywhere: our memory, or either ledger however shallow. What does not open
    /// the hash is no secret.
    pub fn public_secret(&self, hash: &SecretHash) -> Option<&Secret> {
        fn seen(leg: &LegView) -> Option<&Secret> {
            let seen = leg.sighting.as_ref()?;
            let is_mined = is_redeemed(seen) || seen.spend.is_some_and(|spend| spend.depth > 0);
            seen.secret.as_ref().filter(|_| Guard::SecretFromMempool.holds() || is_mined)
        }
        [self.facts.secret.as_ref(), seen(&self.beta), seen(&self.alpha)]
            .into_iter()
            .flatten()
            .find(|secret| secret.hash() == *hash)
    }
}

mod secret_hex {
    use photon_chains::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(secret: &Secret, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(secret.expose()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Secret, D::Error> {
        let text = String::deserialize(d)?;
        let mut bytes = [0; 32];
        // The text itself is kept out of the error: it may be a secret with one digit wrong.
        hex::decode_to_slice(text, &mut bytes).map_err(|_| serde::de::Error::custom("a secret is 64 hex digits"))?;
        Ok(Secret::from_bytes(bytes))
    }
}
