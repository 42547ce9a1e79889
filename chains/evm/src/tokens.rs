//! ERC20 tokens: what they hold, what they allow, and allowing exactly what is about to be locked.

use crate::abi;
use crate::acts::{Acting, gas};
use crate::chain::At;
use crate::node::Node;
use crate::sender::Sender;
use crate::slot::Slot;
use crate::trial::{Returns, Trial, Wanted};
use crate::wallet::Order;
use alloy::primitives::{Address, U256, keccak256};
use photon_chains::{Asset, IntentKey, Lock, LockId, PortError, Purpose};
use sha2::{Digest, Sha256};

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

/// What funding a token lock takes before the lock itself.
pub(crate) struct Allowances {
    /// The allowances to set, in order. Some tokens refuse to change one that is not zero, so it goes to zero first.
    pub(crate) missing: Vec<U256>,
    /// The chain would take the lock right now, so it can be tried out.
    pub(crate) in_force: bool,
    /// Other allowances wait, so a change can't be tried out.
    pub(crate) behind: bool,
}

impl Acting<'_> {
    /// What the HTLC contract must be allowed to take so that this lock, sent next, is funded: exactly its amount. What
    /// waits before it is taken into account in the order of its nonces, for so it will be mined.
    pub(crate) async fn allowances(&self, lock: &Lock, slot: &Slot, token: Address) -> Result<Allowances, PortError> {
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let us = sender.wallet.address();
        let needed = slot.terms.amount;
        let held = node.token_balance(token, us).await?;
        let allowed_now = node.view_at(token, abi::allowance(us, slot.contract), At::Latest).await?;
        let mined = node.at(node.rpc.nonce(us, At::Latest).await)?;
        let mut waiting = sender.unsettled().await?;
        waiting.retain(|(_, draft)| draft.nonce >= mined);
        waiting.sort_by_key(|(_, draft)| draft.nonce);
        let promised = waiting.iter().map(|(_, draft)| taken(&draft.order, token, slot.contract));
        let promised = promised.fold(U256::ZERO, U256::saturating_add);
        let mut allowed = allowed_now;
        let (mut locking, mut behind) = (U256::ZERO, false);
        for (_, draft) in &waiting {
            if draft.order.to == Some(token) {
                let approved = abi::read_approve(&draft.order.input).filter(|(spender, _)| *spender == slot.contract);
                behind |= approved.is_some();
                allowed = approved.map_or(allowed, |(_, amount)| amount);
            } else if draft.order.to == Some(slot.contract) {
                let amount = taken(&draft.order, token, slot.contract);
                allowed = allowed.saturating_sub(amount);
                locking = locking.saturating_add(amount);
            }
        }
        let free = held.saturating_sub(promised);
        if free < needed {
            let (ledger, asset, available) = (node.ledger(), lock.asset, node.amount(free)?);
            return Err(PortError::NotEnough { ledger, asset, needed: lock.amount, available });
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

    /// Sets an allowance. `behind`: another one is set before it, so it can't be tried out.
    pub(crate) async fn approve(
        &self,
        lock: &Lock,
        slot: &Slot,
        token: Address,
        amount: U256,
        behind: bool,
    ) -> Result<(), PortError> {
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let wanted = Wanted {
            to: Some(token),
            value: U256::ZERO,
            input: abi::approve(slot.contract, amount),
            returns: Returns::TrueOrNothing,
            least_gas: gas::APPROVE,
        };
        let order = if behind {
            Order { to: Some(token), value: U256::ZERO, input: wanted.input, gas: gas::APPROVE }
        } else {
            match node.try_out(sender.wallet.address(), wanted).await? {
                Trial::Works(order) => order,
                Trial::Reverts(reason) => return Err(node.refused(format!("the token refuses an allowance: {reason}"))),
            }
        };
        self.turn.submit(allowance_intent(lock), order).await.map(|_| ())
    }
}

/// Names the allowance for a lock. It may take two transactions, and more if another funding used it up.
fn allowance_intent(lock: &Lock) -> IntentKey {
    let mut name = Sha256::new_with_prefix("photon/evm/allowance/1");
    name.update(lock.id().as_bytes());
    IntentKey::new(Purpose::Send, LockId::from_bytes(name.finalize().into()))
}

impl Sender {
    /// What our waiting transactions may still take of a token.
    pub(crate) async fn promised(&self, token: Address, htlc: Address) -> Result<U256, PortError> {
        let mined = self.node.at(self.node.rpc.nonce(self.wallet.address(), At::Latest).await)?;
        let waiting = self.unsettled().await?;
        let waiting = waiting.iter().filter(|(_, draft)| draft.nonce >= mined);
        Ok(waiting.map(|(_, draft)| taken(&draft.order, token, htlc)).fold(U256::ZERO, U256::saturating_add))
    }
}

/// What an order of ours takes of a token: a funding or a payment.
fn taken(order: &Order, token: Address, htlc: Address) -> U256 {
    let locked = abi::read_token_lock(&order.input).filter(|(of, _)| order.to == Some(htlc) && *of == token);
    let paid = abi::read_transfer(&order.input).filter(|_| order.to == Some(token));
    locked.map(|(_, amount)| amount).or(paid).unwrap_or_default()
}

/// The asset as a token of this ledger.
pub(crate) fn token_of(asset: Asset) -> Option<Address> {
    asset.token().map(crate::slot::account)
}
