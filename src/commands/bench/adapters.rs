//! What a new block costs the real adapters, over simulated nodes: questions asked of the node, and CPU time.

use super::meter::{cpu, round};
use super::nodes::{Answers, Contracts, Node, Script};
use super::swaps::agreed;
use crate::keys::Wallet;
use anyhow::Context;
use photon_chains::{Address, BlockHeight, Journal, Ledger, Lock, LockKey, Network, Port};
use photon_evm::{EvmAdapter, EvmConfig, NodeConfig, runtime_codes};
use photon_utxo::{Auth, LockScript, UtxoAdapter, UtxoConfig};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Blocks over which the cost is averaged.
const BLOCKS: u64 = 20;
const CHAIN_ID: u64 = 1337;

/// What a new block with nothing for us costs the adapter of one ledger.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Look {
    /// Locks that are watched, each of them funded.
    pub locks: usize,
    /// Questions asked of the node; each one of a batch counts.
    pub rpc_calls_per_block: f64,
    /// CPU time in milliseconds, the simulated node's own share included.
    pub cpu_ms: f64,
}

/// Bitcoin's and Ethereum's adapters with the locks that so many swaps have on them.
pub async fn measure(live: u64, us: &Wallet, journal: Arc<dyn Journal>) -> anyhow::Result<(Look, Look)> {
    let mut locks = Vec::new();
    for number in 0..live {
        let terms = agreed(number, us.identity_address())?;
        locks.extend([terms.alpha.lock, terms.beta.lock]);
    }
    let on = |ledger| locks.iter().filter(move |lock: &&Lock| lock.asset.ledger() == ledger).copied().collect::<Vec<_>>();
    let script = bitcoin(on(Ledger::Bitcoin), journal.clone()).await.context("Bitcoin's adapter")?;
    let contracts = ethereum(on(Ledger::Ethereum), us.evm_account_key(), journal).await.context("Ethereum's adapter")?;
    Ok((script, contracts))
}

async fn bitcoin(mut locks: Vec<Lock>, journal: Arc<dyn Journal>) -> anyhow::Result<Look> {
    let chain = Script::default();
    chain.mine(Vec::new());
    let (node, rpc_url) = Node::serve(chain).await?;
    let config = UtxoConfig {
        ledger: Ledger::Bitcoin,
        network: Network::Regtest,
        rpc_url,
        auth: Auth::Password { user: "bench".to_owned(), password: String::new() },
        wallet: None,
        payout_address: None,
        confirmations: None,
    };
    let adapter = UtxoAdapter::connect(config, journal).await?;
    let mut outputs = Vec::new();
    for lock in &mut locks {
        lock.redeemer = adapter.party(&LockKey::from_bytes([1; 32]))?;
        lock.refundee = adapter.party(&LockKey::from_bytes([2; 32]))?;
        adapter.watch(lock, super::chain::FIRST_BLOCK);
        let value = bitcoin::Amount::from_sat(lock.amount.to_u64().context("an amount")?);
        outputs.push(bitcoin::TxOut { value, script_pubkey: LockScript::of(lock)?.output_script() });
    }
    node.chain.mine(outputs);
    look(&adapter, &locks, &node, |chain| chain.mine(Vec::new())).await
}

async fn ethereum(mut locks: Vec<Lock>, key: LockKey, journal: Arc<dyn Journal>) -> anyhow::Result<Look> {
    let places = [1, 2, 3].map(|byte| Address::from_bytes([byte; 20]));
    let [registry, native_htlc, token_htlc] = places;
    let codes = runtime_codes(CHAIN_ID, registry).context("the contracts' own code")?;
    let code: HashMap<_, _> = places.into_iter().zip(codes).collect();
    // The adapter says how a lock is made; a first node is only there to be asked for that.
    let contracts = photon_evm::Contracts { registry, native_htlc, token_htlc, channels: None };
    let config = |rpc_url| EvmConfig {
        node: NodeConfig {
            ledger: Ledger::Ethereum,
            network: Network::Regtest,
            rpc_url,
            chain_id: CHAIN_ID,
            confirmations: None,
        },
        contracts,
        tokens: Vec::new(),
    };
    let (_, rpc_url) = Node::serve(Contracts::new(CHAIN_ID, code.clone(), &[])?).await?;
    let adapter = EvmAdapter::connect(config(rpc_url), key.clone(), journal.clone()).await?;
    for lock in &mut locks {
        lock.template = adapter.template(lock.asset)?;
    }
    let (node, rpc_url) = Node::serve(Contracts::new(CHAIN_ID, code, &locks)?).await?;
    let adapter = EvmAdapter::connect(config(rpc_url), key, journal).await?;
    locks.iter().for_each(|lock| adapter.watch(lock, BlockHeight::new(0)));
    look(&adapter, &locks, &node, Contracts::mine).await
}

/// Lets the adapter catch up, then counts over some blocks.
async fn look<A: Answers>(adapter: &impl Port, locks: &[Lock], node: &Node<A>, mine: impl Fn(&A)) -> anyhow::Result<Look> {
    for _ in 0..4 {
        mine(&node.chain);
        adapter.poll().await?;
    }
    let funded = locks.iter().filter(|lock| adapter.look(lock.id()).is_some_and(|seen| seen.stands())).count();
    anyhow::ensure!(funded == locks.len(), "{funded} of {} locks are seen funded", locks.len());
    let (calls, before) = (node.calls(), cpu());
    for _ in 0..BLOCKS {
        mine(&node.chain);
        adapter.poll().await?;
    }
    let cost = cpu().saturating_sub(before).as_secs_f64() * 1000.0;
    let per_block = |value: f64| round(value / BLOCKS as f64);
    Ok(Look { locks: locks.len(), rpc_calls_per_block: per_block((node.calls() - calls) as f64), cpu_ms: per_block(cost) })
}
