//! A world that is ready for parties: nodes, contracts, a token, and money for whoever comes.

use super::party::Party;
use crate::config::ContractAddresses;
use crate::store::Store;
use anyhow::Context;
use photon_chains::{Act, Address, Amount, Asset, Journal, Ledger, LockId, LockKey, Port, Progress};
use photon_evm::{Contracts, Deployed, EvmAdapter, EvmConfig, Network, NodeConfig, Token};
use photon_regtest::World;
use photon_regtest::world::{EvmChain, UtxoChain};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The symbol of the token on Ethereum.
pub const TOKEN: &str = "USDX";
/// Those of [`Stage::mint_more`]: of ERC223 on Ethereum, of ERC20 and of ERC223 on SMT.
pub const MORE_TOKENS: [&str; 3] = ["EURX", "SMTX", "SMTY"];
/// One whole ether, SMT or token, in smallest units.
pub const COIN: u128 = 1_000_000_000_000_000_000;

/// A world with our contracts on its EVM chains, and a token on Ethereum.
pub struct Stage {
    /// The nodes. They outlive the parties that look at them.
    pub world: Arc<World>,
    /// Our contracts on Ethereum.
    pub ethereum: Contracts,
    /// Our contracts on SMT.
    pub smt: Contracts,
    /// The token.
    pub token: Deployed,
    mints: [Mint; 2],
}

/// What a party begins with.
#[derive(Debug, Clone, Copy)]
pub struct Purse {
    /// Coins in each Bitcoin and Litecoin wallet: as many fundings as may begin at once.
    pub coins: u32,
    /// Worth of each in Bitcoin's wallet.
    pub bitcoin_sat_each: u64,
    /// Worth of each in Litecoin's wallet.
    pub litecoin_sat_each: u64,
    /// On Ethereum.
    pub ether_wei: u128,
    /// On SMT.
    pub smt_wei: u128,
    /// Smallest units of each token.
    pub token_units: u128,
}

impl Purse {
    /// Enough for many swaps at once.
    pub const FULL: Purse = Purse {
        coins: 10,
        bitcoin_sat_each: 2_000_000,
        litecoin_sat_each: 100_000_000,
        ether_wei: 20 * COIN,
        smt_wei: 50_000 * COIN,
        token_units: 10_000 * COIN,
    };
}

const LOOK: Duration = Duration::from_millis(250);
const PERMIT_TOKEN: &str = include_str!("../../contracts/artifacts/test/PermitToken.json");
const PLAIN_TOKEN: &str = include_str!("../../contracts/artifacts/test/PlainToken.json");
const FALLBACK_TOKEN: &str = include_str!("../../contracts/artifacts/test/FallbackToken.json");
const TOKEN_SUPPLY_WHOLE: u128 = 1_000_000;

impl Stage {
    /// Puts contracts and token on the chains of a world. `folder` keeps what was sent for it.
    pub async fn set(world: Arc<World>, folder: &Path) -> anyhow::Result<Self> {
        let (mut ethereum, smt) = tokio::try_join!(
            Mint::deploy(Ledger::Ethereum, &world.ethereum, folder),
            Mint::deploy(Ledger::Smt, &world.smt, folder)
        )?;
        let token = ethereum.token(TOKEN, PERMIT_TOKEN, token_arguments(TOKEN)).await?;
        ethereum.open().await?;
        Ok(Self { world, ethereum: ethereum.contracts, smt: smt.contracts, token, mints: [ethereum, smt] })
    }

    /// Puts the other tokens on the chains. Parties that come later begin with as many of each as of the first.
    pub async fn mint_more(&mut self) -> anyhow::Result<()> {
        let [ethereum, smt] = &mut self.mints;
        let [fallback_on_ethereum, plain_on_smt, fallback_on_smt] = MORE_TOKENS;
        let supply = word(TOKEN_SUPPLY_WHOLE * COIN);
        let on_ethereum = async {
            ethereum.token(fallback_on_ethereum, FALLBACK_TOKEN, supply.clone()).await?;
            ethereum.open().await
        };
        let on_smt = async {
            smt.token(plain_on_smt, PLAIN_TOKEN, token_arguments(plain_on_smt)).await?;
            smt.token(fallback_on_smt, FALLBACK_TOKEN, supply.clone()).await?;
            smt.open().await
        };
        tokio::try_join!(on_ethereum, on_smt)?;
        Ok(())
    }

    /// A party with wallets, money and a configuration for this world; its daemon is not started. The name must be new to
    /// this world, for its wallets are called so.
    pub async fn party(&self, name: &str, folder: &Path, program: &Path, purse: Purse) -> anyhow::Result<Party> {
        let (to, folder, program): (String, PathBuf, PathBuf) = (name.to_owned(), folder.to_owned(), program.to_owned());
        // Stretching the passphrase takes a moment of pure work.
        let party = tokio::task::spawn_blocking(move || Party::prepare(&to, &folder, &program)).await??;
        let account = party.identity.to_string();
        tokio::try_join!(
            fill(&self.world.bitcoin, name, purse.coins, purse.bitcoin_sat_each),
            fill(&self.world.litecoin, name, purse.coins, purse.litecoin_sat_each),
            async { Ok(self.world.ethereum.faucet(&account, purse.ether_wei).await.map(drop)?) },
            async { Ok(self.world.smt.faucet(&account, purse.smt_wei).await.map(drop)?) },
            self.give_tokens(party.identity, purse.token_units),
        )?;
        party.configure(&self.ledgers(name))?;
        Ok(party)
    }

    /// The ledgers' part of a configuration, with that wallet at the Bitcoin and the Litecoin node.
    pub fn ledgers(&self, wallet: &str) -> String {
        let utxo = |name: &str, chain: &UtxoChain| {
            format!(
                "[{name}]\nrpc_url = \"{}\"\ncookie_file = \"{}\"\nwallet = \"{wallet}\"\n",
                chain.url().trim_end_matches('/'),
                chain.cookie().display()
            )
        };
        let evm = |name: &str, chain: &EvmChain, at: &Contracts| {
            let contracts = ContractAddresses::from(*at).line();
            format!("[{name}]\nrpc_url = \"{}\"\nchain_id = {}\n{contracts}\n", chain.url(), chain.chain_id())
        };
        let [on_ethereum, on_smt] = &self.mints;
        utxo("bitcoin", &self.world.bitcoin)
            + &utxo("litecoin", &self.world.litecoin)
            + &evm("ethereum", &self.world.ethereum, &self.ethereum)
            + &on_ethereum.lines()
            + &evm("smt", &self.world.smt, &self.smt)
            + &on_smt.lines()
    }

    async fn give_tokens(&self, to: Address, units: u128) -> anyhow::Result<()> {
        if units == 0 {
            return Ok(());
        }
        let [ethereum, smt] = &self.mints;
        tokio::try_join!(ethereum.give(to, units), smt.give(to, units))?;
        Ok(())
    }
}

async fn fill(chain: &UtxoChain, wallet: &str, coins: u32, sat_each: u64) -> anyhow::Result<()> {
    let wallet = chain.create_wallet(wallet).await?;
    if coins > 0 {
        chain.faucet_split(&wallet, sat_each * u64::from(coins), coins).await?;
    }
    Ok(())
}

/// Puts contracts on a chain, from one of its rich accounts, which holds all tokens at first.
struct Mint {
    node: NodeConfig,
    key: LockKey,
    journal: Arc<dyn Journal>,
    contracts: Contracts,
    tokens: Vec<Token>,
    treasury: Option<EvmAdapter>,
}

impl Mint {
    async fn deploy(ledger: Ledger, chain: &EvmChain, folder: &Path) -> anyhow::Result<Self> {
        let account = chain.dev_accounts().first().context("the node has no rich account")?;
        let mut key = [0; 32];
        hex::decode_to_slice(account.private_key.trim_start_matches("0x"), &mut key)?;
        let (rpc_url, chain_id) = (chain.url().to_owned(), chain.chain_id());
        let node = NodeConfig { ledger, network: Network::Regtest, rpc_url, chain_id, confirmations: None };
        let store = Store::open(&folder.join(format!("deployer-{ledger}.db")), [7; 32])?;
        let journal: Arc<dyn Journal> = Arc::new(store);
        let contracts = photon_evm::deploy(&node, LockKey::from_bytes(key), journal.clone()).await?;
        Ok(Self { node, key: LockKey::from_bytes(key), journal, contracts, tokens: Vec::new(), treasury: None })
    }

    async fn token(&mut self, symbol: &str, artifact: &str, arguments: Vec<u8>) -> anyhow::Result<Deployed> {
        let artifact: serde_json::Value = serde_json::from_str(artifact)?;
        let code = artifact.get("bytecode").and_then(|code| code.as_str()).context("the token has no bytecode")?;
        let mut init = hex::decode(code.trim_start_matches("0x"))?;
        init.extend(arguments);
        let label = format!("demo token {symbol}");
        let token = photon_evm::deploy_raw(&self.node, self.key.clone(), self.journal.clone(), &label, init).await?;
        let Deployed { address, code_hash } = token;
        self.tokens.push(Token { address, symbol: symbol.to_owned(), decimals: 18, code_hash });
        Ok(token)
    }

    /// From now on tokens can be given.
    async fn open(&mut self) -> anyhow::Result<()> {
        let config = EvmConfig { node: self.node.clone(), contracts: self.contracts, tokens: self.tokens.clone() };
        self.treasury = Some(EvmAdapter::connect(config, self.key.clone(), self.journal.clone()).await?);
        Ok(())
    }

    /// So many of each token.
    async fn give(&self, to: Address, units: u128) -> anyhow::Result<()> {
        let Some(treasury) = &self.treasury else { return Ok(()) };
        for token in &self.tokens {
            let mut id = [0; 32];
            getrandom::fill(&mut id).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
            let act = Act::Send {
                id: LockId::from_bytes(id),
                asset: Asset::Token(self.node.ledger, token.address),
                amount: Amount::from_units(units),
                to: to.to_string(),
            };
            while !matches!(treasury.ensure(&act).await?, Progress::Mined { .. } | Progress::Done) {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// The tokens' part of a configuration.
    fn lines(&self) -> String {
        let name = self.node.ledger.name();
        let lines = |Token { address, symbol, decimals, code_hash }: &Token| {
            format!(
                "[[{name}.tokens]]\nsymbol = \"{symbol}\"\naddress = \"{address}\"\ndecimals = {decimals}\ncode_hash = \"{code_hash}\"\n"
            )
        };
        self.tokens.iter().map(lines).collect()
    }
}

fn word(number: u128) -> Vec<u8> {
    [[0; 16], number.to_be_bytes()].concat()
}

/// ABI encoding of (string name, string symbol, uint256 supply).
fn token_arguments(symbol: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(32, 0);
        [word(text.len() as u128), padded].concat()
    };
    [word(96), word(160), word(TOKEN_SUPPLY_WHOLE * COIN), text("Demo dollar"), text(symbol)].concat()
}
