//! Calls on behalf of payment channels: each takes effect at most once, and none that would revert is sent.
//!
//! A call that the node has is raised also after a restart, when nobody has asked for it again yet: a channel's money may hang on
//! it, and what it can cost is a fee. What the node has lost, or never got, is sent again only by who wants it: it may show a
//! secret, so it is tried out before, and only its caller knows until when that is worth something. (A redeem is sent again
//! without asking once this process was asked for it: the core never takes a reveal back.) If nobody asks and it holds up others, its nonce is used up under its own
//! name, so that it can never be mined, and whoever asks for it later is told.

use crate::acts::Acting;
use crate::chain::At;
use crate::ladder::{Bidding, Stake};
use crate::sender::{Standing, Turn};
use crate::slot::account;
use crate::tokens::Take;
use crate::trial::{MOST_GAS_OF_A_CONTRACT, Returns, Trial, Wanted};
use crate::wallet::{Draft, Order};
use alloy::primitives::U256;
use photon_chains::{Called, ContractCall, PortError, Progress, Purpose, SignedTx, TxId};

/// A plain payment uses as much, and no call less.
const LEAST_GAS: u64 = 21_000;
const TOO_LATE: &str = "the next block may come too late for the secret it shows";

impl Acting<'_> {
    /// Makes a call.
    pub(crate) async fn call(&self, call: &ContractCall) -> Result<Called, PortError> {
        if call.intent.purpose != Purpose::Call || account(call.to) == self.us() {
            return Err(self.node().refused("that is no call of a contract"));
        }
        self.sender().want(call.intent.subject, self.view.tip.number.0);
        match self.sender().standing(&call.intent, &self.view).await? {
            Standing::Nothing => self.first_call(call).await,
            Standing::Waiting { tx } => self.waiting_call(call, tx).await,
            Standing::Mined { txid, depth, is_final, is_deep, succeeded } => {
                let took_effect = succeeded && !self.is_given_up(call, txid).await?;
                Ok(match (took_effect, is_final, is_deep) {
                    (true, true, _) => Called::Under(Progress::Done),
                    (false, _, true) => Called::Reverted(txid),
                    (true, false, _) | (false, _, false) => Called::Under(Progress::Mined { txid, depth }),
                })
            }
            Standing::Overtaken => Ok(Called::Under(Progress::NotYet)),
            Standing::Forgotten => Ok(Called::Under(Progress::Done)),
        }
    }

    /// A call that was never signed.
    async fn first_call(&self, call: &ContractCall) -> Result<Called, PortError> {
        if self.may_show_too_late(call) {
            return Ok(self.hopeless(call, TOO_LATE.into()));
        }
        if !self.is_allowed(call).await? {
            return Ok(Called::Under(Progress::NotYet));
        }
        let order = Order { to: Some(account(call.to)), value: value(call), input: call.input.clone(), gas: LEAST_GAS };
        self.turn.can_pay(order.value).await?;
        let order = match self.turn.try_order(&order).await? {
            Trial::Works(order) => order,
            Trial::Reverts(reason) => return Ok(self.hopeless(call, reason)),
        };
        let bidding = self.bidding_of(call, order.gas);
        if self.is_too_dear(bidding).await? {
            tracing::warn!(chain = %self.node().ledger(), intent = %call.intent, "blocks are dearer than this call is worth: it waits");
            return Ok(Called::Under(Progress::NotYet));
        }
        self.sender().bid(call.intent, bidding, self.view.tip.number.0);
        let txid = self.turn.submit(call.intent, order).await?;
        Ok(Called::Under(Progress::Sent { txid }))
    }

    /// A call that was signed, and is in no block.
    async fn waiting_call(&self, call: &ContractCall, tx: SignedTx) -> Result<Called, PortError> {
        let order = self.turn.order_of(&tx)?;
        if order == Order::nothing(self.us()) {
            self.push(tx).await?;
            return Ok(Called::Under(Progress::NotYet));
        }
        let is_known = self.is_known(&tx).await?;
        let mined = self.node().at(self.node().rpc.nonce(self.us(), At::Latest).await)?;
        let is_first = tx.nonce.is_some_and(|(_, nonce)| nonce == mined);
        if !is_known && self.may_show_too_late(call) {
            return Ok(self.hopeless(call, TOO_LATE.into()));
        }
        match self.turn.try_order(&order).await? {
            Trial::Works(_) => {
                self.sender().bid(call.intent, self.bidding_of(call, order.gas), self.view.tip.number.0);
                self.push(tx).await.map(Called::Under)
            }
            Trial::Reverts(_) if is_known => {
                self.sender().bid(call.intent, Bidding::NOTHING, self.view.tip.number.0);
                Ok(Called::Under(Progress::Sent { txid: tx.txid }))
            }
            Trial::Reverts(reason) if is_first => Ok(self.hopeless(call, reason)),
            // What waits before it may be what it lacks.
            Trial::Reverts(_) => Ok(Called::Under(Progress::NotYet)),
        }
    }

    /// It can't be made now, so nothing that waits behind it should wait for it.
    fn hopeless(&self, call: &ContractCall, reason: String) -> Called {
        self.sender().unwant(call.intent.subject);
        Called::WouldRevert(reason)
    }

    /// True if the contract may take what it needs. Else that is being allowed.
    async fn is_allowed(&self, call: &ContractCall) -> Result<bool, PortError> {
        let Some((token, amount)) = call.allowance else { return Ok(true) };
        let take = Take { token: account(token), spender: account(call.to), amount: U256::from(amount.units()) };
        let allowances = self.allowances(take).await?;
        self.allow(call.intent.subject, take, &allowances).await?;
        Ok(allowances.in_force)
    }

    /// True if a transaction that is sent now may be mined when its secret is shown for nothing: by the next block's time, and by
    /// the clock on the wall, for a chain that halts has an old tip.
    fn may_show_too_late(&self, call: &ContractCall) -> bool {
        let next_block = self.chain_clock.saturating_add(self.node().params.timing.block_secs);
        call.secret_until.is_some_and(|until| next_block.max(self.wall_clock) >= until.secs())
    }

    /// How a call may bid now. Of its gas, a third is a margin.
    fn bidding_of(&self, call: &ContractCall, gas: u64) -> Bidding {
        let now = self.chain_clock.max(self.wall_clock);
        let stake = Stake {
            amount: call.at_stake.map(|stake| stake.units()),
            gas: gas - gas / 3,
            secs_left: call.by.map(|by| by.secs().saturating_sub(now)),
        };
        Bidding::spend(&self.node().params, stake)
    }

    /// True if it was not the call itself that took its nonce, but what used it up.
    async fn is_given_up(&self, call: &ContractCall, txid: TxId) -> Result<bool, PortError> {
        let txs = self.sender().journal.of_intent(&call.intent).await?;
        let Some(tx) = txs.iter().find(|tx| tx.txid == txid) else { return Ok(false) };
        Ok(self.turn.order_of(tx)? == Order::nothing(self.us()))
    }
}

fn value(call: &ContractCall) -> U256 {
    U256::from(call.value.units())
}

impl Turn<'_> {
    fn order_of(&self, tx: &SignedTx) -> Result<Order, PortError> {
        let draft = Draft::read(&tx.raw).ok_or_else(|| self.sender().node.refused("a journaled call is no transaction"))?;
        Ok(draft.order)
    }

    async fn try_order(&self, order: &Order) -> Result<Trial, PortError> {
        let Order { to, value, input, gas: _ } = order.clone();
        let wanted = Wanted { to, value, input, returns: Returns::Words, least_gas: LEAST_GAS, most_gas: MOST_GAS_OF_A_CONTRACT };
        self.sender().node.try_out(self.sender().wallet.address(), wanted).await
    }
}
