//! The port, filled: what is watched, what was seen, and what is done about it.

mod by_hand;
mod cancel;
mod carry;
mod claim;
mod connect;
mod find;
mod pay;
mod poll;
mod settle;
mod wallet;
mod witness;

pub use connect::UtxoConfig;

use crate::address;
use crate::params::Params;
use crate::rpc::{Rpc, RpcError, code};
use crate::script::LockScript;
use crate::tracker::{Paid, Place, Tracker};
use crate::tx::public_key;
use async_trait::async_trait;
use bitcoin::ScriptBuf;
use photon_chains::{
    Act, Amount, Asset, Balance, BlockHeight, Draft, Found, Hash32, IntentKey, Journal, Ledger, Lock, LockId, LockKey,
    OutsideCoin, Party, Port, PortError, Progress, Progressed, Purpose, Sighting, Template, Timing, Tip, TxId, UnixTime,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bitcoin or Litecoin, through one node and one wallet of it.
pub struct UtxoAdapter {
    params: Params,
    rpc: Rpc,
    journal: Arc<dyn Journal>,
    /// Where redeems and refunds pay, if it is not the node's wallet.
    payout: Option<ScriptBuf>,
    /// False for a node whose wallet is never asked to pay or to receive.
    has_wallet: bool,
    state: Mutex<State>,
    /// One pass at a time.
    polling: tokio::sync::Mutex<()>,
    /// From looking into the journal to writing into it, one act at a time: no coin and no intent is used twice.
    acting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    tracker: Tracker,
    /// What the last whole pass showed.
    seen: HashMap<LockId, Seen>,
    /// The locks of which passes showed something else since this was last asked.
    changed: HashSet<LockId>,
    tip: Option<TipSeen>,
    /// Transactions of ours that can never be mined any more, as settled since this start.
    dead: HashSet<TxId>,
    /// The tip at which settling last asked the wallet.
    settled_at: Option<Place>,
    /// The height at which an intent last bid for being mined, since this start.
    bids: HashMap<IntentKey, u64>,
}

#[derive(Clone)]
struct Seen {
    sighting: Sighting,
    paid: Vec<Paid>,
}

#[derive(Copy, Clone)]
struct TipSeen {
    place: Place,
    /// What its miner stamped on it.
    time: u64,
    median_time: u64,
}

impl std::fmt::Debug for UtxoAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ledger, network) = (self.params.chain.ledger, self.params.net.network);
        f.debug_struct("UtxoAdapter").field("ledger", &ledger).field("network", &network).finish_non_exhaustive()
    }
}

impl UtxoAdapter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, reason: impl Into<String>) -> PortError {
        PortError::Refused { ledger: self.params.chain.ledger, reason: reason.into() }
    }

    fn bad_answer(&self, reason: impl Into<String>) -> PortError {
        PortError::BadAnswer { ledger: self.params.chain.ledger, reason: reason.into() }
    }

    fn failed(&self, error: RpcError) -> PortError {
        port_error(self.params.chain.ledger, error)
    }

    /// The script of a lock that can be one here.
    fn script_of(&self, lock: &Lock) -> Result<LockScript, PortError> {
        if lock.asset != Asset::Native(self.params.chain.ledger) {
            return Err(self.refused(format!("{} can't be locked here", lock.asset)));
        }
        let script = LockScript::of(lock).map_err(|error| self.refused(error.to_string()))?;
        self.value_of(lock.amount, &script.output_script())?;
        Ok(script)
    }

    /// An amount as the value of an output that nodes relay.
    fn value_of(&self, amount: Amount, to: &ScriptBuf) -> Result<u64, PortError> {
        let least = self.params.dust_limit(to);
        match amount.to_u64() {
            Some(value) if value < least => Err(self.refused(format!("less than {least} is dust, which no node relays"))),
            Some(value) if value <= MAX_VALUE => Ok(value),
            Some(_) | None => Err(self.refused("there is not so much in the world")),
        }
    }

    /// What the last pass showed of a lock that is watched. None: it has not been looked for yet.
    fn seen(&self, lock: LockId) -> Result<Option<(Seen, TipSeen)>, PortError> {
        let state = self.state();
        if !state.tracker.watches(lock) {
            return Err(self.refused("this lock is not watched"));
        }
        Ok(state.seen.get(&lock).cloned().zip(state.tip))
    }
}

/// More than either chain will ever have.
const MAX_VALUE: u64 = 84_000_000 * 100_000_000;

fn port_error(ledger: Ledger, error: RpcError) -> PortError {
    match error {
        RpcError::Unreachable(reason) => PortError::Unreachable { ledger, reason: reason.to_owned() },
        RpcError::BadAnswer(reason) => PortError::BadAnswer { ledger, reason: reason.to_owned() },
        RpcError::Node { code: code::NO_WALLET, .. } => PortError::Refused {
            ledger,
            reason: "the node has no wallet of the configured name loaded: make one with createwallet, or load it with \
                     loadwallet"
                .to_owned(),
        },
        RpcError::Node { code: code::WHICH_WALLET, .. } => {
            PortError::Refused { ledger, reason: "the node has several wallets loaded: name one in the configuration".to_owned() }
        }
        RpcError::Node { code: code::WALLET_LOCKED, .. } => {
            PortError::Refused { ledger, reason: "the node's wallet is locked: unlock it with walletpassphrase".to_owned() }
        }
        error @ RpcError::Node { .. } => PortError::BadAnswer { ledger, reason: error.to_string() },
    }
}

#[async_trait]
impl Port for UtxoAdapter {
    fn ledger(&self) -> Ledger {
        self.params.chain.ledger
    }

    fn timing(&self) -> &Timing {
        &self.params.timing
    }

    fn genesis(&self) -> Hash32 {
        self.params.genesis()
    }

    fn template(&self, asset: Asset) -> Result<Template, PortError> {
        if asset == Asset::Native(self.ledger()) {
            Ok(Template::P2wsh)
        } else {
            Err(self.refused(format!("{asset} can't be locked here")))
        }
    }

    fn party(&self, key: &LockKey) -> Result<Party, PortError> {
        public_key(key).map(Party::Key).ok_or_else(|| self.refused("this signing key is no key of the curve"))
    }

    async fn decimals(&self, asset: Asset) -> Result<u8, PortError> {
        self.template(asset).map(|_| self.ledger().decimals())
    }

    fn watch(&self, lock: &Lock, since: BlockHeight) {
        match self.script_of(lock) {
            Ok(script) => {
                let output = script.output_script();
                self.state().tracker.watch(lock.id(), &output, lock.secret_hash, lock.amount, since);
            }
            Err(error) => tracing::error!(chain = %self.ledger(), lock = %lock.id(), %error, "asked to watch an impossible lock"),
        }
    }

    fn unwatch(&self, lock: LockId) {
        let mut state = self.state();
        state.tracker.unwatch(lock);
        state.seen.remove(&lock);
        state.changed.remove(&lock);
        state.bids.retain(|intent, _| intent.subject != lock);
    }

    async fn poll(&self) -> Result<Tip, PortError> {
        self.pass().await
    }

    fn look(&self, lock: LockId) -> Option<Sighting> {
        let state = self.state();
        let seen = state.seen.get(&lock)?;
        // A secret counts from the moment it is seen, even if the pass that saw it did not end.
        let secret = seen.sighting.secret.clone().or_else(|| state.tracker.secret(lock));
        Some(Sighting { secret, ..seen.sighting.clone() })
    }

    fn take_changed(&self) -> Option<Vec<LockId>> {
        let mut state = self.state();
        let found = state.tracker.take_found();
        Some(state.changed.drain().chain(found).collect())
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        match act {
            Act::Fund { lock } => self.fund(lock).await,
            Act::Cancel { lock } => self.cancel(lock).await,
            Act::Redeem { lock, secret, key } => self.redeem(lock, secret, key).await,
            Act::Refund { lock, key } => self.refund(lock, key).await,
            Act::Send { id, asset, amount, to } => self.send(*id, *asset, *amount, to).await,
        }
    }

    async fn balance(&self, asset: Asset) -> Result<Balance, PortError> {
        self.template(asset)?;
        self.holdings().await
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        self.new_address().await
    }

    fn funding_address(&self, lock: &Lock) -> Option<String> {
        let script = self.script_of(lock).ok()?;
        address::encode(&self.params, &script.output_script())
    }

    fn funding_psbt(&self, lock: &Lock) -> Option<String> {
        self.template_of(lock)
    }

    async fn draft_funding(&self, lock: &Lock, coins: &[OutsideCoin], change: &str) -> Result<Draft, PortError> {
        self.draft(lock, coins, change).await
    }

    async fn relay_funding(&self, lock: &Lock, psbt: &str) -> Result<TxId, PortError> {
        self.hand_in(lock, psbt).await
    }

    async fn leave_note(&self, lock: &Lock, note: &str) -> Result<(), PortError> {
        self.label(lock, note).await
    }

    async fn find(&self, _since: UnixTime, _progressed: Progressed<'_>) -> Result<Found, PortError> {
        self.notes().await
    }

    async fn likely_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.template(asset)?;
        self.likely(purpose).await
    }

    async fn worst_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.template(asset)?;
        self.dearest(purpose).await
    }
}
