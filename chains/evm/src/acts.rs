//! Making it so: each act asks the chain and the journal first, and signs only what is still missing.

use crate::abi;
use crate::chain::{Ask, At};
use crate::fees::Price;
use crate::ladder::{Bidding, Stake};
use crate::node::{Node, View};
use crate::sender::{Sender, Standing, Turn};
use crate::slot::{Kind, Slot};
use crate::tokens::Take;
use crate::trial::{MOST_GAS, Returns, Trial, Wanted};
use crate::wallet::Order;
use alloy::primitives::{Address, B256, U256, keccak256};
use photon_chains::{IntentKey, Lock, LockStatus, PortError, Progress, Purpose, Secret, Sighting, SignedTx, Template, TxId};

/// Gas of our contracts' functions, half as much again as was measured under the dearer of the two chains' rules, paying an
/// account that does not exist yet. A token's own code is measured each time.
pub(crate) mod gas {
    /// A plain payment to an account.
    pub(crate) const PAYMENT: u64 = 21_000;
    /// What a redeem and a refund use, about, paying an account that exists; and what a linked redeem uses more.
    pub(crate) const USED: u64 = 36_000;
    pub(crate) const USED_LINKED: u64 = 27_000;
    /// Funding a lock of the ledger's coin.
    pub(crate) const LOCK: u64 = 90_000;
    /// Redeeming it; a linked one writes into the registry too.
    pub(crate) const REDEEM: u64 = 180_000;
    /// Refunding it.
    pub(crate) const REFUND: u64 = 120_000;
    /// Each of these for a token, whose transfer costs more.
    pub(crate) const TOKEN_EXTRA: u64 = 120_000;
    /// Allowing the contract to take a token.
    pub(crate) const APPROVE: u64 = 90_000;
    /// What a call on behalf of a payment channel uses, about; and at most, with a handful of locks.
    pub(crate) const CALL_USED: u64 = 45_000;
    pub(crate) const CALL: u64 = 100_000;
}

const REDEEMING_HAS_ENDED: &str = "redeeming this lock has ended";

/// What an act works with: the right to sign, the chain's state, and the contracts we fund.
pub(crate) struct Acting<'a> {
    pub(crate) turn: Turn<'a>,
    pub(crate) view: View,
    /// The tip's time.
    pub(crate) chain_clock: u64,
    /// This machine's.
    pub(crate) wall_clock: u64,
    pub(crate) registry: Address,
}

/// What the registry says of a linked lock's secret.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Registered {
    /// Nothing; or the lock is not linked.
    No,
    /// It was public in time: the lock is the redeemer's for ever.
    InTime,
    /// It became public too late: the lock goes back.
    TooLate,
}

impl Registered {
    /// Judges an entry (unix seconds, block; zeros for none) as the contract does.
    fn of(lock: &Lock, (time, block): (u64, u64)) -> Self {
        let expiry = &lock.expiry;
        let in_time = match expiry.closes {
            Some(closes) => time < closes.secs(),
            None => time < expiry.opens_time.secs() || block < expiry.opens_block.get(),
        };
        match (time, in_time) {
            (0, _) => Registered::No,
            (_, true) => Registered::InTime,
            (_, false) => Registered::TooLate,
        }
    }
}

/// Where an HTLC slot stands right now, at the tip.
enum SlotNow {
    Stands,
    Empty,
}

impl Acting<'_> {
    pub(crate) fn sender(&self) -> &Sender {
        self.turn.sender()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.sender().node
    }

    pub(crate) fn us(&self) -> Address {
        self.sender().wallet.address()
    }

    async fn standing(&self, purpose: Purpose, lock: &Lock) -> Result<Standing, PortError> {
        self.sender().standing(&IntentKey::new(purpose, lock.id()), &self.view).await
    }

    async fn slot_now(&self, slot: &Slot) -> Result<SlotNow, PortError> {
        let output = self.node().view_at(slot.contract, abi::swaps(slot.key), At::Latest).await?;
        Ok(if output.is_zero() { SlotNow::Empty } else { SlotNow::Stands })
    }

    /// The code at the lock's contract is what was agreed, now.
    async fn code_is_right(&self, lock: &Lock, slot: &Slot) -> Result<(), PortError> {
        let Template::Htlc { code_hash, .. } = lock.template else { return Err(self.node().refused("no contract")) };
        let code = self.node().at(self.node().rpc.code(slot.contract, At::Latest).await)?;
        if keccak256(code).0 == *code_hash.as_bytes() {
            return Ok(());
        }
        Err(self.node().refused("the code at the contract's address is not the code that was agreed"))
    }

    async fn try_out(&self, slot: &Slot, input: Vec<u8>, value: U256, least_gas: u64) -> Result<Trial, PortError> {
        let extra = if slot.kind() == Kind::Token { gas::TOKEN_EXTRA } else { 0 };
        let least_gas = least_gas + extra;
        let wanted = Wanted { to: Some(slot.contract), value, input, returns: Returns::Nothing, least_gas, most_gas: MOST_GAS };
        self.node().try_out(self.us(), wanted).await
    }

    /// How a spend of a lock may bid now, until that second.
    fn stake(&self, lock: &Lock, until: Option<u64>) -> Bidding {
        let now = self.chain_clock.max(self.wall_clock);
        let stake = Stake {
            amount: lock.asset.token().is_none().then(|| lock.amount.units()),
            gas: gas::USED + if lock.expiry.linked { gas::USED_LINKED } else { 0 },
            secs_left: until.map(|until| until.saturating_sub(now)),
        };
        Bidding::spend(&self.node().params, stake)
    }

    /// The time to fund a lock is over: a funding that is mined now reverts.
    fn too_late_to_fund(&self, lock: &Lock) -> bool {
        let late = lock.expiry.lock_by.is_some_and(|lock_by| self.chain_clock >= lock_by.secs());
        late || self.chain_clock >= lock.expiry.opens_time.secs()
    }

    /// Sees to it that the node has a waiting transaction, and raises its bid if it waits too long.
    pub(crate) async fn push(&self, tx: SignedTx) -> Result<Progress, PortError> {
        if !self.is_known(&tx).await? {
            return Ok(Progress::Sent { txid: self.turn.resend(&tx).await? });
        }
        let Some((_, nonce)) = tx.nonce else { return Ok(Progress::Sent { txid: tx.txid }) };
        let mined = self.node().at(self.node().rpc.nonce(self.us(), At::Latest).await)?;
        let waiting = self.sender().unsettled().await?;
        let raised = self.turn.raise(&tx, &waiting, mined, self.turn.waited(nonce, &self.view), &self.view).await?;
        Ok(Progress::Sent { txid: raised.unwrap_or(tx.txid) })
    }

    /// The node has it.
    pub(crate) async fn is_known(&self, tx: &SignedTx) -> Result<bool, PortError> {
        let hash = B256::new(*tx.txid.as_bytes());
        let known = self.node().at(self.node().rpc.transactions(&[hash]).await)?;
        Ok(known.iter().any(Option::is_some))
    }

    /// Funds a lock.
    pub(crate) async fn fund(&self, lock: &Lock, slot: &Slot) -> Result<Progress, PortError> {
        if slot.terms.refundee != self.us() {
            return Err(self.node().refused("only the refundee can fund this lock, and that is not our account"));
        }
        if !matches!(self.standing(Purpose::Cancel, lock).await?, Standing::Nothing) {
            return Err(self.node().refused("the funding of this lock was cancelled"));
        }
        self.sender().want(lock.id(), self.view.tip.number.0);
        match self.standing(Purpose::Fund, lock).await? {
            Standing::Mined { txid, depth, is_final, succeeded: true, .. } => {
                return Ok(if is_final { Progress::Done } else { Progress::Mined { txid, depth } });
            }
            Standing::Waiting { tx } if self.too_late_to_fund(lock) => {
                self.use_up(lock, &tx).await?;
                return Err(self.node().refused("the time to fund this lock is over: its unmined funding is being cancelled"));
            }
            Standing::Waiting { tx } if self.is_alone(&tx).await? => return self.push(tx).await,
            Standing::Waiting { .. } => return Ok(Progress::NotYet),
            Standing::Forgotten => return Err(self.node().refused("this lock was funded before, and has ended")),
            Standing::Nothing | Standing::Overtaken | Standing::Mined { succeeded: false, .. } => {}
        }
        if let SlotNow::Stands = self.slot_now(slot).await? {
            // Funded by a transaction that this journal does not know, as after a loss of the database.
            return Ok(Progress::Done);
        }
        self.code_is_right(lock, slot).await?;
        let order = match slot.terms.token {
            None => self.tried_funding(slot).await?,
            Some(token) => self.token_funding(lock, slot, token).await?,
        };
        let txid = self.turn.submit(IntentKey::new(Purpose::Fund, lock.id()), order).await?;
        Ok(Progress::Sent { txid })
    }

    async fn tried_funding(&self, slot: &Slot) -> Result<Order, PortError> {
        self.turn.can_pay(slot.value()).await?;
        match self.try_out(slot, slot.fund_call(), slot.value(), gas::LOCK).await? {
            Trial::Works(order) => Ok(order),
            Trial::Reverts(reason) => Err(self.node().refused(format!("the lock can't be funded: {reason}"))),
        }
    }

    /// Sends what must be allowed before, and gives the funding itself. While an allowance waits, the funding behind it
    /// can't be tried out; should it revert, nothing but its fee is lost, and the next time it is tried out and refused.
    async fn token_funding(&self, lock: &Lock, slot: &Slot, token: Address) -> Result<Order, PortError> {
        let take = Take { token, spender: slot.contract, amount: slot.terms.amount };
        let allowances = self.allowances(take).await?;
        if allowances.in_force {
            return self.tried_funding(slot).await;
        }
        if self.too_late_to_fund(lock) {
            return Err(self.node().refused("the lock can't be funded: the time for it is over"));
        }
        self.allow(lock.id(), take, &allowances).await?;
        let gas = gas::LOCK + gas::TOKEN_EXTRA;
        Ok(Order { to: Some(slot.contract), value: U256::ZERO, input: slot.fund_call(), gas })
    }

    /// True if no other intent has a transaction with this nonce.
    async fn is_alone(&self, tx: &SignedTx) -> Result<bool, PortError> {
        let unsettled = self.sender().unsettled().await?;
        Ok(unsettled.iter().all(|(other, _)| other.nonce != tx.nonce || other.intent == tx.intent))
    }

    /// Makes it impossible that an unmined funding is mined, by using up its nonce.
    pub(crate) async fn cancel(&self, lock: &Lock) -> Result<Progress, PortError> {
        self.sender().unwant(lock.id());
        let funding = match self.standing(Purpose::Fund, lock).await? {
            Standing::Nothing | Standing::Forgotten => return Ok(Progress::Done),
            Standing::Mined { txid, depth, is_final, .. } => {
                return Ok(if is_final { Progress::Done } else { Progress::Mined { txid, depth } });
            }
            Standing::Overtaken => None,
            Standing::Waiting { tx } => Some(tx),
        };
        match (self.standing(Purpose::Cancel, lock).await?, funding) {
            (Standing::Mined { txid, depth, is_final, .. }, None) => {
                Ok(if is_final { Progress::Done } else { Progress::Mined { txid, depth } })
            }
            // Another transaction of ours took the nonce, and is not final.
            (_, None) => Ok(Progress::NotYet),
            (Standing::Waiting { tx }, Some(funding)) if tx.nonce == funding.nonce => self.push(tx).await,
            (_, Some(funding)) => Ok(Progress::Sent { txid: self.use_up(lock, &funding).await? }),
        }
    }

    /// Uses up the nonce of an unmined funding by a transaction that does nothing.
    async fn use_up(&self, lock: &Lock, funding: &SignedTx) -> Result<TxId, PortError> {
        let Some((_, nonce)) = funding.nonce else { return Err(self.node().refused("a funding without a nonce")) };
        let intent = IntentKey::new(Purpose::Cancel, lock.id());
        let cancelled = self.turn.replace(intent, nonce, Some(Order::nothing(self.us()))).await?;
        cancelled.ok_or_else(|| self.node().refused("the funding can't be outbid: it bids all that we allow, or all we have"))
    }

    /// Redeems a lock. The secret leaves this process only if the chain would take it now.
    pub(crate) async fn redeem(
        &self,
        lock: &Lock,
        slot: &Slot,
        secret: &Secret,
        seen: Option<Sighting>,
    ) -> Result<Progress, PortError> {
        if secret.hash() != lock.secret_hash {
            return Err(self.node().refused("that is not the secret of this lock"));
        }
        let standing = self.standing(Purpose::Redeem, lock).await?;
        if let Some(progress) = took_effect(&standing) {
            return Ok(progress);
        }
        self.code_is_right(lock, slot).await?;
        if let SlotNow::Empty = self.slot_now(slot).await? {
            return Ok(progress_of_spent(seen.as_ref()));
        }
        let until = lock.expiry.closes.unwrap_or(lock.expiry.opens_time).secs();
        let over = !lock.expiry.linked && self.may_close_first(lock, true);
        let bidding = if over { Bidding::NOTHING } else { self.stake(lock, Some(until)) };
        let intent = IntentKey::new(Purpose::Redeem, lock.id());
        self.sender().bid(intent, bidding, self.view.tip.number.0);
        if let Standing::Waiting { tx } = standing {
            // Journaled and never sent, or lost by the node: too late it would show the secret and take nothing.
            if self.may_close_first(lock, false)
                && !self.is_known(&tx).await?
                && self.registered(lock).await? != Registered::InTime
            {
                return Err(self.node().refused(REDEEMING_HAS_ENDED));
            }
            self.sender().want(lock.id(), self.view.tip.number.0);
            return self.push(tx).await;
        }
        let is_public = !matches!(standing, Standing::Nothing) || seen.is_some_and(|seen| seen.secret.is_some());
        let closed = self.may_close_first(lock, is_public);
        if closed && self.registered(lock).await? != Registered::InTime {
            return Err(self.node().refused(REDEEMING_HAS_ENDED));
        }
        match self.try_out(slot, slot.redeem_call(secret), U256::ZERO, gas::REDEEM).await? {
            Trial::Works(_) if !is_public && self.is_too_dear(bidding).await? => {
                tracing::warn!(chain = %self.node().ledger(), lock = %lock.id(), "blocks are dearer than this lock is worth: its secret is kept");
                Ok(Progress::NotYet)
            }
            Trial::Works(order) => {
                self.sender().want(lock.id(), self.view.tip.number.0);
                Ok(Progress::Sent { txid: self.turn.submit(intent, order).await? })
            }
            Trial::Reverts(_) if self.registered(lock).await? == Registered::TooLate => {
                Err(self.node().refused("redeeming this lock has ended: its secret became public too late"))
            }
            Trial::Reverts(reason) => {
                tracing::warn!(chain = %self.node().ledger(), lock = %lock.id(), reason, "a redeem would revert now");
                Ok(Progress::NotYet)
            }
        }
    }

    /// True if a bid within these limits would wait for the price to fall, for everybody to see what it shows.
    pub(crate) async fn is_too_dear(&self, bidding: Bidding) -> Result<bool, PortError> {
        let (market, fees) = (self.node().market().await?, self.node().params.fees);
        Ok(Price::suggest(fees, market, bidding.highest).is_below(fees, market))
    }

    /// True if redeeming may have ended before a transaction sent now is in a block. The secret being public already, the
    /// chain's own clock decides. Else the next block and the clock on the wall count too: a chain that halts has an old
    /// tip, and its next block would be stamped too late, with the secret in it.
    fn may_close_first(&self, lock: &Lock, is_public: bool) -> bool {
        let Some(closes) = lock.expiry.closes else { return false };
        let next_block = self.chain_clock.saturating_add(self.node().params.timing.block_secs);
        let clock = if is_public { self.chain_clock } else { next_block.max(self.wall_clock) };
        clock >= closes.secs()
    }

    /// What the registry says of a linked lock's secret.
    async fn registered(&self, lock: &Lock) -> Result<Registered, PortError> {
        if !lock.expiry.linked {
            return Ok(Registered::No);
        }
        let input = abi::entries(B256::new(*lock.secret_hash.as_bytes()));
        let ask = [(Ask::view(self.registry, input), At::Latest)];
        let answers = self.node().at(self.node().rpc.views(&ask).await)?;
        let entry = answers.into_iter().next().flatten().as_deref().and_then(abi::read_entry);
        let entry = entry.ok_or_else(|| self.node().unreachable("the registry gave no answer"))?;
        Ok(Registered::of(lock, entry))
    }

    /// Refunds a lock.
    pub(crate) async fn refund(&self, lock: &Lock, slot: &Slot, seen: Option<Sighting>) -> Result<Progress, PortError> {
        let standing = self.standing(Purpose::Refund, lock).await?;
        if let Some(progress) = took_effect(&standing) {
            return Ok(progress);
        }
        if let SlotNow::Empty = self.slot_now(slot).await? {
            return Ok(progress_of_spent(seen.as_ref()));
        }
        // Once opened, a lock whose secret is public is a race. Else nobody can take it, and nothing is lost by waiting.
        let is_race = seen.is_some_and(|seen| seen.secret.is_some());
        let intent = IntentKey::new(Purpose::Refund, lock.id());
        let bidding = self.stake(lock, is_race.then_some(lock.expiry.opens_time.secs()));
        self.sender().bid(intent, bidding, self.view.tip.number.0);
        if let Standing::Waiting { tx } = standing {
            return self.push(tx).await;
        }
        let expiry = &lock.expiry;
        let opened = self.chain_clock >= expiry.opens_time.secs() && self.view.tip.number.0 >= expiry.opens_block.get();
        if !opened {
            return Ok(Progress::NotYet);
        }
        match self.try_out(slot, slot.refund_call(), U256::ZERO, gas::REFUND).await? {
            Trial::Works(order) => Ok(Progress::Sent { txid: self.turn.submit(intent, order).await? }),
            Trial::Reverts(_) if self.registered(lock).await? == Registered::InTime => {
                Err(self.node().refused("its secret became public in time, so this lock is the redeemer's"))
            }
            Trial::Reverts(reason) => {
                tracing::warn!(chain = %self.node().ledger(), lock = %lock.id(), reason, "a refund would revert now");
                Ok(Progress::NotYet)
            }
        }
    }

    /// Pays from the account, once for each name.
    pub(crate) async fn send(&self, intent: IntentKey, wanted: Wanted) -> Result<Progress, PortError> {
        match self.sender().standing(&intent, &self.view).await? {
            Standing::Nothing => {}
            Standing::Waiting { tx } => return self.push(tx).await,
            Standing::Mined { succeeded: false, .. } => {
                return Err(self.node().refused("this payment reverted: nothing was paid but its fee"));
            }
            Standing::Mined { txid, depth, is_final, .. } => {
                return Ok(if is_final { Progress::Done } else { Progress::Mined { txid, depth } });
            }
            Standing::Overtaken => return Ok(Progress::NotYet),
            Standing::Forgotten => return Ok(Progress::Done),
        }
        self.turn.can_pay(wanted.value).await?;
        match self.node().try_out(self.us(), wanted).await? {
            Trial::Reverts(reason) => Err(self.node().refused(format!("this payment would fail: {reason}"))),
            Trial::Works(order) => Ok(Progress::Sent { txid: self.turn.submit(intent, order).await? }),
        }
    }
}

/// How far our own spend of a lock has come, if it took effect.
fn took_effect(standing: &Standing) -> Option<Progress> {
    match *standing {
        Standing::Mined { is_final: true, succeeded: true, .. } => Some(Progress::Done),
        Standing::Mined { txid, depth, succeeded: true, .. } => Some(Progress::Mined { txid, depth }),
        Standing::Nothing
        | Standing::Waiting { .. }
        | Standing::Overtaken
        | Standing::Forgotten
        | Standing::Mined { succeeded: false, .. } => None,
    }
}

/// A slot that reads empty: it has ended, as the last look says, or was never funded.
fn progress_of_spent(seen: Option<&Sighting>) -> Progress {
    match seen {
        Some(Sighting { status: LockStatus::Redeemed { .. } | LockStatus::Refunded { .. }, .. }) => Progress::Done,
        Some(Sighting { spend: Some(spend), .. }) if spend.depth > 0 => Progress::Mined { txid: spend.txid, depth: spend.depth },
        _ => Progress::NotYet,
    }
}

impl Node {
    /// One word that a view function returns.
    pub(crate) async fn view_at(&self, contract: Address, input: Vec<u8>, at: At) -> Result<U256, PortError> {
        let answers = self.at(self.rpc.views(&[(Ask::view(contract, input), at)]).await)?;
        let word = answers.into_iter().next().flatten().as_deref().and_then(abi::word);
        word.ok_or_else(|| self.unreachable("a contract gave no answer"))
    }
}
