//! Where channels can be legs of swaps: a port for each ledger with a channels contract, beside the port of its chain.

use crate::channels::Channels;
use crate::config::Config;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::legs::{LegParts, LegPort};
use crate::wire::evm_section;
use anyhow::Context;
use photon_chains::{Address, Ledger, Port, PublicKey};
use photon_channel::Signer;
use photon_swap::Profile;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two looks whether a chain's node is connected by now.
const AGAIN: Duration = Duration::from_secs(1);

/// What the ports stand on.
pub(super) struct Legs<'a> {
    pub(super) config: &'a Config,
    pub(super) wallet: &'a Wallet,
    pub(super) ledgers: &'a Ledgers,
    pub(super) channels: &'a Channels,
    pub(super) profile: Profile,
}

impl Legs<'_> {
    /// Puts a port in for each, or as soon as its chain's node is connected.
    pub(super) fn attach(&self, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        let signer = Signer::new(*self.wallet.evm_account_key().expose()).context("the account's key signs nothing")?;
        let key = signer.known().public_key();
        for ledger in Ledger::CHANNELS {
            let Ok(section) = evm_section(self.config, ledger) else { continue };
            let Some(contract) = section.contracts.and_then(|at| at.channels) else { continue };
            match self.ledgers.port(ledger.chain()) {
                Some(chain) => self.ledgers.put(ledger, self.port(ledger, chain.clone(), contract, key)),
                None => {
                    let (ledgers, channels) = (self.ledgers.weak(), self.channels.weak());
                    let (reach, profile) = (self.config.channels.reach, self.profile);
                    tasks.spawn(async move {
                        while let Some(all) = ledgers.get() {
                            if let Some(chain) = all.port(ledger.chain()).cloned() {
                                let ledgers = ledgers.clone();
                                let parts = LegParts { ledger, chain, ledgers, channels, contract, key, reach, profile };
                                all.put(ledger, Arc::new(LegPort::new(parts)));
                                break;
                            }
                            drop(all);
                            tokio::time::sleep(AGAIN).await;
                        }
                        std::future::pending().await
                    });
                }
            }
        }
        Ok(())
    }

    fn port(&self, ledger: Ledger, chain: Arc<dyn Port>, contract: Address, key: PublicKey) -> Arc<dyn Port> {
        let (ledgers, channels) = (self.ledgers.weak(), self.channels.weak());
        let (reach, profile) = (self.config.channels.reach, self.profile);
        Arc::new(LegPort::new(LegParts { ledger, chain, ledgers, channels, contract, key, reach, profile }))
    }
}
