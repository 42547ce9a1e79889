//! Builds an adapter for every configured ledger.

use crate::config::{Config, EvmLedger, Network, TokenConfig, UtxoLedger};
use crate::keys::Wallet;
use anyhow::Context;
use photon_chains::{Family, Journal, Ledger, Port, PortError};
use photon_evm::{Contracts, EvmAdapter, EvmConfig, NodeConfig, Token};
use photon_utxo::{Auth, UtxoAdapter, UtxoConfig};
use std::sync::Arc;

/// Connects to the configured ledgers' nodes. Clones are handles to the same.
#[derive(Clone)]
pub struct Connector(Arc<Parts>);

struct Parts {
    config: Config,
    wallet: Arc<Wallet>,
    journal: Arc<dyn Journal>,
}

/// Why a ledger is not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its node does not answer: try again.
    #[error("{0}")]
    Unreachable(PortError),
    /// It can't be used as configured: another network, other contracts, no wallet. Says what to do.
    #[error("{0:#}")]
    Refused(anyhow::Error),
}

impl From<anyhow::Error> for ConnectError {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast() {
            Ok(error @ PortError::Unreachable { .. }) => ConnectError::Unreachable(error),
            Ok(error) => ConnectError::Refused(error.into()),
            Err(error) => ConnectError::Refused(error),
        }
    }
}

impl Connector {
    /// For a node with this configuration and wallet, which writes its transactions down there.
    pub fn new(config: Config, wallet: Arc<Wallet>, journal: Arc<dyn Journal>) -> Self {
        Self(Arc::new(Parts { config, wallet, journal }))
    }

    /// Connects one ledger.
    pub async fn connect(&self, ledger: Ledger) -> Result<Arc<dyn Port>, ConnectError> {
        Ok(self.try_connect(ledger).await?)
    }

    async fn try_connect(&self, ledger: Ledger) -> anyhow::Result<Arc<dyn Port>> {
        let Parts { config, wallet, journal } = &*self.0;
        Ok(match ledger.family() {
            Family::Utxo => {
                let section = utxo_section(config, ledger)?;
                Arc::new(UtxoAdapter::connect(utxo_config(config.network, ledger, section)?, journal.clone()).await?)
            }
            Family::Evm => {
                let section = evm_section(config, ledger)?;
                let evm = evm_config(config.network, ledger, section).await?;
                Arc::new(EvmAdapter::connect(evm, wallet.evm_account_key(), journal.clone()).await?)
            }
        })
    }
}

fn utxo_section(config: &Config, ledger: Ledger) -> anyhow::Result<&UtxoLedger> {
    let section = match ledger {
        Ledger::Bitcoin => &config.bitcoin,
        Ledger::Litecoin => &config.litecoin,
        Ledger::Ethereum | Ledger::Smt => &None,
    };
    section.as_ref().with_context(|| format!("[{ledger}] is not configured"))
}

/// The section of an EVM ledger.
pub fn evm_section(config: &Config, ledger: Ledger) -> anyhow::Result<&EvmLedger> {
    let section = match ledger {
        Ledger::Ethereum => &config.ethereum,
        Ledger::Smt => &config.smt,
        Ledger::Bitcoin | Ledger::Litecoin => &None,
    };
    section.as_ref().with_context(|| format!("[{ledger}] is not configured, or has no contracts"))
}

fn utxo_config(network: Network, ledger: Ledger, section: &UtxoLedger) -> anyhow::Result<UtxoConfig> {
    let auth = match (&section.cookie_file, &section.rpc_user, &section.rpc_password_file) {
        (Some(cookie), _, _) => Auth::Cookie(cookie.clone()),
        (None, Some(user), Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
            Auth::Password { user: user.clone(), password: text.lines().next().unwrap_or_default().to_owned() }
        }
        (None, _, _) => anyhow::bail!("[{ledger}] needs cookie_file, or rpc_user with rpc_password_file"),
    };
    Ok(UtxoConfig {
        ledger,
        network,
        rpc_url: section.rpc_url.clone(),
        auth,
        wallet: section.wallet.clone(),
        payout_address: section.payout_address.clone(),
    })
}

/// How to reach an EVM ledger's node.
pub fn evm_node(network: Network, ledger: Ledger, section: &EvmLedger) -> NodeConfig {
    NodeConfig { ledger, network, rpc_url: section.rpc_url.clone(), chain_id: section.chain_id }
}

async fn evm_config(network: Network, ledger: Ledger, section: &EvmLedger) -> anyhow::Result<EvmConfig> {
    let node = evm_node(network, ledger, section);
    let at = section.contracts.with_context(|| {
        format!("[{ledger}] has no contracts yet: run `photon deploy {ledger}`, or copy your partner's addresses")
    })?;
    let contracts = Contracts { registry: at.registry, native_htlc: at.native_htlc, token_htlc: at.token_htlc };
    let mut tokens = Vec::new();
    for token in &section.tokens {
        tokens.push(pinned(&node, token).await?);
    }
    Ok(EvmConfig { node, contracts, tokens })
}

/// A token is traded only with its code pinned: a proxy that changes under us would change what we own.
async fn pinned(node: &NodeConfig, token: &TokenConfig) -> anyhow::Result<Token> {
    let code_hash = match token.code_hash {
        Some(hash) => hash,
        None => {
            let found = photon_evm::code_hash(node, token.address).await?;
            anyhow::bail!(
                "token {} has no code_hash: if {} is the token you mean, add code_hash = \"{found}\" to it",
                token.symbol,
                token.address
            );
        }
    };
    Ok(Token { address: token.address, symbol: token.symbol.clone(), decimals: token.decimals, code_hash })
}
