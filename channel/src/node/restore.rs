//! A node taken up again from its rows.

use crate::channel::Unacked;
use crate::eip712::Domain;
use crate::flow::Link;
use crate::message::Reason;
use crate::node::rows::{Key, Progress, Row};
use crate::node::words::{Effect, Policy};
use crate::node::{Node, Place, Queued};
use crate::sign::Signer;
use photon_chains::UnixTime;

impl Node {
    /// A node as its live rows ([`Key::is_live`]) say, in any order. Its first step watches every hash again. Rows that fit
    /// nothing are left out: they can only be another account's.
    pub fn restore(signer: Signer, domain: Domain, policy: Policy, rows: impl IntoIterator<Item = (Key, Row)>) -> Self {
        let mut node = Self::new(signer, domain, policy);
        let holder = node.signer.known();
        let mut lists = Vec::new();
        for (key, row) in rows {
            match (key, row) {
                (Key::Channel(of), Row::Channel(row)) => {
                    if let Some(channel) = row.restore(of, &holder, domain) {
                        node.add_channel(channel);
                    }
                }
                (Key::Payment(id), Row::Payment(payment)) => {
                    node.payments.insert(id, *payment);
                    node.written.insert(id);
                }
                (Key::Request(hash), Row::Request(expected)) => {
                    node.expected.insert(hash, *expected);
                }
                other => lists.push(other),
            }
        }
        for (key, row) in lists {
            node.restore_list(key, row);
        }
        node.restore_carried();
        node.requeue();
        node
    }

    fn restore_list(&mut self, key: Key, row: Row) {
        match (key, row) {
            (Key::Lock(of, incoming, number), Row::Lock(held)) => {
                let Some(channel) = self.channels.get_mut(&of.channel).filter(|channel| channel.of == of) else { return };
                let held = *held;
                channel.put_lock(incoming, held.clone());
                if let Link::Payment(id) = held.link
                    && let Some(payment) = self.payments.get_mut(&id)
                    && payment.attempt == 0
                {
                    payment.progress = Progress::Locked(of, number);
                }
                self.index(Place { channel: of.channel, incoming, number }, &held);
            }
            (Key::Unacked(of, nonce), Row::Unacked(bytes)) => {
                if let Some(channel) = self.channels.get_mut(&of.channel).filter(|channel| channel.of == of) {
                    channel.put_unacked(Unacked { nonce, bytes });
                    self.sent_at.insert(of.channel, UnixTime::default());
                }
            }
            (Key::Disposed(of, hash), Row::Disposed) => {
                if let Some(channel) = self.channels.get_mut(&of.channel).filter(|channel| channel.of == of) {
                    channel.disposed.insert(hash);
                }
            }
            (Key::Unseen(of), Row::Unseen(unseen)) => {
                if self.channels.get(&of.channel).is_some_and(|channel| channel.of == of) {
                    self.watch.restore(of.channel, unseen);
                }
            }
            (_, _) => {}
        }
    }

    /// What waits is found in the rows again.
    fn requeue(&mut self) {
        for (id, payment) in &self.payments {
            if payment.progress == Progress::Queued {
                self.doubt.begin(*id);
            }
            match (&payment.progress, payment.order.ways.first()) {
                (Progress::Queued, Some(way)) => self.queues.entry(way.channel).or_default().add(*id, &payment.order.tie),
                (Progress::Paid(of, nonce), _) => self.carried.entry((of.channel, *nonce)).or_default().push(*id),
                (Progress::Queued, None) => self.effects.push(Effect::FindWays(*id, Reason::NoWay)),
                (Progress::Locked(..), _) => {}
            }
        }
        for (id, channel) in &self.channels {
            for held in &channel.incoming.locks {
                if let Link::Onto { channel: onto, number: None, .. } = &held.link {
                    self.queues.entry(*onto).or_default().quick.push_back(Queued::Forward(*id, held.lock.number));
                }
            }
        }
        self.stirred.extend(self.queues.keys());
    }
}
