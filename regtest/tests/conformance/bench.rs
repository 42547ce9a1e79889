//! What a ledger must offer to be put through the stories: two people with a wallet each, and a hand on its clock.

use crate::journal::MemoryJournal;
use async_trait::async_trait;
use photon_chains::{Amount, Asset, Expiry, Lock, Port, UnixTime};
use std::sync::Arc;

/// Whose node, wallet and journal. Alice funds and is refunded, Bob redeems.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Alice,
    Bob,
}

/// One ledger with one asset, for one story, which has it to itself: blocks come only when the story mines them, and nobody
/// else moves its clock.
#[async_trait]
pub trait Bench: Send + Sync {
    /// What is locked in the stories.
    fn asset(&self) -> Asset;

    /// How much of it in one lock. Alice has at least a hundred times that.
    fn amount(&self) -> Amount;

    /// A new adapter over that person's wallet and journal, as after a restart of the process.
    async fn connect(&self, who: Who) -> Arc<dyn Port>;

    /// The same, over whatever stands at that address before the node.
    async fn connect_at(&self, url: &str, who: Who) -> Arc<dyn Port>;

    /// The node's own address.
    fn url(&self) -> String;

    /// The same, with a journal that has forgotten everything.
    async fn connect_without_memory(&self, who: Who) -> Arc<dyn Port>;

    /// That person's journal.
    fn journal(&self, who: Who) -> Arc<MemoryJournal>;

    /// The expiry of a lock that opens then; on ledgers where redeeming can close, it closes then too.
    fn expiry(&self, opens: UnixTime) -> Expiry;

    /// Mines that many blocks, with what waits in the mempool.
    async fn mine(&self, blocks: u32);

    /// Mines until the ledger's own clock is past that time (and, where an expiry counts blocks, past them too).
    async fn pass_time_until(&self, at: UnixTime);

    /// Takes the last blocks away and puts others in their place, one more. What was mined in them is in the mempool again, or
    /// gone, as the ledger has it, and not in a block.
    async fn reorg(&self, depth: u32);

    /// Somebody who has nothing to do with us pays that much to the lock's place. False: nobody else can on this ledger.
    async fn pay_outside(&self, lock: &Lock, amount: Amount) -> bool;

    /// An address of nobody in particular, to send to.
    async fn foreign_address(&self) -> String;

    /// True if the adapter sees what waits in the mempool.
    fn sees_mempool(&self) -> bool;

    /// True if nobody can redeem any more once the expiry has passed; false if only the refund ends it.
    fn closes_at_expiry(&self) -> bool;

    /// True if a funding that waits in the mempool can be made impossible by replacing it.
    fn can_replace(&self) -> bool;
}
