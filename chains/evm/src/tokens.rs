//! ERC20 tokens: what they hold, what they allow, and allowing exactly what is about to be locked.

use crate::abi;
use crate::acts::{Acting, gas};
use crate::chain::At;
use crate::node::Node;
use crate::slot::Slot;
use crate::trial::{Returns, Trial, Wanted};
use alloy::primitives::{Address, U256, keccak256};
use photon_chains::{Asset, IntentKey, Lock, LockId, PortError, Progress, Purpose};
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

impl Acting<'_> {
    /// Allows the HTLC contract to take what the lock needs, exactly. None if nothing is left to do; else how far it has
    /// come. Some tokens refuse to change an allowance that is not zero, so it goes to zero first.
    pub(crate) async fn allow(&self, lock: &Lock, slot: &Slot) -> Result<Option<Progress>, PortError> {
        let Some(token) = slot.terms.token else { return Ok(None) };
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let us = sender.wallet.address();
        let held = node.token_balance(token, us).await?;
        let (mut allowed, mut promised) = (node.view_at(token, abi::allowance(us, slot.contract), At::Latest).await?, U256::ZERO);
        let mined = node.at(node.rpc.nonce(us, At::Latest).await)?;
        let mut approving = None;
        let mut waiting = sender.unsettled().await?;
        waiting.retain(|(_, draft)| draft.nonce >= mined);
        waiting.sort_by_key(|(_, draft)| draft.nonce);
        for (tx, draft) in waiting {
            if draft.order.to == Some(token) {
                if let Some((_, amount)) = abi::read_approve(&draft.order.input).filter(|(who, _)| *who == slot.contract) {
                    allowed = amount;
                    approving = Some(tx);
                }
            } else if draft.order.to == Some(slot.contract) && tx.intent.purpose == Purpose::Fund {
                let amount = locked_amount(&draft.order.input, token);
                allowed = allowed.saturating_sub(amount);
                promised = promised.saturating_add(amount);
            }
        }
        let needed = slot.terms.amount;
        if held.saturating_sub(promised) < needed {
            let (needed, available) = (lock.amount, node.amount(held.saturating_sub(promised))?);
            return Err(PortError::NotEnough { ledger: node.ledger(), asset: lock.asset, needed, available });
        }
        match (allowed >= needed, approving) {
            (true, None) => Ok(None),
            (_, Some(tx)) => Ok(Some(Progress::Sent { txid: tx.txid })),
            (false, None) => self.approve(lock, slot, token, if allowed.is_zero() { needed } else { U256::ZERO }).await,
        }
    }

    async fn approve(&self, lock: &Lock, slot: &Slot, token: Address, amount: U256) -> Result<Option<Progress>, PortError> {
        let (sender, node) = (self.turn.sender(), &self.turn.sender().node);
        let wanted = Wanted {
            to: Some(token),
            value: U256::ZERO,
            input: abi::approve(slot.contract, amount),
            returns: Returns::TrueOrNothing,
            least_gas: gas::APPROVE,
        };
        match node.try_out(sender.wallet.address(), wanted).await? {
            Trial::Reverts(reason) => Err(node.refused(format!("the token refuses an allowance: {reason}"))),
            Trial::Works(order) => {
                let txid = self.turn.submit(allowance_intent(lock), order).await?;
                Ok(Some(Progress::Sent { txid }))
            }
        }
    }
}

/// Names the allowance for a lock. It may take two transactions, and more if another funding used it up.
fn allowance_intent(lock: &Lock) -> IntentKey {
    let mut name = Sha256::new_with_prefix("photon/evm/allowance/1");
    name.update(lock.id().as_bytes());
    IntentKey::new(Purpose::Send, LockId::from_bytes(name.finalize().into()))
}

/// What a waiting funding of ours takes of a token.
fn locked_amount(input: &[u8], token: Address) -> U256 {
    abi::read_token_lock(input).filter(|(locked, _)| *locked == token).map_or(U256::ZERO, |(_, amount)| amount)
}

/// The asset as a token of this ledger.
pub(crate) fn token_of(asset: Asset) -> Option<Address> {
    asset.token().map(crate::slot::account)
}
