//! Draws the next call: mostly one that could be taken, and a good part of them with something wrong.

use crate::book::{self, Promise};
use crate::world::{Tx, World};
use photon_chains::{Address, BlockHeight, UnixTime};
use photon_channel::contract::*;
use photon_channel::{
    BalanceProof, Both, ChannelKey, ChannelRef, Commitment, CooperativeClose, Delegation, Disposal, Epoch, Holdings, Moment,
    Nonce, Pending, Side, Signature, Signed, Units, Withdraw, is_in_time, is_open,
};

/// A signature of nothing.
pub fn no_signature() -> Signature {
    let mut bytes = [0; 65];
    bytes[64] = 27;
    Signature::from_bytes(bytes)
}

/// The state of a channel that was never closed, to show where there is none.
fn some_state(rng: &mut crate::rng::Rng, at: Moment) -> Closed {
    let open = Open { epoch: Epoch(7), withdrawals: 0, holdings: Holdings { total: Units::from(100), net_a: 60 } };
    let closer = rng.pick(&Side::BOTH);
    Closed { epoch: open.epoch, closer, since: at, money: open, incomes: Both::default() }
}

impl World<'_> {
    /// The next call on a channel.
    pub fn draw(&mut self) -> Tx {
        let key = self.rng.pick(&self.keys.clone());
        let slot = self.model.slot(&key.id()).cloned();
        // Some calls come at the wrong time.
        let stage = if self.rng.percent(4) {
            self.rng.between(0, 2)
        } else {
            u64::from(slot.is_some()) + u64::from(matches!(slot, Some(Slot::Closed(_))))
        };
        let state = match &slot {
            Some(Slot::Closed(state)) => (**state).clone(),
            Some(Slot::Open(_)) | None => some_state(&mut self.rng, self.now),
        };
        let pending = |side: Side| self.book.lists.get(&(key.id(), side)).is_some_and(|list| !list.is_empty());
        let (closers, others) = (pending(state.closer), pending(state.closer.other()));
        let unlocked = Side::BOTH.iter().any(|side| self.book.takes.contains_key(&(key.id(), *side)));
        // What has nothing to act on is drawn as well, but less often.
        let at_random = self.rng.percent(15);
        match (stage, self.rng.between(0, 99)) {
            (0, _) | (1, 0..=24) => self.deposit(key),
            (1, 25..=39) => self.withdraw(key),
            (1, 40..=45) => self.cooperative_close(key),
            (1, _) => self.close(key),
            (_, 0..=17) => self.update(key, state),
            (_, 18..=37) if others || at_random => self.unlock(key, state),
            (_, 38..=52) if closers || at_random => self.unlock_late(key, state),
            (_, 53..=69) if closers || others || at_random => self.release(key, state),
            (_, 70..=74) if unlocked || at_random => self.punish(key, state),
            (_, _) => {
                let sender = self.anyone();
                self.dispute(sender, key, state, Dispute::Settle)
            }
        }
    }

    fn anyone(&mut self) -> Address {
        self.rng.pick(&self.accounts.clone())
    }

    /// Whose turn it is, or now and then somebody else.
    fn mostly(&mut self, account: Address) -> Address {
        if self.rng.percent(4) { self.anyone() } else { account }
    }

    fn deposit(&mut self, key: ChannelKey) -> Tx {
        let of = self.rng.pick(&Side::BOTH);
        let payer = if self.rng.percent(70) { *key.parties().of(of) } else { self.anyone() };
        let amount = match self.rng.between(0, 99) {
            0..=89 => u128::from(self.rng.between(1, 400)),
            90..=92 => 0,
            93..=95 if key.token().is_none() => 1 << self.rng.pick(&[96, 97]),
            _ => self.rng.pick(&[(1 << 96) - 1, 1 << 95, (1 << 95) - 1, (1 << 95) - 400]),
        };
        Tx::new(payer, key, Call::Deposit { of, amount, brought: Brought::InFull })
    }

    /// A deadline, often one that ends now.
    fn deadline(&mut self) -> UnixTime {
        let now = self.now.time;
        match self.rng.between(0, 19) {
            0 => now.minus_secs(1),
            1..=4 => now,
            5 => now.plus_secs(1),
            _ => now.plus_secs(3600),
        }
    }

    /// The channel as a message names it: mostly as it is.
    fn named(&mut self, key: &ChannelKey) -> ChannelRef {
        let mut of = ChannelRef { channel: key.id(), epoch: self.model.slot(&key.id()).map_or(Epoch(1000), Slot::epoch) };
        match self.rng.between(0, 99) {
            0 => of.epoch.0 += 1,
            1 => of.epoch.0 -= 1,
            2 => of.channel = self.rng.pick(&self.keys.clone()).id(),
            _ => {}
        }
        of
    }

    /// Signed by a party, mostly; or not quite.
    fn signed<M: Signed>(&mut self, message: &M, by: &Address) -> Signature {
        let by = self.mostly(*by);
        let signer = self.stage.signers.iter().find(|signer| signer.address() == by).unwrap_or(&self.stage.signers[0]);
        let signature = signer.sign(&message.digest(&self.stage.domain));
        let mut bytes = *signature.as_bytes();
        match self.rng.between(0, 149) {
            0 => bytes[64] = 55 - bytes[64],
            1 => bytes[self.rng.between(0, 63) as usize] ^= 1,
            2 => return no_signature(),
            _ => return signature,
        }
        Signature::from_bytes(bytes)
    }

    /// A consent, and who sends the call.
    fn consent<M: Signed>(&mut self, key: &ChannelKey, message: &M) -> (Address, Consent) {
        let parties = *key.parties();
        if self.rng.percent(50) {
            let side = self.rng.pick(&Side::BOTH);
            let signature = self.signed(message, parties.of(side.other()));
            let sender = *parties.of(side);
            return (sender, Consent::Counterparty(signature));
        }
        let both = Both { a: self.signed(message, &parties.a), b: self.signed(message, &parties.b) };
        (self.anyone(), Consent::Both(both))
    }

    /// A call of a party's, sent by somebody else: then it names another channel, that of the sender and the peer.
    fn by_party(&mut self, sender: Address, key: ChannelKey, call: Call) -> Tx {
        let actual = self.mostly(sender);
        let Some(side) = key.side_of(&sender) else { return Tx::new(actual, key, call) };
        let peer = *key.parties().of(side.other());
        match ChannelKey::new(key.token(), actual, peer, key.window()) {
            Ok(key) => Tx::new(actual, key, call),
            Err(_) => Tx::new(sender, key, call),
        }
    }

    fn holdings(&self, key: &ChannelKey) -> Holdings {
        match self.model.slot(&key.id()) {
            Some(Slot::Open(open)) => open.holdings,
            Some(Slot::Closed(_)) | None => Holdings::default(),
        }
    }

    fn cooperative_close(&mut self, key: ChannelKey) -> Tx {
        let holdings = self.holdings(&key);
        let total = holdings.total.signed();
        let to_a = match self.rng.between(0, 9) {
            0 => -1,
            1 => total + 1,
            2 => 0,
            3 => total,
            _ => total * i128::from(self.rng.between(0, 8)) / 8,
        };
        let paid_to_a = Some(to_a - holdings.net_a).filter(|paid| paid.unsigned_abs() < 1 << 96).unwrap_or_default();
        let deadline = self.deadline();
        let message = CooperativeClose { of: self.named(&key), paid_to_a, deadline };
        let (sender, consent) = self.consent(&key, &message);
        let call = Call::CooperativeClose { paid_to_a, deadline, consent };
        if matches!(consent, Consent::Counterparty(_)) { self.by_party(sender, key, call) } else { Tx::new(sender, key, call) }
    }

    fn withdraw(&mut self, key: ChannelKey) -> Tx {
        let total = self.holdings(&key).total.get();
        let part = |of: u128, eighths: u64| of / 8 * u128::from(eighths);
        let (a, b) = match self.rng.between(0, 9) {
            0 => (0, 0),
            1 => (total, 1),
            2 => (total, 0),
            3 => (0, total),
            4 => (book::amount(&mut self.rng, 500), book::amount(&mut self.rng, 500)),
            _ => (part(total, self.rng.between(0, 4)), part(total, self.rng.between(0, 4))),
        };
        let fit = |amount: u128| Units::new(amount).unwrap_or(Units::MAX);
        let (amount_a, amount_b) = (fit(a), fit(b));
        let mut number = match self.model.slot(&key.id()) {
            Some(Slot::Open(open)) => open.withdrawals,
            Some(Slot::Closed(_)) | None => 0,
        };
        // One that was mined before, or is not yet to be mined.
        number = if self.rng.percent(3) { number ^ 1 } else { number };
        let deadline = self.deadline();
        let message = Withdraw { of: self.named(&key), number, amount_a, amount_b, deadline };
        let (sender, consent) = self.consent(&key, &message);
        let call = Call::Withdraw { amounts: Both { a: amount_a.get(), b: amount_b.get() }, deadline, consent };
        if matches!(consent, Consent::Counterparty(_)) { self.by_party(sender, key, call) } else { Tx::new(sender, key, call) }
    }

    /// A new promise, signed.
    pub fn promise(&mut self, key: &ChannelKey, payer: Side) {
        let epoch = self.model.slot(&key.id()).map_or(0, |slot| slot.epoch().0);
        let place = (key.id(), epoch, payer);
        let mut promise = self.book.next(&mut self.rng, place, self.now.time, self.now.block);
        let Shown { nonce, transferred, pending, .. } = promise.shown;
        let message = BalanceProof { of: self.named(key), payer, nonce, transferred, pending };
        promise.shown.signature = self.signed(&message, key.parties().of(payer));
        self.book.promises.entry(place).or_default().push(promise);
    }

    /// A promise that was made: often the last.
    fn promised(&mut self, key: &ChannelKey, payer: Side) -> Promise {
        let epoch = self.model.slot(&key.id()).map_or(0, |slot| slot.epoch().0);
        let place = (key.id(), epoch, payer);
        if !self.book.promises.contains_key(&place) || self.rng.percent(20) {
            self.promise(key, payer);
        }
        let all = &self.book.promises[&place];
        let which = if self.rng.percent(60) { all.len() as u64 - 1 } else { self.rng.between(0, all.len() as u64 - 1) };
        all[which as usize].clone()
    }

    fn close(&mut self, key: ChannelKey) -> Tx {
        let side = self.rng.pick(&Side::BOTH);
        let mut promise = self.promised(&key, side.other());
        match self.rng.between(0, 19) {
            0..=3 => {
                promise.locks.clear();
                promise.shown = Shown {
                    nonce: Nonce::NONE,
                    transferred: Units::ZERO,
                    pending: Commitment::default(),
                    signature: no_signature(),
                };
            }
            4 => promise.shown.nonce = Nonce::NONE,
            5 => promise.shown.transferred = promise.shown.transferred.saturating_sub(Units::from(1)),
            6 => {
                let shown = &mut promise.shown;
                (shown.nonce, shown.transferred, shown.pending.locked) = (Nonce::NONE, Units::ZERO, Units::ZERO);
            }
            _ => {}
        }
        let records = if self.rng.percent(45) { self.unlocking(&promise.locks) } else { Vec::new() };
        self.by_party(*key.parties().of(side), key, Call::Close { shown: promise.shown, records })
    }

    /// A state as it is, or with something changed.
    fn shown_state(&mut self, state: Closed) -> Closed {
        let mut shown = state;
        if self.rng.percent(94) {
            return shown;
        }
        let side = self.rng.pick(&Side::BOTH);
        let income = shown.incomes.of_mut(side);
        let one = Units::from(1);
        match self.rng.between(0, 9) {
            0 => income.locked = income.locked.checked_add(one).unwrap_or_default(),
            1 => income.transferred = income.transferred.checked_add(one).unwrap_or_default(),
            2 => income.nonce.0 += 1,
            3 => income.list.locks[31] ^= 1,
            4 => income.list.touched.unlocked = income.list.touched.unlocked.checked_add(one).unwrap_or_default(),
            5 => income.list.touched.last_unlock = None,
            6 => income.list.taken = [0; 32],
            7 => shown.since.time = shown.since.time.minus_secs(1),
            8 => shown.closer = shown.closer.other(),
            _ => {
                let total = &mut shown.money.holdings.total;
                *total = total.checked_add(one).unwrap_or_default();
            }
        }
        shown
    }

    fn dispute(&mut self, sender: Address, key: ChannelKey, state: Closed, what: Dispute) -> Tx {
        let truth = state.clone();
        let mut state = self.shown_state(state);
        if matches!(what, Dispute::Unlock { .. }) {
            // That call shows this list by its records alone.
            let other = state.closer.other();
            state.incomes.of_mut(other).list.locks = truth.incomes.of(other).list.locks;
        }
        Tx::new(sender, key, Call::Dispute(Box::new(state), what))
    }

    /// Who acts for a side, and by which right.
    fn actor(&mut self, key: &ChannelKey, side: Side, right: u8) -> (Address, By) {
        let party = *key.parties().of(side);
        if self.rng.percent(75) {
            return (self.mostly(party), By::Party);
        }
        let delegate = self.anyone();
        let rights = self.rng.pick(&[right, 3, 3, 3, 3 - right, 4 | right, 0]);
        let deadline = self.deadline();
        let message = Delegation { of: self.named(key), delegate, rights, deadline };
        let signature = self.signed(&message, &party);
        (self.mostly(delegate), By::Delegate { rights, deadline, signature })
    }

    fn update(&mut self, key: ChannelKey, state: Closed) -> Tx {
        let mut shown = self.promised(&key, state.closer).shown;
        if self.rng.percent(3) {
            shown.nonce.0 = u64::MAX;
        }
        let (sender, by) = self.actor(&key, state.closer.other(), Delegation::UPDATE);
        self.dispute(sender, key, state, Dispute::Update { shown, by })
    }

    fn list(&self, key: &ChannelKey, payee: Side) -> Vec<Pending> {
        self.book.lists.get(&(key.id(), payee)).cloned().unwrap_or_default()
    }

    fn unlock(&mut self, key: ChannelKey, state: Closed) -> Tx {
        let payee = state.closer.other();
        let records = self.unlocking(&self.list(&key, payee));
        let (sender, by) = self.actor(&key, payee, Delegation::UNLOCK);
        self.dispute(sender, key, state, Dispute::Unlock { records, by })
    }

    fn unlock_late(&mut self, key: ChannelKey, state: Closed) -> Tx {
        let records = self.unlocking(&self.list(&key, state.closer));
        let (sender, by) = self.actor(&key, state.closer, Delegation::UNLOCK);
        self.dispute(sender, key, state, Dispute::UnlockLate { records, by })
    }

    fn is_in_time(&self, lock: &Pending) -> bool {
        self.model.registered(&lock.secret_hash).is_some_and(|at| is_in_time(&lock.expiry, &at))
    }

    /// Records that unlock what can be unlocked, most of it.
    fn unlocking(&mut self, locks: &[Pending]) -> Vec<Record> {
        let mut records = Vec::new();
        for lock in locks {
            let secret = book::secrets().into_iter().find(|secret| secret.hash() == lock.secret_hash);
            let (inline, known) = (!lock.expiry.linked && is_in_time(&lock.expiry, &self.now), self.is_in_time(lock));
            let take = self.rng.percent(if inline || known { 75 } else { 7 });
            let by_secret = if inline && known { self.rng.percent(50) } else { inline ^ self.rng.percent(3) };
            records.push(Record { lock: *lock, take, secret: secret.filter(|_| take && by_secret), disposal: None });
        }
        self.spoil(&mut records);
        records
    }

    fn release(&mut self, key: ChannelKey, state: Closed) -> Tx {
        let payee = if self.rng.percent(60) { state.closer } else { state.closer.other() };
        let mut records = Vec::new();
        for lock in self.list(&key, payee) {
            let opened = is_open(&lock.expiry, &self.now) && !self.is_in_time(&lock);
            let by_word = if opened { self.rng.percent(90) } else { self.rng.percent(5) };
            let disposed = !by_word && self.rng.percent(40);
            let disposal = disposed.then(|| {
                let of = self.named(&key);
                let message = Disposal { of, payer: payee.other(), number: lock.number, secret_hash: lock.secret_hash };
                self.signed(&message, key.parties().of(payee))
            });
            records.push(Record { lock, take: by_word || disposed, secret: None, disposal });
        }
        self.spoil(&mut records);
        let other = *key.parties().of(state.closer.other());
        let sender = if self.rng.percent(60) { other } else { self.anyone() };
        self.dispute(sender, key, state, Dispute::Release { of: payee, records })
    }

    /// Now and then, records that are not the list.
    fn spoil(&mut self, records: &mut Vec<Record>) {
        if self.rng.percent(7) {
            self.spoil_one(records);
        }
    }

    fn spoil_one(&mut self, records: &mut Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let which = self.rng.between(0, records.len() as u64 - 1) as usize;
        let one = Units::from(1);
        match self.rng.between(0, 6) {
            0 => drop(records.remove(which)),
            1 => records.insert(which, records[which].clone()),
            2 => records[which].lock.amount = records[which].lock.amount.checked_add(one).unwrap_or_default(),
            3 => records[which].lock.number.0 += 1,
            4 => records.iter_mut().for_each(|record| (record.take, record.disposal, record.secret) = (false, None, None)),
            5 => records.reverse(),
            _ => records[which].lock.expiry.opens_block = BlockHeight::new(1),
        }
    }

    fn punish(&mut self, key: ChannelKey, state: Closed) -> Tx {
        let ever = Side::BOTH.into_iter().find(|side| self.book.takes.contains_key(&(key.id(), *side)));
        let payee = ever.filter(|_| self.rng.percent(95)).unwrap_or(state.closer);
        let takes = self.book.takes.get(&(key.id(), payee)).cloned().unwrap_or_default();
        let place = self.rng.between(0, takes.len().saturating_sub(1) as u64) as usize;
        let (mut before, mut records) = takes.get(place).map_or(([0; 32], Vec::new()), |take| (take.taken, take.records.clone()));
        let mut later: Vec<_> = takes.iter().skip(place + 1).map(|take| take.lists).collect();
        match self.rng.between(0, 29) {
            0 => before[31] ^= 1,
            1 => drop(later.pop()),
            2 => later.push(([0; 32], [0; 32])),
            3 => self.spoil_one(&mut records),
            _ => {}
        }
        let taken: Vec<usize> = (0..records.len()).filter(|place| records[*place].take).collect();
        if !taken.is_empty() && self.rng.percent(90) {
            let record = &mut records[self.rng.pick(&taken)];
            let lock = record.lock;
            let of = self.named(&key);
            let message = Disposal { of, payer: payee.other(), number: lock.number, secret_hash: lock.secret_hash };
            record.disposal = Some(self.signed(&message, key.parties().of(payee)));
        }
        let sender = self.anyone();
        self.dispute(sender, key, state, Dispute::Punish { of: payee, before, records, later })
    }
}
