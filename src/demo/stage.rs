//! The world of the demo: nodes, contracts, a token, and three parties with money.

use super::party::Party;
use super::plan::TOKEN;
use super::show::NodeProgress;
use crate::service::BalanceView;
use crate::store::Store;
use anyhow::Context;
use futures::future::try_join_all;
use photon_chains::{Act, Address, Amount, Asset, Journal, Ledger, LockId, LockKey, Port, Progress};
use photon_evm::{Contracts, Deployed, EvmAdapter, EvmConfig, Network, NodeConfig, Token};
use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, World, WorldConfig};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Everything that runs.
pub struct Stage {
    pub alice: Party,
    pub bob: Party,
    pub carol: Party,
    // Last: the daemons end before the nodes they look at.
    _world: World,
}

/// Balances by party and asset.
pub type Balances = BTreeMap<(&'static str, String), BalanceView>;

const BLOCKS: Duration = Duration::from_secs(1);
const TOKEN_ARTIFACT: &str = include_str!("../../contracts/artifacts/test/PermitToken.json");
const TOKEN_SUPPLY_WHOLE: u128 = 1_000_000;
const COIN: u128 = 1_000_000_000_000_000_000;

impl Stage {
    /// Starts everything.
    pub async fn set(folder: &Path, terminal: bool) -> anyhow::Result<Self> {
        let progress = Arc::new(NodeProgress::new(terminal));
        let world = World::start_showing(WorldConfig::every(Mining::Every(BLOCKS)), progress.clone()).await?;
        progress.say("contracts: deploying on Ethereum and SMT");
        let mut parties = prepare(folder)?;
        let (ethereum, smt) = tokio::try_join!(
            Deployer::deploy(Ledger::Ethereum, &world.ethereum, folder),
            Deployer::deploy(Ledger::Smt, &world.smt, folder)
        )?;
        let token = ethereum.token().await?;
        progress.say("wallets: paying in");
        let names = parties.each_ref().map(|party| party.name);
        let accounts = parties.each_ref().map(|party| party.identity);
        tokio::try_join!(
            fund_utxo(&world.bitcoin, names, 2_000_000),
            fund_utxo(&world.litecoin, names, 100_000_000),
            fund_evm(&world.ethereum, accounts, 20 * COIN),
            fund_evm(&world.smt, accounts, 50_000 * COIN),
        )?;
        ethereum.share(&token, [accounts[0], accounts[1]]).await?;
        for party in &parties {
            party.configure(&ledgers(&world, party.name, &ethereum.contracts, &smt.contracts, &token))?;
        }
        progress.say("daemons: starting Alice, Bob and Carol");
        try_join_all(parties.iter_mut().map(Party::start)).await?;
        progress.done();
        let [alice, bob, carol] = parties;
        Ok(Self { alice, bob, carol, _world: world })
    }

    /// What Alice and Bob hold. Carol does not live to be asked again.
    pub async fn balances(&self) -> anyhow::Result<Balances> {
        let mut all = Balances::new();
        for party in [&self.alice, &self.bob] {
            for balance in party.balances().await? {
                all.insert((party.name, balance.asset.clone()), balance);
            }
        }
        Ok(all)
    }

    /// The same, once nothing is on its way any more.
    pub async fn settled_balances(&self) -> anyhow::Result<Balances> {
        let mut last = self.balances().await?;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.balances().await?;
            let still = now.values().all(|balance| balance.incoming.is_zero() && balance.locked.is_zero());
            if still && now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// What to try in a world that is left running.
    pub fn what_next(&self) -> String {
        let program = std::env::current_exe().map_or_else(|_| "photon".to_owned(), |path| path.display().to_string());
        let mut text = String::from("\nTry next, in another terminal:\n");
        for party in [&self.alice, &self.bob] {
            text += &format!("  {:<6} API http://{}  (token in {})\n", party.name, party.api, party.folder.display());
        }
        let call = |party: &Party, rest: &str| {
            format!("  {program} --datadir {} {rest}\n", party.folder.display())
        };
        text += "\n";
        text += &call(&self.bob, "offer create --give 1ETH --want 0.01BTC");
        text += &call(&self.alice, &format!("offer list --peer {}", self.bob.address()));
        text += &call(&self.alice, &format!("swap start --peer {} --offer ID", self.bob.address()));
        text += &call(&self.alice, "swap watch");
        text += &call(&self.alice, "balance");
        text
    }
}

fn prepare(folder: &Path) -> anyhow::Result<[Party; 3]> {
    Ok([Party::prepare("alice", folder)?, Party::prepare("bob", folder)?, Party::prepare("carol", folder)?])
}

async fn fund_utxo(chain: &UtxoChain, wallets: [&str; 3], sat_each: u64) -> anyhow::Result<()> {
    /// Coins per wallet: as many fundings as may begin at once.
    const COINS: u32 = 10;
    for name in wallets {
        let wallet = chain.create_wallet(name).await?;
        chain.faucet_split(&wallet, sat_each * u64::from(COINS), COINS).await?;
    }
    Ok(())
}

async fn fund_evm(chain: &EvmChain, accounts: [Address; 3], wei: u128) -> anyhow::Result<()> {
    for account in accounts {
        chain.faucet(&account.to_string(), wei).await?;
    }
    Ok(())
}

/// Puts contracts on a chain, from one of its rich accounts.
struct Deployer {
    node: NodeConfig,
    key: LockKey,
    journal: Arc<dyn Journal>,
    contracts: Contracts,
}

impl Deployer {
    async fn deploy(ledger: Ledger, chain: &EvmChain, folder: &Path) -> anyhow::Result<Self> {
        let account = chain.dev_accounts().first().context("the node has no rich account")?;
        let mut key = [0; 32];
        hex::decode_to_slice(account.private_key.trim_start_matches("0x"), &mut key)?;
        let node =
            NodeConfig { ledger, network: Network::Regtest, rpc_url: chain.url().to_owned(), chain_id: chain.chain_id() };
        let store = Store::open(&folder.join(format!("deployer-{ledger}.db")), [7; 32])?;
        let journal: Arc<dyn Journal> = Arc::new(store);
        let contracts = photon_evm::deploy(&node, LockKey::from_bytes(key), journal.clone()).await?;
        Ok(Self { node, key: LockKey::from_bytes(key), journal, contracts })
    }

    async fn token(&self) -> anyhow::Result<Deployed> {
        let artifact: serde_json::Value = serde_json::from_str(TOKEN_ARTIFACT)?;
        let code = artifact.get("bytecode").and_then(|code| code.as_str()).context("the token has no bytecode")?;
        let mut init = hex::decode(code.trim_start_matches("0x"))?;
        init.extend(token_arguments());
        Ok(photon_evm::deploy_raw(&self.node, self.key.clone(), self.journal.clone(), "demo token", init).await?)
    }

    /// Pays tokens to the parties.
    async fn share(&self, token: &Deployed, accounts: [Address; 2]) -> anyhow::Result<()> {
        let config = EvmConfig { node: self.node.clone(), contracts: self.contracts, tokens: vec![known(token)] };
        let adapter = EvmAdapter::connect(config, self.key.clone(), self.journal.clone()).await?;
        for (number, account) in accounts.into_iter().enumerate() {
            let act = Act::Send {
                id: LockId::from_bytes([number as u8 + 1; 32]),
                asset: Asset::Token(self.node.ledger, token.address),
                amount: Amount::from_units(10_000 * COIN),
                to: account.to_string(),
            };
            while !matches!(adapter.ensure(&act).await?, Progress::Mined { .. } | Progress::Done) {
                tokio::time::sleep(BLOCKS / 4).await;
            }
        }
        Ok(())
    }
}

fn known(token: &Deployed) -> Token {
    Token { address: token.address, symbol: TOKEN.to_owned(), decimals: 18, code_hash: token.code_hash }
}

/// ABI encoding of (string name, string symbol, uint256 supply).
fn token_arguments() -> Vec<u8> {
    let word = |number: u128| [[0; 16], number.to_be_bytes()].concat();
    let text = |text: &str| {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(32, 0);
        [word(text.len() as u128), padded].concat()
    };
    [word(96), word(160), word(TOKEN_SUPPLY_WHOLE * COIN), text("Demo dollar"), text(TOKEN)].concat()
}

/// The ledgers' part of a party's configuration.
fn ledgers(world: &World, wallet: &str, ethereum: &Contracts, smt: &Contracts, token: &Deployed) -> String {
    let utxo = |name: &str, chain: &UtxoChain| {
        format!(
            "[{name}]\nrpc_url = \"{}\"\ncookie_file = \"{}\"\nwallet = \"{wallet}\"\n",
            chain.url().trim_end_matches('/'),
            chain.cookie().display()
        )
    };
    let evm = |name: &str, chain: &EvmChain, at: &Contracts| {
        format!(
            "[{name}]\nrpc_url = \"{}\"\nchain_id = {}\ncontracts = {{ registry = \"{}\", native_htlc = \"{}\", token_htlc = \"{}\" }}\n",
            chain.url(),
            chain.chain_id(),
            at.registry,
            at.native_htlc,
            at.token_htlc
        )
    };
    let token = format!(
        "[[ethereum.tokens]]\nsymbol = \"{TOKEN}\"\naddress = \"{}\"\ndecimals = 18\ncode_hash = \"{}\"\n",
        token.address, token.code_hash
    );
    utxo("bitcoin", &world.bitcoin)
        + &utxo("litecoin", &world.litecoin)
        + &evm("ethereum", &world.ethereum, ethereum)
        + &token
        + &evm("smt", &world.smt, smt)
}
