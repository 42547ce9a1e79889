//! Catching up with the node: one pass over what is new, whatever the number of locks.

use crate::abi::{self, Called, Event};
use crate::chain::{Ask, At};
use crate::node::{Node, View};
use crate::rpc::RpcError;
use crate::slot::Kind;
use crate::tracker::{Reads, Spot, Tracker, Waiting, Wish};
use crate::window::Window;
use crate::wire::{Body, Header, Log, Tx};
use alloy::primitives::{Address, B256, U256, keccak256};
use photon_chains::{LockId, PortError, SpendKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events are asked for in ranges of so many blocks; a node that refuses gets half.
const LOG_RANGE: u64 = 2000;
/// So many secret hashes are looked for in one question.
const HASHES_PER_QUESTION: usize = 50;
/// Of so many new blocks the transactions are read too, for secrets that failed redeems show.
const BODIES: usize = 32;
/// Events of so many blocks are asked for again with each new one: a node may show a block before it has indexed its events.
const REREAD: u64 = 8;
/// After so many blocks, what has not been seen funded is looked for once more from its beginning.
const RECHECK: u64 = 64;
/// So many slots are read at each block without a reason, each watched lock in its turn.
const IN_TURN: usize = 8;
/// How often a chain that moves under our eyes is read again.
const TRIES: usize = 3;

/// What is remembered between two polls.
pub(crate) struct Follow {
    window: Window,
    /// Events up to this block were read.
    cursor: Option<u64>,
    /// The last poll failed: events are read again from some depth.
    shaken: bool,
    /// For this tip the slots were read.
    judged: Option<B256>,
    /// At this block what has not been seen was last looked for from its beginning.
    rechecked: u64,
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

/// Something went wrong in a pass.
enum Trouble {
    /// Begin again: the chain moved.
    Moved,
    /// Give up for now.
    Port(PortError),
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Trouble::Port(error)
    }
}

impl From<crate::window::Moved> for Trouble {
    fn from(_: crate::window::Moved) -> Self {
        Trouble::Moved
    }
}

impl Watch {
    pub(crate) fn new(node: Arc<Node>, registry: Address) -> Self {
        let keep = node.params.timing.final_confirmations as usize + 32;
        let follow =
            Follow { window: Window::new(keep), cursor: None, shaken: false, judged: None, rechecked: 0, codes: HashMap::new() };
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
                    follow.shaken = false;
                    return Ok(view);
                }
                Err(Trouble::Moved) => tracing::debug!(chain = %self.node.ledger(), "the chain moved: reading it again"),
                Err(Trouble::Port(error)) => {
                    follow.shaken = true;
                    return Err(error);
                }
            }
        }
        follow.shaken = true;
        Err(self.node.unreachable("its chain moves faster than it can be read"))
    }

    async fn try_pass(&self, follow: &mut Follow) -> Result<View, Trouble> {
        let view = self.node.view().await?;
        let new = self.sync(follow, &view.tip).await?;
        let tip = view.tip.number.0;
        let cursor = if follow.shaken { follow.cursor.map(|at| at.saturating_sub(follow.window.keep())) } else { follow.cursor };
        if let Some(cursor) = cursor.filter(|cursor| *cursor < tip) {
            let from = (cursor + 1).saturating_sub(REREAD);
            let logs = self.logs(&self.contracts(), &Value::Null, from, tip).await?;
            self.take_in(&follow.window, logs).await?;
        }
        if tip >= follow.rechecked.saturating_add(RECHECK) {
            self.tracker().recheck_unseen();
            follow.rechecked = tip;
        }
        let behind = self.catch_up(&follow.window, tip).await?;
        self.bodies(&new).await?;
        self.waiting().await?;
        let fresh = follow.judged != Some(view.tip.hash) || !behind.is_empty();
        if fresh {
            self.read_codes(&view, &mut follow.codes).await?;
            self.read_slots(&view, &follow.codes).await?;
            let still = self.node.at(self.node.rpc.header(At::Number(tip)).await)?;
            if still.is_none_or(|header| header.hash != view.tip.hash) {
                return Err(Trouble::Moved);
            }
        }
        follow.cursor = Some(tip);
        follow.judged = Some(view.tip.hash);
        let mut tracker = self.tracker();
        tracker.caught_up(&behind);
        tracker.judge(&view);
        Ok(view)
    }

    /// Brings the window to the tip, undoing what is gone. Returns the new headers.
    async fn sync(&self, follow: &mut Follow, tip: &Header) -> Result<Vec<Header>, Trouble> {
        let goal = tip.number.0;
        if follow.window.tip().is_some_and(|known| known.hash == tip.hash) {
            return Ok(Vec::new());
        }
        let common = self.common(&follow.window, tip).await?;
        if let Some(known) = follow.window.tip().map(|known| known.number.0) {
            let height = common.unwrap_or_else(|| follow.window.lowest().unwrap_or(0).saturating_sub(1));
            if height < known {
                tracing::info!(chain = %self.node.ledger(), from = height, to = known, "blocks were replaced");
                follow.window.undo_above(height);
                follow.cursor = follow.cursor.map(|cursor| cursor.min(height));
                self.tracker().undo_above(height);
            }
        }
        let oldest = (goal + 1).saturating_sub(follow.window.keep());
        let from = common.map_or(oldest, |common| oldest.max(common + 1));
        let headers = self.node.at(self.node.rpc.headers(from, goal).await)?;
        if headers.last().is_some_and(|last| last.hash != tip.hash) {
            return Err(Trouble::Moved);
        }
        follow.window.extend(&headers)?;
        Ok(headers)
    }

    /// The highest block that the window shares with the node's chain.
    async fn common(&self, window: &Window, tip: &Header) -> Result<Option<u64>, Trouble> {
        let (Some(known), Some(lowest)) = (window.tip(), window.lowest()) else { return Ok(None) };
        if known.hash == tip.parent_hash {
            return Ok(Some(known.number.0));
        }
        let mut high = known.number.0.min(tip.number.0);
        while high >= lowest {
            let low = high.saturating_sub(15).max(lowest);
            let headers = self.node.at(self.node.rpc.headers(low, high).await)?;
            let shared = headers.iter().rev().find(|header| window.hash(header.number.0) == Some(header.hash));
            if let Some(shared) = shared {
                return Ok(Some(shared.number.0));
            }
            let Some(below) = low.checked_sub(1) else { break };
            high = below;
        }
        Ok(None)
    }

    /// The contracts whose events matter: the registry, and those of watched locks.
    fn contracts(&self) -> Vec<Address> {
        let mut contracts: Vec<_> = self.kinds().into_keys().collect();
        contracts.push(self.registry);
        contracts.sort_unstable();
        contracts
    }

    /// Events of a range, in parts that the node is willing to answer.
    async fn logs(&self, contracts: &[Address], topics: &Value, from: u64, to: u64) -> Result<Vec<Log>, PortError> {
        let (mut all, mut start, mut range) = (Vec::new(), from, LOG_RANGE);
        while start <= to {
            let end = to.min(start.saturating_add(range - 1));
            match self.node.rpc.logs(contracts, topics, start, end).await {
                Ok(logs) => {
                    all.extend(logs);
                    start = end + 1;
                }
                Err(RpcError::TooLong | RpcError::Refused { .. }) if range > 1 => range /= 2,
                Err(error) => return Err(error.at(self.node.ledger())),
            }
        }
        Ok(all)
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
            let mut logs = self.logs(&contracts, &json!([null, hashes]), from, tip).await?;
            contracts.push(self.registry);
            logs.extend(self.logs(&contracts, &json!([hashes]), from, tip).await?);
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
