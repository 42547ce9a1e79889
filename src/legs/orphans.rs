//! Payments that are held for nobody any more.
//!
//! A swap that ends gives up what it expected. If the process ends just then, or between the expecting and the saving of a swap,
//! the request would stay, and with it a payer's money until the lock ends.

use crate::channels::Channels;
use crate::store::Store;
use photon_chains::{Ledger, SecretHash};
use std::collections::BTreeSet;

/// Those that were found at the last look: one is given up at the second, since a swap is saved a moment after it is expected.
#[derive(Default)]
pub struct Orphans(BTreeSet<(Ledger, SecretHash)>);

impl Orphans {
    /// Gives up every held payment behind which there has been neither a running swap nor a request of the owner's for two looks.
    pub async fn give_up(&mut self, store: &Store, channels: &Channels) -> anyhow::Result<()> {
        let mut found = BTreeSet::new();
        for ledger in channels.ledgers() {
            let held = channels.requests(ledger).await?.into_iter().filter(|request| request.is_held);
            for hash in held.map(|request| request.secret_hash) {
                if store.request(hash).await?.is_none() && !store.has_live_swap(hash).await? {
                    found.insert((ledger, hash));
                }
            }
        }
        for (ledger, hash) in found.intersection(&self.0) {
            // Released meanwhile, or paid: then there is nothing to give up.
            if channels.give_up(*ledger, *hash).await.is_ok() {
                tracing::info!(chain = %ledger, secret_hash = %hash, "a payment was held for no swap any more, and is given back");
            }
        }
        self.0 = found;
        Ok(())
    }
}
