//! The taker's side: reads a maker's offers, and takes one.

use super::messages::{self, Accepted, AskAccept, AskOffers, AskQuote, AskTake, MOST_OFFERS, Offers, Proposal, SignedOffer};
use super::{Between, Desk, DeskError, fresh_salt, is_signed_by, now};
use crate::coordinator::OUTSIDE;
use crate::keys::KeyUse;
use crate::market::{Ask, Side};
use crate::peer::{PeerAddress, PeerError, PeerNet};
use crate::reserve::ReserveError;
use crate::service::Funding;
use crate::store::{FactRow, FromOffer, NewSwap, StepRows, StoreError};
use photon_chains::Family;
use photon_swap::{Consent, Offer, OfferId, Profile, Refusal, Role, Salt, SwapId, Take, Terms};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a maker has to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two tries to be told that an accept arrived.
const RETRY: Duration = Duration::from_secs(1);

/// Why there is no swap. Nothing was locked, and nothing will be.
#[derive(Debug, thiserror::Error)]
pub enum TakerError {
    /// Before anything was asked.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The maker could not be reached, or says no.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The maker's answer can't be read.
    #[error("the maker's answer to {0} can't be read: it may run another version")]
    Unreadable(&'static str),
    /// The maker does not offer this.
    #[error("the maker has no open offer {0}: list its offers again")]
    NoSuchOffer(OfferId),
    /// The maker's signature is wrong.
    #[error("the maker's signature does not fit: don't deal with this maker")]
    Signature,
    /// The terms are not what we need.
    #[error(transparent)]
    Terms(#[from] Refusal),
    /// We can't afford it.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// Paying by hand is for ledgers with addresses.
    #[error("on {0} only our own account can fund a lock: leave out outside funding")]
    NoOutside(photon_chains::Ledger),
    /// The maker did not confirm in time.
    #[error("the maker did not confirm the swap in time; nothing was locked: take the offer again")]
    Unconfirmed,
    /// Our own disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our own fault.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Takes offers of makers.
#[derive(Clone)]
pub struct Taker {
    desk: Desk,
    net: Arc<PeerNet>,
    /// Quotes that makers gave us, until they end.
    quotes: Arc<Mutex<HashMap<OfferId, Offer>>>,
}

/// The most quotes of makers that are remembered.
const MOST_QUOTES: usize = 1_000;

impl Taker {
    /// Takes for this desk, over this network.
    pub fn new(desk: Desk, net: Arc<PeerNet>) -> Self {
        Self { desk, net, quotes: Arc::default() }
    }

    /// A maker's open offers, those with a wrong signature or id left out.
    pub async fn offers(&self, maker: &PeerAddress) -> Result<Vec<Offer>, TakerError> {
        let Offers { offers } = self.ask(maker, messages::OFFERS, &AskOffers {}).await?;
        let now = now();
        let right = |signed: &messages::SignedOffer| {
            let offer = &signed.offer;
            offer.maker == maker.identity()
                && offer.check(now).is_ok()
                && is_signed_by(offer.maker, offer.digest(), &signed.signature)
        };
        Ok(offers.into_iter().take(MOST_OFFERS).filter(right).map(|signed| signed.offer).collect())
    }

    /// A fresh quote of a maker, which can be taken by its id for as long as it stands.
    pub async fn quote(&self, maker: &PeerAddress, ask: &Ask) -> Result<(Offer, Vec<u8>), TakerError> {
        let SignedOffer { offer, signature } = self.ask(maker, messages::QUOTE, &AskQuote { ask: *ask }).await?;
        let now = now();
        let fits = offer.maker == maker.identity() && (offer.give.asset, offer.want.asset) == (ask.give, ask.want);
        let amount_fits = match ask.amount {
            Side::Give(amount) => offer.give.amount == amount,
            Side::Want(amount) => offer.want.amount == amount,
        };
        if !fits || !amount_fits || offer.check(now).is_err() {
            return Err(TakerError::Unreadable(messages::QUOTE));
        }
        if !is_signed_by(offer.maker, offer.digest(), &signature) {
            return Err(TakerError::Signature);
        }
        let mut quotes = self.quotes.lock().unwrap_or_else(PoisonError::into_inner);
        quotes.retain(|_, known| known.valid_until >= now);
        if quotes.len() < MOST_QUOTES {
            quotes.insert(offer.id, offer);
        }
        Ok((offer, signature))
    }

    /// A quote of that maker that stands.
    fn quoted(&self, maker: &PeerAddress, id: OfferId) -> Option<Offer> {
        let quotes = self.quotes.lock().unwrap_or_else(PoisonError::into_inner);
        quotes.get(&id).filter(|offer| offer.maker == maker.identity() && offer.valid_until >= now()).copied()
    }

    /// Takes an offer. When this returns a swap, both signatures are durable here and money may move.
    pub async fn take(&self, maker: &PeerAddress, offer: OfferId, funding: Funding) -> Result<SwapId, TakerError> {
        let offer = match self.quoted(maker, offer) {
            Some(quote) => quote,
            None => {
                let offers = self.offers(maker).await?;
                offers.into_iter().find(|known| known.id == offer).ok_or(TakerError::NoSuchOffer(offer))?
            }
        };
        let paying = offer.want.asset.ledger();
        if funding == Funding::Outside && paying.family() == Family::Evm {
            return Err(TakerError::NoOutside(paying));
        }
        // Before a hash is spent: can we begin this at all, and should we?
        let between = Between::offered(&offer, offer.maker, self.desk.profile.offline_secs);
        self.desk.rules(&between, now()).await?;
        self.desk.patience(offer.maker, now()).await?;
        self.desk.worth(offer.want, offer.give).await?;
        let salt = fresh_salt()?;
        let take = self.draw_up(&offer, salt, &self.desk.profile)?;
        // Spent for ever before it is shown to anybody.
        let reserved = self.desk.coordinator.store.reserve_hash(take.secret_hash).await?;
        let ask = AskTake { take, signature: self.desk.sign(take.digest()) };
        let Proposal { terms, signature } = self.ask(maker, messages::TAKE, &ask).await?;
        if !is_signed_by(maker.identity(), terms.digest(Consent::Propose, Role::Participant), &signature) {
            return Err(TakerError::Signature);
        }
        let rules = self.desk.rules(&Between::answered(&offer, &terms), now()).await?;
        photon_swap::verify_draft(&take, &offer, &terms, &rules)?;
        let accept = self.desk.sign(terms.digest(Consent::Accept, Role::Initiator));
        {
            self.desk.expect(Role::Initiator, &terms).await?;
            let pledge = self.desk.coordinator.reserves.pledge(Role::Initiator, &terms, funding, None).await?;
            self.save(&terms, maker, accept.clone(), reserved, funding).await?;
            pledge.keep();
        }
        self.confirm(maker, &terms, accept).await?;
        let id = terms.id();
        self.desk.coordinator.agreed(id, signature, funding).await.map_err(|error| match error.downcast_ref() {
            // The maker's word came when it was too late to begin, and the swap had been ended.
            Some(StoreError::SwapEnded) => TakerError::Unconfirmed,
            _ => TakerError::Internal(error.to_string()),
        })?;
        tracing::info!(swap_id = %id, peer = %maker.identity(), role = "initiator", "agreed");
        Ok(id)
    }

    fn draw_up(&self, offer: &Offer, salt: Salt, profile: &Profile) -> Result<Take, TakerError> {
        Ok(Take {
            offer: offer.id,
            taker: self.desk.me(),
            salt,
            secret_hash: self.desk.wallet().secret(salt.as_bytes()).hash(),
            alpha_refundee: self.desk.party(&salt, offer.want.asset, KeyUse::Refund)?,
            beta_redeemer: self.desk.party(&salt, offer.give.asset, KeyUse::Redeem)?,
            offline_secs: profile.offline_secs,
        })
    }

    /// Terms and our signature durable before the signature leaves.
    async fn save(
        &self,
        terms: &Terms,
        maker: &PeerAddress,
        signature: Vec<u8>,
        reserved: crate::store::ReservedHash,
        funding: Funding,
    ) -> Result<(), TakerError> {
        let store = &self.desk.coordinator.store;
        let id = terms.id();
        let internal = |error: serde_json::Error| TakerError::Internal(error.to_string());
        let swap = NewSwap {
            id,
            role: Role::Initiator,
            peer: maker.identity(),
            peer_endpoint: maker.endpoint(),
            terms: serde_json::to_string(terms).map_err(internal)?,
            own_signature: signature,
            peer_signature: None,
            salt: terms.initiator_salt,
            alpha_since: self.desk.since(terms.alpha.lock.asset),
            beta_since: self.desk.since(terms.beta.lock.asset),
            offer: Some(FromOffer::Theirs(terms.offer)),
        };
        store.insert_swap(reserved, swap).await?;
        if funding == Funding::Outside {
            let fact = FactRow { kind: OUTSIDE.to_owned(), body: "{}".to_owned(), is_secret: false };
            store.commit_step(id, StepRows { facts: vec![fact], ..StepRows::default() }).await?;
        }
        let record = store.swap(id).await?.ok_or(StoreError::NoSuch("swap"))?;
        self.desk.coordinator.take_up(&record).map_err(|error| TakerError::Internal(error.to_string()))?;
        Ok(())
    }

    /// Repeats the accept until the maker says that it has saved it, for as long as alpha could still be funded.
    async fn confirm(&self, maker: &PeerAddress, terms: &Terms, signature: Vec<u8>) -> Result<(), TakerError> {
        let ask = AskAccept { swap: terms.id(), signature };
        loop {
            match self.ask::<_, Accepted>(maker, messages::ACCEPT, &ask).await {
                Ok(Accepted { swap }) if swap == terms.id() => return Ok(()),
                Ok(_) => return Err(TakerError::Unreadable(messages::ACCEPT)),
                // A peer that is busy or failed may still have saved it: only its no ends the asking.
                Err(TakerError::Peer(error)) if error.is_no() => return Err(error.into()),
                Err(error) => tracing::info!(swap_id = %terms.id(), %error, "accept not confirmed yet"),
            }
            if now() > terms.deadlines.fund_alpha_by {
                return Err(TakerError::Unconfirmed);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        maker: &PeerAddress,
        kind: &'static str,
        question: &Q,
    ) -> Result<A, TakerError> {
        let body = serde_json::to_value(question).map_err(|error| TakerError::Internal(error.to_string()))?;
        let answer = self.net.request(maker, kind, body, ANSWER).await?;
        serde_json::from_value(answer).map_err(|_| TakerError::Unreadable(kind))
    }
}
