//! What the chain and the mempool show of the scripts that are watched. Pure: blocks and transactions are put in, in the
//! order in which the chain has them; what it knows is at every moment what a fresh look at the same chain would give,
//! but for secrets, which stay known.
//!
//! Blocks and mempool are two layers, so that undoing one never loses what the other showed. The work for a block is one
//! look-up for each of its inputs and outputs, whatever the number of locks.

use crate::script::{classify, secret_candidates};
use crate::tx::Locked;
use bitcoin::{BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use photon_chains::{Amount, BlockHeight, LockId, Secret, SecretHash, SpendKind};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// Block hashes kept to find where a reorganisation began. One that is deeper makes everything be looked at again.
const KEPT_BLOCKS: usize = 2_000;

/// A block: its height and hash.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
}

/// A spend of a watched output.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SpentBy {
    /// By which transaction.
    pub txid: Txid,
    /// Which way.
    pub kind: SpendKind,
    /// In which block; none: in the mempool.
    pub block: Option<Place>,
}

/// An output that pays a watched script.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Which, and how much.
    pub locked: Locked,
    /// In which block; none: in the mempool.
    pub block: Option<Place>,
    /// What spends it.
    pub spent: Option<SpentBy>,
}

#[derive(Default)]
struct Output {
    value: u64,
    block: Option<Place>,
    pooled: bool,
    spent_block: Option<(Txid, SpendKind, Place)>,
    spent_pool: Option<(Txid, SpendKind)>,
}

struct Watched {
    script: ScriptBuf,
    hash: SecretHash,
    amount: Amount,
    since: BlockHeight,
    scanned: bool,
}

/// See the module.
#[derive(Default)]
pub struct Tracker {
    locks: HashMap<LockId, Watched>,
    /// Watched scripts, each with the secret hash of its lock.
    scripts: HashMap<ScriptBuf, SecretHash>,
    secrets: HashMap<SecretHash, Option<Secret>>,
    /// Hashes whose secret was found since this was last asked.
    found: HashSet<SecretHash>,
    outputs: HashMap<OutPoint, (ScriptBuf, Output)>,
    of_script: HashMap<ScriptBuf, HashSet<OutPoint>>,
    /// Inputs of transactions of our own that are not settled, and what took them in a block.
    own: HashMap<OutPoint, Option<(Txid, Place)>>,
    chain: BTreeMap<u64, BlockHash>,
    /// Every transaction of the mempool, as fingerprints of the scripts it pays and the outputs it spends.
    pool: HashMap<Txid, Box<[u64]>>,
    /// What is watched since the mempool was last searched for it.
    fresh: HashSet<u64>,
    hasher: RandomState,
}

impl Tracker {
    /// Begins to watch a lock's script. Nothing is known of it until its blocks have been put in.
    pub fn watch(&mut self, id: LockId, script: &ScriptBuf, hash: SecretHash, amount: Amount, since: BlockHeight) {
        match self.locks.get_mut(&id) {
            Some(known) if known.since <= since => return,
            Some(known) => {
                known.since = since;
                known.scanned = false;
            }
            None => {
                self.locks.insert(id, Watched { script: script.clone(), hash, amount, since, scanned: false });
            }
        }
        self.scripts.insert(script.clone(), hash);
        self.secrets.entry(hash).or_default();
        let print = self.print(script.as_bytes());
        self.fresh.insert(print);
    }

    /// Stops watching it, and forgets what was seen of it.
    pub fn unwatch(&mut self, id: LockId) {
        let Some(gone) = self.locks.remove(&id) else { return };
        if !self.locks.values().any(|other| other.script == gone.script) {
            self.scripts.remove(&gone.script);
            for outpoint in self.of_script.remove(&gone.script).unwrap_or_default() {
                self.outputs.remove(&outpoint);
            }
        }
        if !self.locks.values().any(|other| other.hash == gone.hash) {
            self.secrets.remove(&gone.hash);
        }
    }

    /// The locks whose blocks have been looked at, with their amounts.
    pub fn scanned(&self) -> impl Iterator<Item = (LockId, Amount)> + '_ {
        self.locks.iter().filter(|(_, lock)| lock.scanned).map(|(id, lock)| (*id, lock.amount))
    }

    /// True if it is watched; whether its blocks have been looked at is another matter.
    pub fn watches(&self, id: LockId) -> bool {
        self.locks.contains_key(&id)
    }

    /// Says which outputs transactions of our own mean to spend, so that it is seen what takes them.
    pub fn add_own(&mut self, inputs: impl IntoIterator<Item = OutPoint>) {
        for outpoint in inputs {
            self.own.entry(outpoint).or_default();
        }
    }

    /// Forgets all such outputs but these. One that nothing has taken stays: its transaction may have been written down a
    /// moment ago.
    pub fn keep_own(&mut self, inputs: &HashSet<OutPoint>) {
        self.own.retain(|outpoint, taken| inputs.contains(outpoint) || taken.is_none());
    }

    /// What took such an output in a block.
    pub fn taken(&self, outpoint: &OutPoint) -> Option<(Txid, Place)> {
        self.own.get(outpoint).copied().flatten()
    }

    /// The last block put in.
    pub fn tip(&self) -> Option<Place> {
        self.chain.last_key_value().map(|(height, hash)| Place { height: *height, hash: *hash })
    }

    /// The block known at a height.
    pub fn hash_at(&self, height: u64) -> Option<BlockHash> {
        self.chain.get(&height).copied()
    }

    /// The first block to put in next, the chain's tip being at `tip`: the one after the last, or the first one in which a
    /// lock that is new here may have been funded. With nothing to look for, the tip itself.
    pub fn next_height(&self, tip: u64) -> u64 {
        let idle = self.locks.is_empty() && self.own.is_empty();
        let after_last = match self.tip() {
            Some(last) if !idle || last.height >= tip => last.height.saturating_add(1),
            Some(_) | None => tip,
        };
        let new = self.locks.values().filter(|lock| !lock.scanned);
        new.map(|lock| lock.since.get().saturating_add(1)).fold(after_last, u64::min)
    }

    /// The locks that the pass which begins now will have scanned when it ends.
    pub fn unscanned(&self) -> Vec<(LockId, BlockHeight)> {
        self.locks.iter().filter(|(_, lock)| !lock.scanned).map(|(id, lock)| (*id, lock.since)).collect()
    }

    /// Says that those have been looked for in every block since theirs.
    pub fn mark_scanned(&mut self, done: &[(LockId, BlockHeight)]) {
        for (id, since) in done {
            if let Some(lock) = self.locks.get_mut(id) {
                lock.scanned |= lock.since >= *since;
            }
        }
    }

    /// Puts a block in. It must follow the block below it; it may be one that was put in before.
    pub fn apply_block(&mut self, block: Place, txs: &[Transaction]) {
        if self.tip().is_some_and(|tip| block.height > tip.height.saturating_add(1)) {
            self.chain.clear();
        }
        for tx in txs {
            let txid = tx.compute_txid();
            self.note_secrets(tx);
            self.note_spends(tx, txid, Some(block));
            self.note_outputs(tx, txid, Some(block));
        }
        self.chain.insert(block.height, block.hash);
        while self.chain.len() > KEPT_BLOCKS {
            self.chain.pop_first();
        }
    }

    /// Forgets every block above that height; every block there is, if the branch leaves the chain below all known ones.
    pub fn rewind_to(&mut self, height: u64) {
        self.chain.retain(|known, _| *known <= height);
        let rooted = !self.chain.is_empty();
        let stays = |block: &Place| rooted && block.height <= height;
        for taken in self.own.values_mut() {
            *taken = taken.filter(|(_, block)| stays(block));
        }
        for (_, output) in self.outputs.values_mut() {
            output.block = output.block.filter(stays);
            output.spent_block = output.spent_block.filter(|(_, _, block)| stays(block));
        }
        self.drop_unseen();
        self.locks.values_mut().for_each(|lock| lock.scanned &= rooted);
    }

    /// Puts the mempool in: forgets what is not listed any more, and answers which transactions are new.
    pub fn sync_pool(&mut self, listed: &HashSet<Txid>) -> Vec<Txid> {
        let gone: HashSet<Txid> = self.pool.keys().filter(|txid| !listed.contains(*txid)).copied().collect();
        if !gone.is_empty() {
            self.pool.retain(|txid, _| listed.contains(txid));
            for (outpoint, (_, output)) in &mut self.outputs {
                output.pooled &= !gone.contains(&outpoint.txid);
                output.spent_pool = output.spent_pool.filter(|(txid, _)| !gone.contains(txid));
            }
            self.drop_unseen();
        }
        listed.iter().filter(|txid| !self.pool.contains_key(*txid)).copied().collect()
    }

    /// Puts a transaction of the mempool in.
    pub fn apply_pooled(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        let spends = tx.input.iter().map(|input| self.print(input.previous_output));
        let pays = tx.output.iter().map(|output| self.print(output.script_pubkey.as_bytes()));
        let prints: Box<[u64]> = spends.chain(pays).collect();
        self.pool.insert(txid, prints);
        self.note_secrets(tx);
        self.note_spends(tx, txid, None);
        self.note_outputs(tx, txid, None);
    }

    /// Remembers a transaction of the mempool in which there is nothing to see.
    pub fn ignore_pooled(&mut self, txid: Txid) {
        self.pool.insert(txid, Box::default());
    }

    /// Transactions of the mempool to be put in once more, because what they pay or spend is watched only since then.
    pub fn recheck(&mut self) -> Vec<Txid> {
        let fresh = std::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return Vec::new();
        }
        let hit = |prints: &[u64]| prints.iter().any(|print| fresh.contains(print));
        self.pool.iter().filter(|(_, prints)| hit(prints)).map(|(txid, _)| *txid).collect()
    }

    /// Every watched output that is known.
    pub fn outputs(&self) -> impl Iterator<Item = OutPoint> + '_ {
        self.outputs.keys().copied()
    }

    /// True if the mempool has it.
    pub fn is_pooled(&self, txid: &Txid) -> bool {
        self.pool.contains_key(txid)
    }

    /// Every output that pays a lock's script, in the order: in a block before in the mempool, lower before higher, then by
    /// the shown transaction id and the index.
    pub fn paid(&self, id: LockId) -> Vec<Paid> {
        let Some(lock) = self.locks.get(&id) else { return Vec::new() };
        let outpoints = self.of_script.get(&lock.script).into_iter().flatten();
        let mut paid: Vec<Paid> = outpoints.filter_map(|outpoint| self.paid_at(*outpoint)).collect();
        paid.sort_by_key(|paid| {
            let outpoint = paid.locked.outpoint;
            (paid.block.map_or(u64::MAX, |block| block.height), crate::tx::shown_id(outpoint.txid), outpoint.vout)
        });
        paid
    }

    /// The secret of a lock that is watched, if it was ever seen.
    pub fn secret(&self, id: LockId) -> Option<Secret> {
        self.locks.get(&id).and_then(|lock| self.secrets.get(&lock.hash)).cloned().flatten()
    }

    /// The locks whose secret was found since this was last asked.
    pub fn take_found(&mut self) -> Vec<LockId> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let found = std::mem::take(&mut self.found);
        self.locks.iter().filter(|(_, lock)| found.contains(&lock.hash)).map(|(id, _)| *id).collect()
    }

    fn paid_at(&self, outpoint: OutPoint) -> Option<Paid> {
        let (_, output) = self.outputs.get(&outpoint)?;
        let in_block = output.spent_block.map(|(txid, kind, block)| SpentBy { txid, kind, block: Some(block) });
        let in_pool = output.spent_pool.map(|(txid, kind)| SpentBy { txid, kind, block: None });
        let locked = Locked { outpoint, value: output.value };
        Some(Paid { locked, block: output.block, spent: in_block.or(in_pool) })
    }

    fn print(&self, what: impl Hash) -> u64 {
        self.hasher.hash_one(what)
    }

    fn note_secrets(&mut self, tx: &Transaction) {
        if self.secrets.is_empty() {
            return;
        }
        for candidate in secret_candidates(tx) {
            let hash = candidate.hash();
            if let Some(known) = self.secrets.get_mut(&hash) {
                if known.is_none() {
                    self.found.insert(hash);
                }
                *known = Some(candidate);
            }
        }
    }

    fn note_spends(&mut self, tx: &Transaction, txid: Txid, block: Option<Place>) {
        for input in &tx.input {
            let outpoint = &input.previous_output;
            if let (Some(taken), Some(block)) = (self.own.get_mut(outpoint), block) {
                *taken = Some((txid, block));
            }
            let Some((script, output)) = self.outputs.get_mut(outpoint) else { continue };
            let Some(hash) = self.scripts.get(script) else { continue };
            let kind = classify(input, hash);
            match block {
                Some(block) => output.spent_block = Some((txid, kind, block)),
                None => output.spent_pool = Some((txid, kind)),
            }
        }
    }

    fn note_outputs(&mut self, tx: &Transaction, txid: Txid, block: Option<Place>) {
        for (vout, paid) in (0..).zip(&tx.output) {
            let Some((script, _)) = self.scripts.get_key_value(&paid.script_pubkey) else { continue };
            let (script, outpoint) = (script.clone(), OutPoint::new(txid, vout));
            self.of_script.entry(script.clone()).or_default().insert(outpoint);
            if !self.outputs.contains_key(&outpoint) {
                let print = self.print(outpoint);
                self.fresh.insert(print);
            }
            let (_, output) = self.outputs.entry(outpoint).or_insert_with(|| (script, Output::default()));
            output.value = paid.value.to_sat();
            match block {
                Some(block) => output.block = Some(block),
                None => output.pooled = true,
            }
        }
    }

    /// Drops outputs that neither a block nor the mempool shows.
    fn drop_unseen(&mut self) {
        let of_script = &mut self.of_script;
        self.outputs.retain(|outpoint, (script, output)| {
            let seen = output.block.is_some() || output.pooled;
            if !seen && let Some(outpoints) = of_script.get_mut(script) {
                outpoints.remove(outpoint);
            }
            seen
        });
    }
}
