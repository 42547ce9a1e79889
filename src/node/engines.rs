//! On which ledgers there are channels, and what their engines are made of.

use crate::channels::{EngineParts, SightRule, policy_for};
use crate::config::Config;
use crate::keys::Wallet;
use crate::ledgers::Ledgers;
use crate::wire::evm_section;
use anyhow::Context;
use photon_chains::Ledger;
use photon_channel::Signer;
use photon_swap::Profile;
use std::sync::Arc;
use std::time::Duration;

/// An engine for every ledger whose section names a channels contract.
pub(super) fn engines(config: &Config, wallet: &Wallet, ledgers: &Ledgers, profile: Profile) -> anyhow::Result<Vec<EngineParts>> {
    let mut engines = Vec::new();
    for ledger in [Ledger::Ethereum, Ledger::Smt] {
        let Ok(section) = evm_section(config, ledger) else { continue };
        let Some((at, contract)) = section.contracts.and_then(|at| Some((at, at.channels?))) else { continue };
        let params = photon_evm::params(ledger, config.network)?;
        let timing = params.timing.relying_on(section.confirmations.unwrap_or_default());
        let signer = Signer::new(*wallet.evm_account_key().expose()).context("the account's key signs nothing")?;
        let found = ledgers.clone();
        engines.push(EngineParts {
            ledger,
            signer,
            chain_id: section.chain_id,
            contract,
            registry: at.registry,
            tokens: section.tokens.iter().map(|token| token.address).collect(),
            policy: policy_for(&config.channels, profile, ledger, &timing),
            block_secs: timing.block_secs,
            most_channels: usize::try_from(config.channels.from_strangers).unwrap_or(usize::MAX),
            announces: config.channels.announce,
            offline_limits: config.offline_limits(ledger),
            sight: SightRule::of(&timing),
            source: Arc::new(move || found.contracts(ledger)),
            pace: Duration::from_millis((timing.block_secs * 100).clamp(400, 5_000)),
        });
    }
    Ok(engines)
}
