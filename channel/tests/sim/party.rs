//! A party: its node, its disk, and its connections. Only what was committed survives a crash.

use photon_chains::SecretHash;
use photon_channel::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a party's disk holds.
#[derive(Default, Clone)]
pub struct Disk {
    pub live: BTreeMap<Key, Row>,
    pub history: BTreeMap<Key, Row>,
}

impl Disk {
    pub fn commit(&mut self, writes: &[Write]) {
        for Write { key, row } in writes {
            // What is read back is what was written.
            let again = row.as_ref().map(|row| Row::from_bytes(&row.to_bytes()).unwrap());
            assert_eq!(*row, again);
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
    /// Says nothing more after a while.
    GoesSilent,
}

pub struct Party {
    pub signer: Signer,
    pub node: Node,
    pub disk: Disk,
    pub watched: BTreeSet<SecretHash>,
    pub notices: Vec<Notice>,
    pub vice: Vice,
    /// Until when it is away.
    pub away_until: u64,
    pub crashes: u64,
}

impl Party {
    pub fn new(seed: u8, domain: Domain, policy: Policy) -> Self {
        let signer = Signer::new([seed; 32]).unwrap();
        Self {
            node: Node::new(signer.clone(), domain, policy),
            signer,
            disk: Disk::default(),
            watched: BTreeSet::new(),
            notices: Vec::new(),
            vice: Vice::Honest,
            away_until: 0,
            crashes: 0,
        }
    }

    /// Killed, and started again from its disk.
    pub fn restart(&mut self, domain: Domain, policy: Policy) {
        let rows = self.disk.live.iter().map(|(key, row)| (*key, row.clone()));
        self.node = Node::restore(self.signer.clone(), domain, policy, rows);
        self.watched.clear();
        self.crashes += 1;
    }

    /// What was restored is what runs: the disk holds all that the node knows of its channels and payments.
    pub fn check_disk(&self, domain: Domain, policy: Policy) {
        let rows = self.disk.live.iter().map(|(key, row)| (*key, row.clone()));
        let restored = Node::restore(self.signer.clone(), domain, policy, rows);
        let plain = |channel: &Channel| {
            let mut channel = channel.clone();
            channel.in_step = false;
            channel
        };
        let (live, again): (Vec<_>, Vec<_>) =
            (self.node.channels().map(plain).collect(), restored.channels().map(plain).collect());
        assert_eq!(live, again);
        for key in self.disk.live.keys() {
            match key {
                Key::Payment(id) => assert_eq!(self.node.payment(id), restored.payment(id)),
                Key::Request(hash) => assert_eq!(self.node.request(hash), restored.request(hash)),
                _ => {}
            }
        }
    }

    pub fn outcome(&self, id: &PaymentId) -> Option<&Outcome> {
        match self.disk.history.get(&Key::Outcome(*id))? {
            Row::Outcome(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// What came in for a payment: how often, and how much.
    pub fn received(&self, id: &PaymentId) -> (usize, u128) {
        let amounts: Vec<u128> = self
            .disk
            .history
            .values()
            .filter_map(|row| match row {
                Row::Received(payment, amount, _) if payment == id => Some(amount.get()),
                _ => None,
            })
            .collect();
        (amounts.len(), amounts.iter().sum())
    }

    pub fn received_in_all(&self) -> i128 {
        self.disk
            .history
            .values()
            .map(|row| match row {
                Row::Received(_, amount, _) => amount.signed(),
                _ => 0,
            })
            .sum()
    }
}
