//! The port, filled.

use crate::abi;
use crate::acts::{Acting, gas};
use crate::artifact::{Contract, Immutables};
use crate::chain::At;
use crate::config::{Contracts, EvmConfig, Token};
use crate::find::Search;
use crate::listen::Listener;
use crate::node::{Node, block_ref, hash32};
use crate::sender::Sender;
use crate::slot::{Slot, Terms, account, address};
use crate::tokens::token_of;
use crate::trial::{MOST_GAS, Returns, Wanted};
use crate::wallet::Wallet;
use crate::watch::Watch;
use alloy::primitives::{Address, B256, U256, keccak256};
use async_trait::async_trait;
use photon_chains::{
    Act, Amount, Asset, Balance, BlockHeight, ContractPort, Found, Hash32, Journal, Ledger, Lock, LockId, LockKey, Party, Port,
    PortError, Progress, Progressed, Purpose, Sighting, SignedTx, Template, Timing, Tip, UnixTime, Witness,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Ethereum or SMT.
pub struct EvmAdapter {
    pub(crate) node: Arc<Node>,
    pub(crate) sender: Sender,
    watch: Watch,
    pub(crate) names: Listener,
    pub(crate) contracts: Contracts,
    native_code: Hash32,
    token_code: Hash32,
    tokens: Vec<Token>,
    /// False where another adapter of the same account looks after what waits to be mined.
    tends: bool,
}

impl EvmAdapter {
    /// Reaches the node, and refuses to go on unless it is on the configured chain, our contracts stand where the
    /// configuration says with exactly the code that this program knows, and every configured token is what it should be.
    pub async fn connect(config: EvmConfig, account_key: LockKey, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        let node = Arc::new(Node::connect(&config.node).await?);
        let wallet = Wallet::new(&account_key, node.chain_id).map_err(|error| node.refused(error.to_string()))?;
        let EvmConfig { contracts, tokens, .. } = config;
        let immutables = Immutables {
            chain_id: node.chain_id,
            registry: account(contracts.registry),
            block_secs: node.params.window_block_secs,
        };
        let places = [contracts.registry, contracts.native_htlc, contracts.token_htlc];
        let mut codes = Vec::new();
        for (contract, place) in Contract::OF_SWAPS.into_iter().zip(places) {
            codes.push(check_contract(&node, contract, account(place), immutables).await?);
        }
        if let Some(channels) = contracts.channels {
            check_contract(&node, Contract::Channels, account(channels), immutables).await?;
        }
        let [_, native_code, token_code] = codes.as_slice() else { return Err(node.refused("a contract is missing")) };
        let (native_code, token_code) = (*native_code, *token_code);
        check_key(&node, account(contracts.native_htlc), None).await?;
        check_key(&node, account(contracts.token_htlc), Some(Address::repeat_byte(0x44))).await?;
        let watch = Watch::new(node.clone(), account(contracts.registry));
        let names = Listener::new(node.clone());
        let sender = Sender::new(node.clone(), wallet, journal);
        let adapter = Self { node, sender, watch, names, contracts, native_code, token_code, tokens, tends: true };
        for token in &adapter.tokens {
            adapter.check_token(token).await?;
        }
        Ok(adapter)
    }

    /// The same at a second node of the same account, which sends nothing but what it is asked for. Only one of the two may be
    /// asked at a time: they share one journal and one row of nonces.
    pub async fn connect_second(config: EvmConfig, account_key: LockKey, journal: Arc<dyn Journal>) -> Result<Self, PortError> {
        Ok(Self { tends: false, ..Self::connect(config, account_key, journal).await? })
    }

    /// Our account.
    pub fn account(&self) -> photon_chains::Address {
        address(self.sender.wallet.address())
    }

    /// The tokens that may be swapped.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(crate) async fn check_token(&self, token: &Token) -> Result<(), PortError> {
        let place = account(token.address);
        self.node.token_code_is(place, *token.code_hash.as_bytes()).await?;
        let decimals = self.node.token_decimals(place).await?;
        if decimals != token.decimals {
            let reason = format!("token {} has {decimals} decimals, configured are {}", token.address, token.decimals);
            return Err(self.node.refused(reason));
        }
        Ok(())
    }

    pub(crate) fn token(&self, token: photon_chains::Address) -> Result<&Token, PortError> {
        let found = self.tokens.iter().find(|known| known.address == token);
        found.ok_or_else(|| self.node.refused(format!("token {token} is not configured")))
    }

    fn is_ours(&self, asset: Asset) -> Result<(), PortError> {
        if asset.ledger() == self.node.ledger() {
            return asset.token().map_or(Ok(()), |token| self.token(token).map(|_| ()));
        }
        Err(self.node.refused(format!("{asset} is not on this ledger")))
    }

    /// The right to sign, with the chain as it is now.
    pub(crate) async fn acting(&self) -> Result<Acting<'_>, PortError> {
        let turn = self.sender.turn().await;
        let view = self.node.view().await?;
        let registry = account(self.contracts.registry);
        let machine = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
        let wall_clock = photon_chains::crash::test_clock_secs().unwrap_or_else(machine);
        Ok(Acting { turn, view, chain_clock: view.tip.timestamp.0, wall_clock, registry })
    }

    fn slot(&self, lock: &Lock) -> Result<Slot, PortError> {
        let slot = Slot::of(lock, self.node.ledger(), self.node.chain_id);
        slot.map_err(|error| self.node.refused(error.to_string()))
    }

    fn payment(&self, asset: Asset, amount: Amount, to: &str) -> Result<Wanted, PortError> {
        self.is_ours(asset)?;
        let to = recipient(to).map_err(|error| self.node.refused(error.to_string()))?;
        let Contracts { registry, native_htlc, token_htlc, channels } = self.contracts;
        let is_contract = [Some(registry), Some(native_htlc), Some(token_htlc), channels].contains(&Some(address(to)));
        if is_contract || self.tokens.iter().any(|token| token.address == address(to)) {
            return Err(self.node.refused("that address is a contract, which would keep the money"));
        }
        if amount.is_zero() {
            return Err(self.node.refused("a payment of nothing"));
        }
        let amount = U256::from(amount.units());
        Ok(match token_of(asset) {
            None => Wanted {
                to: Some(to),
                value: amount,
                input: Vec::new(),
                returns: Returns::Anything,
                least_gas: gas::PAYMENT,
                most_gas: MOST_GAS,
            },
            Some(token) => Wanted {
                to: Some(token),
                value: U256::ZERO,
                input: abi::transfer(to, amount),
                returns: Returns::TrueOrNothing,
                least_gas: gas::PAYMENT,
                most_gas: MOST_GAS,
            },
        })
    }
}

/// The contract at `place` is ours, to the last byte. Returns the hash of its code.
pub(crate) async fn check_contract(
    node: &Node,
    contract: Contract,
    place: Address,
    immutables: Immutables,
) -> Result<Hash32, PortError> {
    let code = node.at(node.rpc.code(place, At::Latest).await)?;
    let name = contract.name();
    if code.is_empty() {
        return Err(node.refused(format!("nothing stands at {place}, where {name} should be: deploy the contracts")));
    }
    let expected = contract.code_hash(immutables, place).map_err(|error| node.refused(error.to_string()))?;
    if keccak256(&code) != expected {
        let reason = format!("what stands at {place} is not {name} as this program knows it: correct the address");
        return Err(node.refused(reason));
    }
    Ok(hash32(expected))
}

/// The contract keeps a lock in the very slot we look at. One question with words that are all different.
async fn check_key(node: &Node, contract: Address, token: Option<Address>) -> Result<(), PortError> {
    let terms = Terms {
        token,
        hash: B256::repeat_byte(0x11),
        amount: U256::from(0x2222),
        redeemer: Address::repeat_byte(0x33),
        refundee: Address::repeat_byte(0x55),
        word: U256::from(0x6666),
    };
    let slot = Slot::new(contract, node.chain_id, terms);
    let key = node.view_at(contract, slot.key_call(), At::Latest).await?;
    if B256::from(key) == slot.key {
        return Ok(());
    }
    Err(node.refused(format!("the contract at {contract} keeps its locks elsewhere than this program looks")))
}

/// Why a text is no address one may pay to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecipientError {
    #[error("an address is written as 0x followed by 40 hex digits")]
    Form,
    #[error("the address is mistyped: its capital letters don't fit (EIP-55)")]
    Checksum,
    #[error("the zero address is nobody's: the money would be lost")]
    Zero,
}

/// Reads an address to pay to. In mixed case its checksum must be right (EIP-55); in one case there is none to check.
pub(crate) fn recipient(text: &str) -> Result<Address, RecipientError> {
    let address: Address = match text.strip_prefix("0x") {
        Some(digits) if digits.len() == 40 => digits.parse().map_err(|_| RecipientError::Form)?,
        _ => return Err(RecipientError::Form),
    };
    let digits = text.get(2..).unwrap_or_default();
    let mixed = digits.bytes().any(|c| c.is_ascii_lowercase()) && digits.bytes().any(|c| c.is_ascii_uppercase());
    if mixed && Address::parse_checksummed(text, None).is_err() {
        return Err(RecipientError::Checksum);
    }
    if address.is_zero() { Err(RecipientError::Zero) } else { Ok(address) }
}

#[async_trait]
impl Witness for EvmAdapter {
    async fn block_at(&self, height: BlockHeight) -> Result<Option<Hash32>, PortError> {
        let header = self.node.at(self.node.rpc.header(At::Number(height.get())).await)?;
        Ok(header.map(|header| hash32(header.hash)))
    }

    async fn relay(&self, tx: &SignedTx) -> Result<(), PortError> {
        self.node.at(self.node.rpc.send(&tx.raw).await).map(drop)
    }
}

#[async_trait]
impl Port for EvmAdapter {
    fn ledger(&self) -> Ledger {
        self.node.ledger()
    }

    fn timing(&self) -> &Timing {
        &self.node.params.timing
    }

    fn genesis(&self) -> Hash32 {
        hash32(self.node.genesis)
    }

    fn template(&self, asset: Asset) -> Result<Template, PortError> {
        self.is_ours(asset)?;
        Ok(match asset {
            Asset::Native(_) => Template::Htlc { contract: self.contracts.native_htlc, code_hash: self.native_code },
            Asset::Token(..) => Template::Htlc { contract: self.contracts.token_htlc, code_hash: self.token_code },
        })
    }

    fn party(&self, _key: &LockKey) -> Result<Party, PortError> {
        Ok(Party::Account(self.account()))
    }

    async fn decimals(&self, asset: Asset) -> Result<u8, PortError> {
        self.is_ours(asset)?;
        let Some(token) = asset.token() else { return Ok(self.node.ledger().decimals()) };
        let token = self.token(token)?;
        self.check_token(token).await?;
        Ok(token.decimals)
    }

    fn watch(&self, lock: &Lock, since: BlockHeight) {
        match (self.slot(lock), lock.template) {
            (Ok(slot), Template::Htlc { code_hash, .. }) => {
                self.watch.tracker().watch(lock.id(), slot, B256::new(*code_hash.as_bytes()), since.get());
            }
            (Err(error), _) => tracing::warn!(lock = %lock.id(), %error, "this lock can't stand here: not watched"),
            (Ok(_), Template::P2wsh | Template::Channel { .. }) => {}
        }
    }

    fn unwatch(&self, lock: LockId) {
        self.watch.tracker().unwatch(lock);
    }

    async fn poll(&self) -> Result<Tip, PortError> {
        let view = self.watch.pass().await?;
        let time = UnixTime::from_secs(view.tip.timestamp.0);
        let tip = Tip { block: block_ref(view.tip.number.0, view.tip.hash), time, lock_clock: time };
        if !self.tends {
            return Ok(tip);
        }
        match self.sender.turn().await.tend(&view).await {
            Ok(()) => {}
            Err(PortError::Journal(error)) => return Err(error.into()),
            Err(error) => tracing::warn!(chain = %self.ledger(), %error, "could not look after our own transactions"),
        }
        Ok(tip)
    }

    fn look(&self, lock: LockId) -> Option<Sighting> {
        self.watch.tracker().look(lock)
    }

    fn take_changed(&self) -> Option<Vec<LockId>> {
        Some(self.watch.tracker().take_changed())
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        let acting = self.acting().await?;
        match act {
            Act::Fund { lock } => {
                if lock.template != self.template(lock.asset)? {
                    return Err(self.node.refused("the lock's contract is not the configured one"));
                }
                if let Some(token) = lock.asset.token() {
                    self.check_token(self.token(token)?).await?;
                }
                acting.fund(lock, &self.slot(lock)?).await
            }
            Act::Cancel { lock } => acting.cancel(lock).await,
            Act::Redeem { lock, secret, key: _ } => {
                acting.redeem(lock, &self.slot(lock)?, secret, Port::look(self, lock.id())).await
            }
            Act::Refund { lock, key: _ } => acting.refund(lock, &self.slot(lock)?, Port::look(self, lock.id())).await,
            Act::Send { asset, amount, to, .. } => acting.send(act.intent(), self.payment(*asset, *amount, to)?).await,
        }
    }

    async fn balance(&self, asset: Asset) -> Result<Balance, PortError> {
        self.is_ours(asset)?;
        let us = self.sender.wallet.address();
        let available = match token_of(asset) {
            Some(token) => {
                let promised = self.sender.promised(token).await?;
                self.node.token_balance(token, us).await?.saturating_sub(promised)
            }
            None => {
                let held = self.node.at(self.node.rpc.balance(us, At::Latest).await)?;
                held.saturating_sub(self.sender.reserved().await?)
            }
        };
        Ok(Balance { available: self.node.amount(available)?, incoming: Amount::ZERO })
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        Ok(self.sender.wallet.address().to_checksum(None))
    }

    fn funding_address(&self, _lock: &Lock) -> Option<String> {
        None
    }

    async fn find(&self, since: UnixTime, progressed: Progressed<'_>) -> Result<Found, PortError> {
        let native = (self.contracts.native_htlc, self.native_code);
        let token = (self.contracts.token_htlc, self.token_code);
        Search { node: &self.node, us: self.sender.wallet.address(), native, token }.run(since, progressed).await
    }

    fn contracts(self: Arc<Self>) -> Option<Arc<dyn ContractPort>> {
        self.contracts.channels.is_some().then_some(self as Arc<dyn ContractPort>)
    }

    async fn likely_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.is_ours(asset)?;
        let token = if asset.token().is_some() { gas::TOKEN_EXTRA } else { 0 };
        let units = match purpose {
            Purpose::Redeem | Purpose::Refund => gas::USED + token / 2,
            Purpose::Fund => gas::LOCK + token,
            Purpose::Call => gas::CALL_USED + token / 2,
            Purpose::Cancel | Purpose::Send => gas::PAYMENT + token / 2,
        };
        let price = self.node.market().await?.price_now(self.node.params.fees);
        self.node.amount(U256::from(units).saturating_mul(U256::from(price)))
    }

    async fn worst_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError> {
        self.is_ours(asset)?;
        let token = if asset.token().is_some() { gas::TOKEN_EXTRA } else { 0 };
        let units = match purpose {
            Purpose::Fund if token > 0 => gas::LOCK + token + 2 * gas::APPROVE,
            Purpose::Fund => gas::LOCK,
            Purpose::Cancel => gas::PAYMENT,
            Purpose::Redeem => gas::REDEEM + token,
            Purpose::Refund => gas::REFUND + token,
            Purpose::Call => gas::CALL + token,
            Purpose::Send => gas::PAYMENT + token,
        };
        let price = self.node.price(self.node.params.highest_price).await?;
        self.node.amount(U256::from(units).saturating_mul(U256::from(price.most())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_address_is_refused() {
        let right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert!(recipient(right).is_ok() && recipient(&right.to_lowercase()).is_ok());
        assert!(recipient(&format!("0x{}", right[2..].to_uppercase())).is_ok());
        assert_eq!(recipient("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"), Err(RecipientError::Checksum));
        for bad in ["", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0x12"] {
            assert_eq!(recipient(bad), Err(RecipientError::Form), "{bad}");
        }
        assert_eq!(recipient(&format!("0x{}", "0".repeat(40))), Err(RecipientError::Zero));
    }
}
