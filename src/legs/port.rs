//! The port of one chain's payment channels.

mod room;

use super::timing_of;
use crate::channels::{Channels, ChannelsError, Leg, LegState, NewPayment, NewRequest, PayBy, Payee, Through, WeakChannels};
use crate::clock;
use crate::ledgers::WeakLedgers;
use async_trait::async_trait;
use photon_chains::{
    Act, Address, Amount, Asset, Balance, BlockHeight, BlockRef, Hash32, Ledger, Lock, LockId, LockKey, LockStatus, NoRoom,
    Party, Port, PortError, Progress, PublicKey, Purpose, Secret, Sighting, Spend, SpendKind, Template, Timing, Tip, TxId,
};
use photon_channel::{KnownKey, PaymentId, Units};
use photon_swap::Profile;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a port is made of.
pub struct LegParts {
    /// The channels' ledger.
    pub ledger: Ledger,
    /// The port of their chain.
    pub chain: Arc<dyn Port>,
    /// All ledgers: the chain's health is this one's.
    pub ledgers: WeakLedgers,
    /// The engines.
    pub channels: WeakChannels,
    /// The contract of the channels.
    pub contract: Address,
    /// The node's own key.
    pub key: PublicKey,
    /// The most mediators of a leg.
    pub reach: u8,
    /// What the owner promises about being online.
    pub profile: Profile,
}

/// See the module.
pub struct LegPort {
    parts: LegParts,
    /// With as many mediators as allowed.
    timing: Timing,
    watched: Mutex<HashMap<LockId, Watched>>,
    /// Legs that are not to be paid any more, whoever is about to.
    cancelled: Mutex<HashSet<LockId>>,
    /// Legs that are to be funded, and where each has its room.
    kept: Mutex<HashMap<LockId, room::Kept>>,
    /// Room is looked for by one at a time.
    keeping: tokio::sync::Mutex<()>,
    /// One deed about a leg at a time.
    turns: [tokio::sync::Mutex<()>; TURNS],
}

struct Watched {
    lock: Lock,
    leg: Leg,
    since: BlockHeight,
    seen: Option<Sighting>,
    is_changed: bool,
}

const TURNS: usize = 32;

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How the payment of a lock is named.
fn payment_of(lock: LockId) -> PaymentId {
    let mut name = [0; 16];
    name.iter_mut().zip(lock.as_bytes()).for_each(|(to, byte)| *to = *byte);
    PaymentId::from_bytes(name)
}

impl LegPort {
    /// A port of those parts.
    pub fn new(parts: LegParts) -> Self {
        let timing = timing_of(parts.chain.timing(), &parts.profile, parts.reach);
        let turns = std::array::from_fn(|_| tokio::sync::Mutex::new(()));
        Self {
            parts,
            timing,
            watched: Mutex::default(),
            cancelled: Mutex::default(),
            kept: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            turns,
        }
    }

    /// The chain, as the engines name it.
    fn chain(&self) -> Ledger {
        self.parts.ledger.chain()
    }

    fn channels(&self) -> Result<Channels, PortError> {
        self.parts.channels.get().map_err(|error| self.failed(error))
    }

    fn refused(&self, reason: impl Into<String>) -> PortError {
        PortError::Refused { ledger: self.parts.ledger, reason: reason.into() }
    }

    fn failed(&self, error: ChannelsError) -> PortError {
        let (ledger, reason) = (self.parts.ledger, error.to_string());
        match error {
            ChannelsError::Stopped | ChannelsError::Busy | ChannelsError::OutOfSight(_) => {
                PortError::Unreachable { ledger, reason }
            }
            ChannelsError::NoLedger(_)
            | ChannelsError::Channel(_)
            | ChannelsError::NoWay
            | ChannelsError::Kept
            | ChannelsError::NoKey
            | ChannelsError::Order(_)
            | ChannelsError::SamePayment(_)
            | ChannelsError::Refused(_) => PortError::Refused { ledger, reason },
        }
    }

    fn leg(&self, lock: &Lock) -> Leg {
        let is_ours = lock.refundee == Party::Key(self.parts.key);
        Leg { id: payment_of(lock.id()), hash: lock.secret_hash, until: lock.expiry, is_ours }
    }

    fn units(&self, amount: Amount) -> Result<Units, PortError> {
        Units::try_from(amount).map_err(|_| self.refused("that is more than any channel can hold"))
    }

    fn payee(&self, lock: &Lock) -> Result<KnownKey, PortError> {
        let Party::Key(key) = lock.redeemer else {
            return Err(self.refused("a lock in a channel names the keys of its parties"));
        };
        KnownKey::new(&key).map_err(|_| self.refused("the redeemer's key is none"))
    }

    fn reach_of(&self, lock: &Lock) -> u8 {
        match lock.template {
            Template::Channel { reach, .. } => reach,
            Template::P2wsh | Template::Htlc { .. } => 0,
        }
    }

    async fn state(&self, lock: &Lock) -> Result<Option<LegState>, PortError> {
        let states = self.channels()?.legs(self.chain(), vec![self.leg(lock)]).await.map_err(|error| self.failed(error))?;
        Ok(states.into_iter().next().flatten())
    }

    /// Refuses to pay into what is no lock of these channels, or one that anybody could open.
    fn must_fit(&self, lock: &Lock) -> Result<(), PortError> {
        let Template::Channel { contract, .. } = lock.template else {
            return Err(self.refused("the lock lies in no channel"));
        };
        let is_here = lock.asset.ledger() == self.parts.ledger && contract == self.parts.contract && lock.is_consistent();
        let is_ours = lock.refundee == Party::Key(self.parts.key);
        if !is_here || !is_ours || lock.amount.is_zero() || lock.secret_hash.is_degenerate() {
            return Err(self.refused("the lock is not one of this node in these channels, holds nothing, or opens for anybody"));
        }
        Ok(())
    }

    async fn fund(&self, lock: &Lock) -> Result<Progress, PortError> {
        let sent = Progress::Sent { txid: name_of(lock) };
        self.must_fit(lock)?;
        if held(&self.cancelled).contains(&lock.id()) {
            return Ok(Progress::NotYet);
        }
        match self.state(lock).await? {
            Some(LegState::Absent) => {}
            None | Some(LegState::Queued | LegState::Locked { .. }) => return Ok(sent),
            Some(LegState::Paid(_) | LegState::Back) => return Ok(Progress::Done),
        }
        let (payee, amount, ways) = (self.payee(lock)?, self.units(lock.amount)?, self.ways_to_fund(lock).await?);
        let Some(most) = ways.iter().map(|way| way.amount).max() else { return Err(self.no_way(lock).await?) };
        let payment = NewPayment {
            ledger: self.chain(),
            id: Some(payment_of(lock.id())),
            token: lock.asset.token(),
            payee: Payee::Key(payee.public_key()),
            amount,
            most_fee: most.saturating_sub(amount),
            by: PayBy::Hash(lock.secret_hash),
            through: Through::Ways(ways),
            memo: Some(MEMO.to_owned()),
        };
        match self.channels()?.pay(payment).await {
            Ok(_) | Err(ChannelsError::SamePayment(_)) => Ok(sent),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Why a lock can't be funded now: there is too little in all channels together, or in none that leads there so much.
    async fn no_way(&self, lock: &Lock) -> Result<PortError, PortError> {
        let (ledger, asset, needed) = (self.parts.ledger, lock.asset, lock.amount);
        let available = self.balance(asset).await?.available;
        Ok(match available < needed {
            true => PortError::NotEnough { ledger, asset, needed, available },
            false => self.refused("no channel leads to the counterparty that has so much to spend"),
        })
    }

    /// What is not locked yet never will be. What is locked comes back when its payee gives it up, or at its end.
    async fn cancel(&self, lock: &Lock) -> Result<Progress, PortError> {
        held(&self.cancelled).insert(lock.id());
        match self.state(lock).await? {
            Some(LegState::Absent | LegState::Back) => Ok(Progress::Done),
            None | Some(LegState::Locked { .. } | LegState::Paid(_)) => Ok(Progress::NotYet),
            Some(LegState::Queued) => {
                self.recall(lock).await?;
                Ok(Progress::NotYet)
            }
        }
    }

    async fn refund(&self, lock: &Lock) -> Result<Progress, PortError> {
        match self.state(lock).await? {
            Some(LegState::Absent | LegState::Back | LegState::Paid(_)) => Ok(Progress::Done),
            None => Ok(Progress::NotYet),
            // Its payer takes it off the list by itself once both clocks allow it; asking may bring it sooner.
            Some(LegState::Queued | LegState::Locked { .. }) => {
                self.recall(lock).await?;
                Ok(Progress::NotYet)
            }
        }
    }

    async fn recall(&self, lock: &Lock) -> Result<(), PortError> {
        match self.channels()?.recall(self.chain(), payment_of(lock.id())).await {
            Ok(()) | Err(ChannelsError::Refused(_)) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn redeem(&self, lock: &Lock, secret: &Secret) -> Result<Progress, PortError> {
        if lock.redeemer != Party::Key(self.parts.key) || secret.hash() != lock.secret_hash {
            return Err(self.refused("the lock is another's, or opens with another secret"));
        }
        let channels = self.channels()?;
        match self.state(lock).await? {
            Some(LegState::Paid(_)) => Ok(Progress::Done),
            None | Some(LegState::Absent | LegState::Queued | LegState::Back) => Ok(Progress::NotYet),
            Some(LegState::Locked { .. }) => {
                match channels.release(self.chain(), secret.clone()).await {
                    Ok(()) => {}
                    // Too late to be paid off chain for it, but it is public, or may be: the engine registers it.
                    Err(ChannelsError::Refused(_)) => {
                        channels.learn(self.chain(), secret.clone()).await.map_err(|error| self.failed(error))?;
                    }
                    Err(error) => return Err(self.failed(error)),
                }
                Ok(Progress::Sent { txid: name_of(lock) })
            }
        }
    }
}

/// What the owner's list of payments shows beside a leg.
const MEMO: &str = "a leg of a swap";

/// A payment has no transaction: it is named like its lock.
fn name_of(lock: &Lock) -> TxId {
    TxId::from_bytes(*lock.id().as_bytes())
}

fn sighting(watched: &Watched, state: LegState) -> Sighting {
    let txid = name_of(&watched.lock);
    // Nor has it a block: the one since which it is looked for, by the lock's own name.
    let at = BlockRef { height: watched.since, hash: Hash32::from_bytes(*watched.lock.id().as_bytes()) };
    let known = watched.seen.as_ref().and_then(|seen| seen.secret.clone());
    let spend = |kind| Some(Spend { kind, txid, depth: 0 });
    let (status, spend, secret) = match state {
        LegState::Absent => (LockStatus::Absent, None, None),
        LegState::Queued => (LockStatus::Pending { txid, depth: 0 }, None, None),
        LegState::Locked { secret, is_sure: true, .. } => (LockStatus::Redeemed { txid, at }, None, secret),
        LegState::Locked { secret, is_leaving, .. } => {
            let spend = match (&secret, is_leaving) {
                (Some(_), _) => spend(SpendKind::Redeem),
                (None, true) => spend(SpendKind::Refund),
                (None, false) => None,
            };
            (LockStatus::Funded { txid, at, depth: 1 }, spend, secret)
        }
        LegState::Paid(secret) => (LockStatus::Redeemed { txid, at }, None, secret),
        LegState::Back => (LockStatus::Refunded { txid, at }, None, None),
    };
    Sighting { status, spend, secret: secret.or(known), faults: Vec::new() }
}

#[async_trait]
impl Port for LegPort {
    fn ledger(&self) -> Ledger {
        self.parts.ledger
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn genesis(&self) -> Hash32 {
        self.parts.chain.genesis()
    }

    fn template(&self, _asset: Asset) -> Result<Template, PortError> {
        Ok(Template::Channel { contract: self.parts.contract, reach: self.parts.reach })
    }

    /// Straight where there is a channel with them.
    async fn template_with(&self, asset: Asset, counterparty: Address) -> Result<Template, PortError> {
        let straight = self.channels()?.has_straight(self.chain(), asset.token(), counterparty).await;
        let reach = if straight.map_err(|error| self.failed(error))? { 0 } else { self.parts.reach };
        Ok(Template::Channel { contract: self.parts.contract, reach })
    }

    fn timing_of(&self, template: &Template, offline_secs: u64) -> Timing {
        let Template::Channel { reach, .. } = template else { return self.timing };
        timing_of(self.parts.chain.timing(), &self.parts.profile.at_least_offline(offline_secs), *reach)
    }

    fn needs_room(&self) -> bool {
        true
    }

    async fn keep_room(&self, lock: &Lock, beside: &[Lock]) -> Result<Option<NoRoom>, PortError> {
        self.make_room(lock, beside).await
    }

    async fn free_room(&self, lock: &Lock) -> Result<(), PortError> {
        self.leave_room(&lock.id()).await
    }

    async fn expect(&self, lock: &Lock) -> Result<(), PortError> {
        let (channels, leg) = (self.channels()?, self.leg(lock));
        let known = channels.requests(self.chain()).await.map_err(|error| self.failed(error))?;
        if known.iter().any(|request| request.secret_hash == leg.hash && request.id == leg.id) {
            return Ok(());
        }
        let request = NewRequest {
            ledger: self.chain(),
            amount: self.units(lock.amount)?,
            least_secs: 0,
            hold: Some(leg.hash),
            id: Some(leg.id),
            until: Some(leg.until),
            memo: Some(MEMO.to_owned()),
        };
        channels.expect(request).await.map(|_| ()).map_err(|error| self.failed(error))
    }

    fn party(&self, _key: &LockKey) -> Result<Party, PortError> {
        Ok(Party::Key(self.parts.key))
    }

    async fn decimals(&self, asset: Asset) -> Result<u8, PortError> {
        self.parts.chain.decimals(asset.on_chain()).await
    }

    fn watch(&self, lock: &Lock, since: BlockHeight) {
        let new = Watched { lock: *lock, leg: self.leg(lock), since, seen: None, is_changed: true };
        held(&self.watched).entry(lock.id()).or_insert(new);
    }

    /// The swap is over: what was expected for it and did not come, or was not taken, is not waited for any more.
    fn unwatch(&self, lock: LockId) {
        held(&self.cancelled).remove(&lock);
        let kept = held(&self.kept).remove(&lock);
        let watched = held(&self.watched).remove(&lock);
        let (Ok(channels), chain) = (self.channels(), self.chain()) else { return };
        let awaited = watched.filter(|watched| !watched.leg.is_ours).map(|watched| watched.leg.hash);
        if kept.is_none() && awaited.is_none() {
            return;
        }
        tokio::spawn(async move {
            if kept.is_some() {
                drop(channels.free_room(chain, payment_of(lock)).await);
            }
            if let Some(hash) = awaited {
                // Where it was paid there is nothing to give up; where the process ends now, [`super::Orphans`] finds it.
                drop(channels.give_up(chain, hash).await);
            }
        });
    }

    async fn poll(&self) -> Result<Tip, PortError> {
        let unseen = |reason: &str| PortError::Unreachable { ledger: self.parts.ledger, reason: reason.to_owned() };
        let ledgers = self.parts.ledgers.get().ok_or_else(|| unseen("the node is stopping"))?;
        let tip = ledgers.outlook(self.chain()).tip.ok_or_else(|| unseen("its chain was not looked at yet"))?;
        let legs: Vec<(LockId, Leg)> = held(&self.watched).iter().map(|(id, watched)| (*id, watched.leg)).collect();
        let asked = legs.iter().map(|(_, leg)| *leg).collect();
        let states = self.channels()?.legs(self.chain(), asked).await.map_err(|error| self.failed(error))?;
        {
            let mut all = held(&self.watched);
            for ((id, _), state) in legs.into_iter().zip(states) {
                // What is just ending is as it was until it has.
                let (Some(watched), Some(state)) = (all.get_mut(&id), state) else { continue };
                let now = sighting(watched, state);
                watched.is_changed |= watched.seen.as_ref().is_none_or(|seen| now.differs(seen));
                watched.seen = Some(now);
            }
        }
        if let Err(error) = self.tidy_rooms().await {
            tracing::debug!(chain = %self.parts.ledger, %error, "room for legs is looked for again at the next look");
        }
        Ok(tip)
    }

    fn doubt(&self) -> Option<String> {
        let ledgers = self.parts.ledgers.get()?;
        ledgers.unhealthy(self.chain(), clock::now()).map(|reason| format!("{}: {reason}", self.chain()))
    }

    fn look(&self, lock: LockId) -> Option<Sighting> {
        held(&self.watched).get(&lock)?.seen.clone()
    }

    fn take_changed(&self) -> Option<Vec<LockId>> {
        let mut all = held(&self.watched);
        let changed = |(id, watched): (&LockId, &mut Watched)| {
            (watched.seen.is_some() && std::mem::take(&mut watched.is_changed)).then_some(*id)
        };
        Some(all.iter_mut().filter_map(changed).collect())
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        let turn = act.intent().subject.as_bytes().iter().fold(0, |sum: usize, byte| sum + usize::from(*byte)) % TURNS;
        let Some(turn) = self.turns.get(turn) else { return Ok(Progress::NotYet) };
        let _alone = turn.lock().await;
        match act {
            Act::Fund { lock } => self.fund(lock).await,
            Act::Cancel { lock } => self.cancel(lock).await,
            Act::Redeem { lock, secret, .. } => self.redeem(lock, secret).await,
            Act::Refund { lock, .. } => self.refund(lock).await,
            Act::Send { .. } => Err(self.refused("money in channels is paid by a payment")),
        }
    }

    /// What all channels in that token can pay, together.
    async fn balance(&self, asset: Asset) -> Result<Balance, PortError> {
        let free = self.channels()?.leg_room(self.chain(), asset.token()).await.map_err(|error| self.failed(error))?;
        let sum = free.into_iter().try_fold(Amount::ZERO, |sum, free| sum.checked_add(free.into()));
        Ok(Balance { available: sum.unwrap_or(Amount::MAX), incoming: Amount::ZERO })
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        Err(self.refused("channels are paid by requests: make one"))
    }

    fn funding_address(&self, _lock: &Lock) -> Option<String> {
        None
    }

    /// Between parties who answer a payment costs nothing on chain.
    async fn likely_fee(&self, _asset: Asset, _purpose: Purpose) -> Result<Amount, PortError> {
        Ok(Amount::ZERO)
    }

    /// Where the payer does not answer, the payee registers and unlocks, which costs about what a redeem does; and a payer may
    /// have to close.
    async fn worst_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        match purpose {
            Purpose::Redeem | Purpose::Refund => self.parts.chain.worst_fee(asset.on_chain(), purpose).await,
            Purpose::Fund | Purpose::Cancel | Purpose::Send | Purpose::Call => Ok(Amount::ZERO),
        }
    }
}
