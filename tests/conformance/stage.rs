//! One lock between Alice and Bob, and the moves the stories are made of.

use crate::bench::{Bench, Who};
use crate::journal::MemoryJournal;
use photon_chains::{
    Act, Amount, BlockHeight, IntentKey, Lock, LockId, LockKey, LockStatus, Port, PortError, Progress, Secret, Settlement,
    Sighting, Tip,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Long enough for every story to fund and confirm before it, by the ledger's own clock.
const TERM_SECS: u64 = 3_600;
/// So often is looked, where no block is waited for, before a story gives up, and so long between two looks.
const LOOKS: u32 = 1_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Within so many blocks after its end a lock that nobody has to take back has come back.
const HOME_WITHIN_BLOCKS: u32 = 300;

pub struct Stage<'a> {
    bench: &'a dyn Bench,
    pub alice: Arc<dyn Port>,
    pub bob: Arc<dyn Port>,
    pub lock: Lock,
    pub secret: Secret,
    pub bob_key: LockKey,
    pub alice_key: LockKey,
    /// Nothing of the lock is at or below this block.
    pub since: BlockHeight,
}

impl<'a> Stage<'a> {
    pub async fn new(bench: &'a dyn Bench) -> Self {
        Self::with_amount(bench, bench.amount()).await
    }

    pub async fn with_amount(bench: &'a dyn Bench, amount: Amount) -> Self {
        let (alice, bob) = (bench.connect(Who::Alice).await, bench.connect(Who::Bob).await);
        let tip = alice.poll().await.unwrap();
        let (alice_key, bob_key, secret) = (fresh_key(), fresh_key(), fresh_secret());
        let lock = Lock {
            asset: bench.asset(),
            amount,
            redeemer: bob.party(&bob_key).unwrap(),
            refundee: alice.party(&alice_key).unwrap(),
            secret_hash: secret.hash(),
            expiry: bench.expiry(tip.lock_clock.plus_secs(TERM_SECS)),
            template: alice.template(bench.asset()).unwrap(),
        };
        let since = tip.block.height;
        bob.expect(&lock).await.unwrap();
        let stage = Self { bench, alice, bob, lock, secret, bob_key, alice_key, since };
        for port in [&stage.alice, &stage.bob] {
            assert_eq!(port.look(lock.id()), None, "nothing is known before it is looked for");
            port.watch(&lock, since);
        }
        stage.poll().await;
        assert_eq!(stage.bobs_view(), Sighting::absent());
        stage
    }

    pub fn fund_act(&self) -> Act {
        Act::Fund { lock: self.lock }
    }

    pub fn redeem(&self) -> Act {
        Act::Redeem { lock: self.lock, secret: self.secret.clone(), key: self.bob_key.clone() }
    }

    pub fn refund(&self) -> Act {
        Act::Refund { lock: self.lock, key: self.alice_key.clone() }
    }

    /// Alice funds, with whatever room that needs; it waits to be seen.
    pub async fn fund(&self) {
        assert_eq!(self.alice.keep_room(&self.lock, &[]).await, Ok(None));
        let sent = self.alice.ensure(&self.fund_act()).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
    }

    /// Both look.
    pub async fn poll(&self) {
        self.alice.poll().await.unwrap();
        self.bob.poll().await.unwrap();
    }

    pub async fn tip(&self) -> Tip {
        self.bob.poll().await.unwrap()
    }

    pub async fn mine(&self, blocks: u32) {
        self.bench.mine(blocks).await;
        self.poll().await;
    }

    /// Blocks until a funding can be relied on.
    pub async fn confirm_blocks(&self) {
        self.mine(self.bob.timing().confirmations).await;
    }

    /// Lets the funding be seen, deep enough to rely on.
    pub async fn confirm(&self) {
        self.come_to(self.bob.timing().confirmations, "funded", |stage| {
            [stage.alices_view(), stage.bobs_view()].iter().all(|view| matches!(view.status, LockStatus::Funded { .. }))
        })
        .await;
    }

    /// Blocks until whatever waits is final, and the journals know it.
    pub async fn finish(&self) {
        self.mine(self.blocks_to_the_end()).await;
    }

    fn blocks_to_the_end(&self) -> u32 {
        let timing = self.bob.timing();
        timing.final_confirmations.max(timing.confirmations)
    }

    /// Lets a redeem be seen by both, for good: Alice has the secret.
    pub async fn redeemed(&self) {
        self.come_to(self.blocks_to_the_end(), "redeemed", |stage| {
            [stage.alices_view(), stage.bobs_view()].iter().all(|view| matches!(view.status, LockStatus::Redeemed { .. }))
        })
        .await;
        assert_eq!(self.alices_view().secret, Some(self.secret.clone()));
    }

    /// Bob redeems, and it is final.
    pub async fn redeem_to_the_end(&self) {
        let sent = self.bob.ensure(&self.redeem()).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
        self.redeemed().await;
    }

    /// Alice takes an expired lock back, or has it back by itself where nobody needs to ask; and it is final.
    pub async fn refund_to_the_end(&self) {
        let asked = self.alice.ensure(&self.refund()).await.unwrap();
        let is_back = |view: &Sighting| matches!(view.status, LockStatus::Refunded { .. });
        if self.bench.chain().is_some() {
            assert!(matches!(asked, Progress::Sent { .. }), "{asked:?}");
            self.finish().await;
        } else {
            for _ in 0..HOME_WITHIN_BLOCKS {
                if is_back(&self.alices_view()) && is_back(&self.bobs_view()) {
                    break;
                }
                self.mine(1).await;
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
        for view in [self.alices_view(), self.bobs_view()] {
            assert!(is_back(&view) && view.secret.is_none(), "{view:?}");
        }
        assert_eq!(self.alice.ensure(&self.refund()).await, Ok(Progress::Done));
    }

    /// Lets what was begun come to that: on a chain after so many blocks and no more, elsewhere as soon as both have heard of it,
    /// without any.
    async fn come_to(&self, blocks: u32, what: &'static str, holds: impl Fn(&Self) -> bool) {
        if self.bench.chain().is_some() {
            self.mine(blocks).await;
        } else {
            let mut patience = Patience::until(what);
            self.poll().await;
            while !holds(self) {
                patience.wait().await;
                self.poll().await;
            }
        }
        assert!(holds(self), "not {what}: {:?}, {:?}", self.alices_view(), self.bobs_view());
    }

    /// What an intent that took effect has cost that person of the asset that is locked.
    pub async fn paid(&self, who: Who, intent: IntentKey) -> Amount {
        let paid = self.bench.paid(who, intent).await;
        if self.lock.asset.token().is_some() { Amount::ZERO } else { paid }
    }

    /// What that person has of the asset.
    pub async fn available(&self, who: Who) -> Amount {
        let port = match who {
            Who::Alice => &self.alice,
            Who::Bob => &self.bob,
        };
        port.balance(self.lock.asset).await.unwrap().available
    }

    pub fn alices_view(&self) -> Sighting {
        self.alice.look(self.lock.id()).unwrap()
    }

    pub fn bobs_view(&self) -> Sighting {
        self.bob.look(self.lock.id()).unwrap()
    }

    /// A new adapter that watches the lock and has looked.
    pub async fn reconnect(&self, who: Who) -> Arc<dyn Port> {
        let port = self.bench.connect(who).await;
        port.watch(&self.lock, self.since);
        port.poll().await.unwrap();
        port
    }

    /// That person's process ends, and comes back.
    pub async fn restart(&mut self, who: Who) {
        let again = self.reconnect(who).await;
        match who {
            Who::Alice => self.alice = again,
            Who::Bob => self.bob = again,
        }
    }

    /// On a chain the one before goes on beside the new one, so that the next step compares with what it saw all along.
    pub async fn same_after_restart(&mut self, at: &str) {
        for who in [Who::Alice, Who::Bob] {
            let before = self.view(who);
            let seen = if self.bench.chain().is_some() {
                self.reconnect(who).await.look(self.lock.id()).unwrap()
            } else {
                self.restart(who).await;
                self.view(who)
            };
            assert_eq!(self.lasting(who, seen), self.lasting(who, before), "{who:?}, {at}");
        }
    }

    fn view(&self, who: Who) -> Sighting {
        match who {
            Who::Alice => self.alices_view(),
            Who::Bob => self.bobs_view(),
        }
    }

    /// Where no block shows it, a secret is kept by whom it is told to; Bob, who has told it, need not be told.
    fn lasting(&self, who: Who, view: Sighting) -> Sighting {
        let is_kept = self.bench.chain().is_some() || who == Who::Alice;
        Sighting { secret: view.secret.filter(|_| is_kept), ..view }
    }
}

/// What the adapter says to funding these terms.
pub async fn fault_of(port: &dyn Port, lock: Lock) -> Result<Progress, PortError> {
    port.ensure(&Act::Fund { lock }).await
}

/// Between looks for what takes no block of the story's.
pub struct Patience {
    what: &'static str,
    looks: u32,
}

impl Patience {
    pub const fn until(what: &'static str) -> Self {
        Self { what, looks: LOOKS }
    }

    /// A moment later; and no more once it has taken far too long.
    pub async fn wait(&mut self) {
        assert!(self.looks > 0, "still not so: {}", self.what);
        self.looks -= 1;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// What an intent paid that was done once: one of its transactions was mined, with the children that carried it.
pub fn mined_fee(journal: &MemoryJournal, intent: IntentKey) -> Amount {
    let rows = journal.rows(intent);
    let paid = |end: &Option<Settlement>| match end {
        Some(Settlement::Mined { fee, succeeded: true, .. }) => Some(*fee),
        Some(Settlement::Mined { succeeded: false, .. } | Settlement::Replaced) | None => None,
    };
    let mined: Vec<_> = rows.iter().filter_map(|(tx, end)| Some((tx, paid(end)?))).collect();
    let is_child =
        |inputs: &[String]| mined.iter().any(|(tx, _)| inputs.iter().any(|input| input.starts_with(&tx.txid.to_string())));
    assert_eq!(mined.iter().filter(|(tx, _)| !is_child(&tx.inputs)).count(), 1, "{rows:?}");
    // What was paid, not what was bid: on the EVM that is less.
    mined.iter().fold(Amount::ZERO, |sum, (_, fee)| sum.checked_add(*fee).unwrap())
}

pub fn fresh_key() -> LockKey {
    LockKey::from_bytes(fresh_bytes())
}

pub fn fresh_secret() -> Secret {
    Secret::from_bytes(fresh_bytes())
}

pub fn fresh_id() -> LockId {
    LockId::from_bytes(fresh_bytes())
}

/// Never the same twice on these chains; that is all tests need.
fn fresh_bytes() -> [u8; 32] {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let mut bytes = [0x5a; 32];
    bytes[1..17].copy_from_slice(&now.to_be_bytes());
    bytes[17..25].copy_from_slice(&COUNT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
    bytes
}
