//! Money held back: what running swaps still need, so that no new promise spends it.

use crate::coordinator::{Book, Live};
use crate::ledgers::Ledgers;
use crate::service::Funding;
use photon_chains::{Amount, Asset, Family, PortError, Purpose};
use photon_swap::{Role, Terms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often balances are compared with what is needed.
const REFRESH: Duration = Duration::from_secs(5);

/// Amounts by asset.
pub type Needs = BTreeMap<Asset, Amount>;

/// What running swaps need, and whether the wallets have it.
#[derive(Clone)]
pub struct Reserves {
    ledgers: Ledgers,
    book: Book,
    fees_held: Arc<AtomicBool>,
}

/// Why a swap can't be afforded.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// Not enough of something.
    #[error("{available} {asset} (smallest units) are free, and this swap needs {needed} with its fees; top up, or wait for running swaps")]
    NotEnough {
        /// Of what.
        asset: Asset,
        /// How much is needed.
        needed: Amount,
        /// How much is free.
        available: Amount,
    },
    /// Could not ask.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Reserves {
    /// Nothing is risked until the first comparison.
    pub fn new(ledgers: Ledgers) -> Self {
        Self { ledgers, book: Book::default(), fees_held: Arc::new(AtomicBool::new(false)) }
    }

    /// The swaps that hold reserves.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// True if at the last comparison the wallets could pay the redeem and refund fees of every running swap.
    pub fn hold(&self) -> bool {
        self.fees_held.load(Ordering::Acquire)
    }

    /// What running swaps still need, by asset.
    pub async fn held(&self) -> Result<Needs, PortError> {
        let live: Vec<Live> = self.book.with(|swaps| swaps.values().cloned().collect());
        let mut needs = Needs::new();
        for swap in live {
            let own = swap.swap.terms.own_leg(swap.swap.role);
            let sighting = self.ledgers.sighting(own.lock.asset.ledger(), own.lock.id());
            // Once our lock was seen, or an attempt to fund it sent, its money has left the wallet's balance.
            let unfunded = sighting.is_none_or(|seen| !seen.stands() && !seen.is_over());
            let funds = unfunded && swap.funding == Funding::Wallet;
            self.add_needs(&mut needs, swap.swap.role, &swap.swap.terms, funds).await?;
        }
        Ok(needs)
    }

    /// Refuses a swap whose amount and worst fees are not free beside what running swaps hold.
    pub async fn afford(&self, role: Role, terms: &Terms, funding: Funding) -> Result<(), ReserveError> {
        let mut needs = Needs::new();
        self.add_needs(&mut needs, role, terms, funding == Funding::Wallet).await?;
        let held = self.held().await?;
        for (asset, needed) in needs {
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
    async fn add_needs(&self, needs: &mut Needs, role: Role, terms: &Terms, funds: bool) -> Result<(), PortError> {
        let (own, peer) = (terms.own_leg(role).lock.asset, terms.peer_leg(role).lock.asset);
        let mut add = |asset: Asset, amount: Amount| {
            let sum = needs.entry(asset).or_default();
            *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
        };
        let mut fees = vec![];
        if funds {
            add(own, terms.own_leg(role).lock.amount);
            fees.push((own, Purpose::Fund));
        }
        for (asset, purpose) in [(own, Purpose::Refund), (peer, Purpose::Redeem)] {
            if asset.ledger().family() == Family::Evm {
                fees.push((asset, purpose));
            }
        }
        for (asset, purpose) in fees {
            if let Some(port) = self.ledgers.port(asset.ledger()) {
                add(Asset::Native(asset.ledger()), port.worst_fee(asset, purpose).await?);
            }
        }
        Ok(())
    }

    /// Compares without end. A wallet that can't be asked changes nothing: new risk also needs a healthy ledger.
    pub async fn watch(self) -> anyhow::Result<()> {
        loop {
            match self.compare().await {
                Ok(enough) => self.fees_held.store(enough, Ordering::Release),
                Err(error) => tracing::warn!(%error, "could not compare balances with what swaps need"),
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    /// True if every EVM account can pay the gas of all running swaps.
    async fn compare(&self) -> Result<bool, PortError> {
        let live: Vec<Live> = self.book.with(|swaps| swaps.values().cloned().collect());
        let mut gas = Needs::new();
        for swap in live {
            self.add_needs(&mut gas, swap.swap.role, &swap.swap.terms, false).await?;
        }
        for (asset, needed) in gas {
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
