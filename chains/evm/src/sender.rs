//! The one signer of our account: what is sent is journaled before, and what was journaled is sent until it is settled.

use crate::answers::Sending;
use crate::chain::At;
use crate::fees::Price;
use crate::ladder::Bidding;
use crate::memory::Memory;
use crate::node::{Node, View, block_ref};
use crate::nonce::{self, Place, Waiting};
use crate::slot::address;
use crate::wallet::{Draft, Order, Wallet};
use crate::wire::Receipt;
use alloy::primitives::{B256, U256};
use photon_chains::{Amount, Asset, IntentKey, Journal, JournalError, LockId, PortError, Purpose, Settlement, SignedTx, TxId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An intent has no more transactions than this that matter: the newest ones.
const REMEMBERED: usize = 32;
/// More unsettled transactions than this of one account at once are sent again in turns.
const TENDED: usize = 200;

/// How the transactions of an intent stand on the chain.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// None was ever signed.
    Nothing,
    /// One can still be mined.
    Waiting {
        /// The newest of those.
        tx: SignedTx,
    },
    /// One is in a block.
    Mined {
        txid: TxId,
        depth: u32,
        is_final: bool,
        /// At the depth that is relied on.
        is_deep: bool,
        /// False if it reverted.
        succeeded: bool,
    },
    /// Other transactions took their nonces; nothing is left of them on this chain.
    Overtaken,
    /// The journal says that they ended, and the node can't say how.
    Forgotten,
}

/// Signs and sends for one account, one transaction after the other.
pub(crate) struct Sender {
    pub(crate) node: Arc<Node>,
    pub(crate) wallet: Wallet,
    pub(crate) journal: Arc<dyn Journal>,
    turn: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

/// The right to sign: only one holds it at a time.
pub(crate) struct Turn<'a> {
    sender: &'a Sender,
    _guard: tokio::sync::MutexGuard<'a, ()>,
}

impl Sender {
    pub(crate) fn new(node: Arc<Node>, wallet: Wallet, journal: Arc<dyn Journal>) -> Self {
        Self { node, wallet, journal, turn: tokio::sync::Mutex::default(), memory: Mutex::default() }
    }

    /// Waits for the right to sign.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { sender: self, _guard: self.turn.lock().await }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the funding of a lock, its redeem, or a call is still wanted.
    pub(crate) fn want(&self, subject: LockId, tip: u64) {
        self.memory().want(subject, tip);
    }

    /// Notes that it is not.
    pub(crate) fn unwant(&self, subject: LockId) {
        self.memory().unwant(subject);
    }

    /// Notes that a call is wanted no longer: it bids no more than it does already.
    pub(crate) fn unwant_call(&self, intent: IntentKey) {
        let mut memory = self.memory();
        memory.unwant(intent.subject);
        memory.rest(intent);
    }

    /// Notes how a spend or a call may bid from now on.
    pub(crate) fn bid(&self, intent: IntentKey, bidding: Bidding, tip: u64) {
        self.memory().bid(intent, bidding, tip);
    }

    /// How an intent may bid: as was said last, or as what it is for allows.
    pub(crate) fn bidding(&self, intent: &IntentKey) -> Bidding {
        let params = &self.node.params;
        match (self.memory().bidding(intent), intent.purpose) {
            (Some(bidding), _) => bidding,
            (None, Purpose::Cancel) => Bidding::replacing(params),
            (None, Purpose::Fund | Purpose::Redeem | Purpose::Refund | Purpose::Send | Purpose::Call) => {
                Bidding::ordinary(params)
            }
        }
    }

    /// How an intent may bid for a nonce: as itself, or as whatever waits behind it.
    fn bidding_at(&self, nonce: u64, intent: &IntentKey, waiting: &[(SignedTx, Draft)]) -> Bidding {
        let behind = waiting.iter().filter(|(_, draft)| draft.nonce > nonce);
        behind.fold(self.bidding(intent), |bidding, (tx, _)| bidding.and(self.bidding(&tx.intent)))
    }

    /// What the account's waiting transactions may still take from it.
    pub(crate) async fn reserved(&self) -> Result<U256, PortError> {
        let mined = self.node.at(self.node.rpc.nonce(self.wallet.address(), At::Latest).await)?;
        let mut most: HashMap<u64, U256> = HashMap::new();
        for (_, draft) in self.unsettled().await?.iter().filter(|(_, draft)| draft.nonce >= mined) {
            let place = most.entry(draft.nonce).or_default();
            *place = (*place).max(draft.most_cost());
        }
        Ok(most.values().fold(U256::ZERO, |sum, cost| sum.saturating_add(*cost)))
    }

    /// The unsettled transactions of our account, oldest first.
    pub(crate) async fn unsettled(&self) -> Result<Vec<(SignedTx, Draft)>, PortError> {
        let ours = address(self.wallet.address());
        let all = self.journal.unsettled(self.node.ledger()).await?;
        all.into_iter()
            .filter(|tx| tx.nonce.is_some_and(|(account, _)| account == ours))
            .map(|tx| {
                let draft = Draft::read(&tx.raw).ok_or_else(|| JournalError(format!("{} is no transaction", tx.txid)))?;
                Ok((tx, draft))
            })
            .collect()
    }

    /// How an intent stands on the chain.
    pub(crate) async fn standing(&self, intent: &IntentKey, view: &View) -> Result<Standing, PortError> {
        let mut txs = self.journal.of_intent(intent).await?;
        txs.drain(..txs.len().saturating_sub(REMEMBERED));
        if txs.is_empty() {
            return Ok(Standing::Nothing);
        }
        let hashes: Vec<_> = txs.iter().map(|tx| B256::new(*tx.txid.as_bytes())).collect();
        let receipts = self.node.at(self.node.rpc.receipts(&hashes).await)?;
        let mined = self.node.at(self.node.rpc.nonce(self.wallet.address(), At::Latest).await)?;
        let of_receipt = |tx: &SignedTx, receipt: &Receipt| Standing::Mined {
            txid: tx.txid,
            depth: view.depth(receipt.block_number.0),
            is_final: view.is_final(receipt.block_number.0),
            is_deep: view.relied.is_some_and(|relied| receipt.block_number.0 <= relied),
            succeeded: receipt.status.0 == 1,
        };
        let in_blocks: Vec<_> = txs.iter().zip(&receipts).filter_map(|(tx, receipt)| Some((tx, receipt.as_ref()?))).collect();
        if let Some((tx, receipt)) = in_blocks.iter().find(|(_, receipt)| receipt.status.0 == 1) {
            return Ok(of_receipt(tx, receipt));
        }
        // A transaction in a block may be reported as not counted yet by a node that is just taking the block in.
        let waits = |tx: &&SignedTx| tx.nonce.is_some_and(|(_, nonce)| nonce >= mined);
        let is_mined = |tx: &SignedTx| in_blocks.iter().any(|(other, _)| other.txid == tx.txid);
        if let Some(tx) = txs.iter().rev().filter(waits).find(|tx| !is_mined(tx)) {
            return Ok(Standing::Waiting { tx: tx.clone() });
        }
        if let Some((tx, receipt)) = in_blocks.last() {
            return Ok(of_receipt(tx, receipt));
        }
        let unsettled = self.journal.unsettled(self.node.ledger()).await?;
        let open = txs.iter().any(|tx| unsettled.iter().any(|other| other.txid == tx.txid));
        Ok(if open { Standing::Overtaken } else { Standing::Forgotten })
    }
}

impl Turn<'_> {
    pub(crate) fn sender(&self) -> &Sender {
        self.sender
    }

    /// Signs an order with the next nonce, journals it, and hands it to the node.
    pub(crate) async fn submit(&self, intent: IntentKey, order: Order) -> Result<TxId, PortError> {
        let Sender { node, wallet, journal, .. } = self.sender;
        let mined = node.at(node.rpc.nonce(wallet.address(), At::Latest).await)?;
        let highest = journal.highest_nonce(node.ledger(), address(wallet.address())).await?;
        let ceiling = self.sender.bidding(&intent).highest;
        let (market, fees) = (node.market().await?, node.params.fees);
        let mut draft = Draft { nonce: nonce::next(mined, highest), order, price: Price::suggest(fees, market, ceiling) };
        let free = self.free().await?;
        if free < draft.most_cost() {
            // Room for many full blocks is not worth losing a lock for: what the account can pay must do, if it can be mined.
            let within = Price::suggest(fees, market, ceiling.min(draft.order.affordable(free)));
            let must_be = match intent.purpose {
                Purpose::Redeem | Purpose::Refund | Purpose::Cancel | Purpose::Call => true,
                Purpose::Fund | Purpose::Send => false,
            };
            if !must_be || within.is_below(fees, market) {
                return Err(self.not_enough(draft.most_cost(), free));
            }
            draft.price = within;
        }
        self.journal_and_send(intent, &draft).await
    }

    /// Replaces a waiting transaction by a dearer one with the same nonce: the same order, or another. None if its ceiling,
    /// or the account's balance, does not allow it.
    pub(crate) async fn replace(&self, intent: IntentKey, nonce: u64, order: Option<Order>) -> Result<Option<TxId>, PortError> {
        let node = &self.sender.node;
        let unsettled = self.sender.unsettled().await?;
        let Some((_, dearest)) =
            unsettled.iter().filter(|(_, draft)| draft.nonce == nonce).max_by_key(|(_, draft)| draft.price.most())
        else {
            return Ok(None);
        };
        let same = unsettled.iter().rev().find(|(tx, draft)| draft.nonce == nonce && tx.intent == intent);
        let Some(order) = order.or_else(|| same.map(|(_, draft)| draft.order.clone())) else { return Ok(None) };
        let balance = node.at(node.rpc.balance(self.sender.wallet.address(), At::Latest).await)?;
        let ceiling = self.sender.bidding_at(nonce, &intent, &unsettled).highest;
        let highest = ceiling.min(order.affordable(balance));
        let Some(price) = dearest.price.raised(node.price(highest).await?, highest) else { return Ok(None) };
        self.journal_and_send(intent, &Draft { nonce, order, price }).await.map(Some)
    }

    /// Hands a journaled transaction to the node again, unchanged; or, if it bids less than is demanded now, a dearer one in
    /// its place. Returns the one that was sent.
    pub(crate) async fn resend(&self, tx: &SignedTx) -> Result<TxId, PortError> {
        let node = &self.sender.node;
        let refusal = match node.at(node.rpc.send(&tx.raw).await)? {
            Sending::Taken | Sending::NonceUsed => return Ok(tx.txid),
            // Outbid by a transaction of this account that the journal does not know, as after a loss of the database.
            Sending::TooCheap | Sending::Outbid => {
                let nonce = tx.nonce.map(|(_, nonce)| nonce);
                let raised = match nonce {
                    Some(nonce) => self.replace(tx.intent, nonce, None).await?,
                    None => None,
                };
                return raised.ok_or_else(|| node.unreachable("a transaction bids too little, and the highest price we allow"));
            }
            Sending::TooPoor => "the account can't pay for a transaction that was signed before".to_owned(),
            Sending::Never(reason) => format!("it does not take a transaction again: {reason}"),
            Sending::Unclear(reason) => format!("it may have taken a transaction again, or not: {reason}"),
        };
        Err(node.unreachable(refusal))
    }

    async fn journal_and_send(&self, intent: IntentKey, draft: &Draft) -> Result<TxId, PortError> {
        let Sender { node, wallet, journal, .. } = self.sender;
        let signed = wallet.sign(draft).map_err(|error| node.refused(error.to_string()))?;
        let txid = TxId::from_bytes(signed.hash.0);
        let tx = SignedTx {
            intent,
            ledger: node.ledger(),
            txid,
            raw: signed.raw,
            nonce: Some((address(wallet.address()), draft.nonce)),
            inputs: Vec::new(),
            fee: node.amount(draft.most_fee())?,
        };
        journal.record(&tx).await?;
        self.sender.memory().since.remove(&draft.nonce);
        tracing::info!(chain = %node.ledger(), %intent, %txid, nonce = draft.nonce, "sending");
        match node.at(node.rpc.send(&tx.raw).await)? {
            Sending::Taken => Ok(txid),
            Sending::TooPoor => Err(self.not_enough(draft.most_cost(), U256::ZERO)),
            Sending::TooCheap => {
                Err(node.unreachable("the price rose meanwhile: the transaction will be sent with a dearer bid"))
            }
            Sending::NonceUsed | Sending::Outbid => Err(node.unreachable("another transaction of the account has that nonce")),
            Sending::Never(reason) => Err(node.unreachable(format!("it does not take a transaction: {reason}"))),
            Sending::Unclear(reason) => Err(node.unreachable(format!("it may have taken a transaction, or not: {reason}"))),
        }
    }

    /// The account holds that much, beyond what its waiting transactions may take.
    pub(crate) async fn can_pay(&self, cost: U256) -> Result<(), PortError> {
        let free = self.free().await?;
        if free < cost { Err(self.not_enough(cost, free)) } else { Ok(()) }
    }

    /// What the account holds beyond what its waiting transactions may take.
    async fn free(&self) -> Result<U256, PortError> {
        let Sender { node, wallet, .. } = self.sender;
        let balance = node.at(node.rpc.balance(wallet.address(), At::Latest).await)?;
        Ok(balance.saturating_sub(self.sender.reserved().await?))
    }

    fn not_enough(&self, needed: U256, available: U256) -> PortError {
        let ledger = self.sender.node.ledger();
        let amount = |wei: U256| u128::try_from(wei).map_or(Amount::MAX, Amount::from_units);
        PortError::NotEnough { ledger, asset: Asset::Native(ledger), needed: amount(needed), available: amount(available) }
    }

    /// Settles what is final, sends again what the node has lost, and raises the bid of what waits too long.
    pub(crate) async fn tend(&self, view: &View) -> Result<(), PortError> {
        let node = &self.sender.node;
        let mut unsettled = self.sender.unsettled().await?;
        self.sender.memory().keep_resting(|intent| unsettled.iter().any(|(tx, _)| tx.intent == *intent));
        unsettled.truncate(TENDED);
        if unsettled.is_empty() {
            self.sender.memory().since.clear();
            return Ok(());
        }
        let us = self.sender.wallet.address();
        let mined = node.at(node.rpc.nonce(us, At::Latest).await)?;
        let (ended, waiting): (Vec<_>, Vec<_>) = unsettled.into_iter().partition(|(_, draft)| draft.nonce < mined);
        self.keep_moving(&waiting, mined, view).await?;
        let Some(settled) = view.settled.filter(|_| !ended.is_empty()) else { return Ok(()) };
        let over = node.at(node.rpc.nonce(us, At::Number(settled)).await)?;
        self.settle(&ended, over, view).await
    }

    /// Writes down how transactions ended whose nonce is final.
    async fn settle(&self, unsettled: &[(SignedTx, Draft)], over: u64, view: &View) -> Result<(), PortError> {
        let Sender { node, journal, .. } = self.sender;
        let ended: Vec<_> = unsettled.iter().filter(|(_, draft)| draft.nonce < over).collect();
        let hashes: Vec<_> = ended.iter().map(|(tx, _)| B256::new(*tx.txid.as_bytes())).collect();
        let receipts = node.at(node.rpc.receipts(&hashes).await)?;
        let known = node.at(node.rpc.transactions(&hashes).await)?;
        for (((tx, draft), receipt), known) in ended.into_iter().zip(receipts).zip(known) {
            let end = match receipt {
                Some(receipt) if !view.is_final(receipt.block_number.0) => continue,
                Some(receipt) => {
                    let price = receipt.effective_gas_price.unwrap_or(U256::from(draft.price.most()));
                    let fee = node.amount(price.saturating_mul(U256::from(receipt.gas_used.0)))?;
                    let at = block_ref(receipt.block_number.0, receipt.block_hash);
                    Settlement::Mined { at, fee, succeeded: receipt.status.0 == 1 }
                }
                // The node knows the transaction and has no receipt: it is still indexing. Ask again later.
                None if known.is_some() => continue,
                None => Settlement::Replaced,
            };
            journal.settle(node.ledger(), tx.txid, end).await?;
        }
        Ok(())
    }

    /// Closes the gaps among the waiting nonces and pushes the first one on.
    async fn keep_moving(&self, waiting: &[(SignedTx, Draft)], mined: u64, view: &View) -> Result<(), PortError> {
        let node = &self.sender.node;
        let hashes: Vec<_> = waiting.iter().map(|(tx, _)| B256::new(*tx.txid.as_bytes())).collect();
        let known = node.at(node.rpc.transactions(&hashes).await)?;
        let list: Vec<_> = waiting
            .iter()
            .zip(&known)
            .map(|((tx, draft), known)| Waiting {
                nonce: draft.nonce,
                txid: tx.txid,
                purpose: tx.intent.purpose,
                subject: tx.intent.subject,
                known: known.is_some(),
            })
            .collect();
        let places = nonce::places(mined, &list);
        self.sender.memory().since.retain(|nonce, _| places.iter().any(|place| place.nonce == *nonce));
        for place in places {
            match self.push_on(&place, waiting, mined, view).await {
                Err(PortError::Journal(error)) => return Err(error.into()),
                Err(error) => tracing::warn!(chain = %node.ledger(), nonce = place.nonce, %error, "a transaction stays behind"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn push_on(&self, place: &Place, waiting: &[(SignedTx, Draft)], mined: u64, view: &View) -> Result<(), PortError> {
        let waited = self.waited(place.nonce, view);
        let nothing = Order::nothing(self.sender.wallet.address());
        let free = waiting.iter().find(|(tx, _)| Some(tx.txid) == place.free);
        match (free, place.funding) {
            (Some((tx, _)), _) if place.known => self.raise(tx, waiting, mined, waited, view).await.map(|_| ()),
            // Who wants a call, or a redeem, sends it again, and knows whether it is not too late to show what it shows.
            (Some((tx, draft)), _) if draft.order != nothing && self.may_show(tx.intent, view) => {
                self.unblock(place, tx.intent, mined, waited, view).await
            }
            (Some((tx, _)), _) => self.resend(tx).await.map(|_| ()),
            (None, Some(lock)) => self.unblock(place, IntentKey::new(Purpose::Fund, lock), mined, waited, view).await,
            (None, None) => Ok(()),
        }
    }

    /// Replaces a transaction that the node has by a dearer one if it waits too long as the first of its account, or bids
    /// less than the base fee. None if it does not, or may not.
    pub(crate) async fn raise(
        &self,
        tx: &SignedTx,
        waiting: &[(SignedTx, Draft)],
        mined: u64,
        waited: u64,
        view: &View,
    ) -> Result<Option<TxId>, PortError> {
        let Some((_, nonce)) = tx.nonce else { return Ok(None) };
        let patience = self.sender.bidding_at(nonce, &tx.intent, waiting).patience;
        let base_fee = view.tip.base_fee_per_gas.unwrap_or_default();
        let bids = waiting.iter().filter(|(_, draft)| draft.nonce == nonce).map(|(_, draft)| draft.price.most()).max();
        let priced_out = bids.is_some_and(|most| U256::from(most) < base_fee);
        if priced_out || (nonce == mined && waited >= patience) {
            return self.replace(tx.intent, nonce, None).await;
        }
        Ok(None)
    }

    /// True of what may show a secret that nobody has seen yet, and that this process has not been asked for lately: before a crash
    /// it may have been journaled and never sent, and now be too late.
    fn may_show(&self, intent: IntentKey, view: &View) -> bool {
        let is_asked_for = || self.sender.memory().is_wanted(intent.subject, self.patience(), view.tip.number.0);
        intent.purpose == Purpose::Call || (intent.purpose == Purpose::Redeem && !is_asked_for())
    }

    /// For so many blocks something may go unasked for before it counts as unwanted.
    fn patience(&self) -> u64 {
        2 * self.sender.node.params.bump_after_blocks
    }

    /// Uses up the nonce of what nobody asks for any more, if something waits behind it. A call's is used up under its own name, so
    /// that whoever asks for it later learns that it can't be mined; a redeem is signed anew for whoever does.
    async fn unblock(&self, place: &Place, held: IntentKey, mined: u64, waited: u64, view: &View) -> Result<(), PortError> {
        let Sender { node, wallet, .. } = self.sender;
        let patience = self.patience();
        let is_stuck = !place.known || place.nonce == mined;
        let is_wanted = self.sender.memory().is_wanted(held.subject, patience, view.tip.number.0);
        if !place.blocks || !is_stuck || waited < patience || is_wanted {
            return Ok(());
        }
        let intent = if held.purpose == Purpose::Call { held } else { gap(held.subject, place.nonce) };
        tracing::warn!(chain = %node.ledger(), nonce = place.nonce, %held, "what nobody asks for holds up other transactions: its nonce is used up");
        self.sender.bid(intent, Bidding::replacing(&node.params), view.tip.number.0);
        self.replace(intent, place.nonce, Some(Order::nothing(wallet.address()))).await.map(|_| ())
    }

    /// How many blocks the newest transaction of a nonce has been waiting.
    pub(crate) fn waited(&self, nonce: u64, view: &View) -> u64 {
        let tip = view.tip.number.0;
        let mut memory = self.sender.memory();
        let since = memory.since.entry(nonce).or_insert(tip);
        *since = (*since).min(tip);
        tip - *since
    }
}

/// Names what uses up the nonce of a lock's funding.
fn gap(lock: LockId, nonce: u64) -> IntentKey {
    let mut name = Sha256::new_with_prefix("photon/evm/gap/1");
    name.update(lock.as_bytes());
    name.update(nonce.to_be_bytes());
    IntentKey::new(Purpose::Send, LockId::from_bytes(name.finalize().into()))
}
