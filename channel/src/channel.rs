//! One channel as one of its parties keeps it: both directions, what is on its way, and what may be signed now.

use crate::chain::{OnChain, Registered, Stage, Tip};
use crate::codec::Wire;
use crate::counterparty::Counterparty;
use crate::eip712::Domain;
use crate::flow::{Change, Fault, Flow, Held, Judge, LockState};
use crate::guard::Guard;
use crate::key::{Both, ChannelKey, ChannelRef, Side};
use crate::lock::{Commitment, LockNo};
use crate::proof::{BalanceProof, Disposal, Signed};
use crate::sign::{KnownKey, Signature, Signer};
use crate::units::{Nonce, Units};
use crate::update::{MOST_BATCH_HOPS, MOST_OPS, Op, Update};
use photon_chains::{Secret, SecretHash, UnixTime};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most updates under way that the counterparty has not acknowledged.
pub const MOST_UNACKED: usize = 64;

/// The most disposals in one life of a channel: each is remembered until its end. After that a lock that can't go onward waits
/// for its expiry.
pub const MOST_DISPOSED: usize = 65_536;

/// What may be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Active,
    /// Nothing new: pending locks come to their end, then the channel can be closed by both.
    Stopping,
    /// A cooperative close is signed: no value moves until it is mined, or dead for certain.
    Granted(Grant),
    /// The holder's memory of the channel is old, or begins after the channel did. No update is signed in this life of it any
    /// more, and no lock is signed away: all that is left is to end it.
    Behind,
    /// As [`Standing::Behind`], and a cooperative close is signed.
    Parting(Grant),
}

/// A cooperative close that one side has signed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The last second at which it counts.
    pub deadline: UnixTime,
    /// The counterparty's signature, where the holder is the one to send it. None: the holder has signed for the counterparty.
    pub signature: Option<Signature>,
}

/// A withdrawal that is under way. What it takes out can't be promised meanwhile.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Who takes out.
    pub side: Side,
    /// How much.
    pub amount: Units,
    /// Withdrawals mined before it.
    pub number: u32,
    /// The last second at which it counts.
    pub deadline: UnixTime,
    /// The counterparty's signature, where the holder is the one to send it.
    pub signature: Option<Signature>,
}

/// Why an update of the counterparty's is not taken, and so what happens next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was taken before: say how far this side is.
    Answer(Nonce),
    /// One before it is missing: say how far this side is, so that it is sent again.
    Gap(Nonce),
    /// It can't be judged or taken now. Nothing is said; the counterparty sends it again later.
    Later(Wait),
    /// It breaks the rules. It is named to the counterparty, and nothing changes: what was signed before counts.
    Breach(Breach),
}

/// What is waited for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The channel's close, agreed by both.
    Close,
    /// The chain, which this side sees less of than the counterparty: a deposit, or the end of a lock.
    Chain,
    /// Nothing: the channel is closed on chain.
    Nothing,
}

/// How a rule is broken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// It is not for this channel, or not from its counterparty.
    Address,
    /// It has no operation, or more than a batch may have.
    Batch,
    /// Not signed by the counterparty, or of another state than this side computes.
    Signature,
    /// An operation that can't be.
    Op(Fault),
}

/// Why an operation of the holder's is not made now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing new is signed in this channel, for now or for ever.
    Standing,
    /// As much as may be under way is.
    Busy,
    /// The operation can't be.
    Fault(Fault),
}

/// An update that the counterparty has not acknowledged, in the bytes in which it is sent, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacked {
    /// Which one.
    pub nonce: Nonce,
    /// The update.
    pub bytes: Vec<u8>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What it is between.
    pub key: ChannelKey,
    /// Which life of it.
    pub of: ChannelRef,
    /// Which side the holder is.
    pub side: Side,
    /// The counterparty.
    pub peer: Counterparty,
    /// Where its messages count.
    pub domain: Domain,
    /// What the chain says.
    pub chain: OnChain,
    /// What may be signed.
    pub standing: Standing,
    /// A withdrawal that is neither mined at depth nor dead for certain.
    pub leaving: Option<Leaving>,
    /// The holder pays.
    pub outgoing: Flow,
    /// The counterparty pays.
    pub incoming: Flow,
    /// Hashes of locks that were signed away, either way.
    pub disposed: BTreeSet<SecretHash>,
    /// Under way, oldest first.
    pub unacked: VecDeque<Unacked>,
    /// Whether both sides have compared nonces since they were connected. Nothing is signed before, so that a memory that was
    /// set back shows itself first. Never durable.
    pub in_step: bool,
    /// Operations made and not signed yet: never durable, never seen outside.
    pub(crate) batch: Vec<Op>,
    /// Hops before what they lock.
    pub(crate) batch_hops: usize,
}

impl Channel {
    /// A channel whose opening is at the depth that is relied on. None where the holder is no party of it.
    pub fn open(
        key: ChannelKey,
        of: ChannelRef,
        holder: &Signer,
        peer: impl Into<Counterparty>,
        domain: Domain,
        chain: OnChain,
    ) -> Option<Self> {
        let (side, peer) = (key.side_of(&holder.address())?, peer.into());
        if key.parties().of(side.other()) != &peer.address() || key.id() != of.channel {
            return None;
        }
        Some(Self {
            key,
            of,
            side,
            peer,
            domain,
            chain,
            standing: Standing::Active,
            leaving: None,
            outgoing: Flow::default(),
            incoming: Flow::default(),
            disposed: BTreeSet::new(),
            unacked: VecDeque::new(),
            in_step: false,
            batch: Vec::new(),
            batch_hops: 0,
        })
    }

    /// What a side may still promise: its balance less its own pending locks and what is leaving.
    pub fn free(&self, side: Side) -> i128 {
        let (own, peer) = (self.outgoing.claim(), self.incoming.claim());
        let claims = match self.side {
            Side::A => Both { a: own, b: peer },
            Side::B => Both { a: peer, b: own },
        };
        let leaving = self.leaving.filter(|leaving| leaving.side == side && Guard::Leaving.holds());
        self.chain.holdings.free(side, &claims) - leaving.map_or(0, |leaving| leaving.amount.signed())
    }

    /// Whether the holder's memory of it is old: see [`Standing::Behind`].
    pub const fn is_behind(&self) -> bool {
        matches!(self.standing, Standing::Behind | Standing::Parting(_))
    }

    /// The cooperative close that one side has signed.
    pub const fn grant(&self) -> Option<&Grant> {
        match &self.standing {
            Standing::Granted(grant) | Standing::Parting(grant) => Some(grant),
            Standing::Active | Standing::Stopping | Standing::Behind => None,
        }
    }

    /// Whether new payments may be signed.
    pub fn is_active(&self) -> bool {
        Guard::SignWhileOpen.demands(self.standing == Standing::Active && self.chain.stage == Stage::Open)
    }

    /// Whether what is pending may still be brought to its end.
    pub fn may_sign(&self) -> bool {
        let may = matches!(self.standing, Standing::Active | Standing::Stopping) && self.chain.stage == Stage::Open;
        Guard::SignWhileOpen.demands(may)
    }

    /// The nonce of the batch that is being gathered.
    fn next_nonce(&self) -> Option<Nonce> {
        self.outgoing.nonce.next()
    }

    /// Adds an operation of the holder's to the batch that is being gathered.
    pub fn stage(&mut self, op: Op, tip: &Tip, registered: &BTreeMap<SecretHash, Registered>) -> Result<Change, Stuck> {
        let is_new = matches!(op, Op::Transfer { .. } | Op::Lock { .. });
        if Guard::InStep.refuses(!self.in_step) || !self.may_sign() || is_new && !self.is_active() {
            return Err(Stuck::Standing);
        }
        let hops = self.batch_hops + op.hops();
        if self.batch.len() >= MOST_OPS
            || hops > MOST_BATCH_HOPS
            || Guard::MostUnacked.refuses(self.unacked.len() >= MOST_UNACKED)
        {
            return Err(Stuck::Busy);
        }
        let nonce = self.next_nonce().ok_or(Stuck::Standing)?;
        let place = u16::try_from(self.batch.len()).map_err(|_| Stuck::Busy)?;
        let free = self.free(self.side);
        let judge = Judge {
            is_payer: true,
            tip,
            registered,
            other: &self.incoming.locks,
            disposed: &self.disposed,
            most_locks: self.domain.most_locks(),
            has_forgotten: false,
        };
        let change = self.outgoing.apply(nonce, place, op.clone(), free, &judge).map_err(Stuck::Fault)?;
        self.batch.push(op);
        self.batch_hops = hops;
        Ok(change)
    }

    /// Signs what was gathered. None if nothing was.
    pub fn seal(&mut self, signer: &Signer) -> Option<Update> {
        self.seal_committed(signer).map(|(update, _)| update)
    }

    /// The same, with what its proof says of pending locks.
    pub(crate) fn seal_committed(&mut self, signer: &Signer) -> Option<(Update, Commitment)> {
        if self.batch.is_empty() {
            return None;
        }
        let nonce = self.next_nonce()?;
        let ops = std::mem::take(&mut self.batch);
        self.batch_hops = 0;
        self.outgoing.nonce = nonce;
        let proof = self.proof(self.side)?;
        let signature = signer.sign(&proof.digest(&self.domain));
        self.outgoing.signature = Some(signature);
        let update = Update { of: self.of, payer: self.side, nonce, ops, signature };
        self.unacked.push_back(Unacked { nonce, bytes: update.to_bytes() });
        Some((update, proof.pending))
    }

    /// The latest balance proof of a payer, which its signature is of. None for locks that make no list, which are never taken.
    pub fn proof(&self, payer: Side) -> Option<BalanceProof> {
        let flow = if payer == self.side { &self.outgoing } else { &self.incoming };
        let pending = flow.commitment().ok()?;
        Some(BalanceProof { of: self.of, payer, nonce: flow.nonce, transferred: flow.transferred, pending })
    }

    /// Takes an update of the counterparty's, wholly or not at all.
    pub fn receive(
        &mut self,
        update: &Update,
        tip: &Tip,
        registered: &BTreeMap<SecretHash, Registered>,
    ) -> Result<Vec<Change>, Refusal> {
        let payer = self.side.other();
        if update.of != self.of || update.payer != payer {
            return Err(Refusal::Breach(Breach::Address));
        }
        if Guard::UpdateOnce.refuses(update.nonce <= self.incoming.nonce) {
            return Err(Refusal::Answer(self.incoming.nonce));
        }
        if Guard::UpdateInOrder.refuses(Some(update.nonce) != self.incoming.nonce.next()) && update.nonce > self.incoming.nonce {
            return Err(Refusal::Gap(self.incoming.nonce));
        }
        match self.standing {
            // Whoever has forgotten may still be told: what the counterparty signs is evidence, and nothing is signed for it.
            Standing::Active | Standing::Stopping | Standing::Behind => {}
            Standing::Granted(_) | Standing::Parting(_) if !Guard::UpdateWhileOpen.holds() => {}
            Standing::Granted(_) | Standing::Parting(_) => return Err(Refusal::Later(Wait::Close)),
        }
        if Guard::UpdateWhileOpen.refuses(self.chain.stage != Stage::Open) {
            return Err(Refusal::Later(Wait::Nothing));
        }
        if Guard::UpdateBounded.refuses(update.ops.is_empty() || update.ops.len() > MOST_OPS) {
            return Err(Refusal::Breach(Breach::Batch));
        }
        let before = self.incoming.mark();
        let mut changes = Vec::with_capacity(update.ops.len());
        match self.take_in(update, tip, registered, &mut changes) {
            Ok(()) => Ok(changes),
            Err(refusal) => {
                self.incoming.take_back(before, changes);
                Err(refusal)
            }
        }
    }

    fn take_in(
        &mut self,
        update: &Update,
        tip: &Tip,
        registered: &BTreeMap<SecretHash, Registered>,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        let (payer, has_forgotten) = (self.side.other(), self.is_behind());
        let most_locks = self.domain.most_locks();
        for (place, op) in (0u16..).zip(&update.ops) {
            let free = self.free(payer);
            let (other, disposed) = (&self.outgoing.locks, &self.disposed);
            let judge = Judge { is_payer: false, tip, registered, other, disposed, most_locks, has_forgotten };
            changes.push(self.incoming.apply(update.nonce, place, op.clone(), free, &judge).map_err(refusal)?);
        }
        self.incoming.nonce = update.nonce;
        let proof = self.proof(payer).ok_or(Refusal::Breach(Breach::Op(Fault::Word)))?;
        let signed = self.peer.verify(&proof.digest(&self.domain), &update.signature);
        if Guard::PayerSigned.refuses(signed.is_err()) {
            return Err(Refusal::Breach(Breach::Signature));
        }
        self.incoming.signature = Some(update.signature);
        Ok(())
    }

    /// The counterparty has all updates up to this one, durably. Returns those that it was not known to have.
    pub fn acknowledged(&mut self, nonce: Nonce) -> Vec<Unacked> {
        let count = self.unacked.iter().take_while(|sent| sent.nonce <= nonce).count();
        self.unacked.drain(..count).collect()
    }

    /// The holder signs away an incoming lock. The caller has made sure that no outgoing lock of its own hangs on it. Signing
    /// it again gives the same signature. None where it is not pending, its
    /// secret is known, too many were signed away, nonces were not compared yet, or this side's memory is old.
    pub fn dispose(&mut self, number: LockNo, signer: &Signer) -> Option<Signature> {
        let disposal = self.disposal(self.side.other(), number)?;
        let digest = disposal.digest(&self.domain);
        let may_sign = self.in_step && Guard::DisposeRemembered.demands(!self.is_behind());
        let held = self.incoming.lock_mut(number)?;
        match &held.state {
            LockState::Disposed(signature) => return Some(*signature),
            LockState::Known(_) => return None,
            LockState::Waiting => {}
        }
        if !may_sign || Guard::MostDisposed.refuses(self.disposed.len() >= MOST_DISPOSED) {
            return None;
        }
        let signature = signer.sign(&digest);
        held.state = LockState::Disposed(signature);
        self.disposed.insert(disposal.secret_hash);
        Some(signature)
    }

    /// The counterparty signs away a lock of the holder's. True if that is news.
    pub fn take_disposal(&mut self, number: LockNo, signature: &Signature) -> Result<bool, Breach> {
        // A lock that is gone was struck, paid or taken back already.
        let Some(disposal) = self.disposal(self.side, number) else { return Ok(false) };
        let signed = self.peer.verify(&disposal.digest(&self.domain), signature);
        if Guard::DisposalSigned.refuses(signed.is_err()) {
            return Err(Breach::Signature);
        }
        let Some(held) = self.outgoing.lock_mut(number) else { return Ok(false) };
        if matches!(held.state, LockState::Disposed(_)) {
            return Ok(false);
        }
        // Signed away counts even where the secret is known: the payee does not want the money.
        held.state = LockState::Disposed(*signature);
        self.disposed.insert(disposal.secret_hash);
        Ok(true)
    }

    /// The disposal of a pending lock.
    pub fn disposal(&self, payer: Side, number: LockNo) -> Option<Disposal> {
        let flow = if payer == self.side { &self.outgoing } else { &self.incoming };
        let lock = &flow.lock(number)?.lock;
        Some(Disposal { of: self.of, payer, number, secret_hash: lock.secret_hash })
    }

    /// Notes the secret of a pending lock. True if that is news. A lock that was signed away stays so; and where the holder's
    /// memory is old, it may have signed away any incoming one that it does not remember to have claimed.
    pub fn learn(&mut self, payer: Side, number: LockNo, secret: &Secret) -> bool {
        if Guard::ClaimRemembered.refuses(payer != self.side && self.is_behind()) {
            return false;
        }
        let flow = if payer == self.side { &mut self.outgoing } else { &mut self.incoming };
        let Some(held) = flow.lock_mut(number) else { return false };
        let is_free = match held.state {
            LockState::Waiting => true,
            LockState::Disposed(_) => !Guard::DisposalKept.holds(),
            LockState::Known(_) => false,
        };
        let is_news = is_free && held.lock.secret_hash == secret.hash();
        if is_news {
            held.state = LockState::Known(secret.clone());
        }
        is_news
    }

    /// An update of the holder's own that it does not remember: then its memory is old. True if that is so, and news.
    pub fn is_shown_ahead(&mut self, shown: &BalanceProof, signature: &Signature, holder: &KnownKey) -> bool {
        let is_ahead = shown.of == self.of
            && shown.payer == self.side
            && shown.nonce > self.outgoing.nonce
            && !self.is_behind()
            && holder.verify(&shown.digest(&self.domain), signature).is_ok();
        if is_ahead && Guard::ShownAhead.holds() {
            self.standing = Standing::Behind;
        }
        is_ahead
    }

    /// Pending locks of one payer.
    pub fn locks(&self, payer: Side) -> &VecDeque<Held> {
        if payer == self.side { &self.outgoing.locks } else { &self.incoming.locks }
    }
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Funds | Fault::NotEnded => Refusal::Later(Wait::Chain),
        Fault::Nothing
        | Fault::Word
        | Fault::Degenerate
        | Fault::HashInUse
        | Fault::HashDisposed
        | Fault::Full
        | Fault::NoLock
        | Fault::WrongSecret
        | Fault::InTime
        | Fault::NotDisposed => Refusal::Breach(Breach::Op(fault)),
    }
}
