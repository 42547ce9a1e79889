//! A party: its node, its disk, and its connections. Only what was committed survives a crash.

use crate::chain::{BLOCK_SECS, Fight, domain};
use crate::forget::Memory;
use crate::world::DEPOSIT;
use photon_chains::{Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Closed};
use photon_channel::*;
use std::collections::{BTreeMap, BTreeSet};

/// The longest outage that was promised.
pub const AWAY_SECS: u64 = 200;

pub const POLICY: Policy = Policy {
    fee_base: Units::ZERO,
    fee_ppm: 10_000,
    hop_slack_secs: 900,
    // Away, mined in a spike, undone once and mined again, at depth.
    reveal_margin_secs: 720,
    halt_secs: 0,
    longest_lock_secs: 20_000,
    most_locks: 100,
    most_pending: Units::MAX,
    expire_patience_secs: 60,
    consent_secs: 600,
    resend_secs: 60,
    return_secs: 60,
};

/// The most that each of them takes while the chain is out of its sight, where that happens.
pub const LIMIT: u64 = DEPOSIT / 25;

/// What a party's disk holds.
#[derive(Default, Clone)]
pub struct Disk {
    pub live: BTreeMap<Key, Row>,
    pub history: BTreeMap<Key, Row>,
}

impl Disk {
    pub fn commit(&mut self, writes: &[Write], is_checked: bool) {
        for Write { key, row } in writes {
            if is_checked {
                // What is read back is what was written.
                let again = row.as_ref().map(|row| Row::from_bytes(&row.to_bytes()).unwrap());
                assert_eq!(*row, again);
            }
            if key.is_live() {
                match row {
                    Some(row) => self.live.insert(*key, row.clone()),
                    None => self.live.remove(key),
                };
            } else {
                let row = row.clone().expect("history is never deleted");
                let before = self.history.insert(*key, row.clone());
                assert!(before.is_none_or(|before| before == row), "history is never changed: {key:?}");
            }
        }
    }

    /// The locks that an update committed to, from the rows alone: those still pending, and those taken off later.
    pub fn list_at(&self, of: ChannelRef, incoming: bool, nonce: Nonce) -> Vec<Pending> {
        let was_there = |held: &Held| held.lock.number.nonce() <= nonce;
        let first = |key: fn(ChannelRef, bool, LockNo) -> Key| key(of, incoming, LockNo(0))..=key(of, incoming, LockNo(u64::MAX));
        let pending = self.live.range(first(Key::Lock)).filter_map(|(_, row)| match row {
            Row::Lock(held) if was_there(held) => Some(held.lock),
            _ => None,
        });
        let gone = self.history.range(first(Key::Gone)).filter_map(|(_, row)| match row {
            Row::Gone(held, by) if was_there(held) && *by > nonce => Some(held.lock),
            _ => None,
        });
        let mut list: Vec<Pending> = pending.chain(gone).collect();
        list.sort_by_key(|lock| lock.number);
        list
    }

    /// Every disposal of the counterparty's.
    fn disposals(&self, of: ChannelRef) -> BTreeMap<LockNo, Signature> {
        let first = |key: fn(ChannelRef, bool, LockNo) -> Key| key(of, false, LockNo(0))..=key(of, false, LockNo(u64::MAX));
        let pending = self.live.range(first(Key::Lock));
        let signature = |row: &Row| match row {
            Row::Lock(held) | Row::Gone(held, _) => match &held.state {
                LockState::Disposed(signature) => Some((held.lock.number, *signature)),
                LockState::Waiting | LockState::Known(_) => None,
            },
            _ => None,
        };
        pending.chain(self.history.range(first(Key::Gone))).filter_map(|(_, row)| signature(row)).collect()
    }
}

/// What Mallory does not do, or does otherwise.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Vice {
    /// None: an honest party.
    Honest,
    /// Never pays a lock whose secret it was shown.
    NeverUnlocks,
    /// Keeps secrets to itself until shortly before the end, and shows them then.
    RevealsLate,
    /// Never shows a secret to its payer, but registers it at the last moment.
    RegistersLast,
    /// Never shows a secret to its payer, but closes and unlocks with it at the last moment.
    UnlocksLast,
    /// Says nothing more after a while.
    GoesSilent,
    /// Closes with any old word, and unlocks all that it knows a secret for, signed away or not.
    ClosesOld,
    /// Sends on less than it was asked to, and keeps the rest.
    Skims,
    /// Sends what its own core would not make: wrong signatures, money that is not there, locks taken back too early.
    Forges,
    /// Shows nothing of what it holds to one that has forgotten.
    Hides,
    /// Reminds its neighbours of what never was, or is not any more.
    Misreminds,
    /// Closes with an old word while its neighbour does not see the chain, and goes on paying it.
    ClosesUnseen,
}

pub const VICES: [Vice; 8] = [
    Vice::NeverUnlocks,
    Vice::RevealsLate,
    Vice::RegistersLast,
    Vice::UnlocksLast,
    Vice::GoesSilent,
    Vice::ClosesOld,
    Vice::Skims,
    Vice::Forges,
];

/// What Mallory does where others forget.
pub const TO_THE_FORGETFUL: [Vice; 5] = [Vice::Hides, Vice::Misreminds, Vice::ClosesOld, Vice::GoesSilent, Vice::NeverUnlocks];

/// What she does where others do not see the chain.
pub const TO_THE_BLIND: [Vice; 5] =
    [Vice::ClosesUnseen, Vice::ClosesOld, Vice::RegistersLast, Vice::UnlocksLast, Vice::NeverUnlocks];

impl Vice {
    pub fn keeps_unlocks(self) -> bool {
        matches!(self, Vice::NeverUnlocks | Vice::Misreminds)
    }

    pub fn keeps_secrets(self) -> bool {
        matches!(self, Vice::RevealsLate | Vice::RegistersLast | Vice::UnlocksLast)
    }
}

pub struct Party {
    pub signer: Signer,
    pub node: Node,
    pub disk: Disk,
    pub watched: BTreeSet<SecretHash>,
    /// What its node was told of the registry.
    pub told: BTreeMap<SecretHash, (Moment, bool)>,
    pub notices: Vec<Notice>,
    pub vice: Vice,
    /// Until when it is away.
    pub away_until: u64,
    pub crashes: u64,
    /// Channels that it has decided to close alone, which is durable.
    pub closing: BTreeSet<ChannelRef>,
    /// What its disk has lost, and what is left elsewhere.
    pub memory: Memory,
    pub sight: Eyes,
}

/// Whether a party sees the chain.
#[derive(Default)]
pub struct Eyes {
    /// Whether the story has anybody lose sight of it.
    pub may_fail: bool,
    /// Until when it does not.
    pub dark_until: u64,
    /// When it saw it last.
    pub seen_at: u64,
    /// What came in since, as its disk says.
    pub unseen: u128,
}

impl Party {
    pub fn new(seed: u8) -> Self {
        let signer = Signer::new([seed; 32]).unwrap();
        Self {
            node: Node::new(signer.clone(), domain(), POLICY),
            signer,
            disk: Disk::default(),
            watched: BTreeSet::new(),
            told: BTreeMap::new(),
            notices: Vec::new(),
            vice: Vice::Honest,
            away_until: 0,
            crashes: 0,
            closing: BTreeSet::new(),
            memory: Memory::default(),
            sight: Eyes::default(),
        }
    }

    pub fn is_honest(&self) -> bool {
        self.vice == Vice::Honest
    }

    pub fn restored(&self) -> Node {
        let rows = self.disk.live.iter().map(|(key, row)| (*key, row.clone()));
        let limit = if self.sight.may_fail { LIMIT } else { 0 };
        Node::restore(self.signer.clone(), domain(), POLICY, rows).with_unseen_limits([(None, Units::from(limit))].into())
    }

    /// Killed, and started again from its disk.
    pub fn restart(&mut self) {
        self.node = self.restored();
        if self.sight.may_fail {
            self.node.take(Event::Sight(Sight::Awaited));
        }
        self.memory.begin(&mut self.node);
        self.watched.clear();
        self.told.clear();
        self.crashes += 1;
    }

    /// What was restored is what runs: the disk holds all that the node knows of its channels and payments.
    pub fn check_disk(&self) {
        let restored = self.restored();
        let plain = |channel: &Channel| {
            let mut channel = channel.clone();
            channel.in_step = false;
            channel
        };
        let (live, again): (Vec<_>, Vec<_>) =
            (self.node.channels().map(plain).collect(), restored.channels().map(plain).collect());
        assert_eq!(live, again);
        // Of a payment that an update carries, that update tells all that still matters.
        let brief = |node: &Node| -> Vec<_> {
            let all = node.payments();
            all.map(|(id, it)| (*id, it.order.payee, it.order.amount, it.order.tie.clone(), it.progress.clone())).collect()
        };
        assert_eq!(brief(&self.node), brief(&restored));
        for key in self.disk.live.keys() {
            match key {
                Key::Payment(id) => assert_eq!(self.node.payment(id), restored.payment(id)),
                Key::Request(hash) => assert_eq!(self.node.request(hash), restored.request(hash)),
                _ => {}
            }
        }
    }

    /// What became of a payment, as it was said last.
    pub fn outcome(&self, id: &PaymentId) -> Option<&Outcome> {
        let key = Key::Outcome(*id);
        match self.disk.history.get(&key).or_else(|| self.memory.past.get(&key))? {
            Row::Outcome(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// All that its disk ever held for good.
    pub fn history(&self) -> impl Iterator<Item = (&Key, &Row)> {
        let lost = self.memory.past.iter().filter(|(key, _)| !self.disk.history.contains_key(*key));
        self.disk.history.iter().chain(lost)
    }

    /// What came in for a payment: how often, and how much. What is on no disk any more may be told a second time.
    pub fn received(&self, id: &PaymentId) -> (usize, u128) {
        let count = |rows: &BTreeMap<Key, Row>| {
            let amounts = rows.values().filter_map(|row| match row {
                Row::Received(payment, amount, _) if payment == id => Some(amount.get()),
                _ => None,
            });
            amounts.fold((0, 0, 0), |(count, sum, most), amount| (count + 1, sum + amount, amount.max(most)))
        };
        match (count(&self.disk.history), count(&self.memory.past)) {
            ((0, ..), (0, ..)) => (0, 0),
            ((0, ..), (_, _, most)) => (1, most),
            ((count, sum, _), _) => (count, sum),
        }
    }

    /// The call that its core names for a closed channel.
    pub fn next_call(
        &self,
        channel: &Channel,
        state: &Closed,
        fight: &Fight,
        entries: &BTreeMap<SecretHash, Moment>,
        at: (Moment, Moment),
    ) -> Option<Call> {
        let of = channel.of;
        let mut pending = Both::default();
        for payee in Side::BOTH {
            let mut list = self.disk.list_at(of, payee == channel.side, *fight.nonces.of(payee));
            list.retain(|lock| !fight.off.of(payee).contains(&lock.number));
            *pending.of_mut(payee) = list;
        }
        let closing = Closing {
            channel,
            state,
            pending: &pending,
            unlocked: &fight.unlocked,
            disposals: &self.disk.disposals(of),
            registered: entries,
            now: at.0,
            deep: at.1,
            block_secs: BLOCK_SECS,
        };
        closing.next_call()
    }

    /// Secrets of its income in that channel that it knows.
    pub fn known(channel: &Channel) -> impl Iterator<Item = (&Held, &Secret)> {
        channel.incoming.locks.iter().filter_map(|held| match &held.state {
            LockState::Known(secret) => Some((held, secret)),
            LockState::Waiting | LockState::Disposed(_) => None,
        })
    }

    /// Whether it has a lock to be used before that time, and knows its secret.
    pub fn is_due(channel: &Channel, before: UnixTime) -> bool {
        Self::known(channel).any(|(held, _)| end_of(&held.lock.expiry) <= before)
    }
}
