//! Builds an adapter for every configured ledger.

use crate::config::{Config, EvmLedger, Network, SecondUtxoNode, TokenConfig, UtxoLedger};
use crate::keys::Wallet;
use crate::pair::{Dial, Pair};
use anyhow::Context;
use async_trait::async_trait;
use photon_chains::{
    Address, Family, IntentKey, Journal, JournalError, Ledger, Port, PortError, Settlement, SignedTx, TxId, Witness,
};
use photon_evm::{EvmAdapter, EvmConfig, NodeConfig, Token};
use photon_utxo::{Auth, UtxoAdapter, UtxoConfig};
use std::path::PathBuf;
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

    /// Connects one ledger: to its node, or to both of its nodes as one port.
    pub async fn connect(&self, ledger: Ledger) -> Result<Arc<dyn Port>, ConnectError> {
        if !self.0.config.has_second_node(ledger) {
            let port: Arc<dyn Port> = match ledger.family() {
                Family::Utxo => Arc::new(self.utxo(ledger).await?),
                Family::Evm => Arc::new(self.evm(ledger).await?),
            };
            return Ok(port);
        }
        let (here, there) = (self.clone(), self.clone());
        let first: Dial = Box::new(move |_| {
            let connector = here.clone();
            Box::pin(async move { Ok(connector.first(ledger).await?) })
        });
        let second: Dial = Box::new(move |first| {
            let connector = there.clone();
            Box::pin(async move { Ok(connector.second(ledger, first).await?) })
        });
        Ok(Arc::new(Pair::connect(ledger, self.0.journal.clone(), first, second).await?))
    }

    /// Connects one of a ledger's nodes alone, to see how it is.
    pub async fn probe(&self, ledger: Ledger, second: bool) -> Result<Arc<dyn Port>, ConnectError> {
        let port: Arc<dyn Port> = if second { self.second(ledger, None).await? } else { self.first(ledger).await? };
        Ok(port)
    }

    async fn first(&self, ledger: Ledger) -> anyhow::Result<Arc<dyn Witness>> {
        Ok(match ledger.family() {
            Family::Utxo => Arc::new(self.utxo(ledger).await?),
            Family::Evm => Arc::new(self.evm(ledger).await?),
        })
    }

    async fn utxo(&self, ledger: Ledger) -> anyhow::Result<UtxoAdapter> {
        let Parts { config, journal, .. } = &*self.0;
        let config = utxo_config(config.network, ledger, utxo_section(config, ledger)?)?;
        Ok(UtxoAdapter::connect(config, journal.clone()).await?)
    }

    async fn evm(&self, ledger: Ledger) -> anyhow::Result<EvmAdapter> {
        let Parts { config, wallet, journal } = &*self.0;
        let config = evm_config(config.network, ledger, evm_section(config, ledger)?).await?;
        Ok(EvmAdapter::connect(config, wallet.evm_account_key(), journal.clone()).await?)
    }

    /// What the second node redeems or refunds goes where the first one's wallet receives, if that can be asked.
    async fn second(&self, ledger: Ledger, first: Option<Arc<dyn Witness>>) -> anyhow::Result<Arc<dyn Witness>> {
        let Parts { config, wallet, journal } = &*self.0;
        let journal: Arc<dyn Journal> = Arc::new(Unsettling(journal.clone()));
        Ok(match ledger.family() {
            Family::Utxo => {
                let section = utxo_section(config, ledger)?;
                let node = section.second_node.as_ref().context("no second node is configured")?;
                let payout_address = match (&section.payout_address, first) {
                    (Some(address), _) => Some(address.clone()),
                    (None, Some(first)) => Some(first.receive_address().await?),
                    (None, None) => None,
                };
                let config = second_utxo_config(config.network, ledger, node, payout_address, section.confirmations)?;
                Arc::new(UtxoAdapter::connect_second(config, journal).await?)
            }
            Family::Evm => {
                let section = evm_section(config, ledger)?;
                let node = section.second_node.as_ref().context("no second node is configured")?;
                let section = EvmLedger { rpc_url: node.rpc_url.clone(), ..section.clone() };
                let config = evm_config(config.network, ledger, &section).await?;
                Arc::new(EvmAdapter::connect_second(config, wallet.evm_account_key(), journal).await?)
            }
        })
    }
}

/// The journal as a second node may write it: how a transaction ended is the first one's to say.
struct Unsettling(Arc<dyn Journal>);

#[async_trait]
impl Journal for Unsettling {
    async fn record(&self, tx: &SignedTx) -> Result<(), JournalError> {
        self.0.record(tx).await
    }

    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        self.0.of_intent(intent).await
    }

    async fn unsettled(&self, ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        self.0.unsettled(ledger).await
    }

    async fn highest_nonce(&self, ledger: Ledger, account: Address) -> Result<Option<u64>, JournalError> {
        self.0.highest_nonce(ledger, account).await
    }

    async fn settle(&self, _ledger: Ledger, _txid: TxId, _end: Settlement) -> Result<(), JournalError> {
        Ok(())
    }
}

fn utxo_section(config: &Config, ledger: Ledger) -> anyhow::Result<&UtxoLedger> {
    let section = match ledger {
        Ledger::Bitcoin => &config.bitcoin,
        Ledger::Litecoin => &config.litecoin,
        Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => &None,
    };
    section.as_ref().with_context(|| format!("[{ledger}] is not configured"))
}

/// The section of an EVM ledger.
pub fn evm_section(config: &Config, ledger: Ledger) -> anyhow::Result<&EvmLedger> {
    let section = match ledger {
        Ledger::Ethereum | Ledger::EthereumChannel => &config.ethereum,
        Ledger::Smt | Ledger::SmtChannel => &config.smt,
        Ledger::Bitcoin | Ledger::Litecoin => &None,
    };
    section.as_ref().with_context(|| format!("[{ledger}] is not configured, or has no contracts"))
}

fn utxo_config(network: Network, ledger: Ledger, section: &UtxoLedger) -> anyhow::Result<UtxoConfig> {
    let auth = auth(ledger, &section.cookie_file, &section.rpc_user, &section.rpc_password_file)?;
    Ok(UtxoConfig {
        ledger,
        network,
        rpc_url: section.rpc_url.clone(),
        auth,
        wallet: section.wallet.clone(),
        payout_address: section.payout_address.clone(),
        confirmations: section.confirmations,
    })
}

fn second_utxo_config(
    network: Network,
    ledger: Ledger,
    node: &SecondUtxoNode,
    payout_address: Option<String>,
    confirmations: Option<u32>,
) -> anyhow::Result<UtxoConfig> {
    let auth = auth(ledger, &node.cookie_file, &node.rpc_user, &node.rpc_password_file)?;
    Ok(UtxoConfig { ledger, network, rpc_url: node.rpc_url.clone(), auth, wallet: None, payout_address, confirmations })
}

fn auth(
    ledger: Ledger,
    cookie_file: &Option<PathBuf>,
    user: &Option<String>,
    password_file: &Option<PathBuf>,
) -> anyhow::Result<Auth> {
    Ok(match (cookie_file, user, password_file) {
        (Some(cookie), _, _) => Auth::Cookie(cookie.clone()),
        (None, Some(user), Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
            Auth::Password { user: user.clone(), password: text.lines().next().unwrap_or_default().to_owned() }
        }
        (None, _, _) => anyhow::bail!("[{ledger}] needs cookie_file, or rpc_user with rpc_password_file"),
    })
}

/// How to reach an EVM ledger's node.
pub fn evm_node(network: Network, ledger: Ledger, section: &EvmLedger) -> NodeConfig {
    NodeConfig {
        ledger,
        network,
        rpc_url: section.rpc_url.clone(),
        chain_id: section.chain_id,
        confirmations: section.confirmations,
    }
}

async fn evm_config(network: Network, ledger: Ledger, section: &EvmLedger) -> anyhow::Result<EvmConfig> {
    let node = evm_node(network, ledger, section);
    let at = section.contracts.with_context(|| {
        format!("[{ledger}] has no contracts yet: run `photon deploy {ledger}`, or copy your partner's addresses")
    })?;
    let mut tokens = Vec::new();
    for token in &section.tokens {
        tokens.push(pinned(&node, token).await?);
    }
    Ok(EvmConfig { node, contracts: at.into(), tokens })
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
