//! The port: what every ledger must be able to do.

use crate::amount::Amount;
use crate::asset::{Asset, Ledger};
use crate::contract::ContractPort;
use crate::journal::JournalError;
use crate::lock::{Lock, LockId, Template};
use crate::party::{Address, Hash32, HexError, LockKey, Party, TxId};
use crate::secret::Secret;
use crate::sighting::{Sighting, Tip};
use crate::time::{BlockHeight, Timing, UnixTime};
use async_trait::async_trait;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a transaction of ours is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To fund a lock of ours.
    Fund,
    /// To take the inputs or the nonce of a funding that must not happen any more.
    Cancel,
    /// To take the counterparty's lock with the secret.
    Redeem,
    /// To take our own lock back.
    Refund,
    /// To pay somebody from the wallet, or to prepare (an ERC20 allowance, a contract).
    Send,
    /// To call a contract on behalf of a payment channel.
    Call,
}

impl Purpose {
    const ALL: [(Purpose, &'static str); 6] = [
        (Purpose::Fund, "fund"),
        (Purpose::Cancel, "cancel"),
        (Purpose::Redeem, "redeem"),
        (Purpose::Refund, "refund"),
        (Purpose::Send, "send"),
        (Purpose::Call, "call"),
    ];

    /// Its word in tables and JSON.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(purpose, _)| *purpose == self).map_or("", |(_, word)| word)
    }
}

/// Names one intent: a purpose, and the lock or the payment it is about. An intent takes effect at most once, however
/// often it is ensured.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct IntentKey {
    /// What for.
    pub purpose: Purpose,
    /// The lock, or 32 random bytes that name a payment.
    pub subject: LockId,
}

impl IntentKey {
    /// Names an intent.
    pub const fn new(purpose: Purpose, subject: LockId) -> Self {
        Self { purpose, subject }
    }
}

impl fmt::Display for IntentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.purpose.word(), self.subject)
    }
}

impl fmt::Debug for IntentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for IntentKey {
    type Err = IntentKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, subject) = text.split_once('/').ok_or(IntentKeyError::Purpose)?;
        let purpose = Purpose::ALL.iter().find(|(_, known)| *known == word).map(|(purpose, _)| *purpose);
        Ok(Self { purpose: purpose.ok_or(IntentKeyError::Purpose)?, subject: subject.parse()? })
    }
}

/// Why a text names no intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntentKeyError {
    /// The purpose is unknown.
    #[error("an intent is written as its purpose, a slash, and 64 hex digits")]
    Purpose,
    /// The subject is no hash.
    #[error(transparent)]
    Subject(#[from] HexError),
}

/// Something to be done on a ledger.
#[derive(Clone, Debug)]
pub enum Act {
    /// Fund a lock from the node's wallet or our account.
    Fund {
        /// The lock.
        lock: Lock,
    },
    /// Make it impossible that our unmined funding of this lock is ever mined, where the ledger allows that.
    Cancel {
        /// The lock.
        lock: Lock,
    },
    /// Take the lock with the secret.
    Redeem {
        /// The lock.
        lock: Lock,
        /// What opens it.
        secret: Secret,
        /// Signs, where the redeemer is a key.
        key: LockKey,
    },
    /// Take our own lock back, with everything else that was paid to its place.
    Refund {
        /// The lock.
        lock: Lock,
        /// Signs, where the refundee is a key.
        key: LockKey,
    },
    /// Pay from the wallet.
    Send {
        /// 32 random bytes that name this payment.
        id: LockId,
        /// What.
        asset: Asset,
        /// How much.
        amount: Amount,
        /// To which address, as the ledger writes it; another network's or ledger's is refused.
        to: String,
    },
}

impl Act {
    /// The intent this act fulfils.
    pub fn intent(&self) -> IntentKey {
        match self {
            Act::Fund { lock } => IntentKey::new(Purpose::Fund, lock.id()),
            Act::Cancel { lock } => IntentKey::new(Purpose::Cancel, lock.id()),
            Act::Redeem { lock, .. } => IntentKey::new(Purpose::Redeem, lock.id()),
            Act::Refund { lock, .. } => IntentKey::new(Purpose::Refund, lock.id()),
            Act::Send { id, .. } => IntentKey::new(Purpose::Send, *id),
        }
    }
}

/// How far an act has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Signed, written down, and handed to our node, which has it now.
    Sent {
        /// The newest transaction of the intent.
        txid: TxId,
    },
    /// In a block, not yet final.
    Mined {
        /// Which transaction.
        txid: TxId,
        /// Its confirmations.
        depth: u32,
    },
    /// In a block at final depth, or the ledger shows that there is nothing left to do.
    Done,
    /// Can't be done yet, by the ledger's own rules: ask again later. (A refund before its time; a lock not funded.)
    NotYet,
}

/// Why the ledger gave no answer, or would not do it. "Could not look" is never "looked, and it is wrong".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The node can't be reached, is starting, or gave up. Nothing is known; ask again.
    #[error("{ledger}: the node did not answer: {reason}")]
    Unreachable {
        /// Which.
        ledger: Ledger,
        /// What it looked like, without addresses or credentials.
        reason: String,
    },
    /// The node's answer can't be what it should be. Nothing is known.
    #[error("{ledger}: the node gave an answer that makes no sense: {reason}")]
    BadAnswer {
        /// Which.
        ledger: Ledger,
        /// What is wrong with it.
        reason: String,
    },
    /// The node is on another network than configured, or it has changed under us.
    #[error("{ledger}: this node is not on the configured network: {reason}")]
    WrongNetwork {
        /// Which.
        ledger: Ledger,
        /// What differs.
        reason: String,
    },
    /// The wallet does not have it.
    #[error("{ledger}: not enough {asset}: {needed} smallest units are needed with fees, {available} are free")]
    NotEnough {
        /// Which.
        ledger: Ledger,
        /// Of what.
        asset: Asset,
        /// How much is needed.
        needed: Amount,
        /// How much is there and not reserved.
        available: Amount,
    },
    /// The order itself is wrong and will never work.
    #[error("{ledger}: {reason}")]
    Refused {
        /// Which.
        ledger: Ledger,
        /// Why, and what to do.
        reason: String,
    },
    /// See [`JournalError`].
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a wallet holds of an asset.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Balance {
    /// Confirmed and free to spend (our own unconfirmed change included).
    pub available: Amount,
    /// On its way to us, not confirmed.
    pub incoming: Amount,
}

/// An unspent output of somebody else's wallet.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OutsideCoin {
    /// Its transaction.
    pub txid: TxId,
    /// Its index there.
    pub vout: u32,
}

/// A funding for somebody else to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The transaction (BIP-174, base64).
    pub psbt: String,
    /// What it pays for being mined.
    pub fee: Amount,
}

/// A lock that names us, as a ledger shows it to somebody who knows nothing but who we are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FoundLock {
    /// The lock.
    pub lock: Lock,
    /// A block at or below which it was not funded: for [`Port::watch`].
    pub since: BlockHeight,
    /// Its money is, or may still be, there.
    pub stands: bool,
}

/// What [`Port::find`] brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Locks that the ledger itself shows to be ours.
    pub locks: Vec<FoundLock>,
    /// Notes left by [`Port::leave_note`], ours or not, in no order: whose they are, whoever wrote them can tell.
    pub notes: Vec<String>,
}

/// Told how far a search has come: blocks read, and blocks to read.
pub type Progressed<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Why a lock can't be funded towards its redeemer, whatever the balance says. It names no amount: how much there is beside what was
/// asked for is nobody's business.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// No channel, or none with so much left.
    #[error("no channel with enough room leads to the counterparty: open one, or swap less")]
    NoWay,
    /// There are ways, but longer or dearer ones.
    #[error(
        "the ways to the counterparty have more mediators than the swap allows, or they ask for more: open a channel with it"
    )]
    Reach,
    /// Payer and payee would not have the time to act.
    #[error("the lock would end too soon for a payment over channels: compare both sides' clocks and profiles")]
    TooShort,
    /// Mediators would not lock their money for so long.
    #[error("the lock would end later than mediators lock money: open a channel with the counterparty, or pay it on the chain")]
    TooLong,
}

/// One ledger. The adapters of Bitcoin, Litecoin, Ethereum and SMT fill it, and the payment channels on the last two.
///
/// An adapter keeps what it watches in memory, and is told again after a restart. It holds no protocol state: everything
/// it says is recomputed from the chain and from its journal.
#[async_trait]
pub trait Port: Send + Sync {
    /// Which ledger.
    fn ledger(&self) -> Ledger;

    /// How fast it is and by which clock it judges.
    fn timing(&self) -> &Timing;

    /// The hash of its first block: together with the ledger's name (and chain id) it says which network this is.
    fn genesis(&self) -> Hash32;

    /// How a lock of that asset is made here: the template that goes into the terms.
    fn template(&self, asset: Asset) -> Result<Template, PortError>;

    /// The same where it depends on who the counterparty is, by its account.
    async fn template_with(&self, asset: Asset, _counterparty: Address) -> Result<Template, PortError> {
        self.template(asset)
    }

    /// How fast locks of that template are between parties who may be away for so long.
    fn timing_of(&self, _template: &Template, _offline_secs: u64) -> Timing {
        *self.timing()
    }

    /// Whether a lock needs more than the balance: see [`Port::keep_room`].
    fn needs_room(&self) -> bool {
        false
    }

    /// Keeps what that lock needs beside the balance, where it depends on who its redeemer is, until it is funded: nobody else gets it
    /// meanwhile. `beside`: the other locks of ours of that asset that are agreed and not funded, which keep theirs; what was kept
    /// for any other is free again. None: it is kept, or nothing is needed. Else why it can't be.
    async fn keep_room(&self, _lock: &Lock, _beside: &[Lock]) -> Result<Option<NoRoom>, PortError> {
        Ok(None)
    }

    /// What was kept for a lock that is no swap's is free again.
    async fn free_room(&self, _lock: &Lock) -> Result<(), PortError> {
        Ok(())
    }

    /// Makes ready, durably, what must be ready before the counterparty may fund a lock that we are to redeem. Idempotent.
    async fn expect(&self, _lock: &Lock) -> Result<(), PortError> {
        Ok(())
    }

    /// How we are named as a party to a lock: the public key of `key`, or our account.
    fn party(&self, key: &LockKey) -> Result<Party, PortError>;

    /// Checks that an asset can be locked here: for a token, that it is a contract and how many decimals it has.
    async fn decimals(&self, asset: Asset) -> Result<u8, PortError>;

    /// Begins to watch a lock; `since` is a block at or below which it can't have been funded. Idempotent, no input or output.
    fn watch(&self, lock: &Lock, since: BlockHeight);

    /// Stops watching it.
    fn unwatch(&self, lock: LockId);

    /// Catches up with the node: one pass over each new block and the mempool whatever the number of locks, undoing what was
    /// seen in blocks that are gone; settles what is final in the journal. It sends nothing that could fund a lock: a funding
    /// is sent again only by [`Port::ensure`], for as long as the core still wants it. Returns the new tip.
    async fn poll(&self) -> Result<Tip, PortError>;

    /// Why no new risk should be taken on what the last [`Port::poll`] showed, although it ended well: what is asked of several
    /// nodes may not agree. None where there is nothing to doubt.
    fn doubt(&self) -> Option<String> {
        None
    }

    /// What the ledger showed of a lock at the last [`Port::poll`]. None if it has not been looked for yet.
    fn look(&self, lock: LockId) -> Option<Sighting>;

    /// The watched locks of which [`Port::look`] shows something else ([`Sighting::differs`]) than when this was last asked; a lock
    /// that has now been looked for the first time is one of them. None: it can't say, so every lock may be one.
    fn take_changed(&self) -> Option<Vec<LockId>> {
        None
    }

    /// Makes it so, safely repeatable: asks the ledger and the journal whether it is already done, else signs, journals and
    /// sends; sends again what our node has lost. A refusal by the node is not a state: the chain decides.
    async fn ensure(&self, act: &Act) -> Result<Progress, PortError>;

    /// What the wallet holds.
    async fn balance(&self, asset: Asset) -> Result<Balance, PortError>;

    /// An address of our wallet.
    async fn receive_address(&self) -> Result<String, PortError>;

    /// Where anybody may pay to fund the lock by hand (Bitcoin and Litecoin: the lock's address). None where only our own
    /// account can.
    fn funding_address(&self, lock: &Lock) -> Option<String>;

    /// The same as an unsigned transaction without inputs, for wallets that choose the coins (BIP-174, base64). None where there is no
    /// such thing.
    fn funding_psbt(&self, _lock: &Lock) -> Option<String> {
        None
    }

    /// Draws up a transaction that funds the lock out of some of these coins, for the keys of their owner to sign. What is left goes to
    /// the address `change`.
    async fn draft_funding(&self, lock: &Lock, _coins: &[OutsideCoin], _change: &str) -> Result<Draft, PortError> {
        Err(PortError::Refused {
            ledger: lock.asset.ledger(),
            reason: "here a lock is funded by a call of one's account".to_owned(),
        })
    }

    /// Hands a signed one to our node (BIP-174, base64), whoever drew it up. Refused: one that does not pay the lock exactly, once.
    async fn relay_funding(&self, lock: &Lock, _psbt: &str) -> Result<TxId, PortError> {
        Err(PortError::Refused {
            ledger: lock.asset.ledger(),
            reason: "here a lock is funded by a call of one's account".to_owned(),
        })
    }

    /// Leaves a note about a lock where somebody who has lost everything but the seed and the nodes will look ([`Port::find`]),
    /// durable when it returns. It must say nothing to others. An empty one takes an earlier one away. Does nothing where the
    /// ledger itself shows whose a lock is.
    async fn leave_note(&self, _lock: &Lock, _note: &str) -> Result<(), PortError> {
        Ok(())
    }

    /// Looks for everything of ours that was locked after `since`, knowing nothing but who we are.
    async fn find(&self, _since: UnixTime, _progressed: Progressed<'_>) -> Result<Found, PortError> {
        Ok(Found::default())
    }

    /// The same account as payment channels use it. None where the ledger has no contracts, no channels contract is configured, or
    /// the node that signs is not connected yet.
    fn contracts(self: Arc<Self>) -> Option<Arc<dyn ContractPort>> {
        None
    }

    /// What redeeming or refunding a lock of this asset would cost at the prices of this moment, in native units.
    async fn likely_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError>;

    /// The most that funding, redeeming or refunding a lock of this asset should cost, in native units: held back before a swap is agreed.
    async fn worst_fee(&self, asset: Asset, purpose: Purpose) -> Result<Amount, PortError>;
}
