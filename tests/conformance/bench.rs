//! What a ledger must offer to be put through the stories: two people with money of their own, and a hand on its clock.
//!
//! What only some ledgers have is a trait of its own, and a story takes the one that it needs: so none can be told of a ledger that
//! has not what it is about. Which ones that are, and why, stands in the table in `main.rs`.

use crate::journal::MemoryJournal;
use async_trait::async_trait;
use photon_chains::{Act, Amount, Asset, Expiry, IntentKey, Lock, Port, Progress, UnixTime};
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

    /// A new adapter over all that this person has durable, as after a restart of the process. Where there is no
    /// [`Bench::chain`], the process before it is dead.
    async fn connect(&self, who: Who) -> Arc<dyn Port>;

    /// The expiry of a lock that opens then; on ledgers where redeeming can close, it closes then too.
    fn expiry(&self, opens: UnixTime) -> Expiry;

    /// Mines that many blocks, with what waits in the mempool.
    async fn mine(&self, blocks: u32);

    /// Mines until the ledger's own clock is past that time (and, where an expiry counts blocks, past them too), and everybody has
    /// seen it.
    async fn pass_time_until(&self, at: UnixTime);

    /// True if nobody can redeem any more once the expiry has passed; false if only the refund ends it.
    fn closes_at_expiry(&self) -> bool;

    /// How many things that person has signed so far.
    async fn signed(&self, who: Who) -> usize;

    /// What it has cost that person that an intent took effect, once, in the ledger's own coin.
    async fn paid(&self, who: Who, intent: IntentKey) -> Amount;

    /// Alice begins to fund a lock, and it gets no further than to where it can still be stopped, until [`Bench::let_through`].
    async fn fund_held_up(&self, alice: &dyn Port, fund: &Act);

    /// What holds a funding up is gone.
    async fn let_through(&self);

    /// What it has besides if deeds take effect in blocks, whose depth counts. None: messages do it, at once.
    fn chain(&self) -> Option<&dyn ChainBench>;
}

/// A ledger of blocks: deeds are transactions, written down in a journal before they are sent, seen while they wait, mined, and
/// unmined if their block is lost.
#[async_trait]
pub trait ChainBench: Bench {
    /// A new adapter over whatever stands at that address before the node.
    async fn connect_at(&self, url: &str, who: Who) -> Arc<dyn Port>;

    /// The node's own address.
    fn url(&self) -> String;

    /// A new adapter with a journal that has forgotten everything.
    async fn connect_without_memory(&self, who: Who) -> Arc<dyn Port>;

    /// That person's journal.
    fn journal(&self, who: Who) -> Arc<MemoryJournal>;

    /// Takes the last blocks away and puts others in their place, one more. What was mined in them is in the mempool again, or
    /// gone, as the ledger has it, and not in a block.
    async fn reorg(&self, depth: u32);

    /// An address of nobody in particular, to send to.
    async fn foreign_address(&self) -> String;

    /// True if a funding that waits in the mempool can be made impossible by replacing it.
    fn can_replace(&self) -> bool;
}

/// A chain on which anybody can pay to a lock's place.
#[async_trait]
pub trait OpenBench: ChainBench {
    /// Somebody who has nothing to do with us pays that much to it.
    async fn pay_outside(&self, lock: &Lock, amount: Amount);
}

/// How chains hold a funding up: where what waits in the mempool can be replaced it waits there, else it was only written down when
/// the process died.
pub async fn hold_up(chain: &dyn ChainBench, alice: &dyn Port, fund: &Act) {
    if chain.can_replace() {
        let sent = alice.ensure(fund).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
    } else {
        chain.journal(Who::Alice).crash_after_next_record();
        assert!(alice.ensure(fund).await.is_err());
    }
}
