//! The functions and events of our contracts and of ERC20 tokens. Pure.
//!
//! The HTLC contracts share the signatures of EtherSwap and ERC20Swap v6. `claim` and `refund` come in two forms: the short
//! one acts for the sender, the long one names everybody and may be sent by anyone. We send the long one and read both.
//! `claimBatch` comes in two forms as well, four lists or one. Of the events, `Claim` and `Refund` are anonymous: their one
//! topic is the hash, and a `Claim` has the secret as its data where a `Refund` has none.

use crate::slot::{Kind, Slot, Terms};
use crate::wire::{Log, Tx};
use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::{SolCall, SolEvent, SolValue, sol};
use photon_chains::{Secret, SecretHash};

sol! {
    #![sol(alloy_sol_types = alloy::sol_types)]

    struct Redeem {
        bytes32 preimage;
        uint256 amount;
        address refundAddress;
        uint256 timelock;
    }

    interface Native {
        event Lockup(bytes32 indexed preimageHash, uint256 amount, address claimAddress, address indexed refundAddress, uint256 timelock);

        function lock(bytes32 preimageHash, address claimAddress, uint256 timelock) external payable;
        function claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock) external;
        function refund(bytes32 preimageHash, uint256 amount, address claimAddress, address refundAddress, uint256 timelock) external;
        function claimBatch(Redeem[] redeems) external;
        function claimBatch(bytes32[] preimages, uint256[] amounts, address[] refundAddresses, uint256[] timelocks) external;
        function swaps(bytes32 key) external view returns (bool);
        function hashValues(bytes32 preimageHash, uint256 amount, address claimAddress, address refundAddress, uint256 timelock) external view returns (bytes32);
    }
    interface NativeForSender {
        function claim(bytes32 preimage, uint256 amount, address refundAddress, uint256 timelock) external;
        function refund(bytes32 preimageHash, uint256 amount, address claimAddress, uint256 timelock) external;
    }
    interface Erc20Htlc {
        event Lockup(bytes32 indexed preimageHash, uint256 amount, address tokenAddress, address claimAddress, address indexed refundAddress, uint256 timelock);

        function lock(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, uint256 timelock) external;
        function claim(bytes32 preimage, uint256 amount, address tokenAddress, address claimAddress, address refundAddress, uint256 timelock) external;
        function refund(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, address refundAddress, uint256 timelock) external;
        function claimBatch(address tokenAddress, Redeem[] redeems) external;
        function claimBatch(address tokenAddress, bytes32[] preimages, uint256[] amounts, address[] refundAddresses, uint256[] timelocks) external;
        function hashValues(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, address refundAddress, uint256 timelock) external view returns (bytes32);
    }
    interface Erc20HtlcForSender {
        function claim(bytes32 preimage, uint256 amount, address tokenAddress, address refundAddress, uint256 timelock) external;
        function refund(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, uint256 timelock) external;
    }
    interface Registry {
        function registerSecret(bytes32 secret) external;
        function registerSecrets(bytes32[] secrets) external;
        function entries(bytes32 secretHash) external view returns (uint40 time, uint40 blockNumber);
    }
    interface PaymentChannels {
        function deposit(uint256 asset, uint256 peerAndAmount) external payable;
        function depositFor(uint256 asset, uint256 peerAndAmount, address party) external payable;
    }
    interface Erc20 {
        function approve(address spender, uint256 amount) external;
        function transfer(address to, uint256 amount) external;
        function allowance(address owner, address spender) external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        event Transfer(address indexed from, address indexed to, uint256 amount);
        function decimals() external view returns (uint8);
    }
}

/// An event of one of our contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A slot was funded with these terms.
    Lockup(Slot),
    /// A lock of that hash was redeemed. Which one, the event does not say.
    Claim(Secret),
    /// A lock of that hash was refunded. Which one, the event does not say.
    Refund(B256),
    /// The registry learned a secret.
    Revealed(Secret),
}

/// Reads an event. None for one that is not ours, or that does not say what it should: whoever emitted it, nothing follows.
pub(crate) fn read_log(log: &Log, kind: Option<Kind>, chain_id: u64) -> Option<Event> {
    let data = &log.data.as_ref()?.0;
    let Some(kind) = kind else {
        let [hash] = log.topics.as_slice() else { return None };
        return opened(*hash, data).map(Event::Revealed);
    };
    if let [hash] = log.topics.as_slice() {
        return if data.is_empty() { Some(Event::Refund(*hash)) } else { opened(*hash, data).map(Event::Claim) };
    }
    let topics = log.topics.iter().copied();
    match *log.topics.first()? {
        topic if topic == Native::Lockup::SIGNATURE_HASH && kind == Kind::Native => {
            let event = Native::Lockup::decode_raw_log_validate(topics, data).ok()?;
            let terms = Terms {
                token: None,
                hash: event.preimageHash,
                amount: event.amount,
                redeemer: event.claimAddress,
                refundee: event.refundAddress,
                word: event.timelock,
            };
            Some(Event::Lockup(Slot::new(log.address, chain_id, terms)))
        }
        topic if topic == Erc20Htlc::Lockup::SIGNATURE_HASH && kind == Kind::Token => {
            let event = Erc20Htlc::Lockup::decode_raw_log_validate(topics, data).ok()?;
            let terms = Terms {
                token: Some(event.tokenAddress),
                hash: event.preimageHash,
                amount: event.amount,
                redeemer: event.claimAddress,
                refundee: event.refundAddress,
                word: event.timelock,
            };
            Some(Event::Lockup(Slot::new(log.address, chain_id, terms)))
        }
        _ => None,
    }
}

fn opened(hash: B256, candidate: &[u8]) -> Option<Secret> {
    SecretHash::from_bytes(hash.0).opened_by(candidate)
}

/// What a transaction asks one of our HTLC contracts to do, as far as its calldata tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// To fund this slot.
    Lock(Slot),
    /// To redeem these slots.
    Claim(Vec<Slot>),
    /// To refund this slot.
    Refund(Slot),
}

/// Reads a transaction sent straight to an HTLC contract of that kind. None if it is none of the functions we know: then
/// its calldata says nothing about which slot it meant.
pub(crate) fn read_call(tx: &Tx, kind: Kind, chain_id: u64) -> Option<Called> {
    let contract = tx.to?;
    let slot = |terms: Terms| Slot::new(contract, chain_id, terms);
    match kind {
        Kind::Native => read_native(tx, &slot),
        Kind::Token => read_token(tx, &slot),
    }
}

fn hashed(preimage: B256) -> B256 {
    B256::new(*Secret::from_bytes(preimage.0).hash().as_bytes())
}

fn read_native(tx: &Tx, slot: &dyn Fn(Terms) -> Slot) -> Option<Called> {
    let (selector, input) = selector(tx)?;
    let terms = |hash, amount, redeemer, refundee, word| slot(Terms { token: None, hash, amount, redeemer, refundee, word });
    if selector == Native::lockCall::SELECTOR {
        let c = Native::lockCall::abi_decode_raw(input).ok()?;
        return Some(Called::Lock(terms(c.preimageHash, tx.value, c.claimAddress, tx.from, c.timelock)));
    }
    if selector == Native::claimCall::SELECTOR {
        let c = Native::claimCall::abi_decode_raw(input).ok()?;
        return Some(Called::Claim(vec![terms(hashed(c.preimage), c.amount, c.claimAddress, c.refundAddress, c.timelock)]));
    }
    if selector == NativeForSender::claimCall::SELECTOR {
        let c = NativeForSender::claimCall::abi_decode_raw(input).ok()?;
        return Some(Called::Claim(vec![terms(hashed(c.preimage), c.amount, tx.from, c.refundAddress, c.timelock)]));
    }
    if selector == Native::claimBatch_0Call::SELECTOR {
        let c = Native::claimBatch_0Call::abi_decode_raw(input).ok()?;
        let one = |r: &Redeem| terms(hashed(r.preimage), r.amount, tx.from, r.refundAddress, r.timelock);
        return Some(Called::Claim(c.redeems.iter().map(one).collect()));
    }
    if selector == Native::claimBatch_1Call::SELECTOR {
        let c = Native::claimBatch_1Call::abi_decode_raw(input).ok()?;
        let items = c.preimages.iter().zip(&c.amounts).zip(&c.refundAddresses).zip(&c.timelocks);
        return Some(Called::Claim(
            items.map(|(((p, amount), refundee), word)| terms(hashed(*p), *amount, tx.from, *refundee, *word)).collect(),
        ));
    }
    if selector == Native::refundCall::SELECTOR {
        let c = Native::refundCall::abi_decode_raw(input).ok()?;
        return Some(Called::Refund(terms(c.preimageHash, c.amount, c.claimAddress, c.refundAddress, c.timelock)));
    }
    if selector == NativeForSender::refundCall::SELECTOR {
        let c = NativeForSender::refundCall::abi_decode_raw(input).ok()?;
        return Some(Called::Refund(terms(c.preimageHash, c.amount, c.claimAddress, tx.from, c.timelock)));
    }
    None
}

fn read_token(tx: &Tx, slot: &dyn Fn(Terms) -> Slot) -> Option<Called> {
    let (selector, input) = selector(tx)?;
    let terms = |token, hash, amount, redeemer, refundee, word| {
        slot(Terms { token: Some(token), hash, amount, redeemer, refundee, word })
    };
    if selector == Erc20Htlc::lockCall::SELECTOR {
        let c = Erc20Htlc::lockCall::abi_decode_raw(input).ok()?;
        return Some(Called::Lock(terms(c.tokenAddress, c.preimageHash, c.amount, c.claimAddress, tx.from, c.timelock)));
    }
    if selector == Erc20Htlc::claimCall::SELECTOR {
        let c = Erc20Htlc::claimCall::abi_decode_raw(input).ok()?;
        let slot = terms(c.tokenAddress, hashed(c.preimage), c.amount, c.claimAddress, c.refundAddress, c.timelock);
        return Some(Called::Claim(vec![slot]));
    }
    if selector == Erc20HtlcForSender::claimCall::SELECTOR {
        let c = Erc20HtlcForSender::claimCall::abi_decode_raw(input).ok()?;
        let slot = terms(c.tokenAddress, hashed(c.preimage), c.amount, tx.from, c.refundAddress, c.timelock);
        return Some(Called::Claim(vec![slot]));
    }
    if selector == Erc20Htlc::claimBatch_0Call::SELECTOR {
        let c = Erc20Htlc::claimBatch_0Call::abi_decode_raw(input).ok()?;
        let one = |r: &Redeem| terms(c.tokenAddress, hashed(r.preimage), r.amount, tx.from, r.refundAddress, r.timelock);
        return Some(Called::Claim(c.redeems.iter().map(one).collect()));
    }
    if selector == Erc20Htlc::claimBatch_1Call::SELECTOR {
        let c = Erc20Htlc::claimBatch_1Call::abi_decode_raw(input).ok()?;
        let items = c.preimages.iter().zip(&c.amounts).zip(&c.refundAddresses).zip(&c.timelocks);
        let slots =
            items.map(|(((p, amount), refundee), word)| terms(c.tokenAddress, hashed(*p), *amount, tx.from, *refundee, *word));
        return Some(Called::Claim(slots.collect()));
    }
    if selector == Erc20Htlc::refundCall::SELECTOR {
        let c = Erc20Htlc::refundCall::abi_decode_raw(input).ok()?;
        let slot = terms(c.tokenAddress, c.preimageHash, c.amount, c.claimAddress, c.refundAddress, c.timelock);
        return Some(Called::Refund(slot));
    }
    if selector == Erc20HtlcForSender::refundCall::SELECTOR {
        let c = Erc20HtlcForSender::refundCall::abi_decode_raw(input).ok()?;
        let slot = terms(c.tokenAddress, c.preimageHash, c.amount, c.claimAddress, tx.from, c.timelock);
        return Some(Called::Refund(slot));
    }
    None
}

fn selector(tx: &Tx) -> Option<([u8; 4], &[u8])> {
    tx.input.0.split_first_chunk::<4>().map(|(selector, input)| (*selector, input))
}

/// How much of a stranger's calldata is searched for secrets.
const SEARCHED_BYTES: usize = 4096;

/// The 32-byte words of calldata that could be secrets: in a call to a contract of ours at any place, else where arguments
/// stand.
pub(crate) fn words(input: &[u8], ours: bool) -> impl Iterator<Item = &[u8; 32]> {
    let step = if ours { 1 } else { 32 };
    let searched = input.get(4..).unwrap_or_default();
    let searched = searched.get(..SEARCHED_BYTES).unwrap_or(searched);
    searched.windows(32).step_by(step).filter_map(|word| word.try_into().ok())
}

/// The calldata of `approve`.
pub(crate) fn approve(spender: Address, amount: U256) -> Vec<u8> {
    Erc20::approveCall { spender, amount }.abi_encode()
}

/// The spender and amount of an `approve`.
pub(crate) fn read_approve(input: &[u8]) -> Option<(Address, U256)> {
    Erc20::approveCall::abi_decode(input).ok().map(|call| (call.spender, call.amount))
}

/// The token and amount of a token lock.
pub(crate) fn read_token_lock(input: &[u8]) -> Option<(Address, U256)> {
    Erc20Htlc::lockCall::abi_decode(input).ok().map(|call| (call.tokenAddress, call.amount))
}

/// The token and amount of a deposit into a payment channel. None for one of the ledger's own coin, which takes no token.
pub(crate) fn read_deposit(input: &[u8]) -> Option<(Address, U256)> {
    let (asset, peer_and_amount) = match PaymentChannels::depositCall::abi_decode(input) {
        Ok(call) => (call.asset, call.peerAndAmount),
        Err(_) => PaymentChannels::depositForCall::abi_decode(input).ok().map(|call| (call.asset, call.peerAndAmount))?,
    };
    let token = Address::from_word(B256::from(asset));
    (!token.is_zero()).then(|| (token, peer_and_amount >> 160))
}

/// The calldata of `transfer`.
pub(crate) fn transfer(to: Address, amount: U256) -> Vec<u8> {
    Erc20::transferCall { to, amount }.abi_encode()
}

/// The amount of a `transfer`.
pub(crate) fn read_transfer(input: &[u8]) -> Option<U256> {
    Erc20::transferCall::abi_decode(input).ok().map(|call| call.amount)
}

/// The calldata of `allowance`.
pub(crate) fn allowance(owner: Address, spender: Address) -> Vec<u8> {
    Erc20::allowanceCall { owner, spender }.abi_encode()
}

/// The calldata of `balanceOf`.
pub(crate) fn balance_of(owner: Address) -> Vec<u8> {
    Erc20::balanceOfCall { owner }.abi_encode()
}

/// The calldata of `decimals`.
pub(crate) fn decimals() -> Vec<u8> {
    Erc20::decimalsCall {}.abi_encode()
}

/// The calldata of `swaps`.
pub(crate) fn swaps(key: B256) -> Vec<u8> {
    Native::swapsCall { key }.abi_encode()
}

/// The calldata of the registry's `entries`.
pub(crate) fn entries(hash: B256) -> Vec<u8> {
    Registry::entriesCall { secretHash: hash }.abi_encode()
}

/// When the registry learned a secret: unix seconds and block, zeros for never.
pub(crate) fn read_entry(output: &[u8]) -> Option<(u64, u64)> {
    let entry = Registry::entriesCall::abi_decode_returns_validate(output).ok()?;
    Some((entry.time.to::<u64>(), entry.blockNumber.to::<u64>()))
}

/// A `uint256` that a function returned: exactly one word.
pub(crate) fn word(output: &[u8]) -> Option<U256> {
    (output.len() == 32).then(|| U256::from_be_slice(output))
}

/// What `transfer` and `approve` of good tokens return: nothing, or true.
pub(crate) fn token_said_yes(output: &[u8]) -> bool {
    output.is_empty() || bool::abi_decode_validate(output).unwrap_or(false)
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
