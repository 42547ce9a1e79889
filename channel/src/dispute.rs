//! What a party does about a closed channel, by itself: one call at a time, computed at each look from what the contract holds.
//!
//! The order matters. A cheat is punished first. Then the newest proof is shown, since it voids what was unlocked on an older
//! one; then locks are unlocked; then what was promised and not earned is taken back; then what is decided is paid out. Each
//! call is asked of the contract's own rules before it is named, so what is named is what would be taken now.

use crate::chain::{Moment, is_in_time, is_open};
use crate::channel::Channel;
use crate::contract::{By, Call, Closed, Contract, Dispute, Record, Shown, Slot, is_past};
use crate::eip712::{Abi, keccak};
use crate::flow::LockState;
use crate::guard::Guard;
use crate::key::{Both, Side};
use crate::lock::{Commitment, LockNo, Pending};
use crate::proof::Signed;
use crate::sign::Signature;
use photon_chains::{Secret, SecretHash};
use std::collections::BTreeMap;

/// A closed channel as one of its parties sees it.
pub struct Closing<'a> {
    /// The channel, as it was when the close was seen.
    pub channel: &'a Channel,
    /// What the contract holds, by its logs.
    pub state: &'a Closed,
    /// The pending entries of each side's income, in order: for the holder's promises, those that the proof shown committed to
    /// (found in the rows of that update), less what was taken off since.
    pub pending: &'a Both<Vec<Pending>>,
    /// Every call that unlocked some of a side's income since its proof was shown, in order.
    pub unlocked: &'a Both<Vec<Unlocking>>,
    /// Every disposal of the counterparty's: of pending locks, and of those that are gone.
    pub disposals: &'a BTreeMap<LockNo, Signature>,
    /// What is registered.
    pub registered: &'a BTreeMap<SecretHash, Moment>,
    /// The next block, as far as it is known.
    pub now: Moment,
    /// The newest block at the depth that is relied on.
    pub deep: Moment,
    /// Of the contract.
    pub block_secs: u64,
}

/// A call that unlocked: the list that it showed, and which of it were taken.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Unlocking {
    /// The entries, in order; true for those that were taken.
    pub list: Vec<(Pending, bool)>,
}

impl Unlocking {
    /// The hash of the list before and after it.
    fn hashes(&self) -> Option<([u8; 32], [u8; 32])> {
        let hash = |only_left: bool| {
            let entries = self.list.iter().filter(|(_, taken)| !only_left || !taken).map(|(lock, _)| lock);
            Commitment::of(entries).ok().map(|commitment| commitment.locks)
        };
        Some((hash(false)?, hash(true)?))
    }
}

impl Channel {
    /// The latest proof of a payer, as the contract takes it. None where there is none.
    pub fn shown(&self, payer: Side) -> Option<Shown> {
        let proof = self.proof(payer)?;
        let flow = if payer == self.side { &self.outgoing } else { &self.incoming };
        let signature = flow.signature?.for_contract(&proof.digest(&self.domain), self.key.parties().of(payer)).ok()?;
        Some(Shown { nonce: proof.nonce, transferred: proof.transferred, pending: proof.pending, signature })
    }

    /// The secrets of the holder's income that it may use: known, and not signed away.
    fn usable(&self, number: LockNo) -> Option<&Secret> {
        match &self.incoming.lock(number)?.state {
            LockState::Known(secret) => Some(secret),
            LockState::Waiting | LockState::Disposed(_) => None,
        }
    }

    /// Closes alone, with the counterparty's latest proof, and unlocks in the same call what can be. The caller tells the node of
    /// the close ([`crate::Stage::Closed`]) before it sends it: what is taken afterwards is in no proof. Who has forgotten shows the
    /// best that it holds, and the counterparty may show what it was promised since.
    pub fn close_alone(&self, now: Moment, registered: &BTreeMap<SecretHash, Moment>) -> Option<Call> {
        let Some(shown) = self.shown(self.side.other()) else {
            let none = crate::Signature::from_bytes([0; 65]);
            let shown = Shown {
                nonce: crate::Nonce::NONE,
                transferred: crate::Units::ZERO,
                pending: Default::default(),
                signature: none,
            };
            return Some(Call::Close { shown, records: Vec::new() });
        };
        let pending: Vec<Pending> = self.incoming.locks.iter().map(|held| held.lock).collect();
        let records = unlocks(self, &pending, now, registered);
        Some(Call::Close { shown, records })
    }

    /// Whether the holder should close alone: the counterparty owes it for a lock whose secret was registered in time, and has
    /// not paid although the lock ended so long ago.
    pub fn should_close(&self, deep: Moment, registered: &BTreeMap<SecretHash, Moment>, patience_secs: u64) -> bool {
        let late = Moment { time: deep.time.minus_secs(patience_secs), ..deep };
        self.incoming.locks.iter().any(|held| {
            let entry = registered.get(&held.lock.secret_hash);
            Guard::CloseOwed.holds()
                && is_open(&held.lock.expiry, &late)
                && entry.is_some_and(|at| is_in_time(&held.lock.expiry, at))
        })
    }
}

/// The list with what can be unlocked now. Empty where nothing can.
fn unlocks(channel: &Channel, pending: &[Pending], now: Moment, registered: &BTreeMap<SecretHash, Moment>) -> Vec<Record> {
    let mut any = false;
    let records = pending
        .iter()
        .map(|lock| {
            let secret = channel.usable(lock.number);
            let entry = registered.get(&lock.secret_hash).filter(|at| is_in_time(&lock.expiry, at));
            let inline = !lock.expiry.linked && is_in_time(&lock.expiry, &now);
            let take = secret.is_some() && (entry.is_some() || inline);
            any |= take;
            // Shown inline only where the registry does not say it: a word less to pay for.
            let secret = secret.filter(|_| take && entry.is_none()).cloned();
            Record { lock: *lock, take, secret, disposal: None }
        })
        .collect();
    if any { records } else { Vec::new() }
}

impl Closing<'_> {
    /// The one call that the holder should send now. None: there is nothing to do but wait.
    pub fn next_call(&self) -> Option<Call> {
        let duties = [
            (Guard::Punish, self.punish()),
            (Guard::ShowNewest, self.update()),
            (Guard::UnlockEarned, self.unlock()),
            (Guard::ReleaseUnearned, self.release()),
            (Guard::Settle, Some(Dispute::Settle)),
        ];
        duties
            .into_iter()
            .filter_map(|(duty, what)| what.filter(|_| duty.holds()))
            .map(|what| Call::Dispute(Box::new(self.state.clone()), what))
            .find(|call| self.would_be_taken(call))
    }

    /// The contract's own rules.
    fn would_be_taken(&self, call: &Call) -> bool {
        let mut contract = Contract::new(self.channel.domain, self.block_secs);
        contract.put(self.channel.of.channel, Some(Slot::Closed(Box::new(self.state.clone()))));
        self.registered.iter().for_each(|(hash, at)| contract.register(*hash, *at));
        let sender = *self.channel.key.parties().of(self.channel.side);
        contract.call(self.now, sender, &self.channel.key, call).is_ok()
    }

    const fn side(&self) -> Side {
        self.channel.side
    }

    /// The counterparty unlocked what it had signed away.
    fn punish(&self) -> Option<Dispute> {
        let of = self.side().other();
        let calls = self.unlocked.of(of);
        let is_cheat = |(lock, taken): &(Pending, bool)| *taken && self.disposal(lock).is_some();
        let at = calls.iter().position(|call| call.list.iter().any(is_cheat))?;
        let (earlier, rest) = calls.split_at(at);
        let (cheat, later) = rest.split_first()?;
        let chain = |taken: [u8; 32], call: &Unlocking| {
            let (before, after) = call.hashes()?;
            Some(keccak(&Abi::new().word(&taken).word(&before).word(&after).finish()))
        };
        let before = earlier.iter().try_fold([0; 32], chain)?;
        let record = |(lock, taken): &(Pending, bool)| {
            let disposal = if *taken { self.disposal(lock) } else { None };
            Record { lock: *lock, take: *taken, secret: None, disposal }
        };
        let records = cheat.list.iter().map(record).collect();
        let later = later.iter().map(Unlocking::hashes).collect::<Option<Vec<_>>>()?;
        Some(Dispute::Punish { of, before, records, later })
    }

    /// The counterparty's word that it gave up this lock of the holder's.
    fn disposal(&self, lock: &Pending) -> Option<Signature> {
        let disposal =
            crate::Disposal { of: self.channel.of, payer: self.side(), number: lock.number, secret_hash: lock.secret_hash };
        let digest = disposal.digest(&self.channel.domain);
        self.disposals.get(&lock.number)?.for_contract(&digest, &self.channel.peer.address()).ok()
    }

    fn update(&self) -> Option<Dispute> {
        let shown = self.channel.shown(self.side().other())?;
        let is_newer = shown.nonce > self.state.incomes.of(self.side()).nonce;
        (is_newer && self.state.closer != self.side()).then_some(Dispute::Update { shown, by: By::Party })
    }

    fn unlock(&self) -> Option<Dispute> {
        let records = unlocks(self.channel, self.pending.of(self.side()), self.now, self.registered);
        if records.is_empty() {
            return None;
        }
        Some(if self.state.closer == self.side() {
            Dispute::UnlockLate { records, by: By::Party }
        } else {
            Dispute::Unlock { records, by: By::Party }
        })
    }

    /// What the holder had promised and the counterparty gave up, or did not earn in time.
    fn release(&self) -> Option<Dispute> {
        let of = self.side().other();
        let mut any = false;
        let records = self
            .pending
            .of(of)
            .iter()
            .map(|lock| {
                let signature = self.disposal(lock);
                let entry = self.registered.get(&lock.secret_hash).filter(|at| is_in_time(&lock.expiry, at));
                let take = signature.is_some() || is_open(&lock.expiry, &self.deep) && entry.is_none();
                any |= take;
                Record { lock: *lock, take, secret: None, disposal: signature.filter(|_| take) }
            })
            .collect();
        any.then_some(Dispute::Release { of, records })
    }

    /// Whether the window is over.
    pub fn is_over(&self) -> bool {
        is_past(self.state.since, self.now, &self.channel.key, self.block_secs)
    }
}
