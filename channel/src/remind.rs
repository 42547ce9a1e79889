//! What neighbours show to one that has forgotten: after a crash of its disk, or with an old copy of its database put back.
//!
//! A channel has two promises, and each side holds the other's newest. So the first words after a connection show a gap, in
//! either direction: whoever sees that its counterparty knows less than it once had reminds it of both ([`Testimony`]). What the
//! forgetful side makes of it:
//!
//! - Its *own* later promise it can't go on from. It may have promised more, have signed away locks or a close that nobody shows.
//! - The *counterparty's* later promise is good evidence whoever kept it: it is the counterparty's signature. It is taken if it
//!   says no less than what is remembered.
//! - From then on the channel is [`Standing::Behind`]: no update is signed, no lock is signed away. What ends it is a close that
//!   both sign, of what was shown; or a close alone with the best promise that is held.
//! - A pending lock of the counterparty's that is not remembered as claimed is never unlocked on chain. It may have been signed
//!   away, and unlocking it would forfeit everything. An honest payer pays it off chain, or strikes it.
//! - A lock that is known to have ended comes back in no later word. A payment that waited for its turn may have been made: it
//!   waits for what is shown.
//!
//! That only updates of the *counterparty's* were forgotten nothing proves but its word. It is believed only where none of its locks
//! is pending: a lie then costs nothing but the channel, and else would talk a mediator out of a lock that it has to claim.
//!
//! What a counterparty does not show can't be known: its own latest promise, unless a backup has it. Whatever it does, it can
//! take no more than what it was promised once.

use crate::chain::{Registered, Tip};
use crate::channel::{Channel, Standing};
use crate::codec::{Malformed, Reader, Wire, put_list};
use crate::counterparty::Counterparty;
use crate::flow::{Flow, Held, Judge, Link, LockState};
use crate::guard::Guard;
use crate::key::Side;
use crate::lock::{Commitment, LockNo, MOST_LOCKS, Pending};
use crate::message::SignedProof;
use crate::proof::Signed;
use crate::sign::KnownKey;
use crate::units::{Nonce, Units};
use photon_chains::SecretHash;
use std::collections::BTreeMap;

/// A promise, with the list of locks that it commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// The proof, signed by its payer.
    pub proof: SignedProof,
    /// Its pending locks, in rising order.
    pub locks: Vec<Pending>,
}

impl Wire for Testimony {
    fn put(&self, out: &mut Vec<u8>) {
        self.proof.put(out);
        put_list(&self.locks, out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { proof: Wire::get(from)?, locks: from.list(MOST_LOCKS)? })
    }
}

/// What became of one direction: locks that are not pending any more, and those that nobody remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// As they were remembered.
    pub gone: Vec<Held>,
    /// By their names.
    pub added: Vec<LockNo>,
    /// How much more was paid since, in all.
    pub paid: Units,
}

/// What was made of a counterparty's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reminded {
    /// The holder did not know yet that its memory is old.
    pub is_news: bool,
    /// Its own later promise.
    pub outgoing: Option<Replaced>,
    /// The counterparty's.
    pub incoming: Option<Replaced>,
}

impl Channel {
    /// The last update that the counterparty is known to have had.
    pub(crate) fn sure(&self) -> Nonce {
        self.unacked.front().map_or(self.outgoing.nonce, |first| Nonce(first.nonce.0.saturating_sub(1)))
    }

    /// The newest promise of a payer. None where there is none, or a later one is being made.
    pub(crate) fn testimony(&self, payer: Side) -> Option<Testimony> {
        let flow = if payer == self.side { &self.outgoing } else { &self.incoming };
        let signature = flow.signature.filter(|_| payer != self.side || self.batch.is_empty())?;
        let proof = SignedProof { proof: self.proof(payer)?, signature };
        Some(Testimony { proof, locks: flow.locks.iter().map(|held| held.lock).collect() })
    }

    /// Whether a testimony is that payer's, of this channel, and whole.
    fn is_good(&self, shown: &Testimony, payer: Side, signer: &Counterparty) -> bool {
        let SignedProof { proof, signature } = &shown.proof;
        let is_signed =
            || Commitment::of(&shown.locks) == Ok(proof.pending) && signer.verify(&proof.digest(&self.domain), signature).is_ok();
        proof.of == self.of && proof.payer == payer && (!Guard::Testified.holds() || is_signed())
    }

    /// Takes what the counterparty shows, if it is later than what the holder remembers. `sure`: the holder once said that it
    /// had the counterparty's updates up to this one. None: nothing was forgotten, or a close that ends all of it is signed.
    pub fn reminded(
        &mut self,
        sure: Nonce,
        theirs: Option<&Testimony>,
        own: Option<&Testimony>,
        holder: &KnownKey,
        tip: &Tip,
        registered: &BTreeMap<SecretHash, Registered>,
    ) -> Option<Reminded> {
        if matches!(self.standing, Standing::Parting(_)) {
            return None;
        }
        let own = own.filter(|shown| shown.goes_on_from(&self.outgoing) && self.is_good(shown, self.side, &(*holder).into()));
        let theirs =
            theirs.filter(|shown| shown.goes_on_from(&self.incoming) && self.is_good(shown, self.side.other(), &self.peer));
        // An update that is merely under way was never acknowledged: without it nothing was forgotten. That it was acknowledged only
        // the counterparty says: it is believed where no lock is pending that the holder would not claim any more.
        let is_said = sure > self.incoming.nonce && theirs.is_some_and(|shown| shown.proof.proof.nonce >= sure);
        let has_forgotten = is_said && Guard::SaidAhead.demands(self.incoming.locks.is_empty());
        if !self.is_behind() && own.is_none() && !has_forgotten {
            return None;
        }
        let is_news = !self.is_behind() && Guard::ShownAhead.holds();
        if is_news {
            self.standing = Standing::Behind;
        }
        let theirs = theirs.filter(|shown| Guard::NoLess.demands(self.is_no_less(shown, tip, registered)));
        let incoming = theirs.map(|shown| shown.flow_after(&self.incoming)).map(|later| replace(&mut self.incoming, later));
        let outgoing = own.map(|shown| shown.flow_after(&self.outgoing)).map(|later| replace(&mut self.outgoing, later));
        (is_news || incoming.is_some() || outgoing.is_some()).then_some(Reminded { is_news, outgoing, incoming })
    }

    /// Takes what a backup has of it, where that is later than what the holder remembers. None where it is not: a backup that is
    /// kept up never is.
    pub(crate) fn remember(&mut self, backup: Channel) -> Option<Reminded> {
        let is_later = |kept: &Flow, now: &Flow| {
            let has_gone_on = |held: &Held| {
                let now = now.lock(held.lock.number).map(|held| &held.state);
                matches!(
                    (&held.state, now),
                    (LockState::Known(_) | LockState::Disposed(_), Some(LockState::Waiting))
                        | (LockState::Disposed(_), Some(LockState::Known(_)))
                )
            };
            kept.nonce > now.nonce || kept.nonce == now.nonce && kept.locks.iter().any(has_gone_on)
        };
        let (incoming, outgoing) = (is_later(&backup.incoming, &self.incoming), is_later(&backup.outgoing, &self.outgoing));
        if backup.of != self.of || !incoming && !outgoing {
            return None;
        }
        let is_news = !self.is_behind() && Guard::KnownOld.holds();
        if is_news {
            self.standing = Standing::Behind;
        }
        if self.peer.key().is_none() {
            self.peer = backup.peer;
        }
        self.disposed.extend(&backup.disposed);
        let incoming = incoming.then(|| replace(&mut self.incoming, backup.incoming));
        let outgoing = outgoing.then(|| {
            self.unacked = backup.unacked;
            replace(&mut self.outgoing, backup.outgoing)
        });
        Some(Reminded { is_news, outgoing, incoming })
    }

    /// Whether a later promise of the counterparty's gives the holder all that it remembers: what was paid, and each lock that it
    /// has claimed and that has not ended, paid or still pending. A list that no call could unlock gives nothing.
    fn is_no_less(&self, shown: &Testimony, tip: &Tip, registered: &BTreeMap<SecretHash, Registered>) -> bool {
        let (other, disposed) = (&self.outgoing.locks, &self.disposed);
        let most_locks = self.domain.most_locks();
        let judge = Judge { is_payer: false, tip, registered, other, disposed, most_locks, has_forgotten: true };
        let claimed = self.incoming.locks.iter().filter(|held| {
            matches!(held.state, LockState::Known(_)) && !shown.locks.contains(&held.lock) && judge.has_ended(&held.lock).is_err()
        });
        let least = claimed.fold(self.incoming.transferred.get(), |sum, held| sum.saturating_add(held.lock.amount.get()));
        shown.locks.len() <= most_locks && shown.proof.proof.transferred.get() >= least
    }
}

impl Testimony {
    /// Whether it can be what came of a direction since. A lock that has ended meanwhile does not come back: that it has is in
    /// the history, which says so once.
    fn goes_on_from(&self, flow: &Flow) -> bool {
        let is_left = |lock: &Pending| flow.lock(lock.number).is_some_and(|held| held.lock == *lock);
        let can_be = self.locks.iter().all(|lock| lock.number.nonce() > flow.nonce || is_left(lock));
        self.proof.proof.nonce > flow.nonce && Guard::EndedOnce.demands(can_be)
    }

    /// The direction that it speaks of; of the locks that it names, what is remembered stays.
    fn flow_after(&self, before: &Flow) -> Flow {
        let SignedProof { proof, signature } = &self.proof;
        let held = |lock: &Pending| {
            let known = before.locks.iter().find(|held| held.lock == *lock).cloned();
            known.unwrap_or(Held { lock: *lock, state: LockState::Waiting, link: Link::Forgotten })
        };
        Flow {
            nonce: proof.nonce,
            transferred: proof.transferred,
            locks: self.locks.iter().map(held).collect(),
            locked: proof.pending.locked,
            signature: Some(*signature),
        }
    }
}

/// A later state of a direction in the place of the one that is remembered.
fn replace(flow: &mut Flow, later: Flow) -> Replaced {
    let paid = later.transferred.saturating_sub(flow.transferred);
    let before = std::mem::replace(flow, later);
    let is_in = |flow: &Flow, held: &Held| flow.lock(held.lock.number).is_some_and(|other| other.lock == held.lock);
    let added = flow.locks.iter().filter(|held| !is_in(&before, held)).map(|held| held.lock.number).collect();
    Replaced { gone: before.locks.into_iter().filter(|held| !is_in(flow, held)).collect(), added, paid }
}
