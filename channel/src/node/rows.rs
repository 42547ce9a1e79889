//! What is durable: rows, each with its key. A step writes the rows that it changed and no others. As bytes: `store.rs`.

use crate::chain::OnChain;
use crate::channel::{Channel, Leaving, Standing, Unacked};
use crate::counterparty::Counterparty;
use crate::eip712::Domain;
use crate::flow::{Flow, Held};
use crate::key::{ChannelKey, ChannelRef};
use crate::lock::{Commitment, LockNo};
use crate::node::words::{Order, Outcome, Request, Tie};
use crate::sign::{KnownKey, Signature};
use crate::units::{Nonce, Units};
use crate::update::PaymentId;
use photon_chains::SecretHash;
use std::collections::{BTreeSet, VecDeque};

/// Names a row.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A channel.
    Channel(ChannelRef),
    /// A pending lock; `true` for incoming.
    Lock(ChannelRef, bool, LockNo),
    /// An update of the holder's that is not acknowledged.
    Unacked(ChannelRef, Nonce),
    /// A hash that was signed away.
    Disposed(ChannelRef, SecretHash),
    /// A payment of the holder's that has not ended. One that an update carries is named in that update's row alone
    /// ([`Key::Unacked`]), unless its owner wants the row kept.
    Payment(PaymentId),
    /// A request that has not ended.
    Request(SecretHash),
    /// What came in by a channel since the chain went out of sight.
    Unseen(ChannelRef),
    /// For good: what an update of the holder's committed to. An old one can come back at a close.
    Sent(ChannelRef, Nonce),
    /// For good: a lock that is gone, with its end. A disposal in it convicts whoever unlocks it all the same.
    Gone(ChannelRef, bool, LockNo),
    /// For good: how a payment of the holder's ended. An order with its id is answered from here.
    Outcome(PaymentId),
    /// For good: a payment that came in, by the update that paid it and its place there.
    Received(ChannelRef, LockNo),
}

impl Key {
    /// Whether [`crate::Node::restore`] wants this row. The others are history, and their number does not slow anything.
    pub const fn is_live(&self) -> bool {
        match self {
            Key::Channel(_) | Key::Lock(..) | Key::Unacked(..) | Key::Disposed(..) => true,
            Key::Payment(_) | Key::Request(_) | Key::Unseen(_) => true,
            Key::Sent(..) | Key::Gone(..) | Key::Outcome(_) | Key::Received(..) => false,
        }
    }

    /// The channel that it is of, and which life of it.
    pub const fn of(&self) -> Option<ChannelRef> {
        match self {
            Key::Channel(of) | Key::Unseen(of) => Some(*of),
            Key::Lock(of, ..) | Key::Unacked(of, _) | Key::Disposed(of, _) => Some(*of),
            Key::Sent(of, _) | Key::Gone(of, ..) | Key::Received(of, _) => Some(*of),
            Key::Payment(_) | Key::Request(_) | Key::Outcome(_) => None,
        }
    }
}

/// A channel without its lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// What it is between.
    pub key: ChannelKey,
    /// The counterparty.
    pub peer: Counterparty,
    /// What the chain said.
    pub chain: OnChain,
    /// What may be signed.
    pub standing: Standing,
    /// A withdrawal under way.
    pub leaving: Option<Leaving>,
    /// The holder's last word.
    pub outgoing: FlowRow,
    /// The counterparty's last word.
    pub incoming: FlowRow,
}

/// One direction without its locks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// The last update.
    pub nonce: Nonce,
    /// Paid in all.
    pub transferred: Units,
    /// The payer's signature of the proof.
    pub signature: Option<Signature>,
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// See [`Key::Channel`].
    Channel(Box<ChannelRow>),
    /// See [`Key::Lock`].
    Lock(Box<Held>),
    /// See [`Key::Unacked`]: the bytes to be sent again.
    Unacked(Vec<u8>),
    /// See [`Key::Disposed`].
    Disposed,
    /// See [`Key::Payment`].
    Payment(Box<Payment>),
    /// See [`Key::Request`].
    Request(Box<Expected>),
    /// See [`Key::Unseen`].
    Unseen(Units),
    /// See [`Key::Sent`].
    Sent(Units, Commitment),
    /// See [`Key::Gone`]: the lock as it was last, and the update that took it off the list.
    Gone(Box<Held>, Nonce),
    /// See [`Key::Outcome`].
    Outcome(Outcome),
    /// See [`Key::Received`].
    Received(PaymentId, Units, Option<SecretHash>),
}

impl Row {
    /// Whether it holds what must not be read off a disk: a secret, or what can be made into one.
    pub fn is_secret(&self) -> bool {
        match self {
            Row::Lock(_) | Row::Request(_) | Row::Gone(..) | Row::Unacked(_) => true,
            Row::Payment(payment) => matches!(payment.order.tie, Tie::Sealed(_)),
            Row::Outcome(outcome) => matches!(outcome, Outcome::Paid(Some(_))),
            Row::Channel(_) | Row::Disposed | Row::Unseen(_) | Row::Sent(..) | Row::Received(..) => false,
        }
    }
}

/// A row to be written, or to be deleted where there is nothing in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which.
    pub key: Key,
    /// What.
    pub row: Option<Row>,
}

/// How far a payment of the holder's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Waits for its channel.
    Queued,
    /// Paid at once by that update, which is not acknowledged yet.
    Paid(ChannelRef, Nonce),
    /// Locked. The row may say that it waits: of its first attempt the lock's row says more.
    Locked(ChannelRef, LockNo),
}

/// A payment of the holder's that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// What was asked. Its first way is the one that is being tried.
    pub order: Order,
    /// How many ways were tried before.
    pub attempt: u16,
    /// How far it is.
    pub progress: Progress,
    /// The owner wants it back.
    pub recalled: bool,
}

/// A request that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What is expected.
    pub request: Request,
    /// The lock that pays it.
    pub lock: Option<(ChannelRef, LockNo)>,
}

impl ChannelRow {
    /// Of a channel.
    pub fn of(channel: &Channel) -> Self {
        let flow = |flow: &Flow| FlowRow { nonce: flow.nonce, transferred: flow.transferred, signature: flow.signature };
        Self {
            key: channel.key,
            peer: channel.peer,
            chain: channel.chain,
            standing: channel.standing.clone(),
            leaving: channel.leaving,
            outgoing: flow(&channel.outgoing),
            incoming: flow(&channel.incoming),
        }
    }

    /// The channel, its lists still empty. None where the holder is no party of it.
    pub fn restore(self, of: ChannelRef, holder: &KnownKey, domain: Domain) -> Option<Channel> {
        let flow =
            |row: FlowRow| Flow { nonce: row.nonce, transferred: row.transferred, signature: row.signature, ..Flow::default() };
        Some(Channel {
            side: self.key.side_of(&holder.address())?,
            key: self.key,
            of,
            peer: self.peer,
            domain,
            chain: self.chain,
            standing: self.standing,
            leaving: self.leaving,
            outgoing: flow(self.outgoing),
            incoming: flow(self.incoming),
            disposed: BTreeSet::new(),
            unacked: VecDeque::new(),
            in_step: false,
            batch: Vec::new(),
            batch_hops: 0,
        })
    }
}

impl Channel {
    /// Puts a pending lock back, in any order.
    pub(crate) fn put_lock(&mut self, incoming: bool, held: Held) {
        let flow = if incoming { &mut self.incoming } else { &mut self.outgoing };
        let at = flow.locks.partition_point(|other| other.lock.number < held.lock.number);
        flow.locked = flow.locked.checked_add(held.lock.amount).unwrap_or(Units::MAX);
        flow.locks.insert(at, held);
    }

    /// Puts an update back that is not acknowledged, in any order.
    pub(crate) fn put_unacked(&mut self, unacked: Unacked) {
        let at = self.unacked.partition_point(|other| other.nonce < unacked.nonce);
        self.unacked.insert(at, unacked);
    }
}
