//! What payment channels need of a ledger with contracts: to read what was said about a name, to look, and to call.
//!
//! It knows nothing of channels. A *name* is a topic under which a contract says things: a channel's key in the channels
//! contract, a secret's hash in the registry. One pass over each new block finds what was said under all watched names. A token
//! says who was paid under the payee: that is how a deposit in tokens is seen, of which the channels contract says nothing.

use crate::amount::Amount;
use crate::party::{Address, Hash32, TxId};
use crate::port::{IntentKey, PortError, Progress};
use crate::sighting::BlockRef;
use crate::time::{BlockHeight, UnixTime};
use async_trait::async_trait;

/// A block as contracts are judged by it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The block.
    pub block: BlockRef,
    /// Its timestamp.
    pub time: UnixTime,
}

/// Where a chain stands at one look.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The newest block.
    pub latest: Stamp,
    /// The newest block at the depth that is relied on: no reorganisation is expected to reach it.
    pub deep: Stamp,
}

/// Something that a contract said under a watched name, in a block of the present chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The contract.
    pub by: Address,
    /// The first topic. Of a token's transfer: the account that was paid, its 20 bytes behind 12 zeros.
    pub name: Hash32,
    /// The other topics, if it has any, and its data behind them. Of a token's transfer: who paid and how much, 32 bytes each.
    pub data: Vec<u8>,
    /// In which block.
    pub at: Stamp,
    /// Its place in the block.
    pub index: u64,
    /// By which transaction.
    pub txid: TxId,
}

/// Something that was said once, under a name that nobody may know any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The contract.
    pub by: Address,
    /// As in [`Said`].
    pub name: Hash32,
    /// As in [`Said`].
    pub data: Vec<u8>,
    /// By which transaction.
    pub txid: TxId,
}

/// A transaction of a block, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its account.
    pub from: Address,
    /// Function and arguments of the contract that it called. That may have called others.
    pub input: Vec<u8>,
}

/// What one look at the chain brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Where the chain stands.
    pub heads: Heads,
    /// Watched names under which something else is said than at the last look, because of a new block or because one is gone,
    /// and those that are watched since then. What is said now: [`ContractPort::said`].
    pub changed: Vec<Hash32>,
}

/// A call of a contract, signed by the account. An intent takes effect at most once.
#[derive(Clone, PartialEq, Eq)]
pub struct ContractCall {
    /// Its name.
    pub intent: IntentKey,
    /// The contract.
    pub to: Address,
    /// Coins that go with it.
    pub value: Amount,
    /// Function and arguments. May hold a secret that nobody has seen: it is never logged, and sent only where a simulation says
    /// that it would not revert.
    pub input: Vec<u8>,
    /// When it must be mined at the latest: bids rise toward it. None: there is no hurry.
    pub by: Option<UnixTime>,
    /// What is lost if it is not, in the ledger's native smallest unit: no more is bid than a part of it that grows toward the end.
    /// None: its worth is not known, and bids rise as for a token's lock; without `by`, as for a payment.
    pub at_stake: Option<Amount>,
    /// It shows a secret that nobody has seen, for nothing if it is mined at this time or later: it is not sent for the first time
    /// where the next block may come so late, as on a chain that halts. None: it shows none, or is never for nothing.
    pub secret_until: Option<UnixTime>,
    /// The token and amount that the contract takes from the account by it. It is allowed to take exactly that, in transactions
    /// before this one. The token must be a configured one.
    pub allowance: Option<(Address, Amount)>,
}

impl std::fmt::Debug for ContractCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContractCall").field("intent", &self.intent).field("to", &self.to).finish_non_exhaustive()
    }
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// As for every act. [`Progress::NotYet`]: what must come before it is not mined, or blocks are dearer than it is worth.
    Under(Progress),
    /// It would revert now, as the node says: nothing was sent, nothing is shown.
    WouldRevert(String),
    /// It was mined, and reverted, or its nonce was used up by something else: a fee is gone, and nothing else came of it. At the
    /// depth that is relied on. The same is tried again only under another intent.
    Reverted(TxId),
}

/// The ledger as payment channels see it. Implemented by the adapter that fills [`crate::Port`] for the same account, so that
/// both share one signer, one journal and one row of nonces.
#[async_trait]
pub trait ContractPort: Send + Sync {
    /// Our account.
    fn account(&self) -> Address;
    /// The chain's id.
    fn chain_id(&self) -> u64;
    /// The channels contract, whose code was compared with what this program knows. None where none is configured.
    fn channels(&self) -> Option<Address>;
    /// The secret registry.
    fn registry(&self) -> Address;
    /// The seconds that a block is reckoned as by the channels contract.
    fn block_secs(&self) -> u64;

    /// Begins to watch what a contract says under a name: the channels contract, the registry, or a configured token, whose
    /// transfers are said under the payee. `since` is a block before which nothing can have been said. Idempotent, no input or
    /// output.
    fn watch_name(&self, contract: Address, name: Hash32, since: BlockHeight);
    /// Watches it no longer, at any contract.
    fn unwatch_name(&self, name: &Hash32);
    /// Catches up with the node. A failed look changes nothing.
    async fn look(&self) -> Result<News, PortError>;
    /// All that was said under a watched name in the present chain, in order. Of very much, the newest.
    fn said(&self, name: &Hash32) -> Vec<Said>;
    /// All that the channels contract said in blocks `from..=to` under whatever name, and what configured tokens say that this
    /// account has paid it there. Where that is more than the node answers at once: the end of it, beginning with the block that is
    /// returned.
    async fn past(&self, from: BlockHeight, to: BlockHeight) -> Result<(BlockHeight, Vec<Past>), PortError>;
    /// Mined transactions, in order; none for one that the node does not have.
    async fn sent(&self, txids: &[TxId]) -> Result<Vec<Option<Sent>>, PortError>;
    /// What view functions of contracts answer at a block (none: the newest), in order; none for one that did not answer.
    async fn views(&self, asks: &[(Address, Vec<u8>)], at: Option<BlockHeight>) -> Result<Vec<Option<Vec<u8>>>, PortError>;
    /// Makes a call, safely repeatable: asks the journal and the chain whether it was made; else simulates, signs, journals and
    /// sends; raises its bid where it waits too long.
    async fn call(&self, call: &ContractCall) -> Result<Called, PortError>;
    /// Forgets that a call is wanted: its transaction, if any, is not raised any more. Idempotent.
    fn unwant(&self, intent: &IntentKey);
    /// What the account has of the ledger's own coin (`None`) or a configured token, beyond what waiting transactions may take.
    async fn holds(&self, token: Option<Address>) -> Result<u128, PortError>;
}
