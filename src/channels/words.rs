//! What the rest of the program says to the channels, and what it is told.

use photon_chains::{Address, Expiry, Ledger, PublicKey, SecretHash, UnixTime};
use photon_channel::{ChannelId, Epoch, Hint, Notice, Outcome, PaymentId, Reason, Refused, Sight, Standing, Units, Way, Window};

/// A channel as its owner sees it. Balances are what each side would have if everything ended now as promised so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelView {
    /// On which ledger.
    pub ledger: Ledger,
    /// Its name in the contract.
    pub id: ChannelId,
    /// Which life of it; none until its opening is at the depth that is relied on.
    pub epoch: Option<Epoch>,
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// The counterparty.
    pub peer: Address,
    /// How long a close can be contested.
    pub window: Window,
    /// All coins in it, at the depth that is relied on.
    pub total: Units,
    /// The holder's balance, its pending locks included.
    pub own: i128,
    /// The counterparty's balance, its pending locks included.
    pub peers: i128,
    /// What the holder can pay now, beside what is kept for legs of swaps.
    pub own_free: i128,
    /// What the counterparty can pay now.
    pub peers_free: i128,
    /// The holder's pending locks: how many, and how much in all.
    pub own_pending: (usize, Units),
    /// The counterparty's pending locks: how many, and how much in all.
    pub peers_pending: (usize, Units),
    /// Updates so far, of the holder and of the counterparty.
    pub updates: (u64, u64),
    /// Where it is in its life.
    pub stage: StageView,
    /// What may be signed.
    pub standing: Standing,
    /// A withdrawal under way: whether it is the holder's, how much, and the last second at which it counts.
    pub leaving: Option<(bool, Units, UnixTime)>,
    /// Whether the counterparty is connected, and both sides have compared how far they are: payments go through.
    pub is_ready: bool,
    /// Money of the holder's is on its way into it.
    pub is_filling: bool,
    /// Whether the chain is seen.
    pub sight: Sight,
    /// What came in of its token, over all channels, since the chain went out of sight; and the most that may.
    pub unseen: (Units, Units),
    /// So much the counterparty still takes while it does not see the chain. None: it has named no limit.
    pub taken_still: Option<Units>,
}

impl ChannelView {
    /// What can be paid now: what is free, and taken by the counterparty.
    pub fn can_send(&self) -> i128 {
        self.own_free.min(self.taken_still.map_or(i128::MAX, Units::signed))
    }

    /// What is taken from the counterparty now.
    pub fn can_receive(&self) -> i128 {
        let (unseen, most) = self.unseen;
        match self.sight {
            Sight::Lost => self.peers_free.min(most.saturating_sub(unseen).signed()),
            Sight::Live | Sight::Awaited => self.peers_free,
        }
    }
}

/// Where a channel is in its life.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum StageView {
    /// Its first deposit is not yet at the depth that is relied on.
    Opening,
    /// It can be paid over.
    Open,
    /// The owner has asked for a close alone; from now on nothing is signed or taken.
    Closing,
    /// A close was seen. It can be settled from that second on, where that is known.
    Closed {
        /// The end of the window.
        settles_from: Option<UnixTime>,
    },
}

/// Money to be put into a channel; opens it where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeposit {
    /// On which ledger.
    pub ledger: Ledger,
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// The counterparty.
    pub peer: Address,
    /// Part of the channel's name: another window is another channel.
    pub window: Window,
    /// How much.
    pub amount: Units,
}

/// How a channel is brought to its end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CloseHow {
    /// The counterparty signs too, and both are paid at once.
    Together,
    /// Alone, with a window in which the counterparty can answer.
    Alone,
}

/// Whom a payment is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Payee {
    /// By account: somebody with whom there is a channel, who is connected, or who announces one.
    Account(Address),
    /// Anybody, by public key: a secret can be sealed for it.
    Key(PublicKey),
}

/// What a payment is tied to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum PayBy {
    /// Nothing: paid at once over a channel with the payee.
    Direct,
    /// A secret of the payer's, sealed for the payee.
    Sealed,
    /// A secret of which only the hash is known: of a payee's request, or of a swap.
    Hash(SecretHash),
}

/// Where a payment goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Through {
    /// Whatever way is found: one after another until one goes through.
    Any,
    /// The same, and over these neighbours of the payee's, which may be known to nobody else.
    Hinted(Vec<Hint>),
    /// These mediators, in this order, at the fees they announce. None: straight to the payee.
    Mediators(Vec<Address>),
    /// Exactly these ways, tried in this order.
    Ways(Vec<Way>),
}

/// What ways are asked about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct WayQuery {
    /// On which ledger.
    pub ledger: Ledger,
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// To whom.
    pub payee: Address,
    /// How much is to arrive.
    pub amount: Units,
    /// The most that mediators may get.
    pub most_fee: Units,
}

/// A way on which a payment would be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundWay {
    /// What the mediators get.
    pub fee: Units,
    /// They, in order; none where the payee is a neighbour.
    pub through: Vec<Address>,
}

/// A payment to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// On which ledger.
    pub ledger: Ledger,
    /// Its name, if the owner has one for it: asking twice for the same pays once. None: a new one is made.
    pub id: Option<PaymentId>,
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// Whom.
    pub payee: Payee,
    /// How much arrives.
    pub amount: Units,
    /// The most that mediators may get.
    pub most_fee: Units,
    /// What it is tied to.
    pub by: PayBy,
    /// Where it goes through.
    pub through: Through,
    /// The owner's note, at most [`MOST_MEMO`] bytes.
    pub memo: Option<String>,
}

/// The longest note of a payment, in bytes.
pub const MOST_MEMO: usize = 512;

/// A payment that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// On which ledger.
    pub ledger: Ledger,
    /// At least so much.
    pub amount: Units,
    /// The payment must leave so much time until its end.
    pub least_secs: u64,
    /// The hash of a secret that the owner does not know, or does not give yet: the payment is then held until it is released
    /// or given up. None: a fresh secret is made, and the payment is taken as soon as it comes.
    pub hold: Option<SecretHash>,
    /// How the payment is named. None: a new name is made.
    pub id: Option<PaymentId>,
    /// The payment's lock must stand at least as long as one with this expiry.
    pub until: Option<Expiry>,
    /// The owner's note, at most [`MOST_MEMO`] bytes.
    pub memo: Option<String>,
}

/// What a payment came to, or how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Under way.
    Running,
    /// The payee has it; the receipt, where there was a secret.
    Paid,
    /// Not made; nothing of it is pending.
    Failed(Reason),
}

/// A payment, made or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentView {
    /// Its place in the list: the cursor of a page. None while it is under way.
    pub number: Option<u64>,
    /// On which ledger.
    pub ledger: Ledger,
    /// Whether it came in.
    pub is_incoming: bool,
    /// As its payer, or the request, names it.
    pub id: PaymentId,
    /// The channel it went over first, or came in by.
    pub channel: ChannelId,
    /// The token, or none for the ledger's own coin.
    pub token: Option<Address>,
    /// Whom it was for; none where it came in.
    pub payee: Option<Address>,
    /// How much arrived, or is to arrive.
    pub amount: Units,
    /// What mediators get besides.
    pub fee: Units,
    /// Its hash, if it has one.
    pub secret_hash: Option<SecretHash>,
    /// How far it is.
    pub state: PaymentState,
    /// The owner's note.
    pub memo: Option<String>,
    /// When it was asked for, or came in.
    pub created_at: UnixTime,
    /// When it ended.
    pub ended_at: Option<UnixTime>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// On which ledger.
    pub ledger: Ledger,
    /// The payment's hash: what the payer is told.
    pub secret_hash: SecretHash,
    /// How the payment will be named.
    pub id: PaymentId,
    /// At least so much.
    pub amount: Units,
    /// Whether it is held until its owner decides.
    pub is_held: bool,
    /// The lock that would pay it is there.
    pub is_pending: bool,
    /// The owner's note.
    pub memo: Option<String>,
}

/// Something to be told, with where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// On which ledger.
    pub ledger: Ledger,
    /// What.
    pub notice: Notice,
}

/// A payment that was taken on, durably.
#[derive(Debug)]
pub struct Paying {
    /// Its name.
    pub id: PaymentId,
    /// Says how it ended; an error if the program ends first.
    pub ended: tokio::sync::oneshot::Receiver<Outcome>,
}

/// Why the channels do not do what is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelsError {
    /// No channels contract is configured there.
    #[error("there are no channels on {0}: name the channels contract in its section, or deploy one")]
    NoLedger(Ledger),
    /// The ledger's node is out of sight, and this needs it.
    #[error(
        "{0} can't be seen, and this needs it: nothing was begun, ask again when its node answers; neighbours are still paid over open channels, up to what they take unseen"
    )]
    OutOfSight(Ledger),
    /// No such channel, or it is not in a state for this.
    #[error("there is no such channel, or not now: look at its stage and standing")]
    Channel(ChannelId),
    /// No channel leads to the payee, or none has so much.
    #[error("no way to the payee is known over which so much can be paid")]
    NoWay,
    /// What there is, is kept for legs of swaps.
    #[error(
        "what the channels have for this is kept for swaps that are about to lock it: pay less, or ask again when they are over"
    )]
    Kept,
    /// Nothing is known of the payee but its account, and a secret can't be sealed for that.
    #[error("nothing is known of the payee: pay on a request of theirs, or name their public key")]
    NoKey,
    /// The payment contradicts itself, or asks for more than the policy allows.
    #[error("this can't be paid so: {0}")]
    Order(&'static str),
    /// A payment of this name was made before; ask for it.
    #[error("a payment of this name was asked for before")]
    SamePayment(PaymentId),
    /// The core's refusal.
    #[error("not now: {0:?}")]
    Refused(Refused),
    /// Too many wait for an answer: try again.
    #[error("too much is under way: try again")]
    Busy,
    /// What was to be stored could not be, or the program is ending.
    #[error("the node is stopping")]
    Stopped,
}
