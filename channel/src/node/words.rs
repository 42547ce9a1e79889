//! What a node hears, and what it lets out.

use crate::chain::{Moment, OnChain, Tip};
use crate::counterparty::Counterparty;
use crate::key::{ChannelId, ChannelKey, Epoch};
use crate::lock::LockNo;
use crate::message::{Message, Reason};
use crate::node::rows::{Key, Row};
use crate::node::sight::Sight;
use crate::proof::{CooperativeClose, Withdraw};
use crate::sign::{KnownKey, Signature};
use crate::units::Units;
use crate::update::{Hop, PaymentId};
use photon_chains::{Address, Expiry, Secret, SecretHash, UnixTime};

/// What the owner allows, and the margins kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A mediator's fee: so much for each payment ...
    pub fee_base: Units,
    /// ... and so many millionths of what goes on.
    pub fee_ppm: u32,
    /// Between the ends of an incoming lock and of the outgoing one that hangs on it: time to learn a secret from the chain, and
    /// to register it, with the promised outage in between.
    pub hop_slack_secs: u64,
    /// So long before its end a lock is not paid on a secret shown by a neighbour any more, only on a registration at depth; and
    /// a payee that was not paid by then registers.
    pub reveal_margin_secs: u64,
    /// How long the chain may halt while its clock runs on. A lock that closes by its clock alone is registered for so much earlier.
    pub halt_secs: u64,
    /// A lock that ends later than that from now is not taken.
    pub longest_lock_secs: u64,
    /// The most that may be pending from one neighbour, in number. It is bounded by what the contract can unlock besides.
    pub most_locks: usize,
    /// ... and in value.
    pub most_pending: Units,
    /// After a lock's end its payer waits so long before it takes it back, so that the payee sees the end too.
    pub expire_patience_secs: u64,
    /// How long a signature of a cooperative close or of a withdrawal counts.
    pub consent_secs: u64,
    /// An update that was not acknowledged is sent again after so long.
    pub resend_secs: u64,
    /// A neighbour that has just gone, or was not there yet since the start, is waited for so long before what is to go onward to
    /// it is given back.
    pub return_secs: u64,
}

impl Policy {
    /// The fee for sending so much on. None where it does not fit.
    pub fn fee(&self, onward: Units) -> Option<Units> {
        // 96 bits times 32 bits fit 128. Rounded up: no fee is lost by splitting.
        let part = (onward.get() * u128::from(self.fee_ppm)).div_ceil(1_000_000);
        self.fee_base.checked_add(Units::new(part)?)
    }
}

/// One way to the payee, as far as the payer's own lock, and what mediators are asked to lock onward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The payer's channel.
    pub channel: ChannelId,
    /// What it locks there: the payee's amount and all fees.
    pub amount: Units,
    /// Until when.
    pub expiry: Expiry,
    /// The mediators' locks, in order. Empty: the neighbour is the payee.
    pub onward: Vec<Hop>,
}

/// How a payment is tied to a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Not at all: paid at once over one channel.
    Direct,
    /// The payer makes it, a fresh one for each attempt out of this seed, and seals it for the payee.
    Sealed(Secret),
    /// Only its hash is known: of the payee's request, or of a swap.
    Hash(SecretHash),
}

/// What the owner asks to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Asking twice for the same id pays once.
    pub id: PaymentId,
    /// In what: a token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// Whom.
    pub payee: KnownKey,
    /// How much arrives.
    pub amount: Units,
    /// The most that mediators may get.
    pub most_fee: Units,
    /// The secret.
    pub tie: Tie,
    /// Ways to be tried, in this order. A direct payment has one.
    pub ways: Vec<Way>,
    /// How often other ways are asked for when these have failed: see [`Effect::FindWays`].
    pub searches: u8,
}

/// What the payee expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The payment's hash.
    pub secret_hash: SecretHash,
    /// At least so much.
    pub amount: Units,
    /// How the payment is named to the owner.
    pub payment: PaymentId,
    /// The secret. None: the payment is held until its owner gives the secret, or gives the payment up.
    pub secret: Option<Secret>,
    /// The payment must leave so much time until its end: for what hangs on it.
    pub least_secs: u64,
    /// ... and its lock must stand at least as long as one with this expiry would: another lock hangs on the same secret.
    pub until: Option<Expiry>,
}

/// Something happened, or somebody wants something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node's own clock, at its latest.
    Clock(UnixTime),
    /// The chain moved. Comes after all registrations up to it of every hash that is watched.
    Tip(Tip),
    /// The chain came into sight, after everything that it says by now, or went out of it. A node that is never told sees it.
    Sight(Sight),
    /// A secret is in the registry since that moment.
    Registered {
        /// The secret.
        secret: Secret,
        /// Since when.
        at: Moment,
        /// At the depth that is relied on.
        is_deep: bool,
    },
    /// A registration was undone by a reorganisation.
    Unregistered(SecretHash),
    /// A secret was seen anywhere: in a mempool, in another contract, in a swap.
    Secret(Secret),
    /// A channel's opening is at the depth that is relied on.
    Opened {
        /// What it is between.
        key: ChannelKey,
        /// Which life.
        epoch: Epoch,
        /// The counterparty.
        peer: KnownKey,
        /// What the chain says.
        chain: OnChain,
    },
    /// The same of one that may have been open before this node's memory begins: nothing says what was signed in it, so it is
    /// [`crate::Standing::Behind`] from the start.
    Found {
        /// What it is between.
        key: ChannelKey,
        /// Which life.
        epoch: Epoch,
        /// The counterparty. It may be that the chain alone has told of it.
        peer: Counterparty,
        /// What the chain says.
        chain: OnChain,
    },
    /// What a backup knows of channels ([`crate::Node::memory`]). One that this node does not know, or knows less of, has been
    /// forgotten.
    Remember(Vec<(Key, Row)>),
    /// This node's memory is a copy that was put back: whatever it says of channels may be old.
    PutBack,
    /// What the chain says of a channel has changed.
    Chain(ChannelId, OnChain),
    /// A neighbour is connected: messages in order, until it is gone.
    Connected(Address),
    /// A neighbour is gone.
    Disconnected(Address),
    /// A neighbour says something.
    Message(Address, Message),
    /// Pay this.
    Pay(Order),
    /// The row of this payment, which is asked for next, stays until it ends: its owner keeps a note there.
    Keep(PaymentId),
    /// Other ways for a payment, as [`Effect::FindWays`] asked for; the reason that came with it. None: it has failed.
    Ways(PaymentId, Vec<Way>, Reason),
    /// Take a payment back, if that is still possible.
    Recall(PaymentId),
    /// Expect this.
    Expect(Request),
    /// Take a payment that is held.
    Release(Secret),
    /// Give up a request, or a payment that is held.
    GiveUp(SecretHash),
    /// Bring a channel to its end, together.
    AskClose(ChannelId),
    /// Change that wish, as long as nothing is signed.
    Resume(ChannelId),
    /// Take so much out of a channel.
    AskWithdraw(ChannelId, Units),
}

/// How a payment of the holder's ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The payee has it. The secret is the receipt of a payment with one.
    Paid(Option<Secret>),
    /// It was not made; nothing of it is pending.
    Failed(Reason),
}

/// For the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A payment of the holder's ended.
    Ended(PaymentId, Outcome),
    /// An attempt failed: a hint for finding ways.
    Attempt {
        /// Of which payment.
        payment: PaymentId,
        /// Why, as those on the way say.
        reason: Reason,
        /// Who could not pay whom, and how much. None where the payee itself gave it back.
        failed: Option<(Address, Address, Units)>,
    },
    /// A payment came in.
    Received {
        /// As its payer, or the request, names it.
        payment: PaymentId,
        /// How much.
        amount: Units,
        /// Its hash, if it had one.
        secret_hash: Option<SecretHash>,
    },
    /// A payment whose secret the holder does not know is pending until then: release it or give it up.
    Held {
        /// Its hash.
        secret_hash: SecretHash,
        /// How much.
        amount: Units,
        /// Until when.
        expiry: Expiry,
    },
    /// The payer of a payment that is held would rather have it back. Whether that is safe only the owner knows.
    Recalled(SecretHash),
    /// A payment that was held is gone.
    Lapsed(SecretHash),
    /// A lock whose secret was known ended unpaid: the holder was away for longer than promised.
    Lost(ChannelId, LockNo),
    /// An order or wish that can't be followed.
    Refused(Refused),
    /// The counterparty breaks the rules in this channel.
    Breach(ChannelId),
    /// This node's memory of a channel is old: no update is signed in it any more, and it is brought to its end.
    Behind(ChannelId),
}

/// Why a wish of the owner's is not followed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// This payment is under way already.
    SamePayment(PaymentId),
    /// The order contradicts itself: no way, more fee than allowed, a direct payment to somebody who is no neighbour.
    Order(PaymentId),
    /// It is too late to take the payment back: its secret is out, or it is not under way.
    Recall(PaymentId),
    /// A request with this hash is there already, or the hash is one that anyone can open, or not the secret's.
    Request(SecretHash),
    /// Nothing is pending for this secret, or too little time is left to take it.
    Release(SecretHash),
    /// No such channel, or not now.
    Channel(ChannelId),
}

/// To be let out once the writes are durable. All but notices may be let out again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this to a neighbour. Lost where it is not connected; after the next connection what matters is said again.
    Send(Address, Message),
    /// Look for this hash in the registry, from the first block on, and tell of it before the next tip.
    Watch(SecretHash),
    /// Nothing depends on this hash any more.
    Unwatch(SecretHash),
    /// Register this secret now; asked at every tip until it is there at depth.
    Register(Secret, UnixTime),
    /// Send this cooperative close to the contract.
    CloseTogether(CooperativeClose, Signature),
    /// Send this withdrawal to the contract.
    Withdraw(Withdraw, Signature),
    /// All ways of a payment have failed, the last one for that reason: find others ([`Event::Ways`]). After a restart it is asked
    /// for again.
    FindWays(PaymentId, Reason),
    /// Tell the owner.
    Tell(Notice),
}
