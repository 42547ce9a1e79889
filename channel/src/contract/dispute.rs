//! What one side does alone: the close, and everything that is done to a closed channel.
//!
//! So that nobody can make an honest call stale, within the window only the *other*, who did not close, changes the state.

use super::list::{Record, Shown, Unlocked, chained};
use super::open::must_be_before;
use super::state::{Closed, Slot};
use super::{Contract, Done, Revert, Said, is_past};
use crate::chain::Moment;
use crate::key::{Both, ChannelKey, ChannelRef, Epoch, Side};
use crate::proof::{BalanceProof, Delegation};
use crate::sign::Signature;
use crate::units::Nonce;
use photon_chains::{Address, UnixTime};

/// What is done to a closed channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispute {
    /// The other shows a newer proof of its income.
    Update {
        /// The proof.
        shown: Shown,
        /// Who sends it.
        by: By,
    },
    /// The other unlocks locks of its income.
    Unlock {
        /// The list.
        records: Vec<Record>,
        /// Who sends it.
        by: By,
    },
    /// The closer unlocks locks of its income.
    UnlockLate {
        /// The list.
        records: Vec<Record>,
        /// Who sends it.
        by: By,
    },
    /// Locks go back to their payer.
    Release {
        /// Whose income they are of.
        of: Side,
        /// The list.
        records: Vec<Record>,
    },
    /// The payer of a lock that was disposed of, and unlocked all the same, gets all that is left.
    Punish {
        /// Who unlocked it.
        of: Side,
        /// The hash chain over what was unlocked before that call.
        before: [u8; 32],
        /// The list of that call, with the payee's disposal at that lock.
        records: Vec<Record>,
        /// The lists before and after each later call that unlocked.
        later: Vec<([u8; 32], [u8; 32])>,
    },
    /// What is decided is paid.
    Settle,
}

/// Who sends a call that is one side's to make.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// That side.
    Party,
    /// An account that the side has named.
    Delegate {
        /// The rights the delegation gives.
        rights: u8,
        /// Its last second.
        deadline: UnixTime,
        /// The side's signature.
        signature: Signature,
    },
}

impl Contract {
    /// The end by one side alone, with the newest promise of its counterparty. Some of that promise's locks may be unlocked in
    /// the same call; the closer can't do it again before the window is over.
    pub(super) fn close(
        &self,
        at: Moment,
        sender: Address,
        key: &ChannelKey,
        shown: &Shown,
        records: &[Record],
    ) -> Result<Done, Revert> {
        let open = self.open_slot(key)?;
        let closer = key.side_of(&sender).ok_or(Revert::NotOpen)?;
        let of = ChannelRef { channel: key.id(), epoch: open.epoch };
        let mut income = shown.income();
        let has_figures = shown.nonce != Nonce::NONE || !shown.transferred.is_zero() || !shown.pending.locked.is_zero();
        if has_figures && shown.nonce == Nonce::NONE {
            return Err(Revert::NotNewer);
        }
        if has_figures {
            self.must_be_proof(of, key, closer.other(), shown)?;
        } else if shown.pending.locks != [0; 32] {
            return Err(Revert::BadList);
        }
        let mut said = Vec::new();
        if !records.is_empty() {
            let unlocked = self.unlocked(at, records)?;
            if unlocked.list.before != shown.pending.locks {
                return Err(Revert::BadList);
            }
            income = unlocked.done_to(at, &income)?;
            said = unlocked.said;
        }
        let mut incomes = Both::default();
        *incomes.of_mut(closer) = income;
        let closed = Closed { epoch: open.epoch, closer, since: at, money: open, incomes };
        Ok(changed(closed, Said::Close(closer, open, income, said)))
    }

    /// Refuses a proof that its payer did not sign.
    fn must_be_proof(&self, of: ChannelRef, key: &ChannelKey, payer: Side, shown: &Shown) -> Result<(), Revert> {
        let proof = BalanceProof { of, payer, nonce: shown.nonce, transferred: shown.transferred, pending: shown.pending };
        self.must_be_signed(&proof, &shown.signature, key.parties().of(payer))
    }

    /// What is done to a closed channel by one who shows the state it is in.
    pub(super) fn dispute(
        &self,
        at: Moment,
        sender: Address,
        key: &ChannelKey,
        state: &Closed,
        what: &Dispute,
    ) -> Result<Done, Revert> {
        let of = ChannelRef { channel: key.id(), epoch: state.epoch };
        let other = state.closer.other();
        let is_over = is_past(state.since, at, key, self.block_secs);
        match what {
            Dispute::Update { shown, by } => {
                self.must_act_for(at, sender, key, other, Delegation::UPDATE, by)?;
                self.must_be_state(key, state)?;
                if is_over {
                    return Err(Revert::WindowOver);
                }
                if shown.nonce <= state.incomes.of(other).nonce {
                    return Err(Revert::NotNewer);
                }
                self.must_be_proof(of, key, state.closer, shown)?;
                // What was unlocked on the older proof no longer counts, and nothing is lost by it: a newer proof has paid for
                // such a lock, or still holds it.
                let mut closed = state.clone();
                *closed.incomes.of_mut(other) = shown.income();
                Ok(changed(closed, Said::Update(*shown)))
            }
            Dispute::Unlock { records, by } => {
                // A stranger's call shows another state, since the state holds the party; but its records are read first.
                let by_stranger = *by == By::Party && sender != *key.parties().of(other);
                if !by_stranger {
                    self.must_act_for(at, sender, key, other, Delegation::UNLOCK, by)?;
                }
                let unlocked = self.unlocked(at, records)?;
                self.must_be_state(key, state)?;
                if by_stranger || unlocked.list.before != state.incomes.of(other).list.locks {
                    return Err(Revert::NotThisState);
                }
                unlock(at, state, other, unlocked)
            }
            Dispute::UnlockLate { records, by } => {
                self.must_be_state(key, state)?;
                if !is_over {
                    return Err(Revert::WindowOpen);
                }
                let is_closer = sender == *key.parties().of(state.closer);
                match by {
                    By::Party if !is_closer => return Err(Revert::BadRights),
                    By::Delegate { .. } if !is_closer => {
                        self.must_act_for(at, sender, key, state.closer, Delegation::UNLOCK, by)?;
                    }
                    By::Party | By::Delegate { .. } => {}
                }
                let unlocked = self.unlocked(at, records)?;
                if unlocked.list.before != state.incomes.of(state.closer).list.locks {
                    return Err(Revert::BadList);
                }
                unlock(at, state, state.closer, unlocked)
            }
            Dispute::Release { of: payee, records } => {
                self.must_be_state(key, state)?;
                // Within the window only the other changes the state, or the closer could make all that the other sends stale.
                let is_others_turn = *payee == state.closer && key.side_of(&sender) == Some(other);
                if !is_over && !is_others_turn {
                    return Err(Revert::WindowOpen);
                }
                let account = key.parties().of(*payee);
                let (income, hashes) = self.released(at, of, payee.other(), account, state.incomes.of(*payee), records)?;
                let mut closed = state.clone();
                *closed.incomes.of_mut(*payee) = income;
                Ok(changed(closed, Said::Release(*payee, hashes)))
            }
            Dispute::Punish { of: payee, before, records, later } => {
                self.must_be_state(key, state)?;
                let account = key.parties().of(*payee);
                let (list, is_given_up) = self.given_up(of, payee.other(), account, records, |_| true)?;
                let link = |taken: [u8; 32], (before, after): &([u8; 32], [u8; 32])| chained(&taken, before, after);
                let taken = later.iter().fold(link(*before, &(list.before, list.after)), link);
                if !is_given_up || taken != state.incomes.of(*payee).list.taken {
                    return Err(Revert::NotTaken);
                }
                let left = state.money.holdings.total;
                let mut pays = Both::default();
                *pays.of_mut(payee.other()) = left;
                Ok(Done { slot: None, pays, said: Some(Said::Punishment(left)) })
            }
            Dispute::Settle => {
                self.must_be_state(key, state)?;
                if !is_over {
                    return Err(Revert::WindowOpen);
                }
                self.settle(at, key, state)
            }
        }
    }

    /// Only the hash of a state is kept: what has the same hash is the same, whatever it came from.
    fn must_be_state(&self, key: &ChannelKey, state: &Closed) -> Result<(), Revert> {
        match self.slot(&key.id()) {
            Some(Slot::Closed(closed)) if closed.word(key) == state.word(key) => Ok(()),
            Some(Slot::Closed(_) | Slot::Open(_)) | None => Err(Revert::NotThisState),
        }
    }

    /// Refuses a sender who is neither that side nor named by it.
    fn must_act_for(&self, at: Moment, sender: Address, key: &ChannelKey, side: Side, right: u8, by: &By) -> Result<(), Revert> {
        let party = key.parties().of(side);
        match by {
            // The hash of the state holds the party, so a stranger's call shows another state.
            By::Party if sender == *party => Ok(()),
            By::Party => Err(Revert::NotThisState),
            By::Delegate { rights, deadline, signature } => {
                if rights & right == 0 || *rights > (Delegation::UPDATE | Delegation::UNLOCK) {
                    return Err(Revert::BadRights);
                }
                must_be_before(at, *deadline)?;
                let epoch = self.slot(&key.id()).map_or(Epoch(0), Slot::epoch);
                let of = ChannelRef { channel: key.id(), epoch };
                let message = Delegation { of, delegate: sender, rights: *rights, deadline: *deadline };
                self.must_be_signed(&message, signature, party)
            }
        }
    }
}

fn unlock(at: Moment, state: &Closed, payee: Side, unlocked: Unlocked) -> Result<Done, Revert> {
    let mut closed = state.clone();
    *closed.incomes.of_mut(payee) = unlocked.done_to(at, state.incomes.of(payee))?;
    Ok(changed(closed, Said::Unlock(payee, unlocked.said)))
}

/// The channel stays, changed, and nothing is paid.
fn changed(closed: Closed, said: Said) -> Done {
    Done { slot: Some(Slot::Closed(Box::new(closed))), pays: Both::default(), said: Some(said) }
}
