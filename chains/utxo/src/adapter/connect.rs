//! Meeting the node: is it the right one, and does it have what is needed?

use super::{State, UtxoAdapter, port_error};
use crate::address;
use crate::params::{Network, Params};
use crate::rpc::{Auth, ChainFacts, Rpc, RpcError, To, WalletFacts};
use photon_chains::{Journal, Ledger, PortError};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// How to reach a node and its wallet.
#[derive(Clone)]
pub struct UtxoConfig {
    /// Bitcoin or Litecoin.
    pub ledger: Ledger,
    /// Which network the node must be on.
    pub network: Network,
    /// Where its RPC listens, such as `http://127.0.0.1:8332`.
    pub rpc_url: String,
    /// How it lets us in.
    pub auth: Auth,
    /// The wallet to fund from. None: the only one that is loaded.
    pub wallet: Option<String>,
    /// Where redeems and refunds pay. None: to new addresses of the wallet.
    pub payout_address: Option<String>,
    /// More confirmations than usual before anything is relied on, or final.
    pub confirmations: Option<u32>,
}

impl std::fmt::Debug for UtxoConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UtxoConfig").field("ledger", &self.ledger).field("network", &self.network).finish_non_exhaustive()
    }
}

impl UtxoAdapter {
    /// Meets the node. Refused: another network, no usable wallet, a payout address of another chain.
    pub async fn connect(config: UtxoConfig, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        let adapter = Self::meet(config, journal).await?;
        let fail = |error: RpcError| port_error(adapter.params.chain.ledger, error);
        let wallet: WalletFacts = adapter.rpc.call(To::Wallet, "getwalletinfo", json!([])).await.map_err(fail)?;
        if !wallet.private_keys_enabled {
            return Err(adapter.refused("the node's wallet can only watch: name one that holds keys"));
        }
        Ok(adapter)
    }

    /// Meets a node that only watches, redeems and refunds: it needs no wallet, and none of its wallets is touched.
    pub async fn connect_second(config: UtxoConfig, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        Ok(Self { has_wallet: false, ..Self::meet(config, journal).await? })
    }

    async fn meet(config: UtxoConfig, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        let ledger = config.ledger;
        let params = Params::of(ledger, config.network)
            .ok_or_else(|| PortError::Refused { ledger, reason: "this ledger has no scripts".to_owned() })?
            .relying_on(config.confirmations);
        let payout =
            match &config.payout_address {
                None => None,
                Some(text) => Some(address::decode(&params, text).map_err(|error| PortError::Refused {
                    ledger,
                    reason: format!("the payout address can't be used: {error}"),
                })?),
            };
        let fail = |error: RpcError| port_error(ledger, error);
        let rpc = Rpc::new(&config.rpc_url, config.wallet.as_deref(), config.auth).map_err(fail)?;
        check_network(&params, &rpc).await?;
        Ok(Self {
            params,
            rpc,
            journal,
            payout,
            has_wallet: true,
            state: Mutex::new(State::default()),
            polling: tokio::sync::Mutex::new(()),
            acting: tokio::sync::Mutex::new(()),
        })
    }
}

async fn check_network(params: &Params, rpc: &Rpc) -> Result<(), PortError> {
    let ledger = params.chain.ledger;
    let fail = |error: RpcError| port_error(ledger, error);
    let facts: ChainFacts = rpc.call(To::Node, "getblockchaininfo", json!([])).await.map_err(fail)?;
    let first: String = rpc.call(To::Node, "getblockhash", json!([0])).await.map_err(fail)?;
    let wanted = params.net;
    if first != wanted.genesis || facts.chain != wanted.node_name {
        let is: String = facts.chain.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        let reason = format!("it says {is}, and {} is wanted", wanted.network);
        return Err(PortError::WrongNetwork { ledger, reason });
    }
    if facts.initialblockdownload && wanted.network != Network::Regtest {
        tracing::warn!(chain = %ledger, "the node is still downloading the chain");
    }
    if let Some(first_kept) = facts.pruneheight {
        tracing::warn!(chain = %ledger, first_kept, "the node throws old blocks away: a lock older than that can't be found again");
    }
    Ok(())
}
