//! Catching up with the node: one pass over what is new, whatever the number of locks.

use crate::abi::{self, Called, Event};
use crate::chain::{Ask, At};
use crate::node::{Node, View};
use crate::rpc::RpcError;
use crate::slot::Kind;
use crate::tracker::{Reads, Spot, Tracker, Waiting, Wish};
use crate::trail::{TRIES, Trail, Trouble};
use crate::window::Window;
use crate::wire::{Body, Header, Log, Tx};
use alloy::primitives::{Address, B256, U256, keccak256};
use photon_chains::{LockId, PortError, SpendKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many secret hashes are looked for in one question.
const HASHES_PER_QUESTION: usize = 50;
/// Of so many new blocks the transactions are read too, for secrets that failed redeems show.
const BODIES: usize = 32;
/// So many slots are read at each block without a reason, each watched lock in its turn.
const IN_TURN: usize = 8;

/// What is remembered between two polls.
pub(crate) struct Follow {
    trail: Trail,
    /// For this tip the slots were read.
    judged: Option<B256>,
    /// The code that was last seen at each contract.
    codes: HashMap<Address, Codes>,
}

/// Hashes of the code at a contract. A node without old states knows it at the tip alone.
#[derive(Copy, Clone, PartialEq, Eq)]
struct Codes {
    tip: B256,
    relied: Option<B256>,
}

/// The follower of one chain.
pub(crate) struct Watch {
    node: Arc<Node>,
    registry: Address,
    tracker: Mutex<Tracker>,
    follow: tokio::sync::Mutex<Follow>,
}

impl Watch {
    pub(crate) fn new(node: Arc<Node>, registry: Address) -> Self {
        let follow = Follow { trail: Trail::new(&node), judged: None, codes: HashMap::new() };
        Self { node, registry, tracker: Mutex::default(), follow: tokio::sync::Mutex::new(follow) }
    }

    pub(crate) fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One pass. Returns the view everything was judged from.
    pub(crate) async fn pass(&self) -> Result<View, PortError> {
        let mut follow = self.follow.lock().await;
        for _ in 0..TRIES {
            match self.try_pass(&mut follow).await {
                Ok(view) => {
                    follow.trail.shaken = false;
                    return Ok(view);
                }
                Err(Trouble::Moved) => tracing::debug!(chain = %self.node.ledger(), "the chain moved: reading it again"),
                Err(Trouble::Port(error)) => {
                    follow.trail.shaken = true;
                    return Err(error);
                }
            }
        }
        follow.trail.shaken = true;
        Err(self.node.unreachable("its chain moves faster than it can be read"))
    }

    async fn try_pass(&self, follow: &mut Follow) -> Result<View, Trouble> {
        let view = self.node.view().await?;
        let tip = view.tip.number.0;
        if let Some(height) = follow.trail.retreat(&self.node, &view.tip).await? {
            self.tracker().undo_above(height);
        }
        let new = follow.trail.advance(&self.node, &view.tip).await?;
        if let Some(from) = follow.trail.unread(tip) {
            let logs = self.node.logs(&self.contracts(), &Value::Null, from, tip).await?;
            self.take_in(&follow.trail.window, logs).await?;
        }
        if follow.trail.is_recheck_due(tip) {
            self.tracker().recheck_unseen();
            follow.trail.rechecked = tip;
        }
        let behind = self.catch_up(&follow.trail.window, tip).await?;
        self.bodies(&new).await?;
        self.waiting().await?;
        let fresh = follow.judged != Some(view.tip.hash) || !behind.is_empty();
        if fresh {
            self.read_codes(&view, &mut follow.codes).await?;
            self.read_slots(&view, &follow.codes).await?;
            self.node.still_at(&view.tip).await?;
        }
        follow.trail.cursor = Some(tip);
        follow.judged = Some(view.tip.hash);
        let mut tracker = self.tracker();
        tracker.caught_up(&behind);
        tracker.judge(&view);
        Ok(view)
    }

    /// The contracts whose events matter: the registry, and those of watched locks.
    fn contracts(&self) -> Vec<Address> {
        let mut contracts: Vec<_> = self.kinds().into_keys().collect();
        contracts.push(self.registry);
        contracts.sort_unstable();
        contracts
    }

    /// Looks for what happened to newly watched locks before they were watched. Returns which.
    async fn catch_up(&self, window: &Window, tip: u64) -> Result<Vec<LockId>, Trouble> {
        let behind: Vec<_> = self
            .tracker()
            .live()
            .filter(|(_, watched)| !watched.caught_up)
            .map(|(id, watched)| (id, watched.slot.contract, watched.slot.terms.hash, watched.since))
            .collect();
        for part in behind.chunks(HASHES_PER_QUESTION) {
            let hashes: Vec<_> = part.iter().map(|(_, _, hash, _)| *hash).collect();
            let mut contracts: Vec<_> = part.iter().map(|(_, contract, _, _)| *contract).collect();
            contracts.sort_unstable();
            contracts.dedup();
            let since = part.iter().map(|(_, _, _, since)| *since).min().unwrap_or(tip);
            let from = since.saturating_sub(u64::from(self.node.params.timing.final_confirmations)).min(tip);
            // What a lock begins with has its hash as the second topic; what ends it, and the registry's word, as the only one.
            let mut logs = self.node.logs(&contracts, &json!([null, hashes]), from, tip).await?;
            contracts.push(self.registry);
            logs.extend(self.node.logs(&contracts, &json!([hashes]), from, tip).await?);
            self.take_in(window, logs).await?;
        }
        Ok(behind.into_iter().map(|(id, ..)| id).collect())
    }

    /// Tells the tracker of events.
    async fn take_in(&self, window: &Window, logs: Vec<Log>) -> Result<(), Trouble> {
        let kinds = self.kinds();
        let mut ends = Vec::new();
        for log in logs.into_iter().filter(|log| !log.removed) {
            if !window.agrees(log.block_number.0, log.block_hash) {
                return Err(Trouble::Moved);
            }
            let kind = kinds.get(&log.address).copied();
            if kind.is_none() && log.address != self.registry {
                continue;
            }
            let spot = Spot { block: log.block_number.0, index: log.log_index.0, hash: log.block_hash, tx: log.transaction_hash };
            let mut tracker = self.tracker();
            match abi::read_log(&log, kind, self.node.chain_id) {
                Some(Event::Lockup(slot)) => tracker.locked(&slot, spot),
                Some(Event::Revealed(secret)) => tracker.candidate(secret.expose()),
                Some(Event::Claim(secret)) => {
                    tracker.candidate(secret.expose());
                    let hash = B256::new(*secret.hash().as_bytes());
                    if tracker.watches_hash(hash) {
                        ends.push((log.address, hash, SpendKind::Redeem, spot));
                    }
                }
                Some(Event::Refund(hash)) if tracker.watches_hash(hash) => {
                    ends.push((log.address, hash, SpendKind::Refund, spot));
                }
                Some(Event::Refund(_)) | None => {}
            }
        }
        self.take_in_ends(&kinds, ends).await.map_err(Trouble::Port)
    }

    /// Events that end a lock say only its hash; the transaction's calldata says which lock was meant.
    async fn take_in_ends(
        &self,
        kinds: &HashMap<Address, Kind>,
        ends: Vec<(Address, B256, SpendKind, Spot)>,
    ) -> Result<(), PortError> {
        let hashes: BTreeMap<_, _> = ends.iter().map(|(.., spot)| (spot.tx, ())).collect();
        let hashes: Vec<_> = hashes.into_keys().collect();
        let txs = self.node.at(self.node.rpc.transactions(&hashes).await)?;
        let txs: HashMap<_, _> = hashes.into_iter().zip(txs).filter_map(|(hash, tx)| Some((hash, tx?))).collect();
        let mut tracker = self.tracker();
        for (contract, hash, kind, spot) in ends {
            let tx = txs.get(&spot.tx).filter(|tx| tx.to == Some(contract));
            let called = tx.and_then(|tx| abi::read_call(tx, *kinds.get(&contract)?, self.node.chain_id));
            let meant = match (&called, kind) {
                (Some(Called::Claim(slots)), SpendKind::Redeem) => Some(slots.as_slice()),
                (Some(Called::Refund(slot)), SpendKind::Refund) => Some(std::slice::from_ref(slot)),
                _ => None,
            };
            tracker.ended(contract, hash, kind, meant, spot);
        }
        Ok(())
    }

    fn kinds(&self) -> HashMap<Address, Kind> {
        self.tracker().places()
    }

    /// Searches the transactions of new blocks for secrets: a redeem that failed has shown its secret, and left no event.
    async fn bodies(&self, new: &[Header]) -> Result<(), PortError> {
        let kinds = self.kinds();
        if kinds.is_empty() {
            return Ok(());
        }
        for header in new.iter().rev().take(BODIES) {
            match self.node.rpc.body(header.hash).await {
                Ok(Some(body)) => self.search(&kinds, &body.transactions),
                Ok(None) | Err(RpcError::TooLong) => {}
                Err(error) => return Err(error.at(self.node.ledger())),
            }
        }
        Ok(())
    }

    fn search(&self, kinds: &HashMap<Address, Kind>, txs: &[Tx]) {
        let mut tracker = self.tracker();
        for tx in txs {
            let ours = tx.to.is_some_and(|to| to == self.registry || kinds.contains_key(&to));
            for word in abi::words(&tx.input.0, ours) {
                tracker.candidate(word);
            }
        }
    }

    /// Looks at what waits for the next block, where the node shows it.
    async fn waiting(&self) -> Result<(), PortError> {
        let kinds = self.kinds();
        if kinds.is_empty() {
            return Ok(());
        }
        let Some(Body { transactions }) = self.node.at(self.node.rpc.pending().await)? else { return Ok(()) };
        self.search(&kinds, &transactions);
        let mut tracker = self.tracker();
        tracker.forget_waiting();
        for tx in &transactions {
            let Some(kind) = tx.to.and_then(|to| kinds.get(&to)) else { continue };
            let (slots, spends) = match abi::read_call(tx, *kind, self.node.chain_id) {
                Some(Called::Lock(slot)) => (vec![slot], None),
                Some(Called::Claim(slots)) => (slots, Some(SpendKind::Redeem)),
                Some(Called::Refund(slot)) => (vec![slot], Some(SpendKind::Refund)),
                None => continue,
            };
            for slot in slots {
                tracker.waits(&slot, Waiting { spends, tx: tx.hash });
            }
        }
        Ok(())
    }

    /// Reads which code stands at the contracts of watched locks. Where it is another one than before, all of them are read anew.
    async fn read_codes(&self, view: &View, codes: &mut HashMap<Address, Codes>) -> Result<(), PortError> {
        let contracts = self.kinds();
        codes.retain(|contract, _| contracts.contains_key(contract));
        for contract in contracts.into_keys() {
            let tip = keccak256(self.node.at(self.node.rpc.code(contract, At::Number(view.tip.number.0)).await)?);
            let relied = match view.relied {
                Some(relied) => self.node.rpc.code(contract, At::Number(relied)).await.ok().map(keccak256),
                None => None,
            };
            let seen = Codes { tip, relied };
            if codes.insert(contract, seen).is_some_and(|before| before != seen) {
                self.tracker().distrust(contract);
            }
        }
        Ok(())
    }

    /// Reads slots: of the locks that something happened to, and of some others in their turn.
    async fn read_slots(&self, view: &View, codes: &HashMap<Address, Codes>) -> Result<(), PortError> {
        let wishes = {
            let mut tracker = self.tracker();
            let mut wishes = tracker.wishes(view);
            wishes.extend(tracker.in_turn(view, IN_TURN));
            wishes
        };
        if wishes.is_empty() {
            return Ok(());
        }
        let tip = view.tip.number.0;
        let mut asks = Vec::new();
        for wish in &wishes {
            let mut ask = |at| asks.push((Ask::view(wish.contract, abi::swaps(wish.key)), At::Number(at)));
            ask(tip);
            view.relied.filter(|_| wish.relied).into_iter().for_each(&mut ask);
            view.settled.filter(|_| wish.settled).into_iter().for_each(&mut ask);
        }
        let answers = self.node.at(self.node.rpc.views(&asks).await)?;
        let mut answers = answers.into_iter().map(|answer| answer.as_deref().and_then(abi::word).map(|word| word != U256::ZERO));
        let mut next = || answers.next().flatten();
        let mut tracker = self.tracker();
        for Wish { lock, contract, code_hash, relied, settled, .. } in wishes {
            let mut reads = Reads { tip: next(), ..Reads::default() };
            reads.relied = if relied { next() } else { None };
            reads.settled = if settled { next() } else { None };
            reads.code_is_right = codes.get(&contract).map(|seen| {
                let deep = seen.relied.filter(|_| relied);
                seen.tip == code_hash && deep.is_none_or(|code| code == code_hash)
            });
            tracker.read(lock, reads);
        }
        Ok(())
    }
}
