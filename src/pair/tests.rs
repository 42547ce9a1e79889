//! F1, F2, C1, C25: what one node alone shows is never enough for new risk, and always enough for a duty.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::agree::{self, Doubt, Place};
use super::{Dial, Pair};
use crate::clock;
use crate::wire::ConnectError;
use async_trait::async_trait;
use photon_chains::{
    Act, Address, Amount, Asset, Balance, BlockHeight, BlockRef, Expiry, Family, Fault, Hash32, IntentKey, Journal, JournalError,
    Ledger, Lock, LockId, LockKey, LockStatus, Party, Port, PortError, Progress, PublicKey, Purpose, Secret, Settlement,
    Sighting, SignedTx, Spend, SpendKind, Template, Timing, Tip, TxId, UnixTime, Witness,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOW: UnixTime = UnixTime::from_secs(2_000_000_000);

fn txid(n: u8) -> TxId {
    TxId::from_bytes([n; 32])
}

fn block(height: u64, n: u8) -> BlockRef {
    BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes([n; 32]) }
}

fn seen(status: LockStatus) -> Sighting {
    Sighting { status, ..Sighting::absent() }
}

/// Every kind of sighting that can differ.
fn kinds() -> Vec<Sighting> {
    let spent = |kind, depth| Some(Spend { kind, txid: txid(9), depth });
    let mut all = vec![seen(LockStatus::Absent)];
    for (tx, at) in [(1, 1), (1, 2), (2, 1)] {
        for depth in [0, 1, 7] {
            all.push(seen(LockStatus::Pending { txid: txid(tx), depth }));
        }
        for depth in [3, 8] {
            all.push(seen(LockStatus::Funded { txid: txid(tx), at: block(50, at), depth }));
        }
    }
    let funded = LockStatus::Funded { txid: txid(1), at: block(50, 1), depth: 3 };
    for (kind, depth) in [(SpendKind::Redeem, 0), (SpendKind::Redeem, 2), (SpendKind::Refund, 0), (SpendKind::Refund, 2)] {
        all.push(Sighting { spend: spent(kind, depth), ..seen(funded.clone()) });
    }
    all.push(Sighting { faults: vec![Fault::FundedTwice], ..seen(funded) });
    all.push(seen(LockStatus::Redeemed { txid: txid(9), at: block(60, 1) }));
    all.push(seen(LockStatus::Refunded { txid: txid(8), at: block(60, 1) }));
    all
}

fn has_spend(one: &Sighting) -> bool {
    one.spend.is_some() || one.is_over()
}

fn mined(one: &Sighting, kind: SpendKind) -> bool {
    one.spend.is_some_and(|spend| spend.kind == kind && spend.depth > 0)
        || matches!(
            (&one.status, kind),
            (LockStatus::Redeemed { .. }, SpendKind::Redeem) | (LockStatus::Refunded { .. }, SpendKind::Refund)
        )
}

#[test]
fn the_weaker_word_counts_for_risk_and_both_for_duties() {
    for a in kinds() {
        for b in kinds() {
            let what = format!("{a:?} and {b:?}");
            let both = agree::both(Some(a.clone()), Some(b.clone())).unwrap();
            let same = |one: &Sighting, other: &Sighting| match (&one.status, &other.status) {
                (LockStatus::Funded { txid, at, .. }, LockStatus::Funded { txid: other, at: there, .. }) => {
                    (txid, at) == (other, there)
                }
                _ => false,
            };
            let is_funded = matches!(both.status, LockStatus::Funded { .. });
            assert_eq!(is_funded, same(&a, &b), "{what}: relied on only if both show it");
            if let LockStatus::Funded { depth, .. } = both.status {
                let depths = [&a, &b].map(|one| match one.status {
                    LockStatus::Funded { depth, .. } => depth,
                    _ => 0,
                });
                assert_eq!(Some(&depth), depths.iter().min(), "{what}");
            }
            let is_end = |status: &LockStatus| std::mem::discriminant(status);
            let agreed_end = a.is_over() && b.is_over() && is_end(&a.status) == is_end(&b.status);
            assert_eq!(both.is_over(), agreed_end, "{what}: over only if it is on both");
            if a.stands() || b.stands() {
                assert!(both.stands(), "{what}: what stands on one may have to be redeemed or refunded");
            }
            assert_eq!(
                both.spend.is_some(),
                !agreed_end && (has_spend(&a) || has_spend(&b)),
                "{what}: a spend on either is a spend"
            );
            for kind in [SpendKind::Redeem, SpendKind::Refund] {
                let is_mined = both.spend.is_some_and(|spend| spend.kind == kind && spend.depth > 0);
                assert!(!is_mined || (mined(&a, kind) && mined(&b, kind)), "{what}: it ends our own claim only if both show it");
            }
            assert_eq!(both.faults.is_empty(), a.faults.is_empty() && b.faults.is_empty(), "{what}");
            let turned = agree::both(Some(b.clone()), Some(a.clone())).unwrap();
            assert_eq!(is_funded, matches!(turned.status, LockStatus::Funded { .. }), "{what}");
            let waits = |one: &Sighting| matches!(one.status, LockStatus::Absent | LockStatus::Pending { depth: 0, .. });
            if (waits(&a) || waits(&b)) && !a.is_over() && !b.is_over() {
                assert!(waits(&both), "{what}: a funding may have to be made impossible if one node has it in no block");
            }
        }
    }
}

#[test]
fn a_secret_is_a_secret_from_either_node_and_one_node_alone_never_funds() {
    let secret = Secret::from_bytes([7; 32]);
    for one in kinds() {
        let knows = Sighting { secret: Some(secret.clone()), ..one.clone() };
        for (a, b) in [(Some(knows.clone()), Some(seen(LockStatus::Absent))), (None, Some(knows.clone()))] {
            assert_eq!(agree::both(a.clone(), b.clone()).unwrap().secret, Some(secret.clone()));
            assert_eq!(agree::both(b, a).unwrap().secret, Some(secret.clone()));
        }
        let alone = agree::alone(one.clone());
        assert!(!matches!(alone.status, LockStatus::Funded { .. }), "{alone:?}");
        assert_eq!((alone.stands(), alone.is_over(), alone.spend), (one.stands(), one.is_over(), one.spend));
        let unseen_by_one = agree::both(Some(one), None).unwrap();
        assert!(!matches!(unseen_by_one.status, LockStatus::Funded { .. }), "{unseen_by_one:?}");
    }
    assert_eq!(agree::both(None, None), None);
}

fn tip(height: u64, hash: u8, age_secs: u64) -> Tip {
    let time = NOW.minus_secs(age_secs);
    Tip { block: block(height, hash), time, lock_clock: time }
}

#[test]
fn tips_must_be_fresh_and_near_each_other() {
    let doubt = |a, b| agree::doubt_of_tips(&a, &b, 600, NOW);
    assert_eq!(doubt(tip(10, 1, 5), tip(12, 2, 600)), None);
    assert_eq!(doubt(tip(10, 1, 5), tip(13, 2, 5)), Some(Doubt::Behind { place: Place::First, blocks: 3 }));
    assert_eq!(doubt(tip(13, 1, 5), tip(10, 2, 5)), Some(Doubt::Behind { place: Place::Second, blocks: 3 }));
    assert_eq!(doubt(tip(10, 1, 601), tip(10, 1, 5)), Some(Doubt::Stale { place: Place::First, secs: 601 }));
    assert_eq!(doubt(tip(10, 1, 5), tip(10, 1, 601)), Some(Doubt::Stale { place: Place::Second, secs: 601 }));
}

#[test]
fn duties_go_by_the_later_clock_that_can_be_true() {
    let ahead = |secs| Tip { time: NOW.plus_secs(secs), lock_clock: NOW.plus_secs(secs), ..tip(10, 1, 0) };
    for family in [Family::Utxo, Family::Evm] {
        assert_eq!(agree::tip_of(tip(1, 1, 9_000), tip(9, 1, 10), family, NOW), tip(9, 1, 10), "the first is frozen");
        assert_eq!(agree::tip_of(tip(9, 1, 10), tip(1, 1, 9_000), family, NOW), tip(9, 1, 10), "the second is frozen");
        assert_eq!(agree::tip_of(ahead(90_000), tip(9, 1, 10), family, NOW), tip(9, 1, 10), "the first is from the future");
        assert_eq!(agree::tip_of(ahead(90_000), ahead(90_001), family, NOW), ahead(90_001), "our own clock is wrong");
    }
    assert_eq!(agree::tip_of(tip(9, 1, 10), ahead(3_600), Family::Evm, NOW), tip(9, 1, 10));
    assert_eq!(agree::tip_of(tip(9, 1, 10), ahead(3_600), Family::Utxo, NOW), ahead(3_600));
}

/// A node that says what it is told to.
pub(crate) struct FakeNode {
    timing: Timing,
    genesis: u8,
    says: Mutex<Says>,
}

struct Says {
    tip: Result<Tip, PortError>,
    sighting: Option<Sighting>,
    ensure: Result<Progress, PortError>,
    block: Option<Hash32>,
    asked: Vec<IntentKey>,
    handed: Vec<TxId>,
}

fn down() -> PortError {
    PortError::Unreachable { ledger: Ledger::Bitcoin, reason: "it is down".to_owned() }
}

impl FakeNode {
    pub(crate) fn new(genesis: u8) -> Arc<Self> {
        let timing = Timing {
            block_secs: 600,
            stale_tip_secs: 3_600,
            confirmations: 3,
            final_confirmations: 6,
            ..photon_utxo::Params::of(Ledger::Bitcoin, photon_chains::Network::Regtest).unwrap().net.timing
        };
        let says = Says {
            tip: Ok(Tip { time: clock::now(), ..tip(100, 1, 0) }),
            sighting: Some(Sighting::absent()),
            ensure: Ok(Progress::Sent { txid: txid(1) }),
            block: Some(Hash32::from_bytes([5; 32])),
            asked: Vec::new(),
            handed: Vec::new(),
        };
        Arc::new(Self { timing, genesis, says: Mutex::new(says) })
    }

    /// From now on it shows that tip.
    pub(crate) fn freeze(&self, tip: Tip) {
        self.set(|says| says.tip = Ok(tip));
    }

    /// From now on it does not answer.
    pub(crate) fn silence(&self) {
        self.set(|says| says.tip = Err(down()));
    }

    fn set(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.says.lock().unwrap().asked.len()
    }

    fn handed(&self) -> Vec<TxId> {
        self.says.lock().unwrap().handed.clone()
    }
}

#[async_trait]
impl Witness for FakeNode {
    async fn block_at(&self, _height: BlockHeight) -> Result<Option<Hash32>, PortError> {
        Ok(self.says.lock().unwrap().block)
    }

    async fn relay(&self, tx: &SignedTx) -> Result<(), PortError> {
        self.says.lock().unwrap().handed.push(tx.txid);
        Ok(())
    }
}

#[async_trait]
impl Port for FakeNode {
    fn ledger(&self) -> Ledger {
        Ledger::Bitcoin
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn genesis(&self) -> Hash32 {
        Hash32::from_bytes([self.genesis; 32])
    }

    fn template(&self, _asset: Asset) -> Result<Template, PortError> {
        Ok(Template::P2wsh)
    }

    fn party(&self, _key: &LockKey) -> Result<Party, PortError> {
        Err(down())
    }

    async fn decimals(&self, _asset: Asset) -> Result<u8, PortError> {
        Ok(8)
    }

    fn watch(&self, _lock: &Lock, _since: BlockHeight) {}

    fn unwatch(&self, _lock: LockId) {}

    async fn poll(&self) -> Result<Tip, PortError> {
        self.says.lock().unwrap().tip.clone()
    }

    fn look(&self, _lock: LockId) -> Option<Sighting> {
        self.says.lock().unwrap().sighting.clone()
    }

    async fn ensure(&self, act: &Act) -> Result<Progress, PortError> {
        let mut says = self.says.lock().unwrap();
        says.asked.push(act.intent());
        says.ensure.clone()
    }

    async fn balance(&self, _asset: Asset) -> Result<Balance, PortError> {
        Ok(Balance::default())
    }

    async fn receive_address(&self) -> Result<String, PortError> {
        Ok(String::new())
    }

    fn funding_address(&self, _lock: &Lock) -> Option<String> {
        None
    }

    async fn likely_fee(&self, _asset: Asset, _purpose: Purpose) -> Result<Amount, PortError> {
        Ok(Amount::ZERO)
    }

    async fn worst_fee(&self, _asset: Asset, _purpose: Purpose) -> Result<Amount, PortError> {
        Ok(Amount::ZERO)
    }
}

/// One transaction was written down for every intent.
struct FullJournal;

#[async_trait]
impl Journal for FullJournal {
    async fn record(&self, _tx: &SignedTx) -> Result<(), JournalError> {
        Ok(())
    }

    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        Ok(vec![SignedTx {
            intent: *intent,
            ledger: Ledger::Bitcoin,
            txid: txid(1),
            raw: Vec::new(),
            nonce: None,
            inputs: Vec::new(),
            fee: Amount::ZERO,
        }])
    }

    async fn unsettled(&self, _ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        Ok(Vec::new())
    }

    async fn highest_nonce(&self, _ledger: Ledger, _account: Address) -> Result<Option<u64>, JournalError> {
        Ok(None)
    }

    async fn settle(&self, _ledger: Ledger, _txid: TxId, _end: Settlement) -> Result<(), JournalError> {
        Ok(())
    }
}

fn dial(node: Option<&Arc<FakeNode>>) -> Dial {
    let node = node.cloned();
    Box::new(move |_| {
        let node = node.clone();
        Box::pin(async move {
            let node: Arc<dyn Witness> = node.ok_or(ConnectError::Unreachable(down()))?;
            Ok(node)
        })
    })
}

async fn pair_of(first: Option<&Arc<FakeNode>>, second: Option<&Arc<FakeNode>>) -> Result<Pair, ConnectError> {
    Pair::connect(Ledger::Bitcoin, Arc::new(FullJournal), dial(first), dial(second)).await
}

async fn two() -> (Arc<FakeNode>, Arc<FakeNode>, Pair) {
    let (first, second) = (FakeNode::new(0), FakeNode::new(0));
    let pair = pair_of(Some(&first), Some(&second)).await.unwrap();
    pair.poll().await.unwrap();
    (first, second, pair)
}

fn lock() -> Lock {
    Lock {
        asset: Asset::Native(Ledger::Bitcoin),
        amount: Amount::from_units(1_000),
        redeemer: Party::Key(PublicKey::from_bytes([2; 33])),
        refundee: Party::Key(PublicKey::from_bytes([3; 33])),
        secret_hash: Secret::from_bytes([7; 32]).hash(),
        expiry: Expiry::at(NOW),
        template: Template::P2wsh,
    }
}

fn refund() -> Act {
    Act::Refund { lock: lock(), key: LockKey::from_bytes([4; 32]) }
}

/// Handing over is begun and not waited for.
async fn is_handed(node: &FakeNode) -> bool {
    for _ in 0..1_000 {
        if node.handed() == [txid(1)] {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}

#[tokio::test]
async fn two_that_agree_leave_no_doubt_and_are_both_handed_what_is_sent() {
    let (first, second, pair) = two().await;
    assert_eq!(pair.doubt(), None);
    for act in [Act::Fund { lock: lock() }, refund()] {
        assert_eq!(pair.ensure(&act).await, Ok(Progress::Sent { txid: txid(1) }));
        assert!(is_handed(&second).await, "{}", act.intent());
        second.set(|says| says.handed.clear());
    }
    assert_eq!((first.asked(), second.asked()), (2, 0), "one signs");
}

#[tokio::test]
async fn disagreement_is_doubt_and_its_end_ends_it() {
    let (first, second, pair) = two().await;
    let well = || Ok(Tip { time: clock::now(), ..tip(101, 2, 0) });
    second.set(|says| (says.tip, says.block) = (well(), Some(Hash32::from_bytes([6; 32]))));
    pair.poll().await.unwrap();
    assert!(pair.doubt().unwrap().contains("different chains"), "{:?}", pair.doubt());
    second.set(|says| says.block = Some(Hash32::from_bytes([5; 32])));
    pair.poll().await.unwrap();
    assert_eq!(pair.doubt(), None, "a fork at the tip alone is natural");
    second.set(|says| says.tip = Err(down()));
    pair.poll().await.unwrap();
    assert!(pair.doubt().unwrap().contains("the second node can't be asked"));
    first.set(|says| says.tip = Err(down()));
    second.set(|says| says.tip = well());
    pair.poll().await.unwrap();
    assert!(pair.doubt().unwrap().contains("the first node can't be asked"));
    second.set(|says| says.tip = Err(down()));
    assert!(pair.poll().await.is_err(), "nothing can be seen");
    first.set(|says| says.tip = well());
    second.set(|says| says.tip = well());
    pair.poll().await.unwrap();
    assert_eq!(pair.doubt(), None);
}

#[tokio::test]
async fn a_node_that_can_not_be_asked_stops_new_risk_and_no_duty() {
    let funded = Sighting { secret: None, ..seen(LockStatus::Funded { txid: txid(1), at: block(50, 1), depth: 3 }) };
    let (first, second, pair) = two().await;
    for node in [&first, &second] {
        node.set(|says| says.sighting = Some(funded.clone()));
    }
    assert_eq!(pair.look(lock().id()), Some(funded.clone()));
    second.set(|says| says.tip = Err(down()));
    pair.poll().await.unwrap();
    let alone = pair.look(lock().id()).unwrap();
    assert!(alone.stands() && !matches!(alone.status, LockStatus::Funded { .. }), "{alone:?}");
    assert_eq!(pair.ensure(&refund()).await, Ok(Progress::Sent { txid: txid(1) }));
    assert_eq!((first.asked(), second.asked()), (1, 0));

    first.set(|says| (says.tip, says.ensure, says.sighting) = (Err(down()), Err(down()), None));
    second.set(|says| says.tip = Ok(tip(100, 1, 0)));
    pair.poll().await.unwrap();
    assert!(pair.look(lock().id()).unwrap().stands(), "what the second shows is enough to go on");
    assert_eq!(pair.ensure(&refund()).await, Ok(Progress::Sent { txid: txid(1) }));
    assert_eq!((first.asked(), second.asked()), (1, 1), "the second carries it");
    assert!(is_handed(&first).await, "and the first is handed it, should it hear");
    assert_eq!(pair.ensure(&Act::Fund { lock: lock() }).await, Err(down()), "money goes out only where the wallet is");
    assert_eq!(second.asked(), 1);
}

#[tokio::test]
async fn what_one_node_denies_is_done_at_the_other() {
    let (first, second, pair) = two().await;
    second.set(|says| says.sighting = Some(seen(LockStatus::Pending { txid: txid(1), depth: 3 })));
    for denial in [Ok(Progress::NotYet), Ok(Progress::Done), Err(down())] {
        first.set(|says| says.ensure = denial.clone());
        let before = second.asked();
        assert_eq!(pair.ensure(&refund()).await, Ok(Progress::Sent { txid: txid(1) }), "{denial:?}");
        assert_eq!(second.asked(), before + 1, "{denial:?}");
    }
    second.set(|says| says.ensure = Ok(Progress::NotYet));
    first.set(|says| says.ensure = Ok(Progress::Done));
    assert_eq!(pair.ensure(&refund()).await, Ok(Progress::NotYet), "it is done when both say so");
    second.set(|says| says.ensure = Ok(Progress::Done));
    assert_eq!(pair.ensure(&refund()).await, Ok(Progress::Done));
}

#[tokio::test]
async fn a_journal_that_fails_ends_everything() {
    let (first, second, pair) = two().await;
    let broken = PortError::Journal(JournalError("disk".to_owned()));
    second.set(|says| says.ensure = Err(broken.clone()));
    first.set(|says| says.ensure = Ok(Progress::NotYet));
    assert_eq!(pair.ensure(&refund()).await, Err(broken.clone()));
    second.set(|says| says.tip = Err(broken.clone()));
    assert_eq!(pair.poll().await, Err(broken));
}

#[tokio::test]
async fn the_second_node_must_be_on_the_same_chain_and_one_of_the_two_is_enough_to_start() {
    let (first, other, twin) = (FakeNode::new(0), FakeNode::new(1), FakeNode::new(0));
    let refused = pair_of(Some(&first), Some(&other)).await.map(drop);
    assert!(matches!(refused, Err(ConnectError::Refused(_))));
    assert!(matches!(pair_of(None, None).await.map(drop), Err(ConnectError::Unreachable(_))));
    for (one, two) in [(Some(&first), None), (None, Some(&twin))] {
        let pair = pair_of(one, two).await.unwrap();
        pair.poll().await.unwrap();
        assert!(pair.doubt().unwrap().contains("can't be asked"), "{:?}", pair.doubt());
        let duty = pair.ensure(&refund()).await;
        assert_eq!(duty, Ok(Progress::Sent { txid: txid(1) }));
    }
}
