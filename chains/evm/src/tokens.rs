//! ERC20 tokens: what they hold, what they allow, and allowing exactly what a contract is about to take.

use crate::abi;
use crate::acts::{Acting, gas};
use crate::chain::At;
use crate::node::Node;
use crate::sender::Sender;
use crate::slot::address;
use crate::trial::{MOST_GAS, Returns, Trial, Wanted};
use crate::wallet::{Draft, Order};
use alloy::primitives::{Address, U256, keccak256};
use photon_chains::{Asset, IntentKey, LockId, PortError, Purpose};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Node {
    /// What an account holds of a token.
    pub(crate) async fn token_balance(&self, token: Address, owner: Address) -> Result<U256, PortError> {
        self.view_at(token, abi::balance_of(owner), At::Latest).await
    }

    /// The digits after the dot that a token says it has.
    pub(crate) async fn token_decimals(&self, token: Address) -> Result<u8, PortError> {
        let decimals = self.view_at(token, abi::decimals(), At::Latest).await?;
        u8::try_from(decimals).map_err(|_| self.refused("the token says it has more than 255 decimals"))
    }

    /// The token's code is the code that was configured.
    pub(crate) async fn token_code_is(&self, token: Address, code_hash: [u8; 32]) -> Result<(), PortError> {
        let code = self.at(self.rpc.code(token, At::Latest).await)?;
        if keccak256(code).0 == code_hash {
            return Ok(());
        }
        Err(self.refused(format!("the code of token {token} is not the configured one")))
    }
}

/// An amount of a token that a contract is to take.
#[derive(Copy, Clone)]
pub(crate) struct Take {
    pub(crate) token: Address,
    pub(crate) spender: Address,
    pub(crate) amount: U256,
}

/// What must be allowed before a contract can take it.
pub(crate) struct Allowances {
    /// The allowances to set, in order. Some tokens refuse to change one that is not zero, so it goes to zero first.
    pub(crate) missing: Vec<U256>,
    /// The contract could take it right now, so that can be tried out.
    pub(crate) in_force: bool,
    /// Other allowances wait, so a change can't be tried out.
    pub(crate) behind: bool,
}

impl Acting<'_> {
    /// What a contract must be allowed so that it can take this, called next: exactly the amount. What waits before it is taken
    /// into account in the order of its nonces, for so it will be mined.
    pub(crate) async fn allowances(&self, take: Take) -> Result<Allowances, PortError> {
        let Take { token, spender, amount: needed } = take;
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let us = sender.wallet.address();
        let held = node.token_balance(token, us).await?;
        let allowed_now = node.view_at(token, abi::allowance(us, spender), At::Latest).await?;
        let waiting = sender.waiting().await?;
        let promised = waiting.iter().map(|draft| taken(&draft.order, token));
        let promised = promised.fold(U256::ZERO, U256::saturating_add);
        let mut allowed = allowed_now;
        let (mut locking, mut behind) = (U256::ZERO, false);
        for draft in &waiting {
            if draft.order.to == Some(token) {
                let approved = abi::read_approve(&draft.order.input).filter(|(allowed, _)| *allowed == spender);
                behind |= approved.is_some();
                allowed = approved.map_or(allowed, |(_, amount)| amount);
            } else if draft.order.to == Some(spender) {
                let amount = taken(&draft.order, token);
                allowed = allowed.saturating_sub(amount);
                locking = locking.saturating_add(amount);
            }
        }
        let free = held.saturating_sub(promised);
        if free < needed {
            let (ledger, needed, available) = (node.ledger(), node.amount(needed)?, node.amount(free)?);
            return Err(PortError::NotEnough { ledger, asset: Asset::Token(ledger, address(token)), needed, available });
        }
        let missing = if allowed >= needed {
            Vec::new()
        } else if allowed.is_zero() {
            vec![needed]
        } else {
            vec![U256::ZERO, needed]
        };
        let in_force = missing.is_empty() && allowed_now >= locking.saturating_add(needed);
        Ok(Allowances { missing, in_force, behind })
    }

    /// Sets the allowances that are missing for an act of that name.
    pub(crate) async fn allow(&self, name: LockId, take: Take, allowances: &Allowances) -> Result<(), PortError> {
        for (place, amount) in allowances.missing.iter().enumerate() {
            self.approve(name, Take { amount: *amount, ..take }, allowances.behind || place > 0).await?;
        }
        Ok(())
    }

    /// Sets an allowance. `behind`: another one is set before it, so it can't be tried out.
    async fn approve(&self, name: LockId, take: Take, behind: bool) -> Result<(), PortError> {
        let Take { token, spender, amount } = take;
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let wanted = Wanted {
            to: Some(token),
            value: U256::ZERO,
            input: abi::approve(spender, amount),
            returns: Returns::TrueOrNothing,
            least_gas: gas::APPROVE,
            most_gas: MOST_GAS,
        };
        let order = if behind {
            Order { to: Some(token), value: U256::ZERO, input: wanted.input, gas: gas::APPROVE }
        } else {
            match node.try_out(sender.wallet.address(), wanted).await? {
                Trial::Works(order) => order,
                Trial::Reverts(reason) => return Err(node.refused(format!("the token refuses an allowance: {reason}"))),
            }
        };
        self.turn.submit(allowance_intent(name), order).await.map(|_| ())
    }
}

/// Names the allowance for a lock or a call. It may take two transactions, and more if another one used it up.
fn allowance_intent(of: LockId) -> IntentKey {
    let mut name = Sha256::new_with_prefix("photon/evm/allowance/1");
    name.update(of.as_bytes());
    IntentKey::new(Purpose::Send, LockId::from_bytes(name.finalize().into()))
}

impl Sender {
    /// What our waiting transactions may still take of a token.
    pub(crate) async fn promised(&self, token: Address) -> Result<U256, PortError> {
        let waiting = self.waiting().await?;
        Ok(waiting.iter().map(|draft| taken(&draft.order, token)).fold(U256::ZERO, U256::saturating_add))
    }

    /// Our waiting transactions in the order of their nonces; of those that replace each other, the newest.
    async fn waiting(&self) -> Result<Vec<Draft>, PortError> {
        let mined = self.node.at(self.node.rpc.nonce(self.wallet.address(), At::Latest).await)?;
        let newest: BTreeMap<_, _> = self.unsettled().await?.into_iter().map(|(_, draft)| (draft.nonce, draft)).collect();
        Ok(newest.into_values().filter(|draft| draft.nonce >= mined).collect())
    }
}

/// What an order of ours takes of a token: a funding, a deposit or a payment.
fn taken(order: &Order, token: Address) -> U256 {
    let by_contract = abi::read_token_lock(&order.input).or_else(|| abi::read_deposit(&order.input));
    let by_contract = by_contract.filter(|(of, _)| *of == token).map(|(_, amount)| amount);
    let paid = abi::read_transfer(&order.input).filter(|_| order.to == Some(token));
    by_contract.or(paid).unwrap_or_default()
}

/// The asset as a token of this ledger.
pub(crate) fn token_of(asset: Asset) -> Option<Address> {
    asset.token().map(crate::slot::account)
}
