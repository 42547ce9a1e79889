//! From an offer to a swap that both have signed.
//!
//! ```mermaid
//! sequenceDiagram
//!   participant T as taker (Initiator)
//!   participant M as maker (Participant)
//!   T->>M: offers
//!   M-->>T: offers, each signed
//!   Note over T: salt, secret hash reserved for ever
//!   T->>M: take, signed
//!   M-->>T: terms, signed: proposed
//!   Note over T: every figure recomputed, terms saved
//!   T->>M: accept, signed
//!   Note over M: terms and both signatures saved
//!   M-->>T: accepted
//!   Note over T: both signatures saved: only now may money move
//! ```
//!
//! Until the last line nobody has anything at stake, and either side may fall silent. An accept that is repeated gets the
//! same answer. No message is ever evidence of what stands on a ledger.

#[cfg(feature = "bare")]
pub mod bare;
mod maker;
mod messages;
mod pending;
mod prudence;
mod taker;

pub use maker::Maker;
pub(crate) use messages::{AskAccept, AskTake, Proposal, SignedOffer};
pub use prudence::most_live;
pub use taker::{Taker, TakerError};

use crate::assets::Assets;
use crate::clock;
use crate::coordinator::Coordinator;
use crate::keys::{self, KeyUse, Signature, Wallet};
use crate::ledgers::Ledgers;
use crate::market::Market;
use crate::store::StoreError;
use photon_chains::{Address, Amount, Asset, Hash32, Ledger, Party, PortError, Template, Timing, UnixTime};
use photon_swap::{LegRules, Offer, Profile, Role, Rules, Salt, Terms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What both sides of a negotiation work with. Clones are handles to the same.
#[derive(Clone)]
pub struct Desk {
    /// Carries agreed swaps through.
    pub coordinator: Coordinator,
    /// What may be traded.
    pub assets: Assets,
    /// What our owner promises about being online.
    pub profile: Profile,
    /// The longest that our owner lets money be locked.
    pub max_lock_secs: u64,
    /// So many swaps with one peer may come to nothing in a day.
    pub failures_per_peer: u32,
    /// Chain ids of the EVM ledgers.
    pub chain_ids: BTreeMap<Ledger, u64>,
    /// What we quote.
    pub market: Market,
    /// Nothing new is begun, because our owner wants it so.
    pub draining: Arc<AtomicBool>,
}

/// What a leg locks, and by which template the counterparty would lock it, if it has said so.
type LegWish = (Asset, Option<Template>);

/// A swap that is thought of.
struct Between {
    /// With whom.
    counterparty: Address,
    /// For how long the counterparty may be away.
    offline_secs: u64,
    /// What the maker wants.
    alpha: LegWish,
    /// What the maker gives.
    beta: LegWish,
}

impl Between {
    /// As an offer says. Which templates there are is ours to say.
    const fn offered(offer: &Offer, counterparty: Address, offline_secs: u64) -> Self {
        Self { counterparty, offline_secs, alpha: (offer.want.asset, None), beta: (offer.give.asset, None) }
    }

    /// As an offer says, by the templates of the terms that were drawn up on it. That they lock what was offered is checked after.
    const fn answered(offer: &Offer, terms: &Terms) -> Self {
        let drawn_up = Self::drawn_up(terms, offer.maker);
        Self { alpha: (offer.want.asset, drawn_up.alpha.1), beta: (offer.give.asset, drawn_up.beta.1), ..drawn_up }
    }

    /// As terms say.
    const fn drawn_up(terms: &Terms, counterparty: Address) -> Self {
        let (alpha, beta) = (&terms.alpha.lock, &terms.beta.lock);
        let (alpha, beta) = ((alpha.asset, Some(alpha.template)), (beta.asset, Some(beta.template)));
        Self { counterparty, offline_secs: terms.offline_secs, alpha, beta }
    }
}

/// Why we can't even begin.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// An asset of the offer is not configured here.
    #[error("{0} is not configured here: add it to the configuration, or choose another offer")]
    UnknownAsset(Asset),
    /// A ledger is not in a state to begin something new.
    #[error("nothing new is begun on {ledger}: {reason}")]
    Unhealthy {
        /// Which.
        ledger: Ledger,
        /// What is wrong with it.
        reason: String,
    },
    /// We were asked to begin nothing new.
    #[error("this node is draining: it begins nothing new")]
    Draining,
    /// See [`PortError`].
    #[error(transparent)]
    Port(#[from] PortError),
    /// It would be eaten up by fees.
    #[error(
        "{amount} {asset} (smallest units) are not worth a swap: taking them costs about {fee} now, and at least {least} should be \
         swapped; swap more at once, or wait for lower fees"
    )]
    NotWorth {
        /// Of what.
        asset: Asset,
        /// How much is offered or wanted.
        amount: Amount,
        /// What a redeem costs.
        fee: Amount,
        /// What would be worth it.
        least: Amount,
    },
    /// Too much has come to nothing with this peer.
    #[error(
        "{failures} swaps with {peer} came to nothing within a day after we had paid in: nothing new is begun with it until tomorrow"
    )]
    Unreliable {
        /// With whom.
        peer: Address,
        /// How many.
        failures: u32,
    },
    /// Our own disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl Desk {
    fn wallet(&self) -> &Wallet {
        &self.coordinator.wallet
    }

    fn ledgers(&self) -> &Ledgers {
        &self.coordinator.ledgers
    }

    fn me(&self) -> Address {
        self.wallet().identity_address()
    }

    /// What we ourselves know and want of a swap of these assets, now, with parties who may be away for so long.
    async fn rules(&self, pair: &Between, now: UnixTime) -> Result<Rules, DeskError> {
        if self.draining.load(Ordering::Acquire) {
            return Err(DeskError::Draining);
        }
        Ok(Rules {
            now,
            profile: self.profile,
            alpha: self.leg_rules(pair.alpha, pair, now).await?,
            beta: self.leg_rules(pair.beta, pair, now).await?,
            max_lock_secs: self.max_lock_secs,
        })
    }

    async fn leg_rules(&self, (asset, offered): LegWish, pair: &Between, now: UnixTime) -> Result<LegRules, DeskError> {
        let ledger = asset.ledger();
        let known = self.assets.known(asset).ok_or(DeskError::UnknownAsset(asset))?;
        if let Some(reason) = self.ledgers().unhealthy(ledger, now) {
            return Err(DeskError::Unhealthy { ledger, reason });
        }
        let unseen = || DeskError::Unhealthy { ledger, reason: "not looked at yet".to_owned() };
        let port = self.ledgers().port(ledger).ok_or_else(unseen)?;
        let template = match offered {
            Some(offered) => port.template(asset)?.or_less(offered),
            None => port.template_with(asset, pair.counterparty).await?,
        };
        Ok(LegRules {
            timing: port.timing_of(&template, pair.offline_secs),
            template,
            genesis: port.genesis(),
            chain_id: self.chain_ids.get(&ledger).copied(),
            decimals: known.decimals,
            tip: self.ledgers().outlook(ledger).tip.ok_or_else(unseen)?,
        })
    }

    /// How fast what the maker wants (Alpha) and what it gives (Beta) are.
    pub(crate) fn timings(&self, alpha: Asset, beta: Asset) -> Result<(Timing, Timing), DeskError> {
        if self.draining.load(Ordering::Acquire) {
            return Err(DeskError::Draining);
        }
        let timing = |asset: Asset| {
            let ledger = asset.ledger();
            let unseen = || DeskError::Unhealthy { ledger, reason: "not connected yet".to_owned() };
            self.ledgers().port(ledger).map(|port| *port.timing()).ok_or_else(unseen)
        };
        Ok((timing(alpha)?, timing(beta)?))
    }

    /// How we are named as a party of a lock.
    fn party(&self, salt: &Salt, asset: Asset, key_use: KeyUse) -> Result<Party, DeskError> {
        let ledger = asset.ledger();
        let unseen = || DeskError::Unhealthy { ledger, reason: "not connected yet".to_owned() };
        let port = self.ledgers().port(ledger).ok_or_else(unseen)?;
        Ok(port.party(&self.wallet().lock_key(salt.as_bytes(), ledger, key_use))?)
    }

    /// Makes ready to redeem, before the counterparty may fund what we redeem.
    async fn expect(&self, role: Role, terms: &Terms) -> Result<(), DeskError> {
        let lock = &terms.peer_leg(role).lock;
        let ledger = lock.asset.ledger();
        let unseen = || DeskError::Unhealthy { ledger, reason: "not connected yet".to_owned() };
        Ok(self.ledgers().port(ledger).ok_or_else(unseen)?.expect(lock).await?)
    }

    fn sign(&self, digest: Hash32) -> Vec<u8> {
        self.wallet().sign(digest.as_bytes()).as_bytes().to_vec()
    }

    /// A block at or below which a lock that is only now being agreed can't stand.
    fn since(&self, asset: Asset) -> photon_chains::BlockHeight {
        /// Blocks that our node may lose by a reorganisation while the terms are signed.
        const MARGIN: u64 = 3;
        self.ledgers()
            .outlook(asset.ledger())
            .tip
            .map_or(photon_chains::BlockHeight::new(0), |tip| tip.block.height.minus(MARGIN))
    }
}

fn is_signed_by(who: Address, digest: Hash32, signature: &[u8]) -> bool {
    let signature: Result<[u8; 65], _> = signature.try_into();
    signature.is_ok_and(|bytes| keys::verify(who, digest.as_bytes(), &Signature::from_bytes(bytes)).is_ok())
}

fn fresh_salt() -> Result<Salt, DeskError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| DeskError::NoRandomness)?;
    Ok(Salt::from_bytes(bytes))
}

fn now() -> UnixTime {
    clock::now()
}
