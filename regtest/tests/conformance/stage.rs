//! One lock between Alice and Bob, and the moves the stories are made of.

use crate::bench::{Bench, Who};
use crate::journal::MemoryJournal;
use photon_chains::{
    Act, Amount, BlockHeight, IntentKey, Lock, LockId, LockKey, LockStatus, Port, PortError, Progress, Secret, Settlement,
    Sighting, Tip,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Long enough for every story to fund and confirm before it, by the ledger's own clock.
const TERM_SECS: u64 = 3_600;

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

    /// Alice funds; the transaction waits.
    pub async fn fund(&self) {
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

    /// The same, and it is.
    pub async fn confirm(&self) {
        self.confirm_blocks().await;
        assert!(matches!(self.bobs_view().status, LockStatus::Funded { .. }), "{:?}", self.bobs_view());
    }

    /// Blocks until whatever waits is final, and the journals know it.
    pub async fn finish(&self) {
        let timing = self.bob.timing();
        self.mine(timing.final_confirmations.max(timing.confirmations)).await;
    }

    /// Bob redeems, and it is final.
    pub async fn redeem_to_the_end(&self) {
        let sent = self.bob.ensure(&self.redeem()).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
        self.finish().await;
        let view = self.alices_view();
        assert!(matches!(view.status, LockStatus::Redeemed { .. }), "{view:?}");
        assert_eq!(view.secret, Some(self.secret.clone()));
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

    pub async fn same_after_restart(&self, at: &str) {
        for (who, before) in [(Who::Alice, self.alices_view()), (Who::Bob, self.bobs_view())] {
            let again = self.reconnect(who).await;
            assert_eq!(again.look(self.lock.id()), Some(before), "{who:?}, {at}");
        }
    }
}

/// What the adapter says to funding these terms.
pub async fn fault_of(port: &dyn Port, lock: Lock) -> Result<Progress, PortError> {
    port.ensure(&Act::Fund { lock }).await
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
