//! The memory an adapter needs before it may send anything.

use crate::amount::Amount;
use crate::asset::Ledger;
use crate::party::{Address, TxId};
use crate::port::IntentKey;
use crate::sighting::BlockRef;
use async_trait::async_trait;

/// A transaction that was signed and may have been sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedTx {
    /// What it is for. One intent may have several transactions: the first, and its replacements.
    pub intent: IntentKey,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its id.
    pub txid: TxId,
    /// The bytes to send, again and again, unchanged. They may hold a secret: never logged, encrypted at rest.
    pub raw: Vec<u8>,
    /// On an EVM ledger, the account and nonce it takes.
    pub nonce: Option<(Address, u64)>,
    /// On a UTXO ledger, the outputs it spends, as `txid:index`.
    pub inputs: Vec<String>,
    /// The fee it pays (UTXO), or the most it may pay (EVM), in the ledger's native smallest unit.
    pub fee: Amount,
}

impl std::fmt::Debug for SignedTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedTx").field("intent", &self.intent).field("txid", &self.txid).finish_non_exhaustive()
    }
}

/// How a journaled transaction ended, at final depth.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is in that block, and paid that fee.
    Mined {
        /// The block.
        at: BlockRef,
        /// What it paid, in the ledger's native smallest unit.
        fee: Amount,
        /// False if it is an EVM transaction that reverted: mined and paid for, without effect.
        succeeded: bool,
    },
    /// It can never be mined: another transaction took its nonce or one of its inputs.
    Replaced,
}

/// The journal could not be read or written. The process must stop: nothing may be sent on top of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal of transactions failed: {0}")]
pub struct JournalError(pub String);

/// Where an adapter writes down what it signed, before it sends it. Every write is durable (synced to disk) when it
/// returns; a record is never changed but for its settlement.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes a signed transaction down. Writing the same txid twice is harmless.
    async fn record(&self, tx: &SignedTx) -> Result<(), JournalError>;
    /// Every transaction of an intent, oldest first.
    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError>;
    /// Every transaction of a ledger that is not settled, oldest first. Its nonces and inputs are taken.
    async fn unsettled(&self, ledger: Ledger) -> Result<Vec<SignedTx>, JournalError>;
    /// The highest nonce ever written down for an account on a ledger, settled or not.
    async fn highest_nonce(&self, ledger: Ledger, account: Address) -> Result<Option<u64>, JournalError>;
    /// Writes down how a transaction ended. Saying it twice is harmless.
    async fn settle(&self, ledger: Ledger, txid: TxId, end: Settlement) -> Result<(), JournalError>;
}
