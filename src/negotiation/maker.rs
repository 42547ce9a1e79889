//! The maker's side: answers takers.

use super::messages::{self, Accepted, AskAccept, AskOffers, AskTake, MOST_OFFERS, Offers, Proposal, SignedOffer};
use super::{Desk, fresh_salt, is_signed_by, now};
use crate::keys::KeyUse;
use crate::peer::{Handler, PeerReply, PeerRequest};
use crate::reserve::ReserveError;
use crate::service::Funding;
use crate::store::{FromOffer, NewSwap, OfferState, StoreError};
use async_trait::async_trait;
use photon_chains::{Address, UnixTime};
use photon_swap::{Consent, MakerHalf, Offer, Role, SwapId, Terms};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Terms that were proposed and not yet accepted. They bind nothing and reserve nothing, so that a stranger can't tie up
/// money by asking; they are forgotten at their funding deadline.
struct Pending {
    terms: Terms,
    taker: Address,
}

/// The most proposals kept, in all and for one taker.
const MOST_PENDING: usize = 256;
const MOST_PENDING_EACH: usize = 64;

/// Why a taker is told no.
#[derive(Debug, thiserror::Error)]
enum No {
    #[error("the request is not understood: {0}")]
    Malformed(serde_json::Error),
    #[error("the signature is not the sender's")]
    Signature,
    #[error("this offer is not open any more: ask for the offers again")]
    NotOpen,
    #[error("too many takes are waiting for an answer: try again in a minute")]
    Busy,
    #[error("no such proposal is waiting: take the offer again")]
    Unproposed,
    #[error("this secret hash was used before: never use a secret twice")]
    HashUsed,
    #[error("the maker can't serve this offer now")]
    CannotServe,
    #[error(transparent)]
    Terms(#[from] photon_swap::Refusal),
}

/// What went wrong: a no for the taker, or a failure of ours.
enum Failure {
    No(No),
    Ours(anyhow::Error),
}

impl<E: Into<No>> From<E> for Failure {
    fn from(no: E) -> Self {
        Failure::No(no.into())
    }
}

/// Answers peers.
pub struct Maker {
    desk: Desk,
    pending: Mutex<HashMap<SwapId, Pending>>,
}

#[async_trait]
impl Handler for Maker {
    fn knows(&self, kind: &str) -> bool {
        [messages::OFFERS, messages::TAKE, messages::ACCEPT].contains(&kind)
    }

    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply {
        let kind = request.kind.clone();
        let answer = match kind.as_str() {
            messages::OFFERS => self.offers(request.body).await,
            messages::TAKE => self.take(from, request.body).await,
            messages::ACCEPT => self.accept(from, request.body).await,
            _ => return PeerReply::Failed,
        };
        match answer {
            Ok(value) => PeerReply::Answer(value),
            Err(Failure::No(no)) => {
                tracing::info!(peer = %from, kind, %no, "declined");
                PeerReply::Declined(no.to_string())
            }
            Err(Failure::Ours(error)) => {
                tracing::error!(peer = %from, kind, error = format!("{error:#}"), "could not answer");
                PeerReply::Failed
            }
        }
    }
}

impl Maker {
    /// Answers for this desk.
    pub fn new(desk: Desk) -> Self {
        Self { desk, pending: Mutex::default() }
    }

    async fn offers(&self, body: Value) -> Result<Value, Failure> {
        let _: AskOffers = parse(body)?;
        let now = now();
        let rows = self.desk.coordinator.store.open_offers(now).await.map_err(ours)?;
        let mut offers = Vec::new();
        for row in rows.into_iter().take(MOST_OFFERS) {
            let offer: Offer = serde_json::from_str(&row.body).map_err(ours)?;
            offers.push(SignedOffer { offer, signature: self.desk.sign(offer.digest()) });
        }
        serde_json::to_value(Offers { offers }).map_err(ours)
    }

    async fn take(&self, from: Address, body: Value) -> Result<Value, Failure> {
        let AskTake { take, signature } = parse(body)?;
        if take.taker != from || !is_signed_by(from, take.digest(), &signature) {
            return Err(No::Signature.into());
        }
        let row = self.desk.coordinator.store.offer(take.offer).await.map_err(ours)?;
        let row = row.filter(|row| row.state == OfferState::Open).ok_or(No::NotOpen)?;
        let offer: Offer = serde_json::from_str(&row.body).map_err(ours)?;
        let now = now();
        let rules = self.desk.rules(offer.want.asset, offer.give.asset, now).map_err(|error| self.cannot(&error))?;
        let salt = fresh_salt().map_err(ours)?;
        let party = |asset, key_use| self.desk.party(&salt, asset, key_use).map_err(|error| self.cannot(&error));
        let half = MakerHalf {
            maker: self.desk.me(),
            salt,
            alpha_redeemer: party(offer.want.asset, KeyUse::Redeem)?,
            beta_refundee: party(offer.give.asset, KeyUse::Refund)?,
        };
        let terms = photon_swap::build_terms(&offer, &take, &half, &rules).map_err(No::Terms)?;
        self.afford(&terms).await?;
        self.remember(terms, from, now)?;
        let signature = self.desk.sign(terms.digest(Consent::Propose, Role::Participant));
        serde_json::to_value(Proposal { terms, signature }).map_err(ours)
    }

    async fn accept(&self, from: Address, body: Value) -> Result<Value, Failure> {
        let AskAccept { swap, signature } = parse(body)?;
        let stored = self.desk.coordinator.store.swap(swap).await.map_err(ours)?;
        if let Some(known) = stored {
            // An accept that is repeated gets the same answer, whatever became of the swap.
            let same = known.swap.peer == from && known.swap.peer_signature.as_deref() == Some(&signature[..]);
            return if same { accepted(swap) } else { Err(No::Signature.into()) };
        }
        let now = now();
        let terms = self.proposal(swap, from).ok_or(No::Unproposed)?;
        if !is_signed_by(from, terms.digest(Consent::Accept, Role::Initiator), &signature) {
            return Err(No::Signature.into());
        }
        let rules = self.desk.rules(terms.alpha.lock.asset, terms.beta.lock.asset, now).map_err(|error| self.cannot(&error))?;
        photon_swap::verify_accept(&terms, swap, &rules).map_err(No::Terms)?;
        let _one_at_a_time = self.desk.agreeing.lock().await;
        self.afford(&terms).await?;
        self.save(&terms, from, signature).await?;
        self.lock_pending().remove(&swap);
        accepted(swap)
    }

    /// Both signatures durable, the offer taken, the hash spent for ever; then the swap is watched.
    async fn save(&self, terms: &Terms, taker: Address, signature: Vec<u8>) -> Result<(), Failure> {
        let store = &self.desk.coordinator.store;
        let no = |error: StoreError| match error {
            StoreError::HashUsed => Failure::from(No::HashUsed),
            StoreError::OfferNotOpen => Failure::from(No::NotOpen),
            other => ours(other),
        };
        let reserved = store.reserve_hash(terms.secret_hash()).await.map_err(no)?;
        let id = terms.id();
        let swap = NewSwap {
            id,
            role: Role::Participant,
            peer: taker,
            peer_endpoint: String::new(),
            terms: serde_json::to_string(terms).map_err(ours)?,
            own_signature: self.desk.sign(terms.digest(Consent::Propose, Role::Participant)),
            peer_signature: Some(signature),
            salt: terms.participant_salt,
            alpha_since: self.desk.since(terms.alpha.lock.asset),
            beta_since: self.desk.since(terms.beta.lock.asset),
            offer: Some(FromOffer::Ours(terms.offer)),
        };
        store.insert_swap(reserved, swap).await.map_err(no)?;
        let record = store.swap(id).await.map_err(ours)?;
        let record = record.ok_or_else(|| ours(StoreError::NoSuch("swap")))?;
        self.desk.coordinator.take_up(&record).map_err(Failure::Ours)?;
        tracing::info!(swap_id = %id, peer = %taker, role = "participant", "agreed");
        Ok(())
    }

    async fn afford(&self, terms: &Terms) -> Result<(), Failure> {
        match self.desk.coordinator.reserves.afford(Role::Participant, terms, Funding::Wallet).await {
            Ok(()) => Ok(()),
            // How much we have is nobody's business.
            Err(error @ (ReserveError::NotEnough { .. } | ReserveError::DiskFull { .. } | ReserveError::Port(_))) => {
                Err(self.cannot(&error))
            }
        }
    }

    fn cannot(&self, error: &dyn std::error::Error) -> Failure {
        tracing::warn!(%error, "a taker was turned away");
        No::CannotServe.into()
    }

    fn remember(&self, terms: Terms, taker: Address, now: UnixTime) -> Result<(), Failure> {
        let mut pending = self.lock_pending();
        pending.retain(|_, waiting| waiting.terms.deadlines.fund_alpha_by >= now);
        let of_taker = pending.values().filter(|waiting| waiting.taker == taker).count();
        if pending.len() >= MOST_PENDING || of_taker >= MOST_PENDING_EACH {
            return Err(No::Busy.into());
        }
        pending.insert(terms.id(), Pending { terms, taker });
        Ok(())
    }

    fn proposal(&self, swap: SwapId, taker: Address) -> Option<Terms> {
        self.lock_pending().get(&swap).filter(|waiting| waiting.taker == taker).map(|waiting| waiting.terms)
    }

    fn lock_pending(&self) -> std::sync::MutexGuard<'_, HashMap<SwapId, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, Failure> {
    serde_json::from_value(body).map_err(|error| No::Malformed(error).into())
}

fn accepted(swap: SwapId) -> Result<Value, Failure> {
    serde_json::to_value(Accepted { swap }).map_err(ours)
}

fn ours(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Ours(error.into())
}
