//! Money held back: what running swaps still need, so that no new promise spends it.

use crate::coordinator::{Book, Live};
use crate::ledgers::Ledgers;
use crate::service::Funding;
use photon_chains::{Amount, Asset, Family, PortError, Purpose};
use photon_swap::{Role, Terms};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often balances are compared with what is needed.
const REFRESH: Duration = Duration::from_secs(5);

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
        self.add(Asset::Native(asset.ledger()), fee);
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
    role: Role,
    terms: Terms,
    funding: Funding,
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
    /// Could not ask.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Reserves {
    /// Nothing is risked until the first comparison.
    pub fn new(ledgers: Ledgers, disk: DiskGate) -> Self {
        Self { ledgers, book: Book::default(), fees_held: Arc::new(AtomicBool::new(false)), disk }
    }

    /// The swaps that hold reserves.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// True if at the last comparison the wallets could pay the redeem and refund fees of every running swap, and the disk had room.
    pub fn hold(&self) -> bool {
        self.fees_held.load(Ordering::Acquire)
    }

    /// What running swaps still need, by asset.
    pub async fn held(&self) -> Result<Needs, PortError> {
        let mut sum = Sum::default();
        for Held { role, terms, funding } in self.running() {
            let own = terms.own_leg(role);
            let sighting = self.ledgers.sighting(own.lock.asset.ledger(), own.lock.id());
            // Once our lock was seen, or an attempt to fund it sent, its money has left the wallet's balance.
            let unfunded = sighting.is_none_or(|seen| !seen.stands() && !seen.is_over());
            let funds = unfunded && funding == Funding::Wallet;
            self.add_needs(&mut sum, role, &terms, funds).await?;
        }
        Ok(sum.needs)
    }

    /// Refuses a swap whose amount and worst fees are not free beside what running swaps hold.
    pub async fn afford(&self, role: Role, terms: &Terms, funding: Funding) -> Result<(), ReserveError> {
        if let Some(free_mb) = self.disk.shortage() {
            return Err(ReserveError::DiskFull { free_mb, least_mb: self.disk.least_mb });
        }
        let mut sum = Sum::default();
        self.add_needs(&mut sum, role, terms, funding == Funding::Wallet).await?;
        let held = self.held().await?;
        for (asset, needed) in sum.needs {
            let Some(port) = self.ledgers.port(asset.ledger()) else { continue };
            let available = port.balance(asset).await?.available;
            let free = available.checked_sub(held.get(&asset).copied().unwrap_or_default()).unwrap_or_default();
            if free < needed {
                return Err(ReserveError::NotEnough { asset, needed, available: free });
            }
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
        let held = |live: &Live| Held { role: live.swap.role, terms: live.swap.terms, funding: live.funding };
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
mod tests {
    use super::*;

    // F7
    #[test]
    fn a_disk_without_room_or_that_does_not_tell_has_a_shortage() {
        let here = std::env::temp_dir();
        assert_eq!(DiskGate::new(here.clone(), 0).shortage(), None);
        assert!(DiskGate::new(here.clone(), u64::MAX).shortage().is_some_and(|free_mb| free_mb < u64::MAX));
        assert_eq!(DiskGate::new(here.join("no such folder"), 1).shortage(), Some(0));
    }

    #[test]
    fn nothing_is_risked_before_the_first_comparison() {
        let reserves = Reserves::new(Ledgers::new(&[]), DiskGate::new(std::env::temp_dir(), 0));
        assert!(!reserves.hold());
    }

    #[tokio::test]
    async fn nothing_new_is_begun_on_a_full_disk() {
        for (least_mb, holds) in [(0, true), (u64::MAX, false)] {
            let reserves = Reserves::new(Ledgers::new(&[]), DiskGate::new(std::env::temp_dir(), least_mb));
            reserves.look().await;
            assert_eq!(reserves.hold(), holds);
        }
    }
}
