//! Money held back: what running swaps still need, so that no new promise spends it.

use crate::coordinator::{Book, Live};
use crate::ledgers::Ledgers;
use crate::service::Funding;
use photon_chains::{Address, Amount, Asset, Family, Lock, LockId, NoRoom, PortError, Purpose};
use photon_swap::{Phase, Role, SwapId, Terms};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often balances are compared with what is needed.
const REFRESH: Duration = Duration::from_secs(5);
/// For how long a sum of what running swaps need, and the balances asked after it, are used again. What is promised meanwhile is added
/// to it, so it is never too low; what is freed counts a moment later.
const SUM_KEPT: Duration = Duration::from_millis(250);

/// Amounts by asset.
pub type Needs = BTreeMap<Asset, Amount>;

/// A sum of needs, which asks each ledger for each kind of fee once, however many swaps there are.
#[derive(Default)]
struct Sum {
    needs: Needs,
    fees: HashMap<(Asset, Purpose), Amount>,
}

impl Sum {
    fn add(&mut self, asset: Asset, amount: Amount) {
        let sum = self.needs.entry(asset).or_default();
        *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
    }

    async fn add_fee(&mut self, ledgers: &Ledgers, asset: Asset, purpose: Purpose) -> Result<(), PortError> {
        let Some(port) = ledgers.port(asset.ledger()) else { return Ok(()) };
        let fee = match self.fees.get(&(asset, purpose)) {
            Some(fee) => *fee,
            None => port.worst_fee(asset, purpose).await?,
        };
        self.fees.insert((asset, purpose), fee);
        self.add(Asset::Native(asset.ledger().chain()), fee);
        Ok(())
    }
}

/// What running swaps need, and whether the wallets have it.
#[derive(Clone)]
pub struct Reserves {
    ledgers: Ledgers,
    book: Book,
    /// Fees are there, and so is room on the disk.
    fees_held: Arc<AtomicBool>,
    disk: DiskGate,
    promised: Arc<Mutex<Promised>>,
    /// Held by whoever asks ledgers for the next sum, so that a thousand takers make one look.
    looking: Arc<tokio::sync::Mutex<Sums>>,
    strangers: StrangerCaps,
}

/// How much of us strangers may tie up for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangerCaps {
    /// Live swaps with one of them of whom nothing is known.
    pub each: usize,
    /// Agreed swaps in which the taker has not paid in yet, of all of them together.
    pub unpaid: usize,
}

impl Default for StrangerCaps {
    fn default() -> Self {
        Self { each: 16, unpaid: 256 }
    }
}

/// What is promised and in no book yet, or not any more on its way out.
#[derive(Default)]
struct Promised {
    swaps: HashMap<SwapId, Promise>,
    /// Payments from the wallet that were asked for and not sent.
    sends: HashMap<LockId, Unsent>,
}

struct Unsent {
    asset: Asset,
    amount: Amount,
    /// It has left the wallet: balances asked before that don't say so.
    is_gone: bool,
}

struct Promise {
    needs: Needs,
    own: Lock,
    peer: Address,
    /// Its swap has been in the book.
    is_kept: bool,
}

/// What was summed up, and what was asked after that. The order matters: a swap that is funded in between is counted twice for a
/// moment, never not at all.
#[derive(Default)]
struct Sums {
    at: Option<Instant>,
    held: Needs,
    fees: HashMap<(Asset, Purpose), Amount>,
    available: HashMap<Asset, Amount>,
    of_peer: HashMap<Address, usize>,
    unpaid: usize,
}

/// Money that is promised to a swap until it is in the book. Dropped before [`Pledge::keep`], it is free again.
#[must_use = "what is promised is free again when this is dropped"]
pub struct Pledge {
    id: SwapId,
    promised: Arc<Mutex<Promised>>,
}

impl Pledge {
    /// The swap is in the book, which counts for it from now on.
    pub fn keep(self) {
        if let Some(promise) = held_lock(&self.promised).swaps.get_mut(&self.id) {
            promise.is_kept = true;
        }
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        let mut promised = held_lock(&self.promised);
        if promised.swaps.get(&self.id).is_some_and(|promise| !promise.is_kept) {
            promised.swaps.remove(&self.id);
        }
    }
}

fn held_lock(promised: &Mutex<Promised>) -> MutexGuard<'_, Promised> {
    promised.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says whether the disk has room for what a new swap writes. Running swaps go on without asking: what they write is little, and a
/// duty that is not tried is worse than a full disk.
#[derive(Debug, Clone)]
pub struct DiskGate {
    folder: PathBuf,
    least_mb: u64,
}

impl DiskGate {
    /// For the file system of that folder, of which so many megabytes must be free.
    pub const fn new(folder: PathBuf, least_mb: u64) -> Self {
        Self { folder, least_mb }
    }

    /// Free megabytes, if they are too few. Where the system does not tell, there may be none.
    pub fn shortage(&self) -> Option<u64> {
        let free_mb = free_mb(&self.folder);
        (free_mb < self.least_mb).then_some(free_mb)
    }
}

/// Megabytes free on a folder's file system; none where the system does not tell.
pub fn free_mb(folder: &std::path::Path) -> u64 {
    nix::sys::statvfs::statvfs(folder).map_or(0, |disk| {
        let bytes = u128::from(disk.blocks_available()) * u128::from(disk.fragment_size());
        u64::try_from(bytes >> 20).unwrap_or(u64::MAX)
    })
}

/// As much of a running swap as says what it needs.
struct Held {
    peer: Address,
    is_unpaid: bool,
    role: Role,
    terms: Terms,
    /// Our wallet pays for its lock, if it is not paid for yet.
    funds: bool,
}

/// Why a swap can't be afforded.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// Not enough of something.
    #[error(
        "{available} {asset} (smallest units) are free, and this swap needs {needed} with its fees; top up, or wait for running swaps"
    )]
    NotEnough {
        /// Of what.
        asset: Asset,
        /// How much is needed.
        needed: Amount,
        /// How much is free.
        available: Amount,
    },
    /// The disk is nearly full.
    #[error(
        "only {free_mb} MB are free on the disk, and {least_mb} are wanted before anything new begins: make room, or lower min_free_mb"
    )]
    DiskFull {
        /// What is free.
        free_mb: u64,
        /// What is wanted.
        least_mb: u64,
    },
    /// Nothing leads to the counterparty.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The same swap is being agreed to at this moment.
    #[error("this swap is being agreed to already")]
    Twice,
    /// A stranger has enough of us already.
    #[error("swaps with strangers are capped, and the cap is reached")]
    StrangerCap,
    /// Could not ask.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Reserves {
    /// Nothing is risked until the first comparison.
    pub fn new(ledgers: Ledgers, disk: DiskGate) -> Self {
        Self {
            ledgers,
            book: Book::default(),
            fees_held: Arc::new(AtomicBool::new(false)),
            disk,
            promised: Arc::default(),
            looking: Arc::default(),
            strangers: StrangerCaps::default(),
        }
    }

    /// The same with other caps on strangers.
    #[must_use]
    pub fn with_caps(self, strangers: StrangerCaps) -> Self {
        Self { strangers, ..self }
    }

    /// The caps on strangers.
    pub const fn caps(&self) -> StrangerCaps {
        self.strangers
    }

    /// The swaps that hold reserves.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// True if at the last comparison the wallets could pay the redeem and refund fees of every running swap, and the disk had room.
    pub fn hold(&self) -> bool {
        self.fees_held.load(Ordering::Acquire)
    }

    /// What running swaps and unsent payments still need, by asset.
    pub async fn held(&self) -> Result<Needs, PortError> {
        let mut sum = self.sum_up(self.running()).await?;
        held_lock(&self.promised).sends.values().for_each(|unsent| sum.add(unsent.asset, unsent.amount));
        Ok(sum.needs)
    }

    async fn sum_up(&self, running: Vec<Held>) -> Result<Sum, PortError> {
        let mut sum = Sum::default();
        for Held { role, terms, funds, .. } in running {
            let own = terms.own_leg(role);
            let is_held = funds && self.is_unfunded(&own.lock);
            self.add_needs(&mut sum, role, &terms, is_held).await?;
        }
        Ok(sum)
    }

    /// Refuses a swap whose amount and worst fees are not free beside what running swaps hold and what is promised.
    pub async fn afford(&self, role: Role, terms: &Terms, funding: Funding) -> Result<(), ReserveError> {
        let mut sums = self.sums().await?;
        self.check(&mut sums, role, terms, funding).await?;
        self.free_room(&terms.own_leg(role).lock).await
    }

    /// The same, and promises it: of any number at once only as many succeed as the wallets can pay. A stranger may have `most` live swaps
    /// with us; none: the caps are not for this peer.
    pub async fn pledge(&self, role: Role, terms: &Terms, funding: Funding, most: Option<usize>) -> Result<Pledge, ReserveError> {
        let (id, peer) = (terms.id(), terms.identity(role.other()));
        let mut sums = self.sums().await?;
        if most.is_some_and(|most| self.is_capped(&sums, peer, most)) {
            return Err(ReserveError::StrangerCap);
        }
        let needs = self.check(&mut sums, role, terms, funding).await?;
        let mut promised = held_lock(&self.promised);
        if promised.swaps.contains_key(&id) {
            return Err(ReserveError::Twice);
        }
        promised.swaps.insert(id, Promise { needs, own: terms.own_leg(role).lock, peer, is_kept: false });
        Ok(Pledge { id, promised: self.promised.clone() })
    }

    /// Promises an amount to a payment from the wallet, until [`Reserves::sent`].
    pub async fn pledge_send(&self, id: LockId, asset: Asset, amount: Amount) -> Result<(), ReserveError> {
        let mut sums = self.sums().await?;
        self.check_asset(&mut sums, asset, amount).await?;
        self.unsent(id, asset, amount);
        Ok(())
    }

    /// Counts a payment that was promised before a restart.
    pub fn unsent(&self, id: LockId, asset: Asset, amount: Amount) {
        held_lock(&self.promised).sends.insert(id, Unsent { asset, amount, is_gone: false });
    }

    /// A payment has left the wallet, or never will.
    pub fn sent(&self, id: LockId) {
        if let Some(unsent) = held_lock(&self.promised).sends.get_mut(&id) {
            unsent.is_gone = true;
        }
    }

    fn is_capped(&self, sums: &Sums, peer: Address, most: usize) -> bool {
        let promised = held_lock(&self.promised);
        let new = promised.swaps.values().filter(|promise| promise.peer == peer).count();
        let live = sums.of_peer.get(&peer).copied().unwrap_or_default();
        live + new >= most || sums.unpaid + promised.swaps.len() >= self.strangers.unpaid
    }

    /// Sums that are new enough, and nobody else's for as long as they are held.
    async fn sums(&self) -> Result<tokio::sync::MutexGuard<'_, Sums>, ReserveError> {
        if let Some(free_mb) = self.disk.shortage() {
            return Err(ReserveError::DiskFull { free_mb, least_mb: self.disk.least_mb });
        }
        let mut sums = self.looking.lock().await;
        if sums.at.is_none_or(|at| at.elapsed() >= SUM_KEPT) {
            *sums = self.look_again().await?;
        }
        Ok(sums)
    }

    async fn look_again(&self) -> Result<Sums, PortError> {
        // Those that were in the book before it is read are either in it now, or over.
        let is_kept = |promise: &Promise| promise.is_kept;
        let kept: Vec<SwapId> = {
            let mut promised = held_lock(&self.promised);
            promised.sends.retain(|_, unsent| !unsent.is_gone);
            promised.swaps.iter().filter(|(_, promise)| is_kept(promise)).map(|(id, _)| *id).collect()
        };
        let running = self.running();
        let unpaid = running.iter().filter(|held| held.is_unpaid).count();
        let mut of_peer: HashMap<Address, usize> = HashMap::new();
        running.iter().for_each(|held| *of_peer.entry(held.peer).or_default() += 1);
        let sum = self.sum_up(running).await?;
        held_lock(&self.promised).swaps.retain(|id, _| !kept.contains(id));
        Ok(Sums { at: Some(Instant::now()), held: sum.needs, fees: sum.fees, of_peer, unpaid, available: HashMap::new() })
    }

    /// What a swap needs, if all of it is free.
    async fn check(&self, sums: &mut Sums, role: Role, terms: &Terms, funding: Funding) -> Result<Needs, ReserveError> {
        let mut sum = Sum { needs: Needs::new(), fees: std::mem::take(&mut sums.fees) };
        let added = self.add_needs(&mut sum, role, terms, funding == Funding::Wallet).await;
        sums.fees = sum.fees;
        added?;
        for (asset, needed) in &sum.needs {
            self.check_asset(sums, *asset, *needed).await?;
        }
        if funding == Funding::Wallet {
            self.keep_room(&terms.own_leg(role).lock).await?;
        }
        Ok(sum.needs)
    }

    /// Where it depends on the counterparty what can be locked, that is kept until the lock is funded, beside what is kept for others.
    async fn keep_room(&self, lock: &Lock) -> Result<(), ReserveError> {
        // Elsewhere nobody looks through all that runs for each swap that is asked for.
        let Some(port) = self.ledgers.port(lock.asset.ledger()).filter(|port| port.needs_room()) else { return Ok(()) };
        let promised: Vec<Lock> = held_lock(&self.promised).swaps.values().map(|promise| promise.own).collect();
        let running = self.running().into_iter().map(|held| held.terms.own_leg(held.role).lock);
        let is_other = |other: &Lock| other.asset == lock.asset && other != lock;
        let running = running.filter(|other| is_other(other) && self.is_unfunded(other));
        let mut beside: Vec<Lock> = running.chain(promised.into_iter().filter(is_other)).collect();
        beside.sort_by_cached_key(Lock::id);
        beside.dedup();
        port.keep_room(lock, &beside).await?.map_or(Ok(()), |why| Err(why.into()))
    }

    /// Who only asks keeps nothing from anybody, however often.
    async fn free_room(&self, lock: &Lock) -> Result<(), ReserveError> {
        let Some(port) = self.ledgers.port(lock.asset.ledger()).filter(|port| port.needs_room()) else { return Ok(()) };
        let is_promised = held_lock(&self.promised).swaps.values().any(|promise| promise.own == *lock);
        if !is_promised {
            port.free_room(lock).await?;
        }
        Ok(())
    }

    /// Once a lock was seen, or an attempt to fund it sent, its money has left the wallet's balance.
    fn is_unfunded(&self, lock: &Lock) -> bool {
        let sighting = self.ledgers.sighting(lock.asset.ledger(), lock.id());
        sighting.is_none_or(|seen| !seen.stands() && !seen.is_over())
    }

    async fn check_asset(&self, sums: &mut Sums, asset: Asset, needed: Amount) -> Result<(), ReserveError> {
        let Some(port) = self.ledgers.port(asset.ledger()) else { return Ok(()) };
        let available = match sums.available.get(&asset) {
            Some(available) => *available,
            None => port.balance(asset).await?.available,
        };
        sums.available.insert(asset, available);
        let promised = {
            let promised = held_lock(&self.promised);
            let of_swaps = promised.swaps.values().filter_map(|promise| promise.needs.get(&asset).copied());
            let of_sends = promised.sends.values().filter(|unsent| unsent.asset == asset).map(|unsent| unsent.amount);
            of_swaps.chain(of_sends).fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Amount::MAX))
        };
        let held = sums.held.get(&asset).copied().unwrap_or_default();
        let taken = held.checked_add(promised).unwrap_or(Amount::MAX);
        let free = available.checked_sub(taken).unwrap_or_default();
        if free < needed {
            return Err(ReserveError::NotEnough { asset, needed, available: free });
        }
        Ok(())
    }

    /// Adds what one swap needs: our amount and funding fee while it is not funded, and on EVM ledgers, where fees don't come
    /// out of the locked money, the gas of our redeem and refund.
    async fn add_needs(&self, sum: &mut Sum, role: Role, terms: &Terms, funds: bool) -> Result<(), PortError> {
        let (own, peer) = (terms.own_leg(role).lock.asset, terms.peer_leg(role).lock.asset);
        if funds {
            sum.add(own, terms.own_leg(role).lock.amount);
            sum.add_fee(&self.ledgers, own, Purpose::Fund).await?;
        }
        for (asset, purpose) in [(own, Purpose::Refund), (peer, Purpose::Redeem)] {
            if asset.ledger().family() == Family::Evm {
                sum.add_fee(&self.ledgers, asset, purpose).await?;
            }
        }
        Ok(())
    }

    fn running(&self) -> Vec<Held> {
        let held = |live: &Live| Held {
            peer: live.swap.terms.identity(live.swap.role.other()),
            is_unpaid: live.swap.role == Role::Participant && matches!(live.phase, Phase::Proposed | Phase::Agreed),
            role: live.swap.role,
            terms: live.swap.terms,
            funds: live.funding == Funding::Wallet && !live.swap.facts.never_reveal,
        };
        self.book.with(|swaps| swaps.values().map(held).collect())
    }

    /// Compares without end. A wallet that can't be asked changes nothing: new risk also needs a healthy ledger.
    pub async fn watch(self) -> anyhow::Result<()> {
        loop {
            self.look().await;
            tokio::time::sleep(REFRESH).await;
        }
    }

    async fn look(&self) {
        if !self.has_room() {
            return self.fees_held.store(false, Ordering::Release);
        }
        match self.compare().await {
            Ok(enough) => self.fees_held.store(enough, Ordering::Release),
            Err(error) => tracing::warn!(%error, "could not compare balances with what swaps need"),
        }
    }

    fn has_room(&self) -> bool {
        let shortage = self.disk.shortage();
        if let Some(free_mb) = shortage {
            tracing::error!(free_mb, least_mb = self.disk.least_mb, "the disk is nearly full: make room; nothing new is begun");
        }
        shortage.is_none()
    }

    /// True if every EVM account can pay the gas of all running swaps.
    async fn compare(&self) -> Result<bool, PortError> {
        let mut gas = Sum::default();
        for Held { role, terms, .. } in self.running() {
            self.add_needs(&mut gas, role, &terms, false).await?;
        }
        for (asset, needed) in gas.needs {
            let Some(port) = self.ledgers.port(asset.ledger()) else { continue };
            let available = port.balance(asset).await?.available;
            if available < needed {
                tracing::error!(%asset, %needed, %available, "not enough for the fees of running swaps: top up; nothing new is begun");
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
