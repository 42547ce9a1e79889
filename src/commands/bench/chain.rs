//! A simulated ledger: it shows every lock as it is told to, and takes every act, without any node.

use async_trait::async_trait;
use photon_chains::{
    Act, Amount, Asset, Balance, BlockHeight, BlockRef, Family, Hash32, Ledger, Lock, LockId, LockKey, LockStatus, Network,
    Party, Port, PortError, Progress, PublicKey, Purpose, Secret, Sighting, Spend, SpendKind, Template, Timing, Tip, TxId,
    UnixTime,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The timing of a ledger's real network, from the adapters' own records.
pub fn timing(ledger: Ledger) -> Option<Timing> {
    match photon_utxo::Params::of(ledger, Network::Mainnet) {
        Some(params) => Some(params.net.timing),
        None => photon_evm::params(ledger, Network::Mainnet).ok().map(|params| params.timing),
    }
}

/// Where the simulated chains begin.
pub const FIRST_BLOCK: BlockHeight = BlockHeight::new(1_000_000);
/// Every lock was funded so far below, deep enough for every ledger.
const FUNDED_BELOW: u64 = 500;

struct State {
    tip: Tip,
    locks: HashMap<LockId, Option<(Secret, TxId)>>,
    changed: HashSet<LockId>,
    polls: u64,
    /// What is in the wallet.
    purse: Amount,
}

/// See the module.
pub struct SimChain {
    ledger: Ledger,
    timing: Timing,
    state: Mutex<State>,
    redeems: watch::Sender<usize>,
    /// Locks are absent until they are funded; otherwise every one was funded long ago.
    is_bare: bool,
}

impl SimChain {
    /// A chain whose newest block is of this moment.
    pub fn new(ledger: Ledger, timing: Timing, now: UnixTime) -> Self {
        let tip = Tip { block: block(FIRST_BLOCK), time: now, lock_clock: now };
        let state = State { tip, locks: HashMap::new(), changed: HashSet::new(), polls: 0, purse: Amount::MAX };
        Self { ledger, timing, state: Mutex::new(state), redeems: watch::Sender::new(0), is_bare: false }
    }

    /// A chain on which no lock is funded, with that much in our wallet.
    pub fn bare(ledger: Ledger, timing: Timing, now: UnixTime, purse: Amount) -> Self {
        let chain = Self { is_bare: true, ..Self::new(ledger, timing, now) };
        chain.state().purse = purse;
        chain
    }

    /// Time goes on without us.
    pub fn tick(&self, now: UnixTime) {
        self.mine(now, Vec::new());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new block, in which these locks are redeemed with their secrets.
    pub fn mine(&self, now: UnixTime, redeemed: Vec<(LockId, Secret)>) {
        let mut state = self.state();
        state.tip = Tip { block: block(state.tip.block.height.plus(1)), time: now, lock_clock: now };
        for (lock, secret) in redeemed {
            state.locks.insert(lock, Some((secret, TxId::from_bytes([7; 32]))));
            state.changed.insert(lock);
        }
    }

    /// How often it was looked at.
    pub fn polls(&self) -> u64 {
        self.state().polls
    }

    /// How many redeems were asked of it.
    pub fn redeems(&self) -> watch::Receiver<usize> {
        self.redeems.subscribe()
    }

    fn refused(&self) -> PortError {
        PortError::Refused { ledger: self.ledger, reason: "a simulated ledger has no wallet".to_owned() }
    }
}

fn block(height: BlockHeight) -> BlockRef {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&height.get().to_be_bytes());
    BlockRef { height, hash: Hash32::from_bytes(hash) }
}

/// A party of the locks on that ledger.
pub fn party(ledger: Ledger, who: u8) -> Party {
    match ledger.family() {
        Family::Utxo => {
            let mut key = [who; 33];
            key[0] = 2;
            Party::Key(PublicKey::from_bytes(key))
        }
        Family::Evm => Party::Account(photon_chains::Address::from_bytes([who; 20])),
    }
}

/// How a lock is made there.
pub fn template(ledger: Ledger) -> Template {
    match ledger.family() {
        Family::Utxo => Template::P2wsh,
        Family::Evm => {
            Template::Htlc { contract: photon_chains::Address::from_bytes([0xcc; 20]), code_hash: Hash32::from_bytes([0xcd; 32]) }
        }
    }
}

#[async_trait]
impl Port for SimChain {
    fn ledger(&self) -> Ledger {
        self.ledger
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn genesis(&self) -> Hash32 {
        Hash32::from_bytes([self.ledger as u8; 32])
    }

    fn template(&self, asset: Asset) -> Result<Template, PortError> {
        Ok(template(asset.ledger()))
    }

    fn party(&self, _key: &LockKey) -> Result<Party, PortError> {
        Ok(party(self.ledger, 1))
    }

    async fn decimals(&self, _asset: Asset) -> Result<u8, PortError> {
        Ok(self.ledger.decimals())
    }

    fn watch(&self, lock: &Lock, _since: BlockHeight) {
        let mut state = self.state();
        state.locks.entry(lock.id()).or_default();
        state.changed.insert(lock.id());
    }

    fn unwatch(&self, lock: LockId) {
        let mut state = self.state();
        state.locks.remove(&lock);
        state.changed.remove(&lock);
    }

    async fn poll(&self) -> Result<Tip, PortError> {
        let mut state = self.state();
        state.polls += 1;
        Ok(state.tip)
    }

    fn look(&self, lock: LockId) -> Option<Sighting> {
        let state = self.state();
        let redeemed = state.locks.get(&lock)?;
        if self.is_bare {
            return Some(Sighting { status: LockStatus::Absent, spend: None, secret: None, faults: Vec::new() });
        }
        let at = block(FIRST_BLOCK.minus(FUNDED_BELOW));
        let depth = at.height.depth_at(state.tip.block.height);
        let status = LockStatus::Funded { txid: TxId::from_bytes([5; 32]), at, depth };
        let spend = redeemed.as_ref().map(|(_, txid)| Spend { kind: SpendKind::Redeem, txid: *txid, depth: 1 });
        Some(Sighting { status, spend, secret: redeemed.as_ref().map(|(secret, _)| secret.clone()), faults: Vec::new() })
    }

    fn take_changed(&self) -> Option<Vec<LockId>> {
        Some(self.state().changed.drain().collect())
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        match act {
            Act::Redeem { .. } => self.redeems.send_modify(|count| *count += 1),
            Act::Fund { .. } | Act::Cancel { .. } | Act::Refund { .. } | Act::Send { .. } => {}
        }
        Ok(Progress::Sent { txid: TxId::from_bytes([9; 32]) })
    }

    async fn balance(&self, _asset: Asset) -> Result<Balance, PortError> {
        Ok(Balance { available: self.state().purse, incoming: Amount::ZERO })
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        Err(self.refused())
    }

    fn funding_address(&self, lock: &Lock) -> Option<String> {
        (self.ledger.family() == Family::Utxo).then(|| format!("sim{}", lock.id()))
    }

    async fn likely_fee(&self, _asset: Asset, _purpose: Purpose) -> Result<Amount, PortError> {
        Ok(Amount::from_units(1))
    }

    async fn worst_fee(&self, _asset: Asset, _purpose: Purpose) -> Result<Amount, PortError> {
        Ok(Amount::from_units(1))
    }
}
