//! Two nodes of one ledger as one port.
//!
//! The first has the wallet and signs; the second watches, is handed every transaction too, and takes over redeeming and
//! refunding where the first can't. One node can lie, be eclipsed, lag or freeze: so money is newly risked only on what both
//! show alike, and duties are done on what either shows. See [`agree`] for the rules.
//!
//! Rejected: a vote of three (two are enough to stop, and a duty needs only one), and asking for agreement before a redeem or a
//! refund (a lying node could then make us lose by doing nothing).

pub mod agree;
mod contracts;
mod node;
#[cfg(test)]
pub(crate) mod tests;

pub use node::Dial;

use crate::clock;
use crate::wire::ConnectError;
use agree::{Doubt, Place};
use async_trait::async_trait;
use contracts::FirstNode;
use node::{Looked, Node};
use photon_chains::{
    Act, Amount, Asset, Balance, BlockHeight, ContractPort, Draft, Family, Found, Hash32, IntentKey, Journal, Ledger, Lock,
    LockId, LockKey, OutsideCoin, Party, Port, PortError, Progress, Progressed, Purpose, Sighting, Template, Timing, Tip, TxId,
    UnixTime, Witness,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, Semaphore};

/// How long a look waits for one of the nodes, and so how long a node that hangs can hold up what the other shows.
const PATIENCE: Duration = Duration::from_secs(10);
/// Transactions on their way to the node that did not sign them; more are not begun, for they are handed over again anyway.
const RELAYS: usize = 16;

/// See the module.
pub struct Pair {
    ledger: Ledger,
    journal: Arc<dyn Journal>,
    first: Node,
    second: Node,
    /// Whichever was connected at the start: for what both know alike.
    known: Arc<dyn Witness>,
    watched: Mutex<HashMap<LockId, (Lock, BlockHeight)>>,
    doubt: Mutex<Option<Doubt>>,
    /// Shared by whatever the first node does, held alone by what the second signs: never two signers at one time.
    signing: Arc<RwLock<()>>,
    relays: Arc<Semaphore>,
}

impl Pair {
    /// Connects to both, or to the one that answers; the other is tried again at each look. Refused if either is the wrong one.
    pub async fn connect(ledger: Ledger, journal: Arc<dyn Journal>, first: Dial, second: Dial) -> Result<Self, ConnectError> {
        let (first, second) = (Node::new(Place::First, first), Node::new(Place::Second, second));
        let mut unreachable = None;
        for (node, other) in [(&first, &second), (&second, &first)] {
            match node.dial(other.port()).await {
                Some(Ok(port)) => {
                    same_chain(node.place, &port, other.port())?;
                    node.put(port);
                }
                Some(Err(ConnectError::Unreachable(error))) => {
                    tracing::error!(chain = %ledger, %error, "{} is not connected: it is tried again", node.place);
                    node.note(Looked::Unseen(error.clone()));
                    unreachable.get_or_insert(error);
                }
                Some(Err(refused)) => return Err(refused),
                None => {}
            }
        }
        let known = match (first.port().or(second.port()), unreachable) {
            (Some(port), _) => port.clone(),
            (None, Some(error)) => return Err(ConnectError::Unreachable(error)),
            (None, None) => return Err(ConnectError::Refused(anyhow::anyhow!("neither node was tried"))),
        };
        let (watched, doubt) = (Mutex::default(), Mutex::default());
        let relays = Arc::new(Semaphore::new(RELAYS));
        Ok(Self { ledger, journal, first, second, known, watched, doubt, signing: Arc::default(), relays })
    }

    fn unreachable(&self, reason: &str) -> PortError {
        PortError::Unreachable { ledger: self.ledger, reason: reason.to_owned() }
    }

    fn first(&self) -> Result<&Arc<dyn Witness>, PortError> {
        self.first.port().ok_or_else(|| self.unreachable("the first node, which has the wallet, is not connected yet"))
    }

    /// Connects to a node that did not answer before. One that turns out to be the wrong one is never used, and is told of.
    async fn redial(&self) {
        for (node, other) in [(&self.first, &self.second), (&self.second, &self.first)] {
            let Some(dialled) = node.dial(other.port()).await else { continue };
            let met = dialled.and_then(|port| same_chain(node.place, &port, other.port()).map(|()| port));
            match met {
                Ok(port) => {
                    tracing::info!(chain = %self.ledger, "{} is connected", node.place);
                    let watched = locked(&self.watched);
                    watched.values().for_each(|(lock, since)| port.watch(lock, *since));
                    node.put(port);
                }
                Err(error) => node.note(Looked::Unseen(self.unreachable(&error.to_string()))),
            }
        }
    }

    /// What speaks against believing the two.
    async fn compare(&self, first: &Looked, second: &Looked) -> Option<Doubt> {
        let unseen = |place, error: &PortError| Some(Doubt::Unseen { place, reason: error.to_string() });
        let (a, b) = match (first, second) {
            (Looked::Unseen(error), _) => return unseen(Place::First, error),
            (Looked::Seen(_), Looked::Unseen(error)) => return unseen(Place::Second, error),
            (Looked::Seen(a), Looked::Seen(b)) => (a, b),
        };
        let timing = self.known.timing();
        let doubt = agree::doubt_of_tips(a, b, timing.stale_tip_secs, clock::now());
        if doubt.is_some() || a.block == b.block {
            return doubt;
        }
        let relied = u64::from(timing.confirmations.saturating_sub(1));
        let height = a.block.height.get().min(b.block.height.get()).saturating_sub(relied);
        match tokio::join!(self.block_at(&self.first, height), self.block_at(&self.second, height)) {
            (Ok(a), Ok(b)) => (a != b || a.is_none()).then_some(Doubt::OtherChain { height }),
            (Err(error), _) => unseen(Place::First, &error),
            (Ok(_), Err(error)) => unseen(Place::Second, &error),
        }
    }

    async fn block_at(&self, node: &Node, height: u64) -> Result<Option<Hash32>, PortError> {
        let port = node.port().ok_or_else(|| self.unreachable("not connected yet"))?;
        let asked = tokio::time::timeout(PATIENCE, port.block_at(BlockHeight::new(height))).await;
        asked.unwrap_or_else(|_| Err(self.unreachable("it takes long to answer")))
    }

    fn tell(&self, doubt: Option<Doubt>) {
        let mut before = locked(&self.doubt);
        match (&*before, &doubt) {
            (Some(old), Some(new)) if old.is_like(new) => {}
            (_, Some(new)) => tracing::warn!(chain = %self.ledger, "no new risk: {new}"),
            (Some(_), None) => tracing::info!(chain = %self.ledger, "both nodes agree again"),
            (None, None) => {}
        }
        metrics::gauge!("photon_nodes_disagree", "chain" => self.ledger.name()).set(f64::from(u8::from(doubt.is_some())));
        *before = doubt;
    }

    /// Hands the newest transaction of an intent to the node that did not sign it, whatever state it is in. Nothing waits for it.
    async fn relay(&self, intent: IntentKey, to: &Node) -> Result<(), PortError> {
        let Some(tx) = self.journal.of_intent(&intent).await?.pop() else { return Ok(()) };
        let (Some(port), Ok(room)) = (to.port().cloned(), self.relays.clone().try_acquire_owned()) else { return Ok(()) };
        let place = to.place;
        tokio::spawn(async move {
            if let Err(error) = port.relay(&tx).await {
                tracing::debug!(chain = %tx.ledger, %intent, txid = %tx.txid, %error, "{place} was not handed a transaction");
            }
            drop(room);
        });
        Ok(())
    }

    async fn at_first(&self, act: &Act) -> Result<Progress, PortError> {
        let _shared = self.signing.read().await;
        self.first()?.ensure(act).await
    }

    async fn at_second(&self, act: &Act) -> Result<Progress, PortError> {
        let port = self.second.port().ok_or_else(|| self.unreachable("the second node is not connected yet"))?;
        let _alone = self.signing.write().await;
        port.ensure(act).await
    }

    /// New risk and payments: only where the wallet is.
    async fn pay(&self, act: &Act) -> Result<Progress, PortError> {
        let said = self.at_first(act).await;
        self.relay(act.intent(), &self.second).await?;
        said
    }

    /// Redeems and refunds: by the first node if it can be asked; where it can't, or says that there is nothing to do yet, or
    /// nothing any more of what still stands on the second, by that one.
    async fn claim(&self, act: &Act, lock: LockId) -> Result<Progress, PortError> {
        let carries = self.second.is_in_sight();
        let said = match self.first.is_in_sight() || !carries {
            true => Some(self.at_first(act).await),
            false => None,
        };
        let is_enough = match &said {
            None => false,
            Some(Ok(Progress::Sent { .. } | Progress::Mined { .. })) => {
                self.relay(act.intent(), &self.second).await?;
                true
            }
            Some(Ok(Progress::Done)) => !carries || !stands(&self.second, lock),
            Some(Err(PortError::Journal(_))) => true,
            Some(Ok(Progress::NotYet) | Err(_)) => !carries,
        };
        if let (true, Some(said)) = (is_enough, &said) {
            return said.clone();
        }
        let carried = self.at_second(act).await;
        match (&said, &carried) {
            (_, Err(PortError::Journal(_))) => carried,
            (_, Ok(Progress::Sent { .. } | Progress::Mined { .. })) => {
                tracing::warn!(chain = %self.ledger, intent = %act.intent(), "carried by the second node");
                self.relay(act.intent(), &self.first).await?;
                carried
            }
            // Done is what both say, or the only one that can be asked.
            (None | Some(Err(_) | Ok(Progress::Done)), Ok(Progress::Done)) => carried,
            (None | Some(Err(_)), Ok(Progress::NotYet)) => carried,
            (None, Err(_)) => carried,
            (Some(Err(error)), Err(_)) => Err(error.clone()),
            (Some(Ok(_)), Ok(Progress::Done | Progress::NotYet) | Err(_)) => Ok(Progress::NotYet),
        }
    }
}

/// Both nodes must be on one chain from its first block on.
fn same_chain(place: Place, port: &Arc<dyn Witness>, other: Option<&Arc<dyn Witness>>) -> Result<(), ConnectError> {
    if other.is_none_or(|other| other.genesis() == port.genesis()) {
        return Ok(());
    }
    let reason = format!("{place} has another first block than the other one");
    Err(ConnectError::Refused(PortError::WrongNetwork { ledger: port.ledger(), reason }.into()))
}

fn stands(node: &Node, lock: LockId) -> bool {
    node.port().and_then(|port| port.look(lock)).is_some_and(|seen| seen.stands())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Port for Pair {
    fn ledger(&self) -> Ledger {
        self.ledger
    }

    fn timing(&self) -> &Timing {
        self.known.timing()
    }

    fn genesis(&self) -> Hash32 {
        self.known.genesis()
    }

    fn template(&self, asset: Asset) -> Result<Template, PortError> {
        self.known.template(asset)
    }

    fn party(&self, key: &LockKey) -> Result<Party, PortError> {
        self.known.party(key)
    }

    async fn decimals(&self, asset: Asset) -> Result<u8, PortError> {
        self.first()?.decimals(asset).await
    }

    fn watch(&self, lock: &Lock, since: BlockHeight) {
        let mut watched = locked(&self.watched);
        watched.insert(lock.id(), (*lock, since));
        for port in [&self.first, &self.second].into_iter().filter_map(Node::port) {
            port.watch(lock, since);
        }
    }

    fn unwatch(&self, lock: LockId) {
        let mut watched = locked(&self.watched);
        watched.remove(&lock);
        for port in [&self.first, &self.second].into_iter().filter_map(Node::port) {
            port.unwatch(lock);
        }
    }

    async fn poll(&self) -> Result<Tip, PortError> {
        self.redial().await;
        let (first, second) = tokio::join!(self.first.look(PATIENCE, &self.signing), self.second.look(PATIENCE, &self.signing));
        let missing = || Looked::Unseen(self.unreachable("not connected yet"));
        let (first, second) = (first.unwrap_or_else(missing), second.unwrap_or_else(missing));
        for looked in [&first, &second] {
            if let Looked::Unseen(error @ PortError::Journal(_)) = looked {
                return Err(error.clone());
            }
        }
        let doubt = self.compare(&first, &second).await;
        self.tell(doubt);
        self.first.note(first.clone());
        self.second.note(second.clone());
        match (first, second) {
            (Looked::Seen(a), Looked::Seen(b)) => Ok(agree::tip_of(a, b, self.ledger.family(), clock::now())),
            (Looked::Seen(tip), Looked::Unseen(_)) | (Looked::Unseen(_), Looked::Seen(tip)) => Ok(tip),
            (Looked::Unseen(error), Looked::Unseen(_)) => Err(error),
        }
    }

    fn doubt(&self) -> Option<String> {
        locked(&self.doubt).as_ref().map(Doubt::to_string)
    }

    fn look(&self, lock: LockId) -> Option<Sighting> {
        let seen = |node: &Node| node.port().and_then(|port| port.look(lock));
        let (first, second) = (seen(&self.first), seen(&self.second));
        let secret = [&first, &second].into_iter().flatten().find_map(|seen| seen.secret.clone());
        let together = match (self.first.is_in_sight(), self.second.is_in_sight()) {
            (true, false) => first.map(agree::alone),
            (false, true) => second.map(agree::alone),
            (true, true) => agree::both(first, second),
            // As it was when either was last in sight.
            (false, false) => match (first, second) {
                (Some(seen), None) | (None, Some(seen)) => Some(agree::alone(seen)),
                (first, second) => agree::both(first, second),
            },
        };
        together.map(|seen| Sighting { secret, ..seen })
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        match act {
            Act::Fund { .. } | Act::Cancel { .. } | Act::Send { .. } => self.pay(act).await,
            Act::Redeem { lock, .. } | Act::Refund { lock, .. } => self.claim(act, lock.id()).await,
        }
    }

    async fn balance(&self, asset: Asset) -> Result<Balance, PortError> {
        self.first()?.balance(asset).await
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        self.first()?.receive_address().await
    }

    fn funding_address(&self, lock: &Lock) -> Option<String> {
        self.known.funding_address(lock)
    }

    fn funding_psbt(&self, lock: &Lock) -> Option<String> {
        self.known.funding_psbt(lock)
    }

    async fn draft_funding(&self, lock: &Lock, coins: &[OutsideCoin], change: &str) -> Result<Draft, PortError> {
        self.first()?.draft_funding(lock, coins, change).await
    }

    async fn relay_funding(&self, lock: &Lock, psbt: &str) -> Result<TxId, PortError> {
        let txid = self.first()?.relay_funding(lock, psbt).await?;
        if let (Some(second), Ok(room)) = (self.second.port().cloned(), self.relays.clone().try_acquire_owned()) {
            let (lock, psbt) = (*lock, psbt.to_owned());
            tokio::spawn(async move {
                if let Err(error) = second.relay_funding(&lock, &psbt).await {
                    tracing::debug!(chain = %lock.asset.ledger(), %txid, %error, "the second node was not handed a funding from outside");
                }
                drop(room);
            });
        }
        Ok(txid)
    }

    async fn leave_note(&self, lock: &Lock, note: &str) -> Result<(), PortError> {
        self.first()?.leave_note(lock, note).await
    }

    /// Where the wallet is, for notes are left there. A ledger with accounts shows by itself what is ours, at either node.
    async fn find(&self, since: UnixTime, progressed: Progressed<'_>) -> Result<Found, PortError> {
        match (self.first.port(), self.second.port(), self.ledger.family()) {
            (None, Some(second), Family::Evm) => second.find(since, progressed).await,
            (Some(_), _, _) | (None, _, Family::Utxo) | (None, None, Family::Evm) => self.first()?.find(since, progressed).await,
        }
    }

    fn contracts(self: Arc<Self>) -> Option<Arc<dyn ContractPort>> {
        let first = self.first.port()?.clone().contracts()?;
        Some(Arc::new(FirstNode::new(self, first)))
    }

    async fn likely_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.first()?.likely_fee(asset, purpose).await
    }

    async fn worst_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.first()?.worst_fee(asset, purpose).await
    }
}
