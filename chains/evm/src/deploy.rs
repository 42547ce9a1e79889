//! Putting contracts on a chain, once.
//!
//! By plain CREATE from our account, never CREATE2: on a chain that keeps SELFDESTRUCT, what CREATE2 has put somewhere can
//! come back as something else. Each deployment is an intent of its own in the journal, so that one that was interrupted is
//! taken up, and one that is done is found again.

use crate::adapter::check_contract;
use crate::artifact::{Contract, Immutables};
use crate::chain::At;
use crate::config::{Contracts, NodeConfig};
use crate::node::{Node, hash32};
use crate::sender::{Sender, Standing};
use crate::slot::{account, address};
use crate::trial::{MOST_GAS_OF_A_CONTRACT, Returns, Trial, Wanted};
use crate::wallet::Wallet;
use alloy::primitives::{Address, U256, keccak256};
use photon_chains::{Hash32, IntentKey, Journal, LockId, LockKey, PortError, Purpose};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// A contract that was put on a chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Where it stands.
    pub address: photon_chains::Address,
    /// keccak256 of its runtime code.
    pub code_hash: Hash32,
}

/// So long is waited for a deployment to be mined, in blocks.
const PATIENCE_BLOCKS: u64 = 60;
const LOOKS_PER_BLOCK: u64 = 5;
/// Gas for whatever a constructor may do beyond what was measured.
const LEAST_GAS: u64 = 100_000;

/// Deploys SecretRegistry, NativeHtlc, TokenHtlc and Channels from our account, or finds those that it deployed before.
pub async fn deploy(node: &NodeConfig, account_key: LockKey, journal: Arc<dyn Journal>) -> Result<Contracts, PortError> {
    let deployer = Deployer::new(node, &account_key, journal).await?;
    let registry = deployer.put(Contract::Registry, Address::ZERO).await?;
    let native_htlc = deployer.put(Contract::NativeHtlc, registry).await?;
    let token_htlc = deployer.put(Contract::TokenHtlc, registry).await?;
    let channels = deployer.put(Contract::Channels, registry).await?;
    let [registry, native_htlc, token_htlc] = [registry, native_htlc, token_htlc].map(address);
    Ok(Contracts { registry, native_htlc, token_htlc, channels: Some(address(channels)) })
}

/// Deploys Channels alone beside contracts that stand there already, or finds it if that was done before.
pub async fn deploy_channels(
    node: &NodeConfig,
    account_key: LockKey,
    journal: Arc<dyn Journal>,
    beside: Contracts,
) -> Result<Contracts, PortError> {
    let deployer = Deployer::new(node, &account_key, journal).await?;
    let registry = account(beside.registry);
    check_contract(&deployer.sender.node, Contract::Registry, registry, deployer.immutables(registry)).await?;
    let channels = deployer.put(Contract::Channels, registry).await?;
    Ok(Contracts { channels: Some(address(channels)), ..beside })
}

struct Deployer {
    sender: Sender,
}

impl Deployer {
    async fn new(node: &NodeConfig, key: &LockKey, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        let node = Arc::new(Node::connect(node).await?);
        Ok(Self { sender: sender(node, key, journal)? })
    }

    fn immutables(&self, registry: Address) -> Immutables {
        let node = &self.sender.node;
        Immutables { chain_id: node.chain_id, registry, block_secs: node.params.window_block_secs }
    }

    /// Puts a contract on the chain, and looks that it is what it should be.
    async fn put(&self, contract: Contract, registry: Address) -> Result<Address, PortError> {
        let (node, immutables) = (&self.sender.node, self.immutables(registry));
        let code = contract.init_code(immutables).map_err(|error| node.refused(error.to_string()))?;
        let place = deploy_one(&self.sender, contract.name(), code).await?;
        check_contract(node, contract, place, immutables).await?;
        Ok(place)
    }
}

/// Meets a node, and nothing more: refused, if it is on another network than configured.
pub async fn meet(node: &NodeConfig) -> Result<(), PortError> {
    Node::connect(node).await.map(drop)
}

/// Deploys any contract from its creation code, or finds the one that was deployed before under the same label.
pub async fn deploy_raw(
    node: &NodeConfig,
    account_key: LockKey,
    journal: Arc<dyn Journal>,
    label: &str,
    init_code: Vec<u8>,
) -> Result<Deployed, PortError> {
    let node = Arc::new(Node::connect(node).await?);
    let sender = sender(node.clone(), &account_key, journal)?;
    let place = deploy_one(&sender, label, init_code).await?;
    let code = node.at(node.rpc.code(place, At::Latest).await)?;
    Ok(Deployed { address: address(place), code_hash: hash32(keccak256(code)) })
}

/// keccak256 of the code that stands at an address: what a token's configuration names.
pub async fn code_hash(node: &NodeConfig, place: photon_chains::Address) -> Result<Hash32, PortError> {
    let node = Node::connect(node).await?;
    let code = node.at(node.rpc.code(account(place), At::Latest).await)?;
    if code.is_empty() {
        return Err(node.refused(format!("nothing stands at {place}")));
    }
    Ok(hash32(keccak256(code)))
}

/// The account of a key.
pub fn account_of(key: &LockKey) -> Option<photon_chains::Address> {
    Wallet::new(key, 1).ok().map(|wallet| address(wallet.address()))
}

fn sender(node: Arc<Node>, key: &LockKey, journal: Arc<dyn Journal>) -> Result<Sender, PortError> {
    let wallet = Wallet::new(key, node.chain_id).map_err(|error| node.refused(error.to_string()))?;
    Ok(Sender::new(node, wallet, journal))
}

async fn deploy_one(sender: &Sender, label: &str, init_code: Vec<u8>) -> Result<Address, PortError> {
    let (node, us) = (&sender.node, sender.wallet.address());
    let intent = intent(node, us, label, &init_code);
    let pause = Duration::from_secs(node.params.timing.block_secs) / LOOKS_PER_BLOCK as u32;
    for _ in 0..PATIENCE_BLOCKS * LOOKS_PER_BLOCK {
        let turn = sender.turn().await;
        let view = node.view().await?;
        turn.tend(&view).await?;
        match sender.standing(&intent, &view).await? {
            Standing::Mined { txid, succeeded: true, .. } => {
                let txs = sender.journal.of_intent(&intent).await?;
                let nonce = txs.iter().find(|tx| tx.txid == txid).and_then(|tx| tx.nonce).map(|(_, nonce)| nonce);
                return nonce.map(|nonce| us.create(nonce)).ok_or_else(|| node.refused("a deployment without a nonce"));
            }
            Standing::Mined { .. } => return Err(node.refused(format!("the deployment of {label} reverted"))),
            Standing::Forgotten => return Err(node.refused(format!("the node has forgotten the deployment of {label}"))),
            Standing::Waiting { .. } => {}
            Standing::Nothing | Standing::Overtaken => {
                let wanted = Wanted {
                    to: None,
                    value: U256::ZERO,
                    input: init_code.clone(),
                    returns: Returns::Anything,
                    least_gas: LEAST_GAS,
                    most_gas: MOST_GAS_OF_A_CONTRACT,
                };
                match node.try_out(us, wanted).await? {
                    Trial::Works(order) => turn.submit(intent, order).await.map(|_| ())?,
                    Trial::Reverts(reason) => {
                        return Err(node.refused(format!("{label} can't be deployed: {reason}")));
                    }
                }
            }
        }
        drop(turn);
        tokio::time::sleep(pause).await;
    }
    Err(node.unreachable(format!("the deployment of {label} was not mined in time")))
}

fn intent(node: &Node, us: Address, label: &str, init_code: &[u8]) -> IntentKey {
    let mut name = Sha256::new_with_prefix("photon/evm/deploy/1");
    name.update(node.chain_id.to_be_bytes());
    name.update(node.genesis);
    name.update(us);
    name.update(keccak256(init_code));
    name.update(label);
    IntentKey::new(Purpose::Send, LockId::from_bytes(name.finalize().into()))
}
