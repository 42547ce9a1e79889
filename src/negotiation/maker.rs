//! The maker's side: answers takers.

use super::messages::{self, Accepted, AskAccept, AskOffers, AskQuote, AskTake, MOST_OFFERS, Offers, Proposal, SignedOffer};
use super::pending::{Pending, Pendings};
use super::{Between, Desk, DeskError, fresh_salt, is_signed_by, most_live, now};
use crate::keys::KeyUse;
use crate::market::{Ask, MarketError};
use crate::peer::{Handler, PeerReply, PeerRequest};
use crate::reserve::{Pledge, ReserveError};
use crate::service::{Funding, ServiceError};
use crate::store::{FromOffer, NewSwap, OfferState, StoreError};
use async_trait::async_trait;
use photon_chains::{Address, NoRoom, UnixTime};
use photon_swap::{Consent, MakerHalf, Offer, Role, SwapId, Terms};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// Why a taker is told no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum No {
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
    #[error(
        "the maker was stopped while it agreed to this swap, and will never pay in: don't pay in either, and take the offer again"
    )]
    CutOff,
    #[error("this secret hash was used before: never use a secret twice")]
    HashUsed,
    #[error("the maker can't serve this offer now")]
    CannotServe,
    #[error("the maker can't pay you over channels: {0}")]
    NoRoom(NoRoom),
    #[error("fees are too high for this offer now: {0}")]
    NotWorth(DeskError),
    #[error("too many swaps between you and the maker came to nothing after it had paid in: try again tomorrow")]
    Unreliable,
    #[error(transparent)]
    Terms(#[from] photon_swap::Refusal),
    #[error(transparent)]
    Market(#[from] MarketError),
}

/// What went wrong: a no for the taker, or a failure of ours.
pub(crate) enum Failure {
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
    pending: Mutex<Pendings>,
}

#[async_trait]
impl Handler for Maker {
    fn knows(&self, kind: &str) -> bool {
        [messages::OFFERS, messages::QUOTE, messages::TAKE, messages::ACCEPT].contains(&kind)
    }

    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply {
        let kind = request.kind.clone();
        let answer = match kind.as_str() {
            messages::OFFERS => self.offers(request.body).await,
            messages::QUOTE => self.quote_for_peer(request.body),
            messages::TAKE => self.take_of_peer(from, request.body).await,
            messages::ACCEPT => self.accept_of_peer(from, request.body).await,
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

    fn quote_for_peer(&self, body: Value) -> Result<Value, Failure> {
        let AskQuote { ask } = parse(body)?;
        serde_json::to_value(self.quote(&ask)?).map_err(ours)
    }

    /// A fresh quote, signed.
    pub(crate) fn quote(&self, ask: &Ask) -> Result<SignedOffer, Failure> {
        let timings = self.desk.timings(ask.want, ask.give).map_err(|error| self.cannot(&error))?;
        let offer = self.desk.market.quote(ask, (&timings.0, &timings.1), now()).map_err(No::Market)?;
        Ok(SignedOffer { offer, signature: self.desk.sign(offer.digest()) })
    }

    async fn take_of_peer(&self, from: Address, body: Value) -> Result<Value, Failure> {
        let ask: AskTake = parse(body)?;
        if ask.take.taker != from {
            return Err(No::Signature.into());
        }
        serde_json::to_value(self.propose(ask).await?).map_err(ours)
    }

    /// A quote that stands, or an open offer.
    async fn offer(&self, id: photon_swap::OfferId, now: UnixTime) -> Result<(Offer, bool), Failure> {
        if let Some(quote) = self.desk.market.standing(id, now) {
            return Ok((quote, true));
        }
        let row = self.desk.coordinator.store.offer(id).await.map_err(ours)?;
        let row = row.filter(|row| row.state == OfferState::Open).ok_or(No::NotOpen)?;
        Ok((serde_json::from_str(&row.body).map_err(ours)?, false))
    }

    /// Draws up terms for whoever signed the take.
    pub(crate) async fn propose(&self, ask: AskTake) -> Result<Proposal, Failure> {
        let AskTake { take, signature } = ask;
        if !is_signed_by(take.taker, take.digest(), &signature) {
            return Err(No::Signature.into());
        }
        let now = now();
        let (offer, is_quote) = self.offer(take.offer, now).await?;
        let between = Between::offered(&offer, take.taker, take.offline_secs);
        let rules = self.desk.rules(&between, now).await.map_err(|error| self.cannot(&error))?;
        self.prudent(take.taker, &offer, now).await?;
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
        if !self.lock_pending().add(Pending { terms, taker: take.taker, is_quote }, now) {
            return Err(No::Busy.into());
        }
        let signature = self.desk.sign(terms.digest(Consent::Propose, Role::Participant));
        Ok(Proposal { terms, signature })
    }

    async fn accept_of_peer(&self, from: Address, body: Value) -> Result<Value, Failure> {
        let swap = self.accept(parse(body)?, Some(from)).await?;
        serde_json::to_value(Accepted { swap }).map_err(ours)
    }

    /// Agrees with whoever took the offer. Safe to repeat: the same accept gets the same answer, whatever became of the swap.
    pub(crate) async fn accept(&self, ask: AskAccept, from: Option<Address>) -> Result<SwapId, Failure> {
        let AskAccept { swap, signature } = ask;
        let waiting = self.lock_pending().get(swap);
        let Some(Pending { terms, taker, is_quote }) = waiting else { return self.accepted_before(swap, &signature, from).await };
        if from.is_some_and(|from| from != taker) {
            return Err(No::Unproposed.into());
        }
        let now = now();
        if !is_signed_by(taker, terms.digest(Consent::Accept, Role::Initiator), &signature) {
            return Err(No::Signature.into());
        }
        let between = Between::drawn_up(&terms, taker);
        let rules = self.desk.rules(&between, now).await.map_err(|error| self.cannot(&error))?;
        photon_swap::verify_accept(&terms, swap, &rules).map_err(No::Terms)?;
        match self.agree(&terms, taker, &signature, is_quote).await {
            Ok(()) => {
                self.lock_pending().remove(swap);
                Ok(swap)
            }
            // The same accept may have come twice at once.
            Err(failure) => self.accepted_before(swap, &signature, from).await.map_err(|_| failure),
        }
    }

    /// Reserves promised, the quote taken, the swap saved: or nothing of it.
    async fn agree(&self, terms: &Terms, taker: Address, signature: &[u8], is_quote: bool) -> Result<(), Failure> {
        let pledge = self.pledge(terms, taker).await?;
        if is_quote {
            self.desk.market.take(&terms.offer, now()).map_err(No::Market)?;
        }
        self.desk.expect(Role::Participant, terms).await.map_err(|error| self.cannot(&error))?;
        self.save(terms, taker, signature.to_vec(), is_quote).await?;
        pledge.keep();
        Ok(())
    }

    async fn accepted_before(&self, swap: SwapId, signature: &[u8], from: Option<Address>) -> Result<SwapId, Failure> {
        let known = self.desk.coordinator.store.swap(swap).await.map_err(ours)?.ok_or(No::Unproposed)?;
        let is_theirs = known.swap.role == Role::Participant && from.is_none_or(|from| from == known.swap.peer);
        match known.swap.peer_signature.as_deref().filter(|_| is_theirs) {
            Some(agreed) if agreed == signature => Ok(swap),
            // Written down beside the database just before the power failed: whether it was agreed is not known any more.
            None if is_theirs => Err(No::CutOff.into()),
            Some(_) | None => Err(No::Signature.into()),
        }
    }

    async fn pledge(&self, terms: &Terms, taker: Address) -> Result<Pledge, Failure> {
        let reserves = &self.desk.coordinator.reserves;
        let score = self.desk.coordinator.store.score(taker).await.map_err(ours)?;
        let most = most_live(score, reserves.caps().each);
        let pledged = reserves.pledge(Role::Participant, terms, Funding::Wallet, Some(most)).await;
        let pledged = match pledged {
            Err(ReserveError::StrangerCap) if self.is_known(taker).await? => {
                reserves.pledge(Role::Participant, terms, Funding::Wallet, None).await
            }
            other => other,
        };
        pledged.map_err(|error| self.turned_away(error))
    }

    /// Somebody to whom our owner gave a name.
    async fn is_known(&self, peer: Address) -> Result<bool, Failure> {
        let row = self.desk.coordinator.store.peer(peer).await.map_err(ours)?;
        Ok(row.is_some_and(|row| row.alias.is_some()))
    }

    /// Both signatures durable, the offer taken, the hash spent for ever; then the swap is watched.
    async fn save(&self, terms: &Terms, taker: Address, signature: Vec<u8>, is_quote: bool) -> Result<(), Failure> {
        let store = &self.desk.coordinator.store;
        let no = |error: StoreError| match error {
            StoreError::HashUsed => Failure::from(No::HashUsed),
            StoreError::OfferNotOpen => Failure::from(No::NotOpen),
            other => ours(other),
        };
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
            offer: Some(if is_quote { FromOffer::Quoted(terms.offer) } else { FromOffer::Ours(terms.offer) }),
        };
        let record = store.insert_agreed(terms.secret_hash(), swap).await.map_err(no)?;
        self.desk.coordinator.take_up(&record).map_err(Failure::Ours)?;
        self.desk.coordinator.ask_approval(id).await.map_err(ours)?;
        tracing::info!(swap_id = %id, peer = %taker, role = "participant", "agreed");
        Ok(())
    }

    /// Refuses what could be begun, and should not be.
    async fn prudent(&self, taker: Address, offer: &Offer, now: UnixTime) -> Result<(), Failure> {
        let told = |error: DeskError| match error {
            DeskError::NotWorth { .. } => Failure::from(No::NotWorth(error)),
            DeskError::Unreliable { .. } => {
                tracing::warn!(%error, "a taker was turned away");
                Failure::from(No::Unreliable)
            }
            DeskError::Store(error) => ours(error),
            DeskError::UnknownAsset(_)
            | DeskError::Draining
            | DeskError::Unhealthy { .. }
            | DeskError::Port(_)
            | DeskError::NoRandomness => self.cannot(&error),
        };
        self.desk.patience(taker, now).await.map_err(told)?;
        self.desk.worth(offer.want, offer.give).await.map_err(told)
    }

    async fn afford(&self, terms: &Terms) -> Result<(), Failure> {
        let afforded = self.desk.coordinator.reserves.afford(Role::Participant, terms, Funding::Wallet).await;
        afforded.map_err(|error| self.turned_away(error))
    }

    fn turned_away(&self, error: ReserveError) -> Failure {
        match error {
            ReserveError::Twice => No::Busy.into(),
            ReserveError::NoRoom(why) => {
                tracing::warn!(%why, "a taker was turned away");
                No::NoRoom(why).into()
            }
            // How much we have is nobody's business.
            error @ (ReserveError::NotEnough { .. }
            | ReserveError::DiskFull { .. }
            | ReserveError::StrangerCap
            | ReserveError::Port(_)) => self.cannot(&error),
        }
    }

    fn cannot(&self, error: &dyn std::error::Error) -> Failure {
        tracing::warn!(%error, "a taker was turned away");
        No::CannotServe.into()
    }

    fn lock_pending(&self) -> std::sync::MutexGuard<'_, Pendings> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, Failure> {
    serde_json::from_value(body).map_err(|error| No::Malformed(error).into())
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::No(No::Malformed(error)) => ServiceError::Invalid(error.to_string()),
            Failure::No(no @ (No::Unproposed | No::Market(MarketError::NoSuchPair))) => ServiceError::NotFound(no.to_string()),
            Failure::No(no @ (No::NotOpen | No::HashUsed | No::Market(MarketError::Gone | MarketError::Moved))) => {
                ServiceError::Conflict(no.to_string())
            }
            Failure::No(no @ (No::Busy | No::CannotServe)) => ServiceError::Unavailable(no.to_string()),
            Failure::No(no @ No::Market(MarketError::NoPrice(_) | MarketError::TooMany | MarketError::NoRandomness)) => {
                ServiceError::Unavailable(no.to_string())
            }
            Failure::No(
                no @ (No::Signature
                | No::CutOff
                | No::Terms(_)
                | No::NoRoom(_)
                | No::NotWorth(_)
                | No::Unreliable
                | No::Market(MarketError::Limits { .. })),
            ) => ServiceError::Refused(no.to_string()),
            Failure::Ours(error) => {
                tracing::error!(error = format!("{error:#}"), "could not answer");
                ServiceError::Internal("the log has more".to_owned())
            }
        }
    }
}

fn ours(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Ours(error.into())
}
